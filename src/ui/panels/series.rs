//! Choosing one of several DICOM series.

use crate::ui::action::Action;
use crate::ui::state::{Dialog, SeriesDialog};
use crate::ui::{theme, widgets};
use crate::volume::io::{SeriesInfo, SeriesKind};
use egui::{RichText, ScrollArea, Ui};

const LIST_HEIGHT: f32 = 360.0;

/// The list, the largest image first; what cannot be opened is listed with its reason.
pub(super) fn choose(ui: &mut Ui, choice: &SeriesDialog, actions: &mut Vec<Action>) {
    ui.heading("Which series?");
    let volumes = choice.series.iter().filter(|one| can_open(one)).count();
    widgets::weak(ui, format!("{} holds {volumes} image series.", choice.request.name()));
    let mut edited = choice.clone();
    ScrollArea::vertical().max_height(LIST_HEIGHT).show(ui, |ui| {
        for one in &choice.series {
            row(ui, one, &mut edited.chosen);
        }
    });
    ui.add_space(8.0);
    ui.horizontal(|ui| {
        if widgets::main_button(ui, "Open", !edited.chosen.is_empty(), Some(90.0)).clicked() {
            actions.push(Action::OpenSeries(edited.clone()));
        }
        if ui.button("Cancel").clicked() {
            actions.push(Action::CloseDialog);
        }
    });
    if edited != *choice {
        // Before an `OpenSeries` of the same frame, which must have the last word.
        actions.insert(0, Action::Edit(Dialog::Series(edited)));
    }
}

fn row(ui: &mut Ui, one: &SeriesInfo, chosen: &mut String) {
    ui.add_space(3.0);
    ui.add_enabled_ui(can_open(one), |ui| {
        if ui.radio(*chosen == one.id, title(one)).clicked() {
            chosen.clone_from(&one.id);
        }
    });
    ui.indent(&one.id, |ui| {
        widgets::weak(ui, size_in_words(one));
        for warning in &one.warnings {
            ui.add(egui::Label::new(RichText::new(warning).size(11.5).color(theme::of(ui).warning)).wrap());
        }
    });
}

fn can_open(one: &SeriesInfo) -> bool {
    matches!(one.kind, SeriesKind::Volume | SeriesKind::Scout)
}

/// "4 · CT · Abdomen portal venous".
fn title(one: &SeriesInfo) -> String {
    let number = one.number.map(|number| number.to_string());
    let parts = [number, Some(one.modality.clone()), Some(one.description.clone())];
    let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    parts.join(" · ")
}

/// "512×512×120 · 0.78×0.78×1.00 mm · scout".
fn size_in_words(one: &SeriesInfo) -> String {
    let dims = one.dims.map(|[i, j, k]| format!("{i}×{j}×{k}"));
    let spacing = one.spacing_mm.map(|[i, j, k]| format!("{i:.2}×{j:.2}×{k:.2} mm"));
    let volumes = (one.volumes > 1).then(|| format!("{} volumes", one.volumes));
    let kind = match one.kind {
        SeriesKind::Volume => None,
        SeriesKind::Scout => Some("scout".to_owned()),
        SeriesKind::NotAnImage => Some("no image".to_owned()),
        SeriesKind::Unreadable => Some("cannot be read".to_owned()),
    };
    let parts: Vec<String> = [dims, spacing, volumes, kind].into_iter().flatten().collect();
    parts.join(" · ")
}
