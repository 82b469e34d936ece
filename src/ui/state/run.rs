//! What the engine is doing, as the window knows it.

use crate::protocol::{EngineInfo, JobId};
use crate::session::loader::Work;
use crate::session::{RunOrigin, ScanId};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How the engine is doing.
#[derive(Debug, Clone, PartialEq)]
pub enum EngineStatus {
    NotStarted,
    Starting,
    Ready(EngineInfo),
    /// With the reason and the remedy, fit to be shown.
    Gone(String),
}

/// A run whose connection to the engine was lost.
#[derive(Debug, Clone)]
pub struct Reconnect {
    /// When it is tried again.
    pub at: Instant,
    pub work: Vec<Work>,
}

/// Tells the runs of one window apart, so that what comes late from an old one is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunId(pub u64);

/// One press of the main button, until everything it asked for is there.
#[derive(Debug, Clone)]
pub struct Run {
    pub id: RunId,
    /// The model that was chosen then, for titles.
    pub model: String,
    pub started: Instant,
    /// Empty while the requests are being packed.
    pub jobs: Vec<Job>,
    pub cancelling: bool,
    /// Whether work was stopped because its scan is not there any more, or not in its role.
    pub outdated: bool,
    /// Whether a result of it has taken the place of what was there before.
    pub has_result: bool,
}

/// One request at the engine.
#[derive(Debug, Clone)]
pub struct Job {
    pub id: JobId,
    pub work: Work,
    pub scan: ScanId,
    pub origin: Arc<RunOrigin>,
    pub phase: String,
    pub done: u64,
    pub total: u64,
    /// When the present phase began to count, and where.
    since: Option<(Instant, u64)>,
    pub finished: bool,
    /// Whether the engine is done with it, and what it sent is being unpacked.
    pub answered: bool,
}

impl Run {
    /// Nothing is packed yet.
    pub fn new(id: RunId, model: String) -> Self {
        let started = Instant::now();
        Self { id, model, started, jobs: Vec::new(), cancelling: false, outdated: false, has_result: false }
    }

    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.jobs.iter().find(|job| job.id == id)
    }

    pub fn job_mut(&mut self, id: JobId) -> Option<&mut Job> {
        self.jobs.iter_mut().find(|job| job.id == id)
    }

    /// Whether every request has been answered.
    pub fn is_over(&self) -> bool {
        !self.jobs.is_empty() && self.jobs.iter().all(|job| job.finished)
    }

    /// Part of the work done, 0..1: jobs count alike.
    pub fn fraction(&self) -> f32 {
        if self.jobs.is_empty() {
            return 0.0;
        }
        self.jobs.iter().map(Job::fraction).sum::<f32>() / self.jobs.len() as f32
    }

    /// The job the engine is at.
    pub fn current(&self) -> Option<&Job> {
        self.jobs.iter().find(|job| !job.finished)
    }

    /// "segmenting 14 of 20 · 2 s left".
    pub fn describe(&self) -> String {
        if self.cancelling {
            return "cancelling".to_owned();
        }
        let Some(job) = self.current() else { return "preparing".to_owned() };
        if job.total == 0 {
            return if job.phase.is_empty() {
                "waiting for the engine".to_owned()
            } else {
                job.phase.clone()
            };
        }
        let counted = format!("{} {} of {}", job.phase, job.done, job.total);
        match job.time_left() {
            Some(left) => format!("{counted} · {} left", in_words(left)),
            None => counted,
        }
    }
}

impl Job {
    pub fn new(id: JobId, work: Work, scan: ScanId, origin: Arc<RunOrigin>) -> Self {
        let phase = String::new();
        Self {
            id,
            work,
            scan,
            origin,
            phase,
            done: 0,
            total: 0,
            since: None,
            finished: false,
            answered: false,
        }
    }

    /// Takes note of the engine's progress.
    pub fn progress(&mut self, phase: &str, done: u64, total: u64) {
        if self.phase != phase {
            self.phase = phase.to_owned();
            self.since = Some((Instant::now(), done));
        }
        (self.done, self.total) = (done, total);
    }

    fn fraction(&self) -> f32 {
        match (self.finished, self.total) {
            (true, _) => 1.0,
            (false, 0) => 0.0,
            (false, total) => (self.done as f32 / total as f32).min(1.0),
        }
    }

    /// At the pace of the present phase so far; `None` before there is one.
    fn time_left(&self) -> Option<Duration> {
        let (since, from) = self.since?;
        let counted = self.done.checked_sub(from).filter(|n| *n > 0)?;
        let each = since.elapsed().as_secs_f64() / counted as f64;
        Duration::try_from_secs_f64(each * self.total.saturating_sub(self.done) as f64).ok()
    }
}

fn in_words(left: Duration) -> String {
    match left.as_secs() {
        seconds @ 0..60 => format!("{} s", seconds.max(1)),
        seconds => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_names_the_phase_and_counts_slices() {
        let mut run = Run::new(RunId(1), String::new());
        assert_eq!(run.describe(), "preparing");
        let card = crate::config::bundled_models().unwrap_or_default().remove(0);
        let origin = RunOrigin { card, settings: Default::default(), concerns: Vec::new() };
        run.jobs.push(Job::new(JobId(1), Work::Translate, ScanId::next(), Arc::new(origin)));
        assert_eq!(run.describe(), "waiting for the engine");
        run.jobs[0].progress("translating", 5, 20);
        assert_eq!(run.describe(), "translating 5 of 20");
        assert!((run.fraction() - 0.25).abs() < 1e-6);
        run.jobs[0].finished = true;
        assert!(run.is_over());
    }
}
