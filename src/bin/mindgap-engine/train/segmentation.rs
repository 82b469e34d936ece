//! Stage 2: one step of the segmentation net, the feature critic and the local feature mask.

use super::batches::Batch;
use super::data::TrainData;
use super::schedule::{self, Phase};
use super::state::TrainState;
use super::{Losses, Observer, TrainError};
use crate::model::infer::{self, SegmentOptions};
use crate::model::refine::{self, RefineSettings};
use crate::model::{Domain, amplify, losses, mask_of_score, tensor};
use mindgap::config::GapMode;
use mindgap::config::train::TrainConfig;
use std::sync::Arc;
use tch::Tensor;

/// EMA decay of segmenter and feature critic.
const DECAY: f64 = 0.99;

/// What has to be ready before a phase's first step: refined labels of the target scans for self-training.
pub fn enter_phase(
    phase: Phase,
    config: &TrainConfig,
    data: &TrainData,
    state: &mut TrainState,
    observer: &mut dyn Observer,
) -> Result<(), TrainError> {
    if !matches!(phase, Phase::SelfTrain(_)) {
        return Ok(());
    }
    let options = SegmentOptions { gap_mode: config.network.gap_mode, views: true, refine: true };
    let mut labels = Vec::new();
    // Where there is no target scan, the phantoms of the target modality take its place.
    let cases = if data.target_scans > 0 { &data.target[..data.target_scans] } else { &data.target[..] };
    for case in cases {
        let mut on_slice = |done: usize, total: usize| {
            observer.progress("labelling target scans", done as u64, total as u64, &case.name);
            !observer.cancelled()
        };
        let found = infer::probabilities(&state.averaged, &case.image, options, &mut on_slice)?;
        let refined = refine::refine(&case.image, &found.probabilities, &RefineSettings::default());
        labels.push(refined.map(|&label| label as u8));
    }
    state.pseudo_labels = Arc::new(labels);
    Ok(())
}

/// Updates E and head, then D_f, once.
pub fn step(
    phase: Phase,
    batch: &Batch,
    config: &TrainConfig,
    state: &mut TrainState,
) -> Result<Losses, TrainError> {
    if phase == Phase::Warm {
        return warm_step(batch, config, state);
    }
    let device = state.live.store.device();
    let images =
        |pixels: &[Vec<f32>]| tensor::image_batch(&pixels.concat(), pixels.len(), batch.size, device);
    let x_st = tch::no_grad(|| -> Result<Tensor, TrainError> {
        let signed = infer::to_signed(&images(&batch.source)?);
        Ok(infer::from_signed(&state.averaged.generator.translate(&signed, Domain::Source, Domain::Target)))
    })?;
    let mut parts = vec![x_st];
    if !batch.labelled.is_empty() {
        parts.push(images(&batch.labelled)?);
    }
    parts.push(images(&batch.target)?);
    let input = Tensor::f_cat(&parts, 0)?;
    let labels = [batch.source_labels.as_slice(), &batch.labels, &batch.pseudo_labels].concat();
    let truth = tensor::label_batch(&labels.concat(), labels.len(), batch.size, device)?;

    let translated = batch.source.len() as i64;
    let (supervised, all) = (labels.len() as i64, input.size()[0]);
    let targets = batch.target.len() as i64;
    let (step, total) = (state.step, phase.steps(config));
    let features = state.live.segmenter.encode(&input);
    let score = state.live.gap.score(&features.map);
    let mask = mask_of_score(&score).detach();
    let held = phase == Phase::Adapt && schedule::mask_held(step, total);
    let map = match config.network.gap_mode {
        GapMode::Feature if !held => amplify(&features.map, &mask),
        _ => features.map.shallow_clone(),
    };
    let with_labels = |t: &Tensor| t.narrow(0, 0, supervised);
    let skips: Vec<Tensor> = features.skips.iter().map(with_labels).collect();
    let logits = state.live.segmenter.decode(&with_labels(&map), &skips);
    let l_seg = losses::segmentation(&logits, &truth);
    let of_target = |t: &Tensor| t.narrow(0, all - targets, targets);
    let weight = match config.network.gap_mode {
        GapMode::Loss if !held => Some(of_target(&mask)),
        _ => None,
    };
    let l_adv = losses::feature_alignment(&of_target(&score), weight.as_ref());
    let ramp = if phase == Phase::Adapt { schedule::ramp(step, total) } else { 1.0 };
    let loss = &l_seg + &l_adv * (config.segmentation.lambda_alignment * ramp);
    let gradients = Tensor::f_run_backward(&[&loss], &state.segmenter_adam.parameters(), false, false)?;

    let detached = features.map.detach();
    let of_translated = state.live.gap.score(&detached.narrow(0, 0, translated));
    let l_df = losses::feature_critic(&of_translated, &state.live.gap.score(&of_target(&detached)));
    let critic_gradients = Tensor::f_run_backward(&[&l_df], &state.gap_adam.parameters(), false, false)?;

    let base_rate = match phase {
        Phase::SelfTrain(_) => config.self_training.learning_rate,
        _ => config.segmentation.learning_rate,
    };
    state.segmenter_adam.apply(&gradients, schedule::cosine(base_rate, step, total))?;
    state.gap_adam.apply(&critic_gradients, config.segmentation.critic_learning_rate)?;
    state.average("segmenter.", DECAY, step);
    state.average("gap.", DECAY, step);
    Ok(vec![
        ("segmentation", l_seg.f_double_value(&[])?),
        ("alignment", l_adv.f_double_value(&[])?),
        ("feature critic", l_df.f_double_value(&[])?),
        ("mean gap", of_target(&mask).f_mean(tch::Kind::Float)?.f_double_value(&[])?),
    ])
}

fn warm_step(batch: &Batch, config: &TrainConfig, state: &mut TrainState) -> Result<Losses, TrainError> {
    let device = state.live.store.device();
    let images = tensor::image_batch(&batch.labelled.concat(), batch.labelled.len(), batch.size, device)?;
    let truth = tensor::label_batch(&batch.labels.concat(), batch.labels.len(), batch.size, device)?;
    let features = state.live.segmenter.encode(&images);
    let loss = losses::segmentation(&state.live.segmenter.decode(&features.map, &features.skips), &truth);
    let gradients = Tensor::f_run_backward(&[&loss], &state.segmenter_adam.parameters(), false, false)?;
    let s = &config.segmentation;
    let rate = schedule::cosine(s.warm_learning_rate, state.step, 2 * s.warm_steps);
    state.segmenter_adam.apply(&gradients, rate)?;
    state.average("segmenter.", DECAY, state.step);
    Ok(vec![("segmentation", loss.f_double_value(&[])?)])
}
