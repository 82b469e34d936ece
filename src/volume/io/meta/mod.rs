//! MetaImage: `.mha`, and `.mhd` with its data file.

use super::{HeaderInfo, IoError, OpenOptions};
use crate::volume::Scan;
use std::path::Path;

pub(super) fn read_header(path: &Path, _options: &OpenOptions) -> Result<HeaderInfo, IoError> {
    Err(IoError::Unsupported {
        path: path.to_owned(),
        what: "this is a MetaImage file".to_owned(),
        advice: "not read yet: convert it to NIfTI",
    })
}

pub(super) fn read(path: &Path, options: &OpenOptions) -> Result<Scan, IoError> {
    read_header(path, options)
        .and_then(|_| Err(IoError::NotRegular { path: path.to_owned(), what: "MetaImage" }))
}
