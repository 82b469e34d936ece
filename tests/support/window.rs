//! A window without a display, driven as a user would drive it. Not every test uses all of it.

#![allow(dead_code)]

use crate::scripted_engine::{self, Script};
use crate::study_files::StudyFiles;
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use mindgap::session::EngineSite;
use mindgap::ui::{App, Launcher, StartUp, theme};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The main button.
pub const RUN: &str = "Translate & segment  F5";
const PATIENCE: Duration = Duration::from_secs(30);
const FRAMES_OF_NEWS: usize = 4;

/// A window on the two scans, its engines following the scripts one after the other (the last one for ever).
pub fn window(files: &StudyFiles, scripts: &'static [Script]) -> Harness<'static, App> {
    window_with(StartUp { launcher: launcher(EngineSite::Here, scripts), ..on_both_scans(files) })
}

/// The two scans and the model of the files.
pub fn on_both_scans(files: &StudyFiles) -> StartUp {
    StartUp {
        source: Some(files.ct()),
        target: Some(files.mr()),
        model: Some(files.model().display().to_string()),
        ..StartUp::default()
    }
}

/// Engines at a place, one for each script; asked for anywhere else, none.
pub fn launcher(at: EngineSite, scripts: &'static [Script]) -> Launcher {
    let started = AtomicUsize::new(0);
    Arc::new(move |site| {
        assert_eq!(*site, at);
        let number = started.fetch_add(1, Ordering::Relaxed).min(scripts.len() - 1);
        Ok(scripted_engine::launch(scripts[number]))
    })
}

pub fn window_with(startup: StartUp) -> Harness<'static, App> {
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

pub fn wait_until(window: &mut Harness<'static, App>, what: &str, mut reached: impl FnMut(&App) -> bool) {
    let start = Instant::now();
    while !reached(window.state()) {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        window.step();
        std::thread::sleep(Duration::from_millis(2));
    }
    // What came from a thread in the last frame changes the layout, which takes frames of its own.
    window.run_steps(FRAMES_OF_NEWS);
    rest(window);
}

pub fn settle(window: &mut Harness<'static, App>) {
    wait_until(window, "everything to settle", App::is_settled);
}

/// Lets the window take what the user did and come to rest. What a thread is still at work on may bring news in any frame,
/// after which others follow: rest is then for [`settle`] or [`wait_until`] to see.
pub fn rest(window: &mut Harness<'static, App>) {
    window.step();
    if window.state().is_settled() {
        window.run();
    } else {
        window.run_steps(FRAMES_OF_NEWS);
    }
}

pub fn click(window: &mut Harness<'static, App>, label: &str) {
    window.get_by_label(label).click();
    rest(window);
}

/// The dialog opens with the focus in its field.
pub fn type_path(window: &mut Harness<'static, App>, path: &str) {
    window.event(egui::Event::Text(path.to_owned()));
    for key in [egui::Key::S, egui::Key::G, egui::Key::Num2] {
        window.key_press(key);
    }
    window.run();
    assert_eq!(window.get_by_label("Path").value().as_deref(), Some(path));
}

/// What a pane says of itself.
pub fn pane(window: &Harness<'static, App>, name: &str) -> String {
    window.get_by_label(name).accesskit_node().value().unwrap_or_default().to_owned()
}

pub fn notices(window: &Harness<'static, App>) -> Vec<String> {
    window.state().state().notices.iter().map(|notice| notice.text.clone()).collect()
}

/// Lets go of files above the window, all at once.
pub fn drop_files(window: &mut Harness<'static, App>, paths: impl IntoIterator<Item = PathBuf>) {
    for path in paths {
        window.input_mut().dropped_files.push(Arc::new(Dropped(path)));
    }
    window.step();
    settle(window);
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
