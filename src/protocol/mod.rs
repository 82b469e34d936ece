//! What the window and the command line say to the engine process, and what it answers. Plain data, no behaviour.
//!
//! One connection is one byte stream each way (the engine's stdin and stdout, or the same through ssh). A frame is a
//! little-endian u32 length and that many bytes of postcard, packed where both sides agree. The first frame each way is a
//! hello with [`PROTOCOL_VERSION`], whose layout never changes; the client refuses an engine of another version with both
//! numbers. Facts ([`Event`]) are never dropped;
//! every one but the hello names its job.

mod frame;
mod wire;

pub use frame::{
    FrameError, MAX_FRAME_BYTES, MAX_HELLO_BYTES, Packing, read_frame, read_frame_within, write_frame,
};
pub use wire::{MeantFor, WireError, WireLabels, WireScan, WireVolume};

use crate::config::{Card, MaskUse, Net};
use crate::volume::Modality;
use serde::{Deserialize, Serialize};

/// Raised whenever a message changes its meaning or layout.
pub const PROTOCOL_VERSION: u32 = 11;

/// Names one job of one connection; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JobId(pub u64);

/// To the engine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Command {
    Hello {
        protocol: u32,
        program: String,
        /// Whether long answers are to be packed, as long requests of this connection are.
        packed: bool,
    },
    Run {
        job: JobId,
        request: Box<Request>,
    },
    /// Stops the job within one slice, or when its turn comes; answered by [`Event::Cancelled`].
    Cancel {
        job: JobId,
    },
}

/// What a job is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Request {
    Segment(SegmentRequest),
    Translate(TranslateRequest),
    /// One slice in a style of its own, between the turns of other jobs and within them.
    Style(StyleRequest),
    CheckAnatomy(AnatomyRequest),
    Train(TrainRequest),
}

/// A model on its way to the engine, so that an engine elsewhere needs no files of ours.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ModelPayload {
    pub card: Card,
    /// The safetensors file, whole; verified against the card.
    #[serde(with = "serde_bytes")]
    pub weights: Vec<u8>,
}

/// Where to compute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    #[default]
    Auto,
    Cpu,
    Cuda,
}

/// Whether labels are refined: five slightly changed views are averaged, then structures are drawn anew by their own
/// intensities in the scan where that makes their border clearer, hearts also by shape. No label is read for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Refine {
    /// On where the scan is of the model's target modality; in its source modality only for structures of which the net is
    /// not sure.
    #[default]
    Auto,
    On,
    Off,
}

/// How a scan is segmented.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct SegmentSettings {
    pub net: Net,
    /// Of no effect in bundles trained in loss mode, whose features the mask does not touch.
    pub mask: MaskUse,
    pub refine: Refine,
    /// Of each structure only the largest connected part is kept.
    pub largest_island: bool,
}

/// Labels, gap and uncertainty of one scan.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SegmentRequest {
    pub model: ModelPayload,
    pub scan: WireScan,
    pub modality: Modality,
    /// World position in mm whose slice is wanted first; answered by [`Event::SegmentedSlab`].
    pub first_world_mm: Option<[f64; 3]>,
    pub settings: SegmentSettings,
    pub device: DeviceChoice,
}

/// The scan in the style of the model's other modality, or on the way to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TranslateRequest {
    pub model: ModelPayload,
    pub scan: WireScan,
    pub modality: Modality,
    /// World position in mm whose slice is wanted first; answered by [`Event::TranslatedSlab`].
    pub first_world_mm: Option<[f64; 3]>,
    /// From the scan's own style (0) to that of the other modality (1), in the generator's style space.
    pub style: f32,
    pub device: DeviceChoice,
}

/// One network slice of a scan in any style: what a slider asks for while it is dragged. Whoever asks waits for each answer
/// before asking again, so that never more than one waits here.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StyleRequest {
    /// Tells one pair of scan and model from another; chosen by whoever asks.
    pub subject: u64,
    /// Scan and model, with the first request about them only: the engine keeps those of the last subject.
    pub sent: Option<Box<StyleSubject>>,
    /// Whose slice is wanted, mm in the scan's world.
    pub world_mm: [f64; 3],
    /// As in [`TranslateRequest`].
    pub style: f32,
    pub device: DeviceChoice,
}

/// What slices of any style are made of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StyleSubject {
    pub model: ModelPayload,
    pub scan: WireScan,
    pub modality: Modality,
}

/// Whether a translation keeps the anatomy: the scan is translated and back, and both ends are segmented.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AnatomyRequest {
    pub model: ModelPayload,
    /// A bundle for the same task and preprocessing whose adapted net is to segment both ends; `None`: a net of `model` does.
    pub judge: Option<Box<ModelPayload>>,
    pub scan: WireScan,
    pub modality: Modality,
    pub device: DeviceChoice,
}

/// One training run, on the engine's own files.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TrainRequest {
    /// The configuration file, verbatim (TOML); paths in it are absolute or relative to `base_dir`.
    pub config: String,
    pub base_dir: std::path::PathBuf,
    /// Where checkpoints, previews and at last the bundle go.
    pub out_dir: std::path::PathBuf,
    /// Go on from the last checkpoint in `out_dir`.
    pub resume: bool,
    pub device: DeviceChoice,
}

/// From the engine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Event {
    Hello(EngineInfo),
    Started {
        job: JobId,
        /// "CPU, 2 threads" or "CUDA 0".
        device: String,
    },
    Progress {
        job: JobId,
        /// For people: "segmenting", "translating", "refining", "style transfer", ...
        phase: String,
        done: u64,
        total: u64,
        /// Losses and the like, for people; may be empty.
        note: String,
    },
    /// The slice asked for first: a grid one network slice thick, placed in the scan's world.
    SegmentedSlab {
        job: JobId,
        labels: WireLabels,
        gap: WireVolume,
    },
    TranslatedSlab {
        job: JobId,
        synthetic: WireVolume,
    },
    Segmented {
        job: JobId,
        result: Box<Segmentation>,
    },
    Translated {
        job: JobId,
        result: Box<Translation>,
    },
    StyledSlice {
        job: JobId,
        /// As it was asked for.
        style: f32,
        /// A grid one network slice thick, placed in the scan's world; intensities as in [`Translation`].
        synthetic: WireVolume,
    },
    AnatomyChecked {
        job: JobId,
        result: Box<AnatomyCheck>,
    },
    Trained {
        job: JobId,
        bundle_dir: std::path::PathBuf,
        card: Box<Card>,
    },
    Cancelled {
        job: JobId,
    },
    Failed {
        job: JobId,
        error: JobError,
    },
}

impl Event {
    /// The job this is about; `None` for the hello.
    pub fn job(&self) -> Option<JobId> {
        match self {
            Event::Hello(_) => None,
            Event::Started { job, .. }
            | Event::Progress { job, .. }
            | Event::SegmentedSlab { job, .. }
            | Event::TranslatedSlab { job, .. }
            | Event::Segmented { job, .. }
            | Event::Translated { job, .. }
            | Event::StyledSlice { job, .. }
            | Event::AnatomyChecked { job, .. }
            | Event::Trained { job, .. }
            | Event::Cancelled { job }
            | Event::Failed { job, .. } => Some(*job),
        }
    }

    /// Whether nothing more comes for its job.
    pub fn ends_job(&self) -> bool {
        matches!(
            self,
            Event::Segmented { .. }
                | Event::Translated { .. }
                | Event::StyledSlice { .. }
                | Event::AnatomyChecked { .. }
                | Event::Trained { .. }
                | Event::Cancelled { .. }
                | Event::Failed { .. }
        )
    }
}

/// What the engine says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineInfo {
    pub protocol: u32,
    /// The program version it was built as.
    pub program: String,
    /// "2.11.0".
    pub libtorch: String,
    /// What `DeviceChoice::Auto` means here: "CPU, 2 threads" or "CUDA 0".
    pub device: String,
    /// Why there is no GPU, or what was found of one.
    pub cuda: String,
}

/// All that a segmentation yields; every volume is meant for the scan's own grid, on which gap and uncertainty are not a number
/// where the networks did not look.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Segmentation {
    pub labels: WireLabels,
    /// a(p) of the local feature mask, 0..1.
    pub gap: WireVolume,
    /// Normalised entropy of the class probabilities, 0..1.
    pub uncertainty: WireVolume,
    pub seconds: f64,
    /// Network slices of the scan; those that hold only air are counted and not computed.
    pub slices: u64,
    pub device: String,
    /// What the refinement did, structure by structure in the order of the task's table; empty where there was none.
    pub refinement: Vec<Refinement>,
    pub warnings: Vec<String>,
}

/// Whether a structure was refined, or left as the net drew it, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefinementVerdict {
    Refined,
    /// The net is sure of it.
    Sure,
    /// The refinement found nothing better, or another tissue.
    Kept,
}

/// What became of one structure when labels were refined.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Refinement {
    pub label: u16,
    /// Mean normalised entropy of the class probabilities where the net drew the structure, 0..1; 0 where it drew none.
    pub doubt: f64,
    pub verdict: RefinementVerdict,
    /// Volume after less volume before, at the networks' resolution; `None` where the voxel size is unknown.
    pub change_ml: Option<f64>,
}

/// All that a translation yields, on the scan's own grid.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Translation {
    /// In synthetic HU or in the target's relative intensity x 1000; in a style below 1 on the same scale, but neither.
    pub synthetic: WireVolume,
    /// The modality the result imitates.
    pub imitates: Modality,
    /// Mean agreement of gradient orientations between scan and synthesis, 0..1: an anatomy check, not a proof.
    pub edge_agreement: f64,
    pub seconds: f64,
    pub slices: u64,
    pub device: String,
    pub warnings: Vec<String>,
}

/// What is measured of a translation's anatomy; it is compared and put into words by whoever asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AnatomyCheck {
    /// Agreement of edges at each voxel of the network's grid, 0..1; NaN where there is no edge.
    pub edge_map: WireVolume,
    /// As in [`Translation`].
    pub edge_agreement: f64,
    /// Of the scan, on its own grid.
    pub scan_labels: WireLabels,
    /// Of the scan translated and back, on the same grid.
    pub cycle_labels: WireLabels,
    /// The net that drew both, of the judge's bundle where one was named; else of the model's, its source-only one where the scan
    /// is of the model's source modality.
    pub net: Net,
    pub seconds: f64,
    pub slices: u64,
    pub device: String,
    pub warnings: Vec<String>,
}

/// Why a job failed, fit to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobError {
    /// One sentence: what failed, expected, got.
    pub message: String,
    /// What the user can do.
    pub remedy: String,
    /// The chain of causes, for the details fold.
    pub details: String,
}
