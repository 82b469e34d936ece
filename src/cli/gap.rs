//! `mindgap gap`: the local feature mask of a scan.

use super::subject::{Subject, explain};
use super::{input, job, segment};
use crate::protocol::{Refine, SegmentSettings};
use crate::volume::io;
use clap::Args;
use std::path::PathBuf;

/// Write the gap map a(p), 0..1: where the model can still tell the scan's features from the other modality's. Not a number
/// where the networks do not look.
#[derive(Debug, Args)]
pub(super) struct Gap {
    /// The scan: a file, or a DICOM folder.
    input: PathBuf,
    /// Where the map goes: .nii.gz, .nii, .nrrd or .mha.
    #[arg(short, long)]
    output: PathBuf,
    #[command(flatten)]
    choice: job::ModelChoice,
    #[command(flatten)]
    reading: input::InputOptions,
}

impl Gap {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let scan = input::open_for_model(&self.input, &self.reading, &[&self.output])?;
        let modality = self.choice.modality(&scan);
        let bundle = self.choice.bundle(modality)?;
        let settings = SegmentSettings { refine: Refine::Off, ..SegmentSettings::default() };
        let subject = Subject::new(scan, modality, bundle, settings)?;
        subject.warn();
        let result = segment::segment(&subject, &self.choice)?;
        let receipt = io::write_values(&self.output, &result.gap.unpack()?, &subject.scan)?;
        explain("gap volume", &receipt, &subject.facts(&result.device, &result.warnings, None))?;
        Ok(())
    }
}
