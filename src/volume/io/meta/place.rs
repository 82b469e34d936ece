//! Where a MetaImage says its grid lies: direction cosines, spacing and the first voxel's centre, in LPS and mm.

use super::super::IoError;
use super::super::placement::Placement;
use super::header::Header;
use crate::volume::is_usable_affine;
use glam::{DMat3, DMat4, DVec3};

const MATRIX_NAMES: [&str; 3] = ["TransformMatrix", "Rotation", "Orientation"];
const OFFSET_NAMES: [&str; 3] = ["Offset", "Position", "Origin"];
const SPACING_NAMES: [&str; 2] = ["ElementSpacing", "ElementSize"];

/// Places a grid of two, three or four dimensions, of which the first three are in space.
///
/// A file without a matrix would be taken for axis-aligned by ITK. It does not say so: its left and right are unknown
/// here, and as with NIfTI files of that kind its grid starts at 0.
pub(super) fn placement(header: &Header, dimensions: usize) -> Result<Placement, IoError> {
    let mut warnings = Vec::new();
    let in_space = dimensions.min(3);
    let given = |names: &[&str], count: usize| -> Result<Option<Vec<f64>>, IoError> {
        let name = names.iter().find(|name| header.fields.get(name).is_some());
        name.map_or(Ok(None), |name| header.fields.numbers(name, count))
    };
    let matrix = given(&MATRIX_NAMES, dimensions * dimensions)?;
    let offset = given(&OFFSET_NAMES, dimensions)?;
    let spacing = given(&SPACING_NAMES, dimensions)?;

    let (mut spacing_mm, mut origin) = (DVec3::ONE, DVec3::ZERO);
    let mut spacing_known = spacing.is_some();
    for axis in 0..in_space {
        origin[axis] = offset.as_ref().map_or(0.0, |offset| offset[axis]);
        let size = spacing.as_ref().map_or(1.0, |spacing| spacing[axis]);
        if size < 0.0 {
            warnings.push("A spacing is negative; its absolute value was used.".into());
        }
        if size.is_finite() && size != 0.0 {
            spacing_mm[axis] = size.abs();
        } else {
            spacing_known = false;
        }
    }
    if !spacing_known {
        warnings.push(
            "The voxel size is missing, zero or not finite; 1 mm was assumed, and nothing is reported in mm or ml."
                .into(),
        );
    } else if in_space == 2 {
        warnings.push(
            "The file holds one slice and not its thickness; 1 mm was assumed, and no volume is reported."
                .into(),
        );
    }
    // Row n holds the direction of axis n.
    let directions = matrix.as_ref().map(|matrix| {
        let mut columns = DMat3::IDENTITY;
        for axis in 0..in_space {
            for world in 0..in_space {
                columns.col_mut(axis)[world] = matrix[axis * dimensions + world];
            }
        }
        columns
    });
    let affine = |directions: DMat3| {
        let ras_from_lps = DMat3::from_diagonal(DVec3::new(-1.0, -1.0, 1.0));
        let mut affine = DMat4::from_mat3(ras_from_lps * directions * DMat3::from_diagonal(spacing_mm));
        affine.w_axis = (ras_from_lps * origin).extend(1.0);
        affine
    };
    let placed = directions.map(affine).filter(|affine| in_space == 3 && is_usable_affine(affine));
    if directions.is_some() && placed.is_none() && in_space == 3 {
        warnings
            .push("The TransformMatrix or the Offset is singular or not finite; both were ignored.".into());
    }
    let orientation_known = placed.is_some();
    if !orientation_known {
        warnings.push(
            "The file does not say how the patient lies (no usable TransformMatrix in three dimensions): left and \
             right are unknown."
                .into(),
        );
    }
    if orientation_known && offset.is_none() {
        warnings.push("The file gives no Offset: the first voxel was placed at 0.".into());
    }
    Ok(Placement {
        world_from_voxel: placed.unwrap_or_else(|| DMat4::from_scale(spacing_mm)),
        orientation_known,
        spacing_known: spacing_known && in_space == 3,
        warnings,
    })
}
