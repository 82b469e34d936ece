//! Figures: asked for in the window, drawn and written on a thread.

use super::App;
use super::tasks::{Done, in_full};
use crate::ui::figure::{FigureFailure, FigureLayout, FigureOrder};
use crate::ui::state::{Dialog, FigureDialog, NoticeKind};
use crate::ui::update::{self, figure_size_points};
use std::path::PathBuf;

impl App {
    /// What the window shows now, as a figure of its image area or of another size.
    pub fn figure(&self, size_points: Option<[f32; 2]>, scale: u32, names: bool) -> FigureOrder {
        let size_points = size_points.unwrap_or_else(|| figure_size_points(&self.state));
        FigureOrder::new(&self.state, size_points, scale, names && !self.state.view.hide_identity)
    }

    /// Lays the panes out, for callers without hands.
    pub fn arrange(&mut self, layout: FigureLayout) {
        // A layout needs nothing but the state.
        let _ = update::apply(&mut self.state, layout.action());
    }

    pub(super) fn export_figure(&mut self, asked: &FigureDialog) {
        let order = self.figure(None, asked.scale, asked.names);
        let (path, overwrite) = (PathBuf::from(asked.path.trim()), asked.confirm_overwrite);
        self.edit_figure(|figure| figure.drawing = true);
        self.spawn_writer(move || {
            if !overwrite && path.exists() {
                return Done::FigureExists;
            }
            Done::Figure(order.write(&path).map(|receipt| receipt.path))
        });
    }

    pub(super) fn figure_exists(&mut self) {
        self.edit_figure(|figure| (figure.drawing, figure.confirm_overwrite) = (false, true));
    }

    pub(super) fn figure_written(&mut self, result: Result<PathBuf, FigureFailure>) {
        match result {
            Ok(path) => {
                if matches!(self.state.dialog, Some(Dialog::Figure(_))) {
                    self.state.dialog = None;
                }
                let text = format!("Saved {}; where it comes from is beside it.", path.display());
                self.state.notify(NoticeKind::Done, text);
            }
            Err(error) => self.figure_failed(in_full(&error)),
        }
    }

    /// In the dialog, or above the images where it has been closed meanwhile.
    fn figure_failed(&mut self, words: String) {
        if !matches!(self.state.dialog, Some(Dialog::Figure(_))) {
            self.fail(words);
            return;
        }
        self.edit_figure(|figure| {
            (figure.drawing, figure.confirm_overwrite) = (false, false);
            figure.trouble = Some(words);
        });
    }

    pub(super) fn edit_figure(&mut self, edit: impl FnOnce(&mut FigureDialog)) {
        if let Some(Dialog::Figure(figure)) = &mut self.state.dialog {
            edit(figure);
        }
    }
}
