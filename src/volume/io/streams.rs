//! Compressed data as streams that tell where they end and what follows them.

use flate2::{Decompress, FlushDecompress, Status, bufread::GzDecoder};
use std::io::{self, BufRead, Read};

/// Where compressed bytes come from: a file, or a copy of one in memory.
pub(super) type Input = Box<dyn BufRead + Send>;

/// The members of a gzip file (RFC 1952), one after the other. What follows the last one is noticed, not an error.
pub(super) struct GzipMembers {
    /// Taken only for the moment in which one member hands over to the next.
    decoder: Option<GzDecoder<Input>>,
    junk_follows: bool,
}

impl GzipMembers {
    pub(super) fn new(input: Input) -> Self {
        Self { decoder: Some(GzDecoder::new(input)), junk_follows: false }
    }

    /// Whether something that is not gzip follows; known once the end was read.
    pub(super) fn junk_follows(&self) -> bool {
        self.junk_follows
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
pub(super) struct ZlibStream {
    input: Input,
    inflate: Decompress,
    ended: bool,
}

impl ZlibStream {
    pub(super) fn new(input: Input) -> Self {
        Self { input, inflate: Decompress::new(true), ended: false }
    }

    /// Whether something follows the stream, whose end was read.
    pub(super) fn junk_follows(&mut self) -> bool {
        self.input.fill_buf().is_ok_and(|rest| !rest.is_empty())
    }
}

impl Read for ZlibStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.ended && !buffer.is_empty() {
            let input = self.input.fill_buf()?;
            let at_end = input.is_empty();
            let (taken, given) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self.inflate.decompress(input, buffer, FlushDecompress::None);
            let status = status.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            self.input.consume((self.inflate.total_in() - taken) as usize);
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};
    use std::io::Write;

    /// A disk that gives few bytes at a time, is interrupted before each of them, and fails at one byte.
    struct Flaky {
        bytes: Vec<u8>,
        position: usize,
        step: usize,
        fails_at: usize,
        interrupted: bool,
    }

    impl Read for Flaky {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.fill_buf()?.read(buffer)?;
            self.consume(count);
            Ok(count)
        }
    }

    impl BufRead for Flaky {
        fn fill_buf(&mut self) -> io::Result<&[u8]> {
            self.interrupted = !self.interrupted;
            if self.interrupted {
                return Err(io::ErrorKind::Interrupted.into());
            }
            if self.position >= self.fails_at {
                return Err(io::Error::other("input/output error"));
            }
            let end = (self.position + self.step).min(self.bytes.len()).min(self.fails_at);
            Ok(&self.bytes[self.position..end])
        }

        fn consume(&mut self, count: usize) {
            self.position += count;
        }
    }

    fn flaky(bytes: &[u8], step: usize, fails_at: usize) -> Input {
        Box::new(Flaky { bytes: bytes.to_vec(), position: 0, step, fails_at, interrupted: false })
    }

    /// All that comes, tried again after interruptions as [`super::super::source::Source`] does.
    fn read_all(mut stream: impl Read) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).map(|_| bytes)
    }

    fn content() -> Vec<u8> {
        (0..3000u32).map(|n| ((n * n) >> 7) as u8).collect()
    }

    /// Two members, the second with a name in its header.
    fn members(content: &[u8]) -> Vec<u8> {
        let (first, second) = content.split_at(1000);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(first).unwrap();
        let mut named = flate2::GzBuilder::new().filename("x.nii").write(Vec::new(), Compression::none());
        named.write_all(second).unwrap();
        [encoder.finish().unwrap(), named.finish().unwrap()].concat()
    }

    fn zlib(content: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn interruptions_and_short_reads_lose_no_byte() {
        let (content, never) = (content(), usize::MAX);
        for step in [1, 2, 3, 1000] {
            let gzip = GzipMembers::new(flaky(&members(&content), step, never));
            assert!(read_all(gzip).unwrap() == content, "step {step}");
            let zlib = ZlibStream::new(flaky(&zlib(&content), step, never));
            assert!(read_all(zlib).unwrap() == content, "step {step}");
        }
    }

    #[test]
    fn a_disk_that_fails_at_any_byte_is_an_error_and_never_the_end() {
        let content = content();
        let (gzip, zlib) = (members(&content), zlib(&content));
        for at in 0..gzip.len() {
            let error = read_all(GzipMembers::new(flaky(&gzip, 100, at))).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::Other, "byte {at}: {error}");
        }
        for at in 0..zlib.len() {
            let error = read_all(ZlibStream::new(flaky(&zlib, 100, at))).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::Other, "byte {at}: {error}");
        }
    }
}
