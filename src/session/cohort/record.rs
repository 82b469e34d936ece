//! What is kept of a finished case, and whether what is there is what was asked for.
//!
//! Invariant: a record names no file and no patient unless the user asked for names.

use crate::config::sha256_hex;
use crate::eval::gap::{Flag, GapReport, GapSpread};
use crate::session::guard::Concern;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// In every case's folder; written last, so that a folder with it is whole.
pub const CASE_FILE: &str = "case.json";

/// Why a case's folder has no record that could be read.
#[derive(Debug, Error)]
pub enum RecordError {
    #[error("{}: cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error(
        "{}: expected the record of a case, got something else ({source}); move its folder away and run the same command \
         again, which makes the case anew",
        path.display()
    )]
    Format { path: PathBuf, source: serde_json::Error },
}

/// One finished case. Holds no time, so that the same case gives the same record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseRecord {
    pub case: String,
    /// Where the scan lay; `None` unless names were asked for, for a path may name a patient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan: Option<PathBuf>,
    /// Of what the scan holds.
    pub input_sha256: String,
    pub weights_sha256: String,
    /// Everything else that decides the result, in words: program, modality, settings and what was written.
    pub made_by: String,
    pub structures: Vec<StructureRecord>,
    pub flags: Vec<Flag>,
    pub concerns: Vec<Concern>,
    /// Name and SHA-256 of the files that do not tell the time.
    pub files: Vec<(String, String)>,
}

/// Which scan a case was made of: all of a record that has to be known before its folder may be replaced, and so little
/// that the records of other versions of the program say it too.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CaseScan {
    /// Of what the scan holds.
    pub input_sha256: String,
    /// Where it lay, if that was recorded.
    #[serde(default)]
    pub scan: Option<PathBuf>,
}

/// One structure of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StructureRecord {
    pub label: u16,
    pub name: String,
    pub voxels: usize,
    /// `None` where the voxel size is unknown.
    pub volume_ml: Option<f64>,
    /// Inside it, 0 to 1; `None` where it is empty.
    pub gap: Option<GapSpread>,
    /// 0 to 1; `None` where it is empty.
    pub mean_uncertainty: Option<f64>,
    /// Share of its voxels with a gap from the threshold on, 0 to 1; `None` where it is empty.
    pub coverage: Option<f64>,
}

impl StructureRecord {
    /// Every structure of a report, in its order.
    pub fn all_of(report: &GapReport) -> Vec<Self> {
        let record = |of: &crate::eval::gap::StructureGap| Self {
            label: of.label,
            name: of.name.clone(),
            voxels: of.voxels,
            volume_ml: of.volume_ml,
            gap: of.inside,
            mean_uncertainty: of.mean_uncertainty,
            coverage: of.coverage,
        };
        report.measure.structures.iter().map(record).collect()
    }
}

impl CaseRecord {
    /// The record in a case's folder, whatever became of the files beside it.
    ///
    /// # Errors
    /// Where there is none, or none that can be read.
    pub fn read(folder: &Path) -> Result<Self, RecordError> {
        read_record(folder)
    }

    /// The record of a folder whose files are all there and as they were written.
    pub fn of_folder(folder: &Path) -> Option<Self> {
        let record = Self::read(folder).ok()?;
        let whole = |(name, hash): &(String, String)| {
            std::fs::read(folder.join(name)).is_ok_and(|bytes| sha256_hex(&bytes) == *hash)
        };
        record.files.iter().all(whole).then_some(record)
    }

    /// Whether it is what this run would make.
    pub fn is_of(&self, input_sha256: &str, weights_sha256: &str, made_by: &str) -> bool {
        self.input_sha256 == input_sha256 && self.weights_sha256 == weights_sha256 && self.made_by == made_by
    }

    /// The structure that has both this label and this name, for the same label means another one in another task.
    pub fn structure(&self, label: u16, name: &str) -> Option<&StructureRecord> {
        self.structures.iter().find(|structure| structure.label == label && structure.name == name)
    }
}

impl CaseScan {
    /// Of the record in a case's folder.
    ///
    /// # Errors
    /// Where there is none, or none that can be read.
    pub fn read(folder: &Path) -> Result<Self, RecordError> {
        read_record(folder)
    }
}

/// Label and name of every structure of any case, in the order in which they first occur.
pub fn structures_of<'a>(records: impl IntoIterator<Item = &'a CaseRecord>) -> Vec<(u16, String)> {
    let mut found: Vec<(u16, String)> = Vec::new();
    for structure in records.into_iter().flat_map(|record| &record.structures) {
        let known = found.iter().any(|(label, name)| *label == structure.label && *name == structure.name);
        if !known {
            found.push((structure.label, structure.name.clone()));
        }
    }
    found
}

fn read_record<T: DeserializeOwned>(folder: &Path) -> Result<T, RecordError> {
    let path = folder.join(CASE_FILE);
    let bytes = std::fs::read(&path).map_err(|source| RecordError::Read { path: path.clone(), source })?;
    serde_json::from_slice(&bytes).map_err(|source| RecordError::Format { path, source })
}
