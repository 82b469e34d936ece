//! What speaks against running a model on a scan, looked for before it is run.
//!
//! Nothing here forbids anything: whoever goes on does so knowing, and what was said is recorded with the result.

use crate::config::{Card, Window};
use crate::volume::{Flag, Modality, Scan};
use serde::{Deserialize, Serialize};

/// One reason to look twice, in a full sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Concern {
    pub kind: ConcernKind,
    pub reason: String,
}

/// What it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConcernKind {
    Modality,
    Units,
    Orientation,
    FieldOfView,
    SliceThickness,
    Intensities,
}

/// Slices more than this many times thicker than the model's own leave organs in one or two of them.
const THICK: f64 = 3.0;
/// Where the model takes slices as thick as they come, they are too thick from here on, mm.
const THICKEST_MM: f64 = 12.0;
/// A scan that is narrower than this shows no whole organ, mm.
const NARROW_MM: f64 = 60.0;
/// A heart in the middle of the picture needs this part of the model's window around it.
const WINDOW_SHARE: f64 = 0.6;
/// More voxels without a number than this part of all.
const NOT_NUMBERS: f64 = 0.01;

/// What is odd about a scan itself and may have been accepted when it was opened, for the record of what is made of it.
///
/// A record names no file. Warnings of a NIfTI file do not; those of a series name the files that were left out, so that
/// there the flags speak for them.
pub(super) fn oddities(scan: &Scan) -> Vec<String> {
    if scan.nifti.is_some() {
        return scan.warnings.clone();
    }
    let sentence = |flag: &Flag| match flag {
        Flag::Damaged => Some(
            "The file is damaged (its checksum is wrong) and was opened all the same: any voxel may be false.",
        ),
        Flag::Gaps => Some("Slices are missing or unevenly spaced, and the series was opened all the same."),
        // These are concerns of a run, or keep a scan from being run at all, or change nothing in its values.
        Flag::DrawnInverted | Flag::Colour | Flag::NotHounsfield | Flag::Fractions => None,
    };
    scan.flags.iter().filter_map(sentence).map(str::to_owned).collect()
}

/// Everything that speaks against it, in the order of [`ConcernKind`].
pub fn concerns(scan: &Scan, modality: Modality, card: &Card) -> Vec<Concern> {
    let mut found = Vec::new();
    let mut say = |kind, reason: String| found.push(Concern { kind, reason });
    if modality != card.source && modality != card.target {
        let [a, b] = [card.source.name(), card.target.name()];
        say(ConcernKind::Modality, format!("The model is for {a} and {b}, the scan is {}.", modality.name()));
    }
    if let Some(doubt) = scan.doubt_of(modality) {
        say(ConcernKind::Modality, doubt.to_owned());
    }
    if modality == Modality::Ct && scan.flags.contains(&Flag::NotHounsfield) {
        let reason = "The file does not say how its values become Hounsfield units; the model expects them.";
        say(ConcernKind::Units, reason.to_owned());
    }
    let grid = scan.geometry();
    if !grid.orientation_known() {
        let reason = "The orientation is unknown: left and right may be exchanged in every label.";
        say(ConcernKind::Orientation, reason.to_owned());
    }
    if !grid.spacing_known() {
        let reason =
            "The voxel size is unknown and taken as 1 mm: organs may have a size the model never saw.";
        say(ConcernKind::FieldOfView, reason.to_owned());
    } else {
        field_of_view(scan, card, &mut say);
        thickness(scan, card, &mut say);
    }
    intensities(scan, &mut say);
    found
}

fn field_of_view(scan: &Scan, card: &Card, say: &mut impl FnMut(ConcernKind, String)) {
    let (dims, spacing_mm) = (scan.geometry().dims(), scan.geometry().spacing_mm());
    let extent_mm = [0, 1, 2].map(|axis| dims[axis] as f64 * spacing_mm[axis]);
    let mut across = extent_mm;
    across.sort_by(f64::total_cmp);
    let p = &card.preprocessing;
    let window_mm = (p.size[0] as f64 * p.spacing_mm[0]).min(p.size[1] as f64 * p.spacing_mm[1]);
    let least_mm = match p.window {
        Window::Body => NARROW_MM,
        Window::Centre => WINDOW_SHARE * window_mm,
    };
    // The shortest extent may be a slab; the two longer ones are those of its slices.
    if across[1] < least_mm {
        let [a, b, c] = extent_mm.map(|mm| mm.round());
        let reason = format!(
            "The scan shows {a} x {b} x {c} mm; the model expects slices of at least {least_mm:.0} mm."
        );
        say(ConcernKind::FieldOfView, reason);
    }
}

fn thickness(scan: &Scan, card: &Card, say: &mut impl FnMut(ConcernKind, String)) {
    let thickest_mm = scan.geometry().spacing_mm().into_iter().fold(0.0, f64::max);
    let limit_mm = match card.preprocessing.spacing_mm[2] {
        0.0 => THICKEST_MM,
        own => THICK * own,
    };
    if thickest_mm > limit_mm {
        let reason =
            format!("Slices lie {thickest_mm:.1} mm apart; the model was made for up to {limit_mm:.0} mm.");
        say(ConcernKind::SliceThickness, reason);
    }
}

fn intensities(scan: &Scan, say: &mut impl FnMut(ConcernKind, String)) {
    if scan.flags.contains(&Flag::Colour) {
        let reason = "The file holds colours; their luminance is no measured intensity.";
        say(ConcernKind::Intensities, reason.to_owned());
    }
    match scan.intensity_range() {
        None => say(ConcernKind::Intensities, "The scan holds no number at all.".to_owned()),
        Some([low, high]) if low == high => {
            say(
                ConcernKind::Intensities,
                format!("Every voxel has the value {low}: there is nothing to see."),
            );
        }
        Some(_) => {}
    }
    let missing = scan.missing_voxels();
    if missing as f64 > NOT_NUMBERS * scan.geometry().len() as f64 {
        let reason = format!("{missing} voxels are no numbers; the model takes them for the lowest value.");
        say(ConcernKind::Intensities, reason);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::bundled_models;
    use crate::volume::{Geometry, Task, Volume};

    fn card(task: Task, target: Modality) -> Card {
        bundled_models().unwrap().into_iter().find(|card| card.task == task && card.target == target).unwrap()
    }

    fn scan(spacing_mm: [f64; 3], value: impl Fn(usize) -> f32) -> Scan {
        let grid = Geometry::axis_aligned([60, 60, 20], spacing_mm, [0.0; 3]).unwrap();
        Scan::from_volume(Volume::from_fn(grid, |i, j, k| value(i + j + k)), "test")
    }

    fn kinds(scan: &Scan, modality: Modality, card: &Card) -> Vec<ConcernKind> {
        concerns(scan, modality, card).into_iter().map(|concern| concern.kind).collect()
    }

    #[test]
    fn a_scan_like_those_the_model_knows_raises_nothing() {
        let mr = scan([4.0, 4.0, 4.0], |n| n as f32);
        assert_eq!(kinds(&mr, Modality::Mr, &card(Task::Abdomen, Modality::Mr)), []);
    }

    #[test]
    fn an_mr_taken_for_a_ct_thick_slices_a_small_picture_and_empty_voxels_are_each_told() {
        let abdomen = card(Task::Abdomen, Modality::Mr);
        let mr = |spacing_mm| scan(spacing_mm, |n| n as f32);
        assert_eq!(kinds(&mr([4.0; 3]), Modality::Ct, &abdomen), [ConcernKind::Modality]);
        assert_eq!(kinds(&mr([4.0, 4.0, 25.0]), Modality::Mr, &abdomen), [ConcernKind::SliceThickness]);
        assert_eq!(kinds(&mr([0.5, 0.5, 4.0]), Modality::Mr, &abdomen), [ConcernKind::FieldOfView]);
        let holes = scan([4.0; 3], |n| if n % 3 == 0 { f32::NAN } else { n as f32 });
        assert_eq!(kinds(&holes, Modality::Mr, &abdomen), [ConcernKind::Intensities]);
        assert_eq!(kinds(&scan([4.0; 3], |_| 7.0), Modality::Mr, &abdomen), [ConcernKind::Intensities]);
    }

    #[test]
    fn a_scan_that_does_not_say_where_left_is_is_told() {
        let grid =
            Geometry::axis_aligned([60, 60, 20], [4.0; 3], [0.0; 3]).unwrap().with_unknown_orientation();
        let unknown = Scan::from_volume(Volume::from_fn(grid, |i, _, _| i as f32), "test");
        let abdomen = card(Task::Abdomen, Modality::Mr);
        assert_eq!(kinds(&unknown, Modality::Mr, &abdomen), [ConcernKind::Orientation]);
    }
}
