//! `mindgap info`: what a file says about itself, and whether that holds.

use super::output;
use crate::volume::{Geometry, Scan, io};
use clap::Args;
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;

/// Describe a scan; its voxels are read and verified.
#[derive(Debug, Args)]
pub(super) struct Info {
    /// The scan: .nii, .nii.gz, or either half of a .hdr/.img pair.
    file: PathBuf,
    /// Read the header only: quick, but says nothing about the voxels.
    #[arg(long)]
    header: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Info {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let description = if self.header {
            Description::of_header(io::read_header(&self.file, &io::OpenOptions::default())?)
        } else {
            Description::of_scan(&io::open(&self.file)?)
        };
        if self.json { output::print_json(&description) } else { output::print(&description.to_text()?) }
    }
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
    #[serde(flatten)]
    voxels: Option<VoxelFacts>,
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
        Self::new(header.format, header.dtype.name(), &header.geometry, None, header.warnings)
    }

    fn of_scan(scan: &Scan) -> Self {
        let facts =
            VoxelFacts { intensity_range: scan.intensity_range(), nonfinite_voxels: scan.nonfinite_voxels() };
        let dtype = scan.voxels().dtype().name();
        Self::new(scan.format.clone(), dtype, scan.geometry(), Some(facts), scan.warnings.clone())
    }

    fn new(
        format: String,
        dtype: &'static str,
        geometry: &Geometry,
        voxels: Option<VoxelFacts>,
        warnings: Vec<String>,
    ) -> Self {
        Self {
            format,
            dims: geometry.dims(),
            dtype,
            spacing_mm: geometry.spacing_known().then(|| geometry.spacing_mm()),
            axcodes: geometry.axcodes(),
            world_from_voxel: [0, 1, 2, 3].map(|row| geometry.world_from_voxel().row(row).to_array()),
            voxels,
            warnings,
        }
    }

    fn to_text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        let [i, j, k] = self.dims;
        writeln!(text, "format            {}", self.format)?;
        writeln!(text, "dims              {i} x {j} x {k}")?;
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
