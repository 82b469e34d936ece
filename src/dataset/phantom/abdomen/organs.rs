//! Liver, gallbladder, spleen, bladder, the heart's underside, and arms beside the trunk.

use crate::dataset::phantom::random::{Draw, SmoothField, lerp};
use crate::dataset::phantom::scene::Scene;
use crate::dataset::phantom::shapes::{
    Bounds, Capsule, Ellipsoid, Node, jitter, node, rotation_deg, smooth_max, smooth_min, tube,
};
use crate::dataset::phantom::tissue::{Tissue, TissueSet};
use crate::dataset::phantom::torso::{LOOSE, Torso};
use glam::Vec3;

const HOLLOW: TissueSet = TissueSet::of(&[
    Tissue::StomachWall,
    Tissue::StomachContent,
    Tissue::BowelWall,
    Tissue::BowelContent,
    Tissue::ColonWall,
    Tissue::Stool,
    Tissue::Gas,
    Tissue::Pancreas,
]);
const IN_LIVER: TissueSet = TissueSet::of(&[Tissue::Liver, Tissue::LiverVessel]);

pub(super) fn paint(scene: &mut Scene, torso: &Torso, draw: &mut Draw) {
    spleen(scene, torso, draw);
    liver(scene, torso, draw);
    gallbladder(scene, draw);
}

fn liver(scene: &mut Scene, torso: &Torso, draw: &mut Draw) {
    let right = Ellipsoid::new(
        Vec3::new(84.0, 34.0, 22.0) + draw.offset(Vec3::new(5.0, 5.0, 8.0)),
        Vec3::new(draw.range(72.0, 86.0), draw.range(86.0, 98.0), draw.range(96.0, 112.0)),
    );
    let left_reach = draw.range(55.0, 88.0);
    let left = Ellipsoid::rotated(
        Vec3::new(0.0, 92.0, 40.0) + draw.offset(Vec3::new(8.0, 6.0, 8.0)),
        Vec3::new(left_reach, 46.0, draw.range(28.0, 40.0)),
        rotation_deg(draw.normal(0.0, 6.0), draw.normal(6.0, 6.0), draw.normal(0.0, 6.0)),
    );
    // The visceral surface: a plane that looks down, back and to the left.
    let tip_z = draw.range(-86.0, -44.0);
    let slope = draw.range(0.5, 0.74);
    let forward = draw.range(0.2, 0.45);
    let fissure_x = draw.range(6.0, 24.0);
    let fissure_depth = draw.range(6.0, 16.0);
    let bumps = SmoothField::new(45.0, draw.seed());
    let inside = torso.clone();
    let over = LOOSE.with(HOLLOW);
    scene.fill(
        Bounds::around(Vec3::new(40.0, 45.0, 20.0), Vec3::new(150.0, 150.0, 150.0)),
        Tissue::Liver,
        over,
        move |p| {
            let lobes = smooth_min(right.distance(p), left.distance(p), 34.0);
            let visceral = (tip_z + (140.0 - p.x) * slope - forward * (p.y - 45.0) - p.z) * 0.8;
            let hilum = Ellipsoid::new(Vec3::new(28.0, 44.0, -2.0), Vec3::new(38.0, 44.0, 40.0)).distance(p);
            let body = smooth_max(lobes, visceral, 30.0) + 5.0 * bumps.at(p);
            let shaped = smooth_max(body, -hilum, 16.0);
            // The fissure of the round ligament cuts in from below and the front.
            let cut = (p.x - fissure_x).abs() - 2.5;
            let fissure = cut.max(-visceral - fissure_depth).max(70.0 - p.y);
            shaped.max(-fissure).max(inside.abdomen(p) + 2.0)
        },
    );
    liver_vessels(scene, draw);
    lesions(scene, draw);
}

fn liver_vessels(scene: &mut Scene, draw: &mut Draw) {
    let confluence = node(22.0, 50.0, 72.0, 6.0);
    for end in [Vec3::new(128.0, 25.0, 35.0), Vec3::new(78.0, 98.0, 30.0), Vec3::new(-24.0, 95.0, 45.0)] {
        let middle = confluence.at.lerp(end, 0.5) + Vec3::new(0.0, 0.0, 8.0);
        let course = [confluence, node(middle.x, middle.y, middle.z, 4.2), node(end.x, end.y, end.z, 1.8)];
        scene.tube(&tube(&jitter(draw, &course, 6.0), 14.0), Tissue::LiverVessel, IN_LIVER);
    }
    let porta = node(44.0, 60.0, 24.0, 6.5);
    for end in [
        Vec3::new(118.0, 70.0, 5.0),
        Vec3::new(112.0, 10.0, 14.0),
        Vec3::new(110.0, 35.0, 70.0),
        Vec3::new(4.0, 98.0, 30.0),
    ] {
        let middle = porta.at.lerp(end, 0.45);
        let course = [porta, node(middle.x, middle.y, middle.z, 4.5), node(end.x, end.y, end.z, 1.6)];
        scene.tube(&tube(&jitter(draw, &course, 7.0), 14.0), Tissue::LiverVessel, IN_LIVER);
    }
}

fn lesions(scene: &mut Scene, draw: &mut Draw) {
    if !draw.chance(0.35) {
        return;
    }
    for _ in 0..1 + draw.index(4) {
        let centre = Vec3::new(draw.range(10.0, 135.0), draw.range(-20.0, 110.0), draw.range(-40.0, 90.0));
        let radii = Vec3::splat(draw.range(4.0, 16.0)) * Vec3::new(1.0, draw.range(0.8, 1.2), 1.0);
        scene.ellipsoid(Ellipsoid::new(centre, radii), Tissue::LiverLesion, IN_LIVER);
    }
}

fn gallbladder(scene: &mut Scene, draw: &mut Draw) {
    // One in ten has had it taken out.
    if draw.chance(0.1) {
        return;
    }
    let size = draw.range(0.7, 1.35);
    let neck = Vec3::new(52.0, 62.0, -2.0);
    let fundus = neck + Vec3::new(draw.range(8.0, 26.0), draw.range(34.0, 52.0), -draw.range(24.0, 42.0));
    let course = [
        Node { at: neck, radius: 4.0 },
        Node { at: neck.lerp(fundus, 0.55), radius: 11.0 * size },
        Node { at: fundus, radius: 12.5 * size },
    ];
    let over = LOOSE.with(IN_LIVER).with(HOLLOW);
    scene.tube(&tube(&jitter(draw, &course, 4.0), 10.0), Tissue::Gallbladder, over);
}

fn spleen(scene: &mut Scene, torso: &Torso, draw: &mut Draw) {
    let size = draw.normal(1.0, 0.13).clamp(0.72, 1.4);
    let centre = Vec3::new(-112.0, -4.0, 18.0) + draw.offset(Vec3::new(6.0, 10.0, 14.0));
    let pose = rotation_deg(draw.normal(24.0, 12.0), draw.normal(-8.0, 10.0), draw.normal(20.0, 12.0));
    let whole = Ellipsoid::rotated(centre, Vec3::new(44.0, 60.0, 58.0) * size, pose);
    // The stomach and the left kidney press on its inner side.
    let press = Ellipsoid::new(
        Vec3::new(-58.0, 26.0, 18.0) + draw.offset(Vec3::new(6.0, 8.0, 14.0)),
        Vec3::new(38.0, 52.0, 70.0),
    );
    let bumps = SmoothField::new(34.0, draw.seed());
    let inside = torso.clone();
    let gap = draw.range(1.5, 4.0);
    scene.fill(Bounds::around(centre, Vec3::splat(90.0)), Tissue::Spleen, LOOSE.with(HOLLOW), move |p| {
        let outer = smooth_max(whole.distance(p), inside.abdomen(p) + gap, 8.0);
        smooth_max(outer, -press.distance(p), 10.0) + 3.0 * bumps.at(p)
    });
    if draw.chance(0.15) {
        let accessory =
            centre + Vec3::new(draw.range(22.0, 40.0), draw.range(10.0, 30.0), -draw.range(10.0, 40.0));
        scene.ellipsoid(Ellipsoid::new(accessory, Vec3::splat(draw.range(4.0, 8.0))), Tissue::Spleen, LOOSE);
    }
}

/// The underside of the heart, which rests on the diaphragm in high fields of view.
pub(super) fn heart_base(scene: &mut Scene, torso: &Torso, draw: &mut Draw) {
    let chest = TissueSet::of(&[Tissue::Lung, Tissue::VisceralFat, Tissue::Muscle]);
    let above = TissueSet::of(&[Tissue::EpicardialFat]);
    let centre = Vec3::new(-22.0, 72.0, torso.left_dome_top() + 40.0) + draw.offset(Vec3::new(8.0, 8.0, 8.0));
    let tilt = rotation_deg(0.0, 18.0, 30.0);
    let sac = Ellipsoid::rotated(centre, Vec3::new(72.0, 52.0, 50.0), tilt);
    let inside = torso.clone();
    scene.fill(sac.bounds(), Tissue::EpicardialFat, chest, move |p| {
        sac.distance(p).max(3.0 - inside.diaphragm(p)).max(inside.cavity(p) + 2.0)
    });
    let muscle = Ellipsoid::rotated(centre, Vec3::new(66.0, 46.0, 44.0), tilt);
    scene.ellipsoid(muscle, Tissue::HeartWall, above);
    let left = Ellipsoid::new(centre + Vec3::new(-26.0, 0.0, 2.0), Vec3::new(26.0, 24.0, 30.0));
    scene.ellipsoid(left, Tissue::LeftVentricle, TissueSet::of(&[Tissue::HeartWall]));
    let right = Ellipsoid::new(centre + Vec3::new(30.0, 6.0, 0.0), Vec3::new(30.0, 32.0, 34.0));
    scene.ellipsoid(right, Tissue::RightVentricle, TissueSet::of(&[Tissue::HeartWall]));
}

pub(super) fn bladder(scene: &mut Scene, draw: &mut Draw) {
    let size = draw.range(0.5, 1.3);
    let centre = Vec3::new(0.0, 42.0, -225.0 + 12.0 * size);
    let radii = Vec3::new(38.0, 34.0, 30.0) * size;
    let over = LOOSE.with(HOLLOW).with(TissueSet::of(&[Tissue::Muscle]));
    let wall = Ellipsoid::new(centre, radii + draw.range(2.5, 6.0));
    scene.ellipsoid(wall, Tissue::BladderWall, over);
    scene.ellipsoid(Ellipsoid::new(centre, radii), Tissue::Bladder, TissueSet::of(&[Tissue::BladderWall]));
}

/// Arms beside the trunk, in those who could not raise them.
pub(super) fn arms(scene: &mut Scene, torso: &Torso, draw: &mut Draw) {
    if !draw.chance(0.2) {
        return;
    }
    let air = TissueSet::of(&[Tissue::Air]);
    for side in [-1.0, 1.0] {
        let x = |z: f32| side * (torso.outline_mm(z).x + 46.0);
        let y = draw.range(-10.0, 40.0);
        let nodes = [250.0, 100.0, -40.0, -180.0]
            .map(|z| node(x(z), y, z, lerp(34.0, 44.0, ((z + 180.0) / 430.0).clamp(0.0, 1.0))));
        let cones = tube(&nodes, 40.0);
        let layers = [(0.0, Tissue::Skin), (-2.0, Tissue::SubcutaneousFat), (-8.0, Tissue::Muscle)];
        let mut over = air;
        for (grow, tissue) in
            layers.into_iter().chain([(-27.0, Tissue::CorticalBone), (-31.0, Tissue::Marrow)])
        {
            let layer: Vec<Capsule> = cones.iter().map(|c| c.grown(grow)).collect();
            scene.tube(&layer, tissue, over);
            over = TissueSet::of(&[tissue]);
        }
    }
}
