//! The slice pass without a GPU: the same picture as [`mod@super::reference`], fast enough to scroll with.
//!
//! Where a "GPU" is a program on the processor, letting it run the shader costs more than computing the picture here.
//! The map from screen to slice is along the axes, so smooth sampling is done columns first, rows second, with weights
//! computed once a column and once a row; only labelled pixels are asked for their outline. Slices with missing values
//! are left to the definition itself. A test holds the two to one level of 255.

use super::palette::LabelPalette;
use super::reference::{self, DIAGONAL, HIGHLIGHT_FILL, HIGHLIGHT_OUTLINE_PX};
use super::slice::{LARGEST, Plane, SliceLayers};
use super::uniforms::{FLAG_HEAT, FLAG_INVERSE, FLAG_LABELS, FLAG_NEAREST, SliceUniforms};
use crate::colormap::Colormap;
use glam::Vec3;
use rayon::prelude::*;
use std::ops::Range;

/// Rows of the picture that one thread draws at a time.
const BAND: usize = 24;

/// RGBA8 picture (row 0 at the top, alpha 255) of a pane of `size_px` pixels, over black; opacity is left to whoever draws
/// it. `uniforms` must have been made for these layers with stride 1.
pub fn render(
    layers: &SliceLayers,
    palette: &LabelPalette,
    uniforms: &SliceUniforms,
    size_px: [u32; 2],
) -> Vec<u8> {
    let opaque = SliceUniforms { opacity: 1.0, ..*uniforms };
    let [width, height] = size_px.map(|side| side as usize);
    if width == 0 || height == 0 {
        return Vec::new();
    }
    let complete = is_complete(layers.image()) && layers.heat().is_none_or(is_complete);
    let mut bytes = vec![0u8; width * height * 4];
    let pass = Pass::new(layers, palette, &opaque, size_px);
    bytes.par_chunks_mut(BAND * width * 4).enumerate().for_each(|(band, bytes)| {
        let rows = band * BAND..(band * BAND + bytes.len() / (width * 4));
        if complete {
            pass.draw(rows, bytes);
        } else {
            reference::render_rows(layers, palette, &opaque, size_px, rows, bytes);
        }
    });
    bytes
}

/// Whether every value can take part in a weighted sum.
fn is_complete(plane: &Plane<f32>) -> bool {
    plane.values().iter().all(|value| value.abs() <= LARGEST)
}

/// One screen column, or one screen row.
#[derive(Debug, Clone)]
struct Place {
    /// The slice column or row under it; `None` beside the slice.
    nearest: Option<u32>,
    /// Those one outline away: straight, along a diagonal, and the same on the other side; for the usual outline and for
    /// the wider one of a highlight.
    around: [[Option<u32>; 4]; 2],
    /// First slice column or row that counts, and the weights from there on.
    first: usize,
    weights: Range<usize>,
}

/// All columns or all rows of a picture.
#[derive(Debug)]
struct Axis {
    places: Vec<Place>,
    weights: Vec<f32>,
}

impl Axis {
    /// `axis` 0 for columns, 1 for rows.
    fn new(u: &SliceUniforms, axis: usize, pixels: usize, texels: usize) -> Self {
        let mut weights = Vec::new();
        let per_px = u.image_px_per_screen_px[axis];
        let inside =
            |at: f32| (at >= 0.0 && at < u.extent_px[axis]).then(|| (at as usize).min(texels - 1) as u32);
        let places = (0..pixels).map(|n| {
            let uv = (n as f32 + 0.5) / pixels as f32;
            let at = uv * u.image_from_uv_scale[axis] + u.image_from_uv_offset[axis];
            let around = [u.label_outline_px, u.label_outline_px + HIGHLIGHT_OUTLINE_PX].map(|outline_px| {
                let reach = per_px * outline_px;
                [reach, reach * DIAGONAL, -reach, -reach * DIAGONAL].map(|by| inside(at + by))
            });
            let start = weights.len();
            let first = push_weights(&mut weights, u, (at, per_px), texels);
            Place { nearest: inside(at), around, first, weights: start..weights.len() }
        });
        let places = places.collect();
        Self { places, weights }
    }

    fn weights(&self, place: &Place) -> &[f32] {
        &self.weights[place.weights.clone()]
    }

    /// The slice columns or rows that any of these places needs.
    fn needed(&self, places: Range<usize>) -> Range<usize> {
        let places = &self.places[places];
        let first = places.iter().map(|place| place.first).min().unwrap_or(0);
        let end = places.iter().map(|place| place.first + place.weights.len()).max().unwrap_or(0);
        first..end
    }
}

/// Adds the weights of one place; answers which texel the first of them is for.
fn push_weights(weights: &mut Vec<f32>, u: &SliceUniforms, (at, per_px): (f32, f32), texels: usize) -> usize {
    let last = texels as i64 - 1;
    let clamped = |texel: i64| texel.clamp(0, last) as usize;
    if u.flags & FLAG_NEAREST != 0 {
        weights.push(1.0);
        return clamped(at.floor() as i64);
    }
    let taps = u.taps.max(1);
    let step = per_px / taps as f32;
    // As in the shader, a single tap is not moved at all.
    let position = |tap: u32| match taps {
        1 => at,
        _ => at - 0.5 * per_px + step * (tap as f32 + 0.5),
    };
    let corner = |tap: u32| (position(tap) - 0.5).floor();
    let ends = [corner(0), corner(taps - 1)];
    let first = clamped(ends[0].min(ends[1]) as i64);
    let end = clamped(ends[0].max(ends[1]) as i64 + 1) + 1;
    let start = weights.len();
    weights.resize(start + end - first, 0.0);
    for tap in 0..taps {
        let corner = corner(tap);
        let part = position(tap) - 0.5 - corner;
        for (texel, weight) in [(corner as i64, 1.0 - part), (corner as i64 + 1, part)] {
            weights[start + clamped(texel) - first] += weight / taps as f32;
        }
    }
    first
}

struct Pass<'a> {
    layers: &'a SliceLayers,
    palette: &'a LabelPalette,
    u: &'a SliceUniforms,
    columns: Axis,
    rows: Axis,
}

impl<'a> Pass<'a> {
    fn new(
        layers: &'a SliceLayers,
        palette: &'a LabelPalette,
        u: &'a SliceUniforms,
        size_px: [u32; 2],
    ) -> Self {
        let [width, height] = size_px.map(|side| side as usize);
        let grid = layers.grid();
        let columns = Axis::new(u, 0, width, grid.width() as usize);
        let rows = Axis::new(u, 1, height, grid.height() as usize);
        Self { layers, palette, u, columns, rows }
    }

    fn has(&self, flag: u32) -> bool {
        self.u.flags & flag != 0
    }

    /// Draws some rows of the picture into their bytes.
    fn draw(&self, rows: Range<usize>, bytes: &mut [u8]) {
        let width = self.columns.places.len();
        let image = self.sampled(self.layers.image(), rows.clone());
        let heat = self.layers.heat().filter(|_| self.has(FLAG_HEAT));
        let heat = heat.map(|heat| self.sampled(heat, rows.clone()));
        let inverse = self.has(FLAG_INVERSE);
        for (offset, row) in rows.enumerate() {
            let line = offset * width..(offset + 1) * width;
            let pixels = &mut bytes[4 * line.start..4 * line.end];
            let place = &self.rows.places[row];
            for (n, pixel) in pixels.chunks_exact_mut(4).enumerate() {
                pixel[3] = 255;
                let column = &self.columns.places[n];
                if column.nearest.is_none() || place.nearest.is_none() {
                    continue;
                }
                let at = line.start + n;
                let windowed = (image[at] - self.u.window_level) / self.u.window_width + 0.5;
                let grey = windowed.clamp(0.0, 1.0);
                let grey = if inverse { 1.0 - grey } else { grey };
                let heat = heat.as_ref().map(|heat| heat[at]);
                pixel[..3].copy_from_slice(&self.colour(grey, heat, self.label(column, place)));
            }
        }
    }

    /// Label, and whether it has another one within its outline; `None` where nothing is to be painted.
    fn label(&self, column: &Place, row: &Place) -> Option<(u16, bool)> {
        let labels = self.layers.labels().filter(|_| self.has(FLAG_LABELS))?;
        let width = labels.grid().width() as usize;
        let at = |x: Option<u32>, y: Option<u32>| match (x, y) {
            (Some(x), Some(y)) => labels.values()[y as usize * width + x as usize],
            _ => 0,
        };
        let label = at(column.nearest, row.nearest);
        if self.palette.colour(label)[3] == 0 {
            return None;
        }
        let wide = usize::from(u32::from(label) == self.u.highlight_label);
        let [right, right_diagonal, left, left_diagonal] = column.around[wide];
        let [down, down_diagonal, up, up_diagonal] = row.around[wide];
        let around = [
            (right, row.nearest),
            (left, row.nearest),
            (column.nearest, down),
            (column.nearest, up),
            (right_diagonal, down_diagonal),
            (right_diagonal, up_diagonal),
            (left_diagonal, down_diagonal),
            (left_diagonal, up_diagonal),
        ];
        Some((label, around.into_iter().any(|(x, y)| at(x, y) != label)))
    }

    fn colour(&self, grey: f32, heat: Option<f32>, label: Option<(u16, bool)>) -> [u8; 3] {
        let u = self.u;
        let hot = heat.filter(|value| *value > u.heat_threshold && u.heat_opacity > 0.0);
        if hot.is_none() && label.is_none() && u.image_colormap == Colormap::Gray.shader_id() {
            return [byte(grey); 3];
        }
        let mut colour: Vec3 = reference::map_colour(u.image_colormap, grey);
        if let Some(value) = hot {
            let alpha = u.heat_opacity * ((value - u.heat_threshold) / u.heat_ramp).clamp(0.0, 1.0);
            let position = ((value - u.heat_low) / (u.heat_high - u.heat_low)).clamp(0.0, 1.0);
            colour = colour.lerp(reference::map_colour(u.heat_colormap, position), alpha);
        }
        if let Some((label, border)) = label {
            let [r, g, b, alpha] = self.palette.colour(label).map(|channel| f32::from(channel) / 255.0);
            let paint = Vec3::new(r, g, b);
            let highlighted = u32::from(label) == u.highlight_label;
            let fill = u.label_fill_opacity + if highlighted { HIGHLIGHT_FILL } else { 0.0 };
            colour = colour.lerp(paint, fill.min(1.0) * alpha);
            if border {
                colour = colour.lerp(paint, u.label_outline_opacity * alpha);
            }
        }
        colour.to_array().map(byte)
    }

    /// The values of a plane under the pixels of some rows.
    fn sampled(&self, plane: &Plane<f32>, rows: Range<usize>) -> Vec<f32> {
        let width = self.columns.places.len();
        let needed = self.rows.needed(rows.clone());
        let across = self.across(plane, needed.clone());
        let mut values = vec![0.0; width * rows.len()];
        for (line, row) in values.chunks_exact_mut(width).zip(rows) {
            let place = &self.rows.places[row];
            for (n, weight) in self.rows.weights(place).iter().enumerate() {
                let from = (place.first + n - needed.start) * width;
                for (value, sample) in line.iter_mut().zip(&across[from..from + width]) {
                    *value += weight * sample;
                }
            }
        }
        values
    }

    /// Some rows of a plane, sampled under the columns of the picture.
    fn across(&self, plane: &Plane<f32>, rows: Range<usize>) -> Vec<f32> {
        let texels = plane.grid().width() as usize;
        let mut values = Vec::with_capacity(self.columns.places.len() * rows.len());
        for row in rows {
            let line = &plane.values()[row * texels..(row + 1) * texels];
            values.extend(self.columns.places.iter().map(|place| {
                let weights = self.columns.weights(place);
                weights.iter().zip(&line[place.first..]).map(|(weight, value)| weight * value).sum::<f32>()
            }));
        }
        values
    }
}

fn byte(channel: f32) -> u8 {
    (channel.clamp(0.0, 1.0) * 255.0).round() as u8
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::render::slice::SliceGrid;
    use crate::render::transform::PaneTransform;
    use crate::render::uniforms::{Interpolation, PixelView, SliceStyle};
    use std::sync::Arc;

    fn layers([width, height]: [u32; 2], hole: bool) -> SliceLayers {
        let grid = SliceGrid::new(width, height, [0.9, 1.3]).unwrap();
        let each = |value: &dyn Fn(u32, u32) -> f32| {
            (0..width * height).map(|n| value(n % width, n / width)).collect::<Vec<f32>>()
        };
        let image = each(&|x, y| {
            if hole && x > 5 && x < 9 { f32::NAN } else { ((x * 37 + y * 91) % 400) as f32 - 160.0 }
        });
        let heat = each(&|x, y| ((x * 5 + y * 3) % 17) as f32 / 17.0);
        let labels = (0..width * height).map(|n| ((n % width / 4 + n / width / 5) % 4) as u16).collect();
        SliceLayers::new(Arc::new(Plane::new(grid, image).unwrap()))
            .with_heat(Arc::new(Plane::new(grid, heat).unwrap()))
            .unwrap()
            .with_labels(Arc::new(Plane::new(grid, labels).unwrap()))
            .unwrap()
    }

    #[test]
    fn the_picture_is_the_one_that_is_defined_however_the_slice_is_sized_moved_and_styled() {
        let palette = LabelPalette::new([(1, [255, 0, 0, 255]), (3, [0, 90, 255, 128])]);
        let mut highlighted = SliceStyle::default();
        highlighted.labels.highlight = Some(3);
        let nearest = SliceStyle { interpolation: Interpolation::Nearest, inverse: true, ..highlighted };
        let coloured = SliceStyle { image_colormap: Colormap::Cividis, ..SliceStyle::default() };
        let mut drawn = 0;
        for (size, hole) in [([20, 31], false), ([160, 121], false), ([300, 40], true)] {
            let layers = layers(size, hole);
            for (zoom, pan) in [(1.0, [0.0, 0.0]), (0.4, [3.0, -8.0]), (7.0, [10.0, 12.0])] {
                for style in [SliceStyle::default(), highlighted, nearest, coloured] {
                    let size_px = [97, 64];
                    let transform = PaneTransform::fit(layers.grid(), size_px.map(|n| n as f32), zoom, pan);
                    let view = PixelView::whole_pane(&transform, size_px);
                    let uniforms = SliceUniforms::new(&layers, &style, &view, 1);
                    let defined = reference::render(&layers, &palette, &uniforms, size_px);
                    let ours = render(&layers, &palette, &uniforms, size_px);
                    let far = defined.iter().zip(&ours).filter(|(a, b)| a.abs_diff(**b) > 1).count();
                    // A sample that falls onto the very edge of a texel may be rounded to either side.
                    assert!(far * 500 <= defined.len(), "{size:?} {zoom} {style:?}: {far} bytes differ");
                    drawn += 1;
                }
            }
        }
        assert_eq!(drawn, 36);
    }

    #[test]
    fn a_pane_of_no_pixels_is_no_picture() {
        let layers = layers([8, 8], false);
        let transform = PaneTransform::fit(layers.grid(), [1.0, 1.0], 1.0, [0.0, 0.0]);
        let view = PixelView::whole_pane(&transform, [0, 5]);
        let uniforms = SliceUniforms::new(&layers, &SliceStyle::default(), &view, 1);
        assert!(render(&layers, &LabelPalette::new([]), &uniforms, [0, 5]).is_empty());
    }
}
