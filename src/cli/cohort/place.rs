//! Where a case's folder goes: it is filled beside its place, and put there when it is whole.
//!
//! Invariants: results of another scan, and volumes in favour of a report alone, are never replaced; what may be replaced
//! stays until what replaces it is complete, and whenever a run is killed one of the two is there.

use crate::session::cohort::{CASE_FILE, CaseScan, PARTIAL};
use anyhow::{Context, ensure};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Labels, gap and uncertainty in a case's folder.
pub(super) const VOLUMES: [&str; 3] = ["labels.nii.gz", "gap.nii.gz", "uncertainty.nii.gz"];

/// The place of one case.
pub(super) struct Place {
    pub folder: PathBuf,
    /// Where its folder is filled.
    partial: PathBuf,
    /// Where what stood there waits while the new folder is put into its place.
    aside: PathBuf,
}

/// A folder that is being filled; gone again with all that is in it unless it was put into its place.
pub(super) struct Partial<'a>(&'a Place);

impl Place {
    pub(super) fn of(out: &Path, name: &str) -> Self {
        Self {
            folder: out.join(name),
            partial: out.join(format!(".{name}{PARTIAL}")),
            aside: out.join(format!(".{name}.replaced")),
        }
    }

    /// Ends what a run began that was killed while it replaced the case: what was set aside comes back, unless the new one
    /// is in place already.
    pub(super) fn mend(&self) -> anyhow::Result<()> {
        let Self { folder, aside, .. } = self;
        if !aside.exists() {
            return Ok(());
        }
        if folder.join(CASE_FILE).is_file() {
            return std::fs::remove_dir_all(aside)
                .with_context(|| format!("{}: was replaced and cannot be removed", aside.display()));
        }
        std::fs::rename(aside, folder)
            .with_context(|| format!("{}: cannot be put back to {}", aside.display(), folder.display()))
    }

    /// Refuses a place in which something stands that `scan`'s results must not replace: what is no case, another scan's
    /// results, and volumes if none are made now.
    pub(super) fn refuse_loss(&self, scan: &Path, input_sha256: &str, volumes: bool) -> anyhow::Result<()> {
        let folder = &self.folder;
        if !folder.exists() {
            return Ok(());
        }
        ensure!(
            folder.join(CASE_FILE).is_file(),
            "{}: is there and was not made by this command; choose another output folder",
            folder.display()
        );
        let there = CaseScan::read(folder)?;
        let hash = there.input_sha256.get(..12).unwrap_or(&there.input_sha256);
        let earlier =
            there.scan.map_or_else(|| format!("SHA-256 {hash}…"), |earlier| earlier.display().to_string());
        ensure!(
            there.input_sha256 == input_sha256,
            "{}: holds the results of another scan ({earlier}), which those of {} would replace; give the two in two runs \
             into two output folders",
            folder.display(),
            scan.display()
        );
        ensure!(
            volumes || !VOLUMES.iter().any(|name| folder.join(name).exists()),
            "{}: holds volumes of another program, model, modality or setting, or files that were changed since, and a \
             report would replace them; choose another output folder, or make them anew with mindgap batch",
            folder.display()
        );
        Ok(())
    }

    /// An empty folder to fill, whatever a killed run left there.
    pub(super) fn begin(&self) -> anyhow::Result<Partial<'_>> {
        let folder = &self.partial;
        if folder.exists() {
            std::fs::remove_dir_all(folder)
                .with_context(|| format!("{}: cannot be removed", folder.display()))?;
        }
        std::fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        Ok(Partial(self))
    }
}

impl Partial<'_> {
    pub(super) fn path(&self) -> &Path {
        &self.0.partial
    }

    /// Puts it into its place, and removes what stood there.
    pub(super) fn put(self) -> anyhow::Result<()> {
        let Place { folder, partial, aside } = self.0;
        let replaces = folder.exists();
        if replaces {
            std::fs::rename(folder, aside)
                .with_context(|| format!("{}: what was there cannot be replaced", folder.display()))?;
        }
        let put = std::fs::rename(partial, folder)
            .with_context(|| format!("{}: cannot be put into place", folder.display()));
        if !replaces {
            return put;
        }
        if put.is_err() {
            // Should this fail too, the next run puts it back.
            self.0.mend()?;
        } else if let Err(error) = std::fs::remove_dir_all(aside) {
            // The case is whole, and the next run tries again.
            tracing::warn!("{}: was replaced and cannot be removed: {error}", aside.display());
        }
        put
    }
}

impl Drop for Partial<'_> {
    fn drop(&mut self) {
        let partial = &self.0.partial;
        if let Err(error) = std::fs::remove_dir_all(partial)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!("{}: cannot be removed: {error}", partial.display());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A case's folder with a record that says no more than other versions of the program do, and a file to tell it by.
    fn case(out: &Path, name: &str, input_sha256: &str, file: &str) {
        let folder = out.join(name);
        std::fs::create_dir(&folder).unwrap();
        let record = serde_json::json!({ "input_sha256": input_sha256, "scan": "/p1/ct.nii.gz", "new": 1 });
        std::fs::write(folder.join(CASE_FILE), record.to_string()).unwrap();
        std::fs::write(folder.join(file), b"x").unwrap();
    }

    fn names(out: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(out).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn results_of_another_scan_are_never_replaced_and_the_error_names_both_scans() {
        let out = tempfile::tempdir().unwrap();
        case(out.path(), "ct", "first", "labels.nii.gz");
        let place = Place::of(out.path(), "ct");
        let second = Path::new("p2/ct.nii.gz");
        let told = place.refuse_loss(second, "second", true).unwrap_err().to_string();
        for part in ["/p1/ct.nii.gz", "p2/ct.nii.gz", "two output folders"] {
            assert!(told.contains(part), "{told}");
        }
        place.refuse_loss(second, "first", true).unwrap();
        std::fs::write(place.folder.join(CASE_FILE), b"{").unwrap();
        let told = place.refuse_loss(second, "first", true).unwrap_err().to_string();
        assert!(told.contains("move its folder away"), "whose results they are is not known: {told}");
    }

    #[test]
    fn a_report_never_takes_the_volumes_of_a_batch_away() {
        let out = tempfile::tempdir().unwrap();
        case(out.path(), "whole", "first", "gap.nii.gz");
        case(out.path(), "report", "first", "report.pdf");
        let scan = Path::new("ct.nii.gz");
        let told = Place::of(out.path(), "whole").refuse_loss(scan, "first", false).unwrap_err().to_string();
        assert!(told.contains("holds volumes"), "{told}");
        Place::of(out.path(), "report").refuse_loss(scan, "first", false).unwrap();
    }

    #[test]
    fn a_case_that_fails_leaves_nothing_that_looks_as_if_it_were_still_being_made() {
        let out = tempfile::tempdir().unwrap();
        case(out.path(), "ct", "first", "earlier");
        let place = Place::of(out.path(), "ct");
        let partial = place.begin().unwrap();
        assert_eq!(names(out.path()), [".ct.partial", "ct"]);
        std::fs::write(partial.path().join("labels.nii.gz"), b"half").unwrap();
        drop(partial);
        assert_eq!(names(out.path()), ["ct"]);
        assert!(place.folder.join("earlier").is_file(), "what was there is kept until there is better");
    }

    #[test]
    fn earlier_results_make_way_only_for_whole_ones() {
        let out = tempfile::tempdir().unwrap();
        case(out.path(), "ct", "first", "earlier");
        let place = Place::of(out.path(), "ct");
        let partial = place.begin().unwrap();
        std::fs::write(partial.path().join("later"), b"x").unwrap();
        partial.put().unwrap();
        assert_eq!(
            (names(out.path()), names(&place.folder)),
            (vec!["ct".to_owned()], vec!["later".to_owned()])
        );
    }

    #[test]
    fn a_run_that_was_killed_while_it_replaced_a_case_loses_neither_the_earlier_nor_the_later_results() {
        let out = tempfile::tempdir().unwrap();
        let place = Place::of(out.path(), "ct");
        case(out.path(), ".ct.replaced", "first", "earlier");
        place.mend().unwrap();
        assert_eq!(names(out.path()), ["ct"], "the later results had not been put into place yet");
        case(out.path(), ".ct.replaced", "first", "earliest");
        place.mend().unwrap();
        assert_eq!(names(out.path()), ["ct"]);
        assert!(place.folder.join("earlier").is_file(), "those in place are the later ones");
    }
}
