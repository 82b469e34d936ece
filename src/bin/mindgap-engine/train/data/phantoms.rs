//! Phantoms on the network grid, and bodies of the other task in which nothing is labelled.

use super::{TrainError, in_data};
use crate::model::preprocess;
use mindgap::config::train::{PhantomSource, TrainConfig};
use mindgap::dataset::case::{Annotation, Case};
use mindgap::dataset::phantom::{self, PhantomSpec, Tissue};
use mindgap::volume::{Modality, Task, Volume};
use std::ops::Range;

/// The phantom of a seed.
pub(super) fn phantom_case(
    config: &TrainConfig,
    modality: Modality,
    seed: u64,
    source: &PhantomSource,
    labelled: bool,
) -> Result<Case, TrainError> {
    let spec = PhantomSpec::of_source(source, config.task, modality, seed);
    let phantom = phantom::generate(&spec).map_err(in_data)?;
    let prepared = preprocess::prepare(&phantom.scan, modality, &config.preprocessing).map_err(in_data)?;
    let name = format!("phantom {seed}");
    if !labelled {
        return Ok(Case { name, modality, image: prepared.slices, annotation: None });
    }
    let tissues: Volume<u8> = preprocess::prepare_labels(&phantom.tissues, &prepared);
    if spec.task == config.task {
        let labels = preprocess::prepare_labels(&phantom.labels, &prepared).map(|&label| label as u8);
        let annotation = Some(Annotation::new(tissues, labels));
        return Ok(Case { name, modality, image: prepared.slices, annotation });
    }
    // A body of the other task shows what is none of this one's structures; where it shows some, in passing and without
    // detail, it would teach the opposite.
    let slices = slices_without_structures(&tissues, config.task);
    let (image, tissues) = (slab(&prepared.slices, &slices)?, slab(&tissues, &slices)?);
    let labels = tissues.map(|_| 0u8);
    Ok(Case { name, modality, image, annotation: Some(Annotation::new(tissues, labels)) })
}

/// The most slices in a row without a tissue that a task has a label for, or that surrounds such a one.
fn slices_without_structures(tissues: &Volume<u8>, task: Task) -> Range<usize> {
    let [ni, nj, nk] = tissues.dims();
    let structure =
        |tissue: Tissue| tissue.label(task) != 0 || (task == Task::Cardiac && tissue == Tissue::HeartWall);
    let shows = |slice: &[u8]| slice.iter().any(|&tissue| structure(Tissue::from_value(tissue)));
    let mut ends: Vec<usize> = tissues
        .voxels()
        .chunks_exact(ni * nj)
        .enumerate()
        .filter(|(_, s)| shows(s))
        .map(|(k, _)| k)
        .collect();
    ends.push(nk);
    let mut start = 0;
    let mut longest = 0..0;
    for end in ends {
        if end - start > longest.len() {
            longest = start..end;
        }
        start = end + 1;
    }
    longest
}

/// Some slices of a volume.
fn slab<T: Copy>(volume: &Volume<T>, slices: &Range<usize>) -> Result<Volume<T>, TrainError> {
    let [ni, nj, _] = volume.dims();
    let grid =
        volume.geometry().window([0, 0, slices.start as i64], [ni, nj, slices.len()]).map_err(in_data)?;
    Ok(Volume::from_fn(grid, |i, j, k| volume.at(i, j, slices.start + k)))
}
