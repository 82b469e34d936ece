//! By how much, and on which slice, the boundary of a structure moved between two label maps of one scan, in words.
//!
//! Made for the cycle of a translation: the scan's labels first, those of its back-translation second. Invariant: where a
//! distance is undefined (voxel size unknown, grid sheared) none is told. The edge of a structure is that of its largest
//! connected part: specks far away, which nets draw, would otherwise decide what moved by how much.

use super::surface::{self, BoundingBox, Mask};
use super::{GridsDiffer, StructureScore, distance, evaluate, percentile};
use crate::volume::{Geometry, LabelMap, LabelTable, keep_largest_islands};
use rayon::prelude::*;
use serde::Serialize;

/// Always shown beside a comparison of a scan with its cycle.
pub const CYCLE_CAVEAT: &str = "Agreement after a cycle does not prove that the synthetic image is right: two errors can \
    cancel, and the net that judges may itself be wrong.";

/// A boundary that moved by no more than this anywhere was kept, mm.
pub const KEPT_MM: f64 = 2.0;

/// A slice with fewer boundary voxels than this in both maps together shows a speck, and one of those decides nothing.
const LEAST_BOUNDARY: usize = 12;

/// What became of the boundary of one structure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "became")]
pub enum Boundary {
    /// In neither map.
    Absent,
    /// Only in the first.
    Lost,
    /// Only in the second.
    Appeared,
    /// In both, and nothing can be measured in mm.
    Unmeasured,
    /// Within [`KEPT_MM`] on every slice.
    Kept { largest_mm: f64 },
    Moved {
        /// The 95th percentile of the distances on the slice on which it is largest.
        largest_mm: f64,
        /// That slice, from 1 at the feet.
        slice: usize,
        /// A voxel of the boundary there that moved most.
        voxel: [usize; 3],
    },
}

/// One structure in two label maps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StructureShift {
    pub label: u16,
    pub name: String,
    /// `None` where the first map does not have the structure.
    pub dice: Option<f64>,
    /// 95th percentile of the surface distances of the whole structure, both directions.
    pub hd95_mm: Option<f64>,
    pub boundary: Boundary,
}

impl StructureShift {
    /// "Liver: edge moved 6 mm at slice 41".
    pub fn sentence(&self) -> String {
        let slice = match self.boundary {
            Boundary::Moved { slice, .. } => slice,
            _ => 0,
        };
        self.sentence_counting(slice)
    }

    /// The same where slices are counted in another way: `slice` is the one on which the boundary moved most.
    pub fn sentence_counting(&self, slice: usize) -> String {
        let name = &self.name;
        match self.boundary {
            Boundary::Absent => format!("{name}: in neither"),
            Boundary::Lost => format!("{name}: lost"),
            Boundary::Appeared => format!("{name}: appeared, though it was not there"),
            Boundary::Unmeasured => {
                format!("{name}: not measured, for the voxel size is unknown or the grid sheared")
            }
            Boundary::Kept { .. } => format!("{name}: kept within {KEPT_MM:.0} mm everywhere"),
            Boundary::Moved { largest_mm, .. } => {
                format!("{name}: edge moved {largest_mm:.0} mm at slice {slice}")
            }
        }
    }
}

/// Compares every structure of `table` in two label maps, in its order: Dice and HD95 of all its parts, the boundary of the
/// largest one.
///
/// # Errors
/// Where the maps lie on different grids.
pub fn structure_shifts(
    first: &LabelMap,
    second: &LabelMap,
    table: &LabelTable,
) -> Result<Vec<StructureShift>, GridsDiffer> {
    let report = evaluate(second, first, table)?;
    let values: Vec<u16> = table.entries.iter().map(|entry| entry.value).collect();
    let [first, second] = [first, second].map(|labels| {
        let mut largest = labels.clone();
        keep_largest_islands(&mut largest);
        largest
    });
    let extents = surface::extents(&first, &second, &values);
    let shift = |(score, extent): (StructureScore, Option<BoundingBox>)| {
        let boundary = extent.map_or(Boundary::Absent, |extent| boundary(&first, &second, &score, extent));
        let StructureScore { label, name, dice, hd95_mm, .. } = score;
        StructureShift { label, name, dice, hd95_mm, boundary }
    };
    Ok(report.structures.into_par_iter().zip(extents).map(shift).collect())
}

/// The axial slice that a voxel lies in, from 1 at the feet, along the scan's own slices.
pub fn axial_slice(grid: &Geometry, voxel: [usize; 3]) -> usize {
    let order = grid.reorientation();
    let axis = order.voxel_axis_of_world[2];
    if order.flipped[2] { grid.dims()[axis] - voxel[axis] } else { voxel[axis] + 1 }
}

fn boundary(first: &LabelMap, second: &LabelMap, score: &StructureScore, extent: BoundingBox) -> Boundary {
    let [one, two] = [first, second].map(|labels| Mask::cut(labels, score.label, extent));
    match (one.count(), two.count()) {
        (0, _) => Boundary::Appeared,
        (_, 0) => Boundary::Lost,
        // Distances are defined where the score has one.
        _ if score.hd95_mm.is_none() => Boundary::Unmeasured,
        _ => {
            let grid = first.geometry();
            let axis = grid.reorientation().voxel_axis_of_world[2];
            match largest_shift(&one.surface(), &two.surface(), grid.spacing_mm(), axis) {
                None => Boundary::Unmeasured,
                Some((largest_mm, _)) if largest_mm <= KEPT_MM => Boundary::Kept { largest_mm },
                Some((largest_mm, at)) => {
                    let voxel = [0, 1, 2].map(|axis| extent.first[axis] + at[axis]);
                    Boundary::Moved { largest_mm, slice: axial_slice(grid, voxel), voxel }
                }
            }
        }
    }
}

/// The largest of the slices' 95th percentiles of the distances from each surface to the other, and the voxel that moved
/// most on that slice. Slices follow each other along `axis`.
fn largest_shift(a: &Mask, b: &Mask, spacing_mm: [f64; 3], axis: usize) -> Option<(f64, [usize; 3])> {
    let mut slices: Vec<Vec<(f32, [usize; 3])>> = vec![Vec::new(); a.dims[axis]];
    for (from, to) in [(a, b), (b, a)] {
        let distances = distance::from_surface_to_surface(from, to, spacing_mm);
        for (voxel, mm) in distance::in_order_of_distances(from).zip(distances) {
            slices[voxel[axis]].push((mm, voxel));
        }
    }
    let judged = if slices.iter().any(|slice| slice.len() >= LEAST_BOUNDARY) { LEAST_BOUNDARY } else { 1 };
    let moved = slices.iter().filter(|slice| slice.len() >= judged).filter_map(|slice| {
        let mut distances: Vec<f32> = slice.iter().map(|(mm, _)| *mm).collect();
        let (_, farthest) = slice.iter().max_by(|one, other| one.0.total_cmp(&other.0))?;
        Some((percentile(&mut distances, 0.95)?, *farthest))
    });
    moved.max_by(|one, other| one.0.total_cmp(&other.0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::volume::{Task, Volume};
    use glam::{DMat4, DVec3};

    /// A liver of 20 x 20 x 10 voxels, and the same with the slices of `moved` moved along i.
    fn liver(grid: &Geometry, moved: impl Fn(usize) -> usize) -> LabelMap {
        Volume::from_fn(grid.clone(), |i, j, k| {
            let i = i as i64 - moved(k) as i64;
            u16::from((5..25).contains(&i) && (5..25).contains(&j) && (10..20).contains(&k))
        })
    }

    fn shift_of(first: &LabelMap, second: &LabelMap) -> StructureShift {
        structure_shifts(first, second, Task::Abdomen.table()).unwrap().remove(0)
    }

    #[test]
    fn a_structure_that_moved_on_one_slice_is_told_with_its_millimetres_and_that_slice() {
        let grid = Geometry::axis_aligned([40, 40, 30], [2.0, 1.0, 4.0], [0.0; 3]).unwrap();
        let (first, second) = (liver(&grid, |_| 0), liver(&grid, |k| if k == 14 { 2 } else { 0 }));
        let shift = shift_of(&first, &second);
        assert_eq!(shift.sentence(), "Liver: edge moved 4 mm at slice 15");
        let Boundary::Moved { voxel, .. } = shift.boundary else { panic!("{shift:?}") };
        assert_eq!(voxel[2], 14);
        assert!(shift.dice.unwrap() > 0.98 && shift.hd95_mm.unwrap() < 4.0, "{shift:?}");
    }

    #[test]
    fn slices_are_counted_from_the_feet_when_the_scan_is_stored_from_the_head() {
        let head_first = DMat4::from_scale(DVec3::new(2.0, 1.0, -4.0));
        let grid = Geometry::new([40, 40, 30], head_first).unwrap();
        let shift = shift_of(&liver(&grid, |_| 0), &liver(&grid, |k| if k == 14 { 2 } else { 0 }));
        assert_eq!(shift.sentence(), "Liver: edge moved 4 mm at slice 16");
    }

    #[test]
    fn a_shift_below_two_millimetres_is_kept_a_structure_that_went_is_lost_and_a_new_one_appeared() {
        let grid = Geometry::axis_aligned([40, 40, 30], [1.0; 3], [0.0; 3]).unwrap();
        let (liver, moved) = (liver(&grid, |_| 0), liver(&grid, |_| 1));
        let none = liver.map(|_| 0u16);
        assert_eq!(shift_of(&liver, &moved).sentence(), "Liver: kept within 2 mm everywhere");
        assert_eq!(shift_of(&liver, &none).sentence(), "Liver: lost");
        assert_eq!(shift_of(&none, &liver).boundary, Boundary::Appeared);
        assert_eq!(shift_of(&none, &none).boundary, Boundary::Absent);
    }

    #[test]
    fn specks_far_away_do_not_decide_where_the_edge_moved_most() {
        let grid = Geometry::axis_aligned([60, 40, 30], [1.0; 3], [0.0; 3]).unwrap();
        let first = liver(&grid, |_| 0);
        let mut second = liver(&grid, |k| if k == 12 { 6 } else { 0 });
        // One of many voxels alone on its slice, and one of a few beside the structure's own.
        for (i, j, k) in (50..58).flat_map(|i| (30..38).map(move |j| (i, j, 28))).chain([(58, 38, 15)]) {
            let speck = second.offset(i, j, k);
            second.voxels_mut()[speck] = 1;
        }
        let Boundary::Moved { slice, largest_mm, .. } = shift_of(&first, &second).boundary else {
            panic!("it moved")
        };
        assert_eq!(slice, 13);
        assert!(largest_mm < 7.0, "{largest_mm}");
    }

    #[test]
    fn without_a_voxel_size_no_millimetres_are_told() {
        let grid = Geometry::axis_aligned([40, 40, 30], [1.0; 3], [0.0; 3]).unwrap().with_unknown_spacing();
        let shift = shift_of(&liver(&grid, |_| 0), &liver(&grid, |_| 5));
        assert_eq!(shift.boundary, Boundary::Unmeasured);
        assert!(!shift.sentence().contains(" mm") && shift.dice.is_some());
    }
}
