//! The one dialog above the panes: opening, exporting, keys, about.

use super::{about, preferences, series};
use crate::session::Role;
use crate::session::export::ExportContent;
use crate::ui::action::Action;
use crate::ui::state::{Dialog, ExportDialog, OpenDialog, OpenTarget, State};
use crate::ui::{theme, widgets};
use crate::volume::{LabelTable, Modality};
use egui::{ComboBox, Id, Key, Modal, RichText, TextEdit, Ui};
use std::path::PathBuf;

const WIDTH: f32 = 560.0;

/// Draws the open dialog, if any.
pub fn show(context: &egui::Context, state: &State, actions: &mut Vec<Action>) {
    let Some(dialog) = &state.dialog else { return };
    let modal = Modal::new(Id::unique("dialog")).show(context, |ui| {
        ui.set_width(WIDTH.min(ui.ctx().content_rect().width() - 60.0));
        match dialog {
            Dialog::Open(open) => open_file(ui, open, actions),
            Dialog::Export(export) => export_result(ui, export, actions),
            Dialog::Figure(figure) => super::figure::ask(ui, state, figure, actions),
            Dialog::Series(choice) => series::choose(ui, choice, actions),
            Dialog::Concerns(reasons) => concerns(ui, reasons, actions),
            Dialog::Keys => about::keys(ui),
            Dialog::Settings => preferences::show(ui, state, actions),
            Dialog::About => about::about(ui, state),
        }
        if matches!(dialog, Dialog::Keys | Dialog::Settings | Dialog::About) {
            ui.add_space(6.0);
            if ui.button("Close").clicked() {
                actions.push(Action::CloseDialog);
            }
        }
    });
    // Esc is handled with the other keys; here only a click beside the dialog remains.
    if modal.backdrop_response.clicked() {
        actions.push(Action::CloseDialog);
    }
}

fn open_file(ui: &mut Ui, open: &OpenDialog, actions: &mut Vec<Action>) {
    ui.heading(match open.target {
        OpenTarget::Labels => "Open labels",
        OpenTarget::Cohort => "Open a cohort",
        OpenTarget::ByModality | OpenTarget::Role(_) => "Open a scan",
    });
    let mut edited = open.clone();
    let entered = path_field(ui, &mut edited.path, actions);
    if edited.target == OpenTarget::Cohort {
        widgets::weak(
            ui,
            "The folder that mindgap batch or mindgap report wrote of several scans; a run may still be filling it.",
        );
    } else if edited.target == OpenTarget::Labels {
        table_choice(ui, &mut edited.table);
        labels_of_choice(ui, &mut edited.labels_of);
        widgets::weak(
            ui,
            "A label map on the grid of one of the open scans: whole numbers, in any format that is read.",
        );
    } else {
        choices(ui, &mut edited);
    }
    let ready = !edited.path.trim().is_empty();
    ui.add_space(8.0);
    ui.horizontal(|ui| {
        let pressed = widgets::main_button(ui, "Open", ready, Some(90.0)).clicked();
        if (pressed || entered) && ready {
            actions.push(Action::Open(edited.clone()));
        }
        if ui.button("Cancel").clicked() {
            actions.push(Action::CloseDialog);
        }
    });
    if edited != *open {
        // Before an `Open` of the same frame, which must have the last word.
        actions.insert(0, Action::Edit(Dialog::Open(edited)));
    }
}

/// What the numbers in the file mean.
fn table_choice(ui: &mut Ui, table: &mut &'static LabelTable) {
    ui.horizontal(|ui| {
        ui.label("Drawn with the table");
        let combo = ComboBox::from_id_salt("table").selected_text(table.name.as_str()).width(180.0);
        let shown = combo.show_ui(ui, |ui| {
            for choice in LabelTable::builtin().iter().filter(|choice| choice.task == table.task) {
                if ui.selectable_label(table.name == choice.name, choice.name.as_str()).clicked() {
                    *table = choice;
                }
            }
        });
        shown.response.accessible_name("Label table");
    });
}

/// Two scans may have one grid: then only the user knows.
fn labels_of_choice(ui: &mut Ui, labels_of: &mut Option<Role>) {
    ui.horizontal(|ui| {
        ui.label("They belong to");
        let owners = [
            (None, "the scan of their grid"),
            (Some(Role::Source), "the source"),
            (Some(Role::Target), "the target"),
        ];
        for (owner, name) in owners {
            ui.selectable_value(labels_of, owner, name);
        }
    });
}

fn choices(ui: &mut Ui, open: &mut OpenDialog) {
    ui.horizontal(|ui| {
        ui.label("Role");
        let roles = [
            (OpenTarget::ByModality, "by modality"),
            (OpenTarget::Role(Role::Source), "source"),
            (OpenTarget::Role(Role::Target), "target"),
        ];
        for (target, name) in roles {
            ui.selectable_value(&mut open.target, target, name);
        }
    });
    ui.horizontal(|ui| {
        ui.label("Modality");
        let modalities = [(None, "guess"), (Some(Modality::Ct), "CT"), (Some(Modality::Mr), "MR")];
        for (modality, name) in modalities {
            ui.selectable_value(&mut open.modality, modality, name);
        }
    });
}

/// What speaks against a run, before it begins.
fn concerns(ui: &mut Ui, reasons: &[String], actions: &mut Vec<Action>) {
    ui.heading("Before this is run");
    for reason in reasons {
        ui.horizontal(|ui| {
            widgets::dot(ui, theme::of(ui).warning);
            ui.add(egui::Label::new(reason).wrap());
        });
    }
    widgets::weak(
        ui,
        "The model may give labels that mean nothing. Whoever goes on is not asked again for these scans; it is recorded with every export.",
    );
    ui.add_space(8.0);
    ui.horizontal(|ui| {
        if widgets::main_button(ui, "Run all the same", true, Some(140.0)).clicked() {
            actions.push(Action::RunInSpite);
        }
        if ui.button("Do not run").clicked() {
            actions.push(Action::CloseDialog);
        }
    });
}

fn export_result(ui: &mut Ui, export: &ExportDialog, actions: &mut Vec<Action>) {
    ui.heading(format!("Export {}", export.content.name()));
    let mut edited = export.clone();
    let entered = path_field(ui, &mut edited.path, actions);
    if edited.path != export.path {
        (edited.confirm_overwrite, edited.writing) = (false, false);
    }
    let words = match export.content {
        ExportContent::Report => {
            "A folder with report.csv, report.json, report.png and report.pdf; no name of a patient is in them."
        }
        ExportContent::Labels => {
            "Written on the very grid of the scan, read back and compared before it is reported as saved. The ending \
             decides the format: .nii.gz, .nii, .seg.nrrd (a segmentation), .nrrd or .mha. Where it comes from is written \
             beside it."
        }
        _ => {
            "Written as float32 on the very grid of the scan, read back and compared before it is reported as saved. The \
             ending decides the format: .nii.gz, .nii, .nrrd or .mha. Where it comes from is written beside it."
        }
    };
    widgets::weak(ui, words);
    if let Some(trouble) = &edited.trouble {
        ui.add(egui::Label::new(RichText::new(trouble).color(theme::of(ui).error)).wrap());
    }
    if edited.confirm_overwrite {
        ui.label(RichText::new("This file is there already.").color(theme::of(ui).warning));
    }
    ui.add_space(8.0);
    ui.horizontal(|ui| {
        let ready = !edited.path.trim().is_empty() && !edited.writing;
        let text = match (edited.writing, edited.confirm_overwrite) {
            (true, _) => "Writing…",
            (false, true) => "Replace it",
            (false, false) => "Export",
        };
        let pressed = widgets::main_button(ui, text, ready, Some(90.0)).clicked();
        // Enter never replaces a file: only the button that says so does.
        if (pressed || entered && !edited.confirm_overwrite) && ready {
            let path = PathBuf::from(edited.path.trim());
            let overwrite = edited.confirm_overwrite;
            let (role, content) = (edited.role, edited.content);
            actions.push(Action::Export { role, content, path, overwrite });
        }
        if ui.button("Cancel").clicked() {
            actions.push(Action::CloseDialog);
        }
    });
    if edited != *export {
        actions.insert(0, Action::Edit(Dialog::Export(edited)));
    }
}

/// A path to type, with a button for the system's own dialog; returns whether Enter was pressed in it.
pub(super) fn path_field(ui: &mut Ui, path: &mut String, actions: &mut Vec<Action>) -> bool {
    ui.horizontal(|ui| {
        let width = ui.available_width() - 100.0;
        let field =
            ui.add(TextEdit::singleline(path).desired_width(width).hint_text("path of a file or a folder"));
        let field = field.accessible_name("Path");
        let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        // The dialog opens ready to be typed into.
        if !entered && ui.memory(|memory| memory.focused().is_none()) {
            field.request_focus();
        }
        if ui.button("Browse…").clicked() {
            actions.push(Action::Browse);
        }
        entered
    })
    .inner
}
