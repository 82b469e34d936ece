//! Letters as outlines, measured and broken into lines.
//!
//! The program's own fonts, so that a chart looks the same wherever it is drawn.

use tiny_skia::{Path, PathBuilder, Transform};
use ttf_parser::{Face, FaceParsingError, OutlineBuilder};

const REGULAR: &[u8] = include_bytes!("../../../assets/fonts/Inter-Regular.otf");
const SEMI_BOLD: &[u8] = include_bytes!("../../../assets/fonts/Inter-SemiBold.otf");

/// A font at a size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::eval) struct Style {
    pub size: f32,
    pub bold: bool,
}

impl Style {
    pub(in crate::eval) const fn regular(size: f32) -> Self {
        Self { size, bold: false }
    }

    pub(in crate::eval) const fn bold(size: f32) -> Self {
        Self { size, bold: true }
    }

    /// From one line of text to the next, in pixels.
    pub(in crate::eval) fn line_height(self) -> f32 {
        1.3 * self.size
    }

    /// Height of a capital letter or digit, in pixels.
    pub(in crate::eval) fn cap_height(self) -> f32 {
        0.727 * self.size
    }
}

/// Both weights of the font.
pub(in crate::eval) struct Fonts {
    regular: Face<'static>,
    semi_bold: Face<'static>,
}

impl Fonts {
    pub(in crate::eval) fn load() -> Result<Self, FaceParsingError> {
        Ok(Self { regular: Face::parse(REGULAR, 0)?, semi_bold: Face::parse(SEMI_BOLD, 0)? })
    }

    fn face(&self, style: Style) -> &Face<'static> {
        if style.bold { &self.semi_bold } else { &self.regular }
    }

    /// Width in pixels.
    pub(in crate::eval) fn width(&self, text: &str, style: Style) -> f32 {
        let face = self.face(style);
        let units: u32 = text.chars().map(|letter| u32::from(advance(face, letter))).sum();
        units as f32 * scale(face, style)
    }

    /// The outline of one line that begins at (0, 0) on its baseline, y down; `None` where there is nothing to see.
    pub(in crate::eval) fn outline(&self, text: &str, style: Style) -> Option<Path> {
        let face = self.face(style);
        let mut outline = Outline { path: PathBuilder::new(), x: 0.0 };
        for letter in text.chars() {
            if let Some(glyph) = face.glyph_index(letter).or_else(|| face.glyph_index('?')) {
                face.outline_glyph(glyph, &mut outline);
            }
            outline.x += f32::from(advance(face, letter));
        }
        let scale = scale(face, style);
        outline.path.finish()?.transform(Transform::from_scale(scale, -scale))
    }

    /// Breaks `text` between words, and at its line feeds, into lines no wider than `width`; a longer word has a line of
    /// its own.
    pub(in crate::eval) fn wrap(&self, text: &str, style: Style, width: f32) -> Vec<String> {
        let mut lines = Vec::new();
        for paragraph in text.lines() {
            let mut line = String::new();
            for word in paragraph.split_whitespace() {
                let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
                if line.is_empty() || self.width(&longer, style) <= width {
                    line = longer;
                } else {
                    lines.push(std::mem::replace(&mut line, word.to_owned()));
                }
            }
            lines.push(line);
        }
        lines
    }

    /// The largest of the style's size and smaller ones, to half of it, at which every word of `texts` is narrower than
    /// `width`.
    pub(in crate::eval) fn fit_words(&self, texts: &[String], style: Style, width: f32) -> Style {
        let words = texts.iter().flat_map(|text| text.split_whitespace());
        let widest = words.map(|word| self.width(word, style)).fold(0.0, f32::max);
        let shrink = if widest > width { (width / widest).max(0.5) } else { 1.0 };
        Style { size: style.size * shrink, ..style }
    }

    /// `text`, or as much of its beginning as fits in `width`, and an ellipsis.
    pub(in crate::eval) fn shorten(&self, text: &str, style: Style, width: f32) -> String {
        if self.width(text, style) <= width {
            return text.to_owned();
        }
        let mut kept: String = text.to_owned();
        while kept.pop().is_some() {
            let shortened = format!("{}\u{2026}", kept.trim_end());
            if self.width(&shortened, style) <= width {
                return shortened;
            }
        }
        String::new()
    }
}

fn scale(face: &Face, style: Style) -> f32 {
    style.size / f32::from(face.units_per_em())
}

/// In font units; that of a question mark for a letter that the font lacks.
fn advance(face: &Face, letter: char) -> u16 {
    let glyph = face.glyph_index(letter).or_else(|| face.glyph_index('?'));
    glyph.and_then(|glyph| face.glyph_hor_advance(glyph)).unwrap_or(0)
}

/// Gathers glyphs side by side, in font units.
struct Outline {
    path: PathBuilder,
    x: f32,
}

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        self.path.move_to(self.x + x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.path.line_to(self.x + x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.path.quad_to(self.x + x1, y1, self.x + x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.path.cubic_to(self.x + x1, y1, self.x + x2, y2, self.x + x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn no_line_is_wider_than_its_room_and_no_word_is_lost() {
        let fonts = Fonts::load().unwrap();
        let style = Style::regular(24.0);
        let text = "Left ventricle cavity of the heart\nn = 12";
        let lines = fonts.wrap(text, style, 200.0);
        assert!(lines.len() > 2 && lines.iter().all(|line| fonts.width(line, style) <= 200.0), "{lines:?}");
        assert_eq!(lines.join(" ").split_whitespace().count(), text.split_whitespace().count());
        assert_eq!(lines.last().unwrap(), "n = 12");
        let short = fonts.shorten("a name that is much too long to be shown", style, 200.0);
        assert!(fonts.width(&short, style) <= 200.0 && short.ends_with('\u{2026}'), "{short}");
    }
}
