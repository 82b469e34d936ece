//! A scan as its file stored it: stored type, scaling, grid, and what had to be said about it while reading.

use super::{Geometry, Volume};
use glam::DVec3;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Numeric type of the stored voxels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DType {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
}

impl DType {
    /// Bytes a voxel.
    pub fn size(self) -> usize {
        match self {
            DType::U8 | DType::I8 => 1,
            DType::U16 | DType::I16 => 2,
            DType::U32 | DType::I32 | DType::F32 => 4,
            DType::U64 | DType::I64 | DType::F64 => 8,
        }
    }

    /// The field's usual name: "int16", "float32", ...
    pub fn name(self) -> &'static str {
        match self {
            DType::U8 => "uint8",
            DType::I8 => "int8",
            DType::U16 => "uint16",
            DType::I16 => "int16",
            DType::U32 => "uint32",
            DType::I32 => "int32",
            DType::U64 => "uint64",
            DType::I64 => "int64",
            DType::F32 => "float32",
            DType::F64 => "float64",
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Voxels in the type the file stored them in.
#[derive(Debug, Clone, PartialEq)]
pub enum Voxels {
    U8(Vec<u8>),
    I8(Vec<i8>),
    U16(Vec<u16>),
    I16(Vec<i16>),
    U32(Vec<u32>),
    I32(Vec<i32>),
    U64(Vec<u64>),
    I64(Vec<i64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

/// Between the eight voxels around a position; those of the outermost ones up to half a voxel beyond them, then NaN.
fn trilinear(stored: impl Fn(usize) -> f64, dims: [usize; 3], voxel: DVec3) -> f64 {
    let last = DVec3::from_array(dims.map(|size| size as f64 - 1.0));
    if voxel.cmplt(DVec3::splat(-0.5)).any() || voxel.cmpgt(last + 0.5).any() || voxel.is_nan() {
        return f64::NAN;
    }
    let at = voxel.clamp(DVec3::ZERO, last);
    let low = at.floor();
    let [x, y, z] = (at - low).to_array();
    let [i, j, k] = low.to_array().map(|floor| floor as usize);
    let [ni, nj, _] = dims;
    let offset = i + ni * (j + nj * k);
    // A neighbour without weight is not read: it may lie beyond the grid, or hold no number.
    let step = |part: f64, stride: usize| if part > 0.0 { stride } else { 0 };
    let [di, dj, dk] = [step(x, 1), step(y, ni), step(z, ni * nj)];
    let between = |low: f64, high: f64, part: f64| low + (high - low) * part;
    let along_i = |offset: usize| between(stored(offset), stored(offset + di), x);
    let along_j = |offset: usize| between(along_i(offset), along_i(offset + dj), y);
    between(along_j(offset), along_j(offset + dk), z)
}

/// Runs the same expression on whichever vector a [`Voxels`] holds.
macro_rules! with_voxels {
    ($voxels:expr, $v:ident => $body:expr) => {
        match $voxels {
            $crate::volume::Voxels::U8($v) => $body,
            $crate::volume::Voxels::I8($v) => $body,
            $crate::volume::Voxels::U16($v) => $body,
            $crate::volume::Voxels::I16($v) => $body,
            $crate::volume::Voxels::U32($v) => $body,
            $crate::volume::Voxels::I32($v) => $body,
            $crate::volume::Voxels::U64($v) => $body,
            $crate::volume::Voxels::I64($v) => $body,
            $crate::volume::Voxels::F32($v) => $body,
            $crate::volume::Voxels::F64($v) => $body,
        }
    };
}
pub(crate) use with_voxels;

impl Voxels {
    /// Number of voxels.
    pub fn len(&self) -> usize {
        with_voxels!(self, v => v.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The stored type.
    pub fn dtype(&self) -> DType {
        match self {
            Voxels::U8(_) => DType::U8,
            Voxels::I8(_) => DType::I8,
            Voxels::U16(_) => DType::U16,
            Voxels::I16(_) => DType::I16,
            Voxels::U32(_) => DType::U32,
            Voxels::I32(_) => DType::I32,
            Voxels::U64(_) => DType::U64,
            Voxels::I64(_) => DType::I64,
            Voxels::F32(_) => DType::F32,
            Voxels::F64(_) => DType::F64,
        }
    }

    /// The stored value at `offset`, unscaled.
    pub fn value(&self, offset: usize) -> f64 {
        with_voxels!(self, v => v[offset] as f64)
    }
}

/// Stored value to measured value: `slope * stored + intercept`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    pub slope: f64,
    pub intercept: f64,
}

impl Scaling {
    /// Stored values are the measured ones.
    pub const IDENTITY: Self = Self { slope: 1.0, intercept: 0.0 };
}

/// What made the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Modality {
    Ct,
    Mr,
}

impl Modality {
    /// "CT" or "MR".
    pub fn name(self) -> &'static str {
        match self {
            Modality::Ct => "CT",
            Modality::Mr => "MR",
        }
    }

    /// Unit of the intensities: Hounsfield units, or arbitrary ones.
    pub fn unit(self) -> &'static str {
        match self {
            Modality::Ct => "HU",
            Modality::Mr => "a.u.",
        }
    }

    /// The other one of the two.
    pub fn other(self) -> Self {
        match self {
            Modality::Ct => Modality::Mr,
            Modality::Mr => Modality::Ct,
        }
    }
}

/// What must stay in view for as long as a scan is shown, because it changes what may be read from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flag {
    /// DICOM's MONOCHROME1: drawn with black and white exchanged; the values are as stored.
    DrawnInverted,
    /// The file holds colours; the voxels are their luminance, which no model may be run on.
    Colour,
    /// The file's checksum is wrong and it was opened all the same.
    Damaged,
    /// Slices are missing or unevenly spaced and the series was opened all the same.
    Gaps,
    /// A CT that does not say how its values become Hounsfield units.
    NotHounsfield,
    /// A segmentation whose values say how much of a voxel belongs to the segment: no labels.
    Fractions,
}

impl Flag {
    /// A few words for a badge.
    pub fn badge(self) -> &'static str {
        match self {
            Flag::DrawnInverted => "drawn inverted",
            Flag::Colour => "colour as luminance",
            Flag::Damaged => "damaged file",
            Flag::Gaps => "slices missing",
            Flag::NotHounsfield => "not HU",
            Flag::Fractions => "fractions of voxels",
        }
    }
}

/// A CT shows air, at -1000 HU, or at least fat and lung; its smallest value lies below this.
const LEAST_CT_LOW: f64 = -200.0;

/// One 3-D image with everything its file said about it.
#[derive(Debug, Clone)]
pub struct Scan {
    voxels: Voxels,
    scaling: Scaling,
    geometry: Geometry,
    /// For people: "NIfTI-1", "NIfTI-2", "phantom", ...
    pub format: String,
    /// What to write back bit for bit when something is saved on this scan's grid; `None` if it came from no NIfTI file.
    pub nifti: Option<super::io::nifti::SpatialHeader>,
    /// NIfTI header extensions, kept when this very scan is written again and never put into what is derived from it:
    /// they may name the patient.
    pub extensions: Vec<super::io::nifti::Extension>,
    /// Which of the file's 3-D volumes this is, 0 being the first, ...
    pub volume: usize,
    /// ... and how many there are.
    pub volumes: usize,
    /// What made the image, where the file says so.
    pub modality: Option<Modality>,
    /// DICOM's FrameOfReferenceUID: scans that share it share the space of their world coordinates.
    pub frame_of_reference: Option<String>,
    /// Stored values, first and last, that mean "nothing was measured here" (DICOM's pixel padding).
    pub padding: Option<[f64; 2]>,
    pub flags: Vec<Flag>,
    /// What a reader of this scan must know, in full sentences.
    pub warnings: Vec<String>,
}

impl Scan {
    /// Pairs stored voxels with their grid. `None` where the counts differ.
    pub fn new(voxels: Voxels, scaling: Scaling, geometry: Geometry, format: &str) -> Option<Self> {
        (voxels.len() == geometry.len()).then(|| Self::bare(voxels, scaling, geometry, format))
    }

    /// A scan of computed values, stored as float32.
    pub fn from_volume(volume: Volume<f32>, format: &str) -> Self {
        let geometry = volume.geometry().clone();
        Self::bare(Voxels::F32(volume.into_voxels()), Scaling::IDENTITY, geometry, format)
    }

    /// Nothing known but the numbers and their place.
    fn bare(voxels: Voxels, scaling: Scaling, geometry: Geometry, format: &str) -> Self {
        Self {
            voxels,
            scaling,
            geometry,
            format: format.to_owned(),
            nifti: None,
            extensions: Vec::new(),
            volume: 0,
            volumes: 1,
            modality: None,
            frame_of_reference: None,
            padding: None,
            flags: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The grid.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// The stored voxels, unscaled.
    pub fn voxels(&self) -> &Voxels {
        &self.voxels
    }

    /// Stored to measured values.
    pub fn scaling(&self) -> Scaling {
        self.scaling
    }

    /// Measured value (HU or a.u.) at voxel (i, j, k), which must lie in the grid.
    pub fn value(&self, i: usize, j: usize, k: usize) -> f32 {
        let [ni, nj, _] = self.geometry.dims();
        (self.voxels.value(i + ni * (j + nj * k)) * self.scaling.slope + self.scaling.intercept) as f32
    }

    /// Measured value (HU or a.u.) at a voxel position between the voxels' centres, trilinear. Up to half a voxel beyond the
    /// outermost centres it is theirs; farther out it is NaN.
    pub fn value_between(&self, voxel: DVec3) -> f32 {
        let dims = self.geometry.dims();
        let Scaling { slope, intercept } = self.scaling;
        let stored = with_voxels!(&self.voxels, v => trilinear(|offset| v[offset] as f64, dims, voxel));
        (stored * slope + intercept) as f32
    }

    /// Measured values at `size` (columns, rows) evenly spaced points of a plane, row by row, each as by
    /// [`Scan::value_between`]: voxel position of the first one, and the way from column to column and from row to row.
    pub fn values_on_plane(
        &self,
        first: DVec3,
        [column, row]: [DVec3; 2],
        [columns, rows]: [usize; 2],
    ) -> Vec<f32> {
        let dims = self.geometry.dims();
        let Scaling { slope, intercept } = self.scaling;
        let mut values = vec![0.0; columns * rows];
        with_voxels!(&self.voxels, v => {
            let at = |voxel| (trilinear(|offset| v[offset] as f64, dims, voxel) * slope + intercept) as f32;
            values.par_chunks_mut(columns.max(1)).enumerate().for_each(|(number, line)| {
                let start = first + row * number as f64;
                for (number, value) in line.iter_mut().enumerate() {
                    *value = at(start + column * number as f64);
                }
            });
        });
        values
    }

    /// All measured values as float32.
    pub fn to_f32(&self) -> Volume<f32> {
        let Scaling { slope, intercept } = self.scaling;
        let voxels = with_voxels!(&self.voxels, v => v
            .par_iter()
            .map(|&stored| (stored as f64 * slope + intercept) as f32)
            .collect());
        Volume { voxels, geometry: self.geometry.clone() }
    }

    /// How many voxels hold no finite number.
    pub fn missing_voxels(&self) -> usize {
        with_voxels!(&self.voxels, v => v.par_iter().filter(|stored| !(**stored as f64).is_finite()).count())
    }

    /// Smallest and largest finite measured value that is no padding; `None` if there is none.
    pub fn intensity_range(&self) -> Option<[f64; 2]> {
        let Scaling { slope, intercept } = self.scaling;
        let (low, high) = with_voxels!(&self.voxels, v => v
        .par_iter()
        .map(|&stored| stored as f64)
        .filter(|stored| stored.is_finite() && !self.is_padding(*stored))
        .fold(
            || (f64::INFINITY, f64::NEG_INFINITY),
            |(low, high), stored| (low.min(stored), high.max(stored)),
        )
        .reduce(
            || (f64::INFINITY, f64::NEG_INFINITY),
            |a, b| (a.0.min(b.0), a.1.max(b.1)),
        ));
        let ends = [low * slope + intercept, high * slope + intercept];
        (low <= high).then(|| [ends[0].min(ends[1]), ends[0].max(ends[1])])
    }

    /// Whether a stored value means that nothing was measured.
    pub fn is_padding(&self, stored: f64) -> bool {
        self.padding.is_some_and(|[first, last]| (first..=last).contains(&stored))
    }

    /// How many voxels are NaN or infinite.
    pub fn nonfinite_voxels(&self) -> usize {
        match &self.voxels {
            Voxels::F32(v) => v.par_iter().filter(|x| !x.is_finite()).count(),
            Voxels::F64(v) => v.par_iter().filter(|x| !x.is_finite()).count(),
            _ => 0,
        }
    }

    /// The modality its file names, else the one its intensities suggest: CT reaches well below zero (air is -1000 HU),
    /// MR does not.
    pub fn guess_modality(&self) -> Modality {
        self.modality.unwrap_or_else(|| match self.intensity_range() {
            Some([low, _]) if low < LEAST_CT_LOW => Modality::Ct,
            _ => Modality::Mr,
        })
    }

    /// Why the intensities speak against `modality`, in a full sentence; `None` where they do not.
    pub fn doubt_of(&self, modality: Modality) -> Option<&'static str> {
        let [low, high] = self.intensity_range()?;
        match modality {
            Modality::Ct if low >= LEAST_CT_LOW && high > low => {
                Some("No value lies below -200, where a CT has air: this may be no CT, or not in HU.")
            }
            Modality::Mr if low < LEAST_CT_LOW => {
                Some("Values lie below -200, as in a CT, and an MR has none: this may be no MR.")
            }
            _ => None,
        }
    }

    /// A few words for each thing that must stay in view while this scan is shown.
    pub fn badges(&self) -> Vec<String> {
        let mut badges = Vec::new();
        if self.volumes > 1 {
            badges.push(format!("t={}/{}", self.volume + 1, self.volumes));
        }
        badges.extend(badges_of(&self.geometry, &self.flags));
        badges
    }
}

/// The badges of whatever lies on such a grid and has such flags.
pub(super) fn badges_of(geometry: &Geometry, flags: &[Flag]) -> Vec<String> {
    let unknown = [
        (!geometry.orientation_known()).then_some("orientation unknown"),
        (!geometry.spacing_known()).then_some("voxel size unknown"),
    ];
    let flags = flags.iter().map(|flag| flag.badge());
    unknown.into_iter().flatten().chain(flags).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn corner_scan() -> Scan {
        let stored = Voxels::F32(vec![0.0, 4.0, 8.0, f32::NAN, 16.0, 20.0, 24.0, 28.0]);
        let geometry = Geometry::axis_aligned([2, 2, 2], [1.0; 3], [0.0; 3]).unwrap();
        Scan::new(stored, Scaling { slope: 0.5, intercept: 1.0 }, geometry, "phantom").unwrap()
    }

    #[test]
    fn between_voxels_a_value_is_interpolated_and_beside_the_grid_there_is_none() {
        let scan = corner_scan();
        let at = |x, y, z| scan.value_between(DVec3::new(x, y, z));
        assert_eq!(at(0.25, 0.0, 0.0), 1.5);
        assert_eq!(at(0.0, 0.5, 0.75), 1.0 + 0.5 * (4.0 * 0.25 + 20.0 * 0.75));
        assert_eq!(at(-0.5, 0.0, 1.5), 9.0, "up to half a voxel beyond, the outermost voxel's");
        assert!(at(-0.51, 0.0, 0.0).is_nan() && at(0.0, 0.0, 1.51).is_nan());
    }

    #[test]
    fn a_voxel_without_a_number_takes_away_only_what_lies_next_to_it() {
        let scan = corner_scan();
        let at = |x, y, z| scan.value_between(DVec3::new(x, y, z));
        assert!(at(1.0, 0.5, 0.0).is_nan());
        assert_eq!(at(1.0, 0.0, 0.0), 3.0);
        assert_eq!(at(1.0, 1.0, 1.0), 15.0);
    }

    #[test]
    fn a_plane_holds_what_lies_at_each_of_its_points() {
        let scan = corner_scan();
        let (first, steps) =
            (DVec3::new(-0.4, 0.1, 0.3), [DVec3::new(0.3, 0.05, 0.0), DVec3::new(0.0, 0.2, 0.15)]);
        let plane = scan.values_on_plane(first, steps, [4, 3]);
        for (number, value) in plane.iter().enumerate() {
            let [column, row] = [number % 4, number / 4].map(|n| n as f64);
            let alone = scan.value_between(first + steps[0] * column + steps[1] * row);
            assert!(value.to_bits() == alone.to_bits() || (value - alone).abs() < 1e-5, "{value} {alone}");
        }
    }
}
