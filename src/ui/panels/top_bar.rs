//! Menus, the view's quick choices, and the main button.

use crate::session::Role;
use crate::session::export::ExportContent;
use crate::ui::action::Action;
use crate::ui::state::{
    Arrangement, CT_PRESETS, Dialog, Drawer, MR_PRESETS, Obliques, OpenDialog, OpenTarget, Pane, State,
    Switch, Tile,
};
use crate::ui::update::{export_dialog, figure_dialog};
use crate::ui::views::comparison;
use crate::ui::views::content::content;
use crate::ui::views::frame::SlicePlane;
use crate::ui::{theme, widgets};
use egui::{Align, Button, Checkbox, ComboBox, Layout, MenuBar, Ui};

/// Draws the bar.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    ui.horizontal_centered(|ui| {
        ui.add_space(4.0);
        ui.label(theme::title("MindGap", 14.5));
        ui.add_space(6.0);
        MenuBar::new().ui(ui, |ui| {
            ui.menu_button("File", |ui| file_menu(ui, state, actions));
            ui.menu_button("View", |ui| view_menu(ui, state, actions));
            ui.menu_button("Model", |ui| model_menu(ui, state, actions));
            ui.menu_button("Help", |ui| help_menu(ui, actions));
        });
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.add_space(4.0);
            run_button(ui, state, actions);
            ui.add_space(4.0);
            layout_choice(ui, state, actions);
            preset_choice(ui, state, actions);
            plane_choice(ui, state, actions);
        });
    });
}

fn run_button(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    if let Some(run) = &state.run {
        let text = if run.cancelling { "Cancelling…" } else { "Cancel  Esc" };
        if ui.add_enabled(!run.cancelling, Button::new(text).min_size(egui::vec2(170.0, 28.0))).clicked() {
            actions.push(Action::Cancel);
        }
        return;
    }
    let obstacle = state.run_obstacle();
    let mut button = widgets::main_button(ui, "Translate & segment  F5", obstacle.is_none(), Some(170.0));
    if let Some(reason) = obstacle {
        button = button.on_disabled_hover_text(reason);
    }
    if button.clicked() {
        actions.push(Action::Run);
    }
}

fn open_item(ui: &mut Ui, state: &State, text: &str, target: OpenTarget, actions: &mut Vec<Action>) {
    if ui.button(text).clicked() {
        let dialog = OpenDialog::new(target, state.task);
        actions.push(Action::Show(Dialog::Open(dialog)));
    }
}

fn file_menu(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    open_item(ui, state, "Open scan…", OpenTarget::ByModality, actions);
    open_item(ui, state, "Open source…", OpenTarget::Role(Role::Source), actions);
    open_item(ui, state, "Open target…", OpenTarget::Role(Role::Target), actions);
    open_item(ui, state, "Open labels…", OpenTarget::Labels, actions);
    open_item(ui, state, "Open cohort…", OpenTarget::Cohort, actions);
    recent_menu(ui, state, actions);
    if ui.button("Open the demo").clicked() {
        actions.push(Action::OpenDemo);
    }
    ui.separator();
    for content in ExportContent::ALL {
        let export = export_dialog(state, content);
        let item = ui.add_enabled(export.is_some(), Button::new(format!("Export {}…", content.name())));
        if let Some(dialog) = export.filter(|_| item.clicked()) {
            actions.push(Action::Show(dialog));
        }
    }
    let figure = figure_dialog(state);
    let item = ui.add_enabled(figure.is_some(), Button::new("Export figure…"));
    if let Some(dialog) = figure.filter(|_| item.clicked()) {
        actions.push(Action::Show(dialog));
    }
    ui.separator();
    if ui.button("Settings…").clicked() {
        actions.push(Action::Show(Dialog::Settings));
    }
    if ui.button("Quit").clicked() {
        actions.push(Action::Quit);
    }
}

fn recent_menu(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let recent = &state.settings.recent;
    // File names may name patients.
    ui.add_enabled_ui(!recent.is_empty() && !state.view.hide_identity, |ui| {
        ui.menu_button("Open recent", |ui| {
            for path in recent {
                let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
                let there = !state.missing_recent.contains(path);
                let button = ui.add_enabled(there, Button::new(name));
                let gone = format!("{} is no longer there", path.display());
                if button.on_hover_text(path.display().to_string()).on_disabled_hover_text(gone).clicked() {
                    actions.push(Action::OpenRecent(path.clone()));
                }
            }
            ui.separator();
            if ui.button("Forget these").clicked() {
                actions.push(Action::ForgetRecent);
            }
        });
    });
}

fn switch(ui: &mut Ui, text: &str, which: Switch, on: bool, actions: &mut Vec<Action>) {
    let mut checked = on;
    if ui.checkbox(&mut checked, text).changed() {
        actions.push(Action::Set(which, checked));
    }
}

fn view_menu(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let view = &state.view;
    switch(
        ui,
        "Radiological (patient's right on the left)",
        Switch::Radiological,
        view.convention.radiological,
        actions,
    );
    switch(ui, "Flip sagittal", Switch::SagittalFlipped, view.convention.sagittal_flipped, actions);
    switch(ui, "Smooth images", Switch::Smooth, view.smooth, actions);
    switch(ui, "Annotations  X", Switch::Annotations, view.annotations, actions);
    switch(ui, "Crosshair  Shift+X", Switch::Crosshair, view.show_crosshair, actions);
    switch(ui, "Hide identity", Switch::HideIdentity, view.hide_identity, actions);
    switch(ui, "Play through the slices  C", Switch::Cine, view.cine, actions);
    switch(ui, "Mouse as at a reading station", Switch::PacsMouse, view.pacs_mouse, actions);
    ui.separator();
    comparison::menu(ui, view, actions);
    ui.separator();
    for how in Obliques::ALL {
        if ui.radio(view.obliques == how, how.name()).clicked() {
            actions.push(Action::CutObliques(how));
        }
    }
    ui.separator();
    for drawer in Drawer::ALL {
        let mut open = state.drawer == Some(drawer);
        let key = if drawer == Drawer::Report { "  R" } else { "" };
        if ui.checkbox(&mut open, format!("{} below the images{key}", drawer.name())).changed() {
            actions.push(Action::ShowDrawer(open.then_some(drawer)));
        }
    }
    ui.separator();
    let both = Role::ALL.into_iter().all(|role| state.study.scan(role).is_some());
    let mut one_space = state.study.is_one_space();
    let item = ui.add_enabled(both, Checkbox::new(&mut one_space, "Source and target lie in one space"));
    if item.on_hover_text("Links them by millimetres instead of by the position in the body").changed() {
        actions.push(Action::DeclareOneSpace(one_space));
    }
    let mut source = view.inspected == Role::Source;
    if ui.checkbox(&mut source, "Gap and prediction of the source").changed() {
        actions.push(Action::Inspect(if source { Role::Source } else { Role::Target }));
    }
    if ui.button("Swap source and target").clicked() {
        actions.push(Action::SwapRoles);
    }
    if ui.button("Reset view  Space").clicked() {
        actions.push(Action::ResetView);
    }
}

fn model_menu(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let can_run = state.run_obstacle().is_none();
    if ui.add_enabled(can_run, Button::new("Translate & segment").shortcut_text("F5")).clicked() {
        actions.push(Action::Run);
    }
    let source = can_run && state.study.scan(Role::Source).is_some();
    if ui.add_enabled(source, Button::new("Segment the source too")).clicked() {
        actions.push(Action::RunOnSource);
    }
    if ui.add_enabled(state.run.is_some(), Button::new("Cancel").shortcut_text("Esc")).clicked() {
        actions.push(Action::Cancel);
    }
    ui.separator();
    for (index, entry) in state.models.iter().enumerate() {
        if ui.radio(state.model == Some(index), &entry.card.id).clicked() {
            actions.push(Action::SelectModel(index));
        }
    }
    ui.separator();
    if ui.button("Restart engine").clicked() {
        actions.push(Action::RestartEngine);
    }
}

fn help_menu(ui: &mut Ui, actions: &mut Vec<Action>) {
    if ui.add(Button::new("Keys and mouse").shortcut_text("?")).clicked() {
        actions.push(Action::Show(Dialog::Keys));
    }
    if ui.button("About MindGap").clicked() {
        actions.push(Action::Show(Dialog::About));
    }
}

fn plane_choice(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let planes = state.view.planes;
    let one = planes.iter().all(|plane| *plane == planes[0]);
    let text = if one { planes[0].name() } else { "Mixed planes" };
    choice(ui, "Plane", text, |ui| {
        for plane in SlicePlane::ALL {
            if ui.radio(one && planes[0] == plane, plane.name()).clicked() {
                actions.push(Action::SetPlane { pane: None, plane });
            }
        }
        ui.separator();
        let pane = state.view.active.pane;
        widgets::weak(ui, format!("{} only", pane.name()));
        for plane in SlicePlane::ALL {
            let chosen = planes[pane as usize] == plane;
            if ui.radio(chosen, format!("{} in {}", plane.name(), pane.name())).clicked() {
                actions.push(Action::SetPlane { pane: Some(pane), plane });
            }
        }
    });
}

fn preset_choice(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let pane = state.view.active.pane;
    let Some(content) = content(state, pane) else { return };
    let shown = content.window;
    let of_ct = content.unit.ends_with("HU");
    let named = CT_PRESETS.iter().find(|preset| of_ct && preset.window == shown);
    let name = named.map_or("Window", |preset| preset.name);
    let text = format!("{name} {:.0}/{:.0}", shown.width, shown.level);
    choice(ui, "Window preset", &text, |ui| {
        widgets::weak(ui, format!("Window of {}, width/level", pane.name()));
        if let Some(window) = widgets::histogram(ui, content.intensity, shown) {
            actions.push(Action::SetWindow { pane, window: Some(window) });
        }
        widgets::histogram_scale(ui, content.intensity, content.unit);
        if of_ct {
            for (index, preset) in CT_PRESETS.iter().enumerate() {
                let words = format!("{}  {:.0}/{:.0}", preset.name, preset.window.width, preset.window.level);
                if ui.add(Button::new(words).shortcut_text(format!("{}", index + 1))).clicked() {
                    actions.push(Action::Preset(index));
                }
            }
            return;
        }
        if ui.add(Button::new("Bulk of the intensities").shortcut_text("1")).clicked() {
            actions.push(Action::Preset(0));
        }
        for (index, preset) in MR_PRESETS.iter().enumerate() {
            let words = format!("{}  {:.0}/{:.0}", preset.name, preset.window.width, preset.window.level);
            if ui.add(Button::new(words).shortcut_text(format!("{}", index + 2))).clicked() {
                actions.push(Action::Preset(index + 1));
            }
        }
    });
}

fn layout_choice(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let view = &state.view;
    let text = match (view.maximised, view.arrangement) {
        (Some(tile), _) => tile.pane.name(),
        (None, Arrangement::Roles) => "Five panes",
        (None, Arrangement::Planes(_)) => "Three planes",
    };
    choice(ui, "Layout", text, |ui| {
        let shown = |arrangement| view.maximised.is_none() && view.arrangement == arrangement;
        if ui.radio(shown(Arrangement::Roles), "Five panes").clicked() {
            actions.push(Action::Arrange(Arrangement::Roles));
        }
        for pane in Pane::ALL {
            let arrangement = Arrangement::Planes(pane);
            if ui.radio(shown(arrangement), format!("{}, three planes", pane.name())).clicked() {
                actions.push(Action::Arrange(arrangement));
            }
        }
        for pane in Pane::ALL {
            let tile = Tile::of(pane);
            if ui.radio(view.maximised == Some(tile), format!("{} alone", pane.name())).clicked() {
                actions.push(Action::Maximise(tile));
            }
        }
    });
}

/// A drop-down that shows what is chosen.
fn choice(ui: &mut Ui, name: &str, chosen: &str, contents: impl FnOnce(&mut Ui)) {
    let combo = ComboBox::from_id_salt(name).selected_text(chosen).width(0.0).height(500.0);
    combo.show_ui(ui, contents).response.accessible_name(name);
}
