//! Moving volumes between grids: exact axis permutations, and linear or nearest sampling in world space.
//!
//! Every resampling is a function of the two geometries alone, so the inverse of a chain is the same call with the
//! geometries swapped; labels are only ever moved by nearest neighbour or by one-hot linear voting.
//!
//! What a voxel's value is, is defined one voxel at a time in [`plain`]. Where the axes of both grids run parallel, which
//! is nearly always, [`separable`] computes the same axis by axis, and [`oblique`] row by row where they do not; both
//! hand single voxels back to the definition where a number is missing (NaN) or a face of the grid is near.

mod axes;
mod oblique;
mod plain;
mod sample;
mod separable;
#[cfg(test)]
mod tests;

use super::scan::with_voxels;
use super::{Geometry, LabelMap, Reorientation, Scaling, Scan, Volume, Voxels};
use axes::AxisMap;
use glam::{DMat4, DVec3};
use plain::{Edge, Sampling};
use rayon::prelude::*;
use sample::{Sample, Sum};

/// Makes voxels of the same stored type from those that are stored.
macro_rules! map_voxels {
    ($voxels:expr, $v:ident => $body:expr) => {
        map_voxels!($voxels, $v => $body, U8 I8 U16 I16 U32 I32 U64 I64 F32 F64)
    };
    ($voxels:expr, $v:ident => $body:expr, $($variant:ident)*) => {
        match $voxels {
            $(Voxels::$variant($v) => Voxels::$variant($body),)*
        }
    };
}

/// Permutes and flips axes: no interpolation, every value kept bit for bit.
pub fn reorient<T: Copy + Send + Sync>(volume: &Volume<T>, reorientation: Reorientation) -> Volume<T> {
    let geometry = volume.geometry().reoriented(reorientation);
    let (axes, flipped) = (reorientation.voxel_axis_of_world, reorientation.flipped);
    let voxels = axes::permuted(volume.voxels(), volume.dims(), axes, flipped);
    Volume { voxels, geometry }
}

/// Samples volumes of one grid at the voxel centres of another.
#[derive(Debug, Clone)]
pub struct Resampler {
    source_from_target: DMat4,
    source: Geometry,
    target: Geometry,
    /// Sub-samples along each target axis that a linear sample averages.
    subsamples: [usize; 3],
}

impl Resampler {
    /// From the grid that volumes lie on to the grid they are wanted on.
    pub fn new(source: &Geometry, target: &Geometry) -> Self {
        let source_from_target = source.voxel_from_world() * target.world_from_voxel();
        Self {
            subsamples: subsamples(source_from_target),
            source_from_target,
            source: source.clone(),
            target: target.clone(),
        }
    }

    /// Takes one sample a voxel even where the target is coarser, as most libraries do: finer detail then aliases.
    #[must_use]
    pub fn without_averaging(self) -> Self {
        Self { subsamples: [1; 3], ..self }
    }

    /// Trilinear interpolation; positions whose centre lies outside the source grid's outer faces get `outside`.
    ///
    /// Where the target is coarser, each target voxel averages sub-samples spaced about one source voxel apart, so that
    /// shrinking does not alias. Non-finite source voxels are left out of the averages they would poison.
    pub fn linear(&self, volume: &Volume<f32>, outside: f32) -> Volume<f32> {
        let voxels = self.interpolated(volume.voxels(), outside, |sum| sum as f32);
        Volume { voxels, geometry: self.target.clone() }
    }

    /// [`Self::linear`] of a scan's measured values (HU or a.u.), straight from what is stored. Padding counts as missing,
    /// like NaN. `outside` is a measured value.
    pub fn linear_scan(&self, scan: &Scan, outside: f32) -> Volume<f32> {
        if scan.padding.is_some() {
            return self.linear(&without_padding(scan), outside);
        }
        let Scaling { slope, intercept } = scan.scaling();
        let voxels = with_voxels!(scan.voxels(), v => self.interpolated(v, outside, |sum| {
            (sum.to_f64() * slope + intercept) as f32
        }));
        Volume { voxels, geometry: self.target.clone() }
    }

    /// [`Self::linear`] in the stored type: whole numbers are rounded, and kept within what their type can hold. The
    /// scaling stays. `outside` is a stored value.
    pub fn linear_stored(&self, voxels: &Voxels, outside: f64) -> Voxels {
        map_voxels!(voxels, v => self.interpolated(v, narrowed(v, outside), Sample::narrow))
    }

    /// The value of the source voxel whose centre is closest; `outside` beyond the source grid's outer faces.
    pub fn nearest<T: Copy + Send + Sync>(&self, volume: &Volume<T>, outside: T) -> Volume<T> {
        Volume { voxels: self.closest(volume.voxels(), outside), geometry: self.target.clone() }
    }

    /// [`Self::nearest`] of whatever type is stored. `outside` is a stored value.
    pub fn nearest_stored(&self, voxels: &Voxels, outside: f64) -> Voxels {
        map_voxels!(voxels, v => self.closest(v, narrowed(v, outside)))
    }

    /// The label with the largest trilinear weight around each position: what linear interpolation of every label's
    /// one-hot map and an argmax would give, without those maps. Ties go to the smaller value; 0 outside.
    pub fn vote(&self, labels: &LabelMap) -> LabelMap {
        let dims = self.source.dims();
        let nj = self.target.dims()[1];
        let elect = |[i, j, k]: [Option<Edge>; 3]| Some(plain::elect(labels.voxels(), dims, [i?, j?, k?]));
        let voxels = match AxisMap::of(self.source_from_target, self.target.dims()) {
            Some(map) => {
                let [along_i, along_j, along_k] = map.edges(self.target.dims(), dims);
                self.rows(0, |row, values| {
                    for (value, i) in values.iter_mut().zip(&along_i) {
                        let edges = map.by_source([*i, along_j[row % nj], along_k[row / nj]]);
                        *value = elect(edges).unwrap_or(0);
                    }
                })
            }
            None => {
                self.each(0, |position| elect([0, 1, 2].map(|axis| Edge::at(dims[axis], position[axis]))))
            }
        };
        Volume { voxels, geometry: self.target.clone() }
    }

    fn closest<T: Copy + Send + Sync>(&self, source: &[T], outside: T) -> Vec<T> {
        let nj = self.target.dims()[1];
        if let Some(map) = AxisMap::of(self.source_from_target, self.target.dims()) {
            let [along_i, along_j, along_k] = map.nearest_offsets(self.target.dims(), self.source.dims());
            return self.rows(outside, |row, values| {
                let (Some(j), Some(k)) = (along_j[row % nj], along_k[row / nj]) else { return };
                for (value, i) in values.iter_mut().zip(&along_i) {
                    *value = i.map_or(outside, |i| source[i + j + k]);
                }
            });
        }
        let dims = self.source.dims();
        self.each(outside, |position| {
            let [i, j, k] = plain::nearest(dims, position)?;
            Some(source[i + dims[0] * (j + dims[1] * k)])
        })
    }

    /// Linear samples, each turned into what is wanted by `finish`.
    fn interpolated<S: Sample, O: Copy + Default + Send + Sync>(
        &self,
        source: &[S],
        outside: O,
        finish: impl Fn(S::Sum) -> O + Sync,
    ) -> Vec<O> {
        let sampling = Sampling::new(source, self.source.dims(), self.source_from_target, self.subsamples);
        match AxisMap::of(self.source_from_target, self.target.dims()) {
            Some(map) => separable::resample(&sampling, map, self.target.dims(), outside, finish),
            None => oblique::resample(&sampling, self.target.dims(), outside, finish),
        }
    }

    /// Fills the target's rows in parallel; what `fill` leaves alone is `outside`.
    fn rows<T: Copy + Send + Sync>(&self, outside: T, fill: impl Fn(usize, &mut [T]) + Sync) -> Vec<T> {
        let mut voxels = vec![outside; self.target.len()];
        let rows = voxels.par_chunks_mut(self.target.dims()[0]).enumerate();
        rows.for_each(|(row, values)| fill(row, values));
        voxels
    }

    /// Computes the target voxel by voxel from positions in the source.
    fn each<T: Copy + Send + Sync>(&self, outside: T, value: impl Fn(DVec3) -> Option<T> + Sync) -> Vec<T> {
        let nj = self.target.dims()[1];
        self.rows(outside, |row, values| {
            let (j, k) = ((row % nj) as f64, (row / nj) as f64);
            for (i, slot) in values.iter_mut().enumerate() {
                let position = self.source_from_target.transform_point3(DVec3::new(i as f64, j, k));
                *slot = value(position).unwrap_or(outside);
            }
        })
    }
}

/// How many sub-samples along each target axis keep the step near one source voxel.
fn subsamples(source_from_target: DMat4) -> [usize; 3] {
    let m = source_from_target;
    [m.x_axis, m.y_axis, m.z_axis]
        .map(|step| (step.truncate().length() - 0.25).ceil().clamp(1.0, 8.0) as usize)
}

/// Measured values with NaN for what the file calls padding.
fn without_padding(scan: &Scan) -> Volume<f32> {
    let Scaling { slope, intercept } = scan.scaling();
    let measured = |stored: f64| {
        if scan.is_padding(stored) { f32::NAN } else { (stored * slope + intercept) as f32 }
    };
    let voxels =
        with_voxels!(scan.voxels(), v => v.par_iter().map(|&stored| measured(stored as f64)).collect());
    Volume { voxels, geometry: scan.geometry().clone() }
}

/// A value in the type of `voxels`.
fn narrowed<S: Sample>(_voxels: &[S], value: f64) -> S {
    S::narrow(S::Sum::of(value))
}
