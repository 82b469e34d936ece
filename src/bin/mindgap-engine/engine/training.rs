//! A training run as a job.

use super::jobs::{JobContext, JobFailure, failed};
use crate::train::{self, Observer, Phantoms, TrainError, TrainJob};
use mindgap::protocol::{Event, TrainRequest};

/// Trains to the end, or to a cancel, which keeps the checkpoint.
pub fn train(
    context: &JobContext,
    request: &TrainRequest,
    phantoms: &mut Phantoms,
) -> Result<Event, JobFailure> {
    let device = context.start(request.device)?;
    let job = TrainJob {
        config_text: request.config.clone(),
        data_dir: request.base_dir.clone(),
        out_dir: request.out_dir.clone(),
        resume: request.resume,
        device,
    };
    let mut reporter = Reporter(context);
    match train::train(&job, phantoms, &mut reporter) {
        Ok(card) => Ok(Event::Trained { job: context.job, bundle_dir: job.out_dir, card: Box::new(card) }),
        Err(TrainError::Cancelled) => Err(JobFailure::Cancelled),
        Err(error) => {
            let remedy = match error {
                // They say themselves what to do, and what lies there is as it was.
                TrainError::Unfinished(_) | TrainError::Finished(_) | TrainError::NoCheckpoint(_) => {
                    "Nothing was changed"
                }
                _ if job.out_dir.join("checkpoint.safetensors").is_file() => {
                    "The last checkpoint is kept; `--resume` goes on from it"
                }
                _ => "Nothing was kept; mend what is named and start again",
            };
            Err(failed("Training stopped", remedy, error))
        }
    }
}

struct Reporter<'a, 'b>(&'a JobContext<'b>);

impl Observer for Reporter<'_, '_> {
    fn progress(&mut self, phase: &str, done: u64, total: u64, note: &str) {
        self.0.progress(phase, done, total, note);
    }

    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}
