//! Scores against values that another program computed, and what is said where there is no score.

#![allow(clippy::unwrap_used)]

use mindgap::eval::{self, Report};
use mindgap::volume::{Geometry, LabelMap, Task, Volume};

fn scores(prediction: &LabelMap, reference: &LabelMap) -> Report {
    eval::evaluate(prediction, reference, Task::Abdomen.table()).unwrap()
}

/// Four ellipsoids, moved and resized by `change` voxels a structure.
fn ellipsoids(change: [[f64; 3]; 4]) -> LabelMap {
    const SHAPES: [([f64; 3], [f64; 3]); 4] = [
        ([80.0, 120.0, 64.0], [50.0, 45.0, 40.0]),
        ([170.0, 110.0, 50.0], [30.0, 35.0, 30.0]),
        ([140.0, 190.0, 80.0], [25.0, 22.0, 28.0]),
        ([120.0, 60.0, 90.0], [18.0, 15.0, 14.0]),
    ];
    let grid = Geometry::axis_aligned([256, 256, 128], [1.0, 1.0, 2.0], [0.0; 3]).unwrap();
    Volume::from_fn(grid, |i, j, k| {
        let index = [i as f64, j as f64, k as f64];
        let inside = |n: &usize| {
            let (centre, radius) = SHAPES[*n];
            let d = change[*n];
            (0..3)
                .map(|a| ((index[a] - centre[a] - d[a]) / (radius[a] + d[(a + 1) % 3])).powi(2))
                .sum::<f64>()
                < 1.0
        };
        // Where they overlap, the last one lies on top.
        (0..4usize).rev().find(inside).map_or(0, |n| n as u16 + 1)
    })
}

#[test]
fn scores_agree_with_medpy_to_three_decimals() {
    // Computed with MedPy's assd and hd95 and numpy on the same pair of volumes.
    const DICE: [f64; 4] = [0.8929, 0.8939, 0.8209, 0.7769];
    const ASSD_MM: [f64; 4] = [3.884, 2.776, 3.083, 2.962];
    const HD95_MM: [f64; 4] = [9.695, 7.280, 5.385, 6.325];
    let changed = ellipsoids([[3.0, -2.0, -4.0], [-2.0, -1.0, 3.0], [0.0, -4.0, -1.0], [1.0, 3.0, 2.0]]);
    let report = scores(&ellipsoids([[0.0; 3]; 4]), &changed);
    for (n, score) in report.structures.iter().enumerate() {
        assert!((score.dice.unwrap() - DICE[n]).abs() < 6e-5, "{score:?}");
        assert!((score.assd_mm.unwrap() - ASSD_MM[n]).abs() < 6e-4, "{score:?}");
        assert!((score.hd95_mm.unwrap() - HD95_MM[n]).abs() < 6e-4, "{score:?}");
    }
    assert!((report.mean.dice.unwrap() - DICE.iter().sum::<f64>() / 4.0).abs() < 6e-5);
}

fn grid() -> Geometry {
    Geometry::axis_aligned([6, 5, 4], [2.0, 1.0, 3.0], [0.0; 3]).unwrap()
}

fn block(value: u16, first: usize) -> LabelMap {
    Volume::from_fn(grid(), |i, _, _| if (first..first + 2).contains(&i) { value } else { 0 })
}

#[test]
fn a_structure_the_reference_lacks_is_undefined_and_never_zero() {
    let report = scores(&block(1, 1), &block(2, 1));
    let [liver, right_kidney, left_kidney, _] = &report.structures[..] else { panic!("{report:?}") };
    assert_eq!((liver.dice, liver.assd_mm, liver.hd95_mm), (None, None, None));
    assert_eq!((right_kidney.dice, right_kidney.assd_mm, right_kidney.hd95_mm), (Some(0.0), None, None));
    assert_eq!(left_kidney.dice, None);
    assert_eq!((report.mean.dice, report.mean.hd95_mm), (Some(0.0), None));
    let json = serde_json::to_value(&report).unwrap();
    assert!(json["structures"][0]["dice"].is_null() && json["mean"]["assd_mm"].is_null());
    assert!(report.to_string().contains("undefined") && !report.to_string().contains("NaN"));
}

#[test]
fn a_shift_of_one_voxel_is_one_voxel_in_mm() {
    let report = scores(&block(1, 1), &block(1, 2));
    let liver = &report.structures[0];
    assert_eq!(liver.dice, Some(0.5));
    assert_eq!((liver.assd_mm, liver.hd95_mm), (Some(1.0), Some(2.0)));
    assert_eq!(scores(&block(1, 1), &block(1, 1)).structures[0].assd_mm, Some(0.0));
}

#[test]
fn no_millimetres_are_reported_without_a_known_spacing() {
    let unknown = |map: LabelMap| {
        let grid = map.geometry().clone().with_unknown_spacing();
        Volume::new(map.into_voxels(), grid).unwrap()
    };
    // What one of the two does not know counts: the other may have lost it on the way through a file.
    for (prediction, reference) in [
        (unknown(block(1, 1)), unknown(block(1, 2))),
        (unknown(block(1, 1)), block(1, 2)),
        (block(1, 1), unknown(block(1, 2))),
    ] {
        let report = scores(&prediction, &reference);
        let liver = &report.structures[0];
        assert_eq!((liver.dice, liver.assd_mm), (Some(0.5), None));
        assert_eq!((liver.prediction_ml, liver.reference_ml), (None, None));
        assert!(report.warnings[0].contains("voxel size is unknown"));
    }
}

#[test]
fn maps_on_different_grids_are_not_compared() {
    let moved = Volume::new(block(1, 1).into_voxels(), grid().window([0, 0, 1], [6, 5, 4]).unwrap()).unwrap();
    let error = eval::evaluate(&moved, &block(1, 1), Task::Abdomen.table()).unwrap_err().to_string();
    assert!(error.contains("differ in geometry"), "{error}");
}
