//! Grouped bars with error bars and single values.

use super::axis::Axis;
use super::canvas::{Anchor, Canvas, FAINT_INK, INK, PALETTE, Rgb, WHITE};
use super::frame::{Frame, Plot, XLabels};
use super::text::Style;
use super::{Bar, BarChart, ChartError, check_colours, check_finite};

/// How much of a group's width its bars take.
const FILLED: f32 = 0.84;
const MAX_BAR_WIDTH: f32 = 120.0;
const NO_VALUE: Style = Style::regular(18.0);
/// Figures over the bars, at most and at least this large; where the smallest do not fit there are none. They fit over the
/// seven arms of a study for four structures and their mean.
const FIGURE_SIZES: [f32; 5] = [20.0, 18.0, 16.0, 15.0, 14.0];

/// The chart as a PNG file.
pub(super) fn draw(chart: &BarChart) -> Result<Vec<u8>, ChartError> {
    check(chart)?;
    let mut canvas = Canvas::new()?;
    let bars = || chart.series.iter().flat_map(|series| &series.bars);
    let frame = Frame {
        title: &chart.title,
        legend: chart.series.iter().map(|series| (series.name.as_str(), PALETTE[series.colour])).collect(),
        y_label: &chart.y_label,
        y_axis: Axis::vertical(chart.range, bars().flat_map(marks)),
        caption: &chart.caption,
    };
    let [left, right] = frame.sides(&canvas);
    let group_width = (right - left) / chart.groups.len().max(1) as f32;
    let labels = XLabels::fit(&canvas, &chart.groups, 0.94 * group_width);
    let plot = frame.draw(&mut canvas, labels.height());
    labels.draw(&mut canvas, &plot, |group| plot.left + (group as f32 + 0.5) * group_width);

    let pitch = (FILLED * group_width / chart.series.len().max(1) as f32).min(MAX_BAR_WIDTH / 0.9);
    let figures = figure_style(&canvas, &plot, bars(), pitch);
    for (number, series) in chart.series.iter().enumerate() {
        let offset = (number as f32 - 0.5 * (chart.series.len() as f32 - 1.0)) * pitch;
        for (group, bar) in series.bars.iter().enumerate() {
            let x = plot.left + (group as f32 + 0.5) * group_width + offset;
            Column { x, width: 0.9 * pitch, figures }.draw(&mut canvas, &plot, bar, PALETTE[series.colour]);
        }
    }
    let zero = plot.y(0.0).round();
    canvas.rectangle([plot.left, zero - 1.0], [plot.right, zero + 1.0], INK);
    canvas.into_png()
}

fn check(chart: &BarChart) -> Result<(), ChartError> {
    check_colours(&chart.title, &chart.series.iter().map(|series| series.colour).collect::<Vec<_>>())?;
    for series in &chart.series {
        check_finite(&chart.title, &series.name, series.bars.iter().flat_map(marks))?;
        if series.bars.len() != chart.groups.len() {
            return Err(ChartError::Input {
                title: chart.title.clone(),
                field: format!("series \"{}\"", series.name),
                expected: format!("a bar for each of the {} groups", chart.groups.len()),
                got: format!("{} bars", series.bars.len()),
                remedy: "give an undefined bar where there is none",
            });
        }
    }
    Ok(())
}

/// Every value at which a bar draws something.
fn marks(bar: &Bar) -> impl Iterator<Item = f64> {
    let ends = bar.mean.into_iter().flat_map(|mean| {
        let sd = bar.sd.unwrap_or(0.0);
        [mean, mean - sd, mean + sd]
    });
    ends.chain(bar.values.iter().copied())
}

/// The largest style in which the figures of all bars fit over them.
fn figure_style<'a>(
    canvas: &Canvas,
    plot: &Plot,
    bars: impl Iterator<Item = &'a Bar>,
    pitch: f32,
) -> Option<Style> {
    let texts: Vec<String> = bars.filter_map(|bar| bar.mean).map(|mean| plot.y_axis.text(mean, 1)).collect();
    FIGURE_SIZES
        .into_iter()
        .map(Style::regular)
        .find(|style| texts.iter().all(|text| canvas.fonts.width(text, *style) + 0.2 * style.size <= pitch))
}

/// The place of one bar.
struct Column {
    /// Its middle.
    x: f32,
    width: f32,
    figures: Option<Style>,
}

impl Column {
    fn draw(&self, canvas: &mut Canvas, plot: &Plot, bar: &Bar, rgb: Rgb) {
        let Some(mean) = bar.mean else {
            let baseline = self.x + 0.5 * NO_VALUE.cap_height();
            let y = plot.y(0.0) - 10.0;
            canvas.upward_text("no value", NO_VALUE, [baseline, y], Anchor::Left, FAINT_INK);
            return;
        };
        let half = 0.5 * self.width;
        canvas.rectangle([self.x - half, plot.y(0.0)], [self.x + half, plot.y(mean)], rgb);
        if let Some(sd) = bar.sd {
            self.draw_whisker(canvas, plot, [mean - sd, mean + sd], rgb);
        }
        self.draw_dots(canvas, plot, &bar.values);
        if let Some(style) = self.figures {
            let highest = marks(bar).fold(mean.max(0.0), f64::max);
            let y = plot.y(highest) - if bar.values.len() > 1 { 12.0 } else { 8.0 };
            canvas.text(&plot.y_axis.text(mean, 1), style, [self.x, y], Anchor::Centre, INK);
        }
    }

    /// The error bar; an end that lies beyond the axis has no cap.
    fn draw_whisker(&self, canvas: &mut Canvas, plot: &Plot, ends: [f64; 2], rgb: Rgb) {
        let ink = if rgb == [0; 3] { FAINT_INK } else { INK };
        let [low, high] = ends.map(|end| plot.y(end));
        canvas.polyline(&[[self.x, low], [self.x, high]], 2.5, ink);
        let cap = (0.22 * self.width).min(14.0);
        for (end, y) in ends.into_iter().zip([low, high]) {
            if (plot.y_axis.from..=plot.y_axis.to).contains(&end) {
                canvas.polyline(&[[self.x - cap, y], [self.x + cap, y]], 2.5, ink);
            }
        }
    }

    /// Single values side by side in their order, so that equal ones do not hide each other.
    fn draw_dots(&self, canvas: &mut Canvas, plot: &Plot, values: &[f64]) {
        if values.len() < 2 {
            return;
        }
        let radius = (0.11 * self.width).clamp(2.5, 6.0);
        for (n, value) in values.iter().enumerate() {
            let share = (n as f32 + 0.5) / values.len() as f32 - 0.5;
            let place = [self.x + 0.8 * self.width * share, plot.y(*value)];
            canvas.dot(place, radius + 1.5, INK);
            canvas.dot(place, radius, WHITE);
        }
    }
}
