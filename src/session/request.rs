//! What is asked to be opened, and what may come of it.

use super::open_scan::OpenScan;
use crate::volume::io::{OpenOptions, SeriesInfo};
use crate::volume::{Modality, Task};
use std::path::{Path, PathBuf};

/// Where a scan came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file or a DICOM folder.
    File(PathBuf),
    /// A bundled phantom that fills a role nobody opened a scan for.
    Phantom(PathBuf),
}

/// A label map in the program's own values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelFile {
    pub path: PathBuf,
    /// Whose structures the values are.
    pub task: Task,
}

/// A scan to open. Kept with the scan, so that another volume or series of the same file can be asked for later.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenRequest {
    pub origin: Origin,
    /// Further DICOM files that were named with it: together they are one series.
    pub with: Vec<PathBuf>,
    pub options: OpenOptions,
    /// `None`: as the file says or the intensities suggest.
    pub modality: Option<Modality>,
    /// Labels that lie beside it.
    pub labels: Option<LabelFile>,
    /// Whether to ask which series, where a folder has several; else the largest is taken.
    pub ask_for_series: bool,
}

/// What came of a request.
#[derive(Debug)]
pub enum Opened {
    Scan(Box<OpenScan>),
    /// The folder has several series, and one must be chosen.
    Choice(Vec<SeriesInfo>),
}

impl OpenRequest {
    /// A file or folder, as it is.
    pub fn file(path: PathBuf) -> Self {
        Self::of(Origin::File(path))
    }

    /// A bundled phantom and the labels that lie beside it.
    pub fn phantom(path: PathBuf, labels: LabelFile, modality: Modality) -> Self {
        Self { labels: Some(labels), modality: Some(modality), ..Self::of(Origin::Phantom(path)) }
    }

    /// The file or folder.
    pub fn path(&self) -> &Path {
        let (Origin::File(path) | Origin::Phantom(path)) = &self.origin;
        path
    }

    /// The file's name, for titles.
    pub fn name(&self) -> String {
        let path = self.path();
        path.file_name()
            .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
    }

    /// The same file read in another way.
    #[must_use]
    pub fn with_options(&self, options: OpenOptions) -> Self {
        Self { options, ..self.clone() }
    }

    fn of(origin: Origin) -> Self {
        Self {
            origin,
            with: Vec::new(),
            options: OpenOptions::default(),
            modality: None,
            labels: None,
            ask_for_series: true,
        }
    }
}
