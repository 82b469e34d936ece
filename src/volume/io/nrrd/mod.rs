//! NRRD: `.nrrd`, `.nhdr` with detached data, and 3D Slicer's `.seg.nrrd`.
//!
//! Source: "Definition of NRRD File Format" of the Teem project, versions NRRD0001 to NRRD0005.
//! Invariant: a field that decides what a voxel is or where it lies is understood or refused, never passed over.

mod axes;
mod header;
mod place;
mod segments;
mod write;

pub(super) use write::write;

use super::array::{self, Array, Encoding, Layout, Role, Skip, Start};
use super::{HeaderInfo, IoError, OpenOptions, data_files};
use crate::volume::{DType, Flag, Scaling, Scan};
use header::Header;
use std::path::Path;

/// Reads and judges the header of `path`.
pub(super) fn read_header(path: &Path, _options: &OpenOptions) -> Result<HeaderInfo, IoError> {
    let header = Header::read(path)?;
    judge(&header).map(|(_, info)| info)
}

/// Reads one volume of `path`.
pub(super) fn read(path: &Path, options: &OpenOptions) -> Result<Scan, IoError> {
    let header = Header::read(path)?;
    let (array, mut info) = judge(&header)?;
    info.warnings.extend(segments::warnings(&header, options.volume.unwrap_or(0)));
    array.read(path, info, options)
}

/// Turns fields into an array of checked size and the scan's attributes.
fn judge(header: &Header) -> Result<(Array, HeaderInfo), IoError> {
    let fields = &header.fields;
    let path = fields.path();
    let dtype = dtype(header)?;
    let encoding = encoding(header)?;
    let axes = axes::of(header, dtype)?;
    let spatial: Vec<usize> = (0..axes.len()).filter(|n| axes[*n].role == Role::Space).collect();
    let layout = Layout::new(path, "sizes", axes, dtype)?;
    let placement = place::placement(header, &spatial)?;
    let (geometry, mut warnings) =
        placement.geometry(path, "sizes, space directions and space origin", layout.dims)?;
    let mut flags = Vec::new();
    if layout.components > 1 {
        flags.push(Flag::Colour);
        warnings.push(array::COLOUR_WARNING.to_owned());
    }
    if segments::are_fractions(header) {
        flags.push(Flag::Fractions);
        warnings
            .push("The values say how much of each voxel belongs to the segment; they are no labels.".into());
    }
    let info = HeaderInfo {
        format: "NRRD".to_owned(),
        dtype,
        scaling: Scaling::IDENTITY,
        geometry,
        volumes: layout.volumes,
        nifti: None,
        flags,
        warnings,
    };
    let files = match fields.get("data file") {
        None => None,
        Some(_) if header.lists_files => Some(data_files::listed(path, &header.listed_files)?),
        Some(value) => Some(data_files::named(path, value)?),
    };
    let start = Start {
        header_bytes: if files.is_none() { header.bytes } else { 0 },
        lines: fields.number("line skip")?.unwrap_or(0),
        then: skip(header, encoding)?,
    };
    let attached = files.is_none();
    let array = Array {
        big_endian: big_endian(header, dtype, encoding)?,
        layout,
        dtype,
        encoding,
        files: files.unwrap_or_else(|| vec![path.to_owned()]),
        attached,
        start,
    };
    Ok((array, info))
}

fn dtype(header: &Header) -> Result<DType, IoError> {
    let name = header.fields.require("type")?.to_ascii_lowercase();
    let words: Vec<&str> = name.split_whitespace().collect();
    Ok(match words.join(" ").as_str() {
        "signed char" | "int8" | "int8_t" => DType::I8,
        "uchar" | "unsigned char" | "uint8" | "uint8_t" => DType::U8,
        "short" | "short int" | "signed short" | "signed short int" | "int16" | "int16_t" => DType::I16,
        "ushort" | "unsigned short" | "unsigned short int" | "uint16" | "uint16_t" => DType::U16,
        "int" | "signed int" | "int32" | "int32_t" => DType::I32,
        "uint" | "unsigned int" | "uint32" | "uint32_t" => DType::U32,
        "longlong"
        | "long long"
        | "long long int"
        | "signed long long"
        | "signed long long int"
        | "int64"
        | "int64_t" => DType::I64,
        "ulonglong" | "unsigned long long" | "unsigned long long int" | "uint64" | "uint64_t" => DType::U64,
        "float" => DType::F32,
        "double" => DType::F64,
        "block" => {
            return Err(IoError::Unsupported {
                path: header.fields.path().to_owned(),
                what: "voxels of type block (opaque bytes) are not supported".to_owned(),
                advice: "convert it to a numeric type",
            });
        }
        other => return Err(header.fields.wrong("type", "one of NRRD's numeric types", other)),
    })
}

fn encoding(header: &Header) -> Result<Encoding, IoError> {
    Ok(match header.fields.require("encoding")?.to_ascii_lowercase().as_str() {
        "raw" => Encoding::Raw,
        "gz" | "gzip" => Encoding::Gzip,
        "txt" | "text" | "ascii" => Encoding::Text,
        "hex" => Encoding::Hex,
        "bz2" | "bzip2" => {
            return Err(IoError::Unsupported {
                path: header.fields.path().to_owned(),
                what: "encoding bzip2 is not supported".to_owned(),
                advice: "save it with encoding gzip or raw",
            });
        }
        other => return Err(header.fields.wrong("encoding", "raw, gzip, ascii or hex", other)),
    })
}

/// The order of bytes must be given wherever it matters: a guess would turn numbers into others.
fn big_endian(header: &Header, dtype: DType, encoding: Encoding) -> Result<bool, IoError> {
    let given = header.fields.get("endian").map(str::to_ascii_lowercase);
    match given.as_deref() {
        Some("little") => Ok(false),
        Some("big") => Ok(true),
        None if dtype.size() == 1 || encoding == Encoding::Text => Ok(false),
        other => Err(header.fields.wrong("endian", "little or big", other.unwrap_or("no such line"))),
    }
}

fn skip(header: &Header, encoding: Encoding) -> Result<Skip, IoError> {
    match header.fields.number::<i64>("byte skip")?.unwrap_or(0) {
        -1 if encoding == Encoding::Raw => Ok(Skip::ToTheLast),
        skip => match u64::try_from(skip) {
            Ok(skip) => Ok(Skip::Bytes(skip)),
            Err(_) => Err(header.fields.wrong(
                "byte skip",
                "a number of bytes, or -1 if the encoding is raw",
                &skip.to_string(),
            )),
        },
    }
}
