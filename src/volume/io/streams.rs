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
