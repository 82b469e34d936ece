//! Writing `.nrrd`, and `.seg.nrrd` as 3D Slicer reads it.
//!
//! NRRD has no scale: measured values are written. Vectors are LPS, as ITK and 3D Slicer write them, in the shortest
//! decimals that read back to the same bits.

use super::super::{Content, IoError, Receipt, atomic, gzip, payload, read_back, unscaled};
use super::segments;
use crate::volume::{DType, Geometry, Scan};
use glam::DVec3;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

/// A pair of this program's own: NRRD cannot say that a grid's directions are known and its voxel size is not.
pub(super) const SPACING_PAIR: (&str, &str) = ("MindGap_VoxelSize", "unknown");

/// Writes `content` where `reference` lies; labels get segments if `segmentation`.
pub(in super::super) fn write(
    path: &Path,
    segmentation: bool,
    content: &Content,
    reference: &Scan,
) -> Result<Receipt, IoError> {
    let voxels = unscaled::measured(content);
    let bytes = payload::little_endian(&voxels);
    let mut header = header(voxels.dtype(), reference.geometry());
    match (segmentation, content.labels) {
        (true, Some(table)) => {
            header.push_str(&segments::pairs(&voxels, reference.geometry().dims(), table));
        }
        (true, None) => {
            return Err(IoError::Unsupported {
                path: path.to_owned(),
                what: "a .seg.nrrd holds labels, and these are values".to_owned(),
                advice: "save it as .nrrd",
            });
        }
        (false, _) => {}
    }
    header.push('\n');
    let at_most_bytes = (header.len() + bytes.len()) as u64;
    atomic::replace(
        path,
        at_most_bytes,
        |file| {
            file.write_all(header.as_bytes())?;
            gzip::write(file, &[&bytes])
        },
        |written| read_back::verify(written, path, &voxels, reference).map(Some),
    )
}

fn header(dtype: DType, geometry: &Geometry) -> String {
    let dims = geometry.dims();
    let affine = geometry.world_from_voxel();
    let known = geometry.orientation_known();
    // Without a name of the space its vectors are numbers whose left and right nobody claims to know.
    let (space, lps_from_ras) = if known {
        ("space: left-posterior-superior", DVec3::new(-1.0, -1.0, 1.0))
    } else {
        ("space dimension: 3", DVec3::ONE)
    };
    let vector = |column: glam::DVec4| {
        // Adding 0 turns -0 into 0.
        let DVec3 { x, y, z } = column.truncate() * lps_from_ras + DVec3::ZERO;
        format!("({x},{y},{z})")
    };
    let mut text = format!("NRRD0004\ntype: {}\ndimension: 3\n{space}\n", type_name(dtype));
    let directions = [affine.x_axis, affine.y_axis, affine.z_axis].map(vector).join(" ");
    // Writing into a String cannot fail.
    let _ = write!(
        text,
        "sizes: {} {} {}\nspace directions: {directions}\nkinds: domain domain domain\nendian: little\n\
         encoding: gzip\nspace origin: {}\n",
        dims[0],
        dims[1],
        dims[2],
        vector(affine.w_axis)
    );
    if !geometry.spacing_known() {
        let (key, value) = SPACING_PAIR;
        let _ = writeln!(text, "{key}:={value}");
    }
    text
}

/// The spelling that Teem itself writes.
fn type_name(dtype: DType) -> &'static str {
    match dtype {
        DType::U8 => "unsigned char",
        DType::I8 => "signed char",
        DType::U16 => "unsigned short",
        DType::I16 => "short",
        DType::U32 => "unsigned int",
        DType::I32 => "int",
        DType::U64 => "unsigned long long int",
        DType::I64 => "long long int",
        DType::F32 => "float",
        DType::F64 => "double",
    }
}
