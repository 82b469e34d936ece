//! Intents about how the study is looked at: planes, places, windows, overlays. None of them needs a file or a thread.

use crate::render::transform::ZOOM_RANGE;
use crate::ui::action::Action;
use crate::ui::state::{Arrangement, CT_PRESETS, Crosshair, MR_PRESETS, Pane, State, Switch, Tile, Window};
use crate::ui::views::content::content;
use crate::ui::views::frame::SliceFrame;
use crate::ui::views::link::{clamp_to_grid, crosshair_in};
use glam::{DVec3, Vec2};

/// Applies an intent about the view; every other one is left alone.
pub(super) fn apply(state: &mut State, action: Action) {
    match action {
        Action::PlaceCrosshair { role, world_mm } => {
            state.view.crosshair = Crosshair { role, world_mm };
        }
        Action::StepSlice { tile, by } => {
            step_slice(state, tile, |slice, last| slice.saturating_add(by).clamp(0, last))
        }
        Action::PlayOn(tile) => {
            step_slice(state, tile, |slice, last| if slice < last { slice + 1 } else { 0 })
        }
        Action::Compare(comparison, share) => {
            state.view.comparison = comparison;
            state.view.comparison_share = share.clamp(0.0, 1.0);
        }
        Action::ToggleInverse(pane) => state.view.inverted[pane as usize] ^= true,
        Action::SetPlane { pane: Some(pane), plane } => state.view.planes[pane as usize] = plane,
        Action::SetPlane { pane: None, plane } => state.view.planes = [plane; 5],
        Action::Arrange(arrangement) => {
            state.view.arrangement = arrangement;
            state.view.maximised = None;
        }
        Action::ShowInInspector(what) => state.view.inspector = what,
        Action::Look(eye) => state.view.eye = eye,
        Action::GoToVoxel(voxel) => go_to_voxel(state, voxel),
        Action::CutObliques(how) => state.view.obliques = how,
        Action::DeclareOneSpace(one) => state.study.declare_one_space(one),
        Action::SetSplit(split) => {
            let of = usize::from(state.view.arrangement != Arrangement::Roles);
            state.view.splits[of] = split;
        }
        Action::SwapPanes(a, b) => {
            for place in &mut state.view.order {
                *place = match *place {
                    pane if pane == a => b,
                    pane if pane == b => a,
                    pane => pane,
                };
            }
        }
        Action::Maximise(tile) => state.view.maximised = Some(tile),
        Action::ToggleMaximised(tile) => {
            state.view.maximised = if state.view.maximised.is_some() { None } else { Some(tile) };
        }
        Action::Zoom { factor, at } => zoom(state, factor, at),
        Action::Pan(by) => state.view.pan -= by / state.view.zoom,
        Action::DragWindow { pane, by_points } => drag_window(state, pane, by_points),
        Action::SetWindow { pane, window } => state.view.windows[pane as usize] = window,
        Action::Preset(number) => preset(state, number),
        Action::ResetView => {
            state.view.zoom = 1.0;
            state.view.pan = Vec2::ZERO;
            state.view.windows = [None; 5];
        }
        Action::SetGap(gap) => state.view.gap = gap,
        Action::SetEdges(edges) => state.view.edges = edges,
        Action::SetLabels(labels) => state.view.labels = labels,
        Action::ToggleStructure(label) => {
            if !state.hidden_labels.remove(&label) {
                state.hidden_labels.insert(label);
            }
            state.refresh_palette();
        }
        Action::ShowOnly(label) => {
            let others = state.table().entries.iter().map(|entry| entry.value);
            state.hidden_labels = others.filter(|other| label.is_some_and(|only| only != *other)).collect();
            state.refresh_palette();
        }
        Action::SetStructureOpacity(label, opacity) => {
            state.label_opacities.insert(label, opacity.clamp(0.0, 1.0));
            state.refresh_palette();
        }
        Action::GoToStructure(label) => go_to_structure(state, label),
        Action::Set(switch, on) => set_switch(state, switch, on),
        Action::Inspect(role) => state.view.inspect(role),
        Action::HoldSource(held) => state.view.source_in_place = held,
        Action::Activate(tile) => state.view.active = tile,
        // The other intents have been dealt with by `apply`.
        _ => {}
    }
}

fn go_to_voxel(state: &mut State, voxel: [usize; 3]) {
    let role = state.view.inspected;
    if let Some(scan) = state.study.scan(role) {
        let world_mm = scan.geometry().world_of(DVec3::from_array(voxel.map(|at| at as f64)));
        state.view.crosshair = Crosshair { role, world_mm };
    }
}

fn go_to_structure(state: &mut State, label: u16) {
    let role = state.view.inspected;
    let Some(prediction) = state.study.prediction(role) else { return };
    let summary = prediction.structures.iter().find(|summary| summary.label == label);
    if let Some(world_mm) = summary.and_then(|summary| summary.focus_mm) {
        state.view.crosshair = Crosshair { role, world_mm };
    }
}

/// `to`: from the present slice and the last one to the one that is wanted.
fn step_slice(state: &mut State, tile: Tile, to: impl Fn(i64, i64) -> i64) {
    let role = tile.pane.role(&state.view);
    let Some(scan) = state.study.scan(role) else { return };
    let Some(world) = crosshair_in(&state.study, state.view.crosshair, role) else { return };
    let grid = state.view.obliques.grid_of(scan);
    let frame = SliceFrame::new(grid, tile.plane(&state.view), state.view.convention);
    let voxel = grid.voxel_from_world().transform_point3(world);
    let last = frame.slice_count() as i64 - 1;
    let slice = to(frame.nearest_slice(voxel) as i64, last);
    let (image, _) = frame.image_from_voxel(voxel);
    let moved: DVec3 = clamp_to_grid(grid, frame.voxel_from_image(image, slice as f64));
    state.view.crosshair = Crosshair { role, world_mm: grid.world_of(moved) };
}

/// Keeps what is under the pointer under it: `at` points from the middle of its pane.
fn zoom(state: &mut State, factor: f32, at: Vec2) {
    let view = &mut state.view;
    let [least, most] = ZOOM_RANGE;
    let zoomed = (view.zoom * factor).clamp(least.max(0.2), most.min(40.0));
    if zoomed.is_finite() {
        view.pan += at / view.zoom - at / zoomed;
        view.zoom = zoomed;
    }
}

fn drag_window(state: &mut State, pane: Pane, by_points: Vec2) {
    let Some(content) = content(state, pane) else { return };
    let dragged = content.window.dragged(by_points, content.intensity.range);
    state.view.windows[pane as usize] = Some(dragged);
}

/// Applies a preset to the active pane; MR has the image's own range first, then its three.
fn preset(state: &mut State, number: usize) {
    let pane = state.view.active.pane;
    let Some(content) = content(state, pane) else { return };
    let of_ct = content.unit.ends_with("HU");
    let window: Option<Window> = match (of_ct, number) {
        (true, number) => CT_PRESETS.get(number).map(|preset| preset.window),
        (false, 0) => None,
        (false, number) => match MR_PRESETS.get(number - 1) {
            Some(preset) => Some(preset.window),
            None => return,
        },
    };
    state.view.windows[pane as usize] = window;
}

fn set_switch(state: &mut State, switch: Switch, on: bool) {
    let view = &mut state.view;
    match switch {
        Switch::Radiological => view.convention.radiological = on,
        Switch::SagittalFlipped => view.convention.sagittal_flipped = on,
        Switch::Annotations => view.annotations = on,
        Switch::Crosshair => view.show_crosshair = on,
        Switch::Smooth => view.smooth = on,
        Switch::HideIdentity => view.hide_identity = on,
        Switch::PacsMouse => view.pacs_mouse = on,
        Switch::Cine => view.cine = on,
        Switch::Contrast => view.contrast = on,
        Switch::Light => state.settings.light = on,
        Switch::KeepRecent => {
            state.settings.keep_recent = on;
            if !on {
                state.settings.recent.clear();
            }
        }
    }
}
