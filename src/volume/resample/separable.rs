//! Linear samples between grids with parallel axes: three passes of one-dimensional weights, in the source's own order
//! of axes so that the first two run along whole rows.

use super::axes::{self, AxisMap};
use super::plain::{Edge, Sampling};
use super::sample::{Sample, Sum};
use glam::DVec3;
use rayon::prelude::*;
use std::ops::Range;

/// Which source indices a target index along one axis is made of, and how much of each.
struct Taps<A> {
    /// The target indices that have a value; they follow each other, since positions run in one direction.
    inside: Range<usize>,
    /// One for each of them.
    spans: Vec<Span>,
    weights: Vec<A>,
    /// The source indices that any of them needs.
    needed: Range<usize>,
}

struct Span {
    first: usize,
    weights: Range<usize>,
}

impl<A: Sum> Taps<A> {
    /// Sub-samples at `offsets` around each target index; those beyond the source's faces do not count.
    fn new(
        map: &AxisMap,
        target_axis: usize,
        target_size: usize,
        source_size: usize,
        offsets: &[f64],
    ) -> Self {
        let mut taps = Self { inside: 0..0, spans: Vec::new(), weights: Vec::new(), needed: 0..0 };
        for index in 0..target_size {
            let edge = |offset: &f64| Edge::at(source_size, map.position(target_axis, index as f64 + offset));
            let edges: Vec<Edge> = offsets.iter().filter_map(edge).collect();
            if !edges.is_empty() {
                if taps.spans.is_empty() {
                    taps.inside.start = index;
                }
                taps.inside.end = index + 1;
                taps.push(&edges);
            }
        }
        taps
    }

    fn push(&mut self, edges: &[Edge]) {
        let first = edges.iter().map(|edge| edge.low).min().unwrap_or(0);
        let last = edges.iter().map(|edge| edge.high).max().unwrap_or(0);
        let mut shares = vec![0.0f64; last + 1 - first];
        for edge in edges {
            shares[edge.low - first] += (1.0 - edge.fraction) / edges.len() as f64;
            shares[edge.high - first] += edge.fraction / edges.len() as f64;
        }
        // A neighbour without weight need not be read, and its NaN not be repaired.
        let skipped = shares.iter().take_while(|share| **share == 0.0).count();
        let kept = shares.iter().rposition(|share| *share != 0.0).map_or(0, |last| last + 1);
        let start = self.weights.len();
        self.weights.extend(shares[skipped..kept].iter().map(|share| A::of(*share)));
        let read = first + skipped..first + kept;
        self.needed = match self.spans.is_empty() {
            true => read.clone(),
            false => self.needed.start.min(read.start)..self.needed.end.max(read.end),
        };
        self.spans.push(Span { first: read.start, weights: start..self.weights.len() });
    }

    /// First source index and weights of a target index; `None` where it lies outside.
    fn at(&self, index: usize) -> Option<(usize, &[A])> {
        let span = self.spans.get(index.checked_sub(self.inside.start)?)?;
        Some((span.first, &self.weights[span.weights.clone()]))
    }
}

pub(super) fn resample<S: Sample, O: Copy + Default + Send + Sync>(
    sampling: &Sampling<S>,
    map: AxisMap,
    target_dims: [usize; 3],
    outside: O,
    finish: impl Fn(S::Sum) -> O + Sync,
) -> Vec<O> {
    let sizes = map.by_source(target_dims);
    let taps: [Taps<S::Sum>; 3] = [0, 1, 2].map(|source| {
        let target = map.target_axis(source);
        Taps::new(&map, target, sizes[source], sampling.dims[source], &sampling.offsets[target])
    });
    let missing = |index: [usize; 3]| {
        let voxel = DVec3::from_array(map.source_axis.map(|source| index[source] as f64));
        sampling.at(voxel).map_or(outside, |value| finish(S::Sum::of(value)))
    };
    let mut voxels = vec![O::default(); target_dims.iter().product()];
    voxels.par_chunks_mut(sizes[0] * sizes[1]).enumerate().for_each_init(
        Scratch::default,
        |scratch, (k, slice)| {
            let Some((first_k, weights_k)) = taps[2].at(k) else { return slice.fill(outside) };
            scratch.blend_slices(sampling, &taps, first_k, weights_k);
            for (j, row) in slice.chunks_mut(sizes[0]).enumerate() {
                let Some((first_j, weights_j)) = taps[1].at(j) else {
                    row.fill(outside);
                    continue;
                };
                scratch.blend_rows(&taps, first_j, weights_j);
                let inside = taps[0].inside.clone();
                row[..inside.start].fill(outside);
                row[inside.end..].fill(outside);
                for ((i, value), span) in inside.clone().zip(&mut row[inside]).zip(&taps[0].spans) {
                    let first = span.first - taps[0].needed.start;
                    let weights = &taps[0].weights[span.weights.clone()];
                    let sum = dot(&scratch.row[first..first + weights.len()], weights);
                    *value = if sum.is_finite() { finish(sum) } else { missing([i, j, k]) };
                }
            }
        },
    );
    if map.source_axis == [0, 1, 2] {
        return voxels;
    }
    axes::permuted(&voxels, sizes, map.source_axis, [false; 3])
}

/// What one thread computes on, only as large as the part of the source that is needed.
#[derive(Default)]
struct Scratch<A> {
    /// Source slices blended into one.
    slice: Vec<A>,
    /// Its rows blended into one.
    row: Vec<A>,
}

impl<A: Sum> Scratch<A> {
    fn blend_slices<S: Sample<Sum = A>>(
        &mut self,
        sampling: &Sampling<S>,
        taps: &[Taps<A>; 3],
        first: usize,
        weights: &[A],
    ) {
        let [along_i, along_j] = [taps[0].needed.clone(), taps[1].needed.clone()];
        let [ni, nj, _] = sampling.dims;
        let width = along_i.len();
        self.slice.resize(width * along_j.len(), A::default());
        if width == 0 {
            return;
        }
        for (blended, j) in self.slice.chunks_mut(width).zip(along_j) {
            let row = |k: usize| {
                let start = ni * (j + nj * k);
                &sampling.source[start + along_i.start..start + along_i.end]
            };
            blend(blended, |tap| row(first + tap), weights, S::widen);
        }
    }

    fn blend_rows(&mut self, taps: &[Taps<A>; 3], first: usize, weights: &[A]) {
        let width = taps[0].needed.len();
        self.row.resize(width, A::default());
        let slice = &self.slice;
        let row = |j: usize| &slice[(j - taps[1].needed.start) * width..][..width];
        blend(&mut self.row, |tap| row(first + tap), weights, |sum| sum);
    }
}

/// The weighted sum of rows. The compiler makes vector instructions of the two usual cases.
fn blend<'a, T: Copy + 'a, A: Sum>(
    blended: &mut [A],
    row: impl Fn(usize) -> &'a [T],
    weights: &[A],
    widen: impl Fn(T) -> A,
) {
    match *weights {
        [a] => {
            for (sum, x) in blended.iter_mut().zip(row(0)) {
                *sum = widen(*x) * a;
            }
        }
        [a, b] => {
            for ((sum, x), y) in blended.iter_mut().zip(row(0)).zip(row(1)) {
                *sum = widen(*x) * a + widen(*y) * b;
            }
        }
        _ => {
            blended.fill(A::default());
            for (tap, &weight) in weights.iter().enumerate() {
                for (sum, x) in blended.iter_mut().zip(row(tap)) {
                    *sum = *sum + widen(*x) * weight;
                }
            }
        }
    }
}

fn dot<A: Sum>(values: &[A], weights: &[A]) -> A {
    match (values, weights) {
        ([x, y], [a, b]) => *x * *a + *y * *b,
        _ => values.iter().zip(weights).fold(A::default(), |sum, (x, weight)| sum + *x * *weight),
    }
}
