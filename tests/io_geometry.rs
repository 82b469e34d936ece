//! Where a file's grid is put when its header says it well, badly, twice or not at all.

#![allow(clippy::unwrap_used)]

#[path = "support/nifti_file.rs"]
mod nifti_file;

use glam::{DMat4, DVec3, DVec4};
use mindgap::volume::io;
use mindgap::volume::io::nifti::{SpatialHeader, Version};
use mindgap::volume::{Geometry, Scaling, Scan, Volume, Voxels, corner_distance_mm, geometry_equal};
use nifti_file::{DIMS, oblique, open_bytes, patched, saved};

// Byte offsets in a NIfTI-1 header.
const PIXDIM: usize = 76;
const UNITS: usize = 123;
const QFORM_CODE: usize = 252;
const SFORM_CODE: usize = 254;
const QUATERN: usize = 256;
const QOFFSET: usize = 268;
const SROW: usize = 280;

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn open_patched(changes: &[(usize, &[u8])]) -> Scan {
    open_bytes("x.nii", &patched(changes)).unwrap()
}

fn warns(scan: &Scan, words: &str) -> bool {
    scan.warnings.iter().any(|warning| warning.contains(words))
}

#[test]
fn sform_and_qform_of_one_file_say_the_same() {
    for (code, other) in [(SFORM_CODE, QFORM_CODE), (QFORM_CODE, SFORM_CODE)] {
        let scan = open_patched(&[(code, &[1, 0]), (other, &[0, 0])]);
        assert!(geometry_equal(scan.geometry(), &oblique(), 1e-3), "{:?}", scan.geometry());
        assert!(scan.geometry().orientation_known() && scan.warnings.is_empty(), "{:?}", scan.warnings);
    }
}

#[test]
fn a_left_handed_grid_stays_left_handed_by_way_of_its_qform() {
    // The oblique grid has a negative determinant, so its qfac is -1; any other value would mirror the patient.
    let scan = open_patched(&[(SFORM_CODE, &[0, 0])]);
    assert_eq!(scan.nifti.as_ref().unwrap().pixdim[0], -1.0);
    assert!(scan.geometry().world_from_voxel().determinant() < 0.0);
    let right_handed = open_patched(&[(SFORM_CODE, &[0, 0]), (PIXDIM, &floats(&[0.0]))]);
    assert!(right_handed.geometry().world_from_voxel().determinant() > 0.0);
}

#[test]
fn a_broken_sform_gives_way_to_the_qform_and_that_to_the_spacing() {
    let nan = floats(&[f32::NAN; 4]);
    let singular = floats(&[0.0; 12]);
    for broken in [&nan, &singular] {
        let scan = open_patched(&[(SROW, broken)]);
        assert!(geometry_equal(scan.geometry(), &oblique(), 1e-3));
        assert!(warns(&scan, "sform is singular or not finite"), "{:?}", scan.warnings);
    }
    for quaternion in [[0.9f32; 3], [f32::NAN, 0.0, 0.0]] {
        let scan = open_patched(&[(SROW, &nan), (QUATERN, &floats(&quaternion))]);
        assert_eq!(scan.geometry().axcodes(), None);
        assert!(warns(&scan, "quaternion is invalid") && warns(&scan, "left and right are unknown"));
        assert_eq!(scan.geometry().spacing_mm(), [1.25, 1.5, 8.0]);
    }
}

#[test]
fn a_file_that_does_not_say_how_the_patient_lies_gets_no_letters() {
    let scan = open_patched(&[(SFORM_CODE, &[0, 0]), (QFORM_CODE, &[0, 0])]);
    assert!(!scan.geometry().orientation_known());
    assert_eq!(scan.geometry().world_from_voxel(), DMat4::from_scale(DVec3::new(1.25, 1.5, 8.0)));
    assert!(warns(&scan, "left and right are unknown"));
}

#[test]
fn a_missing_voxel_size_is_one_mm_and_known_to_be_unknown() {
    for size in [0.0, f32::NAN] {
        let sizes = floats(&[size; 3]);
        let scan = open_patched(&[(SFORM_CODE, &[0, 0]), (PIXDIM + 4, &sizes)]);
        assert!(!scan.geometry().spacing_known() && warns(&scan, "1 mm was assumed"));
        assert!(scan.geometry().spacing_mm().iter().all(|mm| (mm - 1.0).abs() < 1e-6));
        // The sform carries a spacing of its own.
        assert!(open_patched(&[(PIXDIM + 4, &sizes)]).geometry().spacing_known());
    }
    let negative = open_patched(&[(SFORM_CODE, &[0, 0]), (PIXDIM + 4, &floats(&[-1.25]))]);
    assert!(geometry_equal(negative.geometry(), &oblique(), 1e-3) && warns(&negative, "negative"));
}

#[test]
fn what_is_not_known_of_a_grid_is_not_known_of_its_export_either() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scan.nii");
    let slice = Geometry::axis_aligned([4, 3, 1], [0.5, 0.75, 1.0], [7.0; 3]).unwrap();
    // Float32 does not hold its place, so that it is written as NIfTI-2.
    let far = oblique().world_from_voxel();
    let far = Geometry::new(DIMS, DMat4::from_translation(DVec3::splat(1e5)) * far).unwrap();
    let finer = Geometry::axis_aligned(DIMS, [0.5; 3], [0.0; 3]).unwrap().with_unknown_orientation();
    for grid in [oblique(), slice, far, finer] {
        for (size_known, whole) in [(false, true), (true, false), (false, false), (true, true)] {
            let grid = if size_known { grid.clone() } else { grid.clone().with_unknown_spacing() };
            let grid = if whole { grid } else { grid.with_missing_slices() };
            let scan = Scan::from_volume(Volume::from_fn(grid.clone(), |i, _, _| i as f32), "phantom");
            io::write_scan(&path, &scan).unwrap();
            let read = io::open(&path).unwrap();
            let labels = Volume::from_fn(read.geometry().clone(), |i, _, _| i as u16);
            io::write_labels(&folder.path().join("labels.nii.gz"), &labels, None, &read).unwrap();
            let labels = io::open_labels(&folder.path().join("labels.nii.gz")).unwrap();
            for found in [read.geometry(), labels.geometry()] {
                assert!(geometry_equal(found, &grid, 1e-3));
                assert_eq!(found.orientation_known(), grid.orientation_known());
                assert_eq!((found.spacing_known(), found.slices_missing()), (size_known, !whole));
            }
            let badge = |name: &str| read.badges().contains(&name.to_owned());
            assert_eq!((badge("voxel size unknown"), badge("slices missing")), (!size_known, !whole));
            assert_eq!(warns(&read, "voxel size is unknown"), !size_known);
            assert_eq!(warns(&read, "slices are missing"), !whole);
        }
    }
}

#[test]
fn contradicting_forms_are_measured_and_the_sform_is_used() {
    let scan = open_patched(&[(QOFFSET, &floats(&[-80.0, 21.5, 1010.25]))]);
    assert!(geometry_equal(scan.geometry(), &oblique(), 1e-3));
    assert!(warns(&scan, "differ by up to 10.0 mm and 0.0 degrees"), "{:?}", scan.warnings);
}

#[test]
fn metres_and_micrometres_become_millimetres() {
    for (unit, factor) in [(1u8, 1000.0), (3, 0.001)] {
        for forms in [[1u8, 0], [0, 1], [0, 0]] {
            let codes: &[(usize, &[u8])] =
                &[(UNITS, &[unit]), (SFORM_CODE, &[forms[0], 0]), (QFORM_CODE, &[forms[1], 0])];
            let scan = open_patched(codes);
            let spacing = scan.geometry().spacing_mm();
            assert!((spacing[2] / (8.0 * factor) - 1.0).abs() < 1e-5, "{spacing:?}");
            assert!(warns(&scan, "converted to mm"));
        }
    }
    let huge = open_patched(&[(SFORM_CODE, &[0, 0]), (PIXDIM + 4, &floats(&[1e6]))]);
    assert!(warns(&huge, "implausible"));
}

#[test]
fn a_slice_is_a_volume_one_voxel_thick_and_a_line_is_refused() {
    let dims = |dims: [i16; 4]| dims.map(i16::to_le_bytes).concat();
    let slice = open_patched(&[(40, &dims([2, 12, 5, 1]))]);
    assert_eq!(slice.geometry().dims(), [12, 5, 1]);
    let line = open_bytes("x.nii", &patched(&[(40, &dims([1, 60, 1, 1]))]));
    assert!(line.unwrap_err().to_string().contains("2 to 7 dimensions"));
}

/// Codes, quaternion, offsets, rows, spacing and units that no rounding would reproduce by chance.
fn unusual_header(version: Version) -> SpatialHeader {
    let scan = open_patched(&[(UNITS, &[2 | 8]), (QFORM_CODE, &[4, 0]), (SFORM_CODE, &[2, 0])]);
    let mut header = scan.nifti.unwrap();
    header.version = version;
    if version == Version::Two {
        // Float64, and more digits than float32 holds.
        header.srow[0][3] += 1e-7;
        header.qoffset[0] += 1e-7;
    }
    header
}

#[test]
fn labels_carry_the_forms_of_their_scan_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.nii.gz");
    for version in [Version::One, Version::Two] {
        let mut scan = Scan::from_volume(Volume::from_fn(oblique(), |i, _, _| i as f32), "phantom");
        scan.nifti = Some(unusual_header(version));
        let labels = Volume::from_fn(oblique(), |i, j, k| ((i + j + k) % 3) as u16);
        io::write_labels(&path, &labels, None, &scan).unwrap();
        let read = io::open(&path).unwrap();
        assert_eq!(read.nifti, scan.nifti);
        assert_eq!(read.format, version.name());
        assert_eq!(read.to_labels().unwrap().voxels(), labels.voxels());
    }
}

/// All 48 axis orders and flips, half of them left-handed, each straight, oblique, sheared, and both.
fn every_kind_of_grid() -> Vec<(Geometry, bool)> {
    let oblique = DMat4::from_rotation_z(0.31) * DMat4::from_rotation_x(-0.83) * DMat4::from_rotation_y(0.2);
    let shear = DMat4::from_cols(DVec4::X, DVec4::new(0.2, 1.0, -0.1, 0.0), DVec4::Z, DVec4::W);
    let mut grids = Vec::new();
    for axes in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        for flips in 0..8u8 {
            let mut straight = DMat4::ZERO;
            for axis in 0..3 {
                let sign = if flips >> axis & 1 == 1 { -1.0 } else { 1.0 };
                straight.col_mut(axis)[axes[axis]] = sign * [0.7031, 1.3, 4.9][axis];
            }
            straight.w_axis = DVec4::W;
            let to_place = DMat4::from_translation(DVec3::new(-213.37, 88.01, 1234.5));
            for (rotation, sheared) in
                [(DMat4::IDENTITY, false), (oblique, false), (DMat4::IDENTITY, true), (oblique, true)]
            {
                let within = if sheared { shear } else { DMat4::IDENTITY };
                let affine = to_place * rotation * straight * within;
                grids.push((Geometry::new(DIMS, affine).unwrap(), sheared));
            }
        }
    }
    grids
}

#[test]
fn every_axis_order_oblique_and_sheared_survives_being_written_without_a_header() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scan.nii");
    let grids = every_kind_of_grid();
    assert_eq!(grids.len(), 192);
    for (grid, sheared) in grids {
        let scan = Scan::from_volume(Volume::from_fn(grid.clone(), |i, _, _| i as f32), "phantom");
        let receipt = io::write_scan(&path, &scan).unwrap().grid.unwrap();
        assert!(receipt.corner_distance_mm < 1e-3 && receipt.dims == DIMS, "{receipt:?}");
        assert_eq!(receipt.header_kept, None);
        let read = io::open(&path).unwrap();
        // No warning means that sform and qform agree; a sheared grid has no qform.
        assert_eq!(read.warnings, Vec::<String>::new(), "{:?}", grid.axcodes());
        assert_eq!(read.nifti.as_ref().unwrap().qform_code, i32::from(!sheared));
        assert_eq!(read.geometry().axcodes(), grid.axcodes());
        // Relative to each number float32 keeps 6e-8; the far corner adds up four of them.
        let (found, meant) = (read.geometry().world_from_voxel(), grid.world_from_voxel());
        for column in 0..4 {
            for row in 0..3 {
                let (found, meant) = (found.col(column)[row], meant.col(column)[row]);
                assert!((found - meant).abs() <= 1e-7 * meant.abs(), "{found} instead of {meant}");
            }
        }
        assert!(corner_distance_mm(read.geometry(), &grid) < 1e-3);
        // The same grid by way of its qform alone.
        if !sheared {
            let mut by_qform = std::fs::read(&path).unwrap();
            by_qform[SFORM_CODE] = 0;
            let by_qform = open_bytes("x.nii", &by_qform).unwrap();
            assert!(corner_distance_mm(by_qform.geometry(), &grid) < 1e-3, "{:?}", grid.axcodes());
        }
    }
}

#[test]
fn axes_that_a_dicom_file_rounded_have_a_qform_for_programs_that_read_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scan.nii");
    // Cosines of six decimals, and a slice axis from positions of three, ten slices apart.
    let axes = [
        DVec3::new(-0.77038, -0.618446, 0.155046) * 1.367188,
        DVec3::new(0.15161, -0.41389, -0.897613) * 1.367188,
        DVec3::new(6.1929, -6.6799, 4.1261),
    ];
    let with_third = |third: DVec3| {
        let [i, j, _] = axes.map(|axis| axis.extend(0.0));
        let affine = DMat4::from_cols(i, j, third.extend(0.0), DVec4::new(24.0, 291.7, 92.5, 1.0));
        Geometry::new([64, 64, 10], affine).unwrap()
    };
    for (grid, qform_code) in [
        (with_third(axes[2]), 1),
        // Half a millimetre askew at the last slice: no qform says that.
        (with_third(axes[2] + axes[0] * 0.04), 0),
    ] {
        let scan = Scan::from_volume(Volume::from_fn(grid.clone(), |_, _, _| 0.0), "phantom");
        io::write_scan(&path, &scan).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes[QFORM_CODE], qform_code);
        bytes[SFORM_CODE] = 0;
        let by_qform = open_bytes("x.nii", &bytes).unwrap();
        assert_eq!(corner_distance_mm(by_qform.geometry(), &grid) < 1e-2, qform_code == 1);
    }
}

#[test]
fn what_is_saved_on_a_scan_has_its_place_bit_for_bit_in_every_axis_order_and_unit() {
    let folder = tempfile::tempdir().unwrap();
    let (original, saved) = (folder.path().join("scan.nii"), folder.path().join("saved.nii"));
    for (n, (grid, sheared)) in every_kind_of_grid().into_iter().enumerate() {
        let values = (0..60).map(|value| value * 521 - 16_000).collect();
        let scan = Scan::new(Voxels::I16(values), Scaling::IDENTITY, grid, "phantom").unwrap();
        io::write_scan(&original, &scan).unwrap();
        // Codes, unit and spacing that nobody would write by default; a unit but mm scales the grid.
        let mut bytes = std::fs::read(&original).unwrap();
        let unit = [2, 10, 1, 3][n / 4 % 4];
        bytes[UNITS] = unit;
        bytes[SFORM_CODE] = [1, 2, 4][n % 3];
        bytes[QFORM_CODE] = if sheared { 0 } else { [3, 1][n % 2] };
        std::fs::write(&original, &bytes).unwrap();

        let scan = io::open(&original).unwrap();
        let labels = Volume::from_fn(scan.geometry().clone(), |i, j, k| ((i + j + k) % 4) as u16);
        for (receipt, kind) in [
            (io::write_scan(&saved, &scan).unwrap(), "scan"),
            (io::write_labels(&folder.path().join("labels.nii"), &labels, None, &scan).unwrap(), "labels"),
        ] {
            let grid = receipt.grid.unwrap();
            assert_eq!(
                (grid.dims, grid.corner_distance_mm, grid.header_kept),
                (DIMS, 0.0, Some(true)),
                "{kind}"
            );
            let written = std::fs::read(&receipt.path).unwrap();
            for (field, range) in [
                ("pixdim", PIXDIM..PIXDIM + 16),
                ("units", UNITS..UNITS + 1),
                ("codes, quaternion, offsets and rows", QFORM_CODE..SROW + 48),
            ] {
                assert_eq!(written[range.clone()], bytes[range], "{field} of the {kind}, unit {unit}");
            }
            let read = io::open(&receipt.path).unwrap();
            assert_eq!((&read.nifti, read.geometry()), (&scan.nifti, scan.geometry()), "{kind}");
        }
        assert_eq!(io::open(&saved).unwrap().voxels(), scan.voxels());
        assert_eq!(io::open_labels(&folder.path().join("labels.nii")).unwrap(), labels);
    }
}

#[test]
fn a_grid_placed_by_its_qform_is_saved_with_both_forms_and_opened_there_again() {
    let shifted = floats(&[-80.0, 21.5, 1010.25]);
    let file = saved("x.nii", &patched(&[(QOFFSET, &shifted)]));
    let by_qform = io::OpenOptions { prefer_qform: true, ..Default::default() };
    let (scan, usual) = (io::open_with(&file.path, &by_qform).unwrap(), io::open(&file.path).unwrap());
    assert!((corner_distance_mm(scan.geometry(), usual.geometry()) - 10.0).abs() < 1e-3);
    assert!(warns(&scan, "the qform was used, and the sform can be chosen"), "{:?}", scan.warnings);

    let labels = Volume::from_fn(scan.geometry().clone(), |i, _, _| i as u16);
    let path = file.path.with_file_name("labels.nii.gz");
    let receipt = io::write_labels(&path, &labels, None, &scan).unwrap().grid.unwrap();
    assert_eq!((receipt.corner_distance_mm, receipt.header_kept), (0.0, Some(true)));
    assert_eq!(io::open_with(&path, &by_qform).unwrap().geometry(), scan.geometry());
    assert_eq!(io::open(&path).unwrap().geometry(), usual.geometry());
    // Without a qform there is nothing to prefer.
    let file = saved("x.nii", &patched(&[(QFORM_CODE, &[0, 0])]));
    assert!(geometry_equal(io::open_with(&file.path, &by_qform).unwrap().geometry(), &oblique(), 1e-3));
}
