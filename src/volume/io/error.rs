//! What can go wrong with a volume's file: which file, which field, what was expected, what was found, what to do.

use super::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a file could not be read or written. Every message names the file as it was given.
#[derive(Debug, Error)]
pub enum IoError {
    #[error("{path}: cannot be {action}", path = .path.display())]
    System {
        path: PathBuf,
        /// "opened", "read", ...
        action: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("{path}: {what}, not a regular file", path = .path.display())]
    NotRegular { path: PathBuf, what: &'static str },
    #[error("{path}: not a NIfTI file: {why}", path = .path.display())]
    NotNifti { path: PathBuf, why: String },
    #[error("{path}: {what}; {advice}", path = .path.display())]
    Unsupported { path: PathBuf, what: String, advice: &'static str },
    #[error(
        "{path}: {gaps}; find the missing files, or accept the gaps (--accept-gaps), after which no volume or distance is \
         reported",
        path = .path.display()
    )]
    Gaps {
        path: PathBuf,
        /// Where slices are missing, in mm and slice numbers.
        gaps: String,
    },
    #[error("{path}: {field}: expected {expected}, got {got}", path = .path.display())]
    Field { path: PathBuf, field: String, expected: String, got: String },
    #[error(
        "{path}: it takes {dims} voxels, {needed} of memory, and {free} are free; close other programs, or take fewer \
         voxels",
        path = .path.display(), needed = Bytes(*.needed_bytes), free = Bytes(*.free_bytes)
    )]
    TooLarge { path: PathBuf, dims: String, needed_bytes: u64, free_bytes: u64 },
    #[error(
        "{path}: the header asks for {claimed} of voxels, which {found} of gzip cannot hold; the header is damaged, or \
         the download is incomplete: fetch the file again",
        path = .path.display(), claimed = Bytes(*.claimed_bytes), found = Bytes(*.file_bytes)
    )]
    Impossible { path: PathBuf, claimed_bytes: u64, file_bytes: u64 },
    #[error(
        "{path}: truncated: expected {expected_bytes} bytes, found {found_bytes}; copy or download the file again",
        path = .path.display()
    )]
    Truncated { path: PathBuf, expected_bytes: u64, found_bytes: u64 },
    #[error(
        "{path}: another program wrote to it while it was read; open it again when that is done",
        path = .path.display()
    )]
    Changed { path: PathBuf },
    #[error(
        "{path}: the file is damaged (checksum wrong); copy or download it again, or open it as it is, marked as damaged",
        path = .path.display()
    )]
    Damaged {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "{path}: the file is damaged (compressed data make no sense after {found_bytes} bytes); copy or download it again",
        path = .path.display()
    )]
    BrokenOff {
        path: PathBuf,
        /// How many were decompressed.
        found_bytes: u64,
        #[source]
        source: io::Error,
    },
    #[error(
        "{path}: more than {limit} of data follow the {expected_bytes} bytes the header describes; refused",
        path = .path.display(), limit = Bytes(super::source::TRAILING_LIMIT_BYTES)
    )]
    Overlong { path: PathBuf, expected_bytes: u64 },
    #[error("{path}: {missing} not found beside it; the voxels are in another file than their header: keep both together", path = .path.display())]
    MissingHalf { path: PathBuf, missing: String },
    #[error("{path}: volume {asked} was asked for, but it has {volumes}", path = .path.display())]
    NoSuchVolume { path: PathBuf, asked: usize, volumes: usize },
    #[error("{path}: no series {asked:?} here; there are {known}", path = .path.display())]
    NoSuchSeries { path: PathBuf, asked: String, known: String },
    #[error("{path}: not a whole DICOM file: {why}; export or copy it again", path = .path.display())]
    BadDicom { path: PathBuf, why: String },
    #[error("{path}: not a label map", path = .path.display())]
    NotLabels {
        path: PathBuf,
        #[source]
        source: crate::volume::LabelValueError,
    },
    #[error(
        "{path}: it holds {volumes} label maps, and one is needed; write the one that is meant into a file of its own \
         (mindgap convert --volume)",
        path = .path.display()
    )]
    SeveralLabelMaps { path: PathBuf, volumes: usize },
    #[error("{path}: expected a name that ends in {names}", path = .path.display(), names = super::OutputFormat::NAMES)]
    Extension { path: PathBuf },
    #[error(
        "{path}: not written: its grid is not that of the scan it belongs to (expected {expected}, got {got})",
        path = .path.display()
    )]
    GridDiffers { path: PathBuf, expected: String, got: String },
    #[error(
        "{path}: cannot be written{hint}; {existing}",
        path = .path.display(), hint = write_hint(.source), existing = existing(*.kept_old)
    )]
    Write {
        path: PathBuf,
        /// Whether a file of that name was there before.
        kept_old: bool,
        #[source]
        source: io::Error,
    },
    #[error(
        "{path}: cannot be written: the disk is full; the file takes up to {needed}{free}: free some space or choose \
         another disk; {existing}",
        path = .path.display(), needed = Bytes(*.at_most_bytes), existing = existing(*.kept_old),
        free = .free_bytes.map(|free| format!(" and {} are free", Bytes(free))).unwrap_or_default()
    )]
    DiskFull {
        path: PathBuf,
        /// Without compression, if it is compressed.
        at_most_bytes: u64,
        /// `None` where the system does not say.
        free_bytes: Option<u64>,
        /// Whether a file of that name was there before.
        kept_old: bool,
    },
    #[error(
        "{path}: reading back what was written gave another {field}; nothing was saved: check the disk and save elsewhere",
        path = .path.display()
    )]
    ReadBack {
        path: PathBuf,
        field: &'static str,
        #[source]
        source: Option<Box<IoError>>,
    },
}

impl IoError {
    /// An error of the operating system while `path` was being `action`.
    pub(crate) fn system(path: &Path, action: &'static str, source: io::Error) -> Self {
        Self::System { path: path.to_owned(), action, source }
    }

    /// What a user who decides to open the file all the same has to accept: words for a button, and the options.
    pub fn acceptance(&self, refused: &OpenOptions) -> Option<(&'static str, OpenOptions)> {
        match self {
            Self::Damaged { .. } if !refused.accept_damage => {
                Some(("Open it as damaged", OpenOptions { accept_damage: true, ..refused.clone() }))
            }
            Self::Gaps { .. } if !refused.accept_gaps => {
                Some(("Open it with its gaps", OpenOptions { accept_gaps: true, ..refused.clone() }))
            }
            _ => None,
        }
    }

    /// A header field that cannot be right.
    pub(super) fn field(
        path: &Path,
        field: impl Into<String>,
        expected: impl Into<String>,
        got: impl ToString,
    ) -> Self {
        let (field, expected) = (field.into(), expected.into());
        Self::Field { path: path.to_owned(), field, expected, got: got.to_string() }
    }
}

/// What became of the old file of that name.
fn existing(kept_old: bool) -> &'static str {
    if kept_old { "the file that was there is unchanged" } else { "nothing was left behind" }
}

fn write_hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::InvalidFilename => " (choose a shorter name or folder)",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            " (choose a folder you may write to)"
        }
        io::ErrorKind::NotFound => " (create the folder first)",
        _ => "",
    }
}

/// A number of bytes for people: "1.5 GB".
struct Bytes(u64);

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const UNITS: [(f64, &str); 4] = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
        let bytes = self.0 as f64;
        match UNITS.iter().find(|(size, _)| bytes >= *size) {
            Some((size, unit)) => write!(f, "{:.1} {unit}", bytes / size),
            None => write!(f, "{} bytes", self.0),
        }
    }
}
