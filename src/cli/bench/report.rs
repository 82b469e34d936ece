//! What was measured, beside what was to be reached: a table for people, stable keys for scripts.

use super::cases::{Case, Goal, PEAK_SURPLUS_BYTES, Run};
use super::machine::Machine;
use super::peers::Versions;
use super::rounds::Series;
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;

/// Checks that differ by more than this part mean that the programs did not do the same work.
const SAME_WORK: f64 = 0.01;

/// The keys are stable: scripts read them.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    machine: Machine,
    rounds: u16,
    versions: Versions,
    cases: Vec<CaseReport>,
}

#[derive(Debug, Serialize)]
pub(super) struct CaseReport {
    name: &'static str,
    title: &'static str,
    /// Of the files the work starts from.
    input_bytes: u64,
    runs: Vec<RunReport>,
    /// Programs, or GPUs for them, that this machine does not have.
    missing: Vec<&'static str>,
    goals: Vec<GoalReport>,
    /// What makes a comparison doubtful.
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct RunReport {
    name: &'static str,
    median_s: f64,
    seconds: Vec<f64>,
    /// `None` where the system does not say.
    peak_bytes: Option<u64>,
    /// The mean of the voxels or the mean Dice: alike where the work was alike.
    check: Option<f64>,
}

#[derive(Debug, Serialize)]
struct GoalReport {
    goal: String,
    /// In the unit of the goal; `None` where it could not be measured.
    got: Option<f64>,
    at_most: f64,
    met: Option<bool>,
}

impl Answer {
    pub(super) fn new(rounds: u16, versions: Versions, cases: Vec<CaseReport>) -> Self {
        Self { machine: Machine::here(), rounds, versions, cases }
    }

    pub(super) fn to_text(&self) -> Result<String, std::fmt::Error> {
        let Machine { cpu, cores, memory_bytes, system } = &self.machine;
        let cpu = cpu.as_deref().unwrap_or("unknown processor");
        let memory = memory_bytes.map_or_else(String::new, |bytes| format!("{:.0} GB, ", bytes as f64 / 1e9));
        let mut text = String::new();
        writeln!(text, "{cpu}, {cores} cores, {memory}{system}")?;
        writeln!(text, "median of {} rounds in turn (fastest to slowest), fresh processes", self.rounds)?;
        for case in &self.cases {
            case.write(&mut text)?;
        }
        Ok(text)
    }
}

impl CaseReport {
    pub(super) fn new(
        case: &Case,
        inputs: &[PathBuf],
        series: Vec<Series>,
        missing: Vec<&'static Run>,
    ) -> anyhow::Result<Self> {
        let mut input_bytes = 0;
        for input in inputs {
            input_bytes += std::fs::metadata(input)?.len();
        }
        let runs: Vec<RunReport> = series.iter().map(RunReport::new).collect();
        let goals = case.goals.iter().map(|goal| GoalReport::new(goal, &runs, input_bytes)).collect();
        Ok(Self {
            name: case.name,
            title: case.title,
            input_bytes,
            warnings: different_work(&runs),
            runs,
            missing: missing.iter().map(|run| run.name).collect(),
            goals,
        })
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "\n{}: {} ({:.1} MB)", self.name, self.title, self.input_bytes as f64 / 1e6)?;
        for run in &self.runs {
            let fastest = run.seconds.iter().copied().fold(f64::INFINITY, f64::min);
            let slowest = run.seconds.iter().copied().fold(0.0, f64::max);
            write!(text, "  {:<22}{:>9.4} s  ({fastest:.4} to {slowest:.4})", run.name, run.median_s)?;
            match run.peak_bytes {
                Some(bytes) => writeln!(text, "{:>8.0} MB peak", bytes as f64 / 1e6)?,
                None => writeln!(text)?,
            }
        }
        for name in &self.missing {
            writeln!(text, "  {name:<22}not possible here")?;
        }
        for goal in &self.goals {
            let verdict = match (goal.met, goal.got) {
                (Some(true), Some(got)) => format!("{got:.2}, reached"),
                (_, Some(got)) => format!("{got:.2}, MISSED"),
                (_, None) => "not measured".to_owned(),
            };
            writeln!(text, "  goal: {}: {verdict}", goal.goal)?;
        }
        for warning in &self.warnings {
            writeln!(text, "  warning: {warning}")?;
        }
        Ok(())
    }
}

impl RunReport {
    fn new(series: &Series) -> Self {
        Self {
            name: series.name,
            median_s: series.median_seconds(),
            seconds: series.seconds(),
            peak_bytes: series.peak_bytes(),
            check: series.check(),
        }
    }
}

impl GoalReport {
    fn new(goal: &Goal, runs: &[RunReport], input_bytes: u64) -> Self {
        let named = |name: &str| runs.iter().find(|run| run.name == name);
        let seconds = |name: &str| named(name).map(|run| run.median_s);
        let (goal, got, at_most) = match *goal {
            Goal::Ratio { run, at_most, of } => {
                let got = seconds(run).zip(seconds(of)).map(|(ours, theirs)| ours / theirs);
                (format!("{run} at most {at_most} x {of}"), got, at_most)
            }
            Goal::Seconds { run, at_most } => (format!("{run} at most {at_most} s"), seconds(run), at_most),
            Goal::Peak { run, volume_bytes } => {
                let at_most = (volume_bytes + input_bytes + PEAK_SURPLUS_BYTES) as f64 / 1e6;
                let got = named(run).and_then(|run| run.peak_bytes).map(|bytes| bytes as f64 / 1e6);
                (format!("{run} at most {at_most:.0} MB at its peak"), got, at_most)
            }
        };
        Self { goal, got, at_most, met: got.map(|got| got <= at_most) }
    }
}

/// Programs whose results differ too much for their times to be compared.
fn different_work(runs: &[RunReport]) -> Vec<String> {
    let Some((ours, expected)) = runs.iter().find_map(|run| Some((run.name, run.check?))) else {
        return Vec::new();
    };
    let differs = |check: f64| (check - expected).abs() > SAME_WORK * expected.abs().max(check.abs());
    let differing = runs.iter().filter_map(|run| Some((run.name, run.check?)));
    differing
        .filter(|(_, check)| differs(*check))
        .map(|(name, check)| format!("{name} has {check}, {ours} has {expected}: not the same work"))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn run(name: &'static str, median_s: f64, check: Option<f64>) -> RunReport {
        RunReport { name, median_s, seconds: vec![median_s], peak_bytes: Some(100_000_000), check }
    }

    #[test]
    fn a_goal_is_judged_by_the_ratio_of_the_two_medians() {
        let runs = [run("ours", 1.1, None), run("theirs", 2.0, None)];
        let goal = |at_most| Goal::Ratio { run: "ours", at_most, of: "theirs" };
        let met = GoalReport::new(&goal(0.6), &runs, 0);
        assert!((met.got.unwrap() - 0.55).abs() < 1e-12);
        assert_eq!(met.met, Some(true));
        assert_eq!(GoalReport::new(&goal(0.5), &runs, 0).met, Some(false));
    }

    #[test]
    fn a_goal_against_a_program_that_is_not_there_is_neither_met_nor_missed() {
        let goal = Goal::Ratio { run: "ours", at_most: 1.0, of: "theirs" };
        let report = GoalReport::new(&goal, &[run("ours", 1.0, None)], 0);
        assert_eq!((report.got, report.met), (None, None));
    }

    #[test]
    fn memory_is_judged_by_the_volume_its_files_and_a_fixed_surplus() {
        let goal = Goal::Peak { run: "ours", volume_bytes: 50_000_000 };
        assert_eq!(GoalReport::new(&goal, &[run("ours", 1.0, None)], 10_000_000).met, Some(true));
        assert_eq!(GoalReport::new(&goal, &[run("ours", 1.0, None)], 9_000_000).met, Some(false));
    }

    #[test]
    fn programs_that_did_different_work_are_not_compared_in_silence() {
        let same =
            [run("ours", 1.0, Some(-300.0)), run("theirs", 1.0, Some(-300.5)), run("floor", 1.0, None)];
        assert!(different_work(&same).is_empty());
        let different = [run("ours", 1.0, Some(-300.0)), run("theirs", 1.0, Some(-310.0))];
        assert!(different_work(&different)[0].starts_with("theirs has -310"));
    }
}
