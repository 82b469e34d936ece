//! `cargo xtask`: what a clone needs once, so that from then on plain cargo works.
//!
//! | module      | does                                                                   |
//! |-------------|------------------------------------------------------------------------|
//! | `setup`     | finds libtorch, or fetches it, and points the `.libtorch` link at it   |
//! | `assemble`  | makes a libtorch folder out of wheels                                  |
//! | `link`      | the `.libtorch` link                                                   |
//! | `folder`    | says whether a folder holds the libtorch we can use                    |
//! | `cache`     | the user's cache folder: finished wheels, unpacked libtorch, one lock  |
//! | `wheel`     | checks a wheel and unpacks the few files of it that are needed         |
//! | `platform`  | what differs between Linux, macOS and Windows                          |
//! | `python`    | Python and its pip: an installed PyTorch, and downloads                |
//! | `preflight` | what must be installed, each with one sentence that names the remedy   |
//! | `build`     | runs cargo and the program                                             |
//! | `doctor`    | prints what is there and what is missing                               |
//!
//! Invariant: no shell is started, nothing is installed, and nothing is written outside the clone and the cache.
//! Messages go to standard error, so that the output of a program run through `cargo xtask run` stays its own.

mod assemble;
mod build;
mod cache;
mod doctor;
mod folder;
mod link;
mod platform;
mod preflight;
mod python;
mod setup;
mod wheel;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::folder::Flavour;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  setup [--cuda] [--force]   find libtorch or fetch it (--cuda: with its CUDA libraries; --force: search and unpack anew)
  run [-- ARGUMENTS]         set up, build in release, start mindgap with the arguments
  test [-- ARGUMENTS]        set up, build, run all tests; the arguments go to `cargo test`
  doctor                     print what is there and what is missing

MINDGAP_CACHE names the folder for what is fetched; LIBTORCH a libtorch of your own.";

/// What the command line asks for.
#[derive(Debug, PartialEq)]
enum Task {
    Setup { flavour: Flavour, force: bool },
    Run(Vec<OsString>),
    Test(Vec<OsString>),
    Doctor,
    Help,
}

fn main() -> ExitCode {
    match parse(std::env::args_os().skip(1)).and_then(perform) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> Result<ExitCode> {
    match task {
        Task::Setup { flavour, force } => {
            preflight::compiler()?;
            setup::setup(flavour, force)?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Run(arguments) => {
            preflight::compiler()?;
            build::run(&setup::setup(Flavour::Cpu, false)?, &arguments)
        }
        Task::Test(arguments) => {
            preflight::compiler()?;
            build::test(&setup::setup(Flavour::Cpu, false)?, &arguments)
        }
        Task::Doctor => Ok(doctor::report()),
        Task::Help => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Task> {
    let mut arguments = arguments.peekable();
    let Some(command) = arguments.next() else { return Ok(Task::Help) };
    match command.to_str() {
        Some("setup") => {
            let (mut flavour, mut force) = (Flavour::Cpu, false);
            for argument in arguments {
                match argument.to_str() {
                    Some("--cuda") => flavour = Flavour::Cuda,
                    Some("--force") => force = true,
                    _ => bail!("setup takes --cuda and --force, not {}", argument.display()),
                }
            }
            Ok(Task::Setup { flavour, force })
        }
        Some("run") => Ok(Task::Run(passed_on(arguments))),
        Some("test") => Ok(Task::Test(passed_on(arguments))),
        Some("doctor") => Ok(Task::Doctor),
        Some("help" | "--help" | "-h") => Ok(Task::Help),
        _ => bail!("there is no task {}\n\n{USAGE}", command.display()),
    }
}

/// The arguments after an optional first `--`.
fn passed_on(arguments: std::iter::Peekable<impl Iterator<Item = OsString>>) -> Vec<OsString> {
    let mut arguments = arguments;
    arguments.next_if(|first| first == "--");
    arguments.collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Task> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn the_program_gets_its_arguments_with_or_without_the_dashes() {
        let expected = Task::Run(vec!["view".into(), "--demo".into()]);
        assert_eq!(parsed("run -- view --demo").unwrap(), expected);
        assert_eq!(parsed("run view --demo").unwrap(), expected);
    }

    #[test]
    fn a_mistyped_flag_is_named_and_not_ignored() {
        assert!(parsed("setup --gpu").unwrap_err().to_string().contains("--gpu"));
        assert!(parsed("strat").unwrap_err().to_string().contains("strat"));
    }
}
