//! Replacing a file whole or not at all.
//!
//! Invariant: at every moment, power cuts included, the name holds the old bytes or the new ones; new bytes get the name
//! only after they were written, synced, and accepted by the caller's check.

use super::IoError;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// What was written where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub path: PathBuf,
    /// Size on disk.
    pub bytes: u64,
}

/// Writes `path` by way of a temporary file beside it, which `check` may read before it gets the name.
pub(super) fn replace(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
    check: impl FnOnce(&Path) -> Result<(), IoError>,
) -> Result<Receipt, IoError> {
    let kept_old = path.exists();
    let failed = |source| IoError::Write { path: path.to_owned(), kept_old, source };
    // A link is followed, so that the file it names is replaced and not the link.
    let target = if kept_old { fs::canonicalize(path).map_err(failed)? } else { path.to_owned() };
    if target.is_dir() {
        return Err(IoError::NotRegular { path: path.to_owned(), what: "a folder" });
    }
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));

    let temporary = create_beside(folder, &target).map_err(failed)?;
    let mut writer = BufWriter::new(temporary.as_file());
    write(&mut writer).and_then(|()| writer.flush()).map_err(failed)?;
    drop(writer);
    temporary.as_file().sync_all().map_err(failed)?;
    check(temporary.path())?;
    let bytes = temporary.as_file().metadata().map_err(failed)?.len();
    // Any error up to here drops the temporary file, which removes it.
    temporary.persist(&target).map_err(|error| failed(error.error))?;
    sync_folder(folder);
    Ok(Receipt { path: path.to_owned(), bytes })
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
            |writer| writer.write_all(b"half").and(Err(io::ErrorKind::StorageFull.into())),
            |_| Ok(()),
        );
        let message = full.unwrap_err().to_string();
        assert!(message.contains("free some space") && message.contains("unchanged"), "{message}");
        let damaged = || IoError::ReadBack { path: path.clone(), field: "voxel", source: None };
        replace(&path, |writer| writer.write_all(b"new"), |_| Err(damaged())).unwrap_err();
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
            Ok(())
        };
        let receipt = replace(&path, |writer| writer.write_all(b"new"), check).unwrap();
        assert_eq!(receipt, Receipt { path: path.clone(), bytes: 3 });
        assert_eq!(names(folder.path()), ["labels.nii"]);
    }

    #[test]
    fn a_missing_folder_is_said_before_anything_is_computed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nowhere").join("labels.nii");
        let error = replace(&path, |_| panic!("must not write"), |_| Ok(())).unwrap_err();
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
        replace(&written, |writer| writer.write_all(b"new"), |_| Ok(())).unwrap();
        assert_eq!(mode(&written), mode(&plain));

        fs::set_permissions(&written, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&written, &link).unwrap();
        replace(&link, |writer| writer.write_all(b"newer"), |_| Ok(())).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!((fs::read(&written).unwrap().as_slice(), mode(&written)), (&b"newer"[..], 0o640));

        fs::set_permissions(&written, fs::Permissions::from_mode(0o440)).unwrap();
        let refused = replace(&written, |writer| writer.write_all(b"x"), |_| Ok(())).unwrap_err();
        assert!(refused.to_string().contains("a folder you may write to"), "{refused}");
    }
}
