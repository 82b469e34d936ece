//! From the source's style to the target's in the model's own terms, slice by slice; and, apart from it and under its own
//! name, the plain mix of two pictures.

use crate::ui::action::Action;
use crate::ui::state::{Comparison, State};
use crate::ui::widgets;
use egui::{Slider, Ui};

/// Draws the section.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    widgets::section(ui, "Style");
    let obstacle = state.synthesis_obstacle();
    let mut style = state.style_in_view();
    ui.spacing_mut().slider_width = ui.available_width();
    let slider = Slider::new(&mut style, 0.0..=1.0).show_value(false).step_by(0.01);
    let slider = ui.add_enabled(obstacle.is_none(), slider).accessible_name("Style of the slice in view");
    if slider.on_disabled_hover_text(obstacle.unwrap_or_default()).changed() {
        actions.push(Action::SetStyle(style));
    }
    let words = match obstacle {
        Some(_) => "from the source's to the target's".to_owned(),
        None if style >= 1.0 => "style 1.00: the ordinary result".to_owned(),
        None => format!("style {style:.2} in the slice in view"),
    };
    widgets::weak(ui, words).on_hover_text(
        "0: the source's own style, 1: the target's, in between in the generator's own style space; one slice at a time",
    );
    pixel_blend(ui, state, actions);
}

fn pixel_blend(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let share = state.view.comparison_share;
    let mut blended = state.view.comparison == Comparison::Blend;
    if ui.checkbox(&mut blended, Comparison::Blend.name()).changed() {
        let comparison = if blended { Comparison::Blend } else { Comparison::Off };
        actions.push(Action::Compare(comparison, share));
    }
    if blended {
        let mut share = share;
        let slider = Slider::new(&mut share, 0.0..=1.0).show_value(false);
        if ui.add(slider).accessible_name("Share of the synthetic image in the pixel blend").changed() {
            actions.push(Action::Compare(Comparison::Blend, share));
        }
    }
}
