//! Going on with smaller batches where the device has not memory enough for whole ones.

use super::TrainError;
use super::batches::Batch;
use crate::model::infer::InferError;
use crate::model::ladder::{Trouble, caught, trouble_in};

/// The share of each batch that is used: 1, 1/2, 1/4, ...
#[derive(Debug, Default)]
pub struct Share {
    halvings: u32,
    told: u32,
}

impl Share {
    /// Whether it shrank since this was last asked.
    pub fn shrank(&mut self) -> bool {
        std::mem::replace(&mut self.told, self.halvings) < self.halvings
    }

    /// For people.
    pub fn describe(&self) -> String {
        format!("out of memory: batches are cut to 1/{} from here on", 1 << self.halvings)
    }
}

/// Runs a step on the share of `batch` that fits; where memory runs out, on half of it, until one slice of a kind is left.
///
/// A network whose gradients were there before memory ran out has been updated, and is updated once more: that costs
/// nothing but this one step's evenness. Gradients are switched on for every try, since a panic out of a part without them
/// leaves them off.
pub fn within<T>(
    batch: &Batch,
    share: &mut Share,
    mut step: impl FnMut(&Batch) -> Result<T, TrainError>,
) -> Result<T, TrainError> {
    loop {
        let cut = (share.halvings > 0).then(|| batch.first_share(1 << share.halvings));
        match tch::with_grad(|| caught(|| step(cut.as_ref().unwrap_or(batch)))) {
            Err(error) if is_out_of_memory(&error) && batch.largest() > 1 << share.halvings => {
                share.halvings += 1;
            }
            outcome => return outcome,
        }
    }
}

fn is_out_of_memory(error: &TrainError) -> bool {
    matches!(error, TrainError::Torch(_) | TrainError::Infer(InferError::Device(_) | InferError::Torch(_)))
        && trouble_in(&error.to_string()) == Some(Trouble::OutOfMemory)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::train::batches::Kind;
    use tch::TchError;

    fn batch(source: usize, target: usize) -> Batch {
        Batch {
            source: vec![vec![0.0]; source],
            source_labels: vec![vec![0]; source],
            target: vec![vec![0.0]; target],
            ..Batch::default()
        }
    }

    fn device_for(slices: usize) -> impl FnMut(&Batch) -> Result<usize, TrainError> {
        move |batch| match batch.source.len() + batch.target.len() {
            used if used <= slices => Ok(used),
            used => Err(TchError::Torch(format!("CUDA out of memory: {used} slices")).into()),
        }
    }

    #[test]
    fn a_training_that_runs_out_of_memory_goes_on_with_half_batches_and_says_so_once() {
        let mut share = Share::default();
        assert_eq!(within(&batch(4, 3), &mut share, device_for(4)).unwrap(), 4);
        assert!(share.shrank() && !share.shrank());
        assert!(share.describe().contains("1/2"));
        // The next batch is cut before it is tried.
        assert_eq!(within(&batch(4, 3), &mut share, device_for(4)).unwrap(), 4);
        assert!(!share.shrank());
    }

    #[test]
    fn a_device_too_small_for_one_slice_of_a_kind_ends_the_training() {
        let mut share = Share::default();
        let error = within(&batch(4, 4), &mut share, device_for(1)).unwrap_err();
        assert!(error.to_string().contains("out of memory"), "{error}");
    }

    #[test]
    fn memory_that_runs_out_within_a_layer_costs_half_of_the_batch_and_not_the_training() {
        let mut share = Share::default();
        // What libtorch cannot return as an error comes as a panic, here out of a part that takes no gradients.
        let step = |batch: &Batch| -> Result<bool, TrainError> {
            if batch.source.len() > 2 {
                tch::no_grad(|| panic!("Torch(\"DefaultCPUAllocator: can't allocate memory\")"));
            }
            Ok((tch::Tensor::from(1.0).set_requires_grad(true) * 2.0).requires_grad())
        };
        assert!(within(&batch(4, 0), &mut share, step).unwrap(), "a later try must have its gradients");
        assert!(share.shrank());
    }

    #[test]
    fn half_a_batch_still_holds_slices_of_every_kind() {
        let kinds = [Kind::Real, Kind::Real, Kind::Restyled, Kind::Restyled, Kind::Painted, Kind::Painted];
        let labelled = (0..6).map(|n| vec![n as f32]).collect();
        let labels = (0..6).map(|n| vec![n]).collect();
        let whole = Batch { labelled, labels, kinds: kinds.to_vec(), ..Batch::default() };
        let half = whole.first_share(2);
        assert_eq!(half.kinds, [Kind::Real, Kind::Restyled, Kind::Painted]);
        assert_eq!(half.labels, [[0], [2], [4]], "each slice keeps its own labels");
        assert_eq!(half.labelled, [[0.0], [2.0], [4.0]]);
        assert_eq!((whole.largest(), half.largest()), (2, 1));
    }

    #[test]
    fn other_errors_are_not_taken_for_a_lack_of_memory() {
        let failing =
            |_: &Batch| -> Result<(), TrainError> { Err(TchError::Torch("device assert".into()).into()) };
        let mut share = Share::default();
        assert!(within(&batch(4, 4), &mut share, failing).is_err());
        assert!(!share.shrank());
    }
}
