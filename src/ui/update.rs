//! Carries intents out on the state. Whatever needs a file, a thread or the engine comes back as an [`Effect`] for
//! [`super::app`].

mod cohort;
mod exports;
mod runs;
mod view;

pub use cohort::case_found;
pub use exports::{export_dialog, figure_dialog, figure_size_points};
pub use runs::{start, start_next, work_role};

use super::action::Action;
use super::state::{
    Crosshair, Dialog, FigureDialog, NoticeKind, OpenDialog, OpenTarget, RunId, SeriesDialog, State,
    SurfaceOrder,
};
use super::views::link::body_centre_mm;
use super::views::surface::{Surfaces, labels_of};
use crate::session::cohort::{Case, is_cohort};
use crate::session::export::ExportContent;
use crate::session::loader::WorkOrder;
use crate::session::{OpenRequest, OpenScan, Origin, Role, label_focus};
use crate::volume::io::OpenOptions;
use crate::volume::{LabelMap, LabelTable, Modality};
use glam::Vec2;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What only the app can do.
#[derive(Debug)]
pub enum Effect {
    OpenScan {
        request: OpenRequest,
        role: Option<Role>,
    },
    OpenDemo {
        role: Role,
        modality: Modality,
        /// For want of a scan, and not because somebody asked for it.
        stands_in: bool,
    },
    OpenLabels {
        path: PathBuf,
        table: &'static LabelTable,
        /// `None`: of the scan whose grid they have.
        of: Option<Role>,
    },
    BrowseOpen,
    BrowseSave,
    /// For a place of a figure.
    BrowsePicture,
    Export {
        role: Role,
        content: ExportContent,
        path: PathBuf,
        overwrite: bool,
    },
    BrowseFolder,
    BrowseScans,
    MakeReport(Role),
    ReadCohort(PathBuf),
    /// Looks for the files of a case, in a folder where one was named.
    FindCase {
        case: Box<Case>,
        scans_in: Option<PathBuf>,
    },
    /// Draws what is shown and writes it.
    ExportFigure(FigureDialog),
    Pack {
        run: RunId,
        model: String,
        orders: Vec<WorkOrder>,
    },
    /// Compares the prediction of a scan with the labels that were given with it.
    CompareWithGiven(Role),
    /// Draws labels as surfaces, which are made first where they are not there.
    DrawSurface {
        labels: Arc<LabelMap>,
        surfaces: Option<Arc<Surfaces>>,
        order: SurfaceOrder,
    },
    /// Asks the engine for the slice in the style that is wanted.
    AskForStyle,
    /// Sends what waits for the user to go on.
    SubmitHeld,
    DropHeld,
    CancelJobs,
    /// Stops work on scans that are not there any more, or not in their role.
    CancelOrphanedJobs,
    RestartEngine,
    SetTextScale(f32),
    Quit,
}

/// Applies one intent.
pub fn apply(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::Show(dialog) | Action::Edit(dialog) => state.dialog = Some(dialog),
        Action::CloseDialog => return runs::close_dialog(state),
        Action::RunInSpite => {
            state.dialog = None;
            return vec![Effect::SubmitHeld];
        }
        Action::Browse => return browse(state),
        Action::Open(dialog) => return open(state, dialog),
        Action::Drop(paths) => return open_dropped(state, paths),
        Action::ShowDrawer(drawer) => state.drawer = drawer,
        Action::MakeReport(role) => return vec![Effect::MakeReport(role)],
        Action::Cohort(action) => return cohort::apply(state, action),
        Action::Reopen(role, options) => return reopen(state, role, options),
        Action::OpenSeries(dialog) => return open_series(state, dialog),
        Action::Remedy(id) => return remedy(state, id),
        Action::OpenDemo => return open_demo(state),
        Action::OpenRecent(path) => {
            return vec![Effect::OpenScan { request: OpenRequest::file(path), role: None }];
        }
        Action::ForgetRecent => state.settings.recent.clear(),
        Action::SetTextScale(scale) => return vec![Effect::SetTextScale(scale)],
        Action::Export { role, content, path, overwrite } => {
            return vec![Effect::Export { role, content, path, overwrite }];
        }
        Action::ExportFigure(figure) => return vec![Effect::ExportFigure(figure)],
        Action::SetModality(role, modality) => return set_modality(state, role, modality),
        Action::SwapRoles => {
            swap_roles(state);
            return vec![Effect::CancelOrphanedJobs];
        }
        Action::SelectModel(index) => {
            let effects = select_model(state, index);
            let stays = |role: &Role| !replaces(&effects, *role);
            Role::ALL.into_iter().filter(stays).for_each(|role| tell_hidden_labels(state, role));
            return effects;
        }
        Action::Run => return runs::run(state),
        Action::RunOnSource => return runs::run_on_source(state),
        Action::Contrast(against) => return runs::contrast(state, against),
        Action::CheckAnatomy => return runs::check_anatomy(state),
        Action::SetStyle(style) => return set_style(state, style),
        Action::DrawSurface(role, order) => return draw_surface(state, role, order),
        Action::Cancel => return runs::cancel(state),
        Action::RestartEngine => return vec![Effect::RestartEngine],
        Action::SetEngineCommand(command) => {
            state.engine_command = None;
            state.settings.engine_command = command;
        }
        Action::Unfold(id) => {
            let notices = state.notices.iter_mut().filter(|notice| notice.id == id);
            notices.for_each(|notice| notice.unfolded ^= true);
        }
        Action::Dismiss(id) => state.notices.retain(|notice| notice.id != id),
        Action::Quit => return vec![Effect::Quit],
        view_action => view::apply(state, view_action),
    }
    Vec::new()
}

/// A scan has been read: puts it into its role, and fills the other one if it is empty.
pub fn scan_opened(state: &mut State, scan: OpenScan, role: Role) -> Vec<Effect> {
    let modality = scan.modality;
    if let Origin::File(path) = &scan.request.origin {
        state.settings.remember(path);
    }
    state.view.face_acquired_slices(role, scan.geometry());
    state.study.set_scan(role, Some(Arc::new(scan)));
    state.view.windows = [None; 5];
    let mut effects = follow_modality(state, role, modality);
    let other = role.other();
    // Another scan that is still being read may take that role.
    if state.study.scan(other).is_none() && state.opening.is_empty() {
        effects.push(stand_in(state, other));
    }
    // Labels say where there is something to see; the body's middle is only a guess.
    let task = state.task;
    let labelled = |role: Role| state.study.scan(role).is_some_and(|scan| scan.labels(task).is_some());
    // Not the scan read last, so that the view does not depend on which file is read faster.
    let source_decides = labelled(Role::Source) || !labelled(Role::Target);
    let from = if source_decides { Role::Source } else { Role::Target };
    centre(state, if state.study.scan(from).is_some() { from } else { role });
    effects
}

/// Puts the crosshair into the middle of a scan's labels, or of its body.
pub fn centre(state: &mut State, role: Role) {
    if let Some(scan) = state.study.scan(role) {
        let labelled = scan.labels(state.task).and_then(|labels| label_focus(labels));
        let world_mm = labelled.map_or_else(|| body_centre_mm(scan), |voxel| scan.geometry().world_of(voxel));
        state.view.crosshair = Crosshair { role, world_mm };
    }
    state.view.zoom = 1.0;
    state.view.pan = Vec2::ZERO;
}

/// Chooses the bundled model that expects `modality` in `role`, where the present one does not and another does.
fn follow_modality(state: &mut State, role: Role, modality: Modality) -> Vec<Effect> {
    if state.expected_modality(role) == modality {
        return Vec::new();
    }
    let expected = |entry: &super::state::ModelEntry| match role {
        Role::Source => entry.card.source,
        Role::Target => entry.card.target,
    };
    let task = state.task;
    let Some(better) = state.models.iter().position(|m| m.card.task == task && expected(m) == modality)
    else {
        return Vec::new();
    };
    state.model = Some(better);
    refill_phantoms(state)
}

/// Replaces phantoms that are not of the modality or task the chosen model expects in their role.
fn refill_phantoms(state: &State) -> Vec<Effect> {
    let misfit = |role: &Role| {
        let fits =
            |scan: &Arc<OpenScan>| !scan.is_phantom() || scan.modality == state.expected_modality(*role);
        state.study.scan(*role).is_some_and(|scan| !fits(scan))
    };
    Role::ALL.into_iter().filter(misfit).map(|role| stand_in(state, role)).collect()
}

/// The phantom that the chosen model expects in a role.
fn stand_in(state: &State, role: Role) -> Effect {
    Effect::OpenDemo { role, modality: state.expected_modality(role), stands_in: true }
}

fn open(state: &mut State, dialog: OpenDialog) -> Vec<Effect> {
    let path = PathBuf::from(dialog.path.trim());
    state.dialog = None;
    match dialog.target {
        OpenTarget::Labels => vec![Effect::OpenLabels { path, table: dialog.table, of: dialog.labels_of }],
        OpenTarget::Cohort => cohort::open(state, path),
        target => {
            let role = if let OpenTarget::Role(role) = target { Some(role) } else { None };
            let request = OpenRequest { modality: dialog.modality, ..OpenRequest::file(path) };
            vec![Effect::OpenScan { request, role }]
        }
    }
}

/// Files that carry the name of a volume are scans of their own; others that come together are the slices of one series,
/// whose bytes decide later whether they really are. A folder of a batch is shown as a cohort.
fn open_dropped(state: &mut State, paths: Vec<PathBuf>) -> Vec<Effect> {
    if let [folder] = paths.as_slice()
        && is_cohort(folder)
    {
        return cohort::open(state, folder.clone());
    }
    let is_slice = |path: &PathBuf| !path.is_dir() && !has_volume_name(path);
    let (mut slices, mut scans): (Vec<_>, Vec<_>) = paths.into_iter().partition(is_slice);
    let first = (!slices.is_empty()).then(|| slices.remove(0));
    scans.extend(first);
    let last = scans.len().saturating_sub(1);
    let request = |(n, path)| {
        let with = if n == last { std::mem::take(&mut slices) } else { Vec::new() };
        OpenRequest { with, ..OpenRequest::file(path) }
    };
    let requests = scans.into_iter().enumerate().map(request);
    requests.map(|request| Effect::OpenScan { request, role: None }).collect()
}

fn has_volume_name(path: &Path) -> bool {
    const ENDINGS: [&str; 9] = ["nii", "gz", "hdr", "img", "nrrd", "nhdr", "mha", "mhd", "mgz"];
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    ENDINGS.contains(&ending.as_str())
}

fn reopen(state: &State, role: Role, options: OpenOptions) -> Vec<Effect> {
    let Some(scan) = state.study.scan(role) else { return Vec::new() };
    let request = scan.request.with_options(options);
    vec![Effect::OpenScan {
        request: OpenRequest { modality: Some(scan.modality), ..request },
        role: Some(role),
    }]
}

fn open_series(state: &mut State, dialog: SeriesDialog) -> Vec<Effect> {
    state.dialog = None;
    let options = OpenOptions { series: Some(dialog.chosen), ..dialog.request.options.clone() };
    vec![Effect::OpenScan { request: dialog.request.with_options(options), role: dialog.role }]
}

fn remedy(state: &mut State, id: u64) -> Vec<Effect> {
    let Some(at) = state.notices.iter().position(|notice| notice.id == id) else { return Vec::new() };
    let remedy = state.notices.remove(at).remedy;
    remedy.map(|r| Effect::OpenScan { request: r.request, role: r.role }).into_iter().collect()
}

fn open_demo(state: &State) -> Vec<Effect> {
    let demo = |role| Effect::OpenDemo { role, modality: state.expected_modality(role), stands_in: false };
    Role::ALL.map(demo).into()
}

fn browse(state: &State) -> Vec<Effect> {
    match state.dialog {
        Some(Dialog::Open(OpenDialog { target: OpenTarget::Cohort, .. })) => vec![Effect::BrowseFolder],
        Some(Dialog::Open(_)) => vec![Effect::BrowseOpen],
        Some(Dialog::Export(_)) => vec![Effect::BrowseSave],
        Some(Dialog::Figure(_)) => vec![Effect::BrowsePicture],
        _ => Vec::new(),
    }
}

fn set_modality(state: &mut State, role: Role, modality: Modality) -> Vec<Effect> {
    let Some(scan) = state.study.scan(role).filter(|scan| scan.modality != modality) else {
        return Vec::new();
    };
    let declared = Arc::new(scan.with_modality(modality));
    state.study.set_scan(role, Some(declared));
    state.view.windows = [None; 5];
    let mut effects = follow_modality(state, role, modality);
    effects.push(Effect::CancelOrphanedJobs);
    effects
}

fn swap_roles(state: &mut State) {
    state.swap_roles();
    state.view.windows = [None; 5];
    state.view.crosshair.role = state.view.crosshair.role.other();
    for role in Role::ALL {
        if let Some(scan) = state.study.scan(role) {
            state.view.face_acquired_slices(role, scan.geometry());
        }
    }
}

fn select_model(state: &mut State, index: usize) -> Vec<Effect> {
    if state.run.is_some() {
        state.notify(
            NoticeKind::Warning,
            "Another model can be chosen once this run has ended or is cancelled.",
        );
        return Vec::new();
    }
    let Some(entry) = state.models.get(index) else { return Vec::new() };
    let task_changed = entry.card.task != state.task;
    state.task = entry.card.task;
    state.model = Some(index);
    if task_changed {
        // What hid a liver would hide a myocardium: the values mean other structures now.
        state.hidden_labels.clear();
        state.label_opacities.clear();
    }
    state.refresh_palette();
    if task_changed {
        Role::ALL.into_iter().for_each(|role| state.study.forget_results(role));
        let phantom = |role: &Role| state.study.scan(*role).is_some_and(|scan| scan.is_phantom());
        return Role::ALL.into_iter().filter(phantom).map(|role| stand_in(state, role)).collect();
    }
    let crossed = |role: Role| {
        state.study.scan(role).is_some_and(|scan| scan.modality == state.expected_modality(role.other()))
    };
    if crossed(Role::Source) && crossed(Role::Target) {
        swap_roles(state);
    }
    refill_phantoms(state)
}

/// Whether another phantom is about to take the place of the scan in `role`, with its labels.
fn replaces(effects: &[Effect], role: Role) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::OpenDemo { role: of, .. } if *of == role))
}

/// Says that labels are open and not shown, where they are: what is liver in one task is myocardium in another.
pub fn tell_hidden_labels(state: &mut State, role: Role) {
    let chosen = state.task;
    let given = state.study.scan(role).and_then(|scan| scan.labels_task());
    if let Some(task) = given.filter(|task| *task != chosen) {
        let text = format!(
            "The labels given with the {} are structures of the task {}: they are not shown while a model of the task {} \
             is chosen, and come back with a model of theirs.",
            role.name().to_lowercase(),
            task.name(),
            chosen.name()
        );
        state.notify(NoticeKind::Warning, text);
    }
}

fn set_style(state: &mut State, style: f32) -> Vec<Effect> {
    match state.style_order(style) {
        Some(order) => {
            state.style.want(order);
            vec![Effect::AskForStyle]
        }
        None => {
            state.style.forget();
            Vec::new()
        }
    }
}

/// One picture at a time: the next one is asked for when this one is there.
fn draw_surface(state: &mut State, role: Role, order: SurfaceOrder) -> Vec<Effect> {
    let Some(labels) = labels_of(state, role).filter(|_| !state.surface.drawing) else { return Vec::new() };
    state.surface.drawing = true;
    let known = state.surface.picture.as_ref().map(|picture| picture.surfaces.clone());
    let surfaces = known.filter(|surfaces| Arc::ptr_eq(&surfaces.labels, &labels));
    vec![Effect::DrawSurface { labels, surfaces, order }]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::bundled_models;
    use crate::session::GivenLabels;
    use crate::ui::state::{ModelEntry, Pane};
    use crate::ui::views::content::content;
    use crate::ui::views::probe;
    use crate::volume::{Geometry, Scan, Task, Volume};
    use glam::DVec3;

    /// A source whose labels are liver everywhere, and the bundled models.
    fn state() -> State {
        let grid = Geometry::axis_aligned([4, 4, 4], [1.0; 3], [0.0; 3]).unwrap();
        let scan = Scan::from_volume(Volume::from_fn(grid.clone(), |i, _, _| i as f32), "test");
        let scan = OpenScan::new(scan, OpenRequest::file("a.nii".into()), Modality::Ct);
        let given = GivenLabels { map: Arc::new(Volume::from_fn(grid, |_, _, _| 1u16)), task: Task::Abdomen };
        let mut state = State::new(Task::Abdomen);
        let entry = |card: crate::config::Card| ModelEntry { locator: card.id.clone(), card };
        state.models = bundled_models().unwrap().into_iter().map(entry).collect();
        state.study.set_scan(Role::Source, Some(Arc::new(scan)));
        state.study.set_labels(Role::Source, Some(given));
        state
    }

    /// What is read under the pointer in the source's pane.
    fn pointed_at(state: &State) -> String {
        probe::line(&content(state, Pane::Source).unwrap(), DVec3::ONE, state.table()).unwrap()
    }

    #[test]
    fn labels_of_an_abdomen_never_carry_a_cardiac_name_and_are_back_with_a_model_of_theirs() {
        let mut state = state();
        let choose = |state: &mut State, task: Task| {
            let index = state.models.iter().position(|model| model.card.task == task).unwrap();
            apply(state, Action::SelectModel(index));
        };
        choose(&mut state, Task::Abdomen);
        assert!(pointed_at(&state).ends_with("Liver"), "{}", pointed_at(&state));
        assert!(state.notices.is_empty());
        choose(&mut state, Task::Cardiac);
        let shown = content(&state, Pane::Source).unwrap();
        assert!(shown.labels.is_none() && shown.subtitle.ends_with("labels of another task"));
        for entry in &Task::Cardiac.table().entries {
            assert!(!pointed_at(&state).contains(&entry.name), "{}", pointed_at(&state));
        }
        assert!(labels_of(&state, Role::Source).is_none(), "no surface of the liver as a myocardium");
        assert!(state.notices[0].text.contains("abdomen"), "{:?}", state.notices);
        choose(&mut state, Task::Abdomen);
        assert!(pointed_at(&state).ends_with("Liver") && labels_of(&state, Role::Source).is_some());
    }

    #[test]
    fn a_structure_that_was_hidden_in_one_task_is_not_missing_in_the_other() {
        let mut state = state();
        let of = |state: &State, task| state.models.iter().position(|model| model.card.task == task).unwrap();
        let (abdomen, heart) = (of(&state, Task::Abdomen), of(&state, Task::Cardiac));
        apply(&mut state, Action::SelectModel(abdomen));
        apply(&mut state, Action::ShowOnly(Some(4)));
        apply(&mut state, Action::SetStructureOpacity(4, 0.2));
        apply(&mut state, Action::SelectModel(heart));
        let opaque = |label: u16| state.palette.colour(label)[3] == 255;
        assert!(Task::Cardiac.table().entries.iter().all(|entry| opaque(entry.value)));
    }

    #[test]
    fn labels_go_to_the_scan_that_was_named_though_the_other_has_the_same_grid() {
        let mut state = state();
        let dialog = OpenDialog {
            path: "reference.nii".to_owned(),
            labels_of: Some(Role::Target),
            ..OpenDialog::new(OpenTarget::Labels, Task::Abdomen)
        };
        let effects = apply(&mut state, Action::Open(dialog));
        assert!(matches!(effects[..], [Effect::OpenLabels { of: Some(Role::Target), .. }]), "{effects:?}");
    }
}
