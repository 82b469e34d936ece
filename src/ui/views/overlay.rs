//! What is written over a slice: corners, orientation letters, crosshair, colour bar, banner.
//!
//! Painted only; nothing here reacts or decides.

use super::content::Content;
use super::frame::{SliceFrame, SlicePlane};
use super::probe;
use crate::render::{HeatStyle, PaneTransform};
use crate::session::Role;
use crate::ui::state::{Pane, State};
use crate::ui::theme;
use crate::volume::Geometry;
use egui::{Align2, Color32, FontId, Galley, Painter, Pos2, Rect, Stroke, pos2, vec2};
use glam::{DVec2, DVec3};
use std::sync::Arc;

const MARGIN: f32 = 10.0;
/// Half of the gap in the middle of the crosshair, so that it never covers what it points at.
const CROSSHAIR_GAP: f32 = 9.0;

/// Where a pane stands: everything the overlay needs to know of its geometry.
pub struct Placement<'a> {
    /// What the slices are cut on.
    pub grid: &'a Geometry,
    pub frame: &'a SliceFrame,
    pub transform: &'a PaneTransform,
    pub plane: SlicePlane,
    pub slice: usize,
    pub world_mm: DVec3,
    pub image_px: DVec2,
}

/// Paints everything over the slice of one pane.
pub fn paint(painter: &Painter, rect: Rect, state: &State, content: &Content<'_>, at: &Placement<'_>) {
    if state.view.show_crosshair {
        crosshair(painter, rect, state, at);
    }
    if state.view.annotations {
        corners(painter, rect, state, content, at);
        letters(painter, rect, at.frame);
    }
    if content.heat.is_some() {
        match content.pane {
            Pane::Synthetic => colour_bar(painter, rect, state.view.edges.heat_style(), "edges agree"),
            _ if !state.view.gap.shown => {}
            _ if state.view.gap.uncertainty => colour_bar(painter, rect, state.view.heat_style(), "entropy"),
            _ => colour_bar(painter, rect, state.view.heat_style(), "a(p)"),
        }
    }
    if content.synthetic {
        banner(painter, pos2(rect.center().x, rect.bottom() - 52.0), "SYNTHETIC");
    }
    // What to press next is of no use on paper. Below it there is room for what is read off a position, in two lines.
    if let Some(hint) = content.hint.filter(|_| !state.view.still) {
        text(
            painter,
            pos2(rect.center().x, rect.bottom() - 78.0),
            Align2::CENTER_CENTER,
            hint,
            12.5,
            theme::WEAK,
        );
    }
}

/// Text that stays readable over any image.
pub fn text(painter: &Painter, at: Pos2, align: Align2, text: &str, size: f32, colour: Color32) -> Rect {
    text_in(painter, at, align, text, FontId::proportional(size), colour)
}

fn text_in(painter: &Painter, at: Pos2, align: Align2, text: &str, font: FontId, colour: Color32) -> Rect {
    put_galley(painter, at, align, painter.layout_no_wrap(text.to_owned(), font, colour))
}

fn put_galley(painter: &Painter, at: Pos2, align: Align2, galley: Arc<Galley>) -> Rect {
    let rect = align.anchor_size(at, galley.size());
    for offset in [vec2(1.0, 1.0), vec2(-1.0, 0.0), vec2(0.0, -1.0)] {
        let shadow = Color32::from_black_alpha(200);
        painter.galley_with_override_text_color(rect.min + offset, Arc::clone(&galley), shadow);
    }
    painter.galley(rect.min, galley, Color32::PLACEHOLDER);
    rect
}

fn corners(painter: &Painter, rect: Rect, state: &State, content: &Content<'_>, at: &Placement<'_>) {
    let inner = rect.shrink(MARGIN);
    text_in(
        painter,
        inner.left_top(),
        Align2::LEFT_TOP,
        &content.title,
        theme::semibold(13.0),
        theme::STRONG,
    );
    let below = inner.left_top() + vec2(0.0, 19.0);
    // A narrow pane keeps what tells slices apart and lets go of the rest.
    let roomy = rect.width() > 250.0;
    if roomy {
        text(painter, below, Align2::LEFT_TOP, &content.subtitle, 11.0, theme::WEAK);
        notes(painter, inner, state, content, at);
    }
    let where_mm = if roomy { slice_position(at) } else { String::new() };
    let slice = format!("{}/{}{where_mm}", at.slice + 1, at.frame.slice_count());
    text(painter, inner.left_bottom(), Align2::LEFT_BOTTOM, &slice, 12.0, theme::TEXT);
    if content.image.is_some() {
        let window = content.window;
        let mut shown = format!("W {:.0} L {:.0}", window.width, window.level);
        if roomy {
            shown += &format!(" · {:.0} %", 100.0 * state.view.zoom);
        }
        text(painter, inner.right_bottom(), Align2::RIGHT_BOTTOM, &shown, 12.0, theme::TEXT);
    }
    if roomy {
        edge_agreement(painter, inner, content);
    }
}

/// Top right: what holds for the whole pane.
fn notes(painter: &Painter, inner: Rect, state: &State, content: &Content<'_>, at: &Placement<'_>) {
    let convention = if state.view.convention.radiological { "radiological" } else { "neurological" };
    text(painter, inner.right_top(), Align2::RIGHT_TOP, convention, 11.0, theme::WEAK);
    let mut note_at = inner.right_top() + vec2(0.0, 17.0);
    let mut note = |words: &str, colour: Color32| {
        text(painter, note_at, Align2::RIGHT_TOP, words, 11.0, colour);
        note_at.y += 17.0;
    };
    if content.pane == Pane::Target && state.study.scan(Role::Source).is_some() {
        let how =
            if state.study.is_one_space() { "linked by millimetres" } else { "linked by body position" };
        note(how, theme::WEAK);
    }
    if content.scan.straight.is_some() {
        let own = std::ptr::eq(at.grid, content.scan.geometry());
        note(if own { "along its own slices" } else { "true planes, interpolated" }, theme::WEAK);
    }
    for badge in content.scan.scan.badges() {
        note(&badge, theme::WARNING);
    }
}

fn edge_agreement(painter: &Painter, inner: Rect, content: &Content<'_>) {
    if let Some(agreement) = content.edge_agreement {
        let words = format!("edges agree {agreement:.2}");
        // Above the line that the readout takes.
        let at = inner.right_bottom() - vec2(0.0, 36.0);
        text(painter, at, Align2::RIGHT_BOTTOM, &words, 11.0, theme::WEAK);
    }
}

/// " · S 12.1 mm": where along the normal the slice lies.
fn slice_position(at: &Placement<'_>) -> String {
    let geometry = at.grid;
    if !geometry.orientation_known() || !geometry.spacing_known() {
        return String::new();
    }
    let voxel = at.frame.voxel_from_image(at.image_px, at.slice as f64);
    let along_mm = geometry.world_of(voxel)[at.plane.normal()];
    let pair = [("R", "L"), ("A", "P"), ("S", "I")][at.plane.normal()];
    let letter = if along_mm >= 0.0 { pair.0 } else { pair.1 };
    format!(" · {letter} {:.1} mm", along_mm.abs())
}

/// What is known of a position, above the slice number; in a narrow pane on more lines than one.
pub fn readout(painter: &Painter, rect: Rect, state: &State, content: &Content<'_>, world_mm: DVec3) {
    if let Some(line) = probe::line(content, world_mm, state.table()) {
        let inner = rect.shrink(MARGIN);
        let galley = painter.layout(line, FontId::proportional(12.0), theme::STRONG, inner.width());
        put_galley(painter, inner.left_bottom() - vec2(0.0, 18.0), Align2::LEFT_BOTTOM, galley);
    }
}

fn letters(painter: &Painter, rect: Rect, frame: &SliceFrame) {
    let Some([left, top, right, bottom]) = frame.edge_letters() else { return };
    let inner = rect.shrink(MARGIN);
    let put = |at: Pos2, align: Align2, letter: &str| {
        text_in(painter, at, align, letter, theme::semibold(13.0), theme::LETTERS);
    };
    put(inner.left_center(), Align2::LEFT_CENTER, &left);
    put(inner.right_center(), Align2::RIGHT_CENTER, &right);
    put(inner.center_top(), Align2::CENTER_TOP, &top);
    put(inner.center_bottom(), Align2::CENTER_BOTTOM, &bottom);
}

fn crosshair(painter: &Painter, rect: Rect, state: &State, at: &Placement<'_>) {
    let [x, y] = at.transform.pane_from_image([at.image_px.x as f32, at.image_px.y as f32]);
    let here = rect.min + vec2(x, y);
    let snapped = pos2(painter.round_to_pixel_center(here.x), painter.round_to_pixel_center(here.y));
    let (upright, level) = match at.plane {
        SlicePlane::Axial => (theme::SAGITTAL, theme::CORONAL),
        SlicePlane::Coronal => (theme::SAGITTAL, theme::AXIAL),
        SlicePlane::Sagittal => (theme::CORONAL, theme::AXIAL),
    };
    // On paper a pixel is too thin to be seen.
    let width = if state.view.still { 1.0 } else { 1.0 / painter.pixels_per_point() };
    let (across, down) = (Stroke::new(width, level), Stroke::new(width, upright));
    painter.vline(snapped.x, rect.top()..=snapped.y - CROSSHAIR_GAP, down);
    painter.vline(snapped.x, snapped.y + CROSSHAIR_GAP..=rect.bottom(), down);
    painter.hline(rect.left()..=snapped.x - CROSSHAIR_GAP, snapped.y, across);
    painter.hline(snapped.x + CROSSHAIR_GAP..=rect.right(), snapped.y, across);
}

/// The colours of the heat map from threshold to top, with its range and unit.
fn colour_bar(painter: &Painter, rect: Rect, style: HeatStyle, unit: &str) {
    let height = (rect.height() * 0.32).clamp(40.0, 160.0);
    let bar = Rect::from_min_size(pos2(rect.right() - 24.0, rect.top() + 58.0), vec2(9.0, height));
    let steps = 64;
    for step in 0..steps {
        let part = |n: i32| bar.bottom() - height * n as f32 / steps as f32;
        let [r, g, b] = style.colormap.rgb8((step as f32 + 0.5) / steps as f32);
        let strip = Rect::from_x_y_ranges(bar.x_range(), part(step + 1)..=part(step));
        painter.rect_filled(strip, 0.0, Color32::from_rgb(r, g, b));
    }
    painter.rect_stroke(bar, 0.0, Stroke::new(1.0, theme::WEAK), egui::StrokeKind::Outside);
    let [low, high] = style.range;
    let label = |value: f32, words: &str| {
        let y = bar.bottom() - height * ((value - low) / (high - low)).clamp(0.0, 1.0);
        text(painter, pos2(bar.left() - 6.0, y), Align2::RIGHT_CENTER, words, 11.0, theme::TEXT);
    };
    label(high, &format!("{high:.1} {unit}"));
    label(low, &format!("{low:.0}"));
    let threshold = style.threshold;
    if threshold > low + 0.06 && threshold < high - 0.06 {
        label(threshold, &format!("{threshold:.2}"));
        let y = bar.bottom() - height * (threshold - low) / (high - low);
        painter.hline(bar.left() - 3.0..=bar.right() + 3.0, y, Stroke::new(1.0, theme::STRONG));
    }
}

fn banner(painter: &Painter, at: Pos2, words: &str) {
    let galley = painter.layout_no_wrap(
        words.to_owned(),
        FontId::proportional(12.0),
        Color32::from_rgb(255, 222, 220),
    );
    let plate = Rect::from_center_size(at, galley.size() + vec2(18.0, 8.0));
    painter.rect_filled(plate, 4.0, theme::SYNTHETIC);
    painter.galley(plate.center() - galley.size() * 0.5, galley, Color32::WHITE);
}
