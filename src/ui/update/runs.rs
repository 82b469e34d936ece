//! Runs: what is asked of the engine, one piece of work after the other, and how it is stopped.
//!
//! Invariant: there is one run at a time; what is asked for meanwhile waits in the queue.

use super::Effect;
use crate::session::loader::{Variant, Work, WorkOrder};
use crate::session::{Against, Role};
use crate::ui::state::{Dialog, Inspector, NoticeKind, Run, RunId, State};
use crate::ui::views::content::model_title;
use crate::ui::views::link::{body_centre_mm, crosshair_in};

/// Asks for the translation of the source and the segmentation of the target.
pub(super) fn run(state: &mut State) -> Vec<Effect> {
    start(state, vec![Work::Translate, Work::Segment(Role::Target)])
}

pub(super) fn run_on_source(state: &mut State) -> Vec<Effect> {
    state.view.inspect(Role::Source);
    start(state, vec![Work::Segment(Role::Source)])
}

/// Compares the prediction that is shown: with labels that are there, or with another run of the model.
pub(super) fn contrast(state: &mut State, against: Against) -> Vec<Effect> {
    let role = state.view.inspected;
    state.view.contrast = true;
    let variant = match against {
        Against::GivenLabels => return vec![Effect::CompareWithGiven(role)],
        Against::NoAdaptation => Variant::NoAdaptation,
        Against::Mask(mask) => Variant::Mask(mask),
    };
    start(state, vec![Work::Vary(role, variant)])
}

/// Shows what it finds where it is told.
pub(super) fn check_anatomy(state: &mut State) -> Vec<Effect> {
    state.view.inspector = Inspector::Anatomy;
    start(state, vec![Work::CheckAnatomy])
}

/// Starts work, or puts it behind the work that is going on.
pub fn start(state: &mut State, wanted: Vec<Work>) -> Vec<Effect> {
    if let Some(obstacle) = state.run_obstacle() {
        state.notify(NoticeKind::Warning, obstacle);
        return Vec::new();
    }
    if state.run.is_some() {
        if !state.queue.contains(&wanted) {
            state.queue.push_back(wanted);
        }
        return Vec::new();
    }
    // What is asked for now takes the place of what waits for a connection.
    state.give_up_connection();
    let Some(model) = state.model.and_then(|index| state.models.get(index)) else { return Vec::new() };
    let (model, title, weights) =
        (model.locator.clone(), model_title(&model.card), model.card.weights_sha256.clone());
    let order = |work: &Work| {
        let role = work_role(*work);
        let scan = state.study.scan(role)?.clone();
        let first_world_mm = match work {
            // Its slices are not shown one by one: they are compared when all are there.
            Work::Vary(..) => {
                // Of another model it would show what the models do, and not what was changed.
                let prediction = state.study.prediction(role).filter(|prediction| prediction.whole)?;
                prediction.origin.as_ref().filter(|origin| origin.card.weights_sha256 == weights)?;
                None
            }
            // Of another model's image it would say nothing.
            Work::CheckAnatomy => state.synthesis_obstacle().is_none().then_some(None)?,
            _ => {
                let crosshair = crosshair_in(&state.study, state.view.crosshair, role);
                Some(crosshair.unwrap_or_else(|| body_centre_mm(&scan)).to_array())
            }
        };
        Some(WorkOrder { work: *work, scan, first_world_mm })
    };
    let orders: Vec<WorkOrder> = wanted.iter().filter_map(order).collect();
    if orders.is_empty() {
        return Vec::new();
    }
    let id = RunId(state.next_number());
    state.run = Some(Run::new(id, title));
    state.last_run.clear();
    vec![Effect::Pack { run: id, model, orders }]
}

/// The run is over: what waits for it begins.
pub fn start_next(state: &mut State) -> Vec<Effect> {
    while state.run.is_none()
        && let Some(wanted) = state.queue.pop_front()
    {
        let effects = start(state, wanted);
        if !effects.is_empty() {
            return effects;
        }
    }
    Vec::new()
}

/// The scan a piece of work is about.
pub fn work_role(work: Work) -> Role {
    match work {
        Work::Translate | Work::CheckAnatomy => Role::Source,
        Work::Segment(role) | Work::Vary(role, _) => role,
    }
}

/// A run that waits for an answer does not begin without one.
pub(super) fn close_dialog(state: &mut State) -> Vec<Effect> {
    match state.dialog.take() {
        Some(Dialog::Concerns(_)) => {
            state.run = None;
            state.queue.clear();
            state.last_run = "not run".to_owned();
            vec![Effect::DropHeld]
        }
        _ => Vec::new(),
    }
}

/// Esc: closes a dialog first, then stops a run.
pub(super) fn cancel(state: &mut State) -> Vec<Effect> {
    if state.dialog.is_some() {
        return close_dialog(state);
    }
    state.queue.clear();
    if state.give_up_connection() {
        state.last_run = "given up: the connection to the engine was lost".to_owned();
        return Vec::new();
    }
    match &mut state.run {
        // Nothing has reached the engine: forgetting the run is cancelling it.
        Some(run) if run.jobs.is_empty() => {
            state.run = None;
            state.last_run = "cancelled".to_owned();
            Vec::new()
        }
        Some(run) => {
            run.cancelling = true;
            vec![Effect::CancelJobs]
        }
        None => {
            state.view.maximised = None;
            Vec::new()
        }
    }
}
