//! `mindgap evaluate` as a user runs it: one pair, and folders in which not everything is as it should be.

#![allow(clippy::unwrap_used)]

use mindgap::volume::{Geometry, LabelMap, Scan, Volume, io};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder of predictions and one of references.
struct Study {
    folder: tempfile::TempDir,
}

impl Study {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        ["pred", "ref"].iter().for_each(|name| std::fs::create_dir(folder.path().join(name)).unwrap());
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a slab of `value` that begins at the voxel `first` and is two voxels of 2 mm thick.
    fn slab(&self, name: &str, value: u16, first: usize) {
        let grid = Geometry::axis_aligned([6, 5, 4], [2.0, 1.0, 3.0], [0.0; 3]).unwrap();
        let scan = Scan::from_volume(Volume::from_fn(grid.clone(), |_, _, _| 0.0), "test");
        let labels: LabelMap =
            Volume::from_fn(grid, |i, _, _| if (first..first + 2).contains(&i) { value } else { 0 });
        io::write_labels(&self.path(name), &labels, None, &scan).unwrap();
    }

    fn evaluate(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mindgap"));
        command.current_dir(self.folder.path()).arg("evaluate").args(arguments).output().unwrap()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }
}

fn answer(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The rows of a CSV file whose cells hold no comma, under their header.
fn csv(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split(',').collect()).collect()
}

#[test]
fn two_folders_come_to_the_mean_and_sample_deviation_of_their_cases() {
    let study = Study::new();
    // The same: Dice 1, 0 mm. One voxel of 2 mm apart: Dice 0.5, 1 mm on average, 2 mm at the 95th percentile.
    for (name, first) in [("a.nii.gz", 1), ("b.nii.gz", 2)] {
        study.slab(&format!("pred/{name}"), 1, 1);
        study.slab(&format!("ref/{name}"), 1, first);
    }
    let output = study.evaluate(&["pred", "ref", "--task", "abdomen", "--json", "--csv", "scores.csv"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let answer = answer(&output);
    let liver = &answer["summary"]["structures"][0];
    assert_eq!((&liver["name"], &liver["dice"]["n"]), (&json!("Liver"), &json!(2)));
    let number = |value: &Value| value.as_f64().unwrap();
    assert_eq!(number(&liver["dice"]["mean"]), 0.75);
    assert!((number(&liver["dice"]["sd"]) - 0.125f64.sqrt()).abs() < 1e-12, "{liver}");
    assert_eq!((number(&liver["assd_mm"]["mean"]), number(&liver["hd95_mm"]["mean"])), (0.5, 1.0));
    assert!((number(&liver["hd95_mm"]["sd"]) - 2.0f64.sqrt()).abs() < 1e-12);
    let spleen = &answer["summary"]["structures"][3]["dice"];
    assert_eq!(spleen, &json!({"mean": null, "sd": null, "n": 0, "undefined": 2}));
    let all = &answer["summary"]["all_structures"]["dice"];
    assert_eq!((number(&all["mean"]), &all["n"], &all["undefined"]), (0.75, &json!(2), &json!(6)));
    assert!(answer["summary"]["definition"].as_str().unwrap().contains("MedPy"));

    let text = study.read("scores.csv");
    let rows = csv(&text);
    let metrics = ["dice", "assd_mm", "hd95_mm", "prediction_ml", "reference_ml"];
    assert_eq!(rows[0], [&["case", "label", "structure"][..], &metrics[..]].concat());
    // 40 voxels of 6 mm³ in either.
    assert_eq!((rows.len(), &rows[5][..]), (9, &["b", "1", "Liver", "0.5", "1", "2", "0.24", "0.24"][..]));
    assert_eq!(rows[8], ["b", "4", "Spleen", "", "", "", "0", "0"]);
}

#[test]
fn a_bad_case_is_named_stops_no_other_and_fails_the_command() {
    let study = Study::new();
    for name in ["a.nii.gz", "bad.nii.gz", "c.nii.gz"] {
        study.slab(&format!("pred/{name}"), 1, 1);
        study.slab(&format!("ref/{name}"), 1, 1);
    }
    std::fs::write(study.path("pred/bad.nii.gz"), b"no label map").unwrap();
    // Two files that could be meant are no reason to choose one.
    study.slab("pred/twice.nii.gz", 1, 1);
    study.slab("pred/twice.mha", 1, 1);
    study.slab("ref/twice.nii.gz", 1, 1);
    let output =
        study.evaluate(&["pred", "ref", "--task", "abdomen", "--json", "--csv", "s.csv", "--plot", "s.png"]);
    assert_eq!(output.status.code(), Some(1));
    let answer = answer(&output);
    let names = |key: &str| -> Vec<String> {
        let cases = answer[key].as_array().unwrap();
        cases.iter().map(|case| case["case"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        (names("cases"), names("failures")),
        (vec!["a".into(), "c".into()], vec!["twice".into(), "bad".into()])
    );
    let words = stderr(&output);
    assert!(words.contains("error: bad: pred/bad.nii.gz") && words.contains("keep one"), "{words}");
    assert!(words.contains("2 of 4 cases could not be scored: twice, bad"), "{words}");
    assert_eq!(csv(&study.read("s.csv")).len(), 1 + 2 * 4);
    let picture = image::load_from_memory(&std::fs::read(study.path("s.png")).unwrap()).unwrap();
    assert_eq!([picture.width(), picture.height()], mindgap::eval::chart::SIZE);
    let text = String::from_utf8(study.evaluate(&["pred", "ref", "--task", "abdomen"]).stdout).unwrap();
    assert!(
        text.contains("scored: 2, not scored: 2, files without partner: 0")
            && text.contains("bad: not scored"),
        "{text}"
    );
}

#[test]
fn files_without_partner_are_named_and_other_files_are_none() {
    let study = Study::new();
    for name in ["pred/a.seg.nrrd", "ref/a.mha", "pred/only_predicted.nii", "ref/only_labelled.nii.gz"] {
        study.slab(name, 1, 1);
    }
    std::fs::write(study.path("pred/notes.txt"), b"").unwrap();
    std::fs::write(study.path("pred/._a.nii.gz"), b"").unwrap();
    let output = study.evaluate(&["pred", "ref", "--task", "abdomen", "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let answer = answer(&output);
    assert_eq!(answer["cases"][0]["case"], "a");
    let unpaired: Vec<&str> =
        answer["unpaired"].as_array().unwrap().iter().map(|sentence| sentence.as_str().unwrap()).collect();
    assert_eq!(unpaired.len(), 2);
    assert!(unpaired[0].contains("only_predicted.nii: has no reference"), "{unpaired:?}");
    assert!(unpaired[1].contains("only_labelled.nii.gz: has no prediction"), "{unpaired:?}");
    assert!(stderr(&output).contains("only_predicted.nii") && !stderr(&output).contains("notes.txt"));
}

#[test]
fn folders_that_share_no_case_or_hold_none_are_refused_in_words() {
    let study = Study::new();
    study.slab("pred/a.nii", 1, 1);
    let error = |arguments: &[&str]| {
        let output = study.evaluate(arguments);
        assert_eq!(output.status.code(), Some(1));
        stderr(&output)
    };
    assert!(error(&["pred", "ref"]).contains("ref: expected label files"));
    study.slab("ref/b.nii", 1, 1);
    assert!(error(&["pred", "ref"]).contains("same name without ending"));
    assert!(error(&["pred", "ref/b.nii"]).contains("pred is a folder and ref/b.nii is not"));
    assert!(error(&["pred/a.nii", "ref/b.nii", "--csv", "ref/b.nii"]).contains("choose another name"));
    assert!(error(&["pred/a.nii", "ref/b.nii", "--plot", "plot.pdf"]).contains(".png"));
    let tables = ["--reference-table", "btcv", "--prediction-table", "mm-whs"];
    assert!(error(&[&["pred/a.nii", "ref/b.nii"], &tables[..]].concat()).contains("same structures"));
}

#[test]
fn a_pair_is_scored_in_the_label_values_of_both_tables() {
    let study = Study::new();
    // The liver is 5 in TotalSegmentator's first version and 6 in BTCV.
    study.slab("prediction.nii.gz", 5, 1);
    study.slab("reference.nii.gz", 6, 2);
    let tables = ["--prediction-table", "totalsegmentator-v1", "--reference-table", "btcv"];
    let files = ["prediction.nii.gz", "reference.nii.gz", "--json", "--csv", "pair.csv"];
    let output = study.evaluate(&[&files[..], &tables[..]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let answer = answer(&output);
    assert_eq!(
        (&answer["structures"][0]["name"], &answer["structures"][0]["dice"]),
        (&json!("Liver"), &json!(0.5))
    );
    assert!(study.read("pair.csv").contains("\nprediction,1,Liver,0.5,1,2,0.24,0.24\n"));
    assert!(!Path::new("pair.csv").exists(), "what a test writes stays in its folder");
}
