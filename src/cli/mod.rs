//! The command line: one file and one runnable struct a subcommand.
//!
//! Invariants: with `--json` stdout is exactly one JSON object; everything else that is not the answer goes to stderr; a
//! command either does what it says and returns `Ok`, or leaves no half-written file and returns an error.

mod ablate;
mod batch;
mod bench;
mod cohort;
mod convert;
mod evaluate;
mod gap;
mod info;
mod input;
mod job;
mod models;
mod output;
mod phantom;
mod report;
mod segment;
mod stats;
mod subject;
mod train;
mod translate;
#[cfg(feature = "gui")]
mod view;

#[cfg(not(feature = "gui"))]
use clap::CommandFactory;
use clap::{ArgAction, Parser, Subcommand};

/// Unsupervised CT <-> MR segmentation, and a viewer for its domain gap. Without a command, opens the window.
#[derive(Debug, Parser)]
#[command(name = "mindgap", version = VERSION)]
pub struct Cli {
    /// Say more on stderr; twice for debugging.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    #[command(subcommand)]
    command: Option<Command>,
}

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("MINDGAP_GIT_REVISION"), ")");

#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "gui")]
    View(view::View),
    Info(info::Info),
    Convert(convert::Convert),
    Stats(stats::Stats),
    Segment(segment::Segment),
    Translate(translate::Translate),
    Gap(gap::Gap),
    Report(report::Report),
    Batch(batch::Batch),
    Evaluate(evaluate::Evaluate),
    Phantom(phantom::Phantom),
    Train(train::Train),
    Ablate(ablate::Ablate),
    Models(models::Models),
    #[command(hide = true)]
    Bench(bench::Bench),
}

impl Cli {
    /// Runs the command that was asked for.
    pub fn run(self) -> anyhow::Result<()> {
        match self.command {
            #[cfg(feature = "gui")]
            Some(Command::View(command)) => command.run(),
            Some(Command::Info(command)) => command.run(),
            Some(Command::Convert(command)) => command.run(),
            Some(Command::Stats(command)) => command.run(),
            Some(Command::Segment(command)) => command.run(),
            Some(Command::Translate(command)) => command.run(),
            Some(Command::Gap(command)) => command.run(),
            Some(Command::Report(command)) => command.run(),
            Some(Command::Batch(command)) => command.run(),
            Some(Command::Evaluate(command)) => command.run(),
            Some(Command::Phantom(command)) => command.run(),
            Some(Command::Train(command)) => command.run(),
            Some(Command::Ablate(command)) => command.run(),
            Some(Command::Models(command)) => command.run(),
            Some(Command::Bench(command)) => command.run(),
            #[cfg(feature = "gui")]
            None => view::View::default().run(),
            #[cfg(not(feature = "gui"))]
            None => Ok(Self::command().print_help()?),
        }
    }
}
