//! Finding the cases of a dataset as it lies on disk.
//!
//! A pattern has one `*`, in the name of a file or of a folder; what it stands for names the case. Invariant: the cases
//! come in the order of their names, whatever order the disk lists them in.

use std::path::{Path, PathBuf};
use thiserror::Error;

/// A pattern that finds nothing.
#[derive(Debug, Error)]
pub enum FolderError {
    #[error("\"{0}\": expected a path with one * in it, which stands for what tells the cases apart")]
    Pattern(String),
    #[error("{}: cannot be listed ({source})", folder.display())]
    Unlisted { folder: PathBuf, source: std::io::Error },
    #[error("\"{pattern}\": no such file in {}; the folder's layout is in the preset", folder.display())]
    Nothing { pattern: String, folder: PathBuf },
}

/// One case of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What `*` stands for.
    pub case: String,
    pub path: PathBuf,
}

/// Every existing path below `folder` that the pattern describes.
pub fn find(folder: &Path, pattern: &str) -> Result<Vec<Found>, FolderError> {
    let bad = || FolderError::Pattern(pattern.to_owned());
    let (before, after) =
        pattern.split_once('*').filter(|(_, after)| !after.contains('*')).ok_or_else(bad)?;
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let (suffix, below) =
        after.split_once('/').map_or((after, None), |(suffix, below)| (suffix, Some(below)));
    let listed = folder.join(parent);
    let entries = std::fs::read_dir(&listed)
        .map_err(|source| FolderError::Unlisted { folder: listed.clone(), source })?;
    let mut found: Vec<Found> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let case = name.strip_prefix(prefix)?.strip_suffix(suffix)?.to_owned();
            let path = below.map_or_else(|| entry.path(), |below| entry.path().join(below));
            (!case.is_empty() && path.exists()).then_some(Found { case, path })
        })
        .collect();
    if found.is_empty() {
        return Err(FolderError::Nothing { pattern: pattern.to_owned(), folder: folder.to_owned() });
    }
    found.sort_by(|a, b| a.case.cmp(&b.case));
    Ok(found)
}

/// The path of one case: the pattern with `*` filled in.
pub fn path_of(folder: &Path, pattern: &str, case: &str) -> PathBuf {
    folder.join(pattern.replacen('*', case, 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn cases_are_found_by_file_and_by_folder_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        for file in [
            "ct/b_image.nii",
            "ct/a_image.nii",
            "ct/a_label.nii",
            "set/s2/ct.nii",
            "set/s1/ct.nii",
            "set/s3/mr.nii",
        ] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"").unwrap();
        }
        let names = |pattern| -> Vec<String> {
            find(folder.path(), pattern).unwrap().into_iter().map(|found| found.case).collect()
        };
        assert_eq!(names("ct/*_image.nii"), ["a", "b"]);
        assert_eq!(names("set/*/ct.nii"), ["s1", "s2"]);
        assert_eq!(path_of(folder.path(), "ct/*_label.nii", "a"), folder.path().join("ct/a_label.nii"));
    }

    #[test]
    fn an_empty_folder_a_wrong_pattern_and_a_missing_folder_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let error = |pattern| find(folder.path(), pattern).unwrap_err().to_string();
        assert!(error("*.nii").contains("no such file"));
        assert!(error("a.nii").contains("one *"));
        assert!(error("*/b/*.nii").contains("one *"));
        assert!(error("away/*.nii").contains("cannot be listed"));
    }
}
