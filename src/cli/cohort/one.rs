//! One case, from its scan to its folder.

use super::record::{self, CaseRecord, StructureRecord};
use super::{Outcome, Plan, job};
use crate::config::{Bundle, sha256_hex};
use crate::protocol::{Event, Request, SegmentRequest, WireScan};
use crate::session::report::{self, Findings, Segmented};
use crate::session::{
    Concern, Engine, Provenance, RunFacts, concerns, content_sha256, model_payload, program, run_job,
};
use crate::volume::io::{self, Receipt};
use crate::volume::{Flag, Modality, Scan};
use anyhow::{Context, bail, ensure};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// What a case is made with.
pub(super) struct Maker<'a> {
    pub plan: &'a Plan<'a>,
    /// Started for the first case that can be read.
    pub engine: &'a mut Option<Engine>,
    pub cancel: &'a AtomicBool,
}

/// What a case is made of.
struct Case {
    name: String,
    scan: Scan,
    modality: Modality,
    bundle: Bundle,
    input_sha256: String,
    concerns: Vec<Concern>,
}

impl Maker<'_> {
    pub(super) fn make(&mut self, path: &Path) -> anyhow::Result<Outcome> {
        let case = self.open(path)?;
        let folder = self.plan.out.join(&case.name);
        let made_by = self.made_by();
        if let Some(record) = CaseRecord::of_folder(&folder)
            && record.is_of(&case.input_sha256, &case.bundle.card.weights_sha256, &made_by)
        {
            return Ok(Outcome::Kept(record));
        }
        ensure!(
            !folder.exists() || folder.join(record::FILE).is_file(),
            "{}: is there and was not made by this command; choose another output folder",
            folder.display()
        );
        let partial = self.plan.out.join(format!(".{}.partial", case.name));
        start_afresh(&partial)?;
        let record = self.fill(&partial, &case, made_by)?;
        let text = serde_json::to_vec_pretty(&record)?;
        io::write_file(&partial.join(record::FILE), &text)?;
        if folder.exists() {
            std::fs::remove_dir_all(&folder)
                .with_context(|| format!("{}: what was there cannot be replaced", folder.display()))?;
        }
        std::fs::rename(&partial, &folder)
            .with_context(|| format!("{}: cannot be put into place", folder.display()))?;
        Ok(Outcome::Made(record))
    }

    fn open(&self, path: &Path) -> anyhow::Result<Case> {
        let scan = io::open_with(path, &self.plan.reading.to_open_options())?;
        ensure!(
            !scan.flags.contains(&Flag::Colour),
            "holds colours; the models know grey values of CT and MR only"
        );
        let modality = self.plan.choice.modality_quietly(&scan);
        let bundle = self.plan.choice.bundle(modality)?;
        let input_sha256 = content_sha256(&scan);
        let name = match self.plan.names {
            true => name_of(path),
            false => format!("case-{}", &input_sha256[..12]),
        };
        let concerns = concerns(&scan, modality, &bundle.card);
        Ok(Case { name, scan, modality, bundle, input_sha256, concerns })
    }

    /// Everything but scan and model that decides what is in a case's folder.
    fn made_by(&self) -> String {
        let Plan { settings, threshold, volumes, .. } = self.plan;
        format!("{}; {settings:?}; threshold {threshold}; volumes {volumes}", program())
    }

    fn fill(&mut self, folder: &Path, case: &Case, made_by: String) -> anyhow::Result<CaseRecord> {
        let Case { scan, modality, bundle, concerns, .. } = case;
        let request = SegmentRequest {
            model: model_payload(bundle),
            scan: WireScan::pack(scan),
            modality: *modality,
            first_world_mm: None,
            settings: self.plan.settings,
            device: self.plan.choice.device,
        };
        let engine = match self.engine {
            Some(engine) => engine,
            None => self.engine.insert(job::engine_among(self.plan.jobs)?),
        };
        let answer = run_job(engine, Request::Segment(request), self.cancel, |_| ())?;
        let Event::Segmented { result, .. } = answer else { bail!("the engine answered {answer:?}") };
        let found = Segmented::unpack(&result)?;
        let facts = RunFacts {
            card: &bundle.card,
            scan,
            modality: *modality,
            settings: self.plan.settings,
            gap_threshold: Some(self.plan.threshold),
            device: &result.device,
            warnings: &result.warnings,
            concerns,
        };
        let findings = Findings {
            facts,
            labels: &found.labels,
            gap: &found.gap,
            uncertainty: Some(&found.uncertainty),
            threshold: self.plan.threshold,
        };
        let report = report::report(&case.name, &findings)?;
        let mut files = report::write(folder, &report, &findings)?;
        if self.plan.volumes {
            files.extend(write_volumes(folder, &facts, &found)?);
        }
        Ok(CaseRecord {
            case: case.name.clone(),
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
        Provenance::of(content, facts, &receipt, scan.geometry())?.write_beside(&receipt.path)?;
        files.push(receipt.path);
    }
    Ok(files)
}

fn hashed(path: &Path) -> anyhow::Result<(String, String)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok((name, sha256_hex(&std::fs::read(path)?)))
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
