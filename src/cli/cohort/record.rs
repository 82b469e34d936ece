//! What is kept of a finished case, and whether what is there is what was asked for.

use crate::config::sha256_hex;
use crate::eval::gap::{Flag, GapReport, GapSpread};
use crate::session::Concern;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// In every case's folder; written last, so that a folder with it is whole.
pub(super) const FILE: &str = "case.json";

/// One finished case. Holds no time, so that the same case gives the same record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CaseRecord {
    pub case: String,
    /// Of what the scan holds.
    pub input_sha256: String,
    pub weights_sha256: String,
    /// Everything else that decides the result, in words.
    pub made_by: String,
    pub structures: Vec<StructureRecord>,
    pub flags: Vec<Flag>,
    pub concerns: Vec<Concern>,
    /// Name and SHA-256 of the files that do not tell the time.
    pub files: Vec<(String, String)>,
}

/// One structure of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StructureRecord {
    pub label: u16,
    pub name: String,
    pub voxels: usize,
    pub volume_ml: Option<f64>,
    pub gap: Option<GapSpread>,
    pub mean_uncertainty: Option<f64>,
    pub coverage: Option<f64>,
}

impl StructureRecord {
    pub(super) fn all_of(report: &GapReport) -> Vec<Self> {
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
    /// The record of a folder whose files are all there and as they were written.
    pub(super) fn of_folder(folder: &Path) -> Option<Self> {
        let record: Self = serde_json::from_slice(&std::fs::read(folder.join(FILE)).ok()?).ok()?;
        let whole = |(name, hash): &(String, String)| {
            std::fs::read(folder.join(name)).is_ok_and(|bytes| sha256_hex(&bytes) == *hash)
        };
        record.files.iter().all(whole).then_some(record)
    }

    /// Whether it is what this run would make.
    pub(super) fn is_of(&self, input_sha256: &str, weights_sha256: &str, made_by: &str) -> bool {
        self.input_sha256 == input_sha256 && self.weights_sha256 == weights_sha256 && self.made_by == made_by
    }
}
