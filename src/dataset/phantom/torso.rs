//! The trunk that every phantom's organs lie in: skin, fat, muscle wall, the body cavity, diaphragm and lungs.
//!
//! Body space: mm, x to the patient's right, y to the front, z up, with the origin at the centre of the first lumbar
//! vertebra of a reference adult. Proportions were read off adult CT; each phantom varies them.

use super::random::{Draw, SmoothField, lerp};
use super::scene::Scene;
use super::shapes::{Bounds, Ellipsoid, profile, smooth_min};
use super::tissue::{Tissue, TissueSet};
use glam::{Vec2, Vec3};

/// Half width, half depth and centre (y) of the inner wall, at heights z.
const CAVITY: [[(f32, f32); 9]; 3] = [
    [
        (-260.0, 60.0),
        (-200.0, 80.0),
        (-150.0, 108.0),
        (-100.0, 132.0),
        (0.0, 145.0),
        (50.0, 142.0),
        (150.0, 124.0),
        (230.0, 108.0),
        (320.0, 60.0),
    ],
    [
        (-260.0, 62.0),
        (-200.0, 75.0),
        (-150.0, 85.0),
        (-100.0, 94.0),
        (0.0, 98.0),
        (50.0, 98.0),
        (150.0, 88.0),
        (230.0, 74.0),
        (320.0, 44.0),
    ],
    [
        (-260.0, 28.0),
        (-200.0, 32.0),
        (-150.0, 40.0),
        (-100.0, 46.0),
        (0.0, 45.0),
        (50.0, 40.0),
        (150.0, 27.0),
        (230.0, 10.0),
        (320.0, -5.0),
    ],
];

/// The same for the outer face of the muscle wall.
const MUSCLE: [[(f32, f32); 8]; 3] = [
    [
        (-260.0, 166.0),
        (-200.0, 166.0),
        (-150.0, 160.0),
        (-100.0, 154.0),
        (0.0, 160.0),
        (50.0, 158.0),
        (150.0, 150.0),
        (320.0, 148.0),
    ],
    [
        (-260.0, 100.0),
        (-200.0, 106.0),
        (-150.0, 110.0),
        (-100.0, 112.0),
        (0.0, 114.0),
        (50.0, 114.0),
        (150.0, 108.0),
        (320.0, 84.0),
    ],
    [
        (-260.0, 14.0),
        (-200.0, 20.0),
        (-150.0, 32.0),
        (-100.0, 40.0),
        (0.0, 38.0),
        (50.0, 34.0),
        (150.0, 20.0),
        (320.0, -10.0),
    ],
];

const SPINE_Y: [(f32, f32); 7] = [
    (-210.0, -30.0),
    (-150.0, 8.0),
    (-95.0, 20.0),
    (0.0, 0.0),
    (100.0, -20.0),
    (200.0, -32.0),
    (320.0, -20.0),
];

/// What every organ may be painted over.
pub(super) const LOOSE: TissueSet = TissueSet::of(&[Tissue::VisceralFat]);

/// One person's trunk.
#[derive(Debug, Clone)]
pub(super) struct Torso {
    width: f32,
    depth: f32,
    /// How far visceral fat pushes the wall out, mm.
    pub visceral_mm: f32,
    fat_front_mm: f32,
    fat_side_mm: f32,
    fat_back_mm: f32,
    skin_mm: f32,
    lordosis: f32,
    right_dome: Ellipsoid,
    left_dome: Ellipsoid,
    /// Where the heart rests, between the domes and hardly lower.
    central_tendon: Ellipsoid,
    dome_base_z: f32,
    mediastinum_mm: f32,
    muscle_texture: SmoothField,
    fat_unevenness: SmoothField,
}

impl Torso {
    pub fn sample(draw: &mut Draw) -> Self {
        // A squared uniform: most people are not obese, some very much so.
        let stoutness = draw.range(0.0, 1.0);
        let fat = lerp(3.0, 38.0, stoutness * stoutness);
        let right_top = draw.range(82.0, 108.0);
        let left_top = right_top - draw.range(4.0, 22.0);
        let base = -45.0;
        let visceral_mm = (stoutness * 15.0 + draw.range(-6.0, 9.0)).max(-4.0);
        let dome = |x: f32, top: f32, draw: &mut Draw| {
            let centre = Vec3::new(x, draw.range(44.0, 56.0) + 0.6 * visceral_mm, base);
            let radii = Vec3::new(draw.range(92.0, 102.0), draw.range(124.0, 138.0), top - base);
            Ellipsoid::new(centre, radii + Vec3::new(0.7, 1.0, 0.0) * visceral_mm)
        };
        Self {
            width: draw.normal(1.0, 0.035).clamp(0.9, 1.1),
            depth: draw.normal(1.0, 0.05).clamp(0.88, 1.14),
            visceral_mm,
            fat_front_mm: fat * draw.range(0.6, 1.3),
            fat_side_mm: fat * draw.range(0.5, 1.1),
            fat_back_mm: 4.0 + fat * draw.range(0.5, 1.2),
            skin_mm: draw.range(1.6, 2.6),
            lordosis: draw.normal(1.0, 0.25),
            right_dome: dome(66.0, right_top, draw),
            left_dome: dome(-66.0, left_top, draw),
            central_tendon: Ellipsoid::new(
                Vec3::new(-16.0, 62.0, base),
                Vec3::new(58.0, 92.0, left_top - draw.range(2.0, 12.0) - base),
            ),
            dome_base_z: base,
            mediastinum_mm: draw.range(15.0, 25.0),
            muscle_texture: SmoothField::new(14.0, draw.seed()),
            fat_unevenness: SmoothField::new(90.0, draw.seed()),
        }
    }

    /// The same trunk, `scale` times as deep from front to back.
    pub fn deepened(self, scale: f32) -> Self {
        Self { depth: self.depth * scale, ..self }
    }

    /// Height of the left dome of the diaphragm, on which the heart rests.
    pub fn left_dome_top(&self) -> f32 {
        self.left_dome.top()
    }

    /// y of the vertebral bodies' centres at height z.
    pub fn spine_y(&self, z: f32) -> f32 {
        profile(&SPINE_Y, z) * self.lordosis
    }

    /// Roughly the distance to the inner wall of chest and abdomen, negative inside.
    pub fn cavity(&self, p: Vec3) -> f32 {
        self.ring(&CAVITY, p)
    }

    /// Roughly the distance to the outer face of the muscle wall, negative inside.
    pub fn muscle(&self, p: Vec3) -> f32 {
        self.ring(&MUSCLE, p)
    }

    /// Roughly the distance to the underside of the diaphragm, negative below it.
    pub fn diaphragm(&self, p: Vec3) -> f32 {
        let held = Vec3::new(p.x, p.y, p.z.max(self.dome_base_z));
        let domes = smooth_min(self.right_dome.distance(held), self.left_dome.distance(held), 24.0);
        smooth_min(domes, self.central_tendon.distance(held), 12.0)
    }

    /// Distance to the abdominal space: inside the wall and below the diaphragm.
    pub fn abdomen(&self, p: Vec3) -> f32 {
        self.cavity(p).max(self.diaphragm(p))
    }

    /// Half width and half depth of the skin's outline at height z, mm.
    pub fn outline_mm(&self, z: f32) -> Vec2 {
        let wall = Vec2::new(profile(&MUSCLE[0], z) * self.width, profile(&MUSCLE[1], z) * self.depth);
        let grown = wall + Vec2::new(0.7, 1.0) * self.visceral_mm;
        grown + Vec2::new(self.fat_side_mm, 0.5 * (self.fat_front_mm + self.fat_back_mm)) + self.skin_mm
    }

    /// y of the outline's centre at height z.
    pub fn centre_y(&self, z: f32) -> f32 {
        profile(&MUSCLE[2], z) + 0.6 * self.visceral_mm + 0.5 * (self.fat_front_mm - self.fat_back_mm)
    }

    /// Paints the whole trunk: the first painter of every scene.
    pub fn paint(&self, scene: &mut Scene) {
        let torso = self.clone();
        scene.paint(Bounds::slab(-400.0, 400.0), move |p, _| torso.tissue(p));
    }

    fn tissue(&self, p: Vec3) -> Tissue {
        let beyond_muscle = self.muscle(p);
        if beyond_muscle > 0.0 {
            let fat = self.fat_mm(p);
            return if beyond_muscle > fat + self.skin_mm {
                Tissue::Air
            } else if beyond_muscle > fat {
                Tissue::Skin
            } else {
                Tissue::SubcutaneousFat
            };
        }
        let beyond_cavity = self.cavity(p);
        if beyond_cavity > 0.0 {
            // Sheets of fat lie between the muscles of the wall, more of them in the stout.
            let depth = beyond_cavity + 4.0 * self.fat_unevenness.at(p * 2.0);
            let sheet = (depth / 7.5 + 4.0).fract() < 0.18 + 0.008 * self.visceral_mm;
            let fatty = sheet && beyond_cavity > 3.0 && self.muscle_texture.at(p) > 0.12;
            return if fatty { Tissue::VisceralFat } else { Tissue::Muscle };
        }
        let beyond_diaphragm = self.diaphragm(p);
        if beyond_diaphragm < 0.0 {
            return Tissue::VisceralFat;
        }
        // The lungs nearly meet behind the breastbone.
        let narrowing = 1.0 - 0.6 * ((p.y - 40.0) / 90.0).clamp(0.0, 1.0);
        let between_lungs =
            ((p.x + 6.0) / self.mediastinum_mm).abs() < narrowing - 0.2 * self.muscle_texture.at(p);
        if beyond_diaphragm < 3.0 {
            Tissue::Muscle
        } else if between_lungs || beyond_cavity > -1.5 {
            Tissue::VisceralFat
        } else {
            Tissue::Lung
        }
    }

    /// Thickness of the subcutaneous fat in the direction of `p`.
    fn fat_mm(&self, p: Vec3) -> f32 {
        let centre = Vec2::new(0.0, profile(&MUSCLE[2], p.z));
        let direction = (Vec2::new(p.x, p.y) - centre).normalize_or_zero();
        let front_back = if direction.y > 0.0 { self.fat_front_mm } else { self.fat_back_mm };
        let thickness = lerp(self.fat_side_mm, front_back, direction.y * direction.y);
        // The chest carries less than the belly and the hips.
        let height = profile(&[(-200.0, 1.3), (-80.0, 1.15), (40.0, 0.8), (150.0, 0.6)], p.z);
        (thickness * height * (1.0 + 0.35 * self.fat_unevenness.at(p))).max(1.0)
    }

    /// Radial distance to a convex ring that is a blend of an ellipse and a rounded rectangle.
    fn ring<const N: usize>(&self, knots: &[[(f32, f32); N]; 3], p: Vec3) -> f32 {
        let half = Vec2::new(
            profile(&knots[0], p.z) * self.width + 0.7 * self.visceral_mm,
            profile(&knots[1], p.z) * self.depth + self.visceral_mm,
        );
        let centre = Vec2::new(0.0, profile(&knots[2], p.z) + 0.6 * self.visceral_mm);
        let offset = Vec2::new(p.x, p.y) - centre;
        let q = offset / half;
        let squares = q * q;
        let ellipse = squares.element_sum().sqrt();
        let rectangle = squares.length().sqrt();
        let norm = 0.6 * ellipse + 0.4 * rectangle;
        if norm < 1e-4 { -half.min_element() } else { offset.length() * (1.0 - 1.0 / norm) }
    }
}
