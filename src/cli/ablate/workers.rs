//! Several engines at work on one study, and what they finished.

use super::outcome::Outcome;
use super::stage::Runner;
use super::study::{Block, Stage, StudyConfig};
use crate::cli::job;
use crate::protocol::{DeviceChoice, Event};
use anyhow::Context;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// What is left to do and what was done, shared by the workers.
struct Board {
    /// (block, stage), in the order in which they are wanted.
    waiting: Vec<(usize, Stage)>,
    finished: BTreeSet<(usize, Stage)>,
    outcomes: Vec<Outcome>,
    /// The first error; it stops everybody.
    failed: Option<anyhow::Error>,
}

/// Runs every stage of every block on `jobs` engines; returns the outcomes in the study's order.
pub(super) fn run(
    study: &StudyConfig,
    folder: &Path,
    jobs: usize,
    device: DeviceChoice,
) -> anyhow::Result<Vec<Outcome>> {
    let blocks = study.blocks();
    let stages = study.stages();
    let all: Vec<(usize, Stage)> =
        (0..blocks.len()).flat_map(|block| stages.iter().map(move |stage| (block, *stage))).collect();
    let cancel = Arc::new(AtomicBool::new(false));
    let raised = cancel.clone();
    ctrlc::set_handler(move || raised.store(true, Ordering::Relaxed))
        .context("Ctrl+C cannot be watched for")?;
    let board = Mutex::new(Board {
        waiting: all.clone(),
        finished: BTreeSet::new(),
        outcomes: Vec::new(),
        failed: None,
    });
    let changed = Condvar::new();
    let bars = MultiProgress::new();
    let total = bars.add(ProgressBar::new(all.len() as u64));
    total
        .set_style(ProgressStyle::with_template("study {wide_bar} {pos}/{len}  {elapsed} gone, {eta} left")?);
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(all.len()) {
            scope.spawn(|| {
                let outcome = start(study, folder, jobs, device, &cancel)
                    .and_then(|runner| work(runner, &blocks, &board, &changed, &bars, &total));
                if let Err(error) = outcome {
                    lock(&board).failed.get_or_insert(error);
                    cancel.store(true, Ordering::Relaxed);
                }
                changed.notify_all();
            });
        }
    });
    total.finish_and_clear();
    let mut board = board.into_inner().unwrap_or_else(PoisonError::into_inner);
    let kept = "the study stopped; what was finished is kept, start it again to go on";
    if let Some(error) = board.failed {
        return Err(error.context(kept));
    }
    anyhow::ensure!(board.finished.len() == all.len(), "cancelled: {kept}");
    board.outcomes.sort_by_key(|outcome| {
        (
            outcome.task.name(),
            outcome.source.name(),
            outcome.contrast_flip,
            outcome.seed,
            stages.iter().position(|stage| stage.name() == outcome.stage),
        )
    });
    Ok(board.outcomes)
}

/// One of `jobs` engines, with its share of the cores.
fn start<'a>(
    study: &'a StudyConfig,
    folder: &'a Path,
    jobs: usize,
    device: DeviceChoice,
    cancel: &'a AtomicBool,
) -> anyhow::Result<Runner<'a>> {
    let engine = job::engine_among(jobs)?;
    Ok(Runner { engine, study, folder, device, cancel })
}

/// Takes stages off the board until none is left.
fn work(
    mut runner: Runner,
    blocks: &[Block],
    board: &Mutex<Board>,
    changed: &Condvar,
    bars: &MultiProgress,
    total: &ProgressBar,
) -> anyhow::Result<()> {
    let bar = bars.add(ProgressBar::no_length());
    bar.set_style(ProgressStyle::with_template("{prefix:44} {msg:24} {wide_bar} {pos}/{len}")?);
    let mut last = None;
    while let Some((index, stage)) = take(runner.study, board, changed, runner.cancel, last) {
        last = Some(index);
        let block = &blocks[index];
        let name = format!("{} {}", block.folder().display(), stage.name());
        bar.set_prefix(name.clone());
        let outcome = runner.run(block, stage, &mut |event| {
            if let Event::Progress { phase, done, total, .. } = event {
                bar.set_message(phase.clone());
                bar.set_length(*total);
                bar.set_position(*done);
            }
        });
        let outcome = outcome.with_context(|| name.clone())?;
        tracing::info!("{name}: done after {:.0} s of training", outcome.train_seconds);
        let mut board = lock(board);
        board.outcomes.push(outcome);
        board.finished.insert((index, stage));
        total.inc(1);
        changed.notify_all();
    }
    bar.finish_and_clear();
    Ok(())
}

/// The next stage that waits for none any more, of the block that was at hand `last` if it has one: the engine still has its
/// phantoms. Waits where there is one that is not ready yet.
fn take(
    study: &StudyConfig,
    board: &Mutex<Board>,
    changed: &Condvar,
    cancel: &AtomicBool,
    last: Option<usize>,
) -> Option<(usize, Stage)> {
    let mut board = lock(board);
    loop {
        if cancel.load(Ordering::Relaxed) || board.waiting.is_empty() {
            return None;
        }
        let is_ready = |(block, stage): &(usize, Stage)| {
            study.waits_for(*stage).all(|awaited| board.finished.contains(&(*block, awaited)))
        };
        let ready = || (0..board.waiting.len()).filter(|&next| is_ready(&board.waiting[next]));
        let at_hand = ready().find(|&next| Some(board.waiting[next].0) == last);
        if let Some(next) = at_hand.or_else(|| ready().next()) {
            return Some(board.waiting.remove(next));
        }
        board = changed.wait(board).unwrap_or_else(PoisonError::into_inner);
    }
}

fn lock(board: &Mutex<Board>) -> std::sync::MutexGuard<'_, Board> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}
