//! One job from start to end, for callers that wait: the command line and tests.

use super::engine::{Engine, Notice};
use super::launch::EngineError;
use crate::config::Bundle;
use crate::protocol::{Event, ModelPayload, Request};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a cancelled job may take to say so. Dropping the engine ends it in any case.
const CANCEL_GRACE: Duration = Duration::from_millis(700);

/// The bundle as it goes to the engine.
pub fn model_payload(bundle: &Bundle) -> ModelPayload {
    ModelPayload { card: bundle.card.clone(), weights: bundle.weights.clone() }
}

/// Runs one job and returns the event that ends it; every other event of it goes to `observe`.
///
/// Raising `cancel` stops the job, and [`EngineError::Cancelled`] is returned: at the latest after [`CANCEL_GRACE`], or,
/// for a training, once its checkpoint is written.
pub fn run_job(
    engine: &mut Engine,
    request: Request,
    cancel: &AtomicBool,
    mut observe: impl FnMut(&Event),
) -> Result<Event, EngineError> {
    let keeps_checkpoint = matches!(request, Request::Train(_));
    let job = engine.submit(request);
    let mut cancelled_at: Option<Instant> = None;
    loop {
        if cancel.load(Ordering::Relaxed) && cancelled_at.is_none() {
            engine.cancel(job);
            cancelled_at = Some(Instant::now());
        }
        if !keeps_checkpoint && cancelled_at.is_some_and(|at| at.elapsed() > CANCEL_GRACE) {
            return Err(EngineError::Cancelled);
        }
        match engine.next_within(Duration::from_millis(50)) {
            None => {}
            Some(Notice::Gone(reason)) => return Err(EngineError::Gone(reason)),
            Some(Notice::Event(event)) if event.job() == Some(job) => match event {
                Event::Failed { error, .. } => {
                    let details = if error.message.contains(&error.details) {
                        String::new()
                    } else {
                        format!(" (details: {})", error.details)
                    };
                    return Err(EngineError::Job(format!("{}. {}{details}", error.message, error.remedy)));
                }
                Event::Cancelled { .. } => return Err(EngineError::Cancelled),
                event if event.ends_job() => return Ok(event),
                event => observe(&event),
            },
            Some(Notice::Event(_)) => {}
        }
    }
}
