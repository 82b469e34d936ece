//! Spine, ribs, pelvis and the muscles along the spine.

use super::random::{Draw, sin_cos_deg};
use super::scene::Scene;
use super::shapes::{Bounds, Capsule, Ellipsoid, Node, node, tube};
use super::tissue::{Tissue, TissueSet};
use super::torso::Torso;
use glam::{Vec2, Vec3};

/// Bone and the muscles along the spine win over everything that may have reached into their place.
const INSIDE: TissueSet = TissueSet::of(Tissue::ALL);
const WALL: TissueSet =
    TissueSet::of(&[Tissue::Muscle, Tissue::VisceralFat, Tissue::SubcutaneousFat, Tissue::Lung]);

/// Height of one vertebra with its disc, mm.
const SEGMENT_MM: f32 = 33.0;
const DISC_MM: f32 = 9.0;

/// Everything of bone, and the long muscles beside the spine.
pub(super) fn paint(scene: &mut Scene, torso: &Torso, draw: &mut Draw) {
    long_muscles(scene, torso, draw);
    spine(scene, torso, draw);
    ribs(scene, torso, draw);
    pelvis(scene, draw);
}

fn long_muscles(scene: &mut Scene, torso: &Torso, draw: &mut Draw) {
    let bulk = draw.normal(1.0, 0.12).clamp(0.7, 1.3);
    for side in [-1.0, 1.0] {
        let psoas: Vec<Node> =
            [(10.0, 26.0, 5.0, 7.0), (-60.0, 38.0, 12.0, 15.0), (-120.0, 50.0, 26.0, 20.0)]
                .into_iter()
                .chain([(-180.0, 66.0, 44.0, 19.0), (-240.0, 92.0, 54.0, 15.0)])
                .map(|(z, x, y, r)| node(side * x, y + 0.5 * torso.spine_y(z), z, r * bulk))
                .collect();
        scene.tube(&tube(&psoas, 18.0), Tissue::Muscle, INSIDE);
        let lumborum: Vec<Node> = [(-10.0, 58.0, 7.0), (-60.0, 66.0, 12.0), (-105.0, 76.0, 12.0)]
            .map(|(z, x, r)| node(side * x, torso.spine_y(z) - 26.0, z, r * bulk))
            .to_vec();
        scene.tube(&tube(&lumborum, 18.0), Tissue::Muscle, INSIDE);
    }
    let texture = super::random::SmoothField::new(9.0, draw.seed());
    let columns = torso.clone();
    scene.paint(Bounds::slab(-220.0, 330.0), move |p, was| {
        let beside =
            Vec2::new((p.x.abs() - 32.0) / 32.0, (p.y - columns.spine_y(p.z) + 54.0) / (26.0 * bulk));
        match was {
            Tissue::Air | Tissue::Skin => was,
            _ if beside.length_squared() > 1.0 => was,
            _ if texture.at(p) > 0.7 => Tissue::VisceralFat,
            _ => Tissue::Muscle,
        }
    });
}

fn spine(scene: &mut Scene, torso: &Torso, draw: &mut Draw) {
    let girth = draw.normal(1.0, 0.06);
    let shell = draw.range(1.2, 2.4);
    let column = torso.clone();
    scene.paint(Bounds::slab(-155.0, 330.0), move |p, was| {
        let y = p.y - column.spine_y(p.z);
        let along = (p.z / SEGMENT_MM + 100.5).fract() - 0.5;
        let from_end = (0.5 - along.abs()) * SEGMENT_MM - 0.5 * DISC_MM;
        // Bodies are waisted: narrower at mid-height than at their end plates.
        let waist = 1.0 - 0.10 * (1.0 - 4.0 * along * along);
        let size = girth * waist * (1.0 - 0.0011 * p.z.max(0.0));
        let body = (Vec2::new(p.x / 25.0, y / 17.5).length() - size) * 20.0;
        let canal = (Vec2::new(p.x / 11.5, (y + 27.0) / 9.0).length() - 1.0) * 10.0;
        if canal < 0.0 {
            Tissue::SpinalCanal
        } else if body < 0.0 && from_end < 0.0 {
            Tissue::Disc
        } else if body < 0.0 {
            if body > -shell || from_end < shell { Tissue::CorticalBone } else { Tissue::Marrow }
        } else if canal < 4.5 && along.abs() < 0.32 {
            Tissue::CorticalBone
        } else {
            was
        }
    });
    for level in -4..10 {
        let z = level as f32 * SEGMENT_MM;
        processes(scene, torso.spine_y(z), z, draw);
    }
}

/// Spinous, transverse and articular processes of one vertebra.
fn processes(scene: &mut Scene, y: f32, z: f32, draw: &mut Draw) {
    let slope = if z > 20.0 { -22.0 } else { -8.0 };
    let spinous = Capsule {
        from: Vec3::new(0.0, y - 40.0, z - 4.0),
        to: Vec3::new(draw.range(-2.0, 2.0), y - 66.0, z - 4.0 + slope),
        radius_from: 3.6,
        radius_to: 5.2,
    };
    bone(scene, &[spinous], 1.6, INSIDE);
    for side in [-1.0, 1.0] {
        let transverse = Capsule {
            from: Vec3::new(side * 14.0, y - 24.0, z + 2.0),
            to: Vec3::new(side * draw.range(38.0, 46.0), y - draw.range(30.0, 38.0), z + 2.0),
            radius_from: 5.0,
            radius_to: 3.2,
        };
        let articular = Capsule {
            from: Vec3::new(side * 17.0, y - 34.0, z - 14.0),
            to: Vec3::new(side * 17.0, y - 36.0, z + 12.0),
            radius_from: 7.0,
            radius_to: 6.0,
        };
        bone(scene, &[transverse, articular], 1.8, INSIDE);
    }
}

/// Ribs run in the chest wall: back to front and downwards, then as cartilage up to the sternum.
fn ribs(scene: &mut Scene, torso: &Torso, draw: &mut Draw) {
    let drop = draw.range(85.0, 130.0);
    for rib in 0..10 {
        let head_z = 15.0 + rib as f32 * SEGMENT_MM * 0.95;
        // The lowest two end free, at the flank.
        let end_deg = [95.0, 130.0, 215.0, 225.0][rib.min(3)] - 40.0;
        for side in [-1.0, 1.0] {
            let nodes: Vec<Node> = (0..12)
                .map(|step| {
                    let t = step as f32 / 11.0;
                    let angle = 14.0 + t * (end_deg - 14.0);
                    let z = head_z - drop * t * (1.6 - 0.6 * t) * (0.6 + 0.4 * end_deg / 185.0);
                    Node { at: on_wall(torso, side, angle, z), radius: 4.6 }
                })
                .collect();
            bone(scene, &tube(&nodes, 14.0), 1.5, WALL);
            if rib >= 2 {
                let from = nodes[nodes.len() - 1].at;
                let to = on_wall(torso, side, 172.0, (head_z - 25.0).max(95.0));
                let cartilage = [Node { at: from, radius: 5.0 }, Node { at: to, radius: 5.0 }];
                scene.tube(&tube(&cartilage, 14.0), Tissue::Cartilage, WALL);
            }
        }
    }
    let sternum: Vec<Node> =
        [105.0, 160.0, 220.0].map(|z| Node { at: on_wall(torso, 1.0, 180.0, z), radius: 9.0 }).to_vec();
    bone(scene, &tube(&sternum, 18.0), 1.6, WALL);
}

/// A point in the middle of the wall, at an angle from the back (0) over the side (90) to the front (180).
fn on_wall(torso: &Torso, side: f32, angle_deg: f32, z: f32) -> Vec3 {
    let (sin, cos) = sin_cos_deg(angle_deg);
    let centre = Vec3::new(0.0, 30.0, z);
    let direction = Vec3::new(side * sin, -cos, 0.0);
    // Bisection along the ray: the rings are convex, so the mean of both distances grows outwards.
    let (mut near, mut far) = (20.0f32, 260.0f32);
    for _ in 0..24 {
        let middle = 0.5 * (near + far);
        let p = centre + direction * middle;
        if torso.cavity(p) < 5.5 { near = middle } else { far = middle }
    }
    centre + direction * near
}

fn pelvis(scene: &mut Scene, draw: &mut Draw) {
    let flare = draw.range(0.94, 1.08);
    for side in [-1.0, 1.0] {
        let crest = [
            Vec3::new(44.0, -46.0, -135.0),
            Vec3::new(80.0, -40.0, -100.0),
            Vec3::new(112.0, -4.0, -94.0),
            Vec3::new(126.0, 38.0, -112.0),
            Vec3::new(122.0, 66.0, -140.0),
        ]
        .map(|v| Vec3::new(side * v.x * flare, v.y, v.z));
        let socket = Vec3::new(side * 88.0, 20.0, -215.0);
        let blades: Vec<Capsule> = (0..=40)
            .map(|step| {
                let t = step as f32 / 10.0;
                let i = (t as usize).min(3);
                let from = crest[i].lerp(crest[i + 1], t - i as f32);
                Capsule { from, to: socket + (from - socket) * 0.18, radius_from: 6.0, radius_to: 7.5 }
            })
            .collect();
        bone(scene, &blades, 2.2, INSIDE);
        let femur = [Capsule {
            from: Vec3::new(side * 90.0, 18.0, -232.0),
            to: Vec3::new(side * 148.0, 4.0, -262.0),
            radius_from: 22.0,
            radius_to: 16.0,
        }];
        bone(scene, &femur, 2.0, INSIDE);
        let pubis = [Capsule {
            from: Vec3::new(side * 66.0, 40.0, -226.0),
            to: Vec3::new(side * 8.0, 74.0, -250.0),
            radius_from: 9.0,
            radius_to: 8.0,
        }];
        bone(scene, &pubis, 2.0, INSIDE);
    }
    let sacrum = Ellipsoid::rotated(
        Vec3::new(0.0, -22.0, -170.0),
        Vec3::new(46.0, 14.0, 52.0),
        super::shapes::rotation_deg(-28.0, 0.0, 0.0),
    );
    scene.paint(sacrum.bounds(), move |p, was| match sacrum.distance(p) {
        d if d > 0.0 => was,
        d if d > -2.0 => Tissue::CorticalBone,
        _ => Tissue::Marrow,
    });
}

/// A bone of cones: compact outside, marrow inside.
fn bone(scene: &mut Scene, cones: &[Capsule], shell_mm: f32, over: TissueSet) {
    scene.tube(cones, Tissue::CorticalBone, over);
    let inner: Vec<Capsule> = cones.iter().map(|cone| cone.grown(-shell_mm)).collect();
    scene.tube(&inner, Tissue::Marrow, TissueSet::of(&[Tissue::CorticalBone]));
}
