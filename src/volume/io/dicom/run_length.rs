//! RLE Lossless (PS3.5, annex G): one packed segment for each byte of a sample, the most significant first.

use super::header::Layout;
use super::stored::{Colours, Samples};

/// One frame.
pub(super) fn decode(bytes: &[u8], layout: &Layout) -> Result<Samples, String> {
    let pixels = layout.rows * layout.columns;
    let bytes_a_sample = (layout.bits_allocated / 8) as usize;
    let expected = layout.samples * bytes_a_sample;
    let starts = segment_starts(bytes)?;
    if starts.len() != expected {
        return Err(format!("expected {expected} RLE segments, got {}", starts.len()));
    }
    // Two bytes hold a run of at most 128.
    if pixels > 64 * bytes.len() {
        return Err(format!("{} bytes cannot hold {pixels} pixels", bytes.len()));
    }
    let mut values = vec![0u32; pixels * layout.samples];
    for (number, start) in starts.iter().enumerate() {
        let end = starts.get(number + 1).copied().unwrap_or(bytes.len());
        let packed = bytes.get(*start..end).ok_or("an RLE segment lies outside the frame")?;
        let (sample, significance) = (number / bytes_a_sample, bytes_a_sample - 1 - number % bytes_a_sample);
        let mut count = 0;
        unpack(packed, pixels, |byte| {
            values[count * layout.samples + sample] |= u32::from(byte) << (8 * significance);
            count += 1;
        });
        if count < pixels {
            return Err(format!("expected {pixels} pixels in an RLE segment, got {count}"));
        }
    }
    Ok(Samples { values, colours: Colours::as_stored(layout) })
}

/// The header: how many segments there are, and where each begins (section G.5).
fn segment_starts(bytes: &[u8]) -> Result<Vec<usize>, String> {
    const MOST_SEGMENTS: usize = 15;
    let header = bytes.first_chunk::<64>().ok_or("the RLE header is cut off")?;
    let (words, _) = header.as_chunks::<4>();
    let count = u32::from_le_bytes(words[0]) as usize;
    if count > MOST_SEGMENTS {
        return Err(format!("expected at most {MOST_SEGMENTS} RLE segments, got {count}"));
    }
    Ok(words[1..=count].iter().map(|word| u32::from_le_bytes(*word) as usize).collect())
}

/// Gives out at most `most` bytes; what follows is padding (section G.3.2).
fn unpack(packed: &[u8], most: usize, mut emit: impl FnMut(u8)) {
    let (mut at, mut left) = (0, most);
    while left > 0 && at < packed.len() {
        let control = packed[at] as i8;
        at += 1;
        if control >= 0 {
            let literal = &packed[at.min(packed.len())..packed.len().min(at + control as usize + 1)];
            literal.iter().take(left).for_each(|byte| emit(*byte));
            left -= literal.len().min(left);
            at += control as usize + 1;
        } else if control != i8::MIN {
            let Some(byte) = packed.get(at) else { return };
            let run = (1 - isize::from(control)) as usize;
            (0..run.min(left)).for_each(|_| emit(*byte));
            left -= run.min(left);
            at += 1;
        }
    }
}
