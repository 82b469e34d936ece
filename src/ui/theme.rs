//! One calm dark frame around the images, and one accent for the one main action.

use egui::{Color32, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, RichText, Stroke};
use egui::{TextStyle, Visuals};
use std::sync::Arc;

pub const ACCENT: Color32 = Color32::from_rgb(230, 159, 0);
pub const ON_ACCENT: Color32 = Color32::from_rgb(22, 18, 8);
/// Bars and letters that carry data in the accent's family.
pub const DATA: Color32 = Color32::from_rgb(255, 149, 0);
pub const FRAME: Color32 = Color32::from_rgb(24, 26, 31);
pub const CARD: Color32 = Color32::from_rgb(33, 36, 43);
pub const CONTROL: Color32 = Color32::from_rgb(43, 46, 54);
pub const CONTROL_HOVERED: Color32 = Color32::from_rgb(56, 60, 70);
pub const LINE: Color32 = Color32::from_rgb(45, 48, 56);
pub const TEXT: Color32 = Color32::from_rgb(226, 228, 233);
pub const STRONG: Color32 = Color32::WHITE;
pub const WEAK: Color32 = Color32::from_rgb(148, 153, 163);
pub const GOOD: Color32 = Color32::from_rgb(127, 209, 131);
pub const WARNING: Color32 = Color32::from_rgb(240, 190, 90);
pub const ERROR: Color32 = Color32::from_rgb(240, 120, 110);
pub const SYNTHETIC: Color32 = Color32::from_rgb(124, 28, 32);
pub const LETTERS: Color32 = Color32::from_rgb(240, 190, 60);

/// Crosshair lines take the colour of the plane they stand for: axial, coronal, sagittal.
pub const AXIAL: Color32 = Color32::from_rgb(200, 0, 0);
pub const CORONAL: Color32 = Color32::from_rgb(0, 200, 0);
pub const SAGITTAL: Color32 = Color32::from_rgb(200, 200, 0);

/// The family of titles.
const SEMIBOLD: &str = "semibold";

/// The font of titles.
pub fn semibold(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name(SEMIBOLD.into()))
}

/// A title in the text's own size.
pub fn title(text: impl Into<String>, size: f32) -> RichText {
    RichText::new(text).font(semibold(size)).color(STRONG)
}

/// Sets fonts, sizes, spacing and colours; once a context.
pub fn install(context: &egui::Context) {
    context.set_theme(egui::Theme::Dark);
    context.set_fonts(fonts());
    context.all_styles_mut(|style| {
        let size = |style: TextStyle, size: f32, family| (style, FontId::new(size, family));
        style.text_styles = [
            size(TextStyle::Small, 11.0, FontFamily::Proportional),
            size(TextStyle::Body, 13.0, FontFamily::Proportional),
            size(TextStyle::Button, 13.0, FontFamily::Proportional),
            size(TextStyle::Heading, 17.0, FontFamily::Name(SEMIBOLD.into())),
            size(TextStyle::Monospace, 12.0, FontFamily::Monospace),
        ]
        .into();
        style.visuals = visuals();
        style.spacing.item_spacing = egui::vec2(8.0, 6.0);
        style.spacing.button_padding = egui::vec2(10.0, 4.0);
        style.spacing.interact_size.y = 24.0;
        style.spacing.slider_rail_height = 4.0;
        style.spacing.menu_margin = Margin::same(8);
        // Nothing moves by itself: a reader's eye is drawn to movement.
        style.animation_time = 0.0;
        style.scroll_animation = egui::style::ScrollAnimation::none();
        style.visuals.text_cursor.blink = false;
        style.interaction.selectable_labels = false;
    });
}

/// Inter before egui's own fonts, which fill in what it lacks.
fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let files: [(&str, &'static [u8]); 2] = [
        ("inter", include_bytes!("../../assets/fonts/Inter-Regular.otf")),
        ("inter-semibold", include_bytes!("../../assets/fonts/Inter-SemiBold.otf")),
    ];
    for (name, bytes) in files {
        fonts.font_data.insert(name.to_owned(), Arc::new(FontData::from_static(bytes)));
    }
    let fallback = fonts.families.entry(FontFamily::Proportional).or_default();
    let mut titles = fallback.clone();
    fallback.insert(0, "inter".to_owned());
    titles.insert(0, "inter-semibold".to_owned());
    fonts.families.insert(FontFamily::Name(SEMIBOLD.into()), titles);
    fonts
}

fn visuals() -> Visuals {
    let mut visuals = Visuals::dark();
    visuals.panel_fill = FRAME;
    visuals.window_fill = CARD;
    visuals.window_stroke = Stroke::new(1.0, CONTROL_HOVERED);
    visuals.extreme_bg_color = Color32::from_rgb(17, 18, 22);
    visuals.faint_bg_color = CARD;
    visuals.hyperlink_color = ACCENT;
    visuals.warn_fg_color = WARNING;
    visuals.error_fg_color = ERROR;
    visuals.weak_text_color = Some(WEAK);
    visuals.selection.bg_fill = Color32::from_rgb(92, 68, 16);
    visuals.selection.stroke = Stroke::new(1.0, ACCENT);
    visuals.slider_trailing_fill = false;
    let widgets = &mut visuals.widgets;
    let states = [
        (&mut widgets.noninteractive, FRAME, TEXT),
        (&mut widgets.inactive, CONTROL, TEXT),
        (&mut widgets.hovered, CONTROL_HOVERED, STRONG),
        (&mut widgets.active, CONTROL_HOVERED, STRONG),
        (&mut widgets.open, CONTROL_HOVERED, STRONG),
    ];
    for (state, fill, text) in states {
        state.bg_fill = fill;
        state.weak_bg_fill = fill;
        state.bg_stroke = Stroke::NONE;
        state.fg_stroke = Stroke::new(1.0, text);
        state.corner_radius = CornerRadius::same(6);
        state.expansion = 0.0;
    }
    visuals.widgets.noninteractive.bg_stroke = Stroke::new(1.0, LINE);
    visuals
}
