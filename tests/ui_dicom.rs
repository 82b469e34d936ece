//! DICOM folders and slices on their way into the window.

#![cfg(feature = "gui")]
#![allow(clippy::unwrap_used)]

#[path = "support/dicom_file.rs"]
#[allow(dead_code)]
mod dicom_file;
#[path = "support/scripted_engine.rs"]
mod scripted_engine;
#[path = "support/study_files.rs"]
mod study_files;
#[path = "support/window.rs"]
mod window;

use dicom_dictionary_std::tags;
use dicom_file::{EXPLICIT, Slice};
use egui_kittest::kittest::Queryable;
use mindgap::session::Role;
use scripted_engine::Script;
use std::path::PathBuf;
use study_files::StudyFiles;
use window::{click, drop_files, notices, settle, window};

/// Slices `numbers` of a CT series, in a folder of the study's files.
fn write_series(files: &StudyFiles, folder: &str, uid: &str, numbers: &[i32]) -> Vec<PathBuf> {
    let folder = files.path().join(folder);
    std::fs::create_dir_all(&folder).unwrap();
    let write = |number: &i32| {
        let path = folder.join(format!("{uid}-{number}.dcm"));
        let slice = Slice::ct(*number).uid(tags::SERIES_INSTANCE_UID, uid);
        slice.uid(tags::SOP_INSTANCE_UID, &format!("{uid}.{number}")).write(&path, EXPLICIT);
        path
    };
    numbers.iter().map(write).collect()
}

#[test]
fn a_folder_with_several_series_asks_which_and_says_no_name() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    let before = window.state().state().study.scan(Role::Source).unwrap().id;
    write_series(&files, "study", "1.2.3", &[1, 2, 3, 4]);
    write_series(&files, "study", "1.2.9", &[1, 2]);
    drop_files(&mut window, [files.path().join("study")]);
    window.get_by_label("Which series?");
    assert!(window.state().state().study.is_open(Role::Source, before), "nothing changes before the choice");
    assert!(window.query_by_label_contains("Secret").is_none());
    // The larger one is chosen already; the other is the second of two equal titles.
    let second = window.get_all_by_label("5 · CT · Thorax").nth(1).unwrap();
    second.click();
    window::rest(&mut window);
    click(&mut window, "Open");
    settle(&mut window);
    let scan = window.state().state().study.scan(Role::Source).unwrap();
    assert_eq!((scan.name.as_str(), scan.geometry().dims()[2]), ("study", 2));
}

#[test]
fn slices_dropped_together_are_one_scan_and_a_slice_dropped_alone_is_that_slice() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    let slices = write_series(&files, "study", "1.2.3", &[1, 2, 3, 4]);
    drop_files(&mut window, slices[..3].to_vec());
    let depth = |window: &egui_kittest::Harness<'static, mindgap::ui::App>| {
        window.state().state().study.scan(Role::Source).unwrap().geometry().dims()[2]
    };
    assert_eq!((notices(&window), depth(&window)), (Vec::new(), 3));
    drop_files(&mut window, [slices[0].clone()]);
    assert_eq!(depth(&window), 1);
}

#[test]
fn a_series_with_a_missing_slice_is_opened_only_if_the_user_says_so() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    write_series(&files, "gap", "1.2.3", &[1, 2, 3, 5, 6]);
    drop_files(&mut window, [files.path().join("gap")]);
    assert!(notices(&window)[0].contains("missing"), "{:?}", notices(&window));
    click(&mut window, "Open it with its gaps");
    settle(&mut window);
    let scan = window.state().state().study.scan(Role::Source).unwrap();
    assert_eq!((scan.geometry().dims()[2], scan.geometry().voxel_ml()), (6, None));
    assert!(scan.scan.badges().contains(&"slices missing".to_owned()));
}
