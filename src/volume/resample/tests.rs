#![allow(clippy::unwrap_used)]
use super::*;
use crate::volume::geometry_equal;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const DIMS: [usize; 3] = [9, 8, 7];

/// A grid whose axes run as a signed permutation says, with its centre at the origin.
fn turned(dims: [usize; 3], spacing_mm: [f64; 3], axis_of: [usize; 3], signs: u8, tilt: DMat4) -> Geometry {
    let mut affine = DMat4::IDENTITY;
    for axis in 0..3 {
        let sign = if signs >> axis & 1 == 1 { -1.0 } else { 1.0 };
        *affine.col_mut(axis) = glam::DVec4::ZERO;
        affine.col_mut(axis)[axis_of[axis]] = sign * spacing_mm[axis];
    }
    let middle = DVec3::from_array(dims.map(|size| (size as f64 - 1.0) / 2.0));
    affine = tilt * affine;
    affine.w_axis = (-affine.transform_vector3(middle)).extend(1.0);
    Geometry::new(dims, affine).unwrap()
}

/// All orders and directions of the axes.
fn orientations() -> impl Iterator<Item = ([usize; 3], u8)> {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    orders.into_iter().flat_map(|order| (0..8).map(move |signs| (order, signs)))
}

fn tilt() -> DMat4 {
    DMat4::from_rotation_z(0.31) * DMat4::from_rotation_x(-0.22)
}

fn source_grid() -> Geometry {
    turned(DIMS, [1.0, 1.3, 2.1], [0, 1, 2], 0, DMat4::IDENTITY)
}

/// Values around those of a CT, some of them missing.
fn noise(grid: Geometry, missing: f64) -> Volume<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    Volume::from_fn(grid, |_, _, _| match random.random_bool(missing) {
        true => [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][random.random_range(0..3)],
        false => random.random_range(-1024.0..3000.0),
    })
}

/// Every voxel by the definition.
fn defined(resampler: &Resampler, volume: &Volume<f32>, outside: f32) -> Volume<f32> {
    let (dims, matrix) = (resampler.source.dims(), resampler.source_from_target);
    let sampling = Sampling::new(volume.voxels(), dims, matrix, resampler.subsamples);
    Volume::from_fn(resampler.target.clone(), |i, j, k| {
        sampling.at(DVec3::new(i as f64, j as f64, k as f64)).map_or(outside, |value| value as f32)
    })
}

fn assert_close(got: &Volume<f32>, expected: &Volume<f32>, case: &str) {
    for (at, (a, b)) in got.voxels().iter().zip(expected.voxels()).enumerate() {
        assert!((a - b).abs() < 5e-4, "{case}, voxel {at}: {a} against {b}");
    }
}

#[test]
fn whatever_way_the_axes_run_the_fast_path_gives_what_the_definition_gives() {
    // Finer, coarser, and reaching beyond the source; along the source's axes and across them.
    for spacing in [[0.7, 0.9, 1.1], [2.3, 1.0, 5.0]] {
        for (order, signs) in orientations() {
            for (missing, tilt) in
                [(0.0, DMat4::IDENTITY), (0.1, DMat4::IDENTITY), (0.0, tilt()), (0.1, tilt())]
            {
                let volume = noise(source_grid(), missing);
                let target = turned([16, 13, 17], spacing, order, signs, tilt);
                let resampler = Resampler::new(volume.geometry(), &target);
                let case = format!("{spacing:?} {order:?} {signs:03b} missing {missing}");
                let expected = defined(&resampler, &volume, -7.0);
                assert_close(&resampler.linear(&volume, -7.0), &expected, &case);
                assert!(expected.voxels().contains(&-7.0) && expected.voxels().iter().any(|v| *v > 0.0));
                let resampler = resampler.without_averaging();
                let expected = defined(&resampler, &volume, -7.0);
                assert_close(&resampler.linear(&volume, -7.0), &expected, &format!("{case}, plain"));
            }
        }
    }
}

#[test]
fn nearest_and_vote_follow_the_definition_in_every_orientation() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let labels: LabelMap = Volume::from_fn(source_grid(), |_, _, _| random.random_range(0..4));
    for (order, signs) in orientations() {
        for tilt in [DMat4::IDENTITY, tilt()] {
            let target = turned([11, 10, 12], [0.71, 0.93, 1.17], order, signs, tilt);
            let resampler = Resampler::new(labels.geometry(), &target);
            let (nearest, vote) = (resampler.nearest(&labels, 9), resampler.vote(&labels));
            let one_hot = |label: u16| labels.map(|&value| f32::from(u8::from(value == label)));
            let maps = [0, 1, 2, 3].map(|label| defined(&resampler, &one_hot(label), -1.0));
            for (at, (near, voted)) in nearest.voxels().iter().zip(vote.voxels()).enumerate() {
                let weights = maps.each_ref().map(|map| map.voxels()[at]);
                if weights[0] < 0.0 {
                    assert_eq!((*near, *voted), (9, 0), "outside stays outside");
                    continue;
                }
                let most = weights.iter().copied().fold(0.0, f32::max);
                assert!(weights[usize::from(*voted)] > most - 1e-5, "{order:?} {signs:03b}: {weights:?}");
                let [i, j, k] = [at % 11, at / 11 % 10, at / 110].map(|index| index as f64);
                let position = resampler.source_from_target.transform_point3(DVec3::new(i, j, k));
                let [i, j, k] = plain::nearest(DIMS, position).unwrap();
                assert_eq!(*near, labels.at(i, j, k));
            }
        }
    }
}

#[test]
fn labels_come_back_unchanged_from_a_finer_grid_in_every_orientation() {
    for (order, signs) in orientations() {
        for tilt in [DMat4::IDENTITY, tilt()] {
            let grid = turned([7, 8, 9], [3.0, 2.0, 2.5], order, signs, tilt);
            let labels = Volume::from_fn(grid.clone(), |i, j, k| ((i * 31 + j * 17 + k * 7) % 5) as u16);
            for fine in [
                grid.with_spacing([1.0; 3]).unwrap(),
                // Axes of its own, and all of the labels' grid inside.
                turned([50, 50, 50], [0.6; 3], [0, 1, 2], 0, DMat4::IDENTITY),
            ] {
                let back = |moved: &LabelMap| Resampler::new(&fine, &grid).nearest(moved, 99);
                assert_eq!(
                    back(&Resampler::new(&grid, &fine).nearest(&labels, 0)),
                    labels,
                    "{order:?} {signs:03b}"
                );
                assert_eq!(
                    back(&Resampler::new(&grid, &fine).vote(&labels)),
                    labels,
                    "{order:?} {signs:03b}"
                );
            }
        }
    }
}

#[test]
fn reorienting_there_and_back_gives_the_very_voxels_on_the_very_grid() {
    for (order, signs) in orientations() {
        let grid = turned([3, 4, 5], [3.0, 2.0, 2.5], order, signs, tilt());
        let volume = Volume::from_fn(grid.clone(), |i, j, k| (i + 10 * j + 100 * k) as u16);
        let ras = reorient(&volume, grid.reorientation());
        assert_eq!(ras.geometry().axcodes().unwrap(), "RAS");
        let back = Resampler::new(ras.geometry(), &grid).nearest(&ras, 999);
        assert_eq!(back.voxels(), volume.voxels());
        assert!(geometry_equal(back.geometry(), &grid, 0.0));
        let placed = Resampler::new(&grid, ras.geometry()).nearest(&volume, 999);
        assert_eq!(placed.voxels(), ras.voxels(), "{order:?} {signs:03b}");
    }
}

#[test]
fn a_world_ramp_keeps_its_values_on_an_oblique_grid() {
    let ramp = |geometry: Geometry| {
        let affine = geometry.world_from_voxel();
        Volume::from_fn(geometry, |i, j, k| {
            let world = affine.transform_point3(DVec3::new(i as f64, j as f64, k as f64));
            (world.x + 10.0 * world.y + 100.0 * world.z) as f32
        })
    };
    let source = ramp(Geometry::axis_aligned([20, 20, 20], [1.0; 3], [0.0; 3]).unwrap());
    let rotation = DMat4::from_rotation_z(0.4);
    let target = Geometry::new([5, 5, 5], DMat4::from_translation(DVec3::splat(8.0)) * rotation).unwrap();
    let moved = Resampler::new(source.geometry(), &target).linear(&source, f32::NAN);
    for (a, b) in moved.voxels().iter().zip(ramp(target).voxels()) {
        assert!((a - b).abs() < 1e-2, "{a} against {b}");
    }
}

#[test]
fn a_nan_voxel_does_not_poison_its_neighbours() {
    let grid = Geometry::axis_aligned([4, 4, 4], [1.0; 3], [0.0; 3]).unwrap();
    let mut volume = Volume::from_fn(grid.clone(), |_, _, _| 2.0f32);
    volume.voxels_mut()[21] = f32::NAN;
    let shifted = Geometry::axis_aligned([3, 3, 3], [1.0; 3], [0.5; 3]).unwrap();
    let moved = Resampler::new(&grid, &shifted).linear(&volume, 0.0);
    assert!(moved.voxels().iter().all(|v| (v - 2.0).abs() < 1e-6));
}

#[test]
fn what_is_one_everywhere_never_becomes_more_than_one() {
    let volume = Volume::from_fn(source_grid(), |_, _, _| 1.0f32);
    for spacing in [[0.71, 0.93, 1.17], [2.3, 1.9, 5.1]] {
        for tilt in [DMat4::IDENTITY, tilt()] {
            let target = turned([16, 13, 17], spacing, [2, 0, 1], 3, tilt);
            let moved = Resampler::new(volume.geometry(), &target).linear(&volume, 0.0);
            assert!(moved.voxels().iter().all(|v| *v == 0.0 || *v == 1.0));
        }
    }
}

#[test]
fn every_stored_type_is_sampled_as_its_measured_values_are_and_stays_in_range() {
    let target = turned([6, 5, 4], [1.1, 1.7, 2.9], [1, 0, 2], 5, DMat4::IDENTITY);
    let grid = source_grid();
    let value = |at: usize| (at * 37 % 101) as f64;
    macro_rules! stored {
        ($($variant:ident $kind:ty),*) => {
            [$(Voxels::$variant((0..grid.len()).map(|at| value(at) as $kind).collect())),*]
        };
    }
    let types = stored!(U8 u8, I8 i8, U16 u16, I16 i16, U32 u32, I32 i32, U64 u64, I64 i64, F32 f32, F64 f64);
    let resampler = Resampler::new(&grid, &target);
    for voxels in types {
        let scaling = Scaling { slope: 0.5, intercept: -20.0 };
        let scan = Scan::new(voxels, scaling, grid.clone(), "test").unwrap();
        let measured = resampler.linear(&scan.to_f32(), -1000.0);
        let dtype = scan.voxels().dtype();
        assert_close(&resampler.linear_scan(&scan, -1000.0), &measured, dtype.name());

        let stored = resampler.linear_stored(scan.voxels(), 77.0);
        let nearest = resampler.nearest_stored(scan.voxels(), 77.0);
        assert_eq!((stored.dtype(), nearest.dtype()), (dtype, dtype));
        let plain = Volume::new((0..grid.len()).map(value).collect::<Vec<f64>>(), grid.clone()).unwrap();
        let closest = resampler.nearest(&plain, 77.0);
        for (at, measured) in measured.voxels().iter().enumerate() {
            let expected = if *measured == -1000.0 { 77.0 } else { f64::from(measured + 20.0) * 2.0 };
            assert!((stored.value(at) - expected).abs() < 0.51, "{dtype}: {} {expected}", stored.value(at));
            assert_eq!(nearest.value(at), closest.voxels()[at]);
        }
    }
    let full = Voxels::U8(vec![255; grid.len()]);
    assert_eq!(resampler.linear_stored(&full, 300.0), Voxels::U8(vec![255; target.len()]));
}

#[test]
fn padding_does_not_bleed_into_the_image() {
    let grid = Geometry::axis_aligned([8, 1, 1], [1.0; 3], [0.0; 3]).unwrap();
    let voxels = Voxels::I16(vec![-2000, -2000, -2000, 50, 50, 50, 50, 50]);
    let mut scan = Scan::new(voxels, Scaling::IDENTITY, grid.clone(), "test").unwrap();
    scan.padding = Some([-2000.0, -2000.0]);
    let fine = grid.with_spacing([0.25, 1.0, 1.0]).unwrap();
    let moved = Resampler::new(&grid, &fine).linear_scan(&scan, -1000.0);
    assert!(moved.voxels().iter().all(|v| *v == -1000.0 || *v == 50.0), "{:?}", moved.voxels());
}

#[test]
fn one_slice_can_be_sampled_along_and_across() {
    for dims in [[1, 8, 7], [9, 1, 7], [9, 8, 1], [1, 1, 1]] {
        let volume = noise(turned(dims, [1.0, 1.3, 2.1], [0, 1, 2], 0, DMat4::IDENTITY), 0.0);
        for tilt in [DMat4::IDENTITY, tilt()] {
            let target = turned([7, 6, 5], [0.6, 0.8, 0.9], [2, 0, 1], 3, tilt);
            let resampler = Resampler::new(volume.geometry(), &target);
            assert_close(
                &resampler.linear(&volume, -7.0),
                &defined(&resampler, &volume, -7.0),
                &format!("{dims:?}"),
            );
        }
    }
}
