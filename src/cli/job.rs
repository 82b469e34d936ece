//! What the commands that need the engine share: starting it, progress on stderr, Ctrl+C, model and modality.

use crate::config::{Bundle, load_bundle, model_for};
use crate::protocol::{DeviceChoice, Event, Request};
use crate::session::{self, Engine, EngineError, Launch};
use crate::volume::{Modality, Scan, Task};
use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// This program's engine for jobs that follow each other, with a progress bar on stderr.
///
/// Ctrl+C and SIGTERM cancel the job that is going on. Between jobs, and after the last, they end the program at once: what
/// is written then is written whole or not at all.
pub(super) struct Runner {
    engine: Engine,
    cancel: Arc<AtomicBool>,
    working: Arc<AtomicBool>,
}

impl Runner {
    pub(super) fn start() -> anyhow::Result<Self> {
        let cancel = Arc::new(AtomicBool::new(false));
        let working = Arc::new(AtomicBool::new(true));
        let (raised, something_to_cancel) = (cancel.clone(), working.clone());
        let ask_then_quit = move || {
            // Whoever asks twice does not want to wait; the engine sees its stream end.
            if raised.swap(true, Ordering::Relaxed) || !something_to_cancel.load(Ordering::Relaxed) {
                std::process::exit(130);
            }
        };
        ctrlc::set_handler(ask_then_quit).context("Ctrl+C cannot be watched for")?;
        let engine = Engine::start(session::locate_engine()?, Arc::new(|| ()))?;
        Ok(Self { engine, cancel, working })
    }

    /// Runs one job to the event that ends it; `if_cancelled` says what is left if it is cancelled.
    pub(super) fn run(&mut self, request: Request, if_cancelled: &'static str) -> anyhow::Result<Event> {
        self.working.store(true, Ordering::Relaxed);
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(ProgressStyle::with_template("{msg:28} {wide_bar} {pos}/{len}  {eta} left  {prefix}")?);
        let outcome = session::run_job(&mut self.engine, request, &self.cancel, |event| {
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
        self.working.store(false, Ordering::Relaxed);
        bar.finish_and_clear();
        match outcome {
            Err(EngineError::Cancelled) => anyhow::bail!("cancelled; {if_cancelled}"),
            outcome => Ok(outcome?),
        }
    }
}

/// Runs the only job of a command.
pub(super) fn run(request: Request, if_cancelled: &'static str) -> anyhow::Result<Event> {
    Runner::start()?.run(request, if_cancelled)
}

/// One of `jobs` engines at work on this machine, with its share of the cores.
pub(super) fn engine_among(jobs: usize) -> Result<Engine, EngineError> {
    let mut launch = session::locate_engine()?;
    if let Launch::Process { args, .. } = &mut launch
        && jobs > 1
    {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        args.extend(["--threads".to_owned(), (cores / jobs).max(1).to_string()]);
    }
    Engine::start(launch, Arc::new(|| ()))
}

/// Which model works on the scan, and where.
#[derive(Debug, Args)]
pub(super) struct ModelChoice {
    /// Which structures the model is for; abdomen, if neither this nor a model says otherwise.
    #[arg(long)]
    task: Option<Task>,
    /// What made the scan; as its file says, or guessed, if left out.
    #[arg(long)]
    modality: Option<Modality>,
    /// A bundled model's id, or a bundle's folder.
    #[arg(long)]
    model: Option<String>,
    #[arg(long, default_value = "auto")]
    pub device: DeviceChoice,
}

impl ModelChoice {
    /// The scan's modality: as told, else as its file says or its intensities suggest.
    pub(super) fn modality_quietly(&self, scan: &Scan) -> Modality {
        self.modality.unwrap_or_else(|| scan.guess_modality())
    }

    /// The scan's modality: as told, else as its file says or its intensities suggest, which is said on stderr.
    pub(super) fn modality(&self, scan: &Scan) -> Modality {
        self.modality.unwrap_or_else(|| {
            let modality = scan.guess_modality();
            let by = if scan.modality.is_some() { "its file" } else { "its intensities" };
            eprintln!("note: taken for {} by {by}; --modality ct|mr overrides this", modality.name());
            modality
        })
    }

    /// The model asked for, else the bundled one of the task (abdomen if not told) whose target is `target`.
    pub(super) fn bundle(&self, target: Modality) -> anyhow::Result<Bundle> {
        let Some(asked) = &self.model else {
            return Ok(load_bundle(&model_for(self.task.unwrap_or(Task::Abdomen), target)?.id)?);
        };
        let bundle = load_bundle(asked)?;
        if let Some(task) = self.task.filter(|task| *task != bundle.card.task) {
            let (id, is_for) = (&bundle.card.id, bundle.card.task.name());
            anyhow::bail!("--task {} was asked for, model {id} is for {is_for}", task.name());
        }
        Ok(bundle)
    }
}
