//! The elements of a DICOM data set (PS3.5, section 7), met one after the other.
//!
//! Invariants: nothing here recurses, so that no file is nested too deeply for the stack; no length is believed before
//! it was compared with what is left of the element around it; and only values that a [`Visitor`] asks for are read, so
//! that what identifies the patient never leaves the file.

use super::bytes::Bytes;
use dicom_core::Tag;
use dicom_dictionary_std::tags;
use std::io;
use thiserror::Error;

/// Open sequences and items at a time. Functional groups need six; reports a few dozen.
const MOST_NESTED: usize = 128;

/// Elements met in one header; a multi-frame image of 10 000 frames has a few million.
const MOST_ELEMENTS: usize = 20_000_000;

/// The longest value that is read; everything asked for is shorter by far.
const LONGEST_VALUE: u64 = 1 << 16;

const UNDEFINED: u32 = u32::MAX;

/// Why a data set cannot be followed to its pixels.
#[derive(Debug, Error)]
pub(super) enum Fault {
    #[error(transparent)]
    System(#[from] io::Error),
    #[error("the file ends in the middle of an element")]
    Ends,
    #[error("element {tag} claims {length} bytes, and {left} are left")]
    Overlong { tag: Tag, length: u32, left: u64 },
    #[error("sequences are nested more than {MOST_NESTED} deep at {0}")]
    TooDeep(Tag),
    #[error("element {0} has no valid type (VR)")]
    Vr(Tag),
    #[error("delimiter {0} has no beginning")]
    Stray(Tag),
    #[error("it inflates to more than {0} bytes, half of the free memory")]
    Inflates(u64),
    #[error("it holds {frames} frames in {fragments} fragments, and no table says which belong together")]
    Frames { frames: usize, fragments: usize },
    #[error("more than {MOST_ELEMENTS} elements come before the pixels")]
    Endless,
}

/// How elements are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Encoding {
    /// Whether each element names its type.
    pub explicit: bool,
    pub big_endian: bool,
}

/// Where the pixels of a data set lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PixelData {
    /// PixelData, or one of the two elements for floating-point pixels.
    pub tag: Tag,
    /// Of the first byte after the element's header, counted from the start of the (inflated) file.
    pub offset: u64,
    /// `None`: encapsulated, in fragments.
    pub length: Option<u64>,
    /// Whether bytes come in 16-bit words, which matters where the file is big endian.
    pub in_words: bool,
}

/// A value as its type says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Numbers(Vec<f64>),
}

/// Says what of a data set is wanted, and takes it. A path names the sequences around an element, outermost first.
pub(super) trait Visitor {
    /// Whether to look into a sequence. Those of known length are stepped over otherwise.
    fn enters(&self, path: &[Tag], sequence: Tag) -> bool;
    /// Whether to read the value of an element.
    fn wants(&self, path: &[Tag], element: Tag) -> bool;
    /// An item begins in the innermost sequence of `path`.
    fn begin_item(&mut self, path: &[Tag]);
    fn take(&mut self, path: &[Tag], element: Tag, value: Value);
}

/// A sequence or item that has not ended yet.
struct Open {
    /// The sequence's tag, or `None` for an item.
    sequence: Option<Tag>,
    /// Where it ends, or `None` if a delimiter will say so.
    end: Option<u64>,
    encoding: Encoding,
}

/// Walks from where `bytes` stand to the pixels, or to the end of a data set without pixels.
pub(super) fn walk(
    bytes: &mut Bytes,
    encoding: Encoding,
    visitor: &mut impl Visitor,
) -> Result<Option<PixelData>, Fault> {
    let mut open: Vec<Open> = Vec::new();
    let mut path: Vec<Tag> = Vec::new();
    for _ in 0..MOST_ELEMENTS {
        while open.last().is_some_and(|innermost| innermost.end == Some(bytes.position())) {
            close(&mut open, &mut path);
        }
        let end = open.iter().rev().find_map(|container| container.end).unwrap_or(bytes.length());
        if open.is_empty() && bytes.position() >= bytes.length() {
            return Ok(None);
        }
        let here = open.last().map_or(encoding, |innermost| innermost.encoding);
        let header = ElementHeader::read(bytes, here)?;
        let tag = header.tag;
        let left = end.checked_sub(bytes.position()).ok_or(Fault::Ends)?;
        if tag.group() == DELIMITER_GROUP {
            step_structure(&header, left, bytes, here, &mut open, &mut path)?;
            if tag == ITEM && path.last().is_some_and(|sequence| !is_pixels(*sequence)) {
                visitor.begin_item(&path);
            }
            continue;
        }
        if open.is_empty() && is_pixels(tag) {
            let length = (header.length != UNDEFINED).then_some(u64::from(header.length));
            let in_words = header.vr.is_some_and(|vr| &vr == b"OW") || !here.explicit;
            return Ok(Some(PixelData { tag, offset: bytes.position(), length, in_words }));
        }
        if header.length != UNDEFINED && u64::from(header.length) > left {
            return Err(Fault::Overlong { tag, length: header.length, left });
        }
        if header.opens(|| visitor.enters(&path, tag)) {
            let end = (header.length != UNDEFINED).then(|| bytes.position() + u64::from(header.length));
            // A sequence whose type was unknown to its writer is encoded implicitly (PS3.5, section 6.2.2, note 5).
            let unknown = header.vr.is_some_and(|vr| &vr == b"UN");
            let encoding = if unknown { Encoding { explicit: false, big_endian: false } } else { here };
            push(&mut open, Open { sequence: Some(tag), end, encoding }, tag)?;
            path.push(tag);
        } else if u64::from(header.length) <= LONGEST_VALUE && visitor.wants(&path, tag) {
            let mut value = vec![0; header.length as usize];
            bytes.read_exact(&mut value)?;
            // Programs that did not know an element wrote its type as unknown, and its bytes as they were.
            let vr = header.vr.filter(|vr| vr != b"UN").unwrap_or_else(|| implicit_vr(tag));
            visitor.take(&path, tag, Value::decode(&value, vr, here.big_endian));
        } else {
            bytes.skip(u64::from(header.length))?;
        }
    }
    Err(Fault::Endless)
}

/// The tags that give a data set its structure (PS3.5, section 7.5), in a group of their own.
const DELIMITER_GROUP: u16 = 0xFFFE;
pub(super) const ITEM: Tag = Tag(DELIMITER_GROUP, 0xE000);
const END_OF_ITEM: Tag = Tag(DELIMITER_GROUP, 0xE00D);
pub(super) const END_OF_SEQUENCE: Tag = Tag(DELIMITER_GROUP, 0xE0DD);

fn is_pixels(tag: Tag) -> bool {
    matches!(tag, tags::PIXEL_DATA | tags::FLOAT_PIXEL_DATA | tags::DOUBLE_FLOAT_PIXEL_DATA)
}

/// Follows the beginning of an item, or the end of an item or sequence.
fn step_structure(
    header: &ElementHeader,
    left: u64,
    bytes: &mut Bytes,
    encoding: Encoding,
    open: &mut Vec<Open>,
    path: &mut Vec<Tag>,
) -> Result<(), Fault> {
    let tag = header.tag;
    let innermost = open.last().ok_or(Fault::Stray(tag))?;
    match tag {
        ITEM if innermost.sequence.is_some() => {
            if header.length != UNDEFINED && u64::from(header.length) > left {
                return Err(Fault::Overlong { tag, length: header.length, left });
            }
            // The fragments of a compressed icon look like items but hold no elements.
            if innermost.sequence.is_some_and(is_pixels) {
                return bytes.skip(u64::from(header.length));
            }
            let end = (header.length != UNDEFINED).then(|| bytes.position() + u64::from(header.length));
            push(open, Open { sequence: None, end, encoding }, tag)
        }
        END_OF_ITEM if innermost.sequence.is_none() && innermost.end.is_none() => {
            close(open, path);
            Ok(())
        }
        END_OF_SEQUENCE if innermost.sequence.is_some() && innermost.end.is_none() => {
            close(open, path);
            Ok(())
        }
        _ => Err(Fault::Stray(tag)),
    }
}

fn push(open: &mut Vec<Open>, container: Open, tag: Tag) -> Result<(), Fault> {
    if open.len() >= MOST_NESTED {
        return Err(Fault::TooDeep(tag));
    }
    open.push(container);
    Ok(())
}

fn close(open: &mut Vec<Open>, path: &mut Vec<Tag>) {
    if open.pop().is_some_and(|container| container.sequence.is_some()) {
        path.pop();
    }
}

/// What stands before a value (PS3.5, section 7.1).
pub(super) struct ElementHeader {
    pub tag: Tag,
    /// Two letters; `None` where types are implicit.
    pub vr: Option<[u8; 2]>,
    pub length: u32,
}

impl ElementHeader {
    pub(super) fn read(bytes: &mut Bytes, encoding: Encoding) -> Result<Self, Fault> {
        let mut head = [0; 8];
        bytes.read_exact(&mut head)?;
        let [t0, t1, t2, t3, v0, v1, l0, l1] = head;
        let u16_of =
            |pair| if encoding.big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) };
        let u32_of =
            |four| if encoding.big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) };
        let tag = Tag(u16_of([t0, t1]), u16_of([t2, t3]));
        if !encoding.explicit || tag.group() == DELIMITER_GROUP {
            return Ok(Self { tag, vr: None, length: u32_of([v0, v1, l0, l1]) });
        }
        let vr = [v0, v1];
        let length = match &vr {
            b"OB" | b"OD" | b"OF" | b"OL" | b"OV" | b"OW" | b"SQ" | b"SV" | b"UC" | b"UN" | b"UR" | b"UT"
            | b"UV" => {
                let mut long = [0; 4];
                bytes.read_exact(&mut long)?;
                u32_of(long)
            }
            _ if vr.iter().all(u8::is_ascii_uppercase) => u32::from(u16_of([l0, l1])),
            _ => return Err(Fault::Vr(tag)),
        };
        Ok(Self { tag, vr: Some(vr), length })
    }

    /// Whether to go into it: always where only its delimiter tells its end.
    fn opens(&self, wanted: impl FnOnce() -> bool) -> bool {
        let may_be_sequence = self.vr.is_none_or(|vr| matches!(&vr, b"SQ" | b"UN"));
        self.length == UNDEFINED || (may_be_sequence && wanted())
    }
}

impl Value {
    pub(super) fn decode(bytes: &[u8], vr: [u8; 2], big_endian: bool) -> Self {
        macro_rules! numbers {
            ($type:ty) => {{
                let (elements, _) = bytes.as_chunks::<{ size_of::<$type>() }>();
                let decode = if big_endian { <$type>::from_be_bytes } else { <$type>::from_le_bytes };
                Value::Numbers(elements.iter().map(|element| f64::from(decode(*element))).collect())
            }};
        }
        match &vr {
            b"US" => numbers!(u16),
            b"SS" => numbers!(i16),
            b"UL" => numbers!(u32),
            b"SL" => numbers!(i32),
            b"FL" => numbers!(f32),
            b"FD" => numbers!(f64),
            _ => {
                // Numbers and identifiers are ASCII; descriptions in other character sets keep their ASCII part.
                let text = String::from_utf8_lossy(bytes);
                Value::Text(text.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned())
            }
        }
    }
}

/// The type of an element that does not name it, among those that are ever wanted (PS3.6).
fn implicit_vr(tag: Tag) -> [u8; 2] {
    match tag {
        tags::SAMPLES_PER_PIXEL
        | tags::PLANAR_CONFIGURATION
        | tags::ROWS
        | tags::COLUMNS
        | tags::BITS_ALLOCATED
        | tags::BITS_STORED
        | tags::HIGH_BIT
        | tags::PIXEL_REPRESENTATION
        | tags::PIXEL_PADDING_VALUE
        | tags::PIXEL_PADDING_RANGE_LIMIT => *b"US",
        tags::TEMPORAL_POSITION_INDEX | tags::IN_STACK_POSITION_NUMBER => *b"UL",
        tags::EFFECTIVE_ECHO_TIME | tags::DIFFUSION_B_VALUE | tags::NOMINAL_CARDIAC_TRIGGER_DELAY_TIME => {
            *b"FD"
        }
        _ => *b"LO",
    }
}
