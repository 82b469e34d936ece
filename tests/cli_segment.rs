//! `mindgap segment` and its kin as a user runs them, with a bundled model on a bundled phantom.

#![cfg(feature = "torch")]
#![allow(clippy::unwrap_used)]

use mindgap::config::sha256_hex;
use mindgap::session::{Provenance, provenance_path};
use mindgap::volume::{geometry_equal, io, keep_largest_islands};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn mindgap(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mindgap")).args(arguments).output().unwrap()
}

fn demo(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo").join(name)
}

#[test]
fn labels_of_a_phantom_lie_on_its_grid_and_find_every_organ() {
    let folder = tempfile::tempdir().unwrap();
    let (scan, labels) = (demo("abdomen_mr.nii.gz"), folder.path().join("labels.nii.gz"));
    let output = mindgap(&[
        "segment",
        scan.to_str().unwrap(),
        "-o",
        labels.to_str().unwrap(),
        "--modality",
        "mr",
        "--device",
        "cpu",
        "--json",
    ]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["model"], "abdomen-ct-to-mr", "a scan must get the model whose target is its modality");
    let structures = answer["structures"].as_array().unwrap();
    assert_eq!(structures.iter().map(|s| s["label"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let written = io::open_labels(&labels).unwrap();
    assert!(geometry_equal(written.geometry(), io::open(&scan).unwrap().geometry(), 1e-6));
    let beside = std::fs::read(provenance_path(&labels)).unwrap();
    let provenance: Provenance = serde_json::from_slice(&beside).unwrap();
    assert_eq!(provenance.output.sha256, sha256_hex(&std::fs::read(&labels).unwrap()));
    assert_eq!((provenance.model.id.as_str(), provenance.run.mask.as_str()), ("abdomen-ct-to-mr", "on"));
    for structure in structures {
        let value = structure["label"].as_u64().unwrap() as u16;
        let voxels = written.voxels().iter().filter(|&&label| label == value).count();
        assert_eq!(structure["voxels"].as_u64().unwrap(), voxels as u64, "{structure}");
        assert!(voxels > 0, "{structure}");
    }
}

#[test]
fn with_largest_island_each_structure_is_one_piece_on_the_scans_own_grid() {
    let folder = tempfile::tempdir().unwrap();
    let (scan, output) = (demo("abdomen_mr.nii.gz"), folder.path().join("labels.nii.gz"));
    let (scan, path) = (scan.to_str().unwrap(), output.to_str().unwrap());
    let arguments = ["segment", scan, "-o", path, "--modality", "mr", "--device", "cpu", "--refine", "off"];
    let ended = mindgap(&[arguments.as_slice(), &["--largest-island"]].concat());
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let labels = io::open_labels(&output).unwrap();
    let mut largest = labels.clone();
    keep_largest_islands(&mut largest);
    assert!(largest == labels && labels.voxels().iter().any(|&label| label != 0));
}

#[test]
fn a_scan_is_never_overwritten_by_its_own_labels() {
    let folder = tempfile::tempdir().unwrap();
    let scan = folder.path().join("scan.nii.gz");
    std::fs::copy(demo("abdomen_mr.nii.gz"), &scan).unwrap();
    let before = std::fs::read(&scan).unwrap();
    let path = scan.to_str().unwrap();
    for command in ["segment", "translate", "gap"] {
        let output = mindgap(&[command, path, "-o", path, "--modality", "mr"]);
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains("another name"), "{command}: {output:?}");
    }
    assert_eq!(std::fs::read(&scan).unwrap(), before);
}

#[test]
fn a_missing_folder_or_unknown_ending_is_told_before_anything_is_computed() {
    let scan = demo("abdomen_mr.nii.gz");
    for (target, told) in
        [("no/such/folder/out.nii.gz", "folder does not exist"), ("out.jpg", ".nii.gz, .nii")]
    {
        let output = mindgap(&["segment", scan.to_str().unwrap(), "-o", target, "--modality", "mr"]);
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains(told), "{output:?}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_model_is_not_used_for_a_task_it_does_not_know() {
    let scan = demo("cardiac_mr.nii.gz");
    let arguments = ["--task", "cardiac", "--modality", "mr", "--model", "abdomen-ct-to-mr"];
    let output =
        mindgap(&[&["segment", scan.to_str().unwrap(), "-o", "never.nii.gz"], arguments.as_slice()].concat());
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("is for abdomen"), "{output:?}");
}
