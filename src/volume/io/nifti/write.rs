//! Writing single files, compressed or not, and reading them back before they get their name.

use super::super::{Content, GridReceipt, IoError, Receipt, SAME_GRID_MM, atomic, payload, source::Source};
use super::header::Header;
use super::{SpatialHeader, Version, datatype};
use crate::volume::{Scaling, Scan, Voxels, geometry_equal};
use flate2::{Compression, write::GzEncoder};
use std::io::{self, Write};
use std::path::Path;

/// Writes `content` where `reference` lies.
pub(in super::super) fn write(
    path: &Path,
    compressed: bool,
    content: &Content,
    reference: &Scan,
) -> Result<Receipt, IoError> {
    let (voxels, scaling) = (content.voxels, content.scaling);
    let header = header_for(voxels, scaling, reference);
    let encoded = header.encode();
    let at_most_bytes = (encoded.len() + voxels.len() * voxels.dtype().size()) as u64;
    atomic::replace(
        path,
        at_most_bytes,
        |file| {
            if !compressed {
                file.write_all(&encoded)?;
                return payload::write_voxels(file, voxels);
            }
            let mut encoder = GzEncoder::new(file, Compression::fast());
            encoder.write_all(&encoded)?;
            payload::write_voxels(&mut encoder, voxels)?;
            encoder.finish().map(drop)
        },
        |written| {
            let verified = verify(written, &header, voxels, reference);
            verified.map(Some).map_err(|(field, source)| IoError::ReadBack {
                path: path.to_owned(),
                field,
                source: source.map(Box::new),
            })
        },
    )
}

/// NIfTI-1 unless the scan came as NIfTI-2 or a dimension needs it.
fn header_for(voxels: &Voxels, scaling: Scaling, reference: &Scan) -> Header {
    let dims = reference.geometry().dims();
    let spatial = reference.nifti.clone().unwrap_or_else(|| SpatialHeader::of_geometry(reference.geometry()));
    let long = dims.iter().any(|size| *size > i16::MAX as usize);
    let version = if long { Version::Two } else { spatial.version };
    let dtype = voxels.dtype();
    Header {
        version,
        big_endian: false,
        single_file: true,
        dims: dims.map(|size| size as u64).to_vec(),
        datatype: datatype::code_of_dtype(dtype),
        bitpix: (dtype.size() * 8) as i16,
        intent_code: 0,
        vox_offset: version.first_voxel_byte() as f64,
        scl_slope: scaling.slope,
        scl_inter: scaling.intercept,
        spatial: spatial.stored_as(version),
    }
}

/// What came back different, and the error it gave if it could not be read at all.
type Difference = (&'static str, Option<IoError>);

/// Reads `written` as anyone would and compares grid, codes, type, scaling and every voxel with what was meant.
fn verify(
    written: &Path,
    header: &Header,
    voxels: &Voxels,
    reference: &Scan,
) -> Result<GridReceipt, Difference> {
    let unreadable = |error| ("content", Some(error));
    let mut source = Source::open(written).map_err(unreadable)?;
    let mut encoded = vec![0; header.version.first_voxel_byte() as usize];
    source.read_exact(&mut encoded).map_err(unreadable)?;
    let read = Header::decode(written, &encoded).map_err(unreadable)?;
    let numbers = |header: &Header| {
        let scaling = [header.scl_slope as f32, header.scl_inter as f32];
        (header.dims.clone(), header.datatype, header.bitpix, header.vox_offset as u64, scaling)
    };
    if numbers(&read) != numbers(header) {
        return Err(("size, type or scaling", None));
    }
    if !read.spatial.same_bits(&header.spatial) {
        return Err(("sform, qform or unit", None));
    }
    let info = super::judge(written, &read).map_err(unreadable)?;
    if !geometry_equal(&info.geometry, reference.geometry(), SAME_GRID_MM) {
        return Err(("affine", None));
    }
    let total = header.vox_offset as u64 + (voxels.len() * info.dtype.size()) as u64;
    source.expect_bytes(total).map_err(unreadable)?;
    let mut comparison = Comparison { source: &mut source, scratch: Vec::new(), failure: None };
    if payload::write_voxels(&mut comparison, voxels).is_err() {
        return Err(("voxel", comparison.failure));
    }
    match source.finish().map_err(unreadable)? {
        None => {
            let kept = reference.nifti.as_ref().map(|scan| scan.same_bits(&read.spatial));
            Ok(GridReceipt::of(&info.geometry, reference.geometry(), kept))
        }
        Some(_) => Err(("length", None)),
    }
}

/// A writer that checks that what is written to it is what comes out of `source`.
struct Comparison<'a> {
    source: &'a mut Source,
    scratch: Vec<u8>,
    failure: Option<IoError>,
}

impl Write for Comparison<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Whole volumes may come in one call; comparing them piecewise keeps a second copy out of memory.
        let bytes = &bytes[..bytes.len().min(1 << 18)];
        self.scratch.resize(bytes.len(), 0);
        if let Err(error) = self.source.read_exact(&mut self.scratch) {
            self.failure = Some(error);
            return Err(io::ErrorKind::InvalidData.into());
        }
        if self.scratch == bytes { Ok(bytes.len()) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
