//! NIfTI's codes of voxel types (nifti1.h, "NIFTI_TYPE_*") and what is made of each.

use super::super::{IoError, payload, source::Source};
use crate::volume::{DType, Voxels};
use std::path::Path;

/// How one voxel is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    Number(DType),
    /// Red, green, blue and perhaps opacity, a byte each.
    Colour {
        channels: usize,
    },
}

impl Stored {
    /// The voxel type of a NIfTI datatype code, or the name of the one that is not read.
    pub(super) fn of_code(path: &Path, code: i16) -> Result<Self, IoError> {
        const SCALAR: &str = "convert it to a scalar image, such as its magnitude";
        const REAL: &str = "convert it to a type of at most 64 bits a voxel";
        let (what, advice) = match code {
            2 => return Ok(Stored::Number(DType::U8)),
            4 => return Ok(Stored::Number(DType::I16)),
            8 => return Ok(Stored::Number(DType::I32)),
            16 => return Ok(Stored::Number(DType::F32)),
            64 => return Ok(Stored::Number(DType::F64)),
            128 => return Ok(Stored::Colour { channels: 3 }),
            256 => return Ok(Stored::Number(DType::I8)),
            512 => return Ok(Stored::Number(DType::U16)),
            768 => return Ok(Stored::Number(DType::U32)),
            1024 => return Ok(Stored::Number(DType::I64)),
            1280 => return Ok(Stored::Number(DType::U64)),
            2304 => return Ok(Stored::Colour { channels: 4 }),
            1 => ("voxels of type binary (1 bit)", REAL),
            32 => ("voxels of type complex64", SCALAR),
            1792 => ("voxels of type complex128", SCALAR),
            2048 => ("voxels of type complex256", SCALAR),
            1536 => ("voxels of type float128", REAL),
            _ => return Err(IoError::field(path, "datatype", "a NIfTI datatype code", code)),
        };
        Err(IoError::Unsupported { path: path.to_owned(), what: format!("{what} are not supported"), advice })
    }

    /// Bytes a voxel in the file.
    pub(super) fn size(self) -> usize {
        match self {
            Stored::Number(dtype) => dtype.size(),
            Stored::Colour { channels } => channels,
        }
    }

    /// The type that a voxel has in memory.
    pub(super) fn dtype(self) -> DType {
        match self {
            Stored::Number(dtype) => dtype,
            Stored::Colour { .. } => DType::U8,
        }
    }

    /// The file's name for it: "int16", "RGB24".
    pub(super) fn name(self) -> &'static str {
        match self {
            Stored::Number(dtype) => dtype.name(),
            Stored::Colour { channels: 4 } => "RGBA32",
            Stored::Colour { .. } => "RGB24",
        }
    }

    /// Reads the `count` voxels that come next.
    pub(super) fn read(self, source: &mut Source, big_endian: bool, count: usize) -> Result<Voxels, IoError> {
        match self {
            Stored::Number(dtype) => payload::read_voxels(source, dtype, big_endian, count),
            Stored::Colour { channels } => read_luminance(source, channels, count).map(Voxels::U8),
        }
    }
}

/// The NIfTI datatype code of a numeric type.
pub(super) fn code_of_dtype(dtype: DType) -> i16 {
    match dtype {
        DType::U8 => 2,
        DType::I16 => 4,
        DType::I32 => 8,
        DType::F32 => 16,
        DType::F64 => 64,
        DType::I8 => 256,
        DType::U16 => 512,
        DType::U32 => 768,
        DType::I64 => 1024,
        DType::U64 => 1280,
    }
}

/// Reads colours piece by piece, so that they never lie in memory beside their luminance.
fn read_luminance(source: &mut Source, channels: usize, count: usize) -> Result<Vec<u8>, IoError> {
    const PIECE_VOXELS: usize = 1 << 16;
    let mut luminance = Vec::new();
    luminance.try_reserve_exact(count).map_err(|_| source.out_of_memory())?;
    let mut piece = vec![0; PIECE_VOXELS.min(count) * channels];
    while luminance.len() < count {
        let voxels = PIECE_VOXELS.min(count - luminance.len());
        let colours = &mut piece[..voxels * channels];
        source.read_exact(colours)?;
        luminance.extend(colours.chunks_exact(channels).map(payload::luma));
    }
    Ok(luminance)
}
