//! Volumes as they cross the stream: their bytes beside their grid.
//!
//! The bytes are in planes: the first, lowest, byte of every voxel, then the second of every voxel, and so on. Neighbours
//! differ in their low bytes and agree in their high ones, so planes are what packing can make small.

use crate::volume::{DType, Geometry, LabelMap, Resampler, Scaling, Scan, Volume, Voxels, with_voxels};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A scan in its stored type, without anything that names a patient or a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WireScan {
    pub geometry: Geometry,
    pub dtype: DType,
    pub scaling: Scaling,
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}

/// float32 voxels on a grid.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WireVolume {
    pub geometry: Geometry,
    /// The grid the values are meant for, where that is another one.
    pub meant_for: Option<MeantFor>,
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}

/// Values travel on the networks' coarse grid and are interpolated where they arrive: a fiftieth of the bytes, and the
/// engine never holds them at the scan's resolution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeantFor {
    pub geometry: Geometry,
    /// The value beyond the grid that was sent.
    pub outside: f32,
}

/// uint16 labels on a grid.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WireLabels {
    pub geometry: Geometry,
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}

/// A volume whose bytes do not fill its grid.
#[derive(Debug, Error)]
#[error("volume message: expected {expected} bytes for dims {dims:?}, got {got}")]
pub struct WireError {
    dims: [usize; 3],
    expected: usize,
    got: usize,
}

/// Voxels that one thread turns at a time.
const TURNED_AT_ONCE: usize = 1 << 16;

/// Numbers to byte planes.
macro_rules! to_planes {
    ($values:expr) => {{
        let values = $values;
        let mut planes = vec![0u8; size_of_val(values)];
        if !values.is_empty() {
            planes.par_chunks_mut(values.len()).enumerate().for_each(|(plane, bytes)| {
                let parts = bytes.par_chunks_mut(TURNED_AT_ONCE).zip(values.par_chunks(TURNED_AT_ONCE));
                parts.for_each(|(bytes, values)| {
                    for (byte, value) in bytes.iter_mut().zip(values) {
                        *byte = value.to_le_bytes()[plane];
                    }
                });
            });
        }
        planes
    }};
}

/// Byte planes to numbers, as many as there are whole ones.
macro_rules! from_planes {
    ($bytes:expr, $t:ty) => {{
        let count = $bytes.len() / size_of::<$t>();
        let number = |n| <$t>::from_le_bytes(std::array::from_fn(|plane| $bytes[plane * count + n]));
        (0..count).into_par_iter().with_min_len(TURNED_AT_ONCE).map(number).collect::<Vec<$t>>()
    }};
}

impl WireScan {
    /// Packs a scan.
    pub fn pack(scan: &Scan) -> Self {
        let bytes = with_voxels!(scan.voxels(), v => to_planes!(v.as_slice()));
        Self {
            geometry: scan.geometry().clone(),
            dtype: scan.voxels().dtype(),
            scaling: scan.scaling(),
            bytes,
        }
    }

    /// Unpacks it on the other side.
    pub fn unpack(&self) -> Result<Scan, WireError> {
        check(&self.geometry, self.dtype.size(), &self.bytes)?;
        let b = &self.bytes;
        let voxels = match self.dtype {
            DType::U8 => Voxels::U8(from_planes!(b, u8)),
            DType::I8 => Voxels::I8(from_planes!(b, i8)),
            DType::U16 => Voxels::U16(from_planes!(b, u16)),
            DType::I16 => Voxels::I16(from_planes!(b, i16)),
            DType::U32 => Voxels::U32(from_planes!(b, u32)),
            DType::I32 => Voxels::I32(from_planes!(b, i32)),
            DType::U64 => Voxels::U64(from_planes!(b, u64)),
            DType::I64 => Voxels::I64(from_planes!(b, i64)),
            DType::F32 => Voxels::F32(from_planes!(b, f32)),
            DType::F64 => Voxels::F64(from_planes!(b, f64)),
        };
        Scan::new(voxels, self.scaling, self.geometry.clone(), "stream").ok_or_else(|| WireError {
            dims: self.geometry.dims(),
            expected: self.geometry.len() * self.dtype.size(),
            got: b.len(),
        })
    }
}

impl WireVolume {
    /// Packs a volume.
    pub fn pack(volume: &Volume<f32>) -> Self {
        let bytes = to_planes!(volume.voxels());
        Self { geometry: volume.geometry().clone(), meant_for: None, bytes }
    }

    /// Packs a volume that is wanted on another grid, with `outside` beyond its own.
    pub fn pack_for(volume: &Volume<f32>, geometry: &Geometry, outside: f32) -> Self {
        let meant_for = Some(MeantFor { geometry: geometry.clone(), outside });
        Self { meant_for, ..Self::pack(volume) }
    }

    /// Unpacks it on the other side, on the grid it is meant for.
    pub fn unpack(&self) -> Result<Volume<f32>, WireError> {
        let sent = place(from_planes!(self.bytes, f32), &self.geometry, size_of::<f32>(), &self.bytes)?;
        Ok(match &self.meant_for {
            None => sent,
            Some(wanted) => Resampler::new(&self.geometry, &wanted.geometry).linear(&sent, wanted.outside),
        })
    }
}

impl WireLabels {
    /// Packs a label map.
    pub fn pack(labels: &LabelMap) -> Self {
        let bytes = to_planes!(labels.voxels());
        Self { geometry: labels.geometry().clone(), bytes }
    }

    /// Unpacks it on the other side.
    pub fn unpack(&self) -> Result<LabelMap, WireError> {
        place(from_planes!(self.bytes, u16), &self.geometry, size_of::<u16>(), &self.bytes)
    }
}

fn check(geometry: &Geometry, size: usize, bytes: &[u8]) -> Result<(), WireError> {
    let expected = geometry.len().saturating_mul(size);
    if bytes.len() == expected {
        return Ok(());
    }
    Err(WireError { dims: geometry.dims(), expected, got: bytes.len() })
}

fn place<T>(values: Vec<T>, geometry: &Geometry, size: usize, bytes: &[u8]) -> Result<Volume<T>, WireError> {
    check(geometry, size, bytes)?;
    Volume::new(values, geometry.clone()).ok_or_else(|| WireError {
        dims: geometry.dims(),
        expected: geometry.len() * size,
        got: bytes.len(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_scan_crosses_the_stream_bit_for_bit_in_its_stored_type() {
        let geometry = Geometry::axis_aligned([2, 3, 1], [1.0, 2.0, 3.0], [0.0; 3]).unwrap();
        let scaling = Scaling { slope: 2.0, intercept: -1024.0 };
        let scan =
            Scan::new(Voxels::I16(vec![-1, 0, 1, 300, -300, 7]), scaling, geometry, "NIfTI-1").unwrap();
        let packed = WireScan::pack(&scan);
        let bytes = postcard::to_stdvec(&packed).unwrap();
        let back = postcard::from_bytes::<WireScan>(&bytes).unwrap().unpack().unwrap();
        assert_eq!(back.voxels(), scan.voxels());
        assert_eq!(back.geometry(), scan.geometry());
        assert_eq!(back.scaling(), scan.scaling());
    }

    #[test]
    fn values_sent_on_a_coarse_grid_arrive_on_the_grid_they_are_meant_for() {
        let coarse = Geometry::axis_aligned([4, 4, 4], [2.0; 3], [0.5; 3]).unwrap();
        let fine = Geometry::axis_aligned([12, 8, 8], [1.0; 3], [0.0; 3]).unwrap();
        let sent = Volume::from_fn(coarse, |i, _, _| 2.0 * i as f32 + 0.5);
        let arrived = WireVolume::pack_for(&sent, &fine, -1.0).unpack().unwrap();
        assert_eq!(arrived.geometry(), &fine);
        // The values are world x in mm, where the coarse grid has centres on both sides.
        assert!((arrived.at(3, 4, 4) - 3.0).abs() < 1e-6, "{}", arrived.at(3, 4, 4));
        assert_eq!(arrived.at(11, 4, 4), -1.0);
    }

    #[test]
    fn a_volume_with_missing_voxels_is_refused() {
        let geometry = Geometry::axis_aligned([2, 2, 2], [1.0; 3], [0.0; 3]).unwrap();
        let short = WireVolume { geometry, meant_for: None, bytes: vec![0; 31] };
        assert!(short.unpack().is_err());
    }
}
