//! The lines of a NRRD header: fields, key/value pairs, comments.

use super::super::IoError;
use super::super::text_header::{Fields, Lines};
use std::path::Path;

pub(super) struct Header {
    pub fields: Fields,
    /// Key/value pairs with escapes resolved, in the order of the file.
    pub pairs: Vec<(String, String)>,
    /// Names of data files, one a line, after "data file: LIST".
    pub listed_files: Vec<String>,
    /// Whether there was such a list, be it empty.
    pub lists_files: bool,
    /// Where the voxels start if they are in this file.
    pub bytes: u64,
}

impl Header {
    /// Reads up to the empty line that ends the header, or to the end of a file that has none.
    pub(super) fn read(path: &Path) -> Result<Self, IoError> {
        let mut lines = Lines::open(path)?;
        let magic = lines.next()?.unwrap_or_default();
        let version = magic.trim_end();
        if !matches!(version, "NRRD00.01" | "NRRD0001" | "NRRD0002" | "NRRD0003" | "NRRD0004" | "NRRD0005") {
            let got: String = version.chars().take(20).collect();
            return Err(IoError::field(path, "first line", "NRRD0001 to NRRD0005", got.escape_debug()));
        }
        let mut header = Header {
            fields: Fields::new(path),
            pairs: Vec::new(),
            listed_files: Vec::new(),
            lists_files: false,
            bytes: 0,
        };
        while let Some(line) = lines.next()? {
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            if !line.starts_with('#') && !header.field_or_pair(line)? {
                continue;
            }
            if header.fields.get("data file").and_then(|value| value.split_whitespace().next())
                == Some("LIST")
            {
                header.listed_files = lines.rest()?;
                header.lists_files = true;
                break;
            }
        }
        header.bytes = lines.consumed();
        Ok(header)
    }

    /// The value of the last pair with this key, as later ones replace earlier ones.
    pub(super) fn pair(&self, key: &str) -> Option<&str> {
        self.pairs.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Takes in one line; whether it was a field.
    fn field_or_pair(&mut self, line: &str) -> Result<bool, IoError> {
        let (name, rest) =
            line.split_once(':').ok_or_else(|| self.fields.wrong("header", "\"field: value\"", line))?;
        if let Some(value) = rest.strip_prefix('=') {
            self.pairs.push((unescaped(name), unescaped(value.trim())));
            return Ok(false);
        }
        // One field has two names.
        let name = if name.eq_ignore_ascii_case("centerings") { "centers" } else { name };
        self.fields.insert(name, rest)?;
        Ok(true)
    }
}

/// "\n" and "\\" are the only escapes there are.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match character {
            '\\' => match rest.next() {
                Some('n') => plain.push('\n'),
                Some('\\') | None => plain.push('\\'),
                Some(other) => plain.extend(['\\', other]),
            },
            other => plain.push(other),
        }
    }
    plain
}
