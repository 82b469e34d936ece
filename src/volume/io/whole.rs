//! Compressed data inflated in one go, straight into their final place: several times as fast as streaming them.
//!
//! Invariant: values are given only where they are proven to be the file's: one stream that takes exactly the bytes
//! there are, makes exactly the bytes expected, and has the right checksum. Whatever falls short of that is left to the
//! streaming reader, which says what is wrong.

use super::source::Compression;
use bytemuck::Pod;
use libdeflate_sys::{
    libdeflate_alloc_decompressor, libdeflate_decompressor, libdeflate_free_decompressor,
    libdeflate_gzip_decompress_ex, libdeflate_result_LIBDEFLATE_SUCCESS, libdeflate_zlib_decompress_ex,
};
use rayon::prelude::*;
use std::ptr::{self, NonNull};

/// The `count` values with which the decompressed data end, after `start` other bytes; bytes within a value stay in the
/// order in which they were found. `None` where that is not proven, or memory is short.
pub(super) fn inflate<T: Pod>(
    compressed: &[u8],
    compression: Compression,
    start: usize,
    count: usize,
) -> Option<Vec<T>> {
    let size = size_of::<T>();
    let total = count.checked_mul(size)?.checked_add(start)?;
    // A gzip member ends with its length modulo 2^32 (RFC 1952), which rules out most of the others for nothing.
    if compression == Compression::Gzip && compressed.last_chunk() != Some(&(total as u32).to_le_bytes()) {
        return None;
    }
    // What precedes the values must be inflated with them, so there is room for it here until they are moved over it.
    let mut values: Vec<T> = bytemuck::allocation::try_zeroed_vec(total.div_ceil(size)).ok()?;
    let bytes = &mut bytemuck::cast_slice_mut(&mut values)[..total];
    if !Inflater::new()?.fills(bytes, compressed, compression) {
        return None;
    }
    move_to_front(bytes, start);
    values.truncate(count);
    Some(values)
}

/// Overwrites the first `by` bytes with those that follow, on all cores. The last `by` bytes are left as they come.
fn move_to_front(bytes: &mut [u8], by: usize) {
    const PIECE_BYTES: usize = 1 << 22;
    if by > PIECE_BYTES {
        bytes.copy_within(by.., 0);
        return;
    }
    // Each piece ends with what the next one starts with, which is set aside before any piece is touched.
    let next_starts = bytes.chunks(PIECE_BYTES).skip(1).map(|next| next[..by.min(next.len())].to_vec());
    let next_starts: Vec<Vec<u8>> = next_starts.chain([Vec::new()]).collect();
    bytes.par_chunks_mut(PIECE_BYTES).zip(next_starts).for_each(|(piece, next_start)| {
        let kept = piece.len().saturating_sub(by);
        piece.copy_within(piece.len() - kept.., 0);
        piece[kept..kept + next_start.len()].copy_from_slice(&next_start);
    });
}

/// libdeflate's decompressor. Its safe wrapper does not tell how much of the input was taken, which is what tells a file
/// of one member from one that goes on.
struct Inflater(NonNull<libdeflate_decompressor>);

impl Inflater {
    fn new() -> Option<Self> {
        // SAFETY: the function has no preconditions; it gives null where memory is short.
        NonNull::new(unsafe { libdeflate_alloc_decompressor() }).map(Self)
    }

    /// Whether `compressed`, to its last byte, is one stream of exactly as many bytes as `out` has, and is undamaged.
    fn fills(&mut self, out: &mut [u8], compressed: &[u8], compression: Compression) -> bool {
        let decompress = match compression {
            Compression::None => return false,
            Compression::Gzip => libdeflate_gzip_decompress_ex,
            Compression::Zlib => libdeflate_zlib_decompress_ex,
        };
        let mut taken = 0;
        // SAFETY: the decompressor is alive and borrowed mutably; both slices are valid for their lengths; without a
        // place for the count of bytes made, libdeflate requires that it be exactly the length of `out`.
        let result = unsafe {
            decompress(
                self.0.as_ptr(),
                compressed.as_ptr().cast(),
                compressed.len(),
                out.as_mut_ptr().cast(),
                out.len(),
                &mut taken,
                ptr::null_mut(),
            )
        };
        result == libdeflate_result_LIBDEFLATE_SUCCESS && taken == compressed.len()
    }
}

impl Drop for Inflater {
    fn drop(&mut self) {
        // SAFETY: allocated by libdeflate and freed once.
        unsafe { libdeflate_free_decompressor(self.0.as_ptr()) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use flate2::write::{GzEncoder, ZlibEncoder};
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn values_are_those_behind_the_header_whatever_its_length() {
        let bytes: Vec<u8> = (0..9_000_001u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let compressed = gzip(&bytes);
        for start in [0, 1, 352, 4_194_305, 8_999_999] {
            let count = (bytes.len() - start) / 2;
            let start = bytes.len() - 2 * count;
            let values: Vec<u16> = inflate(&compressed, Compression::Gzip, start, count).unwrap();
            assert!(bytemuck::cast_slice::<u16, u8>(&values) == &bytes[start..], "start {start}");
        }
        let mut encoder = ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&bytes).unwrap();
        let zlib = encoder.finish().unwrap();
        assert!(inflate::<u8>(&zlib, Compression::Zlib, 1, 9_000_000).unwrap() == bytes[1..]);
    }

    #[test]
    fn what_is_not_one_undamaged_stream_of_the_expected_length_is_left_to_the_streaming_reader() {
        let whole = gzip(b"twelve bytes");
        let inflated = |compressed: &[u8]| inflate::<u8>(compressed, Compression::Gzip, 4, 8);
        assert_eq!(inflated(&whole).unwrap(), b"ve bytes");
        assert_eq!(inflated(&[&whole[..], &whole[..]].concat()), None);
        assert_eq!(inflated(&[&whole[..], &12u32.to_le_bytes()].concat()), None);
        assert_eq!(inflated(&gzip(b"twelve bytes and more")), None);
        assert_eq!(inflated(&gzip(b"eleven byte")), None);
        let mut wrong_checksum = whole.clone();
        wrong_checksum[whole.len() - 8] ^= 1;
        assert_eq!(inflated(&wrong_checksum), None);
        assert_eq!(inflated(b""), None);
    }
}
