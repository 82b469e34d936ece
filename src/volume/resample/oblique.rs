//! Linear samples between grids whose axes are not parallel: row by row, with the part of each row that lies between
//! voxel centres found once.

use super::plain::Sampling;
use super::sample::{Sample, Sum};
use glam::DVec3;
use rayon::prelude::*;
use std::ops::Range;

pub(super) fn resample<S: Sample, O: Copy + Default + Send + Sync>(
    sampling: &Sampling<S>,
    target_dims: [usize; 3],
    outside: O,
    finish: impl Fn(S::Sum) -> O + Sync,
) -> Vec<O> {
    let [ni, nj, _] = target_dims;
    let offsets: Vec<DVec3> = sampling.all_offsets().collect();
    let share = 1.0 / offsets.len() as f64;
    let mut voxels = vec![O::default(); target_dims.iter().product()];
    voxels.par_chunks_mut(ni).enumerate().for_each_init(Vec::new, |sums: &mut Vec<S::Sum>, (row, values)| {
        let start = DVec3::new(0.0, (row % nj) as f64, (row / nj) as f64);
        // Only where every sub-sample lies between centres is their mean a plain sum.
        let within = offsets.iter().map(|offset| between_centres(sampling, start + *offset, ni));
        let within = within.reduce(|a, b| a.start.max(b.start)..a.end.min(b.end)).unwrap_or(0..0);
        sums.clear();
        sums.resize(within.len(), S::Sum::default());
        for offset in &offsets {
            add_row(sampling, start + *offset, within.clone(), sums);
        }
        for (i, value) in values.iter_mut().enumerate() {
            let sum = i.checked_sub(within.start).and_then(|at| sums.get(at)).copied();
            *value = match sum.map(|sum| sum * S::Sum::of(share)).filter(|sum| sum.is_finite()) {
                Some(sum) => finish(sum),
                None => {
                    let exact = sampling.at(DVec3::new(i as f64, start.y, start.z));
                    exact.map_or(outside, |value| finish(S::Sum::of(value)))
                }
            };
        }
    });
    voxels
}

/// The indices of a row of `length` positions, from `start` on, that surely have all eight neighbours in the source.
fn between_centres<S: Sample>(sampling: &Sampling<S>, start: DVec3, length: usize) -> Range<usize> {
    /// Further from the ends than positions are off by rounding.
    const MARGIN: f64 = 1e-6;
    let first = sampling.source_from_target.transform_point3(start);
    let step = sampling.source_from_target.x_axis.truncate();
    let (mut low, mut high) = (0.0f64, length as f64);
    for axis in 0..3 {
        if sampling.dims[axis] == 1 {
            return 0..0;
        }
        let last = (sampling.dims[axis] - 1) as f64;
        let (from, to) = (MARGIN - first[axis], last - MARGIN - first[axis]);
        if step[axis].abs() < f64::EPSILON {
            if from > 0.0 || to < 0.0 {
                return 0..0;
            }
            continue;
        }
        let ends = [from / step[axis], to / step[axis]];
        low = low.max(ends[0].min(ends[1]).ceil());
        high = high.min(ends[0].max(ends[1]).floor() + 1.0);
    }
    if low < high { low as usize..high as usize } else { 0..0 }
}

/// Adds one trilinear sample to each sum; all of `within` lies between centres.
fn add_row<S: Sample>(sampling: &Sampling<S>, start: DVec3, within: Range<usize>, sums: &mut [S::Sum]) {
    let first = sampling.source_from_target.transform_point3(start);
    let step = sampling.source_from_target.x_axis.truncate();
    let [ni, nj, _] = sampling.dims;
    let lerp = |a: S::Sum, b: S::Sum, low: S::Sum, high: S::Sum| a * low + b * high;
    for (index, sum) in within.zip(sums) {
        let position = first + step * index as f64;
        // Truncation is the floor of what is not negative.
        let low = position.to_array().map(|at| at as usize);
        let high = [0, 1, 2].map(|axis| S::Sum::of(position[axis] - low[axis] as f64));
        let rest = [0, 1, 2].map(|axis| S::Sum::of(1.0 - (position[axis] - low[axis] as f64)));
        let row = |j: usize, k: usize| {
            let at = low[0] + ni * (low[1] + j + nj * (low[2] + k));
            match &sampling.source[at..at + 2] {
                [a, b] => lerp(a.widen(), b.widen(), rest[0], high[0]),
                _ => S::Sum::default(),
            }
        };
        let front = lerp(row(0, 0), row(1, 0), rest[1], high[1]);
        let back = lerp(row(0, 1), row(1, 1), rest[1], high[1]);
        *sum = *sum + lerp(front, back, rest[2], high[2]);
    }
}
