//! Training: from a configuration and a data folder to a verified bundle.
//!
//! Two stages, as in the method: the style transfer on unpaired slices (global alignment); then the segmentation net,
//! warmed up on real source images and taught with translated, restyled and painted contrasts while the feature critic
//! and the local feature mask work on target slices (local alignment), and at last on its own refined labels of the
//! target scans. Invariant: a target label is never read; batches are a function of (seed, phase, step) alone, so a run
//! that was stopped and resumed sees what a straight run sees.

mod adam;
mod batches;
mod data;
mod flat;
mod log;
mod memory;
mod preview;
mod record;
mod schedule;
mod segmentation;
mod state;
mod translation;

pub use data::Phantoms;

use crate::model::checkpoint::WeightsError;
use crate::model::infer::InferError;
use log::Log;
use mindgap::config::train::{ConfigError, TrainConfig};
use mindgap::config::{BundleError, Card};
use mindgap::volume::io::IoError;
use schedule::Phase;
use state::TrainState;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tch::{Device, TchError};
use thiserror::Error;

/// Why a training stopped without a bundle.
#[derive(Debug, Error)]
pub enum TrainError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("training data: {0}")]
    Data(String),
    #[error(transparent)]
    Io(#[from] IoError),
    #[error("{}: {source}", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("{}: is of an unfinished training; go on from it with --resume, or choose another folder", .0.display())]
    Unfinished(PathBuf),
    #[error("{}: is of a finished training; choose another folder, or remove this one", .0.display())]
    Finished(PathBuf),
    #[error("{}: is not there, so there is nothing to go on from; leave out --resume", .0.display())]
    NoCheckpoint(PathBuf),
    #[error("checkpoint: {0}")]
    Checkpoint(String),
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error(transparent)]
    Infer(InferError),
    #[error(transparent)]
    Torch(#[from] TchError),
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error("{phase}, step {step}: the loss is not finite; a smaller learning rate may help")]
    Diverged { phase: &'static str, step: u64 },
    #[error("cancelled")]
    Cancelled,
}

impl From<InferError> for TrainError {
    fn from(error: InferError) -> Self {
        match error {
            InferError::Cancelled => TrainError::Cancelled,
            error => TrainError::Infer(error),
        }
    }
}

/// Who watches a training.
pub trait Observer {
    /// Steps of a phase done so far, and what there is to say about them.
    fn progress(&mut self, phase: &str, done: u64, total: u64, note: &str);
    /// Whether to stop after this step.
    fn cancelled(&self) -> bool;
}

/// What is trained, from what, and where it goes.
#[derive(Debug, Clone)]
pub struct TrainJob {
    /// The configuration file, verbatim; it becomes part of the card.
    pub config_text: String,
    /// Folder that data paths are relative to.
    pub data_dir: PathBuf,
    /// Checkpoints and, at the end, `card.json` and `weights.safetensors`.
    pub out_dir: PathBuf,
    pub resume: bool,
    pub device: Device,
}

/// How many steps pass between two progress reports.
const REPORT_EVERY: u64 = 5;

/// Trains and writes the bundle; returns its card. `phantoms` are those of the last training.
pub fn train(
    job: &TrainJob,
    phantoms: &mut Phantoms,
    observer: &mut dyn Observer,
) -> Result<Card, TrainError> {
    let config = TrainConfig::parse(&job.config_text)?;
    std::fs::create_dir_all(&job.out_dir)
        .map_err(|source| TrainError::Folder { path: job.out_dir.clone(), source })?;
    let checkpoint = job.out_dir.join("checkpoint.safetensors");
    let card = job.out_dir.join("card.json");
    match (checkpoint.exists(), job.resume) {
        (true, false) => return Err(TrainError::Unfinished(checkpoint)),
        (false, _) if card.exists() => return Err(TrainError::Finished(card)),
        (false, true) => return Err(TrainError::NoCheckpoint(checkpoint)),
        _ => {}
    }
    tch::manual_seed(config.seed as i64);
    if job.device.is_cuda() {
        // Every step has the same shapes: looking for their fastest kernels pays.
        tch::Cuda::cudnn_set_benchmark(true);
    }
    let mut state = TrainState::new(&config, job.device)?;
    if job.resume {
        state.restore(&checkpoint, &job.config_text)?;
    } else {
        state.start_from(&config, &job.out_dir)?;
    }
    let data = phantoms.load(&config, &job.data_dir, observer)?;
    let mut log = Log::new(&job.out_dir, &config);
    let started = Instant::now();
    let seconds_before = state.seconds;
    for phase in Phase::all(&config) {
        if phase.index() < state.phase {
            continue;
        }
        run_phase(phase, &config, &data, &mut state, &mut log, observer, &|state, log| {
            state.seconds = seconds_before + started.elapsed().as_secs_f64();
            state.save(&checkpoint, &job.config_text)?;
            log.flush()?;
            // A picture that cannot be made costs the picture.
            if let Err(error) = preview::write(&job.out_dir, &config, &data, state) {
                tracing::warn!("no preview: {error}");
            }
            Ok(())
        })?;
    }
    state.seconds = seconds_before + started.elapsed().as_secs_f64();
    let card = record::write_bundle(job, &config, &data, &state)?;
    // The bundle is whole; the checkpoint has served.
    std::fs::remove_file(&checkpoint).ok();
    Ok(card)
}

/// Runs one phase to its end, or to a cancel, saving on the way.
fn run_phase(
    phase: Phase,
    config: &TrainConfig,
    data: &data::TrainData,
    state: &mut TrainState,
    log: &mut Log,
    observer: &mut dyn Observer,
    save: &dyn Fn(&mut TrainState, &mut Log) -> Result<(), TrainError>,
) -> Result<(), TrainError> {
    let total = phase.steps(config);
    if state.step == 0 {
        segmentation::enter_phase(phase, config, data, state, observer)?;
    }
    std::thread::scope(|scope| {
        let threads = producers(state.live.store.device());
        let steps = state.step..total;
        let mut batches =
            batches::produce(scope, threads, phase, (config, data), steps, &state.pseudo_labels);
        let mut share = memory::Share::default();
        while state.step < total {
            let batch =
                batches.next().ok_or_else(|| TrainError::Data("the batch producer stopped".to_owned()))?;
            let record = memory::within(&batch, &mut share, |batch| match phase {
                Phase::Translate => translation::step(batch, config, state),
                _ => segmentation::step(phase, batch, config, state),
            })?;
            if share.shrank() {
                observer.progress(&phase.label(), state.step, total, &share.describe());
            }
            if !record.losses.iter().all(|(_, value)| value.is_finite()) {
                return Err(TrainError::Diverged { phase: phase.name(), step: state.step });
            }
            state.step += 1;
            log.add(phase, state.step, &record);
            if state.step.is_multiple_of(REPORT_EVERY) || state.step == total {
                observer.progress(&phase.label(), state.step, total, &record.describe());
            }
            if observer.cancelled() {
                save(state, log)?;
                return Err(TrainError::Cancelled);
            }
            if state.step.is_multiple_of(config.checkpoint_every) && state.step < total {
                save(state, log)?;
            }
        }
        Ok(())
    })?;
    if phase == Phase::Warm && total > 0 {
        state.keep_source_only();
    }
    state.phase = phase.index() + 1;
    state.step = 0;
    save(state, log)
}

/// How many threads make batches. On a CPU the networks need the cores and one keeps up with them; a GPU is done with a batch
/// sooner than one thread makes the next.
fn producers(device: Device) -> usize {
    if device == Device::Cpu { 1 } else { rayon::current_num_threads() }
}

/// What one step measured.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRecord {
    pub losses: Vec<(&'static str, f64)>,
    /// Mean a(p) of each class on labelled source slices, background first; empty where no critic is trained.
    pub gap_of_class: Vec<Option<f64>>,
}

impl StepRecord {
    fn new(losses: Vec<(&'static str, f64)>) -> Self {
        Self { losses, gap_of_class: Vec::new() }
    }

    fn describe(&self) -> String {
        self.losses.iter().map(|(name, value)| format!("{name} {value:.3}")).collect::<Vec<_>>().join("  ")
    }
}

fn file_error(path: &Path) -> impl FnOnce(std::io::Error) -> TrainError + '_ {
    move |source| TrainError::Folder { path: path.to_owned(), source }
}
