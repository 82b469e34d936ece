//! Refinement of predicted labels by what the scan at hand shows: no label is read. Hearts are refined by shape, see
//! [`heart`]; abdominal organs by their own intensity:
//!
//! A net that was trained on synthetic contrast finds every organ and spills into what surrounds it. In one scan an
//! organ has one dominant intensity, so a mixture model with the net's probabilities as prior separates it from its
//! surroundings: per organ a robust Gaussian, for the rest a histogram, a few rounds of expectation and maximisation,
//! then the one connected component that holds most of the net's confidence. It assumes a roughly flat bias field and
//! a net that already finds the organ; in the modality the net was trained on it may cost more than it gains.

use super::heart;
use super::neighbourhood::{Region, connected_components, dilate, smooth_3d, smooth_in_plane};
use super::preprocess::KeepGoing;
use mindgap::volume::{LabelMap, Task, Volume};
use rayon::prelude::*;

/// Constants of the refinement, in network voxels and scaled intensity.
#[derive(Debug, Clone, Copy)]
struct RefineSettings {
    /// Exponent of the net's probability in the posterior.
    prior_weight: f32,
    rounds: usize,
    /// Labels may grow this far beyond what the net found.
    reach_voxels: usize,
    /// How far around the organs the background's histogram is taken.
    shell_voxels: usize,
}

impl Default for RefineSettings {
    fn default() -> Self {
        Self { prior_weight: 0.4, rounds: 5, reach_voxels: 3, shell_voxels: 6 }
    }
}

/// Bins of the background histogram over [0, 1.3].
const BINS: usize = 48;
const TOP: f32 = 1.3;
/// Organs with fewer sure voxels than this are left as the net drew them.
const MIN_SEED: usize = 30;

/// Refines the net's answer for one volume.
///
/// `image`: scaled intensities on the network grid. `probabilities`: one volume a class on the same grid, background
/// first. Returns labels 0..classes.
pub fn refine(image: &Volume<f32>, probabilities: &[Volume<f32>], task: Task) -> LabelMap {
    refine_while(image, probabilities, task, &|| true)
        .map_or_else(|| argmax(probabilities), |outcome| outcome.labels)
}

/// What a refinement came to.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub labels: LabelMap,
    /// The net's own labels.
    pub own: LabelMap,
    /// Structures that the refinement lost: they are as the net drew them.
    pub lost: Vec<u16>,
}

/// A refined structure that shares less than this with what the net drew (Dice) has been lost, not refined: the mixture
/// found another tissue. On phantoms lost ones shared up to 0.42, refined ones at least 0.62.
const LOST: f64 = 0.5;

/// The same, given up with `None` once `keep_going` says no; it is asked many times a round.
pub fn refine_while(
    image: &Volume<f32>,
    probabilities: &[Volume<f32>],
    task: Task,
    keep_going: KeepGoing,
) -> Option<Outcome> {
    let own = argmax(probabilities);
    let settings = RefineSettings::default();
    let mut labels = match task {
        Task::Abdomen => by_intensity(image, probabilities, own.clone(), &settings, keep_going)?,
        Task::Cardiac => heart::refine(own.clone(), probabilities),
    };
    let mut lost = Vec::new();
    for structure in 1..probabilities.len() as u16 {
        if overlap(&own, &labels, structure).is_some_and(|dice| dice < LOST) {
            restore(&mut labels, &own, structure);
            lost.push(structure);
        }
    }
    Some(Outcome { labels, own, lost })
}

/// Dice of one structure in two label maps on one grid; `None` where neither has it.
pub fn overlap(a: &LabelMap, b: &LabelMap, structure: u16) -> Option<f64> {
    let (mut both, mut sum) = (0u64, 0u64);
    for (a, b) in a.voxels().iter().zip(b.voxels()) {
        let (a, b) = (*a == structure, *b == structure);
        (both, sum) = (both + u64::from(a && b), sum + u64::from(a) + u64::from(b));
    }
    (sum > 0).then(|| 2.0 * both as f64 / sum as f64)
}

/// Makes a structure what it is in `own`.
pub fn restore(labels: &mut LabelMap, own: &LabelMap, structure: u16) {
    for (label, own) in labels.voxels_mut().iter_mut().zip(own.voxels()) {
        if *own == structure {
            *label = structure;
        } else if *label == structure {
            *label = 0;
        }
    }
}

fn by_intensity(
    image: &Volume<f32>,
    probabilities: &[Volume<f32>],
    mut labels: LabelMap,
    settings: &RefineSettings,
    keep_going: KeepGoing,
) -> Option<LabelMap> {
    // Nothing further from the organs is looked at or changed, so only their surroundings are worked on.
    let margin = settings.reach_voxels.max(settings.shell_voxels) + 1;
    let Some(region) = Region::around(&labels, margin) else { return Some(labels) };
    let image = region.cut(&smooth_in_plane(image));
    let near: Vec<Volume<f32>> = probabilities.iter().map(|class| region.cut(class)).collect();
    let refined = refine_region(&image, &near, &region.cut(&labels), settings, keep_going)?;
    region.paste(&refined, &mut labels);
    Some(labels)
}

fn refine_region(
    smooth: &Volume<f32>,
    probabilities: &[Volume<f32>],
    first: &LabelMap,
    settings: &RefineSettings,
    keep_going: KeepGoing,
) -> Option<LabelMap> {
    let dims = smooth.dims();
    let organs = 1..probabilities.len();
    let foreground: Vec<bool> = first.voxels().iter().map(|&l| l != 0).collect();
    let allowed = dilate(&foreground, dims, settings.reach_voxels);
    let shell = dilate(&foreground, dims, settings.shell_voxels);
    let mut labels = erode_labels(first);
    for round in 0..settings.rounds {
        let models: Vec<Option<Gaussian>> =
            organs.clone().map(|organ| Gaussian::fit(smooth, &labels, organ as u16)).collect();
        let background = background_likelihood(smooth, if round == 0 { first } else { &labels }, &shell);
        if !keep_going() {
            return None;
        }
        let mut posterior = expectation(smooth, probabilities, &models, &background, settings.prior_weight);
        for q in &mut posterior {
            if !keep_going() {
                return None;
            }
            *q = smooth_3d(q, dims);
        }
        labels = maximum(&posterior, &allowed, first);
    }
    keep_one_component(&mut labels, probabilities, organs.end);
    Some(labels)
}

/// The most probable class of each voxel.
pub fn argmax(probabilities: &[Volume<f32>]) -> LabelMap {
    let mut best = probabilities[0].map(|&p| (p, 0u16));
    for (class, volume) in probabilities.iter().enumerate().skip(1) {
        for (b, &p) in best.voxels_mut().iter_mut().zip(volume.voxels()) {
            if p > b.0 {
                *b = (p, class as u16);
            }
        }
    }
    best.map(|&(_, class)| class)
}

/// An organ's intensity.
#[derive(Debug, Clone, Copy)]
struct Gaussian {
    mean: f32,
    sd: f32,
}

impl Gaussian {
    /// Median and spread of the values near the mode of the organ's histogram.
    fn fit(image: &Volume<f32>, labels: &LabelMap, organ: u16) -> Option<Self> {
        let values: Vec<f32> = image
            .voxels()
            .iter()
            .zip(labels.voxels())
            .filter(|(_, label)| **label == organ)
            .map(|(v, _)| *v)
            .collect();
        if values.len() < MIN_SEED {
            return None;
        }
        let histogram = histogram(values.iter().copied());
        let mode = histogram.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?.0;
        let centre = (mode as f32 + 0.5) * TOP / BINS as f32;
        let mut near: Vec<f32> = values.into_iter().filter(|v| (v - centre).abs() < 0.15).collect();
        if near.is_empty() {
            return None;
        }
        let mean = median(&mut near);
        let mut deviations: Vec<f32> = near.iter().map(|v| (v - mean).abs()).collect();
        // 1.4826 turns a median absolute deviation into a standard deviation.
        let sd = 1.3 * (1.4826 * median(&mut deviations)).max(0.03);
        Some(Self { mean, sd })
    }

    fn density(&self, value: f32) -> f32 {
        let z = (value - self.mean) / self.sd;
        (-0.5 * z * z).exp() / (self.sd * (2.0 * std::f32::consts::PI).sqrt())
    }
}

fn median(values: &mut [f32]) -> f32 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

/// Smoothed density over [0, TOP], floored so that no intensity is impossible.
fn histogram(values: impl Iterator<Item = f32>) -> [f32; BINS] {
    let mut counts = [0.0f32; BINS];
    let mut total = 0.0f32;
    for value in values {
        counts[bin(value)] += 1.0;
        total += 1.0;
    }
    let per_unit = BINS as f32 / TOP / total.max(1.0);
    std::array::from_fn(|b| {
        let at = |i: isize| counts[(b as isize + i).clamp(0, BINS as isize - 1) as usize];
        (at(-2) + 4.0 * at(-1) + 6.0 * at(0) + 4.0 * at(1) + at(2)) / 16.0 * per_unit
    })
}

fn bin(value: f32) -> usize {
    ((value / TOP * BINS as f32).max(0.0) as usize).min(BINS - 1)
}

fn background_likelihood(image: &Volume<f32>, labels: &LabelMap, shell: &[bool]) -> [f32; BINS] {
    let values = image
        .voxels()
        .iter()
        .zip(labels.voxels())
        .zip(shell)
        .filter(|((value, label), near)| **near && **label == 0 && **value > 0.0)
        .map(|((value, _), _)| *value);
    histogram(values).map(|density| density.max(0.05))
}

/// q_c(p) ~ prior^alpha x likelihood, normalised over the classes.
fn expectation(
    image: &Volume<f32>,
    probabilities: &[Volume<f32>],
    models: &[Option<Gaussian>],
    background: &[f32; BINS],
    prior_weight: f32,
) -> Vec<Vec<f32>> {
    let classes = probabilities.len();
    let posteriors: Vec<Vec<f32>> = image
        .voxels()
        .par_iter()
        .enumerate()
        .map(|(offset, &value)| {
            let mut q: Vec<f32> = (0..classes)
                .map(|class| {
                    let prior = probabilities[class].voxels()[offset].clamp(0.03, 1.0).powf(prior_weight);
                    let likelihood = match class.checked_sub(1).map(|organ| &models[organ]) {
                        None => background[bin(value)],
                        Some(Some(gaussian)) => gaussian.density(value),
                        // An organ without a model keeps the background's likelihood: the net alone decides.
                        Some(None) => background[bin(value)],
                    };
                    prior * likelihood
                })
                .collect();
            let sum: f32 = q.iter().sum::<f32>().max(1e-12);
            q.iter_mut().for_each(|v| *v /= sum);
            q
        })
        .collect();
    (0..classes).map(|class| posteriors.iter().map(|q| q[class]).collect()).collect()
}

fn maximum(posterior: &[Vec<f32>], allowed: &[bool], template: &LabelMap) -> LabelMap {
    let mut labels = template.clone();
    for (offset, label) in labels.voxels_mut().iter_mut().enumerate() {
        let mut best = 0;
        for class in 1..posterior.len() {
            if posterior[class][offset] > posterior[best][offset] {
                best = class;
            }
        }
        *label = if allowed[offset] { best as u16 } else { 0 };
    }
    labels
}

/// For each organ, only the 6-connected component with the largest summed squared probability stays.
pub fn keep_one_component(labels: &mut LabelMap, probabilities: &[Volume<f32>], classes: usize) {
    let dims = labels.dims();
    for organ in 1..classes {
        let mask: Vec<bool> = labels.voxels().iter().map(|&l| l == organ as u16).collect();
        let components = connected_components(&mask, dims);
        let trust = |component: &Vec<usize>| {
            component.iter().map(|&o| f64::from(probabilities[organ].voxels()[o]).powi(2)).sum::<f64>()
        };
        let Some(best) =
            (0..components.len()).max_by(|&a, &b| trust(&components[a]).total_cmp(&trust(&components[b])))
        else {
            continue;
        };
        for (index, component) in components.iter().enumerate() {
            if index != best {
                component.iter().for_each(|&offset| labels.voxels_mut()[offset] = 0);
            }
        }
    }
}

/// Labels two voxels inside their organ in the plane; the whole organ where nothing is left of it.
fn erode_labels(labels: &LabelMap) -> LabelMap {
    let [ni, nj, _] = labels.dims();
    let mut eroded = labels.clone();
    for _ in 0..2 {
        let previous = eroded.clone();
        for (offset, label) in eroded.voxels_mut().iter_mut().enumerate() {
            let (i, j) = (offset % ni, offset / ni % nj);
            let inner = i > 0 && j > 0 && i + 1 < ni && j + 1 < nj;
            let here = previous.voxels()[offset];
            let same = |o: usize| previous.voxels()[o] == here;
            if !(inner && same(offset - 1) && same(offset + 1) && same(offset - ni) && same(offset + ni)) {
                *label = 0;
            }
        }
    }
    let largest = labels.voxels().iter().copied().max().unwrap_or(0);
    for organ in 1..=largest {
        if eroded.voxels().iter().filter(|&&l| l == organ).count() < MIN_SEED {
            for (e, &l) in eroded.voxels_mut().iter_mut().zip(labels.voxels()) {
                if l == organ {
                    *e = organ;
                }
            }
        }
    }
    eroded
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mindgap::volume::Geometry;

    #[test]
    fn a_label_that_spills_into_brighter_fat_is_pulled_back_and_stray_islands_go() {
        let grid = Geometry::axis_aligned([40, 40, 12], [3.0; 3], [0.0; 3]).unwrap();
        let organ = |i: usize, j: usize| (i as f32 - 20.0).hypot(j as f32 - 20.0) < 9.0;
        let image = Volume::from_fn(grid.clone(), |i, j, k| {
            let noise = ((i * 7 + j * 13 + k * 5) % 11) as f32 / 11.0 * 0.06 - 0.03;
            if organ(i, j) { 0.4 + noise } else { 0.9 + noise }
        });
        let found = Volume::from_fn(grid, |i, j, _| {
            let spill = (i as f32 - 20.0).hypot(j as f32 - 20.0) < 12.0;
            let island = i < 4 && j < 4;
            if spill || island { 0.9f32 } else { 0.05 }
        });
        let background = found.map(|p| 1.0 - p);
        let probabilities = [background, found];
        let refined = refine(&image, &probabilities, Task::Abdomen);
        let dice = |labels: &LabelMap| {
            let pairs =
                labels.voxels().iter().enumerate().map(|(o, &l)| (l == 1, organ(o % 40, o / 40 % 40)));
            let (both, sum) = pairs.fold((0, 0), |(both, sum), (a, b)| {
                (both + usize::from(a && b), sum + usize::from(a) + usize::from(b))
            });
            2.0 * f64::from(both as u32) / f64::from(sum as u32)
        };
        let (before, after) = (dice(&argmax(&probabilities)), dice(&refined));
        assert!(before < 0.75 && after > 0.87, "Dice {before:.3} before, {after:.3} after");
        assert_eq!(refined.at(1, 1, 5), 0, "the stray island must go");
    }

    #[test]
    fn a_structure_that_the_mixture_takes_for_another_tissue_stays_as_the_net_drew_it() {
        // The net drew a ball of which a small bright core is the commonest intensity.
        let grid = Geometry::axis_aligned([40, 40, 12], [3.0; 3], [0.0; 3]).unwrap();
        let radius = |i: usize, j: usize| (i as f32 - 20.0).hypot(j as f32 - 20.0);
        let image = Volume::from_fn(grid.clone(), |i, j, k| match radius(i, j) {
            r if r < 5.0 => 0.9,
            r if r < 9.0 => 0.2 + ((i * 7 + j * 13 + k * 5) % 19) as f32 * 0.03,
            _ => 0.2 + ((i * 5 + j * 3 + k * 11) % 19) as f32 * 0.03,
        });
        let found = Volume::from_fn(grid, |i, j, _| if radius(i, j) < 9.0 { 0.9f32 } else { 0.05 });
        let probabilities = [found.map(|p| 1.0 - p), found];
        let outcome = refine_while(&image, &probabilities, Task::Abdomen, &|| true).unwrap();
        assert_eq!(outcome.lost, [1]);
        assert_eq!(outcome.labels.voxels(), outcome.own.voxels());
    }
}
