//! A cohort's folder as rows: finished cases, cases that are being made, and cases that failed or cannot be read.

use super::record::{CASE_FILE, CaseRecord, StructureRecord, structures_of};
use crate::volume::Task;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// How the name of a folder that is being filled ends; it begins with a dot.
pub const PARTIAL: &str = ".partial";

/// Why a folder is not shown as a cohort.
#[derive(Debug, Error)]
pub enum CohortError {
    #[error("{}: cannot be read: {source}", folder.display())]
    Read { folder: PathBuf, source: std::io::Error },
    #[error(
        "{}: expected a folder that mindgap batch or mindgap report wrote (cohort.json, or folders with {CASE_FILE}), found \
         neither; choose the folder that was given with -o",
        .0.display()
    )]
    None(PathBuf),
}

/// All cases of a folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Cohort {
    pub folder: PathBuf,
    /// By name.
    pub cases: Vec<Case>,
    /// Label and name of every structure of any case, in the order in which they first occur.
    pub structures: Vec<(u16, String)>,
}

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The folder's name, or of a scan that failed its file's name, which may name a patient.
    pub name: String,
    pub state: CaseState,
}

/// What became of a case.
#[derive(Debug, Clone, PartialEq)]
pub enum CaseState {
    Finished {
        folder: PathBuf,
        record: Box<CaseRecord>,
    },
    /// Its folder is being filled, or a run that filled it was stopped.
    InProgress,
    /// It has a folder, and this is why nothing can be read from it.
    Unreadable(String),
    Failed {
        scan: PathBuf,
        reason: String,
    },
}

/// Whether a folder looks like a cohort, finished or running; for telling it from a folder of scans.
pub fn is_cohort(folder: &Path) -> bool {
    let is_case = |entry: std::fs::DirEntry| {
        entry.path().join(CASE_FILE).is_file() || entry.file_name().to_string_lossy().ends_with(PARTIAL)
    };
    folder.join("cohort.json").is_file()
        || std::fs::read_dir(folder).is_ok_and(|entries| entries.flatten().any(is_case))
}

impl Cohort {
    /// Reads the record of every case; the volumes beside them are left alone.
    ///
    /// # Errors
    /// Where the folder cannot be read or is no cohort's.
    pub fn read(folder: &Path) -> Result<Self, CohortError> {
        let unreadable = |source| CohortError::Read { folder: folder.to_owned(), source };
        let (mut cases, mut failed) = (Vec::new(), Vec::new());
        for entry in std::fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if path.is_dir() {
                cases.extend(case_of(&path, &name));
            } else if name.starts_with("failed") && name.ends_with(".txt") {
                failed.extend(failures(&std::fs::read_to_string(&path).map_err(unreadable)?));
            }
        }
        if cases.is_empty() && failed.is_empty() && !folder.join("cohort.json").is_file() {
            return Err(CohortError::None(folder.to_owned()));
        }
        cases.extend(failed);
        cases.sort_by(|a: &Case, b: &Case| a.name.cmp(&b.name));
        let structures = structures_of(cases.iter().filter_map(Case::record));
        Ok(Self { folder: folder.to_owned(), cases, structures })
    }
}

impl Case {
    /// "finished", "in progress", ...
    pub fn status(&self) -> &'static str {
        match self.state {
            CaseState::Finished { .. } => "finished",
            CaseState::InProgress => "in progress",
            CaseState::Unreadable(_) => "unreadable",
            CaseState::Failed { .. } => "failed",
        }
    }

    /// What was recorded of it, if it is finished.
    pub fn record(&self) -> Option<&CaseRecord> {
        match &self.state {
            CaseState::Finished { record, .. } => Some(record),
            _ => None,
        }
    }

    /// A structure of a finished case.
    pub fn structure(&self, label: u16, name: &str) -> Option<&StructureRecord> {
        self.record()?.structure(label, name)
    }

    /// Mean gap of all labelled voxels, 0 to 1; `None` where there is none.
    pub fn mean_gap(&self) -> Option<f64> {
        let gaps = || self.record().into_iter().flat_map(|record| &record.structures).filter_map(|s| s.gap);
        let voxels: usize = gaps().map(|gap| gap.voxels).sum();
        let sum: f64 = gaps().map(|gap| gap.mean * gap.voxels as f64).sum();
        (voxels > 0).then(|| sum / voxels as f64)
    }
}

impl CaseRecord {
    /// The task whose label table its structures are from, if there is one.
    pub fn task(&self) -> Option<Task> {
        let is_from = |task: &Task| {
            let known = |s: &StructureRecord| task.table().entry(s.label).is_some_and(|e| e.name == s.name);
            !self.structures.is_empty() && self.structures.iter().all(known)
        };
        [Task::Abdomen, Task::Cardiac].into_iter().find(is_from)
    }
}

/// `None` for a folder that is no case's.
fn case_of(folder: &Path, name: &str) -> Option<Case> {
    if let Some(being_made) = name.strip_suffix(PARTIAL).and_then(|name| name.strip_prefix('.')) {
        return Some(Case { name: being_made.to_owned(), state: CaseState::InProgress });
    }
    if name.starts_with('.') || !folder.join(CASE_FILE).exists() && !folder.join("report.json").exists() {
        return None;
    }
    let state = match CaseRecord::read(folder) {
        Ok(record) => CaseState::Finished { folder: folder.to_owned(), record: Box::new(record) },
        Err(error) => CaseState::Unreadable(error.to_string()),
    };
    Some(Case { name: name.to_owned(), state })
}

/// One case a line, path and reason with a tab between; a line without one goes on with the reason before it.
fn failures(text: &str) -> Vec<Case> {
    let mut found: Vec<Case> = Vec::new();
    for line in text.lines() {
        if let Some((path, reason)) = line.split_once('\t') {
            let (scan, reason) = (PathBuf::from(path), reason.to_owned());
            let name = scan.file_name().map(|name| name.to_string_lossy().into_owned());
            found.push(Case { name: name.unwrap_or_default(), state: CaseState::Failed { scan, reason } });
        } else if let Some(Case { state: CaseState::Failed { reason, .. }, .. }) = found.last_mut() {
            reason.push(' ');
            reason.push_str(line.trim());
        }
    }
    found
}
