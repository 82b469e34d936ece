//! The heart in its chest: how it lies and varies, and the order in which chest and heart are painted.

mod chambers;
mod posture;
mod vessels;

use super::abdomen;
use super::random::Draw;
use super::scene::{Body, Scene};
use super::skeleton;
use super::torso::Torso;
use glam::{Mat3, Vec3};

/// The left ventricle's own frame, from which the whole heart is laid out. Body space, mm.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeartFrame {
    /// Centre of the mitral valve plane.
    pub base: Vec3,
    /// Unit axes as columns: towards the right ventricle, across, and along the long axis from base to apex.
    pub axes: Mat3,
    /// From the valve plane to the cavity's tip.
    pub length_mm: f32,
    /// Largest radius of the cavity.
    pub radius_mm: f32,
    pub wall_mm: f32,
    /// How the whole heart is turned in the chest, about its base, against the usual.
    pub turn: Mat3,
}

impl HeartFrame {
    fn sample(torso: &Torso, draw: &mut Draw) -> Self {
        let rest_z = torso.left_dome_top() - 80.0;
        let base = Vec3::new(-14.0, 30.0, 129.0 + rest_z) + draw.offset(Vec3::new(7.0, 6.0, 6.0));
        let along = Vec3::new(draw.normal(-0.66, 0.08), draw.normal(0.58, 0.09), draw.normal(-0.46, 0.09))
            .normalize();
        let rightwards = Vec3::new(0.70, 0.66, -0.28);
        let to_right = (rightwards - along * rightwards.dot(along)).normalize();
        // Contraction makes the cavity narrower and shorter and the wall thicker.
        let contraction = if draw.chance(0.6) { draw.range(0.0, 0.2) } else { draw.range(0.2, 1.0) };
        Self {
            base,
            axes: Mat3::from_cols(to_right, along.cross(to_right), along),
            length_mm: draw.range(70.0, 92.0) * (1.0 - 0.14 * contraction),
            radius_mm: draw.normal(26.0, 3.0).clamp(20.0, 35.0) * (1.0 - 0.34 * contraction),
            wall_mm: draw.range(5.8, 10.0) * (1.0 + 0.45 * contraction),
            turn: Mat3::IDENTITY,
        }
    }

    /// Point at `right`, `across` and `along` mm from the base, along the frame's axes.
    pub fn at(&self, right: f32, across: f32, along: f32) -> Vec3 {
        self.base + self.axes * Vec3::new(right, across, along)
    }

    /// Point beside the base, at `x`, `y` and `z` mm along the body's axes in a heart that lies as usual.
    pub fn beside(&self, x: f32, y: f32, z: f32) -> Vec3 {
        self.base + self.turn * Vec3::new(x, y, z)
    }

    /// Coordinates of a body point in the frame.
    fn local(&self, p: Vec3) -> Vec3 {
        self.axes.transpose() * (p - self.base)
    }
}

/// Draws a chest with its heart; the same draws give the same body whatever the modality. `posture` has draws of its own, so that
/// with it and without it the same heart is drawn.
pub(super) fn sample(draw: &mut Draw, posture: Option<&mut Draw>) -> Body {
    let mut torso = Torso::sample(draw);
    let mut frame = HeartFrame::sample(&torso, draw);
    if let Some(posture) = posture {
        posture::vary(&mut torso, &mut frame, posture);
    }
    let mut scene = Scene::default();
    torso.paint(&mut scene);
    abdomen::upper_organs(&mut scene, &torso, draw);
    chambers::paint(&mut scene, &torso, &frame, draw);
    vessels::paint(&mut scene, &torso, &frame, draw);
    skeleton::paint(&mut scene, &torso, draw);
    let pose = abdomen::pose(draw);
    Body { scene, pose, torso, heart: Some(frame) }
}
