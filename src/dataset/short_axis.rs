//! Sketches of a heart cut across the left ventricle's long axis: tissues in the plane, made anew for every sample.
//!
//! Whole phantoms are few and dear; what a short-axis slice asks for is a ring of any size, thickness and roundness in
//! any surroundings, and that a plane can be drawn with in a millisecond. Ranges follow the recipe that was measured on
//! cine MR: walls of 3.5 to 12 mm and cavities of 4 to 38 mm radius. As readers draw the cavity (Schulz-Menger et al.,
//! J Cardiovasc Magn Reson 22:19, 2020), papillary muscles and trabeculae belong to it, however densely they lie along the
//! wall.

use super::case::SmoothField;
use super::phantom::Tissue;
use rand::Rng;
use rand::seq::IndexedRandom;
use std::f32::consts::TAU;

/// Tissues that the surroundings are patched together from.
const SURROUNDINGS: [Tissue; 9] = [
    Tissue::Lung,
    Tissue::Lung,
    Tissue::Liver,
    Tissue::Muscle,
    Tissue::VisceralFat,
    Tissue::SubcutaneousFat,
    Tissue::StomachContent,
    Tissue::Marrow,
    Tissue::Spleen,
];

/// Which way the right ventricle lies from the left one in slices that stand upright, which count to the patient's right and to
/// front and head, and how much that varies; radians.
const RIGHT_VENTRICLE: [f32; 2] = [0.2, 0.6];

/// Draws the tissues of one slice of `size` (columns, rows) square pixels of `pixel_mm`, `upright` or turned any way.
pub fn sketch(rng: &mut impl Rng, size: [usize; 2], pixel_mm: f32, upright: bool) -> Vec<u8> {
    let mut canvas = Canvas::surroundings(rng, size, pixel_mm);
    // One slice in twelve lies beside the heart.
    if !rng.random_bool(0.08) {
        let ring = Ring::draw(rng, size);
        canvas.right_ventricle(rng, &ring, upright);
        canvas.epicardial_fat(rng, &ring);
        canvas.round_view(rng);
        // Protocols put it well inside the picture: it is never cut.
        canvas.left_ventricle(rng, &ring);
    }
    canvas.tissues
}

/// The left ventricle's two contours, in polar form about a centre that is given from the picture's; lengths in mm.
struct Ring {
    centre: [f32; 2],
    radius: f32,
    wall: f32,
    /// Logarithm of the ratio of the two axes, and the direction of the longer one.
    ellipticity: f32,
    turn: f32,
    cavity_waves: Vec<Wave>,
    wall_waves: Vec<Wave>,
    /// Displaces what the contours are compared with, so that they are not drawn with compasses.
    bend: [Vec<f32>; 2],
}

/// One harmonic of a contour.
struct Wave {
    order: f32,
    amplitude: f32,
    phase: f32,
}

fn waves(rng: &mut impl Rng, orders: std::ops::RangeInclusive<u32>, amplitude: f32) -> Vec<Wave> {
    orders
        .map(|order| {
            let most = amplitude / order as f32;
            Wave {
                order: order as f32,
                amplitude: rng.random_range(-most..most),
                phase: rng.random_range(0.0..TAU),
            }
        })
        .collect()
}

fn sum(waves: &[Wave], angle: f32) -> f32 {
    waves.iter().map(|w| w.amplitude * (w.order * angle + w.phase).cos()).sum()
}

impl Ring {
    fn draw(rng: &mut impl Rng, size: [usize; 2]) -> Self {
        let centre = [0, 1].map(|_| rng.random_range(-34.0..34.0));
        // One in five lies near the apex, where the cavity closes.
        let radius =
            if rng.random_bool(0.2) { rng.random_range(4.0..17.0) } else { rng.random_range(14.0..38.0) };
        let wall = rng.random_range(3.5..12.0) * (0.8 + 0.2 * radius / 28.0);
        let bend = rng.random_range(0.0..3.5);
        Self {
            centre,
            radius,
            wall,
            ellipticity: 0.11 * super::normal(rng),
            turn: rng.random_range(0.0..TAU),
            cavity_waves: waves(rng, 2..=5, 0.1),
            wall_waves: waves(rng, 2..=4, 0.4),
            bend: [0, 1].map(|_| SmoothField::draw(rng, 6, bend).over(size)),
        }
    }

    /// A point of the picture as the ring sees it; `None` where that is farther than `beyond` outside of it.
    fn polar(&self, [x, y]: [f32; 2], offset: usize, beyond: f32) -> Option<Polar> {
        let dx = x - self.centre[0] + self.bend[0][offset];
        let dy = y - self.centre[1] + self.bend[1][offset];
        let (sin, cos) = self.turn.sin_cos();
        let stretch = (0.5 * self.ellipticity).exp();
        let (u, v) = ((cos * dx + sin * dy) / stretch, (cos * dy - sin * dx) * stretch);
        let distance = u.hypot(v);
        if distance > self.reach() + beyond {
            return None;
        }
        let angle = v.atan2(u);
        let cavity = self.radius * (1.0 + sum(&self.cavity_waves, angle));
        let wall = (self.wall * (1.0 + sum(&self.wall_waves, angle))).max(THINNEST_MM);
        Some(Polar { distance, angle, cavity, outer: cavity + wall })
    }

    /// No part of the wall is farther from the centre.
    fn reach(&self) -> f32 {
        let most = |waves: &[Wave]| 1.0 + waves.iter().map(|wave| wave.amplitude.abs()).sum::<f32>();
        let wall = (self.wall * most(&self.wall_waves)).max(THINNEST_MM);
        // A little more than the sums, which are rounded.
        1.001 * (self.radius * most(&self.cavity_waves) + wall)
    }
}

/// The wall is never thinner, so that it closes on every pixel grid that is used.
const THINNEST_MM: f32 = 2.2;

/// Distance from the ring's centre and angle about it, and the radii of the cavity and of the wall's outside there, mm.
struct Polar {
    distance: f32,
    angle: f32,
    cavity: f32,
    outer: f32,
}

/// Where in a layer along the wall there are trabeculae: from a few spots to all of it, on some sides of the cavity more than on
/// others.
pub(super) struct Trabeculae {
    spots: Vec<f32>,
    sides: Vec<f32>,
    sparseness: f32,
}

impl Trabeculae {
    /// For a picture of `size` (columns, rows).
    pub(super) fn draw(rng: &mut impl Rng, size: [usize; 2]) -> Self {
        let spots = SmoothField::draw(rng, 28, 1.0).over(size);
        let sparseness = rng.random_range(-1.2..0.5);
        Self { spots, sides: SmoothField::draw(rng, 4, 0.6).over(size), sparseness }
    }

    /// Whether one fills the pixel at an offset in the picture.
    pub(super) fn fill(&self, offset: usize) -> bool {
        self.spots[offset] + self.sides[offset] > self.sparseness
    }
}

struct Canvas {
    tissues: Vec<u8>,
    size: [usize; 2],
    pixel_mm: f32,
}

impl Canvas {
    /// Patches of tissue, with lung, liver or stomach and the chest wall on wavy sides of them.
    fn surroundings(rng: &mut impl Rng, size: [usize; 2], pixel_mm: f32) -> Self {
        let kinds: Vec<Tissue> = (0..6).filter_map(|_| SURROUNDINGS.choose(rng).copied()).collect();
        let fields: Vec<Vec<f32>> = kinds.iter().map(|_| SmoothField::draw(rng, 7, 1.0).over(size)).collect();
        let mut canvas = Self { tissues: vec![Tissue::Muscle as u8; size[0] * size[1]], size, pixel_mm };
        canvas.paint(|_, at, was| {
            let strongest = (0..kinds.len()).max_by(|&a, &b| fields[a][at].total_cmp(&fields[b][at]));
            strongest.map_or(was, |n| kinds[n] as u8)
        });
        for (tissue, probability) in [
            (Tissue::Lung, 0.85),
            (Tissue::Liver, 0.75),
            (Tissue::SubcutaneousFat, 0.75),
            (Tissue::Muscle, 0.5),
        ] {
            if rng.random_bool(probability) {
                canvas.half_plane(rng, tissue);
            }
        }
        canvas
    }

    /// Everything beyond a wavy line 30 to 80 mm from the centre.
    fn half_plane(&mut self, rng: &mut impl Rng, tissue: Tissue) {
        let (sin, cos) = rng.random_range(0.0..TAU).sin_cos();
        let distance = rng.random_range(30.0..80.0);
        let wave = SmoothField::draw(rng, 6, 8.0).over(self.size);
        self.paint(|[x, y], at, was| {
            let beyond = cos * x + sin * y + wave[at] > distance;
            if beyond { tissue as u8 } else { was }
        });
    }

    /// Air outside a circle, as some reconstructions leave it.
    fn round_view(&mut self, rng: &mut impl Rng) {
        if !rng.random_bool(0.3) {
            return;
        }
        let radius = 0.5 * self.pixel_mm * self.size[0].min(self.size[1]) as f32;
        self.paint(|[x, y], _, was| if x.hypot(y) > radius { Tissue::Air as u8 } else { was });
    }

    /// A crescent beside the left ventricle, behind a thin wall.
    fn right_ventricle(&mut self, rng: &mut impl Rng, ring: &Ring, upright: bool) {
        if !rng.random_bool(0.85) {
            return;
        }
        let outer = ring.radius + ring.wall;
        let [usual, spread] = RIGHT_VENTRICLE;
        let towards = if upright { usual + spread * super::normal(rng) } else { rng.random_range(0.0..TAU) };
        let (sin, cos) = towards.sin_cos();
        let away = rng.random_range(0.55..1.0) * outer;
        let middle = [ring.centre[0] + away * cos, ring.centre[1] + away * sin];
        let (across, along) = (outer * rng.random_range(0.6..1.1), outer * rng.random_range(0.9..1.3));
        let wall = rng.random_range(1.5..4.0);
        let wave = SmoothField::draw(rng, 7, 3.0).over(self.size);
        self.paint(|[x, y], at, was| {
            let (dx, dy) = (x - middle[0], y - middle[1]);
            let (u, v) = ((cos * dx + sin * dy) / across, (cos * dy - sin * dx) / along);
            let depth = (1.0 - u.hypot(v)) * across.min(along) + wave[at];
            match depth {
                d if d > 0.0 => Tissue::RightVentricle as u8,
                d if d > -wall => Tissue::HeartWall as u8,
                _ => was,
            }
        });
    }

    /// A rim of fat on the outside, in patches.
    fn epicardial_fat(&mut self, rng: &mut impl Rng, ring: &Ring) {
        if !rng.random_bool(0.6) {
            return;
        }
        let thickness = rng.random_range(2.0..8.0);
        let patches = SmoothField::draw(rng, 6, 1.0).over(self.size);
        let bare = rng.random_range(-0.6..0.6);
        self.paint(|point, at, was| {
            let near = |here: Polar| here.distance < here.outer + thickness;
            let fat = patches[at] > bare && ring.polar(point, at, thickness).is_some_and(near);
            if fat { Tissue::EpicardialFat as u8 } else { was }
        });
    }

    fn left_ventricle(&mut self, rng: &mut impl Rng, ring: &Ring) {
        let muscles: Vec<[f32; 3]> = (0..rng.random_range(0..=4))
            .map(|_| {
                // Many lie against the wall and look like part of it.
                let (distance, angle) = (rng.random_range(0.35..1.0), rng.random_range(0.0..TAU));
                let radius = rng.random_range(1.5..7.0) * (ring.radius / 26.0).min(1.0);
                [distance, angle, radius]
            })
            .collect();
        let rough = rng.random_bool(0.75);
        let depth = rng.random_range(0.0..7.0) * (ring.radius / 24.0).min(1.0);
        let trabeculae = Trabeculae::draw(rng, self.size);
        self.paint(|point, at, was| {
            let Some(Polar { distance, angle, cavity, outer }) = ring.polar(point, at, 0.0) else {
                return was;
            };
            if distance > outer {
                return was;
            }
            if distance > cavity {
                return Tissue::Myocardium as u8;
            }
            let in_muscle = muscles.iter().any(|&[share, towards, radius]| {
                let (x, y) = (distance * angle.cos(), distance * angle.sin());
                let (mx, my) = (share * cavity * towards.cos(), share * cavity * towards.sin());
                (x - mx).hypot(y - my) < radius
            });
            let trabecula = rough && cavity - distance < depth && trabeculae.fill(at);
            if in_muscle || trabecula { Tissue::Papillary as u8 } else { Tissue::LeftVentricle as u8 }
        });
    }

    /// Asks for the tissue of every pixel, given its place in mm from the picture's centre, its offset in the picture, and
    /// the tissue that was there.
    fn paint(&mut self, tissue_at: impl Fn([f32; 2], usize, u8) -> u8) {
        let (size, pixel_mm) = (self.size, self.pixel_mm);
        for (offset, tissue) in self.tissues.iter_mut().enumerate() {
            let (column, row) = (offset % size[0], offset / size[0]);
            let from_centre = |pixel: usize, axis: usize| (pixel as f32 - 0.5 * size[axis] as f32) * pixel_mm;
            *tissue = tissue_at([from_centre(column, 0), from_centre(row, 1)], offset, *tissue);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::Task;
    use rand::SeedableRng;

    #[test]
    fn the_cavity_of_a_sketch_never_touches_anything_but_its_wall() {
        let size = [96, 96];
        let label = |tissues: &[u8], offset: usize| Tissue::from_value(tissues[offset]).label(Task::Cardiac);
        let mut rings = 0;
        for seed in 0..40 {
            let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
            let tissues = sketch(&mut rng, size, 1.4, seed % 2 == 0);
            for row in 1..size[1] - 1 {
                for column in 1..size[0] - 1 {
                    let offset = column + size[0] * row;
                    if label(&tissues, offset) != 3 {
                        continue;
                    }
                    rings += 1;
                    for neighbour in [offset - 1, offset + 1, offset - size[0], offset + size[0]] {
                        assert!([1, 3].contains(&label(&tissues, neighbour)), "seed {seed}");
                    }
                }
            }
        }
        assert!(rings > 4000, "{rings} voxels of cavity in all");
    }
}
