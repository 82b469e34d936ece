//! Going on with smaller batches where the device has not memory enough for whole ones.

use super::TrainError;
use super::batches::Batch;
use tch::TchError;

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
/// nothing but this one step's evenness.
pub fn within<T>(
    batch: &Batch,
    share: &mut Share,
    mut step: impl FnMut(&Batch) -> Result<T, TrainError>,
) -> Result<T, TrainError> {
    loop {
        let outcome =
            if share.halvings == 0 { step(batch) } else { step(&batch.first_share(1 << share.halvings)) };
        match outcome {
            Err(error) if is_out_of_memory(&error) && batch.largest() > 1 << share.halvings => {
                share.halvings += 1;
            }
            outcome => return outcome,
        }
    }
}

fn is_out_of_memory(error: &TrainError) -> bool {
    matches!(error, TrainError::Torch(TchError::Torch(text)) if {
        let text = text.to_lowercase();
        text.contains("out of memory") || text.contains("not enough memory")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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
    fn other_errors_are_not_taken_for_a_lack_of_memory() {
        let failing =
            |_: &Batch| -> Result<(), TrainError> { Err(TchError::Torch("device assert".into()).into()) };
        let mut share = Share::default();
        assert!(within(&batch(4, 4), &mut share, failing).is_err());
        assert!(!share.shrank());
    }
}
