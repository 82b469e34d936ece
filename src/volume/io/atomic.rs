//! Replacing a file whole or not at all.
//!
//! Invariant: at every moment, power cuts included, the name holds the old bytes or the new ones; new bytes get the name
//! only after they were written, synced, and accepted by the caller's check.

use super::{IoError, memory, source::refuse_special};
use crate::volume::{Geometry, corner_distance_mm};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// What was written where.
#[derive(Debug, Clone, PartialEq)]
pub struct Receipt {
    pub path: PathBuf,
    /// Size on disk.
    pub bytes: u64,
    /// What became of the grid; `None` for a file that holds no volume.
    pub grid: Option<GridReceipt>,
}

/// The grid of a file that was written and opened again, beside the grid of the scan it belongs to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GridReceipt {
    pub dims: [usize; 3],
    /// The largest distance between the two grids' corners, in mm.
    pub corner_distance_mm: f64,
    /// Whether sform, qform, their codes, voxel sizes and units came back bit for bit; `None` where the scan came from
    /// no NIfTI file or the file is none.
    pub header_kept: Option<bool>,
}

impl GridReceipt {
    /// Measures a reopened grid against its scan's.
    pub(super) fn of(reopened: &Geometry, scan: &Geometry, header_kept: Option<bool>) -> Self {
        let corner_distance_mm = corner_distance_mm(reopened, scan);
        Self { dims: reopened.dims(), corner_distance_mm, header_kept }
    }
}

/// Writes `path`, which takes at most `at_most_bytes`, by way of a temporary file beside it. `check` reads that file
/// before it gets the name, and says what became of the grid if it holds one.
pub(super) fn replace(
    path: &Path,
    at_most_bytes: u64,
    write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
    check: impl FnOnce(&Path) -> Result<Option<GridReceipt>, IoError>,
) -> Result<Receipt, IoError> {
    let kept_old = name_is_taken(path)?;
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => IoError::DiskFull {
            path: path.to_owned(),
            at_most_bytes,
            free_bytes: memory::free_disk_bytes(path),
            kept_old,
        },
        _ => IoError::Write { path: path.to_owned(), kept_old, source },
    };
    if kept_old {
        // A device or a pipe would be replaced by a file.
        refuse_special(path)?;
    }
    // A link is followed, so that the file it names is replaced and not the link.
    let target = if kept_old { fs::canonicalize(path).map_err(failed)? } else { path.to_owned() };
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));

    let temporary = create_beside(folder, &target).map_err(failed)?;
    let mut writer = BufWriter::new(temporary.as_file());
    write(&mut writer).and_then(|()| writer.flush()).map_err(failed)?;
    drop(writer);
    temporary.as_file().sync_all().map_err(failed)?;
    let grid = check(temporary.path())?;
    let bytes = temporary.as_file().metadata().map_err(failed)?.len();
    // Any error up to here drops the temporary file, which removes it.
    temporary.persist(&target).map_err(|error| failed(error.error))?;
    sync_folder(folder);
    Ok(Receipt { path: path.to_owned(), bytes, grid })
}

/// Whether there is a file of that name. A name that the file system cannot hold is refused before anything is computed.
fn name_is_taken(path: &Path) -> Result<bool, IoError> {
    match path.try_exists() {
        Ok(taken) => Ok(taken),
        Err(source) => Err(IoError::Write { path: path.to_owned(), kept_old: false, source }),
    }
}

/// An empty file with the access rights that the target has, or would get if it were created plainly.
fn create_beside(folder: &Path, target: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".mindgap-").suffix(".tmp");
    let existing = fs::metadata(target).ok().map(|metadata| metadata.permissions());
    if existing.as_ref().is_some_and(fs::Permissions::readonly) {
        return Err(io::Error::from(io::ErrorKind::PermissionDenied));
    }
    #[cfg(unix)]
    let plain = {
        use std::os::unix::fs::PermissionsExt;
        // The process's umask still applies.
        existing.clone().unwrap_or_else(|| fs::Permissions::from_mode(0o666))
    };
    #[cfg(unix)]
    builder.permissions(plain);
    let temporary = builder.tempfile_in(folder)?;
    if let Some(permissions) = existing {
        temporary.as_file().set_permissions(permissions)?;
    }
    Ok(temporary)
}

/// Makes the new name survive a power cut. Not every file system can; the file itself is synced already.
fn sync_folder(folder: &Path) {
    if cfg!(unix)
        && let Err(error) = File::open(folder).and_then(|folder| folder.sync_all())
    {
        tracing::debug!("the folder's entry was not synced: {error}");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_disk_that_fills_up_or_a_failed_check_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.nii.gz");
        fs::write(&path, b"old").unwrap();
        let full = replace(
            &path,
            2_500_000,
            |writer| writer.write_all(b"half").and(Err(io::ErrorKind::StorageFull.into())),
            |_| Ok(None),
        );
        let message = full.unwrap_err().to_string();
        assert!(message.contains("up to 2.5 MB") && message.contains("unchanged"), "{message}");
        let damaged = || IoError::ReadBack { path: path.clone(), field: "voxel", source: None };
        replace(&path, 3, |writer| writer.write_all(b"new"), |_| Err(damaged())).unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["labels.nii.gz"]);
    }

    #[test]
    fn the_check_sees_the_whole_file_before_it_gets_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.nii");
        let check = |temporary: &Path| {
            assert_eq!(fs::read(temporary).unwrap(), b"new");
            assert!(!path.exists() && temporary.parent() == path.parent());
            Ok(None)
        };
        let receipt = replace(&path, 3, |writer| writer.write_all(b"new"), check).unwrap();
        assert_eq!(receipt, Receipt { path: path.clone(), bytes: 3, grid: None });
        assert_eq!(names(folder.path()), ["labels.nii"]);
    }

    #[test]
    fn a_missing_folder_is_said_before_anything_is_computed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nowhere").join("labels.nii");
        let error = replace(&path, 3, |_| panic!("must not write"), |_| Ok(None)).unwrap_err();
        assert!(error.to_string().contains("create the folder first"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn access_rights_and_links_are_those_of_a_plain_overwrite() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let (plain, written, link) =
            (folder.path().join("plain"), folder.path().join("written"), folder.path().join("link"));
        fs::write(&plain, b"").unwrap();
        replace(&written, 5, |writer| writer.write_all(b"new"), |_| Ok(None)).unwrap();
        assert_eq!(mode(&written), mode(&plain));

        fs::set_permissions(&written, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&written, &link).unwrap();
        replace(&link, 5, |writer| writer.write_all(b"newer"), |_| Ok(None)).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!((fs::read(&written).unwrap().as_slice(), mode(&written)), (&b"newer"[..], 0o640));

        fs::set_permissions(&written, fs::Permissions::from_mode(0o440)).unwrap();
        let refused = replace(&written, 5, |writer| writer.write_all(b"x"), |_| Ok(None)).unwrap_err();
        assert!(refused.to_string().contains("a folder you may write to"), "{refused}");
    }
}
