//! The files of a folder and of the folders in it.

use crate::volume::io::IoError;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Folders within folders. Archives nest patient, study, series; a few more are generous.
const DEEPEST: usize = 16;

/// Files looked at; a study of a patient has a few thousand.
const MOST_FILES: usize = 200_000;

/// All regular files, in the order of their names. Links to folders are followed once, so that no loop is endless.
pub(super) fn files_of(folder: &Path) -> Result<Vec<PathBuf>, IoError> {
    let mut files = Vec::new();
    let mut seen = BTreeSet::new();
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let canonical = folder.canonicalize().map_err(|error| IoError::system(&folder, "opened", error))?;
        if !seen.insert(canonical) {
            continue;
        }
        let entries =
            std::fs::read_dir(&folder).map_err(|error| IoError::system(&folder, "listed", error))?;
        for entry in entries {
            let path = entry.map_err(|error| IoError::system(&folder, "listed", error))?.path();
            // A link to nothing, or a file that has just gone, is no file of this folder.
            let Ok(metadata) = std::fs::metadata(&path) else { continue };
            if metadata.is_dir() && depth < DEEPEST {
                folders.push((path, depth + 1));
            } else if metadata.is_file() {
                files.push(path);
            }
            if files.len() > MOST_FILES {
                let what = format!("more than {MOST_FILES} files lie in this folder");
                let advice = "choose the folder of one study";
                return Err(IoError::Unsupported { path: folder, what, advice });
            }
        }
    }
    files.sort();
    Ok(files)
}
