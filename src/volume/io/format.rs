//! Which file format something is in: read from its first bytes, written as its name says.

use super::{IoError, dicom};
use std::path::Path;

/// A format that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// NIfTI-1 or -2; also everything unrecognised, whose refusal the NIfTI reader words best.
    Nifti,
    Nrrd,
    /// MetaImage: .mha or .mhd.
    Meta,
    Dicom,
}

impl Format {
    /// Recognises a file by its first bytes, decompressed if it is gzip.
    pub(super) fn of_bytes(head: &[u8]) -> Self {
        if head.starts_with(b"NRRD") {
            Format::Nrrd
        } else if dicom::begins(head) {
            Format::Dicom
        } else if head.starts_with(b"ObjectType") || head.starts_with(b"NDims") {
            Format::Meta
        } else {
            Format::Nifti
        }
    }
}

/// Bytes of a file that are enough to recognise every format.
pub(super) const HEAD_BYTES: usize = dicom::HEAD_BYTES;

/// A format that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    Nifti {
        compressed: bool,
    },
    Nrrd {
        /// `.seg.nrrd`: label maps become segments with names and colours.
        segmentation: bool,
    },
    /// MetaImage, header and voxels in one `.mha` file.
    Meta,
}

impl OutputFormat {
    /// The endings that [`Self::by_name`] knows, for messages.
    pub const NAMES: &str = ".nii.gz, .nii, .nrrd, .seg.nrrd or .mha";

    /// What each ending asks for, the longer before those they end with.
    pub(super) const ENDINGS: [(&str, OutputFormat); 5] = [
        (".nii.gz", OutputFormat::Nifti { compressed: true }),
        (".nii", OutputFormat::Nifti { compressed: false }),
        (".seg.nrrd", OutputFormat::Nrrd { segmentation: true }),
        (".nrrd", OutputFormat::Nrrd { segmentation: false }),
        (".mha", OutputFormat::Meta),
    ];

    /// What the name of a file to be written asks for.
    pub fn by_name(path: &Path) -> Result<Self, IoError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let known =
            Self::ENDINGS.iter().find(|(ending, _)| name.ends_with(ending) && name.len() > ending.len());
        known.map(|(_, format)| *format).ok_or_else(|| IoError::Extension { path: path.to_owned() })
    }
}
