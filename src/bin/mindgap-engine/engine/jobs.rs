//! Segmentation and translation of one scan.

use super::cache::{Caches, ModelCache, ScanCache, trouble_of};
use super::device::Devices;
use super::mailbox::Mailbox;
use super::style::{self, StyleCache};
use super::unit::IntensityUnit;
use crate::model::infer::{self, InferError, SegmentOptions, Shown, Watch, Way};
use crate::model::ladder::{Trouble, Worker};
use crate::model::preprocess::{self, PrepareError, Prepared};
use crate::model::verdict::{RefineRule, Refined, Verdict};
use crate::model::views::Views;
use crate::model::{Domain, Networks};
use mindgap::config::{Card, Net};
use mindgap::protocol::{
    DeviceChoice, Event, JobError, JobId, ModelPayload, Refine, Refinement, RefinementVerdict, Request,
    SegmentRequest, Segmentation, TranslateRequest, Translation, WireLabels, WireScan, WireVolume,
};
use mindgap::volume::{Modality, Volume, keep_largest_islands};
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;
use std::sync::mpsc::Sender;
use std::time::Instant;
use tch::Device;

/// What a job needs of the engine around it.
pub struct JobContext<'a> {
    pub job: JobId,
    pub mailbox: &'a Mailbox,
    pub events: &'a Sender<Event>,
    pub devices: &'a Devices,
}

impl JobContext<'_> {
    /// Sends an event; a client that has gone is no error of the engine's.
    pub fn post(&self, event: Event) {
        let _ = self.events.send(event);
    }

    /// Whether the job is to stop.
    pub fn cancelled(&self) -> bool {
        self.mailbox.is_cancelled(self.job)
    }

    /// Reports progress.
    pub fn progress(&self, phase: &str, done: u64, total: u64, note: &str) {
        let (phase, note) = (phase.to_owned(), note.to_owned());
        self.post(Event::Progress { job: self.job, phase, done, total, note });
    }

    /// Answers the slice in another style that waits, if one does: dragging a slider costs a run one slice at a time.
    pub fn let_style_in(&self, kept: &mut StyleCache) {
        if let Some(turn) = self.mailbox.next_style() {
            style::answer(&JobContext { job: turn.job, ..*self }, &turn.request, kept);
        }
    }

    /// Shows labels and gap of some network slices.
    fn post_segmented(
        &self,
        prepared: &Prepared,
        slices: Range<usize>,
        labels: Vec<u16>,
        gap: Vec<f32>,
    ) -> Result<(), JobFailure> {
        let (labels, gap) = (slab(prepared, slices.clone(), labels)?, slab(prepared, slices, gap)?);
        let (labels, gap) = (WireLabels::pack(&labels), WireVolume::pack(&gap));
        self.post(Event::SegmentedSlab { job: self.job, labels, gap });
        Ok(())
    }

    /// Shows some translated network slices, given in scaled intensities.
    fn post_translated(
        &self,
        prepared: &Prepared,
        slices: Range<usize>,
        values: Vec<f32>,
        unit: &IntensityUnit,
    ) -> Result<(), JobFailure> {
        let synthetic = slab(prepared, slices, values)?.map(|&v| unit.measured(v));
        let synthetic = WireVolume::pack(&synthetic);
        self.post(Event::TranslatedSlab { job: self.job, synthetic });
        Ok(())
    }

    /// Settles the device.
    pub fn choose(&self, choice: DeviceChoice) -> Result<Device, JobFailure> {
        self.devices.choose(choice).map_err(|reason| {
            failed("CUDA was asked for and is not available", "Choose the device auto or cpu", reason)
        })
    }

    /// Settles the device and says so.
    pub fn start(&self, choice: DeviceChoice) -> Result<Device, JobFailure> {
        let device = self.choose(choice)?;
        self.post(Event::Started { job: self.job, device: self.devices.describe(device) });
        Ok(device)
    }
}

/// Why a job ended without a result.
#[derive(Debug)]
pub enum JobFailure {
    Cancelled,
    Failed(JobError),
}

/// A failure with its remedy.
pub fn failed(message: &str, remedy: &str, cause: impl std::fmt::Display) -> JobFailure {
    JobFailure::Failed(JobError {
        message: format!("{message}: {cause}"),
        remedy: remedy.to_owned(),
        details: cause.to_string(),
    })
}

impl From<InferError> for JobFailure {
    fn from(error: InferError) -> Self {
        match error {
            InferError::Cancelled => JobFailure::Cancelled,
            error => failed("The model gave no result", "Try another model, or the device cpu", error),
        }
    }
}

/// The scan on the network's grid, from an earlier turn of the same job where there was one.
pub fn prepare(
    context: &JobContext,
    of: (&WireScan, Modality, &Card),
    scans: &mut ScanCache,
) -> Result<Rc<Prepared>, JobFailure> {
    scans.of(context.job, || prepare_anew(context, of))
}

/// The scan on the network's grid.
pub fn prepare_anew(
    context: &JobContext,
    (scan, modality, card): (&WireScan, Modality, &Card),
) -> Result<Prepared, JobFailure> {
    let refused = |remedy: &str, cause: String| failed("This scan cannot be fed to the model", remedy, cause);
    let scan =
        scan.unpack().map_err(|error| refused("Open the scan again, then run again", error.to_string()))?;
    let keep_going = || !context.cancelled();
    match preprocess::prepare_while(&scan, modality, &card.preprocessing, &keep_going) {
        Err(PrepareError::Cancelled) => Err(JobFailure::Cancelled),
        outcome => outcome.map_err(|error| refused(error.remedy(), error.to_string())),
    }
}

/// The networks, and where they are: a GPU that has no room for them or fails leaves the job to the CPU.
pub fn networks_for(
    context: &JobContext,
    (model, net): (&ModelPayload, Net),
    device: Device,
    models: &mut ModelCache,
) -> Result<(Rc<Networks>, Device), JobFailure> {
    let failure = match models.networks(model, net, device) {
        Ok(networks) => return Ok((networks, device)),
        Err(failure) => failure,
    };
    match trouble_of(&failure) {
        Some((trouble, reason)) if device != Device::Cpu => {
            tracing::warn!("{reason}; going on with the CPU");
            if trouble == Trouble::DeviceLost {
                context.devices.lose_cuda(reason);
            }
            Ok((models.networks(model, net, Device::Cpu)?, Device::Cpu))
        }
        _ => Err(failure),
    }
}

/// The slice that a job wants first, as a slab event; the job's own turn comes later.
pub fn first_slice(context: &JobContext, request: &Request, caches: &mut Caches) -> Result<(), JobFailure> {
    match request {
        Request::Segment(request) => {
            let Some(world_mm) = request.first_world_mm else { return Ok(()) };
            let device = context.choose(request.device)?;
            let card = &request.model.card;
            let prepared = prepare(context, (&request.scan, request.modality, card), &mut caches.scans)?;
            let slice = prepared.slice_of(world_mm);
            let networks = caches.models.networks(&request.model, request.settings.net, device)?;
            let options = segment_options(request);
            let (labels, gap) = infer::segment_slice(&networks, &prepared.slices, slice, options)?;
            context.post_segmented(&prepared, slice..slice + 1, labels, gap)?;
        }
        Request::Translate(request) => {
            let Some(world_mm) = request.first_world_mm else { return Ok(()) };
            let device = context.choose(request.device)?;
            let card = &request.model.card;
            let prepared = prepare(context, (&request.scan, request.modality, card), &mut caches.scans)?;
            let slice = prepared.slice_of(world_mm);
            let networks = caches.models.networks(&request.model, Net::Adapted, device)?;
            let way = Way { from: domain(request.modality, card), style: request.style };
            let values = infer::translate_slice(&networks, &prepared.slices, slice, way)?;
            let unit = IntensityUnit::of(request.modality.other(), card);
            context.post_translated(&prepared, slice..slice + 1, values, &unit)?;
        }
        Request::Style(_) | Request::CheckAnatomy(_) | Request::Train(_) => {}
    }
    Ok(())
}

/// The values of some network slices on their grid in the world.
pub fn slab<T>(prepared: &Prepared, slices: Range<usize>, values: Vec<T>) -> Result<Volume<T>, JobFailure> {
    let no_grid = |cause: String| failed("The slice has no grid", "Try again", cause);
    let geometry = prepared.slab_geometry(slices).map_err(|error| no_grid(error.to_string()))?;
    Volume::new(values, geometry).ok_or_else(|| no_grid("wrong number of values".to_owned()))
}

/// In the model's target modality everything is refined by default; in its source modality, where the net has learned from
/// labels, only what it is not sure of.
fn segment_options(request: &SegmentRequest) -> SegmentOptions {
    let card = &request.model.card;
    let refine = match request.settings.refine {
        Refine::Off => RefineRule::Never,
        Refine::Auto if request.modality == card.source => RefineRule::Doubtful,
        Refine::On | Refine::Auto => RefineRule::Always,
    };
    let views = match refine {
        RefineRule::Never => Views::One,
        RefineRule::Doubtful | RefineRule::Always => Views::Shifted,
    };
    let (gap_mode, mask) = (card.network.gap_mode, request.settings.mask);
    SegmentOptions { task: card.task, gap_mode, mask, views, refine }
}

/// Which of the bundle's two domains a modality is.
pub fn domain(modality: Modality, card: &Card) -> Domain {
    if modality == card.source { Domain::Source } else { Domain::Target }
}

/// What a job did it with, for the user.
pub struct Means {
    pub device: String,
    pub warnings: Vec<String>,
}

/// Lets a worker do the slices of a job, on whatever holds out.
pub fn with_worker<T>(
    context: &JobContext,
    (model, net, choice): (&ModelPayload, Net, DeviceChoice),
    slices: &Volume<f32>,
    models: &mut ModelCache,
    work: impl FnOnce(&mut Worker) -> Result<T, InferError>,
) -> Result<(T, Means), JobFailure> {
    let wanted = context.choose(choice)?;
    let (networks, device) = networks_for(context, (model, net), wanted, models)?;
    let mut rebuild = |device| Ok(models.networks(model, net, device)?);
    let image_pixels = slices.dims()[0] * slices.dims()[1];
    let mut worker = Worker::new(networks, device, image_pixels, &mut rebuild);
    let outcome = work(&mut worker);
    if let Some(reason) = worker.lost() {
        context.devices.lose_cuda(reason);
    }
    let mut warnings: Vec<String> = worker.note().map(str::to_owned).into_iter().collect();
    if device != wanted && warnings.is_empty() {
        warnings.push("The GPU could not take the model: the CPU was used.".to_owned());
    }
    let device = context.devices.describe(worker.device());
    Ok((outcome?, Means { device, warnings }))
}

/// Labels, gap and uncertainty of the whole scan.
pub fn segment(
    context: &JobContext,
    request: &SegmentRequest,
    caches: &mut Caches,
) -> Result<Event, JobFailure> {
    let started = Instant::now();
    let device = context.start(request.device)?;
    let card = &request.model.card;
    let settings = request.settings;
    networks_for(context, (&request.model, settings.net), device, &mut caches.models)?;
    let prepared = prepare(context, (&request.scan, request.modality, card), &mut caches.scans)?;
    let options = segment_options(request);
    // Between slices, and while labels are refined.
    let style = RefCell::new(&mut caches.style);
    let keep_going = || {
        context.let_style_in(&mut style.borrow_mut());
        !context.cancelled()
    };
    let mut on_slice = |done: usize, total: usize| {
        context.progress("segmenting", done as u64, total as u64, "");
        keep_going()
    };
    let asked = (&request.model, settings.net, request.device);
    let first = request.first_world_mm.map(|world_mm| prepared.slice_of(world_mm));
    let mut on_batch = |slices: Range<usize>, shown: Shown| {
        if let (Some(_), Shown::Segmented { labels, gap }) = (first, shown)
            && context.post_segmented(&prepared, slices, labels.to_vec(), gap.to_vec()).is_err()
        {
            tracing::warn!("slices could not be shown before the whole is there");
        }
    };
    let (found, means) = with_worker(context, asked, &prepared.slices, &mut caches.models, |worker| {
        let watch = Watch { first, on_slice: &mut on_slice, on_batch: &mut on_batch };
        infer::segment(worker, &prepared, options, watch, &keep_going)
    })?;
    let mut labels =
        prepared.labels_to_scan(&found.labels, &keep_going).map_err(|_| JobFailure::Cancelled)?;
    if settings.largest_island {
        // On the scan's own grid: a part that hung on by a corner of the coarse one may have come off.
        keep_largest_islands(&mut labels);
    }
    if context.cancelled() {
        return Err(JobFailure::Cancelled);
    }
    Ok(Event::Segmented {
        job: context.job,
        result: Box::new(Segmentation {
            labels: WireLabels::pack(&labels),
            // What the networks did not see has no gap and no doubt, which is not the same as none at all.
            gap: WireVolume::pack_for(&found.gap, &prepared.scan_geometry, f32::NAN),
            uncertainty: WireVolume::pack_for(&found.uncertainty, &prepared.scan_geometry, f32::NAN),
            seconds: started.elapsed().as_secs_f64(),
            slices: prepared.slices.dims()[2] as u64,
            device: means.device,
            refinement: found.refined.iter().map(refinement_of).collect(),
            warnings: [prepared.warnings.clone(), means.warnings].concat(),
        }),
    })
}

fn refinement_of(&Refined { label, doubt, verdict, change_ml }: &Refined) -> Refinement {
    let verdict = match verdict {
        Verdict::Refined => RefinementVerdict::Refined,
        Verdict::Sure => RefinementVerdict::Sure,
        Verdict::Kept => RefinementVerdict::Kept,
    };
    Refinement { label, doubt, verdict, change_ml }
}

/// The whole scan in the style of the other modality.
pub fn translate(
    context: &JobContext,
    request: &TranslateRequest,
    caches: &mut Caches,
) -> Result<Event, JobFailure> {
    let started = Instant::now();
    let device = context.start(request.device)?;
    let card = &request.model.card;
    networks_for(context, (&request.model, Net::Adapted), device, &mut caches.models)?;
    let prepared = prepare(context, (&request.scan, request.modality, card), &mut caches.scans)?;
    let imitates = request.modality.other();
    let unit = IntensityUnit::of(imitates, card);
    let mut on_slice = |done: usize, total: usize| {
        context.progress("translating", done as u64, total as u64, "");
        context.let_style_in(&mut caches.style);
        !context.cancelled()
    };
    let way = Way { from: domain(request.modality, card), style: request.style };
    let asked = (&request.model, Net::Adapted, request.device);
    let first = request.first_world_mm.map(|world_mm| prepared.slice_of(world_mm));
    let mut on_batch = |slices: Range<usize>, shown: Shown| {
        if let (Some(_), Shown::Translated(values)) = (first, shown)
            && context.post_translated(&prepared, slices, values.to_vec(), &unit).is_err()
        {
            tracing::warn!("slices could not be shown before the whole is there");
        }
    };
    let (translated, means) = with_worker(context, asked, &prepared.slices, &mut caches.models, |worker| {
        let watch = Watch { first, on_slice: &mut on_slice, on_batch: &mut on_batch };
        infer::translate(worker, &prepared.slices, way, watch)
    })?;
    let edge_agreement = mindgap::eval::edge_agreement(&prepared.slices, &translated);
    if context.cancelled() {
        return Err(JobFailure::Cancelled);
    }
    let synthetic = translated.par_map(|&v| unit.measured(v));
    Ok(Event::Translated {
        job: context.job,
        result: Box::new(Translation {
            synthetic: WireVolume::pack_for(&synthetic, &prepared.scan_geometry, unit.measured(0.0)),
            imitates,
            edge_agreement,
            seconds: started.elapsed().as_secs_f64(),
            slices: prepared.slices.dims()[2] as u64,
            device: means.device,
            warnings: [prepared.warnings.clone(), means.warnings].concat(),
        }),
    })
}
