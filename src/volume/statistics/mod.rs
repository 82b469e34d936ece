//! How measured values are spread, over a whole scan and inside each of its labels.
//!
//! Invariants: values that are not finite, and what the file calls padding, are counted and kept out of every figure;
//! figures of no value at all are `None`, never 0 or NaN; percentiles are exact, in every stored type; the same voxels
//! give the same figures to the last bit, however many threads share the work.

mod rank;
#[cfg(test)]
mod tests;

use super::scan::with_voxels;
use super::{LabelMap, Scaling, Scan, Volume};
use rank::Ranked;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;

/// Voxels one thread looks at before it takes the next ones: sums do not depend on how many threads there are.
const CHUNK: usize = 1 << 18;

/// What the values of some voxels are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statistics {
    /// All voxels, whether they hold a value or not.
    pub voxels: usize,
    /// NaN or infinite, and so left out.
    pub nonfinite: usize,
    /// Padding by the file's own word, and so left out.
    pub padding: usize,
    /// `None` where no voxel is left.
    pub spread: Option<Spread>,
}

/// Figures of at least one finite value, all in the unit of the measured values (HU or a.u.).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spread {
    pub mean: f64,
    /// Root of the mean squared distance from the mean (of all voxels, not of a sample of them: divided by n).
    pub sd: f64,
    pub min: f64,
    pub max: f64,
    /// In the order they were asked for.
    pub percentiles: Vec<Percentile>,
}

/// The value below which `percent` of the values lie, interpolated linearly between neighbours (numpy's default).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Percentile {
    /// 0 to 100.
    pub percent: f64,
    pub value: f64,
}

/// What one label covers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelStatistics {
    pub label: u16,
    pub voxels: usize,
    /// `None` where the grid is not measurable.
    pub volume_ml: Option<f64>,
    /// Of the scan's values inside; `None` where no scan was given.
    pub values: Option<Statistics>,
}

/// How many measured values fall into each of equally wide bins.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Histogram {
    /// Lower end of the first bin.
    pub low: f64,
    /// Upper end of the last bin, which belongs to it; above `low`, even for a constant image.
    pub high: f64,
    pub counts: Vec<usize>,
}

impl Statistics {
    /// Of all voxels of a scan. `percents` lie between 0 and 100.
    pub fn of_scan(scan: &Scan, percents: &[f64]) -> Self {
        let rules = Rules { scaling: scan.scaling(), padding: scan.padding };
        with_voxels!(scan.voxels(), v => rules.measure(v, percents))
    }

    /// Of computed values.
    pub fn of_values(values: &[f32], percents: &[f64]) -> Self {
        Rules { scaling: Scaling::IDENTITY, padding: None }.measure(values, percents)
    }
}

impl Spread {
    /// The value of a percentile that was asked for.
    pub fn percentile(&self, percent: f64) -> Option<f64> {
        self.percentiles.iter().find(|known| known.percent == percent).map(|known| known.value)
    }
}

impl Histogram {
    /// Of a scan's finite values that are no padding, in `bins` bins from the smallest to the largest; `None` where there
    /// is no value or no bin.
    pub fn of_scan(scan: &Scan, bins: usize) -> Option<Self> {
        let [mut low, mut high] = scan.intensity_range()?;
        if bins == 0 {
            return None;
        }
        if high - low < f64::EPSILON * low.abs().max(1.0) {
            (low, high) = (low - 0.5, high + 0.5);
        }
        let rules = Rules { scaling: scan.scaling(), padding: scan.padding };
        let per_unit = bins as f64 / (high - low);
        let bin = |value: f64| (((value - low) * per_unit) as usize).min(bins - 1);
        let counts = with_voxels!(scan.voxels(), v => v
            .par_chunks(CHUNK)
            .map(|chunk| {
                let mut counts = vec![0usize; bins];
                for &stored in chunk.iter().filter(|stored| rules.keeps(**stored)) {
                    counts[bin(rules.measured(stored.value()))] += 1;
                }
                counts
            })
            .reduce(|| vec![0; bins], rank::added));
        Some(Self { low, high, counts })
    }
}

/// Voxels and volume of every label but 0 that occurs, by its value, and how the scan's values in it are spread. The scan
/// lies on the labels' grid, voxel for voxel: callers compare the grids first. Where it is given, it is the scan that knows
/// whether a voxel has a volume: the labels' file may lack what was said about the scan's.
pub fn label_statistics(labels: &LabelMap, scan: Option<&Scan>, percents: &[f64]) -> Vec<LabelStatistics> {
    let voxel_ml = scan.map_or(labels.geometry(), Scan::geometry).voxel_ml();
    let row = |label: u16, voxels: usize, values: Option<Statistics>| LabelStatistics {
        label,
        voxels,
        volume_ml: voxel_ml.map(|ml| ml * voxels as f64),
        values,
    };
    let Some(scan) = scan else {
        let counts = label_counts(labels);
        return counts.into_iter().map(|(label, voxels)| row(label, voxels, None)).collect();
    };
    let rules = Rules { scaling: scan.scaling(), padding: scan.padding };
    with_voxels!(scan.voxels(), v => by_label(labels, v)
        .into_iter()
        .map(|(label, values)| row(label, values.len(), Some(rules.measure(&values, percents))))
        .collect())
}

/// How many voxels every label but 0 that occurs has.
pub fn label_counts(labels: &LabelMap) -> BTreeMap<u16, usize> {
    let counts = rank::counted(labels.voxels());
    (1..=u16::MAX).zip(counts.into_iter().skip(1)).filter(|(_, voxels)| *voxels > 0).collect()
}

/// Mean of the finite values inside every label but 0 that has any. The values lie on the labels' grid.
pub fn label_means(labels: &LabelMap, values: &Volume<f32>) -> BTreeMap<u16, f64> {
    let mean = |values: Vec<f32>| {
        let finite = values.iter().filter(|value| value.is_finite());
        let count = finite.clone().count();
        (count > 0).then(|| finite.map(|value| f64::from(*value)).sum::<f64>() / count as f64)
    };
    let inside = by_label(labels, values.voxels());
    inside.into_iter().filter_map(|(label, values)| Some((label, mean(values)?))).collect()
}

/// The stored values inside each label but 0, in the order of the voxels.
fn by_label<S: Ranked>(labels: &LabelMap, values: &[S]) -> BTreeMap<u16, Vec<S>> {
    let chunks = labels.voxels().par_chunks(CHUNK).zip(values.par_chunks(CHUNK));
    let gathered: Vec<BTreeMap<u16, Vec<S>>> = chunks
        .map(|(labels, values)| {
            let mut inside: BTreeMap<u16, Vec<S>> = BTreeMap::new();
            let mut rest = labels;
            let mut offset = 0;
            // Labels come in runs: one look-up for each of them.
            while let [label, ..] = *rest {
                let run = rest.iter().take_while(|next| **next == label).count();
                if label != 0 {
                    inside.entry(label).or_default().extend_from_slice(&values[offset..offset + run]);
                }
                (rest, offset) = (&rest[run..], offset + run);
            }
            inside
        })
        .collect();
    let mut whole: BTreeMap<u16, Vec<S>> = BTreeMap::new();
    for (label, values) in gathered.into_iter().flatten() {
        whole.entry(label).or_default().extend(values);
    }
    whole
}

/// What stored values mean, and which of them mean nothing.
#[derive(Debug, Clone, Copy)]
struct Rules {
    scaling: Scaling,
    padding: Option<[f64; 2]>,
}

/// Sums over some stored values that are kept.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    kept: usize,
    nonfinite: usize,
    sum: f64,
    squares: f64,
}

impl Rules {
    fn measured(&self, stored: f64) -> f64 {
        stored * self.scaling.slope + self.scaling.intercept
    }

    fn keeps<S: Ranked>(&self, stored: S) -> bool {
        let value = stored.value();
        let padded = || self.padding.is_some_and(|[first, last]| (first..=last).contains(&value));
        value.is_finite() && !padded()
    }

    fn measure<S: Ranked>(&self, values: &[S], percents: &[f64]) -> Statistics {
        let sums = self.sums(values, 0.0);
        let statistics = Statistics {
            voxels: values.len(),
            nonfinite: sums.nonfinite,
            padding: values.len() - sums.nonfinite - sums.kept,
            spread: None,
        };
        if sums.kept == 0 {
            return statistics;
        }
        let mean = sums.sum / sums.kept as f64;
        let variance = self.sums(values, mean).squares / sums.kept as f64;
        let ranks: Vec<Position> =
            percents.iter().map(|percent| self.position(*percent, sums.kept)).collect();
        let wanted = ranks.iter().flat_map(|at| [at.lower, at.upper]).chain([0, sums.kept - 1]).collect();
        let stored = rank::select(values, wanted, |stored| self.keeps(stored));
        let at = |rank: usize| self.measured(stored.get(&rank).copied().unwrap_or(mean));
        let ends = [at(0), at(sums.kept - 1)];
        let percentiles = percents.iter().zip(&ranks).map(|(&percent, position)| {
            let (lower, upper) = (at(position.lower), at(position.upper));
            Percentile { percent, value: lower + (upper - lower) * position.fraction }
        });
        let spread = Spread {
            mean: self.measured(mean),
            sd: variance.sqrt() * self.scaling.slope.abs(),
            min: ends[0].min(ends[1]),
            max: ends[0].max(ends[1]),
            percentiles: percentiles.collect(),
        };
        Statistics { spread: Some(spread), ..statistics }
    }

    /// Sums of the stored values and of their squared distances from `centre`.
    fn sums<S: Ranked>(&self, values: &[S], centre: f64) -> Sums {
        let of_chunk = |chunk: &[S]| {
            let mut sums = Sums::default();
            for &stored in chunk {
                let value = stored.value();
                if self.keeps(stored) {
                    sums.kept += 1;
                    sums.sum += value;
                    sums.squares += (value - centre) * (value - centre);
                } else if !value.is_finite() {
                    sums.nonfinite += 1;
                }
            }
            sums
        };
        let chunks: Vec<Sums> = values.par_chunks(CHUNK).map(of_chunk).collect();
        chunks.into_iter().fold(Sums::default(), |a, b| Sums {
            kept: a.kept + b.kept,
            nonfinite: a.nonfinite + b.nonfinite,
            sum: a.sum + b.sum,
            squares: a.squares + b.squares,
        })
    }

    /// Where a percentile of the measured values lies among `count` stored ones.
    fn position(&self, percent: f64, count: usize) -> Position {
        let fraction = (percent / 100.0).clamp(0.0, 1.0);
        // A negative slope turns the order of the values round.
        let fraction = if self.scaling.slope < 0.0 { 1.0 - fraction } else { fraction };
        let position = fraction * (count - 1) as f64;
        let lower = (position.floor() as usize).min(count - 1);
        Position { lower, upper: (lower + 1).min(count - 1), fraction: position - lower as f64 }
    }
}

/// Between two ranks, 0 being the smallest value's.
#[derive(Debug, Clone, Copy)]
struct Position {
    lower: usize,
    upper: usize,
    fraction: f64,
}
