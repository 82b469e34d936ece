//! Scans reach the networks alike however they are stored, and labels find back.
#![allow(clippy::unwrap_used)]
use super::*;
use glam::{DMat4, DVec3};

fn settings() -> Preprocessing {
    Preprocessing {
        plane: Plane::Axial,
        window: Window::Body,
        spacing_mm: [3.0; 3],
        size: [64, 48],
        multiple: 16,
        ct_window_hu: [-160.0, 240.0],
        mr_percentile: 99.5,
        mr_clip: 1.3,
        mr_brighten_to: 0.0,
    }
}

fn scan(volume: &Volume<f32>) -> Scan {
    Scan::from_volume(volume.clone(), "test")
}

/// A bright ball near the patient's right, front and top, in a body of 0 HU, on a grid with the given axes.
fn ball(world_from_voxel: DMat4, dims: [usize; 3]) -> Volume<f32> {
    let geometry = Geometry::new(dims, world_from_voxel).unwrap();
    let affine = geometry.world_from_voxel();
    Volume::from_fn(geometry, |i, j, k| {
        let world = affine.transform_point3(DVec3::new(i as f64, j as f64, k as f64));
        let body = (world.x / 80.0).powi(2) + (world.y / 60.0).powi(2) < 1.0;
        let ball = world.distance(DVec3::new(30.0, 15.0, 20.0)) < 18.0;
        if ball {
            200.0
        } else if body {
            0.0
        } else {
            -1000.0
        }
    })
}

#[test]
fn labels_return_to_where_they_were_in_every_axis_order_and_flip() {
    for perm in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        for signs in 0..8u8 {
            let mut affine = DMat4::ZERO;
            let mut dims = [0; 3];
            let extent = [90.0, 70.0, 40.0];
            for world in 0..3 {
                let flip = if signs >> world & 1 == 1 { -1.0 } else { 1.0 };
                let mm = [2.0, 2.5, 4.0][world];
                affine.col_mut(perm[world])[world] = flip * mm;
                dims[perm[world]] = (2.0 * extent[world] / mm) as usize;
                affine.w_axis[world] = -flip * extent[world];
            }
            affine.w_axis[3] = 1.0;
            let volume = ball(affine, dims);
            let prepared = prepare(&scan(&volume), Modality::Ct, &settings()).unwrap();
            let found = prepared.slices.map(|&v| u16::from(v > 0.7));
            let back = prepared.labels_to_scan(&found, &|| true).unwrap();
            let truth = volume.map(|&v| u16::from(v > 100.0));
            let both = back.voxels().iter().zip(truth.voxels()).filter(|(a, b)| **a == 1 && **b == 1).count();
            let sum = back.voxels().iter().chain(truth.voxels()).filter(|v| **v == 1).count();
            let dice = 2.0 * both as f64 / sum as f64;
            assert!(dice > 0.9, "axes {perm:?} signs {signs:03b}: Dice {dice:.3}");
        }
    }
}

/// All 48 orders and directions of the axes that a file can store a scan in.
fn storage_orders() -> impl Iterator<Item = Reorientation> {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    orders.into_iter().flat_map(|voxel_axis_of_world| {
        (0..8u8).map(move |signs| {
            let flipped = [0, 1, 2].map(|axis| signs >> axis & 1 == 1);
            Reorientation { voxel_axis_of_world, flipped }
        })
    })
}

#[test]
fn slices_as_acquired_reach_the_networks_alike_however_the_file_stores_them() {
    let settings = Preprocessing {
        plane: Plane::Acquired,
        window: Window::Centre,
        spacing_mm: [3.0, 3.0, 0.0],
        ..settings()
    };
    // Coronal slices 10 mm thick: A, then every order and direction of its axes.
    let dims = [60, 14, 40];
    let spacing = [3.0, 10.0, 3.0];
    let origin = [-90.0, -65.0, -60.0];
    let stored = Geometry::axis_aligned(dims, spacing, origin).unwrap();
    let world = stored.world_from_voxel();
    let volume = Volume::from_fn(stored.clone(), |i, j, k| {
        let at = world.transform_point3(DVec3::new(i as f64, j as f64, k as f64));
        if at.distance(DVec3::new(40.0, 20.0, 30.0)) < 25.0 { 200.0 } else { at.x as f32 * 0.2 }
    });
    let expected = prepare(&scan(&volume), Modality::Ct, &settings).unwrap().slices;
    for order in storage_orders() {
        let turned = Resampler::new(&stored, &stored.reoriented(order)).nearest(&volume, 0.0);
        let found = prepare(&scan(&turned), Modality::Ct, &settings).unwrap().slices;
        assert_eq!(found.voxels(), expected.voxels(), "{order:?}");
    }
}

#[test]
fn short_axis_slices_stand_upright_however_they_were_turned_and_stored_and_labels_find_back() {
    let settings = Preprocessing {
        plane: Plane::Upright,
        window: Window::Centre,
        spacing_mm: [1.5, 1.5, 0.0],
        size: [80, 80],
        ..settings()
    };
    let normal = DVec3::new(-0.66, 0.58, -0.46).normalize();
    let across = normal.cross(DVec3::Z).normalize();
    let centre = DVec3::new(12.0, -20.0, 7.0);
    // To the patient's right of the stack's centre, in its middle slice.
    let ball = centre + (DVec3::X - normal * normal.x).normalize() * 25.0;
    for turn_deg in [0.0_f64, 37.0, 118.0, 211.0] {
        let (sin, cos) = turn_deg.to_radians().sin_cos();
        let axes = [across * cos + normal.cross(across) * sin, normal.cross(across) * cos - across * sin];
        let steps = [axes[0] * 1.2, axes[1] * 1.2, normal * 8.0];
        let dims = [120, 120, 7];
        let first = (0..3).fold(centre, |p, a| p - steps[a] * (0.5 * (dims[a] as f64 - 1.0)));
        let [i, j, k] = steps.map(|step| step.extend(0.0));
        let turned = Geometry::new(dims, DMat4::from_cols(i, j, k, first.extend(1.0))).unwrap();
        let world = turned.world_from_voxel();
        let drawn = Volume::from_fn(turned.clone(), |i, j, k| {
            let at = world.transform_point3(DVec3::new(i as f64, j as f64, k as f64));
            if at.distance(ball) < 14.0 { 200.0 } else { 0.0f32 }
        });
        for order in storage_orders() {
            let stored = Resampler::new(&turned, &turned.reoriented(order)).nearest(&drawn, 0.0);
            let prepared = prepare(&scan(&stored), Modality::Ct, &settings).unwrap();
            let found = prepared.slices.map(|&v| u16::from(v > 0.7));
            let here = |a: usize| {
                let inside = (0..found.voxels().len()).filter(|at| found.voxels()[*at] == 1);
                let along = |at: usize| [at % 80, at / 80 % 80, at / 6400][a] as f64;
                let (sum, count) = inside.fold((0.0, 0.0), |(s, n), at| (s + along(at), n + 1.0));
                sum / count
            };
            let off = [here(0) - 39.5 - 25.0 / 1.5, here(1) - 39.5, here(2) - 3.0];
            assert!(off.iter().all(|o| o.abs() < 0.8), "{turn_deg} {order:?}: {off:?}");
            let back = prepared.labels_to_scan(&found, &|| true).unwrap();
            let pairs = back.voxels().iter().zip(stored.voxels());
            let wrong = pairs.filter(|(label, value)| (**label == 1) != (**value > 100.0)).count();
            let ball = stored.voxels().iter().filter(|v| **v > 100.0).count();
            assert!(wrong * 12 < ball, "{turn_deg} {order:?}: {wrong} of {ball}");
        }
    }
}

#[test]
fn a_constant_or_tiny_scan_is_refused_in_words() {
    let geometry = Geometry::axis_aligned([64, 64, 4], [3.0; 3], [0.0; 3]).unwrap();
    let flat = Volume::from_fn(geometry, |_, _, _| 5.0f32);
    assert!(matches!(prepare(&scan(&flat), Modality::Mr, &settings()), Err(PrepareError::Flat)));
    let small = Geometry::axis_aligned([4, 64, 4], [3.0; 3], [0.0; 3]).unwrap();
    let small = Volume::from_fn(small, |i, _, _| i as f32);
    assert!(matches!(prepare(&scan(&small), Modality::Mr, &settings()), Err(PrepareError::TooSmall { .. })));
}

#[test]
fn a_cancel_stops_preparation_and_the_way_back_between_two_slabs() {
    let geometry = Geometry::axis_aligned([64, 48, 100], [3.0; 3], [0.0; 3]).unwrap();
    let volume = Volume::from_fn(geometry, |i, j, k| ((i * j + k) % 100) as f32);
    let asked = std::cell::Cell::new(0);
    let twice = || {
        asked.set(asked.get() + 1);
        asked.get() <= 2
    };
    let stopped = prepare_while(&scan(&volume), Modality::Ct, &settings(), &twice);
    assert!(matches!(stopped, Err(PrepareError::Cancelled)));
    assert_eq!(asked.get(), 3);
    let prepared = prepare(&scan(&volume), Modality::Ct, &settings()).unwrap();
    let labels = prepared.slices.map(|&v| u16::from(v > 0.5));
    asked.set(0);
    assert!(matches!(prepared.labels_to_scan(&labels, &twice), Err(PrepareError::Cancelled)));
}

#[test]
fn slices_without_a_body_are_air_whatever_the_noise_and_the_tip_of_one_is_not() {
    let geometry = Geometry::axis_aligned([64, 48, 6], [3.0; 3], [0.0; 3]).unwrap();
    let volume = Volume::from_fn(geometry, |i, j, k| {
        let noise = ((i * 31 + j * 17 + k * 7) % 50) as f32;
        let inside = (i as f32 - 32.0).hypot(j as f32 - 24.0) < [0.0, 4.0, 20.0, 20.0, 0.0, 0.0][k];
        let speck = k == 4 && (i, j) == (5, 5);
        if inside || speck { 60.0 + noise } else { -1000.0 + noise }
    });
    let prepared = prepare(&scan(&volume), Modality::Ct, &settings()).unwrap();
    let air: Vec<bool> = (0..6).map(|slice| prepared.is_air(slice)).collect();
    assert_eq!(air, [true, false, false, false, true, true]);
}

/// An MR of fat, tissue and air, in which one slice in four shows noise alone.
fn mr(tissue: f32) -> Scan {
    let grid = Geometry::axis_aligned([64, 64, 8], [3.0; 3], [0.0; 3]).unwrap();
    let value = |i: usize, j: usize, k: usize| match (i, j) {
        _ if k % 4 == 3 => 20.0,
        (0..3, _) => 1000.0,
        (8..56, 8..56) => tissue,
        _ => 20.0,
    };
    scan(&Volume::from_fn(grid, value))
}

#[test]
fn a_heart_beside_very_bright_fat_is_brightened_and_a_bright_one_is_left_alone() {
    let plain = Preprocessing { window: Window::Centre, ..settings() };
    let raised = Preprocessing { mr_brighten_to: 0.5, ..plain.clone() };
    let inside = |prepared: &Prepared| prepared.slices.at(32, 24, 4);
    let prepared = |tissue, settings| prepare(&mr(tissue), Modality::Mr, settings).unwrap();
    assert!((inside(&prepared(300.0, &plain)) - 0.3).abs() < 1e-5);
    let dark = prepared(300.0, &raised);
    assert!((inside(&dark) - 0.5).abs() < 1e-5, "{}", inside(&dark));
    for slice in 0..8 {
        assert_eq!(dark.is_air(slice), slice % 4 == 3, "slice {slice}: noise must not become a body");
    }
    let bright = prepared(600.0, &raised);
    assert!(bright.slices.voxels() == prepared(600.0, &plain).slices.voxels());
}
