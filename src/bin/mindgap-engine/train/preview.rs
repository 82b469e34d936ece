//! What a training makes of one source and one target slice, as a picture beside its checkpoint.
//!
//! Upper row: x_s, its labels, x_st. Lower row: x_t, its gap a(p) from 0 (black) to 0.8 (white), the prediction. The
//! slices are the middle ones of the first cases and stay the same throughout a run, so that pictures can be compared. A
//! target label is not shown, because none was read.

use super::TrainError;
use super::data::TrainData;
use super::state::TrainState;
use crate::model::Domain;
use crate::model::infer::{self, SegmentOptions};
use crate::model::verdict::RefineRule;
use crate::model::views::Views;
use image::{ImageFormat, Rgb, RgbImage};
use mindgap::config::MaskUse;
use mindgap::config::train::TrainConfig;
use mindgap::dataset::case::Case;
use mindgap::volume::{Volume, io};
use std::io::Cursor;
use std::path::Path;

/// Where the colour of the gap ends, as in the window.
const GAP_TOP: f32 = 0.8;

/// Writes `preview.png` into `folder`.
pub fn write(
    folder: &Path,
    config: &TrainConfig,
    data: &TrainData,
    state: &TrainState,
) -> Result<(), TrainError> {
    let (Some(source), Some(target)) = (data.source.first(), data.target.first()) else { return Ok(()) };
    let (at_source, at_target) = (middle(source), middle(target));
    let networks = &state.averaged;
    let x_st =
        infer::translate_slice(networks, &source.image, at_source, infer::Way::across(Domain::Source))?;
    let options = SegmentOptions {
        task: config.task,
        gap_mode: config.network.gap_mode,
        mask: MaskUse::Everywhere,
        views: Views::One,
        refine: RefineRule::Never,
    };
    let (labels, gap) = infer::segment_slice(networks, &target.image, at_target, options)?;
    let truth = source.annotation.as_ref().map(|annotation| slice_of(&annotation.labels, at_source));
    let x_s = slice_of(&source.image, at_source);
    let truth = truth.unwrap_or_else(|| vec![0; x_s.len()]).into_iter().map(u16::from).collect::<Vec<_>>();
    let x_t = slice_of(&target.image, at_target);
    let size = |case: &Case| [case.image.dims()[0], case.image.dims()[1]];
    let gap: Vec<f32> = gap.iter().map(|a| a / GAP_TOP).collect();
    let tiles = [
        [grey(&x_s, size(source)), coloured(&x_s, &truth, size(source), config), grey(&x_st, size(source))],
        [grey(&x_t, size(target)), grey(&gap, size(target)), coloured(&x_t, &labels, size(target), config)],
    ];
    let mut png = Vec::new();
    join(&tiles)
        .write_to(&mut Cursor::new(&mut png), ImageFormat::Png)
        .map_err(|error| TrainError::Data(format!("the preview picture: {error}")))?;
    io::write_file(&folder.join("preview.png"), &png)?;
    Ok(())
}

/// The middle of what is labelled, or of the stack.
fn middle(case: &Case) -> usize {
    match &case.annotation {
        Some(annotation) => annotation.labelled_slices.iter().sum::<usize>() / 2,
        None => case.image.dims()[2] / 2,
    }
}

fn slice_of<T: Copy>(volume: &Volume<T>, slice: usize) -> Vec<T> {
    let [w, h, _] = volume.dims();
    volume.voxels()[slice * w * h..(slice + 1) * w * h].to_vec()
}

/// Rows run to anterior on the network grid: pictures are turned the usual way up.
fn picture([w, h]: [usize; 2], pixel: impl Fn(usize) -> [u8; 3]) -> RgbImage {
    RgbImage::from_fn(w as u32, h as u32, |x, y| {
        let (column, row) = (w - 1 - x as usize, h - 1 - y as usize);
        Rgb(pixel(column + w * row))
    })
}

fn level(value: f32) -> u8 {
    (255.0 * value.clamp(0.0, 1.0)).round() as u8
}

fn grey(values: &[f32], size: [usize; 2]) -> RgbImage {
    picture(size, |offset| [level(values[offset]); 3])
}

fn coloured(values: &[f32], labels: &[u16], size: [usize; 2], config: &TrainConfig) -> RgbImage {
    let table = config.task.table();
    picture(size, |offset| {
        let grey = level(values[offset]);
        match table.entry(labels[offset]) {
            Some(entry) => entry.rgb.map(|colour| ((u16::from(colour) + u16::from(grey)) / 2) as u8),
            None => [grey; 3],
        }
    })
}

/// Rows of tiles, each row as high as its tallest.
fn join(rows: &[[RgbImage; 3]]) -> RgbImage {
    let width = rows.iter().map(|row| row.iter().map(RgbImage::width).sum()).max().unwrap_or(0);
    let heights: Vec<u32> =
        rows.iter().map(|row| row.iter().map(RgbImage::height).max().unwrap_or(0)).collect();
    let mut whole = RgbImage::new(width, heights.iter().sum());
    let mut y = 0;
    for (row, height) in rows.iter().zip(heights) {
        let mut x = 0;
        for tile in row {
            image::imageops::replace(&mut whole, tile, i64::from(x), i64::from(y));
            x += tile.width();
        }
        y += height;
    }
    whole
}
