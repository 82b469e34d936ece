//! How a slice of a voxel grid lies on the screen.
//!
//! A frame is an axis permutation with flips: image pixels are voxels, moved but never interpolated, so that what is
//! read off the screen is what the file holds. Image coordinates are continuous, pixel (column, row) covers
//! [column, column + 1) x [row, row + 1), row 0 at the top; voxel coordinates are of voxel centres.

use crate::render::SliceGrid;
use crate::volume::Geometry;
use glam::{DMat3, DVec2, DVec3};

/// Direction cosines below this get no letter of their own in an oblique slice (about 15 degrees off a plane).
const OBLIQUE_COSINE: f64 = 0.25;

/// Which way the body is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SlicePlane {
    Axial,
    Coronal,
    Sagittal,
}

/// Which side of the patient is on which side of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Convention {
    /// The patient's right on the screen's left in axial and coronal slices, as if seen from the feet and from the front.
    pub radiological: bool,
    /// Posterior on the screen's left in sagittal slices, instead of anterior.
    pub sagittal_flipped: bool,
}

/// One screen axis in terms of the grid.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Along {
    voxel_axis: usize,
    /// The voxel index falls where the screen coordinate grows.
    reversed: bool,
}

/// A grid cut along one of its own planes, the one closest to what was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct SliceFrame {
    dims: [usize; 3],
    world_from_voxel: DMat3,
    orientation_known: bool,
    columns: Along,
    rows: Along,
    /// Grows to the patient's head, front or right.
    slices: Along,
}

impl SlicePlane {
    /// The plane closest to the one whose slices follow each other in storage (along k).
    pub fn of_stack(geometry: &Geometry) -> Self {
        match geometry.reorientation().voxel_axis_of_world.iter().position(|axis| *axis == 2) {
            Some(0) => SlicePlane::Sagittal,
            Some(1) => SlicePlane::Coronal,
            _ => SlicePlane::Axial,
        }
    }

    pub const ALL: [SlicePlane; 3] = [SlicePlane::Axial, SlicePlane::Coronal, SlicePlane::Sagittal];

    pub fn name(self) -> &'static str {
        match self {
            SlicePlane::Axial => "Axial",
            SlicePlane::Coronal => "Coronal",
            SlicePlane::Sagittal => "Sagittal",
        }
    }

    /// The world axis (0 = R, 1 = A, 2 = S) across the slice.
    pub fn normal(self) -> usize {
        match self {
            SlicePlane::Axial => 2,
            SlicePlane::Coronal => 1,
            SlicePlane::Sagittal => 0,
        }
    }

    /// World axes along columns and rows, and whether the screen runs against them.
    fn screen_axes(self, convention: Convention) -> [(usize, bool); 2] {
        match self {
            SlicePlane::Axial => [(0, convention.radiological), (1, true)],
            SlicePlane::Coronal => [(0, convention.radiological), (2, true)],
            SlicePlane::Sagittal => [(1, !convention.sagittal_flipped), (2, true)],
        }
    }
}

impl Default for Convention {
    fn default() -> Self {
        Self { radiological: true, sagittal_flipped: false }
    }
}

impl SliceFrame {
    pub fn new(geometry: &Geometry, plane: SlicePlane, convention: Convention) -> Self {
        let turned = geometry.reorientation();
        let along = |(world, against): (usize, bool)| Along {
            voxel_axis: turned.voxel_axis_of_world[world],
            reversed: turned.flipped[world] != against,
        };
        let [columns, rows] = plane.screen_axes(convention).map(along);
        Self {
            dims: geometry.dims(),
            world_from_voxel: DMat3::from_mat4(geometry.world_from_voxel()),
            orientation_known: geometry.orientation_known(),
            columns,
            rows,
            slices: along((plane.normal(), false)),
        }
    }

    /// Columns and rows of a slice.
    pub fn size_px(&self) -> [usize; 2] {
        [self.dims[self.columns.voxel_axis], self.dims[self.rows.voxel_axis]]
    }

    /// How many slices there are.
    pub fn slice_count(&self) -> usize {
        self.dims[self.slices.voxel_axis]
    }

    /// Size of a slice in pixels and mm, for the slice pass.
    pub fn grid(&self) -> Option<SliceGrid> {
        let [width, height] = self.size_px();
        let size_mm = [self.columns, self.rows].map(|a| self.spacing_mm(a) as f32);
        SliceGrid::new(u32::try_from(width).ok()?, u32::try_from(height).ok()?, size_mm).ok()
    }

    /// The voxel axis across the slice.
    pub fn normal_voxel_axis(&self) -> usize {
        self.slices.voxel_axis
    }

    /// Image position (continuous) and slice number (fractional, from 0) of a voxel position.
    pub fn image_from_voxel(&self, voxel: DVec3) -> (DVec2, f64) {
        let [x, y, slice] = [self.columns, self.rows, self.slices].map(|a| self.flip(a, voxel[a.voxel_axis]));
        (DVec2::new(x + 0.5, y + 0.5), slice)
    }

    /// The inverse of [`Self::image_from_voxel`].
    pub fn voxel_from_image(&self, image_px: DVec2, slice: f64) -> DVec3 {
        let mut voxel = DVec3::ZERO;
        let position = [image_px.x - 0.5, image_px.y - 0.5, slice];
        for (along, at) in [self.columns, self.rows, self.slices].into_iter().zip(position) {
            voxel[along.voxel_axis] = self.flip(along, at);
        }
        voxel
    }

    /// The slice nearest to a voxel position, kept within the grid.
    pub fn nearest_slice(&self, voxel: DVec3) -> usize {
        let last = (self.slice_count() - 1) as f64;
        self.image_from_voxel(voxel).1.round().clamp(0.0, last) as usize
    }

    /// Voxel index of a pixel.
    pub fn index(&self, column: usize, row: usize, slice: usize) -> [usize; 3] {
        let mut index = [0; 3];
        for (along, at) in [self.columns, self.rows, self.slices].into_iter().zip([column, row, slice]) {
            index[along.voxel_axis] = if along.reversed { self.dims[along.voxel_axis] - 1 - at } else { at };
        }
        index
    }

    /// Where a pixel's voxel is stored, i fastest.
    pub fn offset(&self, column: usize, row: usize, slice: usize) -> usize {
        let [i, j, k] = self.index(column, row, slice);
        i + self.dims[0] * (j + self.dims[1] * k)
    }

    /// First voxel and size of the one-voxel-thick region a slice covers.
    pub fn region(&self, slice: usize) -> ([usize; 3], [usize; 3]) {
        let mut start = [0; 3];
        let mut size = self.dims;
        let axis = self.slices.voxel_axis;
        start[axis] = if self.slices.reversed { self.dims[axis] - 1 - slice } else { slice };
        size[axis] = 1;
        (start, size)
    }

    /// Letters at the left, top, right and bottom of the screen; `None` where the orientation is unknown.
    pub fn edge_letters(&self) -> Option<[String; 4]> {
        if !self.orientation_known {
            return None;
        }
        let [right, down] = [self.columns, self.rows].map(|along| {
            let step = self.world_from_voxel.col(along.voxel_axis).normalize();
            if along.reversed { -step } else { step }
        });
        Some([letters(-right), letters(-down), letters(right), letters(down)])
    }

    fn flip(&self, along: Along, at: f64) -> f64 {
        if along.reversed { (self.dims[along.voxel_axis] - 1) as f64 - at } else { at }
    }

    fn spacing_mm(&self, along: Along) -> f64 {
        self.world_from_voxel.col(along.voxel_axis).length()
    }
}

/// One to three letters for a direction in the patient, the dominant first.
fn letters(direction: DVec3) -> String {
    let mut axes = [0, 1, 2];
    axes.sort_by(|&a, &b| direction[b].abs().total_cmp(&direction[a].abs()));
    let named = axes.iter().filter(|&&axis| direction[axis].abs() >= OBLIQUE_COSINE);
    named
        .map(|&axis| {
            let pair = [('R', 'L'), ('A', 'P'), ('S', 'I')][axis];
            if direction[axis] > 0.0 { pair.0 } else { pair.1 }
        })
        .collect()
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use glam::{DMat4, DVec4};

    const RADIOLOGICAL: Convention = Convention { radiological: true, sagittal_flipped: false };

    /// All 48 ways to store one grid.
    pub fn every_storage_order() -> Vec<Geometry> {
        let mut grids = Vec::new();
        for axes in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            for signs in 0..8u8 {
                let mut affine = DMat4::ZERO;
                for voxel_axis in 0..3 {
                    let sign = if signs >> voxel_axis & 1 == 1 { -1.0 } else { 1.0 };
                    affine.col_mut(voxel_axis)[axes[voxel_axis]] = sign * [1.5, 2.0, 4.0][voxel_axis];
                }
                affine.w_axis = DVec4::new(-7.0, 11.0, 3.0, 1.0);
                grids.push(Geometry::new([5, 6, 7], affine).unwrap());
            }
        }
        grids
    }

    /// The voxel that lies furthest towards a corner of the patient: +1 or -1 along R, A, S.
    fn corner_voxel(grid: &Geometry, towards: DVec3) -> DVec3 {
        let last = DVec3::from_array(grid.dims().map(|d| (d - 1) as f64));
        (0..8u8)
            .map(|c| last * DVec3::new(f64::from(c & 1), f64::from(c >> 1 & 1), f64::from(c >> 2 & 1)))
            .max_by(|a, b| grid.world_of(*a).dot(towards).total_cmp(&grid.world_of(*b).dot(towards)))
            .unwrap()
    }

    #[test]
    fn the_patients_right_front_and_head_are_where_a_radiologist_looks_in_every_storage_order() {
        for grid in every_storage_order() {
            let code = grid.axcodes().unwrap();
            let corner = corner_voxel(&grid, DVec3::new(1.0, 1.0, 1.0));
            let at = |plane| SliceFrame::new(&grid, plane, RADIOLOGICAL).image_from_voxel(corner).0;
            assert_eq!(
                at(SlicePlane::Axial),
                DVec2::new(0.5, 0.5),
                "{code}: right at the left, front at the top"
            );
            assert_eq!(
                at(SlicePlane::Coronal),
                DVec2::new(0.5, 0.5),
                "{code}: right at the left, head at the top"
            );
            assert_eq!(
                at(SlicePlane::Sagittal),
                DVec2::new(0.5, 0.5),
                "{code}: front at the left, head at the top"
            );
        }
    }

    #[test]
    fn letters_follow_the_affine_and_the_convention_in_every_storage_order() {
        for grid in every_storage_order() {
            let letters =
                |plane, convention| SliceFrame::new(&grid, plane, convention).edge_letters().unwrap();
            let neurological = Convention { radiological: false, sagittal_flipped: true };
            assert_eq!(letters(SlicePlane::Axial, RADIOLOGICAL), ["R", "A", "L", "P"]);
            assert_eq!(letters(SlicePlane::Coronal, RADIOLOGICAL), ["R", "S", "L", "I"]);
            assert_eq!(letters(SlicePlane::Sagittal, RADIOLOGICAL), ["A", "S", "P", "I"]);
            assert_eq!(letters(SlicePlane::Axial, neurological), ["L", "A", "R", "P"]);
            assert_eq!(letters(SlicePlane::Coronal, neurological), ["L", "S", "R", "I"]);
            assert_eq!(letters(SlicePlane::Sagittal, neurological), ["P", "S", "A", "I"]);
        }
    }

    #[test]
    fn slices_are_numbered_towards_the_head_in_every_storage_order() {
        for grid in every_storage_order() {
            let frame = SliceFrame::new(&grid, SlicePlane::Axial, RADIOLOGICAL);
            let head = corner_voxel(&grid, DVec3::Z);
            assert_eq!(frame.nearest_slice(head), frame.slice_count() - 1);
        }
    }

    #[test]
    fn a_pixel_and_its_voxel_are_one_to_one() {
        for grid in every_storage_order() {
            for plane in SlicePlane::ALL {
                let frame = SliceFrame::new(&grid, plane, RADIOLOGICAL);
                let [i, j, k] = frame.index(2, 1, 3);
                let voxel = DVec3::new(i as f64, j as f64, k as f64);
                let (image, slice) = frame.image_from_voxel(voxel);
                assert_eq!((image, slice), (DVec2::new(2.5, 1.5), 3.0));
                assert_eq!(frame.voxel_from_image(image, slice), voxel);
                let (start, size) = frame.region(3);
                assert!((0..3).all(|a| (start[a]..start[a] + size[a]).contains(&[i, j, k][a])));
            }
        }
    }

    #[test]
    fn thick_slices_keep_the_patients_proportions() {
        let grid = Geometry::axis_aligned([10, 20, 30], [1.0, 2.0, 5.0], [0.0; 3]).unwrap();
        let coronal = SliceFrame::new(&grid, SlicePlane::Coronal, RADIOLOGICAL).grid().unwrap();
        assert_eq!((coronal.width(), coronal.height(), coronal.pixel_size_mm()), (10, 30, [1.0, 5.0]));
    }

    #[test]
    fn an_oblique_slice_names_both_directions_and_an_unknown_one_none() {
        let tilted = DMat4::from_rotation_z(30f64.to_radians());
        let oblique = Geometry::new([4, 4, 4], tilted).unwrap();
        let letters = SliceFrame::new(&oblique, SlicePlane::Axial, RADIOLOGICAL).edge_letters().unwrap();
        assert_eq!(letters, ["RA", "AL", "LP", "PR"]);
        let unknown = oblique.with_unknown_orientation();
        assert_eq!(SliceFrame::new(&unknown, SlicePlane::Axial, RADIOLOGICAL).edge_letters(), None);
    }
}
