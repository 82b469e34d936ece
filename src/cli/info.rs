//! `mindgap info`: what a file says about itself, and whether that holds; which series a DICOM folder has.

use super::{input, output};
use crate::volume::io::{SeriesInfo, SeriesKind};
use crate::volume::{Geometry, Scan, io};
use anyhow::ensure;
use clap::Args;
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Describe a scan, whose voxels are read and verified, or list the series of a DICOM folder.
#[derive(Debug, Args)]
pub(super) struct Info {
    /// A file, a DICOM folder, or the DICOM files of one series. Of a folder the series are listed; `--series` describes
    /// one of them.
    #[arg(required = true)]
    input: Vec<PathBuf>,
    /// Read the header only: quick, but says nothing about the voxels.
    #[arg(long)]
    header: bool,
    #[command(flatten)]
    reading: input::InputOptions,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Info {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let options = self.reading.to_open_options();
        if let [folder] = self.input.as_slice()
            && folder.is_dir()
            && options.series.is_none()
        {
            return self.list(folder);
        }
        let description = match (self.header, self.input.as_slice()) {
            (true, [file]) => Description::of_header(io::read_header(file, &options)?),
            _ => Description::of_scan(&self.reading.open(&self.input)?),
        };
        if self.json { output::print_json(&description) } else { output::print(&description.to_text()?) }
    }

    fn list(&self, folder: &Path) -> anyhow::Result<()> {
        let series = io::list_series(folder)?;
        ensure!(
            self.json || !series.is_empty(),
            "{}: expected a DICOM series in it or in the folders in it, found no DICOM file; name the folder of a series, \
             or a scan's own file",
            folder.display()
        );
        if self.json { output::print_json(&Listing { series }) } else { output::print(&list_text(&series)?) }
    }
}

/// The series of a folder, the largest image first. The keys are stable: scripts read them.
#[derive(Debug, Serialize)]
struct Listing {
    series: Vec<SeriesInfo>,
}

fn list_text(series: &[SeriesInfo]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for one in series {
        let number = one.number.map_or_else(String::new, |number| format!(" {number}"));
        let kind = match one.kind {
            SeriesKind::Volume => "",
            SeriesKind::Scout => " (scout)",
            SeriesKind::NotAnImage => " (no image)",
            SeriesKind::Unreadable => " (cannot be read)",
        };
        writeln!(text, "{}{number}{kind}  {}", one.modality, one.description)?;
        if let (Some([i, j, k]), Some([di, dj, dk])) = (one.dims, one.spacing_mm) {
            write!(text, "    {i} x {j} x {k} voxels of {di:.3} x {dj:.3} x {dk:.3} mm")?;
            match one.volumes {
                0 | 1 => writeln!(text)?,
                volumes => writeln!(text, ", {volumes} volumes")?,
            }
        }
        writeln!(text, "    --series {}", one.id)?;
        for warning in &one.warnings {
            writeln!(text, "    warning: {warning}")?;
        }
    }
    text.truncate(text.trim_end().len());
    Ok(text)
}

/// The keys are stable: scripts read them.
#[derive(Debug, Serialize)]
struct Description {
    format: String,
    dims: [usize; 3],
    dtype: &'static str,
    /// `None` where the file does not say.
    spacing_mm: Option<[f64; 3]>,
    /// `None` where the file does not say.
    axcodes: Option<String>,
    /// Rows of the affine from voxel indices to RAS+ mm.
    world_from_voxel: [[f64; 4]; 4],
    /// How many 3-D volumes the file holds.
    volumes: usize,
    #[serde(flatten)]
    voxels: Option<VoxelFacts>,
    /// What the window shows for as long as the scan is open.
    badges: Vec<String>,
    warnings: Vec<String>,
}

/// What only the voxels can tell.
#[derive(Debug, Serialize)]
struct VoxelFacts {
    /// Smallest and largest finite value, scaled; `None` if there is none.
    intensity_range: Option<[f64; 2]>,
    nonfinite_voxels: usize,
}

impl Description {
    fn of_header(mut header: io::HeaderInfo) -> Self {
        if header.volumes > 1 {
            header.warnings.push(format!("The file holds {} volumes of this size.", header.volumes));
        }
        Self {
            badges: header.badges(),
            format: header.format,
            volumes: header.volumes,
            warnings: header.warnings,
            ..Self::of_grid(header.dtype.name(), &header.geometry)
        }
    }

    fn of_scan(scan: &Scan) -> Self {
        let facts =
            VoxelFacts { intensity_range: scan.intensity_range(), nonfinite_voxels: scan.nonfinite_voxels() };
        Self {
            format: scan.format.clone(),
            volumes: scan.volumes,
            voxels: Some(facts),
            badges: scan.badges(),
            warnings: scan.warnings.clone(),
            ..Self::of_grid(scan.voxels().dtype().name(), scan.geometry())
        }
    }

    fn of_grid(dtype: &'static str, geometry: &Geometry) -> Self {
        Self {
            format: String::new(),
            dims: geometry.dims(),
            dtype,
            spacing_mm: geometry.spacing_known().then(|| geometry.spacing_mm()),
            axcodes: geometry.axcodes(),
            world_from_voxel: [0, 1, 2, 3].map(|row| geometry.world_from_voxel().row(row).to_array()),
            volumes: 1,
            voxels: None,
            badges: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn to_text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        let [i, j, k] = self.dims;
        writeln!(text, "format            {}", self.format)?;
        writeln!(text, "dims              {i} x {j} x {k}")?;
        if self.volumes > 1 {
            writeln!(text, "volumes           {}", self.volumes)?;
        }
        writeln!(text, "dtype             {}", self.dtype)?;
        match self.spacing_mm {
            Some([i, j, k]) => writeln!(text, "spacing           {i:.4} x {j:.4} x {k:.4} mm")?,
            None => writeln!(text, "spacing           unknown")?,
        }
        writeln!(text, "axcodes           {}", self.axcodes.as_deref().unwrap_or("unknown"))?;
        for (n, row) in self.world_from_voxel.iter().enumerate() {
            let name = if n == 0 { "world_from_voxel" } else { "" };
            let [i, j, k, offset] = row;
            writeln!(text, "{name:<16}  {i:>10.4} {j:>10.4} {k:>10.4} {offset:>10.4}")?;
        }
        if let Some(facts) = &self.voxels {
            match facts.intensity_range {
                Some([low, high]) => writeln!(text, "intensity range   {low} to {high}")?,
                None => writeln!(text, "intensity range   none")?,
            }
            writeln!(text, "non-finite voxels {}", facts.nonfinite_voxels)?;
        }
        for warning in &self.warnings {
            writeln!(text, "warning           {warning}")?;
        }
        text.truncate(text.trim_end().len());
        Ok(text)
    }
}
