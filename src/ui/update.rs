//! Carries intents out on the state. Whatever needs a file, a thread or the engine comes back as an [`Effect`] for
//! [`super::app`].

use super::action::Action;
use super::state::{
    Arrangement, CT_PRESETS, Crosshair, Dialog, ExportDialog, Inspector, MR_PRESETS, NoticeKind, OpenDialog,
    OpenTarget, Pane, Run, RunId, SeriesDialog, State, SurfaceOrder, Switch, Tile, Window,
};
use super::views::content::{content, model_title};
use super::views::frame::SliceFrame;
use super::views::link::{body_centre_mm, clamp_to_grid, crosshair_in};
use super::views::surface::{Surfaces, labels_of};
use crate::render::transform::ZOOM_RANGE;
use crate::session::loader::{ExportContent, Variant, Work, WorkOrder};
use crate::session::{Against, OpenRequest, OpenScan, Origin, Role, label_focus};
use crate::volume::io::OpenOptions;
use crate::volume::{LabelMap, LabelTable, Modality};
use glam::{DVec3, Vec2};
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
    },
    OpenLabels {
        path: PathBuf,
        table: &'static LabelTable,
    },
    BrowseOpen,
    BrowseSave,
    Export {
        role: Role,
        content: ExportContent,
        path: PathBuf,
        overwrite: bool,
    },
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
    RestartEngine,
    SetTextScale(f32),
    Quit,
}

/// Applies one intent.
pub fn apply(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::Show(dialog) | Action::Edit(dialog) => state.dialog = Some(dialog),
        Action::CloseDialog => return close_dialog(state),
        Action::RunInSpite => {
            state.dialog = None;
            return vec![Effect::SubmitHeld];
        }
        Action::Browse => return browse(state),
        Action::Open(dialog) => return open(state, dialog),
        Action::Drop(paths) => return open_dropped(paths),
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
        Action::SetModality(role, modality) => return set_modality(state, role, modality),
        Action::SwapRoles => swap_roles(state),
        Action::SelectModel(index) => return select_model(state, index),
        Action::Run => return run(state),
        Action::RunOnSource => return run_on_source(state),
        Action::Contrast(against) => return contrast(state, against),
        Action::CheckAnatomy => return check_anatomy(state),
        Action::SetStyle(style) => return set_style(state, style),
        Action::DrawSurface(role, order) => return draw_surface(state, role, order),
        Action::Cancel => return cancel(state),
        Action::RestartEngine => return vec![Effect::RestartEngine],
        Action::Dismiss(id) => state.notices.retain(|notice| notice.id != id),
        Action::Quit => return vec![Effect::Quit],
        view_action => apply_to_view(state, view_action),
    }
    Vec::new()
}

/// A scan has been read: gives it its role, and fills the other one if it is empty.
pub fn scan_opened(state: &mut State, scan: OpenScan, role: Option<Role>) -> Vec<Effect> {
    let modality = scan.modality;
    let role = role.unwrap_or_else(|| state.role_by_modality(modality));
    if let Origin::File(path) = &scan.request.origin {
        state.settings.remember(path);
    }
    state.study.set_scan(role, Some(Arc::new(scan)));
    state.view.windows = [None; 5];
    let mut effects = follow_modality(state, role, modality);
    let other = role.other();
    // Another scan that is still being read may take that role.
    if state.study.scan(other).is_none() && state.opening.is_empty() {
        effects.push(Effect::OpenDemo { role: other, modality: state.expected_modality(other) });
    }
    // Labels say where there is something to see; the body's middle is only a guess.
    let labelled = |role: Role| state.study.scan(role).is_some_and(|scan| scan.labels.is_some());
    // Not the scan read last, so that the view does not depend on which file is read faster.
    let source_decides = labelled(Role::Source) || !labelled(Role::Target);
    let from = if source_decides { Role::Source } else { Role::Target };
    centre(state, if state.study.scan(from).is_some() { from } else { role });
    effects
}

/// Puts the crosshair into the middle of a scan's labels, or of its body.
pub fn centre(state: &mut State, role: Role) {
    if let Some(scan) = state.study.scan(role) {
        let labelled = scan.labels.as_ref().and_then(|labels| label_focus(labels));
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
    let refill = |role: Role| Effect::OpenDemo { role, modality: state.expected_modality(role) };
    Role::ALL.into_iter().filter(misfit).map(refill).collect()
}

fn open(state: &mut State, dialog: OpenDialog) -> Vec<Effect> {
    let path = PathBuf::from(dialog.path.trim());
    state.dialog = None;
    match dialog.target {
        OpenTarget::Labels => vec![Effect::OpenLabels { path, table: dialog.table }],
        target => {
            let role = if let OpenTarget::Role(role) = target { Some(role) } else { None };
            let request = OpenRequest { modality: dialog.modality, ..OpenRequest::file(path) };
            vec![Effect::OpenScan { request, role }]
        }
    }
}

/// Files that carry the name of a volume are scans of their own; others that come together are the slices of one series,
/// whose bytes decide later whether they really are.
fn open_dropped(paths: Vec<PathBuf>) -> Vec<Effect> {
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
    Role::ALL.map(|role| Effect::OpenDemo { role, modality: state.expected_modality(role) }).into()
}

fn browse(state: &State) -> Vec<Effect> {
    match state.dialog {
        Some(Dialog::Open(_)) => vec![Effect::BrowseOpen],
        Some(Dialog::Export(_)) => vec![Effect::BrowseSave],
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
    follow_modality(state, role, modality)
}

fn swap_roles(state: &mut State) {
    state.study.swap_roles();
    state.view.windows = [None; 5];
    state.view.crosshair.role = state.view.crosshair.role.other();
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
    state.refresh_palette();
    if task_changed {
        Role::ALL.into_iter().for_each(|role| state.study.forget_results(role));
        let phantom = |role: &Role| state.study.scan(*role).is_some_and(|scan| scan.is_phantom());
        let refill = |role: Role| Effect::OpenDemo { role, modality: state.expected_modality(role) };
        return Role::ALL.into_iter().filter(phantom).map(refill).collect();
    }
    let crossed = |role: Role| {
        state.study.scan(role).is_some_and(|scan| scan.modality == state.expected_modality(role.other()))
    };
    if crossed(Role::Source) && crossed(Role::Target) {
        swap_roles(state);
    }
    refill_phantoms(state)
}

/// Asks for the translation of the source and the segmentation of the target.
fn run(state: &mut State) -> Vec<Effect> {
    start(state, vec![Work::Translate, Work::Segment(Role::Target)])
}

fn run_on_source(state: &mut State) -> Vec<Effect> {
    state.view.inspected = Role::Source;
    start(state, vec![Work::Segment(Role::Source)])
}

/// Compares the prediction that is shown: with labels that are there, or with another run of the model.
fn contrast(state: &mut State, against: Against) -> Vec<Effect> {
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
fn check_anatomy(state: &mut State) -> Vec<Effect> {
    state.view.inspector = Inspector::Anatomy;
    start(state, vec![Work::CheckAnatomy])
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
fn close_dialog(state: &mut State) -> Vec<Effect> {
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
fn cancel(state: &mut State) -> Vec<Effect> {
    if state.dialog.is_some() {
        return close_dialog(state);
    }
    state.queue.clear();
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

fn apply_to_view(state: &mut State, action: Action) {
    match action {
        Action::PlaceCrosshair { role, world_mm } => {
            state.view.crosshair = Crosshair { role, world_mm };
        }
        Action::StepSlice { tile, by } => {
            step_slice(state, tile, |slice, last| slice.saturating_add(by).clamp(0, last))
        }
        Action::PlayOn(tile) => {
            step_slice(state, tile, |slice, last| if slice < last { slice + 1 } else { 0 })
        }
        Action::Compare(comparison, share) => {
            state.view.comparison = comparison;
            state.view.comparison_share = share.clamp(0.0, 1.0);
        }
        Action::ToggleInverse(pane) => state.view.inverted[pane as usize] ^= true,
        Action::SetPlane { pane: Some(pane), plane } => state.view.planes[pane as usize] = plane,
        Action::SetPlane { pane: None, plane } => state.view.planes = [plane; 5],
        Action::Arrange(arrangement) => {
            state.view.arrangement = arrangement;
            state.view.maximised = None;
        }
        Action::ShowInInspector(what) => state.view.inspector = what,
        Action::Look(eye) => state.view.eye = eye,
        Action::GoToVoxel(voxel) => go_to_voxel(state, voxel),
        Action::CutObliques(how) => state.view.obliques = how,
        Action::DeclareOneSpace(one) => state.study.declare_one_space(one),
        Action::SetSplit(split) => {
            let of = usize::from(state.view.arrangement != Arrangement::Roles);
            state.view.splits[of] = split;
        }
        Action::SwapPanes(a, b) => {
            for place in &mut state.view.order {
                *place = match *place {
                    pane if pane == a => b,
                    pane if pane == b => a,
                    pane => pane,
                };
            }
        }
        Action::Maximise(tile) => state.view.maximised = Some(tile),
        Action::ToggleMaximised(tile) => {
            state.view.maximised = if state.view.maximised.is_some() { None } else { Some(tile) };
        }
        Action::Zoom { factor, at } => zoom(state, factor, at),
        Action::Pan(by) => state.view.pan -= by / state.view.zoom,
        Action::DragWindow { pane, by_points } => drag_window(state, pane, by_points),
        Action::SetWindow { pane, window } => state.view.windows[pane as usize] = window,
        Action::Preset(number) => preset(state, number),
        Action::ResetView => {
            state.view.zoom = 1.0;
            state.view.pan = Vec2::ZERO;
            state.view.windows = [None; 5];
        }
        Action::SetGap(gap) => state.view.gap = gap,
        Action::SetEdges(edges) => state.view.edges = edges,
        Action::SetLabels(labels) => state.view.labels = labels,
        Action::ToggleStructure(label) => {
            if !state.hidden_labels.remove(&label) {
                state.hidden_labels.insert(label);
            }
            state.refresh_palette();
        }
        Action::ShowOnly(label) => {
            let others = state.table().entries.iter().map(|entry| entry.value);
            state.hidden_labels = others.filter(|other| label.is_some_and(|only| only != *other)).collect();
            state.refresh_palette();
        }
        Action::SetStructureOpacity(label, opacity) => {
            state.label_opacities.insert(label, opacity.clamp(0.0, 1.0));
            state.refresh_palette();
        }
        Action::GoToStructure(label) => go_to_structure(state, label),
        Action::Set(switch, on) => set_switch(state, switch, on),
        Action::Inspect(role) => state.view.inspected = role,
        Action::HoldSource(held) => state.view.source_in_place = held,
        Action::Activate(tile) => state.view.active = tile,
        // The other intents have been dealt with by `apply`.
        _ => {}
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

fn go_to_voxel(state: &mut State, voxel: [usize; 3]) {
    let role = state.view.inspected;
    if let Some(scan) = state.study.scan(role) {
        let world_mm = scan.geometry().world_of(DVec3::from_array(voxel.map(|at| at as f64)));
        state.view.crosshair = Crosshair { role, world_mm };
    }
}

fn go_to_structure(state: &mut State, label: u16) {
    let role = state.view.inspected;
    let Some(prediction) = state.study.prediction(role) else { return };
    let summary = prediction.structures.iter().find(|summary| summary.label == label);
    if let Some(world_mm) = summary.and_then(|summary| summary.focus_mm) {
        state.view.crosshair = Crosshair { role, world_mm };
    }
}

/// `to`: from the present slice and the last one to the one that is wanted.
fn step_slice(state: &mut State, tile: Tile, to: impl Fn(i64, i64) -> i64) {
    let role = tile.pane.role(&state.view);
    let Some(scan) = state.study.scan(role) else { return };
    let Some(world) = crosshair_in(&state.study, state.view.crosshair, role) else { return };
    let grid = state.view.obliques.grid_of(scan);
    let frame = SliceFrame::new(grid, tile.plane(&state.view), state.view.convention);
    let voxel = grid.voxel_from_world().transform_point3(world);
    let last = frame.slice_count() as i64 - 1;
    let slice = to(frame.nearest_slice(voxel) as i64, last);
    let (image, _) = frame.image_from_voxel(voxel);
    let moved: DVec3 = clamp_to_grid(grid, frame.voxel_from_image(image, slice as f64));
    state.view.crosshair = Crosshair { role, world_mm: grid.world_of(moved) };
}

/// Keeps what is under the pointer under it: `at` points from the middle of its pane.
fn zoom(state: &mut State, factor: f32, at: Vec2) {
    let view = &mut state.view;
    let [least, most] = ZOOM_RANGE;
    let zoomed = (view.zoom * factor).clamp(least.max(0.2), most.min(40.0));
    if zoomed.is_finite() {
        view.pan += at / view.zoom - at / zoomed;
        view.zoom = zoomed;
    }
}

fn drag_window(state: &mut State, pane: Pane, by_points: Vec2) {
    let Some(content) = content(state, pane) else { return };
    let dragged = content.window.dragged(by_points, content.intensity.range);
    state.view.windows[pane as usize] = Some(dragged);
}

/// Applies a preset to the active pane; MR has the image's own range first, then its three.
fn preset(state: &mut State, number: usize) {
    let pane = state.view.active.pane;
    let Some(content) = content(state, pane) else { return };
    let of_ct = content.unit.ends_with("HU");
    let window: Option<Window> = match (of_ct, number) {
        (true, number) => CT_PRESETS.get(number).map(|preset| preset.window),
        (false, 0) => None,
        (false, number) => match MR_PRESETS.get(number - 1) {
            Some(preset) => Some(preset.window),
            None => return,
        },
    };
    state.view.windows[pane as usize] = window;
}

fn set_switch(state: &mut State, switch: Switch, on: bool) {
    let view = &mut state.view;
    match switch {
        Switch::Radiological => view.convention.radiological = on,
        Switch::SagittalFlipped => view.convention.sagittal_flipped = on,
        Switch::Annotations => view.annotations = on,
        Switch::Crosshair => view.show_crosshair = on,
        Switch::Smooth => view.smooth = on,
        Switch::HideIdentity => view.hide_identity = on,
        Switch::PacsMouse => view.pacs_mouse = on,
        Switch::Cine => view.cine = on,
        Switch::Contrast => view.contrast = on,
        Switch::Light => state.settings.light = on,
        Switch::KeepRecent => {
            state.settings.keep_recent = on;
            if !on {
                state.settings.recent.clear();
            }
        }
    }
}

/// The dialog that asks where to save a result of the scan that is inspected, with a name beside the scan; `None` where
/// there is no such result.
pub fn export_dialog(state: &State, content: ExportContent) -> Option<Dialog> {
    let role = match content {
        ExportContent::Synthetic => Role::Source,
        _ => state.view.inspected,
    };
    match content {
        ExportContent::Synthetic => state.study.synthesis().filter(|synthesis| synthesis.whole).map(|_| ()),
        _ => state.study.prediction(role).filter(|prediction| prediction.whole).map(|_| ()),
    }?;
    let path = proposed_path(state, role, content)?;
    Some(Dialog::Export(ExportDialog { role, content, path, confirm_overwrite: false, trouble: None }))
}

/// Beside the scan, named after it unless names are hidden.
fn proposed_path(state: &State, role: Role, content: ExportContent) -> Option<String> {
    let scan = state.study.scan(role)?;
    let stem = match state.view.hide_identity {
        true => "scan",
        false => scan.name.split('.').next().unwrap_or("scan"),
    };
    let name = format!("{stem}_{}", content.ending());
    let path = match &scan.request.origin {
        Origin::File(path) => path.with_file_name(name),
        // Beside the phantoms is the program's own folder, which is not the user's to fill.
        Origin::Phantom(_) => PathBuf::from(name),
    };
    Some(path.display().to_string())
}
