//! Running the networks over prepared volumes, slice by slice, so that a cancel is seen within one.

use super::preprocess::Prepared;
use super::refine::{self, RefineSettings};
use super::{Domain, Networks, amplify, tensor};
use mindgap::config::GapMode;
use mindgap::volume::{LabelMap, Volume};
use tch::{Device, Kind, TchError, Tensor};
use thiserror::Error;

/// Why inference gave no result.
#[derive(Debug, Error)]
pub enum InferError {
    #[error("cancelled")]
    Cancelled,
    #[error("the model failed on this image: its output is not finite")]
    NotFinite,
    #[error("the model's output does not fill its grid")]
    Shape,
    #[error("{0}")]
    Torch(#[from] TchError),
}

/// How a volume is segmented.
#[derive(Debug, Clone, Copy)]
pub struct SegmentOptions {
    pub gap_mode: GapMode,
    /// Average five slightly shifted and gamma-changed views.
    pub views: bool,
    pub refine: bool,
}

/// Results on the network grid.
#[derive(Debug, Clone)]
pub struct Segmented {
    pub labels: LabelMap,
    /// a(p), 0..1.
    pub gap: Volume<f32>,
    /// Entropy of the class probabilities over its maximum, 0..1.
    pub uncertainty: Volume<f32>,
}

/// Class probabilities and gap of one volume; `probabilities` holds one volume a class, background first.
#[derive(Debug, Clone)]
pub struct Probabilities {
    pub probabilities: Vec<Volume<f32>>,
    pub gap: Volume<f32>,
}

/// Called after each slice with (done, total); answers whether to go on.
pub type OnSlice<'a> = &'a mut dyn FnMut(usize, usize) -> bool;

/// Shift in columns and rows, and gamma, of the views that are averaged.
const VIEWS: [([i64; 2], f64); 5] =
    [([0, 0], 1.0), ([2, 0], 0.8), ([-2, 1], 1.25), ([0, -2], 0.65), ([1, 2], 1.5)];

/// Labels, gap and uncertainty of a whole prepared volume.
pub fn segment(
    networks: &Networks,
    prepared: &Prepared,
    options: SegmentOptions,
    on_slice: OnSlice,
) -> Result<Segmented, InferError> {
    let found = probabilities(networks, &prepared.slices, options, on_slice)?;
    let labels = if options.refine {
        refine::refine(&prepared.slices, &found.probabilities, &RefineSettings::default())
    } else {
        refine::argmax(&found.probabilities)
    };
    Ok(Segmented { labels, uncertainty: entropy(&found.probabilities), gap: found.gap })
}

/// Labels and gap of one network slice, unrefined: for the slice on screen.
pub fn segment_slice(
    networks: &Networks,
    prepared: &Prepared,
    slice: usize,
    options: SegmentOptions,
) -> Result<(Vec<u16>, Vec<f32>), InferError> {
    let image = tensor::slices_to_tensor(&prepared.slices, slice, 1, networks.store.device())?;
    let (probabilities, gap) = forward(networks, &image, SegmentOptions { views: false, ..options })?;
    let classes = tensor::values(&probabilities.argmax(1, false))?;
    Ok((classes.into_iter().map(|class| class as u16).collect(), tensor::values(&gap)?))
}

/// Probabilities and gap of every slice of a network volume.
pub fn probabilities(
    networks: &Networks,
    slices: &Volume<f32>,
    options: SegmentOptions,
    on_slice: OnSlice,
) -> Result<Probabilities, InferError> {
    let [w, h, n] = slices.dims();
    let plane = w * h;
    let mut gap = vec![0.0f32; plane * n];
    let mut classes: Vec<Vec<f32>> = Vec::new();
    for slice in 0..n {
        let image = tensor::slices_to_tensor(slices, slice, 1, networks.store.device())?;
        let (probability, slice_gap) = forward(networks, &image, options)?;
        let flat = tensor::values(&probability)?;
        if flat.iter().any(|p| !p.is_finite()) {
            return Err(InferError::NotFinite);
        }
        classes.resize_with(flat.len() / plane, || vec![0.0; plane * n]);
        for (class, values) in classes.iter_mut().zip(flat.chunks_exact(plane)) {
            class[slice * plane..(slice + 1) * plane].copy_from_slice(values);
        }
        gap[slice * plane..(slice + 1) * plane].copy_from_slice(&tensor::values(&slice_gap)?);
        if !on_slice(slice + 1, n) {
            return Err(InferError::Cancelled);
        }
    }
    let geometry = slices.geometry();
    let probabilities = classes
        .into_iter()
        .map(|values| Volume::new(values, geometry.clone()).ok_or(InferError::Shape))
        .collect::<Result<_, _>>()?;
    Ok(Probabilities { probabilities, gap: Volume::new(gap, geometry.clone()).ok_or(InferError::Shape)? })
}

/// The volume in the style of the other domain, scaled intensities 0..1 on the network grid.
pub fn translate(
    networks: &Networks,
    slices: &Volume<f32>,
    from: Domain,
    on_slice: OnSlice,
) -> Result<Volume<f32>, InferError> {
    let [w, h, n] = slices.dims();
    let mut out = Vec::with_capacity(w * h * n);
    for slice in 0..n {
        out.extend(translate_slice(networks, slices, slice, from)?);
        if !on_slice(slice + 1, n) {
            return Err(InferError::Cancelled);
        }
    }
    Volume::new(out, slices.geometry().clone()).ok_or(InferError::Shape)
}

/// One slice of [`translate`].
pub fn translate_slice(
    networks: &Networks,
    slices: &Volume<f32>,
    slice: usize,
    from: Domain,
) -> Result<Vec<f32>, InferError> {
    let to = match from {
        Domain::Source => Domain::Target,
        Domain::Target => Domain::Source,
    };
    let image = tensor::slices_to_tensor(slices, slice, 1, networks.store.device())?;
    let translated =
        tch::no_grad(|| from_signed(&networks.generator.translate(&to_signed(&image), from, to)));
    let values = tensor::values(&translated)?;
    if values.iter().any(|v| !v.is_finite()) {
        return Err(InferError::NotFinite);
    }
    Ok(values)
}

/// Scaled intensity to the generator's [-1, 1].
pub fn to_signed(images: &Tensor) -> Tensor {
    images.clamp(0.0, 1.0) * 2.0 - 1.0
}

/// The generator's [-1, 1] to scaled intensity.
pub fn from_signed(images: &Tensor) -> Tensor {
    (images + 1.0) * 0.5
}

/// (1, classes, h, w) probabilities and (1, 1, h, w) gap of one slice.
fn forward(
    networks: &Networks,
    image: &Tensor,
    options: SegmentOptions,
) -> Result<(Tensor, Tensor), TchError> {
    let views = if options.views { &VIEWS[..] } else { &VIEWS[..1] };
    tch::no_grad(|| {
        let mut sum: Option<Tensor> = None;
        let mut gap: Option<Tensor> = None;
        for &([columns, rows], gamma) in views {
            let view = image.f_clamp_min(0.0)?.f_pow_tensor_scalar(gamma)?.f_roll([rows, columns], [2, 3])?;
            let features = networks.segmenter.encode(&view);
            let mask = networks.gap.mask(&features.map);
            let map = match options.gap_mode {
                GapMode::Feature => amplify(&features.map, &mask),
                GapMode::Loss => features.map,
            };
            let logits = networks.segmenter.decode(&map, &features.skips);
            let probability = logits.f_softmax(1, Kind::Float)?.f_roll([-rows, -columns], [2, 3])?;
            // The gap shown is that of the image as it is, not of its distorted views.
            if gap.is_none() {
                let size = image.size();
                gap = Some(mask.f_upsample_bilinear2d([size[2], size[3]], false, None, None)?);
            }
            sum = Some(match sum {
                None => probability,
                Some(sum) => sum + probability,
            });
        }
        let count = views.len() as f64;
        let zeros = || Tensor::zeros([1], (Kind::Float, Device::Cpu));
        Ok((sum.unwrap_or_else(zeros) / count, gap.unwrap_or_else(zeros)))
    })
}

fn entropy(probabilities: &[Volume<f32>]) -> Volume<f32> {
    let scale = 1.0 / (probabilities.len() as f32).ln();
    let mut out = probabilities[0].map(|_| 0.0f32);
    for class in probabilities {
        for (h, &p) in out.voxels_mut().iter_mut().zip(class.voxels()) {
            if p > 0.0 {
                *h -= p * p.ln() * scale;
            }
        }
    }
    out
}
