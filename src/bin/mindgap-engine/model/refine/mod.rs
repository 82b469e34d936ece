//! Refinement of predicted labels by what the scan at hand shows: no label is read. Structures are refined by their
//! own intensity, see [`intensity`], and hearts then by shape, see [`heart`].

mod foreign;
pub mod heart;
mod intensity;
mod mixture;
mod ratio;

use super::neighbourhood::connected_components;
use super::preprocess::KeepGoing;
use intensity::Build;
use mindgap::volume::{LabelMap, Task, Volume};

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
    /// Structures for which nothing better was found: they are as the net drew them.
    pub kept: Vec<u16>,
}

/// The same, given up with `None` once `keep_going` says no; it is asked many times a round.
pub fn refine_while(
    image: &Volume<f32>,
    probabilities: &[Volume<f32>],
    task: Task,
    keep_going: KeepGoing,
) -> Option<Outcome> {
    let own = argmax(probabilities);
    match task {
        Task::Abdomen => {
            let ways: [intensity::Draw; 2] = [mixture::draw, ratio::draw];
            intensity::refine(image, probabilities, own, &ways, Build::Solid, keep_going)
        }
        // Blood is alike in all chambers and vessels: taken for one intensity, they would run into each other.
        Task::Cardiac => intensity::refine(image, probabilities, own, &[ratio::draw], Build::Any, keep_going)
            .map(|outcome| heart::refine(outcome, probabilities)),
    }
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

/// Whether a structure is the same in two label maps on one grid, voxel by voxel.
fn same(a: &LabelMap, b: &LabelMap, structure: u16) -> bool {
    a.voxels().iter().zip(b.voxels()).all(|(a, b)| (*a == structure) == (*b == structure))
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

/// For each organ, only the 6-connected component with the largest summed squared probability stays.
fn keep_one_component(labels: &mut LabelMap, probabilities: &[Volume<f32>]) {
    let dims = labels.dims();
    for organ in 1..probabilities.len() {
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
