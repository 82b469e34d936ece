//! `mindgap batch` and `mindgap report` as a cluster and a reader of scans use them, with a bundled model on phantoms.

#![cfg(all(feature = "torch", unix))]
#![allow(clippy::unwrap_used)]

use mindgap::volume::io;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn demo(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo").join(name)
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mindgap"));
    command.args(arguments).args(["--device", "cpu", "--refine", "off"]).env("OMP_NUM_THREADS", "1");
    command
}

fn mindgap(arguments: &[&str]) -> (bool, String) {
    let output = command(arguments).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Every file below a folder with its bytes; what tells the time is left out of provenance files.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
                continue;
            }
            let mut bytes = std::fs::read(&path).unwrap();
            if path.to_string_lossy().ends_with(".provenance.json") {
                let mut value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
                assert!(value.as_object_mut().unwrap().remove("exported_at").is_some());
                bytes = serde_json::to_vec(&value).unwrap();
            }
            found.insert(path.strip_prefix(folder).unwrap().to_owned(), bytes);
        }
    }
    found
}

/// Three cases, one of which is no scan.
fn cohort(folder: &Path) -> String {
    let scans = folder.join("scans");
    std::fs::create_dir(&scans).unwrap();
    std::fs::copy(demo("abdomen_mr.nii.gz"), scans.join("Jane_Doe.nii.gz")).unwrap();
    std::fs::copy(demo("abdomen_ct.nii.gz"), scans.join("b.nii.gz")).unwrap();
    std::fs::write(scans.join("a.nii.gz"), b"no scan").unwrap();
    scans.display().to_string()
}

#[test]
fn a_batch_that_was_killed_and_one_done_in_shards_end_with_the_files_of_an_undisturbed_one() {
    let folder = tempfile::tempdir().unwrap();
    let scans = cohort(folder.path());
    let out = |name: &str| folder.path().join(name);
    let run = |name: &str, more: &[&str]| {
        let to = out(name).display().to_string();
        mindgap(&[&["batch", &scans, "-o", &to], more].concat())
    };
    let (success, told) = run("undisturbed", &[]);
    assert!(!success && told.contains("1 of 3 cases failed"), "{told}");
    let undisturbed = files(&out("undisturbed"));
    let names: Vec<String> = undisturbed.keys().map(|path| path.display().to_string()).collect();
    assert_eq!(names.iter().filter(|name| name.ends_with("labels.nii.gz")).count(), 2, "{names:?}");
    assert!(names.iter().all(|name| !name.contains("Jane")), "a file's name may name the patient: {names:?}");
    // The path is told once, to whoever has the scans: where it failed.
    let failed = PathBuf::from("failed.txt");
    for (path, bytes) in undisturbed.iter().filter(|(path, _)| **path != failed) {
        assert!(!String::from_utf8_lossy(bytes).contains("Jane"), "{}", path.display());
    }

    let killed = out("killed");
    let mut child = command(&["batch", &scans, "-o", killed.to_str().unwrap()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while std::fs::read_dir(&killed).map_or(0, Iterator::count) == 0 {
        assert!(started.elapsed() < Duration::from_secs(60), "no case was begun");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!run("killed", &[]).0);
    assert!(files(&killed) == undisturbed, "{:?}", files(&killed).keys());

    // Each shard knows its own cases; the last one sees them all.
    run("shards", &["--shard", "1/2"]);
    run("shards", &["--shard", "2/2"]);
    let mut shards = files(&out("shards"));
    assert!(shards.remove(Path::new("failed-2-of-2.txt")).is_some(), "{:?}", shards.keys());
    let mut whole = undisturbed;
    whole.remove(&failed);
    assert!(shards == whole, "{:?}", shards.keys());
}

#[test]
fn a_report_says_the_same_in_every_format_and_agrees_with_the_labels_of_the_same_run() {
    let folder = tempfile::tempdir().unwrap();
    let scan = demo("abdomen_mr.nii.gz");
    let (out, labels) = (folder.path().join("report"), folder.path().join("labels.nii.gz"));
    let (scan, to) = (scan.to_str().unwrap(), out.to_str().unwrap());
    let (success, told) = mindgap(&["report", scan, "-o", to, "--modality", "mr", "--case", "number 7"]);
    assert!(success, "{told}");
    let (success, told) = mindgap(&["segment", scan, "-o", labels.to_str().unwrap(), "--modality", "mr"]);
    assert!(success, "{told}");
    let labels = io::open_labels(&labels).unwrap();
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(out.join("report.json")).unwrap()).unwrap();
    let csv = std::fs::read_to_string(out.join("report.csv")).unwrap();
    assert_eq!(json["case"], "number 7");
    let voxel_ml = labels.geometry().voxel_ml().unwrap();
    for structure in json["measure"]["structures"].as_array().unwrap() {
        let value = structure["label"].as_u64().unwrap() as u16;
        let voxels = labels.voxels().iter().filter(|label| **label == value).count();
        assert_eq!(structure["voxels"].as_u64().unwrap(), voxels as u64, "{structure}");
        let volume_ml = structure["volume_ml"].as_f64().unwrap();
        assert!((volume_ml - voxels as f64 * voxel_ml).abs() < 1e-9);
        let row = csv.lines().find(|row| row.starts_with(&format!("number 7,{value},"))).unwrap();
        assert!(row.contains(&format!(",{voxels},")), "{row}");
    }
    // The same scan gives the same page, byte for byte.
    let before = files(&out);
    assert!(mindgap(&["report", scan, "-o", to, "--modality", "mr", "--case", "number 7"]).0);
    assert!(files(&out) == before);
    assert!(before.keys().any(|path| path.ends_with("report.pdf")));
}

#[test]
fn the_mask_and_the_adaptation_change_what_the_model_does_and_not_only_what_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let scan = demo("abdomen_mr.nii.gz");
    let made = |name: &str, more: &[&str]| {
        let labels = folder.path().join(format!("{name}.nii.gz"));
        let arguments =
            ["segment", scan.to_str().unwrap(), "-o", labels.to_str().unwrap(), "--modality", "mr"];
        let (success, told) = mindgap(&[arguments.as_slice(), more].concat());
        assert!(success, "{told}");
        io::open_labels(&labels).unwrap()
    };
    let whole = made("whole", &[]);
    assert!(made("on", &["--mask", "from:0"]) == whole);
    let off = made("off", &["--mask", "off"]);
    assert!(off != whole, "the mask of this bundle acts on its features");
    assert!(made("nothing", &["--mask", "from:1"]) == off);
    assert!(made("unadapted", &["--source-only"]) != whole);
}

#[test]
fn a_folder_that_is_there_is_never_taken_for_a_case_and_two_cases_never_take_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("one")).unwrap();
    std::fs::create_dir_all(at("out/mine")).unwrap();
    std::fs::write(at("out/mine/precious.txt"), b"keep me").unwrap();
    std::fs::copy(demo("abdomen_mr.nii.gz"), at("mine.nii.gz")).unwrap();
    std::fs::copy(demo("abdomen_mr.nii.gz"), at("one/mine.nii.gz")).unwrap();
    let (first, second, out) = (at("mine.nii.gz"), at("one/mine.nii.gz"), at("out"));
    let [first, second, out] = [&first, &second, &out].map(|path| path.to_str().unwrap());
    let (success, told) = mindgap(&["batch", first, "-o", out, "--names"]);
    assert!(!success && told.contains("was not made by this command"), "{told}");
    assert_eq!(std::fs::read(at("out/mine/precious.txt")).unwrap(), b"keep me");
    let (success, told) = mindgap(&["batch", first, second, "-o", out, "--names"]);
    assert!(!success && told.contains("have one name"), "{told}");
}

#[test]
fn names_record_where_a_scan_was_so_that_it_can_be_opened_again_and_the_record_reads_back() {
    use mindgap::session::cohort::{Cohort, ScanIndex, find_case};
    let folder = tempfile::tempdir().unwrap();
    let (scans, out) = (folder.path().join("scans"), folder.path().join("out"));
    std::fs::create_dir(&scans).unwrap();
    let scan = scans.join("seven.nii.gz");
    std::fs::copy(demo("abdomen_mr.nii.gz"), &scan).unwrap();
    let (from, to) = (scan.to_str().unwrap(), out.to_str().unwrap());
    let (success, told) = mindgap(&["batch", from, "-o", to, "--names", "--modality", "mr"]);
    assert!(success, "{told}");
    let cohort = Cohort::read(&out).unwrap();
    assert_eq!((cohort.cases.len(), cohort.cases[0].name.as_str()), (1, "seven"));
    let files = find_case(&cohort.cases[0], None, &mut ScanIndex::default()).unwrap();
    assert_eq!((files.scan, files.labels), (scan, Some(out.join("seven/labels.nii.gz"))));
    assert_eq!(files.task, Some(mindgap::volume::Task::Abdomen));
    assert_eq!(files.modality, Some(mindgap::volume::Modality::Mr));
}

#[test]
fn a_second_patient_of_the_same_file_name_takes_no_results_of_the_first_and_a_report_takes_no_volumes() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (patient, scan) in [("p1", "abdomen_mr.nii.gz"), ("p2", "abdomen_ct.nii.gz")] {
        std::fs::create_dir(at(patient)).unwrap();
        std::fs::copy(demo(scan), at(patient).join("scan.nii.gz")).unwrap();
    }
    let run = |command: &str, patient: &str, more: &[&str]| {
        let (from, to) = (at(patient).display().to_string(), at("out").display().to_string());
        mindgap(&[&[command, &from, "-o", &to, "--names"], more].concat())
    };
    let (success, told) = run("batch", "p1", &[]);
    assert!(success, "{told}");
    let first = files(&at("out/scan"));
    assert!(first.contains_key(Path::new("labels.nii.gz")), "{:?}", first.keys());
    let (success, told) = run("batch", "p2", &[]);
    assert!(!success && told.contains("p1/scan.nii.gz") && told.contains("p2/scan.nii.gz"), "{told}");
    assert!(told.contains("two output folders"), "{told}");
    assert!(files(&at("out/scan")) == first);
    let (success, told) = run("report", "p1", &[]);
    assert!(success && told.contains("scan is there already"), "{told}");
    assert!(files(&at("out/scan")) == first);
    let (success, told) = run("report", "p1", &["--threshold", "0.5"]);
    assert!(!success && told.contains("holds volumes"), "{told}");
    assert!(files(&at("out/scan")) == first);
    let folders =
        std::fs::read_dir(at("out")).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir());
    assert_eq!(folders.count(), 1, "what was refused leaves nothing half made");
}

#[test]
fn a_run_that_corrects_the_modality_computes_again_and_a_copy_of_a_scan_is_told_and_computed_once() {
    let folder = tempfile::tempdir().unwrap();
    let (scans, out) = (folder.path().join("scans"), folder.path().join("out"));
    std::fs::create_dir(&scans).unwrap();
    for name in ["a.nii.gz", "copy_of_a.nii.gz"] {
        std::fs::copy(demo("abdomen_mr.nii.gz"), scans.join(name)).unwrap();
    }
    let (from, to) = (scans.to_str().unwrap(), out.to_str().unwrap());
    for (modality, made, kept) in [("ct", 1, 0), ("mr", 1, 0), ("mr", 0, 1)] {
        let model = ["--model", "abdomen-ct-to-mr", "--modality", modality, "--jobs", "2"];
        let (success, told) = mindgap(&[["batch", from, "-o", to].as_slice(), &model].concat());
        let expected = format!("{made} made, {kept} kept, 0 failed, 1 given twice; 1 in");
        assert!(success && told.contains(&expected), "{modality}: {told}");
    }
}
