//! `mindgap report`: the gap, structure by structure, with what speaks against the prediction and where to look.

use super::batch::Running;
use super::cohort::{self, Shard};
use super::subject::Subject;
use super::{input, segment};
use crate::session::report::{self, Findings, Segmented};
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
    #[command(flatten)]
    running: Running,
}

impl Report {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let inputs = cohort::find(&self.inputs)?;
        if let ([one], [named]) = (inputs.as_slice(), self.inputs.as_slice())
            && one == named
        {
            return self.of_one(one);
        }
        cohort::run(&self.running.plan(&self.output, false, Shard::default()), &inputs)
    }

    fn of_one(&self, path: &Path) -> anyhow::Result<()> {
        let scan = input::open_for_model(path, &self.running.reading, &[])?;
        let modality = self.running.choice.modality(&scan);
        let bundle = self.running.choice.bundle(modality)?;
        let subject = Subject::new(scan, modality, bundle, self.running.settings())?;
        subject.warn();
        let result = segment::segment(&subject, &self.running.choice)?;
        let found = Segmented::unpack(&result)?;
        let threshold = self.running.threshold();
        let findings = Findings {
            facts: subject.facts(&result.device, &result.warnings, Some(threshold)),
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
