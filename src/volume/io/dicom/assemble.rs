//! A scan from one stack: which numeric type and scaling it has, and its voxels.
//!
//! Invariants: stored integers are kept as they are wherever one scaling holds for all slices; nothing is allocated
//! before it was compared with free memory; slices that are missing hold no invented data.

use super::catalogue::Entry;
use super::frames::FrameIndex;
use super::header::Image;
use super::pictures::Pictures;
use super::slice::Slice;
use super::stack::Stack;
use super::{codec, stored};
use crate::volume::io::{HeaderInfo, IoError, OpenOptions, memory};
use crate::volume::{DType, Flag, Modality, Scaling, Scan, Voxels};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// The decoders were never seen to need as much.
const STACK_BYTES: usize = 16 << 20;

/// Bytes a pixel while a frame is decoded: its samples, the numbers they store, and what the decoder holds.
const WORKING_BYTES: u64 = 24;

/// What will be read, judged from headers alone.
pub(super) struct Plan<'a> {
    path: &'a Path,
    stack: &'a Stack,
    volume: usize,
    volumes: usize,
    modality: Option<Modality>,
    frame_of_reference: &'a str,
    dtype: DType,
    /// For all voxels; if it differs from slice to slice, voxels are float32 and already scaled.
    scaling: Scaling,
    scaled_by_slice: bool,
    padding: Option<[f64; 2]>,
    flags: Vec<Flag>,
    warnings: Vec<String>,
}

impl<'a> Plan<'a> {
    /// Plans reading one volume of `entry`. `path` is what the user named, for messages.
    pub(super) fn of(path: &'a Path, entry: &'a Entry, options: &OpenOptions) -> Result<Self, IoError> {
        let (volume, volumes) = (options.volume.unwrap_or(0), entry.volumes.len());
        let stack = entry.volumes.get(volume).ok_or_else(|| IoError::NoSuchVolume {
            path: path.to_owned(),
            asked: volume.saturating_add(1),
            volumes,
        })?;
        let modality = match entry.info.modality.as_str() {
            "CT" => Some(Modality::Ct),
            "MR" => Some(Modality::Mr),
            _ => None,
        };
        let mut plan = Plan {
            path,
            stack,
            volume,
            volumes,
            modality,
            frame_of_reference: &entry.info.frame_of_reference,
            dtype: stored_type(&stack.slices),
            scaling: Scaling::IDENTITY,
            scaled_by_slice: false,
            padding: None,
            flags: Vec::new(),
            warnings: entry.info.warnings.clone(),
        };
        if volumes > 1 {
            plan.warnings.push(format!("Volume {} of {volumes} is shown.", volume + 1));
        }
        plan.judge_gap(options)?;
        plan.judge_scaling();
        plan.judge_padding();
        plan.judge_pixels();
        Ok(plan)
    }

    fn judge_gap(&mut self, options: &OpenOptions) -> Result<(), IoError> {
        let Some(gap) = &self.stack.gap else { return Ok(()) };
        if !options.accept_gaps {
            return Err(IoError::Gaps { path: self.path.to_owned(), gaps: gap.clone() });
        }
        self.flags.push(Flag::Gaps);
        if !self.warnings.contains(gap) {
            self.warnings.push(gap.clone());
        }
        Ok(())
    }

    fn judge_scaling(&mut self) {
        let slices = &self.stack.slices;
        let given: Vec<Option<Scaling>> = slices.iter().map(|slice| slice.plane().rescale).collect();
        let first = given[0];
        if self.modality == Some(Modality::Ct) {
            let units = || slices.iter().map(|slice| slice.plane().rescale_type.as_str());
            if given.iter().any(Option::is_none) || units().any(|unit| !matches!(unit, "" | "HU" | "US")) {
                self.flags.push(Flag::NotHounsfield);
                self.warnings
                    .push("The file does not say how its values become Hounsfield units.".to_owned());
            } else if units().any(|unit| unit == "US") {
                // Programs that rewrite a CT put this on slopes and intercepts that are those of the scanner.
                self.warnings
                    .push("RescaleType is \"unspecified\"; Hounsfield units were assumed.".to_owned());
            }
        }
        if given.iter().all(|scaling| *scaling == first) {
            self.scaling = first.unwrap_or(Scaling::IDENTITY);
            return;
        }
        self.scaled_by_slice = true;
        self.dtype = DType::F32;
        self.warnings.push(
            "Each slice has a scaling of its own; voxels were converted to measured values as float32."
                .to_owned(),
        );
    }

    fn judge_padding(&mut self) {
        let first = self.stack.slices[0].image.padding;
        if self.stack.slices.iter().any(|slice| slice.image.padding != first) {
            self.warnings.push("Slices differ in PixelPaddingValue; it was ignored.".to_owned());
        } else {
            self.padding = first;
        }
    }

    fn judge_pixels(&mut self) {
        let layout = &self.stack.slices[0].image.layout;
        if layout.photometric == "MONOCHROME1" {
            self.flags.push(Flag::DrawnInverted);
        }
        if layout.samples == 3 {
            self.flags.push(Flag::Colour);
            self.warnings.push("This is a colour image; its luminance is shown.".to_owned());
        }
    }

    /// What can be said without looking at a voxel.
    pub(super) fn header(self) -> HeaderInfo {
        HeaderInfo {
            format: "DICOM".to_owned(),
            dtype: self.dtype,
            scaling: self.scaling,
            geometry: self.stack.geometry.clone(),
            volumes: self.volumes,
            nifti: None,
            flags: self.flags,
            warnings: self.warnings,
        }
    }

    /// Reads the voxels.
    pub(super) fn read(self) -> Result<Scan, IoError> {
        self.refuse_what_does_not_fit()?;
        let pool = rayon::ThreadPoolBuilder::new().stack_size(STACK_BYTES).build();
        let pool =
            pool.map_err(|error| IoError::system(self.path, "read on threads", io::Error::other(error)))?;
        let voxels = pool.install(|| self.voxels())?;
        let mut scan = self.scan_of(voxels, self.scaling)?;
        scan.modality = self.modality;
        // Measured values have no room for stored ones: padding became "not a number".
        scan.padding = self.padding.filter(|_| !self.scaled_by_slice);
        scan.flags = self.flags;
        scan.warnings = self.warnings;
        Ok(scan)
    }

    /// The grey values of one picture a slice on the grid of the series, whose own pixels are not looked at; 0 where a slice is
    /// missing.
    pub(super) fn read_pictures(self, pictures: &Pictures) -> Result<Scan, IoError> {
        self.refuse_what_does_not_fit()?;
        let [ni, nj, nk] = self.stack.geometry.dims();
        let slices = self.slices_in_place();
        pictures.refuse_other_than(&self.stack.slices)?;
        let mut values = vec![0; ni * nj * nk];
        for (plane, slice) in values.chunks_mut(ni * nj).zip(slices) {
            if let Some(slice) = slice {
                plane.copy_from_slice(&pictures.grey_values(slice, [ni, nj])?);
            }
        }
        let mut scan = self.scan_of(Voxels::U16(values), Scaling::IDENTITY)?;
        // What else is said of the series, such as that it is the largest of several, may explain a picture that is not there.
        scan.flags = self.flags.into_iter().filter(|flag| *flag == Flag::Gaps).collect();
        scan.warnings = self.warnings;
        Ok(scan)
    }

    /// Voxels where the series lies.
    fn scan_of(&self, voxels: Voxels, scaling: Scaling) -> Result<Scan, IoError> {
        let count = voxels.len();
        let mut scan = Scan::new(voxels, scaling, self.stack.geometry.clone(), "DICOM").ok_or_else(|| {
            IoError::field(self.path, "Rows and Columns", "as many voxels as the grid has", count)
        })?;
        (scan.volume, scan.volumes) = (self.volume, self.volumes);
        let frame = self.frame_of_reference;
        scan.frame_of_reference = (!frame.is_empty()).then(|| frame.to_owned());
        Ok(scan)
    }

    /// What lies at each slice of the grid; `None` where one is missing.
    fn slices_in_place(&self) -> Vec<Option<&Slice>> {
        let mut slices = vec![None; self.stack.geometry.dims()[2]];
        for (slice, at) in self.stack.slices.iter().zip(&self.stack.at) {
            slices[*at] = Some(slice);
        }
        slices
    }

    fn refuse_what_does_not_fit(&self) -> Result<(), IoError> {
        let dims = self.stack.geometry.dims();
        let working = (dims[0] * dims[1] * rayon::current_num_threads()) as u64 * WORKING_BYTES;
        let needed_bytes = (self.stack.geometry.len() * self.dtype.size()) as u64 + working;
        match memory::free_bytes() {
            Some(free_bytes) if needed_bytes > free_bytes => {
                let dims = dims.map(|size| size.to_string()).join(" x ");
                Err(IoError::TooLarge { path: self.path.to_owned(), dims, needed_bytes, free_bytes })
            }
            _ => Ok(()),
        }
    }

    fn voxels(&self) -> Result<Voxels, IoError> {
        macro_rules! stored {
            ($variant:ident, $type:ty) => {
                Voxels::$variant(self.fill(|number, _| number as $type)?)
            };
        }
        Ok(match self.dtype {
            DType::U8 => stored!(U8, u8),
            DType::I8 => stored!(I8, i8),
            DType::U16 => stored!(U16, u16),
            DType::I16 => stored!(I16, i16),
            DType::U32 => stored!(U32, u32),
            DType::I32 => stored!(I32, i32),
            DType::F32 | DType::F64 => Voxels::F32(self.fill(|number, slice| self.measured(number, slice))?),
            DType::U64 | DType::I64 => stored!(I64, i64),
        })
    }

    /// A stored number by the scaling of its own slice.
    fn measured(&self, number: i64, slice: &Slice) -> f32 {
        let number = number as f64;
        if self.padding.is_some_and(|[low, high]| (low..=high).contains(&number)) {
            return f32::NAN;
        }
        let Scaling { slope, intercept } = slice.plane().rescale.unwrap_or(Scaling::IDENTITY);
        (number * slope + intercept) as f32
    }

    /// Decodes all slices into one volume, several at a time.
    fn fill<T>(&self, convert: impl Fn(i64, &Slice) -> T + Sync) -> Result<Vec<T>, IoError>
    where
        T: Copy + Default + PartialOrd + Send + Sync,
    {
        let [ni, nj, nk] = self.stack.geometry.dims();
        let mut voxels: Vec<T> = Vec::new();
        voxels.try_reserve_exact(ni * nj * nk).map_err(|_| {
            IoError::system(self.path, "held in memory", io::Error::from(io::ErrorKind::OutOfMemory))
        })?;
        voxels.resize(ni * nj * nk, T::default());
        let frames = self.index_frames()?;
        let slices = self.slices_in_place();
        voxels.par_chunks_mut(ni * nj).zip(&slices).try_for_each(|(plane, slice)| {
            let Some(slice) = slice else { return Ok(()) };
            let numbers = match frames.get(slice.path()) {
                Some(index) => numbers(slice, index)?,
                None => numbers(slice, &FrameIndex::of(&slice.image)?)?,
            };
            plane.iter_mut().zip(numbers).for_each(|(voxel, number)| *voxel = convert(number, slice));
            Ok(())
        })?;
        self.leave_empty(&mut voxels, &slices, |number| convert(number, &self.stack.slices[0]));
        Ok(voxels)
    }

    /// Gives the voxels of missing slices the padding value, or the smallest that was measured.
    fn leave_empty<T>(&self, voxels: &mut [T], slices: &[Option<&Slice>], stored: impl Fn(i64) -> T)
    where
        T: Copy + PartialOrd + Send + Sync,
    {
        let [ni, nj, _] = self.stack.geometry.dims();
        if slices.iter().all(Option::is_some) {
            return;
        }
        let measured = voxels.chunks(ni * nj).zip(slices).filter(|(_, slice)| slice.is_some());
        let smallest =
            measured.flat_map(|(plane, _)| plane).copied().reduce(|a, b| if b < a { b } else { a });
        let padding = self.padding.map(|[low, _]| stored(low as i64));
        let Some(nothing) = padding.or(smallest) else { return };
        for (plane, _) in voxels.chunks_mut(ni * nj).zip(slices).filter(|(_, slice)| slice.is_none()) {
            plane.fill(nothing);
        }
    }

    /// Where the frames of files with several frames lie, found once for each file.
    fn index_frames(&self) -> Result<BTreeMap<&Path, FrameIndex>, IoError> {
        let several: BTreeMap<&Path, &Image> = self
            .stack
            .slices
            .iter()
            .filter(|slice| slice.image.planes.len() > 1)
            .map(|slice| (slice.path(), &*slice.image))
            .collect();
        several.into_iter().map(|(path, image)| Ok((path, FrameIndex::of(image)?))).collect()
    }
}

/// The numbers that one slice stores.
fn numbers(slice: &Slice, frames: &FrameIndex) -> Result<Vec<i64>, IoError> {
    let (image, layout) = (&slice.image, &slice.image.layout);
    let bytes = frames.read(image, slice.frame)?;
    let samples = if image.syntax.is_compressed() {
        codec::decode(image.syntax.coding, &bytes, layout).map_err(|why| IoError::BadDicom {
            path: image.path.clone(),
            why: format!("its pixels, {}, cannot be decoded: {why}", image.syntax.describe()),
        })?
    } else {
        let in_words = image.pixels.is_some_and(|pixels| pixels.in_words);
        stored::native(&bytes, layout, image.syntax.encoding.big_endian, in_words)
    };
    let numbers = stored::numbers(samples, layout);
    let (expected, got) = (layout.rows * layout.columns, numbers.len());
    if got != expected {
        return Err(IoError::field(&image.path, "PixelData", format!("{expected} pixels"), got));
    }
    Ok(numbers)
}

/// The smallest type that holds what every slice may store.
fn stored_type(slices: &[Slice]) -> DType {
    let layouts = || slices.iter().map(|slice| &slice.image.layout);
    if slices[0].image.layout.samples == 3 {
        return DType::U8;
    }
    let widest = |signed: bool| layouts().filter(|l| l.signed == signed).map(|l| l.bits_stored).max();
    match (widest(false), widest(true)) {
        (Some(..=8), None) => DType::U8,
        (Some(..=16), None) => DType::U16,
        (_, None) => DType::U32,
        (None, Some(..=8)) => DType::I8,
        (unsigned, Some(signed)) => match signed.max(unsigned.map_or(0, |bits| bits + 1)) {
            ..=16 => DType::I16,
            17..=32 => DType::I32,
            _ => DType::I64,
        },
    }
}
