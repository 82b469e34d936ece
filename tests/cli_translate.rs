//! `mindgap translate` as a user runs it, with a bundled model on a bundled phantom: styles, and the anatomy check.

#![cfg(feature = "torch")]
#![allow(clippy::unwrap_used)]

use mindgap::session::{Provenance, provenance_path};
use mindgap::volume::{Scan, Volume, io};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn mindgap(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mindgap")).args(arguments).output().unwrap()
}

/// A folder with some slices of the bundled CT-like phantom in it.
fn folder_with_scan(slices: usize) -> (tempfile::TempDir, PathBuf) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo/abdomen_ct.nii.gz");
    let whole = io::open(&path).unwrap();
    let [ni, nj, nk] = whole.geometry().dims();
    let first = (nk - slices) / 2;
    let grid = whole.geometry().window([0, 0, first as i64], [ni, nj, slices]).unwrap();
    let part = Scan::from_volume(Volume::from_fn(grid, |i, j, k| whole.value(i, j, first + k)), "phantom");
    let folder = tempfile::tempdir().unwrap();
    let scan = folder.path().join("scan.nii.gz");
    io::write_scan(&scan, &part).unwrap();
    (folder, scan)
}

fn translate(scan: &Path, output: &Path, more: &[&str]) -> Output {
    let fixed = ["--modality", "ct", "--device", "cpu"];
    let files = ["translate", scan.to_str().unwrap(), "-o", output.to_str().unwrap()];
    mindgap(&[files.as_slice(), fixed.as_slice(), more].concat())
}

#[test]
fn the_check_is_told_in_words_in_numbers_and_as_a_map_and_never_without_its_caveat() {
    let (folder, scan) = folder_with_scan(8);
    let (output, map) = (folder.path().join("out.nii.gz"), folder.path().join("edges.nii.gz"));
    let ended = translate(&scan, &output, &["--check", "--json", "--edge-map", map.to_str().unwrap()]);
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(answer["anatomy"]["net"], "SourceOnly");
    assert!(answer["anatomy"]["caveat"].as_str().unwrap().contains("two errors can cancel"));
    let structures = answer["anatomy"]["structures"].as_array().unwrap();
    assert_eq!(structures.len(), 4);
    for structure in structures {
        let (name, sentence) = (structure["name"].as_str().unwrap(), structure["sentence"].as_str().unwrap());
        assert!(sentence.starts_with(&format!("{name}: ")), "{sentence}");
        println!("{sentence}  {structure}");
        for key in ["dice", "hd95_mm", "boundary"] {
            assert!(structure.get(key).is_some(), "{key}");
        }
    }
    let (written, given) = (io::open(&map).unwrap(), io::open(&scan).unwrap());
    assert_eq!(written.geometry().dims(), given.geometry().dims());
    assert!(written.to_f32().voxels().iter().any(|v| v.is_nan()), "flat tissue is not judged");
    let provenance: Provenance =
        serde_json::from_slice(&std::fs::read(provenance_path(&map)).unwrap()).unwrap();
    assert_eq!(provenance.content, "edge agreement volume");

    let text = translate(&scan, &output, &["--check"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("Liver: ") && text.contains("does not prove"), "{text}");
}

#[test]
fn a_style_between_the_two_is_recorded_and_a_nonsensical_one_is_refused() {
    let (folder, scan) = folder_with_scan(2);
    let style_of = |path: &Path| {
        let bytes = std::fs::read(provenance_path(path)).unwrap();
        serde_json::from_slice::<Provenance>(&bytes).unwrap().run.style
    };
    let at = |style: &str| {
        let output = folder.path().join(format!("style_{style}.nii.gz"));
        let ended = translate(&scan, &output, &["--style", style, "--json"]);
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        let answer: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
        assert!((answer["style"].as_f64().unwrap() - style.parse::<f64>().unwrap()).abs() < 1e-6);
        assert_eq!(style_of(&output), Some(style.parse().unwrap()));
        io::open(&output).unwrap().to_f32()
    };
    let (between, target) = (at("0.4"), at("1"));
    assert_ne!(between.voxels(), target.voxels());
    let ordinary = folder.path().join("ordinary.nii.gz");
    assert!(translate(&scan, &ordinary, &[]).status.success());
    assert_eq!(io::open(&ordinary).unwrap().to_f32().voxels(), target.voxels(), "1 is what is made unasked");
    assert_eq!(style_of(&ordinary), Some(1.0));

    let never = folder.path().join("never.nii.gz");
    for (arguments, told) in [
        (["--style", "1.5"].as_slice(), "from 0 (the scan's own style) to 1"),
        (&["--style", "-1"], "from 0 (the scan's own style) to 1"),
        (&["--style", "0.5", "--check"], "leave one of the two out"),
        (&["--edge-map", "map.nii.gz"], "--check"),
    ] {
        let refused = translate(&scan, &never, arguments);
        assert!(!refused.status.success() && !never.exists(), "{arguments:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains(told), "{refused:?}");
    }
}
