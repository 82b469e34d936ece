//! gzip made by all cores at once.
//!
//! Invariant: the result is a single member (RFC 1952), so that readers which stop after the first one see everything.
//! Its deflate stream is a row of pieces compressed on their own, each ending on a byte boundary (RFC 1951 section 3.2.4,
//! an empty stored block, known as a sync flush), and its checksum is combined from theirs.

use flate2::{Compress, Compression, Crc, FlushCompress};
use rayon::prelude::*;
use std::io::{self, Write};

/// Large enough that what a piece cannot refer back to does not matter.
const PIECE_BYTES: usize = 1 << 20;

/// Pieces in memory at a time, for each thread.
const PIECES_PER_THREAD: usize = 4;

/// On label maps as fast as level 1, and a quarter of its size.
const LEVEL: Compression = Compression::new(2);

/// Magic, deflate, no flags, no time, fast compression, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];

/// An empty final block with the fixed code.
const END: [u8; 2] = [3, 0];

/// Writes `parts`, one after the other, as one gzip member.
pub(super) fn write(out: &mut impl Write, parts: &[&[u8]]) -> io::Result<()> {
    let pieces: Vec<&[u8]> = parts.iter().flat_map(|part| part.chunks(PIECE_BYTES)).collect();
    let mut checksum = Crc::new();
    let mut total: u32 = 0;
    out.write_all(&HEADER)?;
    for batch in pieces.chunks(PIECES_PER_THREAD * rayon::current_num_threads()) {
        let compressed: Vec<(Vec<u8>, Crc)> = batch
            .par_iter()
            .map_init(|| Compress::new(LEVEL, false), |state, piece| compress(state, piece))
            .collect::<io::Result<_>>()?;
        for (bytes, piece_checksum) in compressed {
            out.write_all(&bytes)?;
            checksum.combine(&piece_checksum);
            total = total.wrapping_add(piece_checksum.amount());
        }
    }
    out.write_all(&END)?;
    out.write_all(&checksum.sum().to_le_bytes())?;
    out.write_all(&total.to_le_bytes())
}

/// One piece as blocks that end on a byte boundary and refer to nothing before it, and its checksum.
fn compress(state: &mut Compress, piece: &[u8]) -> io::Result<(Vec<u8>, Crc)> {
    state.reset();
    let mut out = Vec::with_capacity(piece.len() / 4 + 64);
    loop {
        let rest = &piece[state.total_in() as usize..];
        state.compress_vec(rest, &mut out, FlushCompress::Sync).map_err(io::Error::other)?;
        // Room left over means that everything was taken and flushed.
        if out.len() < out.capacity() {
            break;
        }
        out.reserve(piece.len() / 4 + 64);
    }
    let mut checksum = Crc::new();
    checksum.update(piece);
    Ok((out, checksum))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Read;

    #[test]
    fn readers_that_stop_after_one_member_see_every_byte() {
        let noise: Vec<u8> = (0..3_500_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let flat = vec![7u8; 5_000_000];
        for parts in [&[&noise[..], &flat, &[], b"end"][..], &[&flat], &[b""], &[]] {
            let mut compressed = Vec::new();
            write(&mut compressed, parts).unwrap();
            let mut read = Vec::new();
            let mut decoder = flate2::bufread::GzDecoder::new(&compressed[..]);
            decoder.read_to_end(&mut read).unwrap();
            assert!(read == parts.concat() && decoder.into_inner().is_empty());
        }
    }
}
