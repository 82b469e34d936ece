//! The window's owner: holds the engine, the background threads and the state, and brings them together.
//!
//! [`App::tick`] drains what threads and engine have to say and never waits; [`App::draw`] shows the state, collects
//! actions and applies them once, after drawing. Below this module nothing touches a file, a lock, a channel or a thread.

mod closing;
mod engine;
mod exports;
mod figure;
mod reconnect;
mod remember;
mod reports;
mod startup;
mod style;
mod tasks;

pub use startup::{Launcher, StartUp};

use super::panels::{dialogs, drawer, notices, status_bar, structures, study, top_bar};
use super::state::{EngineStatus, NoticeKind, State};
use super::update::{self, Effect};
use super::views::{grid, pane::PaneMemory};
use super::{action::Action, keys, memory};
use crate::protocol::{EngineInfo, JobError};
use crate::render::ground;
use crate::session::cohort::ScanIndex;
use crate::session::loader::PackedWork;
use crate::session::{Background, Engine, Role, Study, Wake};
use closing::Closing;
use egui::{CentralPanel, Frame, Margin, Panel, Ui};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use style::StyleLink;
use tasks::Done;

/// Frames drawn before the engine is started, so that starting it delays no first picture.
const FRAMES_BEFORE_ENGINE: u32 = 2;

/// How long each slice stays while they are played.
const CINE_SLICE_S: f64 = 0.08;

/// State, handles, and nothing else.
pub struct App {
    state: State,
    panes: PaneMemory,
    background: Background<Done>,
    /// Tasks whose result has not been drained yet.
    tasks_running: usize,
    launcher: Launcher,
    engine: Option<Engine>,
    engine_starting: bool,
    /// Packed for a run, waiting for an engine.
    unsent: Vec<PackedWork>,
    /// Scans that have been read to find that of a case.
    scan_index: ScanIndex,
    /// Packed for a run that something speaks against, waiting for the user to go on.
    held: Vec<PackedWork>,
    style: StyleLink,
    wake: Wake,
    startup: Option<StartUp>,
    /// Waits until every scan of the start-up has been read.
    afterwards: Vec<Effect>,
    run_afterwards: bool,
    frames: u32,
    interrupted: Arc<AtomicBool>,
    failure: Option<String>,
    memory_read: Option<Instant>,
    notices_drawn: usize,
    /// Whether a text field had the focus when the last frame was drawn.
    was_typing: bool,
    /// When the next slice of the cine is due, in the context's time.
    next_slice_s: f64,
    /// Where the settings are kept; `None`: nowhere.
    settings_path: Option<PathBuf>,
    closing: Closing,
    /// Whether a window from a larger screen has been fitted to this one.
    window_fitted: bool,
    target_format: wgpu::TextureFormat,
}

impl App {
    /// Starts reading models and scans; shows nothing yet. `wake` is called from other threads when there is news.
    pub fn new(startup: StartUp, wake: Wake) -> Self {
        let mut app = Self {
            state: State::new(startup.task),
            panes: PaneMemory::default(),
            background: Background::new(wake.clone(), Done::Lost),
            tasks_running: 0,
            launcher: startup.launcher.clone(),
            engine: None,
            engine_starting: false,
            unsent: Vec::new(),
            scan_index: ScanIndex::default(),
            held: Vec::new(),
            style: StyleLink::default(),
            wake,
            startup: None,
            afterwards: Vec::new(),
            run_afterwards: false,
            frames: 0,
            interrupted: Arc::new(AtomicBool::new(false)),
            failure: None,
            memory_read: None,
            notices_drawn: 0,
            was_typing: false,
            next_slice_s: 0.0,
            settings_path: None,
            closing: Closing::default(),
            window_fitted: false,
            target_format: wgpu::TextureFormat::Rgba8Unorm,
        };
        if let Some(path) = &startup.settings {
            app.recall(path);
        }
        app.state.engine_command = startup.engine.clone();
        app.begin(startup);
        app
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    /// Shows a study that was made elsewhere, in place of what is open: for measurements.
    pub fn show_study(&mut self, study: Study) {
        self.state.study = study;
        update::centre(&mut self.state, Role::Source);
    }

    /// Says who draws, for About, and whether that is a program on the processor.
    pub fn set_adapter(&mut self, adapter: String, on_processor: bool) {
        self.state.adapter = adapter;
        self.panes.pictures.compute_on_processor(on_processor);
    }

    /// Says what the window's pixels are kept as.
    pub fn set_target(&mut self, format: wgpu::TextureFormat) {
        self.target_format = format;
    }

    /// Raise it from anywhere, wake the window, and it closes.
    pub fn interrupt_flag(&self) -> Arc<AtomicBool> {
        self.interrupted.clone()
    }

    /// Whether nothing is being read, computed or written.
    pub fn is_settled(&self) -> bool {
        self.startup.is_none()
            && self.tasks_running == 0
            && self.state.run.is_none()
            && self.state.reconnect.is_none()
            && !self.state.style.is_busy()
            && self.afterwards.is_empty()
            && !self.run_afterwards
    }

    /// The last thing that went wrong with opening or computing, for callers without eyes.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Drains what the threads and the engine have to say. Never waits.
    pub fn tick(&mut self, context: &egui::Context) {
        self.drain_tasks();
        self.drain_engine();
        self.reconnect_if_due(context);
        self.continue_startup();
        self.state.ask_what_waits();
        if self.frames == FRAMES_BEFORE_ENGINE {
            self.start_engine();
        }
        if let Some(bytes) = memory::resident_bytes_if_due(&mut self.memory_read) {
            self.state.memory_bytes = Some(bytes);
        }
        self.follow_window(context);
        self.close_when_written(context);
        self.play(context);
    }

    /// Moves on to the next slice while slices are played.
    fn play(&mut self, context: &egui::Context) {
        if !self.state.view.cine {
            return;
        }
        let now = context.input(|input| input.time);
        if now >= self.next_slice_s {
            self.next_slice_s = now + CINE_SLICE_S;
            let tile = self.state.view.active;
            update::apply(&mut self.state, Action::PlayOn(tile));
        }
        context.request_repaint_after(Duration::from_secs_f64(self.next_slice_s - now));
    }

    /// Draws the state and applies what the user asked for meanwhile.
    pub fn draw(&mut self, ui: &mut Ui) {
        self.frames = self.frames.saturating_add(1);
        if self.frames <= FRAMES_BEFORE_ENGINE {
            ui.ctx().request_repaint();
        }
        let mut actions = keys::actions(ui.ctx(), &self.state, self.was_typing);
        actions.extend(dropped_files(ui.ctx()));
        let notices_height = draw_frame(ui, &self.state, &mut self.panes, &mut actions);
        self.was_typing = ui.ctx().text_edit_focused();
        let [width, height] = self.panes.area_points;
        // What has to be said at the moment must not change the size of a figure.
        self.state.image_area_points = [width, height + notices_height];
        // egui may draw a frame twice to settle its layout, and hands both passes the same events.
        let again = ui.ctx().current_pass_index() > 0;
        if again {
            actions.clear();
        }
        let hovered = actions.iter().find_map(|action| match action {
            Action::Highlight(label) => Some(*label),
            _ => None,
        });
        let highlight = if again { self.state.view.highlight } else { hovered };
        actions.retain(|action| !matches!(action, Action::Highlight(_)));
        let any = highlight != self.state.view.highlight
            || actions.iter().any(|action| !matches!(action, Action::Activate(_)));
        self.state.view.highlight = highlight;
        for action in actions {
            for effect in update::apply(&mut self.state, action) {
                self.perform(effect, ui.ctx());
            }
        }
        // What was drawn is older than what was just decided; and a bar that gets another line needs a second pass.
        let notices = self.state.notices.len();
        if any || notices != self.notices_drawn {
            self.notices_drawn = notices;
            ui.ctx().request_repaint();
        }
    }

    fn fail(&mut self, text: impl Into<String>) {
        let text = text.into();
        self.failure = Some(text.clone());
        self.state.notify(NoticeKind::Error, text);
    }

    /// Tells what the engine could not do; what a developer would ask for is folded away.
    fn job_failed(&mut self, error: &JobError) {
        tracing::warn!("{}", error.details);
        let text = format!("{}. {}", error.message.trim_end_matches('.'), error.remedy);
        self.failure = Some(text.clone());
        let mut details = error.details.clone();
        if let EngineStatus::Ready(info) = &self.state.engine {
            let EngineInfo { program, libtorch, device, cuda, .. } = info;
            details.push_str(&format!("\nMindGap {program}, libtorch {libtorch}, {device}; {cuda}"));
        }
        self.state.notify_with_details(NoticeKind::Error, text, details.trim().to_owned());
    }
}

impl eframe::App for App {
    fn logic(&mut self, context: &egui::Context, _frame: &mut eframe::Frame) {
        self.tick(context);
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        self.draw(ui);
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        let ground = ground(visuals, self.target_format);
        [ground.r, ground.g, ground.b, ground.a].map(|channel| channel as f32)
    }

    fn on_exit(&mut self) {
        self.save_settings();
    }
}

/// Draws everything; answers how many points the notices take.
fn draw_frame(ui: &mut Ui, state: &State, panes: &mut PaneMemory, actions: &mut Vec<Action>) -> f32 {
    // They lie on the window's background, which is of the frame's colour: to paint it again costs a window drawn by the
    // processor as much as the images.
    let frame = |margin: Margin| Frame::NONE.inner_margin(margin);
    Panel::top("top bar").exact_size(40.0).frame(frame(Margin::symmetric(10, 0))).show(ui, |ui| {
        top_bar::show(ui, state, actions);
    });
    Panel::bottom("status bar").exact_size(28.0).frame(frame(Margin::symmetric(8, 0))).show(ui, |ui| {
        status_bar::show(ui, state);
    });
    let full_height = ui.available_height();
    if !state.notices.is_empty() {
        Panel::top("notices").frame(frame(Margin::same(4))).show(ui, |ui| notices::show(ui, state, actions));
    }
    let notices_height = full_height - ui.available_height();
    if let Some(shown) = state.drawer {
        let panel = Panel::bottom("drawer").resizable(true).default_size(260.0).size_range(140.0..=620.0);
        panel.frame(frame(Margin::symmetric(12, 6))).show(ui, |ui| drawer::show(ui, state, shown, actions));
    }
    let side = Margin { left: 12, right: 12, top: 4, bottom: 4 };
    Panel::left("study").default_size(248.0).size_range(200.0..=420.0).frame(frame(side)).show(ui, |ui| {
        egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| study::show(ui, state, actions));
    });
    Panel::right("structures").default_size(292.0).size_range(230.0..=460.0).frame(frame(side)).show(
        ui,
        |ui| {
            structures::show(ui, state, actions);
        },
    );
    CentralPanel::no_frame().show(ui, |ui| grid::show(ui, state, panes, actions));
    dialogs::show(ui.ctx(), state, actions);
    notices_height
}

fn dropped_files(context: &egui::Context) -> Option<Action> {
    let paths: Vec<_> =
        context.input(|input| input.raw.dropped_files.iter().map(|file| file.path().to_owned()).collect());
    (!paths.is_empty()).then_some(Action::Drop(paths))
}
