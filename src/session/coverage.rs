//! How much of each structure, and of the body, has a gap of at least some threshold: for any threshold at once, so that it
//! can be dragged.

use crate::volume::{LabelMap, Volume};

/// Thresholds lie this close together: hundredths.
const STEPS: usize = 100;

/// Shares for thresholds 0.00, 0.01, ..., 1.00.
#[derive(Debug, Clone, PartialEq)]
pub struct Coverage {
    /// Of the voxels that are more than air.
    body: Counts,
    structures: Vec<(u16, Counts)>,
}

/// How many values reach each threshold.
#[derive(Debug, Clone, PartialEq)]
struct Counts {
    at_least: [u32; STEPS + 1],
}

impl Coverage {
    /// All volumes on one grid; values that are no numbers count nowhere.
    pub fn of(labels: &LabelMap, gap: &Volume<f32>, body: &Volume<bool>, wanted: &[u16]) -> Self {
        let mut of_body = [0; STEPS + 1];
        let mut of_structures = vec![[0; STEPS + 1]; wanted.len()];
        let voxels = labels.voxels().iter().zip(gap.voxels()).zip(body.voxels());
        for ((&label, &gap), &inside) in voxels.filter(|((_, gap), _)| gap.is_finite()) {
            // The last threshold that the value reaches, kept from falling below it by rounding.
            let step = (f64::from(gap.clamp(0.0, 1.0)) * STEPS as f64 + 1e-6) as usize;
            of_body[step] += u32::from(inside);
            if label != 0
                && let Some(index) = wanted.iter().position(|value| *value == label)
            {
                of_structures[index][step] += 1;
            }
        }
        let structures =
            wanted.iter().zip(of_structures).map(|(label, counts)| (*label, Counts::summed(counts)));
        Self { body: Counts::summed(of_body), structures: structures.collect() }
    }

    /// Share of the body, 0..1; `None` where there is none.
    pub fn body(&self, threshold: f32) -> Option<f64> {
        self.body.share(threshold)
    }

    /// Share of a structure, 0..1; `None` where it is empty.
    pub fn structure(&self, label: u16, threshold: f32) -> Option<f64> {
        self.structures.iter().find(|(of, _)| *of == label)?.1.share(threshold)
    }
}

impl Counts {
    /// From how many values reach each threshold as their last one.
    fn summed(mut counts: [u32; STEPS + 1]) -> Self {
        for step in (0..STEPS).rev() {
            counts[step] += counts[step + 1];
        }
        Self { at_least: counts }
    }

    fn share(&self, threshold: f32) -> Option<f64> {
        let step = (f64::from(threshold.clamp(0.0, 1.0)) * STEPS as f64 - 1e-6).ceil().max(0.0) as usize;
        let all = self.at_least[0];
        (all > 0).then(|| f64::from(self.at_least[step]) / f64::from(all))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::volume::Geometry;

    #[test]
    fn the_share_for_any_threshold_is_the_one_that_counting_voxels_gives() {
        let grid = Geometry::axis_aligned([10, 10, 10], [1.0; 3], [0.0; 3]).unwrap();
        let gap = Volume::from_fn(grid.clone(), |i, j, k| ((i * 37 + j * 11 + k * 71) % 101) as f32 / 100.0);
        let labels = Volume::from_fn(grid.clone(), |i, _, _| (i % 3) as u16);
        let body = Volume::from_fn(grid, |_, j, _| j > 2);
        let coverage = Coverage::of(&labels, &gap, &body, &[1, 2, 4]);
        for step in [0u8, 1, 7, 25, 50, 99, 100] {
            let threshold = f32::from(step) / 100.0;
            let share = |inside: &dyn Fn(usize) -> bool| {
                let all: Vec<f32> =
                    gap.voxels().iter().enumerate().filter(|(n, _)| inside(*n)).map(|(_, v)| *v).collect();
                all.iter().filter(|v| **v >= threshold - 1e-6).count() as f64 / all.len() as f64
            };
            let of = |value: u16| share(&|n| labels.voxels()[n] == value);
            assert_eq!(coverage.structure(1, threshold), Some(of(1)), "{threshold}");
            assert_eq!(coverage.structure(2, threshold), Some(of(2)), "{threshold}");
            assert_eq!(coverage.body(threshold), Some(share(&|n| body.voxels()[n])), "{threshold}");
        }
        assert_eq!(coverage.structure(4, 0.5), None);
    }
}
