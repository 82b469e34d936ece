//! Lines and scattered dots over a numeric x axis.

use super::axis::Axis;
use super::canvas::{Anchor, Canvas, GRID, INK, PALETTE, Rgb};
use super::frame::{Frame, Plot, XLabels};
use super::text::Style;
use super::{ChartError, Line, LineChart, check_colours, check_finite};

const X_LABEL: Style = Style::regular(24.0);

/// The chart as a PNG file.
pub(super) fn draw(chart: &LineChart) -> Result<Vec<u8>, ChartError> {
    check_colours(&chart.title, &(0..chart.series.len()).collect::<Vec<_>>())?;
    for line in &chart.series {
        check_finite(&chart.title, &line.name, line.points.iter().flatten().copied())?;
    }
    let mut canvas = Canvas::new()?;
    let values = |axis: usize| {
        chart.series.iter().flat_map(|line| &line.points).map(move |point: &[f64; 2]| point[axis])
    };
    let x_axis = Axis::horizontal(values(0));
    let frame = Frame {
        title: &chart.title,
        legend: chart.series.iter().zip(PALETTE).map(|(line, rgb)| (line.name.as_str(), rgb)).collect(),
        y_label: &chart.y_label,
        y_axis: Axis::vertical(chart.range, values(1)),
        caption: &chart.caption,
    };
    let [left, right] = frame.sides(&canvas);
    let ticks = x_axis.ticks();
    // The last figure is centred on the right end, and half of it must stay in the picture.
    let right = right - 0.5 * canvas.fonts.width(&ticks[ticks.len() - 1].1, X_LABEL);
    let x = |value: f64| left + (right - left) * x_axis.share(value);
    let texts: Vec<String> = ticks.iter().map(|(_, text)| text.clone()).collect();
    let labels = XLabels::fit(&canvas, &texts, (right - left) / ticks.len() as f32);
    let plot = frame.draw(&mut canvas, labels.height() + X_LABEL.line_height());
    for (value, _) in &ticks {
        let at = x(*value).round();
        canvas.rectangle([at - 1.0, plot.top], [at + 1.0, plot.bottom], GRID);
    }
    labels.draw(&mut canvas, &plot, |n| x(ticks[n].0));
    let below = plot.bottom + labels.height() + X_LABEL.size;
    canvas.text(&chart.x_label, X_LABEL, [0.5 * (left + right), below], Anchor::Centre, INK);
    for (line, rgb) in chart.series.iter().zip(PALETTE) {
        draw_line(&mut canvas, &plot, line, x, rgb);
    }
    canvas.rectangle([plot.left - 1.0, plot.bottom - 1.0], [plot.right, plot.bottom + 1.0], INK);
    canvas.into_png()
}

fn draw_line(canvas: &mut Canvas, plot: &Plot, line: &Line, x: impl Fn(f64) -> f32, rgb: Rgb) {
    let points: Vec<[f32; 2]> = line.points.iter().map(|[at, value]| [x(*at), plot.y(*value)]).collect();
    if line.joined {
        canvas.polyline(&points, 4.0, rgb);
    }
    if line.dots {
        points.iter().for_each(|point| canvas.dot(*point, 7.0, rgb));
    }
}
