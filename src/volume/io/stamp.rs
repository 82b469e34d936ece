//! Noticing that another program writes to a file that is being read.
//!
//! What is written before the file is opened, or within the same tick of the file system's clock, goes unnoticed: then
//! only a checksum tells.

use std::fs::File;
use std::io;
use std::time::SystemTime;

/// Length and time of the last change; two of one file are equal if nothing was written in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) bytes: u64,
    /// `None` where the file system does not say.
    written: Option<SystemTime>,
}

impl Stamp {
    /// Of an open file, whatever its name means by now.
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self { bytes: metadata.len(), written: metadata.modified().ok() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{IoError, source::Source};
    use std::fs::{self, File};
    use std::path::Path;
    use std::time::{Duration, SystemTime};

    /// Reads half of a file, lets another program do something to it, and reads the rest.
    fn read_while(other_program: impl FnOnce(&Path)) -> Result<Option<String>, IoError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.nii");
        fs::write(&path, [1; 1000]).unwrap();
        let mut source = Source::open(&path).unwrap();
        source.expect_bytes(1000).unwrap();
        source.read_exact(&mut [0; 500]).unwrap();
        other_program(&path);
        source.read_exact(&mut [0; 500])?;
        source.finish()
    }

    #[test]
    fn a_file_that_is_written_to_while_it_is_read_is_refused() {
        let overwritten = read_while(|path| {
            let file = File::options().write(true).open(path).unwrap();
            // A later tick of the clock, without waiting for it.
            file.set_modified(SystemTime::now() + Duration::from_secs(1)).unwrap();
        });
        assert!(matches!(overwritten, Err(IoError::Changed { .. })), "{overwritten:?}");
        let grown = read_while(|path| fs::write(path, [2; 2000]).unwrap());
        assert!(matches!(grown, Err(IoError::Changed { .. })), "{grown:?}");
        let shrunk = read_while(|path| fs::write(path, [2; 700]).unwrap());
        assert!(shrunk.is_err());
    }

    #[test]
    fn a_file_that_another_replaces_by_name_is_read_to_its_end() {
        assert_eq!(read_while(|_| ()).unwrap(), None);
        let replaced = read_while(|path| {
            let new = path.with_extension("new");
            fs::write(&new, [2; 700]).unwrap();
            fs::rename(new, path).unwrap();
        });
        assert_eq!(replaced.unwrap(), None);
    }
}
