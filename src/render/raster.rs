//! Closed surfaces as a shaded picture, on the CPU: a view in three dimensions that is the same with and without a GPU.
//!
//! World space is RAS+ in mm; the projection is orthographic. Invariants: only triangles that face the viewer are drawn,
//! so that a translucent surface veils what is inside it once; every sample on a side that two triangles share belongs to
//! exactly one of them; the picture does not depend on how many threads share the work. [`project_mm`] and
//! [`render_solids`] place points by the same code.

use glam::{Vec2, Vec3, Vec4};
use rayon::prelude::*;

use super::transform::ZOOM_RANGE;

/// Samples a pixel, along rows and along columns.
const SAMPLES: usize = 2;
/// Rows of pixels that are drawn together.
const BAND_ROWS: usize = 16;
/// Share of the light that comes from all sides; the rest comes from the viewer.
const AMBIENT: f32 = 0.25;
/// Ends a list of fragments.
const NONE: u32 = u32::MAX;

/// A closed surface and how it looks.
#[derive(Debug, Clone, PartialEq)]
pub struct Solid {
    /// World RAS+ positions in mm.
    pub vertices_mm: Vec<[f32; 3]>,
    /// One for each vertex, of length 1, pointing outwards in world space.
    pub normals: Vec<[f32; 3]>,
    /// Indices of vertices, counter-clockwise as seen from outside. One that names a missing vertex or normal is not drawn.
    pub triangles: Vec<[u32; 3]>,
    /// sRGB colour where the light falls on it straight.
    pub rgb: [u8; 3],
    /// From 1, which hides what is behind, down to 0, which is not drawn.
    pub opacity: f32,
}

/// Where the viewer stands and how close.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Eye {
    /// Way around the patient, from the front towards the patient's left: at 0 the patient's right is on the left of the
    /// picture; at 90 the viewer stands at the patient's left, and anterior is on the left; at 180, behind the patient; at
    /// -90 (or 270) at the patient's right, with anterior on the right.
    pub azimuth_deg: f32,
    /// Above the patient: at 90 the viewer looks down on the head. Up in the picture is superior from -90 to 90.
    pub elevation_deg: f32,
    /// At 1 the ball to be looked at fits the picture. Kept between the bounds of the slice panes.
    pub zoom: f32,
}

/// RGBA8 picture (row 0 at the top, alpha 255) of `size_px` (width, height) pixels, looking at `centre_mm` so that a ball of
/// `radius_mm` around it fits at zoom 1.
///
/// Opaque solids hide each other by distance; translucent ones are blended over them in the order of their distance,
/// sample by sample. Where surfaces coincide, the opaque one is seen, or else the earlier in the list is in front.
pub fn render_solids(
    solids: &[Solid],
    centre_mm: [f32; 3],
    radius_mm: f32,
    eye: &Eye,
    background: [u8; 3],
    size_px: [u32; 2],
) -> Vec<u8> {
    let [width, height] = size_px.map(|size| size as usize);
    let mut bytes = vec![u8::MAX; width * height * 4];
    if bytes.is_empty() {
        return bytes;
    }
    let view = View::new(centre_mm, radius_mm, eye, size_px);
    let mut skins: Vec<Skin> =
        solids.iter().filter(|solid| solid.opacity > 0.0).map(|s| view.skin(s)).collect();
    // What is opaque comes first, so that what it hides is never kept for blending.
    skins.sort_by_key(|skin| skin.opacity < 1.0);
    let bands = triangles_by_band(&skins, height.div_ceil(BAND_ROWS));
    let rows = bytes.par_chunks_mut(BAND_ROWS * width * 4).zip(bands).enumerate();
    rows.for_each(|(band, (pixels, triangles))| {
        let mut canvas = Canvas::new(band, width, pixels.len() / (width * 4), background);
        for (skin, corners) in triangles {
            canvas.draw(&skins[skin as usize], corners);
        }
        canvas.develop(pixels);
    });
    bytes
}

/// Where [`render_solids`] draws a world point: pixels (column, row; continuous, pixel i covers [i, i + 1)) from the top
/// left of the picture.
pub fn project_mm(
    point_mm: [f32; 3],
    centre_mm: [f32; 3],
    radius_mm: f32,
    eye: &Eye,
    size_px: [u32; 2],
) -> [f32; 2] {
    View::new(centre_mm, radius_mm, eye, size_px).place(point_mm).truncate().into()
}

/// The directions of the picture in world space, and its scale.
struct View {
    right: Vec3,
    up: Vec3,
    towards_viewer: Vec3,
    centre_mm: Vec3,
    px_per_mm: f32,
    middle_px: Vec2,
}

impl View {
    fn new(centre_mm: [f32; 3], radius_mm: f32, eye: &Eye, size_px: [u32; 2]) -> Self {
        let (sin_azimuth, cos_azimuth) = eye.azimuth_deg.to_radians().sin_cos();
        let (sin_elevation, cos_elevation) = eye.elevation_deg.to_radians().sin_cos();
        let level = Vec3::new(-sin_azimuth, cos_azimuth, 0.0);
        let middle_px = Vec2::from(size_px.map(|size| size as f32)) * 0.5;
        let zoom = if eye.zoom.is_finite() { eye.zoom.clamp(ZOOM_RANGE[0], ZOOM_RANGE[1]) } else { 1.0 };
        Self {
            right: Vec3::new(-cos_azimuth, -sin_azimuth, 0.0),
            up: cos_elevation * Vec3::Z - sin_elevation * level,
            towards_viewer: cos_elevation * level + sin_elevation * Vec3::Z,
            centre_mm: centre_mm.into(),
            px_per_mm: zoom * middle_px.min_element() / radius_mm.max(1e-3),
            middle_px,
        }
    }

    /// Column and row in pixels, and distance from the viewer in mm (0 at the centre, larger behind it).
    fn place(&self, point_mm: [f32; 3]) -> Vec3 {
        let from_centre_mm = Vec3::from(point_mm) - self.centre_mm;
        let across_mm = Vec2::new(from_centre_mm.dot(self.right), -from_centre_mm.dot(self.up));
        (self.middle_px + across_mm * self.px_per_mm).extend(-from_centre_mm.dot(self.towards_viewer))
    }

    fn skin<'a>(&self, solid: &'a Solid) -> Skin<'a> {
        let corner = |(&vertex_mm, &normal): (&[f32; 3], &[f32; 3])| {
            let place = self.place(vertex_mm);
            let facing = Vec3::from(normal).dot(self.towards_viewer).max(0.0);
            (place.truncate() * SAMPLES as f32).extend(place.z).extend(AMBIENT + (1.0 - AMBIENT) * facing)
        };
        Skin {
            corners: solid.vertices_mm.iter().zip(&solid.normals).map(corner).collect(),
            triangles: &solid.triangles,
            colour: colour_of(solid.rgb),
            opacity: solid.opacity,
        }
    }
}

/// A solid as seen by the viewer.
struct Skin<'a> {
    /// Of each vertex: column and row in samples, distance in mm, brightness.
    corners: Vec<Vec4>,
    triangles: &'a [[u32; 3]],
    colour: Vec3,
    opacity: f32,
}

impl Skin<'_> {
    fn corners(&self, triangle: &[u32; 3]) -> Option<[Vec4; 3]> {
        let [a, b, c] = triangle.map(|vertex| self.corners.get(vertex as usize).copied());
        Some([a?, b?, c?])
    }
}

/// The triangles that face the viewer, with the number of their skin, by the bands of rows that they touch.
fn triangles_by_band(skins: &[Skin], bands: usize) -> Vec<Vec<(u32, [Vec4; 3])>> {
    let mut by_band = vec![Vec::new(); bands];
    let band_samples = (BAND_ROWS * SAMPLES) as f32;
    for (number, skin) in skins.iter().enumerate() {
        for corners in skin.triangles.iter().filter_map(|triangle| skin.corners(triangle)) {
            let [a, b, c] = corners.map(|corner| corner.truncate().truncate());
            // Rows grow downwards: what runs counter-clockwise to the viewer has a negative area here.
            let faces_viewer = (b - a).perp_dot(c - a) < 0.0;
            let (top, bottom) = (a.y.min(b.y).min(c.y), a.y.max(b.y).max(c.y));
            if faces_viewer && bottom >= 0.0 {
                let last = ((bottom / band_samples) as usize).min(bands - 1);
                for band in (top / band_samples) as usize..=last {
                    by_band[band].push((number as u32, corners));
                }
            }
        }
    }
    by_band
}

/// A translucent surface at one sample.
struct Fragment {
    distance_mm: f32,
    colour: Vec3,
    opacity: f32,
    /// The next one behind it, or [`NONE`].
    behind: u32,
}

/// Some rows of the picture, in samples.
struct Canvas {
    first_row: usize,
    rows: usize,
    width: usize,
    /// Nearest opaque surface: distance in mm and colour.
    distance_mm: Vec<f32>,
    colour: Vec<Vec3>,
    /// Nearest translucent surface before it, or [`NONE`].
    nearest: Vec<u32>,
    fragments: Vec<Fragment>,
}

impl Canvas {
    /// The `band`-th band, `rows_px` high.
    fn new(band: usize, width_px: usize, rows_px: usize, background: [u8; 3]) -> Self {
        let (width, rows) = (width_px * SAMPLES, rows_px * SAMPLES);
        Self {
            first_row: band * BAND_ROWS * SAMPLES,
            rows,
            width,
            distance_mm: vec![f32::INFINITY; width * rows],
            colour: vec![colour_of(background); width * rows],
            nearest: vec![NONE; width * rows],
            fragments: Vec::new(),
        }
    }

    /// Goes along the rows of samples whose middles lie in the triangle. Both ends of a row are half open, and a side is
    /// always cut from its upper end, so that neighbours agree on where it lies.
    fn draw(&mut self, skin: &Skin, [a, b, c]: [Vec4; 3]) {
        let low = a.y.min(b.y).min(c.y) - self.first_row as f32;
        let high = a.y.max(b.y).max(c.y) - self.first_row as f32;
        for row in first_middle(low)..first_middle(high).min(self.rows) {
            let y = (self.first_row + row) as f32 + 0.5;
            let mut cuts = [cut(a, b, y), cut(b, c, y), cut(c, a, y)].into_iter().flatten();
            let (Some(one), Some(other)) = (cuts.next(), cuts.next()) else { continue };
            let (left, right) = if one.x <= other.x { (one, other) } else { (other, one) };
            let per_sample = (right - left) / (right.x - left.x).max(f32::MIN_POSITIVE);
            for column in first_middle(left.x)..first_middle(right.x).min(self.width) {
                let here = left + per_sample * (column as f32 + 0.5 - left.x);
                self.cover(row * self.width + column, here.z, skin.colour * here.w, skin.opacity);
            }
        }
    }

    fn cover(&mut self, sample: usize, distance_mm: f32, colour: Vec3, opacity: f32) {
        if distance_mm >= self.distance_mm[sample] {
            return;
        }
        if opacity >= 1.0 {
            self.distance_mm[sample] = distance_mm;
            self.colour[sample] = colour;
            return;
        }
        let (mut before, mut behind) = (NONE, self.nearest[sample]);
        while let Some(fragment) = self.fragments.get(behind as usize)
            && fragment.distance_mm <= distance_mm
        {
            (before, behind) = (behind, fragment.behind);
        }
        let number = self.fragments.len() as u32;
        match self.fragments.get_mut(before as usize) {
            Some(fragment) => fragment.behind = number,
            None => self.nearest[sample] = number,
        }
        self.fragments.push(Fragment { distance_mm, colour, opacity, behind });
    }

    /// The colour of a sample through everything translucent.
    fn seen(&self, sample: usize) -> Vec3 {
        let (mut colour, mut let_through) = (Vec3::ZERO, 1.0);
        let mut next = self.nearest[sample];
        while let Some(fragment) = self.fragments.get(next as usize) {
            colour += fragment.colour * (let_through * fragment.opacity);
            let_through *= 1.0 - fragment.opacity;
            next = fragment.behind;
        }
        colour + self.colour[sample] * let_through
    }

    /// Each pixel is the mean of its samples.
    fn develop(&self, pixels: &mut [u8]) {
        let width_px = self.width / SAMPLES;
        for (number, pixel) in pixels.chunks_exact_mut(4).enumerate() {
            let corner = (number / width_px * self.width + number % width_px) * SAMPLES;
            let sum: Vec3 = (0..SAMPLES * SAMPLES)
                .map(|sample| self.seen(corner + sample / SAMPLES * self.width + sample % SAMPLES))
                .sum();
            let mean = sum * (255.0 / (SAMPLES * SAMPLES) as f32);
            pixel[..3].copy_from_slice(&mean.to_array().map(|channel| channel.round() as u8));
        }
    }
}

/// The first row or column whose middle does not lie before `at`, both in samples.
fn first_middle(at: f32) -> usize {
    (at - 0.5).ceil() as usize
}

/// Where a triangle's side crosses the row at height `y`, if it does.
fn cut(from: Vec4, to: Vec4, y: f32) -> Option<Vec4> {
    let (upper, lower) = if from.y < to.y { (from, to) } else { (to, from) };
    (upper.y <= y && y < lower.y).then(|| upper.lerp(lower, (y - upper.y) / (lower.y - upper.y)))
}

fn colour_of(rgb: [u8; 3]) -> Vec3 {
    Vec3::from(rgb.map(f32::from)) / 255.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const FRONT: Eye = Eye { azimuth_deg: 0.0, elevation_deg: 0.0, zoom: 1.0 };
    const BACKGROUND: [u8; 3] = [10, 20, 30];
    const RED: [u8; 3] = [255, 0, 0];
    const BLUE: [u8; 3] = [0, 0, 255];
    /// Brightness of a cube's face turned to the viewer: its normals point along the diagonals.
    const FACE: f32 = AMBIENT + (1.0 - AMBIENT) * 0.577_350_3;

    fn cube(centre_mm: [f32; 3], half_mm: f32, rgb: [u8; 3], opacity: f32) -> Solid {
        let sign = |corner: usize, axis: usize| if corner >> axis & 1 == 1 { 1.0 } else { -1.0 };
        let directions = (0..8).map(|corner| Vec3::from([0, 1, 2].map(|axis| sign(corner, axis))));
        let mut triangles = Vec::new();
        for axis in 0..3 {
            let (second, third) = (1 << ((axis + 1) % 3), 1 << ((axis + 2) % 3));
            let back = [0, third, second | third, second];
            let front = [0, second, second | third, third].map(|corner| corner | 1 << axis);
            for [a, b, c, d] in [back, front] {
                triangles.extend([[a, b, c], [a, c, d]]);
            }
        }
        let vertices_mm = directions.clone().map(|d| (Vec3::from(centre_mm) + d * half_mm).into()).collect();
        let normals = directions.map(|d| d.normalize().into()).collect();
        Solid { vertices_mm, normals, triangles, rgb, opacity }
    }

    /// Over a ball of 50 mm about the origin: 1 mm a pixel.
    fn picture(solids: &[Solid], eye: &Eye) -> Vec<[u8; 3]> {
        let bytes = render_solids(solids, [0.0; 3], 50.0, eye, BACKGROUND, [120, 100]);
        assert!(bytes.len() == 120 * 100 * 4 && bytes.iter().skip(3).step_by(4).all(|&alpha| alpha == 255));
        bytes.chunks_exact(4).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect()
    }

    /// Mean (column, row) of what was drawn, from the middle of the picture.
    fn seen_at(solid: Solid, eye: &Eye) -> Vec2 {
        let picture = picture(&[solid], eye);
        let drawn: Vec<Vec2> = (0..picture.len())
            .filter(|&pixel| picture[pixel] != BACKGROUND)
            .map(|pixel| Vec2::new((pixel % 120) as f32 - 59.5, (pixel / 120) as f32 - 49.5))
            .collect();
        drawn.iter().sum::<Vec2>() / drawn.len() as f32
    }

    fn shade(rgb: [u8; 3], brightness: f32) -> [u8; 3] {
        rgb.map(|channel| (f32::from(channel) * brightness).round() as u8)
    }

    fn middle(solids: &[Solid]) -> [u8; 3] {
        picture(solids, &FRONT)[50 * 120 + 60]
    }

    #[test]
    fn from_the_front_the_patients_right_is_on_the_left_and_the_head_on_top() {
        let right = seen_at(cube([30.0, 0.0, 0.0], 5.0, RED, 1.0), &FRONT);
        assert!(right.abs_diff_eq(Vec2::new(-30.0, 0.0), 0.1), "{right}");
        let head = seen_at(cube([0.0, 0.0, 30.0], 5.0, RED, 1.0), &FRONT);
        assert!(head.abs_diff_eq(Vec2::new(0.0, -30.0), 0.1), "{head}");
    }

    #[test]
    fn from_the_patients_left_the_front_of_the_body_is_on_the_left_and_from_the_right_on_the_right() {
        for (azimuth_deg, column) in [(90.0, -30.0), (-90.0, 30.0), (270.0, 30.0)] {
            let eye = Eye { azimuth_deg, ..FRONT };
            let anterior = seen_at(cube([0.0, 30.0, 0.0], 5.0, RED, 1.0), &eye);
            assert!(anterior.abs_diff_eq(Vec2::new(column, 0.0), 0.1), "{azimuth_deg}: {anterior}");
            // The patient's left is nearer at 90.
            let sides = [cube([-30.0, 0.0, 0.0], 5.0, RED, 1.0), cube([30.0, 0.0, 0.0], 5.0, BLUE, 1.0)];
            let nearer = if azimuth_deg == 90.0 { RED } else { BLUE };
            assert_eq!(picture(&sides, &eye)[50 * 120 + 60], shade(nearer, FACE));
        }
    }

    #[test]
    fn from_above_the_head_the_front_of_the_body_is_at_the_bottom() {
        let eye = Eye { elevation_deg: 90.0, ..FRONT };
        let anterior = seen_at(cube([0.0, 30.0, 0.0], 5.0, RED, 1.0), &eye);
        assert!(anterior.abs_diff_eq(Vec2::new(0.0, 30.0), 0.1), "{anterior}");
    }

    #[test]
    fn the_nearer_organ_hides_the_farther_one_in_whatever_order_they_are_listed() {
        let (near, far) = (cube([0.0, 20.0, 0.0], 10.0, RED, 1.0), cube([0.0, -20.0, 0.0], 20.0, BLUE, 1.0));
        assert_eq!(middle(&[near.clone(), far.clone()]), shade(RED, FACE));
        assert_eq!(middle(&[far, near]), shade(RED, FACE));
    }

    #[test]
    fn what_lies_inside_a_translucent_organ_shines_through_and_what_lies_behind_an_opaque_one_does_not() {
        let veil = |half_mm, rgb| cube([0.0; 3], half_mm, rgb, 0.5);
        let core = cube([0.0; 3], 10.0, BLUE, 1.0);
        assert_eq!(middle(&[core.clone(), veil(20.0, RED)]), shade([128, 0, 128], FACE));
        let nested = [veil(20.0, [0, 255, 0]), core.clone(), veil(30.0, RED)];
        assert_eq!(middle(&nested), shade([128, 64, 64], FACE));
        assert_eq!(middle(&[nested[2].clone(), nested[0].clone(), core]), shade([128, 64, 64], FACE));
        assert_eq!(middle(&[veil(10.0, RED), cube([0.0; 3], 20.0, BLUE, 1.0)]), shade(BLUE, FACE));
    }

    #[test]
    fn a_translucent_surface_shows_no_seams_between_its_triangles() {
        let mut sheet = Solid { triangles: Vec::new(), ..cube([0.0; 3], 1.0, RED, 0.5) };
        (sheet.vertices_mm, sheet.normals) = (Vec::new(), vec![[0.0, 1.0, 0.0]; 41 * 41]);
        for vertex in 0..41 * 41u32 {
            // Every other row and column of corners lies exactly on the middles of samples.
            let [x, z] = [vertex % 41, vertex / 41].map(|step| (step as f32 - 20.0) * 1.25);
            sheet.vertices_mm.push([x, 0.0, z]);
            if vertex % 41 < 40 && vertex / 41 < 40 {
                sheet
                    .triangles
                    .extend([[vertex, vertex + 42, vertex + 1], [vertex, vertex + 41, vertex + 42]]);
            }
        }
        let picture = picture(&[sheet], &FRONT);
        let inside = (30..70).flat_map(|row| (40..80).map(move |column| row * 120 + column));
        assert!(
            inside.into_iter().all(|pixel| picture[pixel] == [133, 10, 15]),
            "{:?}",
            picture[50 * 120 + 60]
        );
    }

    #[test]
    fn with_nothing_to_draw_the_picture_is_the_background() {
        let mut broken = cube([0.0; 3], 10.0, RED, 1.0);
        broken.vertices_mm.truncate(1);
        let unseen = [broken, cube([0.0; 3], 10.0, RED, 0.0), cube([f32::NAN; 3], 10.0, RED, 1.0)];
        assert!(picture(&unseen, &FRONT).iter().all(|&pixel| pixel == BACKGROUND));
        assert!(render_solids(&unseen, [0.0; 3], 50.0, &FRONT, BACKGROUND, [0, 9]).is_empty());
    }

    #[test]
    fn the_crosshair_lies_where_a_small_organ_at_its_place_is_drawn() {
        let centre = project_mm([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 50.0, &FRONT, [120, 100]);
        assert_eq!(centre, [60.0, 50.0]);
        for eye in [FRONT, Eye { azimuth_deg: 37.0, elevation_deg: -24.0, zoom: 1.6 }] {
            let point_mm = [12.0, -7.0, 19.0];
            let drawn = seen_at(cube(point_mm, 2.0, RED, 1.0), &eye) + Vec2::new(60.0, 50.0);
            let crosshair = Vec2::from(project_mm(point_mm, [0.0; 3], 50.0, &eye, [120, 100]));
            assert!(drawn.abs_diff_eq(crosshair, 0.5), "{drawn} {crosshair}");
        }
    }
}
