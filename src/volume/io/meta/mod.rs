//! MetaImage: `.mha`, and `.mhd` with its data files.
//!
//! Source: the MetaIO documentation of ITK ("MetaImage", "Reading a Brick-of-Bytes"); where it leaves a choice, what
//! ITK's own reader does. World space of the files is LPS.
//! Invariant: a field that decides what a voxel is or where it lies is understood or refused, never passed over.

mod header;
mod place;
mod write;

pub(super) use write::write;

use super::array::{self, Array, Axis, Encoding, Layout, Role, Skip, Start};
use super::{HeaderInfo, IoError, OpenOptions, data_files};
use crate::volume::{DType, Flag, Modality, Scaling, Scan};
use header::Header;
use std::path::Path;

/// Reads and judges the header of `path`.
pub(super) fn read_header(path: &Path, _options: &OpenOptions) -> Result<HeaderInfo, IoError> {
    judge(&Header::read(path)?).map(|(_, info)| info)
}

/// Reads one volume of `path`.
pub(super) fn read(path: &Path, options: &OpenOptions) -> Result<Scan, IoError> {
    let header = Header::read(path)?;
    let (array, info) = judge(&header)?;
    let mut scan = array.read(path, info, options)?;
    scan.modality = match header.fields.get("Modality").map(str::to_ascii_uppercase).as_deref() {
        Some("MET_MOD_CT") => Some(Modality::Ct),
        Some("MET_MOD_MR") => Some(Modality::Mr),
        _ => None,
    };
    Ok(scan)
}

/// Turns fields into an array of checked size and the scan's attributes.
fn judge(header: &Header) -> Result<(Array, HeaderInfo), IoError> {
    let fields = &header.fields;
    let path = fields.path();
    if let Some(object) = fields.get("ObjectType").filter(|object| !object.eq_ignore_ascii_case("image")) {
        return Err(fields.wrong("ObjectType", "Image", object));
    }
    let dimensions = dimensions(header)?;
    let dtype = dtype(header)?;
    let axes = axes(header, dimensions, dtype)?;
    let layout = Layout::new(path, "DimSize", axes, dtype)?;
    let placement = place::placement(header, dimensions)?;
    let (geometry, mut warnings) =
        placement.geometry(path, "DimSize, TransformMatrix and ElementSpacing", layout.dims)?;
    let colour = layout.components > 1;
    if colour {
        warnings.push(array::COLOUR_WARNING.to_owned());
    }
    let info = HeaderInfo {
        format: "MetaImage".to_owned(),
        dtype,
        scaling: scaling(header, &mut warnings)?,
        geometry,
        volumes: layout.volumes,
        nifti: None,
        flags: if colour { vec![Flag::Colour] } else { Vec::new() },
        warnings,
    };
    let attached = header.data_file.eq_ignore_ascii_case("LOCAL");
    let files = match &header.listed_files {
        _ if attached => vec![path.to_owned()],
        Some(names) => data_files::listed(path, names)?,
        None => data_files::named(path, &header.data_file)?,
    };
    let encoding = encoding(header)?;
    let big_endian = flag(header, &["BinaryDataByteOrderMSB", "ElementByteOrderMSB"])?.unwrap_or(false);
    let start = start(header, attached, encoding)?;
    Ok((Array { layout, dtype, big_endian, encoding, files, attached, start }, info))
}

fn dimensions(header: &Header) -> Result<usize, IoError> {
    let text = header.fields.require("NDims")?;
    let count = text.parse().ok().filter(|count| (2..=4).contains(count));
    count.ok_or_else(|| header.fields.wrong("NDims", "2 to 4", text))
}

/// Components run fastest, and a fourth dimension counts volumes.
fn axes(header: &Header, dimensions: usize, dtype: DType) -> Result<Vec<Axis>, IoError> {
    header.fields.require("DimSize")?;
    let sizes: Vec<u64> = header.fields.numbers("DimSize", dimensions)?.unwrap_or_default();
    let channels: u64 = header.fields.number("ElementNumberOfChannels")?.unwrap_or(1);
    let role = if matches!(channels, 3 | 4) && dtype == DType::U8 { Role::Colour } else { Role::Volume };
    let mut axes = Vec::with_capacity(dimensions + 1);
    if channels != 1 {
        axes.push(Axis { size: channels, role });
    }
    axes.extend(sizes.into_iter().enumerate().map(|(n, size)| {
        let role = if n < 3 { Role::Space } else { Role::Volume };
        Axis { size, role }
    }));
    Ok(axes)
}

/// Sizes are those of MetaIO's table, whatever a "long" is on the machine.
fn dtype(header: &Header) -> Result<DType, IoError> {
    let name = header.fields.require("ElementType")?.to_ascii_uppercase();
    let scalar = name.strip_suffix("_ARRAY").or_else(|| name.strip_suffix("_MATRIX")).unwrap_or(&name);
    Ok(match scalar {
        "MET_CHAR" | "MET_ASCII_CHAR" => DType::I8,
        "MET_UCHAR" => DType::U8,
        "MET_SHORT" => DType::I16,
        "MET_USHORT" => DType::U16,
        "MET_INT" | "MET_LONG" => DType::I32,
        "MET_UINT" | "MET_ULONG" => DType::U32,
        "MET_LONG_LONG" => DType::I64,
        "MET_ULONG_LONG" => DType::U64,
        "MET_FLOAT" => DType::F32,
        "MET_DOUBLE" => DType::F64,
        _ => return Err(header.fields.wrong("ElementType", "one of MetaImage's numeric types", &name)),
    })
}

/// MetaImage's own name for a linear relation of stored to measured values, which hardly any writer uses.
fn scaling(header: &Header, warnings: &mut Vec<String>) -> Result<Scaling, IoError> {
    let slope = header.fields.number("ElementToIntensityFunctionSlope")?.unwrap_or(1.0);
    let intercept = header.fields.number("ElementToIntensityFunctionOffset")?.unwrap_or(0.0);
    let scaling = Scaling { slope, intercept };
    if scaling == Scaling::IDENTITY || slope == 0.0 {
        return Ok(Scaling::IDENTITY);
    }
    if !slope.is_finite() || !intercept.is_finite() {
        warnings.push("The scale of the values is not finite; they are shown as stored.".into());
        return Ok(Scaling::IDENTITY);
    }
    warnings.push(format!(
        "The header asks for values of {slope} x stored + {intercept}; programs that do not know this field show others."
    ));
    Ok(scaling)
}

fn encoding(header: &Header) -> Result<Encoding, IoError> {
    let compressed = flag(header, &["CompressedData"])?.unwrap_or(false);
    // ITK reads files without the field as binary.
    let binary = flag(header, &["BinaryData"])?.unwrap_or(true);
    Ok(match (compressed, binary) {
        (true, _) => Encoding::Zlib,
        (false, true) => Encoding::Raw,
        (false, false) => Encoding::Text,
    })
}

fn flag(header: &Header, names: &[&str]) -> Result<Option<bool>, IoError> {
    let Some(value) = header.fields.any(names) else { return Ok(None) };
    match value.to_ascii_lowercase().as_str() {
        "true" | "t" | "1" => Ok(Some(true)),
        "false" | "f" | "0" => Ok(Some(false)),
        _ => Err(header.fields.wrong(names[0], "True or False", value)),
    }
}

/// HeaderSize counts from the start of the file of the voxels, also where that is the header's own.
fn start(header: &Header, attached: bool, encoding: Encoding) -> Result<Start, IoError> {
    let own_header = if attached { header.bytes } else { 0 };
    let (header_bytes, then) = match header.fields.number::<i64>("HeaderSize")?.unwrap_or(0) {
        -1 if encoding == Encoding::Raw => (own_header, Skip::ToTheLast),
        0 => (own_header, Skip::Bytes(0)),
        size => match u64::try_from(size) {
            Ok(size) => (size, Skip::Bytes(0)),
            Err(_) => {
                let expected = "a number of bytes, or -1 if the data are binary and not compressed";
                return Err(header.fields.wrong("HeaderSize", expected, &size.to_string()));
            }
        },
    };
    Ok(Start { header_bytes, lines: 0, then })
}
