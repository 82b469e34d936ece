//! A body as an ordered list of painters, and its rasterisation onto a voxel grid.
//!
//! Painters work in body space (mm, RAS, a standard pose); [`Pose`] says how a world point gets there. Later painters see
//! what earlier ones left, and may keep it. Every sample is computed on its own, so threads cannot change a result.

use super::heart::HeartFrame;
use super::random::SmoothField;
use super::shapes::{Bounds, Capsule, Ellipsoid};
use super::tissue::{Tissue, TissueSet};
use super::torso::Torso;
use crate::volume::Geometry;
use glam::{Mat3, Vec3};
use rayon::prelude::*;

type Painter = Box<dyn Fn(Vec3, Tissue) -> Tissue + Send + Sync>;

struct Part {
    bounds: Bounds,
    paint: Painter,
}

/// Everything a phantom is made of, in painting order.
#[derive(Default)]
pub(super) struct Scene {
    parts: Vec<Part>,
}

impl Scene {
    /// Adds a painter that is asked about every point in `bounds` what tissue there is, given what was there.
    pub fn paint(&mut self, bounds: Bounds, paint: impl Fn(Vec3, Tissue) -> Tissue + Send + Sync + 'static) {
        self.parts.push(Part { bounds, paint: Box::new(paint) });
    }

    /// Fills an implicit shape, over the given tissues only.
    pub fn fill(
        &mut self,
        bounds: Bounds,
        tissue: Tissue,
        over: TissueSet,
        distance: impl Fn(Vec3) -> f32 + Send + Sync + 'static,
    ) {
        self.paint(bounds, move |p, was| if over.contains(was) && distance(p) < 0.0 { tissue } else { was });
    }

    /// Fills an ellipsoid.
    pub fn ellipsoid(&mut self, shape: Ellipsoid, tissue: Tissue, over: TissueSet) {
        self.fill(shape.bounds(), tissue, over, move |p| shape.distance(p));
    }

    /// Fills a tube, each of its cones as a part of its own so that its bounds stay tight.
    pub fn tube(&mut self, cones: &[Capsule], tissue: Tissue, over: TissueSet) {
        for &cone in cones {
            self.fill(cone.bounds(), tissue, over, move |p| cone.distance(p));
        }
    }
}

/// One person, ready to be scanned.
pub(super) struct Body {
    pub scene: Scene,
    pub pose: Pose,
    pub torso: Torso,
    /// Where the heart lies, if it was drawn in detail.
    pub heart: Option<HeartFrame>,
}

/// How world points map to body space: a similarity-like affine, then smooth random displacement.
pub(super) struct Pose {
    pub body_from_world: Mat3,
    /// World position of the body's origin, mm.
    pub origin_mm: Vec3,
    pub warp: Vec<Warp>,
}

/// One octave of displacement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Warp {
    pub amplitude_mm: f32,
    pub fields: [SmoothField; 3],
}

impl Pose {
    /// Body point of a world point, before displacement.
    pub fn body_point(&self, world: Vec3) -> Vec3 {
        self.body_from_world * (world - self.origin_mm)
    }

    /// World point of a body point, before displacement.
    pub fn world_point(&self, body: Vec3) -> Vec3 {
        self.body_from_world.inverse() * body + self.origin_mm
    }

    fn displacement(&self, body: Vec3) -> Vec3 {
        self.warp.iter().fold(Vec3::ZERO, |sum, w| {
            let [x, y, z] = &w.fields;
            sum + w.amplitude_mm * Vec3::new(x.at(body), y.at(body), z.at(body))
        })
    }

    fn reach_mm(&self) -> f32 {
        self.warp.iter().map(|w| w.amplitude_mm).sum()
    }
}

/// Tissues on a grid finer than the image's, sample-fastest: the partial volume of every voxel.
pub(super) struct Samples {
    /// `per_voxel` samples of voxel 0, then of voxel 1, ...
    pub tissues: Vec<Tissue>,
    pub per_voxel: usize,
}

/// Finds the tissue at every sample of a grid.
///
/// Voxels are sampled so that samples lie no more than about 2.2 mm apart, up to 5 along an axis.
pub(super) fn rasterise(scene: &Scene, pose: &Pose, geometry: &Geometry) -> Samples {
    let counts = geometry.spacing_mm().map(|mm| (mm / 2.2).ceil().clamp(1.0, 5.0) as usize);
    let [ni, nj, nk] = geometry.dims();
    let per_voxel = counts.iter().product::<usize>();
    let lattice = SampleLattice::new(pose, geometry, counts);
    let mut tissues = vec![Tissue::Air; ni * nj * nk * per_voxel];
    tissues.par_chunks_mut(ni * nj * per_voxel).enumerate().for_each(|(k, slice)| {
        for sub in 0..counts[2] {
            let plane = lattice.plane(k * counts[2] + sub);
            let painted = lattice.paint_plane(scene, &plane, k * counts[2] + sub);
            scatter(&painted, slice, [ni, nj], counts, sub);
        }
    });
    Samples { tissues, per_voxel }
}

/// Orders one plane of samples voxel by voxel.
fn scatter(plane: &[Tissue], slice: &mut [Tissue], [ni, nj]: [usize; 2], counts: [usize; 3], sub: usize) {
    let per_voxel = counts.iter().product::<usize>();
    let per_plane = counts[0] * counts[1];
    for j in 0..nj * counts[1] {
        for i in 0..ni * counts[0] {
            let voxel = i / counts[0] + ni * (j / counts[1]);
            let within = i % counts[0] + counts[0] * (j % counts[1]) + per_plane * sub;
            slice[voxel * per_voxel + within] = plane[i + ni * counts[0] * j];
        }
    }
}

/// The fine grid of samples and its map to body space.
struct SampleLattice<'a> {
    pose: &'a Pose,
    dims: [usize; 3],
    /// Body point of sample (0, 0, 0) before displacement, and the steps to its neighbours.
    first: Vec3,
    step: Mat3,
}

impl<'a> SampleLattice<'a> {
    fn new(pose: &'a Pose, geometry: &Geometry, counts: [usize; 3]) -> Self {
        let affine = geometry.world_from_voxel();
        let fraction = counts.map(|n| 1.0 / n as f64);
        let first = glam::DVec3::from_array(fraction) * 0.5 - 0.5;
        let columns = [affine.x_axis, affine.y_axis, affine.z_axis];
        let steps = [0, 1, 2].map(|a| (columns[a].truncate() * fraction[a]).as_vec3());
        let dims = geometry.dims();
        Self {
            pose,
            dims: [0, 1, 2].map(|a| dims[a] * counts[a]),
            first: pose.body_point(geometry.world_of(first).as_vec3()),
            step: pose.body_from_world * Mat3::from_cols(steps[0], steps[1], steps[2]),
        }
    }

    /// Displaced body points of plane `k`. Displacement is computed on every eighth sample and interpolated: its
    /// features are centimetres wide.
    fn plane(&self, k: usize) -> Vec<Vec3> {
        const STRIDE: usize = 8;
        let [ni, nj, _] = self.dims;
        let (ci, cj) = (ni / STRIDE + 2, nj / STRIDE + 2);
        let base = |i: f32, j: f32| self.first + self.step * Vec3::new(i, j, k as f32);
        let mut coarse = Vec::with_capacity(ci * cj);
        for j in 0..cj {
            for i in 0..ci {
                coarse.push(self.pose.displacement(base((i * STRIDE) as f32, (j * STRIDE) as f32)));
            }
        }
        let mut points = Vec::with_capacity(ni * nj);
        for j in 0..nj {
            let (row, v) = (j / STRIDE, (j % STRIDE) as f32 / STRIDE as f32);
            for i in 0..ni {
                let (column, u) = (i / STRIDE, (i % STRIDE) as f32 / STRIDE as f32);
                let at = |dj: usize, di: usize| coarse[(row + dj) * ci + column + di];
                let moved = at(0, 0).lerp(at(0, 1), u).lerp(at(1, 0).lerp(at(1, 1), u), v);
                points.push(base(i as f32, j as f32) + moved);
            }
        }
        points
    }

    fn paint_plane(&self, scene: &Scene, points: &[Vec3], k: usize) -> Vec<Tissue> {
        let [ni, nj, _] = self.dims;
        let mut tissues = vec![Tissue::Air; ni * nj];
        for part in &scene.parts {
            let Some([i0, i1, j0, j1]) = self.window(&part.bounds, k) else { continue };
            for j in j0..j1 {
                let row = j * ni;
                for offset in row + i0..row + i1 {
                    let p = points[offset];
                    if part.bounds.contains(p) {
                        tissues[offset] = (part.paint)(p, tissues[offset]);
                    }
                }
            }
        }
        tissues
    }

    /// Samples of plane `k` that displacement could bring into `bounds`: half-open ranges of i and j.
    fn window(&self, bounds: &Bounds, k: usize) -> Option<[usize; 4]> {
        let reach = Vec3::splat(self.pose.reach_mm() + 1.0);
        let (low, high) = (bounds.low - reach, bounds.high + reach);
        let sample_from_body = self.step.inverse();
        let centre = sample_from_body * ((low + high) * 0.5 - self.first);
        let half = (high - low) * 0.5;
        let abs = Mat3::from_cols(
            sample_from_body.x_axis.abs(),
            sample_from_body.y_axis.abs(),
            sample_from_body.z_axis.abs(),
        );
        let extent = abs * half;
        let (from, to) = (centre - extent, centre + extent);
        if (k as f32) < from.z || (k as f32) > to.z {
            return None;
        }
        let clamp = |v: f32, n: usize| v.clamp(0.0, n as f32) as usize;
        let range = [
            clamp(from.x.floor(), self.dims[0]),
            clamp(to.x.ceil() + 1.0, self.dims[0]),
            clamp(from.y.floor(), self.dims[1]),
            clamp(to.y.ceil() + 1.0, self.dims[1]),
        ];
        (range[0] < range[1] && range[2] < range[3]).then_some(range)
    }
}
