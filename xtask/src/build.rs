//! Runs cargo on the clone, and the program it builds.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus};

use anyhow::{Context, Result};

use crate::setup::Libtorch;
use crate::{link, preflight};

/// Builds both programs in release and starts `mindgap`, whose exit code becomes ours.
pub fn run(libtorch: &Libtorch, arguments: &[OsString]) -> Result<ExitCode> {
    let built = cargo(libtorch).args(["build", "--release", "--bins"]).status().context(CARGO_MISSING)?;
    if !built.success() {
        return Ok(code_of(built));
    }
    // Only now, so that what was built can be used without a display.
    preflight::display(arguments)?;
    let program =
        target_folder(libtorch)?.join("release").join(format!("mindgap{}", std::env::consts::EXE_SUFFIX));
    let mut command = Command::new(&program);
    prepare(&mut command, libtorch);
    become_or_wait(command.args(arguments)).with_context(|| format!("cannot start {}", program.display()))
}

/// Runs all tests, for which cargo builds both programs too.
pub fn test(libtorch: &Libtorch, arguments: &[OsString]) -> Result<ExitCode> {
    let tested =
        cargo(libtorch).args(["test", "--workspace"]).args(arguments).status().context(CARGO_MISSING)?;
    Ok(code_of(tested))
}

const CARGO_MISSING: &str = "cannot start cargo";

fn cargo(libtorch: &Libtorch) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(link::root());
    prepare(&mut command, libtorch);
    command
}

/// Gives a child the environment that the user's own shell would give it.
fn prepare(command: &mut Command, libtorch: &Libtorch) {
    // What cargo set for us describes this crate, and would make build scripts that watch it run again.
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("CARGO_PKG_") || name_text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    if libtorch.named_by_user {
        // Its absolute path: build scripts run in other folders than the one the user named it in.
        command.env("LIBTORCH", &libtorch.folder);
    } else {
        command.env_remove("LIBTORCH");
    }
    // Programs on Windows carry no list of folders to search: there the loader follows PATH.
    if cfg!(windows) {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(libtorch.folder.join("lib")).chain(std::env::split_paths(&path));
        if let Ok(extended) = std::env::join_paths(folders) {
            command.env("PATH", extended);
        }
    }
}

/// Where cargo builds, which the user may have set in several places.
fn target_folder(libtorch: &Libtorch) -> Result<PathBuf> {
    let output = cargo(libtorch)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"].map(OsStr::new))
        .output()
        .context(CARGO_MISSING)?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("cargo metadata wrote no JSON")?;
    let folder = metadata["target_directory"].as_str().context("cargo metadata names no target_directory")?;
    Ok(PathBuf::from(folder))
}

/// Signals and the exit code reach and leave the program directly, since it takes our place.
#[cfg(unix)]
fn become_or_wait(command: &mut Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    Err(command.exec().into())
}

#[cfg(not(unix))]
fn become_or_wait(command: &mut Command) -> Result<ExitCode> {
    Ok(code_of(command.status()?))
}

/// A child that a signal ended has no code of its own.
fn code_of(status: ExitStatus) -> ExitCode {
    if status.success() {
        return ExitCode::SUCCESS;
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0);
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_libtorch_named_relative_to_the_current_folder_is_found_by_build_scripts_too() {
        let libtorch = Libtorch { folder: "/opt/libtorch".into(), named_by_user: true };
        let mut command = Command::new("cargo");
        prepare(&mut command, &libtorch);
        let told = command.get_envs().find(|(name, _)| *name == "LIBTORCH");
        assert_eq!(told, Some((OsStr::new("LIBTORCH"), Some(OsStr::new("/opt/libtorch")))));
    }
}
