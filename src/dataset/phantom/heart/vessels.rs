//! Great vessels of the chest, airways and the oesophagus behind the heart.

use super::HeartFrame;
use crate::dataset::phantom::random::{Draw, SmoothField};
use crate::dataset::phantom::scene::Scene;
use crate::dataset::phantom::shapes::{Capsule, Node, jitter, node, tube};
use crate::dataset::phantom::tissue::{Tissue, TissueSet};
use crate::dataset::phantom::torso::Torso;
use glam::Vec3;

const LOOSE: TissueSet = TissueSet::of(&[
    Tissue::Lung,
    Tissue::VisceralFat,
    Tissue::EpicardialFat,
    Tissue::HeartWall,
    Tissue::Muscle,
]);
const LOOSE_AND_BLOOD: TissueSet = LOOSE.with(TissueSet::of(&[
    Tissue::RightAtrium,
    Tissue::RightVentricle,
    Tissue::PulmonaryArtery,
    Tissue::LeftAtrium,
    Tissue::PulmonaryVein,
    Tissue::VenaCava,
    Tissue::Liver,
    Tissue::LiverVessel,
]));

/// Centre of the aortic valve, body space.
pub(super) fn aortic_root(frame: &HeartFrame) -> Vec3 {
    frame.beside(15.0, 12.0, 13.0)
}

pub(super) fn paint(scene: &mut Scene, torso: &Torso, frame: &HeartFrame, draw: &mut Draw) {
    behind(scene, torso, draw);
    lung_vessels(scene, frame, draw);
    pulmonary_veins(scene, frame, draw);
    caval_veins(scene, frame, draw);
    pulmonary_artery(scene, frame, draw);
    aorta(scene, torso, frame, draw);
}

/// A vessel with a wall of its own.
fn walled(scene: &mut Scene, cones: &[Capsule], blood: Tissue, over: TissueSet) {
    let wall: Vec<Capsule> = cones.iter().map(|c| c.grown(1.3)).collect();
    scene.tube(&wall, Tissue::HeartWall, over);
    scene.tube(cones, blood, over);
}

fn aorta(scene: &mut Scene, torso: &Torso, frame: &HeartFrame, draw: &mut Draw) {
    let calibre = draw.range(12.0, 18.5);
    let root = aortic_root(frame);
    let at =
        |x, y, z, scale: f32| Node { at: root + frame.turn * Vec3::new(x, y, z), radius: calibre * scale };
    let ascending = [
        at(-2.0, -1.0, -3.0, 0.8),
        at(3.0, 2.0, 10.0, 1.12),
        at(9.0, 5.0, 30.0, 0.98),
        at(11.0, 0.0, 56.0, 1.0),
        at(4.0, -10.0, 74.0, 0.95),
    ];
    let ascending = jitter(draw, &ascending, 2.0);
    walled(scene, &tube(&ascending, 10.0), Tissue::AscendingAorta, LOOSE_AND_BLOOD);
    let top = ascending[ascending.len() - 1];
    let down_y = |z: f32| torso.spine_y(z) + 12.0 + calibre;
    let arch = [
        Node { radius: 0.9 * calibre, ..top },
        node(top.at.x - 16.0, top.at.y - 20.0, top.at.z + 4.0, 0.85 * calibre),
        node(-24.0, down_y(220.0) + 8.0, top.at.z - 8.0, 0.82 * calibre),
        node(-24.0, down_y(200.0), top.at.z - 40.0, 0.8 * calibre),
        node(-20.0, down_y(140.0), 140.0, 0.76 * calibre),
        node(-14.0, down_y(80.0), 80.0, 0.74 * calibre),
        node(-11.0, down_y(0.0), 0.0, 0.7 * calibre),
    ];
    let arch = tube(&arch, 12.0);
    scene.tube(&arch, Tissue::Aorta, LOOSE.with(TissueSet::of(&[Tissue::Airway, Tissue::Oesophagus])));
}

fn pulmonary_artery(scene: &mut Scene, frame: &HeartFrame, draw: &mut Draw) {
    let calibre = draw.range(10.0, 14.5);
    let root = aortic_root(frame);
    let at = |x, y, z, radius| Node { at: root + frame.turn * Vec3::new(x, y, z), radius };
    let infundibulum =
        [at(14.0, 34.0, -34.0, 17.0), at(-2.0, 32.0, -8.0, 15.0), at(-17.0, 22.0, 10.0, calibre + 1.0)];
    let cones = tube(&jitter(draw, &infundibulum, 2.0), 10.0);
    walled(scene, &cones, Tissue::RightVentricle, LOOSE);
    let trunk = [
        at(-17.0, 22.0, 10.0, calibre + 1.0),
        at(-21.0, 12.0, 26.0, calibre),
        at(-18.0, -6.0, 38.0, calibre),
        at(-34.0, -26.0, 40.0, calibre * 0.8),
        at(-62.0, -34.0, 30.0, calibre * 0.5),
    ];
    walled(scene, &tube(&jitter(draw, &trunk, 2.0), 10.0), Tissue::PulmonaryArtery, LOOSE);
    let right = [
        at(-18.0, -6.0, 36.0, calibre * 0.8),
        at(6.0, -17.0, 36.0, calibre * 0.72),
        at(34.0, -20.0, 30.0, calibre * 0.7),
        at(64.0, -26.0, 18.0, calibre * 0.45),
    ];
    walled(scene, &tube(&jitter(draw, &right, 2.0), 10.0), Tissue::PulmonaryArtery, LOOSE);
}

fn pulmonary_veins(scene: &mut Scene, frame: &HeartFrame, draw: &mut Draw) {
    let centre = frame.at(0.0, 0.0, -17.0) + frame.turn * Vec3::new(10.0, -3.0, 4.0);
    for (x, y, z) in [(66.0, -2.0, 26.0), (64.0, -22.0, -14.0), (-62.0, -2.0, 26.0), (-60.0, -24.0, -14.0)] {
        let way = frame.turn * Vec3::new(x, y, z);
        let end = centre + way * draw.range(0.85, 1.15);
        let start = centre + way * 0.36;
        let bend = start.lerp(end, 0.5) + draw.offset(Vec3::splat(3.0));
        let vein = [
            Node { at: start, radius: draw.range(6.0, 9.0) },
            Node { at: bend, radius: 6.5 },
            Node { at: end, radius: 4.0 },
        ];
        scene.tube(&tube(&vein, 10.0), Tissue::PulmonaryVein, LOOSE);
    }
}

fn caval_veins(scene: &mut Scene, frame: &HeartFrame, draw: &mut Draw) {
    let atrium = frame.beside(46.0, 2.0, 0.0);
    let calibre = draw.range(8.0, 11.5);
    let upper = [
        node(atrium.x, atrium.y - 4.0, atrium.z + 18.0, calibre),
        node(atrium.x - 2.0, atrium.y - 6.0, atrium.z + 50.0, calibre),
        node(atrium.x - 6.0, atrium.y - 6.0, atrium.z + 95.0, calibre),
    ];
    walled(scene, &tube(&jitter(draw, &upper, 2.0), 12.0), Tissue::VenaCava, LOOSE);
    let lower = [
        node(atrium.x - 4.0, atrium.y - 2.0, atrium.z - 22.0, calibre * 1.15),
        node(atrium.x - 10.0, atrium.y, atrium.z - 50.0, calibre * 1.1),
        node(22.0, 40.0, 60.0, calibre),
        node(20.0, 36.0, 0.0, calibre),
    ];
    scene.tube(&tube(&jitter(draw, &lower, 2.0), 12.0), Tissue::VenaCava, LOOSE_AND_BLOOD);
}

/// Trachea, main bronchi and oesophagus.
fn behind(scene: &mut Scene, torso: &Torso, draw: &mut Draw) {
    let front = |z: f32, extra: f32| torso.spine_y(z) + 22.0 + extra;
    let gullet = [(330.0, -2.0), (240.0, -4.0), (180.0, -2.0), (110.0, -8.0)]
        .map(|(z, x)| node(x, front(z, 2.0), z, 7.5));
    scene.tube(&tube(&jitter(draw, &gullet, 2.5), 16.0), Tissue::Oesophagus, LOOSE);
    let fork = Vec3::new(0.0, front(225.0, 16.0), 224.0);
    let trachea = [node(0.0, front(330.0, 18.0), 330.0, 9.0), node(fork.x, fork.y, fork.z, 9.5)];
    let mut airways = tube(&trachea, 18.0);
    for (x, z) in [(38.0, -26.0), (-42.0, -30.0)] {
        let end = fork + Vec3::new(x, -6.0, z);
        airways.extend(tube(&[node(fork.x, fork.y, fork.z, 7.5), node(end.x, end.y, end.z, 5.5)], 12.0));
    }
    let wall: Vec<Capsule> = airways.iter().map(|c| c.grown(1.5)).collect();
    scene.tube(&wall, Tissue::Cartilage, LOOSE);
    scene.tube(&airways, Tissue::Airway, TissueSet::of(&[Tissue::Cartilage]));
}

/// Vessels that fan out into the lungs from both hila.
fn lung_vessels(scene: &mut Scene, frame: &HeartFrame, draw: &mut Draw) {
    let lung = TissueSet::of(&[Tissue::Lung]);
    let wander = SmoothField::new(40.0, draw.seed());
    for side in [-1.0, 1.0] {
        let hilum = frame.base + Vec3::new(10.0 + side * 46.0, -18.0, 24.0);
        for branch in 0..16 {
            let mut reach = draw.direction() * draw.range(45.0, 95.0);
            reach.x = side * reach.x.abs();
            let end = hilum + reach;
            let middle = hilum.lerp(end, 0.5) + 14.0 * wander.at(end) * Vec3::Z;
            let thick = draw.range(2.0, 4.2);
            let course = [
                Node { at: hilum, radius: thick },
                Node { at: middle, radius: 0.6 * thick },
                Node { at: end, radius: 0.8 },
            ];
            let blood = if branch % 2 == 0 { Tissue::PulmonaryArtery } else { Tissue::PulmonaryVein };
            scene.tube(&tube(&course, 14.0), blood, lung);
        }
    }
}
