//! What a NIfTI file may carry between its header and its voxels (nifti1.h, "extended header").
//!
//! Invariant: an extension whose size cannot be right ends the list with a warning; it never costs the scan its voxels.

use super::super::{IoError, source::Source};

/// A header extension, whole: nifti1.h calls the code `ecode` and keeps a list of those in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    pub code: i32,
    /// As stored, with the zeros that fill it up to a multiple of 16 bytes less 8.
    pub bytes: Vec<u8>,
}

/// Size and code precede an extension's own bytes and count as part of it.
const HEAD_BYTES: usize = 8;

/// Every extension takes a multiple of this.
const UNIT_BYTES: usize = 16;

/// More than any known kind needs, and little enough to hold whatever the file claims.
const LARGEST_BYTES: usize = 64 << 20;

/// Reads the extensions that follow a header, up to byte `end` of the data, or to the end of a file without voxels.
/// `source` stands right behind the header and is left somewhere before `end`.
pub(super) fn read(
    source: &mut Source,
    big_endian: bool,
    end: Option<u64>,
    warnings: &mut Vec<String>,
) -> Result<Vec<Extension>, IoError> {
    let mut extensions = Vec::new();
    let mut announced = [0; 4];
    // The header file of a pair may end with the header itself.
    if source.read_up_to(&mut announced)? < announced.len() || announced[0] == 0 {
        return Ok(extensions);
    }
    let mut held_bytes = 0;
    loop {
        let left = end.map_or(u64::MAX, |end| end.saturating_sub(source.position()));
        let mut head = [0; HEAD_BYTES];
        if left < HEAD_BYTES as u64 || source.read_up_to(&mut head)? < head.len() {
            return Ok(extensions);
        }
        let [size, code] = [0, 4].map(|at| {
            let bytes = [head[at], head[at + 1], head[at + 2], head[at + 3]];
            if big_endian { i32::from_be_bytes(bytes) } else { i32::from_le_bytes(bytes) }
        });
        let usable = usize::try_from(size).ok().filter(|size| {
            *size > 0 && size % UNIT_BYTES == 0 && *size as u64 <= left && held_bytes + size <= LARGEST_BYTES
        });
        let Some(size) = usable else {
            // Padding with zeros up to the voxels is no extension and no fault.
            if head != [0; HEAD_BYTES] {
                warnings.push(format!(
                    "A header extension claims {size} bytes; it and what follows were ignored."
                ));
            }
            return Ok(extensions);
        };
        let mut bytes = vec![0; size - HEAD_BYTES];
        if source.read_up_to(&mut bytes)? < bytes.len() {
            warnings.push(format!("A header extension of {size} bytes is cut off; it was ignored."));
            return Ok(extensions);
        }
        held_bytes += size;
        extensions.push(Extension { code, bytes });
    }
}

/// The four bytes that say whether there are extensions, and the extensions, little endian.
pub(super) fn encode(extensions: &[Extension]) -> Vec<u8> {
    let mut out = vec![u8::from(!extensions.is_empty()), 0, 0, 0];
    for extension in extensions {
        let size = (HEAD_BYTES + extension.bytes.len()).next_multiple_of(UNIT_BYTES);
        out.extend((size as i32).to_le_bytes());
        out.extend(extension.code.to_le_bytes());
        out.extend(&extension.bytes);
        out.resize(out.len() + size - HEAD_BYTES - extension.bytes.len(), 0);
    }
    out
}
