//! A white picture on which rectangles, lines, dots and text are drawn, in pixels from its upper left corner.

use super::text::{Fonts, Style};
use super::{ChartError, SIZE};
use image::ImageEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use tiny_skia::{Color, FillRule, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, Transform};

pub(super) type Rgb = [u8; 3];

/// Okabe and Ito, "Color Universal Design" (2008); yellow, the palest on white, and black, on which marks are hard to
/// see, come last.
pub(super) const PALETTE: [Rgb; 8] = [
    [86, 180, 233],
    [230, 159, 0],
    [0, 158, 115],
    [0, 114, 178],
    [213, 94, 0],
    [204, 121, 167],
    [240, 228, 66],
    [0, 0, 0],
];

pub(super) const INK: Rgb = [32, 33, 36];
pub(super) const FAINT_INK: Rgb = [95, 99, 104];
pub(super) const GRID: Rgb = [222, 224, 228];
pub(super) const WHITE: Rgb = [255, 255, 255];

/// Where a text lies about its point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Anchor {
    Left,
    Centre,
    Right,
}

pub(super) struct Canvas {
    pixmap: Pixmap,
    pub fonts: Fonts,
}

impl Canvas {
    pub(super) fn new() -> Result<Self, ChartError> {
        let mut pixmap = Pixmap::new(SIZE[0], SIZE[1]).ok_or(ChartError::Memory)?;
        pixmap.fill(Color::WHITE);
        Ok(Self { pixmap, fonts: Fonts::load()? })
    }

    /// Fills from one corner to the opposite one.
    pub(super) fn rectangle(&mut self, [x0, y0]: [f32; 2], [x1, y1]: [f32; 2], rgb: Rgb) {
        if let Some(rect) = Rect::from_ltrb(x0.min(x1), y0.min(y1), x0.max(x1), y0.max(y1)) {
            self.fill(&PathBuilder::from_rect(rect), rgb, Transform::identity());
        }
    }

    pub(super) fn polyline(&mut self, points: &[[f32; 2]], width: f32, rgb: Rgb) {
        let mut path = PathBuilder::new();
        for (n, [x, y]) in points.iter().enumerate() {
            if n == 0 { path.move_to(*x, *y) } else { path.line_to(*x, *y) }
        }
        let stroke = Stroke { width, line_join: tiny_skia::LineJoin::Round, ..Stroke::default() };
        if let Some(path) = path.finish() {
            self.pixmap.stroke_path(&path, &paint(rgb), &stroke, Transform::identity(), None);
        }
    }

    pub(super) fn dot(&mut self, [x, y]: [f32; 2], radius: f32, rgb: Rgb) {
        if let Some(path) = PathBuilder::from_circle(x, y, radius) {
            self.fill(&path, rgb, Transform::identity());
        }
    }

    /// One line of text with its baseline at `y`.
    pub(super) fn text(&mut self, text: &str, style: Style, [x, y]: [f32; 2], anchor: Anchor, rgb: Rgb) {
        self.place(text, style, anchor, rgb, Transform::from_translate(x, y));
    }

    /// One line of text that is read from below, with its baseline at `x`.
    pub(super) fn upward_text(
        &mut self,
        text: &str,
        style: Style,
        [x, y]: [f32; 2],
        anchor: Anchor,
        rgb: Rgb,
    ) {
        // A quarter turn to the left, written out so that nothing is rounded.
        self.place(text, style, anchor, rgb, Transform::from_row(0.0, -1.0, 1.0, 0.0, x, y));
    }

    fn place(&mut self, text: &str, style: Style, anchor: Anchor, rgb: Rgb, transform: Transform) {
        let shift = match anchor {
            Anchor::Left => 0.0,
            Anchor::Centre => -0.5 * self.fonts.width(text, style),
            Anchor::Right => -self.fonts.width(text, style),
        };
        if let Some(path) = self.fonts.outline(text, style) {
            self.fill(&path, rgb, transform.pre_translate(shift, 0.0));
        }
    }

    fn fill(&mut self, path: &Path, rgb: Rgb, transform: Transform) {
        self.pixmap.fill_path(path, &paint(rgb), FillRule::Winding, transform, None);
    }

    /// The picture as an opaque PNG file.
    pub(super) fn into_png(self) -> Result<Vec<u8>, ChartError> {
        let rgb: Vec<u8> = self.pixmap.pixels().iter().flat_map(|p| [p.red(), p.green(), p.blue()]).collect();
        let mut png = Vec::new();
        let encoder = PngEncoder::new_with_quality(&mut png, CompressionType::Default, FilterType::Adaptive);
        encoder.write_image(&rgb, SIZE[0], SIZE[1], image::ExtendedColorType::Rgb8)?;
        Ok(png)
    }
}

fn paint([r, g, b]: Rgb) -> Paint<'static> {
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color_rgba8(r, g, b, 255);
    paint
}
