//! What the window makes of files that are odd, damaged or hold more than one scan.

#![cfg(feature = "gui")]
#![allow(clippy::unwrap_used)]

#[path = "support/scripted_engine.rs"]
mod scripted_engine;
#[path = "support/spoilt_nifti.rs"]
#[allow(dead_code)]
mod spoilt_nifti;
#[path = "support/study_files.rs"]
mod study_files;
#[path = "support/window.rs"]
mod window;

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use mindgap::session::Role;
use mindgap::ui::App;
use mindgap::volume::{Geometry, Scan, Task, Volume, io};
use scripted_engine::Script;
use std::path::{Path, PathBuf};
use study_files::StudyFiles;
use window::{RUN, click, drop_files, notices, settle, type_path, window};

/// A NIfTI-1 file of `volumes` volumes of 16 x 16 x 4 int16 voxels, volume t holding 100 t everywhere.
fn several_volumes(path: &Path, volumes: i16) {
    let folder = tempfile::tempdir().unwrap();
    let one = folder.path().join("one.nii");
    let grid = Geometry::axis_aligned([16, 16, 4], [3.0; 3], [0.0; 3]).unwrap();
    let volume = Volume::from_fn(grid, |i, _, _| i as f32);
    io::write_scan(&one, &Scan::from_volume(volume, "phantom")).unwrap();
    let mut bytes = std::fs::read(&one).unwrap()[..352].to_vec();
    // dim[0] and dim[4]; datatype int16 of 16 bits.
    bytes[40..42].copy_from_slice(&4i16.to_le_bytes());
    bytes[48..50].copy_from_slice(&volumes.to_le_bytes());
    bytes[70..74].copy_from_slice(&[4, 0, 16, 0]);
    for volume in 0..volumes {
        bytes.extend((0..16 * 16 * 4).flat_map(|_| (100 * volume).to_le_bytes()));
    }
    std::fs::write(path, bytes).unwrap();
}

/// Changes the checksum of a gzip file.
fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let crc = bytes.len() - 8;
    bytes[crc] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn another_volume_of_the_file_is_one_click_away_and_the_pane_says_which_is_shown() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    let path = files.path().join("cine.nii");
    several_volumes(&path, 3);
    click(&mut window, "Open target");
    type_path(&mut window, &path.display().to_string());
    click(&mut window, "Open");
    settle(&mut window);
    window.get_by_label("volume 1/3");
    click(&mut window, "Next volume of the target");
    settle(&mut window);
    window.get_by_label("volume 2/3");
    let scan = window.state().state().study.scan(Role::Target).unwrap().clone();
    assert_eq!((scan.scan.volume, scan.scan.value(3, 3, 1)), (1, 100.0));
    assert!(scan.scan.badges().contains(&"t=2/3".to_owned()));
}

#[test]
fn a_file_with_a_wrong_checksum_is_refused_until_the_user_decides_otherwise() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    let before = window.state().state().study.scan(Role::Source).unwrap().id;
    let path = files.path().join("flipped.nii.gz");
    std::fs::copy(files.ct(), &path).unwrap();
    damage(&path);
    click(&mut window, "Open source");
    type_path(&mut window, &path.display().to_string());
    click(&mut window, "Open");
    settle(&mut window);
    assert!(notices(&window)[0].contains("damaged"), "{:?}", notices(&window));
    assert!(window.state().state().study.is_open(Role::Source, before));
    click(&mut window, "Open it as damaged");
    settle(&mut window);
    let scan = window.state().state().study.scan(Role::Source).unwrap();
    assert!(scan.scan.badges().contains(&"damaged file".to_owned()), "{:?}", scan.scan.badges());
}

#[test]
fn no_file_that_cannot_be_opened_changes_the_study_that_is_open() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    click(&mut window, RUN);
    settle(&mut window);
    let open = |window: &Harness<'static, App>| {
        let study = &window.state().state().study;
        (study.scan(Role::Source).unwrap().id, study.scan(Role::Target).unwrap().id)
    };
    let before = open(&window);
    let whole = std::fs::read(files.ct()).unwrap();
    let text = |text: &str| text.as_bytes().to_vec();
    let mut bad = spoilt_nifti::files();
    bad.extend([
        ("letters.nii", vec![b'a'; 4096]),
        ("cut.nii.gz", whole[..whole.len() / 3].to_vec()),
        ("text.nrrd", text("NRRD0004\ntype: short\ndimension: 3\nsizes: 9 9 9\nencoding: raw\n\n")),
        ("odd.mha", text("ObjectType = Image\nNDims = 3\nDimSize = 99999 99999 99999\n")),
        ("nothing.dcm", [&[0; 128], b"DICM".as_slice()].concat()),
    ]);
    let mut refused = 0;
    for (name, bytes) in bad {
        let path = files.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        // Those that open rightly are another test's.
        if io::open(&path).is_err() {
            drop_files(&mut window, [path]);
            assert!(notices(&window).last().unwrap().contains(name), "{:?}", notices(&window));
            assert_eq!(open(&window), before, "{name}");
            refused += 1;
        }
    }
    assert!(refused > 25, "{refused} of the files were refused");
    drop_files(&mut window, [files.path().join("not there.nii"), PathBuf::from("/dev/null")]);
    assert_eq!(open(&window), before);
    assert!(window.state().state().study.prediction(Role::Target).is_some(), "the prediction stays");
}

#[test]
fn labels_the_program_does_not_draw_are_told_by_their_values() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    let scan = io::open(&files.ct()).unwrap();
    // BTCV: 6 is the liver, 11 is the pancreas.
    let values = |i: usize, _: usize, _: usize| if i < 8 { 6 } else { 11 };
    let labels = Volume::from_fn(scan.geometry().clone(), values);
    let path = files.path().join("btcv.nii.gz");
    io::write_labels(&path, &labels, None, &scan).unwrap();
    click(&mut window, "File");
    click(&mut window, "Open labels…");
    type_path(&mut window, &path.display().to_string());
    click(&mut window, "Label table");
    click(&mut window, "btcv");
    click(&mut window, "Open");
    settle(&mut window);
    assert!(notices(&window)[0].contains("class 11"), "{:?}", notices(&window));
    let source = window.state().state().study.scan(Role::Source).unwrap().clone();
    let shown = source.labels(Task::Abdomen).unwrap();
    assert_eq!((shown.at(0, 0, 0), shown.at(20, 0, 0)), (1, 0));
}

#[test]
fn two_places_that_contradict_each_other_are_told_and_either_can_be_chosen() {
    let files = StudyFiles::new();
    let mut bytes = {
        let path = files.path().join("plain.nii");
        io::write_scan(&path, &io::open(&files.mr()).unwrap()).unwrap();
        std::fs::read(path).unwrap()
    };
    // qoffset_x: the qform lies 10 mm further to the right than the sform.
    let x = f32::from_le_bytes(bytes[268..272].try_into().unwrap()) + 10.0;
    bytes[268..272].copy_from_slice(&x.to_le_bytes());
    let path = files.path().join("contradiction.nii");
    std::fs::write(&path, bytes).unwrap();
    let mut window = window(&files, &[Script::Answer]);
    drop_files(&mut window, [path]);
    let origin_x = |window: &Harness<'static, App>| {
        window.state().state().study.scan(Role::Target).unwrap().geometry().world_from_voxel().w_axis.x
    };
    let by_sform = origin_x(&window);
    click(&mut window, "Use the qform");
    settle(&mut window);
    assert!((origin_x(&window) - by_sform - 10.0).abs() < 1e-4);
    click(&mut window, "Use the sform");
    settle(&mut window);
    assert_eq!(origin_x(&window), by_sform);
}
