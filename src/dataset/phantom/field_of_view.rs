//! Which part of a body is scanned, and on which grid.

use super::heart::HeartFrame;
use super::random::{Draw, Stream, sin_cos_deg};
use super::scene::Body;
use super::{CardiacView, Coverage, PhantomError, PhantomSpec};
use crate::volume::{Geometry, Task};
use glam::{DMat4, DVec3, Vec2, Vec3};

/// The grid of a phantom, drawn from its seed.
pub(super) fn choose(spec: &PhantomSpec, body: &Body) -> Result<Geometry, PhantomError> {
    let mut draw = Draw::new(spec.seed, Stream::FieldOfView);
    match (&body.heart, spec.task, spec.view) {
        (Some(heart), Task::Cardiac, CardiacView::ShortAxis) => short_axis(spec, body, heart, &mut draw),
        (Some(heart), Task::Cardiac, CardiacView::Axial | CardiacView::Coronal) => {
            chest(spec, body, heart, &mut draw)
        }
        _ => abdomen(spec, body, &mut draw),
    }
}

/// An axis-aligned box round the trunk, from a slab of 60 mm to abdomen and pelvis.
fn abdomen(spec: &PhantomSpec, body: &Body, draw: &mut Draw) -> Result<Geometry, PhantomError> {
    let [low_z, high_z] = match spec.coverage {
        Coverage::Whole => [-125.0, 125.0],
        Coverage::Varied if draw.chance(0.35) => [draw.range(-262.0, -140.0), draw.range(70.0, 135.0)],
        Coverage::Varied if draw.chance(0.45) => [draw.range(-130.0, -80.0), draw.range(60.0, 130.0)],
        Coverage::Varied => {
            let (centre, half) = (draw.range(-40.0, 30.0), draw.range(30.0, 75.0));
            [centre - half, centre + half]
        }
    };
    let margin = match spec.coverage {
        Coverage::Whole => Vec3::new(14.0, 14.0, 0.0),
        Coverage::Varied => Vec3::new(draw.range(-14.0, 28.0), draw.range(-4.0, 28.0), 0.0),
    };
    let widest = (0..=8)
        .map(|step| body.torso.outline_mm(low_z + (high_z - low_z) * step as f32 / 8.0))
        .fold(Vec2::ZERO, Vec2::max);
    let middle_z = 0.5 * (low_z + high_z);
    let centre = Vec3::new(0.0, body.torso.centre_y(middle_z), middle_z);
    let half = Vec3::new(widest.x, widest.y, 0.5 * (high_z - low_z));
    aligned_box(spec, body, centre, half, margin)
}

/// An axis-aligned box round the heart, or round the whole chest.
fn chest(
    spec: &PhantomSpec,
    body: &Body,
    heart: &HeartFrame,
    draw: &mut Draw,
) -> Result<Geometry, PhantomError> {
    let centre = heart.at(6.0, 0.0, 16.0);
    let whole_heart = Vec3::new(88.0, 80.0, 84.0);
    match spec.coverage {
        Coverage::Whole => {
            aligned_box(spec, body, centre + Vec3::new(6.0, 0.0, 18.0), whole_heart, Vec3::ZERO)
        }
        Coverage::Varied => {
            let shift = draw.offset(Vec3::new(12.0, 10.0, 12.0));
            let margin = Vec3::new(draw.range(-12.0, 70.0), draw.range(-8.0, 45.0), draw.range(-34.0, 30.0));
            aligned_box(spec, body, centre + shift + Vec3::new(6.0, 0.0, 14.0), whole_heart, margin)
        }
    }
}

/// A stack across the left ventricle's long axis, double oblique, in any in-plane rotation.
fn short_axis(
    spec: &PhantomSpec,
    body: &Body,
    heart: &HeartFrame,
    draw: &mut Draw,
) -> Result<Geometry, PhantomError> {
    let world = |p: Vec3| body.pose.world_point(p).as_dvec3();
    let centre = world(heart.at(0.0, 0.0, 0.45 * heart.length_mm));
    // Planning is never perfect: the stack is a few degrees off.
    let long_axis = (world(heart.at(0.0, 0.0, heart.length_mm)) - world(heart.base)).as_vec3();
    let normal = (long_axis.normalize() + draw.offset(Vec3::splat(0.08))).normalize();
    let to_right = (world(heart.at(30.0, 0.0, 0.0)) - world(heart.base)).as_vec3();
    let first = (to_right - normal * to_right.dot(normal)).normalize();
    let (sin, cos) = sin_cos_deg(draw.range(0.0, 360.0));
    let i_axis = first * cos + normal.cross(first) * sin;
    let j_axis = normal.cross(i_axis);
    // Scanners number the slices from either end.
    let (j_axis, k_axis) = if draw.chance(0.5) { (j_axis, normal) } else { (-j_axis, -normal) };
    let (field_mm, stack_mm) = match spec.coverage {
        // To the arch of the aorta: atrium and ascending aorta lie behind the base of the ventricle.
        Coverage::Whole => (230.0, 2.0 * (0.55 * heart.length_mm + 85.0)),
        Coverage::Varied => (draw.range(170.0, 300.0), heart.length_mm + draw.range(15.0, 90.0)),
    };
    let shift = match spec.coverage {
        Coverage::Whole => Vec3::ZERO,
        Coverage::Varied => draw.offset(Vec3::new(22.0, 22.0, 10.0)),
    };
    let extent = [field_mm, field_mm, stack_mm];
    let dims = [0, 1, 2].map(|a| (f64::from(extent[a]) / spec.spacing_mm[a]).ceil().max(1.0) as usize);
    let axes = [i_axis, j_axis, k_axis].map(|axis| axis.as_dvec3().normalize());
    let steps = [0, 1, 2].map(|a| axes[a] * spec.spacing_mm[a]);
    let middle = centre + shift.as_dvec3();
    let first_voxel = (0..3).fold(middle, |p, a| p - steps[a] * (0.5 * (dims[a] as f64 - 1.0)));
    let affine = DMat4::from_cols(
        steps[0].extend(0.0),
        steps[1].extend(0.0),
        steps[2].extend(0.0),
        first_voxel.extend(1.0),
    );
    Ok(Geometry::new(dims, affine)?)
}

/// A box in world axes round a body-space box, plus a margin in mm of world space.
fn aligned_box(
    spec: &PhantomSpec,
    body: &Body,
    centre: Vec3,
    half: Vec3,
    margin: Vec3,
) -> Result<Geometry, PhantomError> {
    let world_from_body = body.pose.body_from_world.inverse();
    let stretch = Vec3::new(
        world_from_body.x_axis.length(),
        world_from_body.y_axis.length(),
        world_from_body.z_axis.length(),
    );
    let middle: DVec3 = body.pose.world_point(centre).as_dvec3();
    let reach = half * stretch + margin;
    let dims = [0, 1, 2].map(|a| (2.0 * f64::from(reach[a]) / spec.spacing_mm[a]).ceil().max(1.0) as usize);
    let origin = [0, 1, 2].map(|a| middle[a] - 0.5 * (dims[a] as f64 - 1.0) * spec.spacing_mm[a]);
    Ok(Geometry::axis_aligned(dims, spec.spacing_mm, origin)?)
}
