//! A model bundle: `card.json`, which says what the model is, and `weights.safetensors`, which the card's hash seals.
//!
//! Read and verified here without libtorch, so that the window can list models and refuse a damaged one; the engine
//! checks names, shapes and values once more before it uses them.

use crate::volume::{Modality, Task};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// How the local feature mask acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GapMode {
    /// F^ = F (1 + a), in training and at inference.
    Feature,
    /// The alignment loss is weighted by 1 + a; inference is untouched.
    Loss,
}

/// Which slices of a volume the 2-D networks see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plane {
    /// Axial slices of the volume turned to R, A, S.
    Axial,
    /// Slices as acquired, across the axis with the largest spacing: short-axis stacks.
    Acquired,
    /// The same, oblique slices turned in their plane until they lie as a patient stands: short-axis stacks all alike.
    Upright,
}

/// Which part of a slice the networks see.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Window {
    /// The body, and at least the configured size; up to half of `multiple` of its skin may be cut off.
    #[default]
    Body,
    /// Exactly the configured size around the centre of the scan, where short-axis protocols put the heart.
    Centre,
}

/// From a scan to what the networks are fed; its inverse takes results back to the scan's grid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    pub plane: Plane,
    #[serde(default)]
    pub window: Window,
    /// In-plane and through-plane voxel size in mm; a through-plane 0 keeps the scan's own.
    pub spacing_mm: [f64; 3],
    /// Smallest network input, columns x rows; larger bodies are padded to the next multiple of `multiple`.
    pub size: [usize; 2],
    pub multiple: usize,
    /// Hounsfield units that map to 0 and 1.
    pub ct_window_hu: [f32; 2],
    /// The percentile of the volume's intensities that maps to 1.
    pub mr_percentile: f32,
    /// Where MR intensities are clipped, in units of that percentile.
    pub mr_clip: f32,
    /// Of what lies above air in the networks' window of an MR, the upper quartile is raised to this, in the same units, by a
    /// power law that leaves 0 and 1 where they are: fat beside the coil can be so bright that a heart lies in the lowest
    /// third of the scale, where nets see little of its borders. Brighter scans stay as they are, and with 0 all do.
    #[serde(default)]
    pub mr_brighten_to: f32,
}

/// Sizes of the networks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// b: channels of the segmentation net's first level.
    pub base_channels: i64,
    /// Channels of each further level, as multiples of b.
    pub level_multiples: Vec<i64>,
    /// g: channels of the generator's first level.
    pub generator_channels: i64,
    /// N: residual blocks in the generator's encoder and in its decoder.
    pub residual_blocks: i64,
    /// d: channels of the image critic's first level; the critic is used in training only.
    pub critic_channels: i64,
    /// Structures + background.
    pub classes: i64,
    pub gap_mode: GapMode,
}

/// One measured figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// What was measured, on which data and split: "Dice, liver, TotalSegmentator MR slab (development)".
    pub what: String,
    pub value: f64,
}

/// How the weights came about.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainingRecord {
    /// Each data source, with its role and licence.
    pub data: Vec<String>,
    pub seed: u64,
    /// Optimiser steps of each stage.
    pub steps: Vec<(String, u64)>,
    pub seconds: f64,
    /// Weights are stored in half precision: Dice of the labels with them against labels with the weights as they were
    /// trained, the least of all structures of the target cases looked at.
    #[serde(default)]
    pub half_precision_dice: Option<f64>,
    /// "2 CPU threads", ...
    pub machine: String,
    pub git_revision: String,
    /// The configuration file, verbatim.
    pub config: String,
    /// The finished bundles that it went on from.
    #[serde(default)]
    pub started_from: Vec<Origin>,
}

/// A bundle that another training went on from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    pub id: String,
    pub weights_sha256: String,
    /// Which of its networks were taken over.
    pub networks: Vec<String>,
    /// How it came about itself.
    pub training: TrainingRecord,
}

/// What a bundle says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// "abdomen-ct-to-mr": task, labelled source modality, unlabelled target modality.
    pub id: String,
    pub version: String,
    pub task: Task,
    pub source: Modality,
    pub target: Modality,
    pub weights_sha256: String,
    pub weights_bytes: u64,
    pub network: NetworkConfig,
    pub preprocessing: Preprocessing,
    pub training: TrainingRecord,
    pub scores: Vec<Score>,
    /// What it is not good for, in full sentences.
    pub limits: Vec<String>,
}

/// Which of a bundle's two segmentation nets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Net {
    /// The net that the training came to.
    #[default]
    Adapted,
    /// The net as it was when it had seen source images only, without a local feature mask: what there was to gain.
    SourceOnly,
}

/// A verified bundle in memory.
#[derive(Debug, Clone)]
pub struct Bundle {
    pub card: Card,
    pub folder: PathBuf,
    /// The safetensors file, whole.
    pub weights: Vec<u8>,
}

/// Why a bundle cannot be used.
#[derive(Debug, Error)]
pub enum BundleError {
    #[error("{}: cannot be read ({source}); a model is a folder with card.json and weights.safetensors", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}: not a model card ({source})", path.display())]
    BadCard { path: PathBuf, source: serde_json::Error },
    #[error("{}: expected sha256 {expected} as card.json says, got {got}; the file is damaged or not this card's", path.display())]
    WrongHash { path: PathBuf, expected: String, got: String },
    #[error("model {id}: the card has {classes} classes, the {task} label table has {table} with background", task = task.name())]
    ClassCount { id: String, classes: i64, task: Task, table: usize },
    #[error("no model \"{asked}\"; the bundled ones are {known}, or give a folder with card.json")]
    Unknown { asked: String, known: String },
    #[error("no bundled model segments {task} on {modality}", task = task.name(), modality = modality.name())]
    NoneFor { task: Task, modality: Modality },
    #[error(transparent)]
    Assets(#[from] super::AssetError),
}

/// The cards of all bundled models, by id. A bundle that cannot be read is left out and logged.
pub fn bundled_models() -> Result<Vec<Card>, BundleError> {
    let models = super::assets_dir()?.join("models");
    let mut cards: Vec<Card> = std::fs::read_dir(&models)
        .map(|entries| {
            entries.flatten().map(|e| e.path()).filter(|p| p.join("card.json").is_file()).collect()
        })
        .unwrap_or_else(|_| Vec::<PathBuf>::new())
        .iter()
        .filter_map(|folder| match read_card(folder) {
            Ok(card) => Some(card),
            Err(error) => {
                tracing::warn!("{error}");
                None
            }
        })
        .collect();
    cards.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(cards)
}

/// The bundled model whose *target* is `modality`: never one trained on labels of that modality.
pub fn model_for(task: Task, modality: Modality) -> Result<Card, BundleError> {
    bundled_models()?
        .into_iter()
        .find(|card| card.task == task && card.target == modality)
        .ok_or(BundleError::NoneFor { task, modality })
}

/// Reads and verifies a bundle named by its id or its folder.
pub fn load_bundle(id_or_folder: &str) -> Result<Bundle, BundleError> {
    let given = Path::new(id_or_folder);
    let folder = if given.join("card.json").is_file() {
        given.to_owned()
    } else {
        super::assets_dir()?.join("models").join(id_or_folder)
    };
    if !folder.join("card.json").is_file() {
        let known = bundled_models()?.into_iter().map(|card| card.id).collect::<Vec<_>>().join(", ");
        return Err(BundleError::Unknown { asked: id_or_folder.to_owned(), known });
    }
    load_bundle_in(&folder)
}

/// Reads and verifies the bundle in a folder.
pub fn load_bundle_in(folder: &Path) -> Result<Bundle, BundleError> {
    let card = read_card(folder)?;
    let path = folder.join("weights.safetensors");
    let weights =
        std::fs::read(&path).map_err(|source| BundleError::Unreadable { path: path.clone(), source })?;
    let got = sha256_hex(&weights);
    if got != card.weights_sha256 {
        return Err(BundleError::WrongHash { path, expected: card.weights_sha256, got });
    }
    Ok(Bundle { card, folder: folder.to_owned(), weights })
}

/// SHA-256 of some bytes, in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_card(folder: &Path) -> Result<Card, BundleError> {
    let path = folder.join("card.json");
    let text = std::fs::read_to_string(&path)
        .map_err(|source| BundleError::Unreadable { path: path.clone(), source })?;
    let card: Card = serde_json::from_str(&text).map_err(|source| BundleError::BadCard { path, source })?;
    let table = card.task.table().entries.len() + 1;
    if card.network.classes != table as i64 {
        return Err(BundleError::ClassCount {
            id: card.id,
            classes: card.network.classes,
            task: card.task,
            table,
        });
    }
    Ok(card)
}
