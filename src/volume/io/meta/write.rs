//! Writing `.mha`: header and zlib-compressed voxels in one file, as ITK reads it.
//!
//! MetaImage has no scale that its readers know: measured values are written.

use super::super::{Content, IoError, Receipt, atomic, payload, read_back, unscaled};
use crate::volume::{DType, Geometry, Scan};
use glam::DVec3;
use libdeflater::{CompressionLvl, Compressor};
use std::io::{self, Write};
use std::path::Path;

/// Writes `content` where `reference` lies.
///
/// A grid whose orientation or voxel size is unknown is refused: MetaImage has no way to say so, and every program that
/// reads the file would show it as if both were known, labels perhaps on the wrong side.
pub(in super::super) fn write(path: &Path, content: &Content, reference: &Scan) -> Result<Receipt, IoError> {
    let geometry = reference.geometry();
    if !geometry.orientation_known() || !geometry.spacing_known() {
        return Err(IoError::Unsupported {
            path: path.to_owned(),
            what: "MetaImage cannot say that orientation or voxel size is unknown, and readers would guess"
                .to_owned(),
            advice: "save it as .nii.gz or .nrrd",
        });
    }
    let voxels = unscaled::measured(content);
    let bytes = payload::little_endian(&voxels);
    let mut compressor = Compressor::new(CompressionLvl::fastest());
    let mut compressed = Vec::new();
    let bound = compressor.zlib_compress_bound(bytes.len());
    let failed = |kind: io::ErrorKind| IoError::system(path, "compressed", kind.into());
    compressed.try_reserve_exact(bound).map_err(|_| failed(io::ErrorKind::OutOfMemory))?;
    compressed.resize(bound, 0);
    let length = compressor.zlib_compress(&bytes, &mut compressed);
    compressed.truncate(length.map_err(|_| failed(io::ErrorKind::WriteZero))?);
    drop(bytes);
    let header = header(voxels.dtype(), geometry, compressed.len());
    atomic::replace(
        path,
        (header.len() + compressed.len()) as u64,
        |file| {
            file.write_all(header.as_bytes())?;
            file.write_all(&compressed)
        },
        |written| read_back::verify(written, path, &voxels, reference).map(Some),
    )
}

fn header(dtype: DType, geometry: &Geometry, compressed_bytes: usize) -> String {
    let lps_from_ras = DVec3::new(-1.0, -1.0, 1.0);
    let affine = geometry.world_from_voxel();
    let spacing = geometry.spacing_mm();
    // Adding 0 turns -0 into 0.
    let numbers =
        |vector: DVec3| (vector + DVec3::ZERO).to_array().map(|number| number.to_string()).join(" ");
    let direction = |axis: usize| numbers(affine.col(axis).truncate() * lps_from_ras / spacing[axis]);
    let matrix = [0, 1, 2].map(direction).join(" ");
    let offset = numbers(affine.w_axis.truncate() * lps_from_ras);
    let spacing = numbers(DVec3::from_array(spacing));
    let [ni, nj, nk] = geometry.dims();
    format!(
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = True\n\
         CompressedDataSize = {compressed_bytes}\nTransformMatrix = {matrix}\nOffset = {offset}\n\
         CenterOfRotation = 0 0 0\nElementSpacing = {spacing}\nDimSize = {ni} {nj} {nk}\nElementType = {}\n\
         ElementDataFile = LOCAL\n",
        type_name(dtype)
    )
}

fn type_name(dtype: DType) -> &'static str {
    match dtype {
        DType::U8 => "MET_UCHAR",
        DType::I8 => "MET_CHAR",
        DType::U16 => "MET_USHORT",
        DType::I16 => "MET_SHORT",
        DType::U32 => "MET_UINT",
        DType::I32 => "MET_INT",
        DType::U64 => "MET_ULONG_LONG",
        DType::I64 => "MET_LONG_LONG",
        DType::F32 => "MET_FLOAT",
        DType::F64 => "MET_DOUBLE",
    }
}
