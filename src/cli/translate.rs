//! `mindgap translate`: a scan in the style of the other modality.

use super::subject::{Subject, explain};
use super::{input, job, output};
use crate::protocol::{Event, Request, SegmentSettings, TranslateRequest, WireScan};
use crate::session::model_payload;
use crate::volume::{Modality, io};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// Write a synthetic image: this scan's content in the other modality's style.
#[derive(Debug, Args)]
pub(super) struct Translate {
    /// The scan: a file, or a DICOM folder.
    input: PathBuf,
    /// Where the synthetic volume goes: .nii.gz, .nii, .nrrd or .mha.
    #[arg(short, long)]
    output: PathBuf,
    #[command(flatten)]
    choice: job::ModelChoice,
    #[command(flatten)]
    reading: input::InputOptions,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// The keys are stable: scripts read them.
#[derive(Debug, Serialize)]
struct Summary {
    model: String,
    device: String,
    seconds: f64,
    slices: u64,
    imitates: Modality,
    /// Gradient-orientation agreement with the scan, 0..1.
    edge_agreement: f64,
}

impl Translate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let scan = input::open_for_model(&self.input, &self.reading, &[&self.output])?;
        let modality = self.choice.modality(&scan);
        // The model whose source is the scan's modality.
        let bundle = self.choice.bundle(modality.other())?;
        let subject = Subject::new(scan, modality, bundle, SegmentSettings::default())?;
        subject.warn();
        let request = TranslateRequest {
            model: model_payload(&subject.bundle),
            scan: WireScan::pack(&subject.scan),
            modality,
            first_world_mm: None,
            device: self.choice.device,
        };
        let site = self.choice.engine.site();
        let Event::Translated { result, .. } =
            job::run(site, Request::Translate(request), "nothing was written")?
        else {
            anyhow::bail!("the engine answered a translation with something else");
        };
        let receipt = io::write_values(&self.output, &result.synthetic.unpack()?, &subject.scan)?;
        explain("synthetic volume", &receipt, &subject.facts(&result.device, &result.warnings, None))?;
        for warning in &result.warnings {
            eprintln!("warning: {warning}");
        }
        let summary = Summary {
            model: subject.bundle.card.id,
            device: result.device,
            seconds: result.seconds,
            slices: result.slices,
            imitates: result.imitates,
            edge_agreement: result.edge_agreement,
        };
        if self.json {
            return output::print_json(&summary);
        }
        output::print(&format!(
            "{} on {}: {} slices in {:.1} s; edges agree {:.2} (this cannot prove that nothing was invented)\n",
            summary.model, summary.device, summary.slices, summary.seconds, summary.edge_agreement
        ))
    }
}
