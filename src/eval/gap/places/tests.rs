#![allow(clippy::unwrap_used)]

use super::*;
use crate::eval::gap::testing::{Abdomen, distance_mm, noise_labels, noise_values};
use crate::volume::{Geometry, Task};
use std::collections::BTreeMap;

fn table() -> &'static LabelTable {
    Task::Abdomen.table()
}

fn offset_of(labels: &LabelMap, place: &Place) -> usize {
    labels.offset(place.voxel[0], place.voxel[1], place.voxel[2])
}

/// A liver that fills the grid of 2 mm voxels, with humps of the gap around some voxels.
fn hilly(humps: &[([f64; 3], f64)]) -> (LabelMap, Volume<f32>) {
    let grid = Geometry::axis_aligned([50, 40, 30], [2.0; 3], [-50.0, 0.0, 7.0]).unwrap();
    let labels = Volume::from_fn(grid.clone(), |_, _, _| 1u16);
    let gap = Volume::from_fn(grid, |i, j, k| {
        let at = DVec3::new(i as f64, j as f64, k as f64);
        let hump = |(middle, height): &([f64; 3], f64)| {
            height * (-(at - DVec3::from_array(*middle)).length_squared() / 20.0).exp()
        };
        humps.iter().map(hump).sum::<f64>() as f32
    });
    (labels, gap)
}

#[test]
fn the_highest_hump_comes_first_at_its_own_voxel_and_position() {
    let (labels, gap) = hilly(&[([12.0, 12.0, 12.0], 0.5), ([37.0, 27.0, 17.0], 0.7)]);
    let found = places(&labels, &gap, None, table(), Cutoffs::default(), 9).unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].voxel, found[1].voxel), ([37, 27, 17], [12, 12, 12]));
    assert_eq!(found[0].position_mm, Some(DVec3::new(24.0, 54.0, 41.0)));
    assert_eq!((found[0].structure.as_str(), found[0].inside), ("Liver", true));
    assert_eq!((found[0].quadrant, found[0].mean_uncertainty), (None, None));
    assert_eq!(places(&labels, &gap, None, table(), Cutoffs::default(), 1).unwrap(), found[..1]);
}

#[test]
fn a_place_where_the_model_warns_comes_after_one_where_it_does_not() {
    let (labels, gap) = hilly(&[([12.0, 12.0, 12.0], 0.5), ([37.0, 27.0, 17.0], 0.7)]);
    let mut unsure = gap.map(|_| 0.1f32);
    let [ni, ..] = labels.dims();
    unsure.voxels_mut().iter_mut().enumerate().filter(|(n, _)| n % ni > 25).for_each(|(_, u)| *u = 0.9);
    let cutoffs = Cutoffs { gap: 0.2, uncertainty: 0.3 };
    let found = places(&labels, &gap, Some(&unsure), table(), cutoffs, 9).unwrap();
    assert_eq!(found[0].voxel, [12, 12, 12]);
    assert_eq!(found[0].quadrant, Some(Quadrant::HighGapSure));
    assert_eq!(found[1].quadrant, Some(Quadrant::HighGapUnsure));
    assert!((found[0].mean_uncertainty.unwrap() - 0.1).abs() < 1e-6);
    assert_eq!(Quadrant::of(0.1, 0.3, cutoffs), Quadrant::LowGapSure);
    assert_eq!(Quadrant::of(0.1, 0.31, cutoffs), Quadrant::LowGapUnsure);
}

#[test]
fn two_peaks_less_than_15_mm_apart_are_one_place_and_two_further_apart_are_two() {
    // Blocks of five voxels along i, the middle one low: the highest voxels of the outer ones are 12 or 20 mm apart.
    let (labels, _) = hilly(&[]);
    let voxels_of_places = |first: usize| {
        let gap = Volume::from_fn(labels.geometry().clone(), |i, j, k| match i / 5 {
            _ if j / 5 != 2 || k / 5 != 2 => 0.0,
            0 => {
                if i == first {
                    0.7f32
                } else {
                    0.5
                }
            }
            1 => 0.1,
            2 => {
                if i == 10 {
                    0.6
                } else {
                    0.4
                }
            }
            _ => 0.0,
        });
        let found = places(&labels, &gap, None, table(), Cutoffs::default(), 9).unwrap();
        found.iter().map(|place| place.voxel).collect::<Vec<_>>()
    };
    assert_eq!(voxels_of_places(4), [[4, 10, 10]]);
    assert_eq!(voxels_of_places(0), [[0, 10, 10], [10, 10, 10]]);
}

#[test]
fn equal_places_come_in_the_order_of_their_voxels() {
    let (labels, gap) = hilly(&[([37.0, 27.0, 17.0], 0.5), ([12.0, 12.0, 12.0], 0.5)]);
    let mut gap = gap;
    // Cut to two values, so that the scores are equal to the last bit.
    gap.voxels_mut().iter_mut().for_each(|value| *value = if *value > 0.3 { 0.5 } else { 0.0 });
    let found = places(&labels, &gap, None, table(), Cutoffs::default(), 9).unwrap();
    let first: Vec<usize> = found.iter().map(|place| offset_of(&labels, place)).collect();
    assert_eq!(found[0].score, found[1].score);
    assert!(first.is_sorted(), "{first:?}");
}

/// What the blocks are by definition: the mean score of those of their voxels that are in or within 5 mm of a structure,
/// and the first voxel with the highest one.
fn blocks_by_definition(labels: &LabelMap, score: &[f64], side: [usize; 3]) -> Vec<(f64, usize)> {
    let dims = labels.dims();
    let own: Vec<usize> = (0..score.len()).filter(|n| labels.voxels()[*n] != 0).collect();
    let wanted = |n: usize| own.iter().any(|m| distance_mm(labels, n, *m) <= 5.0 + 1e-9);
    let block = |n: usize| {
        let at = [n % dims[0], n / dims[0] % dims[1], n / dims[0] / dims[1]];
        [0, 1, 2].map(|axis| at[axis] / side[axis])
    };
    let mut members = BTreeMap::<[usize; 3], Vec<usize>>::new();
    (0..score.len()).filter(|n| wanted(*n)).for_each(|n| members.entry(block(n)).or_default().push(n));
    let summed = members.into_values().map(|voxels| {
        let mean = voxels.iter().map(|n| score[*n]).sum::<f64>() / voxels.len() as f64;
        let first_highest = voxels.iter().rev().max_by(|a, b| score[**a].total_cmp(&score[**b])).copied();
        (mean, first_highest.unwrap())
    });
    summed.collect()
}

#[test]
fn scores_are_those_found_by_trying_every_voxel_and_no_better_block_is_overlooked() {
    for seed in 0..4 {
        let spacing_mm = [3.4, 5.0, 2.0];
        let labels = noise_labels([14, 9, 22], spacing_mm, seed, 90);
        let (gap, unsure) = (noise_values(&labels, seed + 10), noise_values(&labels, seed + 20));
        let found = places(&labels, &gap, Some(&unsure), table(), Cutoffs::default(), 99).unwrap();
        let pairs = gap.voxels().iter().zip(unsure.voxels());
        let score: Vec<f64> = pairs.map(|(g, u)| f64::from(*g) * (1.0 - f64::from(*u))).collect();
        let blocks = blocks_by_definition(&labels, &score, [3, 2, 5]);
        let best = blocks.iter().map(|(mean, _)| *mean).fold(0.0, f64::max);
        assert!((found[0].score - best).abs() < 1e-9, "seed {seed}");
        for (n, place) in found.iter().enumerate() {
            let peak = offset_of(&labels, place);
            let (mean, _) = blocks.iter().find(|(_, highest)| *highest == peak).unwrap();
            assert!((place.score - mean).abs() < 1e-9, "seed {seed}: place {n}");
            let nearest_mm = |wanted: &dyn Fn(u16) -> bool| {
                let voxels = (0..score.len()).filter(|m| wanted(labels.voxels()[*m]));
                voxels.map(|m| distance_mm(&labels, peak, m)).fold(f64::INFINITY, f64::min)
            };
            let own_mm = nearest_mm(&|label| label == place.label);
            assert!(own_mm <= nearest_mm(&|label| label != 0) + 1e-9, "seed {seed}: place {n}");
            let apart = |other: &Place| distance_mm(&labels, peak, offset_of(&labels, other)) >= 15.0 - 1e-9;
            assert!(found[..n].iter().all(apart), "seed {seed}: place {n}");
        }
        assert!(found.is_sorted_by(|a, b| a.score >= b.score));
    }
}

#[test]
fn every_place_lies_in_or_beside_its_structure_and_is_no_larger_than_it_with_its_shell() {
    let case = Abdomen::new();
    let (labels, gap) = (&case.labels, &case.gap);
    let found = places(labels, gap, Some(&case.uncertainty), table(), Cutoffs::default(), 5).unwrap();
    assert_eq!((found[0].structure.as_str(), found[1].structure.as_str()), ("Liver", "Spleen"));
    for place in &found {
        let peak = offset_of(labels, place);
        let own = || (0..labels.voxels().len()).filter(|n| labels.voxels()[*n] == place.label);
        assert!(own().any(|n| distance_mm(labels, n, peak) <= 5.0 + 1e-9));
        assert_eq!(place.inside, labels.voxels()[peak] == place.label);
        let structures = labels.voxels().iter().filter(|label| **label != 0).count();
        assert!(place.volume_ml.unwrap() < 2.0 * structures as f64 * labels.geometry().voxel_ml().unwrap());
    }
}

#[test]
fn a_scan_without_structures_or_without_any_gap_has_no_places() {
    let (labels, gap) = hilly(&[([12.0, 12.0, 12.0], 0.5)]);
    let cutoffs = Cutoffs::default();
    assert_eq!(places(&labels.map(|_| 0), &gap, None, table(), cutoffs, 5).unwrap(), []);
    assert_eq!(places(&labels, &gap.map(|_| 0.0), None, table(), cutoffs, 5).unwrap(), []);
    assert_eq!(places(&labels, &gap.map(|_| f32::NAN), None, table(), cutoffs, 5).unwrap(), []);
}

#[test]
fn no_position_is_given_where_it_is_unknown_what_is_left_and_right() {
    let (labels, gap) = hilly(&[([12.0, 12.0, 12.0], 0.5)]);
    let grid = labels.geometry().clone().with_unknown_orientation();
    let [labels, gap] = [labels.map(|v| f32::from(*v)), gap]
        .map(|volume| Volume::new(volume.into_voxels(), grid.clone()).unwrap());
    let found = places(&labels.map(|v| *v as u16), &gap, None, table(), Cutoffs::default(), 5).unwrap();
    assert_eq!((found[0].position_mm, found[0].voxel), (None, [12, 12, 12]));
    assert!(found[0].volume_ml.is_some());
}
