//! Whether a folder holds the libtorch that the engine is built for.
//!
//! Invariant: a folder passes only with the exact version and every file that building and starting need; one that we
//! unpacked ourselves passes only if every file has the size written down when it was unpacked.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};

use crate::platform::Platform;

/// The version that the `tch` of Cargo.toml is made for; it refuses others.
pub const VERSION: &str = "2.11.0";

/// The list of what was unpacked. It is written last, so that a folder without one is not whole.
pub const MANIFEST: &str = "mindgap-files.txt";

/// Which libraries are wanted. A folder with those for CUDA serves both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Flavour {
    Cpu,
    Cuda,
}

/// One file of an unpacked libtorch.
#[derive(Debug, PartialEq)]
pub struct Kept {
    /// Relative to the libtorch folder, with forward slashes.
    pub path: String,
    pub bytes: u64,
    /// As wheels write it: base64 in its URL alphabet, without padding.
    pub sha256: String,
}

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error("{} is not there", .0.display())]
    Absent(PathBuf),
    #[error("{} holds libtorch {found}, but MindGap needs {VERSION}", folder.display())]
    Version { folder: PathBuf, found: String },
    #[error("{} does not say which version of libtorch it is (build-version, version.py, version.h)", .0.display())]
    NoVersion(PathBuf),
    #[error("{} lacks {file}", folder.display())]
    Lacks { folder: PathBuf, file: String },
    #[error("{} has {found} bytes instead of {expected}", file.display())]
    Size { file: PathBuf, expected: u64, found: u64 },
    #[error("{} is not what was unpacked: its SHA-256 differs", .0.display())]
    Content(PathBuf),
    #[error("{}: {cause}", file.display())]
    Unreadable { file: PathBuf, cause: io::Error },
}

/// Checks any folder laid out as libtorch is: `lib` and `include`, or an installed `torch` package.
pub fn check(folder: &Path, platform: Platform, flavour: Flavour) -> Result<(), Unusable> {
    if !folder.is_dir() {
        return Err(Unusable::Absent(folder.to_owned()));
    }
    // The version goes first: an older libtorch lacks files too, and its version is what explains that.
    match version_of(folder) {
        Some(found) if found == VERSION => {}
        Some(found) => return Err(Unusable::Version { folder: folder.to_owned(), found }),
        None => return Err(Unusable::NoVersion(folder.to_owned())),
    }
    for file in platform.required(flavour) {
        if !folder.join(&file).is_file() {
            return Err(Unusable::Lacks { folder: folder.to_owned(), file });
        }
    }
    // Only folders that we unpacked have a list.
    if folder.join(MANIFEST).is_file() { check_sizes(folder) } else { Ok(()) }
}

/// Checks a folder of our cache, which must have its list.
pub fn check_unpacked(folder: &Path, platform: Platform, flavour: Flavour) -> Result<(), Unusable> {
    if folder.is_dir() && !folder.join(MANIFEST).is_file() {
        return Err(Unusable::Lacks { folder: folder.to_owned(), file: MANIFEST.to_owned() });
    }
    check(folder, platform, flavour)
}

/// Reads the libraries of an unpacked libtorch again and compares their content with the list.
pub fn check_libraries(folder: &Path) -> Result<(), Unusable> {
    for kept in read_manifest(folder)?.iter().filter(|kept| kept.path.starts_with("lib/")) {
        let file = folder.join(&kept.path);
        let unreadable = |cause| Unusable::Unreadable { file: file.clone(), cause };
        let mut hash = Sha256::new();
        io::copy(&mut fs::File::open(&file).map_err(unreadable)?, &mut hash).map_err(unreadable)?;
        if sha256_text(hash) != kept.sha256 {
            return Err(Unusable::Content(file));
        }
    }
    Ok(())
}

/// The version a folder claims, without what follows a plus sign ("2.11.0+cu130").
pub fn version_of(folder: &Path) -> Option<String> {
    let release = |text: &str| text.trim().split('+').next().map(str::to_owned);
    if let Ok(text) = fs::read_to_string(folder.join("build-version")) {
        return release(&text);
    }
    if let Some(version) =
        fs::read_to_string(folder.join("version.py")).ok().as_deref().and_then(python_version)
    {
        return release(version);
    }
    let headers = ["include/torch/headeronly/version.h", "include/torch/csrc/api/include/torch/version.h"];
    headers.iter().find_map(|header| header_version(&fs::read_to_string(folder.join(header)).ok()?))
}

/// The value of `__version__` in PyTorch's version.py.
pub fn python_version(text: &str) -> Option<&str> {
    let assigned = text.lines().find_map(|line| line.strip_prefix("__version__"))?;
    assigned.split(['\'', '"']).nth(1)
}

pub fn sha256_text(hash: Sha256) -> String {
    Base64UrlUnpadded::encode_string(&hash.finalize())
}

pub fn write_manifest(folder: &Path, files: &[Kept]) -> io::Result<()> {
    let lines: String =
        files.iter().map(|kept| format!("{} {} {}\n", kept.sha256, kept.bytes, kept.path)).collect();
    fs::write(folder.join(MANIFEST), lines)
}

fn check_sizes(folder: &Path) -> Result<(), Unusable> {
    for kept in read_manifest(folder)? {
        let file = folder.join(&kept.path);
        match fs::metadata(&file) {
            Ok(found) if found.len() == kept.bytes => {}
            Ok(found) => return Err(Unusable::Size { file, expected: kept.bytes, found: found.len() }),
            Err(_) => return Err(Unusable::Lacks { folder: folder.to_owned(), file: kept.path }),
        }
    }
    Ok(())
}

fn read_manifest(folder: &Path) -> Result<Vec<Kept>, Unusable> {
    let file = folder.join(MANIFEST);
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(cause) => return Err(Unusable::Unreadable { file, cause }),
    };
    let kept = |line: &str| {
        let mut fields = line.splitn(3, ' ');
        let (sha256, bytes, path) = (fields.next()?, fields.next()?.parse().ok()?, fields.next()?);
        Some(Kept { path: path.to_owned(), bytes, sha256: sha256.to_owned() })
    };
    let whole: Option<Vec<Kept>> = text.lines().map(kept).collect();
    whole.filter(|files| !files.is_empty()).ok_or(Unusable::Content(file))
}

/// The version that a header spells in three macros, as in `#define TORCH_VERSION_MAJOR 2`.
fn header_version(text: &str) -> Option<String> {
    let part = |name: &str| {
        text.lines()
            .find_map(|line| line.trim().strip_prefix("#define")?.trim().strip_prefix(name))
            .map(str::trim)
    };
    Some(format!(
        "{}.{}.{}",
        part("TORCH_VERSION_MAJOR")?,
        part("TORCH_VERSION_MINOR")?,
        part("TORCH_VERSION_PATCH")?
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_libtorch_of_another_version_is_refused_with_both_versions() {
        let folder = tempfile::tempdir().unwrap();
        for version in ["2.5.1+cpu\n", "1.0.0"] {
            fs::write(folder.path().join("build-version"), version).unwrap();
            let message =
                check(folder.path(), Platform::current().unwrap(), Flavour::Cpu).unwrap_err().to_string();
            assert!(message.contains(version.trim().trim_end_matches("+cpu")), "{message}");
            assert!(message.contains(VERSION), "{message}");
        }
    }

    #[test]
    fn the_version_is_found_in_whichever_file_a_distribution_of_libtorch_has() {
        let folder = tempfile::tempdir().unwrap();
        let header = folder.path().join("include/torch/headeronly/version.h");
        fs::create_dir_all(header.parent().unwrap()).unwrap();
        let macros = [("MAJOR", 2), ("MINOR", 11), ("PATCH", 0)];
        let text: String =
            macros.map(|(part, number)| format!("#define TORCH_VERSION_{part} {number}\n")).concat();
        fs::write(header, text).unwrap();
        assert_eq!(version_of(folder.path()).unwrap(), "2.11.0");

        fs::write(
            folder.path().join("version.py"),
            "__all__ = ['__version__']\n__version__ = '2.9.1+cu130'\n",
        )
        .unwrap();
        assert_eq!(version_of(folder.path()).unwrap(), "2.9.1");
    }
}
