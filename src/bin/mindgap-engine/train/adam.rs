//! Adam with its state in the open, so that a checkpoint can hold it and a resumed run goes on as if never stopped.
//!
//! Kingma & Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1.

use super::flat::Flat;
use std::collections::BTreeMap;
use tch::{Kind, TchError, Tensor};

/// One optimiser over named parameters.
#[derive(Debug)]
pub struct Adam {
    flat: Flat,
    /// Moving means of the gradients and of their squares, laid out as the parameters are.
    mean: Tensor,
    square: Tensor,
    betas: (f64, f64),
    step: u64,
}

const EPSILON: f64 = 1e-8;
/// Gradients whose joint length exceeds this are scaled down to it.
const MAX_GRADIENT_NORM: f64 = 10.0;

impl Adam {
    /// Over those of `variables` whose name starts with `prefix`, in name order; they move into memory of its own.
    pub fn new(
        variables: impl IntoIterator<Item = (String, Tensor)>,
        prefix: &str,
        betas: (f64, f64),
    ) -> Result<Self, TchError> {
        let flat = Flat::of(variables, prefix)?;
        let (mean, square) = (flat.whole().f_zeros_like()?, flat.whole().f_zeros_like()?);
        Ok(Self { flat, mean, square, betas, step: 0 })
    }

    /// The parameters, in the order in which [`Self::apply`] expects their gradients.
    pub fn parameters(&self) -> Vec<&Tensor> {
        self.flat.parameters()
    }

    /// The parameters' names, in the same order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.flat.names()
    }

    /// The parameters in one piece.
    pub fn flat(&self) -> &Flat {
        &self.flat
    }

    /// One update. `gradients` in parameter order; undefined ones count as zero.
    pub fn apply(&mut self, gradients: &[Tensor], learning_rate: f64) -> Result<(), TchError> {
        self.step += 1;
        let (b1, b2) = self.betas;
        let correction = (1.0 - b1.powi(self.step as i32), 1.0 - b2.powi(self.step as i32));
        tch::no_grad(|| {
            let gradient = self.flat.gather(gradients)?;
            let squared_norm = gradient.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])?;
            if !squared_norm.is_finite() {
                return Err(TchError::Torch(
                    "the gradient is not finite; a smaller learning rate may help".to_owned(),
                ));
            }
            let clip = (MAX_GRADIENT_NORM / squared_norm.sqrt().max(1e-12)).min(1.0);
            let gradient = gradient.f_mul_scalar(clip)?;
            let _ = self.mean.f_mul_scalar_(b1)?.f_add_(&gradient.f_mul_scalar(1.0 - b1)?)?;
            let square = gradient.f_square()?.f_mul_scalar(1.0 - b2)?;
            let _ = self.square.f_mul_scalar_(b2)?.f_add_(&square)?;
            let mean = self.mean.f_div_scalar(correction.0)?;
            let root = self.square.f_div_scalar(correction.1)?.f_sqrt()?.f_add_scalar(EPSILON)?;
            let step = mean.f_div(&root)?.f_mul_scalar(learning_rate)?;
            let _ = self.flat.whole().shallow_clone().f_sub_(&step)?;
            Ok(())
        })
    }

    /// State for a checkpoint, names under `prefix`.
    pub fn state(&self, prefix: &str) -> Result<Vec<(String, Tensor)>, TchError> {
        let mut state = vec![(format!("{prefix}.step"), Tensor::from_slice(&[self.step as f32]))];
        for (kind, whole) in [("mean", &self.mean), ("square", &self.square)] {
            let parts = self.flat.parts_of(whole)?;
            state.extend(parts.into_iter().map(|(name, part)| (format!("{prefix}.{kind}.{name}"), part)));
        }
        Ok(state)
    }

    /// Takes the state back; an error names the first missing entry.
    pub fn restore(&mut self, prefix: &str, saved: &BTreeMap<String, Tensor>) -> Result<(), TchError> {
        let missing = |name: &str| TchError::FileFormat(format!("checkpoint: {name} is missing"));
        let entry = |name: String| saved.get(&name).ok_or_else(|| missing(&name));
        self.step = entry(format!("{prefix}.step"))?.f_double_value(&[0])? as u64;
        for (kind, whole) in [("mean", &self.mean), ("square", &self.square)] {
            for (name, mut part) in self.flat.parts_of(whole)? {
                part.f_copy_(entry(format!("{prefix}.{kind}.{name}"))?)?;
            }
        }
        Ok(())
    }
}
