//! `mindgap gap`: the local feature mask of a scan.

use super::{job, segment};
use crate::protocol::{DeviceChoice, Refine};
use crate::volume::{Modality, Task, io};
use clap::Args;
use std::path::PathBuf;

/// Write the gap map a(p), 0..1: where the model can still tell the scan's features from the other modality's.
#[derive(Debug, Args)]
pub(super) struct Gap {
    /// The scan.
    input: PathBuf,
    /// Where the map goes: .nii or .nii.gz.
    #[arg(short, long)]
    output: PathBuf,
    /// Which structures the model is for; abdomen, if neither this nor a model says otherwise.
    #[arg(long)]
    task: Option<Task>,
    /// What made the scan; guessed if left out.
    #[arg(long)]
    modality: Option<Modality>,
    /// A bundled model's id, or a bundle's folder.
    #[arg(long)]
    model: Option<String>,
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
}

impl Gap {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let scan = job::open_input(&self.input, &[&self.output])?;
        let modality = job::settle_modality(self.modality, &scan);
        let bundle = job::settle_model(self.model.as_deref(), self.task, modality)?;
        let result = segment::segment(&scan, modality, &bundle, Refine::Off, self.device)?;
        io::write_values(&self.output, &result.gap.unpack()?, &scan)?;
        Ok(())
    }
}
