//! Did a translation keep the anatomy? Agreement of edges between a scan and its synthetic twin.

use crate::volume::Volume;

/// Edges weaker than this, per voxel of scaled intensity, say nothing.
const MIN_GRADIENT: f32 = 0.04;

/// Mean |cosine| between the in-plane gradients of two volumes on one grid, weighted by the scan's edge strength: 1 where
/// every edge kept its place and direction (dark and bright may be exchanged), about 0.64 for unrelated pictures.
///
/// It cannot prove that nothing was invented. 1 where the scan has no edges at all.
pub fn edge_agreement(scan: &Volume<f32>, synthetic: &Volume<f32>) -> f64 {
    let [ni, nj, nk] = scan.dims();
    let (mut agreement, mut weight) = (0.0f64, 0.0f64);
    for k in 0..nk {
        for j in 1..nj.saturating_sub(1) {
            for i in 1..ni.saturating_sub(1) {
                let (ax, ay) = gradient(scan, i, j, k);
                let (bx, by) = gradient(synthetic, i, j, k);
                let (a, b) = (ax.hypot(ay), bx.hypot(by));
                if a < MIN_GRADIENT {
                    continue;
                }
                weight += f64::from(a);
                if b > 0.25 * MIN_GRADIENT {
                    agreement += f64::from(a) * f64::from((ax * bx + ay * by).abs() / (a * b));
                }
            }
        }
    }
    if weight > 0.0 { agreement / weight } else { 1.0 }
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
}
