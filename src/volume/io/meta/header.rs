//! The lines of a MetaImage header: "Key = Value", the last of which names the data.

use super::super::IoError;
use super::super::text_header::{Fields, Lines};
use std::path::Path;

pub(super) struct Header {
    pub fields: Fields,
    /// LOCAL, the name of a file, a pattern of names, or LIST.
    pub data_file: String,
    /// Names of data files, one a line, after a LIST.
    pub listed_files: Option<Vec<String>>,
    /// Where the voxels start if they are in this file.
    pub bytes: u64,
}

impl Header {
    /// Reads up to and with the line ElementDataFile, which ends every header.
    pub(super) fn read(path: &Path) -> Result<Self, IoError> {
        let mut lines = Lines::open(path)?;
        let mut fields = Fields::new(path);
        while let Some(line) = lines.next()? {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (key, value) =
                line.split_once(['=', ':']).ok_or_else(|| fields.wrong("header", "\"Key = Value\"", line))?;
            if !key.trim().eq_ignore_ascii_case("ElementDataFile") {
                fields.insert(key, value)?;
                continue;
            }
            let data_file = value.trim().to_owned();
            let bytes = lines.consumed();
            let is_list = data_file.split_whitespace().next() == Some("LIST");
            let listed_files = is_list.then(|| lines.rest()).transpose()?;
            return Ok(Self { fields, data_file, listed_files, bytes });
        }
        Err(fields.wrong("ElementDataFile", "a line that ends the header", "none"))
    }
}
