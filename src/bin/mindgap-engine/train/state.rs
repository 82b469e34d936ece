//! Everything that changes during a training, and its checkpoint.

use super::TrainError;
use super::adam::Adam;
use super::batches::PseudoLabels;
use super::flat::Flat;
use crate::model::checkpoint::{self, Precision};
use crate::model::{ImageCritic, Networks};
use mindgap::config::train::{ConfigError, TrainConfig};
use mindgap::config::{self, Card, Plane, sha256_hex};
use mindgap::volume::{Geometry, Modality, Volume, io};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tch::nn::VarStore;
use tch::{Device, Kind, TchError, Tensor};

/// Networks, their averages, optimisers, and where the run stands.
#[derive(Debug)]
pub struct TrainState {
    pub live: Networks,
    /// Exponential moving averages of the weights: what is evaluated and saved.
    pub averaged: Networks,
    averages: Averages,
    pub critic_store: VarStore,
    pub critic: ImageCritic,
    pub generator_adam: Adam,
    pub critic_adam: Adam,
    pub segmenter_adam: Adam,
    pub gap_adam: Adam,
    pub phase: u64,
    pub step: u64,
    pub seconds: f64,
    pub pseudo_labels: PseudoLabels,
    /// The segmentation net as it was when it had seen source images only, by its names in a bundle; empty before, and where
    /// the run goes on from a bundle that has none.
    pub source_only: BTreeMap<String, Tensor>,
    /// Whether the segmentation net comes from a bundle.
    goes_on: bool,
    /// Moving mean of a(p) in each class of the source, background first; from 0, so that it is slow to believe a critic
    /// that has only begun.
    pub gap_of_class: Vec<f32>,
}

/// The averaged networks' parameters, each network's in one piece.
#[derive(Debug)]
struct Averages {
    generator: Flat,
    segmenter: Flat,
    gap: Flat,
}

/// How much of the moving mean of a class's gap is kept at each step.
const GAP_DECAY: f32 = 0.95;

impl TrainState {
    /// Fresh networks; initialised from torch's seed.
    pub fn new(config: &TrainConfig, device: Device) -> Result<Self, TchError> {
        let live = Networks::new(&config.network, device);
        let mut averaged = Networks::new(&config.network, device);
        averaged.store.freeze();
        copy_weights(&live.store, &averaged.store);
        let critic_store = VarStore::new(device);
        let critic = ImageCritic::new(&critic_store.root(), config.network.critic_channels);
        let gan_betas = (0.5, 0.99);
        let betas = (0.9, 0.999);
        let averages = Averages {
            generator: Flat::of(averaged.store.variables(), "generator.")?,
            segmenter: Flat::of(averaged.store.variables(), "segmenter.")?,
            gap: Flat::of(averaged.store.variables(), "gap.")?,
        };
        Ok(Self {
            generator_adam: Adam::new(live.store.variables(), "generator.", gan_betas)?,
            critic_adam: Adam::new(critic_store.variables(), "", gan_betas)?,
            segmenter_adam: Adam::new(live.store.variables(), "segmenter.", betas)?,
            gap_adam: Adam::new(live.store.variables(), "gap.", betas)?,
            averages,
            live,
            averaged,
            critic_store,
            critic,
            phase: 0,
            step: 0,
            seconds: 0.0,
            pseudo_labels: Arc::new(Vec::new()),
            source_only: BTreeMap::new(),
            goes_on: config.start_from.segmenter.is_some(),
            gap_of_class: vec![0.0; config.network.classes as usize],
        })
    }

    /// Keeps the averaged segmentation net as the source-only net of the bundle, unless the run goes on from another bundle:
    /// that one's net may have seen more than source images, and only the source-only net that it brings is one.
    pub fn keep_source_only(&mut self) {
        if self.goes_on {
            return;
        }
        let segmenter = self.averaged.store.variables().into_iter().filter_map(|(name, tensor)| {
            let rest = name.strip_prefix("segmenter.")?;
            Some((format!("{}.{rest}", checkpoint::SOURCE_ONLY), tensor.detach().copy()))
        });
        self.source_only = segmenter.collect();
    }

    /// Takes one step's gaps into their moving means.
    pub fn follow_gaps(&mut self, of_step: &[Option<f64>]) {
        for (mean, gap) in self.gap_of_class.iter_mut().zip(of_step) {
            if let Some(gap) = gap {
                *mean = GAP_DECAY * *mean + (1.0 - GAP_DECAY) * *gap as f32;
            }
        }
    }

    /// Takes over networks of finished bundles; `folder` is what their paths are relative to.
    pub fn start_from(&mut self, config: &TrainConfig, folder: &Path) -> Result<(), TrainError> {
        let start = &config.start_from;
        let net: &[&str] =
            if config.segmentation.keeps_critic() { &["segmenter.", "gap."] } else { &["segmenter."] };
        let parts: [(&str, &Option<PathBuf>, &[&str]); 2] = [
            ("start_from.generator", &start.generator, &["generator."]),
            ("start_from.segmenter", &start.segmenter, net),
        ];
        for (field, bundle, prefixes) in parts {
            let Some(bundle) = bundle else { continue };
            let bundle = config::load_bundle_in(&folder.join(bundle))?;
            require_alike(field, &bundle.card, config)?;
            let weights = checkpoint::from_bytes(&bundle.weights)?;
            for store in [&self.live.store, &self.averaged.store] {
                checkpoint::load_part(store, &weights, prefixes)?;
            }
            if prefixes.contains(&"segmenter.") {
                self.source_only = source_only_of(&weights);
            }
        }
        match &start.averaged_with {
            Some(bundle) => self.average_with("start_from.averaged_with", &folder.join(bundle), config),
            None => Ok(()),
        }
    }

    /// Makes the segmentation net the mean of itself and a finished bundle's, weight by weight.
    fn average_with(&mut self, field: &str, folder: &Path, config: &TrainConfig) -> Result<(), TrainError> {
        let bundle = config::load_bundle_in(folder)?;
        require_alike(field, &bundle.card, config)?;
        let others = checkpoint::from_bytes(&bundle.weights)?;
        for store in [&self.live.store, &self.averaged.store] {
            let weights = store.variables().into_iter().filter(|(name, _)| name.starts_with("segmenter."));
            let weights: Vec<_> = weights.map(|(_, weight)| (weight.detach().copy(), weight)).collect();
            checkpoint::load_part(store, &others, &["segmenter."])?;
            tch::no_grad(|| {
                weights.into_iter().try_for_each(|(own, mut weight)| {
                    let mean = own.f_add(&weight)?.f_mul_scalar(0.5)?;
                    weight.f_copy_(&mean)
                })
            })?;
        }
        Ok(())
    }

    /// Moves the generator's averages towards its weights.
    pub fn average_generator(&self, decay: f64, step: u64) -> Result<(), TchError> {
        average(&self.averages.generator, self.generator_adam.flat(), decay, step)
    }

    /// Moves the segmentation net's averages towards its weights.
    pub fn average_segmenter(&self, decay: f64, step: u64) -> Result<(), TchError> {
        average(&self.averages.segmenter, self.segmenter_adam.flat(), decay, step)
    }

    /// Moves the feature critic's averages towards its weights.
    pub fn average_gap(&self, decay: f64, step: u64) -> Result<(), TchError> {
        average(&self.averages.gap, self.gap_adam.flat(), decay, step)
    }

    /// Writes all of it, atomically.
    pub fn save(&self, path: &Path, config_text: &str) -> Result<(), TrainError> {
        let mut tensors: Vec<(String, Tensor)> = Vec::new();
        let stores =
            [("live", &self.live.store), ("averaged", &self.averaged.store), ("critic", &self.critic_store)];
        for (prefix, store) in stores {
            tensors.extend(store.variables().into_iter().map(|(name, t)| (format!("{prefix}.{name}"), t)));
        }
        tensors.extend(self.source_only.iter().map(|(name, t)| (name.clone(), t.shallow_clone())));
        for (prefix, adam) in self.optimisers() {
            tensors.extend(adam.state(prefix)?);
        }
        let position = [self.phase as f32, self.step as f32, self.seconds as f32];
        tensors.push(("position".to_owned(), Tensor::from_slice(&position)));
        tensors.push(("gap_of_class".to_owned(), Tensor::from_slice(&self.gap_of_class)));
        tensors
            .push(("config".to_owned(), Tensor::from_slice(sha256_hex(config_text.as_bytes()).as_bytes())));
        for (case, labels) in self.pseudo_labels.iter().enumerate() {
            let [w, h, n] = labels.dims().map(|d| d as i64);
            tensors.push((format!("pseudo.{case}"), Tensor::from_slice(labels.voxels()).view([n, h, w])));
        }
        let bytes = checkpoint::to_bytes(
            tensors.iter().map(|(name, tensor)| (name.clone(), tensor)),
            Precision::Full,
        )?;
        io::write_file(path, &bytes)?;
        Ok(())
    }

    /// Takes a checkpoint of the same configuration back.
    pub fn restore(&mut self, path: &Path, config_text: &str) -> Result<(), TrainError> {
        let bytes = std::fs::read(path).map_err(|error| {
            TrainError::Checkpoint(format!("{}: {error}; leave out --resume to start afresh", path.display()))
        })?;
        let saved = checkpoint::from_bytes(&bytes)?;
        let missing = |name: &str| TrainError::Checkpoint(format!("{}: {name} is missing", path.display()));
        let config = saved.get("config").ok_or_else(|| missing("config"))?;
        let hash: Vec<u8> = Vec::try_from(&config.to_kind(Kind::Uint8))?;
        if hash != sha256_hex(config_text.as_bytes()).as_bytes() {
            return Err(TrainError::Checkpoint(format!(
                "{}: written by another configuration; leave out --resume to start afresh",
                path.display()
            )));
        }
        checkpoint::load_into(&self.live.store, &checkpoint::with_prefix(&saved, "live"))?;
        checkpoint::load_into(&self.averaged.store, &checkpoint::with_prefix(&saved, "averaged"))?;
        checkpoint::load_into(&self.critic_store, &checkpoint::with_prefix(&saved, "critic"))?;
        self.restore_optimisers(&saved)?;
        let position =
            crate::model::tensor::values(saved.get("position").ok_or_else(|| missing("position"))?)?;
        (self.phase, self.step, self.seconds) =
            (position[0] as u64, position[1] as u64, f64::from(position[2]));
        self.source_only = source_only_of(&saved);
        self.pseudo_labels = Arc::new(restore_pseudo_labels(&saved)?);
        self.gap_of_class =
            crate::model::tensor::values(saved.get("gap_of_class").ok_or_else(|| missing("gap_of_class"))?)?;
        Ok(())
    }

    fn optimisers(&self) -> [(&'static str, &Adam); 4] {
        [
            ("adam.generator", &self.generator_adam),
            ("adam.critic", &self.critic_adam),
            ("adam.segmenter", &self.segmenter_adam),
            ("adam.gap", &self.gap_adam),
        ]
    }

    fn restore_optimisers(&mut self, saved: &BTreeMap<String, Tensor>) -> Result<(), TchError> {
        tch::no_grad(|| {
            self.generator_adam.restore("adam.generator", saved)?;
            self.critic_adam.restore("adam.critic", saved)?;
            self.segmenter_adam.restore("adam.segmenter", saved)?;
            self.gap_adam.restore("adam.gap", saved)
        })
    }
}

/// Refuses a bundle that stands for something else than the configuration asks for. Its weights would fit: their shapes say
/// nothing of what the images are, or of what the labels mean. `size` and `multiple` may differ, for the networks take slices
/// of any size, and oblique slices may come to stand upright, for who knows them in every turn knows them in that one.
fn require_alike(field: &str, card: &Card, config: &TrainConfig) -> Result<(), ConfigError> {
    let (theirs, ours) = (&card.preprocessing, &config.preprocessing);
    let name = |modality: Modality| modality.name().to_owned();
    let plane = match (theirs.plane, ours.plane) {
        (Plane::Acquired, Plane::Upright) => Plane::Upright,
        (theirs, _) => theirs,
    };
    let word = |choice: &dyn std::fmt::Debug| format!("{choice:?}").to_lowercase();
    let facts = [
        ("task", card.task.name().to_owned(), config.task.name().to_owned()),
        ("source", name(card.source), name(config.source)),
        ("target", name(card.target), name(config.target)),
        ("preprocessing.plane", word(&plane), word(&ours.plane)),
        ("preprocessing.window", word(&theirs.window), word(&ours.window)),
        ("preprocessing.spacing_mm", format!("{:?}", theirs.spacing_mm), format!("{:?}", ours.spacing_mm)),
        (
            "preprocessing.ct_window_hu",
            format!("{:?}", theirs.ct_window_hu),
            format!("{:?}", ours.ct_window_hu),
        ),
        ("preprocessing.mr_percentile", theirs.mr_percentile.to_string(), ours.mr_percentile.to_string()),
        ("preprocessing.mr_clip", theirs.mr_clip.to_string(), ours.mr_clip.to_string()),
    ];
    match facts.into_iter().find(|(_, theirs, ours)| theirs != ours) {
        None => Ok(()),
        Some((fact, theirs, ours)) => Err(ConfigError::Value {
            field: field.to_owned(),
            expected: format!("a bundle whose {fact} is {ours}, as in this configuration"),
            got: format!("{}, whose {fact} is {theirs}", card.id),
        }),
    }
}

/// Early on the average follows quickly, so that it never remembers the initialisation.
fn average(averaged: &Flat, live: &Flat, decay: f64, step: u64) -> Result<(), TchError> {
    let decay = decay.min((1.0 + step as f64) / (10.0 + step as f64));
    tch::no_grad(|| {
        let moved = averaged.whole().f_mul_scalar(decay)?.f_add(&live.whole().f_mul_scalar(1.0 - decay)?)?;
        averaged.whole().shallow_clone().f_copy_(&moved)
    })
}

fn source_only_of(saved: &BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor> {
    let named = saved.iter().filter(|(name, _)| name.starts_with(checkpoint::SOURCE_ONLY));
    named.map(|(name, tensor)| (name.clone(), tensor.shallow_clone())).collect()
}

fn copy_weights(from: &VarStore, to: &VarStore) {
    let weights = from.variables();
    tch::no_grad(|| {
        for (name, mut copy) in to.variables() {
            if let Some(weight) = weights.get(&name) {
                copy.copy_(weight);
            }
        }
    });
}

/// Pseudo-labels need no place in the world: they are sampled with the voxels of their case.
fn restore_pseudo_labels(saved: &BTreeMap<String, Tensor>) -> Result<Vec<Volume<u8>>, TrainError> {
    let mut labels = Vec::new();
    while let Some(tensor) = saved.get(&format!("pseudo.{}", labels.len())) {
        let size = tensor.size();
        let dims = [size[2], size[1], size[0]].map(|d| d as usize);
        let voxels: Vec<u8> = Vec::try_from(&tensor.contiguous().view([-1]))?;
        let volume = Geometry::axis_aligned(dims, [1.0; 3], [0.0; 3])
            .ok()
            .and_then(|geometry| Volume::new(voxels, geometry))
            .ok_or_else(|| TrainError::Checkpoint("pseudo-labels do not fill their grid".to_owned()))?;
        labels.push(volume);
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::tests::seeded;
    use mindgap::config::bundled_models;
    use mindgap::config::train::{preset_path, self_contained};
    use mindgap::volume::Task;

    fn preset(name: &str) -> TrainConfig {
        let text = std::fs::read_to_string(preset_path(name).unwrap()).unwrap();
        TrainConfig::parse(&self_contained(&text).unwrap()).unwrap()
    }

    #[test]
    fn a_bundle_of_other_images_or_labels_is_no_start_though_its_weights_would_fit() {
        let cards = bundled_models().unwrap();
        let card = |id: &str| cards.iter().find(|card| card.id == id).unwrap();
        for (bundle, teaches_on) in
            [("cardiac-ct-to-mr", "cardiac-ct-to-mr-gap"), ("cardiac-mr-to-ct", "cardiac-mr-to-ct-gap")]
        {
            require_alike("start_from.segmenter", card(bundle), &preset(teaches_on)).unwrap();
        }
        // Who knows hearts in every turn may be taught to know them upright, not the other way round.
        let mut oblique = card("cardiac-ct-to-mr").clone();
        let mut config = preset("cardiac-ct-to-mr-cine");
        (oblique.preprocessing.plane, config.preprocessing.plane) = (Plane::Acquired, Plane::Upright);
        require_alike("start_from.segmenter", &oblique, &config).unwrap();
        (oblique.preprocessing.plane, config.preprocessing.plane) = (Plane::Upright, Plane::Acquired);
        require_alike("start_from.segmenter", &oblique, &config).unwrap_err();
        let same = preset("abdomen-ct-to-mr");
        let mut larger = same.clone();
        (larger.preprocessing.size, larger.preprocessing.multiple) = ([256, 192], 32);
        require_alike("start_from.segmenter", card("abdomen-ct-to-mr"), &larger).unwrap();
        type Change = fn(&mut TrainConfig);
        let changes: [(&str, Change); 8] = [
            ("task is cardiac", |c| c.task = Task::Cardiac),
            ("source is MR", |c| (c.source, c.target) = (Modality::Mr, Modality::Ct)),
            ("plane is acquired", |c| c.preprocessing.plane = Plane::Acquired),
            ("window is centre", |c| c.preprocessing.window = config::Window::Centre),
            ("spacing_mm is [3.0, 3.0, 4.0]", |c| c.preprocessing.spacing_mm[2] = 4.0),
            ("ct_window_hu is [-160.0, 440.0]", |c| c.preprocessing.ct_window_hu[1] = 440.0),
            ("mr_percentile is 98", |c| c.preprocessing.mr_percentile = 98.0),
            ("mr_clip is 2", |c| c.preprocessing.mr_clip = 2.0),
        ];
        for (said, change) in changes {
            let mut other = same.clone();
            change(&mut other);
            let refused = require_alike("start_from.generator", card("abdomen-ct-to-mr"), &other);
            let error = refused.unwrap_err().to_string();
            assert!(error.contains("start_from.generator") && error.contains(said), "{error}");
            assert!(error.contains("got abdomen-ct-to-mr, whose"), "{error}");
        }
    }

    #[test]
    fn a_net_that_was_taken_over_does_not_become_the_source_only_net() {
        let mut config = preset("abdomen-ct-to-mr");
        let fresh = |config: &TrainConfig| seeded(3, || TrainState::new(config, Device::Cpu)).unwrap();
        let mut state = fresh(&config);
        state.keep_source_only();
        assert!(!state.source_only.is_empty());
        config.start_from.segmenter = Some(PathBuf::from("../first"));
        let mut state = fresh(&config);
        state.keep_source_only();
        assert!(state.source_only.is_empty());
    }

    #[test]
    fn a_resumed_training_remembers_which_structures_had_a_large_gap() {
        let config = preset("abdomen-ct-to-mr");
        let text = "the text of the configuration";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.safetensors");
        let mut state = seeded(3, || TrainState::new(&config, Device::Cpu)).unwrap();
        state.follow_gaps(&[Some(0.2), None, Some(0.7), Some(0.1), None]);
        state.save(&path, text).unwrap();
        let mut resumed = seeded(4, || TrainState::new(&config, Device::Cpu)).unwrap();
        resumed.restore(&path, text).unwrap();
        assert_eq!(resumed.gap_of_class, state.gap_of_class);
        assert!(state.gap_of_class[2] > state.gap_of_class[0] && state.gap_of_class[1] == 0.0);
    }
}
