//! The `.libtorch` link at the root of the clone, through which plain cargo finds libtorch (see `.cargo/config.toml`).
//!
//! Invariant: only a link is ever replaced or removed; a folder somebody put there stays.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The root of the clone.
pub fn root() -> PathBuf {
    // Cargo names the package's folder when it runs us; what was compiled in is where the clone lay then.
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let xtask = xtask.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    xtask.parent().map_or(xtask.clone(), Path::to_owned)
}

pub fn path() -> PathBuf {
    root().join(".libtorch")
}

/// Points the link at a folder, unless it already is that folder.
pub fn point(link: &Path, folder: &Path) -> Result<()> {
    if link.exists() && link.canonicalize().ok() == folder.canonicalize().ok() {
        return Ok(());
    }
    let explain = || format!("cannot point {} at {}", link.display(), folder.display());
    if let Ok(found) = fs::symlink_metadata(link) {
        // A junction on Windows is a link to Rust as well.
        ensure!(found.is_symlink(), "{} is in the way: move it elsewhere", link.display());
        remove_link(link).with_context(explain)?;
    }
    create_link(folder, link).with_context(explain)
}

#[cfg(unix)]
fn create_link(folder: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(folder, link)
}

/// Symbolic links need a privilege on Windows, junctions do not.
#[cfg(windows)]
fn create_link(folder: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_dir(folder, link).or_else(|_| junction::create(folder, link))
}

#[cfg(unix)]
fn remove_link(link: &Path) -> io::Result<()> {
    fs::remove_file(link)
}

#[cfg(windows)]
fn remove_link(link: &Path) -> io::Result<()> {
    fs::remove_dir(link)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_link_follows_the_folder_it_is_pointed_at_even_after_that_is_gone() {
        let root = tempfile::tempdir().unwrap();
        let (link, old, new) = (root.path().join("link"), root.path().join("old"), root.path().join("new"));
        fs::create_dir(&old).unwrap();
        fs::create_dir(&new).unwrap();
        point(&link, &old).unwrap();
        point(&link, &old).unwrap();
        fs::remove_dir(&old).unwrap();
        point(&link, &new).unwrap();
        assert_eq!(link.canonicalize().unwrap(), new.canonicalize().unwrap());
    }

    #[test]
    fn a_folder_in_the_place_of_the_link_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let link = root.path().join("link");
        fs::create_dir(&link).unwrap();
        point(&link, root.path()).unwrap_err();
        assert!(link.is_dir());
    }
}
