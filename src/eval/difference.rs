//! Where two label maps of one scan differ, and by how much: what a change of the model or of its settings does.
//!
//! Invariant: nothing is said about which of the two is right.

use super::{GridsDiffer, SAME_GRID_MM, describe};
use crate::volume::{LabelMap, LabelTable, geometry_equal};

/// Voxels that only the first map gives a structure.
pub const ONLY_FIRST: u16 = 1;
/// Voxels that only the second map gives a structure.
pub const ONLY_SECOND: u16 = 2;
/// Voxels that belong to another structure in the second map.
pub const OTHER_STRUCTURE: u16 = 3;

/// Two label maps compared voxel by voxel.
#[derive(Debug, Clone)]
pub struct LabelDifference {
    /// On their grid: 0 where they agree, else one of the values above.
    pub map: LabelMap,
    /// In the table's order.
    pub structures: Vec<StructureDifference>,
}

/// One structure in both maps.
#[derive(Debug, Clone, PartialEq)]
pub struct StructureDifference {
    pub label: u16,
    pub name: String,
    /// Voxels in the first map, in the second, and in both.
    pub voxels: [usize; 3],
    /// Volume in the first map, mL; `None` where the voxel size is unknown.
    pub first_ml: Option<f64>,
    /// Volume in the second map, mL; `None` where the voxel size is unknown.
    pub second_ml: Option<f64>,
}

impl StructureDifference {
    /// Dice of the two; `None` where neither has any of it.
    pub fn dice(&self) -> Option<f64> {
        let [first, second, both] = self.voxels;
        (first + second > 0).then(|| 2.0 * both as f64 / (first + second) as f64)
    }

    /// Volume in the first less volume in the second, mL.
    pub fn change_ml(&self) -> Option<f64> {
        Some(self.first_ml? - self.second_ml?)
    }
}

/// Compares two maps that use the values of `table` on one grid.
pub fn label_difference(
    first: &LabelMap,
    second: &LabelMap,
    table: &LabelTable,
) -> Result<LabelDifference, GridsDiffer> {
    let grid = first.geometry();
    if !geometry_equal(grid, second.geometry(), SAME_GRID_MM) {
        return Err(GridsDiffer { expected: describe(grid), got: describe(second.geometry()) });
    }
    let pairs = first.voxels().iter().zip(second.voxels());
    let codes = pairs.clone().map(|(&a, &b)| match (a, b) {
        (a, b) if a == b => 0,
        (_, 0) => ONLY_FIRST,
        (0, _) => ONLY_SECOND,
        _ => OTHER_STRUCTURE,
    });
    let mut map = first.clone();
    map.voxels_mut().iter_mut().zip(codes).for_each(|(voxel, code)| *voxel = code);
    let voxel_ml = grid.voxel_ml();
    let structures = table.entries.iter().map(|entry| {
        let mut voxels = [0; 3];
        for (&a, &b) in pairs.clone() {
            let (a, b) = (a == entry.value, b == entry.value);
            voxels[0] += usize::from(a);
            voxels[1] += usize::from(b);
            voxels[2] += usize::from(a && b);
        }
        let ml = |count: usize| voxel_ml.map(|ml| ml * count as f64);
        let (first_ml, second_ml) = (ml(voxels[0]), ml(voxels[1]));
        StructureDifference { label: entry.value, name: entry.name.clone(), voxels, first_ml, second_ml }
    });
    let structures = structures.collect();
    Ok(LabelDifference { map, structures })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::volume::{Geometry, Task, Volume};

    fn labels(value: impl Fn(usize) -> u16) -> LabelMap {
        let grid = Geometry::axis_aligned([10, 1, 1], [10.0; 3], [0.0; 3]).unwrap();
        Volume::from_fn(grid, |i, _, _| value(i))
    }

    #[test]
    fn what_was_gained_lost_and_renamed_is_told_apart_and_measured() {
        let first = labels(|i| [1, 1, 1, 0, 4, 4, 0, 0, 2, 0][i]);
        let second = labels(|i| [1, 1, 0, 1, 4, 2, 0, 0, 2, 0][i]);
        let found = label_difference(&first, &second, Task::Abdomen.table()).unwrap();
        assert_eq!(found.map.voxels(), [0, 0, ONLY_FIRST, ONLY_SECOND, 0, OTHER_STRUCTURE, 0, 0, 0, 0]);
        let [liver, right, left, spleen] = &found.structures[..] else { panic!() };
        assert_eq!((liver.voxels, liver.change_ml(), liver.dice()), ([3, 3, 2], Some(0.0), Some(2.0 / 3.0)));
        assert_eq!((right.voxels, right.change_ml()), ([1, 2, 1], Some(-1.0)));
        assert_eq!((left.voxels, left.dice()), ([0, 0, 0], None));
        assert_eq!((spleen.first_ml, spleen.second_ml), (Some(2.0), Some(1.0)));
    }

    #[test]
    fn maps_of_two_grids_are_not_compared() {
        let elsewhere = Geometry::axis_aligned([10, 1, 1], [9.0; 3], [0.0; 3]).unwrap();
        let other = Volume::from_fn(elsewhere, |_, _, _| 0u16);
        assert!(label_difference(&labels(|_| 0), &other, Task::Abdomen.table()).is_err());
    }
}
