//! NIfTI-1 and NIfTI-2: `.nii`, `.nii.gz` and `.hdr`/`.img` pairs.
//!
//! Invariant: nothing is allocated for voxels before the header's claims were compared with the file and with free
//! memory, and no voxel is returned before the file was read, and its checksum verified, to the end.
//! The `nifti` crate decodes the 348 bytes of a NIfTI-1 header; everything after that is guarded here.

mod datatype;
mod extension;
mod foreign;
mod header;
mod pair;
mod spatial;
mod write;

pub use extension::Extension;
pub use header::Version;
pub(super) use pair::header_of;
pub use spatial::SpatialHeader;
pub(super) use write::write;

use super::{HeaderInfo, IoError, OpenOptions, memory, source::Source};
use crate::volume::{Flag, Scaling, Scan};
use datatype::Stored;
use header::Header;
use std::path::Path;

/// Reads and judges the header of `path`.
pub(super) fn read_header(path: &Path, options: &OpenOptions) -> Result<HeaderInfo, IoError> {
    let header = decode(&mut Source::open_head(path)?)?;
    judge(path, &header, options)
}

/// Reads one volume of the file, or the pair, of which `chosen` is a half. Of a large one, `on_first` gets the first slices
/// while the rest is still to be read.
pub(super) fn read(
    chosen: &Path,
    options: &OpenOptions,
    on_first: Option<&mut dyn FnMut(Scan)>,
) -> Result<Scan, IoError> {
    let path: &Path = &header_of(chosen)?;
    let mut source = Source::open(path)?;
    let header = decode(&mut source)?;
    let mut info = judge(path, &header, options)?;
    let (volume, volumes) = (options.volume.unwrap_or(0), info.volumes);
    if volume >= volumes {
        return Err(IoError::NoSuchVolume { path: path.to_owned(), asked: volume + 1, volumes });
    }
    if volumes > 1 {
        info.warnings.push(format!("Volume {} of {volumes} is shown.", volume + 1));
    }
    let stored = Stored::of_code(path, header.datatype)?;
    let count = info.geometry.len();
    let volume_bytes = (count * stored.size()) as u64;
    let offset = voxel_offset(path, &header, &mut info.warnings)?;

    let mut extensions = Vec::new();
    if !header.single_file {
        extensions = extension::read(&mut source, header.big_endian, None, &mut info.warnings)?;
        source = pair::voxels_of(chosen)?;
    }
    memory::refuse_what_does_not_fit(path, info.geometry.dims(), (count * info.dtype.size()) as u64)?;
    // Both factors are at least 1 and their product with the offset may be any claim at all, so it is checked.
    let total = volume_bytes.checked_mul(volumes as u64).and_then(|bytes| bytes.checked_add(offset));
    source.expect_bytes(total.unwrap_or(u64::MAX))?;
    if header.single_file {
        extensions = extension::read(&mut source, header.big_endian, Some(offset), &mut info.warnings)?;
    }

    let start = offset + volume_bytes * volume as u64;
    let voxel_file = if header.single_file { path } else { chosen };
    if let Some(on_first) = on_first
        && let Some(first) = first_slices(voxel_file, &header, &info, stored, start)
    {
        on_first(first);
    }
    source.skip_to(start)?;
    let voxels = stored.read(&mut source, header.big_endian, count)?;
    let note = if options.accept_damage {
        source.finish_though_damaged(&mut info.flags)?
    } else {
        source.finish()?
    };
    info.warnings.extend(note);
    let mut scan = info.into_scan(path, voxels)?;
    (scan.volume, scan.volumes, scan.extensions) = (volume, volumes, extensions);
    Ok(scan)
}

/// The first slices of a large volume that starts at byte `start`, with their place in the world. `None` where the volume
/// is not large, or lies so deep in the data that going there would take long, or cannot be read: reading all of it will
/// say why.
fn first_slices(path: &Path, header: &Header, info: &HeaderInfo, stored: Stored, start: u64) -> Option<Scan> {
    const LARGE_BYTES: usize = 32 << 20;
    const ENOUGH_BYTES: usize = 2 << 20;
    const DEEP_BYTES: u64 = 8 << 20;
    let [ni, nj, nk] = info.geometry.dims();
    let slice_bytes = ni * nj * stored.size();
    let slices = (ENOUGH_BYTES / slice_bytes).clamp(1, nk);
    if nk * slice_bytes < LARGE_BYTES || slices == nk || start > DEEP_BYTES {
        return None;
    }
    let mut source = if header.single_file { Source::open(path) } else { pair::voxels_of(path) }.ok()?;
    source.skip_to(start).ok()?;
    let voxels = stored.read(&mut source, header.big_endian, ni * nj * slices).ok()?;
    let mut first = info.clone();
    first.geometry = info.geometry.window([0; 3], [ni, nj, slices]).ok()?;
    first.warnings.push(format!(
        "These are the first {slices} of {nk} slices; the others are still being read, and nothing is verified yet."
    ));
    first.into_scan(path, voxels).ok()
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
fn judge(path: &Path, header: &Header, options: &OpenOptions) -> Result<HeaderInfo, IoError> {
    if (3000..3100).contains(&header.intent_code) {
        let what = String::from("this is a CIFTI file, which holds connectivity or surface data");
        return Err(IoError::Unsupported { path: path.to_owned(), what, advice: "open a volume instead" });
    }
    let stored = Stored::of_code(path, header.datatype)?;
    let (mut warnings, mut flags) = (Vec::new(), Vec::new());
    if header.bitpix != (stored.size() * 8) as i16 {
        warnings.push(format!(
            "bitpix is {} but the datatype is {}; the datatype was believed.",
            header.bitpix,
            stored.name()
        ));
    }
    if let Stored::Colour { .. } = stored {
        flags.push(Flag::Colour);
        warnings.push(format!(
            "The voxels are colours ({}); their luminance (ITU-R BT.709) is shown, and no model can be run on it.",
            stored.name()
        ));
    }
    let (dims, volumes) = grid_dims(path, header, stored)?;
    let placement = header.spatial.placement(dims, options.prefer_qform);
    let (mut geometry, assumed) = placement.geometry(path, "dim and affine", dims)?;
    warnings.extend(assumed);
    if header.spatial.slices_missing {
        geometry = geometry.with_missing_slices();
        flags.push(Flag::Gaps);
        warnings.push(
            "The file says that slices are missing or unevenly spaced: no volume or distance is reported."
                .into(),
        );
    }
    let scaling = scaling(header, stored, &mut warnings);
    let (format, dtype) = (header.version.name().to_owned(), stored.dtype());
    let nifti = Some(header.spatial.clone());
    Ok(HeaderInfo { format, dtype, scaling, geometry, volumes, nifti, flags, warnings })
}

/// The first three dimensions, and the product of the others.
fn grid_dims(path: &Path, header: &Header, stored: Stored) -> Result<([usize; 3], usize), IoError> {
    if header.dims.len() < 2 {
        return Err(IoError::field(path, "dim[0]", "an image of 2 to 7 dimensions", header.dims.len()));
    }
    let product = |sizes: &[u64], start: u64| sizes.iter().try_fold(start, |n, size| n.checked_mul(*size));
    let (grid, rest) = header.dims.split_at(header.dims.len().min(3));
    let addressable = product(grid, stored.size() as u64).filter(|bytes| *bytes <= isize::MAX as u64 / 8);
    let volumes = product(rest, 1).and_then(|volumes| usize::try_from(volumes).ok());
    match (addressable, volumes, product(&header.dims, stored.size() as u64)) {
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

/// A slope of 0 means "not scaled", and colours never are (nifti1.h); one that is not finite cannot be meant.
fn scaling(header: &Header, stored: Stored, warnings: &mut Vec<String>) -> Scaling {
    let (slope, intercept) = (header.scl_slope, header.scl_inter);
    if slope == 0.0 || matches!(stored, Stored::Colour { .. }) {
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
