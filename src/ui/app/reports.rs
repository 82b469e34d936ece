//! What the drawer shows, made and read on threads: the report of a prediction, a cohort's folder, the files of a case.

use super::App;
use super::tasks::{Done, in_full};
use crate::eval::gap::GapReport;
use crate::session::cohort::{Case, CaseError, CaseFiles, Cohort, CohortError, ScanIndex, find_case};
use crate::session::export::{self, Exportable};
use crate::session::loader::LoadError;
use crate::session::{Prediction, Role};
use crate::ui::state::MadeReport;
use crate::ui::update;
use std::path::PathBuf;
use std::sync::Arc;

/// What was found of a case, with the hashes of all scans that were read for it.
pub(in crate::ui) struct FoundCase {
    index: ScanIndex,
    result: Result<CaseFiles, CaseError>,
}

impl App {
    pub(super) fn make_report(&mut self, role: Role) {
        let Some(of) = self.exportable(role) else { return };
        let Some(prediction) = of.prediction.clone() else { return };
        self.state.report.making = true;
        self.spawn(move || Done::Report { prediction, result: export::gap_report(&of).map(Box::new) });
    }

    /// What a run left of a scan, as it is now.
    pub(super) fn exportable(&self, role: Role) -> Option<Exportable> {
        Some(Exportable {
            scan: self.state.study.scan(role)?.clone(),
            prediction: self.state.study.prediction(role).cloned(),
            synthesis: self.state.study.synthesis().cloned(),
            threshold: self.state.view.gap.threshold,
        })
    }

    /// Kept with its prediction: another one may have taken its place meanwhile.
    pub(super) fn report_made(
        &mut self,
        prediction: Arc<Prediction>,
        result: Result<Box<GapReport>, LoadError>,
    ) {
        self.state.report.making = false;
        let report = result.map(|report| Arc::new(*report)).map_err(|error| in_full(&error));
        self.state.report.made = Some(MadeReport { prediction, report });
    }

    pub(super) fn read_cohort(&mut self, folder: PathBuf) {
        self.spawn(move || Done::Cohort(Cohort::read(&folder).map(Box::new)));
    }

    /// A folder that cannot be read leaves the cohort that was there.
    pub(super) fn cohort_read(&mut self, result: Result<Box<Cohort>, CohortError>) {
        self.state.cohort.reading = false;
        match result {
            Ok(cohort) => self.state.cohort.cohort = Some(Arc::new(*cohort)),
            Err(error) => {
                let words = in_full(&error);
                self.failure = Some(words.clone());
                self.state.cohort.told = Some(words);
            }
        }
    }

    pub(super) fn find_case(&mut self, case: Case, scans_in: Option<PathBuf>) {
        let mut index = std::mem::take(&mut self.scan_index);
        self.spawn(move || {
            let result = find_case(&case, scans_in.as_deref(), &mut index);
            Done::Case(Box::new(FoundCase { index, result }))
        });
    }

    pub(super) fn case_found(&mut self, found: FoundCase) {
        self.scan_index = found.index;
        self.state.cohort.looking_for = None;
        match found.result {
            Ok(files) => {
                for effect in update::case_found(&mut self.state, files) {
                    self.perform_without_context(effect);
                }
            }
            Err(error) => self.state.cohort.told = Some(in_full(&error)),
        }
    }

    pub(super) fn scans_picked(&mut self, folder: Option<PathBuf>) {
        if let Some(folder) = folder {
            self.state.cohort.scans_in = folder.display().to_string();
        }
    }

    /// A task has panicked, nobody knows which: nothing waits for it any more.
    pub(super) fn drawer_task_lost(&mut self, words: &str) {
        self.state.cohort.reading = false;
        self.state.cohort.looking_for = None;
        let prediction = self.state.study.prediction(self.state.view.inspected).cloned();
        if let Some(prediction) = prediction.filter(|_| std::mem::take(&mut self.state.report.making)) {
            // Else it would be asked for in every frame.
            self.state.report.made = Some(MadeReport { prediction, report: Err(words.to_owned()) });
        }
    }
}
