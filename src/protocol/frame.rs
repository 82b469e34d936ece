//! Length-prefixed postcard frames on any byte stream.
//!
//! Invariant: a message is measured first and then serialised straight into the stream, so that sending a volume never
//! holds it a second time, and a message that cannot be sent leaves the stream untouched.

use serde::{Serialize, de::DeserializeOwned};
use std::io::{BufWriter, ErrorKind, Read, Write};
use thiserror::Error;

/// The largest frame either side accepts: a 512 x 512 x 1000 float32 volume and room beside it.
pub const MAX_FRAME_BYTES: u32 = 3 << 30;

/// What can go wrong on the stream.
#[derive(Debug, Error)]
pub enum FrameError {
    #[error("the other side closed the connection in the middle of a message")]
    Broken,
    #[error("message of {got} bytes; at most {MAX_FRAME_BYTES} are accepted, so this is no peer of ours")]
    TooLarge { got: u64 },
    #[error("message could not be understood ({0}); both programs must be of the same version")]
    Codec(#[from] postcard::Error),
    #[error("connection failed: {0}")]
    Io(#[from] std::io::Error),
}

/// Sends one message and flushes it.
pub fn write_frame(stream: &mut impl Write, message: &impl Serialize) -> Result<(), FrameError> {
    let size = postcard::experimental::serialized_size(message)?;
    let length = u32::try_from(size)
        .ok()
        .filter(|length| *length <= MAX_FRAME_BYTES)
        .ok_or(FrameError::TooLarge { got: size as u64 })?;
    let mut out = Remembering { stream: BufWriter::with_capacity(1 << 16, stream), failure: None };
    out.write_all(&length.to_le_bytes())?;
    if let Err(error) = postcard::to_io(message, &mut out) {
        return Err(out.failure.map_or(FrameError::Codec(error), FrameError::Io));
    }
    out.flush()?;
    Ok(())
}

/// A writer that keeps the reason of its failure, which the serialiser drops.
struct Remembering<W: Write> {
    stream: BufWriter<W>,
    failure: Option<std::io::Error>,
}

impl<W: Write> Write for Remembering<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.stream.write(bytes).inspect_err(|error| {
            self.failure.get_or_insert_with(|| std::io::Error::new(error.kind(), error.to_string()));
        })
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream.flush()
    }
}

/// Receives one message; `None` when the stream ended between two messages.
///
/// The buffer grows with the bytes that really arrive, so a false length cannot claim memory.
pub fn read_frame<T: DeserializeOwned>(stream: &mut impl Read) -> Result<Option<T>, FrameError> {
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
    let length = u32::from_le_bytes(prefix);
    if length > MAX_FRAME_BYTES {
        return Err(FrameError::TooLarge { got: u64::from(length) });
    }
    let mut body = Vec::with_capacity((length as usize).min(1 << 20));
    stream.take(u64::from(length)).read_to_end(&mut body)?;
    if body.len() < length as usize {
        return Err(FrameError::Broken);
    }
    Ok(Some(postcard::from_bytes(&body)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn messages_arrive_whole_and_in_order_and_the_end_is_seen() {
        let mut stream = Vec::new();
        write_frame(&mut stream, &"first").unwrap();
        write_frame(&mut stream, &"second").unwrap();
        let mut reader = stream.as_slice();
        assert_eq!(read_frame::<String>(&mut reader).unwrap().unwrap(), "first");
        assert_eq!(read_frame::<String>(&mut reader).unwrap().unwrap(), "second");
        assert!(read_frame::<String>(&mut reader).unwrap().is_none());
    }

    #[test]
    fn a_peer_that_dies_mid_message_is_reported_as_broken() {
        let mut stream = Vec::new();
        write_frame(&mut stream, &"a message").unwrap();
        for cut in 1..stream.len() {
            let got = read_frame::<String>(&mut &stream[..cut]);
            assert!(matches!(got, Err(FrameError::Broken)), "cut at {cut}: {got:?}");
        }
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
        let message = vec![7u8; 1 << 20];
        for room in [0, 3, 100, 1 << 19] {
            let got = write_frame(&mut Closing(room), &serde_bytes::Bytes::new(&message));
            assert!(matches!(got, Err(FrameError::Io(_))), "room for {room}: {got:?}");
        }
    }

    #[test]
    fn a_stream_that_is_not_ours_claims_no_memory() {
        let mut stream: &[u8] = b"\xff\xff\xff\xffHTTP/1.1 400";
        assert!(matches!(read_frame::<String>(&mut stream), Err(FrameError::TooLarge { .. })));
    }
}
