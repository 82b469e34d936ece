//! NIfTI-1 and NIfTI-2: `.nii`, `.nii.gz` and `.hdr`/`.img` pairs.
//!
//! Invariant: nothing is allocated for voxels before the header's claims were compared with the file and with free
//! memory, and no voxel is returned before the file was read, and its checksum verified, to the end.
//! The `nifti` crate decodes the 348 bytes of a NIfTI-1 header; everything after that is guarded here.

mod datatype;
mod header;
mod pair;
mod spatial;
mod write;

pub use header::Version;
pub(super) use pair::header_of;
pub use spatial::SpatialHeader;
pub(super) use write::write;

use super::{HeaderInfo, IoError, OpenOptions, memory, payload, source::Source};
use crate::volume::{DType, Geometry, Scaling, Scan};
use header::Header;
use std::path::Path;

/// A header extension, whole: nifti1.h calls the code `ecode` and keeps a list of those in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    pub code: i32,
    pub bytes: Vec<u8>,
}

/// Reads and judges the header of `path`.
pub(super) fn read_header(path: &Path, _options: &OpenOptions) -> Result<HeaderInfo, IoError> {
    let mut source = Source::open(path)?;
    let header = decode(&mut source)?;
    judge(path, &header)
}

/// Reads one volume of `path`.
pub(super) fn read(path: &Path, options: &OpenOptions) -> Result<Scan, IoError> {
    let volume = options.volume.unwrap_or(0);
    let mut source = Source::open(path)?;
    let header = decode(&mut source)?;
    let mut info = judge(path, &header)?;
    if volume >= info.volumes {
        return Err(IoError::NoSuchVolume {
            path: path.to_owned(),
            asked: volume + 1,
            volumes: info.volumes,
        });
    }
    if info.volumes > 1 {
        info.warnings.push(format!("Volume {} of {} is shown.", volume + 1, info.volumes));
    }
    if !header.single_file {
        source = pair::voxels_of(path)?;
    }

    let count = info.geometry.len();
    let volume_bytes = (count * info.dtype.size()) as u64;
    let offset = voxel_offset(path, &header, &mut info.warnings)?;
    memory::refuse_what_does_not_fit(path, info.geometry.dims(), volume_bytes)?;
    // Both factors are at least 1 and their product with the offset may be any claim at all, so it is checked.
    let total = volume_bytes.checked_mul(info.volumes as u64).and_then(|bytes| bytes.checked_add(offset));
    source.expect_bytes(total.unwrap_or(u64::MAX))?;
    source.skip_to(offset + volume_bytes * volume as u64)?;
    let voxels = payload::read_voxels(&mut source, info.dtype, header.big_endian, count)?;
    info.warnings.extend(source.finish()?);
    let volumes = info.volumes;
    let mut scan = info.into_scan(path, voxels)?;
    (scan.volume, scan.volumes) = (volume, volumes);
    Ok(scan)
}

/// Reads no further than the header, so that voxels right behind it are still to come.
fn decode(source: &mut Source) -> Result<Header, IoError> {
    let mut bytes = [0; Version::Two.header_bytes()];
    let mut filled = source.read_up_to(&mut bytes[..Version::One.header_bytes()])?;
    if header::is_longer(&bytes) {
        filled += source.read_up_to(&mut bytes[filled..])?;
    }
    Header::decode(source.path(), &bytes[..filled])
}

/// Turns header fields into validated types, with a warning for everything that had to be repaired.
fn judge(path: &Path, header: &Header) -> Result<HeaderInfo, IoError> {
    if (3000..3100).contains(&header.intent_code) {
        let what = String::from("this is a CIFTI file, which holds connectivity or surface data");
        return Err(IoError::Unsupported { path: path.to_owned(), what, advice: "open a volume instead" });
    }
    let dtype = datatype::dtype_of_code(path, header.datatype)?;
    let mut warnings = Vec::new();
    if header.bitpix != (dtype.size() * 8) as i16 {
        warnings.push(format!(
            "bitpix is {} but the datatype is {dtype}; the datatype was believed.",
            header.bitpix
        ));
    }
    let (dims, volumes) = grid_dims(path, header, dtype)?;
    let placement = header.spatial.placement(dims);
    let mut geometry = Geometry::new(dims, placement.world_from_voxel)
        .map_err(|error| IoError::field(path, "dim and affine", "a usable grid", error))?;
    if !placement.orientation_known {
        geometry = geometry.with_unknown_orientation();
    }
    if !placement.spacing_known {
        geometry = geometry.with_unknown_spacing();
    }
    warnings.extend(placement.warnings);
    let scaling = scaling(header, &mut warnings);
    let format = header.version.name().to_owned();
    let (nifti, flags) = (Some(header.spatial.clone()), Vec::new());
    Ok(HeaderInfo { format, dtype, scaling, geometry, volumes, nifti, flags, warnings })
}

/// The first three dimensions, and the product of the others.
fn grid_dims(path: &Path, header: &Header, dtype: DType) -> Result<([usize; 3], usize), IoError> {
    if header.dims.len() < 2 {
        return Err(IoError::field(path, "dim[0]", "an image of 2 to 7 dimensions", header.dims.len()));
    }
    let product = |sizes: &[u64], start: u64| sizes.iter().try_fold(start, |n, size| n.checked_mul(*size));
    let (grid, rest) = header.dims.split_at(header.dims.len().min(3));
    let addressable = product(grid, dtype.size() as u64).filter(|bytes| *bytes <= isize::MAX as u64 / 8);
    let volumes = product(rest, 1).and_then(|volumes| usize::try_from(volumes).ok());
    match (addressable, volumes, product(&header.dims, dtype.size() as u64)) {
        (Some(_), Some(volumes), Some(_)) => {
            let size = |axis: usize| grid.get(axis).map_or(1, |size| *size as usize);
            Ok(([size(0), size(1), size(2)], volumes))
        }
        _ => Err(IoError::field(
            path,
            "dim",
            "fewer voxels than memory has addresses",
            memory::dims_text(&header.dims),
        )),
    }
}

/// A slope of 0 means "not scaled" (nifti1.h); one that is not finite cannot be meant.
fn scaling(header: &Header, warnings: &mut Vec<String>) -> Scaling {
    let (slope, intercept) = (header.scl_slope, header.scl_inter);
    if slope == 0.0 {
        return Scaling::IDENTITY;
    }
    if !slope.is_finite() || !intercept.is_finite() {
        warnings.push(format!(
            "scl_slope {slope} and scl_inter {intercept} are not finite; values are shown as stored."
        ));
        return Scaling::IDENTITY;
    }
    Scaling { slope, intercept }
}

/// Where voxels start, in decompressed bytes.
fn voxel_offset(path: &Path, header: &Header, warnings: &mut Vec<String>) -> Result<u64, IoError> {
    /// No file is a petabyte long.
    const LARGEST: f64 = 1e15;
    let smallest = if header.single_file { header.version.first_voxel_byte() } else { 0 };
    let claimed = header.vox_offset;
    if claimed.is_finite() && claimed > LARGEST {
        return Err(IoError::field(path, "vox_offset", "a place inside the file", format!("{claimed:e}")));
    }
    if claimed >= smallest as f64 && claimed.is_finite() {
        return Ok(claimed as u64);
    }
    warnings.push(format!("vox_offset is {claimed}; {smallest} was used instead."));
    Ok(smallest)
}
