//! Reading a Python wheel: a zip file whose RECORD lists the SHA-256 of every file in it.
//!
//! Invariant: a file is unpacked only if it is listed, and passes only if its content is what the list says. Damage is
//! told apart from a disk that cannot be written, since only damage is mended by fetching the wheel again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, IsTerminal, Read, Write};
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};
use zip::ZipArchive;

use crate::folder::{Kept, sha256_text};

/// Size of the pieces in which files are copied, in bytes.
const PIECE_BYTES: usize = 1 << 20;

#[derive(Debug, thiserror::Error)]
pub enum WheelError {
    #[error("{} is damaged: {reason}", wheel.display())]
    Damaged { wheel: PathBuf, reason: String },
    #[error("cannot write {}: {cause}", file.display())]
    Write { file: PathBuf, cause: io::Error },
}

/// A wheel whose end and list of contents are there, which a truncated one lacks.
pub struct Wheel {
    path: PathBuf,
    archive: ZipArchive<BufReader<File>>,
    /// SHA-256 by path inside the wheel.
    listed: BTreeMap<String, String>,
}

impl Wheel {
    pub fn open(path: &Path) -> Result<Self, WheelError> {
        let damaged = |reason: String| WheelError::Damaged { wheel: path.to_owned(), reason };
        let file = File::open(path).map_err(|cause| damaged(cause.to_string()))?;
        let archive = ZipArchive::new(BufReader::new(file)).map_err(|cause| damaged(cause.to_string()))?;
        let mut wheel = Self { path: path.to_owned(), archive, listed: BTreeMap::new() };
        let record = wheel.information("RECORD")?;
        wheel.listed = record.lines().filter_map(listed_file).collect();
        Ok(wheel)
    }

    /// The names of the packages this one depends on, as pip takes them, without the condition they apply under.
    pub fn requirements(&mut self) -> Result<Vec<String>, WheelError> {
        let metadata = self.information("METADATA")?;
        let required = metadata.lines().filter_map(|line| line.strip_prefix("Requires-Dist: "));
        Ok(required.filter_map(|line| line.split(';').next()).map(|name| name.trim().to_owned()).collect())
    }

    /// Writes the files for which `place` names a path under `into`, and returns them.
    pub fn unpack(
        &mut self,
        into: &Path,
        place: impl Fn(&str) -> Option<String>,
    ) -> Result<Vec<Kept>, WheelError> {
        let chosen: Vec<(String, String, String)> = self
            .listed
            .iter()
            .filter_map(|(name, sha256)| Some((name.clone(), sha256.clone(), place(name)?)))
            .collect();
        let mut progress = Progress::new(&self.path, chosen.len());
        let mut kept = Vec::with_capacity(chosen.len());
        for (name, sha256, path) in chosen {
            progress.step();
            let bytes = self.unpack_file(&name, &sha256, &into.join(&path))?;
            kept.push(Kept { path, bytes, sha256 });
        }
        progress.finish();
        Ok(kept)
    }

    fn unpack_file(&mut self, name: &str, sha256: &str, to: &Path) -> Result<u64, WheelError> {
        let wheel = self.path.clone();
        let damaged = |reason: String| WheelError::Damaged { wheel: wheel.clone(), reason };
        let unwritable = |cause| WheelError::Write { file: to.to_owned(), cause };
        let mut packed = self.archive.by_name(name).map_err(|cause| damaged(format!("{name}: {cause}")))?;
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(unwritable)?;
        }
        let mut unpacked = File::create(to).map_err(unwritable)?;
        let mut hash = Sha256::new();
        let mut piece = vec![0; PIECE_BYTES.min(packed.size().max(1) as usize)];
        let mut bytes = 0;
        loop {
            match packed.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => {
                    hash.update(&piece[..count]);
                    unpacked.write_all(&piece[..count]).map_err(unwritable)?;
                    bytes += count as u64;
                }
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(damaged(format!("{name}: {cause}"))),
            }
        }
        if sha256_text(hash) != sha256 {
            return Err(damaged(format!("{name} is not the file that was packed: its SHA-256 differs")));
        }
        Ok(bytes)
    }

    /// A text file of the wheel's own description, by its name inside the `.dist-info` folder.
    fn information(&mut self, file_name: &str) -> Result<String, WheelError> {
        let damaged = |reason: String| WheelError::Damaged { wheel: self.path.clone(), reason };
        let ending = format!(".dist-info/{file_name}");
        let name = self.archive.file_names().find(|name| name.ends_with(&ending)).map(str::to_owned);
        let name = name.ok_or_else(|| damaged(format!("it has no {file_name}")))?;
        let mut text = String::new();
        let read = self.archive.by_name(&name).map_err(io::Error::from);
        read.and_then(|mut packed| packed.read_to_string(&mut text))
            .map_err(|cause| damaged(cause.to_string()))?;
        Ok(text)
    }
}

/// A line of RECORD, `path,sha256=digest,bytes`. Lines without a digest (RECORD itself) and paths that would leave
/// the folder unpacked into are not listed.
fn listed_file(line: &str) -> Option<(String, String)> {
    let mut fields = line.rsplitn(3, ',');
    let (_bytes, digest, path) = (fields.next()?, fields.next()?, fields.next()?);
    let inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    inside.then_some((path.to_owned(), digest.strip_prefix("sha256=")?.to_owned()))
}

/// One line that counts the files, where somebody can see it change.
struct Progress {
    wheel: String,
    total: usize,
    done: usize,
    shown: bool,
}

impl Progress {
    fn new(wheel: &Path, total: usize) -> Self {
        let wheel = wheel.file_name().unwrap_or_default().display().to_string();
        Self { wheel, total, done: 0, shown: io::stderr().is_terminal() }
    }

    fn step(&mut self) {
        self.done += 1;
        if self.shown {
            eprint!("\runpacking {}: file {} of {}", self.wheel, self.done, self.total);
        }
    }

    fn finish(&self) {
        let start = if self.shown { "\r" } else { "" };
        eprintln!("{start}unpacked {}: {} files, checked{:12}", self.wheel, self.total, "");
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub mod tests {
    use super::*;

    /// Writes a wheel holding `files`, with a RECORD of their true digests.
    pub fn write_wheel(path: &Path, files: &[(&str, &[u8])]) {
        let mut zip = zip::ZipWriter::new(File::create(path).unwrap());
        let options = zip::write::SimpleFileOptions::default();
        let mut record = String::new();
        for (name, content) in files {
            zip.start_file(*name, options).unwrap();
            zip.write_all(content).unwrap();
            record += &format!(
                "{name},sha256={},{}\n",
                sha256_text(Sha256::new_with_prefix(content)),
                content.len()
            );
        }
        record += "fake-1.dist-info/RECORD,,\n";
        zip.start_file("fake-1.dist-info/RECORD", options).unwrap();
        zip.write_all(record.as_bytes()).unwrap();
        zip.finish().unwrap();
    }

    fn all(name: &str) -> Option<String> {
        Some(name.to_owned())
    }

    #[test]
    fn a_truncated_wheel_is_told_from_a_whole_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fake.whl");
        write_wheel(&path, &[("a", &[7; 4000])]);
        assert_eq!(Wheel::open(&path).unwrap().unpack(folder.path(), all).unwrap()[0].bytes, 4000);

        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 30]).unwrap();
        assert!(matches!(Wheel::open(&path), Err(WheelError::Damaged { .. })));
    }

    #[test]
    fn a_flipped_bit_is_noticed_and_blamed_on_the_wheel() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fake.whl");
        let content: Vec<u8> = (0..2000u32).map(|i| (i * i % 251) as u8).collect();
        write_wheel(&path, &[("a", &content)]);
        let mut bytes = fs::read(&path).unwrap();
        bytes[200] ^= 1;
        fs::write(&path, bytes).unwrap();
        let outcome = Wheel::open(&path).unwrap().unpack(folder.path(), all);
        assert!(matches!(outcome, Err(WheelError::Damaged { .. })));
    }

    #[test]
    fn a_path_that_leads_out_of_the_folder_is_never_written() {
        assert_eq!(listed_file("../../evil,sha256=x,1"), None);
        assert_eq!(listed_file("/evil,sha256=x,1"), None);
        assert!(listed_file("torch/lib/libc10.so,sha256=x,1").is_some());
    }
}
