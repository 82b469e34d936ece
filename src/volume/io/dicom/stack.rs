//! Slices in a row: their order, the grid they lie on, and how far from an even grid they are.
//!
//! Invariants: order and place come from ImagePositionPatient alone, never from file names or InstanceNumber; the third
//! axis of the grid runs from slice to slice, so that a tilted gantry's shear is kept.

use super::slice::Slice;
use crate::volume::Geometry;
use glam::{DMat4, DVec3};
use std::collections::BTreeSet;

/// How far a slice may lie from the even grid: a hundredth of the spacing, or, for thin slices, what positions written
/// to a tenth of a millimetre are off by (half a tenth each, for the slice and for the ends of the grid), but never more
/// than a fifth of the spacing: a missing slice moves others by half of it at least.
fn tolerance_mm(spacing_mm: f64) -> f64 {
    (0.01 * spacing_mm).max(0.1_f64.min(0.2 * spacing_mm))
}

/// A sideways step from slice to slice of more than this fraction of the spacing (0.1 degrees) is worth a warning.
const TILT: f64 = 0.0017;

/// A grid may have this many times as many slices as there are files; more means that positions are nonsense.
const SPARSEST: usize = 16;

/// One volume, ready to be read.
#[derive(Debug)]
pub(super) struct Stack {
    /// From the first to the last along k.
    pub slices: Vec<Slice>,
    /// The k of each slice.
    pub at: Vec<usize>,
    pub geometry: Geometry,
    /// What is missing or uneven, where, and by how much. Without it, every k has its slice.
    pub gap: Option<String>,
    pub warnings: Vec<String>,
}

/// Puts slices of one orientation, spacing and size, of which no two lie at the same place, into a grid.
pub(super) fn arrange(mut slices: Vec<Slice>) -> Result<Stack, String> {
    let first = slices.first().ok_or("it has no slices")?.clone();
    let Some((normal, axes)) = first.normal().zip(first.plane().axes) else { return unplaced(slices) };
    if first.plane().position.is_none() {
        return unplaced(slices);
    }
    slices.sort_by(|a, b| {
        a.along_normal_mm().unwrap_or_default().total_cmp(&b.along_normal_mm().unwrap_or_default())
    });
    let positions: Vec<DVec3> = slices.iter().filter_map(|slice| slice.plane().position).collect();
    let mut warnings = Vec::new();
    let row = if positions.len() == 1 {
        Row::of_one(&first, normal, &mut warnings)
    } else {
        Row::through(&positions, normal)?
    };
    if positions.len() > 1 {
        warnings.extend(disagreements(&slices, &row, normal));
    }
    let spacing = first.plane().spacing_mm;
    if spacing.is_none() {
        warnings.push("PixelSpacing is missing; nothing can be measured.".to_owned());
    }
    let [between_columns, between_rows] = spacing.unwrap_or([1.0; 2]);
    let origin = positions[0];
    let lps = [axes[0] * between_columns, axes[1] * between_rows, row.step_mm];
    let mut geometry = grid(&first, row.count(), lps, origin)?;
    if spacing.is_none() || row.thickness_guessed {
        geometry = geometry.with_unknown_spacing();
    }
    if row.gap.is_some() {
        geometry = geometry.with_missing_slices();
    }
    Ok(Stack { slices, at: row.at, geometry, gap: row.gap, warnings })
}

/// A grid in RAS from axes and origin in LPS.
fn grid(slice: &Slice, count: usize, lps_axes: [DVec3; 3], lps_origin: DVec3) -> Result<Geometry, String> {
    let ras = |lps: DVec3| DVec3::new(-lps.x, -lps.y, lps.z);
    let [i, j, k] = lps_axes.map(|axis| ras(axis).extend(0.0));
    let layout = &slice.image.layout;
    Geometry::new(
        [layout.columns, layout.rows, count],
        DMat4::from_cols(i, j, k, ras(lps_origin).extend(1.0)),
    )
    .map_err(|error| error.to_string())
}

/// How slices follow each other.
struct Row {
    at: Vec<usize>,
    /// From one k to the next, LPS mm.
    step_mm: DVec3,
    gap: Option<String>,
    thickness_guessed: bool,
}

impl Row {
    fn count(&self) -> usize {
        self.at.last().map_or(1, |last| last + 1)
    }

    /// A single slice is as far from the next as it is thick.
    fn of_one(slice: &Slice, normal: DVec3, warnings: &mut Vec<String>) -> Self {
        let plane = slice.plane();
        let thickness = plane.thickness_mm.or(plane.spacing_between_mm);
        if thickness.is_none() {
            warnings.push(
                "This is one slice of unknown thickness, drawn as 1 mm; nothing can be measured.".to_owned(),
            );
        }
        let step_mm = normal * thickness.unwrap_or(1.0);
        Self { at: vec![0], step_mm, gap: None, thickness_guessed: thickness.is_none() }
    }

    /// The even grid through two or more positions, in ascending order along the normal.
    fn through(positions: &[DVec3], normal: DVec3) -> Result<Self, String> {
        let along: Vec<f64> = positions.iter().map(|position| position.dot(normal)).collect();
        let even: Vec<usize> = (0..positions.len()).collect();
        let (step_mm, worst) = fit(positions, &even);
        if worst.0 <= tolerance_mm(step_mm.dot(normal)) {
            return Ok(Self { at: even, step_mm, gap: None, thickness_guessed: false });
        }
        let mut steps: Vec<f64> = along.windows(2).map(|pair| pair[1] - pair[0]).collect();
        steps.sort_by(f64::total_cmp);
        let candidates = [steps[steps.len() / 2], steps[0]];
        let at = candidates.iter().find_map(|spacing| on_grid(&along, *spacing)).ok_or_else(|| {
            format!(
                "slices lie between {:.2} and {:.2} mm apart, on no even grid",
                steps[0],
                steps[steps.len() - 1]
            )
        })?;
        let (step_mm, worst) = fit(positions, &at);
        let gap = Some(describe_gap(&along, &at, step_mm.dot(normal), worst));
        Ok(Self { at, step_mm, gap, thickness_guessed: false })
    }
}

/// The step of the grid whose ends are the first and last position, and the largest distance (mm) of a position from its
/// place on it, with that position's index.
fn fit(positions: &[DVec3], at: &[usize]) -> (DVec3, (f64, usize)) {
    let (first, last) = (positions[0], positions[positions.len() - 1]);
    let step = (last - first) / at[at.len() - 1] as f64;
    let worst = positions.iter().zip(at).enumerate().fold((0.0, 0), |worst, (index, (position, at))| {
        let distance = position.distance(first + step * *at as f64);
        if distance > worst.0 { (distance, index) } else { worst }
    });
    (step, worst)
}

/// The nearest place of each slice on a grid of some spacing, unless two share one or most places are empty.
fn on_grid(along: &[f64], spacing_mm: f64) -> Option<Vec<usize>> {
    let at: Vec<usize> = along.iter().map(|mm| ((mm - along[0]) / spacing_mm).round() as usize).collect();
    let distinct = at.windows(2).all(|pair| pair[0] < pair[1]);
    (distinct && at[at.len() - 1] < SPARSEST * at.len()).then_some(at)
}

fn describe_gap(along: &[f64], at: &[usize], spacing_mm: f64, worst: (f64, usize)) -> String {
    let mut parts = Vec::new();
    let holes: Vec<usize> = (0..at.len() - 1).filter(|&n| at[n + 1] - at[n] > 1).collect();
    let missing: usize = holes.iter().map(|&n| at[n + 1] - at[n] - 1).sum();
    if missing > 0 {
        let named: Vec<String> = holes
            .iter()
            .take(3)
            .map(|&n| {
                let (lost, slice, from, to) = (at[n + 1] - at[n] - 1, n + 1, along[n], along[n + 1]);
                format!("{lost} after slice {slice}, between {from:.2} and {to:.2} mm")
            })
            .collect();
        let more =
            if holes.len() > 3 { format!(" and {} more gaps", holes.len() - 3) } else { String::new() };
        parts.push(format!(
            "{missing} slices are missing ({}{more}; the others are {spacing_mm:.3} mm apart)",
            named.join("; ")
        ));
    }
    if worst.0 > tolerance_mm(spacing_mm) {
        parts.push(format!(
            "slices are unevenly spaced: slice {} at {:.2} mm lies {:.2} mm from an even grid of {spacing_mm:.3} mm",
            worst.1 + 1,
            along[worst.1],
            worst.0
        ));
    }
    parts.join("; ")
}

/// What other attributes say that the positions do not.
fn disagreements(slices: &[Slice], row: &Row, normal: DVec3) -> Vec<String> {
    let mut warnings = Vec::new();
    let spacing = row.step_mm.dot(normal);
    let sideways = (row.step_mm - normal * spacing).length();
    if sideways > TILT * spacing {
        warnings.push(format!(
            "Each slice is shifted by {sideways:.3} mm against the one before (tilted gantry, {:.1} degrees); the slices \
             are kept where they were measured.",
            (sideways / spacing).atan().to_degrees()
        ));
    }
    if let Some(stated) = slices[0].plane().spacing_between_mm
        && (stated - spacing).abs() > tolerance_mm(spacing)
    {
        warnings.push(format!(
            "SpacingBetweenSlices says {stated} mm, the slices' positions {spacing:.3} mm; the positions were believed."
        ));
    }
    let instances: Vec<f64> = slices.iter().filter_map(|slice| slice.plane().instance).collect();
    let files: BTreeSet<_> = slices.iter().map(Slice::path).collect();
    let one_way = |ascending: bool| {
        instances.windows(2).all(|pair| (pair[0] < pair[1]) == ascending && pair[0] != pair[1])
    };
    if files.len() == slices.len() && instances.len() == slices.len() && !one_way(true) && !one_way(false) {
        warnings.push(
            "InstanceNumber orders the slices otherwise than their positions; the positions were believed."
                .to_owned(),
        );
    }
    warnings
}

/// Slices that do not say where they lie: in the order of their InstanceNumber, with nothing known about their place.
fn unplaced(mut slices: Vec<Slice>) -> Result<Stack, String> {
    let instance = |slice: &Slice| slice.plane().instance;
    slices.sort_by(|a, b| instance(a).unwrap_or_default().total_cmp(&instance(b).unwrap_or_default()));
    let ordered = slices.windows(2).all(|pair| instance(&pair[0]) < instance(&pair[1]));
    if slices.len() > 1 && !ordered {
        return Err("its slices have neither positions nor distinct instance numbers".to_owned());
    }
    let first = &slices[0];
    let spacing = first.plane().spacing_mm;
    let thickness = first.plane().thickness_mm;
    let [between_columns, between_rows] = spacing.unwrap_or([1.0; 2]);
    let axes = [DVec3::X * between_columns, DVec3::Y * between_rows, DVec3::Z * thickness.unwrap_or(1.0)];
    let mut geometry = grid(first, slices.len(), axes, DVec3::ZERO)?.with_unknown_orientation();
    if slices.len() > 1 || spacing.is_none() || thickness.is_none() {
        geometry = geometry.with_unknown_spacing();
    }
    let mut warnings = vec!["The file does not say where in the patient this lies.".to_owned()];
    if slices.len() > 1 {
        warnings.push("Slices are ordered by InstanceNumber; their true distance is unknown.".to_owned());
    }
    Ok(Stack { at: (0..slices.len()).collect(), slices, geometry, gap: None, warnings })
}
