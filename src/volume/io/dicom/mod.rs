//! DICOM series: finding them in a folder, ordering their slices, and turning one into a scan.

use super::{HeaderInfo, IoError, OpenOptions};
use crate::volume::Scan;
use std::path::{Path, PathBuf};

/// What is known of one series without having decoded its voxels.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct SeriesInfo {
    /// SeriesInstanceUID; where one series holds several volumes, "#2" and so on follow it from the second on.
    pub id: String,
    pub kind: SeriesKind,
    /// DICOM's Modality, "CT", "MR", "PT", ...
    pub modality: String,
    pub number: Option<i32>,
    /// SeriesDescription: shown to the user, never logged.
    pub description: String,
    /// Voxels along i, j, k; `None` if it holds no image.
    pub dims: Option<[usize; 3]>,
    pub spacing_mm: Option<[f64; 3]>,
    /// How many 3-D volumes there are (time points, echoes).
    pub volumes: usize,
    /// Files that belong to it.
    pub files: usize,
    /// What must be known before it is opened: gaps, duplicates, tilt, an unsupported transfer syntax.
    pub warnings: Vec<String>,
}

/// Whether a series can be opened as a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeriesKind {
    Volume,
    /// A localizer or a single projection: set aside, opened only if asked for by id.
    Scout,
    /// Reports, presentation states, segmentations: nothing to show.
    NotAnImage,
    /// An image that cannot be read; its warnings say why.
    Unreadable,
}

pub(super) fn list(folder: &Path) -> Result<Vec<SeriesInfo>, IoError> {
    Err(not_yet(folder))
}

/// Reads the series of a folder, or the one file's slice.
pub(super) fn read(path: &Path, _options: &OpenOptions) -> Result<Scan, IoError> {
    Err(not_yet(path))
}

pub(super) fn read_files(files: &[PathBuf], _options: &OpenOptions) -> Result<Scan, IoError> {
    Err(not_yet(files.first().map_or(Path::new(""), PathBuf::as_path)))
}

pub(super) fn read_header(path: &Path, _options: &OpenOptions) -> Result<HeaderInfo, IoError> {
    Err(not_yet(path))
}

fn not_yet(path: &Path) -> IoError {
    IoError::Unsupported {
        path: path.to_owned(),
        what: "this is DICOM".to_owned(),
        advice: "not read yet: convert the series to NIfTI",
    }
}
