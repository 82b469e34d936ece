//! Turns: every program does the work once a round, each time in a fresh process.

use super::cases::{Program, Run};
use super::peers::{Peers, outcome_of};
use super::work::Outcome;
use anyhow::Context;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What one program's processes said, in the order of the rounds; never empty.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) outcomes: Vec<Outcome>,
}

impl Series {
    pub(super) fn seconds(&self) -> Vec<f64> {
        self.outcomes.iter().map(|outcome| outcome.seconds).collect()
    }

    pub(super) fn median_seconds(&self) -> f64 {
        median(self.seconds())
    }

    /// The largest of the rounds; `None` where a round could not say.
    pub(super) fn peak_bytes(&self) -> Option<u64> {
        self.outcomes
            .iter()
            .map(|outcome| outcome.peak_bytes)
            .try_fold(0, |peak, bytes| Some(peak.max(bytes?)))
    }

    /// As the last round had it.
    pub(super) fn check(&self) -> Option<f64> {
        self.outcomes.last().and_then(|outcome| outcome.check)
    }
}

/// Lets `runs` take turns, A B C A B C ..., on inputs that are in the page cache.
pub(super) fn measure(
    runs: &[&'static Run],
    inputs: &[PathBuf],
    scratch: &Path,
    peers: &Peers,
    rounds: u16,
    mut before_round: impl FnMut(u16),
) -> anyhow::Result<Vec<Series>> {
    let mut series: Vec<Series> =
        runs.iter().map(|run| Series { name: run.name, outcomes: Vec::new() }).collect();
    for round in 1..=rounds {
        before_round(round);
        for (run, series) in runs.iter().zip(&mut series) {
            warm(inputs)?;
            let mut command = command_of(run, peers)?;
            command.args(inputs);
            let output = scratch.join(format!("{}.nii.gz", run.name));
            if run.task.writes() {
                command.arg(&output);
            }
            let outcome = outcome_of(command).with_context(|| run.name)?;
            series.outcomes.push(outcome);
            // Every program writes a new file, as they all would the first time.
            if output.exists() {
                std::fs::remove_file(&output)?;
            }
        }
    }
    Ok(series)
}

fn command_of(run: &Run, peers: &Peers) -> anyhow::Result<Command> {
    Ok(match run.program {
        Program::Own | Program::OwnOnGpu => {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["bench", "work", &run.task.name()]);
            command
        }
        Program::Python(library) => peers.command(library, run.task),
    })
}

/// The largest file that is read ahead of a round; larger ones are only there for their headers.
const WARM_BYTES: u64 = 1 << 29;

fn warm(inputs: &[PathBuf]) -> anyhow::Result<()> {
    for path in inputs {
        let mut file = std::fs::File::open(path)?;
        if file.metadata()?.len() < WARM_BYTES {
            std::io::copy(&mut file, &mut std::io::sink())?;
        }
    }
    Ok(())
}

/// The middle one, or the mean of the middle two. NaN of nothing.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(outcomes: &[(f64, Option<u64>)]) -> Series {
        let outcome = |&(seconds, peak_bytes)| Outcome { seconds, peak_bytes, check: None };
        Series { name: "a", outcomes: outcomes.iter().map(outcome).collect() }
    }

    #[test]
    fn one_slow_round_does_not_move_the_median() {
        assert_eq!(median(vec![1.0, 900.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(vec![7.0]), 7.0);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn the_peak_is_the_worst_round_and_unknown_if_any_round_did_not_say() {
        assert_eq!(series(&[(1.0, Some(5)), (1.0, Some(9)), (1.0, Some(7))]).peak_bytes(), Some(9));
        assert_eq!(series(&[(1.0, Some(5)), (1.0, None)]).peak_bytes(), None);
    }
}
