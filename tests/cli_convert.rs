//! `mindgap convert` as a script sees it: the same voxels in the same place, in another format or on another grid.

#![allow(clippy::unwrap_used)]

use glam::{DMat4, DVec3};
use mindgap::volume::{Geometry, LabelMap, Scan, Volume, geometry_equal, io};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A left-handed oblique grid: whatever is exchanged or mirrored shows.
fn oblique() -> Geometry {
    let turned = DMat4::from_rotation_z(0.3) * DMat4::from_rotation_x(-0.2);
    let affine = DMat4::from_translation(DVec3::new(-41.5, 20.25, 900.0))
        * turned
        * DMat4::from_scale(DVec3::new(-1.5, 2.0, 4.0));
    Geometry::new([7, 6, 5], affine).unwrap()
}

struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn scan(&self) -> Scan {
        let volume = Volume::from_fn(oblique(), |i, j, k| (i + 10 * j + 100 * k) as f32 - 3.5);
        let scan = Scan::from_volume(volume, "phantom");
        io::write_scan(&self.path("scan.nii.gz"), &scan).unwrap();
        io::open(&self.path("scan.nii.gz")).unwrap()
    }

    fn labels(&self) -> LabelMap {
        let scan = self.scan();
        let labels = Volume::from_fn(scan.geometry().clone(), |i, j, k| ((i + 2 * j + k) % 5) as u16);
        io::write_labels(&self.path("labels.nii.gz"), &labels, None, &scan).unwrap();
        labels
    }

    fn convert(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mindgap"));
        command.current_dir(self.folder.path()).arg("convert").args(arguments).env_remove("RUST_LOG");
        command.output().unwrap()
    }

    fn converted(&self, arguments: &[&str]) -> Value {
        let output = self.convert(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.convert(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}

fn files(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn a_scan_keeps_every_voxel_and_its_place_in_every_format() {
    let case = Case::new();
    let scan = case.scan();
    for name in ["a.nii", "a.nii.gz", "a.nrrd", "a.mha"] {
        let summary = case.converted(&["scan.nii.gz", "-o", name]);
        assert_eq!(summary["dims"], serde_json::json!([7, 6, 5]));
        let back = io::open(&case.path(name)).unwrap();
        assert_eq!(back.voxels(), scan.voxels(), "{name}");
        assert!(geometry_equal(back.geometry(), scan.geometry(), 1e-3), "{name}");
        assert_eq!(back.geometry().axcodes(), scan.geometry().axcodes(), "{name}");
    }
}

#[test]
fn labels_move_to_another_tables_values_and_what_has_none_is_told() {
    let case = Case::new();
    let labels = case.labels();
    let arguments =
        ["labels.nii.gz", "-o", "btcv.nii.gz", "--labels", "abdomen", "--to-table", "btcv"].as_slice();
    assert_eq!(case.converted(arguments)["dropped"], serde_json::json!([]));
    let there = io::open_labels(&case.path("btcv.nii.gz")).unwrap();
    let names = std::fs::read_to_string(case.path("btcv.label.txt")).unwrap();
    assert!(names.lines().any(|line| line.trim_start().starts_with("6 ") && line.ends_with("\"Liver\"")));
    // BTCV: liver 6, right kidney 2, left kidney 3, spleen 1.
    let expected = labels.map(|&value| [0, 6, 2, 3, 1][usize::from(value)]);
    assert_eq!(there.voxels(), expected.voxels());

    let unknown = labels.map(|&value| if value == 4 { 37 } else { value });
    io::write_labels(&case.path("odd.nii.gz"), &unknown, None, &case.scan()).unwrap();
    let kept = case.converted(&["odd.nii.gz", "-o", "kept.nii.gz", "--labels", "abdomen"]);
    assert_eq!(kept["dropped"], serde_json::json!([]));
    assert_eq!(io::open_labels(&case.path("kept.nii.gz")).unwrap().voxels(), unknown.voxels());
    let moved = ["odd.nii.gz", "-o", "m.nii.gz", "--labels", "abdomen", "--to-table", "btcv"].as_slice();
    let dropped = &case.converted(moved)["dropped"][0];
    let voxels = unknown.voxels().iter().filter(|value| **value == 37).count();
    assert_eq!((&dropped["name"], &dropped["voxels"]), (&"class 37".into(), &voxels.into()));
}

#[test]
fn a_scan_that_is_no_label_map_is_not_written_as_one() {
    let case = Case::new();
    case.scan();
    for arguments in [
        &["scan.nii.gz", "-o", "out.nii.gz", "--labels", "abdomen"][..],
        &["scan.nii.gz", "-o", "out.seg.nrrd"],
    ] {
        assert!(case.refused(arguments).contains("expected whole numbers"), "{arguments:?}");
    }
    assert_eq!(files(case.folder.path()), ["scan.nii.gz"]);
}

#[test]
fn resampling_follows_the_world_and_labels_are_never_mixed() {
    let case = Case::new();
    let labels = case.labels();
    // The same place in RAS order, and twice as fine.
    let grid = oblique().reoriented(oblique().reorientation()).with_spacing([0.75, 1.0, 2.0]).unwrap();
    let finer = Scan::from_volume(Volume::from_fn(grid, |_, _, _| 0.0), "phantom");
    io::write_scan(&case.path("finer.nii.gz"), &finer).unwrap();
    case.converted(&["labels.nii.gz", "-o", "there.nii.gz", "--labels", "abdomen", "--like", "finer.nii.gz"]);
    let back = ["there.nii.gz", "-o", "back.nii.gz", "--labels", "abdomen", "--like", "labels.nii.gz"];
    case.converted(&back);
    assert_eq!(io::open_labels(&case.path("back.nii.gz")).unwrap().voxels(), labels.voxels());

    let isotropic = case.converted(&["scan.nii.gz", "-o", "iso.nii.gz", "--spacing", "1"]);
    assert_eq!(isotropic["dims"], serde_json::json!([11, 12, 20]));
    assert!(case.refused(&["scan.nii.gz", "-o", "iso2.nii.gz", "--spacing=-1"]).contains("above 0"));
}

/// Fault 32: a slip of the keyboard must not take the machine down.
#[test]
fn a_grid_that_no_memory_holds_is_refused_with_numbers() {
    let case = Case::new();
    case.scan();
    let error = case.refused(&["scan.nii.gz", "-o", "out.nii.gz", "--spacing", "0.0005"]);
    assert!(error.contains("voxels, 241.9 TB of memory, and"), "{error}");
    let error = case.refused(&["scan.nii.gz", "-o", "out.nii.gz", "--spacing", "1e-9"]);
    assert!(error.contains("--spacing") && error.contains("do not fit"), "{error}");
    assert_eq!(files(case.folder.path()), ["scan.nii.gz"]);
}

#[test]
fn scans_that_lie_elsewhere_are_not_resampled_into_nothing() {
    let case = Case::new();
    case.scan();
    let far = Geometry::axis_aligned([4, 4, 4], [1.0; 3], [5000.0; 3]).unwrap();
    let far = Scan::from_volume(Volume::from_fn(far, |_, _, _| 0.0), "phantom");
    io::write_scan(&case.path("far.nii"), &far).unwrap();
    let message = case.refused(&["scan.nii.gz", "-o", "out.nii", "--like", "far.nii"]);
    assert!(message.contains("do not overlap"), "{message}");
}

#[test]
fn an_output_that_would_destroy_its_input_or_has_no_known_format_is_refused_first() {
    let case = Case::new();
    case.scan();
    assert!(case.refused(&["scan.nii.gz", "-o", "./scan.nii.gz"]).contains("choose another name"));
    assert!(case.refused(&["scan.nii.gz", "-o", "scan.dcm"]).contains(".seg.nrrd"));
    assert!(case.refused(&["scan.nii.gz", "-o", "nowhere/scan.nii"]).contains("does not exist"));
}
