//! Prints what is there and what is missing, changing nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::cache::Cache;
use crate::folder::{self, Flavour, VERSION};
use crate::platform::Platform;
use crate::python::Python;
use crate::{link, preflight, setup};

/// One line for each thing. Fails if something that building needs is missing.
pub fn report() -> ExitCode {
    let mut whole = true;
    let mut line = |name: &str, found: Result<String, String>| match found {
        Ok(found) => println!("ok       {name:<14} {found}"),
        Err(missing) => {
            whole = false;
            println!("MISSING  {name:<14} {missing}");
        }
    };
    line("rust", first_line("rustc", "--version").ok_or_else(|| "rustc does not start".to_owned()));
    let compiler = preflight::compiler_command().display().to_string();
    let version = first_line(&compiler, "--version").unwrap_or(compiler);
    line("C++ compiler", preflight::compiler().map(|()| version).map_err(|error| error.to_string()));
    let libtorch = libtorch_in_use();
    line("libtorch", libtorch.as_deref().map(describe).map_err(String::clone));
    // pip only serves to fetch libtorch.
    if libtorch.is_err() {
        line(
            "pip",
            preflight::pip().map(|_| "can fetch libtorch".to_owned()).map_err(|error| error.to_string()),
        );
    }
    for (name, found) in asides() {
        println!("         {name:<14} {found}");
    }
    if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The libtorch that cargo builds with, whole to the last byte of its libraries where we unpacked it.
fn libtorch_in_use() -> Result<PathBuf, String> {
    let text = |error: &dyn std::error::Error| error.to_string();
    let platform = Platform::current().map_err(|error| error.to_string())?;
    let named = setup::named_by_user();
    let folder = named.clone().unwrap_or_else(link::path);
    let remedy = if named.is_some() { "correct or unset LIBTORCH" } else { "run `cargo xtask setup`" };
    let with_remedy = |reason: String| format!("{reason}: {remedy}");
    folder::check(&folder, platform, Flavour::Cpu).map_err(|error| with_remedy(text(&error)))?;
    if folder.join(folder::MANIFEST).is_file() {
        folder::check_libraries(&folder)
            .map_err(|error| format!("{error}: run `cargo xtask setup --force`"))?;
    }
    Ok(folder.canonicalize().unwrap_or(folder))
}

fn describe(folder: &Path) -> String {
    let cuda =
        Platform::current().is_ok_and(|platform| folder::check(folder, platform, Flavour::Cuda).is_ok());
    let kind = if cuda { "with CUDA" } else { "for the CPU" };
    format!("{VERSION} {kind}: {}", folder.display())
}

/// What is good to know but not needed.
fn asides() -> Vec<(&'static str, String)> {
    let installed = Python::find().and_then(|python| python.installed_torch());
    let pytorch =
        installed.map_or("none".to_owned(), |torch| format!("{}: {}", torch.version, torch.folder.display()));
    let cache = match Cache::of_user() {
        Ok(cache) => {
            format!("{}, wheels take {} MB", cache.root().display(), bytes_in(&cache.wheels()) / 1_000_000)
        }
        Err(error) => error.to_string(),
    };
    let display =
        if preflight::has_display() { "there" } else { "none: use `mindgap view --screenshot FILE`" };
    vec![("PyTorch", pytorch), ("cache", cache), ("display", display.to_owned())]
}

fn bytes_in(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|found| found.len()).sum()
}

fn first_line(program: &str, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next()?.to_owned())
}
