//! Where a voxel grid lies in the patient.
//!
//! World space is RAS+ in millimetres (x grows to the patient's Right, y to Anterior, z to Superior), as in NIfTI.
//! Voxel space is the index (i, j, k) of a voxel's *centre*, i fastest in memory. Invariant: `world_from_voxel` is
//! finite and invertible, so that every geometry can be resampled to and back.

use glam::{DMat3, DMat4, DVec3};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What makes a grid unusable.
#[derive(Debug, Error, Clone, PartialEq)]
pub enum GeometryError {
    #[error("dims: expected three sizes of at least 1, got {0:?}")]
    EmptyGrid([usize; 3]),
    #[error("dims: {0:?} voxels do not fit in memory addresses")]
    TooLarge([usize; 3]),
    #[error("world_from_voxel: expected a finite, invertible affine, got {0:?}")]
    Singular(Box<DMat4>),
}

/// One voxel grid in world space.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Geometry {
    dims: [usize; 3],
    world_from_voxel: DMat4,
    orientation_known: bool,
    spacing_known: bool,
    slices_missing: bool,
}

/// How voxel axes must be permuted and flipped to run along R, A, S most closely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reorientation {
    /// For world axis `w` (0 = R, 1 = A, 2 = S): the voxel axis closest to it.
    pub voxel_axis_of_world: [usize; 3],
    /// Whether that voxel axis runs against the world axis.
    pub flipped: [bool; 3],
}

impl Geometry {
    /// A grid of `dims` voxels placed by a 4x4 affine in mm.
    pub fn new(dims: [usize; 3], world_from_voxel: DMat4) -> Result<Self, GeometryError> {
        if dims.contains(&0) {
            return Err(GeometryError::EmptyGrid(dims));
        }
        if dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).is_none_or(|n| n > isize::MAX as usize / 8)
        {
            return Err(GeometryError::TooLarge(dims));
        }
        if !is_usable_affine(&world_from_voxel) {
            return Err(GeometryError::Singular(Box::new(world_from_voxel)));
        }
        Ok(Self {
            dims,
            world_from_voxel,
            orientation_known: true,
            spacing_known: true,
            slices_missing: false,
        })
    }

    /// An axis-aligned RAS grid whose voxel (0, 0, 0) has its centre at `origin_mm`.
    pub fn axis_aligned(
        dims: [usize; 3],
        spacing_mm: [f64; 3],
        origin_mm: [f64; 3],
    ) -> Result<Self, GeometryError> {
        let scale = DMat3::from_diagonal(DVec3::from_array(spacing_mm));
        let mut affine = DMat4::from_mat3(scale);
        affine.w_axis = DVec3::from_array(origin_mm).extend(1.0);
        Self::new(dims, affine)
    }

    /// The same grid with its left, right, front and back declared unknown: no letters may be drawn for it.
    #[must_use]
    pub fn with_unknown_orientation(mut self) -> Self {
        self.orientation_known = false;
        self
    }

    /// The same grid with its voxel size declared unknown: no millimetres or millilitres may be reported for it.
    #[must_use]
    pub fn with_unknown_spacing(mut self) -> Self {
        self.spacing_known = false;
        self
    }

    /// The same grid with some of its slices declared missing or misplaced: no volume or distance may be reported for it.
    #[must_use]
    pub fn with_missing_slices(mut self) -> Self {
        self.slices_missing = true;
        self
    }

    /// Voxels along i, j, k.
    pub fn dims(&self) -> [usize; 3] {
        self.dims
    }

    /// Number of voxels.
    pub fn len(&self) -> usize {
        self.dims.iter().product()
    }

    /// Never true: a grid has at least one voxel.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// 4x4 affine from voxel centres (i, j, k, 1) to world mm.
    pub fn world_from_voxel(&self) -> DMat4 {
        self.world_from_voxel
    }

    /// The inverse of [`Self::world_from_voxel`].
    pub fn voxel_from_world(&self) -> DMat4 {
        self.world_from_voxel.inverse()
    }

    /// Distance in mm between neighbouring voxel centres along i, j, k.
    pub fn spacing_mm(&self) -> [f64; 3] {
        let m = self.world_from_voxel;
        [m.x_axis.truncate().length(), m.y_axis.truncate().length(), m.z_axis.truncate().length()]
    }

    /// Whether the file said which way the axes run.
    pub fn orientation_known(&self) -> bool {
        self.orientation_known
    }

    /// Whether the file said how large a voxel is.
    pub fn spacing_known(&self) -> bool {
        self.spacing_known
    }

    /// Whether some of its slices are missing or misplaced.
    pub fn slices_missing(&self) -> bool {
        self.slices_missing
    }

    /// Whether volumes and distances measured on this grid mean anything: the voxel size is known and no slice is missing.
    pub fn is_measurable(&self) -> bool {
        self.spacing_known && !self.slices_missing
    }

    /// Volume of one voxel in millilitres, `None` where the grid is not measurable.
    pub fn voxel_ml(&self) -> Option<f64> {
        self.is_measurable().then(|| DMat3::from_mat4(self.world_from_voxel).determinant().abs() / 1000.0)
    }

    /// World position in mm of a (fractional) voxel index.
    pub fn world_of(&self, voxel: DVec3) -> DVec3 {
        self.world_from_voxel.transform_point3(voxel)
    }

    /// Voxel indices of the eight corners.
    fn corners(&self) -> impl Iterator<Item = DVec3> {
        let last = self.dims.map(|size| size - 1);
        (0..8).map(move |corner: usize| {
            DVec3::from_array([0, 1, 2].map(|axis| (last[axis] * (corner >> axis & 1)) as f64))
        })
    }

    /// How far the farthest corner lies from the origin of the world, in mm.
    pub fn reach_mm(&self) -> f64 {
        self.corners().map(|voxel| self.world_of(voxel).length()).fold(0.0, f64::max)
    }

    /// Three letters, one a voxel axis, naming the direction in which its index grows: "RAS", "LPS", ...
    /// `None` where the orientation is unknown.
    pub fn axcodes(&self) -> Option<String> {
        if !self.orientation_known {
            return None;
        }
        let reorientation = self.reorientation();
        let mut letters = ['?'; 3];
        for world_axis in 0..3 {
            let pair = [('R', 'L'), ('A', 'P'), ('S', 'I')][world_axis];
            letters[reorientation.voxel_axis_of_world[world_axis]] =
                if reorientation.flipped[world_axis] { pair.1 } else { pair.0 };
        }
        Some(letters.iter().collect())
    }

    /// The permutation and flips that bring the voxel axes closest to R, A, S.
    ///
    /// Of the six possible pairings the one with the largest summed |cosine| wins, so that a 45 degree oblique still
    /// gives each voxel axis a world axis of its own.
    pub fn reorientation(&self) -> Reorientation {
        let m = DMat3::from_mat4(self.world_from_voxel);
        let columns = [m.x_axis.normalize(), m.y_axis.normalize(), m.z_axis.normalize()];
        const PAIRINGS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        let alignment = |axes: &[usize; 3]| (0..3).map(|w| columns[axes[w]][w].abs()).sum::<f64>();
        let mut best = PAIRINGS[0];
        for pairing in PAIRINGS {
            // The margin keeps the choice stable when two pairings are equally good.
            if alignment(&pairing) > alignment(&best) + 1e-9 {
                best = pairing;
            }
        }
        let flipped = [0, 1, 2].map(|w| columns[best[w]][w] < 0.0);
        Reorientation { voxel_axis_of_world: best, flipped }
    }

    /// Whether the slices, across k, lie in none of the body's own planes, as short-axis slices do: more than 15 degrees off.
    pub fn slices_are_oblique(&self) -> bool {
        const NEARLY_ALONG: f64 = 0.966;
        let normal = self.world_from_voxel.z_axis.truncate().normalize();
        normal.abs().max_element() < NEARLY_ALONG
    }

    /// The largest angle between a voxel axis and the world axis it runs closest to, in degrees.
    pub fn obliqueness_deg(&self) -> f64 {
        let m = DMat3::from_mat4(self.world_from_voxel);
        let axes = self.reorientation().voxel_axis_of_world;
        let off = |world: usize| m.col(axes[world]).normalize()[world].abs().min(1.0).acos().to_degrees();
        (0..3).map(off).fold(0.0, f64::max)
    }

    /// A grid along R, A and S over the whole of this one, its voxels cubes of this one's finest spacing.
    pub fn straightened(&self) -> Result<Geometry, GeometryError> {
        let finest_mm = self.spacing_mm().into_iter().fold(f64::INFINITY, f64::min);
        let world = self.corners().map(|voxel| self.world_of(voxel));
        let (low, high) = world.fold((DVec3::INFINITY, DVec3::NEG_INFINITY), |(low, high), corner| {
            (low.min(corner), high.max(corner))
        });
        let count = (high - low) / finest_mm;
        let dims = count.to_array().map(|count| (count - 1e-6).ceil() as usize + 1);
        let affine = DMat4::from_translation(low) * DMat4::from_scale(DVec3::splat(finest_mm));
        self.moved_to(dims, affine)
    }

    /// The same region and world placement on the grid whose axes run closest to R, A, S.
    pub fn reoriented(&self, reorientation: Reorientation) -> Geometry {
        let (axes, flipped) = (reorientation.voxel_axis_of_world, reorientation.flipped);
        let columns =
            [self.world_from_voxel.x_axis, self.world_from_voxel.y_axis, self.world_from_voxel.z_axis];
        let mut origin = self.world_from_voxel.w_axis;
        let mut new_columns = [glam::DVec4::ZERO; 3];
        for w in 0..3 {
            let column = columns[axes[w]];
            if flipped[w] {
                origin += column * (self.dims[axes[w]] - 1) as f64;
                new_columns[w] = -column;
            } else {
                new_columns[w] = column;
            }
        }
        Geometry {
            dims: axes.map(|a| self.dims[a]),
            world_from_voxel: DMat4::from_cols(new_columns[0], new_columns[1], new_columns[2], origin),
            ..self.clone()
        }
    }

    /// A grid over the same region, along the same axes, with voxels of `spacing_mm`; outer faces coincide at the first
    /// voxel's corner, and the far side is covered to within one new voxel.
    pub fn with_spacing(&self, spacing_mm: [f64; 3]) -> Result<Geometry, GeometryError> {
        let old = self.spacing_mm();
        let mut affine = self.world_from_voxel;
        let mut dims = [0usize; 3];
        let mut first_centre = DVec3::ZERO;
        for axis in 0..3 {
            let ratio = spacing_mm[axis] / old[axis];
            dims[axis] = ((self.dims[axis] as f64 / ratio - 1e-6).ceil() as usize).max(1);
            first_centre[axis] = 0.5 * ratio - 0.5;
            *affine.col_mut(axis) *= ratio;
        }
        affine.w_axis = self.world_of(first_centre).extend(1.0);
        self.moved_to(dims, affine)
    }

    /// A grid of `dims` voxels along the same axes that starts at (possibly negative) voxel index `start`.
    pub fn window(&self, start: [i64; 3], dims: [usize; 3]) -> Result<Geometry, GeometryError> {
        let mut affine = self.world_from_voxel;
        affine.w_axis = self.world_of(DVec3::from_array(start.map(|v| v as f64))).extend(1.0);
        self.moved_to(dims, affine)
    }

    /// The same slices, across k, turned in their plane, so that i runs as nearly to the patient's right as the plane allows and j to
    /// front and head; whichever way they were stored, slices of one direction come out alike.
    ///
    /// Slices that nearly face right or left have no such direction: there i runs to the front and j to the head. The grid covers
    /// all of this one, with square pixels of its finest spacing in the plane, around the same centre.
    pub fn upright(&self) -> Result<Geometry, GeometryError> {
        /// Cosine of the angle to the left-right axis within which slices are sagittal (26 degrees).
        const SAGITTAL: f64 = 0.9;
        let own = DMat3::from_mat4(self.world_from_voxel);
        let normal = own.x_axis.cross(own.y_axis).normalize();
        let rightmost = if normal.x.abs() < SAGITTAL { DVec3::X } else { DVec3::Y };
        let right = (rightmost - normal * normal.dot(rightmost)).normalize();
        let up = normal.cross(right);
        let up = if up.y + up.z < 0.0 { -up } else { up };
        let spacing = self.spacing_mm();
        let finest_mm = spacing[0].min(spacing[1]);
        let reach_mm = [own.x_axis * (self.dims[0] - 1) as f64, own.y_axis * (self.dims[1] - 1) as f64];
        let half = [right, up].map(|axis| {
            let half_mm = 0.5 * reach_mm.iter().map(|side| side.dot(axis).abs()).sum::<f64>();
            (half_mm / finest_mm - 1e-6).ceil()
        });
        let middle =
            self.world_of(DVec3::new(self.dims[0] as f64 - 1.0, self.dims[1] as f64 - 1.0, 0.0) * 0.5);
        let first = middle - (right * half[0] + up * half[1]) * finest_mm;
        let affine = DMat4::from_cols(
            (right * finest_mm).extend(0.0),
            (up * finest_mm).extend(0.0),
            self.world_from_voxel.z_axis,
            first.extend(1.0),
        );
        self.moved_to([2 * half[0] as usize + 1, 2 * half[1] as usize + 1, self.dims[2]], affine)
    }

    /// Another grid of which as much is known as of this one.
    fn moved_to(&self, dims: [usize; 3], world_from_voxel: DMat4) -> Result<Geometry, GeometryError> {
        let placed = Geometry::new(dims, world_from_voxel)?;
        Ok(Geometry { dims: placed.dims, world_from_voxel: placed.world_from_voxel, ..self.clone() })
    }
}

/// Whether two grids have the same size and the same affine to within `eps_mm` at every voxel corner.
pub fn geometry_equal(a: &Geometry, b: &Geometry, eps_mm: f64) -> bool {
    a.dims == b.dims
        && corner_distance_mm(a, b) <= eps_mm
        && a.world_from_voxel.abs_diff_eq(b.world_from_voxel, eps_mm)
}

/// The largest distance in mm between the corner voxels of two grids, the corners of `a` being counted in both.
pub fn corner_distance_mm(a: &Geometry, b: &Geometry) -> f64 {
    a.corners().map(|voxel| a.world_of(voxel).distance(b.world_of(voxel))).fold(0.0, f64::max)
}

/// Whether an affine is finite and far enough from singular to be inverted.
pub fn is_usable_affine(affine: &DMat4) -> bool {
    let m = DMat3::from_mat4(*affine);
    let scale = m.x_axis.length() * m.y_axis.length() * m.z_axis.length();
    affine.is_finite() && scale > 0.0 && m.determinant().abs() > 1e-6 * scale
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// All 48 signed permutations of an anisotropic grid.
    fn signed_permutations() -> Vec<Geometry> {
        let mut grids = Vec::new();
        for perm in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            for signs in 0..8u8 {
                let mut affine = DMat4::ZERO;
                for voxel_axis in 0..3 {
                    let sign = if signs >> voxel_axis & 1 == 1 { -1.0 } else { 1.0 };
                    affine.col_mut(voxel_axis)[perm[voxel_axis]] = sign * [1.5, 2.0, 4.0][voxel_axis];
                }
                affine.w_axis = glam::DVec4::new(-7.0, 11.0, 3.0, 1.0);
                grids.push(Geometry::new([5, 6, 7], affine).unwrap());
            }
        }
        grids
    }

    #[test]
    fn every_axis_order_and_flip_reorients_to_ras_without_moving_a_corner() {
        let grids = signed_permutations();
        let codes: std::collections::BTreeSet<_> = grids.iter().map(|g| g.axcodes().unwrap()).collect();
        assert_eq!(codes.len(), 48);
        for grid in &grids {
            let ras = grid.reoriented(grid.reorientation());
            assert_eq!(ras.axcodes().unwrap(), "RAS", "from {}", grid.axcodes().unwrap());
            let far = |g: &Geometry| DVec3::from_array(g.dims().map(|d| (d - 1) as f64));
            let (a, b) = (ras.world_of(DVec3::ZERO), ras.world_of(far(&ras)));
            let (c, d) = (grid.world_of(DVec3::ZERO), grid.world_of(far(grid)));
            assert!(a.min(b).distance(c.min(d)) < 1e-9 && a.max(b).distance(c.max(d)) < 1e-9);
        }
    }

    #[test]
    fn oblique_slices_stored_in_any_order_and_turn_stand_upright_alike_and_lose_no_corner() {
        // Across the long axis of a heart: from its base to the left, the front and the feet.
        let normal = DVec3::new(-0.66, 0.58, -0.46).normalize();
        let across = normal.cross(DVec3::Z).normalize();
        let mut expected: Option<DMat3> = None;
        for turn_deg in [0.0_f64, 31.0, 90.0, 163.0, 275.0] {
            for mirrored in [1.0, -1.0] {
                for backward in [1.0, -1.0] {
                    let (sin, cos) = turn_deg.to_radians().sin_cos();
                    let i = across * cos + normal.cross(across) * sin;
                    let affine = DMat4::from_cols(
                        (i * 1.2).extend(0.0),
                        (normal.cross(i) * mirrored * 1.5).extend(0.0),
                        (normal * backward * 9.0).extend(0.0),
                        DVec3::new(20.0, -30.0, 10.0).extend(1.0),
                    );
                    let stored = Geometry::new([40, 31, 8], affine).unwrap();
                    let upright = stored.upright().unwrap();
                    let axes = DMat3::from_mat4(upright.world_from_voxel());
                    let plane = DMat3::from_cols(axes.x_axis, axes.y_axis, DVec3::ZERO);
                    assert!(plane.abs_diff_eq(*expected.get_or_insert(plane), 1e-9), "{turn_deg}: {plane}");
                    assert!(plane.x_axis.x > 0.0 && plane.y_axis.y > 0.0 && plane.y_axis.z > 0.0);
                    assert!(
                        plane.x_axis.dot(normal).abs() < 1e-9 && plane.x_axis.dot(plane.y_axis).abs() < 1e-9
                    );
                    assert_eq!(upright.spacing_mm().map(|mm| (mm * 1e6).round()), [1.2e6, 1.2e6, 9e6]);
                    let last = DVec3::from_array(upright.dims().map(|n| (n - 1) as f64));
                    for corner in stored.corners() {
                        let at = upright.voxel_from_world().transform_point3(stored.world_of(corner));
                        assert!(at.cmpge(DVec3::splat(-1e-5)).all() && at.cmple(last + 1e-5).all(), "{at}");
                    }
                    let middle =
                        |g: &Geometry| g.world_of(DVec3::from_array(g.dims().map(|n| (n - 1) as f64)) * 0.5);
                    assert!(middle(&stored).distance(middle(&upright)) < 1e-6);
                }
            }
        }
    }

    #[test]
    fn a_new_spacing_keeps_the_outer_corner_in_place() {
        let grid = Geometry::axis_aligned([10, 10, 10], [0.8, 0.8, 5.0], [1.0, 2.0, 3.0]).unwrap();
        let coarse = grid.with_spacing([2.0, 2.0, 2.5]).unwrap();
        assert_eq!(coarse.dims(), [4, 4, 20]);
        let corner = |g: &Geometry| g.world_of(DVec3::splat(-0.5));
        assert!(corner(&grid).distance(corner(&coarse)) < 1e-9);
    }

    #[test]
    fn a_singular_affine_is_refused_before_anything_is_resampled_with_it() {
        assert!(matches!(Geometry::new([2, 2, 2], DMat4::ZERO), Err(GeometryError::Singular(_))));
        assert!(matches!(
            Geometry::new([usize::MAX, 2, 2], DMat4::IDENTITY),
            Err(GeometryError::TooLarge(_))
        ));
    }
}
