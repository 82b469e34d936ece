//! `mindgap bench window`: what a frame of the window costs, in a scripted session drawn without a display.
//!
//! Five panes over one large scan with labels, gap and synthesis on its grid are scrolled and windowed; in turn with them
//! a bare frame is drawn whose only work is to update and show five textures of the same size, the floor for any viewer
//! made of egui and wgpu on the same device. Waiting for the device is part of every frame.

use super::machine::Machine;
use super::output;
use super::rounds::median;
use crate::render::HeadlessWindow;
use crate::session::{
    EngineError, EngineSite, OpenRequest, OpenScan, Prediction, Role, Study, Synthesis, summarise,
};
use crate::ui::views::cut::{Cut, Voxels, cut_slice};
use crate::ui::views::frame::{Convention, SliceFrame, SlicePlane};
use crate::ui::{App, StartUp, theme};
use crate::volume::{self, Geometry, Modality, Scaling, Scan, Task, Volume};
use clap::Args;
use egui::{
    ColorImage, Event, Modifiers, MouseWheelUnit, PointerButton, Pos2, TextureHandle, TextureOptions,
};
use glam::{DMat4, DVec3};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time the window's frames, drawn without a display.
#[derive(Debug, Args)]
pub(super) struct Window {
    /// Voxels of the scan along i, j, k.
    #[arg(long, value_name = "I,J,K", value_delimiter = ',', default_value = "512,512,1000")]
    dims: Vec<usize>,
    /// Frames of each kind.
    #[arg(long, default_value_t = 150, value_parser = clap::value_parser!(u32).range(10..))]
    frames: u32,
    /// Size of the window in pixels.
    #[arg(long, value_name = "W,H", value_delimiter = ',', default_value = "1280,800")]
    size: Vec<u32>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// How long something took, ms.
#[derive(Debug, Clone, Serialize)]
struct Series {
    name: &'static str,
    median_ms: f64,
    p95_ms: f64,
    worst_ms: f64,
}

#[derive(Debug, Serialize)]
struct Answer {
    machine: Machine,
    /// Who drew.
    adapter: String,
    dims: [usize; 3],
    size: [u32; 2],
    frames: u32,
    series: Vec<Series>,
    /// Medians of scrolling and of windowing over that of the bare frame.
    scroll_of_bare: f64,
    window_of_bare: f64,
}

/// The middle of the first pane in a window of the usual proportions, where the pointer stays.
const PANE_POINT: [f32; 2] = [0.3, 0.3];

/// The demo is opened first, as in a real window.
const PATIENCE: Duration = Duration::from_secs(60);

impl Window {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let (&[ni, nj, nk], &[width, height]) = (self.dims.as_slice(), self.size.as_slice()) else {
            anyhow::bail!("--dims: expected three numbers, --size: expected two");
        };
        let answer = self.measure([ni, nj, nk], [width, height])?;
        if self.json { output::print_json(&answer) } else { output::print(answer.to_text().trim_end()) }
    }

    fn measure(&self, dims: [usize; 3], size: [u32; 2]) -> anyhow::Result<Answer> {
        eprintln!("making {} x {} x {} voxels", dims[0], dims[1], dims[2]);
        let study = study(dims)?;
        let points = size.map(|side| side as f32);
        let at = Pos2::new(points[0] * PANE_POINT[0], points[1] * PANE_POINT[1]);
        let mut session = Session::new(points, study)?;
        let mut bare = Bare::new(points, [dims[0], dims[1]])?;
        for _ in 0..5 {
            session.frame(vec![Event::PointerMoved(at)])?;
            bare.frame()?;
        }
        let (mut scrolled, mut windowed, mut floor) = (Vec::new(), Vec::new(), Vec::new());
        let mut interface = Vec::new();
        session.frame(button(at, PointerButton::Primary, true))?;
        session.frame(button(at, PointerButton::Primary, false))?;
        for number in 0..self.frames {
            let [whole, without_device] = session.frame(wheel(number))?;
            scrolled.push(whole);
            interface.push(without_device);
            floor.push(bare.frame()?);
        }
        session.frame(button(at, PointerButton::Secondary, true))?;
        for number in 0..self.frames {
            let moved = at + egui::vec2(number as f32 % 40.0, 3.0);
            windowed.push(session.frame(vec![Event::PointerMoved(moved)])?[0]);
            floor.push(bare.frame()?);
        }
        let cutting = session.cutting(self.frames)?;
        let oblique = oblique_cutting(self.frames)?;
        let series = vec![
            Series::new("bare frame, five updated textures", &floor),
            Series::new("scrolling", &scrolled),
            Series::new("windowing", &windowed),
            Series::new("of scrolling, the interface", &interface),
            Series::new("of it cutting five slices", &cutting),
            Series::new("five slices of an oblique scan", &oblique),
        ];
        let ratio = |of: usize| series[of].median_ms / series[0].median_ms;
        Ok(Answer {
            machine: Machine::here(),
            adapter: session.window.adapter(),
            dims,
            size,
            frames: self.frames,
            scroll_of_bare: ratio(1),
            window_of_bare: ratio(2),
            series,
        })
    }
}

impl Series {
    fn new(name: &'static str, took: &[Duration]) -> Self {
        let mut ms: Vec<f64> = took.iter().map(|time| time.as_secs_f64() * 1e3).collect();
        ms.sort_by(f64::total_cmp);
        let worst_ms = ms.last().copied().unwrap_or(f64::NAN);
        let rank = (ms.len() * 95).div_ceil(100).saturating_sub(1);
        let p95_ms = ms.get(rank).copied().unwrap_or(f64::NAN);
        Self { name, median_ms: median(ms), p95_ms, worst_ms }
    }
}

impl Answer {
    fn to_text(&self) -> String {
        let [ni, nj, nk] = self.dims;
        let mut text = format!(
            "{ni} x {nj} x {nk} voxels in five panes of a window of {} x {}, {} frames each\n{}; {} cores\n\n",
            self.size[0], self.size[1], self.frames, self.adapter, self.machine.cores
        );
        text += &format!("{:<36} {:>9} {:>9} {:>9}\n", "ms a frame", "median", "p95", "worst");
        for s in &self.series {
            text += &format!("{:<36} {:>9.1} {:>9.1} {:>9.1}\n", s.name, s.median_ms, s.p95_ms, s.worst_ms);
        }
        text += &format!(
            "\nscrolling takes {:.2} and windowing {:.2} times the bare frame\n",
            self.scroll_of_bare, self.window_of_bare
        );
        text
    }
}

fn show(app: &mut App, ui: &mut egui::Ui) {
    app.tick(ui.ctx());
    app.draw(ui);
}

/// The window on a study.
struct Session {
    window: HeadlessWindow,
    app: App,
}

impl Session {
    fn new(size: [f32; 2], study: Study) -> anyhow::Result<Self> {
        let mut window = HeadlessWindow::new(size, 1.0)?;
        theme::install(window.context());
        let no_engine = |_: &EngineSite| Err(EngineError::Missing(PathBuf::from("no engine is measured")));
        let mut app =
            App::new(StartUp { launcher: Arc::new(no_engine), ..StartUp::default() }, Arc::new(|| ()));
        app.set_adapter(window.adapter(), window.draws_on_processor());
        window.run_until(&mut app, show, App::is_settled, PATIENCE)?;
        app.show_study(study);
        Ok(Self { window, app })
    }

    /// How long the whole frame took, and the interface alone, before anything is drawn.
    fn frame(&mut self, events: Vec<Event>) -> anyhow::Result<[Duration; 2]> {
        let started = Instant::now();
        let app = &mut self.app;
        self.window.frame(events, |ui| show(app, ui));
        let interface = started.elapsed();
        self.window.present()?;
        Ok([started.elapsed(), interface])
    }

    /// Cutting the five slices alone, as each step of a scroll does.
    fn cutting(&self, frames: u32) -> anyhow::Result<Vec<Duration>> {
        let study = &self.app.state().study;
        let missing = || anyhow::anyhow!("the study has lost its scan");
        let scan = study.scan(Role::Source).ok_or_else(missing)?;
        let synthesis = study.synthesis().ok_or_else(missing)?;
        let frame = SliceFrame::new(scan.geometry(), SlicePlane::Axial, Convention::default());
        let image = Voxels::Scan(scan.scan.clone());
        let layers =
            [image.clone(), Voxels::Values(synthesis.image.clone()), image.clone(), image.clone(), image];
        let middle = frame.slice_count() / 2;
        let once = |number: u32| {
            let started = Instant::now();
            let slice = (middle + number as usize) % frame.slice_count();
            for voxels in &layers {
                match cut_slice(voxels, scan.geometry(), &frame, slice) {
                    Some(Cut::Values(plane)) => drop(std::hint::black_box(plane.values().len())),
                    Some(Cut::Labels(plane)) => drop(std::hint::black_box(plane.values().len())),
                    None => {}
                }
            }
            started.elapsed()
        };
        Ok((0..frames).map(once).collect())
    }
}

/// Cutting five slices of 512 x 512 voxels and more in true planes out of a scan that lies 20 degrees askew.
fn oblique_cutting(frames: u32) -> anyhow::Result<Vec<Duration>> {
    let turned = DMat4::from_rotation_z(20f64.to_radians()) * DMat4::from_rotation_x(20f64.to_radians());
    let askew = Geometry::new([512, 512, 40], turned * DMat4::from_scale(DVec3::new(0.8, 0.8, 2.0)))?;
    let stored = (0..askew.len()).map(|n| (n * n / 64 % 900) as i16 - 300).collect();
    let scan = Scan::new(volume::Voxels::I16(stored), Scaling::IDENTITY, askew.clone(), "benchmark");
    let scan = scan.ok_or_else(|| anyhow::anyhow!("the voxels do not fill the grid"))?;
    let straight = askew.straightened()?;
    let frame = SliceFrame::new(&straight, SlicePlane::Axial, Convention::default());
    let voxels = Voxels::Scan(Arc::new(scan));
    let once = |number: u32| {
        let started = Instant::now();
        for pane in 0..5 {
            let slice = (frame.slice_count() / 2 + (number + pane) as usize) % frame.slice_count();
            std::hint::black_box(cut_slice(&voxels, &straight, &frame, slice));
        }
        started.elapsed()
    };
    Ok((0..frames).map(once).collect())
}

/// A window that does nothing but show five pictures, new ones in every frame.
struct Bare {
    window: HeadlessWindow,
    textures: Vec<TextureHandle>,
    pictures: [ColorImage; 2],
    frames: usize,
}

impl Bare {
    fn new(size: [f32; 2], picture: [usize; 2]) -> anyhow::Result<Self> {
        let window = HeadlessWindow::new(size, 1.0)?;
        let grey = |offset: usize| {
            let pixels: Vec<u8> = (0..picture[0] * picture[1]).map(|n| ((n + offset) % 251) as u8).collect();
            ColorImage::from_gray(picture, &pixels)
        };
        let pictures = [grey(0), grey(90)];
        let load = |n: usize| {
            let context = window.context();
            context.load_texture(format!("bare {n}"), pictures[0].clone(), TextureOptions::LINEAR)
        };
        let textures = (0..5).map(load).collect();
        Ok(Self { window, textures, pictures, frames: 0 })
    }

    fn frame(&mut self) -> anyhow::Result<Duration> {
        let started = Instant::now();
        self.frames += 1;
        let picture = &self.pictures[self.frames % 2];
        let textures = &mut self.textures;
        self.window.frame(Vec::new(), |ui| {
            let area = ui.available_rect_before_wrap();
            let cell = egui::vec2(area.width() / 3.0, area.height() / 2.0);
            for (n, texture) in textures.iter_mut().enumerate() {
                texture.set(picture.clone(), TextureOptions::LINEAR);
                let corner = area.min + egui::vec2((n % 3) as f32 * cell.x, (n / 3) as f32 * cell.y);
                let whole = egui::Rect::from_min_max(Pos2::ZERO, Pos2::new(1.0, 1.0));
                let rect = egui::Rect::from_min_size(corner, cell);
                ui.painter().image(texture.id(), rect, whole, egui::Color32::WHITE);
            }
        });
        self.window.present()?;
        Ok(started.elapsed())
    }
}

/// One notch, up and down again after some slices.
fn wheel(number: u32) -> Vec<Event> {
    let up = if (number / 40).is_multiple_of(2) { 1.0 } else { -1.0 };
    vec![Event::MouseWheel {
        unit: MouseWheelUnit::Line,
        delta: egui::vec2(0.0, up),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Unknown,
        modifiers: Modifiers::NONE,
    }]
}

fn button(pos: Pos2, button: PointerButton, pressed: bool) -> Vec<Event> {
    vec![Event::PointerButton { pos, button, pressed, modifiers: Modifiers::NONE }]
}

/// One scan in both roles, with a synthesis, labels and a gap on its grid.
fn study(dims: [usize; 3]) -> anyhow::Result<Study> {
    let geometry = Geometry::axis_aligned(dims, [0.8, 0.8, 0.8], [0.0; 3])?;
    let wave = |n: usize| {
        let (i, j, k) = (n % dims[0], n / dims[0] % dims[1], n / dims[0] / dims[1]);
        ((i * i / 64 + j * j / 48 + k * 3) % 900) as i16 - 300
    };
    let stored: Vec<i16> = (0..geometry.len()).map(wave).collect();
    let scan = Scan::new(volume::Voxels::I16(stored), Scaling::IDENTITY, geometry.clone(), "benchmark");
    let scan = scan.ok_or_else(|| anyhow::anyhow!("--dims: the voxels do not fill the grid"))?;
    let open = OpenScan::new(scan, OpenRequest::file(PathBuf::from("benchmark")), Modality::Ct);
    let values = Volume::from_fn(geometry.clone(), |i, j, k| ((i + j + k) % 100) as f32 / 100.0);
    let labels = Volume::from_fn(geometry, |i, j, k| ((i / 60 + j / 60 + k / 60) % 5) as u16);
    let (values, open) = (Arc::new(values), Arc::new(open));
    let mut study = Study::default();
    for role in Role::ALL {
        study.set_scan(role, Some(open.clone()));
    }
    study.set_synthesis(Some(Synthesis {
        intensity: open.intensity,
        image: values.clone(),
        slabs: Vec::new(),
        imitates: Modality::Mr,
        edge_agreement: None,
        whole: true,
        model: String::new(),
        device: String::new(),
        origin: None,
        warnings: Vec::new(),
    }));
    study.set_prediction(
        Role::Target,
        Some(Prediction {
            structures: summarise(&labels, Some(&values), None, Task::Abdomen.table()),
            labels: Arc::new(labels),
            gap: values,
            slabs: Vec::new(),
            uncertainty: None,
            coverage: None,
            places: Vec::new(),
            whole: true,
            model: String::new(),
            refinement: Vec::new(),
            seconds: 0.0,
            device: String::new(),
            origin: None,
            warnings: Vec::new(),
        }),
    );
    Ok(study)
}
