//! The sixth cell: gap and confidence, places to look at, surfaces, or the anatomy check. Here: how wide the gap is in each structure, and how sure the model is of it.
//!
//! A structure with a high gap that the model is sure of is the one to distrust: unsure ones announce themselves.

use super::{anatomy, places};
use crate::session::StructureSummary;
use crate::ui::action::Action;
use crate::ui::state::{GAP_RANGE, Inspector, State};
use crate::ui::theme;
use crate::ui::views::surface::{self, SurfaceTexture};
use egui::scroll_area::ScrollBarVisibility;
use egui::{
    Align2, Color32, FontId, Painter, Pos2, Rect, RichText, ScrollArea, Sense, Shape, Stroke, Ui, UiBuilder,
    pos2, vec2,
};

const NAME_HEIGHT: f32 = 15.0;

/// The head of the cell, where one chooses what it shows.
const TABS_HEIGHT: f32 = 34.0;

/// Draws the cell into `rect`.
pub fn show(ui: &mut Ui, rect: Rect, state: &State, surface: &mut SurfaceTexture, actions: &mut Vec<Action>) {
    let [tabs, below] = [rect.top()..=rect.top() + TABS_HEIGHT, rect.top() + TABS_HEIGHT..=rect.bottom()]
        .map(|range| Rect::from_x_y_ranges(rect.x_range(), range));
    ui.scope_builder(UiBuilder::new().max_rect(tabs.shrink2(vec2(10.0, 4.0))), |ui| {
        if state.view.still {
            ui.label(theme::title(state.view.inspector.name(), 13.0));
            return;
        }
        // Four names are wider than a narrow cell, which then lets them be moved.
        let row = ScrollArea::horizontal()
            .id_salt("inspector tabs")
            .scroll_bar_visibility(ScrollBarVisibility::AlwaysHidden);
        row.show(ui, |ui| {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = 3.0;
                ui.spacing_mut().button_padding.x = 6.0;
                for choice in Inspector::ALL {
                    let words = RichText::new(choice.name()).size(12.0);
                    if ui.selectable_label(state.view.inspector == choice, words).clicked() {
                        actions.push(Action::ShowInInspector(choice));
                    }
                }
            });
        });
    });
    match state.view.inspector {
        Inspector::Confidence => confidence(ui, below, state),
        Inspector::Places => places::show(ui, below, state, actions),
        Inspector::Anatomy => anatomy::show(ui, below, state, actions),
        Inspector::Surface => surface::show(ui, below, state, surface, actions),
    }
}

/// Draws the plot into `rect`.
fn confidence(ui: &mut Ui, rect: Rect, state: &State) {
    let response = ui.interact(rect, ui.scope_id().with("inspector"), Sense::hover());
    response.widget_info(|| {
        egui::WidgetInfo::labeled(egui::Role::Figure, true, "Gap and confidence by structure")
    });
    let painter = ui.painter_at(rect);
    let colours = theme::of(ui);
    let write = |at: egui::Pos2, align: Align2, words: &str, size: f32, colour: Color32| {
        painter.text(at, align, words, FontId::proportional(size), colour);
    };
    let plot = Rect::from_min_max(rect.left_top() + vec2(44.0, 24.0), rect.right_bottom() - vec2(34.0, 52.0));
    if plot.width() < 80.0 || plot.height() < 80.0 {
        return;
    }
    let line = Stroke::new(1.0, colours.line);
    painter.hline(plot.x_range(), plot.bottom(), line);
    painter.vline(plot.left(), plot.y_range(), line);
    let centre = plot.center();
    painter.extend(Shape::dashed_line(
        &[pos2(centre.x, plot.top()), pos2(centre.x, plot.bottom())],
        line,
        4.0,
        4.0,
    ));
    painter.extend(Shape::dashed_line(
        &[pos2(plot.left(), centre.y), pos2(plot.right(), centre.y)],
        line,
        4.0,
        4.0,
    ));
    let inner = plot.shrink(5.0);
    // The scale at the side says that the gap is high up here, where there is no room for the words.
    let [expected, look_here] = if inner.width() > 270.0 {
        ["high gap, unsure: expected", "high gap, sure: look here"]
    } else if inner.width() > 190.0 {
        ["unsure: expected", "sure: look here"]
    } else {
        ["unsure", "look here"]
    };
    write(inner.left_top(), Align2::LEFT_TOP, expected, 10.5, colours.weak);
    write(inner.right_top(), Align2::RIGHT_TOP, look_here, 10.5, colours.data);
    let [low_unsure, low_sure] =
        if inner.width() > 190.0 { ["low gap, unsure", "low gap, sure"] } else { ["unsure", "sure"] };
    write(inner.left_bottom(), Align2::LEFT_BOTTOM, low_unsure, 10.5, colours.weak);
    write(inner.right_bottom(), Align2::RIGHT_BOTTOM, low_sure, 10.5, colours.weak);
    write(
        plot.center_bottom() + vec2(0.0, 8.0),
        Align2::CENTER_TOP,
        "confidence (1 - mean entropy)",
        11.0,
        colours.weak,
    );
    write(
        plot.left_top() - vec2(6.0, 0.0),
        Align2::RIGHT_TOP,
        &format!("{:.1}", GAP_RANGE[1]),
        10.5,
        colours.weak,
    );
    write(plot.left_bottom() - vec2(6.0, 0.0), Align2::RIGHT_BOTTOM, "0", 10.5, colours.weak);

    let prediction = state.study.prediction(state.view.inspected);
    let Some(prediction) = prediction.filter(|prediction| prediction.whole) else {
        let hint = match (state.run.is_some(), state.view.still) {
            (true, _) => "being measured",
            (false, false) => "F5 measures the gap",
            (false, true) => "not measured",
        };
        write(centre, Align2::CENTER_CENTER, hint, 12.5, colours.weak);
        return;
    };
    discs(&painter, plot, &prediction.structures, colours.text);
}

/// A disc a structure; names are pushed apart where discs lie close together.
fn discs(painter: &Painter, plot: Rect, structures: &[StructureSummary], words: Color32) {
    let mut placed: Vec<(&StructureSummary, Pos2, f32)> = structures
        .iter()
        .filter_map(|summary| place(summary, plot).map(|(at, radius)| (summary, at, radius)))
        .collect();
    placed.sort_by(|a, b| b.1.y.total_cmp(&a.1.y));
    for (summary, at, radius) in &placed {
        let [r, g, b] = summary.rgb;
        painter.circle_filled(*at, *radius, Color32::from_rgb(r, g, b));
    }
    // Names give way upwards, and downwards again from the words at the top of the plot.
    let mut heights: Vec<f32> = Vec::new();
    let mut free_below = plot.bottom() - 0.5 * NAME_HEIGHT;
    for (_, at, _) in &placed {
        let y = at.y.min(free_below);
        free_below = y - NAME_HEIGHT;
        heights.push(y);
    }
    let mut free_above = plot.top() + 18.0 + 0.5 * NAME_HEIGHT;
    for y in heights.iter_mut().rev() {
        *y = y.max(free_above);
        free_above = *y + NAME_HEIGHT;
    }
    for ((summary, at, _), y) in placed.iter().zip(heights) {
        let name = painter.layout_no_wrap(summary.name.clone(), FontId::proportional(11.5), words);
        // Beside every disc that the name would lie on, its own among them.
        let beside = |side: f32| {
            let level =
                placed.iter().filter(|(_, disc, radius)| (disc.y - y).abs() < radius + 0.5 * NAME_HEIGHT);
            let edges = level.map(|(_, disc, radius)| side * disc.x + radius);
            side * (edges.fold(side * at.x, f32::max) + 6.0)
        };
        let on_right =
            at.x <= plot.right() - 100.0 && beside(1.0) + name.size().x <= painter.clip_rect().right();
        let x = if on_right { beside(1.0) } else { beside(-1.0) - name.size().x };
        painter.galley(pos2(x, y - 0.5 * name.size().y), name, words);
    }
}

/// Where a structure's disc lies in the plot, and its radius in points; its area grows with the volume.
fn place(summary: &StructureSummary, plot: Rect) -> Option<(egui::Pos2, f32)> {
    let gap = (summary.mean_gap? as f32 / GAP_RANGE[1]).clamp(0.0, 1.0);
    let confidence = (1.0 - summary.mean_uncertainty? as f32).clamp(0.0, 1.0);
    let at = pos2(plot.left() + confidence * plot.width(), plot.bottom() - gap * plot.height());
    let radius = (summary.volume_ml.unwrap_or(100.0) as f32).max(0.0).sqrt() * 0.6;
    Some((at, radius.clamp(4.0, 22.0)))
}
