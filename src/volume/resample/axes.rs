//! Grids whose axes run parallel, in any order and direction: nearly every pair of grids that meets.

use super::plain::{self, Edge};
use glam::DMat4;
use rayon::prelude::*;

/// How far, in source voxels over the whole target, an axis may stray and still count as parallel: an interpolated CT
/// value changes by less than float32 rounds it.
const STRAY_VOXELS: f64 = 1e-7;

/// Along each target axis: the one source axis on which positions change, and how.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct AxisMap {
    /// Source axis of each target axis.
    pub(super) source_axis: [usize; 3],
    /// Source voxels per target voxel, by target axis; negative where the axes run against each other.
    pub(super) scale: [f64; 3],
    /// Source position of target index 0, by target axis.
    pub(super) start: [f64; 3],
}

impl AxisMap {
    /// `None` where the axes are not parallel.
    pub(super) fn of(source_from_target: DMat4, target_dims: [usize; 3]) -> Option<Self> {
        let columns = [source_from_target.x_axis, source_from_target.y_axis, source_from_target.z_axis];
        let largest = columns.map(|column| column.abs().truncate().max_position());
        for target in 0..3 {
            let strays = |source: usize| columns[target][source].abs() * target_dims[target] as f64;
            if (0..3).any(|source| source != largest[target] && strays(source) > STRAY_VOXELS) {
                return None;
            }
        }
        if (0..3).any(|source| !largest.contains(&source)) {
            return None;
        }
        Some(Self {
            source_axis: largest,
            scale: [0, 1, 2].map(|target| columns[target][largest[target]]),
            start: largest.map(|source| source_from_target.w_axis[source]),
        })
    }

    /// Source position of a (fractional) target index along a target axis.
    pub(super) fn position(&self, target_axis: usize, index: f64) -> f64 {
        self.scale[target_axis] * index + self.start[target_axis]
    }

    /// The target axis that runs along a source axis.
    pub(super) fn target_axis(&self, source_axis: usize) -> usize {
        (0..3).find(|target| self.source_axis[*target] == source_axis).unwrap_or(source_axis)
    }

    /// What is given by target axis, by source axis.
    pub(super) fn by_source<T: Copy>(&self, by_target: [T; 3]) -> [T; 3] {
        [0, 1, 2].map(|source| by_target[self.target_axis(source)])
    }

    /// By target axis and index: the neighbours in the source.
    pub(super) fn edges(&self, target_dims: [usize; 3], source_dims: [usize; 3]) -> [Vec<Option<Edge>>; 3] {
        [0, 1, 2].map(|axis| {
            let size = source_dims[self.source_axis[axis]];
            (0..target_dims[axis]).map(|index| Edge::at(size, self.position(axis, index as f64))).collect()
        })
    }

    /// By target axis and index: what the nearest source voxel adds to an offset in the source.
    pub(super) fn nearest_offsets(
        &self,
        target_dims: [usize; 3],
        source_dims: [usize; 3],
    ) -> [Vec<Option<usize>>; 3] {
        let strides = [1, source_dims[0], source_dims[0] * source_dims[1]];
        [0, 1, 2].map(|axis| {
            let source = self.source_axis[axis];
            let nearest = |index| plain::nearest_along(source_dims[source], self.position(axis, index));
            (0..target_dims[axis]).map(|index| Some(nearest(index as f64)? * strides[source])).collect()
        })
    }
}

/// Copies a volume with its axes in another order: new axis `a` is old axis `old_axis[a]`, read backwards where
/// `flipped[a]`.
pub(super) fn permuted<T: Copy + Send + Sync>(
    voxels: &[T],
    dims: [usize; 3],
    old_axis: [usize; 3],
    flipped: [bool; 3],
) -> Vec<T> {
    let old_strides = [1, dims[0], dims[0] * dims[1]];
    let sizes = old_axis.map(|axis| dims[axis]);
    let offset = |axis: usize, index: usize| {
        let index = if flipped[axis] { sizes[axis] - 1 - index } else { index };
        index * old_strides[old_axis[axis]]
    };
    let mut copy = vec![voxels[0]; voxels.len()];
    copy.par_chunks_mut(sizes[0]).enumerate().for_each(|(row, values)| {
        let start = offset(1, row % sizes[1]) + offset(2, row / sizes[1]);
        for (index, value) in values.iter_mut().enumerate() {
            *value = voxels[start + offset(0, index)];
        }
    });
    copy
}
