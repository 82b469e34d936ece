//! The five panes and the inspector, in three columns and two rows; or one of them alone.

use super::pane::{self, PaneMemory};
use crate::ui::action::Action;
use crate::ui::panels::inspector;
use crate::ui::state::{Pane, State};
use egui::{Rect, Ui, vec2};

const GAP: f32 = 2.0;

/// Draws all panes into the space that is left.
pub fn show(ui: &mut Ui, state: &State, memory: &mut PaneMemory, actions: &mut Vec<Action>) {
    let area = ui.available_rect_before_wrap();
    if let Some(pane) = state.view.maximised {
        pane::show(ui, area, state, pane, memory, actions);
        return;
    }
    let cell_size = (area.size() - vec2(2.0 * GAP, GAP)) / vec2(3.0, 2.0);
    let cell = |column: usize, row: usize| {
        let offset = vec2(column as f32 * (cell_size.x + GAP), row as f32 * (cell_size.y + GAP));
        Rect::from_min_size(area.min + offset, cell_size)
    };
    for (index, pane) in Pane::ALL.into_iter().enumerate() {
        pane::show(ui, cell(index % 3, index / 3), state, pane, memory, actions);
    }
    inspector::show(ui, cell(2, 1), state);
}
