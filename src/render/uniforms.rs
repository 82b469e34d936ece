//! How a pane is drawn: the style callers set, and the uniform block the shader reads.

use bytemuck::{Pod, Zeroable};
use glam::Vec2;

use super::slice::SliceLayers;
use super::transform::PaneTransform;
use crate::colormap::Colormap;

/// Bits of [`SliceUniforms::flags`].
pub const FLAG_INVERSE: u32 = 1;
pub const FLAG_NEAREST: u32 = 2;
pub const FLAG_LABELS: u32 = 4;
pub const FLAG_HEAT: u32 = 8;

/// Samples along each side of a screen pixel when a slice is shrunk, at most.
const MOST_TAPS: f32 = 4.0;

/// How slice pixels are shown when they are not screen pixels. Labels are always nearest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Interpolation {
    /// Bilinear, averaged over the screen pixel when the slice is shrunk.
    #[default]
    Smooth,
    Nearest,
}

/// How a slice and its overlays are drawn. Every number is made safe when uniforms are built: none can panic or blank
/// more than the pane it is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SliceStyle {
    /// Middle of the grey range, in the slice's units (HU, a.u.).
    pub window_level: f32,
    /// Extent of the grey range, same units, > 0.
    pub window_width: f32,
    /// Bright for low values.
    pub inverse: bool,
    pub interpolation: Interpolation,
    /// Colours of the windowed slice: grey for anatomy; a map when the slice itself is a gap or uncertainty.
    pub image_colormap: Colormap,
    pub heat: HeatStyle,
    pub labels: LabelStyle,
    /// 0..=1, of the whole slice over what was drawn into the pane before; black outside the slice included.
    pub opacity: f32,
}

/// How the heat map is laid over the slice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeatStyle {
    /// 0..=1, reached `ramp` above the threshold.
    pub opacity: f32,
    /// At and below it nothing is painted.
    pub threshold: f32,
    /// Over how much of the value opacity rises from 0, so that anatomy stays visible.
    pub ramp: f32,
    /// Values painted in the first and the last colour of the map.
    pub range: [f32; 2],
    pub colormap: Colormap,
}

/// How labels are laid over everything else.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelStyle {
    /// 0..=1, times the alpha of the palette.
    pub fill_opacity: f32,
    /// 0..=1, times the alpha of the palette.
    pub outline_opacity: f32,
    /// Width of the outline in physical screen pixels, drawn inside the region.
    pub outline_px: f32,
    /// Drawn with a denser fill and a wider outline.
    pub highlight: Option<u16>,
}

/// What the screen pixels of a pane show: slice coordinates = `uv * scale + offset`, uv from (0, 0) at the top left of
/// the pane to (1, 1) at its bottom right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PixelView {
    pub image_from_uv_scale: [f32; 2],
    pub image_from_uv_offset: [f32; 2],
    pub size_px: [u32; 2],
}

/// Mirror of `SliceUniforms` in `shaders/slice.wgsl`: same fields, same order, 96 bytes. Coordinates are in texels, which
/// are slice pixels unless the slice exceeds the device's largest texture.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub struct SliceUniforms {
    pub image_from_uv_scale: [f32; 2],
    pub image_from_uv_offset: [f32; 2],
    /// Size of the slice; the pane is black outside it.
    pub extent_px: [f32; 2],
    pub image_px_per_screen_px: [f32; 2],
    pub window_level: f32,
    pub window_width: f32,
    pub heat_opacity: f32,
    pub heat_threshold: f32,
    pub heat_low: f32,
    pub heat_high: f32,
    pub heat_ramp: f32,
    pub label_fill_opacity: f32,
    pub label_outline_opacity: f32,
    pub label_outline_px: f32,
    /// 0 for none: background has no highlight.
    pub highlight_label: u32,
    pub flags: u32,
    /// [`Colormap::shader_id`].
    pub image_colormap: u32,
    pub heat_colormap: u32,
    /// Samples along each side of a screen pixel.
    pub taps: u32,
    /// Of the whole slice over what was drawn before.
    pub opacity: f32,
}

impl Default for SliceStyle {
    /// CT abdomen window, smooth, labels filled and outlined.
    fn default() -> Self {
        Self {
            window_level: 40.0,
            window_width: 400.0,
            inverse: false,
            interpolation: Interpolation::Smooth,
            image_colormap: Colormap::Gray,
            heat: HeatStyle::default(),
            labels: LabelStyle::default(),
            opacity: 1.0,
        }
    }
}

impl Default for HeatStyle {
    fn default() -> Self {
        Self { opacity: 0.75, threshold: 0.25, ramp: 0.2, range: [0.0, 0.8], colormap: Colormap::Inferno }
    }
}

impl Default for LabelStyle {
    fn default() -> Self {
        Self { fill_opacity: 0.45, outline_opacity: 1.0, outline_px: 1.5, highlight: None }
    }
}

impl PixelView {
    /// The screen pixels from `top_left_px` on, `size_px` of them, of a screen with `pixels_per_point`, on which the pane
    /// of `transform` starts at `pane_min_points`.
    pub fn new(
        transform: &PaneTransform,
        pane_min_points: [f32; 2],
        top_left_px: [i32; 2],
        size_px: [u32; 2],
        pixels_per_point: f32,
    ) -> Self {
        let corner = |offset_px: [u32; 2]| {
            let screen_px = Vec2::new(
                top_left_px[0] as f32 + offset_px[0] as f32,
                top_left_px[1] as f32 + offset_px[1] as f32,
            );
            let pane_point = screen_px / pixels_per_point - Vec2::from(pane_min_points);
            Vec2::from(transform.image_from_pane(pane_point.into()))
        };
        let first = corner([0, 0]);
        Self {
            image_from_uv_scale: (corner(size_px) - first).into(),
            image_from_uv_offset: first.into(),
            size_px,
        }
    }

    /// A picture of one pane alone, `size_px` pixels at one pixel a point.
    pub fn whole_pane(transform: &PaneTransform, size_px: [u32; 2]) -> Self {
        Self::new(transform, [0.0; 2], [0; 2], size_px, 1.0)
    }
}

impl SliceUniforms {
    /// `stride` is how many slice pixels one texel stands for along each axis, 1 unless the slice is larger than the
    /// device's largest texture.
    pub fn new(layers: &SliceLayers, style: &SliceStyle, view: &PixelView, stride: u32) -> Self {
        let stride = stride.max(1) as f32;
        let scale = Vec2::from(view.image_from_uv_scale) / stride;
        let screen_px = Vec2::new(view.size_px[0].max(1) as f32, view.size_px[1].max(1) as f32);
        let per_screen_px = scale / screen_px;
        let extent = Vec2::new(layers.grid().width() as f32, layers.grid().height() as f32) / stride;
        let [heat_low, heat_high] = heat_range(style.heat.range);
        Self {
            image_from_uv_scale: scale.into(),
            image_from_uv_offset: (Vec2::from(view.image_from_uv_offset) / stride).into(),
            extent_px: extent.into(),
            image_px_per_screen_px: per_screen_px.into(),
            window_level: finite_or(style.window_level, 0.0),
            window_width: finite_or(style.window_width, 1.0).max(1e-6),
            heat_opacity: fraction(style.heat.opacity),
            heat_threshold: finite_or(style.heat.threshold, 0.0),
            heat_low,
            heat_high,
            heat_ramp: finite_or(style.heat.ramp, 0.0).max(1e-6),
            label_fill_opacity: fraction(style.labels.fill_opacity),
            label_outline_opacity: fraction(style.labels.outline_opacity),
            label_outline_px: finite_or(style.labels.outline_px, 1.0).clamp(0.0, 16.0),
            highlight_label: style.labels.highlight.map_or(0, u32::from),
            flags: flags(layers, style),
            image_colormap: style.image_colormap.shader_id(),
            heat_colormap: style.heat.colormap.shader_id(),
            taps: (per_screen_px.max_element() - 1e-3).ceil().clamp(1.0, MOST_TAPS) as u32,
            opacity: fraction(style.opacity),
        }
    }
}

fn flags(layers: &SliceLayers, style: &SliceStyle) -> u32 {
    let bits = [
        (style.inverse, FLAG_INVERSE),
        (style.interpolation == Interpolation::Nearest, FLAG_NEAREST),
        (layers.labels().is_some(), FLAG_LABELS),
        (layers.heat().is_some(), FLAG_HEAT),
    ];
    bits.into_iter().filter(|(on, _)| *on).map(|(_, bit)| bit).sum()
}

fn heat_range([low, high]: [f32; 2]) -> [f32; 2] {
    let low = finite_or(low, 0.0);
    [low, finite_or(high, 1.0).max(low + 1e-6)]
}

fn fraction(value: f32) -> f32 {
    finite_or(value, 0.0).clamp(0.0, 1.0)
}

fn finite_or(value: f32, fallback: f32) -> f32 {
    if value.is_finite() { value } else { fallback }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::render::slice::{Plane, SliceGrid};

    fn layers(width: u32, height: u32) -> SliceLayers {
        let grid = SliceGrid::new(width, height, [1.0, 1.0]).unwrap();
        SliceLayers::new(Arc::new(Plane::new(grid, vec![0.0; (width * height) as usize]).unwrap()))
    }

    #[test]
    fn a_nan_window_or_an_empty_range_still_draws() {
        let layers = layers(4, 4);
        let mut style = SliceStyle { window_width: 0.0, window_level: f32::NAN, ..SliceStyle::default() };
        style.heat.range = [0.5, 0.5];
        let transform = PaneTransform::fit(layers.grid(), [10.0, 10.0], 1.0, [0.0, 0.0]);
        let uniforms = SliceUniforms::new(&layers, &style, &PixelView::whole_pane(&transform, [10, 10]), 1);
        assert!(uniforms.window_width > 0.0 && uniforms.window_level == 0.0);
        assert!(uniforms.heat_high > uniforms.heat_low);
    }

    #[test]
    fn a_pane_cut_off_by_the_screen_keeps_its_picture_in_place() {
        let layers = layers(100, 100);
        let transform = PaneTransform::fit(layers.grid(), [200.0, 200.0], 1.0, [0.0, 0.0]);
        let cut = PixelView::new(&transform, [-50.0, 20.0], [0, 40], [300, 400], 2.0);
        assert_eq!(cut.image_from_uv_offset, transform.image_from_pane([50.0, 0.0]));
        assert_eq!(cut.image_from_uv_scale, [75.0, 100.0]);
    }

    #[test]
    fn a_slice_beyond_the_largest_texture_is_addressed_in_its_texels() {
        let layers = layers(40, 20);
        let transform = PaneTransform::fit(layers.grid(), [40.0, 20.0], 1.0, [0.0, 0.0]);
        let view = PixelView::whole_pane(&transform, [40, 20]);
        let uniforms = SliceUniforms::new(&layers, &SliceStyle::default(), &view, 2);
        assert_eq!((uniforms.extent_px, uniforms.image_from_uv_scale), ([20.0, 10.0], [20.0, 10.0]));
    }
}
