//! How a phantom looks in MR: relaxation times under a random sequence, bias field, Rician noise.

use super::ct;
use super::imaging::{Canvas, Signal, SignalTable};
use super::random::{Draw, SmoothField, exp, sin_cos_deg};
use super::tissue::Tissue;
use crate::config::train::MrSequence;
use crate::volume::Task;
use glam::Vec3;

/// What a tissue is to an MR scanner, at 1.5 T: T1 and T2 in ms, proton density of water, share of fat.
#[derive(Debug, Clone, Copy)]
struct Relaxation {
    t1_ms: f32,
    t2_ms: f32,
    density: f32,
    fat: f32,
}

/// A family of sequences with its settings drawn.
#[derive(Debug, Clone, Copy)]
enum Sequence {
    /// Spin echo or spoiled gradient echo, by effective repetition and echo time.
    Echo { tr_ms: f32, te_ms: f32, fat_gain: f32 },
    /// Balanced steady state.
    Balanced { flip_deg: f32, fat_gain: f32 },
    /// Gradient echo with water and fat out of phase: where both meet they cancel.
    Opposed { tr_ms: f32 },
}

/// Signals (about 0 to 1 before scaling) of every tissue in one scan, of a given family of sequences or one drawn.
pub(super) fn signals(draw: &mut Draw, task: Task, family: Option<MrSequence>) -> SignalTable {
    let sequence = sequence(draw, task, family);
    // Blood that flows gives more signal or none, depending on the sequence; drawn once a scan.
    let flow = match sequence {
        Sequence::Balanced { .. } => draw.range(0.8, 1.25),
        _ if draw.chance(0.5) => draw.range(0.05, 0.5),
        _ => draw.range(0.8, 1.6),
    };
    let agent = if draw.chance(0.3) { draw.range(0.3, 1.0) } else { 0.0 };
    let liver_iron = if draw.chance(0.2) { draw.range(0.45, 0.8) } else { 1.0 };
    Tissue::ALL
        .iter()
        .map(|&tissue| {
            let mut r = relaxation(tissue);
            r.t1_ms *= draw.normal(1.0, 0.08).clamp(0.75, 1.3) / (1.0 + agent * uptake(tissue));
            r.t2_ms *= draw.normal(1.0, 0.10).clamp(0.7, 1.35);
            if matches!(tissue, Tissue::Liver) {
                r.t2_ms *= liver_iron;
            }
            let gain = draw.normal(1.0, 0.10).clamp(0.7, 1.35);
            let moving = if flows(tissue) { flow } else { 1.0 };
            let mean = sequence.signal(r) * gain * moving;
            let (texture, grain) = variation(tissue);
            Signal { mean, texture: texture * mean, grain: grain * mean }
        })
        .collect()
}

/// Blur, coil shading, noise and the console's scaling to whole numbers.
pub(super) fn degrade(canvas: &mut Canvas, draw: &mut Draw, task: Task) {
    canvas.blur(draw.range(0.8, 1.8));
    let top = canvas.percentile(0.995).max(1e-3);
    let depth = draw.range(0.05, 0.32);
    let shading = SmoothField::new(draw.range(140.0, 280.0), draw.seed());
    let noise = draw.range(0.005, 0.03);
    let (steepness, towards) = surface_coil(draw, task);
    let centre = canvas.centre_mm();
    let scale = draw.range(250.0, 1800.0);
    canvas.apply(|value, p, white| {
        let shaded =
            (value / top).max(0.0) * exp(1.6 * depth * shading.at(p) + steepness * (p - centre).dot(towards));
        let (real, imaginary) = (shaded + noise * white.noise(), noise * white.noise());
        (real * real + imaginary * imaginary).sqrt() * scale
    });
}

/// How much brighter it gets towards a coil on the chest: log signal a mm, and the direction. Often strong in hearts.
fn surface_coil(draw: &mut Draw, task: Task) -> (f32, Vec3) {
    let strongest = if task == Task::Cardiac && draw.chance(0.7) { 0.008 } else { 0.0015 };
    let towards = Vec3::new(-0.4, 1.0, 0.0) + draw.offset(Vec3::splat(0.5));
    (draw.range(0.0, strongest), towards.normalize())
}

/// Where a flipped structure ends up in the window of [`flipped_ct_signals`], of which fat has about 0.15.
const FLIPPED: f32 = 0.04;

/// Everything as a window of native CT would show it, slightly changed, but one structure, which stood out bright from fat,
/// stands out dark from it. (Inverted within the window it would be as bright as fat, and could not be seen at all.)
pub(super) fn flipped_ct_signals(draw: &mut Draw, task: Task, label: u16) -> SignalTable {
    let mut table = ct::native_signals();
    for (signal, tissue) in table.iter_mut().zip(Tissue::ALL) {
        let windowed = ((signal.mean + 160.0) / 400.0).clamp(0.0, 1.0);
        let kept = (windowed * draw.normal(1.0, 0.03)).clamp(0.0, 1.0);
        let mean = if tissue.label(task) == label { FLIPPED } else { kept };
        *signal = Signal { mean, texture: signal.texture / 400.0, grain: signal.grain / 400.0 };
    }
    table
}

/// Black corners outside a circle, as some reconstructions leave them.
pub(super) fn round_field_of_view(canvas: &mut Canvas, draw: &mut Draw) {
    if !draw.chance(0.3) {
        return;
    }
    let centre = canvas.centre_mm();
    let [ni, nj, _] = canvas.geometry.dims();
    let [di, dj, _] = canvas.geometry.spacing_mm();
    let radius = 0.5 * (ni as f32 * di as f32).min(nj as f32 * dj as f32);
    let affine = canvas.geometry.world_from_voxel();
    let normal = affine.z_axis.truncate().normalize().as_vec3();
    canvas.apply(|value, p, _| {
        let offset = p - centre;
        let in_plane = offset - normal * offset.dot(normal);
        if in_plane.length() > radius { 0.0 } else { value }
    });
}

fn sequence(draw: &mut Draw, task: Task, family: Option<MrSequence>) -> Sequence {
    use MrSequence::{Balanced, T1, T1FatSuppressed, T1Opposed, T2, T2FatSuppressed};
    // Hearts are mostly scanned in balanced steady state.
    let drawn = if task == Task::Cardiac && draw.chance(0.6) {
        Balanced
    } else {
        [T1, T2, T2FatSuppressed, Balanced, T1FatSuppressed, T1Opposed][draw.index(6)]
    };
    match family.unwrap_or(drawn) {
        T1 => Sequence::Echo { tr_ms: draw.range(110.0, 420.0), te_ms: draw.range(2.0, 8.0), fat_gain: 1.0 },
        T2 => Sequence::Echo {
            tr_ms: draw.range(1800.0, 5000.0),
            te_ms: draw.range(60.0, 110.0),
            fat_gain: draw.range(1.2, 2.2),
        },
        T2FatSuppressed => Sequence::Echo {
            tr_ms: draw.range(1600.0, 4000.0),
            te_ms: draw.range(55.0, 100.0),
            fat_gain: draw.range(0.05, 0.25),
        },
        T1FatSuppressed => Sequence::Echo {
            tr_ms: draw.range(110.0, 420.0),
            te_ms: draw.range(2.0, 6.0),
            fat_gain: draw.range(0.05, 0.3),
        },
        Balanced => Sequence::Balanced { flip_deg: draw.range(45.0, 75.0), fat_gain: draw.range(0.6, 1.2) },
        T1Opposed => Sequence::Opposed { tr_ms: draw.range(110.0, 260.0) },
    }
}

impl Sequence {
    fn signal(self, r: Relaxation) -> f32 {
        let fat = Relaxation { t1_ms: 290.0, t2_ms: 75.0, density: 1.0, fat: 1.0 };
        let of = |r: Relaxation| match self {
            Sequence::Echo { tr_ms, te_ms, .. } => {
                r.density * (1.0 - exp(-tr_ms / r.t1_ms)) * exp(-te_ms / r.t2_ms)
            }
            Sequence::Balanced { flip_deg, .. } => {
                let (sin, cos) = sin_cos_deg(flip_deg);
                let ratio = r.t1_ms / r.t2_ms;
                r.density * sin / ((ratio + 1.0) - cos * (ratio - 1.0))
            }
            Sequence::Opposed { tr_ms } => r.density * (1.0 - exp(-tr_ms / r.t1_ms)),
        };
        let (water, lipid) = ((1.0 - r.fat) * of(r), r.fat * of(fat));
        match self {
            Sequence::Echo { fat_gain, .. } | Sequence::Balanced { fat_gain, .. } => water + lipid * fat_gain,
            Sequence::Opposed { .. } => (water - lipid).abs(),
        }
    }
}

fn flows(tissue: Tissue) -> bool {
    use Tissue::*;
    matches!(
        tissue,
        Aorta
            | VenaCava
            | PortalVein
            | LiverVessel
            | AscendingAorta
            | LeftVentricle
            | LeftAtrium
            | RightVentricle
            | RightAtrium
            | PulmonaryArtery
            | PulmonaryVein
    )
}

/// Relative shortening of T1 by contrast agent.
fn uptake(tissue: Tissue) -> f32 {
    use Tissue::*;
    match tissue {
        t if flows(t) => 4.0,
        RightKidneyCortex | LeftKidneyCortex | RightKidneyMedulla | LeftKidneyMedulla => 3.0,
        Spleen | Pancreas | Adrenal => 2.0,
        Liver => 1.4,
        BowelWall | StomachWall | ColonWall | Myocardium | HeartWall | Papillary => 1.2,
        LiverLesion => 0.8,
        Muscle | Skin | BladderWall | Oesophagus => 0.4,
        _ => 0.0,
    }
}

fn relaxation(tissue: Tissue) -> Relaxation {
    use Tissue::*;
    let (t1_ms, t2_ms, density, fat) = match tissue {
        Air | Gas | Airway | Coil => (1000.0, 50.0, 0.0, 0.0),
        Lung => (1100.0, 40.0, 0.12, 0.0),
        Skin => (800.0, 35.0, 0.6, 0.1),
        SubcutaneousFat => (900.0, 50.0, 0.8, 0.93),
        VisceralFat => (900.0, 50.0, 0.8, 0.90),
        EpicardialFat | RenalSinus => (1000.0, 60.0, 0.85, 0.78),
        Muscle => (1010.0, 42.0, 0.76, 0.03),
        CorticalBone => (900.0, 12.0, 0.06, 0.0),
        Marrow => (850.0, 48.0, 0.65, 0.45),
        Cartilage => (1050.0, 40.0, 0.65, 0.0),
        Disc => (1000.0, 85.0, 0.75, 0.0),
        SpinalCanal => (2200.0, 450.0, 0.95, 0.02),
        Oesophagus => (950.0, 50.0, 0.75, 0.05),
        Liver => (590.0, 47.0, 0.76, 0.04),
        LiverVessel | VenaCava | PortalVein | Aorta => (1400.0, 190.0, 0.86, 0.0),
        LiverLesion => (1250.0, 110.0, 0.85, 0.0),
        Gallbladder => (1700.0, 420.0, 0.95, 0.0),
        Spleen => (1060.0, 78.0, 0.84, 0.0),
        RightKidneyCortex | LeftKidneyCortex => (960.0, 86.0, 0.86, 0.0),
        RightKidneyMedulla | LeftKidneyMedulla => (1380.0, 92.0, 0.9, 0.0),
        RenalPelvis | KidneyCyst | Bladder => (2800.0, 900.0, 1.0, 0.0),
        Adrenal => (720.0, 65.0, 0.75, 0.15),
        Pancreas => (590.0, 48.0, 0.78, 0.08),
        StomachWall | BowelWall | ColonWall | BladderWall => (930.0, 58.0, 0.78, 0.03),
        StomachContent => (1600.0, 150.0, 0.85, 0.03),
        BowelContent => (1500.0, 160.0, 0.85, 0.02),
        Stool => (700.0, 55.0, 0.55, 0.08),
        Myocardium | Papillary | HeartWall => (1030.0, 52.0, 0.79, 0.01),
        AscendingAorta | LeftVentricle | LeftAtrium => (1440.0, 220.0, 0.86, 0.0),
        RightVentricle | RightAtrium | PulmonaryArtery | PulmonaryVein => (1420.0, 190.0, 0.86, 0.0),
    };
    Relaxation { t1_ms, t2_ms, density, fat }
}

/// Slow and voxel-wise variation relative to the tissue's mean.
fn variation(tissue: Tissue) -> (f32, f32) {
    use Tissue::*;
    match tissue {
        Stool => (0.35, 0.3),
        StomachContent | BowelContent => (0.25, 0.08),
        VisceralFat => (0.09, 0.03),
        SubcutaneousFat => (0.05, 0.02),
        Muscle => (0.12, 0.06),
        Pancreas | Marrow => (0.12, 0.08),
        LiverVessel | Aorta | VenaCava | PortalVein => (0.15, 0.05),
        _ => (0.06, 0.03),
    }
}
