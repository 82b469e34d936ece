//! Finding the cases of a dataset as it lies on disk.
//!
//! A pattern has one `*`, in the name of a file or of a folder; what it stands for names the case. Invariant: the cases
//! come in the order of their names, whatever order the disk lists them in.

use crate::volume::{Scaling, Scan};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A pattern that finds nothing, or not what is to be left out.
#[derive(Debug, Error)]
pub enum FolderError {
    #[error("\"{0}\": expected a path with one * in it, which stands for what tells the cases apart")]
    Pattern(String),
    #[error("{}: cannot be listed ({source})", folder.display())]
    Unlisted { folder: PathBuf, source: std::io::Error },
    #[error("{}: expected a name in UTF-8, after which a case can be called; rename it", path.display())]
    Name { path: PathBuf },
    #[error("\"{pattern}\": no such file in {}; the folder's layout is in the preset", folder.display())]
    Nothing { pattern: String, folder: PathBuf },
    #[error(
        "exclude: expected names of cases of \"{pattern}\" ({known}), got {unknown}; mend or remove them, for what is not left out is trained on"
    )]
    Unknown { pattern: String, known: String, unknown: String },
    #[error("exclude: leaves none of the cases of \"{pattern}\" ({known})")]
    NoneLeft { pattern: String, known: String },
}

/// One case of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What `*` stands for.
    pub case: String,
    pub path: PathBuf,
}

/// Every existing path below `folder` that the pattern describes. Hidden ones, such as the `._` files that macOS leaves
/// beside others, are no cases unless the pattern asks for them.
pub fn find(folder: &Path, pattern: &str) -> Result<Vec<Found>, FolderError> {
    let bad = || FolderError::Pattern(pattern.to_owned());
    let (before, after) =
        pattern.split_once('*').filter(|(_, after)| !after.contains('*')).ok_or_else(bad)?;
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let (suffix, below) =
        after.split_once('/').map_or((after, None), |(suffix, below)| (suffix, Some(below)));
    let listed = folder.join(parent);
    let unlisted = |source| FolderError::Unlisted { folder: listed.clone(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&listed).map_err(unlisted)? {
        let entry = entry.map_err(unlisted)?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        let case = text.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix)).unwrap_or_default();
        let hidden = text.starts_with('.') && !prefix.starts_with('.');
        let path = below.map_or_else(|| entry.path(), |below| entry.path().join(below));
        if case.is_empty() || hidden || !path.exists() {
            continue;
        }
        if name.to_str().is_none() {
            return Err(FolderError::Name { path });
        }
        found.push(Found { case: case.to_owned(), path });
    }
    if found.is_empty() {
        return Err(FolderError::Nothing { pattern: pattern.to_owned(), folder: folder.to_owned() });
    }
    found.sort_by(|a, b| a.case.cmp(&b.case));
    Ok(found)
}

/// [`find`] without the cases named in `exclude`, all of which must be there: a misspelt one would be learned from, and tested
/// on later.
pub fn find_but(folder: &Path, pattern: &str, exclude: &[String]) -> Result<Vec<Found>, FolderError> {
    let mut found = find(folder, pattern)?;
    let known = || list(found.iter().map(|found| found.case.as_str()));
    let is_unknown = |name: &&String| !found.iter().any(|found| found.case == **name);
    let unknown: Vec<&str> = exclude.iter().filter(is_unknown).map(String::as_str).collect();
    if !unknown.is_empty() {
        let (known, unknown) = (known(), list(unknown));
        return Err(FolderError::Unknown { pattern: pattern.to_owned(), known, unknown });
    }
    let all = known();
    found.retain(|found| !exclude.contains(&found.case));
    if found.is_empty() {
        return Err(FolderError::NoneLeft { pattern: pattern.to_owned(), known: all });
    }
    Ok(found)
}

/// How many names an error lists.
const LISTED: usize = 8;

/// "0001", "0002" and 3 more
fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("\"{name}\"")).collect();
    let more = names.len().saturating_sub(LISTED);
    let listed = names[..names.len() - more].join(", ");
    if more == 0 { listed } else { format!("{listed} and {more} more") }
}

/// Most different values that make whole numbers look like labels: no scan has so few shades.
const LABELS_AT_MOST: usize = 16;

/// The values of what looks like a label map: 2 to 16 of them, all whole numbers. `None` for a scan.
pub fn values_if_labels(scan: &Scan) -> Option<Vec<f64>> {
    let Scaling { slope, intercept } = scan.scaling();
    let mut values: Vec<f64> = Vec::new();
    for offset in 0..scan.voxels().len() {
        let value = scan.voxels().value(offset) * slope + intercept;
        // Neighbours are mostly alike: the value of the last voxel is looked at first.
        if values.last() == Some(&value) {
            continue;
        }
        match values.iter().position(|known| *known == value) {
            Some(at) => {
                let last = values.len() - 1;
                values.swap(at, last);
            }
            None if value.fract() == 0.0 && values.len() < LABELS_AT_MOST => values.push(value),
            None => return None,
        }
    }
    values.sort_by(f64::total_cmp);
    (values.len() > 1).then_some(values)
}

/// The path of one case: the pattern with `*` filled in.
pub fn path_of(folder: &Path, pattern: &str, case: &str) -> PathBuf {
    folder.join(pattern.replacen('*', case, 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::volume::{Geometry, Volume, Voxels};

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
    fn what_macos_leaves_beside_scans_is_no_case() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["a.nii", "._a.nii", ".DS_Store", ".kept.nii"] {
            std::fs::write(folder.path().join(file), b"").unwrap();
        }
        let names = |pattern| -> Vec<String> {
            find(folder.path(), pattern).unwrap().into_iter().map(|found| found.case).collect()
        };
        assert_eq!(names("*.nii"), ["a"]);
        assert_eq!(names("*"), ["a.nii"]);
        assert_eq!(names(".k*.nii"), ["ept"]);
    }

    /// Other systems allow no such name.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_case_whose_name_is_no_utf_8_is_told_and_not_left_out() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        for name in [&b"a.nii"[..], b"Andr\xe9.nii"] {
            std::fs::write(folder.path().join(std::ffi::OsStr::from_bytes(name)), b"").unwrap();
        }
        let error = find(folder.path(), "*.nii").unwrap_err().to_string();
        assert!(error.contains("Andr") && error.contains("rename it"), "{error}");
        assert_eq!(find(folder.path(), "a*ii").unwrap().len(), 1, "the pattern does not ask for it");
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

    #[test]
    fn a_test_case_whose_name_is_misspelt_is_told_and_not_trained_on() {
        let folder = tempfile::tempdir().unwrap();
        for n in 1..=10 {
            std::fs::write(folder.path().join(format!("{n:04}.nii")), b"").unwrap();
        }
        let but = |exclude: &[&str]| {
            let exclude: Vec<String> = exclude.iter().map(|name| (*name).to_owned()).collect();
            find_but(folder.path(), "*.nii", &exclude)
        };
        let left: Vec<String> = but(&["0002"]).unwrap().into_iter().map(|found| found.case).collect();
        assert_eq!((left.len(), left[1].as_str()), (9, "0003"));
        let error = but(&["0002", "3", "case-4"]).unwrap_err().to_string();
        assert!(error.contains("got \"3\", \"case-4\""), "{error}");
        assert!(error.contains("\"0001\", \"0002\"") && error.contains("and 2 more"), "{error}");
        let all: Vec<String> = (1..=10).map(|n| format!("{n:04}")).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        assert!(but(&all).unwrap_err().to_string().contains("leaves none"));
    }

    #[test]
    fn a_label_map_is_told_from_a_scan_in_whatever_type_it_is_stored() {
        let grid = || Geometry::axis_aligned([40, 5, 2], [1.0; 3], [0.0; 3]).unwrap();
        let scan = |value: fn(usize) -> f32| {
            let mut offset = 0..;
            let volume = Volume::from_fn(grid(), |_, _, _| value(offset.next().unwrap()));
            Scan::from_volume(volume, "test")
        };
        assert_eq!(values_if_labels(&scan(|n| (n / 9 % 3) as f32)), Some(vec![0.0, 1.0, 2.0]));
        assert_eq!(values_if_labels(&scan(|n| 63.0 * (n / 9 % 5) as f32)).unwrap().len(), 5);
        assert_eq!(values_if_labels(&scan(|n| (n % 16) as f32)).unwrap().len(), 16);
        for no_labels in [
            scan(|n| (n % 17) as f32),
            scan(|n| (n % 3) as f32 + 0.5),
            scan(|n| if n == 7 { f32::NAN } else { (n % 2) as f32 }),
            // Nothing at all has a refusal of its own.
            scan(|_| 0.0),
        ] {
            assert_eq!(values_if_labels(&no_labels), None);
        }
        let stored = Voxels::U8((0..400).map(|n| (n % 4) as u8).collect());
        let halves =
            Scan::new(stored.clone(), Scaling { slope: 0.5, intercept: 0.0 }, grid(), "test").unwrap();
        assert_eq!(values_if_labels(&halves), None, "measured values count, not stored ones");
        let whole = Scan::new(stored, Scaling::IDENTITY, grid(), "test").unwrap();
        assert_eq!(values_if_labels(&whole).unwrap().len(), 4);
    }
}
