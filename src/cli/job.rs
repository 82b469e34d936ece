//! What the commands that need the engine share: starting it, progress on stderr, Ctrl+C, choosing model and modality.

use crate::config::{Bundle, load_bundle, model_for};
use crate::protocol::{Event, Request};
use crate::session::{self, Engine, EngineError};
use crate::volume::{Modality, Scan, Task, io};
use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Runs one job on this program's engine, with a progress bar on stderr. Ctrl+C and SIGTERM cancel it; `if_cancelled`
/// then says what is left.
pub(super) fn run(request: Request, if_cancelled: &'static str) -> anyhow::Result<Event> {
    let cancel = Arc::new(AtomicBool::new(false));
    let raised = cancel.clone();
    let ask_then_quit = move || {
        // Whoever asks twice does not want to wait; the engine sees its stream end.
        if raised.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    };
    ctrlc::set_handler(ask_then_quit).context("Ctrl+C cannot be watched for")?;
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

/// Reads the scan, says what must be known of it, and refuses outputs that could not be written or would destroy it,
/// before anything is computed.
pub(super) fn open_input(input: &Path, outputs: &[&Path]) -> anyhow::Result<Scan> {
    let scan = io::open(input)?;
    for warning in &scan.warnings {
        eprintln!("warning: {warning}");
    }
    let place = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path));
    let mut taken = vec![place(input)?];
    for output in outputs {
        let name = output.to_string_lossy().to_lowercase();
        anyhow::ensure!(
            name.ends_with(".nii") || name.ends_with(".nii.gz"),
            "{}: expected a name that ends in .nii or .nii.gz",
            output.display()
        );
        let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty());
        anyhow::ensure!(
            folder.is_none_or(Path::is_dir),
            "{}: its folder does not exist; make it first",
            output.display()
        );
        let place = place(output)?;
        anyhow::ensure!(
            !taken.contains(&place),
            "{}: is also the scan or another output; choose another name",
            output.display()
        );
        taken.push(place);
    }
    Ok(scan)
}

/// The scan's modality: as told, else guessed from its intensities, which is said on stderr.
pub(super) fn settle_modality(told: Option<Modality>, scan: &Scan) -> Modality {
    told.unwrap_or_else(|| {
        let guess = scan.guess_modality();
        eprintln!("note: taken for {} by its intensities; --modality ct|mr overrides this", guess.name());
        guess
    })
}

/// The model asked for, else the bundled one of the task (abdomen if not told) whose target is `modality`.
pub(super) fn settle_model(
    asked: Option<&str>,
    task: Option<Task>,
    modality: Modality,
) -> anyhow::Result<Bundle> {
    let Some(asked) = asked else {
        return Ok(load_bundle(&model_for(task.unwrap_or(Task::Abdomen), modality)?.id)?);
    };
    let bundle = load_bundle(asked)?;
    if let Some(task) = task.filter(|task| *task != bundle.card.task) {
        let (id, is_for) = (&bundle.card.id, bundle.card.task.name());
        anyhow::bail!("--task {} was asked for, model {id} is for {is_for}", task.name());
    }
    Ok(bundle)
}
