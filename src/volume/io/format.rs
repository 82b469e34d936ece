//! Which file format something is in: read from its first bytes, written as its name says.

use super::IoError;
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
        } else if head.get(128..132) == Some(b"DICM") || begins_like_bare_dicom(head) {
            Format::Dicom
        } else if head.starts_with(b"ObjectType") || head.starts_with(b"NDims") {
            Format::Meta
        } else {
            Format::Nifti
        }
    }
}

/// Bytes of a file that are enough to recognise every format.
pub(super) const HEAD_BYTES: usize = 132;

/// A data set without preamble starts with an element of group 0002 or 0008, little endian, whose VR, if explicit, is
/// two capital letters, or whose 32-bit length is small.
fn begins_like_bare_dicom(head: &[u8]) -> bool {
    let Some([g0, g1, _, e1, a, b, c, d]) = head.first_chunk::<8>() else { return false };
    let group = u16::from_le_bytes([*g0, *g1]);
    let explicit = a.is_ascii_uppercase() && b.is_ascii_uppercase();
    let implicit = u32::from_le_bytes([*a, *b, *c, *d]) < 1024;
    matches!(group, 0x0002 | 0x0008) && *e1 == 0 && (explicit || implicit)
}

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

    /// What the name of a file to be written asks for.
    pub fn by_name(path: &Path) -> Result<Self, IoError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let formats = [
            (".nii.gz", OutputFormat::Nifti { compressed: true }),
            (".nii", OutputFormat::Nifti { compressed: false }),
            (".seg.nrrd", OutputFormat::Nrrd { segmentation: true }),
            (".nrrd", OutputFormat::Nrrd { segmentation: false }),
            (".mha", OutputFormat::Meta),
        ];
        let known = formats.iter().find(|(ending, _)| name.ends_with(ending) && name.len() > ending.len());
        known.map(|(_, format)| *format).ok_or_else(|| IoError::Extension { path: path.to_owned() })
    }
}
