//! Refinement of a heart's labels by shape.
//!
//! There is one heart, so of each structure one connected part stays; papillary muscles count as cavity, so where the wall
//! surrounds the left ventricle the cavity is convex; and what lies apart from the rest, or is too little to be a heart, is
//! none.

use super::super::neighbourhood::{connected_components, dilate};
use super::{Outcome, keep_one_component, overlap, restore, same};
use mindgap::volume::{LabelMap, Volume};

/// Label values of the task's table.
const WALL: u16 = 1;
const CAVITY: u16 = 3;

/// Of the faces between the cavity and other voxels of a slice, so many must be faces to the wall for the slice to count
/// as cut across the ventricle. In the other cuts the cavity opens to atrium and aorta and need not be convex.
const SURROUNDED: f32 = 0.85;
/// How far from the wall a pixel without a label still counts as its inside.
const GAP_PIXELS: usize = 2;

/// A structure of which one connected part is less than this of what the net drew (Dice) stays as it was.
const LOST: f64 = 0.5;

/// Refines what became of the net's own labels so far. `probabilities`: one volume a class, background first; columns and
/// rows lie in the plane of the slices.
pub(super) fn refine(so_far: Outcome, probabilities: &[Volume<f32>]) -> Outcome {
    let Outcome { mut labels, own, .. } = so_far;
    let [width, height, _] = labels.dims();
    if labels.geometry().slices_are_oblique() {
        let slices = labels.voxels_mut().chunks_exact_mut(width * height);
        for (slice, own) in slices.zip(own.voxels().chunks_exact(width * height)) {
            restore_ventricle(slice, own, width);
        }
    }
    keep_one_component(&mut labels, probabilities);
    for slice in labels.voxels_mut().chunks_exact_mut(width * height) {
        close_cavity(slice, width);
    }
    let structures = 1..probabilities.len() as u16;
    for structure in structures.clone() {
        if overlap(&own, &labels, structure).is_some_and(|dice| dice < LOST) {
            restore(&mut labels, &own, structure);
        }
    }
    let kept = structures.filter(|&structure| same(&own, &labels, structure)).collect();
    Outcome { labels, own, kept }
}

/// Structures of one heart lie this near to each other, in voxels of the network grid: thin walls and thick slices lie
/// between them.
const APART_VOXELS: usize = 6;

/// So much is taken for a heart whatever it looks like: what the bundled nets made up below the diaphragm of phantoms
/// was at most 44 mL, and a whole heart is several times that.
const A_HEART_ML: f64 = 60.0;

/// Less than that is a heart, or a slice of one, if it looks like a ventricle: wall and cavity at least of this size, and
/// at least this share of the cavity's outline, slice by slice, at the wall. Seen on phantoms: 0.74 or more in hearts, 0.5
/// at most in what was made up.
const A_VENTRICLE_ML: f64 = 5.0;
const WALLED: f32 = 0.6;

/// Takes away what lies apart from most of the heart, and everything where that is no heart.
pub fn keep_one_heart(labels: &mut LabelMap) {
    let found: Vec<bool> = labels.voxels().iter().map(|&label| label != 0).collect();
    let grown = dilate(&found, labels.dims(), APART_VOXELS / 2);
    let mut kept: Vec<usize> = Vec::new();
    for component in connected_components(&grown, labels.dims()) {
        let labelled: Vec<usize> = component.into_iter().filter(|&offset| found[offset]).collect();
        if labelled.len() > kept.len() {
            kept = labelled;
        }
    }
    let before = labels.clone();
    labels.voxels_mut().fill(0);
    for offset in kept {
        labels.voxels_mut()[offset] = before.voxels()[offset];
    }
    if !looks_like_a_heart(labels) {
        labels.voxels_mut().fill(0);
    }
}

/// Where the voxel size is unknown, nothing speaks against it.
fn looks_like_a_heart(labels: &LabelMap) -> bool {
    let Some(voxel_ml) = labels.geometry().voxel_ml() else { return true };
    let ml = |counted: fn(u16) -> bool| {
        voxel_ml * labels.voxels().iter().filter(|&&label| counted(label)).count() as f64
    };
    if ml(|label| label != 0) >= A_HEART_ML {
        return true;
    }
    let [width, height, _] = labels.dims();
    let slices = labels.voxels().chunks_exact(width * height);
    let outline: Vec<u16> = slices.flat_map(|slice| outline_of_cavity(slice, width)).collect();
    let walled = outline.iter().filter(|&&label| label == WALL).count() as f32;
    let large_enough = ml(|label| label == WALL).min(ml(|label| label == CAVITY)) >= A_VENTRICLE_ML;
    large_enough && walled >= WALLED * outline.len() as f32
}

/// Labels beyond the faces of the cavity in a slice, but for voxels at the slice's border.
fn outline_of_cavity(slice: &[u16], width: usize) -> Vec<u16> {
    let inside = inner_cavity(slice, width);
    outline_of(&inside, width).map(|offset| slice[offset]).filter(|&label| label != CAVITY).collect()
}

/// The four neighbours of each of some pixels that do not touch the slice's edge.
fn outline_of(inside: &[usize], width: usize) -> impl Iterator<Item = usize> {
    inside.iter().flat_map(move |&o| [o - 1, o + 1, o - width, o + width])
}

/// The cavity's voxels that have four neighbours in the slice.
fn inner_cavity(slice: &[u16], width: usize) -> Vec<usize> {
    let height = slice.len() / width;
    let inner = |offset: usize| {
        let (i, j) = (offset % width, offset / width);
        i > 0 && j > 0 && i + 1 < width && j + 1 < height
    };
    (0..slice.len()).filter(|&o| slice[o] == CAVITY && inner(o)).collect()
}

/// Whether a slice is cut across the ventricle: the wall surrounds the cavity, whose voxels that do not touch the slice's edge are
/// `inside`.
fn is_surrounded(slice: &[u16], width: usize, inside: &[usize]) -> bool {
    // Where cavity and wall were drawn one by one, a pixel or two between them may have been left out.
    let wall: Vec<bool> = slice.iter().map(|&label| label == WALL).collect();
    let near_wall = dilate(&wall, [width, slice.len() / width, 1], GAP_PIXELS);
    let is_wall = |offset: usize| slice[offset] == WALL || (slice[offset] == 0 && near_wall[offset]);
    let outward = outline_of(inside, width).filter(|&offset| slice[offset] != CAVITY);
    let outward: Vec<bool> = outward.map(is_wall).collect();
    let to_wall = outward.iter().filter(|&&wall| wall).count();
    !inside.is_empty() && (to_wall as f32) >= SURROUNDED * outward.len() as f32
}

/// In a short-axis slice, where the net drew a cavity that its wall surrounds, both become again what it drew. Readers count
/// trabeculae and papillary muscles as cavity, and their intensity, that of the wall, says the opposite: drawn by intensity the
/// cavity of short-axis phantoms had 6 to 14 % too little. In other planes the net's own drawing of the ventricle is the worse one.
fn restore_ventricle(slice: &mut [u16], own: &[u16], width: usize) {
    if !is_surrounded(own, width, &inner_cavity(own, width)) {
        return;
    }
    for (label, &own) in slice.iter_mut().zip(own) {
        if matches!(own, WALL | CAVITY) {
            *label = own;
        } else if matches!(*label, WALL | CAVITY) {
            *label = 0;
        }
    }
}

/// Fills the convex hull of a cavity that the wall surrounds.
fn close_cavity(slice: &mut [u16], width: usize) {
    let inside = inner_cavity(slice, width);
    if !is_surrounded(slice, width, &inside) {
        return;
    }
    let points: Vec<[i64; 2]> = inside.iter().map(|&o| [(o % width) as i64, (o / width) as i64]).collect();
    let hull = convex_hull(&points);
    for (offset, label) in slice.iter_mut().enumerate() {
        let point = [(offset % width) as i64, (offset / width) as i64];
        if (*label == WALL || *label == 0) && encloses(&hull, point) {
            *label = CAVITY;
        }
    }
}

/// Twice the signed area of a triangle: positive where the path turns from the first axis towards the second.
fn turn([ax, ay]: [i64; 2], [bx, by]: [i64; 2], [cx, cy]: [i64; 2]) -> i64 {
    (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
}

/// Corners of the convex hull in the order in which [`turn`] is positive (Andrew's monotone chain).
fn convex_hull(points: &[[i64; 2]]) -> Vec<[i64; 2]> {
    let mut sorted = points.to_vec();
    sorted.sort_unstable();
    let chain = |points: &mut dyn Iterator<Item = [i64; 2]>| {
        let mut chain: Vec<[i64; 2]> = Vec::new();
        for point in points {
            while let [.., a, b] = chain[..]
                && turn(a, b, point) <= 0
            {
                chain.pop();
            }
            chain.push(point);
        }
        // The other chain begins where this one ends.
        chain.pop();
        chain
    };
    let mut hull = chain(&mut sorted.iter().copied());
    hull.extend(chain(&mut sorted.iter().rev().copied()));
    hull
}

/// Whether a point lies in a convex hull or on its edge. A hull of fewer than three corners encloses nothing new.
fn encloses(hull: &[[i64; 2]], point: [i64; 2]) -> bool {
    hull.len() > 2 && (0..hull.len()).all(|n| turn(hull[n], hull[(n + 1) % hull.len()], point) >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mindgap::volume::{Geometry, Task};

    #[test]
    fn wall_and_cavity_are_those_of_the_label_table() {
        let name = |label| Task::Cardiac.table().entry(label).map(|entry| entry.name.as_str());
        assert_eq!([name(WALL), name(CAVITY)], [Some("Myocardium"), Some("Left ventricle cavity")]);
    }

    const WIDTH: usize = 40;

    /// A ring of wall round a cavity with a papillary muscle, open towards one side if asked for.
    fn ventricle(open: bool) -> Vec<u16> {
        (0..WIDTH * WIDTH)
            .map(|offset| {
                let (x, y) = ((offset % WIDTH) as f32 - 20.0, (offset / WIDTH) as f32 - 20.0);
                let muscle = (x - 7.0).hypot(y) < 3.5;
                match x.hypot(y) {
                    _ if open && x < -4.0 && y.abs() < 9.0 => 2,
                    r if r < 9.0 && !muscle => 3,
                    r if r < 13.0 => 1,
                    _ => 0,
                }
            })
            .collect()
    }

    #[test]
    fn papillary_muscles_count_as_cavity_where_the_wall_surrounds_it() {
        let mut slice = ventricle(false);
        close_cavity(&mut slice, WIDTH);
        for (offset, &label) in slice.iter().enumerate() {
            let r = ((offset % WIDTH) as f32 - 20.0).hypot((offset / WIDTH) as f32 - 20.0);
            if r < 8.0 {
                assert_eq!(label, 3, "at {r} from the centre");
            } else if r > 9.5 {
                assert_ne!(label, 3, "at {r} from the centre");
            }
        }
    }

    #[test]
    fn pixels_left_out_between_cavity_and_wall_do_not_keep_the_cavity_from_being_closed() {
        let mut slice: Vec<u16> = ventricle(false);
        for (offset, label) in slice.iter_mut().enumerate() {
            let r = ((offset % WIDTH) as f32 - 20.0).hypot((offset / WIDTH) as f32 - 20.0);
            if *label == WALL && (9.0..10.3).contains(&r) {
                *label = 0;
            }
        }
        close_cavity(&mut slice, WIDTH);
        assert_eq!(slice[20 * WIDTH + 27], CAVITY, "the papillary muscle stays outside");
    }

    #[test]
    fn trabeculae_stay_in_the_cavity_of_short_axis_slices_whatever_their_intensity_says() {
        let drawn = |cavity: f32| {
            move |i: usize, j: usize, _: usize| match (i as f32 - 20.0).hypot(j as f32 - 20.0) {
                r if r < cavity => CAVITY,
                r if r < 13.0 => WALL,
                _ => 0,
            }
        };
        let turned = |degrees: f64| {
            let affine = glam::DMat4::from_rotation_x(degrees.to_radians());
            Geometry::new([40, 40, 6], affine).expect("a sound grid")
        };
        for (degrees, cavity) in [(45.0, 9.0), (0.0, 6.0)] {
            let [own, labels] = [9.0, 6.0].map(|r| LabelMap::from_fn(turned(degrees), drawn(r)));
            let probabilities: Vec<Volume<f32>> =
                (0..5).map(|class| own.map(|&label| if label == class { 0.9 } else { 0.025 })).collect();
            let refined = refine(Outcome { labels, own, kept: Vec::new() }, &probabilities).labels;
            assert!(refined == LabelMap::from_fn(turned(degrees), drawn(cavity)), "{degrees} degrees");
        }
    }

    #[test]
    fn a_cavity_that_opens_to_the_atrium_keeps_its_shape() {
        let mut slice = ventricle(true);
        close_cavity(&mut slice, WIDTH);
        assert!(slice == ventricle(true), "the opening was closed");
    }

    /// Labels of a grid with 4 mm voxels, by place.
    fn labelled(label: impl Fn(usize, usize, usize) -> u16) -> LabelMap {
        let grid = Geometry::axis_aligned([40, 40, 12], [4.0; 3], [0.0; 3]).expect("a sound grid");
        LabelMap::from_fn(grid, label)
    }

    #[test]
    fn what_lies_apart_from_the_heart_is_no_part_of_it_and_a_thin_wall_parts_nothing() {
        let at = |i: usize, from: usize, to: usize| (from..to).contains(&i);
        let heart = |i, j, _| match (i, j) {
            (i, j) if at(i, 4, 14) && at(j, 4, 14) => CAVITY,
            // Behind a wall of two voxels that nobody labels.
            (i, j) if at(i, 16, 24) && at(j, 4, 14) => 2,
            _ => 0,
        };
        let mut labels = labelled(|i, j, k| if at(i, 34, 37) && at(j, 34, 37) { 4 } else { heart(i, j, k) });
        keep_one_heart(&mut labels);
        assert!(labels == labelled(heart), "the far part must go and the atrium stay");
    }

    #[test]
    fn one_slice_across_a_ventricle_is_a_heart() {
        // 40 x 40 pixels of 2 mm, 10 mm thick: a cavity of 10 mL in a wall of 11 mL.
        let grid =
            Geometry::axis_aligned([WIDTH, WIDTH, 1], [2.0, 2.0, 10.0], [0.0; 3]).expect("a sound grid");
        let slice = LabelMap::new(ventricle(false), grid).expect("as many labels as voxels");
        let mut labels = slice.clone();
        keep_one_heart(&mut labels);
        assert!(labels == slice);
    }

    #[test]
    fn a_cavity_of_that_size_without_a_wall_is_none() {
        let grid =
            Geometry::axis_aligned([WIDTH, WIDTH, 1], [2.0, 2.0, 10.0], [0.0; 3]).expect("a sound grid");
        let bare = ventricle(false).into_iter().map(|label| if label == WALL { 0 } else { label }).collect();
        let mut labels = LabelMap::new(bare, grid).expect("as many labels as voxels");
        keep_one_heart(&mut labels);
        assert!(labels.voxels().iter().all(|&label| label == 0));
    }

    #[test]
    fn a_few_voxels_in_an_abdomen_are_no_heart() {
        let mut labels = labelled(|i, j, k| u16::from((4..9).contains(&i) && (4..9).contains(&j) && k < 12));
        keep_one_heart(&mut labels);
        assert!(labels.voxels().iter().all(|&label| label == 0), "19 mL without a cavity are no heart");
    }

    #[test]
    fn a_single_voxel_or_none_is_left_alone() {
        for voxels in [0, 1] {
            let mut slice = vec![1u16; WIDTH * WIDTH];
            slice.iter_mut().skip(820).take(voxels).for_each(|label| *label = 3);
            let before = slice.clone();
            close_cavity(&mut slice, WIDTH);
            assert!(slice == before);
        }
    }
}
