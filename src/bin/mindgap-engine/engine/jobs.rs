//! Segmentation and translation of one scan.

use super::device::Devices;
use super::mailbox::Mailbox;
use crate::model::infer::{self, InferError, SegmentOptions};
use crate::model::preprocess::{self, Prepared};
use crate::model::{Domain, Networks, checkpoint};
use mindgap::config::{Card, sha256_hex};
use mindgap::protocol::{
    DeviceChoice, Event, JobError, JobId, ModelPayload, Refine, SegmentRequest, Segmentation,
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

    /// Settles the device and says so.
    pub fn start(&self, choice: DeviceChoice) -> Result<Device, JobFailure> {
        let device = self.devices.choose(choice).map_err(|reason| {
            failed("CUDA was asked for and is not available", "Choose the device auto or cpu", reason)
        })?;
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

/// Labels, gap and uncertainty; the slice asked for goes out first.
pub fn segment(
    context: &JobContext,
    request: SegmentRequest,
    cache: &mut ModelCache,
) -> Result<Event, JobFailure> {
    let started = Instant::now();
    let device = context.start(request.device)?;
    let card = &request.model.card;
    let networks = cache.networks(&request.model, device)?;
    let prepared = prepare(&request.scan, request.modality, card)?;
    let refine = match request.refine {
        Refine::On => true,
        Refine::Off => false,
        Refine::Auto => request.modality == card.target,
    };
    let options = SegmentOptions { gap_mode: card.network.gap_mode, views: refine, refine };
    if let Some(world_mm) = request.first_world_mm {
        post_segmented_slab(context, networks, &prepared, prepared.slice_of(world_mm), options)?;
    }
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
            refined: refine,
            warnings: prepared.warnings,
        }),
    })
}

fn post_segmented_slab(
    context: &JobContext,
    networks: &Networks,
    prepared: &Prepared,
    slice: usize,
    options: SegmentOptions,
) -> Result<(), JobFailure> {
    let (labels, gap) = infer::segment_slice(networks, prepared, slice, options)?;
    let geometry =
        prepared.slab_geometry(slice).map_err(|error| failed("No slice grid", "Try again", error))?;
    if let (Some(labels), Some(gap)) = (Volume::new(labels, geometry.clone()), Volume::new(gap, geometry)) {
        let (labels, gap) = (WireLabels::pack(&labels), WireVolume::pack(&gap));
        context.post(Event::SegmentedSlab { job: context.job, labels, gap });
    }
    Ok(())
}

/// The scan in the style of the other modality; the slice asked for goes out first.
pub fn translate(
    context: &JobContext,
    request: TranslateRequest,
    cache: &mut ModelCache,
) -> Result<Event, JobFailure> {
    let started = Instant::now();
    let device = context.start(request.device)?;
    let card = &request.model.card;
    let networks = cache.networks(&request.model, device)?;
    let prepared = prepare(&request.scan, request.modality, card)?;
    let from = if request.modality == card.source { Domain::Source } else { Domain::Target };
    let imitates = request.modality.other();
    let unit = IntensityUnit::of(imitates, card);
    if let Some(world_mm) = request.first_world_mm {
        let slice = prepared.slice_of(world_mm);
        let values = infer::translate_slice(networks, &prepared.slices, slice, from)?;
        let geometry =
            prepared.slab_geometry(slice).map_err(|error| failed("No slice grid", "Try again", error))?;
        if let Some(slab) = Volume::new(values, geometry) {
            let synthetic = WireVolume::pack(&slab.map(|&v| unit.measured(v)));
            context.post(Event::TranslatedSlab { job: context.job, synthetic });
        }
    }
    let mut on_slice = |done: usize, total: usize| {
        context.progress("translating", done as u64, total as u64, "");
        !context.cancelled()
    };
    let translated = infer::translate(networks, &prepared.slices, from, &mut on_slice)?;
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
