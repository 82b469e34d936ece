//! Numbers that were written for people: decimal, and hexadecimal bytes.

use super::super::{IoError, source::Source};
use crate::volume::DType;

/// Longer than any number that is one.
const WORD_LIMIT: usize = 400;

/// Bytes of a file, one at a time.
struct Characters {
    source: Source,
    buffer: Vec<u8>,
    at: usize,
}

impl Characters {
    fn new(source: Source) -> Self {
        Self { source, buffer: Vec::new(), at: 0 }
    }

    fn next(&mut self) -> Result<Option<u8>, IoError> {
        if self.at == self.buffer.len() {
            self.buffer.resize(1 << 16, 0);
            let filled = self.source.read_up_to(&mut self.buffer)?;
            self.buffer.truncate(filled);
            self.at = 0;
        }
        let byte = self.buffer.get(self.at).copied();
        self.at += 1;
        Ok(byte)
    }
}

/// Decimal numbers separated by white space or commas, as little-endian bytes of the array's type.
pub(super) struct TextNumbers {
    characters: Characters,
    dtype: DType,
    expected: u64,
    read: u64,
}

impl TextNumbers {
    /// `bytes` is what all numbers of this file take in memory.
    pub(super) fn new(source: Source, dtype: DType, bytes: u64) -> Self {
        let expected = bytes / dtype.size() as u64;
        Self { characters: Characters::new(source), dtype, expected, read: 0 }
    }

    /// Fills `buffer` with whole numbers of the array's type.
    pub(super) fn read_exact(&mut self, buffer: &mut [u8]) -> Result<(), IoError> {
        for number in buffer.chunks_exact_mut(self.dtype.size()) {
            let Some(word) = self.word()? else { return Err(self.too_few()) };
            if !parse(&word, self.dtype, number) {
                let (at, got) = (self.read, word.chars().take(40).collect::<String>());
                let expected = format!("a number of type {}", self.dtype);
                return Err(IoError::field(
                    self.characters.source.path(),
                    format!("voxel {at}"),
                    expected,
                    got,
                ));
            }
            self.read += 1;
        }
        Ok(())
    }

    /// Reads to the end. `left` bytes of numbers must still come; a note says if more do.
    pub(super) fn finish(mut self, left: u64) -> Result<Option<String>, IoError> {
        for _ in 0..left / self.dtype.size() as u64 {
            if self.word()?.is_none() {
                return Err(self.too_few());
            }
            self.read += 1;
        }
        let surplus = self.word()?.is_some();
        Ok(surplus.then(|| "More numbers follow the last voxel; they were ignored.".to_owned()))
    }

    fn too_few(&self) -> IoError {
        let expected = format!("{} numbers", self.expected);
        IoError::field(self.characters.source.path(), "voxels", expected, self.read)
    }

    fn word(&mut self) -> Result<Option<String>, IoError> {
        let mut word = String::new();
        loop {
            match self.characters.next()? {
                None => return Ok((!word.is_empty()).then_some(word)),
                Some(byte) if byte.is_ascii_whitespace() || byte == b',' => {
                    if !word.is_empty() {
                        return Ok(Some(word));
                    }
                }
                Some(_) if word.len() >= WORD_LIMIT => return Ok(Some(word)),
                Some(byte) => word.push(char::from(byte)),
            }
        }
    }
}

/// Writes the number that `word` is into `number`; whether it is one of that type.
fn parse(word: &str, dtype: DType, number: &mut [u8]) -> bool {
    macro_rules! parse {
        ($type:ty) => {
            word.parse::<$type>().map(|value| number.copy_from_slice(&value.to_le_bytes())).is_ok()
        };
    }
    match dtype {
        DType::U8 => parse!(u8),
        DType::I8 => parse!(i8),
        DType::U16 => parse!(u16),
        DType::I16 => parse!(i16),
        DType::U32 => parse!(u32),
        DType::I32 => parse!(i32),
        DType::U64 => parse!(u64),
        DType::I64 => parse!(i64),
        DType::F32 => parse!(f32),
        DType::F64 => parse!(f64),
    }
}

/// Bytes written as two hexadecimal digits each.
pub(super) struct HexBytes {
    characters: Characters,
}

impl HexBytes {
    pub(super) fn new(source: Source) -> Self {
        Self { characters: Characters::new(source) }
    }

    pub(super) fn read_exact(&mut self, buffer: &mut [u8]) -> Result<(), IoError> {
        for byte in buffer {
            *byte = self.digit()? << 4 | self.digit()?;
        }
        Ok(())
    }

    fn digit(&mut self) -> Result<u8, IoError> {
        loop {
            let wrong = |got: String, path: &std::path::Path| {
                IoError::field(path, "voxels", "two hexadecimal digits a byte", got)
            };
            match self.characters.next()? {
                None => return Err(wrong("the end of the file".to_owned(), self.characters.source.path())),
                Some(byte) if byte.is_ascii_whitespace() => {}
                Some(byte) => {
                    let digit = char::from(byte).to_digit(16);
                    let digit = digit.and_then(|digit| u8::try_from(digit).ok());
                    return digit.ok_or_else(|| {
                        wrong(byte.escape_ascii().to_string(), self.characters.source.path())
                    });
                }
            }
        }
    }
}
