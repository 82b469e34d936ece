//! `mindgap convert`: a scan or label map in another format or on another grid.

use super::{input, output};
use crate::volume::io::{self, OutputFormat, Receipt};
use crate::volume::{Flag, Geometry, LabelMap, LabelTable, Resampler, Scan};
use anyhow::{Context, ensure};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// Write a scan or label map in another format, on the very grid it has unless another is asked for; read back and
/// compared.
#[derive(Debug, Args)]
pub(super) struct Convert {
    /// The scan or label map: a file, a DICOM folder, or the DICOM files of one series.
    #[arg(required = true)]
    input: Vec<PathBuf>,
    /// Where it goes: .nii.gz, .nii, .nrrd, .seg.nrrd (labels) or .mha.
    #[arg(short, long)]
    output: PathBuf,
    /// The input holds labels, drawn with this table: they are checked to be whole numbers, written with their names where
    /// the format has room for them, and never interpolated.
    #[arg(long, value_name = "NAME", value_parser = |name: &str| LabelTable::named(name))]
    labels: Option<&'static LabelTable>,
    /// The labels are the PNG pictures of this folder, one for each slice of the DICOM series given as input and named like its
    /// file: their grey values, on the grid of the series. For data sets such as CHAOS.
    #[arg(long, value_name = "FOLDER", requires = "labels")]
    pictures: Option<PathBuf>,
    /// Rewrite the labels in the values of another table of the same structures.
    #[arg(long, value_name = "NAME", requires = "labels", value_parser = |name: &str| LabelTable::named(name))]
    to_table: Option<&'static LabelTable>,
    /// Resample onto the grid of this scan: labels by nearest neighbour, values linearly.
    #[arg(long, value_name = "SCAN")]
    like: Option<PathBuf>,
    /// Resample to voxels of this many mm along every axis.
    #[arg(long, value_name = "MM", conflicts_with = "like")]
    spacing: Option<f64>,
    #[command(flatten)]
    reading: input::InputOptions,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Held for each voxel of a new grid: an empty scan that gives the place, the computed value, and what is read back.
const COMPUTED_BYTES: usize = 12;

/// The keys are stable: scripts read them.
#[derive(Debug, Serialize)]
struct Summary {
    output: PathBuf,
    bytes: u64,
    dims: [usize; 3],
    /// Labels that the other table has no value for, and how many voxels they had.
    dropped: Vec<Dropped>,
}

#[derive(Debug, Serialize)]
struct Dropped {
    label: u16,
    name: String,
    voxels: usize,
}

/// What one conversion amounted to.
struct Written {
    receipt: Receipt,
    dims: [usize; 3],
    dropped: Vec<Dropped>,
}

impl Convert {
    pub(super) fn run(self) -> anyhow::Result<()> {
        input::refuse_outputs(&self.input, &[&self.output])?;
        ensure!(
            !self.json || self.output.to_str().is_some(),
            "{}: --json prints the output's path, which has to be UTF-8 and is not; choose another name or leave --json out",
            self.output.display()
        );
        let scan = match &self.pictures {
            None => self.reading.open(&self.input)?,
            Some(folder) => io::open_pictures(&self.input, folder, &self.reading.to_open_options())?,
        };
        input::warn_of(&scan);
        let format = OutputFormat::by_name(&self.output)?;
        let as_labels = self.labels.is_some() || format == OutputFormat::Nrrd { segmentation: true };
        let written = if as_labels { self.write_labels(&scan)? } else { self.write_scan(&scan)? };
        for label in &written.dropped {
            eprintln!(
                "warning: {} voxels of {} have no value there: background now",
                label.voxels, label.name
            );
        }
        let Written { receipt, dims, dropped } = written;
        let summary = Summary { output: self.output, bytes: receipt.bytes, dims, dropped };
        if self.json {
            return output::print_json(&summary);
        }
        let [i, j, k] = dims;
        let (path, bytes) = (summary.output.display(), summary.bytes);
        output::print(&format!("{path}: {i} x {j} x {k} voxels, {bytes} bytes; read back and compared"))
    }

    fn write_scan(&self, scan: &Scan) -> anyhow::Result<Written> {
        if scan.flags.contains(&Flag::Colour) {
            eprintln!("warning: only the luminance of the colours is written");
        }
        let Some(reference) = self.grid_wanted(scan.geometry())? else {
            let receipt = io::write_scan(&self.output, scan)?;
            return Ok(Written { receipt, dims: scan.geometry().dims(), dropped: Vec::new() });
        };
        // Where the scan has no voxel, its smallest value stands: air in CT, nothing in MR.
        let outside = scan.intensity_range().map_or(0.0, |[low, _]| low as f32);
        let moved = Resampler::new(scan.geometry(), reference.geometry()).linear_scan(scan, outside);
        let receipt = io::write_values(&self.output, &moved, &reference)?;
        Ok(Written { receipt, dims: moved.dims(), dropped: Vec::new() })
    }

    fn write_labels(&self, scan: &Scan) -> anyhow::Result<Written> {
        let labels =
            scan.to_labels().with_context(|| format!("{}: not a label map", self.input[0].display()))?;
        let (labels, dropped) = self.rewritten(labels)?;
        let grid = self.grid_wanted(scan.geometry())?;
        let (labels, reference) = match &grid {
            None => (labels, scan),
            Some(there) => (Resampler::new(scan.geometry(), there.geometry()).nearest(&labels, 0), there),
        };
        let receipt = match self.to_table.or(self.labels) {
            Some(table) => io::write_named_labels(&self.output, &labels, table, reference)?,
            None => io::write_labels(&self.output, &labels, None, reference)?,
        };
        Ok(Written { receipt, dims: labels.dims(), dropped })
    }

    /// The labels in the values of `--to-table`, and what that table has no value for.
    fn rewritten(&self, labels: LabelMap) -> anyhow::Result<(LabelMap, Vec<Dropped>)> {
        let (Some(from), Some(to)) = (self.labels, self.to_table) else { return Ok((labels, Vec::new())) };
        ensure!(
            from.task == to.task,
            "--to-table {} is of the {}, --labels {} of the {}",
            to.name,
            to.task.name(),
            from.name,
            from.task.name()
        );
        let (labels, dropped) = from.rewrite(&labels, to);
        let named = |(label, voxels)| Dropped { label, name: from.name_of(label), voxels };
        Ok((labels, dropped.into_iter().map(named).collect()))
    }

    /// A scan on the grid that was asked for, to write on; `None`: the input's own.
    fn grid_wanted(&self, from: &Geometry) -> anyhow::Result<Option<Scan>> {
        if let Some(path) = &self.like {
            let reference = io::open(path)?;
            ensure!(
                overlap(from, reference.geometry()),
                "{} and {} do not overlap anywhere in the world they are placed in; they are not of one frame",
                self.input[0].display(),
                path.display()
            );
            io::refuse_what_does_not_fit(&self.output, reference.geometry(), COMPUTED_BYTES)?;
            return Ok(Some(reference));
        }
        let Some(spacing_mm) = self.spacing else { return Ok(None) };
        ensure!(
            spacing_mm.is_finite() && spacing_mm > 0.0,
            "--spacing: expected a size in mm above 0, got {spacing_mm}"
        );
        ensure!(
            from.is_measurable(),
            "--spacing: the voxel size of the input is unknown or slices are missing"
        );
        let grid = from.with_spacing([spacing_mm; 3]).context("--spacing")?;
        io::refuse_what_does_not_fit(&self.output, &grid, COMPUTED_BYTES)?;
        let empty = crate::volume::Volume::from_fn(grid, |_, _, _| 0.0);
        Ok(Some(Scan::from_volume(empty, "resampled")))
    }
}

/// Whether any of a coarse lattice of points of one grid lies in the other.
fn overlap(a: &Geometry, b: &Geometry) -> bool {
    const STEPS: usize = 16;
    let inside = |from: &Geometry, to: &Geometry| {
        let to_voxel = to.voxel_from_world() * from.world_from_voxel();
        let last =
            |geometry: &Geometry| glam::DVec3::from_array(geometry.dims().map(|size| (size - 1) as f64));
        (0..STEPS.pow(3)).any(|n| {
            let fraction =
                glam::DVec3::from_array([n, n / STEPS, n / STEPS / STEPS].map(|s| (s % STEPS) as f64));
            let voxel = to_voxel.transform_point3(fraction / (STEPS - 1) as f64 * last(from));
            voxel.cmpge(glam::DVec3::splat(-0.5)).all() && voxel.cmple(last(to) + 0.5).all()
        })
    };
    inside(a, b) || inside(b, a)
}
