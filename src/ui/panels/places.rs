//! "Look here first": the places where the gap is wide and the model does not doubt, ranked; a click goes there.

use crate::eval::gap::{Place, Quadrant};
use crate::ui::action::Action;
use crate::ui::state::State;
use crate::ui::{theme, widgets};
use crate::volume::LabelTable;
use egui::{Button, Rect, RichText, ScrollArea, Ui, UiBuilder, vec2};

/// Draws the list into `rect`.
pub fn show(ui: &mut Ui, rect: Rect, state: &State, actions: &mut Vec<Action>) {
    let inner = rect.shrink2(vec2(14.0, 6.0));
    ui.scope_builder(UiBuilder::new().max_rect(inner), |ui| {
        let prediction = state.study.prediction(state.view.inspected).filter(|prediction| prediction.whole);
        let Some(prediction) = prediction else {
            widgets::weak(ui, "F5 finds places to look at.");
            return;
        };
        if prediction.places.is_empty() {
            widgets::weak(ui, "No place in or near a structure stands out.");
            return;
        }
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 3.0;
            for (number, place) in prediction.places.iter().enumerate() {
                row(ui, number, place, state.table(), actions);
            }
            widgets::weak(
                ui,
                "Ranked by gap times confidence, a quantity of the model: a reason to look, no finding.",
            );
        });
    });
}

fn row(ui: &mut Ui, number: usize, place: &Place, table: &LabelTable, actions: &mut Vec<Action>) {
    let colours = theme::of(ui);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 5.0;
        let rgb = table.entry(place.label).map_or([128; 3], |entry| entry.rgb);
        widgets::dot(ui, egui::Color32::from_rgb(rgb[0], rgb[1], rgb[2]));
        let beside = if place.inside { "" } else { "beside " };
        let words = format!("{}  {beside}{}", number + 1, place.structure);
        let go = ui.add(Button::new(RichText::new(words).size(13.0)).frame(false));
        if go.on_hover_text("Moves the crosshair there").clicked() {
            actions.push(Action::GoToVoxel(place.voxel));
        }
        let suspicious = place.quadrant == Some(Quadrant::HighGapSure);
        let colour = if suspicious { colours.data } else { colours.weak };
        let reading = place.quadrant.map_or("", Quadrant::title);
        let words = RichText::new(format!("{:.2} {reading}", place.mean_gap)).size(11.0).color(colour);
        ui.add(egui::Label::new(words).truncate());
    });
}
