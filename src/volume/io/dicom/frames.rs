//! Where the bytes of each frame lie in a file, and fetching them (PS3.5, section 8 and annex A.4).
//!
//! Invariant: what a frame claims to take is compared with the file before a byte of it is allocated.

use super::bytes::Bytes;
use super::elements::{END_OF_SEQUENCE, ElementHeader, Encoding, Fault, ITEM};
use super::file;
use super::header::{Image, Layout};
use crate::volume::io::IoError;

/// Stretches of a file: offset and length. A compressed frame may come in several.
type Stretches = Vec<(u64, u64)>;

/// The places of all frames of one file.
#[derive(Debug)]
pub(super) struct FrameIndex(Vec<Stretches>);

impl FrameIndex {
    /// Finds the frames of `image` without reading them.
    pub(super) fn of(image: &Image) -> Result<Self, IoError> {
        let Some(pixels) = &image.pixels else {
            return Err(bad(image, "it has no pixels".to_owned()));
        };
        let frames = image.planes.len();
        match (pixels.length, image.syntax.is_compressed()) {
            (Some(length), false) => {
                let frame = frame_bytes(&image.layout);
                let expected = frame.and_then(|frame| frame.checked_mul(frames as u64));
                // An odd number of bytes is padded to an even one.
                let fits =
                    expected.is_some_and(|expected| length == expected || length == expected + expected % 2);
                let (rows, columns) = (image.layout.rows, image.layout.columns);
                if !fits {
                    let claim = format!("{rows} rows of {columns} pixels in {frames} frames");
                    let expected =
                        expected.map_or(claim.clone(), |bytes| format!("{bytes} bytes for {claim}"));
                    return Err(IoError::field(
                        &image.path,
                        "PixelData",
                        expected,
                        format!("{length} bytes"),
                    ));
                }
                if length > image.pixel_bytes_left {
                    let expected_bytes = pixels.offset + length;
                    let found_bytes = pixels.offset + image.pixel_bytes_left;
                    return Err(IoError::Truncated { path: image.path.clone(), expected_bytes, found_bytes });
                }
                let frame = frame.unwrap_or(0);
                let start = |n: usize| pixels.offset + frame * n as u64;
                Ok(Self((0..frames).map(|n| vec![(start(n), frame)]).collect()))
            }
            (None, true) => {
                let mut bytes = open(image)?;
                let fragments = fragments(&mut bytes, pixels.offset, image.syntax.encoding, frames);
                fragments.map(Self).map_err(|fault| file::explain(&image.path, fault))
            }
            (Some(_), true) => {
                Err(bad(image, format!("its pixels are not compressed as {}", image.syntax.describe())))
            }
            (None, false) => {
                Err(bad(image, "its pixels are compressed, which its transfer syntax denies".to_owned()))
            }
        }
    }

    /// Fetches the bytes of one frame.
    pub(super) fn read(&self, image: &Image, frame: usize) -> Result<Vec<u8>, IoError> {
        let stretches =
            self.0.get(frame).ok_or_else(|| bad(image, format!("frame {} is missing", frame + 1)))?;
        let mut bytes = open(image)?;
        let mut data = Vec::new();
        for (offset, length) in stretches {
            let filled = data.len();
            data.resize(filled + *length as usize, 0);
            bytes
                .seek(*offset)
                .and_then(|()| bytes.read_exact(&mut data[filled..]))
                .map_err(|fault| file::explain(&image.path, fault))?;
        }
        Ok(data)
    }
}

/// Bytes of an uncompressed frame.
fn frame_bytes(layout: &Layout) -> Option<u64> {
    let samples = match layout.photometric.as_str() {
        // Two luminances share their colours.
        "YBR_FULL_422" => 2,
        _ => layout.samples as u64,
    };
    let pixels = (layout.rows as u64).checked_mul(layout.columns as u64)?;
    pixels.checked_mul(samples)?.checked_mul(u64::from(layout.bits_allocated / 8))
}

fn open(image: &Image) -> Result<Bytes, IoError> {
    let opened = file::open(&image.path)?;
    opened.map(|opened| opened.bytes).ok_or_else(|| bad(image, "it changed while it was read".to_owned()))
}

fn bad(image: &Image, why: String) -> IoError {
    IoError::BadDicom { path: image.path.clone(), why }
}

/// The fragments of each frame: one each, all for the only frame, or as the Basic Offset Table says.
fn fragments(
    bytes: &mut Bytes,
    start: u64,
    encoding: Encoding,
    frames: usize,
) -> Result<Vec<Stretches>, Fault> {
    bytes.seek(start)?;
    let table = item(bytes, encoding)?.ok_or(Fault::Frames { frames, fragments: 0 })?;
    let mut offsets = vec![0; table.1.min(4 * frames as u64) as usize];
    bytes.read_exact(&mut offsets)?;
    bytes.seek(table.0 + table.1)?;
    let first = bytes.position();
    let mut found = Vec::new();
    while let Some(fragment) = item(bytes, encoding)? {
        found.push(fragment);
        bytes.skip(fragment.1)?;
    }
    if frames == 1 {
        return Ok(vec![found]);
    }
    if found.len() == frames {
        return Ok(found.into_iter().map(|fragment| vec![fragment]).collect());
    }
    let (offsets, _) = offsets.as_chunks::<4>();
    let starts: Vec<u64> =
        offsets.iter().map(|offset| first + u64::from(u32::from_le_bytes(*offset))).collect();
    if starts.len() != frames {
        return Err(Fault::Frames { frames, fragments: found.len() });
    }
    let mut split = vec![Vec::new(); frames];
    for (offset, length) in found {
        // Offsets are those of the eight bytes before a fragment.
        let frame = starts.partition_point(|start| *start <= offset - 8);
        split[frame.saturating_sub(1)].push((offset, length));
    }
    Ok(split)
}

/// The next fragment's place, or `None` at the end of the sequence.
fn item(bytes: &mut Bytes, encoding: Encoding) -> Result<Option<(u64, u64)>, Fault> {
    // A writer that was in a hurry left the delimiter away.
    if bytes.left() == 0 {
        return Ok(None);
    }
    let header = ElementHeader::read(bytes, encoding)?;
    let (length, left) = (header.length, bytes.left());
    match header.tag {
        ITEM if u64::from(length) <= left => Ok(Some((bytes.position(), u64::from(length)))),
        ITEM => Err(Fault::Overlong { tag: header.tag, length, left }),
        END_OF_SEQUENCE => Ok(None),
        tag => Err(Fault::Stray(tag)),
    }
}
