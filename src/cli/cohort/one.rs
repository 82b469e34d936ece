//! One case, from its scan to its folder.

use super::place::{Place, VOLUMES};
use super::{Begun, Outcome, Plan, job};
use crate::cli::subject::{Subject, explain};
use crate::config::sha256_hex;
use crate::protocol::{Event, Request, SegmentRequest, WireScan};
use crate::session::cohort::{CASE_FILE, CaseRecord, StructureRecord};
use crate::session::report::{self, Findings, Segmented};
use crate::session::{Connection, RunFacts, model_payload, program};
use crate::volume::io::{self, Receipt};
use crate::volume::{Flag, Modality};
use anyhow::{bail, ensure};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// What a case is made with.
pub(super) struct Maker<'a> {
    pub plan: &'a Plan<'a>,
    /// Opened for the first case that can be read.
    pub connection: &'a mut Connection,
    pub cancel: &'a AtomicBool,
    pub begun: &'a Begun,
}

impl Maker<'_> {
    pub(super) fn make(&mut self, path: &Path) -> anyhow::Result<Outcome> {
        // A path that cannot be recorded is told before the work and not after it.
        let recorded = if self.plan.names { Some(recorded(path)?) } else { None };
        let case = self.open(path)?;
        let name = match self.plan.names {
            true => name_of(path),
            false => format!("case-{}", &case.input_sha256[..12]),
        };
        if !self.plan.names && self.begun.is_anothers(&case.input_sha256, path) {
            return Ok(Outcome::Twin(name));
        }
        let place = Place::of(self.plan.out, &name);
        place.mend()?;
        if let Some(record) = self.kept(&place.folder, &case) {
            return Ok(Outcome::Kept(record));
        }
        place.refuse_loss(path, &case.input_sha256, self.plan.volumes)?;
        let partial = place.begin()?;
        let record = self.fill(partial.path(), &name, recorded, &case)?;
        let text = serde_json::to_vec_pretty(&record)?;
        io::write_file(&partial.path().join(CASE_FILE), &text)?;
        // Another run may have put something there in the meantime.
        place.refuse_loss(path, &case.input_sha256, self.plan.volumes)?;
        partial.put()?;
        Ok(Outcome::Made(record))
    }

    /// What is there, if it is what would be made. A report is also in a folder with volumes.
    fn kept(&self, folder: &Path, case: &Subject) -> Option<CaseRecord> {
        let record = CaseRecord::of_folder(folder)?;
        let weights_sha256 = &case.bundle.card.weights_sha256;
        let is_of = |volumes: bool| {
            record.is_of(&case.input_sha256, weights_sha256, &self.made_by(case.modality, volumes))
        };
        (is_of(true) || !self.plan.volumes && is_of(false)).then_some(record)
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
    fn made_by(&self, modality: Modality, volumes: bool) -> String {
        let Plan { settings, threshold, .. } = self.plan;
        let (program, modality) = (program(), modality.name());
        format!("{program}; {modality}; {settings:?}; threshold {threshold}; volumes {volumes}")
    }

    fn fill(
        &mut self,
        folder: &Path,
        name: &str,
        recorded: Option<PathBuf>,
        case: &Subject,
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
            scan: recorded,
            input_sha256: case.input_sha256.clone(),
            weights_sha256: bundle.card.weights_sha256.clone(),
            made_by: self.made_by(*modality, self.plan.volumes),
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
    let [labels, gap, uncertainty] = VOLUMES.map(|name| folder.join(name));
    let written: [(&str, Receipt); 3] = [
        ("labelled volume", io::write_named_labels(&labels, &found.labels, table, scan)?),
        ("gap volume", io::write_values(&gap, &found.gap, scan)?),
        ("uncertainty volume", io::write_values(&uncertainty, &found.uncertainty, scan)?),
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

/// The path as the case records it: absolute, so that the scan is found from any other folder.
fn recorded(path: &Path) -> anyhow::Result<PathBuf> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    ensure!(
        absolute.to_str().is_some(),
        "{}: --names records the scan's path in {CASE_FILE}, which holds UTF-8 only, and this path is not UTF-8; rename \
         what is not, or leave --names out",
        absolute.display()
    );
    Ok(absolute)
}

/// A file's name without what follows its first dot; a folder's name whole.
pub(super) fn name_of(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = if path.is_dir() { &name } else { name.split('.').next().unwrap_or(&name) };
    if stem.is_empty() { "case".to_owned() } else { stem.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_path_that_no_record_can_hold_is_refused_before_the_case_is_computed() {
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"scans/Andr\xe9.nii.gz"));
        let told = recorded(path).unwrap_err().to_string();
        assert!(told.contains("Andr") && told.contains("leave --names out"), "{told}");
        assert!(recorded(Path::new("scans/André.nii.gz")).unwrap().is_absolute());
    }
}
