//! The left side: which scans are open in which role, and which model works on them.

use super::style;
use crate::session::{OpenScan, Role};
use crate::ui::action::Action;
use crate::ui::state::{Dialog, EngineStatus, OpenDialog, OpenTarget, State};
use crate::ui::views::content::model_title;
use crate::ui::{theme, widgets};
use crate::volume::io::{OpenOptions, nifti::SpatialHeader};
use crate::volume::{Geometry, Modality};
use egui::{Button, ComboBox, RichText, Ui};

/// Draws the panel.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    widgets::section(ui, "Study");
    for role in Role::ALL {
        scan_card(ui, state, role, actions);
        ui.add_space(2.0);
    }
    for opening in &state.opening {
        let shown = if state.view.hide_identity { "a scan" } else { &opening.name };
        widgets::weak(ui, format!("opening {shown} …"));
    }
    widgets::section(ui, "Model");
    model_picker(ui, state, actions);
    model_card(ui, state, actions);
    style::show(ui, state, actions);
}

fn scan_card(ui: &mut Ui, state: &State, role: Role, actions: &mut Vec<Action>) {
    widgets::card(ui, |ui| match state.study.scan(role) {
        Some(scan) => open_card(ui, state, role, scan, actions),
        None => {
            let expected = state.expected_modality(role).name();
            ui.label(theme::title(format!("{} · {expected}", role.name()), 13.0));
            widgets::weak(ui, "nothing open: drop a file or a DICOM folder here");
            open_button(ui, state, role, actions);
        }
    });
}

fn open_card(ui: &mut Ui, state: &State, role: Role, scan: &OpenScan, actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        ui.label(theme::title(format!("{} ·", role.name()), 13.0));
        modality_choice(ui, role, scan.modality, actions);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            open_button(ui, state, role, actions)
        });
    });
    let name = match (scan.is_phantom(), state.view.hide_identity) {
        (true, _) => "bundled phantom",
        (false, true) => "name hidden",
        (false, false) => &scan.name,
    };
    ui.add(egui::Label::new(name).truncate()).on_hover_text(name);
    widgets::weak(ui, grid_in_words(scan.geometry()));
    widgets::weak(ui, format!("{} · {}", scan.scan.format, scan.scan.voxels().dtype()));
    volume_choice(ui, role, scan, actions);
    form_choice(ui, role, scan, actions);
    let expected = state.expected_modality(role);
    if state.card().is_some() && scan.modality != expected {
        let words =
            format!("Looks like {}; this model expects {} here.", scan.modality.name(), expected.name());
        ui.add(egui::Label::new(RichText::new(words).size(11.5).color(theme::of(ui).warning)).wrap());
    }
    for warning in scan.scan.warnings.iter().map(String::as_str).chain(scan.doubt) {
        ui.add(egui::Label::new(RichText::new(warning).size(11.5).color(theme::of(ui).warning)).wrap());
    }
}

/// "volume 3/20" with a step to either side, where the file holds several.
fn volume_choice(ui: &mut Ui, role: Role, scan: &OpenScan, actions: &mut Vec<Action>) {
    let (volume, volumes) = (scan.scan.volume, scan.scan.volumes);
    if volumes < 2 {
        return;
    }
    let read_volume =
        |volume| Action::Reopen(role, OpenOptions { volume: Some(volume), ..scan.request.options.clone() });
    ui.horizontal(|ui| {
        let name = |which: &str| format!("{which} volume of the {}", role.name().to_lowercase());
        let back = ui.add_enabled(volume > 0, Button::new("◀").small());
        if back.accessible_name(name("Previous")).clicked() {
            actions.push(read_volume(volume - 1));
        }
        widgets::weak(ui, format!("volume {}/{volumes}", volume + 1));
        let on = ui.add_enabled(volume + 1 < volumes, Button::new("▶").small());
        if on.accessible_name(name("Next")).clicked() {
            actions.push(read_volume(volume + 1));
        }
    });
}

/// Offers the other of two forms that contradict each other; the warning beside it says by how much.
fn form_choice(ui: &mut Ui, role: Role, scan: &OpenScan, actions: &mut Vec<Action>) {
    let conflict = |nifti: &SpatialHeader| nifti.forms_conflict(scan.geometry().dims());
    if !scan.scan.nifti.as_ref().is_some_and(conflict) {
        return;
    }
    let options = &scan.request.options;
    let words = if options.prefer_qform { "Use the sform" } else { "Use the qform" };
    if ui.small_button(words).clicked() {
        let prefer_qform = !options.prefer_qform;
        actions.push(Action::Reopen(role, OpenOptions { prefer_qform, ..options.clone() }));
    }
}

fn modality_choice(ui: &mut Ui, role: Role, modality: Modality, actions: &mut Vec<Action>) {
    let name = format!("Modality of the {}", role.name().to_lowercase());
    let combo = ComboBox::from_id_salt(&name).selected_text(modality.name()).width(54.0);
    let shown = combo.show_ui(ui, |ui| {
        for choice in [Modality::Ct, Modality::Mr] {
            if ui.selectable_label(modality == choice, choice.name()).clicked() {
                actions.push(Action::SetModality(role, choice));
            }
        }
    });
    shown.response.accessible_name(name);
}

fn open_button(ui: &mut Ui, state: &State, role: Role, actions: &mut Vec<Action>) {
    let name = format!("Open {}", role.name().to_lowercase());
    if ui.small_button("Open…").accessible_name(name).clicked() {
        let dialog = OpenDialog::new(OpenTarget::Role(role), state.task);
        actions.push(Action::Show(Dialog::Open(dialog)));
    }
}

/// "122×101×112 · 3.0 mm · RAS".
fn grid_in_words(geometry: &Geometry) -> String {
    let [i, j, k] = geometry.dims();
    let spacing = geometry.spacing_mm();
    let even = spacing.iter().all(|mm| (mm - spacing[0]).abs() < 0.005);
    let size = match (geometry.spacing_known(), even) {
        (false, _) => "voxel size unknown".to_owned(),
        (true, true) => format!("{} mm", millimetres(spacing[0])),
        (true, false) => format!("{} mm", spacing.map(millimetres).join("×")),
    };
    let codes = geometry.axcodes().unwrap_or_else(|| "orientation unknown".to_owned());
    format!("{i}×{j}×{k} · {size} · {codes}")
}

/// Two decimals at most, and none that say nothing: "0.78", "1.5", "3".
fn millimetres(length_mm: f64) -> String {
    let fixed = format!("{length_mm:.2}");
    fixed.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn model_picker(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let chosen = state.card().map_or_else(|| "none".to_owned(), model_title);
    let combo = ComboBox::from_id_salt("model").selected_text(chosen).width(ui.available_width());
    let shown = combo.show_ui(ui, |ui| {
        for (index, entry) in state.models.iter().enumerate() {
            if ui.selectable_label(state.model == Some(index), model_title(&entry.card)).clicked() {
                actions.push(Action::SelectModel(index));
            }
        }
    });
    shown.response.accessible_name("Model");
}

fn model_card(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    widgets::card(ui, |ui| {
        match state.card() {
            Some(card) => card_facts(ui, card),
            None => {
                let trouble = state.model_trouble.as_deref().unwrap_or("No model is bundled for this task.");
                widgets::weak(ui, trouble);
            }
        }
        if let EngineStatus::Gone(reason) = &state.engine {
            ui.add_space(4.0);
            ui.add(egui::Label::new(RichText::new(reason).size(11.5).color(theme::of(ui).error)).wrap());
            if ui.small_button("Restart engine").clicked() {
                actions.push(Action::RestartEngine);
            }
        }
    });
}

fn card_facts(ui: &mut Ui, card: &crate::config::Card) {
    let structures: Vec<&str> = card.task.table().entries.iter().map(|entry| entry.name.as_str()).collect();
    ui.label(theme::title(model_title(card), 13.0));
    widgets::weak(ui, structures.join(", ").to_lowercase());
    widgets::weak(ui, format!("{:.1} MB · target labels used: none", card.weights_bytes as f64 / 1e6));
    if !card.scores.is_empty() {
        ui.collapsing("Measured", |ui| {
            for score in &card.scores {
                widgets::weak(ui, format!("{:.2}  {}", score.value, score.what));
            }
        });
    }
    if !card.limits.is_empty() {
        ui.collapsing("Limits", |ui| {
            for limit in &card.limits {
                widgets::weak(ui, limit);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_grid_is_told_in_one_short_line() {
        let grid = Geometry::axis_aligned([125, 88, 43], [3.0, 3.0, 5.0], [0.0; 3]).unwrap();
        assert_eq!(grid_in_words(&grid), "125×88×43 · 3×3×5 mm · RAS");
        let even = Geometry::axis_aligned([4, 4, 4], [1.5; 3], [0.0; 3]).unwrap();
        assert_eq!(grid_in_words(&even), "4×4×4 · 1.5 mm · RAS");
        let bare = even.with_unknown_orientation().with_unknown_spacing();
        assert_eq!(grid_in_words(&bare), "4×4×4 · voxel size unknown · orientation unknown");
    }
}
