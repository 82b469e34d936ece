//! The window as its user meets it: found by the names a screen reader reads, with an engine that follows a script.

#![cfg(feature = "gui")]
#![allow(clippy::unwrap_used)]

#[path = "support/scripted_engine.rs"]
mod scripted_engine;
#[path = "support/study_files.rs"]
mod study_files;
#[path = "support/window.rs"]
mod window;

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use mindgap::session::{EngineError, EngineSite, Role};
use mindgap::ui::{App, StartUp};
use mindgap::volume::io;
use scripted_engine::Script;
use std::path::PathBuf;
use std::sync::Arc;
use study_files::StudyFiles;
use window::{
    RUN, click, drop_files, launcher, notices, on_both_scans, pane, settle, type_path, wait_until, window,
    window_with,
};

#[test]
fn the_main_button_fills_all_five_panes() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    assert!(pane(&window, "Source pane").contains("CT"));
    assert!(pane(&window, "Target pane").contains("MR"));
    assert!(pane(&window, "Target-like pane").contains("nothing yet"));
    click(&mut window, RUN);
    settle(&mut window);
    assert_eq!(notices(&window), Vec::<String>::new());
    assert!(!pane(&window, "Target-like pane").contains("nothing yet"));
    assert!(pane(&window, "Domain gap pane").contains("with heat map"));
    assert!(pane(&window, "Prediction pane").contains("with labels"));
    // Half of 20 x 20 x 10 voxels of 27 mm3.
    window.get_by_label("54.0 mL");
    window.get_by_label("Mean gap of Liver");
}

#[test]
fn f5_runs_and_escape_cancels() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::WorkUntilCancelled]);
    window.key_press(egui::Key::F5);
    window.step();
    wait_until(&mut window, "progress", |app| {
        app.state().run.as_ref().is_some_and(|run| run.describe().contains("1 of 20"))
    });
    window.get_by_label("Esc cancels");
    window.key_press(egui::Key::Escape);
    window.step();
    settle(&mut window);
    assert_eq!(window.state().state().last_run, "cancelled");
    window.get_by_label(RUN);
}

#[test]
fn an_engine_that_dies_costs_the_run_and_nothing_else_and_the_next_run_works() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::DieMidRun, Script::Answer]);
    click(&mut window, RUN);
    settle(&mut window);
    assert!(notices(&window)[0].contains("ended during the run"), "{:?}", notices(&window));
    assert!(window.state().state().study.scan(Role::Source).is_some());
    click(&mut window, RUN);
    settle(&mut window);
    assert!(pane(&window, "Prediction pane").contains("with labels"));
}

/// A window whose engines are reached by a command.
fn window_elsewhere(files: &StudyFiles, scripts: &'static [Script]) -> Harness<'static, App> {
    let command = "ssh gpu-box mindgap-engine".to_owned();
    window_with(StartUp {
        engine: Some(command.clone()),
        launcher: launcher(EngineSite::Elsewhere(command), scripts),
        ..on_both_scans(files)
    })
}

#[test]
fn a_lost_connection_to_an_engine_elsewhere_is_told_and_the_run_comes_again_by_itself() {
    let files = StudyFiles::new();
    let mut window = window_elsewhere(&files, &[Script::DieMidRun, Script::Answer]);
    click(&mut window, RUN);
    wait_until(&mut window, "the loss", |app| app.state().reconnect.is_some());
    window.get_by_label_contains("connection lost");
    window.get_by_label_contains("trying again in 1 s");
    assert!(window.state().state().study.scan(Role::Source).is_some());
    settle(&mut window);
    assert!(pane(&window, "Prediction pane").contains("with labels"));
    assert!(notices(&window).is_empty(), "{:?}", notices(&window));
    window.get_by_label("CPU, scripted elsewhere");
}

#[test]
fn escape_gives_up_a_lost_connection_and_an_engine_that_is_gone_for_good_is_told_in_the_end() {
    let files = StudyFiles::new();
    let mut window = window_elsewhere(&files, &[Script::DieMidRun]);
    click(&mut window, RUN);
    wait_until(&mut window, "the loss", |app| app.state().reconnect.is_some());
    window.key_press(egui::Key::Escape);
    window.step();
    settle(&mut window);
    assert!(window.state().state().last_run.contains("given up"));
    // What is asked for next begins with a connection of its own.
    click(&mut window, RUN);
    wait_until(&mut window, "the second loss", |app| app.state().reconnect.is_some());
    window.get_by_label_contains("trying again in 1 s, 1 of 3");
}

#[test]
fn a_job_that_fails_says_why_and_what_to_do() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Fail]);
    click(&mut window, RUN);
    settle(&mut window);
    assert_eq!(notices(&window), ["The scan has one slice; at least two are expected. Open a volume."]);
    assert!(window.query_by_label_contains("expected 2, got 1").is_none(), "details are folded away");
    click(&mut window, "Details");
    window.get_by_label_contains("slices: expected 2, got 1\nMindGap");
    click(&mut window, "Fewer details");
    assert!(window.query_by_label_contains("expected 2, got 1").is_none());
    click(&mut window, "Dismiss");
    assert!(notices(&window).is_empty());
}

#[test]
fn a_missing_engine_is_told_with_the_command_that_builds_it() {
    let files = StudyFiles::new();
    let missing = |_: &EngineSite| Err(EngineError::Missing(PathBuf::from("bin/mindgap-engine")));
    let window = window_with(StartUp { launcher: Arc::new(missing), ..on_both_scans(&files) });
    window.get_by_label("no engine");
    window.get_by_label_contains("cargo build --release --bins");
    window.get_by_label("Restart engine");
}

#[test]
fn an_engine_of_another_version_is_refused_with_both_versions() {
    let files = StudyFiles::new();
    let window = window_with(StartUp {
        launcher: Arc::new(|_| Ok(scripted_engine::launch_as(Script::Answer, "0.0.1"))),
        ..on_both_scans(&files)
    });
    let mut window = window;
    wait_until(&mut window, "the refusal", |app| {
        matches!(app.state().engine, mindgap::ui::state::EngineStatus::Gone(_))
    });
    window.get_by_label_contains("the engine is 0.0.1");
}

#[test]
fn a_truncated_file_is_told_by_name_and_the_study_stays() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    let whole = std::fs::read(files.ct()).unwrap();
    let broken = files.path().join("broken.nii.gz");
    std::fs::write(&broken, &whole[..whole.len() / 2]).unwrap();
    let before = window.state().state().study.scan(Role::Source).unwrap().id;
    click(&mut window, "Open source");
    type_path(&mut window, &broken.display().to_string());
    click(&mut window, "Open");
    settle(&mut window);
    assert!(notices(&window)[0].contains("broken.nii.gz"), "{:?}", notices(&window));
    assert!(window.state().state().study.is_open(Role::Source, before));
}

#[test]
fn enter_opens_the_typed_path_and_escape_closes_a_menu_before_it_cancels_a_run() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::WorkUntilCancelled]);
    window.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::O);
    window::rest(&mut window);
    type_path(&mut window, &files.path().join("absent.nii").display().to_string());
    window.key_press(egui::Key::Enter);
    window::rest(&mut window);
    settle(&mut window);
    assert!(notices(&window)[0].contains("absent.nii"), "{:?}", notices(&window));
    click(&mut window, RUN);
    wait_until(&mut window, "the job", |app| {
        app.state().run.as_ref().is_some_and(|run| !run.jobs.is_empty())
    });
    click(&mut window, "View");
    window.key_press(egui::Key::Escape);
    window::rest(&mut window);
    assert!(window.state().state().run.as_ref().is_some_and(|run| !run.cancelling));
    assert!(window.query_by_label("Swap source and target").is_none(), "the menu is closed");
}

#[test]
fn files_dropped_on_the_window_take_the_role_of_their_modality() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    let dropped = files.path().join("dropped.nii.gz");
    std::fs::copy(files.mr(), &dropped).unwrap();
    drop_files(&mut window, [dropped]);
    assert_eq!(window.state().state().study.scan(Role::Target).unwrap().name, "dropped.nii.gz");
    assert_eq!(window.state().state().study.scan(Role::Source).unwrap().name, "patient_ct.nii.gz");
}

#[test]
fn a_scan_opened_alone_is_joined_by_the_bundled_phantom_of_the_other_modality() {
    let files = StudyFiles::new();
    let window = window_with(StartUp {
        scan: Some(files.mr()),
        model: Some(files.model().display().to_string()),
        launcher: Arc::new(|_| Ok(scripted_engine::launch(Script::Answer))),
        ..StartUp::default()
    });
    assert!(pane(&window, "Target pane").contains("MR"));
    assert!(pane(&window, "Source pane").contains("CT · phantom"), "{}", pane(&window, "Source pane"));
    assert_eq!(notices(&window), Vec::<String>::new());
}

#[test]
fn typing_a_path_presses_no_keys_of_the_viewer() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    click(&mut window, "Open target");
    type_path(&mut window, "sgtxo1");
    let view = &window.state().state().view;
    assert!(view.labels.shown && view.gap.shown && view.annotations && view.labels.outline);
}

#[test]
fn an_export_lies_on_the_scans_own_grid_and_asks_before_it_replaces_a_file() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    click(&mut window, RUN);
    settle(&mut window);
    let path = files.path().join("patient_mr_labels.nii.gz");
    std::fs::write(&path, "something else").unwrap();
    click(&mut window, "Export labelled volume…");
    click(&mut window, "Export");
    settle(&mut window);
    assert_eq!(std::fs::read(&path).unwrap(), b"something else");
    click(&mut window, "Replace it");
    settle(&mut window);
    assert!(notices(&window)[0].starts_with("Saved"), "{:?}", notices(&window));
    let (labels, scan) = (io::open_labels(&path).unwrap(), io::open(&files.mr()).unwrap());
    assert_eq!(labels.geometry(), scan.geometry());
}

#[test]
fn the_wheel_changes_the_slice_and_keys_switch_what_is_shown() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    let place = |window: &Harness<'static, App>| window.state().state().view.crosshair.world_mm.z;
    window.get_by_label("Source pane").click();
    window::rest(&mut window);
    let before = place(&window);
    window.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Line,
        delta: egui::vec2(0.0, 2.0),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Unknown,
        modifiers: egui::Modifiers::NONE,
    });
    window.step();
    window::rest(&mut window);
    let moved_mm = place(&window) - before;
    assert!((moved_mm - 6.0).abs() < 2.0, "two slices of 3 mm towards the head, not {moved_mm} mm");
    window.key_press(egui::Key::S);
    window.key_press(egui::Key::G);
    window::rest(&mut window);
    let view = &window.state().state().view;
    assert!(!view.labels.shown && !view.gap.shown);
}

#[test]
fn an_idle_window_does_not_ask_to_be_drawn() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    click(&mut window, RUN);
    settle(&mut window);
    window.run_steps(3);
    assert!(!window.ctx.has_requested_repaint());
}
