//! Which series there are among some files, and what each of them is.
//!
//! One series of a scanner may hold slices of several orientations, sizes and kinds; each becomes an entry of its own.

use super::header::Image;
use super::slice::Slice;
use super::stack::{self, Stack};
use super::syntax::{Coding, JPEG_EXTENDED_UID};
use super::volumes;
use super::{SeriesInfo, SeriesKind};
use dicom_core::dictionary::UidDictionary;
use dicom_dictionary_std::{StandardSopClassDictionary, tags, uids};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The id of files that name no series.
const UNNAMED: &str = "unnamed";

/// Rows and Columns are 16-bit numbers.
const LARGEST_SIDE: usize = 65535;

/// One line of the list of series, and what it takes to read it.
#[derive(Debug)]
pub(super) struct Entry {
    pub info: SeriesInfo,
    /// Several where there are time points or echoes; none where nothing can be read.
    pub volumes: Vec<Stack>,
}

impl Entry {
    /// Voxels of one of its volumes.
    pub(super) fn voxels(&self) -> usize {
        self.info.dims.map_or(0, |dims| dims.iter().fold(1, |voxels, size| voxels.saturating_mul(*size)))
    }
}

/// Sorts images into entries: volumes first, the largest of them first.
pub(super) fn of(images: Vec<Image>) -> Vec<Entry> {
    let mut by_series: BTreeMap<String, Vec<Arc<Image>>> = BTreeMap::new();
    for image in images {
        by_series.entry(image.series.clone()).or_default().push(Arc::new(image));
    }
    let mut entries: Vec<Entry> =
        by_series.into_iter().flat_map(|(uid, images)| of_series(&uid, images)).collect();
    entries.sort_by_key(rank);
    entries
}

/// Volumes before scouts before the rest, the larger before the smaller, then as the scanner counted.
fn rank(entry: &Entry) -> (u8, std::cmp::Reverse<usize>, Option<i32>, String) {
    let kind = match entry.info.kind {
        SeriesKind::Volume => 0,
        SeriesKind::Scout => 1,
        SeriesKind::Unreadable => 2,
        SeriesKind::NotAnImage => 3,
    };
    (kind, std::cmp::Reverse(entry.voxels()), entry.info.number, entry.info.id.clone())
}

/// The entries of one SeriesInstanceUID, numbered "#2" and so on from the second on.
fn of_series(uid: &str, images: Vec<Arc<Image>>) -> Vec<Entry> {
    let mut entries = Vec::new();
    let (pictures, others): (Vec<_>, Vec<_>) = images.into_iter().partition(|image| is_picture(image));
    if !others.is_empty() {
        entries.push(Entry { info: describe(&others, SeriesKind::NotAnImage), volumes: Vec::new() });
    }
    let mut unsupported: BTreeMap<String, Vec<Arc<Image>>> = BTreeMap::new();
    let mut stacks: Vec<Vec<Slice>> = Vec::new();
    for image in pictures {
        if let Some(reason) = why_unsupported(&image) {
            unsupported.entry(reason).or_default().push(image);
            continue;
        }
        for slice in Slice::of(&image) {
            match stacks.iter_mut().find(|stack| stack[0].fits(&slice)) {
                Some(stack) => stack.push(slice),
                None => stacks.push(vec![slice]),
            }
        }
    }
    for (reason, images) in unsupported {
        entries.push(unreadable(&images, reason));
    }
    entries.extend(stacks.into_iter().flat_map(of_stack));
    set_single_slices_aside(&mut entries);
    entries.sort_by_key(rank);
    let uid = if uid.is_empty() { UNNAMED } else { uid };
    for (number, entry) in entries.iter_mut().enumerate() {
        entry.info.id = if number == 0 { uid.to_owned() } else { format!("{uid}#{}", number + 1) };
    }
    entries
}

/// One entry if all its volumes cover the same grid, else one for each.
fn of_stack(slices: Vec<Slice>) -> Vec<Entry> {
    let images: Vec<_> = slices.iter().map(|slice| slice.image.clone()).collect();
    let scout = slices[0].is_scout();
    let arranged = volumes::split(slices).and_then(|split| {
        let stacks: Result<Vec<Stack>, String> = split.volumes.into_iter().map(stack::arrange).collect();
        Ok((stacks?, split.notes))
    });
    let (stacks, notes) = match arranged {
        Ok(found) => found,
        Err(reason) => return vec![unreadable(&images, reason)],
    };
    let alike = stacks.windows(2).all(|pair| pair[0].geometry.dims() == pair[1].geometry.dims());
    let groups: Vec<Vec<Stack>> =
        if alike { vec![stacks] } else { stacks.into_iter().map(|one| vec![one]).collect() };
    let kind = if scout { SeriesKind::Scout } else { SeriesKind::Volume };
    groups
        .into_iter()
        .map(|volumes| {
            let images: Vec<_> =
                volumes.iter().flat_map(|stack| &stack.slices).map(|slice| slice.image.clone()).collect();
            let geometry = &volumes[0].geometry;
            let mut info = describe(&images, kind);
            info.dims = Some(geometry.dims());
            info.spacing_mm = geometry.spacing_known().then(|| geometry.spacing_mm());
            info.volumes = volumes.len();
            info.warnings.extend(notes.iter().cloned());
            // What is wrong with one time point is mostly wrong with all.
            let said: BTreeSet<&String> =
                volumes.iter().flat_map(|stack| stack.gap.iter().chain(&stack.warnings)).collect();
            info.warnings.extend(said.into_iter().take(8).cloned());
            Entry { info, volumes }
        })
        .collect()
}

/// A lone slice beside a larger stack of the same series was made to plan it.
fn set_single_slices_aside(entries: &mut [Entry]) {
    let deepest = entries.iter().filter_map(|entry| entry.info.dims).map(|dims| dims[2]).max();
    for entry in entries {
        let single = entry.info.dims.is_some_and(|dims| dims[2] == 1) && entry.info.volumes == 1;
        if single && deepest > Some(1) && entry.info.kind == SeriesKind::Volume {
            entry.info.kind = SeriesKind::Scout;
        }
    }
}

fn describe(images: &[Arc<Image>], kind: SeriesKind) -> SeriesInfo {
    let first = &images[0];
    let files: BTreeSet<_> = images.iter().map(|image| &image.path).collect();
    SeriesInfo {
        id: first.series.clone(),
        kind,
        frame_of_reference: first.frame_of_reference.clone(),
        modality: first.modality.clone(),
        number: first.series_number,
        description: first.description.clone(),
        dims: None,
        spacing_mm: None,
        volumes: 0,
        files: files.len(),
        warnings: Vec::new(),
    }
}

fn unreadable(images: &[Arc<Image>], reason: String) -> Entry {
    let mut info = describe(images, SeriesKind::Unreadable);
    let layout = &images[0].layout;
    let frames: usize = images.iter().map(|image| image.frames).sum();
    info.dims = (layout.columns * layout.rows > 0).then_some([layout.columns, layout.rows, frames]);
    info.warnings.push(reason);
    Entry { info, volumes: Vec::new() }
}

/// Whether this has pixels that show a patient: not a report, a presentation state or somebody's contours.
fn is_picture(image: &Image) -> bool {
    image.pixels.is_some() && image.modality != "SEG" && image.sop_class != uids::SEGMENTATION_STORAGE
}

/// "Enhanced MR Image Storage", or the UID of a class that has no name here.
fn class_name(image: &Image) -> String {
    let entry = StandardSopClassDictionary.by_uid(&image.sop_class);
    entry.map_or_else(|| format!("class \"{}\"", image.sop_class), |entry| entry.name.to_owned())
}

/// Why the pixels of an image are not read, if they are not.
fn why_unsupported(image: &Image) -> Option<String> {
    let (layout, syntax) = (&image.layout, &image.syntax);
    let pixels = image.pixels.as_ref()?;
    let twelve_bit = syntax.uid == JPEG_EXTENDED_UID && layout.bits_allocated > 8;
    if syntax.coding == Coding::Unsupported || twelve_bit {
        return Some(format!("The pixels are compressed as {}, which is not supported.", syntax.describe()));
    }
    if !(1..=LARGEST_SIDE).contains(&layout.rows) || !(1..=LARGEST_SIDE).contains(&layout.columns) {
        return Some(format!("An image has {} Rows and {} Columns.", layout.rows, layout.columns));
    }
    if pixels.tag != tags::PIXEL_DATA {
        return Some(format!("Floating-point pixels ({}) are not supported.", class_name(image)));
    }
    if image.frames > 1 || image.planes.len() > 1 {
        let placed = image.planes.iter().all(|plane| plane.position.is_some() && plane.axes.is_some());
        if image.planes.len() != image.frames || !placed {
            return Some(format!(
                "{} frames of {} in one file, without a place for each, are not supported.",
                image.frames,
                class_name(image)
            ));
        }
        if syntax.deflated {
            return Some("Several frames in one deflated file are not supported.".to_owned());
        }
    }
    let colours = layout.samples == 3 && layout.bits_allocated == 8 && syntax.coding != Coding::JpegLs;
    let known = match layout.photometric.as_str() {
        "MONOCHROME1" | "MONOCHROME2" | "" => layout.samples == 1,
        "RGB" | "YBR_FULL" | "YBR_FULL_422" | "YBR_ICT" | "YBR_RCT" => colours,
        _ => false,
    };
    if !known {
        return Some(format!(
            "Pixels of {} samples, {} bits and photometric interpretation {:?} are not supported.",
            layout.samples, layout.bits_allocated, layout.photometric
        ));
    }
    let bits = matches!(layout.bits_allocated, 8 | 16 | 32)
        && (1..=layout.bits_allocated).contains(&layout.bits_stored)
        && (layout.bits_stored - 1..layout.bits_allocated).contains(&layout.high_bit);
    (!bits).then(|| {
        format!(
            "Pixels of {} bits, of which {} up to bit {} are used, are not supported.",
            layout.bits_allocated, layout.bits_stored, layout.high_bit
        )
    })
}
