//! The cells of a layout: five panes and the inspector, or one pane in three planes and the inspector; or one tile alone.

use super::frame::SlicePlane;
use super::pane::{self, PaneMemory};
use crate::ui::action::Action;
use crate::ui::panels::inspector;
use crate::ui::state::{Arrangement, Split, State, Tile, View};
use egui::{CursorIcon, Rect, Role, Sense, Ui, WidgetInfo, pos2};

/// Between two cells; all of it can be dragged.
const GAP: f32 = 4.0;

/// Draws all tiles into the space that is left.
pub fn show(ui: &mut Ui, state: &State, memory: &mut PaneMemory, actions: &mut Vec<Action>) {
    let area = ui.available_rect_before_wrap();
    memory.area_points = area.size().into();
    let tiles = tiles(&state.view);
    if let (Some(_), [tile]) = (state.view.maximised, tiles.as_slice()) {
        pane::show(ui, area, state, *tile, memory, actions);
        return;
    }
    let cells = Cells { area, split: state.view.split(), columns: columns(state.view.arrangement) };
    for (index, tile) in tiles.iter().enumerate() {
        pane::show(ui, cells.rect(index), state, *tile, memory, actions);
    }
    inspector::show(ui, cells.rect(tiles.len()), state, &mut memory.surface, actions);
    dividers(ui, &cells, actions);
}

/// What the layout shows, in its order; one tile alone has no inspector beside it.
pub fn tiles(view: &View) -> Vec<Tile> {
    match (view.maximised, view.arrangement) {
        (Some(tile), _) => vec![tile],
        (None, Arrangement::Roles) => view.order.map(Tile::of).into(),
        (None, Arrangement::Planes(pane)) => {
            SlicePlane::ALL.map(|plane| Tile { pane, plane: Some(plane) }).into()
        }
    }
}

fn columns(arrangement: Arrangement) -> usize {
    match arrangement {
        Arrangement::Roles => 3,
        Arrangement::Planes(_) => 2,
    }
}

/// Two rows of cells.
struct Cells {
    area: Rect,
    split: Split,
    columns: usize,
}

impl Cells {
    /// The cell of an index, row by row.
    fn rect(&self, index: usize) -> Rect {
        let (column, row) = (index % self.columns, index / self.columns);
        let x = |edge: usize| match edge {
            0 => self.area.left() - 0.5 * GAP,
            edge if edge == self.columns => self.area.right() + 0.5 * GAP,
            edge => self.column_x(edge - 1),
        };
        let middle = self.row_y();
        let (top, bottom) = match row {
            0 => (self.area.top(), middle - 0.5 * GAP),
            _ => (middle + 0.5 * GAP, self.area.bottom()),
        };
        Rect::from_min_max(pos2(x(column) + 0.5 * GAP, top), pos2(x(column + 1) - 0.5 * GAP, bottom))
    }

    fn column_x(&self, divider: usize) -> f32 {
        self.area.left() + self.split.columns[divider] * self.area.width()
    }

    fn row_y(&self) -> f32 {
        self.area.top() + self.split.row * self.area.height()
    }
}

/// Dragged, a divider moves; a double click puts all of them back.
fn dividers(ui: &Ui, cells: &Cells, actions: &mut Vec<Action>) {
    let area = cells.area;
    for divider in 0..cells.columns - 1 {
        let x = cells.column_x(divider);
        let rect = Rect::from_x_y_ranges(x - 0.5 * GAP..=x + 0.5 * GAP, area.y_range());
        if let Some(to) =
            drag(ui, rect, &format!("Divider {} of the columns", divider + 1), CursorIcon::ResizeColumn)
        {
            actions.push(Action::SetSplit(match to {
                Some(to) => cells.split.with_column(divider, (to.x - area.left()) / area.width()),
                None => usual(cells.columns),
            }));
        }
    }
    let y = cells.row_y();
    let rect = Rect::from_x_y_ranges(area.x_range(), y - 0.5 * GAP..=y + 0.5 * GAP);
    if let Some(to) = drag(ui, rect, "Divider of the rows", CursorIcon::ResizeRow) {
        actions.push(Action::SetSplit(match to {
            Some(to) => cells.split.with_row((to.y - area.top()) / area.height()),
            None => usual(cells.columns),
        }));
    }
}

fn usual(columns: usize) -> Split {
    if columns == 3 { Split::THIRDS } else { Split::HALVES }
}

/// `Some(Some(position))` where a divider is dragged to; `Some(None)` when it is double-clicked.
fn drag(ui: &Ui, rect: Rect, name: &str, cursor: CursorIcon) -> Option<Option<egui::Pos2>> {
    let response =
        ui.interact(rect, ui.scope_id().with(name), Sense::click_and_drag()).on_hover_cursor(cursor);
    response.widget_info(|| WidgetInfo::labeled(Role::Splitter, true, name));
    if response.double_clicked() {
        return Some(None);
    }
    response.interact_pointer_pos().filter(|_| response.dragged()).map(Some)
}
