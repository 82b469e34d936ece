//! Stage 2: one step of the segmentation net, the feature critic and the local feature mask.

use super::batches::{Batch, Kind, Repaint};
use super::data::TrainData;
use super::schedule::{self, Phase};
use super::state::TrainState;
use super::{Observer, StepRecord, TrainError};
use crate::model::infer::{self, SegmentOptions};
use crate::model::refine;
use crate::model::verdict::RefineRule;
use crate::model::views::Views;
use crate::model::{Domain, amplify, losses, mask_of_score, tensor};
use mindgap::config::train::TrainConfig;
use mindgap::config::{GapMode, MaskUse};
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
    let options = SegmentOptions {
        task: config.task,
        gap_mode: config.network.gap_mode,
        mask: MaskUse::Everywhere,
        views: Views::Shifted,
        refine: RefineRule::Always,
    };
    let mut labels = Vec::new();
    // Where there is no target scan, the phantoms of the target modality take its place.
    let cases = if data.target_scans > 0 { &data.target[..data.target_scans] } else { &data.target[..] };
    for case in cases {
        let mut on_slice = |done: usize, total: usize| {
            observer.progress("labelling target scans", done as u64, total as u64, &case.name);
            !observer.cancelled()
        };
        let found = infer::probabilities(&state.averaged, &case.image, options, &mut on_slice)?;
        let refined = refine::refine(&case.image, &found.probabilities, config.task);
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
) -> Result<StepRecord, TrainError> {
    if phase == Phase::Warm {
        return warm_step(batch, config, state);
    }
    let head_start = if phase == Phase::Adapt { config.segmentation.critic_steps } else { 0 };
    if state.step < head_start {
        return critic_step(batch, config, state);
    }
    let parts = Parts::of(batch, state)?;
    parts.repaint(&batch.repaints, &repaint_chances(&state.gap_of_class, config.segmentation.gap_repaint))?;
    let (step, total) = (state.step - head_start, phase.steps(config) - head_start);
    let features = state.live.segmenter.encode(&parts.images);
    let score = state.live.gap.score(&features.map);
    let mask = mask_of_score(&score).detach();
    // Without target slices there is no critic, and a is 0. A critic that knows nothing yet is held back; one that had a head
    // start is not.
    let held = phase == Phase::Adapt && head_start == 0 && schedule::mask_held(step, total);
    let acts = parts.targets > 0 && !held;
    let map = match config.network.gap_mode {
        GapMode::Feature if acts => amplify(&features.map, &mask),
        _ => features.map.shallow_clone(),
    };
    let skips: Vec<Tensor> = features.skips.iter().map(|skip| parts.supervised(skip)).collect();
    let logits = state.live.segmenter.decode(&parts.supervised(&map), &skips);
    let s = &config.segmentation;
    let faded = match phase {
        _ if !s.class_balance_fades => 1.0,
        Phase::Adapt => schedule::faded(step, total),
        _ => 0.0,
    };
    let l_seg = losses::segmentation(&logits, &parts.truth, s.class_balance * faded);
    let mut record = StepRecord::new(vec![("segmentation", l_seg.f_double_value(&[])?)]);
    let mut loss = l_seg;
    if parts.targets > 0 {
        let weight = match config.network.gap_mode {
            GapMode::Loss if acts => Some(parts.target(&mask)),
            _ => None,
        };
        let l_adv = losses::feature_alignment(&parts.target(&score), weight.as_ref());
        let ramp = if phase == Phase::Adapt { schedule::ramp(step, total) } else { 1.0 };
        record.losses.push(("alignment", l_adv.f_double_value(&[])?));
        loss += l_adv * (config.segmentation.lambda_alignment * ramp);
    }
    let gradients = Tensor::f_run_backward(&[&loss], &state.segmenter_adam.parameters(), false, false)?;
    let critic = if parts.targets > 0 { Some(critic_gradients(&features.map, &parts, state)?) } else { None };
    let base_rate = match phase {
        Phase::SelfTrain(_) => config.self_training.learning_rate,
        _ => config.segmentation.learning_rate,
    };
    state.segmenter_adam.apply(&gradients, schedule::cosine(base_rate, step, total))?;
    if let Some((l_df, gradients)) = critic {
        // It slows down as the net does: a critic that goes on learning beside a net that has stopped would see a gap
        // grow that has not grown.
        let rate = schedule::cosine(config.segmentation.critic_learning_rate, step, total);
        state.gap_adam.apply(&gradients, rate)?;
        record.losses.push(("feature critic", l_df));
        note_gaps(&parts, &mask, config, state, &mut record)?;
    }
    state.average_segmenter(DECAY, step)?;
    state.average_gap(DECAY, state.step)?;
    Ok(record)
}

/// The head start of the feature critic: D_f learns on the features of the net as the warm-up left it, which is held. What
/// the gap is before anything closes it is then known, and the mask acts on it from the first step.
fn critic_step(
    batch: &Batch,
    config: &TrainConfig,
    state: &mut TrainState,
) -> Result<StepRecord, TrainError> {
    let mut record = StepRecord::new(Vec::new());
    let parts = Parts::of(batch, state)?;
    let features = tch::no_grad(|| state.live.segmenter.encode(&parts.images));
    let mask = state.live.gap.mask(&features.map);
    let (l_df, gradients) = critic_gradients(&features.map, &parts, state)?;
    state
        .gap_adam
        .apply(&gradients, schedule::warmed_up(config.segmentation.critic_learning_rate, state.step))?;
    record.losses.push(("feature critic", l_df));
    note_gaps(&parts, &mask, config, state, &mut record)?;
    state.average_gap(DECAY, state.step)?;
    Ok(record)
}

/// Puts what the critic sees into the step's record and the moving means.
fn note_gaps(
    parts: &Parts,
    mask: &Tensor,
    config: &TrainConfig,
    state: &mut TrainState,
    record: &mut StepRecord,
) -> Result<(), TrainError> {
    record.losses.push(("mean gap", parts.target(mask).f_mean(tch::Kind::Float)?.f_double_value(&[])?));
    record.gap_of_class = gap_of_class(parts, mask, config.network.classes)?;
    state.follow_gaps(&record.gap_of_class);
    Ok(())
}

/// One step's images in a single batch: translated source slices, other labelled slices, target slices.
struct Parts {
    images: Tensor,
    /// Labels of the first images; in self-training of all.
    truth: Tensor,
    /// How many of the first images stand for the source before the critic: the translated ones, or, where nothing is
    /// translated, the real ones.
    aligned: i64,
    targets: i64,
}

impl Parts {
    fn of(batch: &Batch, state: &TrainState) -> Result<Self, TrainError> {
        let device = state.live.store.device();
        let images =
            |pixels: &[Vec<f32>]| tensor::image_batch(&pixels.concat(), pixels.len(), batch.size, device);
        let mut pictures = Vec::new();
        if !batch.source.is_empty() {
            let signed = infer::to_signed(&images(&batch.source)?);
            let generator = &state.averaged.generator;
            let x_st = tch::no_grad(|| generator.translate(&signed, Domain::Source, Domain::Target));
            pictures.push(infer::from_signed(&x_st));
        }
        for pixels in [&batch.labelled, &batch.target] {
            if !pixels.is_empty() {
                pictures.push(images(pixels)?);
            }
        }
        let labels = [batch.source_labels.as_slice(), &batch.labels, &batch.pseudo_labels].concat();
        let aligned = match batch.source.len() {
            0 => batch.of_kind(Kind::Real),
            translated => translated,
        };
        Ok(Self {
            images: Tensor::f_cat(&pictures, 0)?,
            truth: tensor::label_batch(&labels.concat(), labels.len(), batch.size, device)?,
            aligned: aligned as i64,
            targets: batch.target.len() as i64,
        })
    }

    /// Changes the contrast of structures in the slices that stand for the source, the more often the larger the gap that
    /// the critic still sees in them: what has to be learned from shape and place then cannot be learned from brightness.
    /// The background is no structure and keeps its contrast. Without target slices there is no critic and nothing changes.
    fn repaint(&self, repaints: &[Vec<Repaint>], chances: &[f32]) -> Result<(), TrainError> {
        if self.targets == 0 {
            return Ok(());
        }
        for (slice, classes) in repaints.iter().enumerate().take(self.aligned as usize) {
            let (mut image, labels) = (self.images.f_get(slice as i64)?, self.truth.f_get(slice as i64)?);
            for (class, repaint) in classes.iter().enumerate().skip(1) {
                if chances.get(class).is_some_and(|chance| repaint.reluctance < *chance) {
                    let inside = labels.f_eq(class as i64)?.f_unsqueeze(0)?;
                    let changed =
                        (&image * f64::from(repaint.gain) + f64::from(repaint.shift)).f_clamp(0.0, 1.3)?;
                    image.f_copy_(&changed.f_where_self(&inside, &image)?)?;
                }
            }
        }
        Ok(())
    }

    fn supervised(&self, t: &Tensor) -> Tensor {
        t.narrow(0, 0, self.truth.size()[0])
    }

    fn source(&self, t: &Tensor) -> Tensor {
        t.narrow(0, 0, self.aligned)
    }

    fn target(&self, t: &Tensor) -> Tensor {
        t.narrow(0, t.size()[0] - self.targets, self.targets)
    }
}

/// How often each class is shown in another contrast: `factor` times its mean gap, times the square of that gap's share of
/// the largest one among the structures. What is imbalanced comes first: a structure that has nearly closed its gap would
/// only be blurred by contrasts that the target does not have, while structures that are equally far off count equally.
fn repaint_chances(gap_of_class: &[f32], factor: f32) -> Vec<f32> {
    let largest = gap_of_class.iter().skip(1).fold(0.0f32, |most, gap| most.max(*gap));
    let chance = |gap: &f32| if largest > 0.0 { factor * gap * (gap / largest).powi(2) } else { 0.0 };
    gap_of_class.iter().map(chance).collect()
}

/// L_Df and its gradients; E is held.
fn critic_gradients(
    features: &Tensor,
    parts: &Parts,
    state: &TrainState,
) -> Result<(f64, Vec<Tensor>), TrainError> {
    let detached = features.detach();
    let of_source = state.live.gap.score(&parts.source(&detached));
    let of_target = state.live.gap.score(&parts.target(&detached));
    let l_df = losses::feature_critic(&of_source, &of_target);
    let gradients = Tensor::f_run_backward(&[&l_df], &state.gap_adam.parameters(), false, false)?;
    Ok((l_df.f_double_value(&[])?, gradients))
}

/// Mean a(p) of each class, background first, where the source's labels say the class is; `None` where it is not.
fn gap_of_class(parts: &Parts, mask: &Tensor, classes: i64) -> Result<Vec<Option<f64>>, TrainError> {
    let mask = parts.source(mask).f_squeeze_dim(1)?;
    let stride = parts.truth.size()[1] / mask.size()[1];
    let labels = parts.source(&parts.truth).f_slice(1, 0, None, stride)?.f_slice(2, 0, None, stride)?;
    // All counts and sums come from the device at once.
    let mut found = Vec::new();
    for class in 0..classes {
        let inside = labels.f_eq(class)?.f_to_kind(tch::Kind::Float)?;
        found.push(inside.f_sum(tch::Kind::Float)?);
        found.push((inside * &mask).f_sum(tch::Kind::Float)?);
    }
    let found = tensor::values(&Tensor::f_stack(&found, 0)?)?;
    let mean = |pair: &[f32]| (pair[0] > 0.0).then(|| f64::from(pair[1]) / f64::from(pair[0]));
    Ok(found.chunks_exact(2).map(mean).collect())
}

fn warm_step(batch: &Batch, config: &TrainConfig, state: &mut TrainState) -> Result<StepRecord, TrainError> {
    let device = state.live.store.device();
    let images = tensor::image_batch(&batch.labelled.concat(), batch.labelled.len(), batch.size, device)?;
    let truth = tensor::label_batch(&batch.labels.concat(), batch.labels.len(), batch.size, device)?;
    let features = state.live.segmenter.encode(&images);
    let logits = state.live.segmenter.decode(&features.map, &features.skips);
    let loss = losses::segmentation(&logits, &truth, config.segmentation.class_balance);
    let gradients = Tensor::f_run_backward(&[&loss], &state.segmenter_adam.parameters(), false, false)?;
    let s = &config.segmentation;
    let rate = schedule::cosine(s.warm_learning_rate, state.step, 2 * s.warm_steps);
    state.segmenter_adam.apply(&gradients, rate)?;
    state.average_segmenter(DECAY, state.step)?;
    Ok(StepRecord::new(vec![("segmentation", loss.f_double_value(&[])?)]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::tests::seeded;
    use mindgap::config::train::preset_path;

    #[test]
    fn in_its_head_start_the_critic_learns_and_the_net_stays_as_the_warm_up_left_it() {
        let text = std::fs::read_to_string(preset_path("abdomen-ct-to-mr").unwrap()).unwrap();
        let mut config = TrainConfig::parse(&text).unwrap();
        config.segmentation.critic_steps = 2;
        let mut state = seeded(5, || TrainState::new(&config, tch::Device::Cpu)).unwrap();
        let image =
            |level: f32| vec![(0..32 * 32).map(|n| level + 0.01 * (n % 7) as f32).collect::<Vec<f32>>()];
        let batch = Batch {
            size: [32, 32],
            source: image(0.2),
            source_labels: vec![[[0u8; 512], [1; 512]].concat()],
            target: image(0.8),
            ..Batch::default()
        };
        let weights = |state: &TrainState, part: &str| -> Vec<f32> {
            let mut named: Vec<_> = state.live.store.variables().into_iter().collect();
            named.retain(|(name, _)| name.starts_with(part));
            named.sort_by(|a, b| a.0.cmp(&b.0));
            named.iter().flat_map(|(_, tensor)| tensor::values(tensor).unwrap()).collect()
        };
        let (net, critic) = (weights(&state, "segmenter."), weights(&state, "gap."));
        let record = step(Phase::Adapt, &batch, &config, &mut state).unwrap();
        assert!(weights(&state, "segmenter.") == net, "the net must be held");
        assert!(weights(&state, "gap.") != critic, "the critic must learn");
        assert_eq!(record.gap_of_class.len(), 5, "the gap of each class is told from the first step");

        state.step = 2;
        step(Phase::Adapt, &batch, &config, &mut state).unwrap();
        assert!(weights(&state, "segmenter.") != net, "after it the net must learn");
    }

    #[test]
    fn the_structure_with_the_largest_gap_is_repainted_most_and_equal_gaps_equally() {
        let near = |a: f32, b: f32| (a - b).abs() < 1e-6;
        // The background, first, is no structure and sets no measure.
        let flipped = repaint_chances(&[0.9, 0.2, 0.1, 0.1], 4.0);
        assert!(near(flipped[1], 0.8) && near(flipped[2], 0.1) && near(flipped[3], 0.1), "{flipped:?}");
        let alike = repaint_chances(&[0.0, 0.2, 0.2], 4.0);
        assert!(near(alike[1], 0.8) && near(alike[2], 0.8), "{alike:?}");
        assert_eq!(repaint_chances(&[0.0; 3], 4.0), [0.0; 3]);
    }

    #[test]
    fn only_structures_with_a_large_gap_are_repainted_and_only_in_slices_that_stand_for_the_source() {
        // Two slices of 1 x 3 pixels: background, structure 1, structure 2; the second slice is a target's.
        let image = Tensor::from_slice(&[0.5f32, 0.5, 0.5, 0.5, 0.5, 0.5]).view([2, 1, 1, 3]);
        let truth = Tensor::from_slice(&[0i64, 1, 2, 0, 1, 2]).view([2, 1, 3]);
        let parts = Parts { images: image, truth, aligned: 1, targets: 1 };
        let repaint = Repaint { reluctance: 0.3, gain: 0.5, shift: 0.1 };
        parts.repaint(&[vec![repaint; 3], vec![repaint; 3]], &[0.9, 0.4, 0.2]).unwrap();
        let values = tensor::values(&parts.images).unwrap();
        assert!((values[1] - 0.35).abs() < 1e-6, "the structure with the large gap must change: {values:?}");
        let others: Vec<f32> = [0, 2, 3, 4, 5].map(|n| values[n]).to_vec();
        assert_eq!(others, [0.5; 5], "nothing else may change");
    }
}
