//! Phantoms: unpaired CT-like and MR-like volumes with labels, made from nothing but a seed.
//!
//! Anatomy comes first: a body is drawn as tissues (implicit shapes in millimetres, displaced smoothly), then imaged as
//! CT or MR. The same seed, task and grid give the same bits on every machine and with any number of threads. Modalities
//! are unpaired because cases of different modality are given different seeds; one seed gives one body in both.

mod abdomen;
mod ct;
mod imaging;
mod mr;
mod random;
mod scene;
mod shapes;
mod skeleton;
mod tissue;
mod torso;

pub use tissue::Tissue;

use crate::volume::{Geometry, GeometryError, LabelMap, Modality, Scaling, Scan, Task, Volume, Voxels};
use abdomen::Abdomen;
use glam::{Mat3, Vec3};
use imaging::Canvas;
use random::{Draw, Stream};
use thiserror::Error;

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
}

impl PhantomSpec {
    /// A phantom of the task's usual voxel size and a varied field of view.
    pub fn new(task: Task, modality: Modality, seed: u64) -> Self {
        Self { task, modality, seed, spacing_mm: [3.0; 3], coverage: Coverage::Varied }
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
    let body = abdomen::sample(&mut Draw::new(spec.seed, Stream::Anatomy));
    let geometry = field_of_view(spec, &body)?;
    let samples = scene::rasterise(&body.scene, &body.pose, &geometry);
    let (tissues, labels) = imaging::majority(&samples, spec.task);
    // CT and MR of one seed must not share their noise.
    let image_seed = spec.seed.wrapping_mul(2).wrapping_add(u64::from(spec.modality == Modality::Mr));
    let mut contrast = Draw::new(image_seed, Stream::Contrast);
    let canvas = match spec.modality {
        Modality::Ct => {
            let table = ct::signals(&mut contrast);
            let mut canvas = imaging::paint_signal(&samples, &table, &geometry, image_seed);
            couch(&mut canvas, &body, &mut contrast);
            ct::degrade(&mut canvas, &mut contrast);
            canvas
        }
        Modality::Mr => {
            let table = mr::signals(&mut contrast);
            let mut canvas = imaging::paint_signal(&samples, &table, &geometry, image_seed);
            mr::degrade(&mut canvas, &mut contrast);
            canvas
        }
    };
    let stored = canvas.values.iter().map(|v| v.round().clamp(-1024.0, 4095.0) as i16).collect();
    let scan = Scan::new(Voxels::I16(stored), Scaling::IDENTITY, geometry.clone(), "phantom");
    Ok(Phantom {
        scan: scan.ok_or(PhantomError::Inconsistent { what: "scan" })?,
        labels: LabelMap::new(labels, geometry.clone())
            .ok_or(PhantomError::Inconsistent { what: "labels" })?,
        tissues: Volume::new(tissues, geometry).ok_or(PhantomError::Inconsistent { what: "tissues" })?,
        spec: spec.clone(),
    })
}

/// The grid: an axis-aligned box round the part of the body that is scanned.
fn field_of_view(spec: &PhantomSpec, body: &Abdomen) -> Result<Geometry, PhantomError> {
    let mut draw = Draw::new(spec.seed, Stream::FieldOfView);
    let [low_z, high_z] = match spec.coverage {
        Coverage::Whole => [-125.0, 125.0],
        Coverage::Varied if draw.chance(0.35) => [draw.range(-262.0, -140.0), draw.range(70.0, 135.0)],
        Coverage::Varied if draw.chance(0.45) => [draw.range(-130.0, -80.0), draw.range(60.0, 130.0)],
        Coverage::Varied => {
            let (centre, half) = (draw.range(-40.0, 30.0), draw.range(30.0, 75.0));
            [centre - half, centre + half]
        }
    };
    let margin = match spec.coverage {
        Coverage::Whole => Vec3::new(14.0, 14.0, 0.0),
        Coverage::Varied => Vec3::new(draw.range(-14.0, 28.0), draw.range(-4.0, 28.0), 0.0),
    };
    let widest = (0..=8)
        .map(|step| body.torso.outline_mm(low_z + (high_z - low_z) * step as f32 / 8.0))
        .fold(glam::Vec2::ZERO, glam::Vec2::max);
    let centre = Vec3::new(0.0, body.torso.centre_y(0.5 * (low_z + high_z)), 0.5 * (low_z + high_z));
    let half = Vec3::new(widest.x, widest.y, 0.5 * (high_z - low_z));
    let world_from_body: Mat3 = body.pose.body_from_world.inverse();
    let stretch = Vec3::new(
        world_from_body.x_axis.length(),
        world_from_body.y_axis.length(),
        world_from_body.z_axis.length(),
    );
    let middle = world_from_body * centre + body.pose.origin_mm;
    let reach = half * stretch + margin;
    let dims = [0, 1, 2].map(|a| (2.0 * f64::from(reach[a]) / spec.spacing_mm[a]).ceil().max(1.0) as usize);
    let origin = [0, 1, 2].map(|a| f64::from(middle[a]) - 0.5 * (dims[a] as f64 - 1.0) * spec.spacing_mm[a]);
    Ok(Geometry::axis_aligned(dims, spec.spacing_mm, origin)?)
}

fn couch(canvas: &mut Canvas, body: &Abdomen, draw: &mut Draw) {
    let back = body.torso.centre_y(0.0) - body.torso.outline_mm(0.0).y;
    let world_from_body = body.pose.body_from_world.inverse();
    let touch = world_from_body * Vec3::new(0.0, back, 0.0) + body.pose.origin_mm;
    let gap_mm = draw.range(2.0, 14.0);
    ct::couch(canvas, draw, touch.y - gap_mm, touch.x);
}
