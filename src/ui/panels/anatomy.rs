//! Does the synthetic image keep the anatomy? Where edges agree, what a translation there and back does to each structure,
//! and that neither proves anything.

use crate::eval::{Boundary, CYCLE_CAVEAT, StructureShift};
use crate::session::{Anatomy, OpenScan, Role};
use crate::ui::action::Action;
use crate::ui::state::{EdgeOptions, State};
use crate::ui::views::frame::{SliceFrame, SlicePlane};
use crate::ui::{theme, widgets};
use egui::{Button, Color32, Label, Rect, RichText, ScrollArea, Slider, Ui, UiBuilder, vec2};
use glam::DVec3;

/// Draws the list into `rect`.
pub fn show(ui: &mut Ui, rect: Rect, state: &State, actions: &mut Vec<Action>) {
    let inner = rect.shrink2(vec2(14.0, 6.0));
    ui.scope_builder(UiBuilder::new().max_rect(inner), |ui| {
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 4.0;
            let obstacle = state.synthesis_obstacle();
            let button = ui.add_enabled(obstacle.is_none(), Button::new("Check anatomy"));
            let button = button.on_hover_text(
                "Translates the source there and back, segments both ends and compares them; takes a few times as long \
                 as the translation",
            );
            if button.on_disabled_hover_text(obstacle.unwrap_or_default()).clicked() {
                actions.push(Action::CheckAnatomy);
            }
            if let (Some(anatomy), Some(scan)) = (state.study.anatomy(), state.study.scan(Role::Source)) {
                found(ui, state, (anatomy, scan), actions);
            }
            widgets::weak(ui, CYCLE_CAVEAT);
        });
    });
}

fn found(ui: &mut Ui, state: &State, (anatomy, scan): (&Anatomy, &OpenScan), actions: &mut Vec<Action>) {
    for shift in &anatomy.structures {
        row(ui, state, (shift, scan), actions);
    }
    edges(ui, state, anatomy, actions);
    widgets::weak(ui, format!("{}.", anatomy.judge()));
    for warning in &anatomy.warnings {
        ui.add(Label::new(RichText::new(warning).size(11.5).color(theme::of(ui).warning)).wrap());
    }
}

/// "Liver: edge moved 6 mm at slice 41", which is a button where there is a slice to go to.
fn row(ui: &mut Ui, state: &State, (shift, scan): (&StructureShift, &OpenScan), actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 5.0;
        let [r, g, b] = state.table().entry(shift.label).map_or([128; 3], |entry| entry.rgb);
        widgets::dot(ui, Color32::from_rgb(r, g, b));
        match shift.boundary {
            Boundary::Moved { voxel, .. } => {
                let voxel = DVec3::from_array(voxel.map(|at| at as f64));
                let world_mm = scan.geometry().world_of(voxel);
                let words = shift.sentence_counting(axial_slice(state, scan, world_mm));
                let go = ui.add(Button::new(RichText::new(words).size(13.0)).frame(false));
                if go.on_hover_text("Moves the crosshair there").clicked() {
                    actions.push(Action::PlaceCrosshair { role: Role::Source, world_mm });
                }
            }
            _ => {
                ui.label(RichText::new(shift.sentence()).size(13.0));
            }
        }
    });
    let numbers = in_numbers(shift);
    if !numbers.is_empty() {
        ui.indent(shift.label, |ui| widgets::weak(ui, numbers));
    }
}

/// As the panes count slices, from 1: an oblique scan may be cut along other slices than its own.
fn axial_slice(state: &State, scan: &OpenScan, world_mm: DVec3) -> usize {
    let grid = state.view.obliques.grid_of(scan);
    let frame = SliceFrame::new(grid, SlicePlane::Axial, state.view.convention);
    frame.nearest_slice(grid.voxel_from_world().transform_point3(world_mm)) + 1
}

/// "Dice 0.95 · HD95 4.2 mm".
fn in_numbers(shift: &StructureShift) -> String {
    let dice = shift.dice.map(|dice| format!("Dice {dice:.2}"));
    let hd95 = shift.hd95_mm.map(|mm| format!("HD95 {mm:.1} mm"));
    [dice, hd95].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn edges(ui: &mut Ui, state: &State, anatomy: &Anatomy, actions: &mut Vec<Action>) {
    let EdgeOptions { mut shown, mut opacity } = state.view.edges;
    let mut changed = false;
    ui.horizontal(|ui| {
        changed |= ui.checkbox(&mut shown, "Edges over the synthetic image").changed();
        widgets::weak(ui, format!("agree {:.2}", anatomy.edge_agreement));
    });
    let slider = Slider::new(&mut opacity, 0.0..=1.0).show_value(false).text("opacity");
    changed |= ui.add_enabled(shown, slider).accessible_name("Opacity of the edges").changed();
    if changed {
        actions.push(Action::SetEdges(EdgeOptions { shown, opacity }));
    }
}
