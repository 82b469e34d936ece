//! Refinement of structures by their intensity in the scan at hand.
//!
//! A net that was trained on synthetic contrast finds every organ and spills into what surrounds it. An organ is drawn anew
//! in one or two ways, and of these and the net's own drawing, all less stray islands and
//! [parts of another tissue](super::foreign), it gets the one whose border follows the strongest edges of the scan:
//! * [`mixture`](super::mixture) takes it for one narrow intensity. It finds the organ even where most of what the net drew is something else,
//!   but loses half of a kidney whose cortex and medulla differ, and all of a liver that is not the commonest thing it holds;
//! * [`ratio`](super::ratio) asks how much commoner an intensity is inside than around. It takes any number of intensities, but needs a net
//!   that drew more of the organ than of its surroundings.
//!
//! Both assume a roughly flat bias field. Nothing here reads a label or changes a voxel far from what the net drew.

use super::super::neighbourhood::{Region, dilate, smooth_3d, smooth_in_plane};
use super::super::preprocess::KeepGoing;
use super::{Outcome, foreign, keep_one_component, overlap, restore, same};
use mindgap::volume::{LabelMap, Volume};
use rayon::prelude::*;

/// Labels may grow this far beyond what the net found, in voxels.
const REACH: usize = 3;
/// How far around an organ its surroundings go, in voxels.
const SHELL: usize = 6;
/// Rounds of drawing an organ by its intensities and taking its intensities anew.
pub(super) const ROUNDS: usize = 5;
/// Organs with fewer sure voxels than this are left as the net drew them.
pub(super) const MIN_SEED: usize = 30;
/// A drawing that shares less than this with the net's own (Dice) shows another tissue. So does one that shares less than
/// `MUCH_THE_SAME` and takes away what the net was as sure of as of what stays: where a drawing was right, the net's
/// probability was lower by 0.06 or more in what went.
const ANOTHER_TISSUE: f64 = 0.3;
const MUCH_THE_SAME: f64 = 0.9;
const LESS_SURE: f64 = 0.05;

/// Bins of intensity over [0, TOP].
pub(super) const BINS: usize = 48;
pub(super) const TOP: f32 = 1.3;

/// What both ways of drawing work on: the surroundings of the organs, cut out of the scan.
pub(super) struct Scene {
    /// Scaled intensities, slightly smoothed.
    pub(super) image: Volume<f32>,
    /// One volume a class, background first.
    pub(super) probabilities: Vec<Volume<f32>>,
    /// What the net drew.
    pub(super) own: LabelMap,
    /// Where a label may be.
    allowed: Vec<bool>,
}

impl Scene {
    /// Nothing further from the organs is looked at or changed, so only their surroundings are worked on. `None` where the
    /// net drew nothing.
    fn around(image: &Volume<f32>, probabilities: &[Volume<f32>], own: &LabelMap) -> Option<(Region, Self)> {
        let region = Region::around(own, REACH.max(SHELL) + 1)?;
        let own = region.cut(own);
        let drawn: Vec<bool> = own.voxels().iter().map(|&label| label != 0).collect();
        let scene = Self {
            image: region.cut(&smooth_in_plane(image)),
            probabilities: probabilities.iter().map(|class| region.cut(class)).collect(),
            allowed: dilate(&drawn, own.dims(), REACH),
            own,
        };
        Some((region, scene))
    }

    pub(super) fn organs(&self) -> std::ops::Range<u16> {
        1..self.probabilities.len() as u16
    }

    pub(super) fn shell(&self, drawn: impl Fn(u16) -> bool) -> Vec<bool> {
        let drawn: Vec<bool> = self.own.voxels().iter().map(|&label| drawn(label)).collect();
        dilate(&drawn, self.own.dims(), SHELL)
    }

    /// The class of the largest smoothed score at each voxel, where a label may be.
    pub(super) fn highest(&self, scores: Vec<Vec<f32>>) -> LabelMap {
        let dims = self.own.dims();
        let scores: Vec<Vec<f32>> = scores.par_iter().map(|score| smooth_3d(score, dims)).collect();
        let mut labels = self.own.clone();
        for (offset, label) in labels.voxels_mut().iter_mut().enumerate() {
            let mut best = 0;
            for class in 1..scores.len() {
                if scores[class][offset] > scores[best][offset] {
                    best = class;
                }
            }
            *label = if self.allowed[offset] { best as u16 } else { 0 };
        }
        labels
    }
}

/// A way to draw all structures anew; `None` where it was told to stop.
pub(super) type Draw = fn(&Scene, KeepGoing) -> Option<LabelMap>;

/// What structures are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Build {
    /// Nowhere less than three voxels wide in the plane.
    Solid,
    /// Thin walls among them.
    Any,
}

/// Refines the net's own labels, in the given ways. `image` and `probabilities` as for [`super::refine`].
pub(super) fn refine(
    image: &Volume<f32>,
    probabilities: &[Volume<f32>],
    own: LabelMap,
    ways: &[Draw],
    build: Build,
    keep_going: KeepGoing,
) -> Option<Outcome> {
    let Some((region, scene)) = Scene::around(image, probabilities, &own) else {
        return Some(Outcome { labels: own.clone(), own, kept: (1..probabilities.len() as u16).collect() });
    };
    let mut drawings = Vec::new();
    let whole = |labels: &mut LabelMap| {
        if build == Build::Solid {
            foreign::take_out(labels, &scene.image);
        }
        keep_one_component(labels, &scene.probabilities);
    };
    for draw in ways {
        let mut labels = draw(&scene, keep_going)?;
        if build == Build::Solid {
            labels = take_away_threads(&labels);
        }
        whole(&mut labels);
        drawings.push(labels);
    }
    let mut own_whole = scene.own.clone();
    whole(&mut own_whole);
    let (best, kept) = compose(&scene, own_whole, &drawings);
    let mut labels = own.clone();
    region.paste(&best, &mut labels);
    Some(Outcome { labels, own, kept })
}

/// Takes each organ from the drawing with the strongest border, where `own_whole` is the net's less what cannot be the organ;
/// `kept` are those that are as the net drew them.
fn compose(scene: &Scene, own_whole: LabelMap, drawings: &[LabelMap]) -> (LabelMap, Vec<u16>) {
    let (mut labels, mut kept) = (scene.own.map(|_| 0), Vec::new());
    for organ in scene.organs() {
        let shared = overlap(&scene.own, &own_whole, organ).unwrap_or(1.0);
        let own = if shared >= ANOTHER_TISSUE { &own_whole } else { &scene.own };
        let (mut best, mut strongest) = (own, border_contrast(&scene.image, own, organ));
        for drawing in drawings {
            let contrast = border_contrast(&scene.image, drawing, organ);
            if contrast > strongest && same_tissue(scene, drawing, organ) {
                (best, strongest) = (drawing, contrast);
            }
        }
        if same(&scene.own, best, organ) {
            kept.push(organ);
        }
        for (offset, &label) in best.voxels().iter().enumerate().filter(|(_, label)| **label == organ) {
            // Two drawings may give a voxel to two organs: the net is asked.
            let probability = |class: u16| scene.probabilities[usize::from(class)].voxels()[offset];
            let taken = &mut labels.voxels_mut()[offset];
            if *taken == 0 || probability(label) > probability(*taken) {
                *taken = label;
            }
        }
    }
    for &organ in &kept {
        restore(&mut labels, &scene.own, organ);
    }
    (labels, kept)
}

/// Whether a drawing is of the tissue that the net meant.
fn same_tissue(scene: &Scene, drawing: &LabelMap, organ: u16) -> bool {
    let shared = overlap(&scene.own, drawing, organ).unwrap_or(0.0);
    // Of the net's own voxels that stay and that go: sum of the net's probability, and count.
    let mut sums = [(0.0, 0.0); 2];
    let probability = scene.probabilities[usize::from(organ)].voxels();
    for (offset, _) in scene.own.voxels().iter().enumerate().filter(|(_, label)| **label == organ) {
        let of = &mut sums[usize::from(drawing.voxels()[offset] != organ)];
        *of = (of.0 + f64::from(probability[offset]), of.1 + 1.0);
    }
    let [stays, goes] = sums.map(|(sum, count)| sum / f64::max(count, 1.0));
    shared >= MUCH_THE_SAME || (shared >= ANOTHER_TISSUE && stays - goes >= LESS_SURE)
}

/// Median difference of intensity between the two sides of an organ's border, over its faces in the plane of the slices; 0
/// where it has none. The median, since some of a border always runs along something else.
fn border_contrast(image: &Volume<f32>, labels: &LabelMap, organ: u16) -> f32 {
    let [width, height, _] = labels.dims();
    let mut contrasts = Vec::new();
    let mut face = |a: usize, b: usize| {
        if (labels.voxels()[a] == organ) != (labels.voxels()[b] == organ) {
            contrasts.push((image.voxels()[a] - image.voxels()[b]).abs());
        }
    };
    for offset in 0..labels.voxels().len() {
        let (i, j) = (offset % width, offset / width % height);
        if i + 1 < width {
            face(offset, offset + 1);
        }
        if j + 1 < height {
            face(offset, offset + width);
        }
    }
    median(&mut contrasts).unwrap_or(0.0)
}

/// The middle one of some values, the upper of two; `None` of none.
pub(super) fn median(values: &mut [f32]) -> Option<f32> {
    let middle = values.len() / 2;
    (!values.is_empty()).then(|| *values.select_nth_unstable_by(middle, f32::total_cmp).1)
}

pub(super) fn bin(value: f32) -> usize {
    ((value / TOP * BINS as f32).max(0.0) as usize).min(BINS - 1)
}

/// Counts over [0, TOP], smoothed over neighbouring bins.
pub(super) fn smoothed_counts(values: impl Iterator<Item = f32>) -> [f32; BINS] {
    let mut counts = [0.0f32; BINS];
    for value in values {
        counts[bin(value)] += 1.0;
    }
    std::array::from_fn(|b| {
        let at = |i: isize| counts[(b as isize + i).clamp(0, BINS as isize - 1) as usize];
        (at(-2) + 4.0 * at(-1) + 6.0 * at(0) + 4.0 * at(1) + at(2)) / 16.0
    })
}

/// Labels two voxels inside their organ in the plane; the whole organ where next to nothing is left of it.
pub(super) fn erode_labels(labels: &LabelMap) -> LabelMap {
    let mut eroded = erode_once(&erode_once(labels));
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

/// Labels whose four neighbours in the plane are labelled alike.
fn erode_once(labels: &LabelMap) -> LabelMap {
    let [ni, nj, _] = labels.dims();
    let mut eroded = labels.clone();
    for (offset, label) in eroded.voxels_mut().iter_mut().enumerate() {
        let (i, j) = (offset % ni, offset / ni % nj);
        let inner = i > 0 && j > 0 && i + 1 < ni && j + 1 < nj;
        let same = |o: usize| labels.voxels()[o] == *label;
        if !(inner && same(offset - 1) && same(offset + 1) && same(offset - ni) && same(offset + ni)) {
            *label = 0;
        }
    }
    eroded
}

/// Takes away what is less than three voxels wide in the plane.
fn take_away_threads(labels: &LabelMap) -> LabelMap {
    let [ni, nj, _] = labels.dims();
    let core = erode_once(labels);
    let mut wide = labels.clone();
    for (offset, label) in wide.voxels_mut().iter_mut().enumerate() {
        let (i, j) = (offset % ni, offset / ni % nj);
        let in_core = |there: bool, o: usize| there && core.voxels()[o] == *label;
        let beside = in_core(true, offset)
            || in_core(i > 0, offset.wrapping_sub(1))
            || in_core(i + 1 < ni, offset + 1)
            || in_core(j > 0, offset.wrapping_sub(ni))
            || in_core(j + 1 < nj, offset + ni);
        if !beside {
            *label = 0;
        }
    }
    wide
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{argmax, mixture, ratio, refine_while};
    use super::*;
    use mindgap::volume::{Geometry, Task};

    const DIMS: [usize; 3] = [40, 40, 12];

    fn radius(i: usize, j: usize) -> f32 {
        (i as f32 - 20.0).hypot(j as f32 - 20.0)
    }

    fn noise(i: usize, j: usize, k: usize) -> f32 {
        ((i * 7 + j * 13 + k * 5) % 11) as f32 / 11.0 * 0.06 - 0.03
    }

    /// A net's probability of an organ of r < 9 voxels that it drew up to `to`.
    fn spilling(r: f32, to: f32) -> f32 {
        match r {
            r if r < 9.0 => 0.95,
            r if r < to => 0.8,
            _ => 0.05,
        }
    }

    /// A scan of one organ, r < 9 voxels: intensities, probabilities and the truth. Intensity and the net's probability
    /// of the organ are given by the distance from the axis.
    fn scan(
        intensity: fn(f32) -> f32,
        probability: fn(f32) -> f32,
    ) -> (Volume<f32>, [Volume<f32>; 2], LabelMap) {
        let grid = Geometry::axis_aligned(DIMS, [3.0; 3], [0.0; 3]).unwrap();
        let image = Volume::from_fn(grid.clone(), |i, j, k| intensity(radius(i, j)) + noise(i, j, k));
        let found = Volume::from_fn(grid.clone(), |i, j, _| probability(radius(i, j)));
        let truth = LabelMap::from_fn(grid, |i, j, _| u16::from(radius(i, j) < 9.0));
        (image, [found.map(|p| 1.0 - p), found], truth)
    }

    /// What comes of it, and Dice before and after.
    fn refined(intensity: fn(f32) -> f32, probability: fn(f32) -> f32) -> (Outcome, f64, f64) {
        let (image, probabilities, truth) = scan(intensity, probability);
        let outcome = refine_while(&image, &probabilities, Task::Abdomen, &|| true).unwrap();
        let [before, after] =
            [&outcome.own, &outcome.labels].map(|labels| overlap(labels, &truth, 1).unwrap());
        (outcome, before, after)
    }

    #[test]
    fn a_label_that_spills_into_brighter_fat_is_pulled_back_and_stray_islands_go() {
        let (outcome, before, after) = refined(
            |r| if r < 9.0 { 0.4 } else { 0.9 },
            // Beyond 26 voxels are the corners of the grid.
            |r| if r > 26.0 { 0.9 } else { spilling(r, 12.0) },
        );
        assert!(before < 0.75 && after > 0.87, "Dice {before:.3} before, {after:.3} after");
        assert_eq!(outcome.own.at(0, 0, 5), 1);
        assert_eq!(outcome.labels.at(0, 0, 5), 0, "the stray island must go");
    }

    #[test]
    fn an_organ_is_found_even_where_most_of_what_the_net_drew_is_fat() {
        let (_, before, after) = refined(|r| if r < 9.0 { 0.45 } else { 0.65 }, |r| spilling(r, 15.0));
        assert!(before < 0.55 && after > 0.85, "Dice {before:.3} before, {after:.3} after");
    }

    #[test]
    fn a_kidney_keeps_both_cortex_and_medulla_where_an_intensity_may_be_one_of_several() {
        let intensity = |r: f32| match r {
            r if r < 6.0 => 0.6,
            r if r < 9.0 => 0.8,
            _ => 0.15,
        };
        let (image, probabilities, truth) = scan(intensity, |r| spilling(r, 12.0));
        let own = argmax(&probabilities);
        let (region, scene) = Scene::around(&image, &probabilities, &own).unwrap();
        let truth = region.cut(&truth);
        let dice = |labels: &LabelMap| overlap(labels, &truth, 1).unwrap();
        let [one, several] = [mixture::draw, ratio::draw].map(|draw| dice(&draw(&scene, &|| true).unwrap()));
        assert!(one < 0.8 && several > 0.85, "Dice {one:.3} by one intensity, {several:.3} by several");
    }

    #[test]
    fn a_drawing_of_another_tissue_is_not_taken_for_the_organ() {
        // A bright core has a far stronger border than the organ, but the net is no surer of it than of the rest.
        let intensity = |r: f32| match r {
            r if r < 6.0 => 1.0,
            r if r < 9.0 => 0.4,
            _ => 0.35,
        };
        let (outcome, _, _) = refined(intensity, |r| if r < 9.0 { 0.9 } else { 0.05 });
        assert_eq!(outcome.kept, [1]);
        assert_eq!(outcome.labels.voxels(), outcome.own.voxels());
    }
}
