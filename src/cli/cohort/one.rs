//! One case, from its scan to its folder.

use super::{Outcome, Plan, job};
use crate::cli::subject::{Subject, explain};
use crate::config::sha256_hex;
use crate::protocol::{Event, Request, SegmentRequest, WireScan};
use crate::session::cohort::{CASE_FILE, CaseRecord, StructureRecord};
use crate::session::report::{self, Findings, Segmented};
use crate::session::{Connection, RunFacts, model_payload, program};
use crate::volume::Flag;
use crate::volume::io::{self, Receipt};
use anyhow::{Context, bail, ensure};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// What a case is made with.
pub(super) struct Maker<'a> {
    pub plan: &'a Plan<'a>,
    /// Opened for the first case that can be read.
    pub connection: &'a mut Connection,
    pub cancel: &'a AtomicBool,
}

impl Maker<'_> {
    pub(super) fn make(&mut self, path: &Path) -> anyhow::Result<Outcome> {
        let case = self.open(path)?;
        let name = match self.plan.names {
            true => name_of(path),
            false => format!("case-{}", &case.input_sha256[..12]),
        };
        let folder = self.plan.out.join(&name);
        let made_by = self.made_by();
        if let Some(record) = CaseRecord::of_folder(&folder)
            && record.is_of(&case.input_sha256, &case.bundle.card.weights_sha256, &made_by)
        {
            return Ok(Outcome::Kept(record));
        }
        ensure!(
            !folder.exists() || folder.join(CASE_FILE).is_file(),
            "{}: is there and was not made by this command; choose another output folder",
            folder.display()
        );
        let partial = self.plan.out.join(format!(".{name}.partial"));
        start_afresh(&partial)?;
        let record = self.fill(&partial, &name, (path, &case), made_by)?;
        let text = serde_json::to_vec_pretty(&record)?;
        io::write_file(&partial.join(CASE_FILE), &text)?;
        if folder.exists() {
            std::fs::remove_dir_all(&folder)
                .with_context(|| format!("{}: what was there cannot be replaced", folder.display()))?;
        }
        std::fs::rename(&partial, &folder)
            .with_context(|| format!("{}: cannot be put into place", folder.display()))?;
        Ok(Outcome::Made(record))
    }

    fn open(&self, path: &Path) -> anyhow::Result<Subject> {
        let scan = io::open_with(path, &self.plan.reading.to_open_options())?;
        ensure!(
            !scan.flags.contains(&Flag::Colour),
            "holds colours; the models know grey values of CT and MR only"
        );
        let modality = self.plan.choice.modality_quietly(&scan);
        let bundle = self.plan.choice.bundle(modality)?;
        Subject::new(scan, modality, bundle, self.plan.settings)
    }

    /// Everything but scan and model that decides what is in a case's folder.
    fn made_by(&self) -> String {
        let Plan { settings, threshold, volumes, .. } = self.plan;
        format!("{}; {settings:?}; threshold {threshold}; volumes {volumes}", program())
    }

    fn fill(
        &mut self,
        folder: &Path,
        name: &str,
        (path, case): (&Path, &Subject),
        made_by: String,
    ) -> anyhow::Result<CaseRecord> {
        let Subject { scan, modality, bundle, concerns, .. } = case;
        let request = SegmentRequest {
            model: model_payload(bundle),
            scan: WireScan::pack(scan),
            modality: *modality,
            first_world_mm: None,
            settings: self.plan.settings,
            device: self.plan.choice.device,
        };
        let request = Request::Segment(request);
        let answer = self.connection.run(request, self.cancel, |_| (), job::tell_lost)?;
        let Event::Segmented { result, .. } = answer else { bail!("the engine answered {answer:?}") };
        let found = Segmented::unpack(&result)?;
        let facts = case.facts(&result.device, &result.warnings, Some(self.plan.threshold));
        let findings = Findings {
            facts,
            labels: &found.labels,
            gap: &found.gap,
            uncertainty: Some(&found.uncertainty),
            threshold: self.plan.threshold,
        };
        let report = report::report(name, &findings)?;
        let mut files = report::write(folder, &report, &findings)?;
        if self.plan.volumes {
            files.extend(write_volumes(folder, &facts, &found)?);
        }
        Ok(CaseRecord {
            case: name.to_owned(),
            scan: self.plan.names.then(|| absolute(path)),
            input_sha256: case.input_sha256.clone(),
            weights_sha256: bundle.card.weights_sha256.clone(),
            made_by,
            structures: StructureRecord::all_of(&report),
            flags: report.flags,
            concerns: concerns.clone(),
            files: files.iter().map(|path| hashed(path)).collect::<anyhow::Result<_>>()?,
        })
    }
}

/// Labels, gap and uncertainty, each with where it comes from.
fn write_volumes(folder: &Path, facts: &RunFacts, found: &Segmented) -> anyhow::Result<Vec<PathBuf>> {
    let (scan, table) = (facts.scan, facts.card.task.table());
    let at = |name: &str| folder.join(format!("{name}.nii.gz"));
    let written: [(&str, Receipt); 3] = [
        ("labelled volume", io::write_named_labels(&at("labels"), &found.labels, table, scan)?),
        ("gap volume", io::write_values(&at("gap"), &found.gap, scan)?),
        ("uncertainty volume", io::write_values(&at("uncertainty"), &found.uncertainty, scan)?),
    ];
    let mut files = Vec::new();
    for (content, receipt) in written {
        explain(content, &receipt, facts)?;
        files.push(receipt.path);
    }
    Ok(files)
}

fn hashed(path: &Path) -> anyhow::Result<(String, String)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok((name, sha256_hex(&std::fs::read(path)?)))
}

/// So that the scan is found from any other folder.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// An empty folder, whatever a killed run left there.
fn start_afresh(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)
            .with_context(|| format!("{}: cannot be removed", folder.display()))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))
}

/// A file's name without what follows its first dot; a folder's name whole.
pub(super) fn name_of(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = if path.is_dir() { &name } else { name.split('.').next().unwrap_or(&name) };
    if stem.is_empty() { "case".to_owned() } else { stem.to_owned() }
}
