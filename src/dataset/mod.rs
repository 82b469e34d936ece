//! Data to learn from and to test on: plain voxels and labels, no tensor.

pub mod anatomy;
pub mod case;
pub mod contrast;
pub mod degrade;
pub mod folder;
pub mod phantom;
pub mod short_axis;

use rand::Rng;

/// A draw from the standard normal distribution (Box-Muller).
fn normal(rng: &mut impl Rng) -> f32 {
    let (u, v): (f32, f32) = (rng.random(), rng.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (2.0 * std::f32::consts::PI * v).cos()
}
