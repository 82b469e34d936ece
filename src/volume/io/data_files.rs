//! Voxels in other files than their header: one file, a list of files, or files numbered by a pattern.
//!
//! Invariant: every path lies relative to the header's folder and is that of a file that exists.

use super::IoError;
use std::path::{Component, Path, PathBuf};

/// More files than any volume has slices.
const FILES_LIMIT: u64 = 1 << 16;

/// The files that a header names one by one.
pub(super) fn listed(header: &Path, names: &[String]) -> Result<Vec<PathBuf>, IoError> {
    names.iter().map(|name| beside(header, name)).collect()
}

/// The file that `value` names, or the files if it is a pattern with numbers.
pub(super) fn named(header: &Path, value: &str) -> Result<Vec<PathBuf>, IoError> {
    let Some(pattern) = Pattern::parse(value) else { return Ok(vec![beside(header, value)?]) };
    // The count may be any claim at all.
    let count = pattern.count().filter(|count| *count <= FILES_LIMIT).ok_or_else(|| {
        IoError::field(header, "data file", "a pattern that names some files, each with voxels", value)
    })?;
    (0..count).map(|n| beside(header, &pattern.name(n))).collect()
}

/// A data file's path as its header names it, which must lie relative to the header: a header from elsewhere must not
/// make this machine open any file or share that it names.
fn beside(header: &Path, name: &str) -> Result<PathBuf, IoError> {
    let relative = Path::new(name);
    let rooted = relative.has_root()
        || matches!(relative.components().next(), Some(Component::Prefix(_)))
        || name.starts_with('\\');
    if rooted || name.is_empty() {
        let expected = "a name relative to the header: put the file beside it and name it so";
        return Err(IoError::field(header, "data file", expected, name));
    }
    let file = header.parent().unwrap_or(Path::new("")).join(relative);
    if file.exists() {
        return Ok(file);
    }
    Err(IoError::MissingHalf { path: header.to_owned(), missing: name.to_owned() })
}

/// "slice%03d.raw 1 20 1": a printf pattern for one whole number, the first number, the last and the step.
struct Pattern<'a> {
    before: &'a str,
    after: &'a str,
    /// At least so many digits, filled with zeros or spaces.
    width: usize,
    zeros: bool,
    first: i64,
    last: i64,
    step: i64,
}

impl<'a> Pattern<'a> {
    fn parse(value: &'a str) -> Option<Self> {
        // The name may hold spaces; three numbers, or four with the dimension of each file, follow it.
        let mut words: Vec<&str> = value.split_whitespace().collect();
        let numbers = words.iter().rev().take_while(|word| word.parse::<i64>().is_ok()).count().min(4);
        if numbers < 3 || numbers >= words.len() {
            return None;
        }
        let numbers: Vec<i64> =
            words.split_off(words.len() - numbers).iter().filter_map(|word| word.parse().ok()).collect();
        let last_word = words.last()?;
        let end = value.rfind(last_word)? + last_word.len();
        let (before, rest) = value[..end].split_once('%')?;
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let after = rest[digits..].strip_prefix('d')?;
        let width: usize = if digits == 0 { 0 } else { rest[..digits].parse().ok()? };
        let zeros = rest.starts_with('0');
        let [first, last, step] = *numbers.first_chunk()?;
        (width <= 20).then_some(Self { before, after, width, zeros, first, last, step })
    }

    /// How many files there are; `None` if the step never gets from the first to the last.
    fn count(&self) -> Option<u64> {
        let distance = i128::from(self.last) - i128::from(self.first);
        let step = i128::from(self.step);
        (step != 0 && distance * step.signum() >= 0).then(|| u64::try_from(distance / step + 1).ok())?
    }

    fn name(&self, n: u64) -> String {
        let (before, after, width) = (self.before, self.after, self.width);
        let number = i128::from(self.first) + i128::from(n) * i128::from(self.step);
        if self.zeros {
            format!("{before}{number:0width$}{after}")
        } else {
            format!("{before}{number:width$}{after}")
        }
    }
}
