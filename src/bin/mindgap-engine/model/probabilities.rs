//! Class probabilities of a whole volume at the networks' resolution, for what needs all of them at once.

use super::infer::InferError;
use mindgap::volume::{Geometry, Volume};
use std::ops::Range;

/// Class probabilities and gap of one volume; `probabilities` holds one volume a class, background first.
#[derive(Debug, Clone)]
pub struct Probabilities {
    pub probabilities: Vec<Volume<f32>>,
    pub gap: Volume<f32>,
}

impl Probabilities {
    /// Entropy of the class probabilities over its maximum, 0..1.
    pub fn entropy(&self) -> Volume<f32> {
        let scale = 1.0 / (self.probabilities.len().max(2) as f32).ln();
        let mut out = self.gap.map(|_| 0.0f32);
        for class in &self.probabilities {
            for (h, &p) in out.voxels_mut().iter_mut().zip(class.voxels()) {
                if p > 0.0 {
                    *h -= p * p.ln() * scale;
                }
            }
        }
        out
    }
}

/// Probabilities (slice, class, row, column) and gap of some slices.
pub(super) struct Values {
    pub(super) probability: Vec<f32>,
    pub(super) gap: Vec<f32>,
}

impl Values {
    /// The most probable class everywhere in these `slices`, slice after slice.
    pub(super) fn labels(&self, slices: usize) -> Vec<u16> {
        let plane = self.gap.len() / slices.max(1);
        let classes = self.probability.len() / self.gap.len().max(1);
        let most_probable = |at: usize| {
            let (slice, pixel) = (at / plane, at % plane);
            let of = |class: usize| self.probability[(slice * classes + class) * plane + pixel];
            (0..classes).max_by(|&a, &b| of(a).total_cmp(&of(b)).then(b.cmp(&a))).unwrap_or(0) as u16
        };
        (0..self.gap.len()).map(most_probable).collect()
    }
}

/// Class probabilities as they come, slice by slice; where none come, the background is certain.
pub(super) struct ProbabilityStore {
    geometry: Geometry,
    classes: Vec<Vec<f32>>,
    gap: Vec<f32>,
}

impl ProbabilityStore {
    pub(super) fn new(geometry: &Geometry) -> Self {
        Self { geometry: geometry.clone(), classes: Vec::new(), gap: vec![0.0; geometry.len()] }
    }

    pub(super) fn put(&mut self, slices: Range<usize>, found: &Values) {
        let [w, h, _] = self.geometry.dims();
        let plane = w * h;
        let count = found.probability.len() / found.gap.len();
        let all = self.geometry.len();
        while self.classes.len() < count {
            let certain = if self.classes.is_empty() { 1.0 } else { 0.0 };
            self.classes.push(vec![certain; all]);
        }
        for (index, slice) in slices.clone().enumerate() {
            for (class, values) in self.classes.iter_mut().enumerate() {
                let from = (index * count + class) * plane;
                values[slice * plane..(slice + 1) * plane]
                    .copy_from_slice(&found.probability[from..from + plane]);
            }
        }
        self.gap[slices.start * plane..slices.end * plane].copy_from_slice(&found.gap);
    }

    pub(super) fn finish(self) -> Result<Probabilities, InferError> {
        let volume = |values| Volume::new(values, self.geometry.clone()).ok_or(InferError::Shape);
        // A scan of nothing but air has background only.
        let classes =
            if self.classes.is_empty() { vec![vec![1.0; self.geometry.len()]] } else { self.classes };
        Ok(Probabilities {
            probabilities: classes.into_iter().map(volume).collect::<Result<_, _>>()?,
            gap: volume(self.gap)?,
        })
    }
}
