//! `mindgap report`: the gap, structure by structure, with what speaks against the prediction and where to look.

use super::batch::Running;
use super::cohort::{self, Plan, Shard};
use super::{input, job, segment};
use crate::session::report::{self, Findings, Segmented};
use crate::session::{RunFacts, concerns};
use clap::Args;
use std::path::{Path, PathBuf};

/// Segment scans and report the gap of each structure: CSV, JSON, one page as PNG and PDF.
#[derive(Debug, Args)]
pub(super) struct Report {
    /// One scan; or several scans, DICOM folders, folders of either or lists (.txt): then each case gets a folder, and the
    /// cohort a table and charts.
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
    /// The folder for report.csv, report.json, report.png and report.pdf.
    #[arg(short, long)]
    output: PathBuf,
    /// What the case is called on the report, where there is one [default: "case"; a file's name may name a patient].
    #[arg(long)]
    case: Option<String>,
    /// Of several: cases at a time, each with an engine of its own.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
    /// Of several: call cases like their files.
    #[arg(long)]
    names: bool,
    #[command(flatten)]
    running: Running,
    #[command(flatten)]
    choice: job::ModelChoice,
    #[command(flatten)]
    reading: input::InputOptions,
}

impl Report {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let inputs = cohort::find(&self.inputs)?;
        if let ([one], [named]) = (inputs.as_slice(), self.inputs.as_slice())
            && one == named
        {
            return self.of_one(one);
        }
        let plan = Plan {
            out: &self.output,
            choice: &self.choice,
            reading: &self.reading,
            settings: self.running.settings(),
            threshold: self.running.threshold(),
            volumes: false,
            names: self.names,
            jobs: usize::from(self.jobs),
            shard: Shard::default(),
        };
        cohort::run(&plan, &inputs)
    }

    fn of_one(&self, path: &Path) -> anyhow::Result<()> {
        let scan = input::open_for_model(path, &self.reading, &[])?;
        let modality = self.choice.modality(&scan);
        let bundle = self.choice.bundle(modality)?;
        let concerns = concerns(&scan, modality, &bundle.card);
        for concern in &concerns {
            eprintln!("warning: {}", concern.reason);
        }
        let settings = self.running.settings();
        let result = segment::segment(&scan, modality, &bundle, settings, self.choice.device)?;
        let found = Segmented::unpack(&result)?;
        let threshold = self.running.threshold();
        let findings = Findings {
            facts: RunFacts {
                card: &bundle.card,
                scan: &scan,
                modality,
                settings,
                gap_threshold: Some(threshold),
                device: &result.device,
                warnings: &result.warnings,
                concerns: &concerns,
            },
            labels: &found.labels,
            gap: &found.gap,
            uncertainty: Some(&found.uncertainty),
            threshold,
        };
        let report = report::report(self.case.as_deref().unwrap_or("case"), &findings)?;
        for path in report::write(&self.output, &report, &findings)? {
            eprintln!("{}", path.display());
        }
        Ok(())
    }
}
