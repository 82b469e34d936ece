//! Stored values from the bytes of an uncompressed or decoded frame (PS3.5, section 8.1): byte order, unused bits, sign,
//! colour.

use super::header::Layout;
use rayon::prelude::*;

/// Samples of a frame, as they came out of their container: one a pixel, or three.
pub(super) struct Samples {
    /// Bits as stored, in the lowest bits; colour samples of a pixel follow each other.
    pub values: Vec<u32>,
    pub colours: Colours,
}

/// How the samples of a pixel are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colours {
    None,
    Rgb,
    /// Luminance first, then two colour differences.
    Ybr,
}

impl Colours {
    /// What the header says.
    pub(super) fn as_stored(layout: &Layout) -> Self {
        match layout.photometric.as_str() {
            _ if layout.samples == 1 => Colours::None,
            "RGB" => Colours::Rgb,
            _ => Colours::Ybr,
        }
    }
}

/// Uncompressed samples. `bytes` has the length that `layout` asks for.
pub(super) fn native(bytes: &[u8], layout: &Layout, big_endian: bool, in_words: bool) -> Samples {
    let pixels = layout.rows * layout.columns;
    let values: Vec<u32> = match (layout.bits_allocated, big_endian) {
        // Bytes in words of a big-endian file are exchanged in pairs.
        (8, true) if in_words => {
            (0..bytes.len()).map(|n| u32::from(*bytes.get(n ^ 1).unwrap_or(&0))).collect()
        }
        (8, _) => bytes.iter().map(|byte| u32::from(*byte)).collect(),
        (16, false) => bytes.as_chunks().0.iter().map(|pair| u32::from(u16::from_le_bytes(*pair))).collect(),
        (16, true) => bytes.as_chunks().0.iter().map(|pair| u32::from(u16::from_be_bytes(*pair))).collect(),
        (_, false) => bytes.as_chunks().0.iter().map(|four| u32::from_le_bytes(*four)).collect(),
        (_, true) => bytes.as_chunks().0.iter().map(|four| u32::from_be_bytes(*four)).collect(),
    };
    let values = match layout.photometric.as_str() {
        "YBR_FULL_422" => without_subsampling(&values),
        _ => interleaved(values, pixels, layout.planar && layout.samples == 3),
    };
    Samples { values, colours: Colours::as_stored(layout) }
}

/// Y1 Y2 Cb Cr for two neighbouring pixels becomes Y Cb Cr for each (PS3.3, section C.7.6.3.1.2).
fn without_subsampling(values: &[u32]) -> Vec<u32> {
    values.as_chunks::<4>().0.iter().flat_map(|[y1, y2, cb, cr]| [*y1, *cb, *cr, *y2, *cb, *cr]).collect()
}

/// Brings the colours of a pixel together.
pub(super) fn interleaved(values: Vec<u32>, pixels: usize, planar: bool) -> Vec<u32> {
    if !planar {
        return values;
    }
    (0..pixels).flat_map(|n| [values[n], values[n + pixels], values[n + 2 * pixels]]).collect()
}

/// The number that each pixel stores: unused high bits cut off, the sign extended, colours reduced to their luminance.
pub(super) fn numbers(samples: Samples, layout: &Layout) -> Vec<i64> {
    let Samples { values, colours } = samples;
    match colours {
        Colours::None => {
            let shift = layout.high_bit + 1 - layout.bits_stored;
            let unused = 64 - layout.bits_stored;
            let number = |bits: u32| {
                let aligned = u64::from(bits >> shift) << unused;
                if layout.signed { aligned as i64 >> unused } else { (aligned >> unused) as i64 }
            };
            values.par_iter().with_min_len(1 << 16).map(|bits| number(*bits)).collect()
        }
        Colours::Ybr => values.as_chunks::<3>().0.iter().map(|[y, ..]| i64::from(*y)).collect(),
        Colours::Rgb => values.as_chunks::<3>().0.iter().map(|rgb| luminance(*rgb)).collect(),
    }
}

/// Luma of ITU-R BT.601, the one DICOM's YBR_FULL uses.
fn luminance([red, green, blue]: [u32; 3]) -> i64 {
    i64::from((299 * red + 587 * green + 114 * blue + 500) / 1000)
}
