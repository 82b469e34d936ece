//! What happens when the engine is gone, and how an engine elsewhere is found again.
//!
//! A connection through a network can be lost without anybody's fault: what was running is sent anew, after the same
//! pauses as on the command line, and the study stays as it is meanwhile. An engine of this machine that ends has a
//! reason, which is told at once.

use super::App;
use crate::session::{EngineSite, PAUSES};
use crate::ui::state::{EngineStatus, Reconnect};
use crate::ui::update;
use std::time::Instant;

impl App {
    pub(super) fn engine_gone(&mut self, reason: String) {
        let reason = if reason.is_empty() { "its connection was closed".to_owned() } else { reason };
        self.forget_style();
        let answered = self.engine.take().is_some_and(|engine| engine.was_ready());
        self.state.engine = EngineStatus::Gone(format!("The model engine ended: {reason}"));
        if self.state.run.as_ref().is_some_and(|run| run.jobs.is_empty()) {
            // It is being packed, or waits for the user to go on: the engine is started when there is something to send.
            return;
        }
        let Some(run) = self.state.run.take() else {
            self.state.queue.clear();
            return;
        };
        let elsewhere = self.state.engine_at != EngineSite::Here;
        // Once it was lost, a connection that does not come about is the same trouble still.
        let worth_trying = elsewhere && (answered || self.state.connections_lost > 0) && !run.cancelling;
        match PAUSES.get(self.state.connections_lost).filter(|_| worth_trying) {
            Some(pause) => {
                self.state.connections_lost += 1;
                let work = run.jobs.iter().filter(|job| !job.finished).map(|job| job.work).collect();
                let of = PAUSES.len();
                self.state.last_run = format!(
                    "connection lost ({reason}); trying again in {} s, {} of {of} · Esc gives up",
                    pause.as_secs(),
                    self.state.connections_lost
                );
                self.state.reconnect = Some(Reconnect { at: Instant::now() + *pause, work });
            }
            None => {
                self.state.connections_lost = 0;
                self.state.queue.clear();
                self.state.last_run = "the engine ended during the run".to_owned();
                self.fail(format!(
                    "The model engine ended during the run: {reason}. Nothing else is lost; F5 starts it again and runs."
                ));
            }
        }
        self.state.study.forget_slabs();
    }

    /// Sends what was lost once the pause is over; until then the window need not be drawn.
    pub(super) fn reconnect_if_due(&mut self, context: &egui::Context) {
        let Some(reconnect) = &self.state.reconnect else { return };
        let left = reconnect.at.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            return context.request_repaint_after(left);
        }
        let Some(Reconnect { work, .. }) = self.state.reconnect.take() else { return };
        for effect in update::start(&mut self.state, work) {
            self.perform_without_context(effect);
        }
    }
}
