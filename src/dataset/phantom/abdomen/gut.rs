//! Stomach, duodenum, small bowel, colon and pancreas.

use crate::dataset::phantom::random::{Draw, SmoothField};
use crate::dataset::phantom::scene::Scene;
use crate::dataset::phantom::shapes::{Bounds, Capsule, Node, jitter, node, tube};
use crate::dataset::phantom::tissue::{Tissue, TissueSet};
use crate::dataset::phantom::torso::Torso;
use glam::Vec3;

const GUT: TissueSet = TissueSet::of(&[
    Tissue::VisceralFat,
    Tissue::BowelWall,
    Tissue::BowelContent,
    Tissue::ColonWall,
    Tissue::Stool,
    Tissue::Gas,
    Tissue::Pancreas,
]);

/// How a hollow organ is filled.
#[derive(Clone, Copy)]
struct Filling {
    wall: Tissue,
    content: Tissue,
    wall_mm: f32,
    /// Share of the lumen's height, from the front, that is gas; negative for none.
    gas: f32,
}

pub(super) fn paint(scene: &mut Scene, torso: &Torso, draw: &mut Draw) {
    small_bowel(scene, torso, draw);
    pancreas(scene, draw);
    colon(scene, torso, draw);
    duodenum(scene, draw);
    stomach(scene, torso, draw);
}

/// Paints wall, then lumen, clipped to the abdomen so that the wall of the body is never pierced.
fn hollow(scene: &mut Scene, torso: &Torso, cones: &[Capsule], filling: Filling, draw: &mut Draw) {
    let folds = SmoothField::new(11.0, draw.seed());
    for &cone in cones {
        let inside = torso.clone();
        scene.fill(cone.bounds(), filling.wall, GUT, move |p| {
            (cone.distance(p) + 1.5 * folds.at(p)).max(inside.abdomen(p) + 2.0)
        });
    }
    let walls = TissueSet::of(&[filling.wall]);
    for &cone in cones {
        let lumen = cone.grown(-filling.wall_mm);
        scene.paint(lumen.bounds(), move |p, was| {
            if !walls.contains(was) || lumen.distance(p) + 1.5 * folds.at(p) > 0.0 {
                return was;
            }
            let radius = lumen.radius_from.max(lumen.radius_to);
            let middle = 0.5 * (lumen.from.y + lumen.to.y);
            // Gas rises to the front of a patient on his back.
            if p.y - middle > radius * (1.0 - 2.0 * filling.gas) { Tissue::Gas } else { filling.content }
        });
    }
}

fn small_bowel(scene: &mut Scene, torso: &Torso, draw: &mut Draw) {
    let low = Vec3::new(-88.0, 38.0, -205.0);
    let high = Vec3::new(92.0, 118.0, -48.0);
    for _ in 0..draw.index(7) + 7 {
        let radius = draw.range(8.5, 14.0);
        let mut at =
            low + (high - low) * Vec3::new(draw.range(0.0, 1.0), draw.range(0.0, 1.0), draw.range(0.0, 1.0));
        let mut heading = draw.direction();
        let mut nodes = vec![Node { at, radius }];
        for _ in 0..14 + draw.index(12) {
            heading = (heading + 1.1 * draw.direction()).normalize_or_zero();
            let next = at + heading * 24.0;
            let kept = next.clamp(low, high);
            if kept != next {
                heading = (kept - at).normalize_or_zero();
            }
            at = kept;
            nodes.push(Node { at, radius: radius * draw.range(0.75, 1.2) });
        }
        let filling = Filling {
            wall: Tissue::BowelWall,
            content: Tissue::BowelContent,
            wall_mm: if draw.chance(0.3) { 20.0 } else { draw.range(1.8, 3.2) },
            gas: if draw.chance(0.25) { draw.range(0.2, 0.6) } else { -1.0 },
        };
        hollow(scene, torso, &tube(&nodes, 12.0), filling, draw);
    }
}

fn colon(scene: &mut Scene, torso: &Torso, draw: &mut Draw) {
    let v = torso.visceral_mm;
    let course = [
        node(96.0, 52.0, -150.0, 27.0),
        node(108.0, 44.0, -110.0, 25.0),
        node(112.0, 36.0, -72.0, 23.0),
        node(96.0, 66.0, -44.0, 22.0),
        node(52.0, 112.0 + v, -62.0, 20.0),
        node(0.0, 122.0 + v, -74.0, 20.0),
        node(-52.0, 108.0 + v, -40.0, 20.0),
        node(-98.0, 62.0, 6.0, 19.0),
        node(-118.0, 22.0, -22.0, 17.0),
        node(-118.0, 18.0, -80.0, 15.0),
        node(-106.0, 34.0, -130.0, 14.0),
        node(-72.0, 58.0, -172.0, 15.0),
        node(-20.0, 40.0, -178.0, 16.0),
        node(-4.0, 2.0, -205.0, 17.0),
        node(0.0, -8.0, -245.0, 17.0),
    ];
    let girth = draw.range(0.75, 1.2);
    let nodes: Vec<Node> =
        jitter(draw, &course, 11.0).iter().map(|n| Node { radius: n.radius * girth, ..*n }).collect();
    // Haustra: the girth goes up and down along the tube. Content changes from stretch to stretch.
    let mut cones = tube(&nodes, 10.0);
    for (i, cone) in cones.iter_mut().enumerate() {
        let pulse = [1.0, 1.12, 1.0, 0.84][i % 4];
        cone.radius_from *= pulse;
        cone.radius_to *= [1.12, 1.0, 0.84, 1.0][i % 4];
    }
    for stretch in cones.chunks(6) {
        let filling = Filling {
            wall: Tissue::ColonWall,
            content: Tissue::Stool,
            wall_mm: draw.range(2.0, 3.5),
            gas: if draw.chance(0.55) { draw.range(0.1, 1.0) } else { -1.0 },
        };
        hollow(scene, torso, stretch, filling, draw);
    }
}

fn stomach(scene: &mut Scene, torso: &Torso, draw: &mut Draw) {
    let top = torso.left_dome_top();
    let course = [
        node(-52.0, 18.0, top - 34.0, 30.0),
        node(-66.0, 38.0, top - 52.0, 38.0),
        node(-66.0, 64.0, 14.0, 33.0),
        node(-48.0, 92.0, -16.0, 26.0),
        node(-12.0, 106.0, -28.0, 21.0),
        node(24.0, 92.0, -18.0, 15.0),
        node(40.0, 78.0, -12.0, 11.0),
    ];
    let fullness = draw.range(0.55, 1.15);
    let nodes: Vec<Node> =
        jitter(draw, &course, 7.0).iter().map(|n| Node { radius: n.radius * fullness, ..*n }).collect();
    let filling = Filling {
        wall: Tissue::StomachWall,
        content: Tissue::StomachContent,
        wall_mm: draw.range(3.0, 6.5),
        gas: if draw.chance(0.75) { draw.range(0.1, 0.6) } else { -1.0 },
    };
    hollow(scene, torso, &tube(&nodes, 12.0), filling, draw);
    let gullet = [node(-16.0, 2.0, 74.0, 8.0), node(-8.0, 2.0, 110.0, 8.0), node(-6.0, -2.0, 200.0, 8.0)];
    scene.tube(
        &tube(&jitter(draw, &gullet, 3.0), 18.0),
        Tissue::Oesophagus,
        TissueSet::of(&[Tissue::VisceralFat, Tissue::Lung, Tissue::Muscle]),
    );
}

fn duodenum(scene: &mut Scene, draw: &mut Draw) {
    let course = [
        node(42.0, 76.0, -14.0, 12.0),
        node(54.0, 58.0, -28.0, 12.0),
        node(52.0, 48.0, -62.0, 12.0),
        node(22.0, 56.0, -78.0, 11.0),
        node(-20.0, 60.0, -70.0, 11.0),
        node(-36.0, 68.0, -48.0, 11.0),
    ];
    let cones = tube(&jitter(draw, &course, 5.0), 12.0);
    scene.tube(&cones, Tissue::BowelWall, GUT);
    let lumen: Vec<Capsule> = cones.iter().map(|c| c.grown(-draw.range(2.0, 7.0))).collect();
    let content = if draw.chance(0.2) { Tissue::Gas } else { Tissue::BowelContent };
    scene.tube(&lumen, content, TissueSet::of(&[Tissue::BowelWall]));
}

fn pancreas(scene: &mut Scene, draw: &mut Draw) {
    let course = [
        node(38.0, 58.0, -42.0, 13.0),
        node(28.0, 64.0, -22.0, 14.0),
        node(4.0, 72.0, -10.0, 10.0),
        node(-30.0, 60.0, 0.0, 10.0),
        node(-62.0, 34.0, 8.0, 10.0),
        node(-88.0, 14.0, 12.0, 7.0),
    ];
    // Fat between the lobules, more with age.
    let lobules = SmoothField::new(6.0, draw.seed());
    let fatty = draw.range(0.35, 0.9);
    for cone in tube(&jitter(draw, &course, 6.0), 10.0) {
        let reach = Vec3::splat(2.0);
        let bounds = Bounds { low: cone.bounds().low - reach, high: cone.bounds().high + reach };
        scene.paint(bounds, move |p, was| {
            let ragged = cone.distance(p) + 2.0 * lobules.at(p);
            let gland = GUT.contains(was) && ragged < 0.0 && lobules.at(p + 30.0) < fatty;
            if gland { Tissue::Pancreas } else { was }
        });
    }
}
