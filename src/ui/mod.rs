//! The window: five linked panes, the panels around them, and one state they are drawn from.
//!
//! Facts come in through [`app`], intents go out of the panels as [`action`]s, [`update`] applies them. The same interface
//! runs in a real window ([`run_window`]) and without a display ([`screenshot`]).

pub mod action;
pub mod app;
pub mod figure;
mod icon;
mod keys;
mod memory;
pub mod panels;
pub mod state;
pub mod theme;
pub mod update;
pub mod views;
pub mod widgets;

pub use app::{App, Launcher, StartUp};
pub use figure::{FigureLayout, FigureOrder};

use crate::render::{
    HeadlessWindow, Pixels, RenderError, SliceResources, describe_adapter, draws_on_processor, watch_device,
};
use crate::session::Settings;
use figure::FigureFailure;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use thiserror::Error;

const DEFAULT_SIZE: [f32; 2] = [1600.0, 1000.0];
const LEAST_SIZE: [f32; 2] = [960.0, 620.0];
/// A run of a large volume on a slow processor is waited for this long.
const PATIENCE: Duration = Duration::from_secs(3600);
/// After a signal the window gets this long to close by itself.
const GRACE: Duration = Duration::from_millis(1800);

/// Why there is no window, or no picture.
#[derive(Debug, Error)]
pub enum UiError {
    #[error(
        "no window could be opened ({0}): start MindGap in a desktop session (DISPLAY or WAYLAND_DISPLAY is set there), \
         or draw without one: mindgap view --screenshot picture.png"
    )]
    NoDisplay(String),
    #[error(
        "no graphics adapter can draw the window ({0}): install the driver of the graphics card or, for drawing on the \
         processor, mesa-vulkan-drivers (Debian, Ubuntu: sudo apt-get install mesa-vulkan-drivers)"
    )]
    NoAdapter(String),
    #[error("the window failed: {0}")]
    Window(String),
    #[error(transparent)]
    Render(#[from] RenderError),
    #[error(transparent)]
    Figure(#[from] FigureFailure),
    #[error("{0}")]
    Work(String),
}

/// Opens the window and returns when it is closed.
pub fn run_window(startup: StartUp) -> Result<(), UiError> {
    let remembered = startup.settings.as_deref().map(Settings::peek).unwrap_or_default();
    let size = remembered.window_size.unwrap_or(DEFAULT_SIZE);
    let viewport = egui::ViewportBuilder::default()
        .with_title("MindGap")
        .with_app_id("mindgap")
        .with_inner_size([size[0].max(LEAST_SIZE[0]), size[1].max(LEAST_SIZE[1])])
        .with_maximized(remembered.window_maximised)
        .with_min_inner_size(LEAST_SIZE)
        .with_icon(icon::icon());
    let options = eframe::NativeOptions { viewport, dithering: false, ..Default::default() };
    let create = move |creation: &eframe::CreationContext<'_>| -> Result<
        Box<dyn eframe::App>,
        Box<dyn std::error::Error + Send + Sync>,
    > {
        let state = creation.wgpu_render_state.as_ref().ok_or("this build of the window has no wgpu renderer")?;
        SliceResources::register(state);
        watch_device(&state.device);
        theme::install(&creation.egui_ctx);
        let context = creation.egui_ctx.clone();
        let mut app = App::new(startup, Arc::new(move || context.request_repaint()));
        let adapter = state.adapter.get_info();
        app.set_adapter(describe_adapter(&adapter), draws_on_processor(&adapter));
        app.set_target(state.target_format);
        close_on_signal(&app, creation.egui_ctx.clone());
        Ok(Box::new(app))
    };
    eframe::run_native("mindgap", options, Box::new(create)).map_err(describe_failure)
}

/// Draws the same interface without a display, once everything asked for has been read and computed.
pub fn screenshot(startup: StartUp, size: [u32; 2]) -> Result<Pixels, UiError> {
    let (_, mut window) = settled(startup, size)?;
    Ok(window.pixels()?)
}

/// What a figure without a window is to be.
#[derive(Debug, Clone)]
pub struct FigureRequest {
    /// Ends in .png; replaced where it is there.
    pub path: PathBuf,
    pub layout: FigureLayout,
    /// Of the whole figure, caption included.
    pub size_points: [u32; 2],
    /// Pixels a point.
    pub scale: u32,
    /// Whether names of files are written into it.
    pub names: bool,
}

/// Draws the images alone into a file, once everything asked for has been read and computed.
pub fn export_figure(startup: StartUp, request: &FigureRequest) -> Result<PathBuf, UiError> {
    crate::session::figure::check_name(&request.path).map_err(FigureFailure::from)?;
    let (mut app, _) = settled(startup, request.size_points)?;
    app.arrange(request.layout);
    let size_points = request.size_points.map(|side| side as f32);
    let order = app.figure(Some(size_points), request.scale, request.names);
    Ok(order.write(&request.path)?.path)
}

/// The interface when everything asked for has been read and computed, and the window that it was drawn in.
fn settled(startup: StartUp, size: [u32; 2]) -> Result<(App, HeadlessWindow), UiError> {
    let mut window = HeadlessWindow::new(size.map(|side| side as f32), 1.0)?;
    theme::install(window.context());
    let mut app = App::new(startup, Arc::new(|| ()));
    app.set_adapter(window.adapter(), window.draws_on_processor());
    let draw = |app: &mut App, ui: &mut egui::Ui| {
        app.tick(ui.ctx());
        app.draw(ui);
    };
    window.run_until(&mut app, draw, App::is_settled, PATIENCE)?;
    if let Some(failure) = app.failure() {
        return Err(UiError::Work(failure.to_owned()));
    }
    Ok((app, window))
}

/// Ctrl+C and SIGTERM close the window as its button does, once a file that is being written is there; a second one does not wait
/// for it. If the window hangs, the process ends anyway, and the engine with it.
fn close_on_signal(app: &App, context: egui::Context) {
    let (flag, is_writing) = (app.interrupt_flag(), app.writing_watch());
    let asked = AtomicBool::new(false);
    let handler = move || {
        let again = asked.swap(true, Ordering::Relaxed);
        let is_writing = is_writing.clone();
        flag.store(true, Ordering::Relaxed);
        std::thread::spawn(move || {
            while !again && is_writing() {
                std::thread::sleep(GRACE);
            }
            std::thread::sleep(GRACE);
            std::process::exit(130);
        });
        context.request_repaint();
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        tracing::warn!("Ctrl+C will not close the window cleanly: {error}");
    }
}

fn describe_failure(error: eframe::Error) -> UiError {
    match error {
        eframe::Error::Winit(error) => UiError::NoDisplay(last_words(&error.to_string())),
        eframe::Error::WinitEventLoop(error) => UiError::NoDisplay(last_words(&error.to_string())),
        eframe::Error::Wgpu(error) => UiError::NoAdapter(error.to_string()),
        eframe::Error::AppCreation(error) => UiError::Window(error.to_string()),
    }
}

/// What went wrong, without the source line winit puts before it.
fn last_words(error: &str) -> String {
    error.rsplit(": ").next().unwrap_or(error).trim_end_matches('.').to_owned()
}
