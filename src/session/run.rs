//! One job from start to end, for callers that wait: the command line and tests.

use super::engine::{Engine, Notice};
use super::launch::{EngineError, EngineSite};
use crate::config::Bundle;
use crate::protocol::{Event, ModelPayload, Request};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long is waited before a lost connection to an engine elsewhere is tried again, each time. After the last one the
/// job fails.
pub const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(16)];

/// How long a cancelled job may take to say so. Dropping the engine ends it in any case.
const CANCEL_GRACE: Duration = Duration::from_millis(700);

/// The bundle as it goes to the engine.
pub fn model_payload(bundle: &Bundle) -> ModelPayload {
    ModelPayload { card: bundle.card.clone(), weights: bundle.weights.clone() }
}

/// An engine that is kept from one job to the next, and started when the first one comes.
#[derive(Default)]
pub struct Connection {
    site: EngineSite,
    /// Threads it may use, where it is on this machine; `None`: as many as it likes.
    threads: Option<usize>,
    engine: Option<Engine>,
}

impl Connection {
    /// Nothing is started yet.
    pub fn new(site: EngineSite, threads: Option<usize>) -> Self {
        Self { site, threads, engine: None }
    }

    /// Runs one job as [`run_job`] does. Where the engine is elsewhere and the connection to it is lost, connects again
    /// and sends the job anew, after each of [`PAUSES`]; `lost` is told why and how long is waited.
    pub fn run(
        &mut self,
        request: Request,
        cancel: &AtomicBool,
        mut observe: impl FnMut(&Event),
        mut lost: impl FnMut(&str, Duration),
    ) -> Result<Event, EngineError> {
        let again: &[Duration] = if self.site == EngineSite::Here { &[] } else { &PAUSES };
        let mut answered = false;
        for pause in again {
            let reason = match self.run_once(request.clone(), cancel, &mut observe, &mut answered) {
                // A connection that never was, a wrong name or another version, is not worth trying again.
                Err(EngineError::Gone(reason)) if answered => reason,
                outcome => return outcome,
            };
            lost(&reason, *pause);
            wait_unless(cancel, *pause)?;
        }
        self.run_once(request, cancel, &mut observe, &mut answered)
    }

    fn run_once(
        &mut self,
        request: Request,
        cancel: &AtomicBool,
        observe: &mut dyn FnMut(&Event),
        answered: &mut bool,
    ) -> Result<Event, EngineError> {
        let mut engine = match self.engine.take() {
            Some(engine) => engine,
            None => self.start()?,
        };
        let outcome = run_job(&mut engine, request, cancel, observe);
        *answered |= engine.was_ready();
        // What came of a job that was cancelled or lost is not waited for: the next one gets an engine of its own.
        if !matches!(outcome, Err(EngineError::Gone(_) | EngineError::Cancelled)) {
            self.engine = Some(engine);
        }
        outcome
    }

    fn start(&self) -> Result<Engine, EngineError> {
        Engine::start(self.site.launch()?.with_threads(self.threads), Arc::new(|| ()))
    }
}

/// Waits, or is cancelled.
fn wait_unless(cancel: &AtomicBool, pause: Duration) -> Result<(), EngineError> {
    let until = Instant::now() + pause;
    while Instant::now() < until {
        if cancel.load(Ordering::Relaxed) {
            return Err(EngineError::Cancelled);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
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
