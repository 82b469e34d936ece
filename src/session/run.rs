//! One job from start to end, for callers that wait: the command line and tests.

use super::engine::{Engine, Notice};
use super::launch::EngineError;
use crate::config::Bundle;
use crate::protocol::{Event, ModelPayload, Request};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The bundle as it goes to the engine.
pub fn model_payload(bundle: &Bundle) -> ModelPayload {
    ModelPayload { card: bundle.card.clone(), weights: bundle.weights.clone() }
}

/// Runs one job and returns the event that ends it; every other event of it goes to `observe`.
///
/// Raising `cancel` stops the job; the engine keeps what must be kept, and [`EngineError::Cancelled`] is returned.
pub fn run_job(
    engine: &mut Engine,
    request: Request,
    cancel: &AtomicBool,
    mut observe: impl FnMut(&Event),
) -> Result<Event, EngineError> {
    let job = engine.submit(request);
    let mut cancel_sent = false;
    loop {
        if cancel.load(Ordering::Relaxed) && !cancel_sent {
            engine.cancel(job);
            cancel_sent = true;
        }
        match engine.next_within(Duration::from_millis(50)) {
            None => {}
            Some(Notice::Gone(reason)) => return Err(EngineError::Gone(reason)),
            Some(Notice::Event(event)) if event.job() == Some(job) => match event {
                Event::Failed { error, .. } => {
                    return Err(EngineError::Job(format!("{}. {}", error.message, error.remedy)));
                }
                Event::Cancelled { .. } => return Err(EngineError::Cancelled),
                event if event.ends_job() => return Ok(event),
                event => observe(&event),
            },
            Some(Notice::Event(_)) => {}
        }
    }
}
