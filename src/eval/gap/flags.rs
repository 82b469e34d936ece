//! What speaks against a prediction, structure by structure.
//!
//! Invariant: a flag is a reason to look and no verdict, and it says in numbers what it was raised by. What is undefined
//! raises none.

use super::measure::{GapMeasure, StructureGap};
use super::organs::organ_volume;
use serde::{Deserialize, Serialize};

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlagKind {
    /// No voxel.
    Missing,
    /// The features still differ between the modalities, and the model does not doubt.
    HighGapConfident,
    /// In pieces.
    Fragmented,
    /// Perhaps cut off by the end of the volume.
    TouchesBorder,
    /// Smaller or larger than the organ usually is, and not cut off.
    ImplausibleVolume,
    /// Higher gap than right around it.
    GapAboveShell,
}

impl FlagKind {
    /// As in CSV files: "high-gap-confident".
    pub fn key(self) -> &'static str {
        match self {
            FlagKind::Missing => "missing",
            FlagKind::HighGapConfident => "high-gap-confident",
            FlagKind::Fragmented => "fragmented",
            FlagKind::TouchesBorder => "touches-border",
            FlagKind::ImplausibleVolume => "implausible-volume",
            FlagKind::GapAboveShell => "gap-above-shell",
        }
    }

    /// For people: "high gap, yet confident".
    pub fn title(self) -> &'static str {
        match self {
            FlagKind::Missing => "missing",
            FlagKind::HighGapConfident => "high gap, yet confident",
            FlagKind::Fragmented => "in pieces",
            FlagKind::TouchesBorder => "at the border of the volume",
            FlagKind::ImplausibleVolume => "unusual volume",
            FlagKind::GapAboveShell => "gap higher than around it",
        }
    }
}

/// One reason to look at a structure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flag {
    pub label: u16,
    /// Its name.
    pub structure: String,
    pub kind: FlagKind,
    /// A full sentence with the numbers and the limit.
    pub reason: String,
}

/// From where on a figure raises a flag. Gap, uncertainty and shares are 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FlagLimits {
    /// A mean gap inside from here on is high: half of the range that is shown.
    pub high_gap: f64,
    /// A mean uncertainty up to here is confident.
    pub confident_uncertainty: f64,
    /// The largest island must hold at least this share.
    pub largest_island_share: f64,
    /// The gap inside is higher than in the shell from this factor on.
    pub times_shell: f64,
    /// A mean gap below this is no matter, however low that of the shell is.
    pub times_shell_from: f64,
}

impl Default for FlagLimits {
    /// 0.4, 0.15, 0.9, 1.5 and 0.2.
    fn default() -> Self {
        Self {
            high_gap: 0.4,
            confident_uncertainty: 0.15,
            largest_island_share: 0.9,
            times_shell: 1.5,
            times_shell_from: 0.2,
        }
    }
}

/// Every flag of every structure, in the order of the structures and of [`FlagKind`].
pub fn flags(measure: &GapMeasure, limits: &FlagLimits) -> Vec<Flag> {
    let of_structure = |structure: &StructureGap| {
        let reasons = [
            (FlagKind::Missing, missing(structure)),
            (FlagKind::HighGapConfident, high_gap_confident(structure, limits)),
            (FlagKind::Fragmented, fragmented(structure, limits)),
            (FlagKind::TouchesBorder, touches_border(structure)),
            (FlagKind::ImplausibleVolume, implausible_volume(structure)),
            (FlagKind::GapAboveShell, gap_above_shell(structure, limits)),
        ];
        let (label, name) = (structure.label, structure.name.clone());
        reasons.into_iter().filter_map(move |(kind, reason)| {
            Some(Flag { label, structure: name.clone(), kind, reason: reason? })
        })
    };
    measure.structures.iter().flat_map(of_structure).collect()
}

fn missing(structure: &StructureGap) -> Option<String> {
    (structure.voxels == 0).then(|| "No voxel of the scan was given this label.".to_owned())
}

fn high_gap_confident(structure: &StructureGap, limits: &FlagLimits) -> Option<String> {
    let (gap, uncertainty) = (structure.inside?.mean, structure.mean_uncertainty?);
    let (high, confident) = (limits.high_gap, limits.confident_uncertainty);
    (gap >= high && uncertainty <= confident).then(|| {
        format!(
            "Mean gap inside {gap:.2} (high from {high:.2}) at a mean uncertainty of {uncertainty:.2} (confident up to \
             {confident:.2})."
        )
    })
}

fn fragmented(structure: &StructureGap, limits: &FlagLimits) -> Option<String> {
    let (share, limit) = (structure.largest_island_share?, limits.largest_island_share);
    (share < limit).then(|| {
        let islands = structure.islands;
        format!(
            "The largest of {islands} islands holds {} of it (less than {}).",
            percent(share),
            percent(limit)
        )
    })
}

fn touches_border(structure: &StructureGap) -> Option<String> {
    let faces = structure.borders.join(", ");
    (!faces.is_empty()).then(|| format!("It reaches the end of the volume ({faces}) and may be cut off."))
}

fn implausible_volume(structure: &StructureGap) -> Option<String> {
    let (volume_ml, usual) = (structure.volume_ml?, organ_volume(&structure.snomed_ct)?);
    let plausible = usual.smallest_ml..=usual.largest_ml;
    // What is cut off may well be small, and what is missing has a flag of its own.
    if structure.voxels == 0 || !structure.borders.is_empty() || plausible.contains(&volume_ml) {
        return None;
    }
    let [smallest, largest] = [usual.smallest_ml, usual.largest_ml];
    Some(format!(
        "{volume_ml:.1} mL; {smallest:.0} to {largest:.0} mL is to be expected of an adult, and no border cuts it."
    ))
}

fn gap_above_shell(structure: &StructureGap, limits: &FlagLimits) -> Option<String> {
    let (inside, shell) = (structure.inside?.mean, structure.shell?.mean);
    (inside >= limits.times_shell_from && inside >= limits.times_shell * shell).then(|| {
        let limit = limits.times_shell;
        if shell <= 0.0 {
            return format!("Mean gap inside {inside:.2}, none within 5 mm around it.");
        }
        let times = inside / shell;
        format!("Mean gap inside {inside:.2}, {times:.1} times the {shell:.2} within 5 mm around it (flagged from {limit:.1} times).")
    })
}

/// Rounded towards zero, so that a share below a limit never reads as the limit.
fn percent(share: f64) -> String {
    format!("{:.1} %", (share * 1000.0 + 1e-9).floor() / 10.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::eval::gap::measure::GapSpread;
    use crate::eval::gap::testing::Abdomen;

    /// A measure whose liver raises no flag, changed by `change`.
    fn kinds(change: impl Fn(&mut StructureGap)) -> Vec<FlagKind> {
        let mut measure = Abdomen::new().measured();
        measure.structures.truncate(1);
        let spread = |mean| Some(GapSpread { voxels: 9, mean, p95: mean });
        let liver = &mut measure.structures[0];
        (liver.inside, liver.shell) = (spread(0.3), spread(0.25));
        change(liver);
        flags(&measure, &FlagLimits::default()).into_iter().map(|flag| flag.kind).collect()
    }

    fn gap(mean: f64) -> Option<GapSpread> {
        Some(GapSpread { voxels: 9, mean, p95: mean })
    }

    #[test]
    fn a_sound_structure_raises_no_flag_and_each_defect_its_own() {
        assert_eq!(kinds(|_| ()), []);
        assert_eq!(kinds(|liver| liver.largest_island_share = Some(0.89)), [FlagKind::Fragmented]);
        assert_eq!(kinds(|liver| liver.borders = vec!["superior".to_owned()]), [FlagKind::TouchesBorder]);
        assert_eq!(kinds(|liver| liver.volume_ml = Some(90.0)), [FlagKind::ImplausibleVolume]);
        assert_eq!(kinds(|liver| liver.shell = gap(0.15)), [FlagKind::GapAboveShell]);
        let confident = |liver: &mut StructureGap| {
            (liver.inside, liver.mean_uncertainty) = (gap(0.4), Some(0.15));
            liver.shell = gap(0.3);
        };
        assert_eq!(kinds(confident), [FlagKind::HighGapConfident]);
        let unsure = |liver: &mut StructureGap| {
            confident(liver);
            liver.mean_uncertainty = Some(0.16);
        };
        assert_eq!(kinds(unsure), []);
    }

    #[test]
    fn a_small_organ_that_is_cut_off_is_not_called_implausible() {
        let cut = |liver: &mut StructureGap| {
            liver.volume_ml = Some(90.0);
            liver.borders = vec!["inferior".to_owned()];
        };
        assert_eq!(kinds(cut), [FlagKind::TouchesBorder]);
    }

    #[test]
    fn a_low_gap_is_no_reason_to_look_however_low_it_is_around() {
        let low = |liver: &mut StructureGap| (liver.inside, liver.shell) = (gap(0.01), gap(0.001));
        assert_eq!(kinds(low), []);
    }

    #[test]
    fn what_is_undefined_raises_no_flag_and_what_is_missing_only_that() {
        let empty = |liver: &mut StructureGap| {
            (liver.voxels, liver.volume_ml, liver.islands) = (0, Some(0.0), 0);
            (liver.inside, liver.shell, liver.mean_uncertainty) = (None, None, None);
            liver.largest_island_share = None;
        };
        assert_eq!(kinds(empty), [FlagKind::Missing]);
        let unmeasured = |liver: &mut StructureGap| (liver.shell, liver.volume_ml) = (None, None);
        assert_eq!(kinds(unmeasured), []);
    }

    #[test]
    fn a_reason_gives_the_number_and_its_limit() {
        let found = flags(&Abdomen::new().measured(), &FlagLimits::default());
        let reason = |kind| &found.iter().find(|flag| flag.kind == kind).unwrap().reason;
        let spleen = reason(FlagKind::Fragmented);
        assert!(
            spleen.starts_with("The largest of 2 islands holds ") && spleen.ends_with("90.0 %)."),
            "{spleen}"
        );
        assert_eq!(percent(0.8999), "89.9 %");
    }
}
