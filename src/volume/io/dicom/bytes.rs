//! The bytes of one DICOM file, read in place or inflated into memory, with a position that only moves inside them.

use super::elements::Fault;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};

/// Small, because most of what lies between two elements that are wanted is stepped over.
const BUFFER_BYTES: usize = 1 << 13;

pub(super) struct Bytes {
    inner: Inner,
    position: u64,
    length: u64,
}

enum Inner {
    File(BufReader<File>),
    Memory(Cursor<Vec<u8>>),
}

impl Bytes {
    /// The bytes of an open regular file.
    pub(super) fn of_file(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let inner = Inner::File(BufReader::with_capacity(BUFFER_BYTES, file));
        Ok(Self { inner, position: 0, length })
    }

    /// Bytes that were inflated.
    pub(super) fn of_memory(bytes: Vec<u8>) -> Self {
        let length = bytes.len() as u64;
        Self { inner: Inner::Memory(Cursor::new(bytes)), position: 0, length }
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Bytes from here to the end.
    pub(super) fn left(&self) -> u64 {
        self.length - self.position
    }

    /// Fills `buffer`; nothing is read if that many bytes are not there.
    pub(super) fn read_exact(&mut self, buffer: &mut [u8]) -> Result<(), Fault> {
        if buffer.len() as u64 > self.left() {
            return Err(Fault::Ends);
        }
        match &mut self.inner {
            Inner::File(reader) => reader.read_exact(buffer)?,
            Inner::Memory(cursor) => cursor.read_exact(buffer)?,
        }
        self.position += buffer.len() as u64;
        Ok(())
    }

    /// Reads as much of `buffer` as there is, and returns how much.
    pub(super) fn read_up_to(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        let count = (buffer.len() as u64).min(self.left()) as usize;
        self.read_exact(&mut buffer[..count])?;
        Ok(count)
    }

    pub(super) fn skip(&mut self, count: u64) -> Result<(), Fault> {
        if count > self.left() {
            return Err(Fault::Ends);
        }
        match &mut self.inner {
            // Relative, so that what is already buffered is kept.
            Inner::File(reader) => reader.seek_relative(count as i64)?,
            Inner::Memory(cursor) => cursor.set_position(self.position + count),
        }
        self.position += count;
        Ok(())
    }

    pub(super) fn seek(&mut self, position: u64) -> Result<(), Fault> {
        if position > self.length {
            return Err(Fault::Ends);
        }
        match &mut self.inner {
            Inner::File(reader) => {
                reader.seek(SeekFrom::Start(position))?;
            }
            Inner::Memory(cursor) => cursor.set_position(position),
        }
        self.position = position;
        Ok(())
    }

    /// All bytes from here on.
    pub(super) fn rest(&mut self) -> Box<dyn Read + '_> {
        match &mut self.inner {
            Inner::File(reader) => Box::new(reader),
            Inner::Memory(cursor) => Box::new(cursor),
        }
    }
}
