//! Where a training's volumes come from: files, folders of cases, or the program's own phantoms.

use crate::volume::Task;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Where volumes come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum DataSource {
    /// One file; paths are relative to the data folder.
    Scan {
        name: String,
        image: PathBuf,
        /// Source data only.
        labels: Option<PathBuf>,
        /// Which structures the label values are.
        label_table: Option<String>,
        /// Which tissues the label values are.
        tissue_table: Option<String>,
        licence: String,
    },
    /// All cases of a folder.
    Folder(FolderSource),
    /// Volumes of the program's own generator.
    Phantoms(PhantomSource),
}

/// The cases of a dataset as it lies on disk; paths are relative to the data folder.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderSource {
    pub name: String,
    /// The scans, files or DICOM folders; one `*` stands for what tells cases apart: `mm-whs/ct_train/*_image.nii.gz`.
    pub images: String,
    /// Source data only: the labels of the case that `*` stands for.
    pub labels: Option<String>,
    /// Where every structure has a file of its own: their names, and the values they have in the label table. `labels` is
    /// then the folder they lie in.
    #[serde(default)]
    pub structure_files: BTreeMap<String, u16>,
    pub label_table: Option<String>,
    pub tissue_table: Option<String>,
    /// What `*` stands for in cases to leave out: those that are tested on.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Source data only: cases in which no voxel shows a structure are left out, and told, instead of refused. For datasets of
    /// whole bodies, in which many scans show none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leave_out_unlabelled: bool,
    pub licence: String,
}

/// Phantoms of the seeds `first_seed .. first_seed + count`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhantomSource {
    pub count: u64,
    pub first_seed: u64,
    /// Another task's bodies, in which nothing is labelled: abdomens teach a model of hearts what is none.
    pub body: Option<Task>,
    /// Hearts only; left out, the generator's usual view of the modality.
    pub view: Option<CardiacView>,
    /// Voxel size, instead of the generator's usual one.
    pub spacing_mm: Option<[f64; 3]>,
    /// All structures whole, instead of a field of view drawn from the seed.
    #[serde(default)]
    pub whole: bool,
    /// Hearts only: they lie anywhere that hearts lie, in chests from flat to deep, instead of about the middle of a usual one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub varied_posture: bool,
    /// The label whose contrast alone flips between the modalities, for measuring local imbalance.
    pub contrast_flip: Option<u16>,
    /// How all phantoms of a modality were scanned, as in a dataset of one protocol; left out, each by its seed.
    pub ct_phase: Option<CtPhase>,
    pub mr_sequence: Option<MrSequence>,
}

/// When after the injection of contrast medium a CT was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum CtPhase {
    Native,
    Arterial,
    Portal,
}

/// A family of MR sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum MrSequence {
    T1,
    T1FatSuppressed,
    /// T1-weighted, water and fat out of phase.
    T1Opposed,
    T2,
    T2FatSuppressed,
    /// Balanced steady state.
    Balanced,
}

impl DataSource {
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, DataSource::Phantoms(PhantomSource { count: 0, .. }))
    }
}

/// How a phantom heart is sliced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum CardiacView {
    /// Axial slices through the chest.
    Axial,
    /// Coronal slices through the chest.
    Coronal,
    /// Thick slices across the left ventricle, double oblique, as in cine MR.
    ShortAxis,
}
