//! One calm dark frame around the images, and one accent for the one main action.

use crate::eval::{ONLY_FIRST, ONLY_SECOND, OTHER_STRUCTURE};
use egui::{Color32, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, RichText, Stroke};
use egui::{TextStyle, Visuals};
use std::sync::Arc;

/// The frame's colours. What lies over images has colours of its own, for images are always on black.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Palette {
    pub accent: Color32,
    pub on_accent: Color32,
    /// Bars and letters that carry data in the accent's family.
    pub data: Color32,
    pub frame: Color32,
    pub card: Color32,
    /// Where text is typed.
    pub field: Color32,
    pub control: Color32,
    pub hovered: Color32,
    pub selected: Color32,
    pub line: Color32,
    pub text: Color32,
    pub strong: Color32,
    pub weak: Color32,
    pub good: Color32,
    pub warning: Color32,
    pub error: Color32,
}

const DARK: Palette = Palette {
    accent: Color32::from_rgb(230, 159, 0),
    on_accent: Color32::from_rgb(22, 18, 8),
    data: Color32::from_rgb(255, 149, 0),
    frame: Color32::from_rgb(24, 26, 31),
    card: Color32::from_rgb(33, 36, 43),
    field: Color32::from_rgb(17, 18, 22),
    control: Color32::from_rgb(43, 46, 54),
    hovered: Color32::from_rgb(56, 60, 70),
    selected: Color32::from_rgb(92, 68, 16),
    line: Color32::from_rgb(45, 48, 56),
    text: Color32::from_rgb(226, 228, 233),
    strong: Color32::WHITE,
    weak: Color32::from_rgb(148, 153, 163),
    good: Color32::from_rgb(127, 209, 131),
    warning: Color32::from_rgb(240, 190, 90),
    error: Color32::from_rgb(240, 120, 110),
};

const LIGHT: Palette = Palette {
    accent: Color32::from_rgb(230, 159, 0),
    on_accent: Color32::from_rgb(22, 18, 8),
    data: Color32::from_rgb(176, 96, 0),
    frame: Color32::from_rgb(238, 239, 242),
    card: Color32::from_rgb(250, 250, 252),
    field: Color32::WHITE,
    control: Color32::from_rgb(218, 221, 227),
    hovered: Color32::from_rgb(203, 207, 215),
    selected: Color32::from_rgb(250, 219, 150),
    line: Color32::from_rgb(205, 208, 215),
    text: Color32::from_rgb(34, 37, 43),
    strong: Color32::BLACK,
    weak: Color32::from_rgb(91, 96, 106),
    good: Color32::from_rgb(24, 112, 44),
    warning: Color32::from_rgb(138, 86, 0),
    error: Color32::from_rgb(178, 36, 28),
};

// Over images, which are on black in both themes.
pub const ACCENT: Color32 = DARK.accent;
pub const TEXT: Color32 = DARK.text;
pub const STRONG: Color32 = DARK.strong;
pub const WEAK: Color32 = DARK.weak;
pub const WARNING: Color32 = DARK.warning;
pub const EDGE: Color32 = DARK.hovered;
pub const SYNTHETIC: Color32 = Color32::from_rgb(124, 28, 32);
pub const LETTERS: Color32 = Color32::from_rgb(240, 190, 60);

/// Where two label maps differ: only in the first, only in the second, another structure. The ends of a diverging scale,
/// which colour blindness leaves apart, and its middle.
pub const CONTRAST: [(u16, Color32); 3] = [
    (ONLY_FIRST, Color32::from_rgb(253, 141, 60)),
    (ONLY_SECOND, Color32::from_rgb(128, 125, 230)),
    (OTHER_STRUCTURE, Color32::from_rgb(247, 247, 247)),
];

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

/// A title in a size of its own.
pub fn title(text: impl Into<String>, size: f32) -> RichText {
    RichText::new(text).font(semibold(size)).strong()
}

/// The colours of the theme that is on.
pub fn of(ui: &egui::Ui) -> &'static Palette {
    palette(ui.visuals().dark_mode)
}

fn palette(dark: bool) -> &'static Palette {
    if dark { &DARK } else { &LIGHT }
}

/// Turns the light on or off.
pub fn set(context: &egui::Context, light: bool) {
    context.set_theme(if light { egui::Theme::Light } else { egui::Theme::Dark });
}

/// Sets fonts, sizes, spacing and colours; once a context.
pub fn install(context: &egui::Context) {
    set(context, false);
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
        style.visuals = visuals(style.visuals.dark_mode);
        style.spacing.item_spacing = egui::vec2(8.0, 6.0);
        style.spacing.button_padding = egui::vec2(10.0, 4.0);
        style.spacing.interact_size.y = 24.0;
        style.spacing.slider_rail_height = 4.0;
        style.spacing.menu_margin = Margin::same(8);
        // A scroll bar has a place of its own and covers no figure.
        style.spacing.scroll.floating_allocated_width = 6.0;
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

fn visuals(dark: bool) -> Visuals {
    let colours = palette(dark);
    let mut visuals = if dark { Visuals::dark() } else { Visuals::light() };
    visuals.panel_fill = colours.frame;
    visuals.window_fill = colours.card;
    visuals.window_stroke = Stroke::new(1.0, colours.hovered);
    visuals.extreme_bg_color = colours.field;
    visuals.faint_bg_color = colours.card;
    visuals.hyperlink_color = colours.data;
    visuals.warn_fg_color = colours.warning;
    visuals.error_fg_color = colours.error;
    visuals.weak_text_color = Some(colours.weak);
    visuals.selection.bg_fill = colours.selected;
    visuals.selection.stroke = Stroke::new(1.0, colours.strong);
    visuals.slider_trailing_fill = false;
    let widgets = &mut visuals.widgets;
    let states = [
        (&mut widgets.noninteractive, colours.frame, colours.text),
        (&mut widgets.inactive, colours.control, colours.text),
        (&mut widgets.hovered, colours.hovered, colours.strong),
        (&mut widgets.active, colours.hovered, colours.strong),
        (&mut widgets.open, colours.hovered, colours.strong),
    ];
    for (state, fill, text) in states {
        state.bg_fill = fill;
        state.weak_bg_fill = fill;
        state.bg_stroke = Stroke::NONE;
        state.fg_stroke = Stroke::new(1.0, text);
        state.corner_radius = CornerRadius::same(6);
        state.expansion = 0.0;
    }
    visuals.widgets.noninteractive.bg_stroke = Stroke::new(1.0, colours.line);
    visuals
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance, WCAG 2.
    fn luminance(colour: Color32) -> f64 {
        let linear = |byte: u8| {
            let c = f64::from(byte) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(colour.r()) + 0.7152 * linear(colour.g()) + 0.0722 * linear(colour.b())
    }

    fn contrast(a: Color32, b: Color32) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn every_word_of_the_frame_can_be_read_in_both_themes() {
        for colours in [&DARK, &LIGHT] {
            for ground in [colours.frame, colours.card] {
                for word in
                    [colours.text, colours.strong, colours.weak, colours.good, colours.warning, colours.error]
                {
                    assert!(
                        contrast(word, ground) >= 4.5,
                        "{word:?} on {ground:?}: {}",
                        contrast(word, ground)
                    );
                }
            }
            assert!(contrast(colours.text, colours.control) >= 4.5);
            assert!(contrast(colours.on_accent, colours.accent) >= 4.5);
            assert!(contrast(colours.strong, colours.selected) >= 4.5);
        }
    }
}
