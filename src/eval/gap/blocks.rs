//! The scan in blocks of about 10 mm: what the gap and the uncertainty are in each, in and near structures.
//!
//! Invariant: a block says something of voxels that belong to a structure or lie near one, and of no other.

use super::islands::neighbours;
use super::near::{BallRow, ball, mark_near};
use super::places::{BLOCK_MM, REACH_MM};
use crate::eval::surface;
use crate::volume::{LabelMap, Volume};
use std::collections::{BTreeMap, BTreeSet};

/// Sums over the voxels of a block.
#[derive(Debug, Clone, Default)]
pub(super) struct Block {
    /// The structure of its peak, or the one nearest to it.
    pub label: u16,
    pub voxels: usize,
    pub gap: f64,
    pub uncertainty: f64,
    score: f64,
    /// Offset of the voxel with the highest score, the first of several.
    pub peak: usize,
    peak_score: f64,
}

impl Block {
    /// Mean of gap x (1 - uncertainty).
    pub(super) fn mean_score(&self) -> f64 {
        self.score / self.voxels as f64
    }

    fn add(&mut self, offset: usize, gap: f64, uncertainty: f64) {
        let score = gap * (1.0 - uncertainty);
        if self.voxels == 0 || score > self.peak_score {
            (self.peak, self.peak_score) = (offset, score);
        }
        self.voxels += 1;
        self.gap += gap;
        self.uncertainty += uncertainty;
        self.score += score;
    }
}

/// The blocks that have any such voxel, by their index in a grid of blocks whose first axis runs fastest.
pub(super) struct Blocks {
    dims: [usize; 3],
    pub blocks: BTreeMap<usize, Block>,
}

impl Blocks {
    /// Of the voxels of the `structures` and within 5 mm of them that have finite values; all volumes lie on one grid.
    pub(super) fn of(
        labels: &LabelMap,
        gap: &Volume<f32>,
        uncertainty: Option<&Volume<f32>>,
        structures: &[u16],
    ) -> Self {
        let spacing_mm = labels.geometry().spacing_mm();
        let reach = ball(spacing_mm, REACH_MM);
        let wanted = wanted_voxels(labels, structures, &reach);
        let structures: BTreeSet<u16> = structures.iter().copied().collect();
        let size = spacing_mm.map(|mm| ((BLOCK_MM / mm).round() as usize).max(1));
        let voxels = labels.dims();
        let dims = [0, 1, 2].map(|axis| voxels[axis].div_ceil(size[axis]));
        let mut blocks = BTreeMap::<usize, Block>::new();
        for (n, _) in wanted.iter().enumerate().filter(|(_, wanted)| **wanted) {
            let at = [n % voxels[0], n / voxels[0] % voxels[1], n / (voxels[0] * voxels[1])];
            let gap = f64::from(gap.voxels()[n]);
            let uncertainty = uncertainty.map_or(0.0, |values| f64::from(values.voxels()[n]));
            if gap.is_finite() && uncertainty.is_finite() {
                let [i, j, k] = [0, 1, 2].map(|axis| at[axis] / size[axis]);
                let block = blocks.entry(i + dims[0] * (j + dims[1] * k)).or_default();
                block.add(n, gap, uncertainty);
            }
        }
        for block in blocks.values_mut() {
            block.label = nearest_structure(labels, &structures, block.peak, &reach).unwrap_or(0);
        }
        Self { dims, blocks }
    }

    /// The blocks that share a face, an edge or a corner with one, by ascending index.
    pub(super) fn around(&self, index: usize) -> impl Iterator<Item = (usize, &Block)> {
        neighbours(self.dims, index).filter_map(|there| Some((there, self.blocks.get(&there)?)))
    }
}

/// By voxel: whether it belongs to one of the structures or lies near it.
fn wanted_voxels(labels: &LabelMap, structures: &[u16], reach: &[BallRow]) -> Vec<bool> {
    let mut wanted = vec![false; labels.voxels().len()];
    for (value, extent) in structures.iter().zip(surface::extents(labels, labels, structures)) {
        if let Some(extent) = extent {
            mark_near(&mut wanted, labels, *value, extent, reach);
        }
    }
    wanted
}

/// The structure of a voxel, or else that of the nearest voxel that has one; of several the smallest value.
fn nearest_structure(
    labels: &LabelMap,
    structures: &BTreeSet<u16>,
    offset: usize,
    reach: &[BallRow],
) -> Option<u16> {
    let [ni, nj, nk] = labels.dims().map(|size| size as i64);
    let spacing_mm = labels.geometry().spacing_mm();
    let [i, j, k] = [offset as i64 % ni, offset as i64 / ni % nj, offset as i64 / (ni * nj)];
    let mut nearest: Option<(f64, u16)> = None;
    for row in reach {
        for di in -row.half..=row.half {
            let to = [i + di, j + row.dj, k + row.dk];
            if !(0..ni).contains(&to[0]) || !(0..nj).contains(&to[1]) || !(0..nk).contains(&to[2]) {
                continue;
            }
            let label = labels.voxels()[(to[0] + ni * (to[1] + nj * to[2])) as usize];
            let steps = [di, row.dj, row.dk];
            let squared = (0..3).map(|axis| (steps[axis] as f64 * spacing_mm[axis]).powi(2)).sum();
            if structures.contains(&label) && nearest.is_none_or(|best| (squared, label) < best) {
                nearest = Some((squared, label));
            }
        }
    }
    nearest.map(|(_, label)| label)
}
