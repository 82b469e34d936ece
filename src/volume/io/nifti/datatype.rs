//! NIfTI's codes of numeric types (nifti1.h, "NIFTI_TYPE_*").

use super::super::IoError;
use crate::volume::DType;
use std::path::Path;

/// The numeric type of a NIfTI datatype code, or the name of the one that is not read.
pub(super) fn dtype_of_code(path: &Path, code: i16) -> Result<DType, IoError> {
    const SCALAR: &str = "convert it to a scalar image, such as its magnitude or one channel";
    const REAL: &str = "convert it to a type of at most 64 bits a voxel";
    let (what, advice) = match code {
        2 => return Ok(DType::U8),
        4 => return Ok(DType::I16),
        8 => return Ok(DType::I32),
        16 => return Ok(DType::F32),
        64 => return Ok(DType::F64),
        256 => return Ok(DType::I8),
        512 => return Ok(DType::U16),
        768 => return Ok(DType::U32),
        1024 => return Ok(DType::I64),
        1280 => return Ok(DType::U64),
        1 => ("voxels of type binary (1 bit)", REAL),
        32 => ("voxels of type complex64", SCALAR),
        1792 => ("voxels of type complex128", SCALAR),
        2048 => ("voxels of type complex256", SCALAR),
        128 => ("voxels of type RGB24 (colour)", SCALAR),
        2304 => ("voxels of type RGBA32 (colour)", SCALAR),
        1536 => ("voxels of type float128", REAL),
        _ => return Err(IoError::field(path, "datatype", "a NIfTI datatype code", code)),
    };
    Err(IoError::Unsupported { path: path.to_owned(), what: format!("{what} are not supported"), advice })
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
