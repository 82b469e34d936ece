//! What a bundle holds: generator, segmentation net and feature critic, under one set of names.

use super::{FeatureCritic, Generator, Segmenter};
use mindgap::config::NetworkConfig;
use tch::nn::VarStore;
use tch::{Device, Kind};

/// The networks used at inference. Weight names start with `generator.`, `segmenter.` and `gap.`.
#[derive(Debug)]
pub struct Networks {
    pub store: VarStore,
    pub generator: Generator,
    pub segmenter: Segmenter,
    pub gap: FeatureCritic,
}

impl Networks {
    /// Freshly initialised networks.
    pub fn new(config: &NetworkConfig, device: Device) -> Self {
        let store = VarStore::new(device);
        let root = store.root();
        Self {
            generator: Generator::new(&(&root / "generator"), config),
            segmenter: Segmenter::new(&(&root / "segmenter"), config),
            gap: FeatureCritic::new(&(&root / "gap"), Segmenter::feature_channels(config)),
            store,
        }
    }

    /// Halves the precision of the weights, which on a GPU doubles the speed. No training after this.
    pub fn halve(&mut self) {
        self.store.half();
    }

    /// The type that images must have.
    pub fn kind(&self) -> Kind {
        self.segmenter.kind()
    }
}
