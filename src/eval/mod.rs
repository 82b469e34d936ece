//! How well a label map agrees with a reference: Dice, and surface distances in mm; for one case, for many, and for the
//! arms of an ablation study; as tables and as charts. And what the gap of the features says of a prediction, in [`gap`].
//!
//! Invariants: both maps lie on one grid, or nothing is computed; what is undefined is `None`, never 0 or NaN; every
//! report carries the definition its numbers follow.

pub mod ablation;
mod anatomy;
pub mod chart;
mod cohort;
mod difference;
mod distance;
pub mod gap;
mod moments;
mod report;
mod shift;
mod surface;
mod table;

pub use anatomy::{edge_agreement, edge_agreement_map};
pub use cohort::{Case, Cohort, CohortSummary};
pub use difference::{
    LabelDifference, ONLY_FIRST, ONLY_SECOND, OTHER_STRUCTURE, StructureDifference, label_difference,
};
pub use moments::{MeanSd, Metric, MetricSummary, StructureSummary};
pub use report::{MeanScore, Report, StructureScore};
pub use shift::{Boundary, CYCLE_CAVEAT, KEPT_MM, StructureShift, axial_slice, structure_shifts};

use crate::volume::{Geometry, LabelMap, LabelTable, geometry_equal};
use rayon::prelude::*;
use surface::{BoundingBox, Mask};
use thiserror::Error;

/// Two grids closer than this, in mm at every corner, are one grid.
const SAME_GRID_MM: f64 = 1e-3;

/// Axes whose cosine exceeds this are not perpendicular, and distances along them do not add up as squares.
const SHEAR_COSINE: f64 = 1e-3;

/// Why two label maps cannot be compared.
#[derive(Debug, Error, Clone, PartialEq)]
#[error(
    "prediction and reference differ in geometry: expected the reference's grid, {expected}, got {got}; `mindgap \
     convert PREDICTION --labels TABLE --like REFERENCE -o OUT` resamples a label map onto another grid"
)]
pub struct GridsDiffer {
    pub expected: String,
    pub got: String,
}

/// Scores every structure of `table`, whose values both maps use.
///
/// A structure that the reference does not have is undefined. One that only the prediction lacks has a Dice of 0 and
/// undefined distances. Distances are also undefined where the grid is sheared, and with volumes where either map is not
/// measurable.
pub fn evaluate(
    prediction: &LabelMap,
    reference: &LabelMap,
    table: &LabelTable,
) -> Result<Report, GridsDiffer> {
    let grid = reference.geometry();
    if !geometry_equal(prediction.geometry(), grid, SAME_GRID_MM) {
        return Err(GridsDiffer { expected: describe(grid), got: describe(prediction.geometry()) });
    }
    let mut warnings = Vec::new();
    let measurable = grid.is_measurable() && prediction.geometry().is_measurable();
    if !measurable {
        warnings.push(
            "The voxel size is unknown or slices are missing: distances in mm and volumes are undefined."
                .to_owned(),
        );
    } else if is_sheared(grid) {
        warnings.push("The grid is sheared: distances in mm are undefined.".to_owned());
    }
    let spacing_mm = warnings.is_empty().then(|| grid.spacing_mm());
    let voxel_ml = grid.voxel_ml().filter(|_| measurable);
    let values: Vec<u16> = table.entries.iter().map(|entry| entry.value).collect();
    let extents = surface::extents(prediction, reference, &values);
    let structures: Vec<StructureScore> = table
        .entries
        .par_iter()
        .zip(extents)
        .map(|(entry, extent)| {
            let scores = extent.map(|extent| score(prediction, reference, entry.value, extent, spacing_mm));
            let Score { dice, distances, voxels } = scores.unwrap_or_default();
            let [prediction_ml, reference_ml] = voxels.map(|count| voxel_ml.map(|ml| ml * count as f64));
            StructureScore {
                label: entry.value,
                name: entry.name.clone(),
                dice,
                assd_mm: distances.map(|distances| distances.assd_mm),
                hd95_mm: distances.map(|distances| distances.hd95_mm),
                prediction_ml,
                reference_ml,
            }
        })
        .collect();
    for structure in structures.iter().filter(|structure| structure.dice.is_none()) {
        warnings.push(format!("{}: undefined, the reference does not contain it.", structure.name));
    }
    Ok(Report::new(structures, spacing_mm, warnings))
}

/// Pooled surface distances of one structure.
#[derive(Debug, Clone, Copy)]
struct Distances {
    assd_mm: f64,
    hd95_mm: f64,
}

/// What one label comes to; `voxels` of the prediction and of the reference.
#[derive(Debug, Clone, Copy, Default)]
struct Score {
    dice: Option<f64>,
    distances: Option<Distances>,
    voxels: [usize; 2],
}

/// Dice and distances of one label, inside the box that holds all its voxels in both maps.
fn score(
    prediction: &LabelMap,
    reference: &LabelMap,
    value: u16,
    extent: BoundingBox,
    spacing_mm: Option<[f64; 3]>,
) -> Score {
    let predicted = Mask::cut(prediction, value, extent);
    let actual = Mask::cut(reference, value, extent);
    let (predicted_voxels, actual_voxels) = (predicted.count(), actual.count());
    let voxels = [predicted_voxels, actual_voxels];
    if actual_voxels == 0 {
        return Score { voxels, ..Score::default() };
    }
    let shared = predicted.count_shared(&actual);
    let dice = 2.0 * shared as f64 / (predicted_voxels + actual_voxels) as f64;
    let distances = spacing_mm
        .filter(|_| predicted_voxels > 0)
        .and_then(|spacing_mm| pooled_distances(&predicted.surface(), &actual.surface(), spacing_mm));
    Score { dice: Some(dice), distances, voxels }
}

/// Mean and 95th percentile of the distances from each surface to the other, both directions together.
fn pooled_distances(a: &Mask, b: &Mask, spacing_mm: [f64; 3]) -> Option<Distances> {
    let mut pooled = distance::from_surface_to_surface(a, b, spacing_mm);
    pooled.extend(distance::from_surface_to_surface(b, a, spacing_mm));
    let assd_mm = pooled.iter().map(|distance| f64::from(*distance)).sum::<f64>() / pooled.len() as f64;
    Some(Distances { assd_mm, hd95_mm: percentile(&mut pooled, 0.95)? })
}

/// The value below which `fraction` of the values lie, interpolated linearly between neighbours (numpy's default).
fn percentile(values: &mut [f32], fraction: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let position = fraction * last as f64;
    let lower_index = (position.floor() as usize).min(last);
    let (_, lower, above) = values.select_nth_unstable_by(lower_index, f32::total_cmp);
    let lower = f64::from(*lower);
    let upper = above.iter().copied().min_by(f32::total_cmp).map_or(lower, f64::from);
    Some(lower + (upper - lower) * (position - lower_index as f64))
}

fn is_sheared(grid: &Geometry) -> bool {
    let affine = grid.world_from_voxel();
    let axes = [affine.x_axis, affine.y_axis, affine.z_axis].map(|axis| axis.truncate().normalize());
    [(0, 1), (0, 2), (1, 2)].iter().any(|&(a, b)| axes[a].dot(axes[b]).abs() > SHEAR_COSINE)
}

fn describe(grid: &Geometry) -> String {
    let [i, j, k] = grid.dims();
    let spacing = grid.spacing_mm();
    let axes = grid.axcodes().unwrap_or_else(|| "unknown axes".to_owned());
    let corner = grid.world_from_voxel().w_axis.truncate();
    format!("{i} x {j} x {k} voxels, {spacing:.3?} mm, {axes}, first voxel at {corner:.3} mm")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_percentile_falls_between_two_values_as_numpy_does_it() {
        let mut values = [4.0, 1.0, 3.0, 2.0];
        assert!((percentile(&mut values, 0.95).unwrap() - 3.85).abs() < 1e-12);
        assert_eq!(percentile(&mut values, 0.0), Some(1.0));
        assert_eq!(percentile(&mut values, 1.0), Some(4.0));
        assert_eq!(percentile(&mut [7.0], 0.95), Some(7.0));
        assert_eq!(percentile(&mut [], 0.95), None);
    }
}
