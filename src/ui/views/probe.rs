//! Reading values off a position, in words.

use super::content::Content;
use super::cut::Voxels;
use crate::eval::{ONLY_FIRST, ONLY_SECOND};
use crate::session::OpenScan;
use crate::volume::{Geometry, LabelTable};
use glam::DVec3;

/// "R 17.6  P 35.3  S 12.1 mm": the side of the patient each coordinate is on, and how far; without a unit where nobody knows
/// how large a voxel is.
pub fn position(geometry: &Geometry, world_mm: DVec3) -> String {
    let unit = if geometry.spacing_known() { " mm" } else { "" };
    if !geometry.orientation_known() {
        return format!("x {:.1}  y {:.1}  z {:.1}{unit}", world_mm.x, world_mm.y, world_mm.z);
    }
    let side = |axis: usize| {
        let pair = [('R', 'L'), ('A', 'P'), ('S', 'I')][axis];
        let letter = if world_mm[axis] >= 0.0 { pair.0 } else { pair.1 };
        format!("{letter} {:.1}", world_mm[axis].abs())
    };
    format!("{}  {}  {}{unit}", side(0), side(1), side(2))
}

/// The voxel a position lies in; `None` outside the grid.
pub fn voxel_index(geometry: &Geometry, world_mm: DVec3) -> Option<[usize; 3]> {
    let voxel = geometry.voxel_from_world().transform_point3(world_mm);
    let mut index = [0; 3];
    for (axis, size) in geometry.dims().into_iter().enumerate() {
        let rounded = (voxel[axis] + 0.5).floor();
        if !(rounded >= 0.0 && rounded < size as f64) {
            return None;
        }
        index[axis] = rounded as usize;
    }
    Some(index)
}

/// The value of a layer at a position: a number, or a label's value.
pub fn value_at(voxels: &Voxels, world_mm: DVec3) -> Option<f32> {
    match voxels {
        Voxels::Scan(scan) => {
            let [i, j, k] = voxel_index(scan.geometry(), world_mm)?;
            Some(scan.value(i, j, k))
        }
        Voxels::Values(volume) => {
            let [i, j, k] = voxel_index(volume.geometry(), world_mm)?;
            Some(volume.at(i, j, k))
        }
        Voxels::Labels(labels) => {
            let [i, j, k] = voxel_index(labels.geometry(), world_mm)?;
            Some(f32::from(labels.at(i, j, k)))
        }
    }
}

/// The label at a position; `None` on background and outside.
pub fn label_value_at(labels: &Voxels, world_mm: DVec3) -> Option<u16> {
    value_at(labels, world_mm).filter(|value| *value > 0.0).map(|value| value as u16)
}

/// What a voxel of a difference of two label maps means.
fn difference_name(code: u16) -> &'static str {
    match code {
        ONLY_FIRST => "only in the prediction",
        ONLY_SECOND => "not in the prediction",
        _ => "another structure",
    }
}

/// "212 a.u." with as many decimals as the unit deserves.
pub fn with_unit(value: f32, unit: &str) -> String {
    if !value.is_finite() {
        return "no value".to_owned();
    }
    if unit.is_empty() || value.abs() < 10.0 && value.fract() != 0.0 {
        return format!("{value:.2} {unit}").trim_end().to_owned();
    }
    format!("{value:.0} {unit}")
}

/// One line about a position in a pane: where, which voxel, how much, and what it was labelled.
pub fn line(content: &Content<'_>, world_mm: DVec3, table: &LabelTable) -> Option<String> {
    let scan: &OpenScan = content.scan;
    let [i, j, k] = voxel_index(scan.geometry(), world_mm)?;
    let mut parts = vec![position(scan.geometry(), world_mm), format!("{i} {j} {k}")];
    if let Some(value) = content.image.as_ref().and_then(|image| value_at(image, world_mm)) {
        parts.push(with_unit(value, content.unit));
    }
    let heat = content.heat.as_ref().and_then(|heat| value_at(heat, world_mm));
    if let Some(heat) = heat.filter(|heat| heat.is_finite()) {
        parts.push(format!("{heat:.2}"));
    }
    if let Some(value) = content.labels.as_ref().and_then(|labels| label_value_at(labels, world_mm)) {
        parts.push(if content.contrast { difference_name(value).to_owned() } else { table.name_of(value) });
    }
    Some(parts.join(" · "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::volume::{Scan, Volume};
    use std::sync::Arc;

    #[test]
    fn a_position_is_told_by_the_patients_sides_and_in_no_millimetres_that_nobody_knows() {
        let grid = Geometry::axis_aligned([2, 2, 2], [1.0; 3], [0.0; 3]).unwrap();
        assert_eq!(position(&grid, DVec3::new(17.6, -35.3, 12.1)), "R 17.6  P 35.3  S 12.1 mm");
        let unsized_grid = grid.clone().with_unknown_spacing();
        assert_eq!(position(&unsized_grid, DVec3::new(17.6, -35.3, 12.1)), "R 17.6  P 35.3  S 12.1");
        let unknown = grid.with_unknown_orientation();
        assert_eq!(position(&unknown, DVec3::new(17.6, -35.3, 12.1)), "x 17.6  y -35.3  z 12.1 mm");
    }

    #[test]
    fn the_value_read_is_that_of_the_voxel_under_the_pointer_and_none_outside() {
        let grid = Geometry::axis_aligned([3, 3, 3], [2.0; 3], [10.0, 20.0, 30.0]).unwrap();
        let volume = Volume::from_fn(grid, |i, j, k| (i + 10 * j + 100 * k) as f32);
        let voxels = Voxels::Scan(Arc::new(Scan::from_volume(volume, "phantom")));
        assert_eq!(value_at(&voxels, DVec3::new(12.9, 19.1, 34.0)), Some(201.0));
        assert_eq!(value_at(&voxels, DVec3::new(15.1, 20.0, 30.0)), None);
    }

    #[test]
    fn values_carry_their_unit_and_missing_ones_say_so() {
        assert_eq!(with_unit(212.4, "a.u."), "212 a.u.");
        assert_eq!(with_unit(0.25, "a.u."), "0.25 a.u.");
        assert_eq!(with_unit(f32::NAN, "HU"), "no value");
    }
}
