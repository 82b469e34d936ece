//! Everything the window shows, as plain data: drawn from, and changed only by [`super::update::apply`] and by the
//! results that [`super::app`] drains.

mod dialog;
mod drawer;
mod edges;
mod run;
mod style;
mod view;

pub use dialog::{Dialog, ExportDialog, FigureDialog, OpenDialog, OpenTarget, SeriesDialog};
pub use drawer::{CohortColumn, CohortMeasure, CohortSort, CohortState, Drawer, MadeReport, ReportState};
pub use edges::EdgeOptions;
pub use run::{EngineStatus, Job, Reconnect, Run, RunId};
pub use style::{StyleOrder, StyleSlider};
pub use view::{
    Arrangement, CT_PRESETS, Comparison, Crosshair, GAP_RANGE, GapOptions, Inspector, LabelOptions,
    MR_PRESETS, Obliques, Pane, Preset, Split, SurfaceOrder, Switch, Tile, View, Window,
};

use super::views::surface::SurfacePicture;
use crate::config::Card;
use crate::render::LabelPalette;
use crate::session::loader::Work;
use crate::session::{EngineSite, OpenRequest, OpenScan, Role, ScanId, Settings, Study};
use crate::volume::{Flag, LabelTable, Modality, Task};
use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

/// A model to choose.
#[derive(Debug, Clone)]
pub struct ModelEntry {
    pub card: Card,
    /// Its id among the bundled ones, or its folder.
    pub locator: String,
}

/// Something the user has to know, until dismissed.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    pub id: u64,
    pub kind: NoticeKind,
    pub text: String,
    /// What the user may decide to do about it.
    pub remedy: Option<Remedy>,
    /// For whoever is asked for help; empty where the text says all.
    pub details: String,
    /// Whether the details are shown.
    pub unfolded: bool,
}

/// A file being read.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Larger than those of files asked for before.
    pub id: u64,
    pub name: String,
    /// `None`: that of its modality, which is not known before it is read.
    pub role: Option<Role>,
    /// Whether it is a phantom that fills a role for want of a scan.
    pub stands_in: bool,
    /// Its first slices, unverified, in the role they will probably have: shown in place of the scan that is open there
    /// until the whole file has been read, and gone without a trace if it turns out to be no good.
    pub first_slices: Option<(Role, Arc<OpenScan>)>,
}

/// A way to open a file that was refused for being only almost right.
#[derive(Debug, Clone, PartialEq)]
pub struct Remedy {
    /// On its button: "Open it anyway", ...
    pub label: &'static str,
    pub request: OpenRequest,
    pub role: Option<Role>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    Done,
    Warning,
    Error,
}

/// The surfaces that were drawn last, and whether a thread is drawing others.
#[derive(Debug, Default)]
pub struct SurfaceState {
    pub picture: Option<SurfacePicture>,
    pub drawing: bool,
}

/// The window's whole state.
#[derive(Debug)]
pub struct State {
    pub study: Study,
    pub task: Task,
    pub models: Vec<ModelEntry>,
    pub model: Option<usize>,
    /// Why there is no model to choose.
    pub model_trouble: Option<String>,
    pub view: View,
    pub hidden_labels: BTreeSet<u16>,
    /// Opacity of a label times that of all; 1 where none is named.
    pub label_opacities: BTreeMap<u16, f32>,
    /// Colours of the visible labels.
    pub palette: Arc<LabelPalette>,
    pub engine: EngineStatus,
    /// Where the engine is that was started last.
    pub engine_at: EngineSite,
    /// The command that reaches it, in place of the one in the settings, until that is changed.
    pub engine_command: Option<String>,
    pub run: Option<Run>,
    /// What is done after it, one after the other.
    pub queue: VecDeque<Vec<Work>>,
    /// How often in a row the connection to an engine elsewhere was lost during a run.
    pub connections_lost: usize,
    /// A run that waits for the connection to its engine.
    pub reconnect: Option<Reconnect>,
    pub surface: SurfaceState,
    /// What is open below the images.
    pub drawer: Option<Drawer>,
    pub report: ReportState,
    pub cohort: CohortState,
    pub style: StyleSlider,
    /// Scans that the user runs models on though something speaks against it.
    pub run_in_spite: HashSet<ScanId>,
    /// How the last run ended, for the status bar.
    pub last_run: String,
    /// Files being read.
    pub opening: Vec<Opening>,
    /// The opening that each role has its scan from, by [`Role`].
    placed: [u64; 2],
    pub notices: Vec<Notice>,
    pub dialog: Option<Dialog>,
    /// What has to be asked when the open dialog is closed.
    questions: VecDeque<Dialog>,
    /// Resident memory of this process, where the system tells it.
    pub memory_bytes: Option<u64>,
    /// Who draws, for About.
    pub adapter: String,
    /// Width and height of the space that the images take where there are no notices.
    pub image_area_points: [f32; 2],
    /// Preferences and recent files; what the view has of them is the view's while the window is open.
    pub settings: Settings,
    /// Recent files that were not there when they were last looked for.
    pub missing_recent: HashSet<PathBuf>,
    next_number: u64,
}

impl State {
    pub fn new(task: Task) -> Self {
        let mut state = Self {
            study: Study::default(),
            task,
            models: Vec::new(),
            model: None,
            model_trouble: None,
            view: View::default(),
            hidden_labels: BTreeSet::new(),
            label_opacities: BTreeMap::new(),
            palette: Arc::new(LabelPalette::new([])),
            engine: EngineStatus::NotStarted,
            engine_at: EngineSite::Here,
            engine_command: None,
            run: None,
            queue: VecDeque::new(),
            connections_lost: 0,
            reconnect: None,
            surface: SurfaceState::default(),
            drawer: None,
            report: ReportState::default(),
            cohort: CohortState::default(),
            style: StyleSlider::default(),
            run_in_spite: HashSet::new(),
            last_run: String::new(),
            opening: Vec::new(),
            placed: [0; 2],
            notices: Vec::new(),
            dialog: None,
            questions: VecDeque::new(),
            memory_bytes: None,
            adapter: String::new(),
            image_area_points: [0.0; 2],
            settings: Settings::default(),
            missing_recent: HashSet::new(),
            next_number: 1,
        };
        state.refresh_palette();
        state
    }

    /// Asks something that comes of itself, from a file or before a run: after what the user has open, never instead of it.
    pub fn ask(&mut self, question: Dialog) {
        self.questions.push_back(question);
        self.ask_what_waits();
    }

    /// Opens the next question where no dialog is open. One about a run that is gone is not asked any more.
    pub fn ask_what_waits(&mut self) {
        while self.dialog.is_none()
            && let Some(question) = self.questions.pop_front()
        {
            if self.run.is_some() || !matches!(question, Dialog::Concerns(_)) {
                self.dialog = Some(question);
            }
        }
    }

    /// Gives a role to what an opening has read. False where that comes too late: what was asked for later is there already, or
    /// it is a phantom to stand in for a scan that has come.
    pub fn place(&mut self, opening: &Opening, role: Role) -> bool {
        if opening.stands_in {
            return self.study.scan(role).is_none_or(|scan| scan.is_phantom());
        }
        let placed = &mut self.placed[role as usize];
        let in_time = *placed < opening.id;
        *placed = opening.id.max(*placed);
        in_time
    }

    /// Source and target change places, and with them what is being read for them.
    pub fn swap_roles(&mut self) {
        self.study.swap_roles();
        self.placed.reverse();
        for opening in &mut self.opening {
            opening.role = opening.role.map(Role::other);
            if let Some((role, _)) = &mut opening.first_slices {
                *role = role.other();
            }
        }
    }

    /// The command that reaches the next engine; empty: that of this machine.
    pub fn engine_words(&self) -> &str {
        self.engine_command.as_ref().unwrap_or(&self.settings.engine_command)
    }

    /// Where the next engine is to be.
    pub fn engine_site(&self) -> EngineSite {
        EngineSite::of_command(self.engine_words())
    }

    /// Forgets the run that waits for a connection; says whether there was one.
    pub fn give_up_connection(&mut self) -> bool {
        let waiting = self.reconnect.take().is_some();
        if waiting {
            self.connections_lost = 0;
        }
        waiting
    }

    /// What is needed to draw the images as they are now, on another thread and at another size.
    pub fn still(&self) -> Self {
        let Self { study, models, model, view, hidden_labels, label_opacities, palette, settings, .. } = self;
        let picture = self.surface.picture.clone();
        Self {
            study: study.clone(),
            models: models.clone(),
            model: *model,
            view: View { still: true, highlight: None, ..view.clone() },
            hidden_labels: hidden_labels.clone(),
            label_opacities: label_opacities.clone(),
            palette: palette.clone(),
            surface: SurfaceState { picture, drawing: false },
            settings: settings.clone(),
            style: self.style.clone(),
            ..Self::new(self.task)
        }
    }

    /// The chosen model's card.
    pub fn card(&self) -> Option<&Card> {
        Some(&self.models.get(self.model?)?.card)
    }

    pub fn table(&self) -> &'static LabelTable {
        self.task.table()
    }

    /// The modality the chosen model expects in a role; CT to MR without a model.
    pub fn expected_modality(&self, role: Role) -> Modality {
        match (self.card(), role) {
            (Some(card), Role::Source) => card.source,
            (Some(card), Role::Target) => card.target,
            (None, Role::Source) => Modality::Ct,
            (None, Role::Target) => Modality::Mr,
        }
    }

    /// The role a scan of that modality takes unless told otherwise.
    pub fn role_by_modality(&self, modality: Modality) -> Role {
        if modality == self.expected_modality(Role::Source) { Role::Source } else { Role::Target }
    }

    /// Why nothing can be computed, now or after the present run; `None` when it can.
    pub fn run_obstacle(&self) -> Option<String> {
        if self.study.scan(Role::Target).is_none() && self.study.scan(Role::Source).is_none() {
            return Some("Open a scan first".to_owned());
        }
        let colour =
            |role: &Role| self.study.scan(*role).is_some_and(|scan| scan.scan.flags.contains(&Flag::Colour));
        if let Some(role) = Role::ALL.into_iter().find(colour) {
            let role = role.name().to_lowercase();
            return Some(format!("The {role} holds colours, and the models know grey values only"));
        }
        if self.card().is_none() {
            let trouble = self.model_trouble.clone();
            return Some(
                trouble.unwrap_or_else(|| format!("No model is bundled for the task {}", self.task.name())),
            );
        }
        None
    }

    /// Tells the user something.
    pub fn notify(&mut self, kind: NoticeKind, text: impl Into<String>) {
        self.notify_with_remedy(kind, text, None);
    }

    /// Tells the user something that a button may mend.
    pub fn notify_with_remedy(&mut self, kind: NoticeKind, text: impl Into<String>, remedy: Option<Remedy>) {
        self.push_notice(kind, text.into(), remedy, String::new());
    }

    /// Tells the user what failed, with what lies behind it folded away.
    pub fn notify_with_details(&mut self, kind: NoticeKind, text: String, details: String) {
        self.push_notice(kind, text, None, details);
    }

    fn push_notice(&mut self, kind: NoticeKind, text: String, remedy: Option<Remedy>, details: String) {
        // Said once is enough: a repeated failure must not bury the images.
        self.notices.retain(|notice| notice.text != text);
        let id = self.next_number();
        self.notices.push(Notice { id, kind, text, remedy, details, unfolded: false });
    }

    /// A number not handed out before.
    pub fn next_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// Opacity of a label, 0..1, before that of all labels.
    pub fn label_opacity(&self, label: u16) -> f32 {
        self.label_opacities.get(&label).copied().unwrap_or(1.0)
    }

    /// Rebuilds the palette after labels were shown, hidden or made fainter, or the task changed.
    pub fn refresh_palette(&mut self) {
        let visible = self.table().entries.iter().filter(|entry| !self.hidden_labels.contains(&entry.value));
        let colours = visible.map(|entry| {
            let alpha = (255.0 * self.label_opacity(entry.value)).round() as u8;
            (entry.value, [entry.rgb[0], entry.rgb[1], entry.rgb[2], alpha])
        });
        self.palette = Arc::new(LabelPalette::new(colours));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn of_two_scans_for_one_role_the_one_asked_for_last_is_shown_whichever_is_read_first() {
        let mut state = State::new(Task::Abdomen);
        let mut open = |role, stands_in| {
            let (id, name) = (state.next_number(), "scan".to_owned());
            Opening { id, name, role: Some(role), stands_in, first_slices: None }
        };
        let (large, small) = (open(Role::Target, false), open(Role::Target, false));
        let (phantom, other) = (open(Role::Target, true), open(Role::Source, false));
        assert!(state.place(&small, Role::Target));
        assert!(!state.place(&large, Role::Target), "asked for before the one that is shown");
        assert!(state.place(&other, Role::Source));
        let grid = crate::volume::Geometry::axis_aligned([4; 3], [1.0; 3], [0.0; 3]).unwrap();
        let scan = crate::volume::Volume::from_fn(grid, |i, _, _| i as f32);
        let scan = crate::volume::Scan::from_volume(scan, "test");
        let scan = OpenScan::new(scan, OpenRequest::file("a.nii".into()), Modality::Mr);
        assert!(state.place(&phantom, Role::Target), "nothing is open there yet");
        state.study.set_scan(Role::Target, Some(Arc::new(scan)));
        assert!(!state.place(&phantom, Role::Target), "a phantom never takes the place of a scan");
        // What is being read for one role follows it to the other.
        state.opening.push(large);
        state.swap_roles();
        assert_eq!(state.opening[0].role, Some(Role::Source));
        assert!(!state.place(&state.opening[0].clone(), Role::Source));
    }

    #[test]
    fn a_question_that_comes_of_itself_waits_until_what_the_user_has_open_is_closed() {
        let mut state = State::new(Task::Abdomen);
        state.dialog = Some(Dialog::Settings);
        let series = Dialog::Series(SeriesDialog {
            request: OpenRequest::file("folder".into()),
            role: None,
            series: Vec::new(),
            chosen: String::new(),
        });
        // The run that this one is about has ended meanwhile.
        state.ask(Dialog::Concerns(vec!["too thick".to_owned()]));
        state.ask(series.clone());
        assert_eq!(state.dialog, Some(Dialog::Settings));
        state.dialog = None;
        state.ask_what_waits();
        assert_eq!(state.dialog, Some(series));
    }
}
