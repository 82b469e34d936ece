//! "What if": the prediction compared with given labels, with the net before its adaptation, and with the local feature
//! mask off, kept to high gaps, or kept to a place; where they differ, and by how many mL.

use crate::config::{Ball, GapMode, MaskUse};
use crate::eval::StructureDifference;
use crate::session::{Against, Contrast};
use crate::ui::action::Action;
use crate::ui::state::{State, Switch};
use crate::ui::views::link::crosshair_in;
use crate::ui::{theme, widgets};
use egui::{Align, Button, Layout, RichText, Ui};

/// Around the crosshair, for a mask that acts in one place only.
const RADIUS_MM: f64 = 30.0;

/// Draws the section.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    widgets::section(ui, "What if");
    let role = state.view.inspected;
    let predicted = state.study.prediction(role).is_some_and(|prediction| prediction.whole);
    ui.add_enabled_ui(predicted, |ui| {
        let menu = ui.menu_button("Compare the prediction with…", |ui| choices(ui, state, actions));
        menu.response.on_disabled_hover_text("There is no finished prediction to compare yet");
    });
    if let Some(contrast) = state.study.contrast(role) {
        result(ui, state, contrast, actions);
    }
}

fn choices(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let role = state.view.inspected;
    let scan = state.study.scan(role);
    let mut choice = |ui: &mut Ui, text: &str, why_not: Option<&str>, against: Against| {
        let item = ui.add_enabled(why_not.is_none(), Button::new(text));
        if item.on_disabled_hover_text(why_not.unwrap_or_default()).clicked() {
            actions.push(Action::Contrast(against));
        }
    };
    let no_labels = match scan.and_then(|scan| scan.labels_task()) {
        None => Some("No labels are open with this scan"),
        Some(task) if task != state.task => {
            Some("The labels given with this scan are structures of another task")
        }
        Some(_) => None,
    };
    choice(ui, "the labels given with the scan", no_labels, Against::GivenLabels);
    let made_by = state.study.prediction(role).and_then(|prediction| prediction.origin.clone());
    let no_model = match (state.card(), made_by) {
        (None, _) => Some("No model is chosen"),
        (Some(card), Some(origin)) if origin.card.weights_sha256 == card.weights_sha256 => None,
        (Some(_), _) => Some("Choose the model that made this prediction"),
    };
    choice(ui, "the model before its adaptation", no_model, Against::NoAdaptation);
    let loss_mode = state.card().is_some_and(|card| card.network.gap_mode == GapMode::Loss);
    let untouched = "This model was trained in loss mode: its mask does not touch the features";
    let no_mask = no_model.or(loss_mode.then_some(untouched));
    choice(ui, "the local mask off", no_mask, Against::Mask(MaskUse::Nowhere));
    let threshold = state.view.gap.threshold;
    let from = format!("the mask only where the gap is {threshold:.2} or more");
    choice(ui, &from, no_mask, Against::Mask(MaskUse::From(threshold)));
    if let Some(centre) = crosshair_in(&state.study, state.view.crosshair, role) {
        let ball = Ball { centre_mm: centre.to_array(), radius_mm: RADIUS_MM };
        let within = format!("the mask only within {RADIUS_MM:.0} mm of the crosshair");
        choice(ui, &within, no_mask, Against::Mask(MaskUse::Within(ball)));
    }
}

fn result(ui: &mut Ui, state: &State, contrast: &Contrast, actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        let mut shown = state.view.contrast;
        let text = format!("Show the difference from: {}", contrast.against.name());
        if ui.checkbox(&mut shown, text).changed() {
            actions.push(Action::Set(Switch::Contrast, shown));
        }
    });
    ui.horizontal_wrapped(|ui| {
        // All three in one row of a panel of ordinary width: a dot alone at its end explains nothing.
        ui.spacing_mut().item_spacing.x = 5.0;
        for ((_, colour), words) in
            theme::CONTRAST.into_iter().zip(["only in the prediction", "not in it", "renamed"])
        {
            widgets::dot(ui, colour);
            ui.label(RichText::new(words).size(11.0).color(theme::of(ui).weak));
        }
    });
    for structure in &contrast.structures {
        ui.horizontal(|ui| {
            ui.label(RichText::new(&structure.name).size(14.0));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.label(RichText::new(in_words(structure)).size(13.0)).on_hover_text(in_full(structure));
            });
        });
    }
}

/// "+3.2 mL · Dice 0.97": how much more the prediction has, zero included.
fn in_words(structure: &StructureDifference) -> String {
    let change = match structure.change_ml() {
        Some(ml) => format!("{ml:+.1} mL"),
        None => format!("{:+} voxels", structure.voxels[0] as i64 - structure.voxels[1] as i64),
    };
    match structure.dice() {
        Some(dice) => format!("{change} · Dice {dice:.2}"),
        None => "in neither".to_owned(),
    }
}

fn in_full(structure: &StructureDifference) -> String {
    let [first, second, both] = structure.voxels;
    match (structure.first_ml, structure.second_ml) {
        (Some(a), Some(b)) => {
            format!("{a:.1} mL predicted, {b:.1} mL in what it is compared with; {both} voxels in both")
        }
        _ => format!("{first} voxels predicted, {second} in what it is compared with, {both} in both"),
    }
}
