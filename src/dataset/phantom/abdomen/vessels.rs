//! Great vessels of the abdomen and their larger branches.

use crate::dataset::phantom::random::Draw;
use crate::dataset::phantom::scene::Scene;
use crate::dataset::phantom::shapes::{Node, jitter, node, tube};
use crate::dataset::phantom::tissue::{Tissue, TissueSet};
use crate::dataset::phantom::torso::Torso;

const THROUGH: TissueSet = TissueSet::of(&[
    Tissue::VisceralFat,
    Tissue::Muscle,
    Tissue::Lung,
    Tissue::Liver,
    Tissue::LiverVessel,
    Tissue::LiverLesion,
    Tissue::Pancreas,
    Tissue::BowelWall,
    Tissue::BowelContent,
    Tissue::Gas,
    Tissue::StomachWall,
    Tissue::StomachContent,
    Tissue::Oesophagus,
    Tissue::ColonWall,
    Tissue::Stool,
    Tissue::HeartWall,
]);
const FAT: TissueSet = TissueSet::of(&[Tissue::VisceralFat, Tissue::Pancreas, Tissue::RenalSinus]);

pub(super) fn paint(scene: &mut Scene, torso: &Torso, draw: &mut Draw) {
    aorta(scene, torso, draw);
    cava(scene, torso, draw);
    portal(scene, draw);
    renal(scene, torso, draw);
}

fn aorta(scene: &mut Scene, torso: &Torso, draw: &mut Draw) {
    let calibre = draw.range(8.5, 13.0);
    let front = |z: f32, extra: f32| torso.spine_y(z) + 18.0 + calibre + extra;
    let mut trunk: Vec<Node> =
        [(320.0, -2.0), (200.0, -2.0), (100.0, 0.0), (50.0, 1.0), (0.0, 3.0), (-50.0, 3.0)]
            .map(|(z, extra)| node(if z > 60.0 { -18.0 } else { -11.0 }, front(z, extra), z, calibre))
            .to_vec();
    trunk.push(node(-8.0, front(-100.0, 2.0), -100.0, calibre * 0.85));
    let trunk = jitter(draw, &trunk, 2.5);
    scene.tube(&tube(&trunk, 18.0), Tissue::Aorta, THROUGH);
    let fork = trunk[trunk.len() - 1];
    for side in [-1.0, 1.0] {
        let iliac = [
            Node { radius: calibre * 0.55, ..fork },
            node(side * 30.0, 34.0, -140.0, calibre * 0.5),
            node(side * 58.0, 36.0, -185.0, calibre * 0.45),
            node(side * 80.0, 76.0, -240.0, calibre * 0.42),
        ];
        scene.tube(&tube(&jitter(draw, &iliac, 4.0), 18.0), Tissue::Aorta, FAT);
    }
    let mesenteric = [
        node(-10.0, front(-2.0, 2.0), -2.0, 3.5),
        node(-6.0, front(-20.0, 24.0), -20.0, 3.8),
        node(0.0, front(-90.0, 40.0), -90.0, 3.0),
    ];
    scene.tube(&tube(&jitter(draw, &mesenteric, 3.0), 14.0), Tissue::Aorta, FAT);
    let coeliac = [
        node(-10.0, front(12.0, 2.0), 12.0, 3.6),
        node(-8.0, front(14.0, 20.0), 14.0, 3.6),
        node(-45.0, 56.0, 14.0, 2.8),
        node(-85.0, 20.0, 20.0, 2.6),
    ];
    scene.tube(&tube(&jitter(draw, &coeliac, 3.0), 12.0), Tissue::Aorta, FAT);
}

fn cava(scene: &mut Scene, torso: &Torso, draw: &mut Draw) {
    let calibre = draw.range(8.0, 13.0);
    let front = |z: f32, extra: f32| torso.spine_y(z) + 20.0 + calibre + extra;
    let trunk = [
        node(24.0, 58.0, 115.0, calibre * 1.1),
        node(22.0, 46.0, 70.0, calibre * 1.1),
        node(21.0, front(20.0, 6.0), 20.0, calibre),
        node(19.0, front(-30.0, 4.0), -30.0, calibre),
        node(16.0, front(-80.0, -2.0), -80.0, calibre * 0.95),
        node(12.0, front(-105.0, -4.0), -105.0, calibre * 0.9),
    ];
    let trunk = jitter(draw, &trunk, 2.5);
    scene.tube(&tube(&trunk, 16.0), Tissue::VenaCava, THROUGH);
    let fork = trunk[trunk.len() - 1];
    for side in [-1.0, 1.0] {
        let iliac = [
            Node { radius: calibre * 0.6, ..fork },
            node(side * 34.0, 24.0, -145.0, calibre * 0.55),
            node(side * 60.0, 26.0, -190.0, calibre * 0.5),
            node(side * 74.0, 70.0, -240.0, calibre * 0.5),
        ];
        scene.tube(&tube(&jitter(draw, &iliac, 4.0), 18.0), Tissue::VenaCava, FAT);
    }
}

fn portal(scene: &mut Scene, draw: &mut Draw) {
    let calibre = draw.range(5.0, 8.0);
    let trunk = [
        node(6.0, 64.0, -70.0, calibre * 0.8),
        node(8.0, 66.0, -30.0, calibre * 0.9),
        node(14.0, 64.0, -4.0, calibre),
        node(34.0, 64.0, 16.0, calibre),
        node(46.0, 62.0, 26.0, calibre * 0.9),
    ];
    scene.tube(&tube(&jitter(draw, &trunk, 3.0), 12.0), Tissue::PortalVein, THROUGH);
    let splenic = [
        node(12.0, 64.0, -4.0, calibre * 0.8),
        node(-24.0, 54.0, 6.0, calibre * 0.7),
        node(-60.0, 28.0, 14.0, calibre * 0.65),
        node(-92.0, 8.0, 20.0, calibre * 0.55),
    ];
    scene.tube(&tube(&jitter(draw, &splenic, 3.0), 12.0), Tissue::PortalVein, THROUGH);
}

fn renal(scene: &mut Scene, torso: &Torso, draw: &mut Draw) {
    for side in [-1.0, 1.0] {
        let z = if side > 0.0 { -36.0 } else { -24.0 };
        let y = torso.spine_y(z);
        let vein = [
            node(14.0, y + 36.0, z + 8.0, 5.0),
            node(side * 34.0, y + 28.0, z + 4.0, 4.5),
            node(side * 62.0, 12.0, z, 3.5),
        ];
        scene.tube(&tube(&jitter(draw, &vein, 3.0), 12.0), Tissue::VenaCava, FAT);
        let artery = [
            node(-10.0, y + 26.0, z + 10.0, 3.0),
            node(side * 36.0, y + 20.0, z + 6.0, 2.8),
            node(side * 62.0, 8.0, z + 4.0, 2.4),
        ];
        scene.tube(&tube(&jitter(draw, &artery, 3.0), 12.0), Tissue::Aorta, FAT);
        let ureter = [
            node(side * 56.0, 10.0, z - 10.0, 3.0),
            node(side * 42.0, 22.0, z - 60.0, 2.2),
            node(side * 46.0, 18.0, -160.0, 2.2),
            node(side * 30.0, 10.0, -215.0, 2.2),
        ];
        scene.tube(&tube(&jitter(draw, &ureter, 4.0), 18.0), Tissue::RenalPelvis, FAT);
    }
}
