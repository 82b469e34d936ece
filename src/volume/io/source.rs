//! Bytes out of files that may lie about themselves.
//!
//! Invariants: only regular files are opened, so that nothing here can hang; gzip is recognised by its first bytes,
//! never by the file's name; reading compressed data to their end verifies every checksum and length in them.

use super::IoError;
use flate2::{Decompress, FlushDecompress, Status, bufread::GzDecoder};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// How much may follow the last voxel before the file counts as a decompression bomb.
pub(super) const TRAILING_LIMIT_BYTES: u64 = 1_000_000;

/// The most that deflate can expand: 258 bytes from a two-bit code pair (RFC 1951 by way of zlib's technical notes).
const DEFLATE_MAX_RATIO: u64 = 1032;

const READ_BUFFER_BYTES: usize = 1 << 20;

/// The bytes of one file, decompressed if need be, with every error saying which file and how far it got.
pub(super) struct Source {
    path: PathBuf,
    bytes: Bytes,
    /// Where in the file the bytes start that are counted from here on.
    start: u64,
    /// What the file has from there.
    file_bytes: u64,
    position: u64,
    expected_bytes: u64,
}

#[expect(clippy::large_enum_variant, reason = "there is one of them per open file")]
enum Bytes {
    Plain(BufReader<File>),
    Gzip(GzipMembers),
    Zlib(ZlibStream),
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
        refuse_special(path)?;
        let open = || -> io::Result<(BufReader<File>, u64, bool)> {
            let file = File::open(path)?;
            let file_bytes = file.metadata()?.len();
            let mut reader = BufReader::with_capacity(READ_BUFFER_BYTES, file);
            let gzip = reader.fill_buf()?.starts_with(&[0x1f, 0x8b]);
            Ok((reader, file_bytes, gzip))
        };
        let (reader, file_bytes, gzip) = open().map_err(|source| IoError::system(path, "opened", source))?;
        let bytes = if gzip { Bytes::Gzip(GzipMembers::new(reader)) } else { Bytes::Plain(reader) };
        Ok(Self { path: path.to_owned(), bytes, start: 0, file_bytes, position: 0, expected_bytes: 0 })
    }

    /// Opens a regular file from byte `start` on, where `compression` begins; positions are counted from there.
    pub(super) fn open_part(path: &Path, start: u64, compression: Compression) -> Result<Self, IoError> {
        refuse_special(path)?;
        let open = || -> io::Result<(BufReader<File>, u64)> {
            let mut file = File::open(path)?;
            let file_bytes = file.metadata()?.len();
            file.seek(SeekFrom::Start(start))?;
            Ok((BufReader::with_capacity(READ_BUFFER_BYTES, file), file_bytes))
        };
        let (reader, file_bytes) = open().map_err(|source| IoError::system(path, "opened", source))?;
        let bytes = match compression {
            Compression::None => Bytes::Plain(reader),
            Compression::Gzip => Bytes::Gzip(GzipMembers::new(reader)),
            Compression::Zlib => Bytes::Zlib(ZlibStream::new(reader)),
        };
        let file_bytes = file_bytes.saturating_sub(start);
        Ok(Self { path: path.to_owned(), bytes, start, file_bytes, position: 0, expected_bytes: 0 })
    }

    /// The file as it was named.
    pub(super) fn path(&self) -> &Path {
        &self.path
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
        if let Bytes::Plain(_) = self.bytes {
            let surplus = self.file_bytes.saturating_sub(self.expected_bytes);
            return Ok((surplus > 0).then(|| surplus_note(surplus)));
        }
        let mut scratch = vec![0; 1 << 16];
        loop {
            let surplus = self.position.saturating_sub(self.expected_bytes);
            if surplus > TRAILING_LIMIT_BYTES {
                return Err(IoError::Overlong { path: self.path, expected_bytes: self.expected_bytes });
            }
            if self.read_some(&mut scratch)? > 0 {
                continue;
            }
            let junk = match &mut self.bytes {
                Bytes::Plain(_) => false,
                Bytes::Gzip(members) => members.junk_follows,
                Bytes::Zlib(stream) => stream.reader.fill_buf().is_ok_and(|rest| !rest.is_empty()),
            };
            let note = (surplus > 0).then(|| surplus_note(surplus));
            return Ok(note.or_else(|| {
                junk.then(|| "Other bytes follow the compressed data; they were ignored.".into())
            }));
        }
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize, IoError> {
        loop {
            let result = match &mut self.bytes {
                Bytes::Plain(reader) => reader.read(buffer),
                Bytes::Gzip(members) => members.read(buffer),
                Bytes::Zlib(stream) => stream.read(buffer),
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
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.truncated(),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                IoError::Damaged { path: self.path.clone(), source: error }
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

/// The members of a gzip file, one after the other. What follows the last one is noticed, not an error.
struct GzipMembers {
    /// Taken only for the moment in which one member hands over to the next.
    decoder: Option<GzDecoder<BufReader<File>>>,
    junk_follows: bool,
}

impl GzipMembers {
    fn new(reader: BufReader<File>) -> Self {
        Self { decoder: Some(GzDecoder::new(reader)), junk_follows: false }
    }
}

impl Read for GzipMembers {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.decoder {
            let count = decoder.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let rest = decoder.get_mut().fill_buf()?;
            // The buffer may end between the two bytes.
            let another = rest.first() == Some(&0x1f) && rest.get(1).is_none_or(|byte| *byte == 0x8b);
            self.junk_follows = !rest.is_empty() && !another;
            let finished = self.decoder.take().filter(|_| another);
            self.decoder = finished.map(|decoder| GzDecoder::new(decoder.into_inner()));
        }
        Ok(0)
    }
}

/// One zlib stream (RFC 1950). Unlike flate2's reader it tells a stream that ends from a file that does.
struct ZlibStream {
    reader: BufReader<File>,
    inflate: Decompress,
    ended: bool,
}

impl ZlibStream {
    fn new(reader: BufReader<File>) -> Self {
        Self { reader, inflate: Decompress::new(true), ended: false }
    }
}

impl Read for ZlibStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.ended && !buffer.is_empty() {
            let input = self.reader.fill_buf()?;
            let at_end = input.is_empty();
            let (taken, given) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self.inflate.decompress(input, buffer, FlushDecompress::None);
            let status = status.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            self.reader.consume((self.inflate.total_in() - taken) as usize);
            self.ended = status == Status::StreamEnd;
            match (self.inflate.total_out() - given) as usize {
                0 if at_end && !self.ended => return Err(io::ErrorKind::UnexpectedEof.into()),
                0 => {}
                count => return Ok(count),
            }
        }
        Ok(0)
    }
}
