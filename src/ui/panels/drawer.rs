//! The drawer below the images, with its tabs.

use super::{cohort, report};
use crate::ui::action::Action;
use crate::ui::state::{Drawer, State};
use egui::{Align, Layout, Ui};

/// Draws what is in it.
pub fn show(ui: &mut Ui, state: &State, shown: Drawer, actions: &mut Vec<Action>) {
    // Else the drawer would shrink to whatever is in it at the moment.
    ui.take_available_space();
    ui.horizontal(|ui| {
        for drawer in Drawer::ALL {
            if ui.selectable_label(shown == drawer, drawer.name()).clicked() {
                actions.push(Action::ShowDrawer(Some(drawer)));
            }
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if ui.small_button("Close").accessible_name("Close the drawer").clicked() {
                actions.push(Action::ShowDrawer(None));
            }
        });
    });
    match shown {
        Drawer::Report => report::show(ui, state, actions),
        Drawer::Cohort => cohort::show(ui, state, actions),
    }
}
