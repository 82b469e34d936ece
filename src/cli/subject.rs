//! One scan and the model that is run on it: what every command that does so has in hand, and records with what it writes.
//!
//! The scan is hashed once, however many files are written of it.

use crate::config::{Bundle, GapMode, MaskUse};
use crate::protocol::SegmentSettings;
use crate::session::{Concern, Provenance, RunFacts, concerns, content_sha256};
use crate::volume::io::Receipt;
use crate::volume::{Modality, Scan};

pub(super) struct Subject {
    pub scan: Scan,
    pub modality: Modality,
    pub bundle: Bundle,
    pub settings: SegmentSettings,
    pub concerns: Vec<Concern>,
    pub input_sha256: String,
}

impl Subject {
    /// Looks for what speaks against the run; refuses a mask that the model cannot use.
    pub(super) fn new(
        scan: Scan,
        modality: Modality,
        bundle: Bundle,
        settings: SegmentSettings,
    ) -> anyhow::Result<Self> {
        anyhow::ensure!(
            settings.mask == MaskUse::Everywhere || bundle.card.network.gap_mode == GapMode::Feature,
            "--mask {}: {} was trained in loss mode, in which the mask does not touch the features",
            settings.mask,
            bundle.card.id
        );
        let concerns = concerns(&scan, modality, &bundle.card);
        let input_sha256 = content_sha256(&scan);
        Ok(Self { scan, modality, bundle, settings, concerns, input_sha256 })
    }

    /// Says what speaks against the run, before it is made.
    pub(super) fn warn(&self) {
        for concern in &self.concerns {
            eprintln!("warning: {}", concern.reason);
        }
    }

    /// What is recorded of the run.
    pub(super) fn facts<'a>(
        &'a self,
        device: &'a str,
        warnings: &'a [String],
        gap_threshold: Option<f32>,
    ) -> RunFacts<'a> {
        RunFacts {
            card: &self.bundle.card,
            scan: &self.scan,
            input_sha256: &self.input_sha256,
            modality: self.modality,
            settings: self.settings,
            style: None,
            gap_threshold,
            device,
            warnings,
            concerns: &self.concerns,
        }
    }
}

/// Puts beside a volume that was written where it comes from.
pub(super) fn explain(content: &str, receipt: &Receipt, facts: &RunFacts) -> anyhow::Result<()> {
    let provenance = Provenance::of(content, facts, receipt, facts.scan.geometry())?;
    provenance.write_beside(&receipt.path)?;
    Ok(())
}
