//! Moving volumes between grids: exact axis permutations, and linear or nearest sampling in world space.
//!
//! Every resampling is a function of the two geometries alone, so the inverse of a chain is the same call with the
//! geometries swapped; labels are only ever moved by nearest neighbour or by one-hot linear voting.

use super::{Geometry, LabelMap, Reorientation, Volume};
use glam::{DMat4, DVec3};
use rayon::prelude::*;

/// Permutes and flips axes: no interpolation, every value kept bit for bit.
pub fn reorient<T: Copy>(volume: &Volume<T>, reorientation: Reorientation) -> Volume<T> {
    let geometry = volume.geometry().reoriented(reorientation);
    let old_dims = volume.dims();
    Volume::from_fn(geometry, |i, j, k| {
        let new_index = [i, j, k];
        let mut old_index = [0; 3];
        for world_axis in 0..3 {
            let axis = reorientation.voxel_axis_of_world[world_axis];
            let index = new_index[world_axis];
            old_index[axis] =
                if reorientation.flipped[world_axis] { old_dims[axis] - 1 - index } else { index };
        }
        volume.at(old_index[0], old_index[1], old_index[2])
    })
}

/// Samples volumes of one grid at the voxel centres of another.
#[derive(Debug, Clone)]
pub struct Resampler {
    source_from_target: DMat4,
    source: Geometry,
    target: Geometry,
}

impl Resampler {
    /// From the grid that volumes lie on to the grid they are wanted on.
    pub fn new(source: &Geometry, target: &Geometry) -> Self {
        Self {
            source_from_target: source.voxel_from_world() * target.world_from_voxel(),
            source: source.clone(),
            target: target.clone(),
        }
    }

    /// Trilinear interpolation; positions whose centre lies outside the source grid's outer faces get `outside`.
    ///
    /// Where the target is coarser, each target voxel averages sub-samples spaced about one source voxel apart, so that
    /// shrinking does not alias. Non-finite source voxels are left out of the averages they would poison.
    pub fn linear(&self, volume: &Volume<f32>, outside: f32) -> Volume<f32> {
        let counts = self.subsamples();
        let offsets = subsample_offsets(counts);
        self.sample(|voxel| {
            let mut sum = 0.0f64;
            let mut weight = 0usize;
            for offset in &offsets {
                let position = self.source_from_target.transform_point3(voxel + *offset);
                if let Some(value) = trilinear(volume, position) {
                    sum += f64::from(value);
                    weight += 1;
                }
            }
            if weight == 0 { outside } else { (sum / weight as f64) as f32 }
        })
    }

    /// The value of the source voxel whose centre is closest; `outside` beyond the source grid's outer faces.
    pub fn nearest<T: Copy + Send + Sync>(&self, volume: &Volume<T>, outside: T) -> Volume<T> {
        let dims = self.source.dims();
        self.sample(|voxel| {
            let position = self.source_from_target.transform_point3(voxel);
            let mut index = [0usize; 3];
            for axis in 0..3 {
                // Half-way positions go to the lower index, the same on every axis.
                let rounded = (position[axis] - 0.5).ceil();
                if rounded < 0.0 || rounded >= dims[axis] as f64 {
                    return outside;
                }
                index[axis] = rounded as usize;
            }
            volume.at(index[0], index[1], index[2])
        })
    }

    /// The label with the largest trilinear weight around each position: what linear interpolation of every label's
    /// one-hot map and an argmax would give, without those maps. Ties go to the smaller value; 0 outside.
    pub fn vote(&self, labels: &LabelMap) -> LabelMap {
        self.sample(|voxel| {
            let position = self.source_from_target.transform_point3(voxel);
            let Some(corners) = corners(labels.dims(), position) else { return 0 };
            let near = corners.map(|([i, j, k], weight)| (labels.at(i, j, k), weight));
            let weight_of =
                |label: u16| near.iter().filter(|(l, _)| *l == label).map(|(_, w)| w).sum::<f64>();
            let mut best = (near[0].0, weight_of(near[0].0));
            for &(label, _) in &near[1..] {
                let weight = weight_of(label);
                if weight > best.1 + 1e-9 || (weight > best.1 - 1e-9 && label < best.0) {
                    best = (label, weight);
                }
            }
            best.0
        })
    }

    fn sample<T: Send>(&self, value: impl Fn(DVec3) -> T + Sync) -> Volume<T> {
        let [ni, nj, nk] = self.target.dims();
        let voxels: Vec<T> = (0..nj * nk)
            .into_par_iter()
            .flat_map_iter(|row| {
                let (j, k) = (row % nj, row / nj);
                let value = &value;
                (0..ni).map(move |i| value(DVec3::new(i as f64, j as f64, k as f64)))
            })
            .collect();
        Volume { voxels, geometry: self.target.clone() }
    }

    /// How many sub-samples along each target axis keep the step near one source voxel.
    fn subsamples(&self) -> [usize; 3] {
        let m = self.source_from_target;
        [m.x_axis, m.y_axis, m.z_axis]
            .map(|step| (step.truncate().length() - 0.25).ceil().clamp(1.0, 8.0) as usize)
    }
}

fn subsample_offsets(counts: [usize; 3]) -> Vec<DVec3> {
    let positions = |n: usize| (0..n).map(move |s| (s as f64 + 0.5) / n as f64 - 0.5);
    let mut offsets = Vec::new();
    for z in positions(counts[2]) {
        for y in positions(counts[1]) {
            for x in positions(counts[0]) {
                offsets.push(DVec3::new(x, y, z));
            }
        }
    }
    offsets
}

/// Weighted mean of the finite voxels around `position` (voxel space); edges are extended by half a voxel.
fn trilinear(volume: &Volume<f32>, position: DVec3) -> Option<f32> {
    let (mut sum, mut weight) = (0.0f64, 0.0f64);
    for ([i, j, k], w) in corners(volume.dims(), position)? {
        let value = volume.at(i, j, k);
        if w > 0.0 && value.is_finite() {
            sum += w * f64::from(value);
            weight += w;
        }
    }
    (weight > 0.0).then(|| (sum / weight) as f32)
}

/// The eight voxels around `position` and their trilinear weights; `None` beyond the grid's outer faces.
fn corners(dims: [usize; 3], position: DVec3) -> Option<[([usize; 3], f64); 8]> {
    let mut low = [0usize; 3];
    let mut high = [0usize; 3];
    let mut fraction = [0.0f64; 3];
    for axis in 0..3 {
        let last = (dims[axis] - 1) as f64;
        // A hair of tolerance keeps centres that coincide up to rounding inside.
        if position[axis] < -0.5 - 1e-6 || position[axis] > last + 0.5 + 1e-6 {
            return None;
        }
        let clamped = position[axis].clamp(0.0, last);
        low[axis] = clamped.floor() as usize;
        high[axis] = (low[axis] + 1).min(dims[axis] - 1);
        fraction[axis] = clamped - low[axis] as f64;
    }
    Some(std::array::from_fn(|corner| {
        let mut weight = 1.0;
        let mut index = [0usize; 3];
        for axis in 0..3 {
            let upper = corner >> axis & 1 == 1;
            weight *= if upper { fraction[axis] } else { 1.0 - fraction[axis] };
            index[axis] = if upper { high[axis] } else { low[axis] };
        }
        (index, weight)
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ramp(geometry: Geometry) -> Volume<f32> {
        let affine = geometry.world_from_voxel();
        Volume::from_fn(geometry, |i, j, k| {
            let world = affine.transform_point3(DVec3::new(i as f64, j as f64, k as f64));
            (world.x + 10.0 * world.y + 100.0 * world.z) as f32
        })
    }

    #[test]
    fn a_world_ramp_keeps_its_values_on_an_oblique_grid() {
        let source = ramp(Geometry::axis_aligned([20, 20, 20], [1.0; 3], [0.0; 3]).unwrap());
        let rotation = DMat4::from_rotation_z(0.4);
        let target = Geometry::new([5, 5, 5], DMat4::from_translation(DVec3::splat(8.0)) * rotation).unwrap();
        let moved = Resampler::new(source.geometry(), &target).linear(&source, f32::NAN);
        let expected = ramp(target);
        for (a, b) in moved.voxels().iter().zip(expected.voxels()) {
            assert!((a - b).abs() < 1e-2, "{a} against {b}");
        }
    }

    #[test]
    fn labels_come_back_unchanged_from_a_finer_grid() {
        let grid = Geometry::axis_aligned([7, 8, 9], [3.0; 3], [1.0, -4.0, 2.0]).unwrap();
        let labels = Volume::from_fn(grid.clone(), |i, j, k| ((i * 31 + j * 17 + k * 7) % 5) as u16);
        let fine = grid.with_spacing([1.0; 3]).unwrap();
        let there = Resampler::new(&grid, &fine).nearest(&labels, 0);
        let back = Resampler::new(&fine, &grid).nearest(&there, 0);
        assert_eq!(back, labels);
    }

    #[test]
    fn a_nan_voxel_does_not_poison_its_neighbours() {
        let grid = Geometry::axis_aligned([4, 4, 4], [1.0; 3], [0.0; 3]).unwrap();
        let mut volume = Volume::from_fn(grid.clone(), |_, _, _| 2.0f32);
        volume.voxels_mut()[21] = f32::NAN;
        let shifted = Geometry::axis_aligned([3, 3, 3], [1.0; 3], [0.5; 3]).unwrap();
        let moved = Resampler::new(&grid, &shifted).linear(&volume, 0.0);
        assert!(moved.voxels().iter().all(|v| (v - 2.0).abs() < 1e-6));
    }
}
