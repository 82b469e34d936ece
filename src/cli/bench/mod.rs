//! `mindgap bench`: reading, writing, resampling, scoring and the networks, timed beside the programs people use for them.
//!
//! Invariant: two figures are only ever compared when they come from one session, in which the programs took turns, each
//! run in a fresh process on files that were already in memory. The clock runs inside that process, around the work
//! alone. Goals are ratios: they hold on any machine.

mod cases;
mod fixtures;
mod machine;
mod peers;
mod report;
mod rounds;
#[cfg(feature = "gui")]
mod window;
mod work;

use super::output;
use anyhow::Context;
use cases::{CASES, Case, Program};
use clap::{Args, Subcommand};
use peers::Peers;
use report::{Answer, CaseReport};
use std::path::{Path, PathBuf};

/// Time this program beside nibabel, SimpleITK and others, as far as a Python that has them is there.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Bench {
    /// How often each program does each work; the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Only the cases whose names start with this; may be repeated.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// The Python whose packages are measured beside this program.
    #[arg(long, value_name = "PATH", default_value = "python3")]
    python: PathBuf,
    /// Also run the peers that need more than ten seconds a round.
    #[arg(long)]
    slow: bool,
    /// Keep the files that are measured with here (600 MB), and use those that are there already.
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    child: Option<Child>,
}

/// What is measured in a process of its own.
#[derive(Debug, Subcommand)]
enum Child {
    #[command(hide = true)]
    Work(work::Work),
    /// Time the window's frames, drawn without a display: scrolling and windowing five panes of a large scan.
    #[cfg(feature = "gui")]
    Window(window::Window),
}

impl Bench {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self.child {
            Some(Child::Work(work)) => return output::print(&serde_json::to_string(&work.run()?)?),
            #[cfg(feature = "gui")]
            Some(Child::Window(window)) => return window.run(),
            None => {}
        }
        let cases = self.chosen()?;
        let scratch = tempfile::tempdir().context("no temporary folder can be made")?;
        let folder = self.keep.as_deref().unwrap_or(scratch.path());
        std::fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        let peers = Peers::find(&self.python);
        let mut reports = Vec::new();
        for case in cases {
            reports.push(self.measure(case, folder, scratch.path(), &peers)?);
        }
        let answer = Answer::new(self.rounds, peers.versions(), reports);
        if self.json { output::print_json(&answer) } else { output::print(answer.to_text()?.trim_end()) }
    }

    fn chosen(&self) -> anyhow::Result<Vec<&'static Case>> {
        let wanted = |case: &&Case| {
            self.only.is_empty() || self.only.iter().any(|name| case.name.starts_with(name.as_str()))
        };
        let chosen: Vec<_> = CASES.iter().filter(wanted).collect();
        let names = || CASES.iter().map(|case| case.name).collect::<Vec<_>>().join(", ");
        anyhow::ensure!(!chosen.is_empty(), "--only: expected the start of one of {}", names());
        Ok(chosen)
    }

    fn measure(
        &self,
        case: &'static Case,
        folder: &Path,
        scratch: &Path,
        peers: &Peers,
    ) -> anyhow::Result<CaseReport> {
        let runs = case.runs.iter().filter(|run| self.slow || !run.slow);
        let (there, missing): (Vec<_>, Vec<_>) = runs.partition(|run| match run.program {
            Program::Own => true,
            Program::OwnOnGpu => work::has_gpu(),
            Program::Python(library) => peers.version(library).is_some(),
        });
        if there.is_empty() {
            return CaseReport::new(case, &[], Vec::new(), missing);
        }
        eprintln!("{}: making its files", case.name);
        let inputs =
            case.inputs.iter().map(|fixture| fixture.make(folder)).collect::<anyhow::Result<Vec<_>>>()?;
        let series = rounds::measure(&there, &inputs, scratch, peers, self.rounds, |round| {
            eprintln!("{}: round {round} of {}", case.name, self.rounds);
        })?;
        CaseReport::new(case, &inputs, series, missing)
    }
}
