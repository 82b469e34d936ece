//! Reading a file that was just written, before it gets its name.

use super::{GridReceipt, IoError, payload, same_grid};
use crate::volume::{Scan, Voxels};
use std::path::Path;

/// Opens `written` as anyone would, and compares the grid with that of `reference` and every voxel with what was meant.
/// `path` is the name it is to get.
pub(super) fn verify(
    written: &Path,
    path: &Path,
    voxels: &Voxels,
    reference: &Scan,
) -> Result<GridReceipt, IoError> {
    let differs = |field, source: Option<IoError>| IoError::ReadBack {
        path: path.to_owned(),
        field,
        source: source.map(Box::new),
    };
    let read = super::open(written).map_err(|error| differs("content", Some(error)))?;
    let (found, expected) = (read.geometry(), reference.geometry());
    if !same_grid(found, expected) {
        return Err(differs("affine", None));
    }
    let known = |scan: &Scan| (scan.geometry().orientation_known(), scan.geometry().spacing_known());
    if known(&read) != known(reference) {
        return Err(differs("knowledge of orientation or voxel size", None));
    }
    if read.voxels().dtype() != voxels.dtype() {
        return Err(differs("type", None));
    }
    // Bytes, so that a NaN is equal to itself.
    if payload::little_endian(read.voxels()) != payload::little_endian(voxels) {
        return Err(differs("voxel", None));
    }
    Ok(GridReceipt::of(found, expected, None))
}
