//! From tissues to voxels: partial volume, texture, blur and labels, the same for both modalities.

use super::random::{Draw, SmoothField, Stream, exp};
use super::scene::Samples;
use super::tissue::Tissue;
use crate::volume::{Geometry, Task};
use glam::{DMat4, DVec3, Vec3};
use rayon::prelude::*;

/// What one tissue looks like in one scan.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Signal {
    /// HU or a.u.
    pub mean: f32,
    /// Slow variation inside the tissue, features of about a centimetre.
    pub texture: f32,
    /// Variation from voxel to voxel that belongs to the tissue, not to the noise.
    pub grain: f32,
}

/// One [`Signal`] for every tissue, by stored value.
pub(super) type SignalTable = Vec<Signal>;

/// A scan in the making: values on a grid, with the random fields that belong to it.
pub(super) struct Canvas {
    pub values: Vec<f32>,
    pub geometry: Geometry,
    pub seed: u64,
}

/// Mean signal of every voxel's samples, with texture.
pub(super) fn paint_signal(samples: &Samples, table: &SignalTable, geometry: &Geometry, seed: u64) -> Canvas {
    let mut draw = Draw::new(seed, Stream::Artefacts);
    let slow = SmoothField::new(16.0, draw.seed());
    let quick = SmoothField::new(5.0, draw.seed());
    let affine = geometry.world_from_voxel();
    let [ni, nj, _] = geometry.dims();
    let mut values = vec![0.0f32; geometry.len()];
    let share = 1.0 / samples.per_voxel as f32;
    values.par_chunks_mut(ni * nj).enumerate().for_each(|(k, slice)| {
        let mut grain = Draw::nth(seed, Stream::Noise, 2 * k as u64);
        for (offset, value) in slice.iter_mut().enumerate() {
            let first = (k * ni * nj + offset) * samples.per_voxel;
            let mut sum = Signal::default();
            for &tissue in &samples.tissues[first..first + samples.per_voxel] {
                let signal = table[tissue as usize];
                sum.mean += signal.mean;
                sum.texture += signal.texture;
                sum.grain += signal.grain;
            }
            let p = world_point(&affine, offset % ni, offset / ni, k);
            let pattern = if sum.texture > 0.0 { 1.3 * slow.at(p) + 1.0 * quick.at(p) } else { 0.0 };
            *value = share * (sum.mean + sum.texture * pattern + sum.grain * grain.noise());
        }
    });
    Canvas { values, geometry: geometry.clone(), seed }
}

/// The tissue that fills most of each voxel, and the label that does.
///
/// The tissue is chosen among those of the winning label, so that both maps always agree.
pub(super) fn majority(samples: &Samples, task: Task) -> (Vec<u8>, Vec<u16>) {
    let choose = |voxel: &[Tissue]| {
        if voxel.iter().all(|t| *t == voxel[0]) {
            return (voxel[0] as u8, voxel[0].label(task));
        }
        let most = |count: &dyn Fn(Tissue) -> usize| {
            voxel.iter().copied().reduce(|best, t| if count(t) > count(best) { t } else { best })
        };
        let label_votes = |t: Tissue| voxel.iter().filter(|o| o.label(task) == t.label(task)).count();
        let label = most(&label_votes).unwrap_or(voxel[0]).label(task);
        let tissue_votes = |t: Tissue| {
            if t.label(task) == label { voxel.iter().filter(|o| **o == t).count() } else { 0 }
        };
        (most(&tissue_votes).unwrap_or(voxel[0]) as u8, label)
    };
    samples.tissues.par_chunks(samples.per_voxel).map(choose).unzip()
}

impl Canvas {
    /// Gaussian blur in the plane of the slices, sigma in mm.
    pub fn blur(&mut self, sigma_mm: f32) {
        let [ni, nj, _] = self.geometry.dims();
        let spacing = self.geometry.spacing_mm();
        let kernels = [0, 1].map(|axis| gaussian(sigma_mm / spacing[axis] as f32));
        self.values.par_chunks_mut(ni * nj).for_each(|slice| blur_plane(slice, [ni, nj], &kernels));
    }

    /// Applies `f(value, point in mm, noise)` to every voxel; `noise` is unit white noise of the slice's own stream.
    pub fn apply(&mut self, f: impl Fn(f32, Vec3, &mut Draw) -> f32 + Sync) {
        let [ni, nj, _] = self.geometry.dims();
        let affine = self.geometry.world_from_voxel();
        let seed = self.seed;
        self.values.par_chunks_mut(ni * nj).enumerate().for_each(|(k, slice)| {
            let mut draw = Draw::nth(seed, Stream::Noise, 2 * k as u64 + 1);
            for (offset, value) in slice.iter_mut().enumerate() {
                *value = f(*value, world_point(&affine, offset % ni, offset / ni, k), &mut draw);
            }
        });
    }

    /// Centre of the grid in mm.
    pub fn centre_mm(&self) -> Vec3 {
        let middle = DVec3::from_array(self.geometry.dims().map(|d| 0.5 * (d as f64 - 1.0)));
        self.geometry.world_of(middle).as_vec3()
    }

    /// The value below which `share` of the voxels lie.
    pub fn percentile(&self, share: f64) -> f32 {
        let mut sorted = self.values.clone();
        let rank = ((sorted.len() - 1) as f64 * share) as usize;
        *sorted.select_nth_unstable_by(rank, f32::total_cmp).1
    }
}

/// Convolves one plane with a kernel along each axis; edges repeat.
pub(super) fn blur_plane(slice: &mut [f32], [ni, nj]: [usize; 2], kernels: &[Vec<f32>; 2]) {
    let mut other = vec![0.0f32; slice.len()];
    let radius = kernels[0].len() / 2;
    for (row, out) in slice.chunks(ni).zip(other.chunks_mut(ni)) {
        for (i, value) in out.iter_mut().enumerate() {
            let taps = kernels[0].iter().enumerate();
            *value = taps.map(|(t, w)| w * row[(i + t).saturating_sub(radius).min(ni - 1)]).sum();
        }
    }
    let radius = kernels[1].len() / 2;
    for (j, out) in slice.chunks_mut(ni).enumerate() {
        out.fill(0.0);
        for (t, w) in kernels[1].iter().enumerate() {
            let row = (j + t).saturating_sub(radius).min(nj - 1) * ni;
            out.iter_mut().zip(&other[row..row + ni]).for_each(|(o, v)| *o += w * v);
        }
    }
}

/// A normalised kernel out to 2.5 sigma.
pub(super) fn gaussian(sigma: f32) -> Vec<f32> {
    let radius = (2.5 * sigma).ceil() as i32;
    let weights: Vec<f32> =
        (-radius..=radius).map(|d| exp(-0.5 * (d * d) as f32 / (sigma * sigma).max(1e-6))).collect();
    let sum: f32 = weights.iter().sum();
    weights.into_iter().map(|w| w / sum).collect()
}

fn world_point(affine: &DMat4, i: usize, j: usize, k: usize) -> Vec3 {
    affine.transform_point3(DVec3::new(i as f64, j as f64, k as f64)).as_vec3()
}
