//! The settings: what is remembered from one start to the next.

use crate::session::TEXT_SCALES;
use crate::ui::action::Action;
use crate::ui::state::{State, Switch};
use crate::ui::widgets;
use egui::Ui;

const SCALE_STEP: f32 = 0.1;

/// Draws the settings into the dialog.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    ui.heading("Settings");
    let view = &state.view;
    widgets::section(ui, "Images");
    let switches = [
        ("Radiological: patient's right on the left", Switch::Radiological, view.convention.radiological),
        ("Flip sagittal", Switch::SagittalFlipped, view.convention.sagittal_flipped),
        ("Smooth images", Switch::Smooth, view.smooth),
        ("Annotations", Switch::Annotations, view.annotations),
        ("Crosshair", Switch::Crosshair, view.show_crosshair),
    ];
    switched(ui, &switches, actions);
    widgets::section(ui, "Window, mouse and text");
    let switches = [
        ("Light frame around the images", Switch::Light, state.settings.light),
        ("Mouse as at a reading station", Switch::PacsMouse, view.pacs_mouse),
    ];
    switched(ui, &switches, actions);
    let scale = state.settings.text_scale;
    ui.horizontal(|ui| {
        ui.label(format!("Text and controls at {:.0} %", 100.0 * scale));
        for (text, to) in
            [("Smaller", scale - SCALE_STEP), ("Larger", scale + SCALE_STEP), ("As designed", 1.0)]
        {
            if ui.button(text).clicked() {
                actions.push(Action::SetTextScale(to.clamp(TEXT_SCALES[0], TEXT_SCALES[1])));
            }
        }
    });
    widgets::weak(ui, "Ctrl and + or - change it too, Ctrl and 0 puts it back.");
    widgets::section(ui, "Privacy");
    switched(ui, &[("Hide identity on the panes", Switch::HideIdentity, view.hide_identity)], actions);
    let recent = state.settings.keep_recent;
    switched(ui, &[("Remember recent files", Switch::KeepRecent, recent)], actions);
    widgets::weak(ui, "Their paths are kept in the settings file of this user, and nowhere else.");
}

fn switched(ui: &mut Ui, switches: &[(&str, Switch, bool)], actions: &mut Vec<Action>) {
    for (text, switch, on) in switches {
        let mut checked = *on;
        if ui.checkbox(&mut checked, *text).changed() {
            actions.push(Action::Set(*switch, checked));
        }
    }
}
