//! The report on one page: pictures, what was measured, what speaks against it, where to look, and how it came about.
//!
//! Invariants: nothing is clipped and nothing overlaps: every text is measured before it is drawn, what is too long is
//! wrapped, and what is too much is cut and counted ("and 3 more"); the same report gives the same bytes.

mod grid;
mod montage;
mod tables;
mod words;

#[cfg(test)]
mod tests;

use super::files::GapReport;
use super::page::{ACCENT, Ink, Page, PageBox, RULE, Rgb, Section};
use super::pdf::{PdfError, PdfInfo, pdf};
use super::text::{Fonts, Style};
use image::ImageEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use thiserror::Error;

/// A4 upright at 150 pixels an inch.
pub const PAGE_SIZE: [u32; 2] = [1240, 1754];

const MARGIN: f32 = 60.0;
const LEFT: f32 = MARGIN;
const RIGHT: f32 = PAGE_SIZE[0] as f32 - MARGIN;
/// Between two sections, at least and at most.
const GAPS: [f32; 2] = [20.0, 52.0];
/// Of flags and places together; the longer of the two is cut to it.
const LISTS_HEIGHT: f32 = 330.0;

const HEADING: Style = Style::bold(19.0);
const BODY: Style = Style::regular(16.5);
const BODY_BOLD: Style = Style::bold(16.5);
const SMALL: Style = Style::regular(14.5);
const SMALL_BOLD: Style = Style::bold(14.5);

/// A ready-made picture of the montage.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Below the picture.
    pub caption: String,
    pub width: u32,
    pub height: u32,
    /// Row by row from the upper left; pixels are square.
    pub rgb: Vec<u8>,
}

/// What the colours of the montage mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ColourBar<'a> {
    /// "Gap".
    pub name: &'a str,
    /// At least two colours at even steps from the lower to the upper end; linear between them.
    pub colours: &'a [Rgb],
    /// What the first and the last colour mean.
    pub range: [f64; 2],
    /// Behind the name; empty for a plain number.
    pub unit: &'a str,
}

/// A page as it was drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    pub width: u32,
    pub height: u32,
    /// Red, green and blue, row by row from the upper left.
    pub rgb: Vec<u8>,
    /// Where every text and picture lies.
    pub boxes: Vec<PageBox>,
}

/// Why a page could not be drawn.
#[derive(Debug, Error)]
pub enum FigureError {
    #[error("picture \"{caption}\": expected {expected} bytes for {width} x {height} RGB pixels, got {got}")]
    Panel { caption: String, width: u32, height: u32, expected: usize, got: usize },
    #[error("colour bar \"{name}\": expected at least two colours and two different finite ends, got {got}")]
    ColourBar { name: String, got: String },
    #[error("page: a font of the program is unreadable: {0}; the program is damaged, install it again")]
    Font(#[from] ttf_parser::FaceParsingError),
    #[error("page: no memory for a picture of {} x {} pixels; close other programs", PAGE_SIZE[0], PAGE_SIZE[1])]
    Memory,
    #[error("page: the picture could not be encoded as PNG: {0}")]
    Encode(#[from] image::ImageError),
}

impl Figure {
    /// The page as the bytes of a PNG file.
    pub fn to_png(&self) -> Result<Vec<u8>, FigureError> {
        let mut png = Vec::new();
        let encoder = PngEncoder::new_with_quality(&mut png, CompressionType::Default, FilterType::Adaptive);
        encoder.write_image(&self.rgb, self.width, self.height, image::ExtendedColorType::Rgb8)?;
        Ok(png)
    }

    /// The page as the bytes of a PDF file.
    pub fn to_pdf(&self, info: &PdfInfo) -> Result<Vec<u8>, PdfError> {
        pdf(self.width, self.height, &self.rgb, info)
    }
}

/// Draws a report on one page of [`PAGE_SIZE`]. The panels stand in their order, row by row, as large as the words leave
/// room and in their own proportions; the colour bars beneath them. A picture whose size is wrong and a bar without colours
/// or range are errors.
pub fn figure(report: &GapReport, panels: &[Panel], bars: &[ColourBar<'_>]) -> Result<Figure, FigureError> {
    check(panels, bars)?;
    let fonts = Fonts::load()?;
    let mut page = Page::new(PAGE_SIZE).ok_or(FigureError::Memory)?;
    let head = words::head(&fonts, report);
    let foot = words::provenance(&fonts, report);
    let [top, bottom] = [MARGIN + head.height, PAGE_SIZE[1] as f32 - MARGIN - foot.height];
    let mut lower = vec![tables::structures(&fonts, report), lists(&fonts, report)];
    if !bars.is_empty() {
        lower.insert(0, montage::colour_bars(&fonts, bars));
    }
    let used: f32 = lower.iter().map(|section| section.height).sum();
    // The pictures get what the words leave.
    let room = bottom - top - used - GAPS[0] * (lower.len() + 2) as f32;
    if !panels.is_empty() {
        lower.insert(0, montage::montage(&fonts, panels, room));
    }
    let used: f32 = lower.iter().map(|section| section.height).sum();
    let gap = ((bottom - top - used) / (lower.len() + 1) as f32).clamp(GAPS[0], GAPS[1]);
    page.draw(&fonts, head, MARGIN);
    let mut y = top;
    for section in lower {
        let height = section.height;
        page.draw(&fonts, section, y + gap);
        y += gap + height;
    }
    page.draw(&fonts, foot, bottom);
    let ([width, height], (rgb, boxes)) = (PAGE_SIZE, page.finish());
    Ok(Figure { width, height, rgb, boxes })
}

/// Flags on the left, places on the right.
fn lists(fonts: &Fonts, report: &GapReport) -> Section {
    let middle = LEFT + 0.46 * (RIGHT - LEFT);
    let mut section = words::flags(fonts, &report.flags, [LEFT, middle - 16.0], LISTS_HEIGHT);
    section.put_beside(tables::places(fonts, report, [middle + 16.0, RIGHT], LISTS_HEIGHT));
    section
}

/// A heading over a thin line, from `left` to `right`.
fn headed(fonts: &Fonts, title: &str, [left, right]: [f32; 2]) -> Section {
    let mut section = Section::default();
    let title = fonts.shorten(title, HEADING, right - left);
    section.lines(fonts, &[title], Ink::new(HEADING, ACCENT), left);
    section.height += 2.0;
    section.rectangle([left, section.height], [right, section.height + 1.0], RULE);
    section.height += 7.0;
    section
}

fn check(panels: &[Panel], bars: &[ColourBar<'_>]) -> Result<(), FigureError> {
    for Panel { caption, width, height, rgb } in panels {
        let expected = *width as usize * *height as usize * 3;
        if rgb.len() != expected || expected == 0 {
            let (caption, got) = (caption.clone(), rgb.len());
            return Err(FigureError::Panel { caption, width: *width, height: *height, expected, got });
        }
    }
    for ColourBar { name, colours, range: [low, high], .. } in bars {
        if colours.len() < 2 || !low.is_finite() || !high.is_finite() || low == high {
            let got = format!("{} colours from {low} to {high}", colours.len());
            return Err(FigureError::ColourBar { name: (*name).to_owned(), got });
        }
    }
    Ok(())
}
