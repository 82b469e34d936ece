//! The training configuration: a TOML file, validated before anything is read or computed.
//!
//! Field names carry the method's symbol where it has one. Presets are committed under `assets/presets/`.

mod base;
mod check;
mod data;

pub use base::{preset_path, self_contained};
pub use data::{CardiacView, CtPhase, DataSource, FolderSource, MrSequence, PhantomSource};

use super::{NetworkConfig, Preprocessing};
use crate::volume::{Modality, Task};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use thiserror::Error;

/// One training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Bundle id: task, source, target.
    pub id: String,
    pub version: String,
    pub task: Task,
    /// The labelled modality.
    pub source: Modality,
    /// The unlabelled modality.
    pub target: Modality,
    pub seed: u64,
    /// A checkpoint is written every so many steps, and at every cancel.
    pub checkpoint_every: u64,
    /// What the model is not good for; goes into the card.
    #[serde(default)]
    pub limits: Vec<String>,
    /// Finished bundles whose networks this run starts from, instead of from chance.
    #[serde(default)]
    pub start_from: StartFrom,
    pub network: NetworkConfig,
    pub preprocessing: Preprocessing,
    pub translation: TranslationConfig,
    pub segmentation: SegmentationConfig,
    pub self_training: SelfTrainingConfig,
    pub source_data: Vec<DataSource>,
    pub target_data: Vec<DataSource>,
}

/// Bundles to start from; paths are relative to the output folder.
///
/// An ablation trains the style transfer once and shares it between the arms that need it, so that they differ in nothing
/// else.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartFrom {
    pub generator: Option<PathBuf>,
    /// Segmentation net and feature critic.
    pub segmenter: Option<PathBuf>,
    /// A bundle whose segmentation net is averaged with the first one's, weight by weight. Where one net was taught from the
    /// other, their mean does what both do, and often better (Wortsman et al., CVPR 2022, arXiv 2109.01903).
    pub averaged_with: Option<PathBuf>,
}

/// Stage 1: the style transfer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TranslationConfig {
    pub steps: u64,
    pub batch: usize,
    pub learning_rate: f64,
    /// Weights of the reconstruction, cycle, content and adversarial terms.
    pub lambda_reconstruction: f64,
    pub lambda_cycle: f64,
    pub lambda_content: f64,
    pub lambda_adversarial: f64,
}

/// Stage 2: the segmentation net, first on real source images, then on mixed contrasts with the local feature mask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentationConfig {
    pub warm_steps: u64,
    pub warm_batch: usize,
    pub warm_learning_rate: f64,
    pub steps: u64,
    /// Labelled slices a step, of which `real` are source images as they are, `translated` come from the style transfer,
    /// `restyled` from intensity curves, `sketched` are left ventricles drawn for the step (hearts only), and the rest are
    /// tissue maps painted in contrasts that are made up.
    pub batch: usize,
    #[serde(default)]
    pub real: usize,
    pub translated: usize,
    pub restyled: usize,
    #[serde(default)]
    pub sketched: usize,
    /// Unlabelled target slices a step, for the feature critic and the alignment; 0 leaves both out, and the mask is 0, in the
    /// finished bundle too. Self-training shows the critic target slices, so there is none with 0.
    pub target_batch: usize,
    pub learning_rate: f64,
    pub critic_learning_rate: f64,
    /// Steps before these in which the feature critic alone learns, on the features of the warmed-up net: the gap as it is
    /// before anything closes it.
    #[serde(default)]
    pub critic_steps: u64,
    /// Weight of L_adv, ramped over the first fifth of the steps.
    pub lambda_alignment: f64,
    /// How readily the mask has a structure of the source repainted: its chance in a slice is this times the structure's mean
    /// gap, times the square of that gap's share of the largest one. 0 leaves the source's contrasts alone.
    #[serde(default)]
    pub gap_repaint: f32,
    /// In the cross-entropy a class weighs as one over this power of its share of the batch's pixels. 0 lets a small structure
    /// die early, unheard among the rest; large values make a net draw small structures too large.
    #[serde(default = "usual_class_balance")]
    pub class_balance: f64,
    /// Whether that power falls to 0 over the first half of the adaptation and stays there: small structures are heard while they
    /// are learned, and drawn at their size in the end.
    #[serde(default)]
    pub class_balance_fades: bool,
    /// Share of the slices in made-up contrasts (restyled, sketched, painted) that are made darker as a whole, down to a third.
    #[serde(default)]
    pub dimmed: f64,
    /// Share of labelled slices from scans where there are phantoms too.
    pub scan_share: f64,
    /// How far slices are turned in the plane, either way; left out, what is usual for the task.
    pub rotation_deg: Option<f32>,
}

fn usual_class_balance() -> f64 {
    0.5
}

/// Self-training on refined labels of target scans.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfTrainingConfig {
    pub rounds: u64,
    /// Steps a round.
    pub steps: u64,
    pub target_batch: usize,
    pub learning_rate: f64,
}

/// What is wrong with a configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("training configuration: {0}")]
    Syntax(#[from] toml::de::Error),
    #[error("training configuration, {field}: expected {expected}, got {got}")]
    Value { field: String, expected: String, got: String },
    #[error("training configuration, base: the preset \"{name}\" cannot be read ({reason})")]
    Base { name: String, reason: String },
}

impl SegmentationConfig {
    /// Whether a training that goes on from a bundle goes on with its feature critic. With a head start it begins afresh; without
    /// target slices it would stay behind a net that moves on, and show a gap that is no longer there or hide one that is.
    pub fn keeps_critic(&self) -> bool {
        self.target_batch > 0 && self.critic_steps == 0
    }

    /// Labelled slices a step from tissue maps.
    pub fn painted(&self) -> usize {
        self.batch.saturating_sub(self.real + self.translated + self.restyled + self.sketched)
    }
}

impl TrainConfig {
    /// Parses and checks a configuration.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text)?;
        config.check()?;
        Ok(config)
    }
}
