//! What one DICOM file says of its image: the attributes that decide where each frame lies and what its numbers mean.
//!
//! Invariant: the patient's name, number and dates are not among [`WANTED`], so nothing here can tell them.

use super::bytes::Bytes;
use super::elements::{self, PixelData, Value, Visitor};
use super::file::{self, Opened};
use super::syntax::Syntax;
use crate::volume::Scaling;
use crate::volume::io::IoError;
use dicom_core::Tag;
use dicom_dictionary_std::tags;
use glam::DVec3;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What tells volumes apart that lie at the same place: a name for people, and where it is found. In this order of trust.
pub(super) const KEYS: [(&str, &[Tag]); 9] = [
    ("time point", &[tags::TEMPORAL_POSITION_IDENTIFIER, tags::TEMPORAL_POSITION_INDEX]),
    ("echo number", &[tags::ECHO_NUMBERS]),
    ("echo time", &[tags::ECHO_TIME, tags::EFFECTIVE_ECHO_TIME]),
    ("b-value", &[tags::DIFFUSION_B_VALUE]),
    ("inversion time", &[tags::INVERSION_TIME]),
    ("image type", &[tags::IMAGE_TYPE, tags::FRAME_TYPE]),
    ("trigger time", &[tags::TRIGGER_TIME, tags::NOMINAL_CARDIAC_TRIGGER_DELAY_TIME]),
    ("acquisition number", &[tags::ACQUISITION_NUMBER]),
    ("acquisition time", &[tags::ACQUISITION_TIME]),
];

/// Read from the outermost level of every file, beside [`KEYS`] and [`OF_A_PLANE`].
const WANTED: [Tag; 20] = [
    tags::SOP_CLASS_UID,
    tags::SOP_INSTANCE_UID,
    tags::SERIES_INSTANCE_UID,
    tags::FRAME_OF_REFERENCE_UID,
    tags::MODALITY,
    tags::SERIES_DESCRIPTION,
    tags::SERIES_NUMBER,
    tags::INSTANCE_NUMBER,
    tags::NUMBER_OF_FRAMES,
    tags::SAMPLES_PER_PIXEL,
    tags::PHOTOMETRIC_INTERPRETATION,
    tags::PLANAR_CONFIGURATION,
    tags::ROWS,
    tags::COLUMNS,
    tags::BITS_ALLOCATED,
    tags::BITS_STORED,
    tags::HIGH_BIT,
    tags::PIXEL_REPRESENTATION,
    tags::PIXEL_PADDING_VALUE,
    tags::PIXEL_PADDING_RANGE_LIMIT,
];

/// Read from every file, and from the functional groups of every frame (PS3.3, section C.7.6.16).
const OF_A_PLANE: [Tag; 8] = [
    tags::IMAGE_POSITION_PATIENT,
    tags::IMAGE_ORIENTATION_PATIENT,
    tags::PIXEL_SPACING,
    tags::SLICE_THICKNESS,
    tags::SPACING_BETWEEN_SLICES,
    tags::RESCALE_SLOPE,
    tags::RESCALE_INTERCEPT,
    tags::RESCALE_TYPE,
];

/// The functional groups that hold them.
const GROUPS: [Tag; 10] = [
    tags::PLANE_POSITION_SEQUENCE,
    tags::PLANE_ORIENTATION_SEQUENCE,
    tags::PIXEL_MEASURES_SEQUENCE,
    tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE,
    tags::FRAME_CONTENT_SEQUENCE,
    tags::MR_ECHO_SEQUENCE,
    tags::MR_DIFFUSION_SEQUENCE,
    tags::CARDIAC_SYNCHRONIZATION_SEQUENCE,
    tags::MR_IMAGE_FRAME_TYPE_SEQUENCE,
    tags::CT_IMAGE_FRAME_TYPE_SEQUENCE,
];

/// One file's image.
#[derive(Debug)]
pub(super) struct Image {
    pub path: PathBuf,
    pub syntax: Syntax,
    pub sop_class: String,
    pub sop_instance: String,
    pub series: String,
    /// Empty where none is given.
    pub frame_of_reference: String,
    pub modality: String,
    pub description: String,
    pub series_number: Option<i32>,
    pub image_type: String,
    pub layout: Layout,
    /// Stored values, first and last, that mean "nothing was measured here".
    pub padding: Option<[f64; 2]>,
    /// `None`: this holds no image.
    pub pixels: Option<PixelData>,
    /// Bytes that the file has from the first pixel on.
    pub pixel_bytes_left: u64,
    /// How many frames the file claims to hold.
    pub frames: usize,
    /// One for each frame that the functional groups describe, or one for the file; never empty.
    pub planes: Vec<Plane>,
}

/// How the pixels of a frame are arranged (PS3.3, section C.7.6.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub rows: usize,
    pub columns: usize,
    pub samples: usize,
    pub photometric: String,
    /// Whether all reds come first, then all greens, then all blues.
    pub planar: bool,
    pub bits_allocated: u32,
    pub bits_stored: u32,
    pub high_bit: u32,
    pub signed: bool,
}

/// Where one frame lies, what its values mean, and what tells it from others at the same place.
#[derive(Debug, Clone)]
pub(super) struct Plane {
    /// Centre of the first pixel, LPS mm.
    pub position: Option<DVec3>,
    /// Unit vectors (LPS) along a row, where the column index grows, and along a column.
    pub axes: Option<[DVec3; 2]>,
    /// Between columns (along i) and between rows (along j).
    pub spacing_mm: Option<[f64; 2]>,
    pub thickness_mm: Option<f64>,
    pub spacing_between_mm: Option<f64>,
    pub rescale: Option<Scaling>,
    /// "HU", "US", ...
    pub rescale_type: String,
    /// As [`KEYS`] lists them.
    pub keys: [Option<Key>; KEYS.len()],
    pub instance: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub(super) enum Key {
    Number(f64),
    Text(String),
}

/// Reads the header of `path`; `None` for what is not DICOM, or a DICOMDIR.
pub(super) fn read(path: &Path) -> Result<Option<Image>, IoError> {
    let Some(Opened { mut bytes, syntax, is_directory }) = file::open(path)? else { return Ok(None) };
    if is_directory {
        return Ok(None);
    }
    let mut collector = Collector::default();
    let pixels = elements::walk(&mut bytes, syntax.encoding, &mut collector)
        .map_err(|fault| file::explain(path, fault))?;
    Ok(Some(collector.into_image(path, syntax, pixels, &bytes)))
}

/// The values that were taken from one level of a file.
#[derive(Default)]
struct Attributes(BTreeMap<Tag, Value>);

impl Attributes {
    fn text(&self, tag: Tag) -> String {
        match self.0.get(&tag) {
            Some(Value::Text(text)) => text.clone(),
            _ => String::new(),
        }
    }

    /// All numbers of a value, or none if one of them is not a number.
    fn numbers(&self, tag: Tag) -> Vec<f64> {
        match self.0.get(&tag) {
            Some(Value::Numbers(numbers)) => numbers.clone(),
            Some(Value::Text(text)) => {
                let numbers: Option<Vec<f64>> =
                    text.split('\\').map(|part| part.trim().parse().ok()).collect();
                numbers.unwrap_or_default()
            }
            None => Vec::new(),
        }
    }

    fn number(&self, tag: Tag) -> Option<f64> {
        self.numbers(tag).first().copied().filter(|number| number.is_finite())
    }

    fn count(&self, tag: Tag) -> Option<u32> {
        self.number(tag).map(|number| number as u32)
    }

    fn key(&self, tag: Tag) -> Option<Key> {
        self.number(tag).map(Key::Number).or_else(|| {
            let text = self.text(tag);
            (!text.is_empty()).then_some(Key::Text(text))
        })
    }
}

/// Takes what is wanted from the outermost level and from the functional groups.
#[derive(Default)]
struct Collector {
    file: Attributes,
    shared: Attributes,
    frames: Vec<Attributes>,
}

impl Visitor for Collector {
    fn enters(&self, path: &[Tag], sequence: Tag) -> bool {
        match path {
            [] => is_functional(sequence),
            [outermost] => is_functional(*outermost) && GROUPS.contains(&sequence),
            _ => false,
        }
    }

    fn wants(&self, path: &[Tag], element: Tag) -> bool {
        let of_a_plane =
            OF_A_PLANE.contains(&element) || KEYS.iter().any(|(_, places)| places.contains(&element));
        match path {
            [] => of_a_plane || WANTED.contains(&element),
            [outermost, group] => is_functional(*outermost) && GROUPS.contains(group) && of_a_plane,
            _ => false,
        }
    }

    fn begin_item(&mut self, path: &[Tag]) {
        if path == [tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE] {
            self.frames.push(Attributes::default());
        }
    }

    fn take(&mut self, path: &[Tag], element: Tag, value: Value) {
        let level = match path.first() {
            None => Some(&mut self.file),
            Some(&tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE) => Some(&mut self.shared),
            Some(_) => self.frames.last_mut(),
        };
        if let Some(Attributes(values)) = level {
            values.insert(element, value);
        }
    }
}

fn is_functional(sequence: Tag) -> bool {
    matches!(sequence, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE | tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE)
}

impl Collector {
    fn into_image(self, path: &Path, syntax: Syntax, pixels: Option<PixelData>, bytes: &Bytes) -> Image {
        let file = &self.file;
        let layout = layout(file);
        let planes = if self.frames.is_empty() {
            vec![plane(&[file])]
        } else {
            self.frames.iter().map(|frame| plane(&[frame, &self.shared, file])).collect()
        };
        Image {
            path: path.to_owned(),
            syntax,
            sop_class: file.text(tags::SOP_CLASS_UID),
            sop_instance: file.text(tags::SOP_INSTANCE_UID),
            series: file.text(tags::SERIES_INSTANCE_UID),
            frame_of_reference: file.text(tags::FRAME_OF_REFERENCE_UID),
            modality: file.text(tags::MODALITY),
            description: file.text(tags::SERIES_DESCRIPTION),
            series_number: file.number(tags::SERIES_NUMBER).map(|number| number as i32),
            image_type: file.text(tags::IMAGE_TYPE),
            padding: padding(file, &layout),
            layout,
            pixels,
            pixel_bytes_left: bytes.left(),
            frames: file.count(tags::NUMBER_OF_FRAMES).unwrap_or(1).max(1) as usize,
            planes,
        }
    }
}

fn layout(file: &Attributes) -> Layout {
    let bits_allocated = file.count(tags::BITS_ALLOCATED).unwrap_or(16);
    let bits_stored = file.count(tags::BITS_STORED).unwrap_or(bits_allocated);
    Layout {
        rows: file.count(tags::ROWS).unwrap_or(0) as usize,
        columns: file.count(tags::COLUMNS).unwrap_or(0) as usize,
        samples: file.count(tags::SAMPLES_PER_PIXEL).unwrap_or(1) as usize,
        photometric: file.text(tags::PHOTOMETRIC_INTERPRETATION),
        planar: file.count(tags::PLANAR_CONFIGURATION) == Some(1),
        bits_allocated,
        bits_stored,
        high_bit: file.count(tags::HIGH_BIT).unwrap_or(bits_stored.saturating_sub(1)),
        signed: file.count(tags::PIXEL_REPRESENTATION) == Some(1),
    }
}

/// PixelPaddingValue is written as unsigned even where pixels are signed, so its bits are read as theirs are.
fn padding(file: &Attributes, layout: &Layout) -> Option<[f64; 2]> {
    let as_pixel = |number: f64| {
        let bits = number as i64 as u16;
        if layout.signed { f64::from(bits as i16) } else { f64::from(bits) }
    };
    let value = as_pixel(file.number(tags::PIXEL_PADDING_VALUE)?);
    let limit = file.number(tags::PIXEL_PADDING_RANGE_LIMIT).map_or(value, as_pixel);
    Some([value.min(limit), value.max(limit)])
}

/// A frame's plane, each attribute from the first of `levels` that has it.
fn plane(levels: &[&Attributes]) -> Plane {
    let numbers = |tag| levels.iter().map(|level| level.numbers(tag)).find(|found| !found.is_empty());
    let number = |tag| levels.iter().find_map(|level| level.number(tag));
    let positive = |tag| number(tag).filter(|length| *length > 0.0);
    let vectors = |tag, count: usize| {
        let values =
            numbers(tag).filter(|values| values.len() == count && values.iter().all(|v| v.is_finite()))?;
        Some(values.as_chunks::<3>().0.iter().map(|xyz| DVec3::from_array(*xyz)).collect::<Vec<_>>())
    };
    let rescale = number(tags::RESCALE_SLOPE)
        .filter(|slope| *slope != 0.0)
        .map(|slope| Scaling { slope, intercept: number(tags::RESCALE_INTERCEPT).unwrap_or(0.0) });
    let spacing =
        numbers(tags::PIXEL_SPACING).filter(|s| s.len() == 2 && s.iter().all(|v| *v > 0.0 && v.is_finite()));
    Plane {
        position: vectors(tags::IMAGE_POSITION_PATIENT, 3).map(|found| found[0]),
        axes: vectors(tags::IMAGE_ORIENTATION_PATIENT, 6).and_then(|found| unit_axes(found[0], found[1])),
        // PixelSpacing is "between rows, between columns".
        spacing_mm: spacing.map(|between| [between[1], between[0]]),
        thickness_mm: positive(tags::SLICE_THICKNESS),
        spacing_between_mm: number(tags::SPACING_BETWEEN_SLICES).map(f64::abs).filter(|length| *length > 0.0),
        rescale,
        rescale_type: levels
            .iter()
            .map(|level| level.text(tags::RESCALE_TYPE))
            .find(|t| !t.is_empty())
            .unwrap_or_default(),
        keys: KEYS
            .map(|(_, places)| levels.iter().find_map(|level| places.iter().find_map(|tag| level.key(*tag)))),
        instance: number(tags::INSTANCE_NUMBER),
    }
}

/// Both directions at unit length, if they are directions at all: not null, and at right angles to within a degree or so.
fn unit_axes(row: DVec3, column: DVec3) -> Option<[DVec3; 2]> {
    let (along_row, along_column) = (row.try_normalize()?, column.try_normalize()?);
    let right = along_row.dot(along_column).abs() < 0.02;
    let unit = [row, column].iter().all(|axis| (axis.length() - 1.0).abs() < 0.02);
    (right && unit).then_some([along_row, along_column])
}
