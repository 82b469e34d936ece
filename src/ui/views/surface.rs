//! The labels as surfaces, seen from outside: turned by dragging, nearer with the wheel.
//!
//! Meshes and pictures are made on a thread; this shows the last picture and asks for another one when it is not the one
//! that is wanted, so that turning never waits.

use crate::render::raster::{self, Eye, Solid};
use crate::session::Role;
use crate::ui::action::Action;
use crate::ui::state::{State, SurfaceOrder};
use crate::ui::theme;
use crate::ui::views::link::crosshair_in;
use crate::volume::{LabelMap, SurfaceMesh, label_surfaces};
use egui::{
    Align2, ColorImage, FontId, Pos2, Rect, Sense, Stroke, TextureHandle, TextureOptions, Ui, WidgetInfo,
};
use std::sync::Arc;

/// Turned by this much for a point that is dragged.
const DEGREES_A_POINT: f32 = 0.5;
const ZOOM_A_POINT: f32 = 1.003;
/// Around everything that is labelled.
const BREATHING_ROOM: f32 = 1.15;

/// Meshes of one label map; made once, drawn many times.
#[derive(Debug)]
pub struct Surfaces {
    pub labels: Arc<LabelMap>,
    meshes: Vec<(u16, SurfaceMesh)>,
    centre_mm: [f32; 3],
    radius_mm: f32,
}

/// A picture of surfaces, and what it was ordered as.
#[derive(Debug, Clone)]
pub struct SurfacePicture {
    pub order: SurfaceOrder,
    pub surfaces: Arc<Surfaces>,
    pub image: Arc<ColorImage>,
}

/// The texture that the last picture is in.
#[derive(Default)]
pub struct SurfaceTexture {
    of: Option<(Arc<ColorImage>, TextureHandle)>,
}

impl Surfaces {
    /// Takes time in proportion to the labelled box.
    pub fn of(labels: Arc<LabelMap>, wanted: &[u16]) -> Self {
        let meshes = label_surfaces(&labels, wanted);
        let vertices = || meshes.iter().flat_map(|(_, mesh)| &mesh.vertices_mm);
        let mut low = [f32::INFINITY; 3];
        let mut high = [f32::NEG_INFINITY; 3];
        for vertex in vertices() {
            for axis in 0..3 {
                low[axis] = low[axis].min(vertex[axis]);
                high[axis] = high[axis].max(vertex[axis]);
            }
        }
        let empty = vertices().next().is_none();
        let centre_mm = if empty { [0.0; 3] } else { [0, 1, 2].map(|axis| 0.5 * (low[axis] + high[axis])) };
        let reach = |vertex: &[f32; 3]| {
            (0..3).map(|axis| (vertex[axis] - centre_mm[axis]).powi(2)).sum::<f32>().sqrt()
        };
        let radius_mm = vertices().map(reach).fold(1.0, f32::max) * BREATHING_ROOM;
        Self { labels, meshes, centre_mm, radius_mm }
    }

    /// Draws them; takes tens of milliseconds.
    pub fn draw(&self, order: &SurfaceOrder) -> ColorImage {
        let solid = |(label, mesh): &(u16, SurfaceMesh)| {
            let (_, rgb, opacity) = order.shown.iter().find(|(shown, ..)| shown == label)?;
            Some(Solid {
                vertices_mm: mesh.vertices_mm.clone(),
                normals: mesh.normals.clone(),
                triangles: mesh.triangles.clone(),
                rgb: *rgb,
                opacity: *opacity,
            })
        };
        let solids: Vec<Solid> = self.meshes.iter().filter_map(solid).collect();
        let rgba = raster::render_solids(
            &solids,
            self.centre_mm,
            self.radius_mm,
            &order.eye,
            order.background,
            order.size_px,
        );
        ColorImage::from_rgba_premultiplied(order.size_px.map(|side| side as usize), &rgba)
    }
}

/// Shows the labels of the scan that is inspected.
pub fn show(ui: &mut Ui, rect: Rect, state: &State, texture: &mut SurfaceTexture, actions: &mut Vec<Action>) {
    let response = ui.interact(rect, ui.scope_id().with("surface"), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Canvas, true, "Surfaces of the structures"));
    let colours = theme::of(ui);
    let painter = ui.painter_at(rect);
    let role = state.view.inspected;
    let Some(labels) = labels_of(state, role) else {
        let hint = "F5 finds structures to be shown here";
        painter.text(rect.center(), Align2::CENTER_CENTER, hint, FontId::proportional(12.5), colours.weak);
        return;
    };
    turn(ui, &response, state, actions);
    let [r, g, b, _] = colours.frame.to_array();
    let scale = ui.ctx().pixels_per_point();
    let size_px = [rect.width(), rect.height()].map(|side| (side * scale).round().clamp(1.0, 4096.0) as u32);
    let order = SurfaceOrder {
        labels_at: Arc::as_ptr(&labels) as usize,
        eye: state.view.eye,
        size_px,
        background: [r, g, b],
        shown: shown(state),
    };
    let picture = state.surface.picture.as_ref();
    if picture.is_none_or(|picture| picture.order != order) && !state.surface.drawing {
        actions.push(Action::DrawSurface(role, order.clone()));
    }
    let Some(picture) = picture.filter(|picture| Arc::ptr_eq(&picture.surfaces.labels, &labels)) else {
        return;
    };
    let whole = Rect::from_min_max(Pos2::ZERO, Pos2::new(1.0, 1.0));
    painter.image(texture.holding(ui.ctx(), &picture.image), rect, whole, egui::Color32::WHITE);
    if let Some(world_mm) = crosshair_in(&state.study, state.view.crosshair, role) {
        let surfaces = &picture.surfaces;
        let [x, y] = raster::project_mm(
            world_mm.as_vec3().to_array(),
            surfaces.centre_mm,
            surfaces.radius_mm,
            &state.view.eye,
            size_px,
        );
        let at = rect.min + egui::vec2(x, y) / scale;
        let stroke = Stroke::new(1.0, colours.strong);
        painter.hline(at.x - 6.0..=at.x + 6.0, at.y, stroke);
        painter.vline(at.x, at.y - 6.0..=at.y + 6.0, stroke);
    }
}

/// The whole prediction's labels, or those that were given.
pub fn labels_of(state: &State, role: Role) -> Option<Arc<LabelMap>> {
    let predicted = state.study.prediction(role).filter(|prediction| prediction.whole);
    let given = || state.study.scan(role)?.labels(state.task).cloned();
    predicted.map(|prediction| prediction.labels.clone()).or_else(given)
}

/// Which labels are drawn, in which colour and how opaque.
fn shown(state: &State) -> Vec<(u16, [u8; 3], f32)> {
    let visible = state.table().entries.iter().filter(|entry| !state.hidden_labels.contains(&entry.value));
    visible.map(|entry| (entry.value, entry.rgb, state.label_opacity(entry.value))).collect()
}

fn turn(ui: &Ui, response: &egui::Response, state: &State, actions: &mut Vec<Action>) {
    let mut eye = state.view.eye;
    if response.dragged() {
        let by = response.drag_delta();
        // What is in front follows the pointer.
        eye.azimuth_deg = (eye.azimuth_deg - by.x * DEGREES_A_POINT).rem_euclid(360.0);
        eye.elevation_deg = (eye.elevation_deg + by.y * DEGREES_A_POINT).clamp(-90.0, 90.0);
    }
    if response.contains_pointer() {
        let scrolled = ui.input(|input| input.smooth_scroll_delta().y);
        eye.zoom = (eye.zoom * ZOOM_A_POINT.powf(scrolled)).clamp(0.3, 10.0);
    }
    if response.double_clicked() {
        eye = Eye { azimuth_deg: 0.0, elevation_deg: 0.0, zoom: 1.0 };
    }
    if eye != state.view.eye {
        actions.push(Action::Look(eye));
    }
}

impl SurfaceTexture {
    fn holding(&mut self, context: &egui::Context, image: &Arc<ColorImage>) -> egui::TextureId {
        if let Some((of, handle)) = &self.of
            && Arc::ptr_eq(of, image)
        {
            return handle.id();
        }
        let handle = context.load_texture("surfaces", image.clone(), TextureOptions::LINEAR);
        let id = handle.id();
        self.of = Some((image.clone(), handle));
        id
    }
}
