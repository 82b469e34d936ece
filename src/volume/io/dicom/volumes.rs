//! Telling volumes apart that lie at the same places: time points, echoes, b-values, magnitude and phase.
//!
//! Invariant: slices are given to different volumes because an attribute says so, never by chance; where nothing says
//! so they are refused.

use super::header::{KEYS, Key};
use super::slice::{Slice, by_place};
use std::cmp::Ordering;

/// Slices that were told apart.
#[derive(Debug)]
pub(super) struct Split {
    /// Each has at most one slice at a place.
    pub volumes: Vec<Vec<Slice>>,
    pub notes: Vec<String>,
}

/// Splits slices of one orientation and size, so that no volume has two at the same place.
pub(super) fn split(slices: Vec<Slice>) -> Result<Split, String> {
    let (slices, copies) = without_copies(slices);
    let mut notes = Vec::new();
    if copies > 0 {
        notes.push(format!("{copies} slices are there twice; the copies were left out."));
    }
    let volumes = tell_apart(slices)?;
    Ok(Split { volumes, notes })
}

fn without_copies(slices: Vec<Slice>) -> (Vec<Slice>, usize) {
    let before = slices.len();
    let mut kept = Vec::with_capacity(before);
    for place in by_place(slices) {
        let first = kept.len();
        for slice in place {
            if !kept[first..].iter().any(|other: &Slice| slice.is_copy_of(other)) {
                kept.push(slice);
            }
        }
    }
    let copies = before - kept.len();
    (kept, copies)
}

/// Takes the first attribute that splits cleanly, and goes on with each part: there are at most as many rounds as
/// attributes, because one that has split cannot split its parts again.
fn tell_apart(slices: Vec<Slice>) -> Result<Vec<Vec<Slice>>, String> {
    let places = by_place(slices);
    let deepest = places.iter().map(Vec::len).max().unwrap_or(0);
    if deepest <= 1 {
        return Ok(vec![places.into_iter().flatten().collect()]);
    }
    let regular = places.iter().all(|place| place.len() == deepest);
    for key in 0..KEYS.len() {
        let parts = partition(&places, key);
        let clean = if regular {
            parts.iter().all(|part| covers_evenly(part, places.len()))
        } else {
            are_stacks(&parts)
        };
        if parts.len() > 1 && clean {
            let volumes: Result<Vec<_>, _> = parts.into_iter().map(tell_apart).collect();
            return Ok(volumes?.into_iter().flatten().collect());
        }
    }
    if regular { ranked(&places, deepest) } else { Err(cannot(&places, deepest)) }
}

/// The slices of each value of an attribute, in ascending order of the value.
fn partition(places: &[Vec<Slice>], key: usize) -> Vec<Vec<Slice>> {
    let mut parts: Vec<(Option<Key>, Vec<Slice>)> = Vec::new();
    for slice in places.iter().flatten() {
        let value = &slice.plane().keys[key];
        match parts.iter_mut().find(|(known, _)| known == value) {
            Some((_, part)) => part.push(slice.clone()),
            None => parts.push((value.clone(), vec![slice.clone()])),
        }
    }
    parts.sort_by(|(a, _), (b, _)| a.partial_cmp(b).unwrap_or(Ordering::Equal));
    parts.into_iter().map(|(_, part)| part).collect()
}

/// Whether no part has two slices at a place, and most slices share a part with others: what is another in every image, such
/// as its time, would make as many volumes as there are slices.
fn are_stacks(parts: &[Vec<Slice>]) -> bool {
    let single = parts.iter().filter(|part| part.len() == 1).count();
    let slices: usize = parts.iter().map(Vec::len).sum();
    2 * single <= slices && parts.iter().all(|part| by_place(part.clone()).len() == part.len())
}

fn covers_evenly(part: &[Slice], places: usize) -> bool {
    let covered = by_place(part.to_vec());
    covered.len() == places && covered.iter().all(|place| place.len() == covered[0].len())
}

/// Orders the slices of each place by an attribute that differs there, such as a trigger time that is another in every
/// slice: the first of each place make the first volume.
fn ranked(places: &[Vec<Slice>], deepest: usize) -> Result<Vec<Vec<Slice>>, String> {
    let by_key = |key: usize| move |slice: &Slice| slice.plane().keys[key].clone();
    let by_instance = |slice: &Slice| slice.plane().instance.map(Key::Number);
    let order = (0..KEYS.len())
        .find(|key| places.iter().all(|place| differs(place, by_key(*key))))
        .map(|key| Box::new(by_key(key)) as Box<dyn Fn(&Slice) -> Option<Key>>)
        .or_else(|| {
            places.iter().all(|place| differs(place, by_instance)).then(|| Box::new(by_instance) as _)
        })
        .ok_or_else(|| cannot(places, deepest))?;
    let mut volumes = vec![Vec::with_capacity(places.len()); deepest];
    for place in places {
        let mut place = place.clone();
        place.sort_by(|a, b| order(a).partial_cmp(&order(b)).unwrap_or(Ordering::Equal));
        for (volume, slice) in volumes.iter_mut().zip(place) {
            volume.push(slice);
        }
    }
    Ok(volumes)
}

fn differs(place: &[Slice], value: impl Fn(&Slice) -> Option<Key>) -> bool {
    let mut values: Vec<_> = place.iter().map(value).collect();
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
    values.iter().all(Option::is_some) && values.windows(2).all(|pair| pair[0] != pair[1])
}

fn cannot(places: &[Vec<Slice>], deepest: usize) -> String {
    let crowded = places.iter().find(|place| place.len() == deepest);
    let place = crowded.and_then(|place| place.first()?.along_normal_mm());
    let place = place.map_or_else(String::new, |mm| format!(" (at {mm:.2} mm along the stack)"));
    let fewest = places.iter().map(Vec::len).min().filter(|fewest| *fewest < deepest);
    let uneven = fewest.map_or_else(String::new, |fewest| {
        format!(" and {fewest} at another, as where a file is missing or there twice")
    });
    let names: Vec<&str> = KEYS.iter().map(|(name, _)| *name).collect();
    format!(
        "up to {deepest} slices lie at the same place{place}{uneven}, and none of {} tells them apart",
        names.join(", ")
    )
}
