//! Seeded draws, smooth random fields and the few transcendental functions phantoms need.
//!
//! Invariant: everything here is built from integer arithmetic, the four IEEE operations and square roots, whose results
//! are the same on every machine. The platform's own `exp` and `sin` are not, so they must not be used in phantoms.

use glam::Vec3;
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream of draws is for; streams of one seed are independent, so that adding a draw to one changes no other.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stream {
    Anatomy = 1,
    FieldOfView = 2,
    Contrast = 3,
    Artefacts = 4,
    Posture = 5,
    /// The first of one stream a slice.
    Noise = 1 << 20,
}

/// A seeded source of draws.
pub(super) struct Draw(ChaCha8Rng);

impl Draw {
    pub fn new(seed: u64, stream: Stream) -> Self {
        Self::nth(seed, stream, 0)
    }

    /// The `n`-th stream after `stream`.
    pub fn nth(seed: u64, stream: Stream, n: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream as u64 + n);
        Self(rng)
    }

    /// Uniform in [low, high).
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        let unit = (self.0.next_u32() >> 8) as f32 / (1u32 << 24) as f32;
        low + (high - low) * unit
    }

    /// Nearly normal (twelve uniforms), and never further than six deviations out.
    pub fn normal(&mut self, mean: f32, sd: f32) -> f32 {
        let sum: f32 = (0..12).map(|_| self.range(0.0, 1.0)).sum();
        mean + sd * (sum - 6.0)
    }

    /// Near zero mean, unit variance, four uniforms of 16 bits: for noise, where speed counts.
    pub fn noise(&mut self) -> f32 {
        let bits = self.0.next_u64();
        let sum = (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
        (sum as f32 / 65536.0 - 2.0) * 1.732_050_8
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f32) -> bool {
        self.range(0.0, 1.0) < p
    }

    /// One of `0..n`.
    pub fn index(&mut self, n: usize) -> usize {
        (self.range(0.0, n as f32) as usize).min(n.saturating_sub(1))
    }

    /// A vector with each coordinate uniform in [-reach, reach).
    pub fn offset(&mut self, reach: Vec3) -> Vec3 {
        Vec3::new(self.range(-reach.x, reach.x), self.range(-reach.y, reach.y), self.range(-reach.z, reach.z))
    }

    /// A unit vector.
    pub fn direction(&mut self) -> Vec3 {
        loop {
            let v = self.offset(Vec3::ONE);
            let length = v.length();
            if (0.1..=1.0).contains(&length) {
                return v / length;
            }
        }
    }

    /// A fresh seed for a [`SmoothField`].
    pub fn seed(&mut self) -> u32 {
        self.0.next_u32()
    }
}

/// Band-limited random field over space, in [-1, 1], with features of about `cell_mm`.
#[derive(Debug, Clone, Copy)]
pub(super) struct SmoothField {
    per_mm: f32,
    seed: u32,
}

impl SmoothField {
    pub fn new(cell_mm: f32, seed: u32) -> Self {
        Self { per_mm: 1.0 / cell_mm, seed }
    }

    /// Value at a point in mm.
    pub fn at(&self, p: Vec3) -> f32 {
        let q = p * self.per_mm;
        let base = q.floor();
        let f = q - base;
        let w = f * f * (Vec3::splat(3.0) - 2.0 * f);
        let (x, y, z) = (base.x as i32, base.y as i32, base.z as i32);
        let corner = |dx: i32, dy: i32, dz: i32| hash_unit(x + dx, y + dy, z + dz, self.seed);
        let edge = |dy, dz| lerp(corner(0, dy, dz), corner(1, dy, dz), w.x);
        let face = |dz| lerp(edge(0, dz), edge(1, dz), w.y);
        lerp(face(0), face(1), w.z)
    }
}

/// `a` at 0, `b` at 1.
pub(super) fn lerp(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// e^x by range reduction to |r| <= ln(2) / 2 and its Taylor series, to better than single precision.
pub(super) fn exp(x: f32) -> f32 {
    let scaled = f64::from(x.clamp(-80.0, 80.0)) * std::f64::consts::LOG2_E;
    let whole = scaled.round();
    let r = (scaled - whole) * std::f64::consts::LN_2;
    let series = (1..=10).rev().fold(1.0, |acc, n| 1.0 + acc * r / f64::from(n));
    let power = f64::from_bits(((whole as i64 + 1023) as u64) << 52);
    (series * power) as f32
}

/// Sine and cosine of an angle in degrees, by Taylor series on a quarter turn.
pub(super) fn sin_cos_deg(angle_deg: f32) -> (f32, f32) {
    let quarters = (f64::from(angle_deg) / 90.0).round();
    let x = (f64::from(angle_deg) - 90.0 * quarters) * (std::f64::consts::PI / 180.0);
    let x2 = x * x;
    let sin = x * (1.0 - x2 / 6.0 * (1.0 - x2 / 20.0 * (1.0 - x2 / 42.0 * (1.0 - x2 / 72.0))));
    let cos = 1.0 - x2 / 2.0 * (1.0 - x2 / 12.0 * (1.0 - x2 / 30.0 * (1.0 - x2 / 56.0 * (1.0 - x2 / 90.0))));
    let (s, c) = match (quarters as i64).rem_euclid(4) {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    };
    (s as f32, c as f32)
}

/// A hash of a lattice point to [-1, 1].
fn hash_unit(x: i32, y: i32, z: i32, seed: u32) -> f32 {
    let mut h = (x as u32).wrapping_mul(0x8da6_b343)
        ^ (y as u32).wrapping_mul(0xd816_3841)
        ^ (z as u32).wrapping_mul(0xcb1a_b31f)
        ^ seed.wrapping_mul(0x9e37_79b1);
    h = (h ^ (h >> 16)).wrapping_mul(0x7feb_352d);
    h = (h ^ (h >> 15)).wrapping_mul(0x846c_a68b);
    h ^= h >> 16;
    (h >> 8) as f32 / 8_388_608.0 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_exp_and_sine_agree_with_the_platforms() {
        for step in -400..400 {
            let x = step as f32 * 0.05;
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-5, "exp({x})");
            let degrees = step as f32 * 1.7;
            let (sin, cos) = sin_cos_deg(degrees);
            let expected = f64::from(degrees).to_radians().sin_cos();
            assert!((f64::from(sin) - expected.0).abs() < 1e-5, "sin({degrees})");
            assert!((f64::from(cos) - expected.1).abs() < 1e-5, "cos({degrees})");
        }
    }

    #[test]
    fn noise_has_zero_mean_and_unit_variance() {
        let mut draw = Draw::new(3, Stream::Noise);
        let samples: Vec<f64> = (0..20_000).map(|_| f64::from(draw.noise())).collect();
        let mean = samples.iter().sum::<f64>() / samples.len() as f64;
        let variance = samples.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / samples.len() as f64;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }
}
