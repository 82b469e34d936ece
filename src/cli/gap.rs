//! `mindgap gap`: the local feature mask of a scan.

use super::{input, job, segment};
use crate::protocol::{Refine, SegmentSettings};
use crate::session::{Provenance, RunFacts, concerns};
use crate::volume::io;
use clap::Args;
use std::path::PathBuf;

/// Write the gap map a(p), 0..1: where the model can still tell the scan's features from the other modality's.
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
        let result = segment::segment(&scan, modality, &bundle, settings, self.choice.device)?;
        let receipt = io::write_values(&self.output, &result.gap.unpack()?, &scan)?;
        let concerns = concerns(&scan, modality, &bundle.card);
        let facts = RunFacts {
            card: &bundle.card,
            scan: &scan,
            modality,
            settings,
            gap_threshold: None,
            device: &result.device,
            warnings: &result.warnings,
            concerns: &concerns,
        };
        Provenance::of("gap volume", &facts, &receipt, scan.geometry())?.write_beside(&receipt.path)?;
        Ok(())
    }
}
