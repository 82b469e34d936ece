//! Tells the linker where the engine finds libtorch when it starts, and the program which revision it was built from.
//!
//! Invariant: a program built here runs with no environment variable set, from any working folder.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=MINDGAP_GIT_REVISION={}", revision());
    if env::var_os("CARGO_FEATURE_TORCH").is_some() {
        search_for_libtorch_at_start();
    }
}

/// Embeds the folders in which the loader looks for libtorch, in this order:
/// beside the program (`libtorch/lib`, how a package would ship it); the folder named when it was built, which is
/// usually the `.libtorch` link, so that pointing the link elsewhere takes effect without a rebuild; and what that
/// folder really was, so that the program outlives the clone it was built in.
///
/// Windows has no such list: there the loader looks beside the program and on PATH, which `cargo xtask` extends.
fn search_for_libtorch_at_start() {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    let beside_program = match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("linux") => "$ORIGIN/libtorch/lib",
        Ok("macos") => "@executable_path/libtorch/lib",
        _ => return,
    };
    println!("cargo::rustc-link-arg=-Wl,-rpath,{beside_program}");
    // torch-sys (links = "tch") passes on the folder it linked against.
    let Some(named) = env::var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from) else {
        println!(
            "cargo::warning=torch-sys named no libtorch folder: the engine will need LD_LIBRARY_PATH to start"
        );
        return;
    };
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", named.display());
    if let Some(real) = named.canonicalize().ok().filter(|real| *real != named) {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", real.display());
    }
}

/// The short hash of the commit checked out, or "unknown".
///
/// Only release builds carry it: following HEAD would make every commit recompile the whole library while developing.
fn revision() -> String {
    let unknown = String::from("unknown");
    if env::var("PROFILE").as_deref() != Ok("release") {
        return unknown;
    }
    let package = env::var("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    // Sources unpacked inside somebody else's repository must not carry that repository's hash.
    let top = git(&package, &["rev-parse", "--show-toplevel"]);
    let is_ours = top.is_some_and(|top| Path::new(&top).canonicalize().ok() == package.canonicalize().ok());
    if !is_ours {
        return unknown;
    }
    // HEAD moves at a checkout, its log also at a commit. A path that does not exist would count as changed every time.
    for moved in ["HEAD", "logs/HEAD"] {
        let watched = git(&package, &["rev-parse", "--git-path", moved]).map(|path| package.join(path));
        if let Some(path) = watched.filter(|path| path.exists()) {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    // What is built from sources that differ from the commit must not carry its name alone.
    println!("cargo::rerun-if-changed=src");
    let commit = git(&package, &["rev-parse", "--short=12", "HEAD"]);
    let changed =
        git(&package, &["status", "--porcelain", "--", "src", "shaders", "Cargo.toml", "Cargo.lock"]);
    match (commit, changed) {
        (Some(commit), Some(_)) => format!("{commit}, changed"),
        (commit, _) => commit.unwrap_or(unknown),
    }
}

fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").current_dir(folder).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
