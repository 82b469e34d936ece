//! Of each label only its largest connected part.
//!
//! Voxels are connected where they share a face, an edge or a corner (26 neighbours). Rows are cut into runs of one
//! label, and runs that touch are joined, so that memory grows with the surface of the structures and not with the grid.

use super::LabelMap;
use std::ops::Range;

/// Sets every voxel to 0 that does not belong to the largest 26-connected part of its label. Of equally large parts the
/// one that comes first in the grid stays.
pub fn keep_largest_islands(labels: &mut LabelMap) {
    let dims = labels.dims();
    let mut runs = Runs::of(labels.voxels(), dims);
    runs.join_neighbours();
    let kept = runs.kept();
    for (run, kept) in runs.runs.iter().zip(kept) {
        if !kept {
            labels.voxels_mut()[run.voxels.clone()].fill(0);
        }
    }
}

/// Voxels of one label that follow each other in one row.
#[derive(Debug)]
struct Run {
    label: u16,
    voxels: Range<usize>,
}

#[derive(Debug)]
struct Runs {
    dims: [usize; 3],
    runs: Vec<Run>,
    /// The runs of each row, as a range of `runs`.
    rows: Vec<Range<usize>>,
    /// Towards the first run of its part; that one points to itself.
    parent: Vec<usize>,
}

impl Runs {
    fn of(voxels: &[u16], dims: [usize; 3]) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        let mut rows = Vec::with_capacity(dims[1] * dims[2]);
        for (row, values) in voxels.chunks_exact(dims[0]).enumerate() {
            let first = runs.len();
            let mut start = 0;
            for part in values.chunk_by(|a, b| a == b) {
                if part[0] != 0 {
                    let from = row * dims[0] + start;
                    runs.push(Run { label: part[0], voxels: from..from + part.len() });
                }
                start += part.len();
            }
            rows.push(first..runs.len());
        }
        let parent = (0..runs.len()).collect();
        Self { dims, runs, rows, parent }
    }

    /// Joins each run with those it touches in the four neighbouring rows that come before its own.
    fn join_neighbours(&mut self) {
        let [_, nj, nk] = self.dims;
        for k in 0..nk {
            for j in 0..nj {
                let row = j + nj * k;
                if self.rows[row].is_empty() {
                    continue;
                }
                if j > 0 {
                    self.join_rows(row, row - 1);
                }
                if k > 0 {
                    for beside in j.saturating_sub(1)..=(j + 1).min(nj - 1) {
                        self.join_rows(row, beside + nj * (k - 1));
                    }
                }
            }
        }
    }

    /// Walks along two rows at once: both have their runs in order.
    fn join_rows(&mut self, row: usize, earlier: usize) {
        let (here, there) = (self.rows[row].clone(), self.rows[earlier].clone());
        let (row_start, earlier_start) = (row * self.dims[0], earlier * self.dims[0]);
        let mut next = there.start;
        for a in here {
            let columns = self.runs[a].voxels.start - row_start..self.runs[a].voxels.end - row_start;
            // Corners count: the ends may lie one column apart.
            while next < there.end && self.runs[next].voxels.end - earlier_start < columns.start {
                next += 1;
            }
            let mut b = next;
            while b < there.end && self.runs[b].voxels.start - earlier_start <= columns.end {
                if self.runs[a].label == self.runs[b].label {
                    self.join(a, b);
                }
                b += 1;
            }
        }
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.first_of(a), self.first_of(b));
        self.parent[a.max(b)] = a.min(b);
    }

    fn first_of(&mut self, mut run: usize) -> usize {
        while self.parent[run] != run {
            self.parent[run] = self.parent[self.parent[run]];
            run = self.parent[run];
        }
        run
    }

    /// By run: whether it belongs to the largest part of its label.
    fn kept(&mut self) -> Vec<bool> {
        let first: Vec<usize> = (0..self.runs.len()).map(|run| self.first_of(run)).collect();
        let mut size = vec![0usize; self.runs.len()];
        for (run, first) in self.runs.iter().zip(&first) {
            size[*first] += run.voxels.len();
        }
        let mut largest = std::collections::BTreeMap::<u16, usize>::new();
        for &part in &first {
            let best = largest.entry(self.runs[part].label).or_insert(part);
            if size[part] > size[*best] {
                *best = part;
            }
        }
        first.iter().map(|part| largest.get(&self.runs[*part].label) == Some(part)).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::volume::{Geometry, Volume};

    fn map(dims: [usize; 3], voxels: &[u16]) -> LabelMap {
        let grid = Geometry::axis_aligned(dims, [1.0; 3], [0.0; 3]).unwrap();
        Volume::new(voxels.to_vec(), grid).unwrap()
    }

    fn kept(dims: [usize; 3], voxels: &[u16]) -> Vec<u16> {
        let mut labels = map(dims, voxels);
        keep_largest_islands(&mut labels);
        labels.into_voxels()
    }

    #[test]
    fn each_structure_keeps_its_own_largest_part() {
        let before = [1, 1, 0, 1, 2, 0, 2, 2, 2, 3];
        assert_eq!(kept([10, 1, 1], &before), [1, 1, 0, 0, 0, 0, 2, 2, 2, 3]);
    }

    #[test]
    fn parts_that_meet_in_a_corner_only_are_one() {
        // Voxels (0, 0, 0) and (1, 1, 1) of label 1; of label 2, (3, 0, 0) and (3, 1, 1) share an edge.
        let mut labels = map([4, 2, 2], &[0; 16]);
        for (offset, label) in [(0, 1), (13, 1), (3, 2), (15, 2)] {
            labels.voxels_mut()[offset] = label;
        }
        let before = labels.clone();
        keep_largest_islands(&mut labels);
        assert_eq!(labels, before);
    }

    #[test]
    fn of_two_parts_of_one_size_the_first_stays_and_an_empty_map_stays_empty() {
        assert_eq!(kept([5, 1, 1], &[7, 7, 0, 7, 7]), [7, 7, 0, 0, 0]);
        assert_eq!(kept([3, 1, 1], &[0; 3]), [0; 3]);
    }

    #[test]
    fn the_end_of_one_row_does_not_touch_the_start_of_the_next() {
        assert_eq!(kept([4, 2, 1], &[0, 0, 1, 1, 1, 0, 0, 0]), [0, 0, 1, 1, 0, 0, 0, 0]);
    }

    /// What the definition says, voxel by voxel.
    fn flooded(labels: &LabelMap) -> LabelMap {
        let dims = labels.dims();
        let mut part = vec![usize::MAX; labels.voxels().len()];
        let mut sizes = Vec::new();
        for start in 0..part.len() {
            if labels.voxels()[start] == 0 || part[start] != usize::MAX {
                continue;
            }
            let (mut open, mut size) = (vec![start], 0);
            part[start] = sizes.len();
            while let Some(here) = open.pop() {
                size += 1;
                let at = [here % dims[0], here / dims[0] % dims[1], here / dims[0] / dims[1]];
                for step in 0..27usize {
                    let to = [0, 1, 2].map(|a| (at[a] + step / [1, 3, 9][a] % 3).wrapping_sub(1));
                    if (0..3).all(|a| to[a] < dims[a]) {
                        let there = labels.offset(to[0], to[1], to[2]);
                        if labels.voxels()[there] == labels.voxels()[start] && part[there] == usize::MAX {
                            part[there] = sizes.len();
                            open.push(there);
                        }
                    }
                }
            }
            sizes.push((labels.voxels()[start], size));
        }
        let largest = |label: u16| {
            let mut best: Option<usize> = None;
            for (index, &(of, size)) in sizes.iter().enumerate() {
                if of == label && best.is_none_or(|best| size > sizes[best].1) {
                    best = Some(index);
                }
            }
            best
        };
        let mut offset = 0;
        labels.map(|&label| {
            offset += 1;
            if label != 0 && largest(label) == Some(part[offset - 1]) { label } else { 0 }
        })
    }

    #[test]
    fn joining_runs_finds_what_flooding_voxel_by_voxel_finds() {
        for seed in 0..40u32 {
            let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
            let grid = Geometry::axis_aligned([9, 7, 5], [1.0; 3], [0.0; 3]).unwrap();
            let mut labels = Volume::from_fn(grid, |_, _, _| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                [0, 0, 0, 1, 2, 0][(state >> 24) as usize % 6]
            });
            let expected = flooded(&labels);
            keep_largest_islands(&mut labels);
            assert_eq!(labels, expected, "seed {seed}");
        }
    }
}
