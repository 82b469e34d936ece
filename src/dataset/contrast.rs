//! New contrasts for known anatomy: painting a tissue map with random intensities, and restyling a real slice.
//!
//! A net that has seen every contrast looks for shape and place, not for brightness; that is what carries its labels
//! across modalities. The ranges follow the recipe that was measured (see the training presets).

use super::case::{Sample, SmoothField};
use super::normal;
use super::phantom::Tissue;
use super::short_axis::Trabeculae;
use rand::Rng;
use rand::seq::IndexedRandom;

/// Tissue classes that may shrink, so that fat appears around organs of a lean source.
const ORGANS: [&[Tissue]; 4] = [
    &[Tissue::Liver, Tissue::LiverVessel, Tissue::LiverLesion],
    &[Tissue::RightKidneyCortex, Tissue::RightKidneyMedulla],
    &[Tissue::LeftKidneyCortex, Tissue::LeftKidneyMedulla],
    &[Tissue::Spleen],
];
/// Classes that some bodies show as fat.
const REPLACEABLE: [Tissue; 6] = [
    Tissue::BowelContent,
    Tissue::Stool,
    Tissue::StomachContent,
    Tissue::Pancreas,
    Tissue::Muscle,
    Tissue::BowelWall,
];

/// Tissues that look alike with some probability.
const TIES: [(&[Tissue], f32, f32); 11] = [
    (&[Tissue::RightKidneyCortex, Tissue::LeftKidneyCortex], 1.0, 0.0),
    (&[Tissue::RightKidneyMedulla, Tissue::LeftKidneyMedulla], 1.0, 0.0),
    (&[Tissue::RightKidneyCortex, Tissue::RightKidneyMedulla], 0.6, 0.05),
    (&[Tissue::LeftKidneyCortex, Tissue::LeftKidneyMedulla], 0.6, 0.05),
    (&[Tissue::Liver, Tissue::LiverLesion], 0.5, 0.05),
    (&[Tissue::SubcutaneousFat, Tissue::VisceralFat, Tissue::RenalSinus, Tissue::EpicardialFat], 0.85, 0.03),
    (&[Tissue::Aorta, Tissue::VenaCava, Tissue::PortalVein, Tissue::LiverVessel], 0.5, 0.03),
    (&[Tissue::LeftVentricle, Tissue::LeftAtrium, Tissue::AscendingAorta, Tissue::PulmonaryVein], 0.8, 0.04),
    (&[Tissue::RightVentricle, Tissue::RightAtrium, Tissue::PulmonaryArtery], 0.7, 0.05),
    (
        &[Tissue::BowelWall, Tissue::StomachWall, Tissue::ColonWall, Tissue::BladderWall, Tissue::Oesophagus],
        0.7,
        0.05,
    ),
    (&[Tissue::Myocardium, Tissue::HeartWall], 0.7, 0.03),
];

/// Shrinks organs and drops classes into fat, in tissues and labels alike (probability 0.6).
pub fn vary_anatomy(rng: &mut impl Rng, sample: &mut Sample, size: [usize; 2]) {
    if !rng.random_bool(0.6) {
        return;
    }
    let fat = Tissue::VisceralFat as u8;
    for tissue in REPLACEABLE {
        if rng.random_bool(if tissue == Tissue::Muscle { 0.05 } else { 0.35 }) {
            sample.tissues.iter_mut().filter(|t| **t == tissue as u8).for_each(|t| *t = fat);
        }
    }
    for organ in ORGANS {
        let drop = rng.random_bool(0.08);
        let layers = rng.random_range(0..=3usize);
        let mask: Vec<bool> = sample.tissues.iter().map(|&t| organ.iter().any(|o| *o as u8 == t)).collect();
        let depth = super::anatomy::depth_below(&mask, [size[0], size[1], 1], layers + 2);
        for offset in 0..mask.len() {
            if mask[offset] && (drop || depth[offset] <= layers) {
                sample.tissues[offset] = fat;
                sample.labels[offset] = 0;
            }
        }
    }
}

/// Lines the cavity of the left ventricle with trabeculae, in the picture and among the tissues: a layer of up to 7 mm along the
/// wall, from a few spots to a whole lining. The labels stay, for readers count trabeculae as cavity (Schulz-Menger et al.,
/// J Cardiovasc Magn Reson 22:19, 2020), and nets that have seen smooth walls alone take them for wall.
pub fn trabeculate(rng: &mut impl Rng, sample: &mut Sample, size: [usize; 2], pixel_mm: f32) {
    let layers = (rng.random_range(0.0..7.0) / pixel_mm).round() as usize;
    let trabeculae = Trabeculae::draw(rng, size);
    let blood_share = trabecular_blood(rng);
    let mean_of = |tissue: Tissue| {
        let values = sample.image.iter().zip(&sample.tissues).filter(|(_, t)| **t == tissue as u8);
        let (sum, count) = values.fold((0.0, 0u32), |(sum, count), (value, _)| (sum + value, count + 1));
        (count > 0).then(|| sum / count as f32)
    };
    let (Some(blood), Some(muscle)) = (mean_of(Tissue::LeftVentricle), mean_of(Tissue::Myocardium)) else {
        return;
    };
    let off_wall: Vec<bool> = sample.tissues.iter().map(|t| *t != Tissue::Myocardium as u8).collect();
    let away = super::anatomy::depth_below(&off_wall, [size[0], size[1], 1], layers + 1);
    let shift = (1.0 - blood_share) * (muscle - blood);
    for (offset, tissue) in sample.tissues.iter_mut().enumerate() {
        let lining = *tissue == Tissue::LeftVentricle as u8 && away[offset] <= layers;
        if lining && trabeculae.fill(offset) {
            *tissue = Tissue::Papillary as u8;
            sample.image[offset] = (sample.image[offset] + shift).max(0.0);
        }
    }
}

/// How much of a layer of trabeculae looks like blood: a slice is thicker than a trabecula, and shows a mixture of both.
fn trabecular_blood(rng: &mut impl Rng) -> f32 {
    if rng.random_bool(0.7) { rng.random_range(0.0..0.7) } else { 0.0 }
}

/// Mean intensity of every tissue, by stored value.
pub struct Palette(Vec<f32>);

impl Palette {
    /// Any contrast: means in [0, 1], some tissues alike.
    pub fn any(rng: &mut impl Rng) -> Self {
        let mut means: Vec<f32> = Tissue::ALL.iter().map(|_| rng.random_range(0.0..1.0)).collect();
        for (group, probability, jitter) in TIES {
            if rng.random::<f32>() < probability {
                let common = means[group[0] as usize];
                for &tissue in &group[1..] {
                    means[tissue as usize] = common + rng.random_range(-1.0..1.0) * jitter;
                }
            }
        }
        let mut set = |tissue: Tissue, probability: f64, value: f32| {
            if rng.random_bool(probability) {
                means[tissue as usize] = value;
            }
        };
        set(Tissue::Gas, 0.8, 0.03);
        set(Tissue::Airway, 0.8, 0.02);
        set(Tissue::Lung, 0.7, 0.06);
        set(Tissue::Air, 0.8, 0.0);
        Self(means)
    }

    /// Hearts as cine MR and most CT with contrast medium show them: blood brighter than muscle, lung dark.
    pub fn bright_blood(rng: &mut impl Rng) -> Self {
        let mut palette = Self::any(rng);
        let blood = rng.random_range(0.5..1.1);
        let muscle = blood * rng.random_range(0.18..0.68);
        for tissue in LEFT_BLOOD {
            palette.0[tissue as usize] = blood * rng.random_range(0.92..1.08);
        }
        for tissue in RIGHT_BLOOD {
            palette.0[tissue as usize] = blood * rng.random_range(0.75..1.15);
        }
        for tissue in HEART_MUSCLE {
            palette.0[tissue as usize] = muscle + rng.random_range(-0.03..0.03);
        }
        palette.0[Tissue::Papillary as usize] += trabecular_blood(rng) * (blood - muscle);
        palette.0[Tissue::Lung as usize] = rng.random_range(0.0..0.15);
        palette.0[Tissue::Liver as usize] = rng.random_range(0.1..0.6);
        palette.0[Tissue::Muscle as usize] = rng.random_range(0.1..0.5);
        palette
    }

    /// Hearts as CT without contrast medium shows them: blood, muscle and liver nearly alike, fat darker, bone brighter.
    pub fn unenhanced(rng: &mut impl Rng) -> Self {
        let mut palette = Self::any(rng);
        let soft = rng.random_range(0.3..0.7);
        // In some scans nothing but fat and the outline tells the chambers apart.
        let spread = rng.random_range(0.0..0.06);
        let alike = LEFT_BLOOD.iter().chain(&RIGHT_BLOOD).chain(&HEART_MUSCLE);
        for tissue in alike.chain(&[Tissue::Aorta, Tissue::VenaCava, Tissue::Muscle, Tissue::Liver]) {
            palette.0[*tissue as usize] = soft + spread * rng.random_range(-1.0..1.0);
        }
        let fat = soft * rng.random_range(0.2..0.6);
        for tissue in [Tissue::SubcutaneousFat, Tissue::VisceralFat, Tissue::EpicardialFat] {
            palette.0[tissue as usize] = fat + rng.random_range(-0.03..0.03);
        }
        palette.0[Tissue::Lung as usize] = rng.random_range(0.0..0.08);
        palette.0[Tissue::CorticalBone as usize] = rng.random_range(0.9..1.2);
        palette
    }
}

/// Blood of the left and of the right side of the heart.
const LEFT_BLOOD: [Tissue; 4] =
    [Tissue::LeftVentricle, Tissue::LeftAtrium, Tissue::AscendingAorta, Tissue::PulmonaryVein];
const RIGHT_BLOOD: [Tissue; 3] = [Tissue::RightVentricle, Tissue::RightAtrium, Tissue::PulmonaryArtery];
const HEART_MUSCLE: [Tissue; 3] = [Tissue::Myocardium, Tissue::Papillary, Tissue::HeartWall];

/// Paints a tissue map: textures at three scales and gradients about the palette's means.
pub fn paint(rng: &mut impl Rng, tissues: &[u8], size: [usize; 2], palette: &Palette) -> Vec<f32> {
    let means = &palette.0;
    let textures: Vec<f32> = Tissue::ALL.iter().map(|_| rng.random_range(0.0..0.07)).collect();
    let gradients: Vec<(f32, SmoothField)> =
        Tissue::ALL.iter().map(|_| (0.1 * normal(rng), SmoothField::draw(rng, 3, 1.0))).collect();
    // Few tissues lie in one slice; only their gradients are worked out.
    let mut slopes: Vec<Option<Vec<f32>>> = vec![None; gradients.len()];
    let middle = SmoothField::draw(rng, 48, 0.8).over(size);
    let coarse = SmoothField::draw(rng, 16, 0.6).over(size);
    tissues
        .iter()
        .enumerate()
        .map(|(offset, &tissue)| {
            let class = usize::from(tissue).min(means.len() - 1);
            if class == Tissue::Air as usize && means[class] == 0.0 {
                return 0.0;
            }
            let noise = 0.7 * normal(rng) + middle[offset] + coarse[offset];
            let (steepness, field) = &gradients[class];
            let slope = slopes[class].get_or_insert_with(|| field.over(size));
            (means[class] + textures[class] * noise + steepness * slope[offset]).max(0.0)
        })
        .collect()
}

/// Restyles a real slice: a random intensity curve, random gain and offset of each organ, or the histogram of an
/// unlabelled target slice.
pub fn restyle(rng: &mut impl Rng, sample: &Sample, target_slices: &[Vec<f32>]) -> Vec<f32> {
    let equalised = equalise(&sample.image);
    let curve = Curve::draw(rng);
    let mut styled: Vec<f32> =
        sample.image.iter().zip(&equalised).map(|(v, e)| curve.at(0.5 * v.min(1.0) + 0.5 * e)).collect();
    if rng.random_bool(0.6) {
        let organs = usize::from(sample.labels.iter().copied().max().unwrap_or(0));
        for organ in 1..=organs {
            let (gain, shift) = ((0.3 * normal(rng)).exp(), rng.random_range(-0.4..0.4));
            for (value, _) in styled.iter_mut().zip(&sample.labels).filter(|(_, l)| usize::from(**l) == organ)
            {
                *value = (*value * gain + shift).max(0.0);
            }
        }
    }
    if rng.random_bool(0.3)
        && let Some(target) = target_slices.choose(rng)
    {
        styled = match_ranks(&styled, target);
    }
    if rng.random_bool(0.8) {
        for (value, &tissue) in styled.iter_mut().zip(&sample.tissues) {
            if tissue == Tissue::Air as u8 {
                *value = 0.0;
            }
        }
    }
    styled
}

/// A random curve only, for images without labels: the same picture under another contrast.
pub fn recolour(rng: &mut impl Rng, image: &[f32]) -> Vec<f32> {
    let curve = Curve::draw_monotone(rng);
    image.iter().map(|v| curve.at(v.min(1.0))).collect()
}

/// Cosine-interpolated knots over [0, 1].
struct Curve {
    knots: Vec<f32>,
}

impl Curve {
    fn draw(rng: &mut impl Rng) -> Self {
        if rng.random_bool(0.5) {
            let mut curve = Self::draw_monotone(rng);
            if rng.random_bool(0.5) {
                curve.knots.reverse();
            }
            return curve;
        }
        let count = rng.random_range(3..=7);
        Self { knots: (0..count).map(|_| rng.random_range(0.0..1.0)).collect() }
    }

    fn draw_monotone(rng: &mut impl Rng) -> Self {
        let count = rng.random_range(3..=7);
        let mut knots: Vec<f32> = (0..count).map(|_| rng.random_range(0.0..1.0)).collect();
        knots.sort_by(f32::total_cmp);
        Self { knots }
    }

    fn at(&self, value: f32) -> f32 {
        let position = value.clamp(0.0, 1.0) * (self.knots.len() - 1) as f32;
        let low = (position as usize).min(self.knots.len() - 2);
        let t = 0.5 - 0.5 * ((position - low as f32) * std::f32::consts::PI).cos();
        self.knots[low] * (1.0 - t) + self.knots[low + 1] * t
    }
}

/// Each pixel's rank among the pixels above zero, 0..1; zero stays zero.
fn equalise(image: &[f32]) -> Vec<f32> {
    let mut sorted: Vec<f32> = image.iter().copied().filter(|v| *v > 0.0).collect();
    sorted.sort_by(f32::total_cmp);
    let count = sorted.len().max(1) as f32;
    image
        .iter()
        .map(|v| if *v > 0.0 { sorted.partition_point(|s| s < v) as f32 / count } else { 0.0 })
        .collect()
}

/// Gives `image` the histogram of `target`: the r-th darkest pixel gets the r-th darkest intensity.
fn match_ranks(image: &[f32], target: &[f32]) -> Vec<f32> {
    let mut order: Vec<usize> = (0..image.len()).collect();
    order.sort_by(|&a, &b| image[a].total_cmp(&image[b]));
    let mut intensities = target.to_vec();
    intensities.sort_by(f32::total_cmp);
    let mut matched = vec![0.0; image.len()];
    for (rank, &offset) in order.iter().enumerate() {
        matched[offset] = intensities[rank * intensities.len() / image.len()];
    }
    matched
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn trabeculae_line_the_cavity_along_the_wall_and_change_no_label() {
        let size = [64, 64];
        let from_centre = |offset: usize| ((offset % 64) as f32 - 32.0).hypot((offset / 64) as f32 - 32.0);
        let ring = |offset: usize| match from_centre(offset) {
            r if r < 18.0 => (Tissue::LeftVentricle, 3, 0.9),
            r if r < 25.0 => (Tissue::Myocardium, 1, 0.3),
            _ => (Tissue::Lung, 0, 0.05),
        };
        let mut lined = 0;
        for seed in 0..20 {
            let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
            let pixels = || (0..64 * 64).map(ring);
            let before = Sample {
                image: pixels().map(|p| p.2).collect(),
                tissues: pixels().map(|p| p.0 as u8).collect(),
                labels: pixels().map(|p| p.1).collect(),
            };
            let mut after = before.clone();
            trabeculate(&mut rng, &mut after, size, 1.4);
            assert_eq!(after.labels, before.labels);
            for offset in 0..64 * 64 {
                let changed = after.tissues[offset] != before.tissues[offset];
                if changed {
                    lined += 1;
                    assert_eq!(after.tissues[offset], Tissue::Papillary as u8);
                    // 7 mm are 5 pixels.
                    let r = from_centre(offset);
                    assert!((11.0..18.0).contains(&r), "seed {seed}: {r} pixels from the centre");
                    assert!(
                        (0.29..0.9).contains(&after.image[offset]),
                        "seed {seed}: {}",
                        after.image[offset]
                    );
                } else {
                    assert_eq!(after.image[offset], before.image[offset], "seed {seed}");
                }
            }
        }
        assert!(lined > 500, "{lined} pixels of lining in twenty rings");
    }
}
