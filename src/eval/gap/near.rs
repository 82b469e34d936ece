//! Which voxels lie near a structure: within some mm of one of its voxels, between voxel centres.
//!
//! A ball is laid around every voxel of the structure's surface, row by row. That is exact, and unlike a distance
//! transform it needs no distances for the whole grid.

use crate::eval::surface::{BoundingBox, Mask};
use crate::volume::LabelMap;

/// A part of a voxel that is rounding: five steps of 1 mm are 5 mm.
const ROUNDING_VOXELS: f64 = 1e-6;

/// One row of a ball, relative to its middle: the voxels from `-half` to `half` along i.
pub(super) struct BallRow {
    pub half: i64,
    pub dj: i64,
    pub dk: i64,
}

/// All rows of a ball on a grid whose axes are perpendicular.
pub(super) fn ball(spacing_mm: [f64; 3], radius_mm: f64) -> Vec<BallRow> {
    let steps = |mm: f64, axis: usize| (mm / spacing_mm[axis] + ROUNDING_VOXELS).floor() as i64;
    let [_, nj, nk] = [0, 1, 2].map(|axis| steps(radius_mm, axis));
    let mut rows = Vec::new();
    for dk in -nk..=nk {
        for dj in -nj..=nj {
            let across = (dj as f64 * spacing_mm[1]).powi(2) + (dk as f64 * spacing_mm[2]).powi(2);
            let rest = radius_mm * radius_mm * (1.0 + ROUNDING_VOXELS) - across;
            if rest >= 0.0 {
                rows.push(BallRow { half: steps(rest.sqrt(), 0), dj, dk });
            }
        }
    }
    rows
}

/// Sets `near`, one value a voxel of `labels`, wherever a voxel of label `value` is within `radius_mm`; the structure
/// itself included. `extent` holds all its voxels. What is set already stays set.
pub(super) fn mark_near(
    near: &mut [bool],
    labels: &LabelMap,
    value: u16,
    extent: BoundingBox,
    ball: &[BallRow],
) {
    let [ni, nj, nk] = labels.dims();
    let mask = Mask::cut(labels, value, extent);
    let [width, height, _] = mask.dims;
    let surface = mask.surface();
    for (n, _) in mask.inside.iter().enumerate().filter(|(_, inside)| **inside) {
        let at = [n % width, n / width % height, n / (width * height)];
        let [i, j, k] = [0, 1, 2].map(|axis| at[axis] + extent.first[axis]);
        if !surface.inside[n] {
            near[labels.offset(i, j, k)] = true;
            continue;
        }
        for row in ball {
            let (j, k) = (j as i64 + row.dj, k as i64 + row.dk);
            if (0..nj as i64).contains(&j) && (0..nk as i64).contains(&k) {
                let first = (i as i64 - row.half).max(0) as usize;
                let last = (i as i64 + row.half).min(ni as i64 - 1) as usize;
                let start = labels.offset(0, j as usize, k as usize);
                near[start + first..=start + last].fill(true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::eval::gap::testing::{distance_mm, noise_labels};
    use crate::eval::surface::extents;

    #[test]
    fn the_shell_holds_exactly_the_voxels_within_its_reach() {
        for (dims, spacing_mm) in
            [([13, 11, 7], [1.0, 1.0, 2.5]), ([9, 14, 5], [0.7, 1.3, 5.0]), ([12, 1, 3], [2.0; 3])]
        {
            let labels = noise_labels(dims, spacing_mm, 5, 30);
            let extent = extents(&labels, &labels, &[1])[0].unwrap();
            let mut near = vec![false; labels.voxels().len()];
            mark_near(&mut near, &labels, 1, extent, &ball(spacing_mm, 5.0));
            let inside: Vec<usize> = (0..near.len()).filter(|n| labels.voxels()[*n] == 1).collect();
            for (n, near) in near.iter().enumerate() {
                let nearest =
                    inside.iter().map(|m| distance_mm(&labels, n, *m)).fold(f64::INFINITY, f64::min);
                assert_eq!(*near, nearest <= 5.0 + 1e-9, "{dims:?}: voxel {n} is {nearest} mm away");
            }
        }
    }
}
