//! The pictures of the scan and what their colours mean.

use super::{BODY_BOLD, ColourBar, LEFT, Panel, RIGHT, SMALL};
use crate::eval::gap::page::{Anchor, FAINT_INK, INK, Ink, Rgb, Section, wrapped};
use crate::eval::gap::text::{Fonts, Style};
use image::imageops::{FilterType, resize};
use image::{Rgb as Pixel, RgbImage};

/// More pictures than this are too small to be read.
const MAX_PANELS: usize = 12;
const MAX_CAPTION_LINES: usize = 2;
/// Between two pictures.
const GUTTER: f32 = 14.0;
/// Between a picture and its caption.
const CAPTION_GAP: f32 = 4.0;
const BAR_HEIGHT: u32 = 12;
const TICKS: usize = 4;

/// The pictures in a grid that makes them as large as `room` pixels of height allow, each with its caption.
pub(super) fn montage(fonts: &Fonts, panels: &[Panel], room: f32) -> Section {
    let shown = &panels[..panels.len().min(MAX_PANELS)];
    let more = panels.len() - shown.len();
    let more_height = if more > 0 { SMALL.line_height() } else { 0.0 };
    let grids = (1..=shown.len()).map(|columns| Grid::new(fonts, shown, columns, room - more_height));
    let best = grids.reduce(|best, grid| if grid.area > best.area { grid } else { best });
    let mut section = Section::default();
    if let Some(grid) = best {
        for (number, row) in shown.chunks(grid.columns).enumerate() {
            section.height += if number > 0 { GUTTER } else { 0.0 };
            section.append(grid.row(fonts, row));
        }
    }
    if more > 0 {
        section.lines(fonts, &[format!("and {more} more pictures")], Ink::new(SMALL, FAINT_INK), LEFT);
    }
    section
}

/// The bars side by side, each with its name and the values of its ticks.
pub(super) fn colour_bars(fonts: &Fonts, bars: &[ColourBar<'_>]) -> Section {
    let mut section = Section::default();
    let pitch = (RIGHT - LEFT + 3.0 * GUTTER) / bars.len() as f32;
    for (number, bar) in bars.iter().enumerate() {
        let left = LEFT + number as f32 * pitch;
        section.put_beside(colour_bar(fonts, bar, [left, left + pitch - 3.0 * GUTTER]));
    }
    section
}

/// Some columns, and how large the pictures become in them.
struct Grid {
    columns: usize,
    /// Largest width and height of a picture.
    cell: [f32; 2],
    captions: Style,
    /// All pictures together, square pixels.
    area: f32,
}

impl Grid {
    fn new(fonts: &Fonts, panels: &[Panel], columns: usize, room: f32) -> Self {
        let rows = panels.len().div_ceil(columns) as f32;
        let width = ((RIGHT - LEFT - (columns - 1) as f32 * GUTTER) / columns as f32).floor();
        let texts: Vec<String> = panels.iter().map(|panel| panel.caption.clone()).collect();
        let captions = fonts.fit_words(&texts, SMALL, width);
        let lines =
            panels.iter().map(|panel| caption(fonts, panel, captions, width).len()).max().unwrap_or(0);
        let words = CAPTION_GAP + lines as f32 * captions.line_height();
        let height = ((room - (rows - 1.0) * GUTTER) / rows - words).floor().max(1.0);
        let mut grid = Self { columns, cell: [width.max(1.0), height], captions, area: 0.0 };
        grid.area = panels.iter().map(|panel| grid.size(panel)).map(|[w, h]| (w * h) as f32).sum();
        grid
    }

    /// A picture as large as its cell allows, in whole pixels.
    fn size(&self, panel: &Panel) -> [u32; 2] {
        let (width, height) = (panel.width as f32, panel.height as f32);
        let scale = (self.cell[0] / width).min(self.cell[1] / height);
        [width, height].map(|side| ((side * scale).floor() as u32).max(1))
    }

    /// Pictures side by side in the middle of the page, flush at the bottom, captions below.
    fn row(&self, fonts: &Fonts, panels: &[Panel]) -> Section {
        let tallest = panels.iter().map(|panel| self.size(panel)[1]).max().unwrap_or(0);
        let widest = panels.iter().map(|panel| self.size(panel)[0]).max().unwrap_or(0) as f32;
        // Captions need some room too where pictures are slim, but never more than the cell.
        let pitch = widest.max(self.cell[0].min(0.8 * tallest as f32)) + GUTTER;
        let left = 0.5 * (LEFT + RIGHT - self.columns as f32 * pitch + GUTTER);
        let mut section = Section::default();
        for (column, panel) in panels.iter().enumerate() {
            let middle = left + column as f32 * pitch + 0.5 * (pitch - GUTTER);
            let [width, height] = self.size(panel);
            let mut one = Section::default();
            if let Some(picture) = resized(panel, [width, height]) {
                one.picture([middle - 0.5 * width as f32, (tallest - height) as f32], picture);
            }
            one.height = tallest as f32 + CAPTION_GAP;
            for line in caption(fonts, panel, self.captions, pitch - GUTTER) {
                let y = one.height + self.captions.size;
                one.text(fonts, &line, Ink::new(self.captions, INK), [middle, y], Anchor::Centre);
                one.height += self.captions.line_height();
            }
            section.put_beside(one);
        }
        section
    }
}

/// At most two lines; a longer caption ends in an ellipsis.
fn caption(fonts: &Fonts, panel: &Panel, style: Style, width: f32) -> Vec<String> {
    let mut lines = wrapped(fonts, &panel.caption, style, width);
    if lines.len() > MAX_CAPTION_LINES {
        let rest = lines.split_off(MAX_CAPTION_LINES - 1).join(" ");
        lines.push(fonts.shorten(&rest, style, width));
    }
    lines
}

fn resized(panel: &Panel, [width, height]: [u32; 2]) -> Option<RgbImage> {
    let picture = RgbImage::from_raw(panel.width, panel.height, panel.rgb.clone())?;
    Some(resize(&picture, width, height, FilterType::Triangle))
}

fn colour_bar(fonts: &Fonts, bar: &ColourBar<'_>, [left, right]: [f32; 2]) -> Section {
    let unit = if bar.unit.is_empty() { String::new() } else { format!(" ({})", bar.unit) };
    let name = fonts.shorten(&format!("{}{unit}", bar.name), BODY_BOLD, 0.5 * (right - left));
    let ink = Ink::new(BODY_BOLD, INK);
    let start = (left + ink.width(fonts, &name) + GUTTER).round();
    let width = (right - start).floor().max(1.0);
    let mut section = Section::default();
    let picture = RgbImage::from_fn(width as u32, BAR_HEIGHT, |x, _| {
        Pixel(colour_at(bar.colours, (x as f32 + 0.5) / width))
    });
    section.picture([start, 4.0], picture);
    let middle = 4.0 + 0.5 * BAR_HEIGHT as f32;
    section.text(fonts, &name, ink, [left, middle + 0.5 * BODY_BOLD.cap_height()], Anchor::Left);
    let [low, high] = bar.range;
    let y = section.height + 3.0 + SMALL.size;
    for tick in 0..=TICKS {
        let share = tick as f32 / TICKS as f32;
        let value = low + (high - low) * f64::from(share);
        let anchor = match tick {
            0 => Anchor::Left,
            TICKS => Anchor::Right,
            _ => Anchor::Centre,
        };
        let ink = Ink::new(SMALL, FAINT_INK);
        section.text(fonts, &tick_text(value, high - low), ink, [start + share * width, y], anchor);
    }
    section.height += 3.0 + SMALL.line_height();
    section
}

/// As many decimals as a quarter of the range needs.
fn tick_text(value: f64, range: f64) -> String {
    let step = range.abs() / TICKS as f64;
    let digits = (0..6).find(|digits| {
        let scaled = step * 10f64.powi(*digits);
        (scaled - scaled.round()).abs() < 1e-6 * scaled.max(1.0) && scaled.round() > 0.0
    });
    format!("{value:.0$}", digits.unwrap_or(3) as usize).replace('-', "\u{2212}")
}

/// Linear between the colours; `position` is 0 to 1.
fn colour_at(colours: &[Rgb], position: f32) -> Rgb {
    let x = position.clamp(0.0, 1.0) * (colours.len() - 1) as f32;
    let node = (x as usize).min(colours.len() - 2);
    let share = x - node as f32;
    [0, 1, 2].map(|channel| {
        let [low, high] = [node, node + 1].map(|node| f32::from(colours[node][channel]));
        (low + (high - low) * share).round() as u8
    })
}
