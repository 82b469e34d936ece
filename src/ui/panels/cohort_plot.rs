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
    let plot = Rect::from_min_max(area.min + vec2(40.0, 22.0), area.max - vec2(8.0, 24.0));
    if plot.width() < 60.0 || plot.height() < 40.0 {
        return;
    }
    let tops = tops(cohort, measure);
    axes(ui, plot, cohort, measure, &tops);
    let dots = dots(plot, cohort, measure, &tops);
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

/// The value at the upper end of each structure's column: of volumes round and its own, for livers dwarf kidneys; of gaps
/// the same for all, so that they can be compared.
fn tops(cohort: &Cohort, measure: CohortMeasure) -> Vec<f64> {
    let most = |of: &(u16, String)| {
        let values = cohort.cases.iter().filter_map(|case| measure.of(case, of));
        values.fold(0.0, f64::max)
    };
    let each: Vec<f64> = cohort.structures.iter().map(most).collect();
    match measure {
        CohortMeasure::Volume => each.into_iter().map(|most| round_up(most.max(1.0))).collect(),
        CohortMeasure::Gap => {
            let all = each.iter().copied().fold(f64::from(GAP_RANGE[1]), f64::max);
            vec![all; each.len()]
        }
    }
}

/// The next of 1, 2 and 5 times a power of ten.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|step| step * power).into_iter().find(|step| *step >= value).unwrap_or(value)
}

fn axes(ui: &Ui, plot: Rect, cohort: &Cohort, measure: CohortMeasure, tops: &[f64]) {
    let colours = theme::of(ui);
    let painter = ui.painter();
    let write = |at: Pos2, align: Align2, words: &str, colour: Color32| {
        painter.text(at, align, words, FontId::proportional(10.5), colour);
    };
    for quarter in 0..=4 {
        let y = plot.bottom() - quarter as f32 / 4.0 * plot.height();
        painter.hline(plot.x_range(), y, Stroke::new(1.0, colours.line));
    }
    write(plot.left_bottom() - vec2(6.0, 0.0), Align2::RIGHT_CENTER, "0", colours.weak);
    for (column, ((_, name), top)) in cohort.structures.iter().zip(tops).enumerate() {
        let x = column_x(plot, column, cohort.structures.len());
        write(pos2(x, plot.bottom() + 6.0), Align2::CENTER_TOP, name, colours.text);
        let top = format!("{:.1} {}", top, measure.unit()).replace(".0 ", " ");
        write(pos2(x, plot.top() - 5.0), Align2::CENTER_BOTTOM, &top, colours.weak);
    }
}

fn column_x(plot: Rect, column: usize, columns: usize) -> f32 {
    plot.left() + plot.width() * (column as f32 + 0.5) / columns.max(1) as f32
}

fn dots(plot: Rect, cohort: &Cohort, measure: CohortMeasure, tops: &[f64]) -> Vec<Dot> {
    let columns = cohort.structures.len();
    let width = plot.width() / columns.max(1) as f32 * SPREAD;
    let mut dots = Vec::new();
    for (column, (structure, top)) in cohort.structures.iter().zip(tops).enumerate() {
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
