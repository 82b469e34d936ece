//! The parameters of one network in one piece of memory.
//!
//! An optimiser's arithmetic is the same for every number. Done parameter by parameter it is a thousand tiny kernels a step,
//! which on a GPU take longer than the networks do; done on the whole piece it is a dozen. Invariant: each parameter is a view
//! of its part of the piece, so that whoever changes one changes the other.

use std::collections::BTreeMap;
use tch::{Kind, TchError, Tensor};

/// Parameters in name order, and the memory that they share.
#[derive(Debug)]
pub struct Flat {
    parts: Vec<Part>,
    whole: Tensor,
    /// Nothing but zeros, as many as ever lie between two parts.
    padding: Tensor,
}

#[derive(Debug)]
struct Part {
    name: String,
    value: Tensor,
    start: i64,
    length: i64,
}

/// Every part starts where memory that was allocated for it alone could start: 64 bytes, in numbers. Kernels may be chosen by
/// the alignment of their weights.
const ALIGNMENT: i64 = 16;

fn padded(length: i64) -> i64 {
    (length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT
}

impl Flat {
    /// Moves those of `variables` whose name starts with `prefix` into one piece of memory; their values stay.
    pub fn of(variables: impl IntoIterator<Item = (String, Tensor)>, prefix: &str) -> Result<Self, TchError> {
        let ordered: BTreeMap<String, Tensor> =
            variables.into_iter().filter(|(name, _)| name.starts_with(prefix)).collect();
        let mut parts = Vec::new();
        let mut end = 0;
        for (name, value) in ordered {
            let length = value.numel() as i64;
            parts.push(Part { name, value, start: end, length });
            end += padded(length);
        }
        let device = parts.first().map_or(tch::Device::Cpu, |part| part.value.device());
        let whole = Tensor::f_zeros([end], (Kind::Float, device))?;
        let padding = Tensor::f_zeros([ALIGNMENT], (Kind::Float, device))?;
        let mut flat = Self { parts, whole, padding };
        tch::no_grad(|| {
            for part in &mut flat.parts {
                let size = part.value.size();
                let mut home = flat.whole.f_narrow(0, part.start, part.length)?.f_view(size.as_slice())?;
                home.f_copy_(&part.value)?;
                part.value.f_set_data(&home)?;
            }
            Ok(flat)
        })
    }

    /// All of it: a parameter's numbers, then zeros up to where the next one starts.
    pub fn whole(&self) -> &Tensor {
        &self.whole
    }

    /// The parameters, in name order.
    pub fn parameters(&self) -> Vec<&Tensor> {
        self.parts.iter().map(|part| &part.value).collect()
    }

    /// The parameters' names, in the same order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|part| part.name.as_str())
    }

    /// One tensor for each parameter, laid out as the parameters are; undefined ones count as zero.
    pub fn gather(&self, tensors: &[Tensor]) -> Result<Tensor, TchError> {
        let mut pieces = Vec::with_capacity(2 * tensors.len());
        for (part, tensor) in self.parts.iter().zip(tensors) {
            pieces.push(if tensor.defined() {
                tensor.f_reshape([part.length])?
            } else {
                self.whole.f_narrow(0, part.start, part.length)?.f_zeros_like()?
            });
            let gap = padded(part.length) - part.length;
            if gap > 0 {
                pieces.push(self.padding.f_narrow(0, 0, gap)?);
            }
        }
        Tensor::f_cat(&pieces, 0)
    }

    /// The parts of something that is laid out like the parameters, each in its parameter's shape, by name.
    pub fn parts_of(&self, whole: &Tensor) -> Result<Vec<(&str, Tensor)>, TchError> {
        let part =
            |part: &'_ Part| whole.f_narrow(0, part.start, part.length)?.f_view(part.value.size().as_slice());
        self.parts.iter().map(|p| Ok((p.name.as_str(), part(p)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tch::nn::VarStore;

    #[test]
    fn a_network_computes_with_what_is_written_to_the_whole_and_the_other_way_round() {
        let store = VarStore::new(tch::Device::Cpu);
        let weight = store.root().sub("a").var("weight", &[2, 3], tch::nn::Init::Const(0.5));
        let bias = store.root().sub("a").var("bias", &[2], tch::nn::Init::Const(0.25));
        let other = store.root().sub("b").var("bias", &[2], tch::nn::Init::Const(7.0));
        let flat = Flat::of(store.variables(), "a.").unwrap();
        assert_eq!(flat.names().collect::<Vec<_>>(), ["a.bias", "a.weight"]);
        assert_eq!(weight.double_value(&[1, 2]), 0.5);
        tch::no_grad(|| {
            let _ = flat.whole().shallow_clone().g_add_scalar_(1.0);
            let _ = bias.get(1).fill_(3.0);
        });
        assert_eq!(weight.double_value(&[1, 2]), 1.5);
        assert_eq!(other.double_value(&[0]), 7.0);
        let parts = flat.parts_of(flat.whole()).unwrap();
        assert_eq!((parts[0].0, parts[0].1.double_value(&[1])), ("a.bias", 3.0));
        assert!(weight.requires_grad());
        let gradients = Tensor::run_backward(&[(&weight * 2.0).sum(Kind::Float)], &[&weight], false, false);
        assert_eq!(gradients[0].double_value(&[0, 0]), 2.0);
    }

    #[test]
    fn gradients_are_laid_out_as_the_parameters_are_and_missing_ones_are_zero() {
        let store = VarStore::new(tch::Device::Cpu);
        let _ = store.root().var("a", &[3], tch::nn::Init::Const(0.0));
        let _ = store.root().var("b", &[2, 2], tch::nn::Init::Const(0.0));
        let flat = Flat::of(store.variables(), "").unwrap();
        let gathered =
            flat.gather(&[Tensor::new(), Tensor::from_slice(&[1.0f32, 2.0, 3.0, 4.0]).view([2, 2])]).unwrap();
        assert_eq!(gathered.size(), flat.whole().size());
        let parts = flat.parts_of(&gathered).unwrap();
        assert_eq!(parts[0].1.sum(Kind::Float).double_value(&[]), 0.0);
        assert_eq!(parts[1].1.double_value(&[1, 0]), 3.0);
        assert_eq!(gathered.sum(Kind::Float).double_value(&[]), 10.0);
    }
}
