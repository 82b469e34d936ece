//! Ventricles and atria with their walls, papillary muscles and the fat around them.

use super::HeartFrame;
use crate::dataset::phantom::random::{Draw, SmoothField};
use crate::dataset::phantom::scene::Scene;
use crate::dataset::phantom::shapes::{Bounds, Capsule, Ellipsoid, node, smooth_min, tube};
use crate::dataset::phantom::tissue::{Tissue, TissueSet};
use crate::dataset::phantom::torso::Torso;
use glam::Vec3;

const CHEST: TissueSet = TissueSet::of(&[Tissue::Lung, Tissue::VisceralFat, Tissue::Muscle]);
const FAT: TissueSet = TissueSet::of(&[Tissue::EpicardialFat]);
const RIGHT: TissueSet = TissueSet::of(&[
    Tissue::EpicardialFat,
    Tissue::HeartWall,
    Tissue::RightVentricle,
    Tissue::RightAtrium,
    Tissue::LeftAtrium,
]);

pub(super) fn paint(scene: &mut Scene, torso: &Torso, frame: &HeartFrame, draw: &mut Draw) {
    let right_ventricle = right_ventricle(frame, draw);
    let right_atrium = Ellipsoid::rotated(
        frame.beside(48.0, 4.0, -2.0) + draw.offset(Vec3::splat(4.0)),
        Vec3::new(24.0, 27.0, 32.0) * draw.normal(1.0, 0.08),
        frame.turn,
    );
    let left_atrium = left_atrium(frame, draw);
    pericardium(scene, torso, frame, [right_ventricle, right_atrium, left_atrium], draw);

    let thin = draw.range(1.6, 3.4);
    chamber(scene, right_atrium, Tissue::RightAtrium, thin, FAT);
    chamber(scene, right_ventricle, Tissue::RightVentricle, thin + 1.0, RIGHT);
    chamber(scene, left_atrium, Tissue::LeftAtrium, thin, RIGHT);
    appendage(scene, frame, draw);
    left_ventricle(scene, frame, draw);
    papillary_muscles(scene, frame, draw);
}

/// Fat round the heart, thicker in the stout; it also fills the grooves between the chambers.
fn pericardium(
    scene: &mut Scene,
    torso: &Torso,
    frame: &HeartFrame,
    chambers: [Ellipsoid; 3],
    draw: &mut Draw,
) {
    let fat_mm = draw.range(2.0, 6.0) + 0.2 * torso.visceral_mm.max(0.0);
    let bumps = SmoothField::new(26.0, draw.seed());
    let ventricle = outer_ventricle(frame);
    let (inside, centre) = (torso.clone(), frame.at(10.0, 0.0, 20.0));
    let frame = *frame;
    scene.fill(Bounds::around(centre, Vec3::splat(120.0)), Tissue::EpicardialFat, CHEST, move |p| {
        let left = ventricle.distance(frame.local(p));
        let heart = chambers.iter().fold(left, |d, c| smooth_min(d, c.distance(p), 26.0));
        let sac = heart - fat_mm * (1.0 + 0.7 * bumps.at(p));
        sac.max(3.0 - inside.diaphragm(p)).max(inside.cavity(p) + 2.0)
    });
}

/// Wall first, then the blood inside it.
fn chamber(scene: &mut Scene, blood: Ellipsoid, tissue: Tissue, wall_mm: f32, over: TissueSet) {
    let bounds = blood.bounds();
    let reach = Vec3::splat(wall_mm);
    let bounds = Bounds { low: bounds.low - reach, high: bounds.high + reach };
    scene.paint(bounds, move |p, was| match blood.distance(p) {
        d if d > wall_mm || !over.contains(was) => was,
        // The wall yields to a neighbour's blood: two chambers share one septum.
        d if d > 0.0 => {
            if FAT.contains(was) {
                Tissue::HeartWall
            } else {
                was
            }
        }
        d if d > -1.2 && !FAT.contains(was) => Tissue::HeartWall,
        _ => tissue,
    });
}

fn right_ventricle(frame: &HeartFrame, draw: &mut Draw) -> Ellipsoid {
    let reach = frame.radius_mm + frame.wall_mm;
    let away = reach * draw.range(0.55, 0.85);
    Ellipsoid::rotated(
        frame.at(away, draw.range(-6.0, 6.0), draw.range(22.0, 32.0)),
        Vec3::new(draw.range(24.0, 36.0), draw.range(38.0, 50.0), draw.range(46.0, 58.0)),
        frame.axes,
    )
}

fn left_atrium(frame: &HeartFrame, draw: &mut Draw) -> Ellipsoid {
    let size = draw.normal(1.0, 0.1).clamp(0.78, 1.3);
    let behind = frame.at(0.0, 0.0, -17.0 * size);
    Ellipsoid::rotated(
        behind + frame.turn * Vec3::new(10.0, -3.0, 4.0) + draw.offset(Vec3::splat(3.0)),
        Vec3::new(33.0, 22.0, 27.0) * size,
        frame.turn,
    )
}

fn appendage(scene: &mut Scene, frame: &HeartFrame, draw: &mut Draw) {
    let root = frame.beside(-18.0, 2.0, 18.0);
    let tip =
        root + frame.turn * Vec3::new(-draw.range(8.0, 16.0), draw.range(14.0, 26.0), draw.range(4.0, 14.0));
    let ear = [node(root.x, root.y, root.z, 10.0), node(tip.x, tip.y, tip.z, 6.0)];
    scene.tube(&tube(&ear, 10.0), Tissue::LeftAtrium, FAT.with(TissueSet::of(&[Tissue::HeartWall])));
}

/// The outer surface of the left ventricle, in its own frame.
pub(super) fn outer_ventricle(frame: &HeartFrame) -> Ellipsoid {
    let radius = frame.radius_mm + frame.wall_mm;
    let centre = 0.22 * frame.length_mm;
    // The wall is thinner at the apex.
    let reach = frame.length_mm - centre + 0.75 * frame.wall_mm;
    Ellipsoid::new(Vec3::new(0.0, 0.0, centre), Vec3::new(radius, radius, reach))
}

fn left_ventricle(scene: &mut Scene, frame: &HeartFrame, draw: &mut Draw) {
    let f = *frame;
    let centre = 0.22 * f.length_mm;
    let oval = draw.normal(1.0, 0.06);
    let cavity = Ellipsoid::new(
        Vec3::new(0.0, 0.0, centre),
        Vec3::new(f.radius_mm / oval, f.radius_mm * oval, f.length_mm - centre),
    );
    let outer = outer_ventricle(frame);
    let unevenness = SmoothField::new(30.0, draw.seed());
    let trabeculae = SmoothField::new(4.5, draw.seed());
    let crowded = draw.range(0.2, 1.0);
    let valve_tilt = draw.range(-0.12, 0.12);
    let bounds = Bounds::around(f.at(0.0, 0.0, 0.45 * f.length_mm), Vec3::splat(f.length_mm + 25.0));
    // The outflow tract: its rounded end stops at the aortic valve.
    let start = Vec3::new(0.35 * f.radius_mm, 0.0, 0.4 * f.length_mm);
    let valve = f.local(super::vessels::aortic_root(frame));
    let to = valve - (valve - start).normalize() * 11.0;
    let funnel = Capsule { from: start, to, radius_from: 10.0, radius_to: 11.0 };
    scene.paint(bounds, move |p, was| {
        let q = f.local(p);
        let below_valve = q.z - valve_tilt * q.x;
        if was != Tissue::Lung && below_valve > -14.0 && funnel.distance(q) < 0.0 {
            return Tissue::LeftVentricle;
        }
        if below_valve < 0.0 || outer.distance(q) + 0.12 * f.wall_mm * unevenness.at(p) > 0.0 {
            return was;
        }
        let depth = -cavity.distance(q) - 0.16 * f.wall_mm * unevenness.at(p + 50.0);
        if depth < 0.0 {
            return Tissue::Myocardium;
        }
        // Trabeculae and the roots of the papillary muscles roughen the apical half.
        let apical = (q.z / f.length_mm).clamp(0.0, 1.0);
        let rough = depth < 5.0 * crowded * apical && trabeculae.at(p) > 0.15;
        if rough { Tissue::Papillary } else { Tissue::LeftVentricle }
    });
}

fn papillary_muscles(scene: &mut Scene, frame: &HeartFrame, draw: &mut Draw) {
    let blood = TissueSet::of(&[Tissue::LeftVentricle, Tissue::Papillary]);
    for turn_deg in [draw.range(100.0, 150.0), draw.range(215.0, 265.0)] {
        let (sin, cos) = crate::dataset::phantom::random::sin_cos_deg(turn_deg);
        let r = frame.radius_mm;
        let foot = frame.at(0.62 * r * cos, 0.62 * r * sin, 0.72 * frame.length_mm);
        let head = frame.at(0.58 * r * cos, 0.58 * r * sin, draw.range(0.32, 0.48) * frame.length_mm);
        let muscle = Capsule {
            from: foot,
            to: head,
            radius_from: draw.range(3.0, 6.0),
            radius_to: draw.range(2.0, 4.0),
        };
        scene.tube(&[muscle], Tissue::Papillary, blood);
    }
}
