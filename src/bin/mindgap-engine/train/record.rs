//! The finished bundle: weights in half precision, and a card that says how they came about.

use super::data::TrainData;
use super::schedule::Phase;
use super::state::TrainState;
use super::{TrainError, TrainJob};
use crate::model::checkpoint::{self, Precision};
use crate::model::infer::{self, SegmentOptions};
use crate::model::verdict::RefineRule;
use crate::model::views::Views;
use crate::model::{Networks, refine};
use mindgap::config::train::TrainConfig;
use mindgap::config::{Bundle, Card, MaskUse, Net, Origin, TrainingRecord, load_bundle_in, sha256_hex};
use mindgap::volume::io;
use std::path::Path;
use tch::Device;

/// Writes `weights.safetensors` and then `card.json`, which seals it. Scores are left empty: they are measured by
/// evaluation, not by training.
pub fn write_bundle(
    job: &TrainJob,
    config: &TrainConfig,
    data: &TrainData,
    state: &TrainState,
) -> Result<Card, TrainError> {
    let variables = state.averaged.store.variables();
    let tensors = variables.iter().chain(&state.source_only).map(|(name, tensor)| (name.clone(), tensor));
    let weights = checkpoint::to_bytes(tensors, Precision::Half)?;
    // Read back as a user's engine will: values that half precision cannot hold are found now, not then.
    let proof = Networks::new(&config.network, tch::Device::Cpu);
    checkpoint::load_bundle(&proof, checkpoint::from_bytes(&weights)?, Net::Adapted)?;
    let steps = Phase::all(config).into_iter().map(|phase| (phase.label(), phase.steps(config))).collect();
    let card = Card {
        id: config.id.clone(),
        version: config.version.clone(),
        task: config.task,
        source: config.source,
        target: config.target,
        weights_sha256: sha256_hex(&weights),
        weights_bytes: weights.len() as u64,
        network: config.network.clone(),
        preprocessing: config.preprocessing.clone(),
        training: TrainingRecord {
            data: data.description.clone(),
            seed: config.seed,
            steps,
            seconds: state.seconds.round(),
            half_precision_dice: agreement(config, data, &state.averaged, &proof)?,
            machine: match job.device {
                Device::Cpu => match tch::get_num_threads() {
                    1 => "CPU, 1 thread".to_owned(),
                    threads => format!("CPU, {threads} threads"),
                },
                _ => format!("a GPU, and {} CPU threads that made batches", super::producers(job.device)),
            },
            git_revision: env!("MINDGAP_GIT_REVISION").to_owned(),
            config: job.config_text.clone(),
            started_from: origins(config, &job.out_dir),
        },
        scores: Vec::new(),
        limits: config.limits.clone(),
    };
    let text = serde_json::to_string_pretty(&card).map_err(|error| TrainError::Data(error.to_string()))?;
    io::write_file(&job.out_dir.join("weights.safetensors"), &weights)?;
    io::write_file(&job.out_dir.join("card.json"), text.as_bytes())?;
    Ok(card)
}

/// The bundles that a training went on from. One that is gone by now is told of, and costs its entry alone.
fn origins(config: &TrainConfig, folder: &Path) -> Vec<Origin> {
    let start = &config.start_from;
    let mut origins: Vec<(&Path, Origin)> = Vec::new();
    let kept = if config.segmentation.keeps_critic() { 2 } else { 1 };
    for (path, networks) in [
        (&start.generator, &["style transfer"][..]),
        (&start.segmenter, &["segmentation net", "feature critic"][..kept]),
        (&start.averaged_with, &["segmentation net, averaged with the other"][..]),
    ] {
        let Some(path) = path else { continue };
        let networks = networks.iter().map(|name| (*name).to_owned());
        if let Some((_, origin)) = origins.iter_mut().find(|(of, _)| of == path) {
            origin.networks.extend(networks);
            continue;
        }
        match load_bundle_in(&folder.join(path)) {
            Ok(Bundle { card, .. }) => origins.push((
                path,
                Origin {
                    id: card.id,
                    weights_sha256: card.weights_sha256,
                    networks: networks.collect(),
                    training: card.training,
                },
            )),
            Err(error) => tracing::warn!("the card will not say what this training went on from: {error}"),
        }
    }
    origins.into_iter().map(|(_, origin)| origin).collect()
}

/// Target cases on which the two precisions are compared.
const COMPARED: usize = 2;

/// The least Dice of any structure between the labels of two sets of weights; `None` where neither finds anything.
fn agreement(
    config: &TrainConfig,
    data: &TrainData,
    trained: &Networks,
    stored: &Networks,
) -> Result<Option<f64>, TrainError> {
    let options = SegmentOptions {
        task: config.task,
        gap_mode: config.network.gap_mode,
        mask: MaskUse::Everywhere,
        views: Views::One,
        refine: RefineRule::Never,
    };
    let mut least: Option<f64> = None;
    for case in data.target.iter().take(COMPARED) {
        let labels = |networks| -> Result<_, TrainError> {
            let found = infer::probabilities(networks, &case.image, options, &mut |_, _| true)?;
            Ok(refine::argmax(&found.probabilities))
        };
        let (a, b) = (labels(trained)?, labels(stored)?);
        for label in config.task.table().entries.iter().map(|entry| entry.value) {
            if let Some(dice) = refine::overlap(&a, &b, label) {
                least = Some(least.map_or(dice, |least| least.min(dice)));
            }
        }
    }
    Ok(least)
}
