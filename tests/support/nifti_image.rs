//! Any NIfTI file that is right: both versions, both byte orders, every type, place and unit, with its bytes known.
//!
//! Made field by field from nifti1.h and nifti2.h, not by the program's own writer.

use proptest::prelude::*;

/// NIfTI's codes of the numeric types, and their bytes a voxel.
const TYPES: [(i16, usize); 10] =
    [(2, 1), (256, 1), (4, 2), (512, 2), (8, 4), (768, 4), (16, 4), (1024, 8), (1280, 8), (64, 8)];

#[derive(Debug, Clone)]
pub struct Image {
    pub version_two: bool,
    pub big_endian: bool,
    pub dims: [usize; 3],
    /// NIfTI's code, and bytes a voxel.
    pub datatype: (i16, usize),
    pub slope: f32,
    pub intercept: f32,
    pub qform_code: i32,
    pub sform_code: i32,
    pub quatern: [f32; 3],
    pub qoffset: [f32; 3],
    pub srow: [f32; 12],
    pub pixdim: [f32; 4],
    pub units: u8,
    pub extension: Option<(i32, Vec<u8>)>,
    /// Little endian, whatever the file is.
    pub voxels: Vec<u8>,
}

/// Any image: one of the 48 axis orders, straight, oblique or sheared; every field of its place is of its own.
pub fn any_image() -> impl Strategy<Value = Image> {
    let number = || -1e3f32..1e3;
    let form =
        (0..5i32, 0..5i32, prop::array::uniform3(-0.57f32..0.57), prop::array::uniform3(number()), 0..4u8);
    let place =
        (0..6usize, 0..8u8, prop::array::uniform3(0.05f32..9.0), skew(), prop::array::uniform3(number()));
    let kind = (any::<bool>(), any::<bool>(), 0..TYPES.len(), prop::array::uniform3(1..7usize));
    let scaling = (prop_oneof![Just(0.0f32), Just(1.0), 1e-4f32..1e4, -10.0f32..-1e-3], number());
    let extension = prop::option::of((0..50i32, prop::collection::vec(any::<u8>(), 1..60)));
    let voxels = prop::collection::vec(any::<u8>(), 6 * 6 * 6 * 8);
    (kind, form, place, scaling, extension, voxels).prop_map(
        |(kind, form, place, (slope, intercept), extension, mut voxels)| {
            let (version_two, big_endian, datatype, dims) = kind;
            let (qform_code, sform_code, quatern, qoffset, unit) = form;
            let datatype = TYPES[datatype];
            voxels.truncate(dims.iter().product::<usize>() * datatype.1);
            let [x, y, z] = place.2;
            Image {
                version_two,
                big_endian,
                dims,
                datatype,
                slope,
                intercept,
                qform_code,
                sform_code,
                quatern,
                qoffset,
                srow: rows(place),
                pixdim: [if place.1 % 2 == 0 { 1.0 } else { -1.0 }, x, y, z],
                // A unit of time beside that of space.
                units: unit | 8,
                extension,
                voxels,
            }
        },
    )
}

/// What each axis has of the two others.
fn skew() -> impl Strategy<Value = [f32; 3]> {
    prop_oneof![Just([0.0; 3]), prop::array::uniform3(-0.4f32..0.4)]
}

/// The rows of an affine: the axis order, the flips, the spacing, the skew, the offset.
fn rows((order, flips, spacing, skew, offset): (usize, u8, [f32; 3], [f32; 3], [f32; 3])) -> [f32; 12] {
    const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let mut rows = [0.0; 12];
    for axis in 0..3 {
        let sign = if flips >> axis & 1 == 1 { -1.0 } else { 1.0 };
        let world = ORDERS[order][axis];
        rows[4 * world + axis] = sign * spacing[axis];
        rows[4 * ((world + 1) % 3) + axis] = skew[axis] * spacing[axis];
        rows[4 * axis + 3] = offset[axis];
    }
    rows
}

impl Image {
    /// The whole file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut file = if self.version_two { self.header_two() } else { self.header_one() };
        if let Some((code, content)) = &self.extension {
            let size = self.extension_bytes();
            file.extend([1, 0, 0, 0]);
            file.extend(self.ordered(&(size as i32).to_le_bytes()));
            file.extend(self.ordered(&code.to_le_bytes()));
            file.extend(content);
            file.resize(file.len() + size - 8 - content.len(), 0);
        } else {
            file.extend([0; 4]);
        }
        file.extend(self.voxels.chunks(self.datatype.1).flat_map(|voxel| self.ordered(voxel)));
        file
    }

    /// Its size, code and content, filled up to a multiple of 16 bytes as the standard wants.
    fn extension_bytes(&self) -> usize {
        self.extension.as_ref().map_or(0, |(_, content)| (content.len() + 8).next_multiple_of(16))
    }

    fn ordered(&self, little: &[u8]) -> Vec<u8> {
        if self.big_endian { little.iter().rev().copied().collect() } else { little.to_vec() }
    }

    fn header_one(&self) -> Vec<u8> {
        let mut bytes = vec![0; 348];
        let offset = (352 + self.extension_bytes()) as f32;
        let shorts = |values: &[i16]| values.iter().flat_map(|v| self.ordered(&v.to_le_bytes())).collect();
        let reals = |values: &[f32]| values.iter().flat_map(|v| self.ordered(&v.to_le_bytes())).collect();
        let mut put = |at: usize, change: Vec<u8>| bytes[at..at + change.len()].copy_from_slice(&change);
        put(0, self.ordered(&348i32.to_le_bytes()));
        let [i, j, k] = self.dims.map(|size| size as i16);
        put(40, shorts(&[3, i, j, k, 1, 1, 1, 1]));
        put(70, shorts(&[self.datatype.0, self.datatype.1 as i16 * 8]));
        put(76, reals(&self.pixdim));
        put(108, reals(&[offset, self.slope, self.intercept]));
        put(123, vec![self.units]);
        put(252, shorts(&[self.qform_code as i16, self.sform_code as i16]));
        put(256, reals(&self.quatern));
        put(268, reals(&self.qoffset));
        put(280, reals(&self.srow));
        put(344, b"n+1\0".to_vec());
        bytes
    }

    fn header_two(&self) -> Vec<u8> {
        let mut bytes = vec![0; 540];
        let offset = (544 + self.extension_bytes()) as i64;
        let words = |values: &[i32]| values.iter().flat_map(|v| self.ordered(&v.to_le_bytes())).collect();
        let longs = |values: &[i64]| values.iter().flat_map(|v| self.ordered(&v.to_le_bytes())).collect();
        let reals =
            |values: &[f32]| values.iter().flat_map(|v| self.ordered(&f64::from(*v).to_le_bytes())).collect();
        let mut put = |at: usize, change: Vec<u8>| bytes[at..at + change.len()].copy_from_slice(&change);
        put(0, words(&[540]));
        put(4, b"n+2\0\r\n\x1a\n".to_vec());
        put(12, self.ordered(&self.datatype.0.to_le_bytes()));
        put(14, self.ordered(&(self.datatype.1 as i16 * 8).to_le_bytes()));
        let [i, j, k] = self.dims.map(|size| size as i64);
        put(16, longs(&[3, i, j, k, 1, 1, 1, 1]));
        put(104, reals(&self.pixdim));
        put(168, longs(&[offset]));
        put(176, reals(&[self.slope, self.intercept]));
        put(344, words(&[self.qform_code, self.sform_code]));
        put(352, reals(&self.quatern));
        put(376, reals(&self.qoffset));
        put(400, reals(&self.srow));
        put(500, words(&[i32::from(self.units)]));
        bytes
    }
}
