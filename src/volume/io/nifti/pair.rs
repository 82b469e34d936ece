//! `.hdr`/`.img` pairs: finding one half from the other, whatever bytes their names are made of.
//!
//! Invariant: the half that was chosen is the half that is read, whatever else of that name lies beside it.

use super::super::{IoError, source::Source};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The header's file if `path` names the voxels of a pair, else `path` itself.
pub(in super::super) fn header_of(path: &Path) -> Result<PathBuf, IoError> {
    match half(path) {
        Some((stem, extension)) if extension.eq_ignore_ascii_case("img") => find(path, &stem, "hdr"),
        _ => Ok(path.to_owned()),
    }
}

/// The voxels of the pair of which `chosen` is one half.
pub(super) fn voxels_of(chosen: &Path) -> Result<Source, IoError> {
    match half(chosen) {
        Some((_, extension)) if extension.eq_ignore_ascii_case("img") => Source::open(chosen),
        Some((stem, _)) => Source::open(&find(chosen, &stem, "img")?),
        None => Source::open(&find(chosen, chosen, "img")?),
    }
}

/// Splits "a.1.img.gz" into "a.1" and "img".
fn half(path: &Path) -> Option<(PathBuf, OsString)> {
    let compressed = path.extension()?.eq_ignore_ascii_case("gz");
    let plain = if compressed { path.with_extension("") } else { path.to_owned() };
    let extension = plain.extension()?.to_owned();
    Some((plain.with_extension(""), extension))
}

/// The other half, in either case: compressed if this one is, and otherwise if there is no other.
fn find(path: &Path, stem: &Path, extension: &str) -> Result<PathBuf, IoError> {
    let with = |suffix: String| {
        let mut name = stem.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let upper = extension.to_ascii_uppercase();
    let mut candidates = [format!(".{extension}"), format!(".{upper}"), format!(".{extension}.gz")].map(with);
    let missing = candidates[0].file_name().unwrap_or_default().to_string_lossy().into_owned();
    if path.extension().is_some_and(|last| last.eq_ignore_ascii_case("gz")) {
        candidates.reverse();
    }
    let found = candidates.into_iter().find(|candidate| candidate.is_file());
    found.ok_or_else(|| IoError::MissingHalf { path: path.to_owned(), missing })
}
