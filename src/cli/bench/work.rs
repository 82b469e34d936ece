//! One work, done once in this process and timed: what a fresh process of this program is started for.

use super::fixtures::{MANY_SLICES_DIMS, MANY_SLICES_SPACING_MM, MODEL};
use crate::config::{Bundle, load_bundle};
use crate::eval;
use crate::protocol::{
    DeviceChoice, Event, Refine, Request, SegmentRequest, SegmentSettings, Segmentation, TranslateRequest,
    Translation, WireScan,
};
use crate::session::{self, Engine, EngineState};
use crate::volume::{self, LabelMap, Resampler, Voxels, io, with_voxels};
use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// What can be measured. The Python peers know the same names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Task {
    /// A scan from its file into memory.
    Read,
    /// The first slices of a scan, while the rest is still to be read.
    FirstSlice,
    /// The bare decompression of a gzip file of one member: the floor for `Read`.
    Inflate,
    /// A label map into a compressed file.
    WriteLabels,
    /// Its voxels alone, compressed and written: neither synced nor read back.
    Compress,
    /// A scan in memory onto a 1 mm grid in its stored type, one sample a voxel.
    Resample,
    /// The same with the averages that keep a shrunk image from aliasing.
    ResampleAveraged,
    /// What a header says.
    Header,
    /// Dice and surface distances of two label maps in memory.
    Score,
    /// The slices of a scan through a bundled net.
    Network,
    /// The same with several slices at once where the program lets one choose.
    NetworkBatched,
    /// The slices of a scan translated and segmented on a GPU.
    Gpu,
}

impl Task {
    /// Whether a file to write follows the inputs.
    pub(super) fn writes(self) -> bool {
        matches!(self, Task::WriteLabels | Task::Compress)
    }

    /// As in the command line of a fresh process.
    pub(super) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// The command line of a fresh process.
#[derive(Debug, Args)]
pub(super) struct Work {
    task: Task,
    /// The inputs, then the file to write if the work is to write one.
    files: Vec<PathBuf>,
}

/// What a fresh process says of its work, in one line of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Outcome {
    /// Of the work alone: no start-up, and no preparation.
    pub(super) seconds: f64,
    /// Most memory the process ever held; `None` where the system does not say.
    pub(super) peak_bytes: Option<u64>,
    /// A number that must come out alike for all who did the same work: the mean of the voxels, or the mean Dice.
    pub(super) check: Option<f64>,
}

impl Work {
    pub(super) fn run(&self) -> anyhow::Result<Outcome> {
        match (self.task, self.files.as_slice()) {
            (Task::Read, [file]) => {
                let (outcome, scan) = timed(|| io::open(file))?;
                Ok(Outcome { check: mean(scan.voxels()), ..outcome })
            }
            (Task::FirstSlice, [file]) => first_slice(file),
            (Task::Inflate, [file]) => Ok(timed(|| inflate(file))?.0),
            (Task::WriteLabels, [labels, output]) => {
                let reference = io::open(labels)?;
                let labels = reference.to_labels()?;
                Ok(timed(|| io::write_labels(output, &labels, None, &reference))?.0)
            }
            (Task::Compress, [labels, output]) => {
                let labels = io::open_labels(labels)?;
                Ok(timed(|| compress(&labels, output))?.0)
            }
            (Task::Resample | Task::ResampleAveraged, [file]) => {
                let scan = io::open(file)?;
                let grid = scan.geometry().with_spacing([1.0; 3])?;
                let averaging = Resampler::new(scan.geometry(), &grid);
                let resampler = match self.task {
                    Task::Resample => averaging.without_averaging(),
                    _ => averaging,
                };
                let (outcome, voxels) = timed(|| anyhow::Ok(resampler.linear_stored(scan.voxels(), 0.0)))?;
                Ok(Outcome { check: mean(&voxels), ..outcome })
            }
            (Task::Header, [file]) => Ok(timed(|| io::read_header(file, &io::OpenOptions::default()))?.0),
            (Task::Score, [prediction, reference]) => {
                let (prediction, reference) = (io::open_labels(prediction)?, io::open_labels(reference)?);
                let table = volume::Task::Abdomen.table();
                let (outcome, report) = timed(|| eval::evaluate(&prediction, &reference, table))?;
                Ok(Outcome { check: report.mean.dice, ..outcome })
            }
            (Task::Network, [file, _weights]) => network(file),
            (Task::Gpu, [file]) => gpu(file),
            (task, files) => bail!("bench work {}: not for {} files", task.name(), files.len()),
        }
    }
}

/// Does the work, and measures before anything else is done with its result.
fn timed<T, E: Into<anyhow::Error>>(work: impl FnOnce() -> Result<T, E>) -> anyhow::Result<(Outcome, T)> {
    let start = Instant::now();
    let result = work();
    let seconds = start.elapsed().as_secs_f64();
    let outcome = Outcome { seconds, peak_bytes: peak_bytes(), check: None };
    Ok((outcome, result.map_err(Into::into)?))
}

/// Until the first slices could be drawn; the rest is read all the same.
fn first_slice(file: &Path) -> anyhow::Result<Outcome> {
    let start = Instant::now();
    let mut outcome = None;
    io::open_progressive(file, &io::OpenOptions::default(), &mut |_| {
        let seconds = start.elapsed().as_secs_f64();
        outcome.get_or_insert(Outcome { seconds, peak_bytes: peak_bytes(), check: None });
    })?;
    outcome.context("the first slices were not handed over before the rest")
}

/// The engine does it twice on one core fewer than there are, as it always does; the first time warms up. Its own time
/// counts, from the request in its hands to the labels on the scan's grid.
fn network(file: &Path) -> anyhow::Result<Outcome> {
    let mut bench = EngineBench::start(file, load_bundle(MODEL)?, DeviceChoice::Cpu)?;
    bench.segment()?;
    let result = bench.segment()?;
    Ok(Outcome { seconds: result.seconds, peak_bytes: None, check: Some(mean_label(&result)?) })
}

/// As for [`network`], both works, on slices as large as the field's data sets have them instead of those that the bundled
/// nets were trained for.
fn gpu(file: &Path) -> anyhow::Result<Outcome> {
    let mut bundle = load_bundle(MODEL)?;
    let [width, height, _] = MANY_SLICES_DIMS;
    bundle.card.preprocessing.size = [width, height];
    bundle.card.preprocessing.spacing_mm = [MANY_SLICES_SPACING_MM; 3];
    let mut bench = EngineBench::start(file, bundle, DeviceChoice::Cuda)?;
    bench.translate()?;
    bench.segment()?;
    let (translation, segmentation) = (bench.translate()?, bench.segment()?);
    let seconds = translation.seconds + segmentation.seconds;
    Ok(Outcome { seconds, peak_bytes: None, check: Some(mean_label(&segmentation)?) })
}

/// Whether the engine on this machine computes on a GPU.
pub(super) fn has_gpu() -> bool {
    let started = session::locate_engine().and_then(|launch| Engine::start(launch, Arc::new(|| ())));
    let Ok(mut engine) = started else { return false };
    while matches!(engine.state(), EngineState::Starting) {
        if engine.next_within(ENGINE_PATIENCE).is_none() {
            return false;
        }
    }
    matches!(engine.state(), EngineState::Ready(info) if info.device.starts_with("CUDA"))
}

/// How long an engine may take to say what it is: loading CUDA for the first time takes its while.
const ENGINE_PATIENCE: Duration = Duration::from_secs(120);

/// One engine, one scan and one model, asked again and again.
struct EngineBench {
    engine: Engine,
    scan: WireScan,
    bundle: Bundle,
    device: DeviceChoice,
}

impl EngineBench {
    fn start(file: &Path, bundle: Bundle, device: DeviceChoice) -> anyhow::Result<Self> {
        let scan = WireScan::pack(&io::open(file)?);
        let engine = Engine::start(session::locate_engine()?, Arc::new(|| ()))?;
        Ok(Self { engine, scan, bundle, device })
    }

    fn segment(&mut self) -> anyhow::Result<Box<Segmentation>> {
        let request = Request::Segment(SegmentRequest {
            model: session::model_payload(&self.bundle),
            scan: self.scan.clone(),
            modality: volume::Modality::Ct,
            first_world_mm: None,
            settings: SegmentSettings { refine: Refine::Off, ..SegmentSettings::default() },
            device: self.device,
        });
        match self.ask(request)? {
            Event::Segmented { result, .. } => Ok(result),
            other => bail!("the engine answered a segmentation with {other:?}"),
        }
    }

    fn translate(&mut self) -> anyhow::Result<Box<Translation>> {
        let request = Request::Translate(TranslateRequest {
            model: session::model_payload(&self.bundle),
            scan: self.scan.clone(),
            modality: volume::Modality::Ct,
            first_world_mm: None,
            style: 1.0,
            device: self.device,
        });
        match self.ask(request)? {
            Event::Translated { result, .. } => Ok(result),
            other => bail!("the engine answered a translation with {other:?}"),
        }
    }

    fn ask(&mut self, request: Request) -> anyhow::Result<Event> {
        Ok(session::run_job(&mut self.engine, request, &AtomicBool::new(false), |_| ())?)
    }
}

fn mean_label(result: &Segmentation) -> anyhow::Result<f64> {
    let labels = result.labels.unpack()?;
    let sum: f64 = labels.voxels().iter().map(|label| f64::from(*label)).sum();
    Ok(sum / labels.voxels().len() as f64)
}

fn compress(labels: &LabelMap, output: &Path) -> std::io::Result<()> {
    let bytes: Vec<u8> = labels.voxels().par_iter().map(|label| *label as u8).collect();
    io::compress(&mut std::fs::File::create(output)?, &bytes)
}

/// The whole file decompressed in one call, its checksum verified.
fn inflate(file: &Path) -> anyhow::Result<Vec<u8>> {
    let compressed = std::fs::read(file)?;
    let size = compressed.last_chunk::<4>().context("not a gzip file: too short")?;
    let mut bytes = vec![0; u32::from_le_bytes(*size) as usize];
    libdeflater::Decompressor::new().gzip_decompress(&compressed, &mut bytes)?;
    Ok(bytes)
}

fn mean(voxels: &Voxels) -> Option<f64> {
    let sum: f64 = with_voxels!(voxels, v => v.par_iter().map(|&value| value as f64).sum());
    Some(sum / voxels.len() as f64)
}

/// The most memory this process ever held, as Linux accounts for it.
fn peak_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}
