//! `mindgap bench` as a developer runs it. What is tested is that it measures the right work, never how fast that is.

#![allow(clippy::unwrap_used)]

use mindgap::volume::{Geometry, Scan, Volume, io};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

fn answer(arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_mindgap")).arg("bench").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn without_python_only_this_program_is_measured_and_no_goal_against_others_is_claimed() {
    let report = answer(&["--only", "score", "--rounds", "2", "--json", "--python", "no such python"]);
    let case = &report["cases"][0];
    assert_eq!((&report["rounds"], &case["name"]), (&2.into(), &"score".into()));
    let ours = &case["runs"][0];
    assert_eq!(ours["seconds"].as_array().unwrap().len(), 2);
    assert!(ours["median_s"].as_f64().unwrap() > 0.0);
    assert!((0.5..1.0).contains(&ours["check"].as_f64().unwrap()), "the structures must overlap: {ours}");
    assert_eq!(case["missing"], serde_json::json!(["surface-distance"]));
    assert!(case["goals"][0]["met"].is_null());
    assert!(report["machine"]["cores"].as_u64().unwrap() >= 1);
}

#[test]
fn a_fresh_process_measures_the_scan_it_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let grid = Geometry::axis_aligned([6, 5, 4], [2.0; 3], [0.0; 3]).unwrap();
    let scan = Scan::from_volume(Volume::from_fn(grid, |_, _, _| 3.0), "phantom");
    let (input, output) = (file("a.nii.gz"), file("b.nii.gz"));
    io::write_scan(Path::new(&input), &scan).unwrap();
    for task in ["read", "resample"] {
        assert_eq!(answer(&["work", task, &input])["check"], 3.0, "{task}");
    }
    for task in ["inflate", "header"] {
        assert!(answer(&["work", task, &input])["seconds"].is_number(), "{task}");
    }
    answer(&["work", "write-labels", &input, &output]);
    assert_eq!(io::open_labels(Path::new(&output)).unwrap().at(5, 4, 3), 3);
}
