//! Scans, label maps and the grids they lie on; reading and writing them. Depends on nothing else of ours.
//!
//! Voxels are stored i fastest, then j, then k, as in NIfTI. A [`Volume`] always has exactly as many voxels as its
//! [`Geometry`] says.

mod geometry;
pub mod io;
mod islands;
mod labels;
mod resample;
mod scan;
mod statistics;
mod surface_nets;

use rayon::prelude::*;

pub use geometry::{
    Geometry, GeometryError, Reorientation, corner_distance_mm, geometry_equal, is_usable_affine,
};
pub use islands::keep_largest_islands;
pub use labels::{LabelEntry, LabelMap, LabelTable, LabelTableError, LabelValueError, Task, Translated};
pub use resample::{Resampler, reorient};
pub(crate) use scan::with_voxels;
pub use scan::{DType, Flag, Modality, Scaling, Scan, Voxels};
pub use statistics::{
    Histogram, LabelStatistics, Percentile, Spread, Statistics, label_counts, label_means, label_statistics,
};
pub use surface_nets::{SurfaceMesh, label_surface, label_surfaces};

/// One value a voxel on a grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Volume<T> {
    voxels: Vec<T>,
    geometry: Geometry,
}

impl<T> Volume<T> {
    /// Pairs voxels with their grid. `None` where the counts differ.
    pub fn new(voxels: Vec<T>, geometry: Geometry) -> Option<Self> {
        (voxels.len() == geometry.len()).then_some(Self { voxels, geometry })
    }

    /// Computes every voxel from its index (i, j, k).
    pub fn from_fn(geometry: Geometry, mut value: impl FnMut(usize, usize, usize) -> T) -> Self {
        let [ni, nj, nk] = geometry.dims();
        let mut voxels = Vec::with_capacity(geometry.len());
        for k in 0..nk {
            for j in 0..nj {
                for i in 0..ni {
                    voxels.push(value(i, j, k));
                }
            }
        }
        Self { voxels, geometry }
    }

    /// The grid.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Voxels along i, j, k.
    pub fn dims(&self) -> [usize; 3] {
        self.geometry.dims()
    }

    /// All voxels, i fastest.
    pub fn voxels(&self) -> &[T] {
        &self.voxels
    }

    /// All voxels, writable; their number cannot change.
    pub fn voxels_mut(&mut self) -> &mut [T] {
        &mut self.voxels
    }

    /// Gives the voxels away.
    pub fn into_voxels(self) -> Vec<T> {
        self.voxels
    }

    /// Offset of voxel (i, j, k) in [`Self::voxels`].
    pub fn offset(&self, i: usize, j: usize, k: usize) -> usize {
        let [ni, nj, _] = self.geometry.dims();
        i + ni * (j + nj * k)
    }

    /// Applies `f` to every voxel, on the same grid.
    pub fn map<U>(&self, f: impl FnMut(&T) -> U) -> Volume<U> {
        Volume { voxels: self.voxels.iter().map(f).collect(), geometry: self.geometry.clone() }
    }
}

impl<T: Sync> Volume<T> {
    /// [`Self::map`] on all cores.
    pub fn par_map<U: Send>(&self, f: impl Fn(&T) -> U + Sync + Send) -> Volume<U> {
        Volume { voxels: self.voxels.par_iter().map(f).collect(), geometry: self.geometry.clone() }
    }
}

impl<T: Copy> Volume<T> {
    /// The voxel at (i, j, k), which must lie in the grid.
    pub fn at(&self, i: usize, j: usize, k: usize) -> T {
        self.voxels[self.offset(i, j, k)]
    }
}
