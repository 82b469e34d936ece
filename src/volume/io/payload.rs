//! Voxels from bytes and back, in any of the ten numeric types; the same for every format.

use super::{IoError, source::Source};
use crate::volume::{DType, Voxels};
use std::io::{self, Write};

/// Bytes converted at a time; a multiple of every voxel's size.
const CHUNK_BYTES: usize = 1 << 18;

/// Reads `count` voxels straight into their final buffer.
pub(super) fn read_voxels(
    source: &mut Source,
    dtype: DType,
    big_endian: bool,
    count: usize,
) -> Result<Voxels, IoError> {
    macro_rules! read {
        ($variant:ident, $type:ty) => {
            Voxels::$variant(if big_endian {
                read_values(source, count, <$type>::from_be_bytes)?
            } else {
                read_values(source, count, <$type>::from_le_bytes)?
            })
        };
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

fn read_values<T, const N: usize>(
    source: &mut Source,
    count: usize,
    decode: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>, IoError> {
    let mut values: Vec<T> = Vec::new();
    values.try_reserve_exact(count).map_err(|_| {
        let out_of_memory = io::Error::from(io::ErrorKind::OutOfMemory);
        IoError::system(source.path(), "held in memory", out_of_memory)
    })?;
    let mut chunk = vec![0; CHUNK_BYTES.min(count * N)];
    while values.len() < count {
        let bytes = chunk.len().min((count - values.len()) * N);
        source.read_exact(&mut chunk[..bytes])?;
        let (elements, _) = chunk[..bytes].as_chunks::<N>();
        values.extend(elements.iter().map(|element| decode(*element)));
    }
    Ok(values)
}

/// Writes all voxels, little endian.
pub(super) fn write_voxels(out: &mut impl Write, voxels: &Voxels) -> io::Result<()> {
    match voxels {
        Voxels::U8(values) => out.write_all(values),
        Voxels::I8(values) => write_values(out, values, i8::to_le_bytes),
        Voxels::U16(values) => write_values(out, values, u16::to_le_bytes),
        Voxels::I16(values) => write_values(out, values, i16::to_le_bytes),
        Voxels::U32(values) => write_values(out, values, u32::to_le_bytes),
        Voxels::I32(values) => write_values(out, values, i32::to_le_bytes),
        Voxels::U64(values) => write_values(out, values, u64::to_le_bytes),
        Voxels::I64(values) => write_values(out, values, i64::to_le_bytes),
        Voxels::F32(values) => write_values(out, values, f32::to_le_bytes),
        Voxels::F64(values) => write_values(out, values, f64::to_le_bytes),
    }
}

fn write_values<T: Copy, const N: usize>(
    out: &mut impl Write,
    values: &[T],
    encode: impl Fn(T) -> [u8; N],
) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(CHUNK_BYTES);
    for chunk in values.chunks(CHUNK_BYTES / N) {
        bytes.clear();
        bytes.extend(chunk.iter().flat_map(|value| encode(*value)));
        out.write_all(&bytes)?;
    }
    Ok(())
}
