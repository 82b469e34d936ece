//! What the window opens with: models first, then scans in their roles, then labels, then a run if one was asked for.

use super::tasks::Done;
use super::{App, update};
use crate::config::{BundleError, bundled_models, load_bundle};
use crate::session::{EngineError, EngineSite, Launch, OpenRequest, Role};
use crate::ui::action::{Action, CohortAction};
use crate::ui::state::{ModelEntry, NoticeKind};
use crate::ui::update::Effect;
use crate::volume::io::OpenOptions;
use crate::volume::{LabelTable, Modality, Task};
use std::path::PathBuf;
use std::sync::Arc;

/// How an engine is found whenever one is needed.
pub type Launcher = Arc<dyn Fn(&EngineSite) -> Result<Launch, EngineError> + Send + Sync>;

/// What was asked for on the command line.
#[derive(Clone)]
pub struct StartUp {
    pub source: Option<PathBuf>,
    pub target: Option<PathBuf>,
    /// A scan whose role is that of its modality.
    pub scan: Option<PathBuf>,
    pub labels: Option<PathBuf>,
    /// A folder that a batch wrote, shown below the images.
    pub cohort: Option<PathBuf>,
    /// What their values mean; `None`: the program's own.
    pub label_table: Option<&'static LabelTable>,
    /// Modality of the scans given; `None`: as their intensities suggest.
    pub modality: Option<Modality>,
    /// How they are read.
    pub options: OpenOptions,
    /// Id or folder.
    pub model: Option<String>,
    pub task: Task,
    pub demo: bool,
    pub run: bool,
    /// Where preferences are kept; `None`: the usual ones, and nothing is remembered.
    pub settings: Option<PathBuf>,
    /// The command that reaches the engine, in place of the one in the settings.
    pub engine: Option<String>,
    pub launcher: Launcher,
}

impl Default for StartUp {
    fn default() -> Self {
        Self {
            source: None,
            target: None,
            scan: None,
            labels: None,
            cohort: None,
            label_table: None,
            modality: None,
            options: OpenOptions::default(),
            model: None,
            task: Task::Abdomen,
            demo: false,
            run: false,
            settings: None,
            engine: None,
            launcher: Arc::new(EngineSite::launch),
        }
    }
}

impl App {
    pub(super) fn begin(&mut self, startup: StartUp) {
        let asked = startup.model.clone();
        self.startup = Some(startup);
        self.spawn(move || Done::Models(list_models(asked.as_deref())));
    }

    /// The models are known: chooses one and opens the scans.
    pub(super) fn models_listed(&mut self, listed: Result<(Vec<ModelEntry>, Option<usize>), BundleError>) {
        let Some(startup) = self.startup.take() else { return };
        match listed {
            Ok((models, asked)) => {
                let of_task = || models.iter().position(|m| m.card.task == startup.task);
                self.state.model = asked.or_else(of_task);
                if let Some(entry) = self.state.model.and_then(|index| models.get(index)) {
                    self.state.task = entry.card.task;
                }
                self.state.models = models;
                self.state.refresh_palette();
            }
            Err(error) => {
                self.state.model_trouble = Some(error.to_string());
                self.fail(error.to_string());
            }
        }
        self.open_what_was_asked(&startup);
        let table = startup.label_table.unwrap_or(self.state.task.table());
        self.afterwards.extend(startup.labels.map(|path| Effect::OpenLabels { path, table, of: None }));
        if let Some(folder) = startup.cohort {
            let effects = update::apply(&mut self.state, Action::Cohort(CohortAction::Open(folder)));
            self.afterwards.extend(effects);
        }
        self.run_afterwards = startup.run;
    }

    fn open_what_was_asked(&mut self, startup: &StartUp) {
        let given = [
            (&startup.source, Some(Role::Source)),
            (&startup.target, Some(Role::Target)),
            (&startup.scan, None),
        ];
        let mut nothing = true;
        for (path, role) in given {
            if let Some(path) = path.as_ref().filter(|_| !startup.demo) {
                nothing = false;
                // One --modality cannot be that of two unpaired scans: it is the one of the scan given alone.
                let alone = startup.source.is_none() || startup.target.is_none();
                let modality = startup.modality.filter(|_| alone);
                let request = OpenRequest {
                    options: startup.options.clone(),
                    modality,
                    // A run that was asked for does not wait for a choice.
                    ask_for_series: !startup.run,
                    ..OpenRequest::file(path.clone())
                };
                self.open_scan(request, role);
            }
        }
        if nothing {
            for role in Role::ALL {
                let modality = self.state.expected_modality(role);
                self.open_demo(role, modality, false);
            }
        }
    }

    /// Once every scan has been read: labels, then the run.
    pub(super) fn continue_startup(&mut self) {
        if self.startup.is_some() || !self.state.opening.is_empty() {
            return;
        }
        for effect in std::mem::take(&mut self.afterwards) {
            self.perform_without_context(effect);
        }
        if self.run_afterwards && self.tasks_running == 0 {
            self.run_afterwards = false;
            if let Some(obstacle) = self.state.run_obstacle() {
                self.failure = Some(obstacle.clone());
                self.state.notify(NoticeKind::Error, obstacle);
                return;
            }
            // Asked for on the command line, where nobody may be there to answer; what speaks against it is recorded.
            let scans =
                Role::ALL.into_iter().filter_map(|role| self.state.study.scan(role).map(|scan| scan.id));
            let scans: Vec<_> = scans.collect();
            self.state.run_in_spite.extend(scans);
            for effect in update::apply(&mut self.state, Action::Run) {
                self.perform_without_context(effect);
            }
        }
    }
}

/// The bundled models and, if a folder was asked for, the one in it; with the place of the one asked for.
fn list_models(asked: Option<&str>) -> Result<(Vec<ModelEntry>, Option<usize>), BundleError> {
    let bundled = bundled_models()?.into_iter();
    let mut models: Vec<ModelEntry> =
        bundled.map(|card| ModelEntry { locator: card.id.clone(), card }).collect();
    let Some(asked) = asked else { return Ok((models, None)) };
    if let Some(index) = models.iter().position(|model| model.locator == asked) {
        return Ok((models, Some(index)));
    }
    let card = load_bundle(asked)?.card;
    models.push(ModelEntry { card, locator: asked.to_owned() });
    let last = models.len() - 1;
    Ok((models, Some(last)))
}
