//! The files that are measured with: made from formulas, the same voxels on every machine.
//!
//! They stand for a CT: an elliptic body with fat, muscle, lungs, a spine and four organs. What decides the time is how
//! well they compress, so the smooth one has little noise and the noisy one as much as a thin-slice CT.

use crate::config::load_bundle;
use crate::volume::{Geometry, LabelMap, Scaling, Scan, Volume, Voxels, io};
use anyhow::Context;
use flate2::{Compression, write::GzEncoder};
use rayon::prelude::*;
use std::io::Write;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fixture {
    /// 512 x 512 x 300 int16, little noise, .nii.gz.
    Smooth,
    /// The same with the noise of thin slices.
    Noisy,
    /// Its organs, uint8, .nii.gz.
    Labels,
    /// A .nii of 1 GiB and a header; the voxels are a hole in the file.
    Large,
    /// Four structures, 256 x 256 x 128 uint8, .nii.gz.
    Reference,
    /// The same four, each a little elsewhere.
    Predicted,
    /// A CT of the size and spacing that the bundled nets work at, so that all the time goes into them.
    Slices,
    /// A CT of 256 x 256 x 300 for a GPU.
    ManySlices,
    /// The weights of the bundled net for CT, which lie beside their card.
    Weights,
}

/// The net of [`Fixture::Weights`].
pub(super) const MODEL: &str = "abdomen-mr-to-ct";

const SCAN_DIMS: [usize; 3] = [512, 512, 300];
const SCAN_SPACING_MM: [f64; 3] = [0.7, 0.7, 1.5];
const NETWORK_DIMS: [usize; 3] = [128, 96, 48];
pub(super) const MANY_SLICES_DIMS: [usize; 3] = [256, 256, 300];
pub(super) const MANY_SLICES_SPACING_MM: f64 = 1.5;
const LARGE_DIMS: [u16; 3] = [1024, 1024, 512];

/// Standard deviation of the noise: inside the body of a smooth image, and everywhere in a noisy one.
const SMOOTH_NOISE_HU: f32 = 4.0;
const NOISY_NOISE_HU: f32 = 25.0;

/// What a gzip is usually told where nobody chose.
const USUAL_COMPRESSION: u32 = 6;

impl Fixture {
    fn file_name(self) -> &'static str {
        match self {
            Fixture::Smooth => "smooth.nii.gz",
            Fixture::Noisy => "noisy.nii.gz",
            Fixture::Labels => "labels.nii.gz",
            Fixture::Large => "large.nii",
            Fixture::Reference => "reference.nii.gz",
            Fixture::Predicted => "predicted.nii.gz",
            Fixture::Slices => "slices.nii.gz",
            Fixture::ManySlices => "many-slices.nii.gz",
            Fixture::Weights => "weights.safetensors",
        }
    }

    /// Its file in `folder`, made unless it is there. A file is only ever there whole.
    pub(super) fn make(self, folder: &Path) -> anyhow::Result<PathBuf> {
        if self == Fixture::Weights {
            return Ok(load_bundle(MODEL)?.folder.join(self.file_name()));
        }
        let path = folder.join(self.file_name());
        if path.exists() {
            return Ok(path);
        }
        match self {
            Fixture::Smooth => write_scan(&path, &scan_grid()?, SMOOTH_NOISE_HU, 0.0)?,
            Fixture::Noisy => write_scan(&path, &scan_grid()?, NOISY_NOISE_HU, NOISY_NOISE_HU)?,
            Fixture::Labels => write_labels(&path, scan_grid()?, &ORGANS, [0.0; 3])?,
            Fixture::Large => write_large(&path)?,
            Fixture::Slices => {
                let grid = Geometry::axis_aligned(NETWORK_DIMS, [3.0; 3], [0.0; 3])?;
                write_scan(&path, &grid, SMOOTH_NOISE_HU, 0.0)?;
            }
            Fixture::ManySlices => {
                let grid = Geometry::axis_aligned(MANY_SLICES_DIMS, [MANY_SLICES_SPACING_MM; 3], [0.0; 3])?;
                write_scan(&path, &grid, SMOOTH_NOISE_HU, 0.0)?;
            }
            Fixture::Weights => {}
            Fixture::Reference => write_labels(&path, score_grid()?, &ORGANS, [0.0; 3])?,
            Fixture::Predicted => write_labels(&path, score_grid()?, &ORGANS, [0.012, -0.008, 0.016])?,
        }
        Ok(path)
    }
}

/// An axis-aligned ellipsoid in fractions of the grid: -1..1 from face to face along i, j, k.
#[derive(Debug, Clone, Copy)]
struct Ellipsoid {
    centre: [f32; 3],
    radius: [f32; 3],
    mean_hu: f32,
    /// How much its texture swings.
    texture_hu: f32,
}

const fn ellipsoid(centre: [f32; 3], radius: [f32; 3], mean_hu: f32, texture_hu: f32) -> Ellipsoid {
    Ellipsoid { centre, radius, mean_hu, texture_hu }
}

/// Labels 1 to 4.
const ORGANS: [Ellipsoid; 4] = [
    ellipsoid([0.30, 0.05, -0.30], [0.32, 0.34, 0.36], 95.0, 12.0),
    ellipsoid([0.28, -0.30, -0.70], [0.13, 0.12, 0.20], 140.0, 18.0),
    ellipsoid([-0.28, -0.30, -0.66], [0.13, 0.12, 0.20], 140.0, 18.0),
    ellipsoid([-0.46, -0.10, -0.28], [0.14, 0.18, 0.22], 110.0, 10.0),
];

/// Around the organs, from the outermost to the innermost; what comes later lies on top.
const BODY: [Ellipsoid; 5] = [
    ellipsoid([0.0, 0.0, 0.0], [0.86, 0.66, 9.0], -105.0, 14.0),
    ellipsoid([0.0, 0.0, 0.0], [0.76, 0.57, 9.0], 48.0, 20.0),
    ellipsoid([0.36, 0.04, 0.62], [0.28, 0.38, 0.58], -850.0, 45.0),
    ellipsoid([-0.36, 0.04, 0.62], [0.28, 0.38, 0.58], -850.0, 45.0),
    ellipsoid([0.0, -0.42, 0.0], [0.09, 0.11, 9.0], 380.0, 160.0),
];

const AIR_HU: f32 = -1000.0;

impl Ellipsoid {
    fn holds(&self, at: [f32; 3]) -> bool {
        (0..3).map(|axis| ((at[axis] - self.centre[axis]) / self.radius[axis]).powi(2)).sum::<f32>() < 1.0
    }
}

fn scan_grid() -> anyhow::Result<Geometry> {
    let [i, j, k] = SCAN_SPACING_MM;
    // Stored as most scanners do: indices grow to the left and to the back.
    let affine = glam::DMat4::from_cols_array_2d(&[
        [-i, 0.0, 0.0, 0.0],
        [0.0, -j, 0.0, 0.0],
        [0.0, 0.0, k, 0.0],
        [179.2, 179.2, -225.0, 1.0],
    ]);
    Ok(Geometry::new(SCAN_DIMS, affine)?)
}

fn score_grid() -> anyhow::Result<Geometry> {
    Ok(Geometry::axis_aligned([256, 256, 128], [1.0, 1.0, 2.0], [0.0; 3])?)
}

/// Computes every voxel from its place in fractions of the grid and its offset.
fn fill<T: Send>(grid: &Geometry, value: impl Fn([f32; 3], u64) -> T + Sync) -> Vec<T> {
    let dims = grid.dims();
    let fraction = |index: usize, axis: usize| (index as f32 + 0.5) / dims[axis] as f32 * 2.0 - 1.0;
    let rows = (0..dims[1] * dims[2]).into_par_iter();
    rows.flat_map_iter(|row| {
        let (j, k) = (fraction(row % dims[1], 1), fraction(row / dims[1], 2));
        let value = &value;
        (0..dims[0]).map(move |i| value([fraction(i, 0), j, k], (row * dims[0] + i) as u64))
    })
    .collect()
}

/// `noise_hu` inside the body, `air_noise_hu` around it.
fn write_scan(path: &Path, grid: &Geometry, noise_hu: f32, air_noise_hu: f32) -> anyhow::Result<()> {
    let voxels = fill(grid, |at, offset| {
        let tissue = BODY.iter().chain(&ORGANS).rev().find(|part| part.holds(at));
        let (mean, noise) = match tissue {
            Some(part) => (part.mean_hu + part.texture_hu * texture(at), noise_hu),
            None => (AIR_HU, air_noise_hu),
        };
        // A CT stores nothing below -1024.
        (mean + noise * gaussian(offset)).round().max(-1024.0) as i16
    });
    let scan = Scan::new(Voxels::I16(voxels), Scaling::IDENTITY, grid.clone(), "bench").context("grid")?;
    let plain = path.with_extension("");
    io::write_scan(&plain, &scan)?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(USUAL_COMPRESSION));
    encoder.write_all(&std::fs::read(&plain)?)?;
    std::fs::remove_file(&plain)?;
    io::write_file(path, &encoder.finish()?)?;
    Ok(())
}

/// The four structures, shifted by a fraction of the grid.
fn write_labels(
    path: &Path,
    grid: Geometry,
    structures: &[Ellipsoid; 4],
    shift: [f32; 3],
) -> anyhow::Result<()> {
    let voxels = fill(&grid, |at, _| {
        let at = [0, 1, 2].map(|axis| at[axis] - shift[axis]);
        structures.iter().position(|part| part.holds(at)).map_or(0, |index| index as u16 + 1)
    });
    let labels: LabelMap = Volume::new(voxels, grid).context("grid")?;
    let reference = Scan::from_volume(labels.map(|&label| f32::from(label)), "bench");
    io::write_labels(path, &labels, None, &reference)?;
    Ok(())
}

/// The header of a small file with its sizes changed, and a hole for the voxels.
fn write_large(path: &Path) -> anyhow::Result<()> {
    let grid = Geometry::axis_aligned([1; 3], [0.7, 0.7, 1.0], [0.0; 3])?;
    let small = Scan::new(Voxels::I16(vec![0]), Scaling::IDENTITY, grid, "bench").context("grid")?;
    let partial = path.with_extension("part.nii");
    io::write_scan(&partial, &small)?;
    let mut bytes = std::fs::read(&partial)?;
    for (axis, size) in LARGE_DIMS.iter().enumerate() {
        // dim[1] of a NIfTI-1 header lies at byte 42 (nifti1.h).
        bytes[42 + 2 * axis..44 + 2 * axis].copy_from_slice(&size.to_le_bytes());
    }
    let voxels: u64 = LARGE_DIMS.iter().map(|size| u64::from(*size)).product();
    std::fs::write(&partial, &bytes)?;
    let file = std::fs::File::options().write(true).open(&partial)?;
    file.set_len(bytes.len() as u64 - 2 + voxels * 2)?;
    std::fs::rename(&partial, path)?;
    Ok(())
}

/// A slow swing between -1 and 1.
fn texture(at: [f32; 3]) -> f32 {
    let [i, j, k] = at;
    (9.0 * i + 3.0 * k).sin() * (7.0 * j - 4.0 * k).cos()
}

/// About normal with a standard deviation of 1, the same for an offset on every machine: the sum of the bytes of a hash.
fn gaussian(offset: u64) -> f32 {
    // The mixing steps of SplitMix64 (Steele, Lea and Flood, 2014).
    let mut bits = offset.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    let sum: u16 = bits.to_le_bytes().iter().map(|byte| u16::from(*byte)).sum();
    // Eight uniform bytes: mean 1020, variance 8 (256^2 - 1) / 12.
    (f32::from(sum) - 1020.0) / 209.02
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_noise_is_normal_enough_to_compress_like_noise() {
        let values: Vec<f32> = (0..100_000).map(gaussian).collect();
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / values.len() as f32;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }

    #[test]
    fn every_structure_is_there_to_be_scored() {
        let labels = |at: [f32; 3]| ORGANS.iter().position(|part| part.holds(at));
        for (index, organ) in ORGANS.iter().enumerate() {
            assert_eq!(labels(organ.centre), Some(index));
        }
    }
}
