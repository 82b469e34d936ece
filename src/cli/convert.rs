//! `mindgap convert`: a scan or label map in another format, on the same grid.

use super::{input, output};
use crate::volume::io::{self, OutputFormat, Receipt};
use crate::volume::{Flag, LabelTable, Scan};
use anyhow::{Context, ensure};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// Write a scan or label map in another format, on the very grid it has, read back and compared.
#[derive(Debug, Args)]
pub(super) struct Convert {
    /// The scan or label map: a file, a DICOM folder, or the DICOM files of one series.
    #[arg(required = true)]
    input: Vec<PathBuf>,
    /// Where it goes: .nii.gz, .nii, .nrrd, .seg.nrrd (labels) or .mha.
    #[arg(short, long)]
    output: PathBuf,
    /// The input holds labels, drawn with this table: they are checked to be whole numbers and written with their names
    /// where the format has room for them.
    #[arg(long, value_name = "NAME", value_parser = |name: &str| LabelTable::named(name))]
    labels: Option<&'static LabelTable>,
    /// Rewrite the labels in the values of another table of the same structures.
    #[arg(long, value_name = "NAME", requires = "labels", value_parser = |name: &str| LabelTable::named(name))]
    to_table: Option<&'static LabelTable>,
    #[command(flatten)]
    reading: input::InputOptions,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

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

impl Convert {
    pub(super) fn run(self) -> anyhow::Result<()> {
        input::refuse_outputs(&self.input, &[&self.output])?;
        let scan = self.reading.open(&self.input)?;
        input::warn_of(&scan);
        let format = OutputFormat::by_name(&self.output)?;
        let as_labels = self.labels.is_some() || format == OutputFormat::Nrrd { segmentation: true };
        let (receipt, dropped) = if as_labels { self.write_labels(&scan)? } else { self.write_scan(&scan)? };
        let summary =
            Summary { output: self.output, bytes: receipt.bytes, dims: scan.geometry().dims(), dropped };
        for label in &summary.dropped {
            eprintln!(
                "warning: {} voxels of {} have no value there and became background",
                label.voxels, label.name
            );
        }
        if self.json {
            return output::print_json(&summary);
        }
        let [i, j, k] = summary.dims;
        output::print(&format!(
            "{}: {i} x {j} x {k} voxels, {} bytes; read back and compared",
            summary.output.display(),
            summary.bytes
        ))
    }

    fn write_scan(&self, scan: &Scan) -> anyhow::Result<(Receipt, Vec<Dropped>)> {
        if scan.flags.contains(&Flag::Colour) {
            eprintln!("warning: only the luminance of the colours is written");
        }
        Ok((io::write_scan(&self.output, scan)?, Vec::new()))
    }

    fn write_labels(&self, scan: &Scan) -> anyhow::Result<(Receipt, Vec<Dropped>)> {
        let labels =
            scan.to_labels().with_context(|| format!("{}: not a label map", self.input[0].display()))?;
        let (Some(from), Some(to)) = (self.labels, self.to_table) else {
            return Ok((io::write_labels(&self.output, &labels, self.labels, scan)?, Vec::new()));
        };
        ensure!(
            from.task == to.task,
            "--to-table {}: is of the {}, --labels {} of the {}",
            to.name,
            to.task.name(),
            from.name,
            from.task.name()
        );
        let (labels, dropped) = from.rewrite(&labels, to);
        let name = |&(label, voxels): &(u16, usize)| Dropped { label, name: from.name_of(label), voxels };
        Ok((io::write_labels(&self.output, &labels, Some(to), scan)?, dropped.iter().map(name).collect()))
    }
}
