//! The report of the prediction, structure by structure: what the gap is in and around each, and what speaks against it.
//!
//! Shows the same numbers as the exported report; they are made on a thread, once a prediction.

use crate::eval::gap::{Flag, GapReport, GapSpread, StructureGap};
use crate::session::export::ExportContent;
use crate::ui::action::Action;
use crate::ui::state::State;
use crate::ui::update::export_dialog;
use crate::ui::{theme, widgets};
use egui::{Align, Button, Color32, Grid, Label, Layout, Response, RichText, ScrollArea, Ui};

const COLUMNS: [(&str, &str); 8] = [
    ("Structure", "A click goes to it"),
    ("Volume", "Of the predicted structure"),
    ("Gap inside", "Mean and 95th percentile of a(p) over its voxels, 0 to 1"),
    ("5 mm shell", "Mean and 95th percentile over the voxels within 5 mm of it"),
    ("Outside", "Mean and 95th percentile over the rest of the body"),
    ("Uncertainty", "Mean of the normalised entropy inside, 0 to 1"),
    ("Islands", "Parts that share no face, edge or corner"),
    ("Flags", "What speaks against the prediction: a reason to look, no verdict"),
];

/// Draws the report, and asks for it where it has not been made.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let role = state.view.inspected;
    let Some(prediction) = state.study.prediction(role).filter(|prediction| prediction.whole) else {
        widgets::weak(
            ui,
            format!("There is no finished prediction of the {} yet.", role.name().to_lowercase()),
        );
        return;
    };
    match state.report.of(prediction) {
        None => {
            widgets::weak(ui, "The report is being made.");
            if !state.report.making {
                actions.push(Action::MakeReport(role));
            }
        }
        Some(Err(trouble)) => {
            ui.add(Label::new(RichText::new(trouble).color(theme::of(ui).error)).wrap());
        }
        Some(Ok(report)) => {
            ui.horizontal(|ui| {
                ui.label(theme::title(format!("Gap report of the {}", role.name().to_lowercase()), 13.0));
                let dialog = export_dialog(state, ExportContent::Report);
                let button = ui.add_enabled(dialog.is_some(), Button::new("Export report…"));
                if let Some(dialog) = dialog.filter(|_| button.clicked()) {
                    actions.push(Action::Show(dialog));
                }
                widgets::weak(ui, format!("Gaps: mean · 95th percentile of a(p), 0 to 1. {}", report.notice));
            });
            ScrollArea::both().auto_shrink(false).show(ui, |ui| {
                ui.horizontal_top(|ui| {
                    ui.vertical(|ui| table(ui, report, actions));
                    ui.add_space(18.0);
                    ui.vertical(|ui| reasons(ui, report, actions));
                });
            });
        }
    }
}

fn table(ui: &mut Ui, report: &GapReport, actions: &mut Vec<Action>) {
    let weak = theme::of(ui).weak;
    Grid::new("report").num_columns(COLUMNS.len()).striped(true).spacing([22.0, 5.0]).show(ui, |ui| {
        for (name, meaning) in COLUMNS {
            cell(ui, name, weak).on_hover_text(meaning);
        }
        ui.end_row();
        for structure in &report.measure.structures {
            row(ui, report, structure, actions);
            ui.end_row();
        }
        let body = &report.measure.body;
        let colour = theme::of(ui).text;
        cell(ui, "Whole body", weak);
        cell(ui, &volume(body.volume_ml, body.voxels), colour);
        cell(ui, &spread(body.gap), colour);
        cell(ui, "", colour);
        cell(ui, "", colour);
        cell(ui, &number(body.mean_uncertainty), colour);
        ui.end_row();
    });
}

fn row(ui: &mut Ui, report: &GapReport, structure: &StructureGap, actions: &mut Vec<Action>) {
    let colours = theme::of(ui);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 5.0;
        let [r, g, b] = structure.rgb;
        widgets::dot(ui, Color32::from_rgb(r, g, b));
        let name = Button::new(RichText::new(&structure.name).size(13.0)).frame(false);
        let go = ui.add_enabled(structure.voxels > 0, name);
        let named = format!("Go to {}", structure.name.to_lowercase());
        if go.accessible_name(named).on_hover_text("Moves the crosshair there").clicked() {
            actions.push(Action::GoToStructure(structure.label));
        }
    });
    cell(ui, &volume(structure.volume_ml, structure.voxels), colours.text);
    for gap in [structure.inside, structure.shell, structure.outside] {
        cell(ui, &spread(gap), colours.text);
    }
    cell(ui, &number(structure.mean_uncertainty), colours.text);
    cell(ui, &structure.islands.to_string(), colours.text);
    ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
        let flags: Vec<&Flag> = of(report, structure).collect();
        if flags.is_empty() {
            cell(ui, "none", colours.weak);
        }
        for (at, flag) in flags.iter().enumerate() {
            let comma = if at + 1 < flags.len() { "," } else { "" };
            cell(ui, &format!("{}{comma}", flag.kind.title()), colours.warning).on_hover_text(&flag.reason);
        }
    });
}

/// The flags in full sentences, for who does not hover.
fn reasons(ui: &mut Ui, report: &GapReport, actions: &mut Vec<Action>) {
    if !report.flags.is_empty() {
        widgets::weak(ui, "What speaks against the prediction");
    }
    for flag in &report.flags {
        ui.horizontal(|ui| {
            widgets::dot(ui, theme::of(ui).warning);
            let words = format!("{}, {}: {}", flag.structure, flag.kind.title(), flag.reason);
            let said = ui.add(Button::new(RichText::new(words).size(12.0)).frame(false));
            if said.clicked() {
                actions.push(Action::GoToStructure(flag.label));
            }
        });
    }
    for warning in &report.measure.warnings {
        ui.add(Label::new(RichText::new(warning).size(12.0).color(theme::of(ui).warning)).wrap());
    }
}

fn of<'a>(report: &'a GapReport, structure: &StructureGap) -> impl Iterator<Item = &'a Flag> {
    let label = structure.label;
    report.flags.iter().filter(move |flag| flag.label == label)
}

fn cell(ui: &mut Ui, text: &str, colour: Color32) -> Response {
    ui.label(RichText::new(text).size(13.0).color(colour))
}

fn volume(volume_ml: Option<f64>, voxels: usize) -> String {
    volume_ml.map_or_else(|| format!("{voxels} voxels"), widgets::millilitres)
}

/// "0.31 · 0.58": mean and 95th percentile.
fn spread(gap: Option<GapSpread>) -> String {
    gap.map_or_else(|| "–".to_owned(), |gap| format!("{:.2} · {:.2}", gap.mean, gap.p95))
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"))
}
