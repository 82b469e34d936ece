//! Length-prefixed postcard frames on any byte stream.
//!
//! A frame is a little-endian u32, of which the lowest 31 bits are the message's length and the highest says whether it is
//! packed, and then the message, or a zlib stream of it. Invariant: a message is measured first and then serialised
//! straight into the stream, so that sending a volume never holds it a second time, and a message that cannot be sent
//! leaves the stream untouched.

use flate2::write::ZlibEncoder;
use flate2::{Compression, Decompress, FlushDecompress, Status};
use serde::{Serialize, de::DeserializeOwned};
use std::io::{BufRead, BufWriter, ErrorKind, Read, Write};
use thiserror::Error;

/// The largest frame either side accepts: a 512 x 512 x 1000 float32 volume and room beside it.
pub const MAX_FRAME_BYTES: u32 = 0x7fff_0000;

/// The largest first frame: a hello is a few words. What is longer is a login message, or anything but an engine.
pub const MAX_HELLO_BYTES: u32 = 1 << 16;

/// Marks a packed frame.
const PACKED: u32 = 1 << 31;

/// Messages that are shorter gain nothing from packing.
const WORTH_PACKING: u32 = 4096;

/// How hard packing tries. Level 1 has one code for everything and makes weights longer than they are.
const LEVEL: u32 = 3;

/// Whether long messages are packed on their way: worth it where the way is a network, not between two processes of one
/// machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Packing {
    #[default]
    Plain,
    Packed,
}

/// What can go wrong on the stream.
#[derive(Debug, Error)]
pub enum FrameError {
    #[error("the other side closed the connection in the middle of a message")]
    Broken,
    /// To be sent; nothing of it was.
    #[error("a message of {got} bytes; at most {most} bytes can be sent in one")]
    TooLarge { got: u64, most: u32 },
    /// Announced by the other side.
    #[error("message of {got} bytes; at most {most} are accepted, so this is no peer of ours")]
    NoPeer { got: u32, most: u32 },
    #[error("a packed message was damaged on its way ({0})")]
    Damaged(#[from] flate2::DecompressError),
    #[error("a packed message of {announced} bytes was announced, {got} came")]
    WrongLength { got: usize, announced: usize },
    #[error("message could not be understood ({0}); both programs must be of the same version")]
    Codec(#[from] postcard::Error),
    #[error("connection failed: {0}")]
    Io(#[from] std::io::Error),
}

/// Sends one message and flushes it.
pub fn write_frame(
    stream: &mut impl Write,
    message: &impl Serialize,
    packing: Packing,
) -> Result<(), FrameError> {
    let size = postcard::experimental::serialized_size(message)?;
    let length = u32::try_from(size)
        .ok()
        .filter(|length| *length <= MAX_FRAME_BYTES)
        .ok_or(FrameError::TooLarge { got: size as u64, most: MAX_FRAME_BYTES })?;
    let mut out = Remembering { stream: BufWriter::with_capacity(1 << 16, stream), failure: None };
    let written = if packing == Packing::Packed && length >= WORTH_PACKING {
        out.write_all(&(length | PACKED).to_le_bytes())?;
        let packer = BufWriter::with_capacity(1 << 16, ZlibEncoder::new(&mut out, Compression::new(LEVEL)));
        postcard::to_io(message, packer).map(|packer| {
            // What the buffer still holds goes through the packer, whose end goes to the stream; a failure of either is
            // remembered by the stream.
            let _ = packer
                .into_inner()
                .map_err(std::io::IntoInnerError::into_error)
                .and_then(ZlibEncoder::finish);
        })
    } else {
        out.write_all(&length.to_le_bytes())?;
        postcard::to_io(message, &mut out).map(|_| ())
    };
    match (out.failure.take(), written) {
        (Some(failure), _) => return Err(FrameError::Io(failure)),
        (None, Err(error)) => return Err(FrameError::Codec(error)),
        (None, Ok(())) => {}
    }
    out.flush()?;
    Ok(())
}

/// A writer that keeps the reason of its failure, which the serialiser drops.
struct Remembering<W: Write> {
    stream: BufWriter<W>,
    failure: Option<std::io::Error>,
}

impl<W: Write> Remembering<W> {
    fn remember<T>(&mut self, outcome: std::io::Result<T>) -> std::io::Result<T> {
        outcome.inspect_err(|error| {
            self.failure.get_or_insert_with(|| std::io::Error::new(error.kind(), error.to_string()));
        })
    }
}

impl<W: Write> Write for Remembering<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let outcome = self.stream.write(bytes);
        self.remember(outcome)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let outcome = self.stream.flush();
        self.remember(outcome)
    }
}

/// Receives one message of at most [`MAX_FRAME_BYTES`]; `None` when the stream ended between two messages.
///
/// The buffer grows with the bytes that really arrive, so a false length cannot claim memory.
pub fn read_frame<T: DeserializeOwned>(stream: &mut impl BufRead) -> Result<Option<T>, FrameError> {
    read_frame_within(stream, MAX_FRAME_BYTES)
}

/// Receives one message of at most `most` bytes; `None` when the stream ended before it.
pub fn read_frame_within<T: DeserializeOwned>(
    stream: &mut impl BufRead,
    most: u32,
) -> Result<Option<T>, FrameError> {
    let mut prefix = [0u8; 4];
    let mut filled = 0;
    while filled < prefix.len() {
        match stream.read(&mut prefix[filled..]) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(FrameError::Broken),
            Ok(n) => filled += n,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let prefix = u32::from_le_bytes(prefix);
    let length = prefix & !PACKED;
    if length > most {
        return Err(FrameError::NoPeer { got: length, most });
    }
    let length = length as usize;
    let body = if prefix & PACKED == 0 { read_plain(stream, length)? } else { read_packed(stream, length)? };
    Ok(Some(postcard::from_bytes(&body)?))
}

/// Room for a message before any of it has arrived.
const FIRST_ROOM: usize = 1 << 20;

fn read_plain(stream: &mut impl BufRead, length: usize) -> Result<Vec<u8>, FrameError> {
    let mut body = Vec::with_capacity(length.min(FIRST_ROOM));
    stream.take(length as u64).read_to_end(&mut body)?;
    if body.len() < length { Err(FrameError::Broken) } else { Ok(body) }
}

/// Unpacks until the packer's own end, and asks the stream for nothing beyond it: nothing may follow for hours.
fn read_packed(stream: &mut impl BufRead, length: usize) -> Result<Vec<u8>, FrameError> {
    let mut unpacker = Decompress::new(true);
    let mut body = Vec::with_capacity(length.min(FIRST_ROOM));
    loop {
        let input = match stream.fill_buf() {
            Ok([]) => return Err(FrameError::Broken),
            Ok(input) => input,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        if body.len() == body.capacity() {
            // One byte more than was announced is room enough to see that there are more.
            body.reserve((length + 1).saturating_sub(body.len()).clamp(1, FIRST_ROOM));
        }
        let taken_before = unpacker.total_in();
        let status = unpacker.decompress_vec(input, &mut body, FlushDecompress::None)?;
        stream.consume((unpacker.total_in() - taken_before) as usize);
        match status {
            _ if body.len() > length => {
                return Err(FrameError::WrongLength { got: body.len(), announced: length });
            }
            Status::StreamEnd if body.len() == length => return Ok(body),
            Status::StreamEnd => return Err(FrameError::WrongLength { got: body.len(), announced: length }),
            Status::Ok | Status::BufError => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn messages_arrive_whole_and_in_order_and_the_end_is_seen() {
        let mut stream = Vec::new();
        write_frame(&mut stream, &"first", Packing::Plain).unwrap();
        write_frame(&mut stream, &"second", Packing::Plain).unwrap();
        let mut reader = stream.as_slice();
        assert_eq!(read_frame::<String>(&mut reader).unwrap().unwrap(), "first");
        assert_eq!(read_frame::<String>(&mut reader).unwrap().unwrap(), "second");
        assert!(read_frame::<String>(&mut reader).unwrap().is_none());
    }

    #[test]
    fn a_peer_that_dies_mid_message_is_reported_as_broken() {
        let mut stream = Vec::new();
        write_frame(&mut stream, &"a message", Packing::Plain).unwrap();
        for cut in 1..stream.len() {
            let got = read_frame::<String>(&mut &stream[..cut]);
            assert!(matches!(got, Err(FrameError::Broken)), "cut at {cut}: {got:?}");
        }
    }

    fn long_message() -> String {
        (0..5000).map(|n| format!("voxel {n}, ")).collect()
    }

    #[test]
    fn a_packed_message_is_smaller_and_what_follows_it_still_arrives() {
        let (mut plain, mut stream) = (Vec::new(), Vec::new());
        write_frame(&mut plain, &long_message(), Packing::Plain).unwrap();
        write_frame(&mut stream, &long_message(), Packing::Packed).unwrap();
        assert!(stream.len() * 2 < plain.len(), "{} of {} bytes", stream.len(), plain.len());
        write_frame(&mut stream, &"next", Packing::Packed).unwrap();
        let mut reader = stream.as_slice();
        assert_eq!(read_frame::<String>(&mut reader).unwrap().unwrap(), long_message());
        assert_eq!(read_frame::<String>(&mut reader).unwrap().unwrap(), "next");
        assert!(read_frame::<String>(&mut reader).unwrap().is_none());
    }

    #[test]
    fn a_packed_message_is_there_before_anything_follows_it() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let sender = std::thread::spawn(move || {
            write_frame(&mut writer, &long_message(), Packing::Packed).unwrap();
            writer
        });
        // The writing end stays open: asking it for more would wait for ever.
        let mut reader = std::io::BufReader::with_capacity(64, reader);
        assert_eq!(read_frame::<String>(&mut reader).unwrap().unwrap(), long_message());
        drop(sender.join().unwrap());
    }

    #[test]
    fn a_packed_message_that_is_cut_or_changed_is_never_taken_for_whole() {
        let mut stream = Vec::new();
        write_frame(&mut stream, &long_message(), Packing::Packed).unwrap();
        for cut in (5..stream.len()).step_by(97).chain([stream.len() - 1]) {
            let got = read_frame::<String>(&mut &stream[..cut]);
            assert!(matches!(got, Err(FrameError::Broken)), "cut at {cut}: {got:?}");
        }
        for place in (6..stream.len()).step_by(131).chain([stream.len() - 1]) {
            let mut changed = stream.clone();
            changed[place] ^= 0x10;
            assert!(read_frame::<String>(&mut changed.as_slice()).is_err(), "byte {place}");
        }
    }

    #[test]
    fn a_login_message_is_not_taken_for_a_hello() {
        let mut stream: &[u8] = b"Welcome to the cluster. Maintenance on Sunday.\n";
        let got = read_frame_within::<String>(&mut stream, MAX_HELLO_BYTES);
        assert!(matches!(got, Err(FrameError::NoPeer { .. })), "{got:?}");
    }

    /// Takes some bytes and then fails as a closed pipe does.
    struct Closing(usize);

    impl Write for Closing {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            if taken == 0 { Err(ErrorKind::BrokenPipe.into()) } else { Ok(taken) }
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_peer_that_closes_while_it_is_sent_to_is_not_called_of_another_version() {
        let mut random = 1u64;
        let noise = |_| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 56) as u8
        };
        let message: Vec<u8> = (0..1 << 20).map(noise).collect();
        for room in [0, 3, 100, 1 << 19] {
            for packing in [Packing::Plain, Packing::Packed] {
                // Noise, so that packing leaves as many bytes as there is no room for.
                let got = write_frame(&mut Closing(room), &serde_bytes::Bytes::new(&message), packing);
                assert!(matches!(got, Err(FrameError::Io(_))), "room for {room}, {packing:?}: {got:?}");
            }
        }
    }

    #[test]
    fn a_stream_that_is_not_ours_claims_no_memory() {
        let mut stream: &[u8] = b"\xff\xff\xff\xffHTTP/1.1 400";
        assert!(matches!(read_frame::<String>(&mut stream), Err(FrameError::NoPeer { .. })));
    }

    #[test]
    fn a_message_that_is_too_large_is_told_with_both_sizes_and_leaves_the_stream_to_the_next_one() {
        // Zeros that are never looked at take no memory.
        let bytes = vec![0u8; MAX_FRAME_BYTES as usize];
        let mut stream = Vec::new();
        let error = write_frame(&mut stream, &serde_bytes::Bytes::new(&bytes), Packing::Plain).unwrap_err();
        assert!(matches!(error, FrameError::TooLarge { .. }) && stream.is_empty(), "{error}");
        // The length itself takes five bytes more.
        for number in ["2147418117", "2147418112"] {
            assert!(error.to_string().contains(number), "{number} not in: {error}");
        }
        write_frame(&mut stream, &"next", Packing::Plain).unwrap();
        assert_eq!(read_frame::<String>(&mut stream.as_slice()).unwrap().unwrap(), "next");
    }
}
