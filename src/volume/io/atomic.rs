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
