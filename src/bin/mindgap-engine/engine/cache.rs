//! What is kept from one turn to the next: the networks of the last model, and scans that are already prepared.

use super::jobs::{JobFailure, failed};
use super::style::StyleCache;
use crate::model::infer::InferError;
use crate::model::ladder::{Trouble, caught, trouble_in};
use crate::model::preprocess::Prepared;
use crate::model::{Networks, checkpoint};
use crate::train::Phantoms;
use mindgap::config::{Net, sha256_hex};
use mindgap::protocol::{JobId, ModelPayload};
use std::rc::Rc;
use tch::Device;

/// Everything that outlives a turn. A panic voids all of it.
#[derive(Default)]
pub struct Caches {
    pub models: ModelCache,
    pub scans: ScanCache,
    pub style: StyleCache,
    pub phantoms: Phantoms,
}

/// The networks of the last model used.
#[derive(Default)]
pub struct ModelCache(Option<(Key, Rc<Networks>)>);

/// Hash of the weights, which of their nets, and where.
type Key = (String, Net, Device);

impl ModelCache {
    /// Networks of a payload on a device, built and verified anew only if they are not the last ones.
    pub fn networks(
        &mut self,
        model: &ModelPayload,
        net: Net,
        device: Device,
    ) -> Result<Rc<Networks>, JobFailure> {
        let key = (model.card.weights_sha256.clone(), net, device);
        if let Some((of, networks)) = &self.0
            && *of == key
        {
            return Ok(networks.clone());
        }
        // The old model is dropped only once the new one is sound.
        let networks = Rc::new(load(model, net, device)?);
        self.0 = Some((key, networks.clone()));
        Ok(networks)
    }
}

/// Scans of jobs that are still to be done, as the networks see them: the slice on screen and the whole volume, in two
/// turns of one job, need the same one.
#[derive(Default)]
pub struct ScanCache(Vec<(JobId, Rc<Prepared>)>);

/// As many as a window has scans.
const KEPT_SCANS: usize = 2;

impl ScanCache {
    /// The job's scan, prepared if it is not there.
    pub fn of(
        &mut self,
        job: JobId,
        prepare: impl FnOnce() -> Result<Prepared, JobFailure>,
    ) -> Result<Rc<Prepared>, JobFailure> {
        if let Some((_, prepared)) = self.0.iter().find(|(of, _)| *of == job) {
            return Ok(prepared.clone());
        }
        let prepared = Rc::new(prepare()?);
        if self.0.len() == KEPT_SCANS {
            self.0.remove(0);
        }
        self.0.push((job, prepared.clone()));
        Ok(prepared)
    }

    /// Lets go of the scan of a job that has ended.
    pub fn forget(&mut self, job: JobId) {
        self.0.retain(|(of, _)| *of != job);
    }
}

fn load(model: &ModelPayload, net: Net, device: Device) -> Result<Networks, JobFailure> {
    let refused = |cause: String| {
        failed(
            &format!("Model {} cannot be used", model.card.id),
            "Choose another model or fetch it again",
            cause,
        )
    };
    let hash = sha256_hex(&model.weights);
    if hash != model.card.weights_sha256 {
        return Err(refused(format!("expected sha256 {}, got {hash}", model.card.weights_sha256)));
    }
    let tensors = checkpoint::from_bytes(&model.weights).map_err(|error| refused(error.to_string()))?;
    if net == Net::SourceOnly && !tensors.keys().any(|name| name.starts_with(checkpoint::SOURCE_ONLY)) {
        return Err(refused("it was stored without its source-only net".to_owned()));
    }
    let filled: Result<_, InferError> = caught(|| {
        let mut networks = Networks::new(&model.card.network, device);
        let fits = checkpoint::load_bundle(&networks, tensors, net);
        networks.store.freeze();
        // A GPU computes twice as fast with half the precision; a CPU does not.
        if device != Device::Cpu {
            networks.halve();
        }
        Ok(fits.map(|()| networks))
    });
    match filled {
        Ok(fits) => fits.map_err(|error| refused(error.to_string())),
        Err(error) => Err(JobFailure::from(error)),
    }
}

/// What a failure to load a model onto a GPU says of the GPU; `None` where it is the model's fault.
pub fn trouble_of(failure: &JobFailure) -> Option<(Trouble, &str)> {
    match failure {
        JobFailure::Failed(error) => {
            trouble_in(&error.details).map(|trouble| (trouble, error.details.as_str()))
        }
        JobFailure::Cancelled => None,
    }
}

impl From<JobFailure> for InferError {
    fn from(failure: JobFailure) -> Self {
        match failure {
            JobFailure::Cancelled => InferError::Cancelled,
            JobFailure::Failed(error) => InferError::Device(error.message),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mindgap::volume::{Geometry, Volume};

    fn prepared() -> Prepared {
        let grid = Geometry::axis_aligned([4, 4, 2], [3.0; 3], [0.0; 3]).unwrap();
        let slices = Volume::from_fn(grid.clone(), |_, _, _| 0.0);
        Prepared { slices, air: 0.05, scan_geometry: grid, warnings: Vec::new() }
    }

    #[test]
    fn a_scan_is_prepared_once_for_its_slice_and_its_volume_and_then_let_go() {
        let mut scans = ScanCache::default();
        let mut times = 0;
        for job in [1, 2, 1, 2] {
            scans
                .of(JobId(job), || {
                    times += 1;
                    Ok(prepared())
                })
                .unwrap();
        }
        assert_eq!(times, 2);
        scans.forget(JobId(1));
        scans.of(JobId(3), || Ok(prepared())).unwrap();
        scans.of(JobId(4), || Ok(prepared())).unwrap();
        assert_eq!(scans.0.iter().map(|(job, _)| job.0).collect::<Vec<_>>(), [3, 4]);
    }
}
