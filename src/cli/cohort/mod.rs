//! Many scans through one model: what `mindgap batch` and `mindgap report` over a folder share.
//!
//! Invariants: a case's folder appears whole or not at all, under a name that comes from what the scan holds; what is
//! there and was made of the same voxels by the same model in the same way is kept; results of another scan are never
//! replaced; one bad case never stops the rest; a run that was killed and started again ends with the files of one that
//! was not.

mod cases;
mod one;
mod place;
mod summary;

use super::{input, job};
use crate::protocol::SegmentSettings;
use crate::session::cohort::CaseRecord;
use crate::session::{Connection, EngineError, EngineSite};
use anyhow::Context;
pub(super) use cases::{Shard, find};
use one::Maker;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// What is to be done, the same for every case.
pub(super) struct Plan<'a> {
    pub out: &'a Path,
    pub choice: &'a job::ModelChoice,
    pub reading: &'a input::InputOptions,
    pub settings: SegmentSettings,
    pub threshold: f32,
    /// Labels, gap and uncertainty beside the report.
    pub volumes: bool,
    /// Cases are called like their files.
    pub names: bool,
    pub jobs: usize,
    pub shard: Shard,
}

impl Plan<'_> {
    /// One of `jobs` engines, not yet started.
    fn connection(&self) -> Connection {
        Connection::new(self.choice.engine.site(), job::threads_among(self.jobs))
    }
}

/// What became of one case.
#[derive(Debug)]
enum Outcome {
    Made(CaseRecord),
    /// Was there already.
    Kept(CaseRecord),
    /// Another input of this run holds the same and is the case of this name.
    Twin(String),
    Failed(String),
}

/// Runs every case of the shard; fails when one failed, after all have been tried.
pub(super) fn run(plan: &Plan, inputs: &[PathBuf]) -> anyhow::Result<()> {
    if plan.names {
        refuse_equal_names(inputs)?;
    }
    std::fs::create_dir_all(plan.out).with_context(|| format!("{}: cannot be made", plan.out.display()))?;
    let mine: Vec<&PathBuf> = plan.shard.of(inputs).collect();
    let cancel = Arc::new(AtomicBool::new(false));
    let raised = cancel.clone();
    ctrlc::set_handler(move || raised.store(true, Ordering::Relaxed))
        .context("Ctrl+C cannot be watched for")?;
    let next = AtomicUsize::new(0);
    let begun = Begun::default();
    let outcomes = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..plan.jobs.min(mine.len()) {
            scope.spawn(|| {
                let connection = plan.connection();
                let mut worker = Worker { plan, connection, cancel: &cancel, begun: &begun };
                while !cancel.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(path) = mine.get(number) else { break };
                    let outcome = worker.case(path);
                    say(number + 1, mine.len(), plan.names.then_some(path), &outcome);
                    outcomes.lock().unwrap_or_else(PoisonError::into_inner).push((number, outcome));
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|(number, _)| *number);
    anyhow::ensure!(
        !cancel.load(Ordering::Relaxed),
        "cancelled; finished cases are kept, the same command goes on with the rest"
    );
    let outcomes: Vec<Outcome> = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
    summary::write(plan, &mine, &outcomes)
}

/// Two cases of one name would take each other's folder; there are file systems on which "Anna" and "anna" are one.
fn refuse_equal_names(inputs: &[PathBuf]) -> anyhow::Result<()> {
    let mut taken = BTreeMap::new();
    for path in inputs {
        if let Some(other) = taken.insert(one::name_of(path).to_lowercase(), path) {
            anyhow::bail!(
                "--names: {} and {} have one name; leave --names out, or give them in two runs into two output \
                 folders",
                other.display(),
                path.display()
            );
        }
    }
    Ok(())
}

fn say(number: usize, of: usize, path: Option<&PathBuf>, outcome: &Outcome) {
    let name = path.map_or_else(String::new, |path| format!("{}: ", path.display()));
    match outcome {
        Outcome::Made(record) => eprintln!("{number}/{of} {name}{}", record.case),
        Outcome::Kept(record) => eprintln!("{number}/{of} {name}{} is there already", record.case),
        Outcome::Twin(case) => eprintln!("{number}/{of} {name}{case} is a copy of another input of this run"),
        Outcome::Failed(reason) => eprintln!("{number}/{of} {name}failed: {reason}"),
    }
}

/// By the hash of what it holds, the input that became a case in this run: copies of one scan would else fill one folder at
/// the same time.
#[derive(Debug, Default)]
struct Begun(Mutex<BTreeMap<String, PathBuf>>);

impl Begun {
    /// Whether the case is another input's. An input that is tried again is its own.
    fn is_anothers(&self, input_sha256: &str, path: &Path) -> bool {
        let mut begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        begun.entry(input_sha256.to_owned()).or_insert_with(|| path.to_owned()) != path
    }
}

/// One thread with one engine.
struct Worker<'a> {
    plan: &'a Plan<'a>,
    connection: Connection,
    cancel: &'a AtomicBool,
    begun: &'a Begun,
}

impl Worker<'_> {
    /// Makes one case; an engine of this machine that ended is started again, once for a case. To one elsewhere the connection
    /// has been tried again already.
    fn case(&mut self, path: &Path) -> Outcome {
        let started = Instant::now();
        let mut outcome = self.attempt(path);
        let lost =
            |error: &anyhow::Error| matches!(error.downcast_ref::<EngineError>(), Some(EngineError::Gone(_)));
        let here = self.plan.choice.engine.site() == EngineSite::Here;
        if here && outcome.as_ref().is_err_and(lost) && !self.cancel.load(Ordering::Relaxed) {
            outcome = self.attempt(path);
        }
        tracing::info!("a case took {:.1} s", started.elapsed().as_secs_f64());
        outcome.unwrap_or_else(|error| Outcome::Failed(format!("{error:#}")))
    }

    fn attempt(&mut self, path: &Path) -> anyhow::Result<Outcome> {
        let Self { plan, cancel, begun, .. } = *self;
        let mut maker = Maker { plan, connection: &mut self.connection, cancel, begun };
        let made = catch_unwind(AssertUnwindSafe(|| maker.make(path)));
        made.unwrap_or_else(|_| {
            Err(anyhow::anyhow!("an internal error; please report it with the scan's header"))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_that_some_file_systems_take_for_one_are_refused_with_both_files_and_a_way_out() {
        let paths = |names: [&str; 2]| names.map(PathBuf::from);
        let told = refuse_equal_names(&paths(["p1/Anna.nii.gz", "p2/anna.nrrd"])).unwrap_err().to_string();
        for part in ["p1/Anna.nii.gz", "p2/anna.nrrd", "two output folders"] {
            assert!(told.contains(part), "{told}");
        }
        refuse_equal_names(&paths(["p1/anna.nii.gz", "p2/anne.nii.gz"])).unwrap();
    }

    #[test]
    fn copies_of_one_scan_are_one_case_and_a_case_that_is_tried_again_is_not_its_own_copy() {
        let begun = Begun::default();
        let (first, copy) = (Path::new("a.nii"), Path::new("b.nii"));
        let answers = [("1", first), ("1", copy), ("1", first), ("2", copy)];
        assert_eq!(answers.map(|(hash, path)| begun.is_anothers(hash, path)), [false, true, false, false]);
    }
}
