//! CPU twin of `shaders/slice.wgsl`: the same picture, function by function under the same names.
//!
//! The definition of what a pane shows; `tests/render_parity.rs` compares the two. Change both together.

use glam::{IVec2, Vec2, Vec3};
use std::ops::Range;

use super::palette::LabelPalette;
use super::slice::{MISSING, MISSING_BELOW, Plane, SliceLayers, stored_texel};
use super::uniforms::{FLAG_HEAT, FLAG_INVERSE, FLAG_LABELS, FLAG_NEAREST, SliceUniforms};
use crate::colormap::Colormap;

pub(super) const HIGHLIGHT_FILL: f32 = 0.25;
pub(super) const HIGHLIGHT_OUTLINE_PX: f32 = 1.0;
pub(super) const DIAGONAL: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// RGBA8 picture (row 0 at the top, alpha 255) of a pane of `size_px` pixels, over black. `uniforms` must have been made for
/// these layers with stride 1.
pub fn render(
    layers: &SliceLayers,
    palette: &LabelPalette,
    uniforms: &SliceUniforms,
    size_px: [u32; 2],
) -> Vec<u8> {
    let [width, height] = size_px.map(|side| side as usize);
    let mut bytes = vec![0; width * height * 4];
    render_rows(layers, palette, uniforms, size_px, 0..height, &mut bytes);
    bytes
}

/// Some rows of the same picture into their bytes.
pub(super) fn render_rows(
    layers: &SliceLayers,
    palette: &LabelPalette,
    uniforms: &SliceUniforms,
    size_px: [u32; 2],
    rows: Range<usize>,
    bytes: &mut [u8],
) {
    let pass = SlicePass { layers, palette, u: uniforms };
    let [width, height] = size_px;
    let size = Vec2::new(width as f32, height as f32);
    let places = rows.flat_map(|row| (0..width).map(move |column| (column, row)));
    for ((column, row), pixel) in places.zip(bytes.chunks_exact_mut(4)) {
        let uv = (Vec2::new(column as f32, row as f32) + 0.5) / size;
        let colour = pass.slice_colour(uv).clamp(Vec3::ZERO, Vec3::ONE) * uniforms.opacity;
        let [r, g, b] = (colour * 255.0).to_array().map(|channel| channel.round() as u8);
        pixel.copy_from_slice(&[r, g, b, 255]);
    }
}

/// What the shader has in its bindings.
struct SlicePass<'a> {
    layers: &'a SliceLayers,
    palette: &'a LabelPalette,
    u: &'a SliceUniforms,
}

impl SlicePass<'_> {
    fn slice_colour(&self, uv: Vec2) -> Vec3 {
        let at = uv * Vec2::from(self.u.image_from_uv_scale) + Vec2::from(self.u.image_from_uv_offset);
        if !self.is_inside(at) {
            return Vec3::ZERO;
        }
        let mut colour = self.image_colour(at);
        if self.has(FLAG_HEAT) {
            colour = self.blend_heat(colour, at);
        }
        if self.has(FLAG_LABELS) {
            colour = self.blend_label(colour, at);
        }
        colour
    }

    fn has(&self, flag: u32) -> bool {
        self.u.flags & flag != 0
    }

    fn is_inside(&self, at: Vec2) -> bool {
        at.cmpge(Vec2::ZERO).all() && at.cmplt(Vec2::from(self.u.extent_px)).all()
    }

    fn image_colour(&self, at: Vec2) -> Vec3 {
        let value = self.sample_area(self.layers.image(), at);
        if value < MISSING_BELOW {
            return Vec3::ZERO;
        }
        let grey = ((value - self.u.window_level) / self.u.window_width + 0.5).clamp(0.0, 1.0);
        let grey = if self.has(FLAG_INVERSE) { 1.0 - grey } else { grey };
        map_colour(self.u.image_colormap, grey)
    }

    fn blend_heat(&self, under: Vec3, at: Vec2) -> Vec3 {
        let Some(heat) = self.layers.heat() else { return under };
        let value = self.sample_area(heat, at);
        if value < MISSING_BELOW {
            return under;
        }
        let u = self.u;
        let alpha = u.heat_opacity * ((value - u.heat_threshold) / u.heat_ramp).clamp(0.0, 1.0);
        let position = ((value - u.heat_low) / (u.heat_high - u.heat_low)).clamp(0.0, 1.0);
        under.lerp(map_colour(u.heat_colormap, position), alpha)
    }

    fn blend_label(&self, under: Vec3, at: Vec2) -> Vec3 {
        let label = self.label_at(at);
        let [r, g, b, alpha] = self.palette.colour(label).map(|channel| f32::from(channel) / 255.0);
        if alpha <= 0.0 {
            return under;
        }
        let paint = Vec3::new(r, g, b);
        let mut fill = self.u.label_fill_opacity;
        let mut outline_px = self.u.label_outline_px;
        if u32::from(label) == self.u.highlight_label {
            fill = (fill + HIGHLIGHT_FILL).min(1.0);
            outline_px += HIGHLIGHT_OUTLINE_PX;
        }
        let filled = under.lerp(paint, fill * alpha);
        if self.is_border(at, label, outline_px) {
            return filled.lerp(paint, self.u.label_outline_opacity * alpha);
        }
        filled
    }

    fn is_border(&self, at: Vec2, label: u16, outline_px: f32) -> bool {
        let reach = Vec2::from(self.u.image_px_per_screen_px) * outline_px;
        (-1..=1).any(|dy| {
            (-1..=1).any(|dx| {
                let length = if dx != 0 && dy != 0 { DIAGONAL } else { 1.0 };
                let step = IVec2::new(dx, dy).as_vec2() * length;
                self.label_at(at + step * reach) != label
            })
        })
    }

    fn label_at(&self, at: Vec2) -> u16 {
        match self.layers.labels() {
            Some(labels) if self.is_inside(at) => labels.values()[texel_index(labels, at.floor().as_ivec2())],
            _ => 0,
        }
    }

    fn sample_area(&self, plane: &Plane<f32>, at: Vec2) -> f32 {
        let nearest = texel(plane, at.floor().as_ivec2());
        if nearest < MISSING_BELOW || self.has(FLAG_NEAREST) {
            return nearest;
        }
        if self.u.taps <= 1 {
            return sample_bilinear(plane, at);
        }
        let per_screen_px = Vec2::from(self.u.image_px_per_screen_px);
        let step = per_screen_px / self.u.taps as f32;
        let first = at - 0.5 * per_screen_px + 0.5 * step;
        let (mut sum, mut weight) = (0.0, 0.0);
        for row in 0..self.u.taps {
            for column in 0..self.u.taps {
                let value = sample_bilinear(plane, first + step * Vec2::new(column as f32, row as f32));
                if value >= MISSING_BELOW {
                    sum += value;
                    weight += 1.0;
                }
            }
        }
        if weight == 0.0 { nearest } else { sum / weight }
    }
}

fn sample_bilinear(plane: &Plane<f32>, at: Vec2) -> f32 {
    let corner = (at - 0.5).floor();
    let f = at - 0.5 - corner;
    let (mut sum, mut weight) = (0.0, 0.0);
    for dy in 0..=1 {
        for dx in 0..=1 {
            let value = texel(plane, corner.as_ivec2() + IVec2::new(dx, dy));
            let w = (if dx == 1 { f.x } else { 1.0 - f.x }) * (if dy == 1 { f.y } else { 1.0 - f.y });
            if value >= MISSING_BELOW {
                sum += w * value;
                weight += w;
            }
        }
    }
    if weight <= 0.0 { MISSING } else { sum / weight }
}

fn texel(plane: &Plane<f32>, position: IVec2) -> f32 {
    stored_texel(plane.values()[texel_index(plane, position)])
}

fn texel_index<T>(plane: &Plane<T>, position: IVec2) -> usize {
    let last = IVec2::new(plane.grid().width() as i32 - 1, plane.grid().height() as i32 - 1);
    let inside = position.clamp(IVec2::ZERO, last);
    inside.y as usize * plane.grid().width() as usize + inside.x as usize
}

pub(super) fn map_colour(map: u32, position: f32) -> Vec3 {
    let maps = [Colormap::Gray, Colormap::Inferno, Colormap::Cividis];
    let map = maps.into_iter().find(|candidate| candidate.shader_id() == map).unwrap_or_default();
    map.colour(position).into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::render::slice::SliceGrid;
    use crate::render::transform::PaneTransform;
    use crate::render::uniforms::{Interpolation, PixelView, SliceStyle};

    fn picture(layers: &SliceLayers, style: &SliceStyle, size_px: [u32; 2]) -> Vec<[u8; 4]> {
        let palette = LabelPalette::new([(1, [255, 0, 0, 255])]);
        let transform = PaneTransform::fit(layers.grid(), size_px.map(|n| n as f32), 1.0, [0.0, 0.0]);
        let uniforms = SliceUniforms::new(layers, style, &PixelView::whole_pane(&transform, size_px), 1);
        render(layers, &palette, &uniforms, size_px).chunks_exact(4).map(|p| p.try_into().unwrap()).collect()
    }

    fn grid(width: u32, height: u32) -> SliceGrid {
        SliceGrid::new(width, height, [1.0, 1.0]).unwrap()
    }

    fn plain(values: Vec<f32>, width: u32) -> SliceLayers {
        let height = values.len() as u32 / width;
        SliceLayers::new(Arc::new(Plane::new(grid(width, height), values).unwrap()))
    }

    fn unit_window() -> SliceStyle {
        SliceStyle { window_level: 0.5, window_width: 1.0, ..SliceStyle::default() }
    }

    #[test]
    fn the_window_maps_its_ends_to_black_and_white_and_inverse_swaps_them() {
        let layers = plain(vec![-1000.0, -160.0, 40.0, 240.0, 3000.0], 5);
        let style = SliceStyle { interpolation: Interpolation::Nearest, ..SliceStyle::default() };
        let greys = |style| picture(&layers, style, [5, 1]).iter().map(|p| p[0]).collect::<Vec<_>>();
        assert_eq!(greys(&style), [0, 0, 128, 255, 255]);
        assert_eq!(greys(&SliceStyle { inverse: true, ..style }), [255, 255, 128, 0, 0]);
    }

    #[test]
    fn nan_pixels_are_black_and_leave_their_neighbours_alone() {
        let layers = plain(vec![1.0, 1.0, f32::NAN, 1.0, 1.0], 5);
        let greys: Vec<u8> =
            picture(&layers, &unit_window(), [50, 10]).iter().map(|p| p[0]).take(50).collect();
        assert!(greys[..20].iter().chain(&greys[30..]).all(|&grey| grey == 255), "{greys:?}");
        assert!(greys[20..30].iter().all(|&grey| grey == 0), "{greys:?}");
    }

    #[test]
    fn outside_the_slice_the_pane_is_black() {
        let picture = picture(&plain(vec![1.0; 4], 2), &unit_window(), [40, 20]);
        assert_eq!(picture[5], [0, 0, 0, 255]);
        assert_eq!(picture[20], [255, 255, 255, 255]);
    }

    #[test]
    fn an_outline_runs_inside_the_region_and_is_one_screen_pixel_wide() {
        let labels = Plane::new(grid(3, 1), vec![0, 1, 0]).unwrap();
        let layers = plain(vec![0.0; 3], 3).with_labels(Arc::new(labels)).unwrap();
        let mut style = unit_window();
        style.labels.fill_opacity = 0.0;
        style.labels.outline_px = 1.0;
        let row: Vec<u8> = picture(&layers, &style, [30, 10])[150..180].iter().map(|p| p[0]).collect();
        let lit: Vec<usize> = (0..30).filter(|&i| row[i] == 255).collect();
        assert_eq!(lit, [10, 19]);
    }

    #[test]
    fn heat_below_its_threshold_leaves_the_anatomy_untouched() {
        let heat = Plane::new(grid(2, 1), vec![0.25, 0.8]).unwrap();
        let layers = plain(vec![0.5; 2], 2).with_heat(Arc::new(heat)).unwrap();
        let mut style = SliceStyle { interpolation: Interpolation::Nearest, ..unit_window() };
        style.heat.opacity = 1.0;
        let picture = picture(&layers, &style, [2, 1]);
        assert_eq!(picture[0], [128, 128, 128, 255]);
        assert_eq!(picture[1], [252, 255, 164, 255]);
    }
}
