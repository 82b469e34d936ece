//! Where to look first: the places in and near predicted structures where the gap is high and the model is sure.
//!
//! The score of a voxel is gap x (1 - uncertainty): it is high where the features still tell the modalities apart and
//! nothing in the prediction warns of it. Scores are averaged over blocks of about 10 mm. A block that no neighbour
//! exceeds is the peak of a place, and the connected blocks of the same structure that have at least three quarters of its
//! score are the region.
//!
//! Invariants: the order is that of the peak's score, and of the voxels where scores are equal; peaks lie at least 15 mm
//! apart.

use super::blocks::{Block, Blocks};
use super::{GapError, SHELL_MM, check_grid};
use crate::volume::{LabelMap, LabelTable, Volume};
use glam::DVec3;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Side of a block; the nearest whole number of voxels along each axis.
pub(super) const BLOCK_MM: f64 = 10.0;
/// How far from a structure a place may lie.
pub(super) const REACH_MM: f64 = SHELL_MM;
/// Least distance between two peaks.
const APART_MM: f64 = 15.0;
/// How much of the peak's score a block needs to belong to its region.
const REGION_SHARE: f64 = 0.75;

/// From where on a gap is high, and up to where an uncertainty is sure; both 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cutoffs {
    pub gap: f64,
    pub uncertainty: f64,
}

impl Default for Cutoffs {
    /// A gap of 0.25, from which on the viewer paints it, and an uncertainty of 0.3.
    fn default() -> Self {
        Self { gap: 0.25, uncertainty: 0.3 }
    }
}

/// Gap and uncertainty together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quadrant {
    HighGapSure,
    HighGapUnsure,
    LowGapSure,
    LowGapUnsure,
}

impl Quadrant {
    /// The quadrant of a gap and an uncertainty; a value at a cut-off is high, or sure.
    pub fn of(gap: f64, uncertainty: f64, cutoffs: Cutoffs) -> Self {
        match (gap >= cutoffs.gap, uncertainty <= cutoffs.uncertainty) {
            (true, true) => Quadrant::HighGapSure,
            (true, false) => Quadrant::HighGapUnsure,
            (false, true) => Quadrant::LowGapSure,
            (false, false) => Quadrant::LowGapUnsure,
        }
    }

    /// For people: "high gap, sure".
    pub fn title(self) -> &'static str {
        match self {
            Quadrant::HighGapSure => "high gap, sure",
            Quadrant::HighGapUnsure => "high gap, unsure",
            Quadrant::LowGapSure => "low gap, sure",
            Quadrant::LowGapUnsure => "low gap, unsure",
        }
    }
}

/// One place to look at. The keys are stable: scripts read them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    pub label: u16,
    /// Its name.
    pub structure: String,
    /// Whether the peak lies in the structure, and not only near it.
    pub inside: bool,
    /// The voxel with the highest score in the peak's block.
    pub voxel: [usize; 3],
    /// Centre of that voxel in world mm (RAS+); `None` where the voxel size or the orientation is unknown, or slices are
    /// missing.
    pub position_mm: Option<DVec3>,
    /// Mean of gap x (1 - uncertainty) over the peak's block, 0 to 1; the gap alone where no uncertainty was given.
    pub score: f64,
    /// Over the region, 0 to 1.
    pub mean_gap: f64,
    /// Over the region, 0 to 1; `None` where no uncertainty was given.
    pub mean_uncertainty: Option<f64>,
    /// Of the region; `None` where the voxel size is unknown or slices are missing.
    pub volume_ml: Option<f64>,
    /// Of the region's means; `None` where no uncertainty was given.
    pub quadrant: Option<Quadrant>,
}

/// The first `limit` places, the highest score first.
///
/// `gap` and `uncertainty` are 0 to 1 and lie on the labels' grid, or it is an error. Voxels without a finite gap and
/// uncertainty count for nothing, and a place has a score above 0. Where the voxel size is unknown, the lengths of this
/// module are in units of the voxels' nominal size.
pub fn places(
    labels: &LabelMap,
    gap: &Volume<f32>,
    uncertainty: Option<&Volume<f32>>,
    table: &LabelTable,
    cutoffs: Cutoffs,
    limit: usize,
) -> Result<Vec<Place>, GapError> {
    check_grid("gap", gap.geometry(), labels)?;
    uncertainty.map_or(Ok(()), |values| check_grid("uncertainty", values.geometry(), labels))?;
    let structures: Vec<u16> = table.entries.iter().map(|entry| entry.value).collect();
    let blocks = Blocks::of(labels, gap, uncertainty, &structures);
    let finder = Finder { labels, table, cutoffs, has_uncertainty: uncertainty.is_some() };
    let mut taken = BTreeSet::new();
    let mut peaks: Vec<DVec3> = Vec::new();
    let mut found = Vec::new();
    for (index, peak) in ranked_peaks(&blocks) {
        if found.len() == limit {
            break;
        }
        let position_mm = labels.geometry().world_of(finder.voxel_of(peak.peak).1);
        let is_apart = peaks.iter().all(|other| other.distance(position_mm) >= APART_MM);
        if is_apart && !taken.contains(&index) {
            let region = region(&blocks, index, peak, &taken);
            found.push(finder.place(peak, region.iter().filter_map(|index| blocks.blocks.get(index))));
            taken.extend(region);
            peaks.push(position_mm);
        }
    }
    Ok(found)
}

/// The blocks that no neighbour exceeds, by falling score; of equal ones the first voxel comes first.
fn ranked_peaks(blocks: &Blocks) -> Vec<(usize, &Block)> {
    let is_peak = |(index, block): &(usize, &Block)| {
        let score = block.mean_score();
        let exceeds = |(there, other): (usize, &Block)| {
            let theirs = other.mean_score();
            theirs > score || (theirs == score && there < *index)
        };
        score > 0.0 && !blocks.around(*index).any(exceeds)
    };
    let mut peaks: Vec<(usize, &Block)> =
        blocks.blocks.iter().map(|(index, block)| (*index, block)).filter(is_peak).collect();
    peaks.sort_by(|(_, a), (_, b)| b.mean_score().total_cmp(&a.mean_score()).then(a.peak.cmp(&b.peak)));
    peaks
}

/// The blocks of a place, `taken` ones left out.
fn region(blocks: &Blocks, index: usize, peak: &Block, taken: &BTreeSet<usize>) -> BTreeSet<usize> {
    let least = REGION_SHARE * peak.mean_score();
    let mut region = BTreeSet::from([index]);
    let mut open = vec![index];
    while let Some(here) = open.pop() {
        for (there, block) in blocks.around(here) {
            let belongs = block.label == peak.label && block.mean_score() >= least && !taken.contains(&there);
            if belongs && region.insert(there) {
                open.push(there);
            }
        }
    }
    region
}

struct Finder<'a> {
    labels: &'a LabelMap,
    table: &'a LabelTable,
    cutoffs: Cutoffs,
    has_uncertainty: bool,
}

impl Finder<'_> {
    fn voxel_of(&self, offset: usize) -> ([usize; 3], DVec3) {
        let [ni, nj, _] = self.labels.dims();
        let voxel = [offset % ni, offset / ni % nj, offset / (ni * nj)];
        (voxel, DVec3::from_array(voxel.map(|index| index as f64)))
    }

    fn place<'b>(&self, peak: &Block, region: impl Iterator<Item = &'b Block>) -> Place {
        let grid = self.labels.geometry();
        let (voxel, centre) = self.voxel_of(peak.peak);
        let (voxels, gap, uncertainty) = region.fold((0, 0.0, 0.0), |(voxels, gap, uncertainty), block| {
            (voxels + block.voxels, gap + block.gap, uncertainty + block.uncertainty)
        });
        let mean_gap = gap / voxels as f64;
        let mean_uncertainty = self.has_uncertainty.then(|| uncertainty / voxels as f64);
        let is_placed = grid.is_measurable() && grid.orientation_known();
        Place {
            label: peak.label,
            structure: self.table.name_of(peak.label),
            inside: self.labels.voxels()[peak.peak] == peak.label,
            voxel,
            position_mm: is_placed.then(|| grid.world_of(centre)),
            score: peak.mean_score(),
            mean_gap,
            mean_uncertainty,
            volume_ml: grid.voxel_ml().map(|ml| ml * voxels as f64),
            quadrant: mean_uncertainty.map(|sure| Quadrant::of(mean_gap, sure, self.cutoffs)),
        }
    }
}

#[cfg(test)]
mod tests;
