//! The engine's events and the state they change.
//!
//! An event of a job that no run asked for is dropped: jobs belong to one connection, runs to one press of the button.

use super::App;
use super::tasks::{Done, in_full};
use crate::protocol::{Event, JobId};
use crate::session::loader::{self, LoadError, PackedWork, Work};
use crate::session::{
    Anatomy, Contrast, Engine, EngineError, Notice, Prediction, Role, RunOrigin, Synthesis,
};
use crate::ui::state::{Dialog, EngineStatus, Job, NoticeKind, RunId};
use crate::ui::update::{self, work_role};
use std::sync::Arc;

impl App {
    /// Starts an engine unless there is one or one is on its way.
    pub(super) fn start_engine(&mut self) {
        if self.engine.is_some() || self.engine_starting {
            return;
        }
        self.engine_starting = true;
        self.state.engine = EngineStatus::Starting;
        let (launcher, wake) = (self.launcher.clone(), self.wake.clone());
        let site = self.state.engine_site();
        self.state.engine_at = site.clone();
        self.spawn(move || Done::Engine(launcher(&site).and_then(|launch| Engine::start(launch, wake))));
    }

    pub(super) fn engine_started(&mut self, started: Result<Engine, EngineError>) {
        self.engine_starting = false;
        match started {
            Ok(engine) => {
                self.engine = Some(engine);
                let unsent = std::mem::take(&mut self.unsent);
                if !unsent.is_empty() {
                    self.submit(unsent);
                }
                self.ask_for_style();
            }
            Err(error) => {
                let reason = in_full(&error);
                self.state.engine = EngineStatus::Gone(reason.clone());
                self.unsent.clear();
                self.state.queue.clear();
                self.forget_style();
                if self.state.run.take().is_some() {
                    self.fail(reason);
                }
            }
        }
    }

    pub(super) fn packed(&mut self, run: RunId, result: Result<Vec<PackedWork>, LoadError>) {
        if self.state.run.as_ref().is_none_or(|present| present.id != run) {
            return;
        }
        match result {
            Ok(work) => match self.objections(&work) {
                reasons if reasons.is_empty() => self.send(work),
                reasons => {
                    self.held = work;
                    self.state.ask(Dialog::Concerns(reasons));
                }
            },
            Err(error) => {
                self.state.run = None;
                self.fail(in_full(&error));
            }
        }
    }

    /// What speaks against work on scans that the user has not said to go on with.
    fn objections(&self, work: &[PackedWork]) -> Vec<String> {
        let asked = work.iter().filter(|packed| !self.state.run_in_spite.contains(&packed.scan));
        let mut reasons = Vec::new();
        for packed in asked {
            let role = work_role(packed.work).name();
            for concern in &packed.origin.concerns {
                let reason = format!("{role}: {}", concern.reason);
                if !reasons.contains(&reason) {
                    reasons.push(reason);
                }
            }
        }
        reasons
    }

    /// The user goes on; what was said is recorded with the results.
    pub(super) fn submit_held(&mut self) {
        let work = std::mem::take(&mut self.held);
        self.state.run_in_spite.extend(work.iter().map(|packed| packed.scan));
        self.send(work);
    }

    fn send(&mut self, work: Vec<PackedWork>) {
        if self.engine.is_some() {
            self.submit(work);
        } else {
            self.unsent = work;
            self.start_engine();
        }
    }

    fn submit(&mut self, work: Vec<PackedWork>) {
        let (Some(engine), Some(run)) = (&mut self.engine, &mut self.state.run) else { return };
        run.jobs = work
            .into_iter()
            .map(|packed| Job::new(engine.submit(packed.request), packed.work, packed.scan, packed.origin))
            .collect();
    }

    pub(super) fn cancel_jobs(&mut self) {
        if let (Some(engine), Some(run)) = (&self.engine, &self.state.run) {
            run.jobs.iter().filter(|job| !job.finished).for_each(|job| engine.cancel(job.id));
        }
    }

    /// Stops jobs whose scan has been replaced or has another role now: nobody would see their result.
    pub(super) fn cancel_orphaned_jobs(&mut self) {
        let (Some(engine), Some(run)) = (&self.engine, &mut self.state.run) else { return };
        let open = |job: &Job| self.state.study.is_open(work_role(job.work), job.scan);
        for job in run.jobs.iter().filter(|job| !job.finished && !open(job)) {
            engine.cancel(job.id);
            run.outdated = true;
        }
    }

    /// A task was lost, perhaps one that unpacked what the engine had sent: no result of that will come, and a run that
    /// waited for it would never end.
    pub(super) fn give_up_answered_jobs(&mut self) {
        if let Some(run) = &mut self.state.run {
            run.jobs.iter_mut().for_each(|job| job.finished |= job.answered);
            self.finish_run_if_over();
        }
    }

    pub(super) fn restart_engine(&mut self) {
        self.forget_style();
        if let Some(old) = self.engine.take() {
            // Ending an engine may take a second, which the window does not have.
            self.spawn(move || {
                drop(old);
                Done::Nothing
            });
        }
        self.state.queue.clear();
        self.state.give_up_connection();
        if self.state.run.take().is_some() {
            self.state.last_run = "stopped with the engine".to_owned();
            self.state.study.forget_slabs();
        }
        self.start_engine();
    }

    /// Takes in what the engine has said.
    pub(super) fn drain_engine(&mut self) {
        while let Some(notice) = self.engine.as_mut().and_then(Engine::try_next) {
            match notice {
                Notice::Event(Event::Hello(info)) => self.state.engine = EngineStatus::Ready(info),
                Notice::Event(event) => {
                    if let Some(event) = self.take_style_event(event) {
                        self.on_event(event);
                    }
                }
                Notice::Gone(reason) => self.engine_gone(reason),
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        let Some(run) = &mut self.state.run else { return };
        let (run_id, model) = (run.id, run.model.clone());
        let Some(job) = event.job().and_then(|id| run.job_mut(id)) else { return };
        let (id, work, origin) = (job.id, job.work, job.origin.clone());
        match event {
            Event::Progress { phase, done, total, .. } => job.progress(&phase, done, total),
            Event::Cancelled { .. } => {
                job.finished = true;
                self.finish_run_if_over();
            }
            Event::Failed { error, .. } => {
                job.finished = true;
                self.job_failed(&error);
                self.finish_run_if_over();
            }
            event => {
                job.answered = matches!(
                    event,
                    Event::Segmented { .. } | Event::Translated { .. } | Event::AnatomyChecked { .. }
                );
                self.unpack(run_id, model, (id, work, origin), event);
            }
        }
    }

    /// Volumes are unpacked on a thread: a large one takes longer than a frame. What was sent for a scan or a result that is
    /// gone is of no use any more, but the job has been answered.
    fn unpack(
        &mut self,
        run: RunId,
        model: String,
        (job, work, origin): (JobId, Work, Arc<RunOrigin>),
        event: Event,
    ) {
        let role = work_role(work);
        let task = self.state.task;
        let scan = self.state.study.scan(role).cloned();
        let imitates = scan.as_ref().map(|scan| scan.modality.other());
        let present = self.state.study.prediction(role).cloned();
        let synthesis = self.state.study.synthesis().cloned();
        self.spawn(move || match event {
            Event::Segmented { result, .. } if let Work::Vary(_, variant) = work => match present {
                Some(present) => {
                    let result = loader::unpack_contrast(&result, variant.against(), &present, task);
                    Done::Contrast { run, job, prediction: present, result }
                }
                None => Done::Unwanted { run, job },
            },
            Event::AnatomyChecked { result, .. } => match synthesis {
                Some(of) => {
                    let result = Box::new(Anatomy::of(&result, origin.card.task.table()));
                    Done::Anatomy { run, job, of, result }
                }
                None => Done::Unwanted { run, job },
            },
            Event::TranslatedSlab { synthetic, .. } => match imitates {
                Some(imitates) => {
                    let result = loader::unpack_translated_slab(&synthetic, imitates, model);
                    Done::Synthesis { run, job, result: Box::new(result) }
                }
                None => Done::Unwanted { run, job },
            },
            Event::Translated { result, .. } => {
                let result = Box::new(loader::unpack_translation(&result, origin, model));
                Done::Synthesis { run, job, result }
            }
            Event::SegmentedSlab { labels, gap, .. } => {
                let result = Box::new(loader::unpack_segmented_slab(&labels, &gap, model));
                Done::Prediction { run, job, result }
            }
            Event::Segmented { result, .. } => match scan {
                Some(scan) => {
                    let result = loader::unpack_segmentation(&result, &scan, origin, model);
                    Done::Prediction { run, job, result: Box::new(result) }
                }
                None => Done::Unwanted { run, job },
            },
            _ => Done::Nothing,
        });
    }

    pub(super) fn synthesis_ready(&mut self, run: RunId, job: JobId, result: Result<Synthesis, LoadError>) {
        let Some(present) = self.job_for_result(run, job) else { return };
        match result {
            Ok(synthesis) => {
                let whole = synthesis.whole;
                if self.state.study.is_open(work_role(present.work), present.scan) {
                    match whole {
                        true => {
                            self.state.study.set_synthesis(Some(synthesis));
                            self.note_result();
                            // A slice in another style was made beside the image that is replaced.
                            self.state.style.forget();
                        }
                        false => self.state.study.add_synthesis_slab(synthesis),
                    }
                }
                self.job_answered(job, whole);
            }
            Err(error) => {
                self.fail(in_full(&error));
                self.job_answered(job, true);
            }
        }
    }

    pub(super) fn prediction_ready(&mut self, run: RunId, job: JobId, result: Result<Prediction, LoadError>) {
        let Some(present) = self.job_for_result(run, job) else { return };
        let role = work_role(present.work);
        match result {
            Ok(prediction) => {
                let whole = prediction.whole;
                if self.state.study.is_open(role, present.scan) {
                    match whole {
                        true => {
                            self.state.study.set_prediction(role, Some(prediction));
                            self.note_result();
                        }
                        false => self.state.study.add_prediction_slab(role, prediction),
                    }
                }
                self.job_answered(job, whole);
            }
            Err(error) => {
                self.fail(in_full(&error));
                self.job_answered(job, true);
            }
        }
    }

    /// `of` is the synthesis that was checked: another one may have taken its place.
    pub(super) fn anatomy_ready(
        &mut self,
        run: RunId,
        job: JobId,
        of: &Arc<Synthesis>,
        result: Result<Anatomy, LoadError>,
    ) {
        if self.job_for_result(run, job).is_none() {
            return;
        }
        match result {
            Ok(anatomy) => {
                if self.state.study.synthesis().is_some_and(|current| Arc::ptr_eq(current, of)) {
                    self.state.study.set_anatomy(anatomy);
                    self.note_result();
                }
            }
            Err(error) => self.fail(in_full(&error)),
        }
        self.job_answered(job, true);
    }

    /// `prediction` is what was compared: another one may have taken its place.
    pub(super) fn contrast_ready(
        &mut self,
        run: RunId,
        job: JobId,
        prediction: Arc<Prediction>,
        result: Result<Contrast, LoadError>,
    ) {
        let Some(present) = self.job_for_result(run, job) else { return };
        if result.is_ok() {
            self.note_result();
        }
        self.show_contrast(work_role(present.work), &prediction, result);
        self.job_answered(job, true);
    }

    /// Something that the run has made is shown now.
    fn note_result(&mut self) {
        if let Some(run) = &mut self.state.run {
            run.has_result = true;
        }
    }

    /// Shows where a prediction differs from something, if it is still the one that is shown.
    pub(super) fn show_contrast(
        &mut self,
        role: Role,
        prediction: &Arc<Prediction>,
        result: Result<Contrast, LoadError>,
    ) {
        match result {
            Ok(contrast) => {
                let current = self.state.study.prediction(role);
                if current.is_some_and(|current| Arc::ptr_eq(current, prediction)) {
                    self.state.study.set_contrast(role, Some(contrast));
                }
            }
            Err(error) => self.fail(in_full(&error)),
        }
    }

    /// The engine's answer came when what it was about had gone.
    pub(super) fn unwanted(&mut self, run: RunId, job: JobId) {
        let answered = self.job_for_result(run, job).is_some_and(|job| job.answered);
        self.job_answered(job, answered);
    }

    /// The job a result is for, unless it has been answered, cancelled or replaced in the meantime.
    fn job_for_result(&self, run: RunId, job: JobId) -> Option<Job> {
        let present = self.state.run.as_ref().filter(|present| present.id == run)?;
        present.job(job).filter(|job| !job.finished).cloned()
    }

    fn job_answered(&mut self, id: JobId, whole: bool) {
        if let Some(job) = self.state.run.as_mut().and_then(|run| run.job_mut(id)) {
            job.finished |= whole;
        }
        self.finish_run_if_over();
    }

    fn finish_run_if_over(&mut self) {
        let Some(run) = self.state.run.take_if(|run| run.is_over()) else { return };
        self.state.connections_lost = 0;
        self.state.study.forget_slabs();
        self.state.last_run = match (run.cancelling, run.outdated) {
            (true, _) => "cancelled".to_owned(),
            (false, true) => "stopped, for its scans have changed".to_owned(),
            (false, false) => format!("done in {:.1} s", run.started.elapsed().as_secs_f64()),
        };
        if run.cancelling {
            let left = match run.has_result {
                true => "what was finished by then is kept, and all else is unchanged",
                false => "what was there before is unchanged",
            };
            self.state.notify(NoticeKind::Warning, format!("The run was cancelled; {left}."));
        }
        for effect in update::start_next(&mut self.state) {
            self.perform_without_context(effect);
        }
    }
}
