//! One pane: its slice through the wgpu pass, what is written over it, and what the pointer asks for in it.

use super::comparison;
use super::content::{Content, beneath, content, first_slices};
use super::cut::{Cut, CutCache, Layer, Voxels};
use super::frame::{SliceFrame, SlicePlane};
use super::link::{body_centre_mm, crosshair_in};
use super::overlay::{self, Placement};
use super::pointer::{self, Pointer, Scene};
use super::probe::label_value_at;
use super::style::in_chosen_style;
use super::surface::SurfaceTexture;
use crate::render::{
    Interpolation, LabelPalette, PaneTransform, SliceCallback, SliceLayers, SlicePictures, SliceStyle,
};
use crate::session::OpenScan;
use crate::ui::action::Action;
use crate::ui::state::{Arrangement, Pane, State, Tile, View};
use crate::ui::theme;
use crate::volume::{Flag, Geometry};
use egui::{Align2, Color32, Rect, Role, Sense, Ui, WidgetInfo};
use glam::{DVec2, DVec3};
use std::sync::Arc;

/// Room left around the body at zoom 1.
const BREATHING_ROOM: f32 = 1.12;

/// Added to a tile's key, the slot of what its image is drawn over.
const BENEATH: u64 = 1 << 32;

/// What panes keep from frame to frame; none of it is state, all of it can be computed again.
pub struct PaneMemory {
    pub cuts: CutCache,
    pub pointer: Pointer,
    pub pictures: SlicePictures,
    pub surface: SurfaceTexture,
    /// Width and height of all tiles together, when they were last drawn.
    pub area_points: [f32; 2],
    contrast_palette: Arc<LabelPalette>,
}

impl Default for PaneMemory {
    fn default() -> Self {
        let colours = theme::CONTRAST.map(|(code, colour)| (code, colour.to_array()));
        Self {
            cuts: CutCache::default(),
            pointer: Pointer::default(),
            pictures: SlicePictures::default(),
            surface: SurfaceTexture::default(),
            area_points: [0.0; 2],
            contrast_palette: Arc::new(LabelPalette::new(colours)),
        }
    }
}

/// Draws a pane into `rect` and adds what the user asked for to `actions`.
pub fn show(
    ui: &mut Ui,
    rect: Rect,
    state: &State,
    tile: Tile,
    memory: &mut PaneMemory,
    actions: &mut Vec<Action>,
) {
    let pane = tile.pane;
    let response = ui.interact(rect, ui.scope_id().with(tile), Sense::click_and_drag());
    let painter = ui.painter_at(rect);
    let first = first_slices(state, pane);
    let being_read = first.is_some();
    let shown = first.or_else(|| content(state, pane).map(|content| in_chosen_style(state, tile, content)));
    let name = match tile.plane {
        None => format!("{} pane", pane.name()),
        Some(plane) => format!("{} pane, {}", pane.name(), plane.name().to_lowercase()),
    };
    let value = shown.as_ref().map(|content| describe(content)).unwrap_or_default();
    response.widget_info(|| WidgetInfo {
        current_text_value: Some(value.clone()),
        ..WidgetInfo::labeled(Role::Canvas, true, &name)
    });
    let Some(content) = shown else {
        painter.rect_filled(rect, 0.0, Color32::BLACK);
        let words = format!("{}: no scan open", pane.name());
        overlay::text(&painter, rect.center(), Align2::CENTER_CENTER, &words, 13.0, theme::WEAK);
        return;
    };
    let (plane, world_mm) = if being_read {
        (SlicePlane::of_stack(content.scan.geometry()), Some(body_centre_mm(content.scan)))
    } else {
        let world_mm = crosshair_in(&state.study, state.view.crosshair, content.role);
        (tile.plane(&state.view), world_mm)
    };
    let Some(world_mm) = world_mm else {
        painter.rect_filled(rect, 0.0, Color32::BLACK);
        return;
    };
    let grid = state.view.obliques.grid_of(content.scan);
    let frame = SliceFrame::new(grid, plane, state.view.convention);
    let voxel = grid.voxel_from_world().transform_point3(world_mm);
    let slice = frame.nearest_slice(voxel);
    let Some(transform) = place(&frame, grid, content.scan, rect, &state.view) else {
        painter.rect_filled(rect, 0.0, Color32::BLACK);
        return;
    };

    let mut callback = |content: &Content<'_>, slot: u64| {
        let layers = cut_layers(&mut memory.cuts, content, slot, (grid, &frame, slice))?;
        let palette = if content.contrast { memory.contrast_palette.clone() } else { state.palette.clone() };
        let mut style = style(&state.view, content);
        if state.view.still {
            // As wide on paper as on a screen with one pixel a point.
            style.labels.outline_px *= ui.pixels_per_point();
        }
        let callback = SliceCallback { pane: slot, rect, layers, palette, style, transform };
        memory.pictures.of(ui.ctx(), callback)
    };
    let over = callback(&content, tile.key());
    match beneath(state, &content).and_then(|source| callback(&source, tile.key() + BENEATH)) {
        Some(under) => {
            painter.add(under.shape(1.0));
            if let Some(over) = over {
                comparison::paint(&painter, &over, &state.view);
            }
        }
        // A picture fills its pane, black beside the slice: painting that twice is what a frame without a GPU cannot afford.
        None => {
            painter.add(over.map_or_else(
                || egui::Shape::rect_filled(rect, 0.0, Color32::BLACK),
                |picture| picture.shape(1.0),
            ));
        }
    }
    let (image_px, _) = frame.image_from_voxel(voxel);
    let at = Placement { grid, frame: &frame, transform: &transform, plane, slice, world_mm, image_px };
    overlay::paint(&painter, rect, state, &content, &at);
    if being_read {
        return;
    }
    let scene = Scene { tile, content: &content, at: &at, pacs: state.view.pacs_mouse };
    let under = pointer::react(ui, &response, &scene, &mut memory.pointer, actions);
    let labelled = under.zip(content.labels.as_ref().filter(|_| !content.contrast));
    if let Some(label) = labelled.and_then(|(world_mm, labels)| label_value_at(labels, world_mm)) {
        actions.push(Action::Highlight(label));
    }
    // The prediction always says what it found at the crosshair.
    if let Some(position) = under.or((pane == Pane::Prediction).then_some(world_mm)) {
        overlay::readout(&painter, rect, state, &content, position);
    }
    response.context_menu(|ui| context_menu(ui, state, tile, actions));
    if state.view.active == tile && !state.view.still {
        painter.rect_stroke(rect, 0.0, egui::Stroke::new(1.0, theme::EDGE), egui::StrokeKind::Inside);
    }
}

/// What a right click offers; a right drag changes the window instead.
fn context_menu(ui: &mut Ui, state: &State, tile: Tile, actions: &mut Vec<Action>) {
    let pane = tile.pane;
    if tile.plane.is_none() {
        for plane in SlicePlane::ALL {
            if ui.radio(state.view.planes[pane as usize] == plane, plane.name()).clicked() {
                actions.push(Action::SetPlane { pane: Some(pane), plane });
                ui.close();
            }
        }
        ui.separator();
    }
    if ui.button("Suited window").clicked() {
        actions.push(Action::SetWindow { pane, window: None });
    }
    if pane == Pane::Synthetic {
        comparison::menu(ui, &state.view, actions);
        ui.separator();
    }
    let mut inverted = state.view.inverted[pane as usize];
    if ui.checkbox(&mut inverted, "Inverse greys  I").changed() {
        actions.push(Action::ToggleInverse(pane));
    }
    let text = if state.view.maximised.is_some() { "All panes" } else { "This pane alone" };
    if ui.button(text).clicked() {
        actions.push(Action::ToggleMaximised(tile));
    }
    if state.view.arrangement == Arrangement::Roles {
        if ui.button("All three planes").clicked() {
            actions.push(Action::Arrange(Arrangement::Planes(pane)));
        }
        ui.menu_button("Change places with", |ui| {
            for other in Pane::ALL.into_iter().filter(|other| *other != pane) {
                if ui.button(other.name()).clicked() {
                    actions.push(Action::SwapPanes(pane, other));
                    ui.close();
                }
            }
        });
    } else if ui.button("Five panes").clicked() {
        actions.push(Action::Arrange(Arrangement::Roles));
    }
    if ui.button("Reset view").clicked() {
        actions.push(Action::ResetView);
    }
}

/// Frames the body: the same part of it is at the same place in every pane, whatever the field of view.
fn place(
    frame: &SliceFrame,
    shown: &Geometry,
    scan: &OpenScan,
    rect: Rect,
    view: &View,
) -> Option<PaneTransform> {
    let grid = frame.grid()?;
    let from_scan = shown.voxel_from_world() * scan.geometry().world_from_voxel();
    let corners =
        scan.body.corners().map(|corner| frame.image_from_voxel(from_scan.transform_point3(corner)).0);
    let (low, high) = corners.fold((DVec2::INFINITY, DVec2::NEG_INFINITY), |(low, high), corner| {
        (low.min(corner), high.max(corner))
    });
    let pixel_mm = DVec2::new(f64::from(grid.pixel_size_mm()[0]), f64::from(grid.pixel_size_mm()[1]));
    let size_mm = (high - low + DVec2::ONE) * pixel_mm;
    let pane = rect.size().max(egui::Vec2::splat(1.0));
    let fit = (size_mm.x as f32 / pane.x).max(size_mm.y as f32 / pane.y) * BREATHING_ROOM;
    let centre = (low + high) * 0.5 + view.pan.as_dvec2() * f64::from(fit) / pixel_mm;
    let centre_px = [centre.x as f32, centre.y as f32];
    Some(PaneTransform::centred(&grid, [pane.x, pane.y], centre_px, fit / view.zoom))
}

fn cut_layers(
    cuts: &mut CutCache,
    content: &Content<'_>,
    tile: u64,
    (geometry, frame, slice): (&Geometry, &SliceFrame, usize),
) -> Option<SliceLayers> {
    let mut cut = |layer: Layer, voxels: &Option<Voxels>| match voxels {
        Some(voxels) => cuts.cut(tile, layer, voxels, (geometry, frame, slice)),
        None => {
            cuts.forget(tile, layer);
            None
        }
    };
    let Some(Cut::Values(image)) = cut(Layer::Image, &content.image) else { return None };
    let (labels, heat) = (cut(Layer::Labels, &content.labels), cut(Layer::Heat, &content.heat));
    let mut layers = SliceLayers::new(image);
    if let Some(Cut::Labels(labels)) = labels {
        layers = layers.with_labels(labels).ok()?;
    }
    if let Some(Cut::Values(heat)) = heat {
        layers = layers.with_heat(heat).ok()?;
    }
    Some(layers)
}

fn style(view: &View, content: &Content<'_>) -> SliceStyle {
    SliceStyle {
        window_level: content.window.level,
        window_width: content.window.width,
        // Its stored values stay as they are; a synthesis of it is drawn like any other image of its modality.
        inverse: (!content.synthetic && content.scan.scan.flags.contains(&Flag::DrawnInverted))
            != view.inverted[content.pane as usize],
        interpolation: if view.smooth { Interpolation::Smooth } else { Interpolation::Nearest },
        heat: view.heat_style_in(content.pane),
        labels: view.label_style(),
        ..SliceStyle::default()
    }
}

/// What a screen reader says of the pane beyond its name.
fn describe(content: &Content<'_>) -> String {
    let labelled = if content.labels.is_some() { ", with labels" } else { "" };
    let heated = if content.heat.is_some() { ", with heat map" } else { "" };
    let empty = if content.image.is_none() { ", nothing yet" } else { "" };
    format!("{}, {}{labelled}{heated}{empty}", content.title, content.subtitle)
}

/// World position in mm of a point of the pane.
pub fn world_at(at: &Placement<'_>, point: egui::Vec2) -> DVec3 {
    let [x, y] = at.transform.image_from_pane([point.x, point.y]);
    let voxel = at.frame.voxel_from_image(DVec2::new(f64::from(x), f64::from(y)), at.slice as f64);
    at.grid.world_of(voxel)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::session::{OpenRequest, Role, Synthesis};
    use crate::ui::state::State;
    use crate::ui::views::content::content;
    use crate::volume::{Modality, Scan, Volume};

    #[test]
    fn monochrome1_is_drawn_inverted_in_every_pane_and_a_synthesis_of_it_is_not() {
        let grid = Geometry::axis_aligned([4, 4, 4], [1.0; 3], [0.0; 3]).unwrap();
        let image = Volume::from_fn(grid, |i, _, _| i as f32);
        let mut state = State::new(crate::volume::Task::Abdomen);
        for inverted in [true, false] {
            let mut scan = Scan::from_volume(image.clone(), "DICOM");
            scan.flags = if inverted { vec![Flag::DrawnInverted] } else { Vec::new() };
            let scan = OpenScan::new(scan, OpenRequest::file("x".into()), Modality::Ct);
            let synthesis = Synthesis {
                image: Arc::new(image.clone()),
                slabs: Vec::new(),
                imitates: Modality::Mr,
                intensity: scan.intensity,
                edge_agreement: None,
                whole: true,
                model: String::new(),
                device: String::new(),
                origin: None,
                warnings: Vec::new(),
            };
            state.study.set_scan(Role::Source, Some(Arc::new(scan)));
            state.study.set_synthesis(Some(synthesis));
            let drawn = |pane: Pane| style(&state.view, &content(&state, pane).unwrap()).inverse;
            assert_eq!((drawn(Pane::Source), drawn(Pane::Synthetic)), (inverted, false));
        }
    }
}
