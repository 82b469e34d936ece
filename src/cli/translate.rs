//! `mindgap translate`: a scan in the style of the other modality.

use super::{job, output};
use crate::protocol::{DeviceChoice, Event, Request, TranslateRequest, WireScan};
use crate::session::model_payload;
use crate::volume::{Modality, Task, io};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// Write a synthetic image: this scan's content in the other modality's style.
#[derive(Debug, Args)]
pub(super) struct Translate {
    /// The scan.
    input: PathBuf,
    /// Where the synthetic volume goes: .nii or .nii.gz.
    #[arg(short, long)]
    output: PathBuf,
    /// Which structures the model is for; abdomen, if neither this nor a model says otherwise.
    #[arg(long)]
    task: Option<Task>,
    /// What made the scan; guessed if left out.
    #[arg(long)]
    modality: Option<Modality>,
    /// A bundled model's id, or a bundle's folder; by default the one whose source is the scan's modality.
    #[arg(long)]
    model: Option<String>,
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
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
        let scan = job::open_input(&self.input, &[&self.output])?;
        let modality = job::settle_modality(self.modality, &scan);
        let bundle = job::settle_model(self.model.as_deref(), self.task, modality.other())?;
        let request = TranslateRequest {
            model: model_payload(&bundle),
            scan: WireScan::pack(&scan),
            modality,
            first_world_mm: None,
            device: self.device,
        };
        let Event::Translated { result, .. } = job::run(Request::Translate(request), "nothing was written")?
        else {
            anyhow::bail!("the engine answered a translation with something else");
        };
        io::write_values(&self.output, &result.synthetic.unpack()?, &scan)?;
        let summary = Summary {
            model: bundle.card.id,
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
