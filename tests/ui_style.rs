//! The slider from the source's style to the target's, as a user of the window moves it.

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
use mindgap::session::figure::{FigureProvenance, Shown};
use mindgap::session::provenance_path;
use mindgap::ui::figure::FigureOrder;
use mindgap::ui::state::{Comparison, Pane, Tile};
use mindgap::ui::views::{content::content, style::in_chosen_style};
use mindgap::ui::{App, StartUp};
use scripted_engine::Styles;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use study_files::StudyFiles;
use window::{RUN, click, notices, pane, settle, wait_until, window_with};

const SLIDER: &str = "Style of the slice in view";
const PANE: &str = "Target-like pane";

fn window_noting(files: &StudyFiles, styles: &Arc<Styles>) -> Harness<'static, App> {
    let styles = styles.clone();
    window_with(StartUp {
        source: Some(files.ct()),
        target: Some(files.mr()),
        model: Some(files.model().display().to_string()),
        launcher: Arc::new(move |_| Ok(scripted_engine::launch_noting(styles.clone()))),
        ..StartUp::default()
    })
}

fn after_a_run(files: &StudyFiles, styles: &Arc<Styles>) -> Harness<'static, App> {
    let mut window = window_noting(files, styles);
    click(&mut window, RUN);
    settle(&mut window);
    window.get_by_role_and_label(egui::Role::Slider, SLIDER).focus();
    window::rest(&mut window);
    window
}

/// Moves the slider by `steps` hundredths, one a frame, without waiting for any answer.
fn drag(window: &mut Harness<'static, App>, steps: i32) {
    let key = if steps < 0 { egui::Key::ArrowLeft } else { egui::Key::ArrowRight };
    for _ in 0..steps.abs() {
        window.key_press(key);
        window.step();
    }
}

fn style(window: &Harness<'static, App>) -> f32 {
    window.state().state().style_in_view()
}

#[test]
fn without_a_synthetic_image_the_slider_is_off_and_says_why() {
    let files = StudyFiles::new();
    let window = window_noting(&files, &Arc::default());
    let slider = window.get_by_role_and_label(egui::Role::Slider, SLIDER);
    assert!(slider.accesskit_node().is_disabled());
}

#[test]
fn dragging_far_asks_for_the_first_and_the_newest_style_only_and_sends_the_scan_once() {
    let files = StudyFiles::new();
    let styles = Arc::new(Styles::default());
    let mut window = after_a_run(&files, &styles);
    styles.held.store(true, Ordering::Relaxed);
    drag(&mut window, -1);
    let asked = || styles.asked.lock().unwrap().clone();
    wait_until(&mut window, "the first request", |_| !asked().is_empty());
    drag(&mut window, -59);
    assert!((style(&window) - 0.4).abs() < 1e-3, "{}", style(&window));
    styles.held.store(false, Ordering::Relaxed);
    settle(&mut window);
    let asked = asked();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!((asked[0].0 - 0.99).abs() < 1e-3 && (asked[1].0 - 0.4).abs() < 1e-3, "{asked:?}");
    assert_eq!((asked[0].1, asked[1].1), (true, false), "the scan is large");
    assert_eq!(notices(&window), Vec::<String>::new());
}

#[test]
fn the_slice_in_another_style_says_which_and_that_it_is_synthetic_and_at_1_the_ordinary_one_is_back() {
    let files = StudyFiles::new();
    let mut window = after_a_run(&files, &Arc::default());
    drag(&mut window, -60);
    settle(&mut window);
    assert!(pane(&window, PANE).contains("Style 0.40"), "{}", pane(&window, PANE));
    window.get_by_label("style 0.40 in the slice in view");
    let state = window.state().state();
    let ordinary = content(state, Pane::Synthetic).unwrap();
    let styled = in_chosen_style(state, Tile::of(Pane::Synthetic), ordinary);
    assert!(styled.synthetic && styled.unit == "relative", "no banner, or a unit that it is not in");
    assert_eq!(styled.edge_agreement, None, "measured on the ordinary image");
    drag(&mut window, 60);
    settle(&mut window);
    assert!(!pane(&window, PANE).contains("Style 0."), "{}", pane(&window, PANE));
    assert_eq!(style(&window), 1.0);
}

#[test]
fn a_style_is_kept_for_its_slice_and_no_other_slice_is_said_to_have_it() {
    let files = StudyFiles::new();
    let mut window = after_a_run(&files, &Arc::default());
    drag(&mut window, -75);
    settle(&mut window);
    // The focus leaves the slider, whose keys the arrows are.
    if let Some(slider) = window.ctx.memory(|memory| memory.focused()) {
        window.ctx.memory_mut(|memory| memory.surrender_focus(slider));
    }
    let over = window.get_by_label("Source pane").rect().center();
    window.event(egui::Event::PointerMoved(over));
    window::rest(&mut window);
    window.key_press(egui::Key::PageUp);
    window::rest(&mut window);
    assert_eq!(style(&window), 1.0);
    assert!(!pane(&window, PANE).contains("Style 0."));
    window.key_press(egui::Key::PageDown);
    window::rest(&mut window);
    assert!((style(&window) - 0.25).abs() < 1e-3);
    assert!(pane(&window, PANE).contains("Style 0.25"));
}

#[test]
fn a_new_synthetic_image_is_shown_in_its_own_style() {
    let files = StudyFiles::new();
    let mut window = after_a_run(&files, &Arc::default());
    drag(&mut window, -10);
    settle(&mut window);
    click(&mut window, RUN);
    settle(&mut window);
    assert!(!pane(&window, PANE).contains("Style 0."));
    assert_eq!(style(&window), 1.0);
}

#[test]
fn a_mix_of_pixels_is_offered_apart_and_is_not_called_a_style() {
    let files = StudyFiles::new();
    let styles = Arc::new(Styles::default());
    let mut window = after_a_run(&files, &styles);
    click(&mut window, "Pixel blend, not the model's style");
    assert_eq!(window.state().state().view.comparison, Comparison::Blend);
    window.get_by_role_and_label(egui::Role::Slider, "Share of the synthetic image in the pixel blend");
    assert!(styles.asked.lock().unwrap().is_empty(), "the model was asked for a mix of pixels");
}

#[test]
fn a_figure_of_a_slice_in_another_style_says_beside_it_which_style_it_was() {
    let files = StudyFiles::new();
    let mut window = after_a_run(&files, &Arc::default());
    drag(&mut window, -60);
    settle(&mut window);
    let path = files.path().join("figure.png");
    FigureOrder::new(window.state().state(), [600.0, 400.0], 1, false).write(&path).unwrap();
    let text = std::fs::read(provenance_path(&path)).unwrap();
    let written: FigureProvenance = serde_json::from_slice(&text).unwrap();
    let pane = written.view.panes.iter().find(|pane| pane.shows == Shown::Synthesis).unwrap();
    let made = written.results.iter().find(|result| result.shows == Shown::Synthesis).unwrap();
    for style in [pane.style, made.run.style] {
        assert!((style.unwrap() - 0.4).abs() < 1e-3, "{style:?}");
    }
    assert!(pane.pane.contains("Style 0.40"));
    let scan = written.view.panes.iter().find(|pane| pane.shows == Shown::Scan).unwrap();
    assert_eq!(scan.style, None);
}
