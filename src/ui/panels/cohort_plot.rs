//! The structures of a cohort as dots, one a case: what stands out is seen at once, and a click opens it.

use super::cohort::shown_name;
use crate::session::cohort::Cohort;
use crate::ui::action::{Action, CohortAction};
use crate::ui::state::{CohortMeasure, GAP_RANGE, State};
use crate::ui::theme;
use crate::volume::Task;
use egui::{Align2, Color32, FontId, Pos2, Rect, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

const RADIUS: f32 = 3.5;
/// How near the pointer has to be to mean a dot.
const REACH: f32 = 8.0;
/// Dots of one structure are spread over this share of its column, so that equal values are seen as several.
const SPREAD: f32 = 0.5;
/// Successive multiples of it fall evenly into [0, 1) (the golden ratio).
const EVEN_STEP: f32 = 0.618_034;

/// One case in one structure.
struct Dot {
    case: usize,
    at: Pos2,
    colour: Color32,
    value: f64,
}

/// Draws the plot into the space that is left.
pub fn show(ui: &mut Ui, state: &State, cohort: &Cohort, actions: &mut Vec<Action>) {
    let measure = state.cohort.plotted;
    ui.horizontal(|ui| {
        for choice in CohortMeasure::ALL {
            if ui.selectable_label(measure == choice, choice.name()).clicked() {
                actions.push(Action::Cohort(CohortAction::Plot(choice)));
            }
        }
    });
    let (area, response) = ui.allocate_exact_size(ui.available_size(), Sense::click());
    let name = format!("{} of each structure, a dot a case", measure.name());
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Figure, true, &name));
    let plot = Rect::from_min_max(area.min + vec2(48.0, 10.0), area.max - vec2(8.0, 24.0));
    if plot.width() < 60.0 || plot.height() < 40.0 {
        return;
    }
    let top = top_of(cohort, measure);
    axes(ui, plot, cohort, measure, top);
    let dots = dots(plot, cohort, measure, top);
    let painter = ui.painter_at(area);
    for dot in &dots {
        painter.circle_filled(dot.at, RADIUS, dot.colour.gamma_multiply(0.85));
    }
    let near = |at: Pos2| {
        let nearest = dots.iter().min_by(|a, b| a.at.distance_sq(at).total_cmp(&b.at.distance_sq(at)))?;
        (nearest.at.distance(at) <= REACH).then_some(nearest)
    };
    let Some(dot) = response.hover_pos().and_then(near) else { return };
    // Where else the same case lies.
    for same in dots.iter().filter(|other| other.case == dot.case) {
        painter.circle_stroke(same.at, RADIUS + 1.5, Stroke::new(1.5, theme::of(ui).strong));
    }
    if response.clicked() {
        actions.push(Action::Cohort(CohortAction::OpenCase(dot.case)));
    }
    let case = cohort.cases.get(dot.case).map_or("", |case| &case.name);
    let value = format!("{:.2} {}", dot.value, measure.unit());
    response.on_hover_text(format!("{}: {value}; a click opens it", shown_name(state, case)));
}

/// The value at the upper end: round, and above all there are.
fn top_of(cohort: &Cohort, measure: CohortMeasure) -> f64 {
    let values = cohort.cases.iter().flat_map(|case| cohort.structures.iter().map(|of| measure.of(case, of)));
    let most = values.flatten().fold(0.0, f64::max);
    match measure {
        CohortMeasure::Gap => f64::from(GAP_RANGE[1]).max(most),
        CohortMeasure::Volume => round_up(most.max(1.0)),
    }
}

/// The next of 1, 2 and 5 times a power of ten.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|step| step * power).into_iter().find(|step| *step >= value).unwrap_or(value)
}

fn axes(ui: &Ui, plot: Rect, cohort: &Cohort, measure: CohortMeasure, top: f64) {
    let colours = theme::of(ui);
    let painter = ui.painter();
    let font = FontId::proportional(10.5);
    for quarter in 0..=4 {
        let part = quarter as f32 / 4.0;
        let y = plot.bottom() - part * plot.height();
        painter.hline(plot.x_range(), y, Stroke::new(1.0, colours.line));
        let value = top * f64::from(part);
        let words = if top >= 20.0 { format!("{value:.0}") } else { format!("{value:.1}") };
        painter.text(pos2(plot.left() - 6.0, y), Align2::RIGHT_CENTER, words, font.clone(), colours.weak);
    }
    let unit = measure.unit();
    painter.text(plot.left_top() - vec2(44.0, -16.0), Align2::LEFT_TOP, unit, font.clone(), colours.weak);
    for (column, (_, name)) in cohort.structures.iter().enumerate() {
        let x = column_x(plot, column, cohort.structures.len());
        let at = pos2(x, plot.bottom() + 6.0);
        painter.text(at, Align2::CENTER_TOP, name, font.clone(), colours.text);
    }
}

fn column_x(plot: Rect, column: usize, columns: usize) -> f32 {
    plot.left() + plot.width() * (column as f32 + 0.5) / columns.max(1) as f32
}

fn dots(plot: Rect, cohort: &Cohort, measure: CohortMeasure, top: f64) -> Vec<Dot> {
    let columns = cohort.structures.len();
    let width = plot.width() / columns.max(1) as f32 * SPREAD;
    let mut dots = Vec::new();
    for (column, structure) in cohort.structures.iter().enumerate() {
        let colour = colour_of(structure);
        for (case, of) in cohort.cases.iter().enumerate() {
            let Some(value) = measure.of(of, structure) else { continue };
            let aside = ((case as f32 * EVEN_STEP).fract() - 0.5) * width;
            let y = plot.bottom() - (value / top).clamp(0.0, 1.0) as f32 * plot.height();
            dots.push(Dot { case, at: pos2(column_x(plot, column, columns) + aside, y), colour, value });
        }
    }
    dots
}

/// As the structure is painted over scans; grey where no table of the program names it.
fn colour_of((label, name): &(u16, String)) -> Color32 {
    let tables = [Task::Abdomen, Task::Cardiac].map(Task::table);
    let entry = tables.into_iter().filter_map(|table| table.entry(*label)).find(|entry| entry.name == *name);
    let [r, g, b] = entry.map_or([150; 3], |entry| entry.rgb);
    Color32::from_rgb(r, g, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_ends_at_a_round_number_above_the_largest_value() {
        assert_eq!([1.0, 1.1, 49.0, 501.0, 1500.0].map(round_up), [1.0, 2.0, 50.0, 1000.0, 2000.0]);
    }
}
