//! Files in, files out.
//!
//! Invariants: a file is recognised by its bytes, never by its name; what it claims is checked before anything is
//! allocated for it; what is written replaces a file whole or not at all, after it was read back and compared.

mod atomic;
mod error;
mod memory;
pub mod nifti;
mod source;

pub use atomic::Receipt;
pub use error::IoError;
pub use nifti::HeaderInfo;

use super::{LabelMap, Scaling, Scan, Volume, Voxels, geometry_equal};
use std::io::Write;
use std::path::Path;

/// Two grids closer than this, in mm at every corner, are one grid: float32 headers round by less.
const SAME_GRID_MM: f64 = 1e-3;

/// Writes some bytes as a file, whole or not at all: checkpoints, cards, reports.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<Receipt, IoError> {
    atomic::replace(path, |writer| writer.write_all(bytes), |_| Ok(()))
}

/// Reads the scan in `path`, or the first volume of it if there are several (a warning says so).
pub fn open(path: &Path) -> Result<Scan, IoError> {
    open_volume(path, 0)
}

/// Reads volume `volume` of `path`, 0 being the first.
pub fn open_volume(path: &Path, volume: usize) -> Result<Scan, IoError> {
    nifti::read_volume(&nifti::header_of(path)?, volume)
}

/// Reads the header of `path` only: nothing is said about whether its voxels are whole.
pub fn read_header(path: &Path) -> Result<HeaderInfo, IoError> {
    nifti::read_header(&nifti::header_of(path)?)
}

/// Reads a label map: whole numbers from 0 to 65535 in any stored type.
pub fn open_labels(path: &Path) -> Result<LabelMap, IoError> {
    let scan = open(path)?;
    scan.to_labels().map_err(|source| IoError::NotLabels { path: path.to_owned(), source })
}

/// Writes `labels` on the very grid of `reference`: its sform, qform and units come back bit for bit.
///
/// Stored as uint8 where all values fit, else uint16; compressed if the name ends in `.gz`.
pub fn write_labels(path: &Path, labels: &LabelMap, reference: &Scan) -> Result<Receipt, IoError> {
    require_same_grid(path, labels, reference)?;
    let narrow: Option<Vec<u8>> = labels.voxels().iter().map(|value| u8::try_from(*value).ok()).collect();
    let voxels = narrow.map_or_else(|| Voxels::U16(labels.voxels().to_vec()), Voxels::U8);
    nifti::write(path, &voxels, Scaling::IDENTITY, reference)
}

/// Writes computed values as float32 on the very grid of `reference`.
pub fn write_values(path: &Path, values: &Volume<f32>, reference: &Scan) -> Result<Receipt, IoError> {
    require_same_grid(path, values, reference)?;
    nifti::write(path, &Voxels::F32(values.voxels().to_vec()), Scaling::IDENTITY, reference)
}

/// Writes a scan with its stored type, scaling and place.
pub fn write_scan(path: &Path, scan: &Scan) -> Result<Receipt, IoError> {
    nifti::write(path, scan.voxels(), scan.scaling(), scan)
}

fn require_same_grid<T>(path: &Path, volume: &Volume<T>, reference: &Scan) -> Result<(), IoError> {
    let (got, expected) = (volume.geometry(), reference.geometry());
    if geometry_equal(got, expected, SAME_GRID_MM) {
        return Ok(());
    }
    let describe = |grid: &super::Geometry| {
        let (dims, spacing, corner) = (grid.dims(), grid.spacing_mm(), grid.world_from_voxel().w_axis);
        format!(
            "{dims:?} voxels of {spacing:.4?} mm from ({:.3}, {:.3}, {:.3})",
            corner.x, corner.y, corner.z
        )
    };
    Err(IoError::GridDiffers { path: path.to_owned(), expected: describe(expected), got: describe(got) })
}
