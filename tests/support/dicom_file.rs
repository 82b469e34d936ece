//! Small DICOM files, written by another implementation than the one that is tested.

use dicom_core::{
    DataElement, PrimitiveValue, Tag, VR, value::DataSetSequence, value::PixelFragmentSequence,
};
use dicom_dictionary_std::tags;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use std::path::{Path, PathBuf};

pub const IMPLICIT: &str = "1.2.840.10008.1.2";
pub const EXPLICIT: &str = "1.2.840.10008.1.2.1";
pub const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
pub const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";

/// Columns and rows of every slice.
pub const SIZE: [usize; 2] = [4, 3];

/// The data set of one image: an axial CT slice of 4 x 3 pixels at 0.5 x 0.75 mm, 12 of 16 bits, unsigned.
#[derive(Clone)]
pub struct Slice(pub InMemDicomObject);

impl Slice {
    /// Slice `number` of a series, 2 mm from the one before; pixel n holds 100 * number + n.
    pub fn ct(number: i32) -> Self {
        let mut slice = Slice(InMemDicomObject::new_empty())
            .text(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.2")
            .text(tags::SOP_INSTANCE_UID, VR::UI, &format!("1.2.3.4.{number}"))
            .text(tags::SERIES_INSTANCE_UID, VR::UI, "1.2.3")
            .text(tags::MODALITY, VR::CS, "CT")
            .text(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\AXIAL")
            .text(tags::PATIENT_NAME, VR::PN, "Secret^Name")
            .text(tags::PATIENT_ID, VR::LO, "SECRET-ID")
            .text(tags::SERIES_DESCRIPTION, VR::LO, "Thorax")
            .text(tags::SLICE_THICKNESS, VR::DS, "2")
            .text(tags::SERIES_NUMBER, VR::IS, "5")
            .text(tags::INSTANCE_NUMBER, VR::IS, &number.to_string())
            .text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\1\\0")
            .text(tags::PIXEL_SPACING, VR::DS, "0.75\\0.5")
            .text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2")
            .text(tags::RESCALE_SLOPE, VR::DS, "1")
            .text(tags::RESCALE_INTERCEPT, VR::DS, "-1000")
            .at([-10.0, -20.0, 2.0 * f64::from(number)]);
        let counts = [
            (tags::SAMPLES_PER_PIXEL, 1),
            (tags::ROWS, SIZE[1] as u16),
            (tags::COLUMNS, SIZE[0] as u16),
            (tags::BITS_ALLOCATED, 16),
            (tags::BITS_STORED, 12),
            (tags::HIGH_BIT, 11),
            (tags::PIXEL_REPRESENTATION, 0),
        ];
        for (tag, count) in counts {
            slice = slice.count(tag, count);
        }
        slice.pixels16(&ramp(number))
    }

    /// The same of an MR, without any rescale.
    pub fn mr(number: i32) -> Self {
        Self::ct(number)
            .text(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.4")
            .text(tags::MODALITY, VR::CS, "MR")
            .without(tags::RESCALE_SLOPE)
            .without(tags::RESCALE_INTERCEPT)
    }

    pub fn text(mut self, tag: Tag, vr: VR, value: &str) -> Self {
        self.0.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
        self
    }

    pub fn count(mut self, tag: Tag, value: u16) -> Self {
        self.0.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
        self
    }

    pub fn without(mut self, tag: Tag) -> Self {
        self.0.remove_element(tag);
        self
    }

    /// Centre of the first pixel, LPS mm.
    pub fn at(self, [x, y, z]: [f64; 3]) -> Self {
        self.text(tags::IMAGE_POSITION_PATIENT, VR::DS, &format!("{x}\\{y}\\{z}"))
    }

    pub fn uid(self, tag: Tag, uid: &str) -> Self {
        self.text(tag, VR::UI, uid)
    }

    pub fn pixels16(mut self, values: &[u16]) -> Self {
        let value = PrimitiveValue::U16(values.iter().copied().collect());
        self.0.put(DataElement::new(tags::PIXEL_DATA, VR::OW, value));
        self
    }

    pub fn pixels8(mut self, values: &[u8]) -> Self {
        let value = PrimitiveValue::U8(values.iter().copied().collect());
        self.0.put(DataElement::new(tags::PIXEL_DATA, VR::OB, value));
        self
    }

    /// Compressed pixels, one fragment a frame.
    pub fn fragments(mut self, fragments: &[Vec<u8>]) -> Self {
        let value = PixelFragmentSequence::new(Vec::new(), fragments.to_vec());
        self.0.put(DataElement::new(tags::PIXEL_DATA, VR::OB, value));
        self
    }

    /// A sequence of items.
    pub fn sequence(mut self, tag: Tag, items: Vec<InMemDicomObject>) -> Self {
        self.0.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(items)));
        self
    }

    pub fn write(self, path: &Path, syntax: &str) {
        let meta = FileMetaTableBuilder::new().transfer_syntax(syntax);
        self.0.with_meta(meta).unwrap().write_to_file(path).unwrap();
    }

    /// The whole file.
    pub fn bytes(self, syntax: &str) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slice.dcm");
        self.write(&path, syntax);
        std::fs::read(path).unwrap()
    }
}

/// What [`Slice::ct`] stores.
pub fn ramp(number: i32) -> Vec<u16> {
    (0..(SIZE[0] * SIZE[1]) as u16).map(|n| 100 * number as u16 + n).collect()
}

/// A folder of slices that goes away with it.
pub struct Series {
    folder: tempfile::TempDir,
}

impl Series {
    /// One explicit little-endian file for each slice. Their names run against their order.
    pub fn of(slices: impl IntoIterator<Item = Slice>) -> Self {
        let series = Self { folder: tempfile::tempdir().unwrap() };
        series.add("", slices);
        series
    }

    pub fn add(&self, prefix: &str, slices: impl IntoIterator<Item = Slice>) {
        for (number, slice) in slices.into_iter().enumerate() {
            slice.write(&self.file(&format!("{prefix}{:03}.dcm", 999 - number)), EXPLICIT);
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// One file of some bytes, in a folder that goes away with it.
pub fn saved(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slice.dcm");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}
