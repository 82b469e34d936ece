//! Which file of one folder belongs to which of the other.
//!
//! Invariant: every label file of both folders is in a pair, or named as one without partner, or named as one of several
//! that could be meant.

use super::answer::Failure;
use anyhow::{Context, ensure};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The endings of label files, the longer before those they end with. The voxels beside a detached header are no case.
const ENDINGS: [&str; 8] = [".nii.gz", ".seg.nrrd", ".nii", ".hdr", ".nrrd", ".nhdr", ".mha", ".mhd"];

/// A prediction and its reference.
#[derive(Debug)]
pub(super) struct Pair {
    pub case: String,
    pub prediction: PathBuf,
    pub reference: PathBuf,
}

/// What two folders hold.
#[derive(Debug, Default)]
pub(super) struct Pairing {
    /// Ascending by case.
    pub pairs: Vec<Pair>,
    /// One sentence a file that has no partner.
    pub unpaired: Vec<String>,
    /// Cases of which a folder has several files.
    pub ambiguous: Vec<Failure>,
}

/// The name of a label file without its ending; `None` for a file that is none by its name.
pub(super) fn case_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy();
    let lower = name.to_ascii_lowercase();
    let ending = ENDINGS.into_iter().find(|ending| lower.ends_with(ending))?;
    // Hidden files are not cases: macOS leaves "._case.nii.gz" beside what it copies.
    let stem = &name[..name.len() - ending.len()];
    (!stem.is_empty() && !stem.starts_with('.')).then(|| stem.to_owned())
}

/// The label files of a folder, not of the folders in it, by case.
pub(super) fn label_files(folder: &Path) -> anyhow::Result<BTreeMap<String, Vec<PathBuf>>> {
    let unreadable = || format!("{}: the folder cannot be read", folder.display());
    let mut files = BTreeMap::<String, Vec<PathBuf>>::new();
    for entry in std::fs::read_dir(folder).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        if let Some(case) = case_of(&path).filter(|_| path.is_file()) {
            files.entry(case).or_default().push(path);
        }
    }
    files.values_mut().for_each(|paths| paths.sort());
    Ok(files)
}

/// Pairs the label files of two folders by their names without endings.
pub(super) fn pair(predictions: &Path, references: &Path) -> anyhow::Result<Pairing> {
    let (predicted, mut actual) = (label_files(predictions)?, label_files(references)?);
    for (folder, files) in [(predictions, &predicted), (references, &actual)] {
        ensure!(
            !files.is_empty(),
            "{}: expected label files ({}), got none; name the folder that holds them",
            folder.display(),
            ENDINGS.join(", ")
        );
    }
    let mut pairing = Pairing::default();
    for (case, prediction) in predicted {
        match actual.remove(&case) {
            None => pairing.miss(&prediction, "reference", references),
            Some(reference) => pairing.add(case, &prediction, &reference),
        }
    }
    for reference in actual.values() {
        pairing.miss(reference, "prediction", predictions);
    }
    ensure!(
        !pairing.pairs.is_empty() || !pairing.ambiguous.is_empty(),
        "{} and {}: no two label files have the same name without ending; name a prediction like its reference",
        predictions.display(),
        references.display()
    );
    Ok(pairing)
}

impl Pairing {
    fn miss(&mut self, files: &[PathBuf], partner: &str, folder: &Path) {
        for file in files {
            self.unpaired.push(format!(
                "{}: has no {partner} of the same name in {}; it is not scored.",
                file.display(),
                folder.display()
            ));
        }
    }

    fn add(&mut self, case: String, predictions: &[PathBuf], references: &[PathBuf]) {
        if let ([prediction], [reference]) = (predictions, references) {
            self.pairs.push(Pair { case, prediction: prediction.clone(), reference: reference.clone() });
            return;
        }
        let several = [predictions, references].into_iter().filter(|files| files.len() > 1);
        let names: Vec<String> = several.flatten().map(|file| file.display().to_string()).collect();
        let error = format!("{}: expected one file of this name, got several; keep one", names.join(", "));
        self.ambiguous.push(Failure { case, error });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_a_label_files_name_without_its_whole_ending() {
        let case = |name: &str| case_of(Path::new(name));
        for name in ["a.b.nii.gz", "a.b.NII", "a.b.seg.nrrd", "a.b.nrrd", "a.b.mha", "a.b.hdr"] {
            assert_eq!(case(name).as_deref(), Some("a.b"), "{name}");
        }
        for name in ["._a.nii.gz", ".nii.gz", "a.img", "a.raw", "a.txt", "nii"] {
            assert_eq!(case(name), None, "{name}");
        }
    }
}
