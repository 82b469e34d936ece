//! Kidneys with cortex, medulla, sinus and perirenal fat, and the adrenal glands above them.

use crate::dataset::phantom::random::{Draw, SmoothField, lerp};
use crate::dataset::phantom::scene::Scene;
use crate::dataset::phantom::shapes::{Bounds, Ellipsoid, node, rotation_deg, tube};
use crate::dataset::phantom::tissue::{Tissue, TissueSet};
use crate::dataset::phantom::torso::Torso;
use glam::{Mat3, Vec3};

const AROUND: TissueSet = TissueSet::of(&[
    Tissue::VisceralFat,
    Tissue::Liver,
    Tissue::LiverVessel,
    Tissue::LiverLesion,
    Tissue::Spleen,
    Tissue::Muscle,
    Tissue::Lung,
    Tissue::BowelWall,
    Tissue::BowelContent,
    Tissue::ColonWall,
    Tissue::Stool,
    Tissue::Gas,
    Tissue::StomachWall,
    Tissue::StomachContent,
    Tissue::Pancreas,
]);

/// One kidney in a frame of its own: u along its length (up), v away from the hilum, w through it.
#[derive(Clone, Copy)]
struct Kidney {
    centre: Vec3,
    /// Columns u, v, w in body space.
    axes: Mat3,
    radii: Vec3,
    /// The outer surface, in the kidney's own straightened frame.
    surface: Ellipsoid,
    bend: f32,
    fat_mm: f32,
    cortex_mm: f32,
    sinus: Ellipsoid,
    lobes: SmoothField,
    pyramids: SmoothField,
}

pub(super) fn paint(scene: &mut Scene, torso: &Torso, draw: &mut Draw) {
    let size = draw.normal(1.0, 0.05).clamp(0.86, 1.14);
    let fat_mm = 1.5 + 0.45 * torso.visceral_mm.max(0.0) + draw.range(0.0, 4.0);
    for side in [1.0, -1.0] {
        let kidney = sample(side, size, fat_mm, draw);
        let tissues = if side > 0.0 {
            [Tissue::RightKidneyCortex, Tissue::RightKidneyMedulla]
        } else {
            [Tissue::LeftKidneyCortex, Tissue::LeftKidneyMedulla]
        };
        let reach = kidney.radii.max_element() + kidney.fat_mm + 6.0;
        scene.paint(Bounds::around(kidney.centre, Vec3::splat(reach)), move |p, was| {
            kidney.tissue(p, was, tissues)
        });
        cysts(scene, &kidney, draw);
        adrenal(scene, &kidney, side, draw);
    }
}

fn sample(side: f32, size: f32, fat_mm: f32, draw: &mut Draw) -> Kidney {
    // The right one lies lower, under the liver.
    let mean = if side > 0.0 { Vec3::new(76.0, 6.0, -38.0) } else { Vec3::new(76.0, 3.0, -24.0) };
    let centre = mean + draw.offset(Vec3::new(7.0, 6.0, 14.0)) + Vec3::new(0.3 * fat_mm, 0.0, 0.0);
    // Upper poles lean to the midline and backwards; the hilum looks inwards and a little forwards.
    let lean = rotation_deg(draw.normal(9.0, 5.0), -draw.normal(13.0, 5.0), 0.0);
    let turn = rotation_deg(0.0, 0.0, draw.normal(-32.0, 10.0));
    let local = lean * turn;
    let mirrored = |v: Vec3| Vec3::new(side * v.x, v.y, v.z);
    let axes =
        Mat3::from_cols(mirrored(local * Vec3::Z), mirrored(local * Vec3::X), mirrored(local * Vec3::Y));
    let one = size * draw.normal(1.0, 0.04);
    let radii = Vec3::new(draw.range(52.0, 59.0), draw.range(28.5, 32.0), draw.range(24.5, 28.5)) * one;
    let sinus_size = draw.range(0.75, 1.15);
    Kidney {
        centre: Vec3::new(side * centre.x, centre.y, centre.z),
        axes,
        radii,
        surface: Ellipsoid::new(Vec3::ZERO, radii),
        bend: draw.range(0.0022, 0.0046),
        fat_mm: fat_mm * draw.range(0.8, 1.2),
        cortex_mm: draw.range(5.5, 8.5),
        sinus: Ellipsoid::new(
            Vec3::new(draw.range(-4.0, 4.0), -draw.range(16.0, 20.0), 0.0),
            Vec3::new(26.0, 18.0, 10.5) * sinus_size * one,
        ),
        lobes: SmoothField::new(18.0, draw.seed()),
        pyramids: SmoothField::new(8.5, draw.seed()),
    }
}

impl Kidney {
    fn local(&self, p: Vec3) -> Vec3 {
        let q = self.axes.transpose() * (p - self.centre);
        // Both poles curve towards the midline.
        Vec3::new(q.x, q.y + self.bend * q.x * q.x - 0.12 * self.radii.y, q.z)
    }

    fn tissue(&self, p: Vec3, was: Tissue, [cortex, medulla]: [Tissue; 2]) -> Tissue {
        if !AROUND.contains(was) {
            return was;
        }
        let q = self.local(p);
        let smooth = self.surface.distance(q);
        if smooth > 1.5 * self.fat_mm + 1.2 {
            return was;
        }
        let outer = smooth + 1.2 * self.lobes.at(p);
        if outer > 0.0 {
            let fat = self.fat_mm * (1.0 + 0.5 * self.lobes.at(p * 0.4));
            return if outer < fat && was != Tissue::Muscle { Tissue::VisceralFat } else { was };
        }
        // The sinus branches into the parenchyma: its surface is rough.
        let sinus = self.sinus.distance(q) + 3.5 * self.pyramids.at(q * 0.8);
        if sinus < 0.0 {
            return if self.pyramids.at(q + 40.0) > 0.45 || sinus < -7.0 {
                Tissue::RenalPelvis
            } else {
                Tissue::RenalSinus
            };
        }
        let depth = -outer;
        let threshold = lerp(0.35, -0.35, ((depth - self.cortex_mm) / 5.0).clamp(0.0, 1.0));
        if depth > self.cortex_mm && self.pyramids.at(q) > threshold { medulla } else { cortex }
    }
}

fn cysts(scene: &mut Scene, kidney: &Kidney, draw: &mut Draw) {
    if !draw.chance(0.3) {
        return;
    }
    for _ in 0..1 + draw.index(3) {
        let direction = draw.direction();
        let centre = kidney.centre + kidney.axes * (direction * kidney.radii * 0.95);
        let cyst = Ellipsoid::new(centre, Vec3::splat(draw.range(3.0, 13.0)));
        scene.ellipsoid(cyst, Tissue::KidneyCyst, RENAL);
    }
}

const RENAL: TissueSet = TissueSet::of(&[
    Tissue::RightKidneyCortex,
    Tissue::RightKidneyMedulla,
    Tissue::LeftKidneyCortex,
    Tissue::LeftKidneyMedulla,
    Tissue::VisceralFat,
]);

fn adrenal(scene: &mut Scene, kidney: &Kidney, side: f32, draw: &mut Draw) {
    let top = kidney.centre + kidney.axes.x_axis * kidney.radii.x;
    let apex = Vec3::new(top.x - side * draw.range(10.0, 22.0), top.y + draw.range(2.0, 12.0), top.z + 2.0);
    for spread in [-1.0, 1.0] {
        let foot =
            apex + Vec3::new(spread * draw.range(5.0, 11.0), -draw.range(12.0, 22.0), -draw.range(4.0, 14.0));
        let limb = [node(apex.x, apex.y, apex.z, 2.8), node(foot.x, foot.y, foot.z, 2.0)];
        scene.tube(&tube(&limb, 10.0), Tissue::Adrenal, TissueSet::of(&[Tissue::VisceralFat]));
    }
}
