//! Intents about a cohort: which folder, how it is sorted and plotted, and a case that is to be opened.
//!
//! Invariant: labels of a case are opened only in the colours of the task they were made for.

use super::Effect;
use crate::session::cohort::CaseFiles;
use crate::session::{LabelFile, OpenRequest, Role};
use crate::ui::action::CohortAction;
use crate::ui::state::{Drawer, State};
use std::path::PathBuf;

/// Applies one intent.
pub(super) fn apply(state: &mut State, action: CohortAction) -> Vec<Effect> {
    match action {
        CohortAction::Open(folder) => return open(state, folder),
        CohortAction::SortBy(column) => state.cohort.sort = state.cohort.sort.then_by(column),
        CohortAction::Plot(measure) => state.cohort.plotted = measure,
        CohortAction::ScansIn(folder) => state.cohort.scans_in = folder,
        CohortAction::BrowseScans => return vec![Effect::BrowseScans],
        CohortAction::OpenCase(at) => return open_case(state, at),
    }
    Vec::new()
}

/// Shows the drawer and has the folder read into it.
pub(super) fn open(state: &mut State, folder: PathBuf) -> Vec<Effect> {
    state.drawer = Some(Drawer::Cohort);
    state.cohort.told = None;
    state.cohort.reading = true;
    vec![Effect::ReadCohort(folder)]
}

/// One case is looked for at a time.
fn open_case(state: &mut State, at: usize) -> Vec<Effect> {
    if state.cohort.looking_for.is_some() {
        return Vec::new();
    }
    let Some(case) = state.cohort.cohort.as_ref().and_then(|cohort| cohort.cases.get(at)).cloned() else {
        return Vec::new();
    };
    state.cohort.told = None;
    state.cohort.looking_for = Some(case.name.clone());
    let folder = state.cohort.scans_in.trim();
    let scans_in = (!folder.is_empty()).then(|| PathBuf::from(folder));
    vec![Effect::FindCase { case: Box::new(case), scans_in }]
}

/// The files of a case are there: chooses the model they belong to and opens them as the target.
pub fn case_found(state: &mut State, files: CaseFiles) -> Vec<Effect> {
    state.cohort.told = files.remark.clone();
    let mut effects = Vec::new();
    let mut labels = files.labels.clone().zip(files.task).map(|(path, task)| LabelFile { path, task });
    if labels.is_none() && files.labels.is_some() {
        state.cohort.told = Some(
            "The structures of this case are those of no task that this program knows, so the scan is shown without its \
             labels. File, Open labels… opens them by the table that is named there."
                .to_owned(),
        );
    }
    if let Some(model) = model_of(state, &files).filter(|model| state.model != Some(*model)) {
        let chosen = super::select_model(state, model);
        if !super::replaces(&chosen, Role::Source) {
            super::tell_hidden_labels(state, Role::Source);
        }
        // The target is what is being opened here.
        let replaced = |effect: &Effect| matches!(effect, Effect::OpenDemo { role: Role::Target, .. });
        effects.extend(chosen.into_iter().filter(|effect| !replaced(effect)));
    }
    if let Some(task) = files.task.filter(|task| *task != state.task) {
        // A run that is going on, or no model of that task, keeps the other task in the window.
        labels = None;
        state.cohort.told = Some(format!(
            "The labels of this case are structures of the {}, and the window shows those of the {}: the scan is shown \
             without them. Choose a model of that task, when no run is going on, and open the case again.",
            task.name(),
            state.task.name()
        ));
    }
    let request = OpenRequest { labels, modality: files.modality, ..OpenRequest::file(files.scan) };
    // Whose modality nobody recorded takes the role of the one it looks like.
    let role = files.modality.map(|_| Role::Target);
    effects.push(Effect::OpenScan { request, role });
    effects
}

/// The model that made the labels, or else the first one for the same task and modality.
fn model_of(state: &State, files: &CaseFiles) -> Option<usize> {
    let same = state.models.iter().position(|model| model.card.weights_sha256 == files.weights_sha256);
    let chosen_fits =
        |task| state.task == task && state.card().is_some_and(|card| Some(card.target) == files.modality);
    let suited = || {
        let task = files.task.filter(|task| !chosen_fits(*task))?;
        let of_task = |model: &crate::ui::state::ModelEntry| model.card.task == task;
        let of_both = |model: &&_| of_task(model) && Some(model.card.target) == files.modality;
        let best = state.models.iter().find(of_both).or_else(|| state.models.iter().find(|m| of_task(m)))?;
        state.models.iter().position(|model| model.locator == best.locator)
    };
    same.or_else(suited)
}
