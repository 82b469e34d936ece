//! An organ by how much commoner its intensities are inside than around: the logarithm of the ratio of two histograms is
//! added to the net's own log odds, and a few rounds take both histograms anew.

use super::super::preprocess::KeepGoing;
use super::intensity::{BINS, MIN_SEED, ROUNDS, Scene, bin, erode_labels, smoothed_counts};
use mindgap::volume::LabelMap;

/// Weight of the net's log odds, and the least probability and least doubt that count.
const PRIOR_WEIGHT: f32 = 0.5;
const LEAST_PRIOR: f32 = 0.03;
/// An intensity speaks for or against an organ at most this strongly.
const STRONGEST: f32 = 9.0;
/// Of where an organ can not be.
const NEVER: f32 = -9.0;

pub(super) fn draw(scene: &Scene, keep_going: KeepGoing) -> Option<LabelMap> {
    let shells: Vec<Vec<bool>> = scene.organs().map(|organ| scene.shell(|label| label == organ)).collect();
    let mut labels = erode_labels(&scene.own);
    for round in 0..ROUNDS {
        if !keep_going() {
            return None;
        }
        // In the first round only the core of an organ counts as inside, but all that the net drew as not outside.
        let outside = if round == 0 { &scene.own } else { &labels };
        let mut scores = vec![vec![0.0; scene.own.voxels().len()]];
        for (organ, shell) in scene.organs().zip(&shells) {
            scores.push(log_odds(scene, organ, shell, &labels, outside));
        }
        labels = scene.highest(scores);
    }
    Some(labels)
}

/// Log odds that a voxel is the organ.
fn log_odds(scene: &Scene, organ: u16, shell: &[bool], labels: &LabelMap, outside: &LabelMap) -> Vec<f32> {
    let image = scene.image.voxels();
    let values = |wanted: &dyn Fn(usize) -> bool| -> Vec<f32> {
        (0..image.len()).filter(|&offset| wanted(offset)).map(|offset| image[offset]).collect()
    };
    let inside = values(&|offset| labels.voxels()[offset] == organ);
    if inside.len() < MIN_SEED {
        return scene.own.voxels().iter().map(|&label| if label == organ { 1.0 } else { NEVER }).collect();
    }
    let around = values(&|offset| shell[offset] && outside.voxels()[offset] != organ && image[offset] > 0.0);
    let balance = (around.len().max(1) as f32 / inside.len() as f32).ln();
    let (inside, around) = (smoothed_counts(inside.into_iter()), smoothed_counts(around.into_iter()));
    let speaks: [f32; BINS] = std::array::from_fn(|b| {
        (((inside[b] + 1.0) / (around[b] + 1.0)).ln() + balance).clamp(-STRONGEST, STRONGEST)
    });
    let prior = scene.probabilities[usize::from(organ)].voxels();
    (0..image.len())
        .map(|offset| {
            if !shell[offset] {
                return NEVER;
            }
            let p = prior[offset].clamp(LEAST_PRIOR, 1.0 - LEAST_PRIOR);
            PRIOR_WEIGHT * (p / (1.0 - p)).ln() + speaks[bin(image[offset])]
        })
        .collect()
}
