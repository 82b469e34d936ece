//! A slice on its way to the screen: drawn by the device, or computed here and shown as a texture.
//!
//! Both ways give the same picture; which one is faster depends on the device alone.

use super::callback::SliceCallback;
use super::transform::PaneTransform;
use super::uniforms::SliceStyle;
use egui::{Color32, ColorImage, Context, Pos2, Rect, Shape, TextureHandle, TextureOptions};
use std::collections::HashMap;

/// One slice in one pane, this frame.
#[derive(Clone)]
pub enum SlicePicture {
    /// The device runs the slice pass.
    Device(Box<SliceCallback>),
    /// It has been computed, for this place.
    Computed { pane: Rect, place: Rect, texture: TextureHandle },
}

/// How slices are drawn on this device, and the pictures that were computed last.
#[derive(Default)]
pub struct SlicePictures {
    on_processor: bool,
    computed: HashMap<u64, Computed>,
}

struct Computed {
    of: Fingerprint,
    place: Rect,
    texture: TextureHandle,
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
            SlicePicture::Computed { pane, .. } => *pane,
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
            SlicePicture::Computed { place, texture, .. } => {
                let whole = Rect::from_min_max(Pos2::ZERO, Pos2::new(1.0, 1.0));
                let tint = Color32::from_white_alpha((255.0 * opacity.clamp(0.0, 1.0)).round() as u8);
                Shape::image(texture.id(), *place, whole, tint)
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
        let (slot, pane) = (callback.pane, callback.rect);
        let of = Fingerprint::of(&callback, context.pixels_per_point());
        if self.computed.get(&slot).is_none_or(|computed| computed.of != of) {
            let (place, [width, height], bytes) = callback.software_picture(of.pixels_per_point)?;
            let picture = ColorImage::from_rgba_premultiplied([width as usize, height as usize], &bytes);
            let texture = match self.computed.remove(&slot) {
                Some(mut old) => {
                    old.texture.set(picture, TextureOptions::NEAREST);
                    old.texture
                }
                None => context.load_texture(format!("slice {slot}"), picture, TextureOptions::NEAREST),
            };
            self.computed.insert(slot, Computed { of, place, texture });
        }
        let Computed { place, texture, .. } = self.computed.get(&slot)?;
        Some(SlicePicture::Computed { pane, place: *place, texture: texture.clone() })
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
