//! How the window ends: a file that is being written is finished first.
//!
//! Exports are written whole or not at all, so that nothing is lost by going at once; but the file that was asked for would
//! not be there, and what there is of it would stay behind under a passing name.

use super::App;
use super::tasks::Done;
use crate::ui::state::NoticeKind;
use egui::{Context, ViewportCommand};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Held by every task that writes; whether it is held elsewhere says whether one is at work.
#[derive(Debug, Default)]
pub(super) struct Closing {
    writing: Arc<()>,
    /// The window is to go as soon as nothing is written any more.
    asked: bool,
}

impl Closing {
    fn is_writing(&self) -> bool {
        Arc::strong_count(&self.writing) > 1
    }
}

impl App {
    /// Runs a task that writes files on a thread.
    pub(super) fn spawn_writer(&mut self, task: impl FnOnce() -> Done + Send + 'static) {
        let token = self.closing.writing.clone();
        self.spawn(move || {
            let done = task();
            drop(token);
            done
        });
    }

    /// Keeps the window open while a file is written. Whoever asks twice does not want to wait.
    pub(super) fn close_when_written(&mut self, context: &Context) {
        // Taken once: a signal that stayed would be the second one in the next frame.
        let interrupted = self.interrupted.swap(false, Ordering::Relaxed);
        let asked = interrupted || context.input(|input| input.viewport().close_requested());
        match (self.closing.is_writing(), self.closing.asked) {
            (true, false) if asked => {
                self.closing.asked = true;
                context.send_viewport_cmd(ViewportCommand::CancelClose);
                let text = "The window closes once the file that is being written is there; close it again to go at once.";
                self.state.notify(NoticeKind::Warning, text);
            }
            (false, true) => {
                self.closing.asked = false;
                context.send_viewport_cmd(ViewportCommand::Close);
            }
            _ if interrupted => context.send_viewport_cmd(ViewportCommand::Close),
            _ => {}
        }
    }

    /// Tells from another thread whether a file is being written.
    pub fn writing_watch(&self) -> impl Fn() -> bool + Clone + Send + use<> {
        let writing = Arc::downgrade(&self.closing.writing);
        move || writing.strong_count() > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::StartUp;
    use egui::{RawInput, ViewportEvent, ViewportId, ViewportInfo};

    /// One frame of the closing logic, with or without the user asking for the window to go; what is sent to the window.
    fn frame(app: &mut App, asked: bool) -> Vec<ViewportCommand> {
        let context = Context::default();
        let events = if asked { vec![ViewportEvent::Close] } else { Vec::new() };
        let info = ViewportInfo { events, ..ViewportInfo::default() };
        let input =
            RawInput { viewports: [(ViewportId::ROOT, info)].into_iter().collect(), ..RawInput::default() };
        let mut output = context.run_ui(input, |ui| app.close_when_written(ui.ctx()));
        output.textures_delta.clear();
        let sent = output.viewport_output.remove(&ViewportId::ROOT).map(|viewport| viewport.commands);
        // egui sends some of its own in a context's first frame.
        let about_closing = |command: &ViewportCommand| {
            matches!(command, ViewportCommand::Close | ViewportCommand::CancelClose)
        };
        sent.unwrap_or_default().into_iter().filter(about_closing).collect()
    }

    #[test]
    fn a_window_that_is_closed_during_an_export_goes_when_the_file_is_there() {
        let mut app = App::new(StartUp::default(), Arc::new(|| ()));
        assert!(frame(&mut app, true).is_empty(), "nothing is written: the window goes by itself");
        let task = app.closing.writing.clone();
        assert_eq!(frame(&mut app, true), [ViewportCommand::CancelClose]);
        assert!(app.state.notices.iter().any(|notice| notice.text.contains("being written")));
        assert!(frame(&mut app, false).is_empty());
        assert!(frame(&mut app, true).is_empty(), "asked twice: not held back again");
        drop(task);
        assert_eq!(frame(&mut app, false), [ViewportCommand::Close]);
        assert!(frame(&mut app, false).is_empty());
    }

    #[test]
    fn one_signal_during_an_export_waits_for_the_file_and_a_second_does_not() {
        let mut app = App::new(StartUp::default(), Arc::new(|| ()));
        let is_writing = app.writing_watch();
        let signal = |app: &App| app.interrupt_flag().store(true, Ordering::Relaxed);
        signal(&app);
        assert_eq!(frame(&mut app, false), [ViewportCommand::Close], "nothing is written");
        assert!(!is_writing());
        let task = app.closing.writing.clone();
        assert!(is_writing());
        signal(&app);
        assert_eq!(frame(&mut app, false), [ViewportCommand::CancelClose]);
        assert!(frame(&mut app, false).is_empty(), "the one signal counted twice");
        signal(&app);
        assert_eq!(frame(&mut app, false), [ViewportCommand::Close]);
        drop(task);
        assert_eq!(frame(&mut app, false), [ViewportCommand::Close]);
    }
}
