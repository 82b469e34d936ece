//! What the commands that need the engine share: starting it, progress on stderr, Ctrl+C, choosing model and modality.

use crate::config::{Bundle, load_bundle, model_for};
use crate::protocol::{Event, Request};
use crate::session::{self, Engine, EngineError};
use crate::volume::{Modality, Scan, Task};
use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Runs one job on this program's engine, with a progress bar on stderr. Ctrl+C and SIGTERM cancel it; `if_cancelled`
/// then says what is left.
pub(super) fn run(request: Request, if_cancelled: &'static str) -> anyhow::Result<Event> {
    let cancel = Arc::new(AtomicBool::new(false));
    let raised = cancel.clone();
    ctrlc::set_handler(move || raised.store(true, Ordering::Relaxed))
        .context("Ctrl+C cannot be watched for")?;
    let mut engine = Engine::start(session::locate_engine()?, Arc::new(|| ()))?;
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template("{msg:28} {wide_bar} {pos}/{len}  {eta} left  {prefix}")?);
    let outcome = session::run_job(&mut engine, request, &cancel, |event| {
        if let Event::Progress { phase, done, total, note, .. } = event {
            if bar.message() != *phase {
                bar.reset();
                bar.set_message(phase.clone());
            }
            bar.set_length(*total);
            bar.set_position(*done);
            bar.set_prefix(note.clone());
            tracing::info!("{phase} {done}/{total} {note}");
        }
    });
    bar.finish_and_clear();
    match outcome {
        Err(EngineError::Cancelled) => anyhow::bail!("cancelled; {if_cancelled}"),
        outcome => Ok(outcome?),
    }
}

/// The scan's modality: as told, else guessed from its intensities, which is said on stderr.
pub(super) fn settle_modality(told: Option<Modality>, scan: &Scan) -> Modality {
    told.unwrap_or_else(|| {
        let guess = scan.guess_modality();
        eprintln!("note: taken for {} by its intensities; --modality ct|mr overrides this", guess.name());
        guess
    })
}

/// The model asked for, else the bundled one whose target is `modality`.
pub(super) fn settle_model(asked: Option<&str>, task: Task, modality: Modality) -> anyhow::Result<Bundle> {
    let id = match asked {
        Some(asked) => asked.to_owned(),
        None => model_for(task, modality)?.id,
    };
    Ok(load_bundle(&id)?)
}
