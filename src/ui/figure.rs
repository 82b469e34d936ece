//! The image area drawn anew at a higher density of pixels, as a figure for a paper.
//!
//! What is drawn is the very interface of the window, without its panels and with a caption, on a device of its own.
//! Invariants: a synthetic image says so and every figure says what it is for; no name of a file is in it unless asked
//! for; the same order gives the same pixels.

use super::action::Action;
use super::state::{Arrangement, Comparison, Pane, State, Tile};
use super::theme;
use super::views::content::{content, model_title};
use super::views::frame::SliceFrame;
use super::views::grid;
use super::views::link::crosshair_in;
use super::views::pane::PaneMemory;
use super::views::style::in_chosen_style;
use super::views::surface::{SurfacePicture, Surfaces, labels_of};
use crate::render::{HeadlessWindow, Pixels, RenderError};
use crate::session::figure::{self, FigurePane, FigurePicture, FigureView, RESEARCH_LINE, Shown, role_name};
use crate::session::{Role, program};
use crate::volume::io::Receipt;
use egui::{Align, CentralPanel, Frame, Label, Layout, Margin, Panel, RichText, Ui};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use thiserror::Error;

/// Pixels a point that can be asked for.
pub const SCALES: RangeInclusive<u32> = 1..=4;
/// Height of the line below the images.
pub const CAPTION_POINTS: f32 = 28.0;
/// One to lay out, one after the surfaces are there, one for what egui settles.
const FRAMES: usize = 3;
/// No narrower and no lower: nothing could be read.
const LEAST_POINTS: f32 = 120.0;

/// Why there is no figure.
#[derive(Debug, Error)]
pub enum FigureFailure {
    #[error("the figure cannot be drawn: {0}; a smaller scale needs less")]
    Draw(#[from] RenderError),
    #[error(transparent)]
    Write(#[from] figure::FigureError),
}

/// What is shown in a figure, where nobody has arranged it in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FigureLayout {
    Five,
    Planes(Pane),
    Single(Pane),
}

/// Everything a figure depends on; complete in itself, so that it can be drawn on another thread.
#[derive(Debug)]
pub struct FigureOrder {
    state: State,
    size_points: [f32; 2],
    scale: u32,
    names: bool,
}

impl FigureLayout {
    /// The intent that shows it in the window.
    pub fn action(self) -> Action {
        match self {
            FigureLayout::Five => Action::Arrange(Arrangement::Roles),
            FigureLayout::Planes(pane) => Action::Arrange(Arrangement::Planes(pane)),
            FigureLayout::Single(pane) => Action::Maximise(Tile::of(pane)),
        }
    }
}

impl FigureOrder {
    /// Of what `state` shows, `size_points` wide and high with its caption; whole points, so that the picture has exactly
    /// `scale` times as many pixels.
    pub fn new(state: &State, size_points: [f32; 2], scale: u32, names: bool) -> Self {
        let size_points = size_points.map(|points| points.floor().max(LEAST_POINTS));
        let scale = scale.clamp(*SCALES.start(), *SCALES.end());
        Self { state: state.still(), size_points, scale, names }
    }

    /// Draws it; takes seconds where there is no GPU.
    ///
    /// # Errors
    /// Where no device can draw, or not as many pixels.
    pub fn draw(&mut self) -> Result<Pixels, RenderError> {
        let mut window = HeadlessWindow::new(self.size_points, self.scale as f32)?;
        theme::install(window.context());
        theme::set(window.context(), self.state.settings.light);
        let mut memory = PaneMemory::default();
        memory.pictures.compute_on_processor(window.draws_on_processor());
        for _ in 0..FRAMES {
            let mut actions = Vec::new();
            window.frame(Vec::new(), |ui| show(ui, &self.state, self.names, &mut memory, &mut actions));
            actions.into_iter().for_each(|action| self.answer(action));
        }
        window.pixels()
    }

    /// Draws it and writes it with where it comes from.
    ///
    /// # Errors
    /// Where the name is none of a PNG file, it cannot be drawn, or not be written.
    pub fn write(mut self, path: &Path) -> Result<Receipt, FigureFailure> {
        figure::check_name(path)?;
        let view = self.record();
        let Pixels { width, height, rgba } = self.draw()?;
        let picture = FigurePicture { width, height, rgba: &rgba };
        Ok(figure::write(path, &picture, &self.state.study, view)?)
    }

    /// Of all that the interface asks for only the surfaces are of use here.
    fn answer(&mut self, action: Action) {
        let Action::DrawSurface(role, order) = action else { return };
        let Some(labels) = labels_of(&self.state, role) else { return };
        let wanted: Vec<u16> = self.state.table().entries.iter().map(|entry| entry.value).collect();
        let known = self.state.surface.picture.take().map(|picture| picture.surfaces);
        let surfaces = known
            .filter(|surfaces| Arc::ptr_eq(&surfaces.labels, &labels))
            .unwrap_or_else(|| Arc::new(Surfaces::of(labels, &wanted)));
        let image = Arc::new(surfaces.draw(&order));
        self.state.surface.picture = Some(SurfacePicture { order, surfaces, image });
    }

    /// How the study is looked at, for the file beside the picture.
    fn record(&self) -> FigureView {
        let view = &self.state.view;
        let layout = match (view.maximised, view.arrangement) {
            (Some(_), _) => "single pane",
            (None, Arrangement::Roles) => "five panes",
            (None, Arrangement::Planes(_)) => "three planes",
        };
        let inspector = [view.inspector.name().to_owned(), role_name(view.inspected)];
        FigureView {
            layout: layout.to_owned(),
            panes: grid::tiles(view).into_iter().filter_map(|tile| self.pane_record(tile)).collect(),
            inspector: view.maximised.is_none().then_some(inspector),
            comparison: view.comparison.name().to_owned(),
            radiological: view.convention.radiological,
            zoom: view.zoom,
            gap_threshold: view.gap.threshold,
            scale: self.scale,
            names_shown: self.names,
        }
    }

    fn pane_record(&self, tile: Tile) -> Option<FigurePane> {
        let state = &self.state;
        let content = in_chosen_style(state, tile, content(state, tile.pane)?);
        let plane = tile.plane(&state.view);
        let grid = state.view.obliques.grid_of(content.scan);
        let frame = SliceFrame::new(grid, plane, state.view.convention);
        let world_mm = crosshair_in(&state.study, state.view.crosshair, content.role)?;
        let voxel = grid.voxel_from_world().transform_point3(world_mm);
        let shows = match tile.pane {
            _ if content.synthetic => Shown::Synthesis,
            Pane::Gap | Pane::Prediction if state.study.prediction(content.role).is_some() => {
                Shown::Prediction
            }
            _ => Shown::Scan,
        };
        Some(FigurePane {
            pane: content.title.into_owned(),
            role: role_name(content.role),
            shows,
            style: content.style,
            plane: plane.name().to_lowercase(),
            slice: frame.nearest_slice(voxel) + 1,
            slices: frame.slice_count(),
            window_width: content.window.width,
            window_level: content.window.level,
            unit: content.unit.to_owned(),
        })
    }
}

/// Draws the images of `state` with the caption below them, as [`FigureOrder::draw`] does it.
pub fn show(ui: &mut Ui, state: &State, names: bool, memory: &mut PaneMemory, actions: &mut Vec<Action>) {
    let frame = Frame::NONE.inner_margin(Margin::symmetric(10, 0));
    let bar = Panel::bottom("caption").exact_size(CAPTION_POINTS).show_separator_line(false).frame(frame);
    bar.show(ui, |ui| caption(ui, state, names));
    CentralPanel::no_frame().show(ui, |ui| grid::show(ui, state, memory, actions));
}

/// What it is for on the left, where it comes from on the right.
fn caption(ui: &mut Ui, state: &State, names: bool) {
    let words = |text: String, size: f32| RichText::new(text).size(size).color(theme::of(ui).text);
    let (line, source) = (words(RESEARCH_LINE.to_owned(), 12.0), words(origin(state, names), 11.0));
    ui.horizontal_centered(|ui| {
        ui.label(line);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| ui.add(Label::new(source).truncate()));
    });
}

/// "MindGap 0.2.0 · abdomen CT→MR 1.0", with the names of the scans that are shown where they are wanted.
fn origin(state: &State, names: bool) -> String {
    let program = program();
    let mut parts = vec![program.split(" (").next().unwrap_or(&program).to_owned()];
    parts.extend(state.card().map(model_title));
    if names {
        let tiles = grid::tiles(&state.view);
        let shown = |role: &Role| tiles.iter().any(|tile| tile.pane.role(&state.view) == *role);
        for role in Role::ALL.into_iter().filter(shown) {
            let scan = state.study.scan(role).filter(|scan| !scan.is_phantom());
            parts.extend(scan.map(|scan| format!("{}: {}", role.name(), scan.name)));
        }
    }
    parts.join(" · ")
}

/// A name that says what is shown and of which modality, and of nobody: "five-panes_ct_mr.png".
pub fn proposed_name(state: &State) -> String {
    let view = &state.view;
    let of = |pane: Pane| pane.name().to_lowercase().replace(' ', "-");
    let layout = match (view.maximised, view.arrangement) {
        (Some(tile), _) => of(tile.pane),
        (None, Arrangement::Roles) if view.comparison != Comparison::Off => "five-panes-compared".to_owned(),
        (None, Arrangement::Roles) => "five-panes".to_owned(),
        (None, Arrangement::Planes(pane)) => format!("{}-planes", of(pane)),
    };
    let tiles = grid::tiles(view);
    let shown = |role: &Role| tiles.iter().any(|tile| tile.pane.role(view) == *role);
    let scans = Role::ALL.into_iter().filter(shown).filter_map(|role| state.study.scan(role));
    let modalities: Vec<String> = scans.map(|scan| scan.modality.name().to_lowercase()).collect();
    format!("{layout}_{}.png", modalities.join("_"))
}
