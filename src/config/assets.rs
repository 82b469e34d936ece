//! Finding `assets/` from any working folder.

use std::path::{Path, PathBuf};
use thiserror::Error;

/// The data folder was not found.
#[derive(Debug, Error)]
#[error("assets: no folder with models/ and demo/ found; looked in {}. Set MINDGAP_ASSETS to it, or keep the program inside its checkout", looked.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", "))]
pub struct AssetError {
    looked: Vec<PathBuf>,
}

/// The folder with bundled models, demo cases and label tables.
///
/// In order: `MINDGAP_ASSETS`; `assets` or `share/mindgap` beside the executable or in a folder above it, which covers
/// both an unpacked release and `target/release` in a checkout; the checkout it was built in.
pub fn assets_dir() -> Result<PathBuf, AssetError> {
    let mut candidates: Vec<PathBuf> = Vec::new();
    if let Some(chosen) = std::env::var_os("MINDGAP_ASSETS") {
        candidates.push(PathBuf::from(chosen));
    } else {
        let executable = std::env::current_exe().and_then(|exe| exe.canonicalize());
        for folder in executable.iter().flat_map(|exe| exe.ancestors().skip(1).take(5)) {
            candidates.push(folder.join("assets"));
            candidates.push(folder.join("share").join("mindgap"));
        }
        candidates.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets"));
    }
    match candidates.iter().find(|folder| folder.join("labels").is_dir()) {
        Some(found) => Ok(found.clone()),
        None => Err(AssetError { looked: candidates }),
    }
}

/// The demo cases.
pub fn demo_dir() -> Result<PathBuf, AssetError> {
    Ok(assets_dir()?.join("demo"))
}
