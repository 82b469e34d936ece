#![allow(clippy::unwrap_used)]

use super::*;
use crate::eval::gap::testing::{Abdomen, distance_mm, noise, noise_labels, noise_values};
use crate::volume::Task;
use glam::{DMat4, DVec4};

/// Mean and 95th percentile as numpy has them: the sorted values, and a straight line between two of them.
fn spread_by_definition(mut values: Vec<f32>) -> Option<(usize, f64, f64)> {
    values.retain(|value| value.is_finite());
    values.sort_by(f32::total_cmp);
    let last = values.len().checked_sub(1)?;
    let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len() as f64;
    let position = 0.95 * last as f64;
    let (below, above) = (position.floor() as usize, position.ceil() as usize);
    let [below_value, above_value] = [below, above].map(|n| f64::from(values[n]));
    Some((values.len(), mean, below_value + (above_value - below_value) * (position - below as f64)))
}

fn assert_spread(found: Option<GapSpread>, expected: Option<(usize, f64, f64)>, what: &str) {
    assert_eq!(found.is_some(), expected.is_some(), "{what}");
    if let (Some(found), Some((voxels, mean, p95))) = (found, expected) {
        assert_eq!(found.voxels, voxels, "{what}");
        assert!((found.mean - mean).abs() < 1e-9, "{what}: mean {} against {mean}", found.mean);
        assert!((found.p95 - p95).abs() < 1e-9, "{what}: p95 {} against {p95}", found.p95);
    }
}

#[test]
fn every_figure_of_a_structure_is_the_one_found_voxel_by_voxel() {
    let labels = noise_labels([11, 9, 8], [2.0, 1.5, 4.0], 3, 40);
    let mut gap = noise_values(&labels, 8);
    gap.voxels_mut()[17] = f32::NAN;
    let uncertainty = noise_values(&labels, 9);
    let mut next = noise(4);
    let body = labels.map(|_| next() < 0.7);
    let found = measure(&labels, &gap, Some(&uncertainty), &body, Task::Abdomen.table(), 0.6).unwrap();
    let all = || 0..labels.voxels().len();
    let gaps =
        |wanted: &dyn Fn(usize) -> bool| all().filter(|n| wanted(*n)).map(|n| gap.voxels()[n]).collect();
    for structure in &found.structures[..2] {
        let own: Vec<usize> = all().filter(|n| labels.voxels()[*n] == structure.label).collect();
        let near = |n: usize| own.iter().any(|m| distance_mm(&labels, n, *m) <= SHELL_MM + 1e-9);
        let is_own = |n: usize| labels.voxels()[n] == structure.label;
        assert_eq!(structure.voxels, own.len());
        assert!((structure.volume_ml.unwrap() - own.len() as f64 * 0.012).abs() < 1e-12);
        assert_spread(structure.inside, spread_by_definition(gaps(&is_own)), "inside");
        let shell = gaps(&|n| !is_own(n) && near(n));
        assert_spread(structure.shell, spread_by_definition(shell), "shell");
        let outside = gaps(&|n| !is_own(n) && !near(n) && body.voxels()[n]);
        assert_spread(structure.outside, spread_by_definition(outside), "outside");
        let sum: f64 = own.iter().map(|n| f64::from(uncertainty.voxels()[*n])).sum();
        assert!((structure.mean_uncertainty.unwrap() - sum / own.len() as f64).abs() < 1e-9);
        let finite: Vec<f32> = gaps(&|n| is_own(n) && gap.voxels()[n].is_finite());
        let covered = finite.iter().filter(|value| **value >= 0.6).count();
        assert_eq!(structure.coverage, Some(covered as f64 / finite.len() as f64));
    }
    let in_body = |n: usize| body.voxels()[n];
    assert_spread(found.body.gap, spread_by_definition(gaps(&in_body)), "body");
    let covered = all().filter(|n| in_body(*n) && gap.voxels()[*n] >= 0.6).count();
    let finite = all().filter(|n| in_body(*n) && gap.voxels()[*n].is_finite()).count();
    assert_eq!(found.body.coverage, Some(covered as f64 / finite as f64));
}

#[test]
fn a_structure_that_is_not_there_has_no_figures_and_none_of_them_is_zero_or_nan() {
    let labels = noise_labels([6, 5, 4], [1.0; 3], 1, 9);
    let gap = noise_values(&labels, 2);
    let body = labels.map(|_| true);
    let found = measure(&labels, &gap, None, &body, Task::Abdomen.table(), 0.5).unwrap();
    let spleen = &found.structures[3];
    assert_eq!((spleen.voxels, spleen.volume_ml, spleen.islands), (0, Some(0.0), 0));
    assert_eq!((spleen.inside, spleen.shell, spleen.outside), (None, None, None));
    assert_eq!((spleen.coverage, spleen.largest_island_share), (None, None));
    assert!(found.structures.iter().all(|structure| structure.mean_uncertainty.is_none()));
    let nobody = labels.map(|_| false);
    let found = measure(&labels, &gap, Some(&gap), &nobody, Task::Abdomen.table(), 0.5).unwrap();
    assert_eq!((found.body.gap, found.body.coverage, found.body.mean_uncertainty), (None, None, None));
    assert_eq!(found.structures[0].outside, None);
}

#[test]
fn millimetres_and_millilitres_are_undefined_where_the_voxel_size_is_unknown() {
    let labels = noise_labels([6, 5, 4], [1.0; 3], 1, 9);
    let unknown = labels.geometry().clone().with_unknown_spacing();
    let labels = Volume::new(labels.into_voxels(), unknown).unwrap();
    let (gap, body) = (noise_values(&labels, 2), labels.map(|_| true));
    let found = measure(&labels, &gap, None, &body, Task::Abdomen.table(), 0.5).unwrap();
    let liver = &found.structures[0];
    assert!(liver.voxels > 0 && liver.inside.is_some());
    assert_eq!((liver.volume_ml, liver.shell, liver.outside), (None, None, None));
    assert_eq!((found.spacing_mm, found.warnings.len()), (None, 1));
}

#[test]
fn pieces_of_an_organ_are_counted_and_the_share_of_the_largest_is_told() {
    let spleen = Abdomen::new().measured().structures[3].clone();
    let share = spleen.largest_island_share.unwrap();
    assert_eq!(spleen.islands, 2);
    assert!((0.85..0.95).contains(&share), "{share}");
}

#[test]
fn an_organ_that_is_cut_off_is_known_by_the_side_of_the_patient_and_not_by_the_voxel_axis() {
    // i runs to the left, j to superior, k to posterior.
    let mut affine = DMat4::ZERO;
    (affine.x_axis, affine.y_axis, affine.z_axis) = (-2.0 * DVec4::X, 2.0 * DVec4::Z, -2.0 * DVec4::Y);
    affine.w_axis = DVec4::W;
    let grid = Geometry::new([6, 6, 6], affine).unwrap();
    let at = |wanted: [usize; 3], grid: &Geometry| {
        let labels: LabelMap = Volume::from_fn(grid.clone(), |i, j, k| u16::from([i, j, k] == wanted));
        let gap = labels.map(|_| 0.5);
        let body = labels.map(|_| true);
        measure(&labels, &gap, None, &body, Task::Abdomen.table(), 0.5).unwrap().structures[0].borders.clone()
    };
    assert_eq!(at([2, 3, 3], &grid), Vec::<String>::new());
    assert_eq!(at([0, 3, 3], &grid), ["right"]);
    assert_eq!(at([2, 5, 5], &grid), ["superior", "posterior"]);
    assert_eq!(at([2, 5, 0], &grid.with_unknown_orientation()), ["last j", "first k"]);
}

#[test]
fn volumes_of_another_scan_and_thresholds_that_are_no_numbers_are_refused() {
    let labels = noise_labels([6, 5, 4], [1.0; 3], 1, 9);
    let elsewhere = noise_values(&noise_labels([6, 5, 4], [1.1, 1.0, 1.0], 1, 9), 1);
    let (gap, body) = (noise_values(&labels, 2), labels.map(|_| true));
    let table = Task::Abdomen.table();
    let refused = measure(&labels, &elsewhere, None, &body, table, 0.5);
    assert!(matches!(refused, Err(GapError::GridsDiffer { what: "gap", .. })));
    let refused = measure(&labels, &gap, Some(&elsewhere), &body, table, 0.5);
    assert!(matches!(refused, Err(GapError::GridsDiffer { what: "uncertainty", .. })));
    let refused = measure(&labels, &gap, None, &elsewhere.map(|_| true), table, 0.5);
    assert!(matches!(refused, Err(GapError::GridsDiffer { what: "body", .. })));
    assert!(matches!(measure(&labels, &gap, None, &body, table, f32::NAN), Err(GapError::Threshold(_))));
}
