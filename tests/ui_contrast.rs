//! What the model's parts do, structure by structure, and how structures are shown: as a user of the window finds out.

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
use glam::{DMat4, DVec3};
use mindgap::session::{Provenance, Role};
use mindgap::ui::{App, StartUp};
use mindgap::volume::{Geometry, Scan, Volume, io};
use scripted_engine::Script;
use study_files::StudyFiles;
use window::{RUN, click, notices, pane, settle, wait_until, window, window_with};

fn compare_with(window: &mut Harness<'static, App>, what: &str) {
    click(window, "Compare the prediction with…");
    click(window, what);
}

fn after_a_run(files: &StudyFiles) -> Harness<'static, App> {
    let mut window = window(files, &[Script::Answer]);
    click(&mut window, RUN);
    settle(&mut window);
    window
}

/// A run, and a comparison with the mask off that the engine is at work on.
fn within_a_comparison(files: &StudyFiles) -> Harness<'static, App> {
    let mut window = window(files, &[Script::HoldComparisons]);
    click(&mut window, RUN);
    settle(&mut window);
    compare_with(&mut window, "the local mask off");
    wait_until(&mut window, "the comparison to be computed", |app| {
        app.state().run.as_ref().is_some_and(|run| run.jobs.iter().any(|job| job.total > 0))
    });
    window
}

#[test]
fn what_the_mask_does_is_shown_in_the_pane_and_told_in_millilitres() {
    let files = StudyFiles::new();
    let mut window = after_a_run(&files);
    compare_with(&mut window, "the local mask off");
    settle(&mut window);
    assert_eq!(notices(&window), Vec::<String>::new());
    // One column of 20 x 10 voxels of 27 mm3 more with the mask, of the 2000 and 1800 that there are.
    window.get_by_label("+5.4 mL · Dice 0.95");
    assert!(pane(&window, "Prediction pane").contains("Difference"));
    click(&mut window, "Show the difference from: mask off");
    assert!(!pane(&window, "Prediction pane").contains("Difference"));
    // The prediction itself is as it was.
    window.get_by_label("54.0 mL");
}

#[test]
fn no_effect_is_told_as_none() {
    let files = StudyFiles::new();
    let mut window = after_a_run(&files);
    compare_with(&mut window, "the mask only where the gap is 0.25 or more");
    settle(&mut window);
    window.get_by_label("+0.0 mL · Dice 1.00");
}

#[test]
fn comparisons_asked_for_during_a_run_are_done_after_it() {
    let files = StudyFiles::new();
    let mut window = after_a_run(&files);
    // Asked for in one frame, so that the first is still going on.
    compare_with(&mut window, "the local mask off");
    compare_with(&mut window, "the model before its adaptation");
    settle(&mut window);
    window.get_by_label("+10.8 mL · Dice 0.89");
    assert!(window.state().state().queue.is_empty());
}

#[test]
fn a_comparison_whose_scans_change_places_meanwhile_does_not_keep_the_window_busy_for_ever() {
    let files = StudyFiles::new();
    let mut window = within_a_comparison(&files);
    click(&mut window, "View");
    click(&mut window, "Swap source and target");
    settle(&mut window);
    assert_eq!(window.state().state().last_run, "stopped, for its scans have changed");
    click(&mut window, RUN);
    settle(&mut window);
    assert!(window.state().state().study.prediction(Role::Target).is_some());
}

#[test]
fn a_run_that_is_cancelled_tells_that_what_was_finished_by_then_is_kept() {
    let files = StudyFiles::new();
    let mut window = within_a_comparison(&files);
    window.key_press(egui::Key::Escape);
    settle(&mut window);
    assert!(window.state().state().study.contrast(Role::Target).is_some(), "it had been finished just then");
    assert!(notices(&window).last().unwrap().contains("what was finished by then is kept"));
}

#[test]
fn a_new_run_forgets_what_the_old_prediction_was_compared_with() {
    let files = StudyFiles::new();
    let mut window = after_a_run(&files);
    compare_with(&mut window, "the local mask off");
    settle(&mut window);
    assert!(window.state().state().study.contrast(Role::Target).is_some());
    click(&mut window, RUN);
    settle(&mut window);
    assert!(window.state().state().study.contrast(Role::Target).is_none());
}

#[test]
fn one_structure_can_be_shown_alone_made_fainter_and_gone_to() {
    let files = StudyFiles::new();
    let mut window = after_a_run(&files);
    click(&mut window, "More about Liver");
    click(&mut window, "Show it alone");
    assert_eq!(window.state().state().hidden_labels.len(), 3);
    click(&mut window, "Show all");
    assert!(window.state().state().hidden_labels.is_empty());
    click(&mut window, "Go to it");
    let state = window.state().state();
    let crosshair = state.view.crosshair;
    let labels = &state.study.prediction(Role::Target).unwrap().labels;
    let voxel = labels.geometry().voxel_from_world().transform_point3(crosshair.world_mm).round();
    assert_eq!(crosshair.role, Role::Target);
    assert_eq!(labels.at(voxel.x as usize, voxel.y as usize, voxel.z as usize), 1, "{voxel}");
    window.get_by_role_and_label(egui::Role::Slider, "Opacity of liver").focus();
    window::rest(&mut window);
    for _ in 0..5 {
        window.key_press(egui::Key::ArrowLeft);
        window::rest(&mut window);
    }
    let opacity = window.state().state().label_opacity(1);
    assert!(opacity < 1.0 && opacity > 0.0, "{opacity}");
    assert_eq!(window.state().state().palette.colour(1)[3], (255.0 * opacity).round() as u8);
}

#[test]
fn the_frame_can_be_made_light_and_stays_so_at_the_next_start() {
    let files = StudyFiles::new();
    let settings = files.path().join("settings.json");
    let start =
        || StartUp { source: Some(files.ct()), settings: Some(settings.clone()), ..StartUp::default() };
    let mut window = window_with(start());
    assert_eq!(window.ctx.theme(), egui::Theme::Dark);
    click(&mut window, "File");
    click(&mut window, "Settings…");
    click(&mut window, "Light frame around the images");
    assert_eq!(window.ctx.theme(), egui::Theme::Light);
    window.state().save_settings();
    assert_eq!(window_with(start()).ctx.theme(), egui::Theme::Light);
}

#[test]
fn an_oblique_scan_is_cut_in_true_planes_unless_its_own_are_asked_for() {
    let files = StudyFiles::new();
    let turned = DMat4::from_rotation_z(20f64.to_radians()) * DMat4::from_scale(DVec3::splat(3.0));
    let grid = Geometry::new([24, 20, 16], turned).unwrap();
    let path = files.path().join("oblique.nii.gz");
    let values = Volume::from_fn(grid.clone(), |i, j, k| (i + j + k) as f32);
    io::write_scan(&path, &Scan::from_volume(values, "phantom")).unwrap();
    let mut window = window_with(StartUp { source: Some(path), ..StartUp::default() });
    let shown = |window: &Harness<'static, App>| {
        let state = window.state().state();
        state.view.obliques.grid_of(state.study.scan(Role::Source).unwrap()).clone()
    };
    assert!(shown(&window).obliqueness_deg() < 1e-6);
    click(&mut window, "View");
    click(&mut window, "Oblique scans along their own slices");
    assert!((shown(&window).obliqueness_deg() - 20.0).abs() < 1e-3);
    // Both ways the crosshair stays where it is in the patient.
    let before = window.state().state().view.crosshair.world_mm;
    click(&mut window, "View");
    click(&mut window, "Oblique scans in true planes");
    assert_eq!(window.state().state().view.crosshair.world_mm, before);
}

#[test]
fn the_structures_can_be_seen_as_surfaces_and_turned() {
    let files = StudyFiles::new();
    let mut window = after_a_run(&files);
    click(&mut window, "Surfaces");
    settle(&mut window);
    let image = |window: &Harness<'static, App>| {
        window.state().state().surface.picture.as_ref().map(|picture| picture.image.clone()).unwrap()
    };
    let front = image(&window);
    assert!(front.pixels.iter().any(|pixel| *pixel != front.pixels[0]), "nothing was drawn");
    let middle = window.get_by_label("Surfaces of the structures").rect().center();
    let drag = |pos, pressed| egui::Event::PointerButton {
        pos,
        button: egui::PointerButton::Primary,
        pressed,
        modifiers: egui::Modifiers::NONE,
    };
    let aside = middle + egui::vec2(60.0, 0.0);
    for event in [
        egui::Event::PointerMoved(middle),
        drag(middle, true),
        egui::Event::PointerMoved(aside),
        drag(aside, false),
    ] {
        window.event(event);
        window.step();
    }
    settle(&mut window);
    assert_ne!(image(&window).pixels, front.pixels);
}

#[test]
fn places_to_look_at_are_listed_and_a_click_goes_there() {
    let files = StudyFiles::new();
    let mut window = after_a_run(&files);
    let before = window.state().state().view.crosshair.world_mm;
    click(&mut window, "Look here first");
    let first = window.state().state().study.prediction(Role::Target).unwrap().places[0].clone();
    window.get_by_label_contains("1  ").click();
    window::rest(&mut window);
    let state = window.state().state();
    let voxel = state.study.scan(Role::Target).unwrap().geometry().voxel_from_world();
    let at = voxel.transform_point3(state.view.crosshair.world_mm).round();
    assert_eq!([at.x as usize, at.y as usize, at.z as usize], first.voxel);
    assert_ne!(state.view.crosshair.world_mm, before);
}

#[test]
fn dragging_the_threshold_tells_how_much_of_the_body_lies_above_it() {
    let files = StudyFiles::new();
    let mut window = after_a_run(&files);
    // The scripted gap is one half everywhere.
    window.get_by_label("100 % of the body at 0.25 or more");
    window.get_by_role_and_label(egui::Role::Slider, "Gap threshold").focus();
    window::rest(&mut window);
    while window.state().state().view.gap.threshold < 0.55 {
        window.key_press(egui::Key::ArrowRight);
        window::rest(&mut window);
    }
    window.get_by_label_contains("0 % of the body at");
}

#[test]
fn a_scan_the_model_was_not_made_for_is_run_only_after_a_warning_and_the_export_says_so() {
    let files = StudyFiles::new();
    // An MR opened as a CT: no value is as low as air.
    let grid = Geometry::axis_aligned([24, 20, 16], [4.0; 3], [0.0; 3]).unwrap();
    let path = files.path().join("odd.nii.gz");
    let values = Volume::from_fn(grid, |i, j, k| (100 + i + j + k) as f32);
    io::write_scan(&path, &Scan::from_volume(values, "phantom")).unwrap();
    let mut window = window(&files, &[Script::Answer]);
    window::drop_files(&mut window, [path]);
    let state = window.state().state();
    let role =
        Role::ALL.into_iter().find(|role| state.study.scan(*role).unwrap().name == "odd.nii.gz").unwrap();
    click(&mut window, &format!("Modality of the {}", role.name().to_lowercase()));
    click(&mut window, "CT");
    click(&mut window, RUN);
    window::wait_until(&mut window, "the warning", |app| app.state().dialog.is_some());
    window.get_by_label_contains(": No value lies below -200");
    click(&mut window, "Do not run");
    settle(&mut window);
    assert!(window.state().state().study.prediction(Role::Target).is_none());
    click(&mut window, RUN);
    window::wait_until(&mut window, "the warning", |app| app.state().dialog.is_some());
    click(&mut window, "Run all the same");
    settle(&mut window);
    let synthesis = window.state().state().study.synthesis().unwrap();
    let recorded = |concerns: &[mindgap::session::Concern]| !concerns.is_empty();
    let prediction = window.state().state().study.prediction(Role::Target).unwrap();
    assert!(
        recorded(&synthesis.origin.as_ref().unwrap().concerns)
            || recorded(&prediction.origin.as_ref().unwrap().concerns)
    );
}

#[test]
fn every_volume_that_is_exported_has_beside_it_where_it_comes_from() {
    let files = StudyFiles::new();
    let mut window = after_a_run(&files);
    for (item, name) in [
        ("Export labelled volume…", "patient_mr_labels.nii.gz"),
        ("Export gap volume…", "patient_mr_gap.nii.gz"),
        ("Export uncertainty volume…", "patient_mr_uncertainty.nii.gz"),
        ("Export synthetic volume…", "patient_ct_SYNTHETIC.nii.gz"),
    ] {
        click(&mut window, "File");
        // The labelled volume has a button of its own as well.
        let items: Vec<_> = window.get_all_by_label(item).collect();
        items.last().unwrap().click();
        drop(items);
        window::rest(&mut window);
        click(&mut window, "Export");
        settle(&mut window);
        let path = files.path().join(name);
        let bytes = std::fs::read(mindgap::session::provenance_path(&path)).unwrap();
        let provenance: Provenance = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(provenance.output.file, name);
        assert!(provenance.output.on_the_inputs_grid);
        assert_eq!(provenance.model.id, "abdomen-ct-to-mr");
    }
    click(&mut window, "File");
    click(&mut window, "Export report…");
    click(&mut window, "Export");
    settle(&mut window);
    assert!(files.path().join("patient_mr_report").join("report.pdf").is_file());
}
