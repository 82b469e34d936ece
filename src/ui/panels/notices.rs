//! What the user has to know, above the panes, until dismissed.

use crate::ui::action::Action;
use crate::ui::state::{NoticeKind, State};
use crate::ui::{theme, widgets};
use egui::{Align, Frame, Layout, Margin, RichText, Ui};

/// More than this many would bury the images; the newest are shown.
const MOST_SHOWN: usize = 4;

/// Draws one line a notice.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let first = state.notices.len().saturating_sub(MOST_SHOWN);
    for notice in &state.notices[first..] {
        let colour = match notice.kind {
            NoticeKind::Done => theme::of(ui).good,
            NoticeKind::Warning => theme::of(ui).warning,
            NoticeKind::Error => theme::of(ui).error,
        };
        Frame::NONE.fill(theme::of(ui).card).inner_margin(Margin::symmetric(12, 6)).show(ui, |ui| {
            ui.horizontal(|ui| {
                widgets::dot(ui, colour);
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    if ui.small_button("Dismiss").clicked() {
                        actions.push(Action::Dismiss(notice.id));
                    }
                    if !notice.details.is_empty() {
                        let words = if notice.unfolded { "Fewer details" } else { "Details" };
                        if ui.small_button(words).clicked() {
                            actions.push(Action::Unfold(notice.id));
                        }
                    }
                    if let Some(remedy) = &notice.remedy
                        && ui.small_button(remedy.label).clicked()
                    {
                        actions.push(Action::Remedy(notice.id));
                    }
                    ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                        ui.add(
                            egui::Label::new(RichText::new(&notice.text).color(theme::of(ui).text)).wrap(),
                        );
                    });
                });
            });
            if notice.unfolded {
                details(ui, &notice.details);
            }
        });
    }
}

/// Words to pass on, which can be marked and copied.
fn details(ui: &mut Ui, words: &str) {
    ui.horizontal(|ui| {
        ui.add_space(14.0);
        ui.vertical(|ui| {
            ui.add(egui::Label::new(RichText::new(words).monospace().size(11.5)).wrap().selectable(true));
            if ui.small_button("Copy").clicked() {
                ui.copy_text(words.to_owned());
            }
        });
    });
}
