//! What the window remembers: taken from the settings at the start, given back to them at the end.

use super::App;
use super::tasks::Done;
use crate::session::Settings;
use crate::ui::state::{NoticeKind, Pane, Split, State, View};
use crate::ui::theme;
use egui::{Context, ViewportCommand};
use std::path::Path;

/// A window smaller than this on a smaller screen than last time could not be used.
const SCREEN_SHARE: f32 = 0.95;

impl App {
    /// Reads the settings and applies them to the state.
    pub(super) fn recall(&mut self, path: &Path) {
        let (settings, trouble) = Settings::load(path);
        if let Some(trouble) = trouble {
            self.state.notify(NoticeKind::Warning, trouble);
        }
        apply(&settings, &mut self.state.view);
        self.state.settings = settings;
        self.settings_path = Some(path.to_owned());
        self.look_for_recent();
    }

    /// Looks which recent files are still there, on a thread: one of them may lie on a disk that is far away or asleep.
    pub(super) fn look_for_recent(&mut self) {
        let recent = self.state.settings.recent.clone();
        if !recent.is_empty() {
            self.spawn(move || {
                Done::RecentMissing(recent.into_iter().filter(|path| !path.exists()).collect())
            });
        }
    }

    /// Writes the settings as they are now, where there is a file for them.
    pub fn save_settings(&self) {
        if let Some(path) = &self.settings_path
            && let Err(error) = collect(&self.state).save(path)
        {
            tracing::warn!("the settings were not saved: {error}");
        }
    }

    /// Follows the window's size and the size of its text, and brings both to where they were last time.
    pub(super) fn follow_window(&mut self, context: &Context) {
        let settings = &mut self.state.settings;
        if settings.light == (context.theme() == egui::Theme::Dark) {
            theme::set(context, settings.light);
        }
        if self.frames == 0 {
            context.set_zoom_factor(settings.text_scale);
            return;
        }
        settings.text_scale = context.zoom_factor();
        let (size, maximised, screen) = context.input(|input| {
            let viewport = input.viewport();
            (viewport.inner_rect.map(|rect| rect.size()), viewport.maximized, viewport.monitor_size)
        });
        settings.window_maximised = maximised.unwrap_or(false);
        let Some(size) = size else { return };
        if let Some(screen) = screen.filter(|screen| screen.min_elem() > 0.0) {
            let fitting = size.min(screen * SCREEN_SHARE);
            // Once: afterwards the size is the user's.
            if !self.window_fitted && fitting != size && !settings.window_maximised {
                context.send_viewport_cmd(ViewportCommand::InnerSize(fitting));
            }
            self.window_fitted = true;
        }
        if !settings.window_maximised {
            // The window's own points do not grow with the text.
            let own = size * context.zoom_factor();
            settings.window_size = Some([own.x, own.y]);
        }
    }
}

fn apply(settings: &Settings, view: &mut View) {
    view.convention.radiological = settings.radiological;
    view.convention.sagittal_flipped = settings.sagittal_flipped;
    view.smooth = settings.smooth;
    view.annotations = settings.annotations;
    view.show_crosshair = settings.crosshair;
    view.hide_identity = settings.hide_identity;
    view.pacs_mouse = settings.pacs_mouse;
    // Whatever the file says, no cell is closed and no pane is lost.
    view.splits = [0, 1].map(|layout| {
        let [first, second, row] = settings.dividers[layout];
        let usual = [Split::THIRDS, Split::HALVES][layout];
        let sound = [first, second, row].iter().all(|share| share.is_finite());
        match (sound, layout) {
            (false, _) => usual,
            (true, 0) => {
                usual.with_column(1, second).with_column(0, first).with_column(1, second).with_row(row)
            }
            (true, _) => usual.with_column(0, first).with_row(row),
        }
    });
    let mut sorted = settings.order;
    sorted.sort_unstable();
    if sorted == [0, 1, 2, 3, 4] {
        view.order = settings.order.map(|number| Pane::ALL[number]);
    }
}

fn collect(state: &State) -> Settings {
    let view = &state.view;
    let dividers = view.splits.map(|Split { columns: [first, second], row }| [first, second, row]);
    Settings {
        radiological: view.convention.radiological,
        sagittal_flipped: view.convention.sagittal_flipped,
        smooth: view.smooth,
        annotations: view.annotations,
        crosshair: view.show_crosshair,
        hide_identity: view.hide_identity,
        pacs_mouse: view.pacs_mouse,
        dividers,
        order: view.order.map(|pane| pane as usize),
        ..state.settings.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::Task;

    #[test]
    fn a_view_comes_back_as_it_was_and_nonsense_in_the_file_closes_no_pane() {
        let mut state = State::new(Task::Abdomen);
        state.view.pacs_mouse = true;
        state.view.convention.radiological = false;
        state.view.order.swap(0, 4);
        state.view.splits[0] = Split::THIRDS.with_column(0, 0.2).with_row(0.7);
        let mut recalled = View::default();
        apply(&collect(&state), &mut recalled);
        assert!(recalled.pacs_mouse && !recalled.convention.radiological);
        assert_eq!((recalled.order, recalled.splits), (state.view.order, state.view.splits));
        let nonsense = Settings {
            dividers: [[9.0, -3.0, f32::NAN], [0.0, 0.0, 2.0]],
            order: [1, 1, 1, 1, 1],
            ..Settings::default()
        };
        let mut view = View::default();
        apply(&nonsense, &mut view);
        assert_eq!(view.order, Pane::ALL);
        for Split { columns: [first, second], row } in view.splits {
            assert!(first > 0.1 && second > first + 0.1 && (0.1..0.9).contains(&row));
        }
    }
}
