//! A white sheet in pixels from its upper left corner, and the sections that are laid out before they are drawn on it.
//!
//! Invariant: the place of every text and picture is known as a box, so that it can be checked that nothing overlaps.

use super::text::{Fonts, Style};
use image::RgbImage;
use tiny_skia::{Color, ColorU8, FillRule, Paint, Path, PathBuilder, Pixmap, Rect, Transform};

pub(super) type Rgb = [u8; 3];

pub(super) const INK: Rgb = [32, 33, 36];
pub(super) const FAINT_INK: Rgb = [95, 99, 104];
pub(super) const ACCENT: Rgb = [34, 76, 112];
pub(super) const RULE: Rgb = [205, 209, 214];
pub(super) const TINT: Rgb = [240, 243, 246];

/// Above and below the baseline, in font sizes: what the highest and the deepest letters need.
const ASCENT: f32 = 0.93;
const DESCENT: f32 = 0.25;

/// Where a text or a picture lies on a page, in pixels from the upper left corner.
#[derive(Debug, Clone, PartialEq)]
pub struct PageBox {
    /// The text, or "picture".
    pub content: String,
    pub left: f32,
    pub top: f32,
    pub right: f32,
    pub bottom: f32,
}

impl PageBox {
    /// Whether two boxes share more than an edge.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }
}

/// Which end of a text its x means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Anchor {
    Left,
    Centre,
    Right,
}

/// How a text looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ink {
    pub style: Style,
    pub rgb: Rgb,
    /// Whether all digits are as wide as a 0, so that they stand below each other.
    pub is_tabular: bool,
}

impl Ink {
    pub(super) const fn new(style: Style, rgb: Rgb) -> Self {
        Self { style, rgb, is_tabular: false }
    }

    pub(super) const fn tabular(self) -> Self {
        Self { is_tabular: true, ..self }
    }

    /// Width of a text in pixels.
    pub(super) fn width(self, fonts: &Fonts, text: &str) -> f32 {
        letters(fonts, text, self).map(|(_, width)| width).sum()
    }
}

/// Each letter and how wide it is set.
fn letters<'a>(fonts: &'a Fonts, text: &'a str, ink: Ink) -> impl Iterator<Item = (char, f32)> + 'a {
    text.chars().map(move |letter| {
        let as_wide_as = if ink.is_tabular && letter.is_ascii_digit() { '0' } else { letter };
        (letter, fonts.width(as_wide_as.encode_utf8(&mut [0; 4]), ink.style))
    })
}

/// Breaks a text into lines no wider than `width`, between words and, where a word alone is wider, within it.
pub(super) fn wrapped(fonts: &Fonts, text: &str, style: Style, width: f32) -> Vec<String> {
    let mut lines = Vec::new();
    for line in fonts.wrap(text, style, width) {
        let mut part = String::new();
        for letter in line.chars() {
            part.push(letter);
            if part.chars().count() > 1 && fonts.width(&part, style) > width {
                part.pop();
                lines.push(std::mem::replace(&mut part, letter.to_string()));
            }
        }
        lines.push(part);
    }
    lines
}

enum Item {
    Text { content: String, ink: Ink, left: f32, baseline: f32 },
    Rectangle { from: [f32; 2], to: [f32; 2], rgb: Rgb },
    Picture { at: [f32; 2], picture: RgbImage },
}

/// A part of a page that is complete but for how far down it comes: x is that of the page, y counts from its own top.
#[derive(Default)]
pub(super) struct Section {
    pub height: f32,
    items: Vec<Item>,
}

impl Section {
    /// One line of text with its baseline at y.
    pub(super) fn text(&mut self, fonts: &Fonts, content: &str, ink: Ink, [x, y]: [f32; 2], anchor: Anchor) {
        let shift = match anchor {
            Anchor::Left => 0.0,
            Anchor::Centre => -0.5 * ink.width(fonts, content),
            Anchor::Right => -ink.width(fonts, content),
        };
        self.items.push(Item::Text { content: content.to_owned(), ink, left: x + shift, baseline: y });
    }

    /// Adds lines at the bottom, flush left at `x`.
    pub(super) fn lines(&mut self, fonts: &Fonts, lines: &[String], ink: Ink, x: f32) {
        for line in lines {
            let baseline = self.height + ASCENT * ink.style.size;
            self.text(fonts, line, ink, [x, baseline], Anchor::Left);
            self.height += ink.style.line_height();
        }
    }

    /// Fills from the upper left to the lower right corner.
    pub(super) fn rectangle(&mut self, from: [f32; 2], to: [f32; 2], rgb: Rgb) {
        self.items.push(Item::Rectangle { from, to, rgb });
    }

    /// Puts a picture with its upper left corner at whole pixels; the section grows to hold it.
    pub(super) fn picture(&mut self, [x, y]: [f32; 2], picture: RgbImage) {
        self.height = self.height.max(y.round() + picture.height() as f32);
        self.items.push(Item::Picture { at: [x.round(), y.round()], picture });
    }

    /// Adds a section at the bottom.
    pub(super) fn append(&mut self, below: Section) {
        let top = self.height;
        self.items.extend(below.items.into_iter().map(|item| item.moved_down(top)));
        self.height += below.height;
    }

    /// Adds a section that begins at the same height.
    pub(super) fn put_beside(&mut self, beside: Section) {
        self.items.extend(beside.items);
        self.height = self.height.max(beside.height);
    }
}

impl Item {
    fn moved_down(self, by: f32) -> Self {
        match self {
            Item::Text { content, ink, left, baseline } => {
                Item::Text { content, ink, left, baseline: baseline + by }
            }
            Item::Rectangle { from: [x0, y0], to: [x1, y1], rgb } => {
                Item::Rectangle { from: [x0, y0 + by], to: [x1, y1 + by], rgb }
            }
            Item::Picture { at: [x, y], picture } => Item::Picture { at: [x, y + by.round()], picture },
        }
    }
}

/// The sheet that sections are drawn on.
pub(super) struct Page {
    pixmap: Pixmap,
    boxes: Vec<PageBox>,
}

impl Page {
    /// `None` where there is no memory.
    pub(super) fn new([width, height]: [u32; 2]) -> Option<Self> {
        let mut pixmap = Pixmap::new(width, height)?;
        pixmap.fill(Color::WHITE);
        Some(Self { pixmap, boxes: Vec::new() })
    }

    /// Draws a section from a whole pixel down.
    pub(super) fn draw(&mut self, fonts: &Fonts, section: Section, top: f32) {
        for item in section.items {
            match item.moved_down(top.round()) {
                Item::Text { content, ink, left, baseline } => {
                    self.draw_text(fonts, content, ink, left, baseline);
                }
                Item::Rectangle { from: [x0, y0], to: [x1, y1], rgb } => {
                    if let Some(rect) = Rect::from_ltrb(x0, y0, x1, y1) {
                        self.fill(&PathBuilder::from_rect(rect), rgb, Transform::identity());
                    }
                }
                Item::Picture { at, picture } => self.draw_picture(at, &picture),
            }
        }
    }

    /// The pixels, red, green and blue, and the boxes of all texts and pictures.
    pub(super) fn finish(self) -> (Vec<u8>, Vec<PageBox>) {
        let pixels = self.pixmap.pixels().iter();
        (pixels.flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]).collect(), self.boxes)
    }

    fn draw_text(&mut self, fonts: &Fonts, content: String, ink: Ink, left: f32, baseline: f32) {
        let mut x = left;
        for (letter, width) in letters(fonts, &content, ink) {
            let letter = letter.encode_utf8(&mut [0; 4]).to_owned();
            if let Some(path) = fonts.outline(&letter, ink.style) {
                let within = 0.5 * (width - fonts.width(&letter, ink.style));
                self.fill(&path, ink.rgb, Transform::from_translate(x + within, baseline));
            }
            x += width;
        }
        let [top, bottom] = [baseline - ASCENT * ink.style.size, baseline + DESCENT * ink.style.size];
        self.boxes.push(PageBox { content, left, top, right: x, bottom });
    }

    fn draw_picture(&mut self, [x, y]: [f32; 2], picture: &RgbImage) {
        let (width, height) = (self.pixmap.width(), self.pixmap.height());
        let pixels = self.pixmap.pixels_mut();
        for (column, row, pixel) in picture.enumerate_pixels() {
            let (to_x, to_y) = (x as u32 + column, y as u32 + row);
            if to_x < width && to_y < height {
                let [r, g, b] = pixel.0;
                pixels[(to_y * width + to_x) as usize] = ColorU8::from_rgba(r, g, b, 255).premultiply();
            }
        }
        let [right, bottom] = [x + picture.width() as f32, y + picture.height() as f32];
        self.boxes.push(PageBox { content: "picture".to_owned(), left: x, top: y, right, bottom });
    }

    fn fill(&mut self, path: &Path, [r, g, b]: Rgb, transform: Transform) {
        let mut paint = Paint { anti_alias: true, ..Paint::default() };
        paint.set_color_rgba8(r, g, b, 255);
        self.pixmap.fill_path(path, &paint, FillRule::Winding, transform, None);
    }
}
