//! Small drawn things that several panels share.

mod histogram;

pub use histogram::{histogram, scale as histogram_scale};

use super::theme;
use egui::{
    Align2, Button, Color32, CornerRadius, FontId, Frame, Margin, Response, RichText, Sense, Ui, Vec2, vec2,
};

/// The one main action: the only thing in the accent's full colour.
pub fn main_button(ui: &mut Ui, text: &str, enabled: bool, width: Option<f32>) -> Response {
    let size = vec2(width.unwrap_or(0.0), 28.0);
    let words = theme::title(text, 13.0).color(theme::of(ui).on_accent);
    ui.add_enabled(enabled, Button::new(words).fill(theme::of(ui).accent).min_size(size))
}

/// "STRUCTURES": the head of a section.
pub fn section(ui: &mut Ui, title: &str) {
    ui.add_space(10.0);
    ui.label(theme::title(title.to_uppercase(), 11.0).color(theme::of(ui).weak).extra_letter_spacing(0.8));
    ui.add_space(2.0);
}

/// A quiet plate for facts that belong together.
pub fn card<R>(ui: &mut Ui, contents: impl FnOnce(&mut Ui) -> R) -> R {
    let frame = Frame::NONE
        .fill(theme::of(ui).card)
        .corner_radius(CornerRadius::same(8))
        .inner_margin(Margin::symmetric(11, 9));
    frame
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = 3.0;
            contents(ui)
        })
        .inner
}

/// Quiet small text.
pub fn weak(ui: &mut Ui, text: impl Into<String>) -> Response {
    ui.add(egui::Label::new(RichText::new(text).size(11.0).color(theme::of(ui).weak)).wrap())
}

/// A horizontal bar filled to `part` (0..1), with a name for screen readers.
pub fn bar(ui: &mut Ui, part: f32, width: f32, fill: Color32, name: &str) -> Response {
    let (rect, response) = ui.allocate_exact_size(Vec2::new(width, 14.0), Sense::hover());
    let track = egui::Rect::from_center_size(rect.center(), vec2(width, 5.0));
    ui.painter().rect_filled(track, 2.5, theme::of(ui).line);
    let mut filled = track;
    filled.set_width(width * part.clamp(0.0, 1.0));
    ui.painter().rect_filled(filled, 2.5, fill);
    let value = f64::from(part);
    response.widget_info(|| egui::WidgetInfo {
        value: Some(value),
        ..egui::WidgetInfo::labeled(egui::Role::ProgressIndicator, true, name)
    });
    response
}

/// A coloured square, the key to a label's colour, that can be pressed like a button.
pub fn swatch(ui: &mut Ui, rgb: [u8; 3], shown: bool, name: &str) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(13.0, 13.0), Sense::click());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, name));
    let focus = egui::Stroke::new(1.0, theme::of(ui).strong);
    if response.hovered() || response.has_focus() {
        ui.painter().rect_stroke(rect.expand(1.0), 4.0, focus, egui::StrokeKind::Inside);
    }
    let colour = Color32::from_rgb(rgb[0], rgb[1], rgb[2]);
    let square = rect.shrink(1.5);
    if shown {
        ui.painter().rect_filled(square, 3.0, colour);
    } else {
        ui.painter().rect_stroke(square, 3.0, egui::Stroke::new(1.0, colour), egui::StrokeKind::Inside);
    }
    response
}

/// "1 247.3 mL": thousands set off by a thin space.
pub fn millilitres(volume_ml: f64) -> String {
    let tenths = (volume_ml * 10.0).round() as i64;
    let (whole, tenth) = (tenths / 10, tenths % 10);
    if whole >= 1000 {
        format!("{}\u{2009}{:03}.{tenth} mL", whole / 1000, whole % 1000)
    } else {
        format!("{whole}.{tenth} mL")
    }
}

/// A filled dot before a word of status.
pub fn dot(ui: &mut Ui, colour: Color32) {
    let (rect, _) = ui.allocate_exact_size(vec2(10.0, 10.0), Sense::hover());
    ui.painter().circle_filled(rect.center(), 4.0, colour);
}

/// Centred text in a painted area.
pub fn painted(ui: &Ui, at: egui::Pos2, align: Align2, text: &str, size: f32, colour: Color32) {
    ui.painter().text(at, align, text, FontId::proportional(size), colour);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn millilitres_are_rounded_to_a_tenth_and_grouped() {
        assert_eq!(millilitres(118.64), "118.6 mL");
        assert_eq!(millilitres(1247.25), "1\u{2009}247.3 mL");
        assert_eq!(millilitres(0.96), "1.0 mL");
    }
}
