//! One volume to learn from, on the network grid.

use crate::volume::{Modality, Task, Volume};
use rand::Rng;
use std::f32::consts::PI;

/// A prepared volume. A source case has tissues and labels; a target case has neither, by construction.
#[derive(Debug, Clone)]
pub struct Case {
    /// For logs and cards: the data's name, never a patient's.
    pub name: String,
    pub modality: Modality,
    /// Scaled intensities.
    pub image: Volume<f32>,
    pub annotation: Option<Annotation>,
}

/// What is known of a source case's anatomy, on the same grid as its image.
#[derive(Debug, Clone)]
pub struct Annotation {
    /// [`Tissue`](super::phantom::Tissue) values.
    pub tissues: Volume<u8>,
    /// The task's own label values.
    pub labels: Volume<u8>,
    /// First and last slice with a labelled structure.
    pub labelled_slices: [usize; 2],
}

impl Annotation {
    /// Pairs the two maps and finds the labelled range; all slices if nothing is labelled.
    pub fn new(tissues: Volume<u8>, labels: Volume<u8>) -> Self {
        let [ni, nj, nk] = labels.dims();
        let plane = ni * nj;
        let has_label = |k: &usize| labels.voxels()[k * plane..(k + 1) * plane].iter().any(|&l| l != 0);
        let first = (0..nk).find(has_label).unwrap_or(0);
        let last = (0..nk).rev().find(has_label).unwrap_or(nk - 1);
        Self { tissues, labels, labelled_slices: [first, last] }
    }
}

/// One 2-D training sample, rows of `width` pixels.
#[derive(Debug, Clone)]
pub struct Sample {
    pub image: Vec<f32>,
    pub tissues: Vec<u8>,
    pub labels: Vec<u8>,
}

/// How strongly slices are bent on their way out of a volume; lengths in voxels, angles in radians.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GeometryRange {
    pub rotation: f32,
    /// Logarithm of the size of the whole, both axes alike.
    pub log_zoom: f32,
    /// Logarithm of each axis' size on its own.
    pub log_scale: f32,
    pub shear: f32,
    pub shift: [f32; 2],
    /// Change of slice per in-plane voxel.
    pub tilt: f32,
    pub coarse_elastic: f32,
    pub fine_elastic: f32,
    pub through_plane_elastic: f32,
}

impl GeometryRange {
    /// For labelled source volumes.
    ///
    /// Bodies lie alike in every scan, and left and right are labels, so they are turned little; slices that have no common up,
    /// `any_way_up`, are turned all the way round. Hearts vary more in size, and their slices are thick, so planes stay
    /// nearly flat.
    pub fn source(task: Task, any_way_up: bool) -> Self {
        let range = match task {
            Task::Abdomen => Self {
                rotation: 0.26,
                log_zoom: 0.0,
                log_scale: 0.25,
                shear: 0.15,
                shift: [10.0, 8.0],
                tilt: 0.12,
                coarse_elastic: 3.5,
                fine_elastic: 1.2,
                through_plane_elastic: 2.5,
            },
            Task::Cardiac => Self {
                rotation: 0.35,
                log_zoom: 0.35,
                log_scale: 0.12,
                shear: 0.1,
                shift: [12.0, 12.0],
                tilt: 0.01,
                coarse_elastic: 3.0,
                fine_elastic: 1.0,
                through_plane_elastic: 0.3,
            },
        };
        if any_way_up { Self { rotation: PI, ..range } } else { range }
    }

    /// For target volumes, whose own shapes are to be learned.
    pub fn target(task: Task, any_way_up: bool) -> Self {
        let source = Self::source(task, any_way_up);
        Self {
            rotation: if any_way_up { source.rotation } else { 0.7 * source.rotation },
            log_zoom: 0.0,
            log_scale: 0.2,
            shear: 0.05,
            shift: [6.0, 5.0],
            tilt: 0.0,
            coarse_elastic: 1.5,
            fine_elastic: 0.5,
            through_plane_elastic: 0.0,
        }
    }
}

/// A curved, tilted plane through a volume.
pub struct CurvedPlane {
    width: usize,
    height: usize,
    /// Voxel position of every pixel.
    positions: Vec<[f32; 3]>,
}

impl CurvedPlane {
    /// Draws one through a volume of `dims`, around slice `centre_slice`.
    pub fn draw(
        rng: &mut impl Rng,
        dims: [usize; 3],
        [width, height]: [usize; 2],
        centre_slice: f32,
        range: &GeometryRange,
    ) -> Self {
        let mut spread = |limit: f32| if limit > 0.0 { rng.random_range(-limit..limit) } else { 0.0 };
        let (sin, cos) = spread(range.rotation).sin_cos();
        let zoom = spread(range.log_zoom);
        let (scale_x, scale_y) =
            ((zoom + spread(range.log_scale)).exp(), (zoom + spread(range.log_scale)).exp());
        let shear = spread(range.shear);
        let shift = [spread(range.shift[0]), spread(range.shift[1])];
        let tilt = [spread(range.tilt), spread(range.tilt)];
        let size = [width, height];
        let coarse = rng.random_range(0.0..1.0) * range.coarse_elastic;
        let fine = rng.random_range(0.0..1.0) * range.fine_elastic;
        let through = rng.random_range(0.0..1.0) * range.through_plane_elastic;
        let bend = [0, 1].map(|_| {
            let slow = SmoothField::draw(rng, 5, coarse).over(size);
            let fast = SmoothField::draw(rng, 9, fine).over(size);
            (slow, fast)
        });
        let lift = SmoothField::draw(rng, 4, through).over(size);
        let centre = [(dims[0] as f32 - 1.0) / 2.0 + shift[0], (dims[1] as f32 - 1.0) / 2.0 + shift[1]];
        let mut positions = Vec::with_capacity(width * height);
        for row in 0..height {
            for column in 0..width {
                let u = column as f32 - (width as f32 - 1.0) / 2.0;
                let v = row as f32 - (height as f32 - 1.0) / 2.0;
                let offset = column + width * row;
                let (x, y) = (u * scale_x, (v + shear * u) * scale_y);
                positions.push([
                    centre[0] + cos * x - sin * y + bend[0].0[offset] + bend[0].1[offset],
                    centre[1] + sin * x + cos * y + bend[1].0[offset] + bend[1].1[offset],
                    centre_slice + tilt[0] * u + tilt[1] * v + lift[offset],
                ]);
            }
        }
        Self { width, height, positions }
    }

    /// Columns and rows.
    pub fn size(&self) -> [usize; 2] {
        [self.width, self.height]
    }

    /// Nearest values; `T::default()` beside the volume, the end slices repeated above and below it.
    pub fn nearest<T: Copy + Default>(&self, volume: &Volume<T>) -> Vec<T> {
        let [ni, nj, nk] = volume.dims();
        self.positions
            .iter()
            .map(|[x, y, z]| {
                let (i, j) = (x.round(), y.round());
                if i < 0.0 || j < 0.0 || i >= ni as f32 || j >= nj as f32 {
                    return T::default();
                }
                volume.at(i as usize, j as usize, z.round().clamp(0.0, (nk - 1) as f32) as usize)
            })
            .collect()
    }

    /// Trilinear values; 0 beside the volume, the end slices repeated above and below it.
    pub fn linear(&self, volume: &Volume<f32>) -> Vec<f32> {
        let [ni, nj, nk] = volume.dims();
        self.positions
            .iter()
            .map(|&[x, y, z]| {
                if x < 0.0 || y < 0.0 || x > (ni - 1) as f32 || y > (nj - 1) as f32 {
                    return 0.0;
                }
                let z = z.clamp(0.0, (nk - 1) as f32);
                let (i, j, k) = (x as usize, y as usize, z as usize);
                let (fx, fy, fz) = (x - i as f32, y - j as f32, z - k as f32);
                let (i1, j1, k1) = ((i + 1).min(ni - 1), (j + 1).min(nj - 1), (k + 1).min(nk - 1));
                let row = |j, k| volume.at(i, j, k) * (1.0 - fx) + volume.at(i1, j, k) * fx;
                let plane = |k| row(j, k) * (1.0 - fy) + row(j1, k) * fy;
                plane(k) * (1.0 - fz) + plane(k1) * fz
            })
            .collect()
    }
}

/// A smooth random field: Gaussian values on a small grid, bilinear in between.
pub struct SmoothField {
    nodes: Vec<f32>,
    side: usize,
}

impl SmoothField {
    /// `side` x `side` nodes of standard deviation `sd`.
    pub fn draw(rng: &mut impl Rng, side: usize, sd: f32) -> Self {
        Self { nodes: (0..side * side).map(|_| sd * super::normal(rng)).collect(), side }
    }

    /// The field over an image of `size`, over which the nodes are spread evenly, a value a pixel.
    pub fn over(&self, [width, height]: [usize; 2]) -> Vec<f32> {
        let along = |pixel: usize, length: usize| {
            let position = pixel as f32 / (length.max(2) - 1) as f32 * (self.side - 1) as f32;
            let low = (position as usize).min(self.side - 2);
            // Smoothstep between the nodes leaves no creases.
            let t = position - low as f32;
            (low, t * t * (3.0 - 2.0 * t))
        };
        let columns: Vec<(usize, f32)> = (0..width).map(|column| along(column, width)).collect();
        let mut values = Vec::with_capacity(width * height);
        for row in 0..height {
            let (y, fy) = along(row, height);
            let (upper, lower) = self.nodes[self.side * y..].split_at(self.side);
            values.extend(columns.iter().map(|&(x, fx)| {
                let between = |nodes: &[f32]| nodes[x] * (1.0 - fx) + nodes[x + 1] * fx;
                between(upper) * (1.0 - fy) + between(lower) * fy
            }));
        }
        values
    }
}
