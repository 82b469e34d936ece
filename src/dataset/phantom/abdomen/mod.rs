//! The abdomen: where its organs lie, how they vary, and in which order they are painted.

mod gut;
mod kidneys;
mod organs;
mod vessels;

use super::random::{Draw, SmoothField};
use super::scene::{Body, Pose, Scene, Warp};
use super::shapes::rotation_deg;
use super::skeleton;
use super::torso::Torso;
use glam::{Mat3, Vec3};

/// Draws an abdomen; the same draws give the same body whatever the modality.
pub(super) fn sample(draw: &mut Draw) -> Body {
    let torso = Torso::sample(draw);
    let mut scene = Scene::default();
    torso.paint(&mut scene);
    organs::heart_base(&mut scene, &torso, draw);
    upper_organs(&mut scene, &torso, draw);
    kidneys::paint(&mut scene, &torso, draw);
    vessels::paint(&mut scene, &torso, draw);
    skeleton::paint(&mut scene, &torso, draw);
    organs::bladder(&mut scene, draw);
    organs::arms(&mut scene, &torso, draw);
    Body { scene, pose: pose(draw), torso, heart: None }
}

/// Stomach, bowel, spleen and liver: what also shows below a heart.
pub(super) fn upper_organs(scene: &mut Scene, torso: &Torso, draw: &mut Draw) {
    gut::paint(scene, torso, draw);
    organs::paint(scene, torso, draw);
}

/// How a person lies in the scanner, and how he differs from the reference in proportions.
pub(super) fn pose(draw: &mut Draw) -> Pose {
    let turn = rotation_deg(draw.normal(0.0, 3.0), draw.normal(0.0, 3.0), draw.normal(0.0, 3.5));
    let size = draw.normal(0.98, 0.05).clamp(0.86, 1.1);
    let stretch = Vec3::new(draw.normal(1.0, 0.02), draw.normal(1.0, 0.03), draw.normal(1.0, 0.04)) * size;
    let octave = |cell_mm: f32, amplitude_mm: f32, draw: &mut Draw| Warp {
        amplitude_mm,
        fields: [(); 3].map(|()| SmoothField::new(cell_mm, draw.seed())),
    };
    let warp = vec![octave(70.0, draw.range(3.0, 9.0), draw), octave(24.0, draw.range(1.0, 3.0), draw)];
    Pose {
        body_from_world: Mat3::from_diagonal(Vec3::ONE / stretch) * turn.transpose(),
        origin_mm: draw.offset(Vec3::new(25.0, 25.0, 25.0)),
        warp,
    }
}
