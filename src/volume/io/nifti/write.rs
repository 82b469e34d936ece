//! Writing single files, compressed or not, and reading them back before they get their name.

use super::super::{
    Content, GridReceipt, IoError, OpenOptions, Receipt, SAME_GRID_MM, atomic, gzip, payload, same_grid,
    source::Source,
};
use super::header::Header;
use super::{SpatialHeader, Version, datatype, extension};
use crate::volume::{Geometry, Scaling, Scan};
use glam::{DMat4, DVec3};
use std::io::Write;
use std::path::Path;

/// Writes `content` where `reference` lies.
pub(in super::super) fn write(
    path: &Path,
    compressed: bool,
    content: &Content,
    reference: &Scan,
) -> Result<Receipt, IoError> {
    let voxels = content.voxels;
    refuse_what_has_no_place(path, reference)?;
    let header = header_for(content, reference);
    let encoded = header.encode(content.extensions);
    let bytes = payload::little_endian(voxels);
    let at_most_bytes = (encoded.len() + voxels.len() * voxels.dtype().size()) as u64;
    atomic::replace(
        path,
        at_most_bytes,
        |file| {
            if compressed {
                return gzip::write(file, &[&encoded, &bytes]);
            }
            file.write_all(&encoded)?;
            file.write_all(&bytes)
        },
        |written| {
            let verified = verify(written, &encoded, &header, content, reference);
            verified.map(Some).map_err(|(field, source)| IoError::ReadBack {
                path: path.to_owned(),
                field,
                source: source.map(Box::new),
            })
        },
    )
}

/// Without sform and qform, NIfTI has only a grid's voxel size: it starts at 0 and runs along its axes.
fn refuse_what_has_no_place(path: &Path, reference: &Scan) -> Result<(), IoError> {
    let geometry = reference.geometry();
    let along_axes = DMat4::from_scale(DVec3::from_array(geometry.spacing_mm()));
    let placeless = geometry.world_from_voxel().abs_diff_eq(along_axes, SAME_GRID_MM);
    if geometry.orientation_known() || reference.nifti.is_some() || placeless {
        return Ok(());
    }
    Err(IoError::Unsupported {
        path: path.to_owned(),
        what: "NIfTI cannot hold the place of a grid whose orientation is unknown".to_owned(),
        advice: "save it as .nrrd",
    })
}

/// NIfTI-1 unless the scan came as NIfTI-2, a dimension needs it, or the grid lies too far away for float32.
fn header_for(content: &Content, reference: &Scan) -> Header {
    let dims = reference.geometry().dims();
    let spatial = reference.nifti.clone().unwrap_or_else(|| SpatialHeader::of_geometry(reference.geometry()));
    let long = dims.iter().any(|size| *size > i16::MAX as usize);
    let as_one = spatial.stored_as(Version::One).placement(dims, false).world_from_voxel;
    let near = Geometry::new(dims, as_one).is_ok_and(|grid| same_grid(&grid, reference.geometry()));
    let needs_two = long || (!near && reference.nifti.is_none());
    let version = if needs_two { Version::Two } else { spatial.version };
    let dtype = content.voxels.dtype();
    let header_bytes = version.header_bytes() + extension::encode(content.extensions).len();
    Header {
        version,
        big_endian: false,
        single_file: true,
        dims: dims.map(|size| size as u64).to_vec(),
        datatype: datatype::code_of_dtype(dtype),
        bitpix: (dtype.size() * 8) as i16,
        intent_code: 0,
        vox_offset: header_bytes as f64,
        scl_slope: content.scaling.slope,
        scl_inter: content.scaling.intercept,
        spatial: spatial.stored_as(version),
    }
}

/// What came back different, and the error it gave if it could not be read at all.
type Difference = (&'static str, Option<IoError>);

/// Reads `written` as anyone would and compares every byte, and then grid, type and scaling, with what was meant. The grid may be that of either form: a scan that was placed by its qform keeps its sform as well.
fn verify(
    written: &Path,
    encoded: &[u8],
    header: &Header,
    content: &Content,
    reference: &Scan,
) -> Result<GridReceipt, Difference> {
    let unreadable = |error| ("content", Some(error));
    let mut source = Source::open(written).map_err(unreadable)?;
    let bytes = payload::little_endian(content.voxels);
    if !source.holds(&[encoded, &bytes]).map_err(unreadable)? {
        return Err(("header or voxel", None));
    }
    if source.finish().map_err(unreadable)?.is_some() {
        return Err(("length", None));
    }
    // The file's header is, byte for byte, the encoded one: what matters now is how it is understood.
    let read = Header::decode(written, encoded).map_err(unreadable)?;
    if !read.spatial.same_bits(&header.spatial) {
        return Err(("sform, qform or unit", None));
    }
    let judge = |prefer_qform| {
        let options = OpenOptions { prefer_qform, ..OpenOptions::default() };
        super::judge(written, &read, &options).map_err(unreadable)
    };
    let (info, by_qform) = (judge(false)?, judge(true)?);
    let expected = reference.geometry();
    let mut placed = vec![&info.geometry, &by_qform.geometry];
    placed.retain(|grid| same_grid(grid, expected));
    if placed.is_empty() {
        return Err(("affine", None));
    }
    let known = |grid: &Geometry| (grid.orientation_known(), grid.spacing_known(), grid.slices_missing());
    let grid = placed.into_iter().find(|grid| known(grid) == known(expected));
    let grid = grid.ok_or(("knowledge of orientation, voxel size or missing slices", None))?;
    // NIfTI-1 stores float32.
    let rounded = |scaling: Scaling| [scaling.slope as f32, scaling.intercept as f32];
    if info.dtype != content.voxels.dtype() || rounded(info.scaling) != rounded(content.scaling) {
        return Err(("type or scaling", None));
    }
    let kept = reference.nifti.as_ref().map(|scan| scan.same_bits(&read.spatial));
    Ok(GridReceipt::of(grid, expected, kept))
}
