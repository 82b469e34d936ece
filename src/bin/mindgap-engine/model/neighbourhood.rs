//! What lies around voxels: boxes, components, growing and smoothing on the network grid.

use mindgap::volume::{Geometry, LabelMap, Volume};
use rayon::prelude::*;

/// A box of voxels within a grid.
pub(super) struct Region {
    start: [usize; 3],
    geometry: Geometry,
}

impl Region {
    /// Around all labels, with a margin where the grid has room for it; `None` where there is no label.
    pub(super) fn around(labels: &LabelMap, margin: usize) -> Option<Self> {
        let dims = labels.dims();
        let (mut low, mut high) = (dims, [0; 3]);
        for (offset, _) in labels.voxels().iter().enumerate().filter(|(_, label)| **label != 0) {
            let at = [offset % dims[0], offset / dims[0] % dims[1], offset / dims[0] / dims[1]];
            for axis in 0..3 {
                low[axis] = low[axis].min(at[axis]);
                high[axis] = high[axis].max(at[axis] + 1);
            }
        }
        let start = low.map(|first| first.saturating_sub(margin));
        let size = [0, 1, 2].map(|a| (high[a] + margin).min(dims[a]).saturating_sub(start[a]));
        let geometry = labels.geometry().window(start.map(|v| v as i64), size).ok()?;
        (!size.contains(&0)).then_some(Self { start, geometry })
    }

    pub(super) fn cut<T: Copy>(&self, volume: &Volume<T>) -> Volume<T> {
        let [i0, j0, k0] = self.start;
        Volume::from_fn(self.geometry.clone(), |i, j, k| volume.at(i0 + i, j0 + j, k0 + k))
    }

    pub(super) fn paste(&self, part: &LabelMap, whole: &mut LabelMap) {
        let width = part.dims()[0];
        for (row, labels) in part.voxels().chunks_exact(width).enumerate() {
            let (j, k) = (row % part.dims()[1], row / part.dims()[1]);
            let from = whole.offset(self.start[0], self.start[1] + j, self.start[2] + k);
            whole.voxels_mut()[from..from + width].copy_from_slice(labels);
        }
    }
}

/// Offsets of each 6-connected component of a mask.
pub(super) fn connected_components(mask: &[bool], dims: [usize; 3]) -> Vec<Vec<usize>> {
    let mut seen = vec![false; mask.len()];
    let mut components = Vec::new();
    for start in 0..mask.len() {
        if !mask[start] || seen[start] {
            continue;
        }
        let mut component = vec![start];
        seen[start] = true;
        let mut next = 0;
        while next < component.len() {
            for neighbour in face_neighbours(component[next], dims) {
                if mask[neighbour] && !seen[neighbour] {
                    seen[neighbour] = true;
                    component.push(neighbour);
                }
            }
            next += 1;
        }
        components.push(component);
    }
    components
}

pub(super) fn face_neighbours(offset: usize, [ni, nj, nk]: [usize; 3]) -> impl Iterator<Item = usize> {
    let (i, j, k) = (offset % ni, offset / ni % nj, offset / (ni * nj));
    [
        (i > 0).then(|| offset - 1),
        (i + 1 < ni).then(|| offset + 1),
        (j > 0).then(|| offset - ni),
        (j + 1 < nj).then(|| offset + ni),
        (k > 0).then(|| offset - ni * nj),
        (k + 1 < nk).then(|| offset + ni * nj),
    ]
    .into_iter()
    .flatten()
}

pub(super) fn dilate(mask: &[bool], dims: [usize; 3], times: usize) -> Vec<bool> {
    let mut current = mask.to_vec();
    for _ in 0..times {
        let previous = current.clone();
        for offset in 0..previous.len() {
            if !previous[offset] && face_neighbours(offset, dims).any(|n| previous[n]) {
                current[offset] = true;
            }
        }
    }
    current
}

/// Smooths the slices of an image by 0.6 voxel in their plane.
pub(super) fn smooth_in_plane(image: &Volume<f32>) -> Volume<f32> {
    let blurred = blur(image.voxels(), image.dims(), [IN_PLANE, IN_PLANE, 0.0]);
    let mut out = image.clone();
    out.voxels_mut().copy_from_slice(&blurred);
    out
}

/// Smooths by 0.6 voxel in the plane of the slices and by 0.4 across, since slices are often further apart.
pub(super) fn smooth_3d(values: &[f32], dims: [usize; 3]) -> Vec<f32> {
    blur(values, dims, [IN_PLANE, IN_PLANE, ACROSS])
}

/// How far [`smooth_within`] looks, in voxels.
pub(super) const SMOOTHED: usize = 4;

/// The mean of what lies in a mask around each voxel: by 1.4 voxels in the plane of the slices and by 0.9 across. 0 far from the
/// mask.
pub(super) fn smooth_within(values: &[f32], mask: &[bool], dims: [usize; 3]) -> Vec<f32> {
    let spread =
        |values: Vec<f32>| (0..SMOOTHED).fold(values, |values, _| blur(&values, dims, [0.25, 0.25, 0.1]));
    let weights = spread(mask.iter().map(|inside| f32::from(u8::from(*inside))).collect());
    let sums = spread(values.iter().zip(mask).map(|(v, inside)| if *inside { *v } else { 0.0 }).collect());
    sums.iter().zip(weights).map(|(sum, weight)| if weight > 1e-3 { sum / weight } else { 0.0 }).collect()
}

/// What a Gaussian of 0.6 and one of 0.4 voxel give each of the two nearest neighbours.
const IN_PLANE: f32 = 0.166;
const ACROSS: f32 = 0.04;

/// Each neighbour along an axis gets the axis' share, edges repeated.
fn blur(values: &[f32], dims: [usize; 3], share: [f32; 3]) -> Vec<f32> {
    let strides = [1, dims[0], dims[0] * dims[1]];
    (0..3).filter(|&axis| share[axis] > 0.0).fold(values.to_vec(), |values, axis| {
        let (stride, share) = (strides[axis], share[axis]);
        let blurred = |offset: usize| {
            let position = offset / stride % dims[axis];
            let before = if position > 0 { values[offset - stride] } else { values[offset] };
            let after = if position + 1 < dims[axis] { values[offset + stride] } else { values[offset] };
            share * (before + after) + (1.0 - 2.0 * share) * values[offset]
        };
        (0..values.len()).into_par_iter().map(blurred).collect()
    })
}
