//! The numbers of an array as one stream of bytes, whatever files and encodings they come from.

use super::super::IoError;
use super::super::source::{Compression, Source};
use super::text::{HexBytes, TextNumbers};
use super::{Array, Encoding, Skip};
use crate::volume::Flag;
use std::path::Path;

/// Numbers one after the other, from one file after the other. Files before the first one that is needed, and after the
/// last one, are never opened.
pub(super) struct Stream<'a> {
    array: &'a Array,
    bytes_per_file: u64,
    /// The file to open next.
    next: usize,
    open: Option<Decoder>,
    /// Bytes of the open file that were not taken yet.
    left: u64,
    notes: Vec<String>,
}

enum Decoder {
    Binary(Source),
    Text(TextNumbers),
    Hex(HexBytes),
}

impl<'a> Stream<'a> {
    pub(super) fn new(array: &'a Array) -> Result<Self, IoError> {
        let files = array.files.len() as u64;
        if files == 0 || !array.layout.numbers.is_multiple_of(files) {
            let expected = format!("a number of files that divides {} voxels", array.layout.numbers);
            let first = array.files.first().map_or(Path::new(""), |file| file.as_path());
            return Err(IoError::field(first, "data files", expected, files));
        }
        let bytes_per_file = array.layout.numbers / files * array.dtype.size() as u64;
        Ok(Self { array, bytes_per_file, next: 0, open: None, left: 0, notes: Vec::new() })
    }

    /// Passes over some bytes, a multiple of a number's size.
    pub(super) fn skip(&mut self, mut count: u64) -> Result<(), IoError> {
        if self.left == 0 {
            self.next += (count / self.bytes_per_file) as usize;
            count %= self.bytes_per_file;
            if count > 0 {
                self.open_next()?;
            }
        }
        if let Some(Decoder::Binary(source)) = &mut self.open
            && count <= self.left
        {
            self.left -= count;
            return source.skip_to(source.position().saturating_add(count));
        }
        let mut scratch = [0; 1 << 13];
        while count > 0 {
            let step = count.min(scratch.len() as u64);
            self.read_exact(&mut scratch[..step as usize])?;
            count -= step;
        }
        Ok(())
    }

    /// Fills `buffer`, whose size is a multiple of a number's.
    pub(super) fn read_exact(&mut self, buffer: &mut [u8]) -> Result<(), IoError> {
        let mut filled = 0;
        while filled < buffer.len() {
            self.open_if_needed()?;
            let step = self.left.min((buffer.len() - filled) as u64) as usize;
            let part = &mut buffer[filled..filled + step];
            match &mut self.open {
                Some(Decoder::Binary(source)) => source.read_exact(part)?,
                Some(Decoder::Text(numbers)) => numbers.read_exact(part)?,
                Some(Decoder::Hex(bytes)) => bytes.read_exact(part)?,
                None => {}
            }
            self.left -= step as u64;
            filled += step;
        }
        Ok(())
    }

    /// Opens the file with the next bytes, which checks that it can hold what is expected of it.
    pub(super) fn open_if_needed(&mut self) -> Result<(), IoError> {
        if self.left == 0 { self.open_next() } else { Ok(()) }
    }

    /// The open file if it is binary and has the next `count` bytes. They count as taken.
    pub(super) fn one_source(&mut self, count: u64) -> Option<&mut Source> {
        match &mut self.open {
            Some(Decoder::Binary(source)) if self.left >= count => {
                self.left -= count;
                Some(source)
            }
            _ => None,
        }
    }

    /// Verifies what is left of the open file, and says what was odd about any. A wrong checksum there is an error, or
    /// goes into `damage` where that is accepted.
    pub(super) fn finish(mut self, damage: Option<&mut Vec<Flag>>) -> Result<Vec<String>, IoError> {
        match (self.open.take(), damage) {
            (Some(Decoder::Binary(source)), Some(flags)) => {
                self.notes.extend(source.finish_though_damaged(flags)?);
            }
            (open, _) => {
                self.open = open;
                self.close()?;
            }
        }
        // Hundreds of slices with the same oddity need not say it more than once.
        self.notes.dedup();
        Ok(self.notes)
    }

    fn close(&mut self) -> Result<(), IoError> {
        let note = match self.open.take() {
            Some(Decoder::Binary(source)) => source.finish()?,
            Some(Decoder::Text(numbers)) => numbers.finish(self.left)?,
            Some(Decoder::Hex(_)) | None => None,
        };
        self.notes.extend(note);
        Ok(())
    }

    fn open_next(&mut self) -> Result<(), IoError> {
        self.close()?;
        let array = self.array;
        let file = array.files.get(self.next).or(array.files.last()).map_or(Path::new(""), |file| file);
        self.open = Some(self.open_file(file)?);
        self.next += 1;
        self.left = self.bytes_per_file;
        Ok(())
    }

    fn open_file(&self, file: &Path) -> Result<Decoder, IoError> {
        let Array { encoding, attached, start, dtype, .. } = self.array;
        let first = start.header_bytes + lines_bytes(file, start.header_bytes, start.lines)?;
        let compression = match encoding {
            Encoding::Gzip => Compression::Gzip,
            Encoding::Zlib => Compression::Zlib,
            _ => Compression::None,
        };
        // A file that is gzip as a whole, header included, is read through its decompression. A file of bare numbers
        // is not looked into: its first ones may look like gzip.
        let (mut source, first) = if *attached && compression == Compression::None {
            (Source::open(file)?, first)
        } else {
            (Source::open_part(file, first, compression)?, 0)
        };
        let bytes = self.bytes_per_file;
        let before = |skip: u64| first.saturating_add(skip);
        let position = match start.then {
            Skip::Bytes(skip) => before(skip),
            Skip::ToTheLast => before(source.stored_bytes().saturating_sub(first).saturating_sub(bytes)),
        };
        // Decimal numbers take a digit and a separator each, hexadecimal ones two digits a byte.
        let least = match encoding {
            Encoding::Text => (bytes / dtype.size() as u64).saturating_mul(2).saturating_sub(1),
            Encoding::Hex => bytes.saturating_mul(2),
            _ => bytes,
        };
        source.expect_bytes(position.saturating_add(least))?;
        source.skip_to(position)?;
        Ok(match encoding {
            Encoding::Text => Decoder::Text(TextNumbers::new(source, *dtype, bytes)),
            Encoding::Hex => Decoder::Hex(HexBytes::new(source)),
            _ => Decoder::Binary(source),
        })
    }
}

/// How many bytes some lines of a file take, counted from byte `start`.
fn lines_bytes(file: &Path, start: u64, lines: u64) -> Result<u64, IoError> {
    if lines == 0 {
        return Ok(0);
    }
    let mut source = Source::open_part(file, start, Compression::None)?;
    let mut chunk = vec![0; 1 << 16];
    let (mut seen, mut passed) = (0, 0);
    loop {
        let filled = source.read_up_to(&mut chunk)?;
        if filled == 0 {
            let expected = format!("{lines} lines before the voxels");
            return Err(IoError::field(file, "line skip", expected, seen));
        }
        for (at, byte) in chunk[..filled].iter().enumerate() {
            seen += u64::from(*byte == b'\n');
            if seen == lines {
                return Ok(passed + at as u64 + 1);
            }
        }
        passed += filled as u64;
    }
}
