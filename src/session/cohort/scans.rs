//! Which scans lie in a folder, and which of them is the one that a case was made of.
//!
//! Invariant: a scan is known by what it holds, never by its name: files may have been renamed or compressed anew.

use crate::session::provenance::{content_sha256, provenance_path};
use crate::volume::io::{self, IoError};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// How the names of label maps end that the program writes beside scans, before the ending of their format.
const LABEL_MAPS: [&str; 2] = ["_labels", "_tissues"];

/// The endings of scans; the voxels beside a detached header are no scan of their own.
pub const SCAN_ENDINGS: [&str; 7] = [".nii.gz", ".nii", ".hdr", ".nrrd", ".nhdr", ".mha", ".mhd"];

/// Hashes of scans that have been read: which file holds what. A file that has changed since is read again.
#[derive(Debug, Clone, Default)]
pub struct ScanIndex {
    read: BTreeMap<PathBuf, Held>,
}

/// What a file held when it was read.
#[derive(Debug, Clone)]
struct Held {
    stamp: Option<Stamp>,
    /// `None`: was no scan.
    sha256: Option<String>,
}

/// Length and time of the last change of a file.
type Stamp = (u64, SystemTime);

/// That of a file that holds a whole scan. A folder, and a header with its voxels in another file, do not show by themselves
/// that what they stand for has changed: `None`.
fn stamp_of(path: &Path) -> Option<Stamp> {
    let ending = path.extension()?.to_string_lossy().to_ascii_lowercase();
    if ["hdr", "nhdr", "mhd"].contains(&ending.as_str()) {
        return None;
    }
    let metadata = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    Some((metadata.len(), metadata.modified().ok()?))
}

/// Scans directly in a folder, and the folders in it that hold DICOM series, by name; the folder itself where it is one.
/// What the program itself wrote there is passed over: labels and maps of a scan are no scans to make labels and maps of.
///
/// # Errors
/// Where the folder cannot be read.
pub fn scans_in(folder: &Path) -> Result<Vec<PathBuf>, IoError> {
    let unreadable = |error| IoError::system(folder, "read", error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let is_scan = !hidden && (if path.is_dir() { is_dicom(&path) } else { is_scan_file(&path) });
        if is_scan {
            found.push(path);
        }
    }
    if found.is_empty() && is_dicom(folder) {
        found.push(folder.to_owned());
    }
    found.sort();
    Ok(found)
}

impl ScanIndex {
    /// Whether a file holds what `sha256` is the hash of; reads it unless it has been read before and not changed since.
    pub fn holds(&mut self, path: &Path, sha256: &str) -> bool {
        let stamp = stamp_of(path);
        let known = self.read.get(path).filter(|held| stamp.is_some() && held.stamp == stamp);
        if let Some(held) = known {
            return held.sha256.as_deref() == Some(sha256);
        }
        let found = io::open(path).ok().map(|scan| content_sha256(&scan));
        let holds = found.as_deref() == Some(sha256);
        self.read.insert(path.to_owned(), Held { stamp, sha256: found });
        holds
    }

    /// The scan in `folder` that holds what `sha256` is the hash of; else how many scans were looked at.
    ///
    /// # Errors
    /// Where the folder cannot be read; a scan that cannot is passed over.
    pub fn find(&mut self, folder: &Path, sha256: &str) -> Result<Result<PathBuf, usize>, IoError> {
        let mut scans = scans_in(folder)?;
        let looked_at = scans.len();
        // What has been read already costs nothing; what is not known is read until it is found.
        scans.sort_by_key(|path| !self.read.contains_key(path));
        let found = scans.into_iter().find(|path| self.holds(path, sha256));
        Ok(found.ok_or(looked_at))
    }
}

fn is_scan_file(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let Some(stem) = SCAN_ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)) else { return false };
    let is_label_map = name.ends_with(".seg.nrrd") || LABEL_MAPS.iter().any(|ending| stem.ends_with(ending));
    !is_label_map && !provenance_path(path).is_file()
}

fn is_dicom(folder: &Path) -> bool {
    io::list_series(folder).is_ok_and(|series| series.iter().any(|one| one.kind == io::SeriesKind::Volume))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::volume::{Geometry, Scan, Volume};

    #[test]
    fn what_the_program_wrote_beside_scans_is_not_made_into_cases_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let scans = ["ct.nii.gz", "labels.nrrd", "mr_labels_of_ribs.mha"];
        let ours = ["a_labels.nrrd", "a_LABELS.nii", "a_tissues.nii.gz", "a_labels.mha", "a.seg.nrrd"];
        let exported = ["gap.nii.gz", "synthetic.mha"];
        for name in [scans.as_slice(), &ours, &exported].concat() {
            std::fs::write(folder.path().join(name), b"x").unwrap();
        }
        for name in exported {
            std::fs::write(provenance_path(&folder.path().join(name)), b"{}").unwrap();
        }
        let found = scans_in(folder.path()).unwrap();
        assert_eq!(found, scans.map(|name| folder.path().join(name)));
    }

    #[test]
    fn a_file_that_another_scan_was_put_in_place_of_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("case.nii");
        let put = |size: usize| {
            let grid = Geometry::axis_aligned([size, 4, 4], [1.0; 3], [0.0; 3]).unwrap();
            let scan = Scan::from_volume(Volume::from_fn(grid, |i, _, _| i as f32), "test");
            io::write_scan(&path, &scan).unwrap();
            content_sha256(&io::open(&path).unwrap())
        };
        let mut index = ScanIndex::default();
        std::fs::write(&path, b"no scan").unwrap();
        assert!(!index.holds(&path, "any"));
        let first = put(4);
        assert!(index.holds(&path, &first), "what was no scan is one now");
        let second = put(5);
        assert!(index.holds(&path, &second) && !index.holds(&path, &first));
    }

    #[test]
    fn a_scan_is_found_again_after_it_was_renamed_and_among_files_that_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let scan = |offset: usize| {
            let grid = Geometry::axis_aligned([4, 4, 4], [1.0; 3], [0.0; 3]).unwrap();
            Scan::from_volume(Volume::from_fn(grid, |i, _, _| (i + offset) as f32), "test")
        };
        for (name, offset) in [("a.nii.gz", 0), ("renamed.nii.gz", 7)] {
            io::write_scan(&folder.path().join(name), &scan(offset)).unwrap();
        }
        std::fs::write(folder.path().join("0.nii"), b"no scan").unwrap();
        let wanted = content_sha256(&io::open(&folder.path().join("renamed.nii.gz")).unwrap());
        let mut index = ScanIndex::default();
        for _ in 0..2 {
            assert_eq!(index.find(folder.path(), &wanted).unwrap(), Ok(folder.path().join("renamed.nii.gz")));
        }
        assert_eq!(index.find(folder.path(), "another").unwrap(), Err(3));
        assert!(index.find(&folder.path().join("gone"), &wanted).is_err());
    }
}
