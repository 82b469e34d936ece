//! Python on this machine: an installed PyTorch, and pip to download wheels with.
//!
//! pip is used for its downloads only: it knows the user's mirror, proxy and certificates. Nothing is installed.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::folder::python_version;
use crate::platform::{PYTHON_VERSION, Platform};

/// Prints the folder of the torch package without importing it, which would take seconds.
const FIND_TORCH: &str = "\
import importlib.util
found = importlib.util.find_spec('torch')
print((found and found.submodule_search_locations or [''])[0])";

/// What is asked of pip.
#[derive(Debug)]
pub struct Request {
    pub requirements: Vec<String>,
    /// Whether the packages that these depend on are wanted too.
    pub with_dependencies: bool,
}

/// Downloads wheels. A trait, so that tests do without the network.
pub trait Fetch {
    /// Puts the wheels of `request` into the empty folder `into`. Those in `finished` need not travel again.
    fn fetch(&self, request: &Request, into: &Path, finished: &Path) -> Result<()>;
}

/// A Python interpreter that starts.
#[derive(Debug)]
pub struct Python {
    command: &'static str,
}

/// A PyTorch that this Python would import.
#[derive(Debug)]
pub struct InstalledTorch {
    pub folder: PathBuf,
    /// As it names itself, for instance "2.11.0+cu130".
    pub version: String,
}

impl Python {
    pub fn find() -> Option<Self> {
        let commands = if cfg!(windows) { ["python", "py"] } else { ["python3", "python"] };
        commands.into_iter().map(|command| Self { command }).find(|python| python.succeeds(&["--version"]))
    }

    pub fn has_pip(&self) -> bool {
        self.succeeds(&["-m", "pip", "--version"])
    }

    pub fn installed_torch(&self) -> Option<InstalledTorch> {
        let output = Command::new(self.command).args(["-c", FIND_TORCH]).output().ok()?;
        let folder = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
        let version = std::fs::read_to_string(folder.join("version.py")).ok()?;
        Some(InstalledTorch { version: python_version(&version)?.to_owned(), folder })
    }

    fn succeeds(&self, arguments: &[&str]) -> bool {
        let mut command = Command::new(self.command);
        let status = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }
}

/// `python -m pip download`.
pub struct Pip {
    pub python: Python,
    pub platform: Platform,
}

impl Fetch for Pip {
    fn fetch(&self, request: &Request, into: &Path, finished: &Path) -> Result<()> {
        let mut command = Command::new(self.python.command);
        command.args(["-m", "pip", "download", "--only-binary=:all:", "--python-version", PYTHON_VERSION]);
        for tag in self.platform.pip_tags() {
            command.args(["--platform", &tag]);
        }
        if !request.with_dependencies {
            command.arg("--no-deps");
        }
        command.arg("--find-links").arg(finished).arg("--dest").arg(into).args(&request.requirements);
        // pip draws its progress on standard output, which here belongs to the program that is run in the end.
        command.stdout(io::stderr());
        let status = command.status().with_context(|| format!("{} does not start", self.python.command))?;
        ensure!(
            status.success(),
            "pip could not download {}: its message is above. Check the network, or name a mirror in PIP_INDEX_URL, \
             or unpack libtorch {} yourself and name its folder in LIBTORCH",
            request.requirements.join(", "),
            crate::folder::VERSION
        );
        Ok(())
    }
}
