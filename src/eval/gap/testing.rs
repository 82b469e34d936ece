//! Small synthetic cases, and distances by definition, for the tests.

#![allow(clippy::unwrap_used)]

use super::{Cutoffs, FlagLimits, GapMeasure, GapReport, Panel, flags, measure, places};
use crate::volume::{Geometry, LabelMap, Task, Volume};

/// The same numbers for the same seed, 0 to 1.
pub(super) fn noise(seed: u32) -> impl FnMut() -> f32 {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1u32 << 24) as f32
    }
}

/// One voxel in `one_in` is label 1, as many are label 2.
pub(super) fn noise_labels(dims: [usize; 3], spacing_mm: [f64; 3], seed: u32, one_in: u32) -> LabelMap {
    let mut next = noise(seed);
    let grid = Geometry::axis_aligned(dims, spacing_mm, [-20.0, 10.0, 5.0]).unwrap();
    Volume::from_fn(grid, |_, _, _| match (next() * one_in as f32) as u32 {
        0 => 1,
        1 => 2,
        _ => 0,
    })
}

pub(super) fn noise_values(labels: &LabelMap, seed: u32) -> Volume<f32> {
    let mut next = noise(seed);
    labels.map(|_| next())
}

/// Between two voxels, given by their offsets.
pub(super) fn distance_mm(labels: &LabelMap, a: usize, b: usize) -> f64 {
    let [ni, nj, _] = labels.dims();
    let at = |n: usize| glam::DVec3::new((n % ni) as f64, (n / ni % nj) as f64, (n / ni / nj) as f64);
    let grid = labels.geometry();
    grid.world_of(at(a)).distance(grid.world_of(at(b)))
}

/// An abdomen of ellipsoids: liver, kidneys and spleen, the last in two pieces; the gap is high in the liver, and the
/// model is unsure in the right kidney.
pub(super) struct Abdomen {
    pub labels: LabelMap,
    pub gap: Volume<f32>,
    pub uncertainty: Volume<f32>,
    pub body: Volume<bool>,
}

impl Abdomen {
    pub(super) fn new() -> Self {
        let grid = Geometry::axis_aligned([80, 60, 40], [4.0, 4.0, 5.0], [-160.0, -120.0, -100.0]).unwrap();
        let world = grid.clone();
        let within = move |[i, j, k]: [usize; 3], middle: [f64; 3], radii: [f64; 3]| {
            let at = world.world_of(glam::DVec3::new(i as f64, j as f64, k as f64));
            (0..3).map(|axis| ((at[axis] - middle[axis]) / radii[axis]).powi(2)).sum::<f64>()
        };
        let organs: [(u16, [f64; 3], [f64; 3]); 5] = [
            (1, [70.0, 20.0, 20.0], [70.0, 60.0, 70.0]),
            (2, [55.0, -60.0, -40.0], [25.0, 24.0, 45.0]),
            (3, [-55.0, -60.0, -35.0], [25.0, 24.0, 45.0]),
            (4, [-100.0, -20.0, 35.0], [26.0, 34.0, 40.0]),
            (4, [-100.0, 60.0, 20.0], [19.0, 16.0, 17.0]),
        ];
        let labels = Volume::from_fn(grid.clone(), |i, j, k| {
            let organ = organs.iter().find(|(_, middle, radii)| within([i, j, k], *middle, *radii) <= 1.0);
            organ.map_or(0, |(label, _, _)| *label)
        });
        let gap = Volume::from_fn(grid.clone(), |i, j, k| {
            let liver = (-within([i, j, k], [90.0, 30.0, 40.0], [45.0, 40.0, 45.0])).exp();
            let spleen = (-within([i, j, k], [-105.0, -30.0, 30.0], [30.0, 30.0, 30.0])).exp();
            (0.08 + 0.66 * liver + 0.3 * spleen) as f32
        });
        let uncertainty = Volume::from_fn(grid.clone(), |i, j, k| {
            let kidney = (-within([i, j, k], [55.0, -60.0, -40.0], [30.0, 30.0, 40.0])).exp();
            (0.04 + 0.6 * kidney) as f32
        });
        let body = Volume::from_fn(grid, |i, j, k| within([i, j, k], [0.0; 3], [158.0, 110.0, 1e6]) <= 1.0);
        Self { labels, gap, uncertainty, body }
    }

    pub(super) fn measured(&self) -> GapMeasure {
        let table = Task::Abdomen.table();
        measure(&self.labels, &self.gap, Some(&self.uncertainty), &self.body, table, 0.25).unwrap()
    }

    pub(super) fn report(&self) -> GapReport {
        let measured = self.measured();
        let raised = flags(&measured, &FlagLimits::default());
        let table = Task::Abdomen.table();
        let uncertainty = Some(&self.uncertainty);
        let found = places(&self.labels, &self.gap, uncertainty, table, Cutoffs::default(), 8).unwrap();
        let provenance = [
            ("Model", "abdomen-ct-to-mr 1.0.0, adapted net"),
            ("Weights", "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
            ("Scan", "80 x 60 x 40 voxels of 4.0 x 4.0 x 5.0 mm, MR"),
            ("Program", "MindGap 0.1.0"),
        ];
        let provenance = provenance.map(|(key, value)| (key.to_owned(), value.to_owned()));
        GapReport::new("phantom-7", measured, raised, found, provenance.into())
    }

    /// Three axial slices: the structures in grey, and beside them the gap.
    pub(super) fn panels(&self) -> Vec<Panel> {
        let slice = |caption: &str, k: usize, rgb: &dyn Fn(usize, usize) -> [u8; 3]| {
            let [ni, nj, _] = self.labels.dims();
            let pixels = (0..nj).flat_map(|j| (0..ni).map(move |i| (ni - 1 - i, nj - 1 - j)));
            let rgb = pixels.flat_map(|(i, j)| rgb(i, j)).collect();
            Panel { caption: format!("{caption}, slice {k}"), width: ni as u32, height: nj as u32, rgb }
        };
        let grey = |i: usize, j: usize, k: usize| {
            let inside = if self.body.at(i, j, k) { 90 } else { 8 };
            [inside + 30 * self.labels.at(i, j, k) as u8; 3]
        };
        let heat = |values: &Volume<f32>, i: usize, j: usize, k: usize| {
            let value = (values.at(i, j, k) / 0.8).min(1.0);
            [value.sqrt(), value * value, 0.3 * value].map(|channel| (255.0 * channel) as u8)
        };
        [14, 22, 26]
            .into_iter()
            .flat_map(|k| {
                [
                    slice("Scan and structures", k, &|i, j| grey(i, j, k)),
                    slice("Gap", k, &|i, j| heat(&self.gap, i, j, k)),
                ]
            })
            .collect()
    }
}
