//! Whether the synthetic image keeps the anatomy, as a user of the window finds out.

#![cfg(feature = "gui")]
#![allow(clippy::unwrap_used)]

#[path = "support/scripted_engine.rs"]
mod scripted_engine;
#[path = "support/study_files.rs"]
mod study_files;
#[path = "support/window.rs"]
mod window;

use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use mindgap::session::Role;
use mindgap::ui::App;
use scripted_engine::Script;
use study_files::StudyFiles;
use window::{RUN, click, notices, pane, settle, window};

const MOVED: &str = "Liver: edge moved 6 mm at slice 8";
const EDGES: &str = "Edges over the synthetic image";

fn after_a_check(files: &StudyFiles) -> Harness<'static, App> {
    let mut window = window(files, &[Script::Answer]);
    click(&mut window, RUN);
    settle(&mut window);
    click(&mut window, "Anatomy");
    click(&mut window, "Check anatomy");
    settle(&mut window);
    assert_eq!(notices(&window), Vec::<String>::new());
    window
}

#[test]
fn without_a_synthetic_image_there_is_nothing_to_check_and_the_caveat_is_there_from_the_start() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    click(&mut window, "Anatomy");
    let enabled = |window: &Harness<'static, App>| {
        !window.get_by_role_and_label(egui::Role::Button, "Check anatomy").accesskit_node().is_disabled()
    };
    assert!(!enabled(&window));
    window.get_by_label_contains("does not prove that the synthetic image is right: two errors can cancel");
    click(&mut window, RUN);
    settle(&mut window);
    assert!(enabled(&window));
}

#[test]
fn what_moved_is_told_with_its_slice_and_a_click_goes_there() {
    let files = StudyFiles::new();
    let mut window = after_a_check(&files);
    window.get_by_label("Spleen: lost");
    window.get_by_label("Left kidney: in neither");
    window.get_by_label_contains("HD95");
    window.get_by_label_contains("does not prove that the synthetic image is right");
    window.get_by_label_contains("both segmented by the net before its adaptation");
    click(&mut window, MOVED);
    let state = window.state().state();
    let scan = state.study.scan(Role::Source).unwrap();
    let at = scan.geometry().voxel_from_world().transform_point3(state.view.crosshair.world_mm).round();
    assert_eq!((state.view.crosshair.role, at.z), (Role::Source, 7.0), "slice 8 of 16 counts from 1");
}

#[test]
fn where_edges_agree_is_laid_over_the_synthetic_image_when_it_is_asked_for() {
    let files = StudyFiles::new();
    let mut window = after_a_check(&files);
    assert!(!pane(&window, "Target-like pane").contains("heat map"));
    click(&mut window, EDGES);
    assert!(pane(&window, "Target-like pane").contains("with heat map"));
    let opacity = |window: &Harness<'static, App>| window.state().state().view.edges.opacity;
    let before = opacity(&window);
    window.get_by_role_and_label(egui::Role::Slider, "Opacity of the edges").focus();
    window::rest(&mut window);
    window.key_press(egui::Key::ArrowLeft);
    window::rest(&mut window);
    assert!(opacity(&window) < before);
    // Of the gap's own switch it is independent.
    window.key_press(egui::Key::G);
    window::rest(&mut window);
    assert!(pane(&window, "Target-like pane").contains("with heat map"));
}

#[test]
fn a_new_synthetic_image_is_not_told_to_have_been_checked() {
    let files = StudyFiles::new();
    let mut window = after_a_check(&files);
    click(&mut window, RUN);
    settle(&mut window);
    assert!(window.state().state().study.anatomy().is_none());
    assert!(window.query_by_label(MOVED).is_none());
}

#[test]
fn a_check_can_be_cancelled_and_leaves_the_synthetic_image_as_it_was() {
    let files = StudyFiles::new();
    // The first engine makes the image and is restarted; the second works until it is told to stop.
    let mut window = window(&files, &[Script::Answer, Script::WorkUntilCancelled]);
    click(&mut window, RUN);
    settle(&mut window);
    window.get_by_role_and_label(egui::Role::Button, "Model").click();
    window::rest(&mut window);
    click(&mut window, "Restart engine");
    settle(&mut window);
    click(&mut window, "Anatomy");
    click(&mut window, "Check anatomy");
    window::wait_until(&mut window, "the check to begin", |app| {
        app.state().run.as_ref().is_some_and(|run| run.fraction() > 0.0)
    });
    window.key_press(egui::Key::Escape);
    window::rest(&mut window);
    settle(&mut window);
    let study = &window.state().state().study;
    assert!(study.anatomy().is_none() && study.synthesis().is_some());
}
