//! An organ as one narrow intensity: a Gaussian an organ, a histogram for the rest, the net's probabilities as prior, and a
//! few rounds of expectation and maximisation.

use super::super::preprocess::KeepGoing;
use super::intensity::{BINS, MIN_SEED, ROUNDS, Scene, TOP, bin, erode_labels, median, smoothed_counts};
use mindgap::volume::LabelMap;
use rayon::prelude::*;

/// Exponent of the net's probability in the posterior, and the least probability that counts.
const PRIOR_WEIGHT: f32 = 0.7;
const LEAST_PRIOR: f32 = 0.03;
/// Standard deviation of an organ's intensity. Estimated ones, up to twice that, took in the fat that touches a kidney.
const SPREAD: f32 = 0.042;
/// Values this near to the mode of an organ's histogram make its mean.
const NEAR_MODE: f32 = 0.1;
/// No intensity is impossible in the surroundings.
const LEAST_DENSITY: f32 = 0.05;

pub(super) fn draw(scene: &Scene, keep_going: KeepGoing) -> Option<LabelMap> {
    let shell = scene.shell(|label| label != 0);
    let mut labels = erode_labels(&scene.own);
    for round in 0..ROUNDS {
        if !keep_going() {
            return None;
        }
        let means: Vec<Option<f32>> = scene.organs().map(|organ| mean(scene, &labels, organ)).collect();
        let around = surroundings(scene, if round == 0 { &scene.own } else { &labels }, &shell);
        labels = scene.highest(posterior(scene, &means, &around));
    }
    Some(labels)
}

/// Median of the values near the mode of an organ's histogram.
fn mean(scene: &Scene, labels: &LabelMap, organ: u16) -> Option<f32> {
    let inside = scene.image.voxels().iter().zip(labels.voxels()).filter(|(_, label)| **label == organ);
    let values: Vec<f32> = inside.map(|(value, _)| *value).collect();
    if values.len() < MIN_SEED {
        return None;
    }
    let counts = smoothed_counts(values.iter().copied());
    let mode = counts.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?.0;
    let centre = (mode as f32 + 0.5) * TOP / BINS as f32;
    let mut near: Vec<f32> = values.into_iter().filter(|v| (v - centre).abs() < NEAR_MODE).collect();
    median(&mut near)
}

/// Density of the intensities near the organs and in none of them.
fn surroundings(scene: &Scene, labels: &LabelMap, shell: &[bool]) -> [f32; BINS] {
    let voxels = scene.image.voxels().iter().zip(labels.voxels()).zip(shell);
    let values: Vec<f32> = voxels
        .filter(|((value, label), near)| **near && **label == 0 && **value > 0.0)
        .map(|((value, _), _)| *value)
        .collect();
    let per_unit = BINS as f32 / TOP / (values.len() as f32).max(1.0);
    smoothed_counts(values.into_iter()).map(|count| (count * per_unit).max(LEAST_DENSITY))
}

/// q_c(p) ~ prior^weight x likelihood, normalised over the classes; one vector a class.
fn posterior(scene: &Scene, means: &[Option<f32>], around: &[f32; BINS]) -> Vec<Vec<f32>> {
    let classes = scene.probabilities.len();
    let posteriors: Vec<Vec<f32>> = scene
        .image
        .voxels()
        .par_iter()
        .enumerate()
        .map(|(offset, &value)| {
            let score = |class: usize| {
                let prior = scene.probabilities[class].voxels()[offset].clamp(LEAST_PRIOR, 1.0);
                let likelihood = match class.checked_sub(1).and_then(|organ| means[organ]) {
                    Some(mean) => density(value, mean),
                    // An organ without a mean has the likelihood of its surroundings: the net alone decides.
                    None => around[bin(value)],
                };
                prior.powf(PRIOR_WEIGHT) * likelihood
            };
            let mut q: Vec<f32> = (0..classes).map(score).collect();
            let sum: f32 = q.iter().sum::<f32>().max(1e-12);
            q.iter_mut().for_each(|v| *v /= sum);
            q
        })
        .collect();
    (0..classes).map(|class| posteriors.iter().map(|q| q[class]).collect()).collect()
}

fn density(value: f32, mean: f32) -> f32 {
    let z = (value - mean) / SPREAD;
    (-0.5 * z * z).exp() / (SPREAD * (2.0 * std::f32::consts::PI).sqrt())
}
