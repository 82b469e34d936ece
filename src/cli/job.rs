//! What the commands that need the engine share: starting it, progress on stderr, Ctrl+C, model and modality.

use crate::config::{Bundle, load_bundle, model_for};
use crate::protocol::{DeviceChoice, Event, Request};
use crate::session::{self, Connection, Engine, EngineError, EngineSite};
use crate::volume::{Modality, Scan, Task};
use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Where the engine is that does the work.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct EngineChoice {
    /// The command that reaches an engine elsewhere, as in "ssh gpu-box mindgap-engine" [default: the one of this machine]
    #[arg(long = "engine", value_name = "COMMAND", env = "MINDGAP_ENGINE")]
    pub command: Option<String>,
}

impl EngineChoice {
    pub(super) fn site(&self) -> EngineSite {
        EngineSite::of_command(self.command.as_deref().unwrap_or_default())
    }
}

/// Says that a connection was lost, and that it is tried again.
pub(super) fn tell_lost(reason: &str, pause: Duration) {
    eprintln!(
        "warning: the connection to the engine was lost ({reason}); connecting again in {} s",
        pause.as_secs()
    );
}

/// The engine that was chosen, for jobs that follow each other, with a progress bar on stderr.
///
/// Ctrl+C and SIGTERM cancel the job that is going on. Between jobs, and after the last, they end the program at once: what
/// is written then is written whole or not at all.
pub(super) struct Runner {
    connection: Connection,
    cancel: Arc<AtomicBool>,
    working: Arc<AtomicBool>,
}

impl Runner {
    pub(super) fn start(site: EngineSite) -> anyhow::Result<Self> {
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
        Ok(Self { connection: Connection::new(site, None), cancel, working })
    }

    /// Runs one job to the event that ends it; `if_cancelled` says what is left if it is cancelled.
    pub(super) fn run(&mut self, request: Request, if_cancelled: &'static str) -> anyhow::Result<Event> {
        self.working.store(true, Ordering::Relaxed);
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(ProgressStyle::with_template("{msg:28} {wide_bar} {pos}/{len}  {eta} left  {prefix}")?);
        let show = |event: &Event| {
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
        };
        let lost = |reason: &str, pause| bar.suspend(|| tell_lost(reason, pause));
        let outcome = self.connection.run(request, &self.cancel, show, lost);
        self.working.store(false, Ordering::Relaxed);
        bar.finish_and_clear();
        match outcome {
            Err(EngineError::Cancelled) => anyhow::bail!("cancelled; {if_cancelled}"),
            outcome => Ok(outcome?),
        }
    }
}

/// Runs the only job of a command.
pub(super) fn run(site: EngineSite, request: Request, if_cancelled: &'static str) -> anyhow::Result<Event> {
    Runner::start(site)?.run(request, if_cancelled)
}

/// The share of this machine's cores that each of `jobs` engines gets; `None` where there is one, which takes what it likes.
pub(super) fn threads_among(jobs: usize) -> Option<usize> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (jobs > 1).then_some((cores / jobs).max(1))
}

/// One of `jobs` engines at work on this machine, with its share of the cores.
pub(super) fn engine_among(jobs: usize) -> Result<Engine, EngineError> {
    Engine::start(session::locate_engine()?.with_threads(threads_among(jobs)), Arc::new(|| ()))
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
    #[command(flatten)]
    pub engine: EngineChoice,
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
