//! Gap, uncertainty, volume and shape of every predicted structure.
//!
//! Invariants: all inputs lie on one grid; values that are not finite are left out of every figure; what is undefined is
//! `None`; the same volumes give the same figures to the last bit.

use super::near::{ball, mark_near};
use super::{GapError, SHELL_MM, check_grid, islands};
use crate::eval::is_sheared;
use crate::eval::surface::{self, BoundingBox, Mask};
use crate::volume::{Geometry, LabelEntry, LabelMap, LabelTable, Statistics, Volume};
use serde::{Deserialize, Serialize};

/// What the numbers of a [`GapMeasure`] mean.
pub(super) const DEFINITION: &str = "Gap: a(p) of the local feature mask, 0 to 1. Uncertainty: normalised entropy of the \
    prediction, 0 to 1. Mean and 95th percentile (linear interpolation between neighbours) over the finite values of the \
    voxels inside a structure; in its shell: all voxels outside it whose centres lie within 5 mm (Euclidean) of one of its \
    own, other structures included; and outside: the voxels of the body in neither. Coverage: the share of the gap values \
    that are at or above the threshold. Islands: parts that share no face, edge or corner. Undefined values are null.";

/// The gap over some voxels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GapSpread {
    /// With a finite gap; at least one.
    pub voxels: usize,
    pub mean: f64,
    /// 95th percentile, interpolated linearly between neighbours (numpy's default).
    pub p95: f64,
}

/// One structure as it was predicted. The keys are stable: scripts read them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StructureGap {
    /// Value in the label map.
    pub label: u16,
    pub name: String,
    /// SNOMED CT concept, by which its usual volume is found.
    pub snomed_ct: String,
    /// Display colour, sRGB.
    pub rgb: [u8; 3],
    pub voxels: usize,
    /// `None` where the voxel size is unknown or slices are missing.
    pub volume_ml: Option<f64>,
    /// Of its own voxels; `None` where there are none.
    pub inside: Option<GapSpread>,
    /// Of the voxels outside it within [`SHELL_MM`]; `None` too where distances in mm are undefined.
    pub shell: Option<GapSpread>,
    /// Of the body without structure and shell; `None` where the shell is undefined.
    pub outside: Option<GapSpread>,
    /// Inside; `None` where it is empty or no uncertainty was given.
    pub mean_uncertainty: Option<f64>,
    /// 26-connected parts.
    pub islands: usize,
    /// Voxels of the largest part over all voxels, 0 to 1; `None` where it is empty.
    pub largest_island_share: Option<f64>,
    /// Share of its voxels whose gap is at or above the threshold, 0 to 1; `None` where it is empty.
    pub coverage: Option<f64>,
    /// The faces of the volume in which it has voxels: "superior", "left", ..., or "first k" where the orientation is
    /// unknown.
    pub borders: Vec<String>,
}

/// The whole body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BodyGap {
    pub voxels: usize,
    /// `None` where the voxel size is unknown or slices are missing.
    pub volume_ml: Option<f64>,
    /// `None` for an empty body.
    pub gap: Option<GapSpread>,
    /// `None` for an empty body or where no uncertainty was given.
    pub mean_uncertainty: Option<f64>,
    /// Share of its voxels whose gap is at or above the threshold, 0 to 1; `None` for an empty body.
    pub coverage: Option<f64>,
}

/// Everything that is measured on one case. The keys are stable: scripts read them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GapMeasure {
    /// From which gap on a voxel counts as covered.
    pub threshold: f32,
    /// Voxels along i, j, k.
    pub dims: [usize; 3],
    /// `None` where distances in mm are undefined.
    pub spacing_mm: Option<[f64; 3]>,
    /// In the order of the label table; empty structures included.
    pub structures: Vec<StructureGap>,
    pub body: BodyGap,
    /// What a reader of the numbers must know, in full sentences.
    pub warnings: Vec<String>,
}

/// Measures every structure of `table`, whose values `labels` uses, and the body as a whole.
///
/// `gap` and `uncertainty` are 0 to 1, `body` says which voxels belong to the patient; all of them on the labels' grid, or
/// it is an error, as is a `threshold` that is no number. Shell and outside are undefined where the voxel size is unknown,
/// slices are missing or the grid is sheared; they and everything else but counts are undefined for an empty structure.
pub fn measure(
    labels: &LabelMap,
    gap: &Volume<f32>,
    uncertainty: Option<&Volume<f32>>,
    body: &Volume<bool>,
    table: &LabelTable,
    threshold: f32,
) -> Result<GapMeasure, GapError> {
    check_grid("gap", gap.geometry(), labels)?;
    check_grid("body", body.geometry(), labels)?;
    uncertainty.map_or(Ok(()), |values| check_grid("uncertainty", values.geometry(), labels))?;
    if !threshold.is_finite() {
        return Err(GapError::Threshold(threshold));
    }
    let grid = labels.geometry();
    let warnings = warnings(grid);
    let spacing_mm = warnings.is_empty().then(|| grid.spacing_mm());
    let inputs = Inputs { labels, gap, uncertainty, body, threshold, spacing_mm };
    let values: Vec<u16> = table.entries.iter().map(|entry| entry.value).collect();
    let extents = surface::extents(labels, labels, &values);
    let structures = table.entries.iter().zip(extents).map(|(entry, extent)| inputs.structure(entry, extent));
    Ok(GapMeasure {
        threshold,
        dims: grid.dims(),
        spacing_mm,
        structures: structures.collect(),
        body: inputs.body(),
        warnings,
    })
}

fn warnings(grid: &Geometry) -> Vec<String> {
    if !grid.is_measurable() {
        return vec![
            "The voxel size is unknown or slices are missing: volumes, shells and what lies outside them are undefined."
                .to_owned(),
        ];
    }
    if is_sheared(grid) {
        return vec!["The grid is sheared: shells and what lies outside them are undefined.".to_owned()];
    }
    Vec::new()
}

struct Inputs<'a> {
    labels: &'a LabelMap,
    gap: &'a Volume<f32>,
    uncertainty: Option<&'a Volume<f32>>,
    body: &'a Volume<bool>,
    threshold: f32,
    spacing_mm: Option<[f64; 3]>,
}

/// Gap values by where they lie.
#[derive(Default)]
struct Zones {
    inside: Vec<f32>,
    shell: Vec<f32>,
    outside: Vec<f32>,
    uncertainty: Vec<f32>,
}

impl Inputs<'_> {
    fn structure(&self, entry: &LabelEntry, extent: Option<BoundingBox>) -> StructureGap {
        let zones = extent.map(|extent| self.zones(entry.value, extent)).unwrap_or_default();
        let parts = extent.map(|extent| islands::sizes(&Mask::cut(self.labels, entry.value, extent)));
        let parts = parts.unwrap_or_default();
        let voxels: usize = parts.iter().sum();
        StructureGap {
            label: entry.value,
            name: entry.name.clone(),
            snomed_ct: entry.snomed_ct.clone(),
            rgb: entry.rgb,
            voxels,
            volume_ml: self.volume_ml(voxels),
            inside: spread(&zones.inside),
            shell: spread(&zones.shell),
            outside: spread(&zones.outside),
            mean_uncertainty: mean(&zones.uncertainty),
            islands: parts.len(),
            largest_island_share: parts.first().map(|largest| *largest as f64 / voxels as f64),
            coverage: self.coverage(&zones.inside),
            borders: extent.map(|extent| borders(self.labels.geometry(), extent)).unwrap_or_default(),
        }
    }

    fn zones(&self, value: u16, extent: BoundingBox) -> Zones {
        let near = self.spacing_mm.map(|spacing_mm| {
            let mut near = vec![false; self.labels.voxels().len()];
            mark_near(&mut near, self.labels, value, extent, &ball(spacing_mm, SHELL_MM));
            near
        });
        let mut zones = Zones::default();
        for (n, (&label, &gap)) in self.labels.voxels().iter().zip(self.gap.voxels()).enumerate() {
            if label == value {
                zones.inside.push(gap);
                zones.uncertainty.extend(self.uncertainty.map(|values| values.voxels()[n]));
            } else if let Some(near) = &near {
                if near[n] {
                    zones.shell.push(gap);
                } else if self.body.voxels()[n] {
                    zones.outside.push(gap);
                }
            }
        }
        zones
    }

    fn body(&self) -> BodyGap {
        let of_body = |values: &Volume<f32>| -> Vec<f32> {
            let pairs = values.voxels().iter().zip(self.body.voxels());
            pairs.filter(|(_, inside)| **inside).map(|(value, _)| *value).collect()
        };
        let gap = of_body(self.gap);
        BodyGap {
            voxels: gap.len(),
            volume_ml: self.volume_ml(gap.len()),
            mean_uncertainty: self.uncertainty.and_then(|values| mean(&of_body(values))),
            coverage: self.coverage(&gap),
            gap: spread(&gap),
        }
    }

    fn volume_ml(&self, voxels: usize) -> Option<f64> {
        self.labels.geometry().voxel_ml().map(|ml| ml * voxels as f64)
    }

    fn coverage(&self, gap: &[f32]) -> Option<f64> {
        let finite = gap.iter().filter(|value| value.is_finite());
        let (count, covered) = finite.fold((0usize, 0usize), |(count, covered), value| {
            (count + 1, covered + usize::from(*value >= self.threshold))
        });
        (count > 0).then(|| covered as f64 / count as f64)
    }
}

fn spread(values: &[f32]) -> Option<GapSpread> {
    let statistics = Statistics::of_values(values, &[95.0]);
    let spread = statistics.spread?;
    Some(GapSpread {
        voxels: statistics.voxels - statistics.nonfinite,
        mean: spread.mean,
        p95: spread.percentile(95.0)?,
    })
}

fn mean(values: &[f32]) -> Option<f64> {
    Statistics::of_values(values, &[]).spread.map(|spread| spread.mean)
}

/// The faces of the grid that a box touches, by voxel axis.
fn borders(grid: &Geometry, extent: BoundingBox) -> Vec<String> {
    let reorientation = grid.reorientation();
    let name = |axis: usize, high: bool| {
        let world = reorientation.voxel_axis_of_world.iter().position(|of_world| *of_world == axis);
        match world.filter(|_| grid.orientation_known()) {
            Some(world) => {
                let names = [["left", "right"], ["posterior", "anterior"], ["inferior", "superior"]][world];
                names[usize::from(high != reorientation.flipped[world])].to_owned()
            }
            None => format!("{} {}", if high { "last" } else { "first" }, ['i', 'j', 'k'][axis]),
        }
    };
    let mut found = Vec::new();
    for axis in 0..3 {
        if extent.first[axis] == 0 {
            found.push(name(axis, false));
        }
        if extent.last[axis] + 1 == grid.dims()[axis] {
            found.push(name(axis, true));
        }
    }
    found
}

#[cfg(test)]
mod tests;
