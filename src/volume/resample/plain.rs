//! What a sampled voxel is, one voxel at a time: the definition that the fast paths are held to.

use super::sample::{Sample, Sum};
use glam::{DMat4, DVec3};

/// A hair of tolerance keeps centres that coincide with a face up to rounding inside.
const FACE_TOLERANCE: f64 = 1e-6;

/// Label weights closer than this are equal.
const TIE: f64 = 1e-9;

/// The two neighbours of a position along one axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Edge {
    pub(super) low: usize,
    /// `low` again at the last voxel.
    pub(super) high: usize,
    /// Weight of `high`.
    pub(super) fraction: f64,
}

impl Edge {
    /// `None` beyond the outer faces; between a face and the first or last centre that voxel's value goes on.
    pub(super) fn at(size: usize, position: f64) -> Option<Self> {
        let last = (size - 1) as f64;
        if !(-0.5 - FACE_TOLERANCE..=last + 0.5 + FACE_TOLERANCE).contains(&position) {
            return None;
        }
        let clamped = position.clamp(0.0, last);
        let low = clamped.floor() as usize;
        Some(Self { low, high: (low + 1).min(size - 1), fraction: clamped - low as f64 })
    }

    fn end(self, upper: bool) -> (usize, f64) {
        if upper { (self.high, self.fraction) } else { (self.low, 1.0 - self.fraction) }
    }
}

/// Linear samples of one volume.
pub(super) struct Sampling<'a, S> {
    pub(super) source: &'a [S],
    pub(super) dims: [usize; 3],
    pub(super) source_from_target: DMat4,
    /// Along each target axis, where the sub-samples of a voxel lie around its centre.
    pub(super) offsets: [Vec<f64>; 3],
}

impl<'a, S: Sample> Sampling<'a, S> {
    pub(super) fn new(
        source: &'a [S],
        dims: [usize; 3],
        source_from_target: DMat4,
        subsamples: [usize; 3],
    ) -> Self {
        let offsets = subsamples.map(|n| (0..n).map(|s| (s as f64 + 0.5) / n as f64 - 0.5).collect());
        Self { source, dims, source_from_target, offsets }
    }

    /// All sub-samples' offsets from a voxel's centre, in target voxels.
    pub(super) fn all_offsets(&self) -> impl Iterator<Item = DVec3> {
        let [x, y, z] = &self.offsets;
        z.iter().flat_map(move |&z| y.iter().flat_map(move |&y| x.iter().map(move |&x| DVec3::new(x, y, z))))
    }

    /// Mean of the sub-samples around a target voxel that have a value; `None` if none has.
    pub(super) fn at(&self, target_voxel: DVec3) -> Option<f64> {
        let (mut sum, mut count) = (0.0, 0usize);
        for offset in self.all_offsets() {
            if let Some(value) =
                self.trilinear(self.source_from_target.transform_point3(target_voxel + offset))
            {
                sum += value;
                count += 1;
            }
        }
        (count > 0).then(|| sum / count as f64)
    }

    /// Weighted mean of the finite voxels around a position (source voxels).
    pub(super) fn trilinear(&self, position: DVec3) -> Option<f64> {
        let edge = |axis: usize| Edge::at(self.dims[axis], position[axis]);
        let (mut sum, mut total) = (0.0, 0.0);
        for (offset, weight) in corners(self.dims, [edge(0)?, edge(1)?, edge(2)?]) {
            let value = self.source[offset].widen();
            if weight > 0.0 && value.is_finite() {
                sum += weight * value.to_f64();
                total += weight;
            }
        }
        (total > 0.0).then(|| sum / total)
    }
}

/// Offsets of the eight voxels around a position and their trilinear weights.
fn corners(dims: [usize; 3], edges: [Edge; 3]) -> [(usize, f64); 8] {
    std::array::from_fn(|corner| {
        let [(i, wi), (j, wj), (k, wk)] = [0, 1, 2].map(|axis| edges[axis].end(corner >> axis & 1 == 1));
        (i + dims[0] * (j + dims[1] * k), wi * wj * wk)
    })
}

/// The label with the largest weight around a position; the smallest of those that tie.
pub(super) fn elect(labels: &[u16], dims: [usize; 3], edges: [Edge; 3]) -> u16 {
    let near = corners(dims, edges).map(|(offset, weight)| (labels[offset], weight));
    let first = near[0].0;
    // Inside a structure, which is nearly everywhere, there is nothing to weigh.
    if near.iter().all(|(label, _)| *label == first) {
        return first;
    }
    let weight_of = |label: u16| near.iter().filter(|(l, _)| *l == label).map(|(_, w)| w).sum::<f64>();
    let mut best = (first, weight_of(first));
    for &(label, _) in &near[1..] {
        let weight = weight_of(label);
        if weight > best.1 + TIE || (weight > best.1 - TIE && label < best.0) {
            best = (label, weight);
        }
    }
    best.0
}

/// The voxel whose centre is closest; half-way positions go to the lower index, the same on every axis. `None` beyond
/// the outer faces.
pub(super) fn nearest(dims: [usize; 3], position: DVec3) -> Option<[usize; 3]> {
    let index = |axis: usize| nearest_along(dims[axis], position[axis]);
    Some([index(0)?, index(1)?, index(2)?])
}

/// [`nearest`] along one axis.
pub(super) fn nearest_along(size: usize, position: f64) -> Option<usize> {
    let rounded = (position - 0.5).ceil();
    (rounded >= 0.0 && rounded < size as f64).then_some(rounded as usize)
}
