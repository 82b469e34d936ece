//! `mindgap info` and `mindgap evaluate` as a script sees them: exit code, one JSON object, one line of error.

#![allow(clippy::unwrap_used)]

use mindgap::volume::{Geometry, LabelMap, Scan, Volume, io};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn mindgap(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mindgap")).args(arguments).env_remove("RUST_LOG").output().unwrap()
}

/// The JSON object on stdout of a command that must succeed.
fn answer(arguments: &[&str]) -> Value {
    let output = mindgap(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a command that must fail says.
fn complaint(arguments: &[&str]) -> String {
    let output = mindgap(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.starts_with("error: ") && text.lines().count() == 1, "{text}");
    text
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

struct Case {
    folder: tempfile::TempDir,
    scan: Scan,
}

impl Case {
    fn new() -> Self {
        let grid = Geometry::axis_aligned([8, 6, 5], [1.0, 2.0, 3.0], [-4.0, 5.0, 6.0]).unwrap();
        let scan = Scan::from_volume(Volume::from_fn(grid, |i, j, k| (i + j + k) as f32 - 3.0), "phantom");
        Self { folder: tempfile::tempdir().unwrap(), scan }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn labels(&self, name: &str, label: impl Fn(usize) -> u16) -> String {
        let labels: LabelMap = Volume::from_fn(self.scan.geometry().clone(), |i, _, _| label(i));
        io::write_labels(&self.path(name), &labels, None, &self.scan).unwrap();
        text(&self.path(name))
    }

    fn scan(&self, name: &str) -> String {
        io::write_scan(&self.path(name), &self.scan).unwrap();
        text(&self.path(name))
    }
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[test]
fn info_answers_with_stable_keys() {
    let case = Case::new();
    let info = answer(&["info", "--json", &case.scan("a scan — 患者.nii.gz")]);
    let header_keys = ["format", "dims", "dtype", "spacing_mm", "axcodes", "world_from_voxel"];
    for key in header_keys.into_iter().chain(["intensity_range", "nonfinite_voxels", "warnings"]) {
        assert!(info.get(key).is_some(), "{key}");
    }
    assert_eq!(info["dims"], serde_json::json!([8, 6, 5]));
    assert_eq!(info["dtype"], "float32");
    assert_eq!(info["axcodes"], "RAS");
    assert_eq!(info["world_from_voxel"][1], serde_json::json!([0.0, 2.0, 0.0, 5.0]));
    assert_eq!(info["intensity_range"], serde_json::json!([-3.0, 13.0]));
    assert_eq!(info["nonfinite_voxels"], 0);
}

#[test]
fn info_names_no_axes_and_shows_the_badge_where_the_file_does_not_say_how_the_patient_lies() {
    let case = Case::new();
    let path = case.scan("scan.nii");
    let mut bytes = std::fs::read(&path).unwrap();
    // qform_code and sform_code.
    bytes[252..256].fill(0);
    std::fs::write(&path, bytes).unwrap();
    for arguments in [&["info", "--json", &path][..], &["info", "--json", "--header", &path]] {
        let info = answer(arguments);
        assert!(info["axcodes"].is_null());
        assert_eq!(info["badges"], serde_json::json!(["orientation unknown"]));
        assert!(info["warnings"][0].as_str().unwrap().contains("left and right are unknown"), "{info}");
        // NIfTI's method 1: spacing times index.
        let diagonal =
            [[1.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0], [0.0, 0.0, 0.0, 1.0]];
        assert_eq!(info["world_from_voxel"], serde_json::json!(diagonal));
    }
}

#[test]
fn info_of_the_header_never_touches_the_voxels() {
    let case = Case::new();
    let path = case.scan("scan.nii");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let error = complaint(&["info", "--json", &path]);
    assert!(error.contains(&path) && error.contains("expected 1312 bytes, found 1311"), "{error}");
    let info = answer(&["info", "--json", "--header", &path]);
    assert!(!keys(&info).contains(&"intensity_range") && !keys(&info).contains(&"nonfinite_voxels"));
    assert_eq!(info["dims"], serde_json::json!([8, 6, 5]));
}

#[test]
fn damaged_files_give_one_clear_line_and_an_exit_code() {
    let case = Case::new();
    let scan = std::fs::read(case.scan("scan.nii")).unwrap();
    let mut huge = scan.clone();
    huge[42..48].copy_from_slice(&[0xff, 0x7f, 0xff, 0x7f, 0xff, 0x7f]);
    let files: [(&str, &[u8], &str); 4] = [
        ("empty.nii.gz", b"", "only 0 bytes"),
        ("letter.nii", &[b'a'; 4096], "not a NIfTI file"),
        ("huge.nii", &huge, "32767 x 32767 x 32767"),
        ("truncated.nii", &scan[..500], "found 500"),
    ];
    for (name, bytes, reason) in files {
        let path = case.path(name);
        std::fs::write(&path, bytes).unwrap();
        for arguments in
            [vec!["info", &text(&path)], vec!["evaluate", "--task", "abdomen", &text(&path), &text(&path)]]
        {
            let error = complaint(&arguments);
            let refused_for_size = !cfg!(target_os = "linux") && error.contains("truncated");
            assert!(error.contains(name) && (error.contains(reason) || refused_for_size), "{error}");
        }
    }
    assert!(complaint(&["info", "no such file.nii"]).contains("no such file.nii"));
}

#[test]
fn evaluate_scores_a_reference_in_another_tables_values() {
    let case = Case::new();
    // In TotalSegmentator's tables 5 is the liver, in ours 1.
    let prediction = case.labels("prediction.nii.gz", |i| u16::from(i < 4));
    let reference = case.labels("reference.nii.gz", |i| if i < 2 { 5 } else { 0 });
    let report =
        answer(&["evaluate", &prediction, &reference, "--reference-table", "totalsegmentator-v2", "--json"]);
    assert_eq!(report["structures"].as_array().unwrap().len(), 4);
    let liver = &report["structures"][0];
    assert_eq!((&liver["label"], &liver["name"]), (&1.into(), &"Liver".into()));
    assert!((liver["dice"].as_f64().unwrap() - 2.0 / 3.0).abs() < 1e-12);
    assert!(liver["assd_mm"].is_number() && liver["hd95_mm"].is_number());
    assert!(report["structures"][3]["dice"].is_null());
    assert_eq!(report["mean"]["dice"], liver["dice"]);
    assert!(report["definition"].as_str().unwrap().contains("mm"));
}

#[test]
fn evaluate_refuses_what_would_be_a_wrong_number() {
    let case = Case::new();
    let labels = case.labels("labels.nii.gz", |i| u16::from(i < 4));
    let scan = case.scan("scan.nii");
    assert!(complaint(&["evaluate", "--task", "abdomen", &scan, &labels]).contains("-3, -2, -1"));
    let error = complaint(&["evaluate", &labels, &labels, "--reference-table", "nonsense"]);
    assert!(error.contains("nonsense") && error.contains("totalsegmentator-v2"), "{error}");
    let error = complaint(&["evaluate", &labels, &labels, "--reference-table", "btcv", "--task", "cardiac"]);
    assert!(error.contains("btcv is of the abdomen"), "{error}");

    let moved = Scan::from_volume(
        Volume::from_fn(case.scan.geometry().window([0, 1, 0], [8, 6, 5]).unwrap(), |_, _, _| 1.0),
        "phantom",
    );
    io::write_labels(&case.path("moved.nii.gz"), &moved.to_labels().unwrap(), None, &moved).unwrap();
    let error = complaint(&["evaluate", "--task", "abdomen", &labels, &text(&case.path("moved.nii.gz"))]);
    assert!(error.contains("differ in geometry"), "{error}");
}
