//! The files of one case, looked for so that it can be opened: its scan and its labels.
//!
//! Invariant: a scan is handed over only if it holds what the case was made of, for labels over another scan would lie.

use super::record::CaseRecord;
use super::scans::ScanIndex;
use super::table::{Case, CaseState};
use crate::session::provenance::{Provenance, provenance_path};
use crate::volume::io::IoError;
use crate::volume::{Modality, Task};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The labels in a finished case's folder.
const LABELS: &str = "labels.nii.gz";

/// What a case is opened with.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseFiles {
    pub scan: PathBuf,
    /// On the scan's grid, in the program's own values.
    pub labels: Option<PathBuf>,
    /// What the scan was taken for, where that was recorded.
    pub modality: Option<Modality>,
    /// Whose structures the labels are.
    pub task: Option<Task>,
    /// Of the model that made them; empty for a case that failed.
    pub weights_sha256: String,
    /// What the user has to know of it, in full sentences.
    pub remark: Option<String>,
}

/// Why a case cannot be opened; the message names the file that is missing and says what to do.
#[derive(Debug, Error)]
pub enum CaseError {
    #[error("{case}: its scan {} is missing; put it back, or choose the folder in which it is now", path.display())]
    ScanMissing { case: String, path: PathBuf },
    #[error(
        "{case}: {} holds another scan now than the one that the case was made of; choose the folder in which that one is",
        path.display()
    )]
    OtherScan { case: String, path: PathBuf },
    #[error(
        "{case}: the cohort does not say where its scans are, for names of files may name patients; choose the folder in \
         which they are"
    )]
    NoFolder { case: String },
    #[error(
        "{case}: its scan is missing: none of the {looked_at} scans in {} holds what the case was made of (SHA-256 {}…); \
         choose another folder",
        folder.display(), sha256.get(..12).unwrap_or(sha256)
    )]
    NotAmong { case: String, folder: PathBuf, looked_at: usize, sha256: String },
    #[error("{case}: is still being made; read the folder again when it is finished")]
    InProgress { case: String },
    #[error("{0}")]
    Unreadable(String),
    #[error(transparent)]
    Folder(#[from] IoError),
}

/// Looks for the scan of a case, by the path that was recorded or among the scans in a folder, and for its labels.
///
/// # Errors
/// Where the scan is not found; labels that are missing are told in a remark.
pub fn find_case(
    case: &Case,
    scans_in: Option<&Path>,
    index: &mut ScanIndex,
) -> Result<CaseFiles, CaseError> {
    match &case.state {
        CaseState::Finished { folder, record } => finished(folder, record, scans_in, index),
        CaseState::InProgress => Err(CaseError::InProgress { case: case.name.clone() }),
        CaseState::Unreadable(reason) => Err(CaseError::Unreadable(reason.clone())),
        CaseState::Failed { scan, .. } if !scan.exists() => {
            Err(CaseError::ScanMissing { case: case.name.clone(), path: scan.clone() })
        }
        CaseState::Failed { scan, reason } => Ok(CaseFiles {
            scan: scan.clone(),
            labels: None,
            modality: None,
            task: None,
            weights_sha256: String::new(),
            remark: Some(format!("This case failed: {reason}")),
        }),
    }
}

fn finished(
    folder: &Path,
    record: &CaseRecord,
    scans_in: Option<&Path>,
    index: &mut ScanIndex,
) -> Result<CaseFiles, CaseError> {
    let scan = scan_of(record, scans_in, index)?;
    let labels = folder.join(LABELS);
    let there = labels.is_file();
    let promised = record.files.iter().any(|(name, _)| name == LABELS);
    let remark = match (there, promised) {
        (true, _) => None,
        (false, true) => Some(format!("{} is missing; the scan is shown without it.", labels.display())),
        (false, false) => {
            Some("This cohort was made without volumes (mindgap report); the scan is shown alone.".to_owned())
        }
    };
    let text = std::fs::read(provenance_path(&labels)).ok();
    let provenance = text.and_then(|text| serde_json::from_slice::<Provenance>(&text).ok());
    Ok(CaseFiles {
        scan,
        labels: there.then_some(labels),
        modality: provenance.map(|provenance| provenance.input.modality),
        task: record.task(),
        weights_sha256: record.weights_sha256.clone(),
        remark,
    })
}

fn scan_of(
    record: &CaseRecord,
    scans_in: Option<&Path>,
    index: &mut ScanIndex,
) -> Result<PathBuf, CaseError> {
    let case = || record.case.clone();
    let recorded = match &record.scan {
        Some(path) if !path.exists() => CaseError::ScanMissing { case: case(), path: path.clone() },
        Some(path) if index.holds(path, &record.input_sha256) => return Ok(path.clone()),
        Some(path) => CaseError::OtherScan { case: case(), path: path.clone() },
        None => CaseError::NoFolder { case: case() },
    };
    let Some(folder) = scans_in else { return Err(recorded) };
    index.find(folder, &record.input_sha256)?.map_err(|looked_at| CaseError::NotAmong {
        case: case(),
        folder: folder.to_owned(),
        looked_at,
        sha256: record.input_sha256.clone(),
    })
}
