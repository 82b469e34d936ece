//! One line at the bottom: device, model, memory, what is running.

use crate::session::EngineSite;
use crate::ui::state::{EngineStatus, State};
use crate::ui::{theme, widgets};
use egui::{Align, Layout, RichText, Ui};

/// Draws the bar.
pub fn show(ui: &mut Ui, state: &State) {
    let colours = theme::of(ui);
    ui.horizontal_centered(|ui| {
        ui.add_space(6.0);
        engine(ui, state);
        ui.add_space(14.0);
        if let Some(card) = state.card() {
            small(ui, &card.id, colours.weak);
            ui.add_space(14.0);
        }
        if let Some(bytes) = state.memory_bytes {
            small(ui, &format!("{:.0} MB", bytes as f64 / 1e6), colours.weak)
                .on_hover_text("Memory of the window; the engine's is its own");
            ui.add_space(14.0);
        }
        activity(ui, state);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.add_space(6.0);
            small(ui, "Research use only, not a medical device", colours.weak);
        });
    });
}

fn engine(ui: &mut Ui, state: &State) {
    let colours = theme::of(ui);
    match &state.engine {
        EngineStatus::Ready(info) => {
            widgets::dot(ui, colours.good);
            let place = if state.engine_at == EngineSite::Here { "" } else { " elsewhere" };
            small(ui, &format!("{}{place}", info.device), colours.good)
                .on_hover_text(format!("libtorch {}; {}", info.libtorch, info.cuda));
        }
        EngineStatus::Starting => {
            widgets::dot(ui, colours.warning);
            small(ui, "engine starting", colours.weak);
        }
        EngineStatus::NotStarted => {
            widgets::dot(ui, colours.weak);
            small(ui, "engine not started", colours.weak);
        }
        EngineStatus::Gone(reason) => {
            widgets::dot(ui, colours.error);
            small(ui, "no engine", colours.error).on_hover_text(reason);
        }
    }
}

fn activity(ui: &mut Ui, state: &State) {
    let colours = theme::of(ui);
    if let Some(run) = &state.run {
        small(ui, &run.describe(), colours.text);
        widgets::bar(ui, run.fraction(), 150.0, colours.good, "Progress");
        let waiting = match state.queue.len() {
            0 => "Esc cancels".to_owned(),
            more => format!("{more} more waiting · Esc cancels all"),
        };
        small(ui, &waiting, colours.weak);
    } else if let Some(opening) = state.opening.first() {
        let shown = if state.view.hide_identity { "a scan" } else { &opening.name };
        small(ui, &format!("opening {shown}"), colours.text);
    } else if !state.last_run.is_empty() {
        small(ui, &state.last_run, colours.weak);
    }
}

fn small(ui: &mut Ui, text: &str, colour: egui::Color32) -> egui::Response {
    ui.label(RichText::new(text).size(12.0).color(colour))
}
