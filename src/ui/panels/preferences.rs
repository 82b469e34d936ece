//! The settings: what is remembered from one start to the next.

use crate::session::{EngineSite, TEXT_SCALES};
use crate::ui::action::Action;
use crate::ui::state::{EngineStatus, State, Switch};
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
    engine(ui, state, actions);
    widgets::section(ui, "Privacy");
    switched(ui, &[("Hide identity on the panes", Switch::HideIdentity, view.hide_identity)], actions);
    let recent = state.settings.keep_recent;
    switched(ui, &[("Remember recent files", Switch::KeepRecent, recent)], actions);
    widgets::weak(ui, "Their paths are kept in the settings file of this user, and nowhere else.");
}

/// Where the models run.
fn engine(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    widgets::section(ui, "Engine");
    let mut command = state.engine_words().to_owned();
    let label = ui.label("Command that reaches an engine elsewhere");
    ui.horizontal(|ui| {
        let field = egui::TextEdit::singleline(&mut command)
            .hint_text("ssh gpu-box mindgap-engine")
            .desired_width(300.0);
        if ui.add(field).labelled_by(label.id).changed() {
            actions.push(Action::SetEngineCommand(command));
        }
        if ui.button("Connect").clicked() {
            actions.push(Action::RestartEngine);
        }
    });
    let status = match &state.engine {
        EngineStatus::NotStarted => "Not started.".to_owned(),
        EngineStatus::Starting => "Connecting.".to_owned(),
        EngineStatus::Ready(info) => {
            let place = if state.engine_at == EngineSite::Here { "on this machine" } else { "elsewhere" };
            format!("MindGap {} {place}: {}.", info.program, info.device)
        }
        EngineStatus::Gone(reason) => reason.clone(),
    };
    widgets::weak(ui, status);
    widgets::weak(
        ui,
        "Empty: the engine of this machine. Elsewhere, the voxels and grid of a scan leave this machine, no name does.",
    );
}

fn switched(ui: &mut Ui, switches: &[(&str, Switch, bool)], actions: &mut Vec<Action>) {
    for (text, switch, on) in switches {
        let mut checked = *on;
        if ui.checkbox(&mut checked, *text).changed() {
            actions.push(Action::Set(*switch, checked));
        }
    }
}
