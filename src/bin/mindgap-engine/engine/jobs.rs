//! Segmentation and translation of one scan.

use super::device::Devices;
use super::mailbox::Mailbox;
use crate::model::infer::{self, InferError, SegmentOptions};
use crate::model::preprocess::{self, Prepared};
use crate::model::{Domain, Networks, checkpoint};
use mindgap::config::{Card, sha256_hex};
use mindgap::protocol::{
    DeviceChoice, Event, JobError, JobId, ModelPayload, Refine, Request, SegmentRequest, Segmentation,
    TranslateRequest, Translation, WireLabels, WireScan, WireVolume,
};
use mindgap::volume::{Modality, Volume};
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

    /// Settles the device.
    fn choose(&self, choice: DeviceChoice) -> Result<Device, JobFailure> {
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

/// The networks of the last model used.
#[derive(Default)]
pub struct ModelCache(Option<(String, Device, Networks)>);

impl ModelCache {
    /// Networks of a payload on a device, built and verified anew only if they are not the last ones.
    fn networks(&mut self, model: &ModelPayload, device: Device) -> Result<&Networks, JobFailure> {
        let key = &model.card.weights_sha256;
        let fits = self.0.as_ref().is_some_and(|(hash, on, _)| hash == key && *on == device);
        if !fits {
            // The old model is dropped only once the new one is sound.
            self.0 = Some((key.clone(), device, load(model, device)?));
        }
        match &self.0 {
            Some((_, _, networks)) => Ok(networks),
            None => Err(failed("The model was not loaded", "Try again", &model.card.id)),
        }
    }
}

fn load(model: &ModelPayload, device: Device) -> Result<Networks, JobFailure> {
    let refused = |cause: String| {
        failed(
            &format!("Model {} cannot be used", model.card.id),
            "Choose another model or fetch it again",
            cause,
        )
    };
    let hash = sha256_hex(&model.weights);
    if hash != model.card.weights_sha256 {
        return Err(refused(format!("expected sha256 {}, got {hash}", model.card.weights_sha256)));
    }
    let tensors = checkpoint::from_bytes(&model.weights).map_err(|error| refused(error.to_string()))?;
    let mut networks = Networks::new(&model.card.network, device);
    checkpoint::load_into(&networks.store, &tensors).map_err(|error| refused(error.to_string()))?;
    networks.store.freeze();
    Ok(networks)
}

/// The scan on the network's grid.
fn prepare(scan: &WireScan, modality: Modality, card: &Card) -> Result<Prepared, JobFailure> {
    let refused = |cause: String| failed("This scan cannot be fed to the model", "See the details", cause);
    let scan = scan.unpack().map_err(|error| refused(error.to_string()))?;
    preprocess::prepare(&scan, modality, &card.preprocessing).map_err(|error| refused(error.to_string()))
}

/// The slice that a job wants first, as a slab event; the job's own turn comes later.
pub fn first_slice(
    context: &JobContext,
    request: &Request,
    cache: &mut ModelCache,
) -> Result<(), JobFailure> {
    match request {
        Request::Segment(request) => {
            let Some(world_mm) = request.first_world_mm else { return Ok(()) };
            let device = context.choose(request.device)?;
            let prepared = prepare(&request.scan, request.modality, &request.model.card)?;
            let slice = prepared.slice_of(world_mm);
            let networks = cache.networks(&request.model, device)?;
            let options = segment_options(request);
            let (labels, gap) = infer::segment_slice(networks, &prepared, slice, options)?;
            let (labels, gap) = (slab(&prepared, slice, labels)?, slab(&prepared, slice, gap)?);
            let (labels, gap) = (WireLabels::pack(&labels), WireVolume::pack(&gap));
            context.post(Event::SegmentedSlab { job: context.job, labels, gap });
        }
        Request::Translate(request) => {
            let Some(world_mm) = request.first_world_mm else { return Ok(()) };
            let device = context.choose(request.device)?;
            let card = &request.model.card;
            let prepared = prepare(&request.scan, request.modality, card)?;
            let slice = prepared.slice_of(world_mm);
            let networks = cache.networks(&request.model, device)?;
            let values =
                infer::translate_slice(networks, &prepared.slices, slice, domain(request.modality, card))?;
            let unit = IntensityUnit::of(request.modality.other(), card);
            let synthetic = slab(&prepared, slice, values)?.map(|&v| unit.measured(v));
            let synthetic = WireVolume::pack(&synthetic);
            context.post(Event::TranslatedSlab { job: context.job, synthetic });
        }
        Request::Train(_) => {}
    }
    Ok(())
}

/// The values of one network slice on its grid in the world.
fn slab<T>(prepared: &Prepared, slice: usize, values: Vec<T>) -> Result<Volume<T>, JobFailure> {
    let no_grid = |cause: String| failed("The slice has no grid", "Try again", cause);
    let geometry = prepared.slab_geometry(slice).map_err(|error| no_grid(error.to_string()))?;
    Volume::new(values, geometry).ok_or_else(|| no_grid("wrong number of values".to_owned()))
}

/// Refined by default where the scan is of the model's target modality: in its source modality the net needs no help.
fn segment_options(request: &SegmentRequest) -> SegmentOptions {
    let card = &request.model.card;
    let refine = match request.refine {
        Refine::On => true,
        Refine::Off => false,
        Refine::Auto => request.modality == card.target,
    };
    SegmentOptions { gap_mode: card.network.gap_mode, views: refine, refine }
}

/// Which of the bundle's two domains a modality is.
fn domain(modality: Modality, card: &Card) -> Domain {
    if modality == card.source { Domain::Source } else { Domain::Target }
}

/// Labels, gap and uncertainty of the whole scan.
pub fn segment(
    context: &JobContext,
    request: &SegmentRequest,
    cache: &mut ModelCache,
) -> Result<Event, JobFailure> {
    let started = Instant::now();
    let device = context.start(request.device)?;
    let networks = cache.networks(&request.model, device)?;
    let prepared = prepare(&request.scan, request.modality, &request.model.card)?;
    let options = segment_options(request);
    let mut on_slice = |done: usize, total: usize| {
        context.progress("segmenting", done as u64, total as u64, "");
        !context.cancelled()
    };
    let found = infer::segment(networks, &prepared, options, &mut on_slice)?;
    if context.cancelled() {
        return Err(JobFailure::Cancelled);
    }
    let slices = prepared.slices.dims()[2] as u64;
    Ok(Event::Segmented {
        job: context.job,
        result: Box::new(Segmentation {
            labels: WireLabels::pack(&prepared.labels_to_scan(&found.labels)),
            gap: WireVolume::pack(&prepared.values_to_scan(&found.gap, 0.0)),
            uncertainty: WireVolume::pack(&prepared.values_to_scan(&found.uncertainty, 0.0)),
            seconds: started.elapsed().as_secs_f64(),
            slices,
            device: context.devices.describe(device),
            refined: options.refine,
            warnings: prepared.warnings,
        }),
    })
}

/// The whole scan in the style of the other modality.
pub fn translate(
    context: &JobContext,
    request: &TranslateRequest,
    cache: &mut ModelCache,
) -> Result<Event, JobFailure> {
    let started = Instant::now();
    let device = context.start(request.device)?;
    let card = &request.model.card;
    let networks = cache.networks(&request.model, device)?;
    let prepared = prepare(&request.scan, request.modality, card)?;
    let imitates = request.modality.other();
    let unit = IntensityUnit::of(imitates, card);
    let mut on_slice = |done: usize, total: usize| {
        context.progress("translating", done as u64, total as u64, "");
        !context.cancelled()
    };
    let from = domain(request.modality, card);
    let translated = infer::translate(networks, &prepared.slices, from, &mut on_slice)?;
    if context.cancelled() {
        return Err(JobFailure::Cancelled);
    }
    let edge_agreement = mindgap::eval::edge_agreement(&prepared.slices, &translated);
    let synthetic = prepared.values_to_scan(&translated.map(|&v| unit.measured(v)), unit.measured(0.0));
    Ok(Event::Translated {
        job: context.job,
        result: Box::new(Translation {
            synthetic: WireVolume::pack(&synthetic),
            imitates,
            edge_agreement,
            seconds: started.elapsed().as_secs_f64(),
            slices: prepared.slices.dims()[2] as u64,
            device: context.devices.describe(device),
        }),
    })
}

/// What scaled intensities 0 and 1 mean in the modality that a translation imitates.
struct IntensityUnit {
    zero: f32,
    one: f32,
}

impl IntensityUnit {
    /// CT: the model's window in HU. MR has no unit: the 99.5th percentile is called 1000.
    fn of(modality: Modality, card: &Card) -> Self {
        match modality {
            Modality::Ct => {
                let [zero, one] = card.preprocessing.ct_window_hu;
                Self { zero, one }
            }
            Modality::Mr => Self { zero: 0.0, one: 1000.0 },
        }
    }

    fn measured(&self, scaled: f32) -> f32 {
        self.zero + scaled * (self.one - self.zero)
    }
}
