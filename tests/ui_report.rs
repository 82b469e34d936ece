//! The report of a prediction below the images.

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
use mindgap::eval::gap::GapReport;
use mindgap::session::Role;
use mindgap::ui::App;
use scripted_engine::Script;
use study_files::StudyFiles;
use window::{RUN, click, settle, window};

fn report_after_a_run(files: &StudyFiles) -> Harness<'static, App> {
    let mut window = window(files, &[Script::Answer]);
    click(&mut window, RUN);
    settle(&mut window);
    window.key_press(egui::Key::R);
    window::rest(&mut window);
    settle(&mut window);
    window
}

#[test]
fn the_report_is_shown_structure_by_structure_with_the_numbers_of_the_exported_one() {
    let files = StudyFiles::new();
    let mut window = report_after_a_run(&files);
    window.get_by_label("Gap report of the target");
    for column in ["Gap inside", "5 mm shell", "Outside", "Uncertainty", "Islands", "Flags"] {
        window.get_by_label(column);
    }
    click(&mut window, "Export report…");
    click(&mut window, "Export");
    settle(&mut window);
    let written = std::fs::read(files.path().join("patient_mr_report/report.json")).unwrap();
    let written: GapReport = serde_json::from_slice(&written).unwrap();
    let state = window.state().state();
    let shown = state.report.of(state.study.prediction(Role::Target).unwrap()).unwrap().clone().unwrap();
    assert_eq!(*shown, written);
    let liver = &written.measure.structures[0];
    let inside = liver.inside.unwrap();
    let cell = format!("{:.2} · {:.2}", inside.mean, inside.p95);
    assert!(window.query_all_by_label(&cell).next().is_some(), "{cell}");
}

#[test]
fn every_flag_gives_its_reason_in_words_that_need_no_hovering() {
    let files = StudyFiles::new();
    let window = report_after_a_run(&files);
    let state = window.state().state();
    let report = state.report.of(state.study.prediction(Role::Target).unwrap()).unwrap().clone().unwrap();
    assert!(!report.flags.is_empty(), "the scripted labels reach the border");
    for flag in &report.flags {
        window.get_by_label(&format!("{}, {}: {}", flag.structure, flag.kind.title(), flag.reason));
    }
}

#[test]
fn a_click_on_a_structure_goes_to_it() {
    let files = StudyFiles::new();
    let mut window = report_after_a_run(&files);
    let before = window.state().state().view.crosshair;
    click(&mut window, "Go to liver");
    let state = window.state().state();
    let liver = &state.study.prediction(Role::Target).unwrap().structures[0];
    assert_eq!(Some(state.view.crosshair.world_mm), liver.focus_mm);
    assert_ne!(state.view.crosshair, before);
}

#[test]
fn without_a_prediction_the_report_says_so_and_a_new_run_makes_a_new_one() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    window.key_press(egui::Key::R);
    window::rest(&mut window);
    window.get_by_label("There is no finished prediction of the target yet.");
    for _ in 0..2 {
        click(&mut window, RUN);
        settle(&mut window);
        let state = window.state().state();
        assert!(state.report.of(state.study.prediction(Role::Target).unwrap()).is_some());
    }
    click(&mut window, "Close the drawer");
    assert!(window.query_by_label("Gap report of the target").is_none());
}

#[test]
fn an_idle_window_with_a_report_does_not_ask_to_be_drawn() {
    let files = StudyFiles::new();
    let mut window = report_after_a_run(&files);
    window.run_steps(3);
    assert!(!window.ctx.has_requested_repaint());
}
