//! Did a translation keep the anatomy? Agreement of edges between a scan and its synthetic twin.

use crate::volume::Volume;

/// Edges weaker than this, per voxel of scaled intensity, say nothing.
const MIN_GRADIENT: f32 = 0.04;

/// A gradient of this part of that is none: modalities differ in how strongly they show an edge.
const FAINT: f32 = 0.25;

/// Mean |cosine| between the in-plane gradients of two volumes on one grid, weighted by the scan's edge strength: 1 where
/// every edge kept its place and direction (dark and bright may be exchanged), about 0.64 for unrelated pictures.
///
/// It cannot prove that nothing was invented. 1 where the scan has no edges at all.
pub fn edge_agreement(scan: &Volume<f32>, synthetic: &Volume<f32>) -> f64 {
    let (mut agreement, mut weight) = (0.0f64, 0.0f64);
    each_inner_voxel(scan, |i, j, k| {
        let (a, b) = (gradient(scan, i, j, k), gradient(synthetic, i, j, k));
        let strength = a.0.hypot(a.1);
        if strength >= MIN_GRADIENT {
            weight += f64::from(strength);
            agreement += f64::from(strength) * f64::from(agreement_of(a, b));
        }
    });
    if weight > 0.0 { agreement / weight } else { 1.0 }
}

/// Agreement of the edges at each voxel, 0..1, on the grid of both volumes: |cosine| between their in-plane gradients, 0
/// where only one of them has an edge, so that what was lost and what was invented both show. NaN where neither has one.
pub fn edge_agreement_map(scan: &Volume<f32>, synthetic: &Volume<f32>) -> Volume<f32> {
    let mut map = scan.map(|_| f32::NAN);
    each_inner_voxel(scan, |i, j, k| {
        let (a, b) = (gradient(scan, i, j, k), gradient(synthetic, i, j, k));
        let strongest = a.0.hypot(a.1).max(b.0.hypot(b.1));
        if strongest >= MIN_GRADIENT {
            let offset = map.offset(i, j, k);
            map.voxels_mut()[offset] = agreement_of(a, b);
        }
    });
    map
}

/// |cosine| between two gradients; 0 where one of them is hardly there.
fn agreement_of((ax, ay): (f32, f32), (bx, by): (f32, f32)) -> f32 {
    let (a, b) = (ax.hypot(ay), bx.hypot(by));
    if a.min(b) > FAINT * MIN_GRADIENT { ((ax * bx + ay * by) / (a * b)).abs().min(1.0) } else { 0.0 }
}

/// Every voxel that has a neighbour on each of its four sides in the plane.
fn each_inner_voxel(volume: &Volume<f32>, mut visit: impl FnMut(usize, usize, usize)) {
    let [ni, nj, nk] = volume.dims();
    for k in 0..nk {
        for j in 1..nj.saturating_sub(1) {
            for i in 1..ni.saturating_sub(1) {
                visit(i, j, k);
            }
        }
    }
}

/// Central differences along i and j.
fn gradient(volume: &Volume<f32>, i: usize, j: usize, k: usize) -> (f32, f32) {
    let x = volume.at(i + 1, j, k) - volume.at(i - 1, j, k);
    let y = volume.at(i, j + 1, k) - volume.at(i, j - 1, k);
    (0.5 * x, 0.5 * y)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::volume::Geometry;

    fn stripes(across: bool) -> Volume<f32> {
        let grid = Geometry::axis_aligned([32, 32, 1], [1.0; 3], [0.0; 3]).unwrap();
        Volume::from_fn(grid, |i, j, _| ((if across { i } else { j }) as f32 * 0.5).sin())
    }

    #[test]
    fn inverted_contrast_agrees_and_moved_edges_do_not() {
        let scan = stripes(true);
        assert!(edge_agreement(&scan, &scan.map(|v| 1.0 - v)) > 0.999);
        assert!(edge_agreement(&scan, &stripes(false)) < 0.05);
    }

    /// A bright square of 10 x 10 pixels in the dark, from a corner on.
    fn square(corner: usize) -> Volume<f32> {
        let grid = Geometry::axis_aligned([32, 32, 1], [1.0; 3], [0.0; 3]).unwrap();
        let inside = move |at: usize| (corner..corner + 10).contains(&at);
        Volume::from_fn(grid, |i, j, _| f32::from(u8::from(inside(i) && inside(j))))
    }

    #[test]
    fn an_edge_that_went_and_one_that_was_invented_are_0_on_the_map_and_flat_tissue_is_not_judged() {
        let map = edge_agreement_map(&square(4), &square(18));
        assert_eq!(map.at(4, 8, 0), 0.0, "the scan's own edge is gone");
        assert_eq!(map.at(18, 22, 0), 0.0, "an edge that the scan does not have");
        assert!(map.at(8, 8, 0).is_nan() && map.at(30, 2, 0).is_nan());
        let kept = edge_agreement_map(&square(4), &square(4).map(|v| 0.2 - 0.15 * v));
        assert!((kept.at(4, 8, 0) - 1.0).abs() < 1e-6, "{}", kept.at(4, 8, 0));
    }

    #[test]
    fn the_number_beside_the_map_is_its_mean_over_the_scans_edges() {
        let scan = stripes(true);
        let tilted = {
            let grid = scan.geometry().clone();
            Volume::from_fn(grid, |i, j, _| ((i as f32 + 0.7 * j as f32) * 0.5).sin())
        };
        let map = edge_agreement_map(&scan, &tilted);
        let (mut sum, mut weight) = (0.0, 0.0);
        each_inner_voxel(&scan, |i, j, k| {
            let (x, y) = gradient(&scan, i, j, k);
            if x.hypot(y) >= MIN_GRADIENT {
                sum += f64::from(x.hypot(y) * map.at(i, j, k));
                weight += f64::from(x.hypot(y));
            }
        });
        assert!((edge_agreement(&scan, &tilted) - sum / weight).abs() < 1e-6);
    }
}
