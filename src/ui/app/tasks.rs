//! Effects on their way out and results on their way in.

use super::App;
use super::reports::FoundCase;
use crate::config::BundleError;
use crate::eval::gap::GapReport;
use crate::protocol::{JobId, StyleSubject};
use crate::session::cohort::{Cohort, CohortError};
use crate::session::export::{ExportContent, Exported};
use crate::session::loader::{self, LoadError, OpenLabels, PackedWork};
use crate::session::{
    Against, Anatomy, Contrast, Engine, EngineError, OpenRequest, OpenScan, Opened, Prediction, Role,
    Synthesis,
};
use crate::ui::action::Action;
use crate::ui::figure::FigureFailure;
use crate::ui::state::{Dialog, ModelEntry, NoticeKind, Opening, Remedy, RunId, SeriesDialog, StyleOrder};
use crate::ui::update::{self, Effect};
use crate::ui::views::surface::{SurfacePicture, Surfaces};
use crate::volume::{LabelMap, LabelTable, Modality};
use egui::ViewportCommand;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

/// What a thread has finished.
pub(super) enum Done {
    Models(Result<(Vec<ModelEntry>, Option<usize>), BundleError>),
    /// The first slices of a file that is still being read.
    FirstSlices {
        opening: u64,
        scan: Box<OpenScan>,
    },
    Scan {
        /// As it was asked for.
        opening: Opening,
        request: OpenRequest,
        result: Box<Result<Opened, LoadError>>,
    },
    Labels(Result<OpenLabels, LoadError>),
    Picked(Option<PathBuf>),
    Exported {
        role: Role,
        content: ExportContent,
        path: PathBuf,
        result: Result<Exported, LoadError>,
    },
    Figure(Result<PathBuf, FigureFailure>),
    FigureExists,
    Report {
        prediction: Arc<Prediction>,
        result: Result<Box<GapReport>, LoadError>,
    },
    Cohort(Result<Box<Cohort>, CohortError>),
    Case(Box<FoundCase>),
    ScansPicked(Option<PathBuf>),
    /// The file is there already, and nobody has said that it may go.
    ExportExists {
        role: Role,
        content: ExportContent,
        path: PathBuf,
    },
    Packed {
        run: RunId,
        result: Result<Vec<PackedWork>, LoadError>,
    },
    Engine(Result<Engine, EngineError>),
    Synthesis {
        run: RunId,
        job: JobId,
        result: Box<Result<Synthesis, LoadError>>,
    },
    Prediction {
        run: RunId,
        job: JobId,
        result: Box<Result<Prediction, LoadError>>,
    },
    Contrast {
        run: RunId,
        job: JobId,
        prediction: Arc<Prediction>,
        result: Result<Contrast, LoadError>,
    },
    Anatomy {
        run: RunId,
        job: JobId,
        of: Arc<Synthesis>,
        result: Box<Result<Anatomy, LoadError>>,
    },
    /// Scan and model for slices in another style.
    StyleSubject {
        order: StyleOrder,
        result: Result<Box<StyleSubject>, LoadError>,
    },
    Surface(SurfacePicture),
    /// A prediction compared with what was given with its scan.
    GivenContrast {
        role: Role,
        prediction: Arc<Prediction>,
        given: Arc<LabelMap>,
        result: Result<Contrast, LoadError>,
    },
    /// Recent files that are not where they were.
    RecentMissing(HashSet<PathBuf>),
    /// What the engine sent for a scan or a result that is gone.
    Unwanted {
        run: RunId,
        job: JobId,
    },
    Nothing,
    /// A task that panicked.
    Lost(String),
}

impl App {
    /// Runs a task on a thread; its result comes back through [`Self::drain_tasks`].
    pub(super) fn spawn(&mut self, task: impl FnOnce() -> Done + Send + 'static) {
        self.tasks_running += 1;
        self.background.run(|_| task());
    }

    pub(super) fn perform(&mut self, effect: Effect, context: &egui::Context) {
        match effect {
            Effect::Quit => context.send_viewport_cmd(ViewportCommand::Close),
            Effect::SetTextScale(scale) => context.set_zoom_factor(scale),
            effect => self.perform_without_context(effect),
        }
    }

    pub(super) fn perform_without_context(&mut self, effect: Effect) {
        match effect {
            Effect::OpenScan { request, role } => self.open_scan(request, role),
            Effect::OpenDemo { role, modality, stands_in } => self.open_demo(role, modality, stands_in),
            Effect::OpenLabels { path, table, of } => self.open_labels(path, table, of),
            Effect::BrowseOpen => self.spawn(|| Done::Picked(file_dialog().pick_file())),
            Effect::BrowseSave => self.spawn(|| Done::Picked(file_dialog().save_file())),
            Effect::BrowsePicture => {
                self.spawn(|| Done::Picked(rfd::FileDialog::new().add_filter("PNG", &["png"]).save_file()));
            }
            Effect::BrowseFolder => self.spawn(|| Done::Picked(rfd::FileDialog::new().pick_folder())),
            Effect::BrowseScans => self.spawn(|| Done::ScansPicked(rfd::FileDialog::new().pick_folder())),
            Effect::MakeReport(role) => self.make_report(role),
            Effect::ReadCohort(folder) => self.read_cohort(folder),
            Effect::FindCase { case, scans_in } => self.find_case(*case, scans_in),
            Effect::ExportFigure(figure) => self.export_figure(&figure),
            Effect::Export { role, content, path, overwrite } => self.export(role, content, path, overwrite),
            Effect::Pack { run, model, orders } => {
                self.spawn(move || Done::Packed { run, result: loader::pack_work(&model, &orders) });
            }
            Effect::CompareWithGiven(role) => self.compare_with_given(role),
            Effect::DrawSurface { labels, surfaces, order } => {
                let wanted: Vec<u16> = self.state.table().entries.iter().map(|entry| entry.value).collect();
                self.spawn(move || {
                    let surfaces = surfaces.unwrap_or_else(|| Arc::new(Surfaces::of(labels, &wanted)));
                    let image = Arc::new(surfaces.draw(&order));
                    Done::Surface(SurfacePicture { order, surfaces, image })
                });
            }
            Effect::AskForStyle => self.ask_for_style(),
            Effect::SubmitHeld => self.submit_held(),
            Effect::DropHeld => self.held.clear(),
            Effect::CancelJobs => self.cancel_jobs(),
            Effect::CancelOrphanedJobs => self.cancel_orphaned_jobs(),
            Effect::RestartEngine => self.restart_engine(),
            Effect::SetTextScale(_) | Effect::Quit => {}
        }
    }

    pub(super) fn open_scan(&mut self, request: OpenRequest, role: Option<Role>) {
        self.read_scan(request, role, false);
    }

    pub(super) fn open_demo(&mut self, role: Role, modality: Modality, stands_in: bool) {
        match loader::demo_request(self.state.task, modality) {
            // The target is the unlabelled one; showing its answers would spoil what is to be seen.
            Ok(request) if role == Role::Target => {
                self.read_scan(OpenRequest { labels: None, ..request }, Some(role), stands_in);
            }
            Ok(request) => self.read_scan(request, Some(role), stands_in),
            Err(error) => self.fail(error.to_string()),
        }
    }

    fn read_scan(&mut self, request: OpenRequest, role: Option<Role>, stands_in: bool) {
        let (id, name, first_slices) = (self.state.next_number(), request.name(), None);
        let opening = Opening { id, name, role, stands_in, first_slices };
        self.state.opening.push(opening.clone());
        self.tasks_running += 1;
        self.background.run(move |tell| {
            let mut on_first = |scan| tell(Done::FirstSlices { opening: id, scan: Box::new(scan) });
            let result = Box::new(loader::open_scan(&request, &mut on_first));
            Done::Scan { opening, request, result }
        });
    }

    fn open_labels(&mut self, path: PathBuf, table: &'static LabelTable, of: Option<Role>) {
        let scan = |role: Role| Some((role, self.state.study.scan(role)?.clone()));
        let asked = |role: &Role| of.is_none_or(|of| of == *role);
        let open: Vec<_> = Role::ALL.into_iter().filter(asked).filter_map(scan).collect();
        self.spawn(move || Done::Labels(loader::open_labels(&path, &open, table)));
    }

    fn compare_with_given(&mut self, role: Role) {
        let given = self.given_labels(role).cloned();
        let prediction = self.state.study.prediction(role).filter(|prediction| prediction.whole).cloned();
        let (Some(given), Some(prediction)) = (given, prediction) else { return };
        let table = self.state.table();
        self.spawn(move || {
            let result = Contrast::new(Against::GivenLabels, &prediction.labels, &given, table);
            Done::GivenContrast { role, prediction, given, result: result.map_err(LoadError::from) }
        });
    }

    /// Labels that may be named by the table of the task in the window.
    fn given_labels(&self, role: Role) -> Option<&Arc<LabelMap>> {
        self.state.study.scan(role)?.labels(self.state.task)
    }

    /// Other labels may have been opened while the prediction was compared with these.
    fn given_contrast_ready(
        &mut self,
        role: Role,
        prediction: &Arc<Prediction>,
        given: &Arc<LabelMap>,
        result: Result<Contrast, LoadError>,
    ) {
        if self.given_labels(role).is_some_and(|current| Arc::ptr_eq(current, given)) {
            self.show_contrast(role, prediction, result);
        }
    }

    /// Takes in what has been finished.
    pub(super) fn drain_tasks(&mut self) {
        while let Some(done) = self.background.try_next() {
            // First slices come from a task that goes on.
            if !matches!(done, Done::FirstSlices { .. }) {
                self.tasks_running = self.tasks_running.saturating_sub(1);
            }
            self.finished(done);
        }
    }

    fn finished(&mut self, done: Done) {
        match done {
            Done::Models(listed) => self.models_listed(listed),
            Done::FirstSlices { opening, scan } => self.first_slices_read(opening, *scan),
            Done::Scan { opening, request, result } => {
                // Its role may have changed meanwhile.
                let at = self.state.opening.iter().position(|other| other.id == opening.id);
                let opening = at.map(|at| self.state.opening.remove(at)).unwrap_or(opening);
                self.scan_read(request, &opening, *result);
            }
            Done::Labels(Ok(opened)) => self.labels_read(opened),
            Done::Labels(Err(error)) => self.fail(in_full(&error)),
            Done::Picked(path) => self.path_picked(path),
            Done::Exported { role, content, path, result } => self.exported(role, content, &path, result),
            Done::Report { prediction, result } => self.report_made(prediction, result),
            Done::Cohort(result) => self.cohort_read(result),
            Done::RecentMissing(missing) => self.state.missing_recent = missing,
            Done::Case(found) => self.case_found(*found),
            Done::ScansPicked(folder) => self.scans_picked(folder),
            Done::Figure(result) => self.figure_written(result),
            Done::FigureExists => self.figure_exists(),
            Done::ExportExists { role, content, path } => self.export_exists(role, content, &path),
            Done::Packed { run, result } => self.packed(run, result),
            Done::Engine(started) => self.engine_started(started),
            Done::Synthesis { run, job, result } => self.synthesis_ready(run, job, *result),
            Done::Prediction { run, job, result } => self.prediction_ready(run, job, *result),
            Done::Contrast { run, job, prediction, result } => {
                self.contrast_ready(run, job, prediction, result)
            }
            Done::GivenContrast { role, prediction, given, result } => {
                self.given_contrast_ready(role, &prediction, &given, result);
            }
            Done::Anatomy { run, job, of, result } => self.anatomy_ready(run, job, &of, *result),
            Done::StyleSubject { order, result } => self.style_subject_packed(&order, result),
            Done::Surface(picture) => {
                self.state.surface.picture = Some(picture);
                self.state.surface.drawing = false;
            }
            Done::Unwanted { run, job } => self.unwanted(run, job),
            Done::Nothing => {}
            Done::Lost(words) => {
                self.state.opening.clear();
                self.give_up_answered_jobs();
                self.state.surface.drawing = false;
                self.edit_figure(|figure| figure.drawing = false);
                self.edit_export(|export| export.writing = false);
                self.drawer_task_lost(&words);
                self.forget_style();
                self.fail(format!("A task of the program failed: {words}. What was open is unchanged."));
            }
        }
    }

    fn first_slices_read(&mut self, opening: u64, scan: OpenScan) {
        let by_modality = self.state.role_by_modality(scan.modality);
        if let Some(opening) = self.state.opening.iter_mut().find(|other| other.id == opening) {
            opening.first_slices = Some((opening.role.unwrap_or(by_modality), Arc::new(scan)));
        }
    }

    fn scan_read(&mut self, request: OpenRequest, opening: &Opening, result: Result<Opened, LoadError>) {
        let role = opening.role;
        match result {
            Ok(Opened::Choice(series)) => {
                let chosen = series.first().map(|one| one.id.clone()).unwrap_or_default();
                self.state.ask(Dialog::Series(SeriesDialog { request, role, series, chosen }));
            }
            Ok(Opened::Scan(scan)) => {
                let role = role.unwrap_or_else(|| self.state.role_by_modality(scan.modality));
                if !self.state.place(opening, role) {
                    self.come_too_late(opening, role);
                    return;
                }
                for effect in update::scan_opened(&mut self.state, *scan, role) {
                    self.perform_without_context(effect);
                }
                self.cancel_orphaned_jobs();
            }
            Err(error) => {
                let text = in_full(&error);
                self.failure = Some(text.clone());
                let remedy =
                    loader::remedy(&error, &request).map(|(label, request)| Remedy { label, request, role });
                self.state.notify_with_remedy(NoticeKind::Error, text, remedy);
            }
        }
    }

    /// A phantom that was to stand in for a scan is not missed.
    fn come_too_late(&mut self, opening: &Opening, role: Role) {
        if !opening.stands_in {
            let text = format!(
                "{} is not shown: what was opened after it as {} has been read before it. Open it again to have it there.",
                opening.name,
                role.name().to_lowercase()
            );
            self.state.notify(NoticeKind::Warning, text);
        }
    }

    fn labels_read(&mut self, opened: OpenLabels) {
        let OpenLabels { scan, given, not_shown, fits_both } = opened;
        let Some(role) = self.state.study.role_of(scan) else {
            self.state.notify(
                NoticeKind::Warning,
                "The scan that these labels belong to was replaced while they were read, so they are not shown; open \
                 them again over the scan that is there now.",
            );
            return;
        };
        if fits_both {
            let (given_to, other) = (role.name().to_lowercase(), role.other().name().to_lowercase());
            self.state.notify(
                NoticeKind::Warning,
                format!(
                    "Source and target have one grid, and these labels were given to the {given_to}. If they are those of \
                     the {other}, open them again and choose it under \"They belong to\"."
                ),
            );
        }
        let task = given.task;
        self.state.study.set_labels(role, Some(given));
        if task == self.state.task {
            update::centre(&mut self.state, role);
        } else {
            update::tell_hidden_labels(&mut self.state, role);
        }
        if !not_shown.is_empty() {
            let classes: Vec<String> = not_shown.iter().map(u16::to_string).collect();
            let task = task.name();
            let text =
                format!("Not drawn, for they are no structures of the {task}: class {}.", classes.join(", "));
            self.state.notify(NoticeKind::Warning, text);
        }
    }

    fn path_picked(&mut self, path: Option<PathBuf>) {
        let Some(path) = path else { return };
        let path = path.display().to_string();
        match self.state.dialog.clone() {
            Some(Dialog::Open(mut open)) => {
                open.path = path;
                for effect in update::apply(&mut self.state, Action::Open(open)) {
                    self.perform_without_context(effect);
                }
            }
            Some(Dialog::Export(_)) => self.edit_export(|export| {
                export.path = path;
                (export.confirm_overwrite, export.writing) = (false, false);
            }),
            Some(Dialog::Figure(_)) => self.edit_figure(|figure| {
                figure.path = path;
                figure.confirm_overwrite = false;
            }),
            _ => {}
        }
    }
}

/// An error with its causes, in one line.
pub(super) fn in_full(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    words
}

fn file_dialog() -> rfd::FileDialog {
    rfd::FileDialog::new()
        .add_filter("Volumes", &["nii", "gz", "hdr", "img", "nrrd", "nhdr", "mha", "mhd", "dcm"])
        .add_filter("All files", &["*"])
}
