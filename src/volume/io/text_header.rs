//! Text headers: lines up to the voxels, and fields that are numbers, lists or words.
//!
//! Invariants: no header is read beyond a limit, so that a file without line ends cannot fill the memory; the place
//! of the first byte after a line is exact, since voxels may follow right behind it.

use super::{IoError, source::Source};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// More than any header needs: the largest known ones list some thousand segments or diffusion gradients.
const HEADER_LIMIT_BYTES: u64 = 4 << 20;

/// Lines out of a file, one after the other.
pub(super) struct Lines {
    source: Source,
    consumed: u64,
}

impl Lines {
    /// The lines of a file, decompressed if all of it is gzip.
    pub(super) fn open(path: &Path) -> Result<Self, IoError> {
        Ok(Self { source: Source::open(path)?, consumed: 0 })
    }

    /// Bytes read so far: where the next line starts.
    pub(super) fn consumed(&self) -> u64 {
        self.consumed
    }

    /// The next line without its end; `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<String>, IoError> {
        let mut line = Vec::new();
        let mut byte = [0];
        loop {
            if self.source.read_up_to(&mut byte)? == 0 {
                return Ok((!line.is_empty()).then(|| text(&line)));
            }
            self.consumed += 1;
            if self.consumed > HEADER_LIMIT_BYTES {
                let limit = format!("a header of at most {HEADER_LIMIT_BYTES} bytes");
                return Err(IoError::field(self.source.path(), "header", limit, "more"));
            }
            match byte[0] {
                b'\n' => return Ok(Some(text(&line))),
                other => line.push(other),
            }
        }
    }

    /// The lines up to an empty one or the end, without the spaces around them.
    pub(super) fn rest(&mut self) -> Result<Vec<String>, IoError> {
        let mut lines = Vec::new();
        while let Some(line) = self.next()? {
            match line.trim() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        Ok(lines)
    }
}

/// Header bytes as text. Fields are ASCII; key/value pairs may be UTF-8, and what is neither is nothing that is read.
fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
}

/// The fields of a header by name, as text. Capitals and spaces in names make no difference.
pub(super) struct Fields {
    path: PathBuf,
    values: BTreeMap<String, String>,
}

impl Fields {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), values: BTreeMap::new() }
    }

    /// Whose header this is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a field; twice the same contradicts itself.
    pub(super) fn insert(&mut self, name: &str, value: &str) -> Result<(), IoError> {
        match self.values.insert(plain(name), value.trim().to_owned()) {
            None => Ok(()),
            Some(_) => Err(self.wrong(name.trim(), "one line", "a second one")),
        }
    }

    /// The field as it stands there.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(&plain(name)).map(String::as_str)
    }

    /// The first of these fields that is there: names of the same thing.
    pub(super) fn any(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }

    /// A field without which the voxels cannot be read.
    pub(super) fn require(&self, name: &str) -> Result<&str, IoError> {
        self.get(name).ok_or_else(|| self.wrong(name, "a line that gives it", "none"))
    }

    /// A number, where the field is there.
    pub(super) fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, IoError> {
        let number = |value: &str| value.parse().map_err(|_| self.wrong(name, "a number", value));
        self.get(name).map(number).transpose()
    }

    /// `count` numbers separated by spaces, where the field is there.
    pub(super) fn numbers<T: FromStr>(&self, name: &str, count: usize) -> Result<Option<Vec<T>>, IoError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let numbers: Option<Vec<T>> = value.split_whitespace().map(|word| word.parse().ok()).collect();
        match numbers.filter(|numbers| numbers.len() == count) {
            Some(numbers) => Ok(Some(numbers)),
            None => Err(self.wrong(name, &format!("{count} numbers"), value)),
        }
    }

    /// The error for a field that says something else than `expected`.
    pub(super) fn wrong(&self, name: &str, expected: &str, got: &str) -> IoError {
        // A damaged header may have a line of megabytes.
        let shown: String = got.chars().take(80).collect();
        IoError::field(&self.path, name, expected, shown)
    }
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase()).collect()
}
