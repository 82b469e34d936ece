//! Compressed frames (PS3.5, annex A.4), decoded by crates that are written in Rust.
//!
//! Invariants: the size a stream claims is compared with the header's before anything is decoded; what a decoder returns
//! is compared with it again; a decoder that panics becomes an error.

use super::header::Layout;
use super::stored::{Colours, Samples, interleaved};
use super::syntax::Coding;
use super::{quiet, run_length};
use jpeg_decoder::ColorTransform;

/// Samples of the frame in `bytes`.
pub(super) fn decode(coding: Coding, bytes: &[u8], layout: &Layout) -> Result<Samples, String> {
    let samples = quiet::catch(|| match coding {
        Coding::RunLength => run_length::decode(bytes, layout),
        Coding::Jpeg => jpeg(bytes, layout),
        Coding::JpegLs => jpeg_ls(bytes, layout),
        Coding::Jpeg2000 => jpeg_2000(bytes, layout),
        Coding::Native | Coding::Unsupported => Err("there is no decoder for it".to_owned()),
    })??;
    let expected = layout.rows * layout.columns * layout.samples;
    match samples.values.len() {
        found if found == expected => Ok(samples),
        found => Err(format!("expected {expected} values, got {found}")),
    }
}

fn require_size(layout: &Layout, width: u64, height: u64) -> Result<(), String> {
    if (width, height) == (layout.columns as u64, layout.rows as u64) {
        return Ok(());
    }
    Err(format!(
        "the header says {} rows of {} pixels, the compressed image {height} rows of {width}",
        layout.rows, layout.columns
    ))
}

/// Baseline, extended with 8 bits, and lossless (ITU-T T.81).
fn jpeg(bytes: &[u8], layout: &Layout) -> Result<Samples, String> {
    let mut decoder = jpeg_decoder::Decoder::new(bytes);
    decoder.read_info().map_err(|error| error.to_string())?;
    let info = decoder.info().ok_or("it has no frame header")?;
    require_size(layout, u64::from(info.width), u64::from(info.height))?;
    if layout.samples == 3 {
        // The header says what the three samples are, more reliably than the stream.
        decoder.set_color_transform(ColorTransform::None);
    }
    let decoded = decoder.decode().map_err(|error| error.to_string())?;
    let count = layout.rows * layout.columns * layout.samples;
    // Lossless frames of other than 8 bits come as 16-bit numbers in the machine's own byte order.
    let values = if decoded.len() == 2 * count {
        decoded.as_chunks().0.iter().map(|pair| u32::from(u16::from_ne_bytes(*pair))).collect()
    } else {
        decoded.into_iter().map(u32::from).collect()
    };
    Ok(Samples { values, colours: Colours::as_stored(layout) })
}

/// Lossless and near-lossless (ITU-T T.87), one sample a pixel.
fn jpeg_ls(bytes: &[u8], layout: &Layout) -> Result<Samples, String> {
    let (width, height) = jpeg_ls_size(bytes).ok_or("it has no frame header")?;
    require_size(layout, u64::from(width), u64::from(height))?;
    let (values, ..) =
        jpegls::decode(bytes, u32::from(width), u32::from(height)).map_err(|e| e.to_string())?;
    Ok(Samples { values: values.into_iter().map(u32::from).collect(), colours: Colours::None })
}

/// Width and height in the frame header, marker FFF7 (T.87, section C.2.2).
fn jpeg_ls_size(bytes: &[u8]) -> Option<(u16, u16)> {
    let mut at = 2;
    while let Some([0xFF, marker, high, low]) = bytes.get(at..at + 4)?.first_chunk::<4>().copied() {
        let segment = bytes.get(at + 4..)?;
        if marker == 0xF7 {
            let [_, y1, y0, x1, x0] = *segment.first_chunk::<5>()?;
            return Some((u16::from_be_bytes([x1, x0]), u16::from_be_bytes([y1, y0])));
        }
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
    }
    None
}

/// Lossless and lossy (ITU-T T.800).
fn jpeg_2000(bytes: &[u8], layout: &Layout) -> Result<Samples, String> {
    let (width, height, count) = jpeg_2000_size(bytes).ok_or("it has no image size")?;
    require_size(layout, width, height)?;
    // Before the decoder makes room for all of them.
    if count != layout.samples {
        return Err(format!("expected {} components, got {count}", layout.samples));
    }
    let image = jpeg2k::Image::from_bytes_with(bytes, jpeg2k::DecodeParameters::new().strict(true))
        .map_err(|error| error.to_string())?;
    let components = image.components();
    if components.len() != layout.samples {
        return Err(format!("expected {} components, got {}", layout.samples, components.len()));
    }
    for component in components {
        require_size(layout, u64::from(component.width()), u64::from(component.height()))?;
    }
    // Negative numbers keep their low bits, which is how the header's layout stores them.
    let mask = u32::MAX >> (32 - layout.bits_stored);
    let shift = layout.high_bit + 1 - layout.bits_stored;
    let values: Vec<u32> = components
        .iter()
        .flat_map(|component| component.data())
        .map(|value| (*value as u32 & mask) << shift)
        .collect();
    let planar = components.len() == 3;
    let colours = match layout.photometric.as_str() {
        // The decoder has undone the transforms that belong to JPEG 2000 itself.
        "YBR_ICT" | "YBR_RCT" => Colours::Rgb,
        _ => Colours::as_stored(layout),
    };
    Ok(Samples { values: interleaved(values, layout.rows * layout.columns, planar), colours })
}

/// Width, height and number of components of the SIZ segment, which follows the start of the codestream (T.800, section
/// A.5.1).
fn jpeg_2000_size(bytes: &[u8]) -> Option<(u64, u64, usize)> {
    const START: [u8; 4] = [0xFF, 0x4F, 0xFF, 0x51];
    let start = bytes.windows(4).position(|window| window == START)?;
    // After the marker: its length and capabilities (two bytes each), then four 32-bit numbers.
    let (numbers, _) = bytes.get(start + 8..start + 24)?.as_chunks::<4>();
    let [x1, y1, x0, y0] = [0, 1, 2, 3].map(|n| u64::from(u32::from_be_bytes(numbers[n])));
    // Four more for the tiles.
    let count = u16::from_be_bytes(*bytes.get(start + 40..)?.first_chunk()?);
    Some((x1.checked_sub(x0)?, y1.checked_sub(y0)?, usize::from(count)))
}
