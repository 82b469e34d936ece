//! Phantoms: unpaired CT-like and MR-like volumes with labels, made from nothing but a seed.
//!
//! Anatomy comes first: a body is drawn as tissues (implicit shapes in millimetres, displaced smoothly), then imaged as
//! CT or MR. The same seed, task and grid give the same bits on every machine and with any number of threads. Modalities
//! are unpaired because cases of different modality are given different seeds; one seed gives one body in both.

mod abdomen;
mod ct;
mod field_of_view;
mod heart;
mod imaging;
mod mr;
mod random;
mod scene;
mod shapes;
mod skeleton;
mod tissue;
mod torso;

pub use tissue::Tissue;

pub use crate::config::train::CardiacView;
use crate::config::train::{CtPhase, MrSequence, PhantomSource};
use crate::volume::{Geometry, GeometryError, LabelMap, Modality, Scaling, Scan, Task, Volume, Voxels};
use random::{Draw, Stream};
use scene::{Body, Samples};
use thiserror::Error;

/// Raised whenever the same seed gives another volume: figures measured on phantoms are comparable within one version.
pub const GENERATOR_VERSION: u32 = 2;

/// How much of the body is in the field of view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Coverage {
    /// Drawn from the seed: from a slab of 60 mm to abdomen and pelvis, sometimes with the sides cut off.
    #[default]
    Varied,
    /// All structures of the task, whole.
    Whole,
}

/// What to make.
#[derive(Debug, Clone, PartialEq)]
pub struct PhantomSpec {
    pub task: Task,
    pub modality: Modality,
    pub seed: u64,
    /// Distance between voxel centres along i, j, k.
    pub spacing_mm: [f64; 3],
    pub coverage: Coverage,
    /// For hearts only.
    pub view: CardiacView,
    /// Hearts only: instead of in the middle of a chest of usual depth, the heart lies anywhere that hearts lie, mostly against
    /// the breastbone, turned by up to 25 degrees, in chests from flat to deep.
    pub varied_posture: bool,
    /// The label whose contrast flips between the modalities while all others keep theirs, for measuring local
    /// imbalance: CT is then drawn as ever, and MR as a mildly changed CT in which only that structure is dark.
    pub contrast_flip: Option<u16>,
    /// How it was scanned, whichever of the two its modality asks for; `None` draws from the seed. A flipped contrast
    /// decides both by itself.
    pub ct_phase: Option<CtPhase>,
    pub mr_sequence: Option<MrSequence>,
}

impl PhantomSpec {
    /// A phantom with the task's usual voxels, view and a varied field of view.
    ///
    /// Abdomens have 3 mm voxels. Hearts are axial in CT (1.4 x 1.4 x 2 mm) and, by the seed, axial or short-axis
    /// (1.4 x 1.4 x 9 mm) in MR.
    pub fn new(task: Task, modality: Modality, seed: u64) -> Self {
        let short = task == Task::Cardiac && modality == Modality::Mr && !seed.is_multiple_of(2);
        let spec = Self {
            task,
            modality,
            seed,
            spacing_mm: [3.0; 3],
            coverage: Coverage::Varied,
            view: CardiacView::Axial,
            varied_posture: false,
            contrast_flip: None,
            ct_phase: None,
            mr_sequence: None,
        };
        spec.with_view(if short { CardiacView::ShortAxis } else { CardiacView::Axial })
    }

    /// One phantom of a configuration's source; `task` is the configuration's.
    pub fn of_source(source: &PhantomSource, task: Task, modality: Modality, seed: u64) -> Self {
        let usual = Self::new(source.body.unwrap_or(task), modality, seed);
        let viewed = match source.view {
            None => usual,
            Some(view) => usual.with_view(view),
        };
        Self {
            spacing_mm: source.spacing_mm.unwrap_or(viewed.spacing_mm),
            coverage: if source.whole { Coverage::Whole } else { Coverage::Varied },
            varied_posture: source.varied_posture,
            contrast_flip: source.contrast_flip,
            ct_phase: source.ct_phase,
            mr_sequence: source.mr_sequence,
            ..viewed
        }
    }

    /// The same with another view, and the voxels that are usual for it.
    #[must_use]
    pub fn with_view(self, view: CardiacView) -> Self {
        let spacing_mm = match (self.task, view) {
            (Task::Abdomen, _) => [3.0; 3],
            (Task::Cardiac, CardiacView::ShortAxis) => [1.4, 1.4, 9.0],
            (Task::Cardiac, CardiacView::Axial) => [1.4, 1.4, 2.0],
            (Task::Cardiac, CardiacView::Coronal) => [1.4, 4.0, 1.4],
        };
        Self { spacing_mm, view, ..self }
    }
}

/// A scan with everything that is known about it.
#[derive(Debug, Clone)]
pub struct Phantom {
    /// int16: HU for CT, arbitrary units for MR.
    pub scan: Scan,
    /// The task's own label values, on the scan's grid.
    pub labels: LabelMap,
    /// Stored values of [`Tissue`], on the scan's grid.
    pub tissues: Volume<u8>,
    pub spec: PhantomSpec,
}

/// Why a phantom could not be made.
#[derive(Debug, Error)]
pub enum PhantomError {
    #[error("spacing_mm: expected three sizes from 0.5 to 20 mm, got {0:?}")]
    Spacing([f64; 3]),
    #[error("contrast_flip: expected a label of the task {task}, got {label}")]
    ContrastFlip { label: u16, task: &'static str },
    #[error("contrast_flip: expected neither ct_phase nor mr_sequence beside it; got one")]
    FlippedProtocol,
    #[error("field of view: {0}")]
    Geometry(#[from] GeometryError),
    #[error("phantom: {what} has another number of voxels than its grid; this is a defect of the program")]
    Inconsistent { what: &'static str },
}

/// Makes the phantom a spec describes.
pub fn generate(spec: &PhantomSpec) -> Result<Phantom, PhantomError> {
    if !spec.spacing_mm.iter().all(|mm| (0.5..=20.0).contains(mm)) {
        return Err(PhantomError::Spacing(spec.spacing_mm));
    }
    if let Some(label) = spec.contrast_flip.filter(|label| spec.task.table().entry(*label).is_none()) {
        return Err(PhantomError::ContrastFlip { label, task: spec.task.name() });
    }
    if spec.contrast_flip.is_some() && (spec.ct_phase.is_some() || spec.mr_sequence.is_some()) {
        return Err(PhantomError::FlippedProtocol);
    }
    let mut anatomy = Draw::new(spec.seed, Stream::Anatomy);
    let body = match spec.task {
        Task::Abdomen => abdomen::sample(&mut anatomy),
        Task::Cardiac => {
            let mut posture = spec.varied_posture.then(|| Draw::new(spec.seed, Stream::Posture));
            heart::sample(&mut anatomy, posture.as_mut())
        }
    };
    let geometry = field_of_view::choose(spec, &body)?;
    let samples = scene::rasterise(&body.scene, &body.pose, &geometry);
    let (tissues, labels) = imaging::majority(&samples, spec.task);
    let stored = image(spec, &body, &samples, &geometry);
    let scan = Scan::new(Voxels::I16(stored), Scaling::IDENTITY, geometry.clone(), "phantom");
    Ok(Phantom {
        scan: scan.ok_or(PhantomError::Inconsistent { what: "scan" })?,
        labels: LabelMap::new(labels, geometry.clone())
            .ok_or(PhantomError::Inconsistent { what: "labels" })?,
        tissues: Volume::new(tissues, geometry).ok_or(PhantomError::Inconsistent { what: "tissues" })?,
        spec: spec.clone(),
    })
}

/// Images the tissues as the spec's modality would, as stored int16.
fn image(spec: &PhantomSpec, body: &Body, samples: &Samples, geometry: &Geometry) -> Vec<i16> {
    // CT and MR of one seed must not share their noise.
    let seed = spec.seed.wrapping_mul(2).wrapping_add(u64::from(spec.modality == Modality::Mr));
    let mut draw = Draw::new(seed, Stream::Contrast);
    let table = match (spec.modality, spec.contrast_flip) {
        (Modality::Ct, _) => ct::signals(&mut draw, spec.task, spec.ct_phase),
        (Modality::Mr, None) => mr::signals(&mut draw, spec.task, spec.mr_sequence),
        (Modality::Mr, Some(label)) => mr::flipped_ct_signals(&mut draw, spec.task, label),
    };
    let mut canvas = imaging::paint_signal(samples, &table, geometry, seed);
    match spec.modality {
        Modality::Ct => {
            ct::couch(&mut canvas, body, &mut draw);
            ct::degrade(&mut canvas, &mut draw);
        }
        Modality::Mr => {
            mr::degrade(&mut canvas, &mut draw, spec.task);
            if spec.task == Task::Cardiac && spec.view == CardiacView::ShortAxis {
                mr::round_field_of_view(&mut canvas, &mut draw);
            }
        }
    }
    canvas.values.iter().map(|v| v.round().clamp(-1024.0, 4095.0) as i16).collect()
}
