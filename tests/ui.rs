//! The window as its user meets it: found by the names a screen reader reads, with an engine that follows a script.

#![cfg(feature = "gui")]
#![allow(clippy::unwrap_used)]

#[path = "support/scripted_engine.rs"]
mod scripted_engine;
#[path = "support/study_files.rs"]
mod study_files;

use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use mindgap::session::{EngineError, Role};
use mindgap::ui::{App, StartUp, theme};
use mindgap::volume::io;
use scripted_engine::Script;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use study_files::StudyFiles;

const RUN: &str = "Translate & segment  F5";
const PATIENCE: Duration = Duration::from_secs(30);

/// A window on the two scans, its engines following the scripts one after the other (the last one for ever).
fn window(files: &StudyFiles, scripts: &'static [Script]) -> Harness<'static, App> {
    let started = AtomicUsize::new(0);
    let launcher = move || {
        let number = started.fetch_add(1, Ordering::Relaxed).min(scripts.len() - 1);
        Ok(scripted_engine::launch(scripts[number]))
    };
    window_with(StartUp {
        source: Some(files.ct()),
        target: Some(files.mr()),
        model: Some(files.model().display().to_string()),
        launcher: Arc::new(launcher),
        ..StartUp::default()
    })
}

fn window_with(startup: StartUp) -> Harness<'static, App> {
    let app = App::new(startup, Arc::new(|| ()));
    let builder = Harness::builder().with_size([1600.0, 1000.0]).with_context_setup(theme::install);
    let draw = |ui: &mut egui::Ui, app: &mut App| {
        app.tick(ui.ctx());
        app.draw(ui);
    };
    let mut window = builder.build_ui_state(draw, app);
    settle(&mut window);
    window
}

fn wait_until(window: &mut Harness<'static, App>, what: &str, mut reached: impl FnMut(&App) -> bool) {
    let start = Instant::now();
    while !reached(window.state()) {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        window.step();
        std::thread::sleep(Duration::from_millis(2));
    }
    window.run();
}

fn settle(window: &mut Harness<'static, App>) {
    wait_until(window, "everything to settle", App::is_settled);
}

fn click(window: &mut Harness<'static, App>, label: &str) {
    window.get_by_label(label).click();
    window.run();
}

/// The dialog opens with the focus in its field.
fn type_path(window: &mut Harness<'static, App>, path: &str) {
    window.event(egui::Event::Text(path.to_owned()));
    for key in [egui::Key::S, egui::Key::G, egui::Key::Num2] {
        window.key_press(key);
    }
    window.run();
    assert_eq!(window.get_by_label("Path").value().as_deref(), Some(path));
}

/// What a pane says of itself.
fn pane(window: &Harness<'static, App>, name: &str) -> String {
    window.get_by_label(name).accesskit_node().value().unwrap_or_default().to_owned()
}

fn notices(window: &Harness<'static, App>) -> Vec<String> {
    window.state().state().notices.iter().map(|notice| notice.text.clone()).collect()
}

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

#[test]
fn a_job_that_fails_says_why_and_what_to_do() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Fail]);
    click(&mut window, RUN);
    settle(&mut window);
    assert_eq!(notices(&window), ["The scan has one slice; at least two are expected. Open a volume."]);
    click(&mut window, "Dismiss");
    assert!(notices(&window).is_empty());
}

#[test]
fn a_missing_engine_is_told_with_the_command_that_builds_it() {
    let files = StudyFiles::new();
    let missing = || Err(EngineError::Missing(PathBuf::from("bin/mindgap-engine")));
    let window = window_with(StartUp {
        source: Some(files.ct()),
        target: Some(files.mr()),
        model: Some(files.model().display().to_string()),
        launcher: Arc::new(missing),
        ..StartUp::default()
    });
    window.get_by_label("no engine");
    window.get_by_label_contains("cargo build --release --bins");
    window.get_by_label("Restart engine");
}

#[test]
fn an_engine_of_another_version_is_refused_with_both_versions() {
    let files = StudyFiles::new();
    let window = window_with(StartUp {
        source: Some(files.ct()),
        target: Some(files.mr()),
        model: Some(files.model().display().to_string()),
        launcher: Arc::new(|| Ok(scripted_engine::launch_as(Script::Answer, "0.0.1"))),
        ..StartUp::default()
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
    window.run();
    type_path(&mut window, &files.path().join("absent.nii").display().to_string());
    window.key_press(egui::Key::Enter);
    window.run();
    settle(&mut window);
    assert!(notices(&window)[0].contains("absent.nii"), "{:?}", notices(&window));
    click(&mut window, RUN);
    wait_until(&mut window, "the job", |app| {
        app.state().run.as_ref().is_some_and(|run| !run.jobs.is_empty())
    });
    click(&mut window, "View");
    window.key_press(egui::Key::Escape);
    window.run();
    assert!(window.state().state().run.as_ref().is_some_and(|run| !run.cancelling));
    assert!(window.query_by_label("Swap source and target").is_none(), "the menu is closed");
}

#[test]
fn files_dropped_on_the_window_take_the_role_of_their_modality() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    let dropped = files.path().join("dropped.nii.gz");
    std::fs::copy(files.mr(), &dropped).unwrap();
    window.input_mut().dropped_files.push(Arc::new(Dropped(dropped)));
    window.step();
    settle(&mut window);
    assert_eq!(window.state().state().study.scan(Role::Target).unwrap().name, "dropped.nii.gz");
    assert_eq!(window.state().state().study.scan(Role::Source).unwrap().name, "patient_ct.nii.gz");
}

/// A file as the window system hands it over.
#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &std::path::Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|error| error.to_string())
    }
}

#[test]
fn a_scan_opened_alone_is_joined_by_the_bundled_phantom_of_the_other_modality() {
    let files = StudyFiles::new();
    let window = window_with(StartUp {
        scan: Some(files.mr()),
        model: Some(files.model().display().to_string()),
        launcher: Arc::new(|| Ok(scripted_engine::launch(Script::Answer))),
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
    window.run();
    let before = place(&window);
    window.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Line,
        delta: egui::vec2(0.0, 2.0),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Unknown,
        modifiers: egui::Modifiers::NONE,
    });
    window.step();
    eprintln!(
        "DISCARD {:?} {}",
        window.output().platform_output.request_discard_reasons,
        window.output().platform_output.num_completed_passes
    );
    window.run();
    eprintln!(
        "DISCARD {:?} {}",
        window.output().platform_output.request_discard_reasons,
        window.output().platform_output.num_completed_passes
    );
    let moved_mm = place(&window) - before;
    assert!((moved_mm - 6.0).abs() < 2.0, "two slices of 3 mm towards the head, not {moved_mm} mm");
    window.key_press(egui::Key::S);
    window.key_press(egui::Key::G);
    window.run();
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
