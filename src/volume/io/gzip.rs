//! gzip made by all cores at once.
//!
//! Invariant: the result is a single member (RFC 1952), so that readers which stop after the first one see everything.
//! Its deflate stream is a row of pieces compressed on their own, each ending on a byte boundary (RFC 1951 section 3.2.4,
//! an empty stored block, known as a sync flush), and its checksum is combined from theirs.

use flate2::{Compress, Compression, Crc, FlushCompress};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, Write};

/// Large enough that what a piece cannot refer back to does not matter.
const PIECE_BYTES: usize = 1 << 20;

/// Pieces in memory at a time, for each thread.
const PIECES_PER_THREAD: usize = 4;

/// What is looked at for being all one value. Most of a label map is, and is then not compressed again and again.
const CELL_BYTES: usize = 1 << 15;

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
        let compressed: Vec<Compressed> =
            batch.par_iter().map_init(Compressor::new, Compressor::piece).collect::<io::Result<_>>()?;
        for Compressed { bytes, checksum: of_piece } in compressed {
            out.write_all(&bytes)?;
            checksum.combine(&of_piece);
            total = total.wrapping_add(of_piece.amount());
        }
    }
    out.write_all(&END)?;
    out.write_all(&checksum.sum().to_le_bytes())?;
    out.write_all(&total.to_le_bytes())
}

/// Blocks that end on a byte boundary and refer to nothing before them, and the checksum of what they hold.
#[derive(Default)]
struct Compressed {
    bytes: Vec<u8>,
    checksum: Crc,
}

/// One thread's state.
struct Compressor {
    deflate: Compress,
    /// A cell of one value, compressed once, by value.
    uniform: BTreeMap<u8, Compressed>,
}

impl Compressor {
    fn new() -> Self {
        Self { deflate: Compress::new(LEVEL, false), uniform: BTreeMap::new() }
    }

    /// One piece: stretches of mixed values compressed, cells of one value copied.
    fn piece(&mut self, piece: &&[u8]) -> io::Result<Compressed> {
        let mut whole = Compressed::default();
        let mut mixed_from = 0;
        for (cell_number, cell) in piece.chunks(CELL_BYTES).enumerate() {
            let Some(value) = uniform_value(cell) else { continue };
            let start = cell_number * CELL_BYTES;
            self.mixed(&piece[mixed_from..start], &mut whole)?;
            mixed_from = start + cell.len();
            let compressed = match self.uniform.entry(value) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let mut once = Compressed::default();
                    deflate(&mut self.deflate, cell, &mut once)?;
                    new.insert(once)
                }
            };
            whole.bytes.extend_from_slice(&compressed.bytes);
            whole.checksum.combine(&compressed.checksum);
        }
        self.mixed(&piece[mixed_from..], &mut whole)?;
        Ok(whole)
    }

    fn mixed(&mut self, stretch: &[u8], whole: &mut Compressed) -> io::Result<()> {
        if stretch.is_empty() { Ok(()) } else { deflate(&mut self.deflate, stretch, whole) }
    }
}

/// The value that a full cell has throughout.
fn uniform_value(cell: &[u8]) -> Option<u8> {
    let uniform = cell.len() == CELL_BYTES && cell[1..] == cell[..CELL_BYTES - 1];
    uniform.then(|| cell[0])
}

/// Appends `stretch` to what is compressed already.
fn deflate(state: &mut Compress, stretch: &[u8], whole: &mut Compressed) -> io::Result<()> {
    state.reset();
    let Compressed { bytes, checksum } = whole;
    bytes.reserve(stretch.len() / 4 + 64);
    loop {
        let rest = &stretch[state.total_in() as usize..];
        state.compress_vec(rest, bytes, FlushCompress::Sync).map_err(io::Error::other)?;
        // Room left over means that everything was taken and flushed.
        if bytes.len() < bytes.capacity() {
            break;
        }
        bytes.reserve(stretch.len() / 4 + 64);
    }
    let mut of_stretch = Crc::new();
    of_stretch.update(stretch);
    checksum.combine(&of_stretch);
    Ok(())
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
        // Cells of one value between mixed ones, of two values, and an end that is no whole cell.
        let mut striped = noise.clone();
        striped[CELL_BYTES..3 * CELL_BYTES].fill(0);
        striped[4 * CELL_BYTES..5 * CELL_BYTES].fill(9);
        striped[PIECE_BYTES..PIECE_BYTES + CELL_BYTES].fill(0);
        striped[3_400_000..].fill(1);
        for parts in [&[&noise[..], &flat, &[], b"end"][..], &[&striped], &[&flat], &[b""], &[]] {
            let mut compressed = Vec::new();
            write(&mut compressed, parts).unwrap();
            let mut read = Vec::new();
            let mut decoder = flate2::bufread::GzDecoder::new(&compressed[..]);
            decoder.read_to_end(&mut read).unwrap();
            assert!(read == parts.concat() && decoder.into_inner().is_empty());
        }
    }
}
