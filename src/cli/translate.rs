//! `mindgap translate`: a scan in the style of the other modality, or on the way to it, and whether its anatomy was kept.

use super::subject::{Subject, explain};
use super::{input, job, output};
use crate::config::Net;
use crate::eval::{CYCLE_CAVEAT, StructureShift};
use crate::protocol::{AnatomyRequest, Event, Request, SegmentSettings, TranslateRequest, WireScan};
use crate::session::{Anatomy, RunFacts, model_payload};
use crate::volume::{Modality, io};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Write a synthetic image: this scan's content in the other modality's style.
#[derive(Debug, Args)]
pub(super) struct Translate {
    /// The scan: a file, or a DICOM folder.
    input: PathBuf,
    /// Where the synthetic volume goes: .nii.gz, .nii, .nrrd or .mha.
    #[arg(short, long)]
    output: PathBuf,
    /// From the scan's own style (0) to the other modality's (1), in the generator's style space. Below 1 values keep the
    /// scale of the other modality without being in its unit.
    #[arg(long, value_name = "T", default_value_t = 1.0, value_parser = style, allow_negative_numbers = true)]
    style: f32,
    /// Say for each structure what a translation there and back does to it: Dice, HD95 in mm, and where its edge moved most.
    #[arg(long)]
    check: bool,
    /// Also write where edges of the scan and of the synthetic image agree, 0..1, and NaN where there is no edge.
    #[arg(long, value_name = "FILE", requires = "check")]
    edge_map: Option<PathBuf>,
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
    /// 0: the scan's own style, 1: that of the modality that is imitated.
    style: f32,
    /// Gradient-orientation agreement with the scan, 0..1.
    edge_agreement: f64,
    /// `null` where it was not asked for.
    anatomy: Option<AnatomySummary>,
}

#[derive(Debug, Serialize)]
struct AnatomySummary {
    /// What was compared, and which net drew the labels.
    judge: &'static str,
    net: Net,
    structures: Vec<Structure>,
    caveat: &'static str,
}

#[derive(Debug, Serialize)]
struct Structure {
    #[serde(flatten)]
    shift: StructureShift,
    sentence: String,
}

fn style(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(style) if (0.0..=1.0).contains(&style) => Ok(style),
        _ => {
            Err(format!("expected a number from 0 (the scan's own style) to 1 (the other's), got \"{text}\""))
        }
    }
}

impl Translate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        anyhow::ensure!(
            !self.check || self.style == 1.0,
            "--style {}: --check judges the whole way to the other modality; leave one of the two out",
            self.style
        );
        let outputs: Vec<&Path> = [Some(&self.output), self.edge_map.as_ref()]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
            .collect();
        let scan = input::open_for_model(&self.input, &self.reading, &outputs)?;
        let modality = self.choice.modality(&scan);
        // The model whose source is the scan's modality.
        let bundle = self.choice.bundle(modality.other())?;
        let subject = Subject::new(scan, modality, bundle, SegmentSettings::default())?;
        subject.warn();
        let mut runner = job::Runner::start(self.choice.engine.site())?;
        let mut summary = self.translate(&subject, &mut runner)?;
        if self.check {
            summary.anatomy = Some(self.check(&subject, &mut runner)?);
        }
        if self.json { output::print_json(&summary) } else { output::print(summary.to_text().trim_end()) }
    }

    fn translate(&self, subject: &Subject, runner: &mut job::Runner) -> anyhow::Result<Summary> {
        let request = TranslateRequest {
            model: model_payload(&subject.bundle),
            scan: WireScan::pack(&subject.scan),
            modality: subject.modality,
            first_world_mm: None,
            style: self.style,
            device: self.choice.device,
        };
        let Event::Translated { result, .. } =
            runner.run(Request::Translate(request), "nothing was written")?
        else {
            anyhow::bail!("the engine answered a translation with something else");
        };
        let receipt = io::write_values(&self.output, &result.synthetic.unpack()?, &subject.scan)?;
        let facts = subject.facts(&result.device, &result.warnings, None);
        explain("synthetic volume", &receipt, &RunFacts { style: Some(self.style), ..facts })?;
        for warning in &result.warnings {
            eprintln!("warning: {warning}");
        }
        Ok(Summary {
            model: subject.bundle.card.id.clone(),
            device: result.device,
            seconds: result.seconds,
            slices: result.slices,
            imitates: result.imitates,
            style: self.style,
            edge_agreement: result.edge_agreement,
            anatomy: None,
        })
    }

    fn check(&self, subject: &Subject, runner: &mut job::Runner) -> anyhow::Result<AnatomySummary> {
        let request = AnatomyRequest {
            model: model_payload(&subject.bundle),
            judge: None,
            scan: WireScan::pack(&subject.scan),
            modality: subject.modality,
            device: self.choice.device,
        };
        let left = "the synthetic volume was written, and its anatomy was not checked";
        let Event::AnatomyChecked { result, .. } = runner.run(Request::CheckAnatomy(request), left)? else {
            anyhow::bail!("the engine answered an anatomy check with something else");
        };
        let anatomy = Anatomy::of(&result, subject.bundle.card.task.table())?;
        if let Some(path) = &self.edge_map {
            let receipt = io::write_values(path, &anatomy.edge_map, &subject.scan)?;
            let facts = subject.facts(&anatomy.device, &anatomy.warnings, None);
            explain("edge agreement volume", &receipt, &RunFacts { style: Some(1.0), ..facts })?;
        }
        for warning in &anatomy.warnings {
            eprintln!("warning: {warning}");
        }
        let judge = anatomy.judge();
        let told = |shift: StructureShift| Structure { sentence: shift.sentence(), shift };
        Ok(AnatomySummary {
            judge,
            net: anatomy.net,
            structures: anatomy.structures.into_iter().map(told).collect(),
            caveat: CYCLE_CAVEAT,
        })
    }
}

impl Summary {
    fn to_text(&self) -> String {
        let style = if self.style == 1.0 { String::new() } else { format!("; style {:.2}", self.style) };
        let mut text = format!(
            "{} on {}: {} slices in {:.1} s{style}; edges agree {:.2} (this cannot prove that nothing was invented)\n",
            self.model, self.device, self.slices, self.seconds, self.edge_agreement
        );
        if let Some(anatomy) = &self.anatomy {
            text.push_str(&anatomy.to_text());
        }
        text
    }
}

impl AnatomySummary {
    fn to_text(&self) -> String {
        let mut text = format!("{}:\n", self.judge);
        for Structure { shift, sentence } in &self.structures {
            let dice = shift.dice.map_or_else(String::new, |dice| format!("  Dice {dice:.2}"));
            let hd95 = shift.hd95_mm.map_or_else(String::new, |mm| format!("  HD95 {mm:.1} mm"));
            text.push_str(format!("  {sentence:<48}{dice}{hd95}").trim_end());
            text.push('\n');
        }
        text + self.caveat + "\n"
    }
}
