//! `mindgap stats` as a script sees it.

#![allow(clippy::unwrap_used)]

use mindgap::volume::{Geometry, LabelMap, Scaling, Scan, Volume, Voxels, io};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};

fn stats(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mindgap")).arg("stats").args(arguments).output().unwrap()
}

fn answer(arguments: &[&str]) -> Value {
    let output = stats(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

struct Case {
    folder: tempfile::TempDir,
    scan: Scan,
}

impl Case {
    fn new() -> Self {
        let grid = Geometry::axis_aligned([10, 4, 5], [1.0, 2.0, 2.5], [0.0; 3]).unwrap();
        let voxels = Voxels::I16((0..200).map(|at| at % 10).collect());
        let scan = Scan::new(voxels, Scaling { slope: 2.0, intercept: -1.0 }, grid, "test").unwrap();
        Self { folder: tempfile::tempdir().unwrap(), scan }
    }

    fn file(&self, name: &str, write: impl FnOnce(&Path)) -> String {
        let path = self.folder.path().join(name);
        write(&path);
        path.to_str().unwrap().to_owned()
    }

    fn write_scan(&self) -> String {
        self.file("scan.nii", |path| drop(io::write_scan(path, &self.scan).unwrap()))
    }

    fn write_labels(&self, reference: &Scan) -> String {
        let labels: LabelMap =
            Volume::from_fn(reference.geometry().clone(), |i, _, _| if i < 3 { 2 } else { 0 });
        self.file("labels.nii", |path| drop(io::write_labels(path, &labels, None, reference).unwrap()))
    }
}

#[test]
fn figures_are_of_measured_values_and_volumes_in_millilitres() {
    let case = Case::new();
    let (scan, labels) = (case.write_scan(), case.write_labels(&case.scan));
    let report = answer(&[&scan, "--labels", &labels, "--table", "abdomen", "--json"]);
    let whole = &report["scan"]["spread"];
    assert_eq!((&whole["min"], &whole["max"], &whole["mean"]), (&json!(-1.0), &json!(17.0), &json!(8.0)));
    assert_eq!(report["scan"]["voxels"], 200);
    let median = whole["percentiles"].as_array().unwrap().iter().find(|p| p["percent"] == 50.0).unwrap();
    assert_eq!(median["value"], 8.0);
    let counts = report["histogram"]["counts"].as_array().unwrap();
    assert_eq!(counts.iter().map(|count| count.as_u64().unwrap()).sum::<u64>(), 200);
    let kidney = &report["labels"][0];
    assert_eq!((&kidney["label"], &kidney["name"]), (&json!(2), &json!("Right kidney")));
    assert_eq!((&kidney["voxels"], &kidney["volume_ml"]), (&json!(60), &json!(0.3)));
    assert_eq!(kidney["values"]["spread"]["mean"], 1.0);

    let text = String::from_utf8(stats(&[&scan, "--labels", &labels]).stdout).unwrap();
    assert!(text.contains("class 2") && text.contains("0.3 mL") && text.contains("50%: 8"), "{text}");
}

#[test]
fn labels_on_another_grid_are_not_measured() {
    let case = Case::new();
    let moved = case.scan.geometry().window([1, 0, 0], [10, 4, 5]).unwrap();
    let moved = Scan::from_volume(Volume::from_fn(moved, |_, _, _| 0.0), "test");
    let output = stats(&[&case.write_scan(), "--labels", &case.write_labels(&moved), "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("another grid") && error.contains("convert"), "{error}");
}
