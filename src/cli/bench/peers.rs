//! The Python packages people use for the same work, run through `peers.py`.

use super::work::{Outcome, Task};
use anyhow::Context;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Prints the same line as our own fresh processes do.
const SCRIPT: &str = include_str!("peers.py");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Library {
    Nibabel,
    SimpleItk,
    Scipy,
    SurfaceDistance,
    PyTorch,
}

impl Library {
    /// As its makers call it, and as `peers.py` does.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Library::Nibabel => "nibabel",
            Library::SimpleItk => "SimpleITK",
            Library::Scipy => "scipy",
            Library::SurfaceDistance => "surface-distance",
            Library::PyTorch => "torch",
        }
    }
}

/// One Python, and which of the packages it has.
#[derive(Debug)]
pub(super) struct Peers {
    python: PathBuf,
    versions: BTreeMap<String, String>,
}

/// What is there: by package, its version.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Versions(BTreeMap<String, String>);

impl Peers {
    /// Asks `python` for its packages. No Python is the same as one without packages.
    pub(super) fn find(python: &Path) -> Self {
        let versions = Command::new(python).args(["-c", SCRIPT, "versions"]).output().ok();
        let versions = versions.and_then(|output| serde_json::from_slice(&output.stdout).ok());
        if versions.is_none() {
            eprintln!("note: {} does not run; only this program is measured", python.display());
        }
        Self { python: python.to_owned(), versions: versions.unwrap_or_default() }
    }

    pub(super) fn version(&self, library: Library) -> Option<&str> {
        self.versions.get(library.name()).map(String::as_str)
    }

    pub(super) fn versions(&self) -> Versions {
        Versions(self.versions.clone())
    }

    /// The command that lets `library` do `task` once.
    pub(super) fn command(&self, library: Library, task: Task) -> Command {
        let mut command = Command::new(&self.python);
        command.args(["-c", SCRIPT, library.name(), &task.name()]);
        command
    }
}

/// Starts a fresh process of either kind and reads its line.
pub(super) fn outcome_of(mut command: Command) -> anyhow::Result<Outcome> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("{program}: cannot be started"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{program}: {}", errors.trim());
    serde_json::from_slice(&output.stdout).with_context(|| format!("{program}: expected one line of JSON"))
}
