//! What scanners do to a picture: blur, coarse sampling, uneven sensitivity, noise, another brightness curve.

use super::case::SmoothField;
use super::normal;
use rand::Rng;

/// Degrades a synthetic or restyled slice in place and scales it to 0..1 between its percentiles.
pub fn degrade(rng: &mut impl Rng, image: &mut Vec<f32>, size: [usize; 2]) {
    if rng.random_bool(0.6) {
        let sigma = rng.random_range(0.0..1.0);
        *image = blur(image, size, sigma);
    }
    if rng.random_bool(0.25) {
        lower_resolution(image, size, rng.random_range(1.0..2.5), rng.random_bool(0.5));
    }
    let bias_sd = rng.random_range(0.0..0.35);
    let side = rng.random_range(2..=4);
    let bias = SmoothField::draw(rng, side, bias_sd).over(size);
    for (value, bias) in image.iter_mut().zip(bias) {
        *value *= bias.exp();
    }
    add_noise(rng, image);
    rescale(image);
    let gamma = (0.25 * normal(rng)).exp();
    image.iter_mut().for_each(|value| *value = value.max(0.0).powf(gamma));
}

/// Makes a slice darker as a whole, down to a third: slices of one volume share one scale, and those far from the coil, or beside
/// bright fat, lie far below its top.
pub fn dim(rng: &mut impl Rng, image: &mut [f32]) {
    let gain = rng.random_range(DARKEST.ln()..0.0).exp();
    image.iter_mut().for_each(|value| *value *= gain);
}

/// The least that [`dim`] leaves.
const DARKEST: f32 = 0.3;

/// Small changes that leave a real image recognisable as its own modality: noise and gamma.
pub fn perturb(rng: &mut impl Rng, image: &mut [f32]) {
    let sd = rng.random_range(0.0..0.03);
    let gamma = (0.15 * normal(rng)).exp();
    for value in image.iter_mut() {
        *value = (*value + sd * normal(rng)).max(0.0).powf(gamma);
    }
}

fn add_noise(rng: &mut impl Rng, image: &mut [f32]) {
    let sd = rng.random_range(0.0..0.06);
    let rician = rng.random_bool(0.5);
    for value in image.iter_mut() {
        *value = if rician {
            (*value + sd * normal(rng)).hypot(sd * normal(rng))
        } else {
            (*value + sd * normal(rng)).max(0.0)
        };
    }
}

/// 99.5th percentile to 1, 1st percentile to 0 (where it is above 0).
fn rescale(image: &mut [f32]) {
    let mut sorted = image.to_vec();
    let last = sorted.len() - 1;
    let high = *sorted.select_nth_unstable_by(last * 995 / 1000, f32::total_cmp).1;
    let low = *sorted.select_nth_unstable_by(last / 100, f32::total_cmp).1;
    let scale = 1.0 / (high - low).max(1e-3);
    image.iter_mut().for_each(|value| *value = ((*value - low) * scale).clamp(0.0, 1.3));
}

/// Gaussian blur of standard deviation `sigma` pixels.
pub fn blur(image: &[f32], [width, height]: [usize; 2], sigma: f32) -> Vec<f32> {
    let radius = (2.5 * sigma).ceil() as isize;
    if radius == 0 {
        return image.to_vec();
    }
    let weights: Vec<f32> = (-radius..=radius).map(|d| (-0.5 * (d as f32 / sigma).powi(2)).exp()).collect();
    let total: f32 = weights.iter().sum();
    let pass = |from: &[f32], length: usize, stride: usize, index: &dyn Fn(usize) -> usize| -> Vec<f32> {
        (0..from.len())
            .map(|offset| {
                let position = index(offset);
                let sum: f32 = weights
                    .iter()
                    .enumerate()
                    .map(|(w, weight)| {
                        let moved = (position as isize + w as isize - radius).clamp(0, length as isize - 1);
                        weight
                            * from[(offset as isize + (moved - position as isize) * stride as isize) as usize]
                    })
                    .sum();
                sum / total
            })
            .collect()
    };
    let across = pass(image, width, 1, &|offset| offset % width);
    pass(&across, height, width, &|offset| offset / width)
}

/// Samples one axis `factor` times more coarsely and stretches it back, linearly.
fn lower_resolution(image: &mut [f32], [width, height]: [usize; 2], factor: f32, along_rows: bool) {
    let (length, stride, lines, line_stride) =
        if along_rows { (width, 1, height, width) } else { (height, width, width, 1) };
    let mut line = vec![0.0; length];
    for l in 0..lines {
        for (position, value) in line.iter_mut().enumerate() {
            *value = image[l * line_stride + position * stride];
        }
        for position in 0..length {
            let coarse = position as f32 / factor;
            let sample = |index: f32| line[((index * factor).round() as usize).min(length - 1)];
            let t = coarse.fract();
            image[l * line_stride + position * stride] =
                sample(coarse.floor()) * (1.0 - t) + sample(coarse.floor() + 1.0) * t;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn a_dimmed_slice_is_darker_everywhere_alike_and_never_black() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let mut gains = Vec::new();
        for _ in 0..50 {
            let mut image = vec![0.0, 0.2, 1.0];
            dim(&mut rng, &mut image);
            assert!(image[0] == 0.0 && (image[1] - 0.2 * image[2]).abs() < 1e-6);
            gains.push(image[2]);
        }
        assert!(gains.iter().all(|gain| (0.3..1.0).contains(gain)), "{gains:?}");
        assert!(gains.iter().any(|gain| *gain < 0.4) && gains.iter().any(|gain| *gain > 0.9), "{gains:?}");
    }
}
