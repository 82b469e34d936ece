//! `mindgap phantom` as a script sees it.

#![allow(clippy::unwrap_used)]

use mindgap::volume::{geometry_equal, io};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn phantom(arguments: &[&str], output: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mindgap"))
        .args(["phantom", "--json", "--spacing", "7", "--output"])
        .arg(output)
        .args(arguments)
        .env_remove("RUST_LOG")
        .output()
        .unwrap()
}

#[test]
fn a_folder_gets_scans_labels_and_tissues_on_one_grid() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made");
    let output = phantom(&["--modality", "mr", "--seed", "4", "--count", "2", "--tissues", "--whole"], &made);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["phantoms"].as_array().unwrap().len(), 2);
    for (told, seed) in answer["phantoms"].as_array().unwrap().iter().zip([4, 5]) {
        let scan = io::open(&made.join(format!("abdomen_mr_{seed:04}.nii.gz"))).unwrap();
        let labels = io::open_labels(&made.join(format!("abdomen_mr_{seed:04}_labels.nii.gz"))).unwrap();
        let tissues = io::open_labels(&made.join(format!("abdomen_mr_{seed:04}_tissues.nii.gz"))).unwrap();
        assert!(geometry_equal(scan.geometry(), labels.geometry(), 1e-3));
        assert!(geometry_equal(scan.geometry(), tissues.geometry(), 1e-3));
        let liver = labels.voxels().iter().filter(|v| **v == 1).count();
        assert_eq!(told["structures"][0]["voxels"], liver);
    }
}

#[test]
fn several_phantoms_into_one_file_are_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("one.nii.gz");
    let output = phantom(&["--count", "2"], &file);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("need a folder"));
    assert!(!file.exists());
}

#[test]
fn labels_that_would_replace_the_scan_or_cannot_be_written_are_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let scan = folder.path().join("a.nii.gz");
    for (labels, said) in [
        ("a.nii.gz", "choose another name"),
        ("a_tissues.nii.gz", "choose another name"),
        ("x.foo", ".seg.nrrd"),
        ("nowhere/x.nii", "its folder does not exist"),
    ] {
        let labels = folder.path().join(labels);
        let output = phantom(&["--tissues", "--labels", labels.to_str().unwrap()], &scan);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && error.contains(said), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn one_file_and_its_labels_go_where_they_were_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let (scan, labels) = (folder.path().join("heart.nii"), folder.path().join("truth.nii.gz"));
    let output = phantom(
        &["--task", "cardiac", "--seed", "1", "--whole", "--labels", labels.to_str().unwrap()],
        &scan,
    );
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(io::open(&scan).unwrap().voxels().dtype().name(), "int16");
    assert_eq!(io::open_labels(&labels).unwrap().voxels().iter().max(), Some(&4));
}
