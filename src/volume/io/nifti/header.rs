//! The fields of a NIfTI header that this program reads or writes, the same for both versions.
//!
//! Sources: nifti1.h (NIfTI-1.1, 348 bytes) and nifti2.h (NIfTI-2, 540 bytes) of the NIfTI Data Format Working Group.
//! Invariant: a decoded header has 1 to 7 dimensions, each at least 1, whose product was not yet formed.

use super::super::IoError;
use super::{Extension, SpatialHeader, extension, foreign};
use std::path::Path;

/// Which layout a header has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    One,
    Two,
}

impl Version {
    /// "NIfTI-1" or "NIfTI-2".
    pub fn name(self) -> &'static str {
        match self {
            Version::One => "NIfTI-1",
            Version::Two => "NIfTI-2",
        }
    }

    /// Bytes of the header itself, as its first field says.
    pub(super) const fn header_bytes(self) -> usize {
        match self {
            Version::One => 348,
            Version::Two => 540,
        }
    }

    /// Where voxels start at the earliest in a single file: behind the header and four bytes that announce extensions.
    pub(super) fn first_voxel_byte(self) -> u64 {
        self.header_bytes() as u64 + 4
    }
}

/// Whether the first bytes announce the header of NIfTI-2, the longer one.
pub(super) fn is_longer(bytes: &[u8]) -> bool {
    let announced = 540i32.to_le_bytes();
    bytes.starts_with(&announced)
        || bytes.starts_with(&[announced[3], announced[2], announced[1], announced[0]])
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header {
    pub version: Version,
    pub big_endian: bool,
    /// Header and voxels in one file (`.nii`), or a `.hdr`/`.img` pair.
    pub single_file: bool,
    /// Sizes along every dimension, as many as there are.
    pub dims: Vec<u64>,
    pub datatype: i16,
    pub bitpix: i16,
    pub intent_code: i32,
    pub vox_offset: f64,
    pub scl_slope: f64,
    pub scl_inter: f64,
    pub spatial: SpatialHeader,
}

impl Header {
    /// Decodes the first bytes of `path`.
    pub(super) fn decode(path: &Path, bytes: &[u8]) -> Result<Self, IoError> {
        let (version, big_endian, single_file) = recognise(path, bytes)?;
        let fields = Fields { bytes, big_endian };
        let dim = match version {
            Version::One => std::array::from_fn(|n| i64::from(fields.i16(40 + 2 * n))),
            Version::Two => std::array::from_fn(|n| fields.i64(16 + 8 * n)),
        };
        let dims = check_dims(path, dim)?;
        match version {
            Version::One => Self::decode_one(path, &bytes[..348], dims, big_endian, single_file),
            Version::Two => Ok(Self::decode_two(&fields, dims, single_file)),
        }
    }

    /// NIfTI-1 fields by way of the `nifti` crate, which takes the byte order from `dim[0]`: checked before.
    fn decode_one(
        path: &Path,
        bytes: &[u8],
        dims: Vec<u64>,
        big_endian: bool,
        single_file: bool,
    ) -> Result<Self, IoError> {
        let header = nifti::NiftiHeader::from_reader(bytes)
            .map_err(|error| IoError::NotNifti { path: path.to_owned(), why: error.to_string() })?;
        let wide = |row: [f32; 4]| row.map(f64::from);
        let spatial = SpatialHeader {
            version: Version::One,
            qform_code: header.qform_code.into(),
            sform_code: header.sform_code.into(),
            quatern: [header.quatern_b, header.quatern_c, header.quatern_d].map(f64::from),
            qoffset: [header.quatern_x, header.quatern_y, header.quatern_z].map(f64::from),
            srow: [wide(header.srow_x), wide(header.srow_y), wide(header.srow_z)],
            pixdim: std::array::from_fn(|n| f64::from(header.pixdim[n])),
            xyzt_units: header.xyzt_units.into(),
            size_unknown: says(&bytes[148..228], SIZE_UNKNOWN),
            slices_missing: says(&bytes[148..228], SLICES_MISSING),
        };
        Ok(Self {
            version: Version::One,
            big_endian,
            single_file,
            dims,
            datatype: header.datatype,
            bitpix: header.bitpix,
            intent_code: header.intent_code.into(),
            vox_offset: header.vox_offset.into(),
            scl_slope: header.scl_slope.into(),
            scl_inter: header.scl_inter.into(),
            spatial,
        })
    }

    fn decode_two(fields: &Fields, dims: Vec<u64>, single_file: bool) -> Self {
        let spatial = SpatialHeader {
            version: Version::Two,
            qform_code: fields.i32(344),
            sform_code: fields.i32(348),
            quatern: fields.f64s(352),
            qoffset: fields.f64s(376),
            srow: [fields.f64s(400), fields.f64s(432), fields.f64s(464)],
            pixdim: fields.f64s(104),
            xyzt_units: fields.i32(500),
            size_unknown: says(&fields.bytes[240..320], SIZE_UNKNOWN),
            slices_missing: says(&fields.bytes[240..320], SLICES_MISSING),
        };
        Self {
            version: Version::Two,
            big_endian: fields.big_endian,
            single_file,
            dims,
            datatype: fields.i16(12),
            bitpix: fields.i16(14),
            intent_code: fields.i32(504),
            vox_offset: fields.i64(168) as f64,
            scl_slope: fields.f64(176),
            scl_inter: fields.f64(184),
            spatial,
        }
    }

    /// The header and its extensions, little endian, for a single file; voxels follow at `vox_offset`.
    pub(super) fn encode(&self, extensions: &[Extension]) -> Vec<u8> {
        let mut out = Encoder { bytes: vec![0; self.version.header_bytes()] };
        match self.version {
            Version::One => self.encode_one(&mut out),
            Version::Two => self.encode_two(&mut out),
        }
        out.bytes.extend(extension::encode(extensions));
        out.bytes
    }

    fn encode_one(&self, out: &mut Encoder) {
        let spatial = &self.spatial;
        out.put(0, 348i32.to_le_bytes());
        // Obsolete, but some ANALYZE-era readers insist on it.
        out.put(38, *b"r");
        for (n, size) in self.dim_fields().into_iter().enumerate() {
            out.put(40 + 2 * n, (size as i16).to_le_bytes());
        }
        out.put(68, (self.intent_code as i16).to_le_bytes());
        out.put(70, self.datatype.to_le_bytes());
        out.put(72, self.bitpix.to_le_bytes());
        out.put_f32s(76, &spatial.pixdim);
        // Unused dimensions: 1, as other writers do.
        out.put_f32s(92, &[1.0; 4]);
        out.put_f32s(108, &[self.vox_offset, self.scl_slope, self.scl_inter]);
        out.put(123, [spatial.xyzt_units as u8]);
        out.put(148, description(spatial));
        out.put(252, (spatial.qform_code as i16).to_le_bytes());
        out.put(254, (spatial.sform_code as i16).to_le_bytes());
        out.put_f32s(256, &spatial.quatern);
        out.put_f32s(268, &spatial.qoffset);
        out.put_f32s(280, spatial.srow.as_flattened());
        out.put(344, *b"n+1\0");
    }

    fn encode_two(&self, out: &mut Encoder) {
        let spatial = &self.spatial;
        out.put(0, 540i32.to_le_bytes());
        out.put(4, *b"n+2\0\r\n\x1a\n");
        out.put(12, self.datatype.to_le_bytes());
        out.put(14, self.bitpix.to_le_bytes());
        for (n, size) in self.dim_fields().into_iter().enumerate() {
            out.put(16 + 8 * n, (size as i64).to_le_bytes());
        }
        out.put_f64s(104, &spatial.pixdim);
        out.put_f64s(136, &[1.0; 4]);
        out.put(168, (self.vox_offset as i64).to_le_bytes());
        out.put_f64s(176, &[self.scl_slope, self.scl_inter]);
        out.put(240, description(spatial));
        out.put(344, spatial.qform_code.to_le_bytes());
        out.put(348, spatial.sform_code.to_le_bytes());
        out.put_f64s(352, &spatial.quatern);
        out.put_f64s(376, &spatial.qoffset);
        out.put_f64s(400, spatial.srow.as_flattened());
        out.put(500, spatial.xyzt_units.to_le_bytes());
        out.put(504, self.intent_code.to_le_bytes());
    }

    /// dim[0..8] as stored: their number, the sizes, and 1 for those unused.
    fn dim_fields(&self) -> [u64; 8] {
        let mut fields = [1; 8];
        fields[0] = self.dims.len() as u64;
        fields[1..=self.dims.len()].copy_from_slice(&self.dims);
        fields
    }
}

/// How `descrip` begins in files of this program.
const WRITER: &str = "MindGap";
const SIZE_UNKNOWN: &str = "; voxel size unknown";
const SLICES_MISSING: &str = "; slices missing";

/// Goes into the 80 bytes of `descrip`: who wrote the file, what its other fields cannot say of the grid, and nothing about
/// the patient.
fn description(spatial: &SpatialHeader) -> String {
    let marks = [(spatial.size_unknown, SIZE_UNKNOWN), (spatial.slices_missing, SLICES_MISSING)];
    let said = marks.into_iter().filter_map(|(applies, mark)| applies.then_some(mark));
    std::iter::once(WRITER).chain(said).collect()
}

/// Whether `descrip` has a mark of [`description`].
fn says(descrip: &[u8], mark: &str) -> bool {
    descrip.starts_with(WRITER.as_bytes())
        && descrip.windows(mark.len()).any(|window| window == mark.as_bytes())
}

/// Version, byte order and whether the voxels are in the same file, or what the file is instead.
fn recognise(path: &Path, bytes: &[u8]) -> Result<(Version, bool, bool), IoError> {
    let not_nifti = |why: String| IoError::NotNifti { path: path.to_owned(), why };
    if let Some(name) = foreign::name_of(bytes) {
        return Err(not_nifti(format!("this is {name}")));
    }
    if bytes.len() < 348 {
        return Err(not_nifti(format!("only {} bytes, and a header has 348", bytes.len())));
    }
    let size = i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let (size, big_endian) =
        if matches!(size, 348 | 540) { (size, false) } else { (size.swap_bytes(), true) };
    let (one, two) = (&bytes[344..348], &bytes[4..12]);
    match size {
        348 if matches!(one, b"n+1\0" | b"ni1\0") => Ok((Version::One, big_endian, one == b"n+1\0")),
        348 if one == [0; 4] => Err(not_nifti(
            "this is an ANALYZE 7.5 header, which does not tell left from right: convert it to NIfTI".into(),
        )),
        348 => Err(not_nifti(format!("magic: expected n+1 or ni1, got \"{}\"", one.escape_ascii()))),
        540 if matches!(two, b"n+2\0\r\n\x1a\n" | b"ni2\0\r\n\x1a\n") => {
            if bytes.len() < 540 {
                return Err(not_nifti(format!("only {} bytes, and a NIfTI-2 header has 540", bytes.len())));
            }
            Ok((Version::Two, big_endian, two.starts_with(b"n+2")))
        }
        540 => Err(not_nifti(format!("magic: expected n+2 or ni2, got \"{}\"", two.escape_ascii()))),
        _ => Err(not_nifti(format!("sizeof_hdr: expected 348 or 540, got {}", size.swap_bytes()))),
    }
}

fn check_dims(path: &Path, dim: [i64; 8]) -> Result<Vec<u64>, IoError> {
    let count = dim[0];
    if !(1..=7).contains(&count) {
        return Err(IoError::field(path, "dim[0]", "1 to 7 dimensions", count));
    }
    let sizes = dim[1..=count as usize].iter().enumerate();
    sizes
        .map(|(n, &size)| {
            u64::try_from(size)
                .ok()
                .filter(|size| *size > 0)
                .ok_or_else(|| IoError::field(path, format!("dim[{}]", n + 1), "a size of at least 1", size))
        })
        .collect()
}

/// Numbers at byte offsets, in the file's byte order. Offsets are constants below the length checked by `recognise`.
struct Fields<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl Fields<'_> {
    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut array = [0; N];
        array.copy_from_slice(&self.bytes[at..at + N]);
        if self.big_endian {
            array.reverse();
        }
        array
    }

    fn i16(&self, at: usize) -> i16 {
        i16::from_le_bytes(self.array(at))
    }

    fn i32(&self, at: usize) -> i32 {
        i32::from_le_bytes(self.array(at))
    }

    fn i64(&self, at: usize) -> i64 {
        i64::from_le_bytes(self.array(at))
    }

    fn f64(&self, at: usize) -> f64 {
        f64::from_le_bytes(self.array(at))
    }

    fn f64s<const N: usize>(&self, at: usize) -> [f64; N] {
        std::array::from_fn(|n| self.f64(at + 8 * n))
    }
}

struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    fn put(&mut self, at: usize, value: impl AsRef<[u8]>) {
        let value = value.as_ref();
        self.bytes[at..at + value.len()].copy_from_slice(value);
    }

    fn put_f32s(&mut self, at: usize, values: &[f64]) {
        for (n, value) in values.iter().enumerate() {
            self.put(at + 4 * n, (*value as f32).to_le_bytes());
        }
    }

    fn put_f64s(&mut self, at: usize, values: &[f64]) {
        for (n, value) in values.iter().enumerate() {
            self.put(at + 8 * n, value.to_le_bytes());
        }
    }
}
