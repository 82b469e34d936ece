//! What is around the data of every chart: title, legend, y axis, caption.
//!
//! From top to bottom: title, legend, room for the figures above the highest marks, the plot, the names along x, the
//! caption. Each takes the height that its text needs, and the plot gets the rest.

use super::SIZE;
use super::axis::Axis;
use super::canvas::{Anchor, Canvas, FAINT_INK, GRID, INK, Rgb};
use super::text::Style;

const MARGIN: f32 = 44.0;
const TITLE: Style = Style::bold(34.0);
const LEGEND: Style = Style::regular(24.0);
const AXIS: Style = Style::regular(24.0);
const TICK: Style = Style::regular(22.0);
const CAPTION: Style = Style::regular(19.0);
/// Above the plot, for the figures over marks that reach its upper end.
const HEADROOM: f32 = 34.0;
/// Between an axis and its texts.
const GAP: f32 = 12.0;
/// Side of a coloured square of the legend.
const SWATCH: f32 = 22.0;

/// The texts around the data.
pub(super) struct Frame<'a> {
    pub title: &'a str,
    /// Name and colour of each series; there is no legend if every name is empty.
    pub legend: Vec<(&'a str, Rgb)>,
    pub y_label: &'a str,
    pub y_axis: Axis,
    pub caption: &'a str,
}

/// Where the data are drawn, in pixels.
pub(super) struct Plot {
    pub left: f32,
    pub right: f32,
    pub top: f32,
    pub bottom: f32,
    pub y_axis: Axis,
}

impl Plot {
    /// The height of a value.
    pub(super) fn y(&self, value: f64) -> f32 {
        self.bottom + (self.top - self.bottom) * self.y_axis.share(value)
    }
}

impl Frame<'_> {
    /// Left and right end of the plot, which the texts along x must know before their height is known.
    pub(super) fn sides(&self, canvas: &Canvas) -> [f32; 2] {
        let ticks = self.y_axis.ticks();
        let widest = ticks.iter().map(|(_, text)| canvas.fonts.width(text, TICK)).fold(0.0, f32::max);
        [(MARGIN + AXIS.line_height() + GAP + widest + GAP).round(), SIZE[0] as f32 - MARGIN]
    }

    /// Draws everything around the data, leaving `below` pixels for the texts along x.
    pub(super) fn draw(self, canvas: &mut Canvas, below: f32) -> Plot {
        let [left, right] = self.sides(canvas);
        let top = self.draw_head(canvas) + HEADROOM;
        let bottom = self.draw_caption(canvas) - below;
        let plot = Plot { left, right, top: top.round(), bottom: bottom.round(), y_axis: self.y_axis };
        for (value, text) in plot.y_axis.ticks() {
            let y = plot.y(value).round();
            canvas.rectangle([left, y - 1.0], [right, y + 1.0], GRID);
            let baseline = y + 0.5 * TICK.cap_height();
            canvas.text(&text, TICK, [left - GAP, baseline], Anchor::Right, FAINT_INK);
        }
        let label = canvas.fonts.shorten(self.y_label, AXIS, plot.bottom - plot.top);
        let middle = 0.5 * (plot.top + plot.bottom);
        canvas.upward_text(&label, AXIS, [MARGIN + AXIS.cap_height(), middle], Anchor::Centre, INK);
        plot
    }

    /// Title and legend; returns where they end.
    fn draw_head(&self, canvas: &mut Canvas) -> f32 {
        let width = SIZE[0] as f32 - 2.0 * MARGIN;
        let mut y = MARGIN;
        for line in canvas.fonts.wrap(self.title, TITLE, width) {
            canvas.text(&line, TITLE, [MARGIN, y + TITLE.cap_height()], Anchor::Left, INK);
            y += TITLE.line_height();
        }
        if self.legend.iter().all(|(name, _)| name.is_empty()) {
            return y;
        }
        y += 0.5 * GAP;
        let mut x = MARGIN;
        for (name, rgb) in &self.legend {
            let name = canvas.fonts.shorten(name, LEGEND, width - SWATCH - GAP);
            let needed = SWATCH + GAP + canvas.fonts.width(&name, LEGEND);
            if x > MARGIN && x + needed > MARGIN + width {
                x = MARGIN;
                y += LEGEND.line_height() + 4.0;
            }
            draw_entry(canvas, &name, [x, y], *rgb);
            x += needed + 3.0 * GAP;
        }
        y + SWATCH
    }

    /// The caption, at the very bottom; returns where it begins.
    fn draw_caption(&self, canvas: &mut Canvas) -> f32 {
        let lines = canvas.fonts.wrap(self.caption, CAPTION, SIZE[0] as f32 - 2.0 * MARGIN);
        let end = SIZE[1] as f32 - 0.7 * MARGIN;
        let begin = end - lines.len() as f32 * CAPTION.line_height();
        for (n, line) in lines.iter().enumerate() {
            let baseline = begin + n as f32 * CAPTION.line_height() + CAPTION.size;
            canvas.text(line, CAPTION, [MARGIN, baseline], Anchor::Left, FAINT_INK);
        }
        begin - GAP
    }
}

fn draw_entry(canvas: &mut Canvas, name: &str, [x, y]: [f32; 2], rgb: Rgb) {
    canvas.rectangle([x, y], [x + SWATCH, y + SWATCH], rgb);
    let baseline = y + 0.5 * (SWATCH + LEGEND.cap_height());
    canvas.text(name, LEGEND, [x + SWATCH + GAP, baseline], Anchor::Left, INK);
}

/// The texts under the plot, each in lines about the middle of its place.
pub(super) struct XLabels {
    style: Style,
    lines: Vec<Vec<String>>,
}

impl XLabels {
    /// Breaks each of `names` so that it fits in `width`.
    pub(super) fn fit(canvas: &Canvas, names: &[String], width: f32) -> Self {
        let style = canvas.fonts.fit_words(names, AXIS, width);
        let lines = names.iter().map(|name| {
            let lines = canvas.fonts.wrap(name, style, width);
            lines.iter().map(|line| canvas.fonts.shorten(line, style, width)).collect()
        });
        Self { style, lines: lines.collect() }
    }

    pub(super) fn height(&self) -> f32 {
        let most = self.lines.iter().map(Vec::len).max().unwrap_or(0);
        GAP + most as f32 * self.style.line_height()
    }

    pub(super) fn draw(&self, canvas: &mut Canvas, plot: &Plot, middle: impl Fn(usize) -> f32) {
        for (n, lines) in self.lines.iter().enumerate() {
            for (row, line) in lines.iter().enumerate() {
                let y = plot.bottom + GAP + self.style.size + row as f32 * self.style.line_height();
                canvas.text(line, self.style, [middle(n), y], Anchor::Centre, INK);
            }
        }
    }
}
