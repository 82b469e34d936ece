//! Adam with its state in the open, so that a checkpoint can hold it and a resumed run goes on as if never stopped.
//!
//! Kingma & Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1.

use std::collections::BTreeMap;
use tch::{TchError, Tensor};

/// One optimiser over named parameters.
#[derive(Debug)]
pub struct Adam {
    parameters: Vec<Parameter>,
    betas: (f64, f64),
    step: u64,
}

#[derive(Debug)]
struct Parameter {
    name: String,
    value: Tensor,
    mean: Tensor,
    square: Tensor,
}

const EPSILON: f64 = 1e-8;
/// Gradients whose joint length exceeds this are scaled down to it.
const MAX_GRADIENT_NORM: f64 = 10.0;

impl Adam {
    /// Over those of `variables` whose name starts with `prefix`, in name order.
    pub fn new(
        variables: impl IntoIterator<Item = (String, Tensor)>,
        prefix: &str,
        betas: (f64, f64),
    ) -> Self {
        let ordered: BTreeMap<String, Tensor> =
            variables.into_iter().filter(|(name, _)| name.starts_with(prefix)).collect();
        let parameters = ordered
            .into_iter()
            .map(|(name, value)| Parameter {
                name,
                mean: value.detach().zeros_like(),
                square: value.detach().zeros_like(),
                value,
            })
            .collect();
        Self { parameters, betas, step: 0 }
    }

    /// The parameters, in the order in which [`Self::apply`] expects their gradients.
    pub fn parameters(&self) -> Vec<&Tensor> {
        self.parameters.iter().map(|parameter| &parameter.value).collect()
    }

    /// The parameters' names, in the same order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().map(|parameter| parameter.name.as_str())
    }

    /// One update. `gradients` in parameter order; undefined ones count as zero.
    pub fn apply(&mut self, gradients: &[Tensor], learning_rate: f64) -> Result<(), TchError> {
        self.step += 1;
        let (b1, b2) = self.betas;
        let correction = (1.0 - b1.powi(self.step as i32), 1.0 - b2.powi(self.step as i32));
        tch::no_grad(|| {
            let mut squared_norm = 0.0;
            for gradient in gradients.iter().filter(|g| g.defined()) {
                squared_norm += gradient.f_square()?.f_sum(tch::Kind::Float)?.f_double_value(&[])?;
            }
            if !squared_norm.is_finite() {
                return Err(TchError::Torch(
                    "the gradient is not finite; a smaller learning rate may help".to_owned(),
                ));
            }
            let clip = (MAX_GRADIENT_NORM / squared_norm.sqrt().max(1e-12)).min(1.0);
            for (parameter, gradient) in self.parameters.iter_mut().zip(gradients) {
                if !gradient.defined() {
                    continue;
                }
                let gradient = gradient.f_mul_scalar(clip)?;
                let _ = parameter.mean.f_mul_scalar_(b1)?.f_add_(&gradient.f_mul_scalar(1.0 - b1)?)?;
                let square = gradient.f_square()?.f_mul_scalar(1.0 - b2)?;
                let _ = parameter.square.f_mul_scalar_(b2)?.f_add_(&square)?;
                let mean = parameter.mean.f_div_scalar(correction.0)?;
                let root = parameter.square.f_div_scalar(correction.1)?.f_sqrt()?.f_add_scalar(EPSILON)?;
                let _ = parameter.value.f_sub_(&mean.f_div(&root)?.f_mul_scalar(learning_rate)?)?;
            }
            Ok(())
        })
    }

    /// State for a checkpoint, names under `prefix`.
    pub fn state(&self, prefix: &str) -> Vec<(String, Tensor)> {
        let mut state = vec![(format!("{prefix}.step"), Tensor::from_slice(&[self.step as f32]))];
        for parameter in &self.parameters {
            state.push((format!("{prefix}.mean.{}", parameter.name), parameter.mean.shallow_clone()));
            state.push((format!("{prefix}.square.{}", parameter.name), parameter.square.shallow_clone()));
        }
        state
    }

    /// Takes the state back; an error names the first missing entry.
    pub fn restore(&mut self, prefix: &str, saved: &BTreeMap<String, Tensor>) -> Result<(), TchError> {
        let missing = |name: &str| TchError::FileFormat(format!("checkpoint: {name} is missing"));
        let entry = |name: String| saved.get(&name).ok_or_else(|| missing(&name));
        self.step = entry(format!("{prefix}.step"))?.f_double_value(&[0])? as u64;
        for parameter in &mut self.parameters {
            parameter.mean.f_copy_(entry(format!("{prefix}.mean.{}", parameter.name))?)?;
            parameter.square.f_copy_(entry(format!("{prefix}.square.{}", parameter.name))?)?;
        }
        Ok(())
    }
}
