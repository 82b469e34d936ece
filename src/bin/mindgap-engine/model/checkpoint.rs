//! Weights to safetensors and back, verified whole before any of them is used.
//!
//! Only safetensors is accepted: other formats can carry code. A file is checked for every name, shape, type and value
//! in both directions first and copied then, so that a mismatch never leaves half-loaded networks.

use super::Networks;
use mindgap::config::Net;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensorError, SafeTensors};
use std::collections::{BTreeMap, HashMap};
use tch::nn::VarStore;
use tch::{Kind, TchError, Tensor};
use thiserror::Error;

/// Why weights were refused.
#[derive(Debug, Error)]
pub enum WeightsError {
    #[error("weights: not a safetensors file ({0})")]
    Format(#[from] SafeTensorError),
    #[error("weights: do not fit the networks of the card: {}", .0.join("; "))]
    Mismatch(Vec<String>),
    #[error("weights: {0}")]
    Torch(#[from] TchError),
}

/// Storage type of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Two bytes a value: bundles.
    Half,
    /// Four bytes: checkpoints.
    Full,
}

/// How many differences an error lists.
const LISTED: usize = 5;

/// Named tensors as one safetensors file.
pub fn to_bytes<'a>(
    tensors: impl IntoIterator<Item = (String, &'a Tensor)>,
    precision: Precision,
) -> Result<Vec<u8>, WeightsError> {
    let mut packed = BTreeMap::new();
    for (name, tensor) in tensors {
        let (kind, dtype) = match (tensor.kind(), precision) {
            (Kind::Uint8, _) => (Kind::Uint8, Dtype::U8),
            (_, Precision::Half) => (Kind::Half, Dtype::F16),
            (_, Precision::Full) => (Kind::Float, Dtype::F32),
        };
        let flat = tensor.detach().f_to_device(tch::Device::Cpu)?.f_to_kind(kind)?.f_contiguous()?;
        let mut bytes = vec![0u8; flat.numel() * kind.elt_size_in_bytes()];
        flat.f_copy_data_u8(&mut bytes, flat.numel())?;
        let shape: Vec<usize> = tensor.size().iter().map(|&d| d as usize).collect();
        packed.insert(name, (dtype, shape, bytes));
    }
    let views = packed
        .iter()
        .map(|(name, (dtype, shape, bytes))| {
            Ok((name.as_str(), TensorView::new(*dtype, shape.clone(), bytes)?))
        })
        .collect::<Result<Vec<_>, SafeTensorError>>()?;
    Ok(safetensors::serialize(views, None)?)
}

/// All tensors of a safetensors file, as float32 (or bytes where they were stored as bytes).
pub fn from_bytes(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, WeightsError> {
    let file = SafeTensors::deserialize(bytes)?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors() {
        let (kind, wanted) = match view.dtype() {
            Dtype::U8 => (Kind::Uint8, Kind::Uint8),
            Dtype::F16 => (Kind::Half, Kind::Float),
            Dtype::F32 => (Kind::Float, Kind::Float),
            other => return Err(WeightsError::Mismatch(vec![format!("{name} is stored as {other:?}")])),
        };
        let shape: Vec<i64> = view.shape().iter().map(|&d| d as i64).collect();
        let tensor = Tensor::f_from_data_size(view.data(), &shape, kind)?.f_to_kind(wanted)?;
        tensors.insert(name, tensor);
    }
    Ok(tensors)
}

/// Copies loaded tensors into a store, all or none.
pub fn load_into(store: &VarStore, loaded: &BTreeMap<String, Tensor>) -> Result<(), WeightsError> {
    load_variables(store.variables(), loaded)
}

/// Copies those loaded tensors whose names start with one of `prefixes` into the variables of the same names, all or
/// none; the other variables keep their values.
pub fn load_part(
    store: &VarStore,
    loaded: &BTreeMap<String, Tensor>,
    prefixes: &[&str],
) -> Result<(), WeightsError> {
    let wanted = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
    let variables = store.variables().into_iter().filter(|(name, _)| wanted(name)).collect();
    let part = loaded.iter().filter(|(name, _)| wanted(name)).map(|(n, t)| (n.clone(), t.shallow_clone()));
    load_variables(variables, &part.collect())
}

fn load_variables(
    variables: HashMap<String, Tensor>,
    loaded: &BTreeMap<String, Tensor>,
) -> Result<(), WeightsError> {
    fit(&variables, loaded)?;
    tch::no_grad(|| {
        for (name, variable) in &variables {
            if let Some(tensor) = loaded.get(name) {
                let mut variable = variable.shallow_clone();
                variable.f_copy_(&tensor.f_to_device(variable.device())?)?;
            }
        }
        Ok(())
    })
}

/// Fills the networks with a bundle's weights, all or none, and checks those that are not used like the others.
///
/// With the source-only net there is no mask: its features are not those that D_f learned to tell apart.
pub fn load_bundle(
    networks: &Networks,
    mut loaded: BTreeMap<String, Tensor>,
    net: Net,
) -> Result<(), WeightsError> {
    let source_only: BTreeMap<String, Tensor> = with_prefix(&loaded, SOURCE_ONLY)
        .into_iter()
        .map(|(name, tensor)| (format!("segmenter.{name}"), tensor))
        .collect();
    loaded.retain(|name, _| !name.starts_with(SOURCE_ONLY));
    load_into(&networks.store, &loaded)?;
    match net {
        Net::Adapted if source_only.is_empty() => Ok(()),
        Net::Adapted => fit(&segmenter_of(&networks.store), &source_only),
        Net::SourceOnly => {
            load_variables(segmenter_of(&networks.store), &source_only)?;
            tch::no_grad(|| networks.gap.silence());
            Ok(())
        }
    }
}

/// What the names of the source-only net's weights start with in a bundle, instead of `segmenter`.
pub const SOURCE_ONLY: &str = "source_only";

/// Whether a bundle's weights hold the source-only net; read from their header alone.
pub fn holds_source_only(bytes: &[u8]) -> bool {
    SafeTensors::deserialize(bytes).is_ok_and(|file| file.names().iter().any(|n| n.starts_with(SOURCE_ONLY)))
}

fn segmenter_of(store: &VarStore) -> HashMap<String, Tensor> {
    store.variables().into_iter().filter(|(name, _)| name.starts_with("segmenter.")).collect()
}

/// The tensors under `prefix.`, with the prefix taken off.
pub fn with_prefix(loaded: &BTreeMap<String, Tensor>, prefix: &str) -> BTreeMap<String, Tensor> {
    loaded
        .iter()
        .filter_map(|(name, tensor)| {
            let rest = name.strip_prefix(prefix)?.strip_prefix('.')?;
            Some((rest.to_owned(), tensor.shallow_clone()))
        })
        .collect()
}

/// Whether the loaded tensors can fill the variables.
fn fit(variables: &HashMap<String, Tensor>, loaded: &BTreeMap<String, Tensor>) -> Result<(), WeightsError> {
    let differences = differences(variables, loaded)?;
    if differences.is_empty() { Ok(()) } else { Err(WeightsError::Mismatch(differences)) }
}

fn differences(
    variables: &HashMap<String, Tensor>,
    loaded: &BTreeMap<String, Tensor>,
) -> Result<Vec<String>, WeightsError> {
    let mut found = Vec::new();
    let names: BTreeMap<&String, &Tensor> = variables.iter().collect();
    for (name, variable) in names {
        match loaded.get(name) {
            None => found.push(format!("{name} is missing")),
            Some(tensor) if tensor.size() != variable.size() => {
                found.push(format!("{name}: expected {:?}, got {:?}", variable.size(), tensor.size()));
            }
            Some(tensor) if tensor.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 => {
                found.push(format!("{name} has values that are not finite"));
            }
            Some(_) => {}
        }
    }
    found.extend(
        loaded.keys().filter(|name| !variables.contains_key(*name)).map(|name| format!("{name} is unknown")),
    );
    let total = found.len();
    if total > LISTED {
        found.truncate(LISTED);
        found.push(format!("and {} more", total - LISTED));
    }
    Ok(found)
}
