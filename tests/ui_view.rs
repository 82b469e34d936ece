//! Looking at a study: how panes are laid out, played, inverted and dragged in, as a user of the window does it.

#![cfg(feature = "gui")]
#![allow(clippy::unwrap_used)]

#[path = "support/scripted_engine.rs"]
mod scripted_engine;
#[path = "support/study_files.rs"]
mod study_files;
#[path = "support/window.rs"]
mod window;

use egui::{Event, Modifiers, PointerButton, Pos2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use mindgap::ui::state::{Pane, View};
use mindgap::ui::{App, StartUp};
use scripted_engine::Script;
use std::sync::Arc;
use study_files::StudyFiles;
use window::{click, on_both_scans, pane, window, window_with};

fn view<'a>(window: &'a Harness<'static, App>) -> &'a View {
    &window.state().state().view
}

fn choose(window: &mut Harness<'static, App>, list: &str, entry: &str) {
    window.get_by_label(list).click();
    window::rest(window);
    window.get_by_label(entry).click();
    window::rest(window);
}

fn point_at(window: &mut Harness<'static, App>, label: &str) {
    let at = window.get_by_label(label).rect().center();
    window.event(Event::PointerMoved(at));
    window::rest(window);
}

fn drag(window: &mut Harness<'static, App>, from: Pos2, by: egui::Vec2, button: PointerButton) {
    let press = |pos, pressed| Event::PointerButton { pos, button, pressed, modifiers: Modifiers::NONE };
    for event in [Event::PointerMoved(from), press(from, true)] {
        window.event(event);
        window.step();
    }
    for part in 1..=4 {
        window.event(Event::PointerMoved(from + by * part as f32 / 4.0));
        window.step();
    }
    window.event(press(from + by, false));
    window::rest(window);
}

#[test]
fn one_scan_is_shown_in_all_three_planes_and_each_steps_along_its_own_axis() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    choose(&mut window, "Layout", "Source, three planes");
    for plane in ["axial", "coronal", "sagittal"] {
        assert!(pane(&window, &format!("Source pane, {plane}")).contains("CT"), "{plane}");
    }
    assert!(window.query_by_label("Target pane").is_none());
    for (plane, axis) in [("axial", 2), ("coronal", 1), ("sagittal", 0)] {
        let at = window.get_by_label(&format!("Source pane, {plane}")).rect().center();
        window.event(Event::PointerMoved(at));
        window::rest(&mut window);
        let before = view(&window).crosshair.world_mm;
        window.key_press(egui::Key::PageUp);
        window::rest(&mut window);
        let moved = (view(&window).crosshair.world_mm - before).abs().to_array();
        let largest = (0..3).max_by(|&a, &b| moved[a].total_cmp(&moved[b]));
        assert_eq!(largest, Some(axis), "{plane}: {moved:?}");
    }
    choose(&mut window, "Layout", "Five panes");
    pane(&window, "Target pane");
}

#[test]
fn dividers_between_panes_can_be_dragged() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    let width = |window: &Harness<'static, App>| window.get_by_label("Source pane").rect().width();
    let before = width(&window);
    // Not in the middle, where the divider of the rows crosses it.
    let divider = window.get_by_label("Divider 1 of the columns").rect().lerp_inside(vec2(0.5, 0.25));
    drag(&mut window, divider, vec2(60.0, 0.0), PointerButton::Primary);
    assert!((width(&window) - before - 60.0).abs() < 4.0, "{before} became {}", width(&window));
}

#[test]
fn two_panes_can_change_places() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    let left = |window: &Harness<'static, App>, name: &str| window.get_by_label(name).rect().left();
    assert!(left(&window, "Source pane") < left(&window, "Target pane"));
    window.get_by_label("Source pane").click_secondary();
    window::rest(&mut window);
    click(&mut window, "Change places with");
    click(&mut window, "Target");
    assert!(left(&window, "Source pane") > left(&window, "Target pane"));
}

#[test]
fn a_left_drag_moves_the_crosshair_or_as_at_a_reading_station_the_window() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    let centre = window.get_by_label("Source pane").rect().center();
    let start = view(&window).crosshair.world_mm;
    drag(&mut window, centre, vec2(20.0, 0.0), PointerButton::Primary);
    assert_ne!(view(&window).crosshair.world_mm, start);
    assert_eq!(view(&window).windows[Pane::Source as usize], None);

    click(&mut window, "View");
    click(&mut window, "Mouse as at a reading station");
    window.key_press(egui::Key::Escape);
    window::rest(&mut window);
    let start = view(&window).crosshair.world_mm;
    drag(&mut window, centre, vec2(40.0, 0.0), PointerButton::Primary);
    assert_eq!(view(&window).crosshair.world_mm, start);
    assert!(view(&window).windows[Pane::Source as usize].is_some());
    drag(&mut window, centre, vec2(0.0, -40.0), PointerButton::Secondary);
    assert!(view(&window).zoom > 1.2, "{}", view(&window).zoom);
}

#[test]
fn slices_play_until_they_are_stopped_and_begin_again_after_the_last() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    point_at(&mut window, "Source pane");
    window.key_press(egui::Key::End);
    window::rest(&mut window);
    let last = view(&window).crosshair.world_mm.z;
    window.key_press(egui::Key::C);
    window.step();
    window.step();
    assert!(view(&window).cine);
    let first = view(&window).crosshair.world_mm.z;
    assert!(first < last - 10.0, "after {last} comes the other end, not {first}");
    window.key_press(egui::Key::C);
    window::rest(&mut window);
    assert!(!view(&window).cine);
}

#[test]
fn i_inverts_the_pane_under_the_pointer_alone() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    point_at(&mut window, "Target pane");
    window.key_press(egui::Key::I);
    window::rest(&mut window);
    let inverted = view(&window).inverted;
    assert!(inverted[Pane::Target as usize]);
    assert_eq!(inverted.iter().filter(|on| **on).count(), 1);
}

#[test]
fn k_compares_the_synthetic_image_with_its_source_in_three_ways_and_ends() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    click(&mut window, window::RUN);
    window::settle(&mut window);
    let mut seen = Vec::new();
    for _ in 0..4 {
        window.key_press(egui::Key::K);
        window::rest(&mut window);
        seen.push(view(&window).comparison);
    }
    use mindgap::ui::state::Comparison::{Blend, Checkerboard, Off, Swipe};
    assert_eq!(seen, [Blend, Swipe, Checkerboard, Off]);
    click(&mut window, "View");
    click(&mut window, "Swipe line to the source");
    assert_eq!(view(&window).comparison, Swipe);
}

#[test]
fn preferences_and_recent_files_are_there_at_the_next_start() {
    let files = StudyFiles::new();
    let kept = files.path().join("settings.json");
    let start = || {
        window_with(StartUp {
            source: Some(files.ct()),
            target: Some(files.mr()),
            model: Some(files.model().display().to_string()),
            settings: Some(kept.clone()),
            launcher: Arc::new(|_| Ok(scripted_engine::launch(Script::Answer))),
            ..StartUp::default()
        })
    };
    let mut first = start();
    click(&mut first, "File");
    click(&mut first, "Settings…");
    click(&mut first, "Mouse as at a reading station");
    click(&mut first, "Close");
    first.state().save_settings();
    let mut second = start();
    assert!(view(&second).pacs_mouse);
    assert!(second.state().state().missing_recent.is_empty());
    click(&mut second, "File");
    click(&mut second, "Open recent");
    // In the menu, and as the name of what is open.
    assert_eq!(second.get_all_by_label("patient_ct.nii.gz").count(), 2);
    second.state().save_settings();
    let moved = files.path().join("moved.nii.gz");
    std::fs::rename(files.ct(), &moved).unwrap();
    let mut third = window_with(StartUp { settings: Some(kept.clone()), ..on_both_scans(&files) });
    click(&mut third, "File");
    click(&mut third, "Open recent");
    assert!(third.get_by_label("patient_ct.nii.gz").accesskit_node().is_disabled(), "it is no longer there");
    std::fs::rename(&moved, files.ct()).unwrap();
    click(&mut second, "Forget these");
    assert!(second.state().state().settings.recent.is_empty());
}

#[test]
fn a_structure_under_the_pointer_stands_out_in_every_pane() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    click(&mut window, window::RUN);
    window::settle(&mut window);
    let move_to = |window: &mut Harness<'static, App>, at: Pos2| {
        window.event(Event::PointerMoved(at));
        window::rest(window);
    };
    let row = window.get_by_label("54.0 mL").rect().center();
    move_to(&mut window, row);
    assert_eq!(view(&window).highlight, Some(1));
    // The scripted engine labels the half of the scan with the higher i, which lies on the patient's right or left.
    let rect = window.get_by_label("Prediction pane").rect();
    let found: Vec<Option<u16>> = [0.4, 0.6]
        .map(|x| {
            move_to(&mut window, rect.lerp_inside(vec2(x, 0.5)));
            view(&window).highlight
        })
        .into();
    assert!(found.contains(&Some(1)) && found.contains(&None), "{found:?}");
}

#[test]
fn the_windows_edges_can_be_dragged_in_the_histogram() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    point_at(&mut window, "Target pane");
    click(&mut window, "Window preset");
    let edge = window.get_by_label("Upper edge of the window").rect().center();
    drag(&mut window, edge, vec2(-40.0, 0.0), PointerButton::Primary);
    let narrowed = view(&window).windows[Pane::Target as usize].unwrap();
    let edge = window.get_by_label("Lower edge of the window").rect().center();
    drag(&mut window, edge, vec2(20.0, 0.0), PointerButton::Primary);
    let narrower = view(&window).windows[Pane::Target as usize].unwrap();
    assert!(narrower.width < narrowed.width && narrower.level > narrowed.level, "{narrowed:?} {narrower:?}");
}
