#![allow(clippy::unwrap_used)]
use super::*;
use crate::volume::{Geometry, Volume, Voxels};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const PERCENTS: [f64; 6] = [0.0, 0.5, 37.3, 50.0, 99.5, 100.0];

fn grid(dims: [usize; 3]) -> Geometry {
    Geometry::axis_aligned(dims, [2.0, 1.0, 3.0], [0.0; 3]).unwrap()
}

fn scan(voxels: Voxels) -> Scan {
    let geometry = grid([voxels.len(), 1, 1]);
    Scan::new(voxels, Scaling::IDENTITY, geometry, "test").unwrap()
}

/// The textbook's way: sort, then look.
fn by_sorting(values: &[f64], percent: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let position = percent / 100.0 * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[position.floor() as usize], sorted[position.ceil() as usize]);
    low + (high - low) * position.fract()
}

fn assert_exact(scan: &Scan, case: &str) {
    let Scaling { slope, intercept } = scan.scaling();
    let values: Vec<f64> =
        (0..scan.voxels().len()).map(|at| scan.voxels().value(at) * slope + intercept).collect();
    let spread = Statistics::of_scan(scan, &PERCENTS).spread.unwrap();
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(1.0);
    for known in &spread.percentiles {
        let expected = by_sorting(&values, known.percent);
        assert!(close(known.value, expected), "{case} {}: {} {expected}", known.percent, known.value);
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
    assert!(close(spread.mean, mean) && close(spread.sd, variance.sqrt()), "{case}");
    assert_eq!(Some(spread.min), spread.percentile(0.0));
    assert_eq!(Some(spread.max), spread.percentile(100.0));
}

#[test]
fn percentiles_of_every_stored_type_are_those_of_the_sorted_values() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let wide: Vec<f64> = (0..20_001).map(|_| random.random_range(-1e6..1e6)).collect();
    macro_rules! stored {
        ($($variant:ident $kind:ty),*) => {
            [$(Voxels::$variant(wide.iter().map(|value| *value as $kind).collect())),*]
        };
    }
    let types = stored!(U8 u8, I8 i8, U16 u16, I16 i16, U32 u32, I32 i32, U64 u64, I64 i64, F32 f32, F64 f64);
    for voxels in types {
        for slope in [1.0, -0.25] {
            let geometry = grid([voxels.len(), 1, 1]);
            let scaling = Scaling { slope, intercept: 3.0 };
            let scan = Scan::new(voxels.clone(), scaling, geometry, "test").unwrap();
            assert_exact(&scan, &format!("{} times {slope}", voxels.dtype()));
        }
    }
    for few in [1, 2, 3] {
        assert_exact(&scan(Voxels::F32(wide[..few].iter().map(|v| *v as f32).collect())), "few");
    }
}

#[test]
fn what_is_no_value_is_counted_and_kept_out() {
    let nan = scan(Voxels::F32(vec![1.0, f32::NAN, 3.0, f32::INFINITY, f32::NEG_INFINITY]));
    let statistics = Statistics::of_scan(&nan, &[50.0]);
    assert_eq!((statistics.voxels, statistics.nonfinite, statistics.padding), (5, 3, 0));
    let spread = statistics.spread.unwrap();
    assert_eq!((spread.mean, spread.sd, spread.min, spread.max), (2.0, 1.0, 1.0, 3.0));

    let mut padded = scan(Voxels::I16(vec![-2000, -1990, 40, 60]));
    padded.padding = Some([-2000.0, -1990.0]);
    let statistics = Statistics::of_scan(&padded, &[0.0]);
    assert_eq!((statistics.padding, statistics.nonfinite), (2, 0));
    assert_eq!(statistics.spread.unwrap().percentile(0.0), Some(40.0));
    assert_eq!(padded.intensity_range(), Some([40.0, 60.0]));
    assert_eq!(Histogram::of_scan(&padded, 2).unwrap().counts, [1, 1]);
}

#[test]
fn nothing_has_no_figures_instead_of_zeros() {
    let empty = scan(Voxels::F64(vec![f64::NAN; 4]));
    assert_eq!(Statistics::of_scan(&empty, &PERCENTS).spread, None);
    assert_eq!(Histogram::of_scan(&empty, 8), None);
}

#[test]
fn a_constant_image_has_no_spread_and_a_histogram_of_some_width() {
    let flat = scan(Voxels::I16(vec![7; 1000]));
    let spread = Statistics::of_scan(&flat, &[0.5, 99.5]).spread.unwrap();
    assert_eq!((spread.mean, spread.sd, spread.min, spread.max), (7.0, 0.0, 7.0, 7.0));
    assert_eq!(spread.percentile(99.5), Some(7.0));
    let histogram = Histogram::of_scan(&flat, 4).unwrap();
    assert!(histogram.high - histogram.low >= 1.0);
    assert_eq!(histogram.counts.iter().sum::<usize>(), 1000);
}

#[test]
fn every_value_falls_into_one_bin_the_largest_into_the_last() {
    let ramp = scan(Voxels::U16((0..=1000).collect()));
    let histogram = Histogram::of_scan(&ramp, 10).unwrap();
    assert_eq!((histogram.low, histogram.high), (0.0, 1000.0));
    assert_eq!(histogram.counts, [100, 100, 100, 100, 100, 100, 100, 100, 100, 101]);
}

#[test]
fn a_labels_figures_are_those_of_its_own_voxels() {
    // More voxels than one thread looks at in one go, so that labels reach across.
    let dims = [90, 80, 70];
    let label_of = |i: usize, j: usize| [0u16, 3, 40_000][(i / 20 + j / 30) % 3];
    let labels: LabelMap = Volume::from_fn(grid(dims), |i, j, _| label_of(i, j));
    let voxels: Vec<i32> =
        labels.voxels().iter().zip(0..).map(|(label, at)| i32::from(*label) + at % 11).collect();
    let mut scan = Scan::new(Voxels::I32(voxels), Scaling::IDENTITY, grid(dims), "test").unwrap();
    let rows = label_statistics(&labels, Some(&scan), &[50.0]);
    assert_eq!(rows.iter().map(|row| row.label).collect::<Vec<_>>(), [3, 40_000]);
    for row in &rows {
        let inside = labels.voxels().iter().filter(|label| **label == row.label).count();
        assert_eq!(row.voxels, inside);
        assert!((row.volume_ml.unwrap() - inside as f64 * 0.006).abs() < 1e-9);
        let spread = row.values.as_ref().unwrap().spread.as_ref().unwrap();
        let first = f64::from(row.label);
        assert_eq!((spread.min, spread.max), (first, first + 10.0));
        assert_eq!(spread.percentile(50.0), Some(first + 5.0));
    }
    assert_eq!(label_counts(&labels), rows.iter().map(|row| (row.label, row.voxels)).collect());
    scan.padding = Some([3.0, 13.0]);
    let padded = &label_statistics(&labels, Some(&scan), &[])[0];
    assert_eq!(padded.values.as_ref().unwrap().spread, None);
}

#[test]
fn a_missing_value_does_not_make_a_labels_mean_unknown() {
    let labels: LabelMap = Volume::from_fn(grid([4, 1, 1]), |i, _, _| [1, 1, 2, 0][i]);
    let values = Volume::from_fn(grid([4, 1, 1]), |i, _, _| [0.5, f32::NAN, f32::NAN, 9.0][i]);
    assert_eq!(label_means(&labels, &values).into_iter().collect::<Vec<_>>(), [(1, 0.5)]);
}

#[test]
fn no_millilitres_are_reported_where_the_voxel_size_is_unknown() {
    let labels: LabelMap = Volume::from_fn(grid([2, 2, 2]).with_unknown_spacing(), |_, _, _| 1);
    let rows = label_statistics(&labels, None, &[]);
    assert_eq!((rows[0].voxels, rows[0].volume_ml, &rows[0].values), (8, None, &None));
}

#[test]
fn no_millilitres_are_reported_of_labels_whose_scan_lacks_slices() {
    let labels: LabelMap = Volume::from_fn(grid([2, 2, 2]), |_, _, _| 1);
    let scan = |grid| Scan::new(Voxels::U8(vec![0; 8]), Scaling::IDENTITY, grid, "test").unwrap();
    let volume_ml = |grid| label_statistics(&labels, Some(&scan(grid)), &[])[0].volume_ml;
    assert_eq!(volume_ml(grid([2, 2, 2])), Some(0.048));
    assert_eq!(volume_ml(grid([2, 2, 2]).with_missing_slices()), None);
}
