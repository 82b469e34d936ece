//! The right side: structures with volumes, the gap's threshold, how labels are painted, and the export.

use super::contrast;
use crate::protocol::{Refinement, RefinementVerdict};
use crate::session::export::ExportContent;
use crate::session::{Prediction, Role, StructureSummary};
use crate::ui::action::Action;
use crate::ui::state::{Drawer, GAP_RANGE, GapOptions, LabelOptions, State};
use crate::ui::update::export_dialog;
use crate::ui::{theme, widgets};
use crate::volume::LabelEntry;
use egui::{Align, Layout, Popup, PopupCloseBehavior, Response, RichText, Slider, Ui};
use std::collections::BTreeSet;

/// Draws the panel.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    egui::Panel::bottom("export").frame(egui::Frame::NONE).show_separator_line(false).show(ui, |ui| {
        ui.add_space(6.0);
        ui.vertical_centered(|ui| export(ui, state, actions));
        ui.add_space(8.0);
    });
    egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| measured(ui, state, actions));
}

fn measured(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    ui.spacing_mut().item_spacing.y = 4.0;
    let prediction = state.study.prediction(state.view.inspected).filter(|prediction| prediction.whole);
    widgets::section(ui, "Structures");
    structures(ui, state, prediction.map(|p| p.as_ref()), actions);
    labels(ui, state, actions);
    widgets::section(ui, "Domain gap");
    gap(ui, state, actions);
    if let Some(prediction) = prediction {
        coverage(ui, state, prediction);
        mean_gaps(ui, prediction, actions);
    }
    contrast::show(ui, state, actions);
    inspected(ui, state, actions);
}

fn structures(ui: &mut Ui, state: &State, prediction: Option<&Prediction>, actions: &mut Vec<Action>) {
    for entry in &state.table().entries {
        let shown = !state.hidden_labels.contains(&entry.value);
        let summary = prediction.and_then(|p| p.structures.iter().find(|s| s.label == entry.value));
        let row = ui.horizontal(|ui| {
            let swatch = widgets::swatch(ui, entry.rgb, shown, &format!("More about {}", entry.name));
            more(&swatch, state, entry, summary, actions);
            let colour = if shown { theme::of(ui).text } else { theme::of(ui).weak };
            let button = egui::Button::new(RichText::new(&entry.name).color(colour).size(14.5)).frame(false);
            let hover = if shown { "Click hides it in every pane" } else { "Click shows it again" };
            if ui.add(button).on_hover_text(hover).clicked() {
                actions.push(Action::ToggleStructure(entry.value));
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let volume = ui.label(RichText::new(volume_in_words(summary)).size(14.5).color(colour));
                let refined = prediction.and_then(|p| p.refinement.iter().find(|r| r.label == entry.value));
                if let Some(refined) = refined {
                    volume.on_hover_text(refinement_in_words(refined));
                }
            });
        });
        if row.response.contains_pointer() {
            actions.push(Action::Highlight(entry.value));
        }
        ui.separator();
    }
}

/// What can be done with one structure, behind its colour.
fn more(
    swatch: &Response,
    state: &State,
    entry: &LabelEntry,
    summary: Option<&StructureSummary>,
    actions: &mut Vec<Action>,
) {
    let stays_open = PopupCloseBehavior::CloseOnClickOutside;
    Popup::menu(swatch).close_behavior(stays_open).show(|ui| {
        ui.set_width(190.0);
        let mut opacity = state.label_opacity(entry.value);
        if slider(ui, &format!("Opacity of {}", entry.name.to_lowercase()), &mut opacity, [0.0, 1.0]) {
            actions.push(Action::SetStructureOpacity(entry.value, opacity));
        }
        if ui.button("Show it alone").clicked() {
            actions.push(Action::ShowOnly(Some(entry.value)));
        }
        if ui.button("Show all").clicked() {
            actions.push(Action::ShowOnly(None));
        }
        let found = summary.is_some_and(|summary| summary.focus_mm.is_some());
        if ui.add_enabled(found, egui::Button::new("Go to it")).clicked() {
            actions.push(Action::GoToStructure(entry.value));
        }
    });
}

fn volume_in_words(summary: Option<&StructureSummary>) -> String {
    match summary {
        None => "–".to_owned(),
        Some(StructureSummary { voxels: 0, .. }) => "none found".to_owned(),
        Some(StructureSummary { volume_ml: Some(ml), .. }) => widgets::millilitres(*ml),
        Some(StructureSummary { voxels, .. }) => format!("{voxels} voxels"),
    }
}

fn refinement_in_words(refinement: &Refinement) -> String {
    match (refinement.verdict, refinement.change_ml) {
        (RefinementVerdict::Sure, _) => "Left as the net drew it: the net is sure".to_owned(),
        (RefinementVerdict::Kept, _) => "Left as the net drew it: nothing better was found".to_owned(),
        (RefinementVerdict::Refined, None) => "Refined".to_owned(),
        (RefinementVerdict::Refined, Some(ml)) => format!("Refined by {ml:+.1} mL from what the net drew"),
    }
}

fn slider(ui: &mut Ui, name: &str, value: &mut f32, range: [f32; 2]) -> bool {
    ui.horizontal(|ui| {
        ui.label(name);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| ui.label(format!("{value:.2}")));
    });
    ui.spacing_mut().slider_width = ui.available_width();
    let slider = Slider::new(value, range[0]..=range[1]).show_value(false);
    ui.add(slider).accessible_name(name).changed()
}

fn labels(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let LabelOptions { mut shown, mut fill_opacity, mut outline } = state.view.labels;
    let mut changed = false;
    ui.horizontal(|ui| {
        changed |= ui.checkbox(&mut shown, "Labels  S").changed();
        changed |= ui.checkbox(&mut outline, "Outline  O").changed();
    });
    changed |= slider(ui, "Label opacity", &mut fill_opacity, [0.0, 1.0]);
    if changed {
        actions.push(Action::SetLabels(LabelOptions { shown, fill_opacity, outline }));
    }
}

fn gap(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let GapOptions { mut shown, mut uncertainty, mut opacity, mut threshold } = state.view.gap;
    let mut changed = false;
    ui.horizontal(|ui| {
        changed |= ui.checkbox(&mut shown, "Heat map  G").changed();
        changed |= ui.checkbox(&mut uncertainty, "Uncertainty  T").changed();
    });
    changed |= slider(ui, "Gap threshold", &mut threshold, GAP_RANGE);
    changed |= slider(ui, "Gap opacity", &mut opacity, [0.0, 1.0]);
    if changed {
        actions.push(Action::SetGap(GapOptions { shown, uncertainty, opacity, threshold }));
    }
}

/// How much has a gap of at least the threshold, while it is dragged.
fn coverage(ui: &mut Ui, state: &State, prediction: &Prediction) {
    let Some(coverage) = &prediction.coverage else { return };
    let threshold = state.view.gap.threshold;
    let percent =
        |share: Option<f64>| share.map_or("–".to_owned(), |share| format!("{:.0} %", 100.0 * share));
    let body = percent(coverage.body(threshold));
    ui.label(RichText::new(format!("{body} of the body at {threshold:.2} or more")).size(12.5));
    ui.horizontal_wrapped(|ui| {
        for entry in &state.table().entries {
            let [r, g, b] = entry.rgb;
            widgets::dot(ui, egui::Color32::from_rgb(r, g, b));
            let share = percent(coverage.structure(entry.value, threshold));
            ui.label(RichText::new(share).size(12.0))
                .on_hover_text(format!("of {}", entry.name.to_lowercase()));
        }
    });
}

/// The structures with the widest gap first.
fn mean_gaps(ui: &mut Ui, prediction: &Prediction, actions: &mut Vec<Action>) {
    ui.add_space(6.0);
    let mut rows: Vec<(&StructureSummary, f64)> =
        prediction.structures.iter().filter_map(|s| Some((s, s.mean_gap?))).collect();
    rows.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (summary, gap) in rows {
        ui.horizontal(|ui| {
            ui.label(RichText::new(&summary.name).size(14.0));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                // One width for every number, so that the bars start and end together.
                ui.add_sized([34.0, 18.0], egui::Label::new(RichText::new(format!("{gap:.2}")).size(14.0)));
                let part = gap as f32 / GAP_RANGE[1];
                widgets::bar(ui, part, 84.0, theme::of(ui).data, &format!("Mean gap of {}", summary.name));
            });
        });
    }
    widgets::weak(ui, "Mean of the model's own mask inside each structure: not a diagnosis.");
    if ui.small_button("Report by structure  R").clicked() {
        actions.push(Action::ShowDrawer(Some(Drawer::Report)));
    }
}

fn inspected(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    widgets::section(ui, "Gap and prediction of");
    ui.horizontal(|ui| {
        for role in [Role::Target, Role::Source] {
            let chosen = state.view.inspected == role;
            if ui.selectable_label(chosen, format!("the {}", role.name().to_lowercase())).clicked() {
                actions.push(Action::Inspect(role));
            }
        }
    });
    let missing = state.view.inspected == Role::Source && state.study.prediction(Role::Source).is_none();
    if missing {
        let ready = state.run_obstacle().is_none();
        if ui.add_enabled(ready, egui::Button::new("Segment the source too")).clicked() {
            actions.push(Action::RunOnSource);
        }
    }
    let prediction = state.study.prediction(state.view.inspected);
    let of_prediction = prediction.iter().flat_map(|prediction| &prediction.warnings);
    let synthesis = state.study.synthesis();
    let of_synthesis = synthesis.iter().flat_map(|synthesis| &synthesis.warnings);
    let warnings: BTreeSet<&String> = of_prediction.chain(of_synthesis).collect();
    for warning in warnings {
        ui.add(egui::Label::new(RichText::new(warning).size(11.5).color(theme::of(ui).warning)).wrap());
    }
}

fn export(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let dialog = export_dialog(state, ExportContent::Labels);
    let width = ui.available_width();
    let button = widgets::main_button(ui, "Export labelled volume…", dialog.is_some(), Some(width));
    let button = button.on_disabled_hover_text("There is no finished prediction to export yet");
    if let Some(dialog) = dialog.filter(|_| button.clicked()) {
        actions.push(Action::Show(dialog));
    }
}
