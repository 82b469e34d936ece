//! Which number of an array belongs to which voxel of which volume.
//!
//! Invariant: the sizes of a [`Layout`] are at least 1 and their product, times the size of a number, fits in u64; a
//! single volume fits in memory addresses.

use super::super::{IoError, memory};
use crate::volume::DType;
use std::path::Path;

/// What an axis runs along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Role {
    /// Space: i, j, k in the order of the file.
    Space,
    /// Volumes of which one is read: times, echoes, list entries, components of a vector.
    Volume,
    /// The components of a colour, all of which are read.
    Colour,
}

#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Axis {
    pub size: u64,
    pub role: Role,
}

/// The axes of an array, fastest first.
pub(in super::super) struct Layout {
    axes: Vec<Axis>,
    /// Voxels along i, j, k; 1 where the array has only two axes in space.
    pub dims: [usize; 3],
    pub volumes: usize,
    /// Numbers a voxel: 1, or 3 or 4 for colours.
    pub components: usize,
    /// Numbers in the whole array.
    pub numbers: u64,
}

impl Layout {
    /// Checks the sizes of an array with two or three axes in space. `field` is what the header calls the sizes.
    pub(in super::super) fn new(
        path: &Path,
        field: &str,
        axes: Vec<Axis>,
        dtype: DType,
    ) -> Result<Self, IoError> {
        let sizes = |role: Role| -> Vec<u64> {
            axes.iter().filter(|axis| axis.role == role).map(|axis| axis.size).collect()
        };
        let all: Vec<u64> = axes.iter().map(|axis| axis.size).collect();
        if let Some(axis) = all.iter().position(|size| *size == 0) {
            return Err(IoError::field(path, format!("{field}[{axis}]"), "a size of at least 1", 0));
        }
        let space = sizes(Role::Space);
        if !(2..=3).contains(&space.len()) {
            return Err(IoError::field(path, field, "an image with two or three axes in space", space.len()));
        }
        let product =
            |sizes: &[u64], start: u64| sizes.iter().try_fold(start, |n, size| n.checked_mul(*size));
        let number = dtype.size() as u64;
        let components = product(&sizes(Role::Colour), 1);
        let volume_bytes = components
            .and_then(|components| product(&space, components.checked_mul(number)?))
            .filter(|bytes| *bytes <= isize::MAX as u64 / 8);
        let volumes = product(&sizes(Role::Volume), 1).and_then(|n| usize::try_from(n).ok());
        let bytes = product(&all, number);
        let (Some(components), Some(_), Some(volumes), Some(bytes)) =
            (components, volume_bytes, volumes, bytes)
        else {
            let got = memory::dims_text(&all);
            return Err(IoError::field(path, field, "fewer voxels than memory has addresses", got));
        };
        let size = |axis: usize| space.get(axis).map_or(1, |size| *size as usize);
        let (dims, components) = ([size(0), size(1), size(2)], components as usize);
        let numbers = bytes / number;
        Ok(Self { axes, dims, volumes, components, numbers })
    }

    /// The numbers of one volume, counted from 0; the first axis of volumes runs fastest.
    pub(super) fn select(&self, volume: usize) -> Selection {
        let mut rest = volume as u64;
        let mut in_file = 1u64;
        // Colour components lie side by side in the scan, whatever they do in the file.
        let mut in_scan = self.components as u64;
        let (mut first, mut last, mut in_order) = (0, 0, true);
        let mut axes = Vec::with_capacity(self.axes.len());
        for axis in &self.axes {
            let steps = axis.size - 1;
            let place = match axis.role {
                Role::Volume => {
                    let index = rest % axis.size;
                    rest /= axis.size;
                    first += index * in_file;
                    Place { size: axis.size, start: index, step: None }
                }
                Role::Space => {
                    let step = in_scan;
                    in_scan *= axis.size;
                    last += steps * in_file;
                    in_order &= step == in_file;
                    Place { size: axis.size, start: 0, step: Some(step) }
                }
                Role::Colour => {
                    last += steps * in_file;
                    in_order &= in_file == 1;
                    Place { size: axis.size, start: 0, step: Some(1) }
                }
            };
            axes.push(place);
            in_file *= axis.size;
        }
        Selection { axes, first, span: last + 1, count: in_scan as usize, in_order }
    }
}

/// One volume's numbers in the array.
pub(super) struct Selection {
    axes: Vec<Place>,
    /// Numbers before the first one.
    pub first: u64,
    /// Numbers from the first to the last one, both included; others may lie between.
    pub span: u64,
    /// How many they are.
    pub count: usize,
    /// Whether they lie in the file side by side and as they do in the scan.
    pub in_order: bool,
}

#[derive(Clone, Copy)]
struct Place {
    size: u64,
    /// The index at the first selected number, and for volumes the only one that is selected.
    start: u64,
    /// How far the next number along this axis lies in the scan; `None` along volumes.
    step: Option<u64>,
}

impl Selection {
    /// Walks through the span and says where each number goes.
    pub(super) fn places(&self) -> Places<'_> {
        Places { axes: &self.axes, index: self.axes.iter().map(|axis| axis.start).collect() }
    }
}

pub(super) struct Places<'a> {
    axes: &'a [Place],
    index: Vec<u64>,
}

impl Places<'_> {
    /// The place of the next number in the scan; `None` if it belongs to another volume.
    pub(super) fn next_place(&mut self) -> Option<usize> {
        let place = self.axes.iter().zip(&self.index).try_fold(0, |place, (axis, index)| match axis.step {
            Some(step) => Some(place + index * step),
            None => (*index == axis.start).then_some(place),
        });
        for (axis, index) in self.axes.iter().zip(&mut self.index) {
            *index += 1;
            if *index < axis.size {
                break;
            }
            *index = 0;
        }
        place.map(|place| place as usize)
    }
}
