//! Which scans are meant, in an order that does not depend on the machine, and which of them are this shard's.

use crate::session::cohort::{SCAN_ENDINGS, scans_in};
use anyhow::{Context, ensure};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// "2/8": the second of eight shares of the cases, so that as many machines do them together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct Shard {
    /// From 1.
    pub number: usize,
    pub of: usize,
}

impl Default for Shard {
    fn default() -> Self {
        Self { number: 1, of: 1 }
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(n, of)| Some((n.parse().ok()?, of.parse().ok()?)));
        match parsed {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { number, of }),
            _ => Err(format!(
                "expected NUMBER/COUNT with a number from 1 to the count, like 2/8, got {text:?}"
            )),
        }
    }
}

impl Shard {
    /// Every `of`-th case; together the shards are all cases, and no case is in two.
    pub(super) fn of<T>(self, cases: &[T]) -> impl Iterator<Item = &T> {
        cases.iter().skip(self.number - 1).step_by(self.of)
    }

    /// "", or "-2-of-8".
    pub(super) fn suffix(self) -> String {
        if self.of == 1 { String::new() } else { format!("-{}-of-{}", self.number, self.of) }
    }
}

/// The scans that are named: files, DICOM folders, folders of either, and lists (.txt) with one path a line.
///
/// # Errors
/// Where something named does not exist, or nothing is found.
pub(in crate::cli) fn find(named: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in named {
        if path.extension().is_some_and(|ending| ending == "txt") {
            found.extend(listed(path)?);
        } else if path.is_dir() {
            found.extend(scans_in(path)?);
        } else {
            ensure!(path.exists(), "{}: does not exist", path.display());
            found.push(path.clone());
        }
    }
    found.sort();
    found.dedup();
    let names = || named.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    ensure!(
        !found.is_empty(),
        "{}: expected scans ({}) or DICOM folders, found none",
        names(),
        SCAN_ENDINGS.join(", ")
    );
    Ok(found)
}

/// Paths in a list are relative to the list's own folder.
fn listed(list: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let text =
        std::fs::read_to_string(list).with_context(|| format!("{}: cannot be read", list.display()))?;
    let folder = list.parent().unwrap_or(Path::new(""));
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let path = folder.join(line);
            ensure!(path.exists(), "{}: names {line}, which does not exist", list.display());
            Ok(path)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn shards_share_all_cases_and_no_case_is_in_two() {
        let cases: Vec<usize> = (0..23).collect();
        for of in [1, 2, 5, 40] {
            let mut all: Vec<usize> = (1..=of)
                .flat_map(|number| Shard { number, of }.of(&cases).copied().collect::<Vec<_>>())
                .collect();
            all.sort_unstable();
            assert_eq!(all, cases, "{of}");
        }
        assert_eq!("2/8".parse(), Ok(Shard { number: 2, of: 8 }));
        for wrong in ["0/8", "9/8", "1/0", "1", "a/b", ""] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_folder_gives_its_scans_in_order_and_a_list_those_it_names() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.nii.gz", "a.nii", "notes.pdf", ".hidden.nii", "a_labels.nii.gz", "c.seg.nrrd"] {
            std::fs::write(folder.path().join(name), b"x").unwrap();
        }
        let names = |paths: Vec<PathBuf>| {
            paths.iter().map(|p| p.file_name().unwrap().to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(find(&[folder.path().to_owned()]).unwrap()), ["a.nii", "b.nii.gz"]);
        let list = folder.path().join("list.txt");
        std::fs::write(&list, "# mine\n\nb.nii.gz\n").unwrap();
        assert_eq!(names(find(std::slice::from_ref(&list)).unwrap()), ["b.nii.gz"]);
        std::fs::write(&list, "missing.nii\n").unwrap();
        assert!(find(&[list]).unwrap_err().to_string().contains("missing.nii"));
    }
}
