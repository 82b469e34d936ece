//! A cohort as a table, a row a case, beside a plot of its structures; a click on a case opens it.

use super::cohort_plot;
use crate::session::cohort::{Case, CaseState, Cohort};
use crate::ui::action::{Action, CohortAction};
use crate::ui::state::{CohortColumn, CohortMeasure, OpenDialog, OpenTarget, State};
use crate::ui::{state::Dialog, theme, widgets};
use egui::{Align, Button, Label, Layout, RichText, ScrollArea, TextEdit, Ui, UiBuilder, vec2};

const ROW_HEIGHT: f32 = 20.0;
const PLOT_WIDTH: f32 = 400.0;
/// A window narrower than this has room for the table alone.
const ROOM_FOR_PLOT: f32 = 900.0;

/// Draws the cohort that was read, or how one is opened.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    head(ui, state, actions);
    // In a place of its own, so that what follows stays the same to egui whether something is said or not.
    ui.scope(|ui| {
        if let Some(told) = &state.cohort.told {
            ui.add(Label::new(RichText::new(told).size(12.5).color(theme::of(ui).warning)).wrap());
        }
    });
    let Some(cohort) = &state.cohort.cohort else {
        if !state.cohort.reading {
            widgets::weak(
                ui,
                "Open or drop the folder that mindgap batch or mindgap report wrote; a run may still be filling it.",
            );
        }
        return;
    };
    let area = ui.available_rect_before_wrap();
    let plotted = area.width() > ROOM_FOR_PLOT && !cohort.structures.is_empty();
    let (left, right) = area.split_left_right_at_x(area.right() - if plotted { PLOT_WIDTH } else { 0.0 });
    ui.scope_builder(UiBuilder::new().max_rect(left), |ui| table(ui, state, cohort, actions));
    if plotted {
        ui.scope_builder(UiBuilder::new().max_rect(right.shrink2(vec2(10.0, 0.0))), |ui| {
            cohort_plot::show(ui, state, cohort, actions);
        });
    }
}

/// Which folder it is, how many cases, and where their scans are looked for.
fn head(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        if ui.button("Open cohort folder…").clicked() {
            let dialog = OpenDialog::new(OpenTarget::Cohort, state.task);
            actions.push(Action::Show(Dialog::Open(dialog)));
        }
        let Some(cohort) = &state.cohort.cohort else { return };
        if ui.add_enabled(!state.cohort.reading, Button::new("Read again")).clicked() {
            actions.push(Action::Cohort(CohortAction::Open(cohort.folder.clone())));
        }
        ui.label(RichText::new(counted(cohort)).size(13.0))
            .on_hover_text(cohort.folder.display().to_string());
        ui.scope(|ui| {
            if let Some(case) = &state.cohort.looking_for {
                widgets::weak(ui, format!("looking for the scan of {}", shown_name(state, case)));
            }
        });
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if ui.button("Browse…").accessible_name("Browse for the scans").clicked() {
                actions.push(Action::Cohort(CohortAction::BrowseScans));
            }
            let mut folder = state.cohort.scans_in.clone();
            let field =
                TextEdit::singleline(&mut folder).desired_width(230.0).hint_text("folder of the scans");
            if ui.add(field).accessible_name("Folder of the scans").changed() {
                actions.push(Action::Cohort(CohortAction::ScansIn(folder)));
            }
            widgets::weak(ui, "Scans are looked for in");
        });
    });
}

/// "12 cases: 10 finished, 1 in progress, 1 failed".
fn counted(cohort: &Cohort) -> String {
    let of = |status: &str| cohort.cases.iter().filter(|case| case.status() == status).count();
    let states = ["finished", "in progress", "unreadable", "failed"];
    let parts = states.map(|status| (of(status), status)).into_iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts.map(|(count, status)| format!("{count} {status}")).collect();
    let cases = if cohort.cases.len() == 1 { "case" } else { "cases" };
    format!("{} {cases}: {}", cohort.cases.len(), parts.join(", "))
}

/// A column: what it is, how it is called, how wide it is.
fn columns(cohort: &Cohort) -> Vec<(CohortColumn, String, f32)> {
    let mut columns = vec![
        (CohortColumn::Case, "Case".to_owned(), 150.0),
        (CohortColumn::Status, "Status".to_owned(), 76.0),
        (CohortColumn::Flags, "Flags".to_owned(), 46.0),
        (CohortColumn::MeanGap, "Mean gap".to_owned(), 72.0),
    ];
    for measure in CohortMeasure::ALL {
        for (at, (_, name)) in cohort.structures.iter().enumerate() {
            let what = if measure == CohortMeasure::Volume { "mL" } else { "gap" };
            let title = format!("{name} {what}");
            let width = 12.0 + 6.2 * title.chars().count() as f32;
            columns.push((CohortColumn::Measure(measure, at), title, width));
        }
    }
    columns
}

fn table(ui: &mut Ui, state: &State, cohort: &Cohort, actions: &mut Vec<Action>) {
    let columns = columns(cohort);
    let rows = state.cohort.sort.rows(cohort);
    ui.spacing_mut().item_spacing = vec2(4.0, 2.0);
    // Of which the height of all rows together is reckoned.
    ui.spacing_mut().interact_size.y = ROW_HEIGHT;
    ui.spacing_mut().button_padding = vec2(2.0, 1.0);
    ScrollArea::horizontal().id_salt("cohort columns").auto_shrink(false).show(ui, |ui| {
        ui.horizontal(|ui| header(ui, state, &columns, actions));
        let body = ScrollArea::vertical().id_salt("cohort rows").auto_shrink(false);
        body.show_rows(ui, ROW_HEIGHT, rows.len(), |ui, range| {
            for at in range.filter_map(|row| rows.get(row).copied()) {
                ui.horizontal(|ui| row(ui, state, (cohort, at), &columns, actions));
            }
        });
    });
}

fn header(ui: &mut Ui, state: &State, columns: &[(CohortColumn, String, f32)], actions: &mut Vec<Action>) {
    let sort = state.cohort.sort;
    for (column, title, width) in columns {
        let arrow = match (sort.by == *column, sort.descending) {
            (false, _) => "",
            (true, false) => " ↑",
            (true, true) => " ↓",
        };
        let words = RichText::new(format!("{title}{arrow}")).size(12.0).color(theme::of(ui).weak);
        let button = ui.add_sized([*width, ROW_HEIGHT], Button::new(words).frame(false));
        if button.accessible_name(format!("Sort by {title}")).clicked() {
            actions.push(Action::Cohort(CohortAction::SortBy(*column)));
        }
    }
}

fn row(
    ui: &mut Ui,
    state: &State,
    (cohort, at): (&Cohort, usize),
    columns: &[(CohortColumn, String, f32)],
    actions: &mut Vec<Action>,
) {
    let Some(case) = cohort.cases.get(at) else { return };
    for (column, _, width) in columns {
        let size = [*width, ROW_HEIGHT];
        if *column == CohortColumn::Case {
            let words = RichText::new(shown_name(state, &case.name)).size(12.5);
            let name = Button::new(words).frame(false).truncate();
            let flush_left = Layout::left_to_right(Align::Center);
            let button = ui.allocate_ui_with_layout(size.into(), flush_left, |ui| {
                ui.set_min_width(*width);
                ui.add(name)
            });
            let button = button.inner;
            if button.on_hover_text("Opens its scan and labels").clicked() {
                actions.push(Action::Cohort(CohortAction::OpenCase(at)));
            }
            continue;
        }
        let colour = match (column, &case.state) {
            (CohortColumn::Status, CaseState::Failed { .. } | CaseState::Unreadable(_)) => {
                theme::of(ui).error
            }
            (CohortColumn::Flags, _) if has_flags(case) => theme::of(ui).warning,
            _ => theme::of(ui).text,
        };
        let words = RichText::new(in_words(cohort, case, *column)).size(12.5).color(colour);
        let cell = ui.add_sized(size, Label::new(words));
        if let Some(more) = explained(case, *column) {
            cell.on_hover_text(more);
        }
    }
}

fn has_flags(case: &Case) -> bool {
    case.record().is_some_and(|record| !record.flags.is_empty())
}

fn in_words(cohort: &Cohort, case: &Case, column: CohortColumn) -> String {
    let number = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
    };
    match column {
        CohortColumn::Case => case.name.clone(),
        CohortColumn::Status => case.status().to_owned(),
        CohortColumn::Flags => {
            case.record().map_or_else(|| "–".to_owned(), |record| record.flags.len().to_string())
        }
        CohortColumn::MeanGap => number(case.mean_gap(), 2),
        CohortColumn::Measure(measure, at) => {
            let value = cohort.structures.get(at).and_then(|structure| measure.of(case, structure));
            number(value, if measure == CohortMeasure::Volume { 1 } else { 2 })
        }
    }
}

/// Why it failed, or what its flags are.
fn explained(case: &Case, column: CohortColumn) -> Option<String> {
    match (column, &case.state) {
        (CohortColumn::Status, CaseState::Failed { reason, .. } | CaseState::Unreadable(reason)) => {
            Some(reason.clone())
        }
        (CohortColumn::Flags, CaseState::Finished { record, .. }) => {
            let flags = record.flags.iter().map(|flag| format!("{}: {}", flag.structure, flag.reason));
            let lines: Vec<String> = flags.collect();
            (!lines.is_empty()).then(|| lines.join("\n"))
        }
        _ => None,
    }
}

/// A case that is not called by its hash may be called like a patient.
pub(super) fn shown_name<'a>(state: &State, name: &'a str) -> &'a str {
    if state.view.hide_identity && !name.starts_with("case-") { "name hidden" } else { name }
}
