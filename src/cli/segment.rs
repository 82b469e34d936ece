//! `mindgap segment`: labels of a scan, on the scan's own grid.

use super::subject::{Subject, explain};
use super::{input, job, output};
use crate::config::{MaskUse, Net};
use crate::protocol::{
    Event, Refine, Refinement, RefinementVerdict, Request, SegmentRequest, SegmentSettings, Segmentation,
    WireScan,
};
use crate::session::{self, model_payload};
use crate::volume::{LabelMap, LabelTable, Volume, io};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Segment a scan with the model whose target is its modality.
#[derive(Debug, Args)]
pub(super) struct Segment {
    /// The scan: a file, or a DICOM folder.
    input: PathBuf,
    /// Where the labels go: .nii.gz, .nii, .seg.nrrd, .nrrd or .mha; their names go beside them for ITK-SNAP (.label.txt).
    #[arg(short, long)]
    output: PathBuf,
    /// Also write the gap map a(p), 0..1, not a number where the networks do not look.
    #[arg(long)]
    gap: Option<PathBuf>,
    /// Also write the uncertainty, 0..1, not a number where the networks do not look.
    #[arg(long)]
    uncertainty: Option<PathBuf>,
    /// Refine labels by averaging five views and by each structure's own intensities, hearts also by shape; auto: where the scan is of the model's
    /// target modality, and in its source modality structures of which the net is not sure.
    #[arg(long, default_value = "auto")]
    refine: Refine,
    /// Of each structure keep only the largest connected part.
    #[arg(long)]
    largest_island: bool,
    /// Where the local feature mask acts: on, off, from:GAP (where a(p) is at least that), within:R,A,S,RADIUS (a ball in world mm).
    #[arg(long, default_value_t, allow_hyphen_values = true)]
    mask: MaskUse,
    /// Use the model's net as it was before it was adapted, to see what the adaptation does.
    #[arg(long)]
    source_only: bool,
    #[command(flatten)]
    choice: job::ModelChoice,
    #[command(flatten)]
    reading: input::InputOptions,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Segment {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let outputs: Vec<&Path> = [Some(&self.output), self.gap.as_ref(), self.uncertainty.as_ref()]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
            .collect();
        let scan = input::open_for_model(&self.input, &self.reading, &outputs)?;
        let modality = self.choice.modality(&scan);
        let bundle = self.choice.bundle(modality)?;
        let settings = SegmentSettings {
            net: if self.source_only { Net::SourceOnly } else { Net::Adapted },
            mask: self.mask,
            refine: self.refine,
            largest_island: self.largest_island,
        };
        let subject = Subject::new(scan, modality, bundle, settings)?;
        subject.warn();
        let result = segment(&subject, &self.choice)?;
        let Subject { scan, bundle, .. } = &subject;
        let facts = subject.facts(&result.device, &result.warnings, None);
        let table = bundle.card.task.table();
        let labels = result.labels.unpack()?;
        explain("labelled volume", &io::write_named_labels(&self.output, &labels, table, scan)?, &facts)?;
        // One map at a time: each is twice the size of the scan.
        let structures = {
            let gap = result.gap.unpack()?;
            if let Some(path) = &self.gap {
                explain("gap volume", &io::write_values(path, &gap, scan)?, &facts)?;
            }
            structures(&labels, &gap, &result.refinement, table)
        };
        drop(labels);
        if let Some(path) = &self.uncertainty {
            let uncertainty = result.uncertainty.unpack()?;
            explain("uncertainty volume", &io::write_values(path, &uncertainty, scan)?, &facts)?;
        }
        for warning in &result.warnings {
            eprintln!("warning: {warning}");
        }
        let summary = Summary {
            model: bundle.card.id.clone(),
            device: result.device.clone(),
            seconds: result.seconds,
            slices: result.slices,
            structures,
        };
        if self.json { output::print_json(&summary) } else { output::print(summary.to_text().trim_end()) }
    }
}

/// Runs the engine over a scan.
pub(super) fn segment(subject: &Subject, choice: &job::ModelChoice) -> anyhow::Result<Segmentation> {
    let request = SegmentRequest {
        model: model_payload(&subject.bundle),
        scan: WireScan::pack(&subject.scan),
        modality: subject.modality,
        first_world_mm: None,
        settings: subject.settings,
        device: choice.device,
    };
    match job::run(choice.engine.site(), Request::Segment(request), "nothing was written")? {
        Event::Segmented { result, .. } => Ok(*result),
        other => anyhow::bail!("the engine answered a segmentation with {other:?}"),
    }
}

/// The keys are stable: scripts read them.
#[derive(Debug, Serialize)]
struct Summary {
    model: String,
    device: String,
    seconds: f64,
    slices: u64,
    structures: Vec<Structure>,
}

#[derive(Debug, Serialize)]
struct Structure {
    label: u16,
    name: String,
    voxels: usize,
    /// `None` where the scan's voxel size is unknown.
    volume_ml: Option<f64>,
    /// Mean a(p) inside; `None` where nothing was found.
    mean_gap: Option<f64>,
    /// What the refinement did; `None` where labels are the net's own.
    refinement: Option<Refinement>,
}

/// Counted on the volumes as they are written.
fn structures(
    labels: &LabelMap,
    gap: &Volume<f32>,
    refinement: &[Refinement],
    table: &LabelTable,
) -> Vec<Structure> {
    let summaries = session::summarise(labels, Some(gap), None, table);
    let row = |of: session::StructureSummary| Structure {
        label: of.label,
        name: of.name,
        voxels: of.voxels,
        volume_ml: of.volume_ml,
        mean_gap: of.mean_gap,
        refinement: refinement.iter().find(|refined| refined.label == of.label).copied(),
    };
    summaries.into_iter().map(row).collect()
}

impl Summary {
    fn to_text(&self) -> String {
        let mut text =
            format!("{} on {}: {} slices in {:.1} s\n", self.model, self.device, self.slices, self.seconds);
        for s in &self.structures {
            let volume = s.volume_ml.map_or_else(|| "size unknown".to_owned(), |ml| format!("{ml:.1} mL"));
            let gap = s.mean_gap.map_or_else(|| "not found".to_owned(), |gap| format!("mean gap {gap:.2}"));
            let refined = s.refinement.map_or_else(String::new, |of| match (of.verdict, of.change_ml) {
                (RefinementVerdict::Sure, _) => "  not refined: the net is sure".to_owned(),
                (RefinementVerdict::Kept, _) => "  not refined: nothing better was found".to_owned(),
                (RefinementVerdict::Refined, Some(ml)) => format!("  refined by {ml:+.1} mL"),
                (RefinementVerdict::Refined, None) => "  refined".to_owned(),
            });
            text.push_str(&format!("{:>3}  {:<24} {volume:>14}  {gap:<14}{refined}", s.label, s.name));
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text
    }
}
