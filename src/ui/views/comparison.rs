//! The synthetic image over the source it was made from: shining through, beside a line, or in every other square.

use crate::render::SlicePicture;
use crate::ui::action::Action;
use crate::ui::state::{Comparison, View};
use crate::ui::theme;
use egui::{Painter, Rect, Slider, Stroke, Ui, pos2, vec2};

/// Side of a square of the checkerboard, points.
const SQUARE: f32 = 56.0;

/// Draws the image over what is in the pane already.
pub fn paint(painter: &Painter, over: &SlicePicture, view: &View) {
    let rect = over.rect();
    match view.comparison {
        Comparison::Off => {
            painter.add(over.shape(1.0));
        }
        Comparison::Blend => {
            painter.add(over.shape(view.comparison_share));
        }
        Comparison::Swipe => {
            let x = rect.right() - view.comparison_share * rect.width();
            let right = Rect::from_min_max(pos2(x, rect.top()), rect.max);
            painter.with_clip_rect(right).add(over.shape(1.0));
            painter.vline(x, rect.y_range(), Stroke::new(1.0, theme::STRONG));
        }
        Comparison::Checkerboard => {
            for square in squares(rect) {
                painter.with_clip_rect(square).add(over.shape(1.0));
            }
        }
    }
}

/// Every other square of a rectangle, from its top left corner on.
fn squares(rect: Rect) -> Vec<Rect> {
    let (columns, rows) = ((rect.width() / SQUARE).ceil() as usize, (rect.height() / SQUARE).ceil() as usize);
    let places = (0..rows).flat_map(|row| (row % 2..columns).step_by(2).map(move |column| (column, row)));
    let square = |(column, row): (usize, usize)| {
        let corner = rect.min + vec2(column as f32, row as f32) * SQUARE;
        Rect::from_min_size(corner, vec2(SQUARE, SQUARE)).intersect(rect)
    };
    places.map(square).collect()
}

/// Which comparison, and the share of the synthetic image in it.
pub fn menu(ui: &mut Ui, view: &View, actions: &mut Vec<Action>) {
    for comparison in Comparison::ALL {
        if ui.radio(view.comparison == comparison, comparison.name()).clicked() {
            actions.push(Action::Compare(comparison, view.comparison_share));
        }
    }
    let mut share = view.comparison_share;
    let adjustable = matches!(view.comparison, Comparison::Blend | Comparison::Swipe);
    let slider = Slider::new(&mut share, 0.0..=1.0).show_value(false).text("synthetic");
    if ui.add_enabled(adjustable, slider).accessible_name("Share of the synthetic image").changed() {
        actions.push(Action::Compare(view.comparison, share));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_pane_shows_each_image_and_no_square_leaves_it() {
        let rect = Rect::from_min_size(pos2(10.0, 20.0), vec2(4.0 * SQUARE, 3.5 * SQUARE));
        let squares = squares(rect);
        let area: f32 = squares.iter().map(|square| square.area()).sum();
        assert!((area / rect.area() - 0.5).abs() < 1e-3, "{}", area / rect.area());
        assert!(squares.iter().all(|square| rect.contains_rect(*square)));
    }
}
