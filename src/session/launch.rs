//! Where the engine is, and how its byte stream is opened.

use crate::protocol::Packing;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use thiserror::Error;

/// Why there is no engine to talk to.
#[derive(Debug, Error)]
pub enum EngineError {
    #[error("the model engine was not found at {}; build it with `cargo build --release --bins` (or `cargo xtask run`)", .0.display())]
    Missing(PathBuf),
    #[error("the model engine {} could not be started ({source}); build it again with `cargo build --release --bins`", program.display())]
    NotStarted { program: PathBuf, source: std::io::Error },
    #[error(
        "the command {} for an engine elsewhere could not be started ({source}); try it in a terminal, or leave the command empty to use the engine of this machine", program.display()
    )]
    NotCarried { program: PathBuf, source: std::io::Error },
    #[error(
        "engine command: expected words as in `ssh gpu-box mindgap-engine`, got `{0}`; is a quotation mark left open?"
    )]
    Command(String),
    #[error(
        "this is MindGap {ours} (protocol {our_protocol}), the engine is {theirs} (protocol {their_protocol}); build both with `cargo build --release --bins`, each on its machine"
    )]
    Version { ours: String, our_protocol: u32, theirs: String, their_protocol: u32 },
    #[error("the model engine ended: {0}")]
    Gone(String),
    #[error("{0}")]
    Job(String),
    #[error("cancelled")]
    Cancelled,
}

/// Which engine is wanted: the one that belongs to this program, or one behind a command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum EngineSite {
    /// Beside this program.
    #[default]
    Here,
    /// Whatever this command line starts, which carries the engine's byte stream on its stdin and stdout:
    /// "ssh gpu-box mindgap-engine".
    Elsewhere(String),
}

impl EngineSite {
    /// An empty command means the engine beside this program.
    pub fn of_command(command: &str) -> Self {
        match command.trim() {
            "" => EngineSite::Here,
            command => EngineSite::Elsewhere(command.to_owned()),
        }
    }

    /// How it is reached.
    pub fn launch(&self) -> Result<Launch, EngineError> {
        match self {
            EngineSite::Here => locate_engine(),
            EngineSite::Elsewhere(command) => {
                let words = shlex::split(command).unwrap_or_default();
                let Some((program, args)) = words.split_first() else {
                    return Err(EngineError::Command(command.clone()));
                };
                Ok(Launch::Elsewhere { program: program.into(), args: args.to_vec() })
            }
        }
    }
}

/// How to reach an engine.
pub enum Launch {
    /// A child process speaking on its stdin and stdout.
    Process { program: PathBuf, args: Vec<String> },
    /// A child process that carries the stream of an engine on another machine: long messages are packed, and losing it is
    /// no fault of the engine.
    Elsewhere { program: PathBuf, args: Vec<String> },
    /// A stream that is already open: a scripted engine in tests.
    Streams { from_engine: Box<dyn Read + Send>, to_engine: Box<dyn Write + Send> },
}

/// Both ends of an open connection, and the child behind it where there is one.
pub(super) struct Opened {
    pub from_engine: Box<dyn Read + Send>,
    pub to_engine: Box<dyn Write + Send>,
    pub complaints: Option<Box<dyn Read + Send>>,
    pub child: Option<Child>,
    pub packing: Packing,
}

/// The engine that belongs to this program: the one beside it.
pub fn locate_engine() -> Result<Launch, EngineError> {
    let name = format!("mindgap-engine{}", std::env::consts::EXE_SUFFIX);
    let here = std::env::current_exe().unwrap_or_default();
    let mut folder = here.parent().map(PathBuf::from).unwrap_or_default();
    // Test programs lie one folder deeper than the binaries they belong to.
    if folder.ends_with("deps") {
        folder.pop();
    }
    let program = folder.join(name);
    if program.is_file() {
        Ok(Launch::Process { program, args: Vec::new() })
    } else {
        Err(EngineError::Missing(program))
    }
}

impl Launch {
    /// Keeps an engine on this machine to so many threads; one elsewhere, and `None`, take what they like.
    pub fn with_threads(mut self, threads: Option<usize>) -> Self {
        if let (Launch::Process { args, .. }, Some(threads)) = (&mut self, threads) {
            args.extend(["--threads".to_owned(), threads.to_string()]);
        }
        self
    }

    pub(super) fn open(self) -> Result<Opened, EngineError> {
        match self {
            Launch::Streams { from_engine, to_engine } => {
                Ok(Opened { from_engine, to_engine, complaints: None, child: None, packing: Packing::Plain })
            }
            Launch::Process { program, args } => {
                let not_started = |source| EngineError::NotStarted { program: program.clone(), source };
                start(&program, args, Packing::Plain).map_err(not_started)
            }
            Launch::Elsewhere { program, args } => {
                let not_started = |source| EngineError::NotCarried { program: program.clone(), source };
                start(&program, args, Packing::Packed).map_err(not_started)
            }
        }
    }
}

fn start(program: &Path, args: Vec<String>, packing: Packing) -> std::io::Result<Opened> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    detach_from_terminal(&mut command);
    let mut child = command.spawn()?;
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(std::io::ErrorKind::BrokenPipe.into());
    };
    Ok(Opened {
        from_engine: Box::new(stdout),
        to_engine: Box::new(stdin),
        complaints: Some(Box::new(stderr)),
        child: Some(child),
        packing,
    })
}

/// Ctrl+C in a terminal goes to the whole process group. The engine must not die of it: its client cancels the job, so
/// that a training keeps its checkpoint, and then closes the stream.
#[cfg(unix)]
fn detach_from_terminal(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(windows)]
fn detach_from_terminal(command: &mut Command) {
    use std::os::windows::process::CommandExt;
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x0000_0200;
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;
    command.creation_flags(CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_engine_command_is_taken_apart_as_it_was_meant() {
        let site = EngineSite::of_command(" ssh -o 'ServerAliveInterval 15' gpu-box mindgap-engine ");
        let Launch::Elsewhere { program, args } = site.launch().unwrap() else { panic!("not elsewhere") };
        assert_eq!(program, PathBuf::from("ssh"));
        assert_eq!(args, ["-o", "ServerAliveInterval 15", "gpu-box", "mindgap-engine"]);
    }

    #[test]
    fn an_empty_command_is_the_engine_of_this_machine_and_a_broken_one_is_told() {
        assert_eq!(EngineSite::of_command("  "), EngineSite::Here);
        let error = EngineSite::of_command("ssh 'gpu-box").launch().err().unwrap().to_string();
        assert!(error.contains("quotation mark") && error.contains("ssh 'gpu-box"), "{error}");
    }
}
