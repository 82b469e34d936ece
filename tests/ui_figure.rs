//! Figures of what the image area shows, as a user exports them from the window. Skips drawing where nothing can draw.

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
use image::RgbImage;
use mindgap::session::figure::{FigureProvenance, RESEARCH_LINE};
use mindgap::session::provenance_path;
use mindgap::ui::figure::CAPTION_POINTS;
use mindgap::ui::state::Dialog;
use mindgap::ui::views::pane::PaneMemory;
use mindgap::ui::{App, figure, theme};
use scripted_engine::Script;
use std::path::{Path, PathBuf};
use study_files::StudyFiles;
use window::{RUN, click, notices, settle, window};

/// Opens the dialog and answers the path that it proposes.
fn ask(window: &mut Harness<'static, App>) -> PathBuf {
    click(window, "File");
    click(window, "Export figure…");
    match &window.state().state().dialog {
        Some(Dialog::Figure(figure)) => PathBuf::from(&figure.path),
        other => panic!("{other:?}"),
    }
}

/// Exports what is shown at a scale; `None` where this machine cannot draw, which is said loudly.
fn exported(window: &mut Harness<'static, App>, scale: u32) -> Option<PathBuf> {
    let path = ask(window);
    click(window, &format!("{scale}×"));
    click(window, "Export");
    settle(window);
    drawn(window).then_some(path)
}

fn trouble(window: &Harness<'static, App>) -> Option<String> {
    match &window.state().state().dialog {
        Some(Dialog::Figure(figure)) => figure.trouble.clone(),
        _ => None,
    }
}

fn drawn(window: &Harness<'static, App>) -> bool {
    let none = trouble(window).filter(|words| words.contains("no graphics adapter"));
    if let Some(words) = &none {
        // Past the test harness, which keeps what a passing test prints to itself.
        let said = format!("SKIPPED: {words}\n");
        let _ = std::io::Write::write_all(&mut std::io::stderr(), said.as_bytes());
    }
    none.is_none()
}

fn picture(path: &Path) -> RgbImage {
    image::open(path).unwrap().to_rgb8()
}

fn provenance(path: &Path) -> FigureProvenance {
    serde_json::from_slice(&std::fs::read(provenance_path(path)).unwrap()).unwrap()
}

/// Pixels of the plate that SYNTHETIC is written on.
fn banner_pixels(picture: &RgbImage) -> usize {
    let [r, g, b, _] = theme::SYNTHETIC.to_array();
    picture.pixels().filter(|pixel| pixel.0 == [r, g, b]).count()
}

#[test]
fn a_figure_has_the_size_of_the_image_area_times_the_scale_and_is_drawn_anew_not_enlarged() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    let [width, height] = window.state().state().image_area_points;
    for scale in [1, 2] {
        let Some(path) = exported(&mut window, scale) else { return };
        let figure = picture(&path);
        let size = [width.floor(), height.floor() + CAPTION_POINTS].map(|points| points as u32 * scale);
        assert_eq!(<[u32; 2]>::from(figure.dimensions()), size);
        if scale == 2 {
            // An enlarged picture has nothing but blocks of one colour.
            let blocks = (0..size[0] / 2).flat_map(|x| (0..size[1] / 2).map(move |y| (2 * x, 2 * y)));
            let mixed = blocks.filter(|&(x, y)| figure.get_pixel(x, y) != figure.get_pixel(x + 1, y + 1));
            assert!(mixed.count() > 20_000);
        }
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_figure_exported_twice_is_the_same_byte_for_byte_and_is_replaced_only_when_asked() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    click(&mut window, RUN);
    settle(&mut window);
    let Some(path) = exported(&mut window, 2) else { return };
    let (first, record) = (std::fs::read(&path).unwrap(), provenance(&path));
    std::fs::write(&path, "something else").unwrap();
    ask(&mut window);
    click(&mut window, "Export");
    settle(&mut window);
    window.get_by_label("This file is there already.");
    assert_eq!(std::fs::read(&path).unwrap(), b"something else");
    click(&mut window, "Replace it");
    settle(&mut window);
    assert!(std::fs::read(&path).unwrap() == first);
    let again = FigureProvenance { exported_at: record.exported_at.clone(), ..provenance(&path) };
    assert_eq!(again, record);
    assert!(notices(&window).iter().any(|words| words.starts_with("Saved")), "{:?}", notices(&window));
}

#[test]
fn no_name_of_a_file_is_in_a_figure_or_beside_it_unless_it_is_asked_for() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    let Some(path) = exported(&mut window, 1) else { return };
    assert_eq!(path.file_name().unwrap(), "five-panes_ct_mr.png");
    let text = std::fs::read_to_string(provenance_path(&path)).unwrap();
    assert!(!text.contains("patient") && !text.contains(files.path().to_str().unwrap()), "{text}");
    let plain = picture(&path);
    let record = provenance(&path);
    assert_eq!((record.inputs.len(), record.view.panes.len(), record.view.names_shown), (2, 5, false));
    ask(&mut window);
    click(&mut window, "1×");
    click(&mut window, "Write the names of the scans' files into it");
    click(&mut window, "Export");
    settle(&mut window);
    click(&mut window, "Replace it");
    settle(&mut window);
    assert!(provenance(&path).view.names_shown);
    let changed =
        |y: u32| (0..plain.width()).any(|x| plain.get_pixel(x, y) != picture(&path).get_pixel(x, y));
    let caption = plain.height() - CAPTION_POINTS as u32;
    assert!((caption..plain.height()).step_by(4).any(changed), "the names are in the caption");
}

#[test]
fn every_figure_says_what_it_is_for_and_asked_for_names_are_read_in_it() {
    let files = StudyFiles::new();
    let window = window(&files, &[Script::Answer]);
    for names in [false, true] {
        let still = window.state().state().still();
        let show = move |ui: &mut egui::Ui| {
            figure::show(ui, &still, names, &mut PaneMemory::default(), &mut Vec::new());
        };
        let builder = Harness::builder().with_size([1200.0, 800.0]).with_context_setup(theme::install);
        let drawn = builder.build_ui(show);
        drawn.get_by_label(RESEARCH_LINE);
        assert_eq!(drawn.query_by_label_contains("patient_ct.nii.gz").is_some(), names);
    }
}

#[test]
fn a_synthetic_image_says_so_in_every_layout_and_comparison_and_a_scan_does_not() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    let Some(before) = exported(&mut window, 1) else { return };
    assert_eq!(banner_pixels(&picture(&before)), 0);
    std::fs::remove_file(&before).unwrap();
    click(&mut window, RUN);
    settle(&mut window);
    let five = exported(&mut window, 1).unwrap();
    let whole = banner_pixels(&picture(&five));
    assert!(whole > 500, "{whole}");
    assert!(provenance(&five).results.len() == 2, "synthesis and prediction");
    window.key_press(egui::Key::K);
    window::rest(&mut window);
    let compared = exported(&mut window, 1).unwrap();
    assert!(compared.ends_with("five-panes-compared_ct_mr.png"), "{}", compared.display());
    assert!(banner_pixels(&picture(&compared)) > 500);
    click(&mut window, "Layout");
    click(&mut window, "Target-like alone");
    let alone = exported(&mut window, 2).unwrap();
    assert!(banner_pixels(&picture(&alone)) > 3 * whole, "four times the pixels");
    assert_eq!(provenance(&alone).view.layout, "single pane");
    click(&mut window, "Layout");
    click(&mut window, "Source, three planes");
    let planes = exported(&mut window, 1).unwrap();
    assert!(planes.ends_with("source-planes_ct.png"), "{}", planes.display());
    assert_eq!(banner_pixels(&picture(&planes)), 0);
}

#[test]
fn surfaces_are_in_a_figure_where_the_window_shows_them() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    click(&mut window, RUN);
    settle(&mut window);
    let Some(plot) = exported(&mut window, 1) else { return };
    let plot = picture(&plot);
    click(&mut window, "Surfaces");
    settle(&mut window);
    ask(&mut window);
    click(&mut window, "1×");
    click(&mut window, "Export");
    settle(&mut window);
    click(&mut window, "Replace it");
    settle(&mut window);
    let surfaces = picture(&files.path().join("five-panes_ct_mr.png"));
    // The sixth cell, and most of it: shades of the liver's colour.
    let differing = surfaces.enumerate_pixels().filter(|(x, y, pixel)| plot.get_pixel(*x, *y) != *pixel);
    assert!(differing.count() > 12_000);
}

#[test]
fn a_figure_that_cannot_be_written_says_why_in_the_dialog_and_leaves_nothing_behind() {
    let files = StudyFiles::new();
    let mut window = window(&files, &[Script::Answer]);
    for (name, words) in [("figure.jpg", ".png"), ("no such folder/figure.png", "create the folder")] {
        ask(&mut window);
        let path = files.path().join(name);
        let field = window.get_by_label("Path");
        field.focus();
        window::rest(&mut window);
        window.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
        window.event(egui::Event::Text(path.display().to_string()));
        window::rest(&mut window);
        click(&mut window, "Export");
        settle(&mut window);
        if !drawn(&window) {
            return;
        }
        let told = trouble(&window).unwrap_or_default();
        assert!(told.contains(words), "{told}");
        assert!(!path.exists() && !provenance_path(&path).exists());
        click(&mut window, "Cancel");
    }
}
