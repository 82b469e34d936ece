//! Arrays of numbers in one file or several, as the text headers of NRRD and MetaImage describe them.
//!
//! Invariant: nothing is allocated for voxels before the header's sizes were multiplied without overflow and compared
//! with free memory and with the files they are to come from.

mod layout;
mod stream;
mod text;

pub(super) use layout::{Axis, Layout, Role};

use super::{HeaderInfo, IoError, OpenOptions, memory, payload};
use crate::volume::{DType, Scan, Voxels};
use std::path::{Path, PathBuf};
use stream::Stream;

/// Goes with [`crate::volume::Flag::Colour`].
pub(super) const COLOUR_WARNING: &str =
    "The voxels are colours; their luminance (ITU-R BT.709) is shown, and no model can be run on it.";

/// How numbers became bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Raw,
    Gzip,
    Zlib,
    /// Decimal numbers separated by white space or commas.
    Text,
    /// Two hexadecimal digits a byte.
    Hex,
}

/// Where a file's share of the numbers starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Start {
    /// Bytes of the file, before anything else is done: an attached header.
    pub header_bytes: u64,
    /// Lines after that.
    pub lines: u64,
    pub then: Skip,
}

/// What else lies before the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Skip {
    /// Bytes, decompressed ones if the numbers are compressed.
    Bytes(u64),
    /// As many bytes as leave the numbers at the end of the file.
    ToTheLast,
}

/// An array that a header describes.
pub(super) struct Array {
    pub layout: Layout,
    pub dtype: DType,
    pub big_endian: bool,
    pub encoding: Encoding,
    /// Each holds as many numbers as any other, in the order of the array.
    pub files: Vec<PathBuf>,
    /// Whether the numbers are in the file of the header.
    pub attached: bool,
    pub start: Start,
}

impl Array {
    /// Reads the volume that `options` ask for as the scan whose header is `info`.
    pub(super) fn read(
        &self,
        path: &Path,
        mut info: HeaderInfo,
        options: &OpenOptions,
    ) -> Result<Scan, IoError> {
        let (volume, volumes) = (options.volume.unwrap_or(0), info.volumes);
        if volume >= volumes {
            return Err(IoError::NoSuchVolume { path: path.to_owned(), asked: volume + 1, volumes });
        }
        if volumes > 1 {
            info.warnings.push(format!("Volume {} of {volumes} is shown.", volume + 1));
        }
        let mut stream = Stream::new(self)?;
        let voxels = self.voxels(path, volume, &mut stream)?;
        let damage = options.accept_damage.then_some(&mut info.flags);
        info.warnings.extend(stream.finish(damage)?);
        let mut scan = info.into_scan(path, voxels)?;
        (scan.volume, scan.volumes) = (volume, volumes);
        Ok(scan)
    }

    /// The numbers of one volume, i fastest; colours become their luminance.
    fn voxels(&self, path: &Path, volume: usize, stream: &mut Stream) -> Result<Voxels, IoError> {
        let selection = self.layout.select(volume);
        let straight = selection.in_order && self.layout.components == 1;
        // Other orders than the scan's own, and colours, need a second copy.
        let copies = if straight { 1 } else { 2 };
        let needed = (selection.count * self.dtype.size()) as u64;
        memory::refuse_what_does_not_fit(path, self.layout.dims, needed.saturating_mul(copies))?;

        stream.skip(selection.first * self.dtype.size() as u64)?;
        stream.open_if_needed()?;
        if straight && let Some(source) = stream.one_source(needed) {
            return payload::read_voxels(source, self.dtype, self.big_endian, selection.count);
        }
        let bytes = self.sorted_bytes(path, &selection, stream)?;
        if self.layout.components > 1 {
            let pixels = bytes.chunks_exact(self.layout.components);
            return Ok(Voxels::U8(pixels.map(payload::luma).collect()));
        }
        let big_endian = self.big_endian && self.encoding != Encoding::Text;
        Ok(payload::voxels_of_bytes(&bytes, self.dtype, big_endian))
    }

    /// The bytes of the selected numbers in the order of the scan.
    fn sorted_bytes(
        &self,
        path: &Path,
        selection: &layout::Selection,
        stream: &mut Stream,
    ) -> Result<Vec<u8>, IoError> {
        const CHUNK: u64 = 1 << 15;
        let size = self.dtype.size();
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(selection.count * size).map_err(|_| {
            IoError::system(path, "held in memory", std::io::Error::from(std::io::ErrorKind::OutOfMemory))
        })?;
        bytes.resize(selection.count * size, 0);
        if selection.in_order {
            stream.read_exact(&mut bytes)?;
            return Ok(bytes);
        }
        let mut chunk = vec![0; CHUNK.min(selection.span) as usize * size];
        let mut places = selection.places();
        let mut left = selection.span;
        while left > 0 {
            let numbers = left.min(CHUNK);
            let chunk = &mut chunk[..numbers as usize * size];
            stream.read_exact(chunk)?;
            for number in chunk.chunks_exact(size) {
                if let Some(place) = places.next_place() {
                    bytes[place * size..][..size].copy_from_slice(number);
                }
            }
            left -= numbers;
        }
        Ok(bytes)
    }
}
