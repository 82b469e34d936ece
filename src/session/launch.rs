//! Where the engine is, and how its byte stream is opened.

use std::io::{Read, Write};
use std::path::PathBuf;
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
        "this is MindGap {ours} (protocol {our_protocol}), the engine is {theirs} (protocol {their_protocol}); build both with `cargo build --release --bins`"
    )]
    Version { ours: String, our_protocol: u32, theirs: String, their_protocol: u32 },
    #[error("the model engine ended: {0}")]
    Gone(String),
    #[error("{0}")]
    Job(String),
    #[error("cancelled")]
    Cancelled,
}

/// How to reach an engine.
pub enum Launch {
    /// A child process speaking on its stdin and stdout.
    Process { program: PathBuf, args: Vec<String> },
    /// A stream that is already open: a scripted engine in tests.
    Streams { from_engine: Box<dyn Read + Send>, to_engine: Box<dyn Write + Send> },
}

/// Both ends of an open connection, and the child behind it where there is one.
pub(super) struct Opened {
    pub from_engine: Box<dyn Read + Send>,
    pub to_engine: Box<dyn Write + Send>,
    pub complaints: Option<Box<dyn Read + Send>>,
    pub child: Option<Child>,
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
    pub(super) fn open(self) -> Result<Opened, EngineError> {
        match self {
            Launch::Streams { from_engine, to_engine } => {
                Ok(Opened { from_engine, to_engine, complaints: None, child: None })
            }
            Launch::Process { program, args } => {
                let not_started = |source| EngineError::NotStarted { program: program.clone(), source };
                let mut command = Command::new(&program);
                command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
                detach_from_terminal(&mut command);
                let mut child = command.spawn().map_err(not_started)?;
                let (Some(stdin), Some(stdout), Some(stderr)) =
                    (child.stdin.take(), child.stdout.take(), child.stderr.take())
                else {
                    return Err(not_started(std::io::ErrorKind::BrokenPipe.into()));
                };
                Ok(Opened {
                    from_engine: Box::new(stdout),
                    to_engine: Box::new(stdin),
                    complaints: Some(Box::new(stderr)),
                    child: Some(child),
                })
            }
        }
    }
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
