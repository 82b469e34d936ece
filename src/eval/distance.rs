//! Exact Euclidean distances between surfaces on an anisotropic grid.
//!
//! Felzenszwalb and Huttenlocher, "Distance Transforms of Sampled Functions", Theory of Computing 8 (2012): the squared
//! distance separates into one lower envelope of parabolas an axis. The last axis is evaluated only where it is needed.

use super::surface::Mask;
use rayon::prelude::*;

/// The distance in mm from every voxel of `from` to the nearest voxel of `to`, which must have at least one.
pub(super) fn from_surface_to_surface(from: &Mask, to: &Mask, spacing_mm: [f64; 3]) -> Vec<f32> {
    let [ni, nj, nk] = to.dims;
    let mut squared = along_i(to, spacing_mm[0]);
    squared.par_chunks_mut(ni * nj).for_each(|plane| along_j(plane, ni, spacing_mm[1]));
    (0..nj)
        .into_par_iter()
        .flat_map_iter(|j| {
            let mut envelope = Envelope::new(spacing_mm[2]);
            let mut column = vec![0.0; nk];
            let mut distances = Vec::new();
            for i in 0..ni {
                let offset = |k: usize| i + ni * (j + nj * k);
                if !(0..nk).any(|k| from.inside[offset(k)]) {
                    continue;
                }
                for (k, value) in column.iter_mut().enumerate() {
                    *value = squared[offset(k)];
                }
                envelope.build(&column);
                let wanted = (0..nk).filter(|k| from.inside[offset(*k)]);
                envelope.evaluate(wanted, |_, squared| distances.push(squared.sqrt()));
            }
            distances
        })
        .collect()
}

/// The voxels of `from` in the order in which [`from_surface_to_surface`] gives their distances.
pub(super) fn in_order_of_distances(from: &Mask) -> impl Iterator<Item = [usize; 3]> {
    let [ni, nj, nk] = from.dims;
    let every = (0..nj).flat_map(move |j| (0..ni).flat_map(move |i| (0..nk).map(move |k| [i, j, k])));
    every.filter(move |[i, j, k]| from.inside[i + ni * (j + nj * k)])
}

/// Squared distance in mm2 along each row to the nearest voxel of the same row; infinite where the row has none.
fn along_i(mask: &Mask, spacing_mm: f64) -> Vec<f32> {
    let mut squared = vec![f32::INFINITY; mask.inside.len()];
    let rows = squared.par_chunks_mut(mask.dims[0]).zip(mask.inside.par_chunks(mask.dims[0]));
    rows.for_each(|(row, inside)| {
        let mut steps = f64::INFINITY;
        for (value, inside) in row.iter_mut().zip(inside) {
            steps = if *inside { 0.0 } else { steps + 1.0 };
            *value = (steps * spacing_mm).powi(2) as f32;
        }
        steps = f64::INFINITY;
        for (value, inside) in row.iter_mut().zip(inside).rev() {
            steps = if *inside { 0.0 } else { steps + 1.0 };
            *value = value.min((steps * spacing_mm).powi(2) as f32);
        }
    });
    squared
}

/// Adds the second axis to the squared distances of one k plane.
fn along_j(plane: &mut [f32], ni: usize, spacing_mm: f64) {
    let nj = plane.len() / ni;
    let mut envelope = Envelope::new(spacing_mm);
    let mut column = vec![0.0; nj];
    for i in 0..ni {
        for (j, value) in column.iter_mut().enumerate() {
            *value = plane[i + ni * j];
        }
        envelope.build(&column);
        envelope.evaluate(0..nj, |j, squared| plane[i + ni * j] = squared);
    }
}

/// The lower envelope of parabolas of one curvature, one a finite sample.
struct Envelope {
    /// Squared distance between neighbouring samples, mm2.
    squared_step: f64,
    parabolas: Vec<Parabola>,
}

struct Parabola {
    vertex: usize,
    height: f64,
    /// Where this parabola becomes the lowest one, in samples.
    from: f64,
}

impl Envelope {
    fn new(spacing_mm: f64) -> Self {
        Self { squared_step: spacing_mm * spacing_mm, parabolas: Vec::new() }
    }

    fn build(&mut self, heights: &[f32]) {
        self.parabolas.clear();
        for (vertex, &height) in heights.iter().enumerate() {
            if height.is_infinite() {
                continue;
            }
            let height = f64::from(height);
            let mut from = f64::NEG_INFINITY;
            while let Some(last) = self.parabolas.last() {
                from = self.crossing(last, vertex, height);
                if from > last.from {
                    break;
                }
                self.parabolas.pop();
                from = f64::NEG_INFINITY;
            }
            self.parabolas.push(Parabola { vertex, height, from });
        }
    }

    /// Where the parabola over `vertex` gets below `left`.
    fn crossing(&self, left: &Parabola, vertex: usize, height: f64) -> f64 {
        let (p, q) = (left.vertex as f64, vertex as f64);
        ((height - left.height) / self.squared_step + q * q - p * p) / (2.0 * (q - p))
    }

    /// Passes on the envelope's value at each of the ascending `positions`.
    fn evaluate(&self, positions: impl Iterator<Item = usize>, mut pass_on: impl FnMut(usize, f32)) {
        let mut current = 0;
        for position in positions {
            while self.parabolas.get(current + 1).is_some_and(|next| next.from < position as f64) {
                current += 1;
            }
            let value = self.parabolas.get(current).map_or(f64::INFINITY, |parabola| {
                let steps = position as f64 - parabola.vertex as f64;
                parabola.height + self.squared_step * steps * steps
            });
            pass_on(position, value as f32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};

    #[test]
    fn distances_equal_those_found_by_trying_every_pair_of_voxels() {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        for dims in [[7, 9, 11], [1, 13, 5], [12, 1, 1], [6, 6, 1]] {
            let mut mask = |share: f64| {
                let mut inside: Vec<bool> =
                    (0..dims.iter().product()).map(|_| random.random_bool(share)).collect();
                inside[0] = true;
                Mask { dims, inside }
            };
            let (from, to) = (mask(0.3), mask(0.03));
            let spacing = [0.7, 1.3, 5.0];
            let position = |offset: usize| {
                let index = [offset % dims[0], offset / dims[0] % dims[1], offset / (dims[0] * dims[1])];
                [0, 1, 2].map(|axis| index[axis] as f64 * spacing[axis])
            };
            let members = |mask: &Mask| -> Vec<[f64; 3]> {
                (0..mask.inside.len()).filter(|n| mask.inside[*n]).map(position).collect()
            };
            let between =
                |a: &[f64; 3], b: &[f64; 3]| (0..3).map(|n| (a[n] - b[n]).powi(2)).sum::<f64>().sqrt();
            let nearest =
                |a: &[f64; 3]| members(&to).iter().map(|b| between(a, b)).fold(f64::INFINITY, f64::min);
            let mut expected: Vec<f64> = members(&from).iter().map(nearest).collect();
            let mut found = from_surface_to_surface(&from, &to, spacing);
            expected.sort_by(f64::total_cmp);
            found.sort_by(f32::total_cmp);
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                assert!((f64::from(*found) - expected).abs() < 1e-5, "{found} against {expected}");
            }
        }
    }
}
