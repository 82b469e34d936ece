//! One crosshair for two scans.
//!
//! Source and target are different patients unless they say otherwise: a point of one is shown in the other at the same
//! place *in the body's bounding box*, never at the same millimetres. Scans of one frame of reference, or declared to lie
//! in one space, are linked by millimetres. What lies on a scan's own grid (its synthesis, gap and prediction)
//! shares its world and needs no link.

use crate::session::Role;
use crate::session::{OpenScan, Study};
use crate::ui::state::Crosshair;
use crate::volume::Geometry;
use glam::DVec3;

/// World position in mm of the crosshair in the scan of `role`; `None` where that scan or its counterpart is missing.
pub fn crosshair_in(study: &Study, crosshair: Crosshair, role: Role) -> Option<DVec3> {
    if crosshair.role == role {
        return study.scan(role).map(|_| crosshair.world_mm);
    }
    let here = study.scan(role)?;
    match study.scan(crosshair.role) {
        Some(_) if study.is_one_space() => Some(crosshair.world_mm),
        Some(there) => Some(linked(there, here, crosshair.world_mm)),
        None => Some(body_centre_mm(here)),
    }
}

/// The world position in `to` that lies in its body as `world_mm` lies in the body of `from`.
pub fn linked(from: &OpenScan, to: &OpenScan, world_mm: DVec3) -> DVec3 {
    let voxel = from.geometry().voxel_from_world().transform_point3(world_mm);
    let fraction = from.body.fraction_from_voxel(from.geometry(), voxel);
    to.geometry().world_of(to.body.voxel_from_fraction(to.geometry(), fraction))
}

/// The middle of the body, world mm.
pub fn body_centre_mm(scan: &OpenScan) -> DVec3 {
    scan.geometry().world_of(scan.body.centre_voxel())
}

/// A voxel position kept within the grid.
pub fn clamp_to_grid(grid: &Geometry, voxel: DVec3) -> DVec3 {
    let last = DVec3::from_array(grid.dims().map(|size| (size - 1) as f64));
    voxel.clamp(DVec3::ZERO, last)
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::session::OpenRequest;
    use crate::volume::{Modality, Scan, Volume};
    use std::path::PathBuf;
    use std::sync::Arc;

    /// A bright box of voxels `low..=high` in air.
    pub(crate) fn boxed(geometry: Geometry, low: [usize; 3], high: [usize; 3]) -> Arc<OpenScan> {
        let volume = Volume::from_fn(geometry, |i, j, k| {
            let inside = (0..3).all(|a| (low[a]..=high[a]).contains(&[i, j, k][a]));
            if inside { 100.0 } else { 0.0 }
        });
        let scan = Scan::from_volume(volume, "phantom");
        Arc::new(OpenScan::new(scan, OpenRequest::file(PathBuf::from("box.nii")), Modality::Mr))
    }

    #[test]
    fn a_point_at_the_edge_of_one_body_is_at_the_same_edge_of_the_other_whatever_their_sizes_and_storage() {
        let ras = Geometry::axis_aligned([20, 20, 20], [1.0; 3], [0.0; 3]).unwrap();
        let lps = Geometry::new([40, 40, 10], glam::DMat4::from_scale(DVec3::new(-3.0, -3.0, 6.0))).unwrap();
        let (small, large) = (boxed(ras, [2, 4, 6], [12, 14, 16]), boxed(lps, [10, 10, 2], [30, 30, 8]));
        // The right, front, upper corner of the first body.
        let corner = DVec3::new(12.0, 14.0, 16.0);
        let there = linked(&small, &large, corner);
        assert!(there.distance(DVec3::new(-30.0, -30.0, 48.0)) < 1e-6, "{there}");
        assert!(linked(&large, &small, there).distance(corner) < 1e-6);
    }

    #[test]
    fn a_crosshair_is_shown_where_it_was_placed() {
        let grid = Geometry::axis_aligned([20, 20, 20], [1.0; 3], [0.0; 3]).unwrap();
        let mut study = Study::default();
        study.set_scan(Role::Target, Some(boxed(grid, [2, 4, 6], [12, 14, 16])));
        let crosshair = Crosshair { role: Role::Target, world_mm: DVec3::new(1.25, 2.5, 3.75) };
        assert_eq!(crosshair_in(&study, crosshair, Role::Target), Some(crosshair.world_mm));
        assert_eq!(crosshair_in(&study, crosshair, Role::Source), None);
    }

    #[test]
    fn scans_in_one_space_are_linked_by_millimetres_and_a_newly_opened_one_is_not_unless_it_says_so() {
        let grid = Geometry::axis_aligned([20, 20, 20], [1.0; 3], [0.0; 3]).unwrap();
        let in_frame = |frame: Option<&str>, high| {
            let mut scan = boxed(grid.clone(), [2, 4, 6], high).as_ref().clone();
            Arc::make_mut(&mut scan.scan).frame_of_reference = frame.map(str::to_owned);
            Some(Arc::new(scan))
        };
        let mut study = Study::default();
        study.set_scan(Role::Source, in_frame(Some("1.2.3"), [12, 14, 16]));
        study.set_scan(Role::Target, in_frame(Some("1.2.3"), [10, 10, 10]));
        let crosshair = Crosshair { role: Role::Target, world_mm: DVec3::new(3.0, 5.0, 7.0) };
        assert_eq!(crosshair_in(&study, crosshair, Role::Source), Some(crosshair.world_mm));
        study.set_scan(Role::Source, in_frame(None, [12, 14, 16]));
        assert_ne!(crosshair_in(&study, crosshair, Role::Source), Some(crosshair.world_mm));
        study.declare_one_space(true);
        assert_eq!(crosshair_in(&study, crosshair, Role::Source), Some(crosshair.world_mm));
    }
}
