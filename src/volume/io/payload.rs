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
