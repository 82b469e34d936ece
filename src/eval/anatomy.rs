//! Did a translation keep the anatomy? Agreement of edges between a scan and its synthetic twin.

use crate::volume::Volume;
use rayon::prelude::*;

/// Edges weaker than this, per voxel of scaled intensity, say nothing.
const MIN_GRADIENT: f32 = 0.04;

/// A gradient of this part of that is none: modalities differ in how strongly they show an edge.
const FAINT: f32 = 0.25;

/// Mean |cosine| between the in-plane gradients of two volumes on one grid, weighted by the scan's edge strength: 1 where
/// every edge kept its place and direction (dark and bright may be exchanged), about 0.64 for unrelated pictures.
///
/// It cannot prove that nothing was invented. 1 where the scan has no edges at all.
pub fn edge_agreement(scan: &Volume<f32>, synthetic: &Volume<f32>) -> f64 {
    let slice = |k: usize| {
        let (mut agreement, mut weight) = (0.0f64, 0.0f64);
        each_inner_pixel(scan, |i, j| {
            let (a, b) = (gradient(scan, i, j, k), gradient(synthetic, i, j, k));
            let strength = a.0.hypot(a.1);
            if strength >= MIN_GRADIENT {
                weight += f64::from(strength);
                agreement += f64::from(strength) * f64::from(agreement_of(a, b));
            }
        });
        (agreement, weight)
    };
    // Summed in the slices' order, so that the figure is the same however many threads there are.
    let slices: Vec<(f64, f64)> = (0..scan.dims()[2]).into_par_iter().map(slice).collect();
    let (agreement, weight) = slices.iter().fold((0.0, 0.0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
    if weight > 0.0 { agreement / weight } else { 1.0 }
}

/// Agreement of the edges at each voxel, 0..1, on the grid of both volumes: |cosine| between their in-plane gradients, 0
/// where only one of them has an edge, so that what was lost and what was invented both show. NaN where neither has one.
///
/// An edge is the line along which a slice changes most, one or two voxels wide. Both volumes are smoothed first, as
/// [`edge_agreement`] does not: one voxel of noise is no edge, and would be painted as one.
pub fn edge_agreement_map(scan: &Volume<f32>, synthetic: &Volume<f32>) -> Volume<f32> {
    let (scan, synthetic) = (smoothed(scan), smoothed(synthetic));
    let (of_scan, of_synthetic) = (strengths(&scan), strengths(&synthetic));
    let mut map = scan.map(|_| f32::NAN);
    each_inner_voxel(&scan, |i, j, k| {
        let (a, b) = (gradient(&scan, i, j, k), gradient(&synthetic, i, j, k));
        if is_crest(&of_scan, a, [i, j, k]) || is_crest(&of_synthetic, b, [i, j, k]) {
            let offset = map.offset(i, j, k);
            map.voxels_mut()[offset] = agreement_of(a, b);
        }
    });
    map
}

/// Length of the in-plane gradient; 0 at the rim, where there is none.
fn strengths(volume: &Volume<f32>) -> Volume<f32> {
    let mut strengths = volume.map(|_| 0.0);
    each_inner_voxel(volume, |i, j, k| {
        let (x, y) = gradient(volume, i, j, k);
        let offset = strengths.offset(i, j, k);
        strengths.voxels_mut()[offset] = x.hypot(y);
    });
    strengths
}

/// Whether an inner voxel's gradient is no weaker than those of its two neighbours across the edge (Canny, 1986).
fn is_crest(strengths: &Volume<f32>, (x, y): (f32, f32), [i, j, k]: [usize; 3]) -> bool {
    let here = strengths.at(i, j, k);
    if here < MIN_GRADIENT {
        return false;
    }
    // To the nearest of the eight directions: tan 22.5 degrees is 0.41.
    let step = |along: f32, across: f32| if along.abs() > 0.41 * across.abs() { along.signum() } else { 0.0 };
    let (di, dj) = (step(x, y) as isize, step(y, x) as isize);
    let (ahead, behind) = (
        strengths.at(i.saturating_add_signed(di), j.saturating_add_signed(dj), k),
        strengths.at(i.saturating_add_signed(-di), j.saturating_add_signed(-dj), k),
    );
    // An edge between two voxels is as strong in both, but for rounding.
    1.001 * here >= ahead.max(behind)
}

/// In the plane, by the binomial weights 1 4 6 4 1 along i and along j: a Gaussian of one voxel.
fn smoothed(volume: &Volume<f32>) -> Volume<f32> {
    let [ni, nj, _] = volume.dims();
    let along = |at: usize, size: usize, value: &dyn Fn(usize) -> f32| {
        let weights = [1.0, 4.0, 6.0, 4.0, 1.0].into_iter().enumerate();
        weights.map(|(n, w)| w * value((at + n).saturating_sub(2).min(size - 1))).sum::<f32>() / 16.0
    };
    let grid = volume.geometry().clone();
    let in_rows = Volume::from_fn(grid.clone(), |i, j, k| along(i, ni, &|i| volume.at(i, j, k)));
    Volume::from_fn(grid, |i, j, k| along(j, nj, &|j| in_rows.at(i, j, k)))
}

/// |cosine| between two gradients; 0 where one of them is hardly there.
fn agreement_of((ax, ay): (f32, f32), (bx, by): (f32, f32)) -> f32 {
    let (a, b) = (ax.hypot(ay), bx.hypot(by));
    if a.min(b) > FAINT * MIN_GRADIENT { ((ax * bx + ay * by) / (a * b)).abs().min(1.0) } else { 0.0 }
}

/// Every voxel that has a neighbour on each of its four sides in the plane.
fn each_inner_voxel(volume: &Volume<f32>, mut visit: impl FnMut(usize, usize, usize)) {
    for k in 0..volume.dims()[2] {
        each_inner_pixel(volume, |i, j| visit(i, j, k));
    }
}

/// The same of any one slice.
fn each_inner_pixel(volume: &Volume<f32>, mut visit: impl FnMut(usize, usize)) {
    let [ni, nj, _] = volume.dims();
    for j in 1..nj.saturating_sub(1) {
        for i in 1..ni.saturating_sub(1) {
            visit(i, j);
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
        assert!(map.at(9, 9, 0).is_nan() && map.at(29, 2, 0).is_nan());
        let kept = edge_agreement_map(&square(4), &square(4).map(|v| 0.2 - 0.15 * v));
        assert!((kept.at(4, 8, 0) - 1.0).abs() < 1e-6, "{}", kept.at(4, 8, 0));
    }

    #[test]
    fn noise_is_no_edge_that_the_map_would_paint() {
        let grid = Geometry::axis_aligned([64, 64, 2], [1.0; 3], [0.0; 3]).unwrap();
        // Even in -0.1 .. 0.1 around a flat 0.5.
        let noise = |seed: usize| {
            Volume::from_fn(grid.clone(), move |i, j, k| {
                let mixed = (i * 7919 + j * 104_729 + k * 1_299_709 + seed).wrapping_mul(2_654_435_761);
                0.4 + 0.2 * (mixed >> 16 & 0xff) as f32 / 255.0
            })
        };
        let map = edge_agreement_map(&noise(1), &noise(5));
        let painted = map.voxels().iter().filter(|value| value.is_finite()).count();
        assert!(painted < map.voxels().len() / 50, "{painted} of {}", map.voxels().len());
    }
}
