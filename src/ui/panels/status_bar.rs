//! One line at the bottom: device, model, memory, what is running.

use crate::ui::state::{EngineStatus, State};
use crate::ui::{theme, widgets};
use egui::{Align, Layout, RichText, Ui};

/// Draws the bar.
pub fn show(ui: &mut Ui, state: &State) {
    ui.horizontal_centered(|ui| {
        ui.add_space(6.0);
        engine(ui, state);
        ui.add_space(14.0);
        if let Some(card) = state.card() {
            small(ui, &card.id, theme::WEAK);
            ui.add_space(14.0);
        }
        if let Some(bytes) = state.memory_bytes {
            small(ui, &format!("{:.0} MB", bytes as f64 / 1e6), theme::WEAK)
                .on_hover_text("Memory of the window; the engine's is its own");
            ui.add_space(14.0);
        }
        activity(ui, state);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.add_space(6.0);
            small(ui, "Research use only, not a medical device", theme::WEAK);
        });
    });
}

fn engine(ui: &mut Ui, state: &State) {
    match &state.engine {
        EngineStatus::Ready(info) => {
            widgets::dot(ui, theme::GOOD);
            small(ui, &info.device, theme::GOOD)
                .on_hover_text(format!("libtorch {}; {}", info.libtorch, info.cuda));
        }
        EngineStatus::Starting => {
            widgets::dot(ui, theme::WARNING);
            small(ui, "engine starting", theme::WEAK);
        }
        EngineStatus::NotStarted => {
            widgets::dot(ui, theme::WEAK);
            small(ui, "engine not started", theme::WEAK);
        }
        EngineStatus::Gone(reason) => {
            widgets::dot(ui, theme::ERROR);
            small(ui, "no engine", theme::ERROR).on_hover_text(reason);
        }
    }
}

fn activity(ui: &mut Ui, state: &State) {
    if let Some(run) = &state.run {
        small(ui, &run.describe(), theme::TEXT);
        widgets::bar(ui, run.fraction(), 150.0, theme::GOOD, "Progress");
        small(ui, "Esc cancels", theme::WEAK);
    } else if let Some(opening) = state.opening.first() {
        let shown = if state.view.hide_identity { "a scan" } else { &opening.name };
        small(ui, &format!("opening {shown}"), theme::TEXT);
    } else if !state.last_run.is_empty() {
        small(ui, &state.last_run, theme::WEAK);
    }
}

fn small(ui: &mut Ui, text: &str, colour: egui::Color32) -> egui::Response {
    ui.label(RichText::new(text).size(12.0).color(colour))
}
