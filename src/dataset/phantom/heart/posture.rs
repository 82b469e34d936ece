//! Where a heart lies in its chest, beyond what is usual: forward to the breastbone, sideways, turned, in chests from flat to deep.
//!
//! A heart in the middle of a chest, with lung all round it, can be told by what surrounds it. Few people have one: in most, the
//! right ventricle lies against the breastbone, in lean and in flat chests the heart hangs to the left with lung between it and
//! the spine. Everything that belongs to the heart moves with its frame; spine, descending aorta, gullet and liver stay.

use super::HeartFrame;
use super::chambers;
use crate::dataset::phantom::random::{Draw, sin_cos_deg};
use crate::dataset::phantom::shapes::Ellipsoid;
use crate::dataset::phantom::torso::Torso;
use glam::{Mat3, Vec3};

/// How far the heart stays from the inner wall of the chest at least, mm.
const CLEARANCE_MM: f32 = 3.0;
/// The wall is looked for from this far behind the heart's surface to this far before it, mm.
const SEARCHED_MM: [f32; 2] = [-60.0, 90.0];

/// Draws another posture for a heart and the depth of its chest.
pub(super) fn vary(torso: &mut Torso, frame: &mut HeartFrame, draw: &mut Draw) {
    *torso = torso.clone().deepened(draw.range(0.8, 1.06));
    turn(frame, draw);
    // Most hearts touch the front of the chest; the others lie anywhere behind it.
    let free_mm = free_way(torso, frame, Vec3::Y);
    let left_free_mm =
        if draw.chance(0.75) { draw.range(0.0, 8.0) } else { draw.range(0.0, free_mm.max(8.0)) };
    frame.base.y += free_mm - left_free_mm;
    frame.base.x += draw.range(-35.0, 6.0);
    frame.base.z += draw.range(-6.0, 10.0);
    // Shifted to the left it may have come too near the wall.
    frame.base.x += (-free_way(torso, frame, Vec3::NEG_X)).max(0.0);
    frame.base.y += free_way(torso, frame, Vec3::Y).min(0.0);
}

/// Turns the whole heart about the body's axis, and tips it a little forward or back.
fn turn(frame: &mut HeartFrame, draw: &mut Draw) {
    let (sin, cos) = sin_cos_deg(draw.range(-25.0, 25.0));
    let about_z = Mat3::from_cols(Vec3::new(cos, sin, 0.0), Vec3::new(-sin, cos, 0.0), Vec3::Z);
    let (sin, cos) = sin_cos_deg(draw.range(-10.0, 10.0));
    let about_x = Mat3::from_cols(Vec3::X, Vec3::new(0.0, cos, sin), Vec3::new(0.0, -sin, cos));
    frame.turn = about_z * about_x;
    frame.axes = frame.turn * frame.axes;
}

/// How far both ventricles can go in a direction before one comes too near the wall; negative where one already is.
fn free_way(torso: &Torso, frame: &HeartFrame, direction: Vec3) -> f32 {
    let left = chambers::outer_ventricle(frame).furthest(frame.axes.transpose() * direction);
    let left = frame.base + frame.axes * left;
    let right = Ellipsoid::rotated(
        frame.at(0.7 * (frame.radius_mm + frame.wall_mm), 0.0, 27.0),
        // A right ventricle of medium size, with its wall.
        Vec3::new(34.0, 48.0, 56.0),
        frame.axes,
    );
    let way = |from: Vec3| {
        let [mut mm, furthest] = SEARCHED_MM;
        while mm < furthest && torso.cavity(from + direction * mm) < -CLEARANCE_MM {
            mm += 1.0;
        }
        mm
    };
    way(left).min(way(right.furthest(direction)))
}
