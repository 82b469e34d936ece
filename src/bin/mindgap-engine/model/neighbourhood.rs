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

fn face_neighbours(offset: usize, [ni, nj, nk]: [usize; 3]) -> impl Iterator<Item = usize> {
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

/// Binomial 3x3 in the plane of the slices: about 0.7 voxel.
pub(super) fn smooth_in_plane(image: &Volume<f32>) -> Volume<f32> {
    let [ni, nj, nk] = image.dims();
    let blurred = blur_axis(image.voxels(), [ni, nj, nk], 0);
    let blurred = blur_axis(&blurred, [ni, nj, nk], 1);
    let mut out = image.clone();
    out.voxels_mut().copy_from_slice(&blurred);
    out
}

pub(super) fn smooth_3d(values: &[f32], dims: [usize; 3]) -> Vec<f32> {
    (0..3).fold(values.to_vec(), |v, axis| blur_axis(&v, dims, axis))
}

/// (1, 2, 1) / 4 along one axis, edges repeated.
fn blur_axis(values: &[f32], dims: [usize; 3], axis: usize) -> Vec<f32> {
    let stride = [1, dims[0], dims[0] * dims[1]][axis];
    (0..values.len())
        .into_par_iter()
        .map(|offset| {
            let position = offset / stride % dims[axis];
            let before = if position > 0 { values[offset - stride] } else { values[offset] };
            let after = if position + 1 < dims[axis] { values[offset + stride] } else { values[offset] };
            0.25 * (before + after) + 0.5 * values[offset]
        })
        .collect()
}
