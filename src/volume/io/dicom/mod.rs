//! DICOM series: finding them in a folder, ordering their slices, and turning one into a scan.
//!
//! Invariants: only headers are read until a series was chosen; a file given by name is opened alone; what identifies
//! the patient is never read (see [`header`]), so it is in no message, list or export.
//!
//! The path of a file through the modules: [`folder`] finds it, [`file`] opens it, [`elements`] walks it and [`header`]
//! keeps what matters; [`catalogue`] sorts headers into series, with the help of [`slice`], [`volumes`] and [`stack`];
//! [`assemble`] reads one, with the help of [`frames`], [`codec`] and [`stored`], or puts [`pictures`] in its place.

mod assemble;
mod bytes;
mod catalogue;
mod codec;
mod elements;
mod file;
mod folder;
mod frames;
mod header;
mod pictures;
mod quiet;
mod run_length;
mod slice;
mod stack;
mod stored;
mod syntax;
mod volumes;

use super::{HeaderInfo, IoError, OpenOptions};
use crate::volume::Scan;
pub(super) use file::{HEAD_BYTES, begins};

use assemble::Plan;
use catalogue::Entry;
use pictures::Pictures;
use rayon::prelude::*;
use std::fmt;
use std::path::{Path, PathBuf};

/// What is known of one series without having decoded its voxels.
#[derive(Clone, PartialEq, serde::Serialize)]
pub struct SeriesInfo {
    /// SeriesInstanceUID; where one series holds several volumes, "#2" and so on follow it from the second on.
    pub id: String,
    pub kind: SeriesKind,
    /// FrameOfReferenceUID: series that share it share one space. Empty where none is given.
    pub frame_of_reference: String,
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

/// Stands for the files that are DICOM but cannot be followed.
const DAMAGED_ID: &str = "damaged-files";

/// As many damaged files are named; more would hide the rest of a message.
const MOST_NAMED: usize = 3;

impl fmt::Debug for SeriesInfo {
    /// Leaves the description out: technicians write names into it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeriesInfo")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("modality", &self.modality)
            .field("number", &self.number)
            .field("dims", &self.dims)
            .field("spacing_mm", &self.spacing_mm)
            .field("volumes", &self.volumes)
            .field("files", &self.files)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

impl SeriesInfo {
    /// One line that names no patient: "1.2.3 (MR, series 5, 256 x 256 x 13)".
    fn summary(&self) -> String {
        let number = self.number.map_or_else(String::new, |number| format!(", series {number}"));
        let dims = self
            .dims
            .map_or_else(|| "no image".to_owned(), |dims| dims.map(|size| size.to_string()).join(" x "));
        format!("{} ({}{number}, {dims})", self.id, self.modality)
    }
}

/// All series of a folder and of the folders in it: volumes first, the largest of them first.
pub(super) fn list(folder: &Path) -> Result<Vec<SeriesInfo>, IoError> {
    let survey = Survey::of_path(folder)?;
    let mut series: Vec<SeriesInfo> = survey.entries.into_iter().map(|entry| entry.info).collect();
    if !survey.damaged.is_empty() {
        series.push(SeriesInfo {
            id: DAMAGED_ID.to_owned(),
            kind: SeriesKind::Unreadable,
            frame_of_reference: String::new(),
            modality: String::new(),
            number: None,
            description: String::new(),
            dims: None,
            spacing_mm: None,
            volumes: 0,
            files: survey.damaged.len(),
            warnings: survey.damaged,
        });
    }
    Ok(series)
}

/// Reads the series of a folder, or the one file's slice.
pub(super) fn read(path: &Path, options: &OpenOptions) -> Result<Scan, IoError> {
    let mut survey = Survey::of_path(path)?;
    survey.plan(path, options)?.read()
}

/// Reads one series of the files that were named, and no others.
pub(super) fn read_files(files: &[PathBuf], options: &OpenOptions) -> Result<Scan, IoError> {
    let path = files.first().map_or(Path::new(""), PathBuf::as_path);
    let mut survey = Survey::of_files(files);
    survey.plan(path, options)?.read()
}

/// Puts the pictures of a folder together on the grid of a series: of a folder or, where that is what was named, of its files.
pub(super) fn read_pictures(
    files: &[PathBuf],
    pictures: &Path,
    options: &OpenOptions,
) -> Result<Scan, IoError> {
    let path = files.first().map_or(Path::new(""), PathBuf::as_path);
    let mut survey = if files.len() == 1 { Survey::of_path(path)? } else { Survey::of_files(files) };
    survey.plan(path, options)?.read_pictures(&Pictures::of(pictures)?)
}

/// What can be said of a series without decoding its voxels.
pub(super) fn read_header(path: &Path, options: &OpenOptions) -> Result<HeaderInfo, IoError> {
    let mut survey = Survey::of_path(path)?;
    Ok(survey.plan(path, options)?.header())
}

/// What some files hold.
struct Survey {
    entries: Vec<Entry>,
    /// Files that are DICOM and cannot be followed: which, and why.
    damaged: Vec<String>,
}

impl Survey {
    fn of_path(path: &Path) -> Result<Self, IoError> {
        if path.is_dir() {
            return Ok(Self::of_files(&folder::files_of(path)?));
        }
        let image = header::read(path)?.ok_or_else(|| IoError::Unsupported {
            path: path.to_owned(),
            what: "this is a DICOM file without an image of its own, a table of contents (DICOMDIR) or packed with gzip"
                .to_owned(),
            advice: "open its folder, or unpack it first",
        })?;
        Ok(Self { entries: catalogue::of(vec![image]), damaged: Vec::new() })
    }

    fn of_files(files: &[PathBuf]) -> Self {
        let headers: Vec<_> = files.par_iter().map(|file| header::read(file)).collect();
        let (mut images, mut damaged) = (Vec::new(), Vec::new());
        for header in headers {
            match header {
                Ok(image) => images.extend(image),
                Err(error) => damaged.push(error.to_string()),
            }
        }
        Self { entries: catalogue::of(images), damaged }
    }

    fn plan<'a>(&'a mut self, path: &'a Path, options: &OpenOptions) -> Result<Plan<'a>, IoError> {
        let chosen = match &options.series {
            Some(id) => self.named(id).ok_or_else(|| self.no_such_series(path, id))?,
            None => self.largest().ok_or_else(|| self.nothing_to_open(path))?,
        };
        let notes = self.notes(chosen, options.series.is_some());
        let entry = &mut self.entries[chosen];
        if entry.volumes.is_empty() {
            return Err(IoError::Unsupported {
                path: path.to_owned(),
                what: format!("series {}: {}", entry.info.summary(), entry.info.warnings.join(" ")),
                advice: "choose another series, or convert this one to NIfTI",
            });
        }
        entry.info.warnings.extend(notes);
        Plan::of(path, &self.entries[chosen], options)
    }

    fn named(&self, id: &str) -> Option<usize> {
        self.entries.iter().position(|entry| entry.info.id == id)
    }

    /// Entries come largest first; a scout is taken only where it is all there is and there is one.
    fn largest(&self) -> Option<usize> {
        let of_kind = |kind| self.entries.iter().position(move |entry| entry.info.kind == kind);
        let lone_scout = of_kind(SeriesKind::Scout).filter(|_| self.entries.len() == 1);
        of_kind(SeriesKind::Volume).or(lone_scout)
    }

    /// What else the files hold that the user may have meant.
    fn notes(&self, chosen: usize, asked_for: bool) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.damaged.is_empty() {
            notes.push(format!(
                "{} files could not be read and were left out: {}",
                self.damaged.len(),
                self.named_damage()
            ));
        }
        if asked_for {
            return notes;
        }
        let volumes = self.entries.iter().filter(|entry| entry.info.kind == SeriesKind::Volume).count();
        if volumes > 1 {
            notes.push(format!("The largest of {volumes} series is shown."));
        }
        let voxels = self.entries[chosen].voxels();
        let larger = self.entries.iter().find(|entry| entry.volumes.is_empty() && entry.voxels() > voxels);
        notes.extend(larger.map(|entry| {
            format!(
                "A larger series cannot be read: {}: {}",
                entry.info.summary(),
                entry.info.warnings.join(" ")
            )
        }));
        notes
    }

    fn named_damage(&self) -> String {
        let more = self.damaged.len().saturating_sub(MOST_NAMED);
        let named = self.damaged.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join("; ");
        if more > 0 { format!("{named}; and {more} more") } else { named }
    }

    fn no_such_series(&self, path: &Path, asked: &str) -> IoError {
        let known: Vec<String> = self.entries.iter().map(|entry| entry.info.summary()).collect();
        IoError::NoSuchSeries { path: path.to_owned(), asked: asked.to_owned(), known: known.join("; ") }
    }

    fn nothing_to_open(&self, path: &Path) -> IoError {
        let mut parts: Vec<String> = self
            .entries
            .iter()
            .map(|entry| match entry.info.kind {
                SeriesKind::NotAnImage => format!("{} holds no image", entry.info.id),
                SeriesKind::Scout => format!("{} is a localizer", entry.info.summary()),
                _ => format!("{}: {}", entry.info.summary(), entry.info.warnings.join(" ")),
            })
            .collect();
        if !self.damaged.is_empty() {
            parts.push(self.named_damage());
        }
        if parts.is_empty() {
            parts.push("no file is DICOM".to_owned());
        }
        IoError::Unsupported {
            path: path.to_owned(),
            what: format!("there is no series to open here: {}", parts.join("; ")),
            advice: "choose another folder, or name a series",
        }
    }
}
