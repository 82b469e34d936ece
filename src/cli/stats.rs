//! `mindgap stats`: how a scan's values are spread, as a whole and inside each label.

use super::{input, output};
use crate::volume::{
    Histogram, LabelStatistics, LabelTable, Statistics, geometry_equal, io, label_statistics,
};
use anyhow::ensure;
use clap::Args;
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;

/// Describe a scan's values, and with labels the volume and the values of each structure.
#[derive(Debug, Args)]
pub(super) struct Stats {
    /// The scan: a file, a DICOM folder, or the DICOM files of one series.
    #[arg(required = true)]
    input: Vec<PathBuf>,
    /// Labels on the scan's grid.
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Whose names the labels have: abdomen, cardiac, totalsegmentator-v1, ...
    #[arg(long, value_name = "NAME", requires = "labels", value_parser = |name: &str| LabelTable::named(name))]
    table: Option<&'static LabelTable>,
    #[command(flatten)]
    reading: input::InputOptions,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

const PERCENTS: [f64; 9] = [0.5, 1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0, 99.5];
const HISTOGRAM_BINS: usize = 256;
/// Two grids closer than this, in mm at every corner, are one grid.
const SAME_GRID_MM: f64 = 1e-3;

/// The keys are stable: scripts read them.
#[derive(Debug, Serialize)]
struct Answer {
    scan: Statistics,
    /// `None` where no voxel has a value.
    histogram: Option<Histogram>,
    /// `None` where no labels were given; labels without voxels are left out.
    labels: Option<Vec<Structure>>,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Structure {
    name: String,
    #[serde(flatten)]
    statistics: LabelStatistics,
}

impl Stats {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let scan = self.reading.open(&self.input)?;
        let mut warnings = scan.warnings.clone();
        let labels = match &self.labels {
            None => None,
            Some(path) => {
                let labels = io::open_labels(path)?;
                ensure!(
                    geometry_equal(labels.geometry(), scan.geometry(), SAME_GRID_MM),
                    "{}: lies on another grid than the scan; resample it first: \
                     mindgap convert LABELS --labels TABLE --like SCAN -o OUTPUT",
                    path.display()
                );
                if !scan.geometry().is_measurable() {
                    warnings.push(
                        "The voxel size is unknown or slices are missing: volumes are undefined.".to_owned(),
                    );
                }
                let rows = label_statistics(&labels, Some(&scan), &PERCENTS);
                Some(rows.into_iter().map(|row| self.named(row)).collect())
            }
        };
        let answer = Answer {
            scan: Statistics::of_scan(&scan, &PERCENTS),
            histogram: Histogram::of_scan(&scan, HISTOGRAM_BINS),
            labels,
            warnings,
        };
        if self.json { output::print_json(&answer) } else { output::print(answer.to_text()?.trim_end()) }
    }

    fn named(&self, statistics: LabelStatistics) -> Structure {
        let label = statistics.label;
        let name = self.table.map_or_else(|| format!("class {label}"), |table| table.name_of(label));
        Structure { name, statistics }
    }
}

impl Answer {
    fn to_text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        let Statistics { voxels, nonfinite, padding, spread } = &self.scan;
        writeln!(text, "voxels      {voxels}; {nonfinite} not finite and {padding} padding are left out")?;
        match spread {
            None => writeln!(text, "values      none")?,
            Some(spread) => {
                writeln!(text, "mean, SD    {:.2}, {:.2}", spread.mean, spread.sd)?;
                writeln!(text, "range       {} to {}", spread.min, spread.max)?;
                let percentiles =
                    spread.percentiles.iter().map(|p| format!("{}%: {:.6}", p.percent, p.value));
                let percentiles: Vec<_> = percentiles.map(|p| trimmed(&p).to_owned()).collect();
                writeln!(text, "percentiles {}", percentiles.join("  "))?;
            }
        }
        for Structure { name, statistics } in self.labels.iter().flatten() {
            let LabelStatistics { label, voxels, volume_ml, values } = statistics;
            let volume = volume_ml.map_or_else(|| "size unknown".to_owned(), |ml| format!("{ml:.1} mL"));
            write!(text, "{label:>5}  {name:<24} {voxels:>10} voxels {volume:>14}")?;
            match values.as_ref().and_then(|values| values.spread.as_ref()) {
                Some(spread) => {
                    let median = spread.percentile(50.0).unwrap_or(spread.mean);
                    let (mean, sd) = (spread.mean, spread.sd);
                    writeln!(text, "  {mean:.1} +- {sd:.1}, median {median:.1}")?;
                }
                None => writeln!(text, "  no value")?,
            }
        }
        for warning in &self.warnings {
            writeln!(text, "warning     {warning}")?;
        }
        Ok(text)
    }
}

/// A number without the zeros that end its decimals.
fn trimmed(number: &str) -> &str {
    number.trim_end_matches('0').trim_end_matches('.')
}
