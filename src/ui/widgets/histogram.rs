//! How often each intensity occurs, with the grey window over it: its edges and its middle can be dragged.

use crate::session::{HISTOGRAM_BINS, IntensityStats};
use crate::ui::state::Window;
use crate::ui::theme;
use egui::{CursorIcon, Id, Rect, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

const SIZE: egui::Vec2 = vec2(2.0 * HISTOGRAM_BINS as f32, 72.0);
/// An edge is taken hold of this far to either side, points.
const REACH: f32 = 6.0;

/// Draws the histogram; returns the window that a drag asks for.
pub fn histogram(ui: &mut Ui, intensity: &IntensityStats, window: Window) -> Option<Window> {
    let (rect, _) = ui.allocate_exact_size(SIZE, Sense::hover());
    let [low, high] = intensity.histogram_range();
    let x_of = |value: f32| rect.left() + ((value - low) / (high - low)).clamp(0.0, 1.0) * rect.width();
    let painter = ui.painter_at(rect);
    painter.rect_filled(rect, 4.0, theme::of(ui).control);
    let [bottom_value, top_value] = [window.level - 0.5 * window.width, window.level + 0.5 * window.width];
    let [left, right] = [bottom_value, top_value].map(x_of);
    let shown = Rect::from_x_y_ranges(left..=right, rect.y_range());
    painter.rect_filled(shown, 0.0, theme::of(ui).hovered);
    for (bin, share) in intensity.histogram.iter().enumerate() {
        // The root keeps small organs visible beside the bulk of the body.
        let height = (f32::from(*share) / 255.0).sqrt() * (rect.height() - 4.0);
        let x = rect.left() + (bin as f32 + 0.5) * rect.width() / HISTOGRAM_BINS as f32;
        painter.vline(x, rect.bottom() - height..=rect.bottom(), Stroke::new(1.5, theme::of(ui).weak));
    }
    for x in [left, right] {
        painter.vline(x, rect.y_range(), Stroke::new(1.5, theme::of(ui).accent));
    }
    let per_point = (high - low) / rect.width();
    let edge = |x: f32| Rect::from_x_y_ranges(x - REACH..=x + REACH, rect.y_range());
    // The edges lie above the middle, so that a narrow window can still be widened.
    let moved = drag(ui, shown, "Level of the window", CursorIcon::Grab) * per_point;
    let lower = drag(ui, edge(left), "Lower edge of the window", CursorIcon::ResizeHorizontal) * per_point;
    let upper = drag(ui, edge(right), "Upper edge of the window", CursorIcon::ResizeHorizontal) * per_point;
    if moved == 0.0 && lower == 0.0 && upper == 0.0 {
        return None;
    }
    let (from, to) = (bottom_value + moved + lower, top_value + moved + upper);
    Some(Window { width: (to - from).max(1.0), level: 0.5 * (from + to) })
}

/// How far a part is dragged to the right in this frame, points.
fn drag(ui: &Ui, rect: Rect, name: &str, cursor: CursorIcon) -> f32 {
    let response = ui.interact(rect, Id::unique(name), Sense::drag()).on_hover_cursor(cursor);
    response.widget_info(|| WidgetInfo::labeled(Role::Slider, true, name));
    if response.dragged() { response.drag_delta().x } else { 0.0 }
}

/// The scale under the histogram.
pub fn scale(ui: &mut Ui, intensity: &IntensityStats, unit: &str) {
    let [low, high] = intensity.histogram_range();
    let (rect, _) = ui.allocate_exact_size(vec2(SIZE.x, 12.0), Sense::hover());
    for (value, x, align) in
        [(low, rect.left(), egui::Align2::LEFT_CENTER), (high, rect.right(), egui::Align2::RIGHT_CENTER)]
    {
        let words = format!("{value:.0} {unit}");
        super::painted(ui, pos2(x, rect.center().y), align, &words, 10.5, theme::of(ui).weak);
    }
}
