//! What a run left, written to files that say where they come from. Takes time: not for the window's thread.
//!
//! Invariant: a volume is reported as saved only after it was read back on the exact grid of its scan.

use super::loader::LoadError;
use super::open_scan::OpenScan;
use super::provenance::{Provenance, RunFacts, content_sha256};
use super::report::{self, Findings};
use super::results::{Prediction, RunOrigin, Synthesis};
use crate::eval::gap::GapReport;
use crate::volume::io::{self, Receipt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the case is called in a report from the window: a file's name may name a patient.
const CASE: &str = "case";

/// What is exported of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportContent {
    Labels,
    Gap,
    Uncertainty,
    Synthetic,
    /// A folder with CSV, JSON, PNG and PDF.
    Report,
}

impl ExportContent {
    pub const ALL: [ExportContent; 5] = [
        ExportContent::Labels,
        ExportContent::Gap,
        ExportContent::Uncertainty,
        ExportContent::Synthetic,
        ExportContent::Report,
    ];

    pub fn name(self) -> &'static str {
        match self {
            ExportContent::Labels => "labelled volume",
            ExportContent::Gap => "gap volume",
            ExportContent::Uncertainty => "uncertainty volume",
            ExportContent::Synthetic => "synthetic volume",
            ExportContent::Report => "report",
        }
    }

    /// The end of its usual name.
    pub fn ending(self) -> &'static str {
        match self {
            ExportContent::Labels => "labels.nii.gz",
            ExportContent::Gap => "gap.nii.gz",
            ExportContent::Uncertainty => "uncertainty.nii.gz",
            ExportContent::Synthetic => "SYNTHETIC.nii.gz",
            ExportContent::Report => "report",
        }
    }
}

/// What a run of a scan left, to be exported.
#[derive(Debug, Clone)]
pub struct Exportable {
    pub scan: Arc<OpenScan>,
    pub prediction: Option<Arc<Prediction>>,
    pub synthesis: Option<Arc<Synthesis>>,
    /// Of the gap, as it is set in the window.
    pub threshold: f32,
}

/// A file or folder that was written and verified.
#[derive(Debug, Clone)]
pub struct Exported {
    pub path: PathBuf,
    pub content: ExportContent,
}

/// Writes one result on the grid of the scan it belongs to, reads it back, and puts beside it where it comes from.
///
/// # Errors
/// Where there is no such result, or it cannot be written and verified.
pub fn export(path: &Path, content: ExportContent, of: &Exportable) -> Result<Exported, LoadError> {
    let missing = || LoadError::NothingToExport(content.name());
    let scan = &of.scan.scan;
    let input_sha256 = content_sha256(scan);
    let from = (of.scan.as_ref(), input_sha256.as_str());
    let written = |receipt: Receipt, facts: &RunFacts| -> Result<(), LoadError> {
        let provenance = Provenance::of(content.name(), facts, &receipt, scan.geometry())?;
        provenance.write_beside(&receipt.path)?;
        Ok(())
    };
    if content == ExportContent::Synthetic {
        let synthesis = of.synthesis.as_ref().filter(|synthesis| synthesis.whole).ok_or_else(missing)?;
        let origin = synthesis.origin.as_ref().ok_or_else(missing)?;
        let facts = facts_of(from, of.threshold, origin, (&synthesis.device, &synthesis.warnings));
        let facts = RunFacts { style: Some(1.0), ..facts };
        written(io::write_values(path, &synthesis.image, scan)?, &facts)?;
        return Ok(Exported { path: path.to_owned(), content });
    }
    let prediction = of.prediction.as_ref().filter(|prediction| prediction.whole).ok_or_else(missing)?;
    let origin = prediction.origin.as_ref().ok_or_else(missing)?;
    let facts = facts_of(from, of.threshold, origin, (&prediction.device, &prediction.warnings));
    let Prediction { labels, gap, uncertainty, .. } = prediction.as_ref();
    match content {
        ExportContent::Labels => {
            written(io::write_named_labels(path, labels, origin.card.task.table(), scan)?, &facts)?;
        }
        ExportContent::Gap => written(io::write_values(path, gap, scan)?, &facts)?,
        ExportContent::Uncertainty => {
            let uncertainty = uncertainty.as_ref().ok_or_else(missing)?;
            written(io::write_values(path, uncertainty, scan)?, &facts)?;
        }
        ExportContent::Report | ExportContent::Synthetic => {
            let findings =
                Findings { facts, labels, gap, uncertainty: uncertainty.as_deref(), threshold: of.threshold };
            report::write(path, &report::report(CASE, &findings)?, &findings)?;
        }
    }
    Ok(Exported { path: path.to_owned(), content })
}

/// The gap report of a finished prediction: what [`ExportContent::Report`] writes.
///
/// # Errors
/// Where there is no finished prediction, or its volumes do not lie on one grid.
pub fn gap_report(of: &Exportable) -> Result<GapReport, LoadError> {
    let missing = || LoadError::NothingToExport(ExportContent::Report.name());
    let prediction = of.prediction.as_ref().filter(|prediction| prediction.whole).ok_or_else(missing)?;
    let origin = prediction.origin.as_ref().ok_or_else(missing)?;
    let input_sha256 = content_sha256(&of.scan.scan);
    let made = (prediction.device.as_str(), prediction.warnings.as_slice());
    let findings = Findings {
        facts: facts_of((&of.scan, &input_sha256), of.threshold, origin, made),
        labels: &prediction.labels,
        gap: &prediction.gap,
        uncertainty: prediction.uncertainty.as_deref(),
        threshold: of.threshold,
    };
    Ok(report::report(CASE, &findings)?)
}

/// What a run knows of itself; the scan comes with its hash, the device with what it warned of.
pub(super) fn facts_of<'a>(
    (scan, input_sha256): (&'a OpenScan, &'a str),
    threshold: f32,
    origin: &'a RunOrigin,
    (device, warnings): (&'a str, &'a [String]),
) -> RunFacts<'a> {
    RunFacts {
        card: &origin.card,
        scan: &scan.scan,
        input_sha256,
        modality: scan.modality,
        settings: origin.settings,
        style: None,
        gap_threshold: Some(threshold),
        device,
        warnings,
        concerns: &origin.concerns,
    }
}
