//! Running the networks over prepared volumes, a few slices at a time, so that a cancel is seen within them.
//!
//! Slices that show nothing but air are counted and not computed. Where no refinement asks for them, the probabilities
//! of all classes are never held: each slice is reduced to its labels and their uncertainty as it comes.

use super::ladder::{Trouble, Worker, caught, trouble_in};
use super::preprocess::{KeepGoing, Prepared};
use super::probabilities::{ProbabilityStore, Values};
use super::refine;
use super::verdict::{self, RefineRule, Refined};
use super::views::{View, Views};
use super::{Domain, Networks, amplify, tensor};
use glam::DVec3;
use mindgap::config::{Ball, GapMode, MaskUse};
use mindgap::volume::{LabelMap, Task, Volume};
use rayon::prelude::*;
use std::ops::Range;
use tch::{Kind, TchError, Tensor};
use thiserror::Error;

pub use super::probabilities::Probabilities;

/// Why inference gave no result.
#[derive(Debug, Error)]
pub enum InferError {
    #[error("cancelled")]
    Cancelled,
    #[error("the model failed on this image: its output is not finite")]
    NotFinite,
    #[error("the model's output does not fill its grid")]
    Shape,
    /// What libtorch said where it could not be returned as an error.
    #[error("{0}")]
    Device(String),
    #[error("{0}")]
    Torch(#[from] TchError),
}

/// How a volume is segmented.
#[derive(Debug, Clone, Copy)]
pub struct SegmentOptions {
    pub task: Task,
    pub gap_mode: GapMode,
    pub mask: MaskUse,
    /// What is averaged.
    pub views: Views,
    pub refine: RefineRule,
}

/// From which domain's images, and how far towards the other's style, slices are translated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Way {
    pub from: Domain,
    /// 0: the images' own style, 1: the other domain's.
    pub style: f32,
}

impl Way {
    /// All the way.
    pub fn across(from: Domain) -> Self {
        Self { from, style: 1.0 }
    }
}

/// Results on the network grid.
#[derive(Debug, Clone)]
pub struct Segmented {
    pub labels: LabelMap,
    /// a(p), 0..1.
    pub gap: Volume<f32>,
    /// Entropy of the class probabilities, averaged over the views, over its maximum: 0..1.
    pub uncertainty: Volume<f32>,
    /// Empty where nothing was to be refined.
    pub refined: Vec<Refined>,
}

/// Called after some slices with (done, total); answers whether to go on.
pub type OnSlice<'a> = &'a mut dyn FnMut(usize, usize) -> bool;

/// In which order slices are computed, and who is shown them as they come.
pub struct Watch<'a> {
    /// The slice to begin with; from there to both sides.
    pub first: Option<usize>,
    pub on_slice: OnSlice<'a>,
    /// Told of the slices of each batch before the next one is computed, where there is a first one.
    pub on_batch: &'a mut dyn FnMut(Range<usize>, Shown),
}

/// What a batch of slices shows, before anything is refined: slice after slice.
pub enum Shown<'a> {
    Segmented {
        labels: &'a [u16],
        gap: &'a [f32],
    },
    /// Scaled intensities, 0..1.
    Translated(&'a [f32]),
}

/// Slices on one side that are computed before it is the other side's turn.
const TURN: usize = 8;

/// The slices in turns, from `first` on to both sides alternately.
fn outwards(count: usize, first: usize) -> Vec<Range<usize>> {
    let first = first.min(count);
    let (mut up, mut down) = (first, first);
    let mut turns = Vec::new();
    while up < count || down > 0 {
        if up < count {
            turns.push(up..(up + TURN).min(count));
            up = (up + TURN).min(count);
        }
        if down > 0 {
            turns.push(down.saturating_sub(TURN)..down);
            down = down.saturating_sub(TURN);
        }
    }
    turns
}

/// Labels, gap and uncertainty of a whole prepared volume. `keep_going` is asked while labels are refined.
pub fn segment(
    worker: &mut Worker,
    prepared: &Prepared,
    options: SegmentOptions,
    watch: Watch,
    keep_going: KeepGoing,
) -> Result<Segmented, InferError> {
    if options.refine == RefineRule::Never {
        return segment_streaming(worker, prepared, options, watch);
    }
    let air = air_slices(prepared);
    let slices = Slices { volume: &prepared.slices, skipped: &|slice| air[slice] };
    let found = all_probabilities(worker, &slices, options, watch)?;
    let uncertainty = found.entropy();
    let outcome = refine::refine_while(&prepared.slices, &found.probabilities, options.task, keep_going)
        .ok_or(InferError::Cancelled)?;
    let (labels, refined) = verdict::choose(outcome, &uncertainty, options.task, options.refine);
    Ok(Segmented { labels, uncertainty, gap: found.gap, refined })
}

/// Labels and gap of one network slice, unrefined: for the slice on screen.
pub fn segment_slice(
    networks: &Networks,
    slices: &Volume<f32>,
    slice: usize,
    options: SegmentOptions,
) -> Result<(Vec<u16>, Vec<f32>), InferError> {
    let options = SegmentOptions { views: Views::One, ..options };
    let found = caught(|| reduced(networks, slices, slice..slice + 1, options, 1))?;
    Ok((found.labels, found.gap))
}

/// Probabilities and gap of every slice of a network volume, on the device that the networks are on, which gets fewer
/// images at a time where its memory runs out.
pub fn probabilities(
    networks: &Networks,
    slices: &Volume<f32>,
    options: SegmentOptions,
    on_slice: OnSlice,
) -> Result<Probabilities, InferError> {
    let device = networks.store.device();
    let [w, h, n] = slices.dims();
    let mut images = Worker::images(device, w * h);
    let mut store = ProbabilityStore::new(slices.geometry());
    let mut done = 0;
    while done < n {
        let range = done..(done + (images / options.views.all().len()).max(1)).min(n);
        let found = match caught(|| forward_values(networks, slices, range.clone(), options, images)) {
            Err(error) if images > 1 && trouble_in(&error.to_string()) == Some(Trouble::OutOfMemory) => {
                images /= 2;
                continue;
            }
            found => found?,
        };
        store.put(range.clone(), &found);
        done = range.end;
        if !on_slice(done, n) {
            return Err(InferError::Cancelled);
        }
    }
    store.finish()
}

/// The volume in another style, scaled intensities 0..1 on the network grid.
pub fn translate(
    worker: &mut Worker,
    slices: &Volume<f32>,
    way: Way,
    watch: Watch,
) -> Result<Volume<f32>, InferError> {
    let mut out = slices.map(|_| 0.0f32);
    let plane = slices.dims()[0] * slices.dims()[1];
    let all = Slices { volume: slices, skipped: &|_| false };
    all.each(
        worker,
        1,
        watch,
        |networks, range, _| translated(networks, slices, range, way),
        |range, values, show| {
            out.voxels_mut()[range.start * plane..range.end * plane].copy_from_slice(&values);
            show(range, Shown::Translated(&values));
        },
    )?;
    Ok(out)
}

/// One slice of [`translate`].
pub fn translate_slice(
    networks: &Networks,
    slices: &Volume<f32>,
    slice: usize,
    way: Way,
) -> Result<Vec<f32>, InferError> {
    caught(|| translated(networks, slices, slice..slice + 1, way))
}

/// Scaled intensity to the generator's [-1, 1].
pub fn to_signed(images: &Tensor) -> Tensor {
    images.clamp(0.0, 1.0) * 2.0 - 1.0
}

/// The generator's [-1, 1] to scaled intensity.
pub fn from_signed(images: &Tensor) -> Tensor {
    (images + 1.0) * 0.5
}

/// The slices of a volume, and which of them need not be computed.
struct Slices<'a> {
    volume: &'a Volume<f32>,
    skipped: &'a dyn Fn(usize) -> bool,
}

impl Slices<'_> {
    /// Computes all slices and hands each batch's result to `store`, with what shows it to whoever watches.
    fn each<T>(
        &self,
        worker: &mut Worker,
        views: usize,
        watch: Watch,
        compute: impl Fn(&Networks, Range<usize>, usize) -> Result<T, InferError>,
        mut store: impl FnMut(Range<usize>, T, &mut dyn FnMut(Range<usize>, Shown)),
    ) -> Result<(), InferError> {
        let n = self.volume.dims()[2];
        let whole = 0..n;
        let turns = watch.first.map_or_else(|| vec![whole], |first| outwards(n, first));
        let mut done = 0;
        for turn in turns {
            let mut next = turn.start;
            while next < turn.end {
                let from = next;
                if (self.skipped)(next) {
                    next += 1;
                } else {
                    let end = (next + 1..turn.end).find(|slice| (self.skipped)(*slice)).unwrap_or(turn.end);
                    let (range, found) = worker.attempt(next..end, views, &compute)?;
                    next = range.end;
                    store(range, found, watch.on_batch);
                }
                done += next - from;
                if !(watch.on_slice)(done, n) {
                    return Err(InferError::Cancelled);
                }
            }
        }
        Ok(())
    }
}

/// Each batch reduced at once to labels, gap and uncertainty.
fn segment_streaming(
    worker: &mut Worker,
    prepared: &Prepared,
    options: SegmentOptions,
    watch: Watch,
) -> Result<Segmented, InferError> {
    let volume = &prepared.slices;
    let plane = volume.dims()[0] * volume.dims()[1];
    let mut labels = volume.map(|_| 0u16);
    let mut gap = volume.map(|_| 0.0f32);
    let mut uncertainty = gap.clone();
    let air = air_slices(prepared);
    let slices = Slices { volume, skipped: &|slice| air[slice] };
    let compute = |networks: &Networks, range, images| reduced(networks, volume, range, options, images);
    slices.each(worker, options.views.all().len(), watch, compute, |range, found: Reduced, show| {
        let voxels = range.start * plane..range.end * plane;
        labels.voxels_mut()[voxels.clone()].copy_from_slice(&found.labels);
        gap.voxels_mut()[voxels.clone()].copy_from_slice(&found.gap);
        uncertainty.voxels_mut()[voxels].copy_from_slice(&found.uncertainty);
        show(range, Shown::Segmented { labels: &found.labels, gap: &found.gap });
    })?;
    Ok(Segmented { labels, gap, uncertainty, refined: Vec::new() })
}

/// Which slices show nothing but air.
fn air_slices(prepared: &Prepared) -> Vec<bool> {
    (0..prepared.slices.dims()[2]).into_par_iter().map(|slice| prepared.is_air(slice)).collect()
}

fn all_probabilities(
    worker: &mut Worker,
    slices: &Slices,
    options: SegmentOptions,
    watch: Watch,
) -> Result<Probabilities, InferError> {
    let mut store = ProbabilityStore::new(slices.volume.geometry());
    let watched = watch.first.is_some();
    let compute =
        |networks: &Networks, range, images| forward_values(networks, slices.volume, range, options, images);
    slices.each(worker, options.views.all().len(), watch, compute, |range, found: Values, show| {
        store.put(range.clone(), &found);
        if watched {
            let labels = found.labels(range.len());
            show(range, Shown::Segmented { labels: &labels, gap: &found.gap });
        }
    })?;
    store.finish()
}

/// What a batch of slices comes to, slice after slice.
pub(super) struct Reduced {
    pub(super) labels: Vec<u16>,
    pub(super) gap: Vec<f32>,
    pub(super) uncertainty: Vec<f32>,
}

pub(super) fn reduced(
    networks: &Networks,
    volume: &Volume<f32>,
    range: Range<usize>,
    options: SegmentOptions,
    images: usize,
) -> Result<Reduced, InferError> {
    let image = tensor::slices_to_tensor(volume, range.start, range.len(), networks.store.device())?;
    tch::no_grad(|| {
        let inside = region(volume, range.clone(), options.mask, &image)?;
        let (probability, gap) = forward(networks, (&image, inside.as_ref()), options, images)?;
        let classes = probability.size()[1] as f64;
        let entropy = probability.f_special_entr()?.f_sum_dim_intlist(1, false, Kind::Float)? / classes.ln();
        let labels = probability.f_argmax(1, false)?.f_to_kind(Kind::Uint8)?;
        let (gap, uncertainty) = (tensor::values(&gap)?, tensor::values(&entropy)?);
        // A class probability that is not finite makes its voxel's entropy so.
        require_finite(&gap)?;
        require_finite(&uncertainty)?;
        let labels = tensor::bytes(&labels)?.into_iter().map(u16::from).collect();
        Ok(Reduced { labels, gap, uncertainty })
    })
}

fn forward_values(
    networks: &Networks,
    volume: &Volume<f32>,
    range: Range<usize>,
    options: SegmentOptions,
    images: usize,
) -> Result<Values, InferError> {
    let image = tensor::slices_to_tensor(volume, range.start, range.len(), networks.store.device())?;
    let inside = region(volume, range, options.mask, &image)?;
    let (probability, gap) = tch::no_grad(|| forward(networks, (&image, inside.as_ref()), options, images))?;
    let found = Values { probability: tensor::values(&probability)?, gap: tensor::values(&gap)? };
    require_finite(&found.probability)?;
    require_finite(&found.gap)?;
    Ok(found)
}

fn translated(
    networks: &Networks,
    volume: &Volume<f32>,
    range: Range<usize>,
    Way { from, style }: Way,
) -> Result<Vec<f32>, InferError> {
    let image = tensor::slices_to_tensor(volume, range.start, range.len(), networks.store.device())?;
    let signed = to_signed(&image).f_to_kind(networks.kind())?;
    let share = f64::from(style.clamp(0.0, 1.0));
    let translated = tch::no_grad(|| {
        from_signed(&networks.generator.translate_towards(&signed, from, from.other(), share))
    });
    let values = tensor::values(&translated)?;
    require_finite(&values)?;
    Ok(values)
}

fn require_finite(values: &[f32]) -> Result<(), InferError> {
    if values.iter().all(|value| value.is_finite()) { Ok(()) } else { Err(InferError::NotFinite) }
}

/// (n, classes, h, w) probabilities and (n, 1, h, w) gap of n slices, at most about `images` views of slices at a time.
fn forward(
    networks: &Networks,
    (image, inside): (&Tensor, Option<&Tensor>),
    options: SegmentOptions,
    images: usize,
) -> Result<(Tensor, Tensor), TchError> {
    let size = image.size();
    let slices = size[0];
    let views = options.views.all();
    let mut sum: Option<Tensor> = None;
    let mut gap: Option<Tensor> = None;
    for group in views.chunks((images / slices as usize).max(1)) {
        let seen = group.iter().map(|view| view.of(image)).collect::<Result<Vec<_>, _>>()?;
        let input = Tensor::f_cat(&seen, 0)?.f_to_kind(networks.kind())?;
        let features = networks.segmenter.encode(&input);
        let mask = networks.gap.mask(&features.map);
        let map = match options.gap_mode {
            GapMode::Feature => {
                let inside = inside.map(|inside| in_views(inside, group)).transpose()?;
                amplify(&features.map, &acting(&mask, options.mask, inside.as_ref())?)
            }
            GapMode::Loss => features.map,
        };
        let probability = networks.segmenter.decode(&map, &features.skips).f_softmax(1, Kind::Float)?;
        for (index, view) in group.iter().enumerate() {
            let back = view.back(&probability.f_narrow(0, index as i64 * slices, slices)?)?;
            sum = Some(match sum {
                None => back,
                Some(sum) => sum.f_add(&back)?,
            });
        }
        if gap.is_none() {
            // The gap shown is that of the image as it is, the first view, not of its distorted ones.
            let first = mask.f_narrow(0, 0, slices)?.f_to_kind(Kind::Float)?;
            gap = Some(first.f_upsample_bilinear2d([size[2], size[3]], false, None, None)?);
        }
    }
    let missing = || TchError::Shape("no view of the slices was computed".to_owned());
    Ok((sum.ok_or_else(missing)?.f_div_scalar(views.len() as f64)?, gap.ok_or_else(missing)?))
}

/// 1 in the ball that the mask is kept to and 0 outside, (n, 1, h, w) like the slices; `None` where it is kept to none.
fn region(
    volume: &Volume<f32>,
    range: Range<usize>,
    mask: MaskUse,
    like: &Tensor,
) -> Result<Option<Tensor>, TchError> {
    let MaskUse::Within(ball) = mask else { return Ok(None) };
    let [columns, rows, _] = volume.dims();
    let count = range.len();
    tensor::image_batch(&in_ball(volume, range, ball), count, [columns, rows], like.device()).map(Some)
}

fn in_ball(volume: &Volume<f32>, range: Range<usize>, ball: Ball) -> Vec<f32> {
    let [columns, rows, _] = volume.dims();
    let mut inside = Vec::with_capacity(columns * rows * range.len());
    for slice in range {
        for row in 0..rows {
            for column in 0..columns {
                let voxel = DVec3::new(column as f64, row as f64, slice as f64);
                inside.push(f32::from(u8::from(ball.holds(volume.geometry().world_of(voxel)))));
            }
        }
    }
    inside
}

/// A region as each of the views shows it, batch by batch.
fn in_views(inside: &Tensor, views: &[View]) -> Result<Tensor, TchError> {
    Tensor::f_cat(&views.iter().map(|view| view.of(inside)).collect::<Result<Vec<_>, _>>()?, 0)
}

/// The part of a(p) that multiplies the features. A cell of the feature map lies in a region when half of it does.
fn acting(mask: &Tensor, rule: MaskUse, inside: Option<&Tensor>) -> Result<Tensor, TchError> {
    match (rule, inside) {
        (MaskUse::Nowhere, _) => mask.f_zeros_like(),
        (MaskUse::From(gap), _) => mask.f_mul(&mask.f_ge(f64::from(gap))?.f_to_kind(mask.kind())?),
        (MaskUse::Within(_), Some(inside)) => {
            let size = mask.size();
            let share = inside.f_adaptive_avg_pool2d([size[2], size[3]])?;
            mask.f_mul(&share.f_ge(0.5)?.f_to_kind(mask.kind())?)
        }
        (MaskUse::Everywhere | MaskUse::Within(_), _) => Ok(mask.shallow_clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::outwards;

    #[test]
    fn slices_are_computed_from_the_one_on_screen_to_both_sides_and_each_of_them_once() {
        for (count, first) in [(40, 13), (40, 0), (40, 39), (5, 2), (1, 0), (9, 99)] {
            let turns = outwards(count, first);
            let mut all: Vec<usize> = turns.iter().cloned().flatten().collect();
            if first < count {
                assert_eq!(all.first(), Some(&first));
            }
            // No turn is farther away than one that comes later, but for the slices of one turn.
            let far =
                |turn: &std::ops::Range<usize>| first.abs_diff(turn.start).min(first.abs_diff(turn.end));
            assert!(turns.windows(2).all(|pair| far(&pair[1]) + super::TURN >= far(&pair[0])), "{turns:?}");
            all.sort_unstable();
            assert_eq!(all, (0..count).collect::<Vec<_>>());
        }
    }
}
