//! The dialog that asks where a figure goes and how many pixels it has.

use super::dialogs::path_field;
use crate::ui::action::Action;
use crate::ui::figure::SCALES;
use crate::ui::state::{Dialog, FigureDialog, State};
use crate::ui::update::figure_size_points;
use crate::ui::{theme, widgets};
use egui::{Checkbox, Label, RichText, Ui};

/// Draws it.
pub fn ask(ui: &mut Ui, state: &State, figure: &FigureDialog, actions: &mut Vec<Action>) {
    ui.heading("Export figure");
    let mut edited = figure.clone();
    let entered = path_field(ui, &mut edited.path, actions);
    ui.horizontal(|ui| {
        ui.label("Scale");
        for scale in SCALES {
            ui.radio_value(&mut edited.scale, scale, format!("{scale}×"));
        }
        let [width, height] = figure_size_points(state).map(|points| points as u32 * edited.scale);
        widgets::weak(ui, format!("{width} × {height} pixels"));
    });
    let hidden = state.view.hide_identity;
    let names = Checkbox::new(&mut edited.names, "Write the names of the scans' files into it");
    ui.add_enabled(!hidden, names).on_disabled_hover_text("Identity is hidden in the View menu");
    widgets::weak(
        ui,
        "What the image area shows, drawn anew as a PNG, with a line that says what it is for. Where it comes from is \
         written beside it. Synthetic images say so; no name is in either unless it is asked for here.",
    );
    if (&edited.path, edited.scale, edited.names) != (&figure.path, figure.scale, figure.names) {
        edited.confirm_overwrite = false;
        edited.trouble = None;
    }
    if let Some(trouble) = &edited.trouble {
        ui.add(Label::new(RichText::new(trouble).color(theme::of(ui).error)).wrap());
    }
    if edited.confirm_overwrite {
        ui.label(RichText::new("This file is there already.").color(theme::of(ui).warning));
    }
    ui.add_space(8.0);
    ui.horizontal(|ui| {
        let ready = !edited.path.trim().is_empty() && !edited.drawing;
        let text = match (edited.drawing, edited.confirm_overwrite) {
            (true, _) => "Drawing…",
            (false, true) => "Replace it",
            (false, false) => "Export",
        };
        let pressed = widgets::main_button(ui, text, ready, Some(90.0)).clicked();
        // Enter never replaces a file: only the button that says so does.
        if (pressed || entered && !edited.confirm_overwrite) && ready {
            actions.push(Action::ExportFigure(edited.clone()));
        }
        if ui.button("Cancel").clicked() {
            actions.push(Action::CloseDialog);
        }
    });
    if edited != *figure {
        // Before an export of the same frame, which must have the last word.
        actions.insert(0, Action::Edit(Dialog::Figure(edited)));
    }
}
