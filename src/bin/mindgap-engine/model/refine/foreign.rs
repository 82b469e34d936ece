//! Parts of a drawing that are of another tissue: a loop of colon under the liver, taken for more of it.
//!
//! An organ that is drawn right varies little once its noise is smoothed away. What differs from most of it, is no mere speck
//! and hangs on it by a small part of its surface goes; what lies within the organ, as a lesion does, stays. A cyst that stands
//! out of a kidney goes too.

use super::super::neighbourhood::{Region, SMOOTHED, connected_components, face_neighbours, smooth_within};
use super::intensity::{MIN_SEED, erode_labels, median};
use mindgap::volume::{LabelMap, Volume};

/// A part of another tissue differs from the organ's median by more than so many times what the smoothed organ varies, and
/// than this much of the intensity scale.
const FAR: f32 = 4.0;
const LEAST_DIFFERENCE: f32 = 0.05;
/// Such a part touches the rest of the organ with less than one in so many of its faces.
const FACES_FOR_ONE_OF_CONTACT: usize = 3;

/// Takes parts of another tissue out of every organ. `image`: scaled intensities.
pub(super) fn take_out(labels: &mut LabelMap, image: &Volume<f32>) {
    let inner = erode_labels(labels);
    let largest = labels.voxels().iter().copied().max().unwrap_or(0);
    for organ in 1..=largest {
        let alone = labels.map(|label| if *label == organ { organ } else { 0 });
        let Some(region) = Region::around(&alone, SMOOTHED) else { continue };
        let mut around = region.cut(labels);
        for part in parts_of(&around, &region.cut(&inner), &region.cut(image), organ) {
            part.into_iter().for_each(|offset| around.voxels_mut()[offset] = 0);
        }
        region.paste(&around, labels);
    }
}

fn parts_of(labels: &LabelMap, inner: &LabelMap, image: &Volume<f32>, organ: u16) -> Vec<Vec<usize>> {
    let dims = labels.dims();
    let mask: Vec<bool> = labels.voxels().iter().map(|label| *label == organ).collect();
    let smooth = smooth_within(image.voxels(), &mask, dims);
    let of_inner = |value: &dyn Fn(usize) -> f32| {
        let voxels = inner.voxels().iter().enumerate().filter(|(_, label)| **label == organ);
        median(&mut voxels.map(|(offset, _)| value(offset)).collect::<Vec<_>>())
    };
    let Some(middle) = of_inner(&|offset| smooth[offset]) else { return Vec::new() };
    // Of a normal distribution, the median distance from the middle is two thirds of the standard deviation.
    let deviation = 1.5 * of_inner(&|offset| (smooth[offset] - middle).abs()).unwrap_or(0.0);
    let far = (FAR * deviation).max(LEAST_DIFFERENCE);
    let differs: Vec<bool> =
        mask.iter().zip(&smooth).map(|(inside, value)| *inside && (value - middle).abs() > far).collect();
    let hangs = |part: &Vec<usize>| {
        let faces = part.iter().flat_map(|&offset| face_neighbours(offset, dims));
        let (mut on_organ, mut surface) = (0, 0);
        for neighbour in faces.filter(|&neighbour| !differs[neighbour]) {
            surface += 1;
            on_organ += usize::from(mask[neighbour]);
        }
        part.len() >= MIN_SEED && on_organ * FACES_FOR_ONE_OF_CONTACT < surface
    };
    connected_components(&differs, dims).into_iter().filter(hangs).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mindgap::volume::Geometry;

    /// An organ of radius 9 about the axis, with something of another intensity about (`i`, 20), all labelled.
    fn drawn(i: f32, radius: f32) -> (Volume<f32>, LabelMap, impl Fn(usize, usize) -> bool) {
        let grid = Geometry::axis_aligned([40, 40, 12], [3.0; 3], [0.0; 3]).unwrap();
        let within = |x: usize, y: usize, i: f32, r: f32| (x as f32 - i).hypot(y as f32 - 20.0) < r;
        let other = move |x: usize, y: usize| within(x, y, i, radius);
        let noise = |x: usize, y: usize, z: usize| ((x * 7 + y * 13 + z * 5) % 11) as f32 * 0.01 - 0.05;
        let image =
            Volume::from_fn(grid.clone(), |x, y, z| noise(x, y, z) + if other(x, y) { 0.38 } else { 0.52 });
        let labels = LabelMap::from_fn(grid, |x, y, _| u16::from(within(x, y, 15.0, 9.0) || other(x, y)));
        (image, labels, other)
    }

    #[test]
    fn a_loop_of_bowel_that_hangs_on_an_organ_is_taken_out() {
        let (image, mut labels, other) = drawn(29.0, 6.0);
        take_out(&mut labels, &image);
        let left = |bowel: bool| {
            let at = (0..40 * 40).filter(|o| other(o % 40, o / 40) == bowel);
            at.filter(|o| labels.at(o % 40, o / 40, 5) == 1).count()
        };
        assert!(left(true) < 20, "{} voxels of bowel left", left(true));
        assert!(left(false) > 220, "{} voxels of the organ left", left(false));
    }

    #[test]
    fn a_lesion_within_an_organ_stays() {
        let (image, mut labels, _) = drawn(17.0, 4.0);
        let before = labels.clone();
        take_out(&mut labels, &image);
        assert_eq!(labels.voxels(), before.voxels());
    }
}
