//! Bytes out of files that may lie about themselves.
//!
//! Invariants: only regular files are opened, so that nothing here can hang; gzip is recognised by its first bytes,
//! never by the file's name; reading compressed data to their end verifies every checksum and length in them.

use super::stamp::Stamp;
use super::streams::{GzipMembers, Input, ZlibStream};
use super::{IoError, memory, whole};
use crate::volume::Flag;
use bytemuck::Pod;
use rayon::prelude::*;
use std::fs::{self, File};
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// How much may follow the last voxel before the file counts as a decompression bomb.
pub(super) const TRAILING_LIMIT_BYTES: u64 = 1_000_000;

/// The most that deflate can expand: 258 bytes from a two-bit code pair (RFC 1951 by way of zlib's technical notes).
const DEFLATE_MAX_RATIO: u64 = 1032;

const READ_BUFFER_BYTES: usize = 1 << 20;

/// Enough for the headers of most files, compressed or not.
const HEAD_BUFFER_BYTES: usize = 1 << 13;

/// The bytes of one file, decompressed if need be, with every error saying which file and how far it got.
pub(super) struct Source {
    path: PathBuf,
    /// The file itself, whose cursor is also that of `bytes`.
    file: File,
    bytes: Bytes,
    /// Where in the file the bytes start that are counted from here on.
    start: u64,
    /// What the file has from there.
    file_bytes: u64,
    /// The file as it was opened.
    stamp: Stamp,
    position: u64,
    expected_bytes: u64,
}

enum Bytes {
    Plain(BufReader<File>),
    Gzip(GzipMembers),
    Zlib(ZlibStream),
    /// All expected bytes were read, nothing follows them, and their checksum is right.
    Verified,
}

/// How a part of a file is compressed, as the header before it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zlib,
}

impl Source {
    /// Opens a regular file.
    pub(super) fn open(path: &Path) -> Result<Self, IoError> {
        Self::open_buffered(path, READ_BUFFER_BYTES)
    }

    /// Opens a regular file of which no more than the first bytes are wanted.
    pub(super) fn open_head(path: &Path) -> Result<Self, IoError> {
        Self::open_buffered(path, HEAD_BUFFER_BYTES)
    }

    fn open_buffered(path: &Path, buffer_bytes: usize) -> Result<Self, IoError> {
        refuse_special(path)?;
        let open = || -> io::Result<(File, Compression)> {
            let mut file = File::open(path)?;
            let mut magic = Vec::new();
            file.by_ref().take(2).read_to_end(&mut magic)?;
            let compression = if magic == [0x1f, 0x8b] { Compression::Gzip } else { Compression::None };
            Ok((file, compression))
        };
        let (file, compression) = open().map_err(|source| IoError::system(path, "opened", source))?;
        Self::of_file(path, file, 0, compression, buffer_bytes)
    }

    /// Opens a regular file from byte `start` on, where `compression` begins; positions are counted from there.
    pub(super) fn open_part(path: &Path, start: u64, compression: Compression) -> Result<Self, IoError> {
        refuse_special(path)?;
        let file = File::open(path).map_err(|source| IoError::system(path, "opened", source))?;
        Self::of_file(path, file, start, compression, READ_BUFFER_BYTES)
    }

    fn of_file(
        path: &Path,
        mut file: File,
        start: u64,
        compression: Compression,
        buffer_bytes: usize,
    ) -> Result<Self, IoError> {
        let open = || -> io::Result<(File, BufReader<File>, Stamp)> {
            file.seek(SeekFrom::Start(start))?;
            let stamp = Stamp::of(&file)?;
            let reader = BufReader::with_capacity(buffer_bytes, file.try_clone()?);
            Ok((file, reader, stamp))
        };
        let (file, reader, stamp) = open().map_err(|source| IoError::system(path, "opened", source))?;
        let bytes = match compression {
            Compression::None => Bytes::Plain(reader),
            Compression::Gzip => Bytes::Gzip(GzipMembers::new(Box::new(reader))),
            Compression::Zlib => Bytes::Zlib(ZlibStream::new(Box::new(reader))),
        };
        let (path, file_bytes) = (path.to_owned(), stamp.bytes.saturating_sub(start));
        Ok(Self { path, file, bytes, start, file_bytes, stamp, position: 0, expected_bytes: 0 })
    }

    /// The file as it was named.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How many decompressed bytes were read or skipped.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The refusal of what there is no memory for.
    pub(super) fn out_of_memory(&self) -> IoError {
        IoError::system(&self.path, "held in memory", io::ErrorKind::OutOfMemory.into())
    }

    /// Bytes in the file from where it was opened, as they are stored.
    pub(super) fn stored_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Refuses a claimed (decompressed) size that the file cannot hold, before anything is allocated for it.
    pub(super) fn expect_bytes(&mut self, expected_bytes: u64) -> Result<(), IoError> {
        self.expected_bytes = expected_bytes;
        let path = self.path.clone();
        match self.bytes {
            Bytes::Plain(_) if expected_bytes > self.file_bytes => {
                let (expected_bytes, found_bytes) =
                    (expected_bytes.saturating_add(self.start), self.start + self.file_bytes);
                Err(IoError::Truncated { path, expected_bytes, found_bytes })
            }
            Bytes::Gzip(_) | Bytes::Zlib(_)
                if expected_bytes > self.file_bytes.saturating_mul(DEFLATE_MAX_RATIO) =>
            {
                Err(IoError::Impossible { path, claimed_bytes: expected_bytes, file_bytes: self.file_bytes })
            }
            _ => Ok(()),
        }
    }

    /// Reads until `buffer` is full or the data end; returns the bytes read.
    pub(super) fn read_up_to(&mut self, buffer: &mut [u8]) -> Result<usize, IoError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read_some(&mut buffer[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(filled)
    }

    /// Fills `buffer`, or says how many bytes the file should have had.
    pub(super) fn read_exact(&mut self, buffer: &mut [u8]) -> Result<(), IoError> {
        let filled = self.read_up_to(buffer)?;
        if filled == buffer.len() { Ok(()) } else { Err(self.truncated()) }
    }

    /// Reads `count` values straight into their final place, the bytes within each in the file's order. Where they are
    /// the last of the expected bytes, compressed data are read whole, beside the values, and inflated in one go.
    pub(super) fn read_values<T: Pod>(&mut self, count: usize) -> Result<Vec<T>, IoError> {
        if let Some(values) = self.inflate_rest(count)? {
            return Ok(values);
        }
        let mut values: Vec<T> = bytemuck::allocation::try_zeroed_vec(count)
            .map_err(|()| IoError::system(&self.path, "held in memory", io::ErrorKind::OutOfMemory.into()))?;
        self.read_exact(bytemuck::cast_slice_mut(&mut values))?;
        Ok(values)
    }

    /// Whether the file has exactly `parts`, one after the other, from where it was opened to the last expected byte.
    pub(super) fn holds(&mut self, parts: &[&[u8]]) -> Result<bool, IoError> {
        /// Small enough to stay in a core's cache.
        const PIECE_BYTES: usize = 1 << 18;
        let count = parts.iter().map(|part| part.len()).sum();
        self.expect_bytes(count as u64)?;
        if let Some(found) = self.inflate_rest::<u8>(count)? {
            let mut rest = found.as_slice();
            let same = parts.iter().all(|part| {
                let (found, after) = rest.split_at(part.len());
                rest = after;
                let pieces = found.par_chunks(PIECE_BYTES).zip(part.par_chunks(PIECE_BYTES));
                pieces.all(|(found, expected)| found == expected)
            });
            return Ok(same);
        }
        let mut scratch = vec![0; PIECE_BYTES];
        for expected in parts.iter().flat_map(|part| part.chunks(PIECE_BYTES)) {
            let found = &mut scratch[..expected.len()];
            self.read_exact(found)?;
            if found != expected {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The `count` values that come next, if they are the last of the expected bytes and compressed, and everything about
    /// them is right. Otherwise the position is as it was, and reading on says what is wrong.
    fn inflate_rest<T: Pod>(&mut self, count: usize) -> Result<Option<Vec<T>>, IoError> {
        let compression = match self.bytes {
            Bytes::Gzip(_) => Compression::Gzip,
            Bytes::Zlib(_) => Compression::Zlib,
            Bytes::Plain(_) | Bytes::Verified => return Ok(None),
        };
        let position = self.position;
        let value_bytes = (count as u64).saturating_mul(size_of::<T>() as u64);
        let is_the_rest = position.checked_add(value_bytes) == Some(self.expected_bytes);
        let needed_bytes = value_bytes.saturating_add(self.file_bytes);
        if !is_the_rest || memory::free_bytes().is_some_and(|free_bytes| needed_bytes > free_bytes) {
            return Ok(None);
        }
        let compressed = self.read_compressed()?;
        if let Some(values) = whole::inflate(&compressed, compression, position as usize, count) {
            (self.bytes, self.position) = (Bytes::Verified, self.expected_bytes);
            return Ok(Some(values));
        }
        let input: Input = Box::new(Cursor::new(compressed));
        self.bytes = match compression {
            Compression::Zlib => Bytes::Zlib(ZlibStream::new(input)),
            _ => Bytes::Gzip(GzipMembers::new(input)),
        };
        self.position = 0;
        self.skip_to(position)?;
        Ok(None)
    }

    /// All of the file from its start on, as it is.
    fn read_compressed(&mut self) -> Result<Vec<u8>, IoError> {
        let mut compressed = Vec::new();
        let mut read = || -> io::Result<()> {
            self.file.seek(SeekFrom::Start(self.start))?;
            // One more byte lets the end be seen without growing.
            compressed.try_reserve_exact(self.file_bytes as usize + 1)?;
            // A file that grows meanwhile is read no further than it was long.
            (&self.file).take(self.file_bytes).read_to_end(&mut compressed).map(drop)
        };
        read().map_err(|source| IoError::system(&self.path, "read", source))?;
        Ok(compressed)
    }

    /// Moves forward to `position`, counted in decompressed bytes.
    pub(super) fn skip_to(&mut self, position: u64) -> Result<(), IoError> {
        if let Bytes::Plain(reader) = &mut self.bytes {
            let moved = reader.seek(SeekFrom::Start(self.start.saturating_add(position)));
            moved.map_err(|source| IoError::system(&self.path, "read", source))?;
            self.position = position;
            return Ok(());
        }
        let mut scratch = vec![0; 1 << 16];
        while self.position < position {
            let step = (position - self.position).min(scratch.len() as u64) as usize;
            self.read_exact(&mut scratch[..step])?;
        }
        Ok(())
    }

    /// Reads to the end, which checks the checksum of compressed data. Returns a note if bytes were left over.
    pub(super) fn finish(mut self) -> Result<Option<String>, IoError> {
        self.read_to_end()
    }

    /// Like [`Self::finish`], but damage that was found when all expected bytes had come is noted and flagged.
    pub(super) fn finish_though_damaged(mut self, flags: &mut Vec<Flag>) -> Result<Option<String>, IoError> {
        match self.read_to_end() {
            Err(IoError::Damaged { .. }) => {
                flags.push(Flag::Damaged);
                Ok(Some("The file is damaged (its checksum is wrong): any voxel may be false.".into()))
            }
            ended => ended,
        }
    }

    fn read_to_end(&mut self) -> Result<Option<String>, IoError> {
        self.refuse_change()?;
        if let Bytes::Plain(_) = self.bytes {
            let surplus = self.file_bytes.saturating_sub(self.expected_bytes);
            return Ok((surplus > 0).then(|| surplus_note(surplus)));
        }
        let mut scratch = vec![0; 1 << 16];
        loop {
            let surplus = self.position.saturating_sub(self.expected_bytes);
            if surplus > TRAILING_LIMIT_BYTES {
                let path = self.path.clone();
                return Err(IoError::Overlong { path, expected_bytes: self.expected_bytes });
            }
            if self.read_some(&mut scratch)? > 0 {
                continue;
            }
            let junk = match &mut self.bytes {
                Bytes::Plain(_) | Bytes::Verified => false,
                Bytes::Gzip(members) => members.junk_follows(),
                Bytes::Zlib(stream) => stream.junk_follows(),
            };
            let note = (surplus > 0).then(|| surplus_note(surplus));
            return Ok(note.or_else(|| {
                junk.then(|| "Other bytes follow the compressed data; they were ignored.".into())
            }));
        }
    }

    /// Voxels without a checksum may be of two files if another program wrote meanwhile.
    fn refuse_change(&self) -> Result<(), IoError> {
        let stamp = Stamp::of(&self.file).map_err(|source| IoError::system(&self.path, "read", source))?;
        if stamp != self.stamp {
            return Err(IoError::Changed { path: self.path.clone() });
        }
        Ok(())
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize, IoError> {
        loop {
            let result = match &mut self.bytes {
                Bytes::Plain(reader) => reader.read(buffer),
                Bytes::Gzip(members) => members.read(buffer),
                Bytes::Zlib(stream) => stream.read(buffer),
                Bytes::Verified => Ok(0),
            };
            match result {
                Ok(count) => {
                    self.position += count as u64;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.explain(error)),
            }
        }
    }

    fn explain(&self, error: io::Error) -> IoError {
        let path = self.path.clone();
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.truncated(),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData
                if self.position < self.expected_bytes.max(1) =>
            {
                IoError::BrokenOff { path, found_bytes: self.position, source: error }
            }
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                IoError::Damaged { path, source: error }
            }
            _ => IoError::system(&self.path, "read", error),
        }
    }

    fn truncated(&self) -> IoError {
        // A compressed file cut off in its checksum has all its voxels but still lacks bytes.
        let expected_bytes = self.expected_bytes.max(self.position + 1);
        IoError::Truncated { path: self.path.clone(), expected_bytes, found_bytes: self.position }
    }
}

/// Refuses what could block or never end: folders, pipes, devices and sockets.
pub(super) fn refuse_special(path: &Path) -> Result<(), IoError> {
    let kind = fs::metadata(path).map_err(|source| IoError::system(path, "opened", source))?.file_type();
    if kind.is_file() {
        return Ok(());
    }
    let what = if kind.is_dir() { "a folder" } else { "a pipe, socket or device" };
    Err(IoError::NotRegular { path: path.to_owned(), what })
}

fn surplus_note(surplus: u64) -> String {
    format!("{surplus} bytes follow the last voxel; they were ignored.")
}
