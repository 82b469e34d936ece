//! A slice on its way to the screen: drawn by the device, or computed here and copied there.
//!
//! Both ways give the same picture; which one is faster depends on the device alone.

use super::blit::{BlitCallback, ComputedPicture};
use super::callback::SliceCallback;
use super::transform::PaneTransform;
use super::uniforms::SliceStyle;
use egui::{Context, Rect, Shape};
use std::collections::HashMap;
use std::sync::Arc;

/// One slice in one pane, this frame.
#[derive(Clone)]
pub enum SlicePicture {
    /// The device runs the slice pass.
    Device(Box<SliceCallback>),
    /// It has been computed for the slot's place on the screen, whose first pixel is given.
    Computed { slot: u64, rect: Rect, origin_px: [i32; 2], picture: Arc<ComputedPicture> },
}

/// How slices are drawn on this device, and the pictures that were computed last.
#[derive(Default)]
pub struct SlicePictures {
    on_processor: bool,
    computed: HashMap<u64, Computed>,
}

struct Computed {
    of: Fingerprint,
    origin_px: [i32; 2],
    picture: Arc<ComputedPicture>,
}

/// Everything that a picture depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Fingerprint {
    /// Of the image, labels, heat map and palette.
    revisions: [u64; 4],
    style: SliceStyle,
    transform: PaneTransform,
    rect: Rect,
    pixels_per_point: f32,
}

impl SlicePicture {
    /// The pane.
    pub fn rect(&self) -> Rect {
        match self {
            SlicePicture::Device(callback) => callback.rect,
            SlicePicture::Computed { rect, .. } => *rect,
        }
    }

    /// To be added to the pane's painter; with an `opacity` (0..=1) below 1 it lets through what is there.
    pub fn shape(&self, opacity: f32) -> Shape {
        match self {
            SlicePicture::Device(callback) => {
                let mut callback = (**callback).clone();
                callback.style.opacity = opacity;
                callback.into_shape()
            }
            SlicePicture::Computed { slot, rect, origin_px, picture } => {
                let callback = BlitCallback {
                    slot: *slot,
                    origin_px: *origin_px,
                    picture: picture.clone(),
                    opacity: opacity.clamp(0.0, 1.0),
                };
                Shape::Callback(egui_wgpu::Callback::new_paint_callback(*rect, callback))
            }
        }
    }
}

impl SlicePictures {
    /// From now on slices are computed here, or drawn by the device.
    pub fn compute_on_processor(&mut self, on_processor: bool) {
        self.on_processor = on_processor;
    }

    /// The picture of a pane; computed anew only when something about it has changed.
    pub fn of(&mut self, context: &Context, callback: SliceCallback) -> Option<SlicePicture> {
        if !self.on_processor {
            return Some(SlicePicture::Device(Box::new(callback)));
        }
        let (slot, rect) = (callback.pane, callback.rect);
        let of = Fingerprint::of(&callback, context.pixels_per_point());
        if self.computed.get(&slot).is_none_or(|computed| computed.of != of) {
            let (origin_px, picture) = callback.software_picture(of.pixels_per_point)?;
            self.computed.insert(slot, Computed { of, origin_px, picture: Arc::new(picture) });
        }
        let Computed { origin_px, picture, .. } = self.computed.get(&slot)?;
        Some(SlicePicture::Computed { slot, rect, origin_px: *origin_px, picture: picture.clone() })
    }
}

impl Fingerprint {
    fn of(callback: &SliceCallback, pixels_per_point: f32) -> Self {
        let layers = &callback.layers;
        Self {
            revisions: [
                layers.image().revision(),
                layers.labels().map_or(0, |labels| labels.revision()),
                layers.heat().map_or(0, |heat| heat.revision()),
                callback.palette.revision(),
            ],
            style: callback.style,
            transform: callback.transform,
            rect: callback.rect,
            pixels_per_point,
        }
    }
}
