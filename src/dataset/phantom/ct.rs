//! How a phantom looks in CT: Hounsfield units by contrast phase, correlated noise, cupping.

use super::imaging::{Canvas, Signal, SignalTable, blur_plane, gaussian};
use super::random::{Draw, Stream, lerp};
use super::scene::Body;
use super::tissue::Tissue;
use crate::config::train::CtPhase;
use crate::volume::Task;
use glam::Vec3;
use rayon::prelude::*;

/// HU of every tissue in one scan, of a given phase or one drawn.
pub(super) fn signals(draw: &mut Draw, task: Task, phase: Option<CtPhase>) -> SignalTable {
    use CtPhase::{Arterial, Native, Portal};
    // Hearts are mostly scanned while the contrast medium is in them.
    let drawn = match task {
        Task::Abdomen => [Native, Portal, Portal, Arterial][draw.index(4)],
        Task::Cardiac => [Native, Portal, Arterial, Arterial][draw.index(4)],
    };
    let phase = phase.unwrap_or(drawn);
    // The dose and the delay differ from patient to patient.
    let strength = draw.range(0.55, 1.15);
    let fatty_liver = if draw.chance(0.2) { draw.range(10.0, 45.0) } else { draw.range(-6.0, 6.0) };
    let oral_contrast = draw.chance(0.25).then(|| draw.range(100.0, 320.0));
    Tissue::ALL
        .iter()
        .map(|&tissue| {
            let (native, arterial, portal) = hounsfield(tissue);
            let enhanced = match phase {
                Native => native,
                Arterial => arterial,
                Portal => portal,
            };
            let mut mean = lerp(native, enhanced, strength) + draw.normal(0.0, spread(tissue));
            match tissue {
                Tissue::Liver | Tissue::LiverVessel => mean -= fatty_liver,
                Tissue::StomachContent | Tissue::BowelContent => mean = oral_contrast.unwrap_or(mean),
                _ => {}
            }
            Signal { mean, texture: texture(tissue), grain: grain(tissue) }
        })
        .collect()
}

/// HU of every tissue of the average patient without contrast medium.
pub(super) fn native_signals() -> SignalTable {
    let signal = |&tissue: &Tissue| Signal {
        mean: hounsfield(tissue).0,
        texture: texture(tissue),
        grain: grain(tissue),
    };
    Tissue::ALL.iter().map(signal).collect()
}

/// Blur of the scanner, then its noise.
pub(super) fn degrade(canvas: &mut Canvas, draw: &mut Draw) {
    canvas.blur(draw.range(0.9, 1.6));
    cupping(canvas, draw);
    noise(canvas, draw.range(6.0, 24.0), draw.range(0.5, 1.1));
}

/// The scanner's table under the patient: HU along a shallow arc, with a foam core.
pub(super) fn couch(canvas: &mut Canvas, body: &Body, draw: &mut Draw) {
    let back = body.torso.centre_y(0.0) - body.torso.outline_mm(0.0).y;
    let touch = body.pose.world_point(Vec3::new(0.0, back, 0.0));
    let (top_y_mm, centre_x_mm) = (touch.y - draw.range(2.0, 14.0), touch.x);
    let sag = draw.range(0.0006, 0.0016);
    let thickness = draw.range(14.0, 30.0);
    let shell = draw.range(-250.0, -60.0);
    canvas.apply(|value, p, _| {
        let x = p.x - centre_x_mm;
        let below = top_y_mm + sag * x * x - p.y;
        if value > -700.0 || x.abs() > 240.0 || below < 0.0 || below > thickness {
            value
        } else if below < 3.0 || below > thickness - 3.0 {
            shell
        } else {
            -920.0
        }
    });
}

/// Beam hardening left over after correction: the middle of the body reads a little low.
fn cupping(canvas: &mut Canvas, draw: &mut Draw) {
    let depth = draw.range(0.0, 10.0);
    let centre = canvas.centre_mm();
    canvas.apply(|value, p, _| {
        let r = (p - centre) * Vec3::new(1.0 / 170.0, 1.0 / 120.0, 0.0);
        let inside = (1.0 - r.length_squared()).max(0.0);
        if value < -700.0 { value } else { value - depth * inside }
    });
}

/// Noise with the correlation that a smooth reconstruction kernel leaves, stronger in the middle of the body.
fn noise(canvas: &mut Canvas, sd_hu: f32, correlation_voxels: f32) {
    let [ni, nj, _] = canvas.geometry.dims();
    let kernel = gaussian(correlation_voxels);
    // Blurring white noise along both axes scales its deviation by the kernel's sum of squares.
    let kept: f32 = kernel.iter().map(|w| w * w).sum();
    let kernels = [kernel.clone(), kernel];
    let seed = canvas.seed;
    canvas.values.par_chunks_mut(ni * nj).enumerate().for_each(|(k, slice)| {
        let mut draw = Draw::nth(seed, Stream::Noise, 2 * k as u64 + 1);
        let mut field: Vec<f32> = slice.iter().map(|_| draw.noise()).collect();
        blur_plane(&mut field, [ni, nj], &kernels);
        for (offset, (value, n)) in slice.iter_mut().zip(field).enumerate() {
            let x = (offset % ni) as f32 / ni as f32 - 0.5;
            let y = (offset / ni) as f32 / nj as f32 - 0.5;
            let local = 1.25 - 1.6 * (x * x + y * y);
            let air = if *value < -800.0 { 0.6 } else { 1.0 };
            *value += n / kept * sd_hu * local * air;
        }
    });
}

/// Mean HU without contrast medium, in the arterial and in the portal venous phase.
fn hounsfield(tissue: Tissue) -> (f32, f32, f32) {
    use Tissue::*;
    match tissue {
        Air => (-1000.0, -1000.0, -1000.0),
        Gas | Airway => (-930.0, -930.0, -930.0),
        Lung => (-830.0, -810.0, -810.0),
        Skin => (10.0, 18.0, 22.0),
        SubcutaneousFat => (-105.0, -105.0, -103.0),
        VisceralFat => (-98.0, -97.0, -95.0),
        EpicardialFat | RenalSinus => (-85.0, -80.0, -78.0),
        Muscle => (52.0, 56.0, 62.0),
        CorticalBone => (620.0, 620.0, 625.0),
        Marrow => (165.0, 170.0, 180.0),
        Cartilage => (105.0, 106.0, 108.0),
        Disc => (80.0, 82.0, 85.0),
        SpinalCanal => (30.0, 32.0, 34.0),
        Oesophagus => (36.0, 55.0, 62.0),
        Liver => (56.0, 68.0, 108.0),
        LiverVessel => (42.0, 75.0, 150.0),
        LiverLesion => (32.0, 60.0, 65.0),
        Gallbladder => (10.0, 11.0, 12.0),
        Spleen => (48.0, 105.0, 122.0),
        RightKidneyCortex | LeftKidneyCortex => (33.0, 165.0, 165.0),
        RightKidneyMedulla | LeftKidneyMedulla => (31.0, 70.0, 140.0),
        RenalPelvis | KidneyCyst | Bladder => (6.0, 7.0, 9.0),
        Adrenal => (18.0, 55.0, 60.0),
        Pancreas => (40.0, 95.0, 92.0),
        StomachWall => (40.0, 72.0, 82.0),
        StomachContent => (22.0, 22.0, 22.0),
        BowelWall => (38.0, 80.0, 90.0),
        BowelContent => (20.0, 24.0, 26.0),
        ColonWall => (36.0, 62.0, 76.0),
        Stool => (12.0, 14.0, 14.0),
        BladderWall => (34.0, 46.0, 56.0),
        Aorta | AscendingAorta => (42.0, 310.0, 155.0),
        VenaCava => (40.0, 75.0, 140.0),
        PortalVein => (41.0, 95.0, 162.0),
        Myocardium | Papillary | HeartWall => (46.0, 95.0, 112.0),
        LeftVentricle | LeftAtrium | PulmonaryVein => (41.0, 305.0, 152.0),
        RightVentricle | RightAtrium | PulmonaryArtery => (41.0, 230.0, 150.0),
        Coil => (-120.0, -120.0, -120.0),
    }
}

/// How much a tissue's mean differs between people, HU.
fn spread(tissue: Tissue) -> f32 {
    use Tissue::*;
    match tissue {
        Air => 0.0,
        CorticalBone => 120.0,
        Marrow => 60.0,
        Lung => 30.0,
        SubcutaneousFat | VisceralFat => 6.0,
        Stool | StomachContent | BowelContent => 18.0,
        KidneyCyst | Gallbladder => 8.0,
        _ => 6.0,
    }
}

fn texture(tissue: Tissue) -> f32 {
    use Tissue::*;
    match tissue {
        Air | Gas | Airway => 0.0,
        Stool => 90.0,
        StomachContent => 18.0,
        Marrow | CorticalBone => 60.0,
        Lung => 40.0,
        VisceralFat | RenalSinus | EpicardialFat => 12.0,
        Muscle | Pancreas => 8.0,
        _ => 5.0,
    }
}

fn grain(tissue: Tissue) -> f32 {
    use Tissue::*;
    match tissue {
        Stool => 140.0,
        StomachContent => 15.0,
        Marrow | CorticalBone => 50.0,
        Lung => 40.0,
        VisceralFat => 14.0,
        _ => 3.0,
    }
}
