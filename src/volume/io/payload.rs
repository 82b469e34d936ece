//! Voxels from bytes and back, in any of the ten numeric types; the same for every format.

use super::{IoError, source::Source};
use crate::volume::{DType, Voxels};
use rayon::prelude::*;
use std::borrow::Cow;

/// Reads `count` voxels straight into their final buffer.
pub(super) fn read_voxels(
    source: &mut Source,
    dtype: DType,
    big_endian: bool,
    count: usize,
) -> Result<Voxels, IoError> {
    let foreign = big_endian != cfg!(target_endian = "big");
    macro_rules! read {
        ($variant:ident, $type:ty) => {{
            let mut values: Vec<$type> = source.read_values(count)?;
            if foreign && size_of::<$type>() > 1 {
                values.par_iter_mut().for_each(|value| {
                    let mut bytes = value.to_ne_bytes();
                    bytes.reverse();
                    *value = <$type>::from_ne_bytes(bytes);
                });
            }
            Voxels::$variant(values)
        }};
    }
    Ok(match dtype {
        DType::U8 => read!(U8, u8),
        DType::I8 => read!(I8, i8),
        DType::U16 => read!(U16, u16),
        DType::I16 => read!(I16, i16),
        DType::U32 => read!(U32, u32),
        DType::I32 => read!(I32, i32),
        DType::U64 => read!(U64, u64),
        DType::I64 => read!(I64, i64),
        DType::F32 => read!(F32, f32),
        DType::F64 => read!(F64, f64),
    })
}

/// All voxels as little-endian bytes; copied only on machines that are big-endian.
pub(super) fn little_endian(voxels: &Voxels) -> Cow<'_, [u8]> {
    macro_rules! bytes {
        ($values:expr) => {
            if cfg!(target_endian = "little") {
                Cow::Borrowed(bytemuck::cast_slice($values))
            } else {
                Cow::Owned($values.iter().flat_map(|value| value.to_le_bytes()).collect())
            }
        };
    }
    match voxels {
        Voxels::U8(values) => Cow::Borrowed(values),
        Voxels::I8(values) => bytes!(values),
        Voxels::U16(values) => bytes!(values),
        Voxels::I16(values) => bytes!(values),
        Voxels::U32(values) => bytes!(values),
        Voxels::I32(values) => bytes!(values),
        Voxels::U64(values) => bytes!(values),
        Voxels::I64(values) => bytes!(values),
        Voxels::F32(values) => bytes!(values),
        Voxels::F64(values) => bytes!(values),
    }
}

/// The voxels that `bytes` are, a multiple of the type's size.
pub(super) fn voxels_of_bytes(bytes: &[u8], dtype: DType, big_endian: bool) -> Voxels {
    macro_rules! decode {
        ($variant:ident, $type:ty) => {{
            let (elements, _) = bytes.as_chunks();
            let decode = if big_endian { <$type>::from_be_bytes } else { <$type>::from_le_bytes };
            Voxels::$variant(elements.par_iter().map(|element| decode(*element)).collect())
        }};
    }
    match dtype {
        DType::U8 => decode!(U8, u8),
        DType::I8 => decode!(I8, i8),
        DType::U16 => decode!(U16, u16),
        DType::I16 => decode!(I16, i16),
        DType::U32 => decode!(U32, u32),
        DType::I32 => decode!(I32, i32),
        DType::U64 => decode!(U64, u64),
        DType::I64 => decode!(I64, i64),
        DType::F32 => decode!(F32, f32),
        DType::F64 => decode!(F64, f64),
    }
}

/// The luma of ITU-R BT.709, rounded: 0.2126 R + 0.7152 G + 0.0722 B. Opacity plays no part.
pub(super) fn luma(colour: &[u8]) -> u8 {
    let [red, green, blue] = [0, 1, 2].map(|channel| u32::from(colour[channel]));
    ((2126 * red + 7152 * green + 722 * blue + 5000) / 10_000) as u8
}

/// The labels as bytes, if all of them fit.
pub(super) fn narrow(labels: &[u16]) -> Option<Vec<u8>> {
    const PIECE: usize = 1 << 18;
    let mut bytes = vec![0; labels.len()];
    let all_bits = bytes
        .par_chunks_mut(PIECE)
        .zip(labels.par_chunks(PIECE))
        .map(|(bytes, labels)| {
            bytes.iter_mut().zip(labels).fold(0, |bits, (byte, label)| {
                *byte = *label as u8;
                bits | label
            })
        })
        .reduce(|| 0, |a, b| a | b);
    (all_bits <= u16::from(u8::MAX)).then_some(bytes)
}
