//! The mouse in a pane, in two schemes. In both a left click (or Shift and moving) places the crosshair, middle pans, the
//! wheel changes the slice, Ctrl and the wheel zoom, a double click maximises. A left drag moves the crosshair and a right
//! drag the window; or, as at a reading station, a left drag moves the window and a right drag zooms.

use super::content::Content;
use super::link::clamp_to_grid;
use super::overlay::Placement;
use super::pane::world_at;
use crate::ui::action::Action;
use crate::ui::state::Tile;
use egui::{Event, MouseWheelUnit, PointerButton, Response, Ui};
use glam::{DVec3, Vec2};

/// Points of a touchpad's scroll that make one slice.
const POINTS_A_SLICE: f32 = 24.0;
/// Zoom for one notch of the wheel.
const ZOOM_A_NOTCH: f32 = 1.15;

const ZOOM_A_POINT: f32 = 1.008;

/// What has been scrolled but has not made a whole slice yet.
#[derive(Debug, Default)]
pub struct Pointer {
    scrolled: f32,
}

/// What the pointer is in.
pub struct Scene<'a> {
    pub tile: Tile,
    pub content: &'a Content<'a>,
    pub at: &'a Placement<'a>,
    /// Whether the mouse follows the scheme of reading stations.
    pub pacs: bool,
}

/// Turns what the pointer does in a pane into actions; returns the world position in mm under it, if it is inside.
pub fn react(
    ui: &Ui,
    response: &Response,
    scene: &Scene<'_>,
    pointer: &mut Pointer,
    actions: &mut Vec<Action>,
) -> Option<DVec3> {
    drag(response, scene, actions);
    let hover = response.hover_pos()?;
    let inside = hover - response.rect.min;
    if response.contains_pointer() {
        actions.push(Action::Activate(scene.tile));
        wheel(ui, scene.tile, hover - response.rect.center(), pointer, actions);
    }
    if response.double_clicked_by(PointerButton::Primary) {
        actions.push(Action::ToggleMaximised(scene.tile));
    }
    Some(world_at(scene.at, inside))
}

fn drag(response: &Response, scene: &Scene<'_>, actions: &mut Vec<Action>) {
    let Scene { content, at, pacs, .. } = *scene;
    let moved = response.drag_delta();
    let by = Vec2::new(moved.x, moved.y);
    let dragged = response.dragged_by(PointerButton::Primary);
    let placing = (dragged && !pacs) || response.clicked_by(PointerButton::Primary);
    // With Shift the crosshair follows the pointer without a button.
    let following = response.hover_pos().filter(|_| response.ctx.input(|input| input.modifiers.shift_only()));
    if let Some(position) = response.interact_pointer_pos().filter(|_| placing).or(following) {
        let world = world_at(at, position - response.rect.min);
        let voxel = at.grid.voxel_from_world().transform_point3(world);
        let world_mm = at.grid.world_of(clamp_to_grid(at.grid, voxel));
        actions.push(Action::PlaceCrosshair { role: content.role, world_mm });
    }
    if by == Vec2::ZERO {
        return;
    }
    if response.dragged_by(PointerButton::Middle) {
        actions.push(Action::Pan(by));
    }
    let windowing = if pacs { PointerButton::Primary } else { PointerButton::Secondary };
    if response.dragged_by(windowing) {
        actions.push(Action::DragWindow { pane: content.pane, by_points: by });
    }
    if pacs && response.dragged_by(PointerButton::Secondary) {
        // Up magnifies what is in the middle.
        actions.push(Action::Zoom { factor: ZOOM_A_POINT.powf(-by.y), at: Vec2::ZERO });
    }
}

/// Whole notches and slices only: half a notch must not move the image.
fn wheel(ui: &Ui, tile: Tile, from_centre: egui::Vec2, pointer: &mut Pointer, actions: &mut Vec<Action>) {
    if ui.ctx().current_pass_index() > 0 {
        // The second pass of a frame sees the same events, which have been counted.
        return;
    }
    let scrolls: Vec<(f32, bool)> = ui.input(|input| {
        let scroll = |event: &Event| match event {
            Event::MouseWheel { unit, delta, modifiers, .. } => {
                let slices = match unit {
                    MouseWheelUnit::Point => delta.y / POINTS_A_SLICE,
                    MouseWheelUnit::Line => delta.y,
                    MouseWheelUnit::Page => delta.y * 5.0,
                };
                Some((slices, modifiers.command || modifiers.ctrl))
            }
            _ => None,
        };
        input.events.iter().filter_map(scroll).collect()
    });
    for (notches, zooming) in scrolls {
        if zooming {
            let at = Vec2::new(from_centre.x, from_centre.y);
            actions.push(Action::Zoom { factor: ZOOM_A_NOTCH.powf(notches), at });
            continue;
        }
        pointer.scrolled += notches;
        let whole = pointer.scrolled.trunc();
        if whole != 0.0 {
            pointer.scrolled -= whole;
            actions.push(Action::StepSlice { tile, by: whole as i64 });
        }
    }
}
