//! The window drawn without a display, as `mindgap view --screenshot` does it. Skips where nothing can draw.

#![cfg(feature = "gui")]
#![allow(clippy::unwrap_used)]

use mindgap::ui::figure::CAPTION_POINTS;
use std::path::Path;
use std::process::{Command, Output};

fn view(arguments: &[&str], picture: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mindgap"));
    command.arg("view").args(arguments).arg("--screenshot").arg(picture);
    command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
    command.output().unwrap()
}

/// Whether this machine cannot draw at all; said loudly.
fn nothing_draws(output: &Output) -> bool {
    let said = String::from_utf8_lossy(&output.stderr);
    let none = said.contains("no graphics adapter");
    if none {
        // Past the test harness, which keeps what a passing test prints to itself.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("SKIPPED: {said}\n").as_bytes());
    }
    none
}

#[test]
fn the_demo_is_drawn_without_a_display() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo.png");
    let output = view(&["--demo", "--size", "1200x800"], &path);
    if nothing_draws(&output) {
        return;
    }
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let picture = image::open(&path).unwrap().to_rgb8();
    assert_eq!(picture.dimensions(), (1200, 800));
    // Tissue is grey and neither frame nor text: the panes hold a good part of a megapixel of it.
    let grey =
        picture.pixels().filter(|p| p.0[0] == p.0[1] && p.0[1] == p.0[2] && (60..250).contains(&p.0[0]));
    assert!(grey.count() > 60_000, "the panes are empty");
}

#[test]
fn a_file_that_cannot_be_read_ends_the_command_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let scan = folder.path().join("notes.nii");
    std::fs::write(&scan, "no scan at all").unwrap();
    let output = view(&["--source", scan.to_str().unwrap()], &folder.path().join("never.png"));
    if nothing_draws(&output) {
        return;
    }
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("notes.nii"));
    assert!(!folder.path().join("never.png").exists());
}

/// Draws a figure of the demo; answers the bytes of the picture and what is told beside it but for the time.
fn figure(arguments: &[&str], picture: &Path) -> Result<(Vec<u8>, serde_json::Value), Output> {
    figure_of("600x500", arguments, picture)
}

fn figure_of(size: &str, arguments: &[&str], picture: &Path) -> Result<(Vec<u8>, serde_json::Value), Output> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mindgap"));
    command.args(["view", "--demo", "--size", size, "--figure"]).arg(picture).args(arguments);
    let output = command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").output().unwrap();
    if !output.status.success() {
        return Err(output);
    }
    let beside = mindgap::session::provenance_path(picture);
    let mut told: serde_json::Value = serde_json::from_slice(&std::fs::read(beside).unwrap()).unwrap();
    assert!(told.as_object_mut().unwrap().remove("exported_at").is_some());
    Ok((std::fs::read(picture).unwrap(), told))
}

#[test]
fn a_figure_of_any_layout_is_the_same_every_time_and_as_large_as_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("figure.png");
    for (layout, panes, scale) in [("five", 5, 1), ("planes", 3, 2), ("single", 1, 4)] {
        let arguments = ["--layout", layout, "--pane", "source", "--scale", &scale.to_string()];
        let first = match figure(&arguments, &path) {
            Err(output) if nothing_draws(&output) => return,
            first => first.unwrap(),
        };
        assert!(figure(&arguments, &path).unwrap() == first, "{layout}");
        assert_eq!(image::open(&path).unwrap().to_rgb8().dimensions(), (600 * scale, 500 * scale));
        assert_eq!(first.1["view"]["panes"].as_array().unwrap().len(), panes, "{layout}");
    }
}

/// Pictures of `tests/goldens`, drawn by llvmpipe and looked at. Other drivers round otherwise, which is allowed for.
/// With `MINDGAP_DRAW_GOLDENS=1` they are drawn anew, to be looked at again.
#[test]
fn the_demo_looks_as_it_did_in_every_layout() {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("goldens");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("figure.png");
    for (layout, pane) in [("five", "target"), ("planes", "source"), ("single", "source")] {
        let arguments = ["--layout", layout, "--pane", pane, "--scale", "1"];
        match figure_of("690x480", &arguments, &path) {
            Err(output) if nothing_draws(&output) => return,
            drawn => drawn.unwrap(),
        };
        let golden = goldens.join(format!("{layout}.png"));
        if std::env::var_os("MINDGAP_DRAW_GOLDENS").is_some() {
            std::fs::copy(&path, &golden).unwrap();
        }
        let [drawn, expected] = [&path, &golden].map(|path| image::open(path).unwrap().to_rgb8());
        assert_eq!(drawn.dimensions(), expected.dimensions());
        // The caption names versions.
        let rows = drawn.height() - CAPTION_POINTS.ceil() as u32;
        let pixels = |picture: &image::RgbImage| -> Vec<[u8; 3]> {
            picture.enumerate_pixels().filter(|(_, y, _)| *y < rows).map(|(_, _, pixel)| pixel.0).collect()
        };
        let (drawn, expected) = (pixels(&drawn), pixels(&expected));
        let differs = |a: &[u8; 3], b: &[u8; 3]| a.iter().zip(b).any(|(a, b)| a.abs_diff(*b) > 12);
        let far = drawn.iter().zip(&expected).filter(|(a, b)| differs(a, b)).count();
        assert!(far * 200 < drawn.len(), "{layout}: {far} of {} pixels differ from {golden:?}", drawn.len());
    }
}

#[test]
fn a_figure_with_another_ending_is_refused_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("figure.tiff");
    let refused = figure(&[], &path).unwrap_err();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("figure.tiff") && said.contains(".png"), "{said}");
    assert!(!path.exists());
}

#[test]
#[cfg(target_os = "linux")]
fn a_window_without_a_display_says_what_to_do() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mindgap"));
    let output =
        command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET").output();
    let output = output.unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("--screenshot"), "{said}");
}
