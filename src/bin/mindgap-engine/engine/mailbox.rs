//! What passes between the reading thread and the working thread: jobs in order, cancels at once.
//!
//! A job that wants one slice first is done in two turns, and first slices go before whole volumes: a user who asked for
//! a translation and a segmentation sees both slices before either volume is worked on. Slices in another style, which a
//! slider asks for, go before everything and are also taken in the middle of a job.

use mindgap::protocol::{JobId, Request};
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Shared by both threads.
#[derive(Debug, Clone, Default)]
pub struct Mailbox(Arc<(Mutex<State>, Condvar)>);

/// One turn of the working thread.
#[derive(Debug)]
pub struct Turn {
    pub job: JobId,
    pub request: Arc<Request>,
    /// Only the slice that is wanted first; the job goes on in a later turn.
    pub first_slice_only: bool,
}

#[derive(Debug, Default)]
struct State {
    styles: VecDeque<Turn>,
    first_slices: VecDeque<Turn>,
    queue: VecDeque<Turn>,
    cancelled: HashSet<JobId>,
    closed: bool,
}

impl Mailbox {
    /// Puts a job at the end of the queue.
    pub fn post(&self, job: JobId, request: Request) {
        let request = Arc::new(request);
        let mut state = self.state();
        if matches!(*request, Request::Style(_)) {
            state.styles.push_back(Turn { job, request, first_slice_only: false });
            drop(state);
            return self.0.1.notify_one();
        }
        if wants_first_slice(&request) {
            state.first_slices.push_back(Turn { job, request: request.clone(), first_slice_only: true });
        }
        state.queue.push_back(Turn { job, request, first_slice_only: false });
        drop(state);
        self.0.1.notify_one();
    }

    /// Marks a job as no longer wanted, queued or running.
    pub fn cancel(&self, job: JobId) {
        self.state().cancelled.insert(job);
    }

    /// No more commands will come: the running job is to stop and the queue is void.
    pub fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.styles.clear();
        state.queue.clear();
        state.first_slices.clear();
        drop(state);
        self.0.1.notify_one();
    }

    /// Whether a job is to stop.
    pub fn is_cancelled(&self, job: JobId) -> bool {
        let state = self.state();
        state.closed || state.cancelled.contains(&job)
    }

    /// Forgets a job that has ended.
    pub fn forget(&self, job: JobId) {
        self.state().cancelled.remove(&job);
    }

    /// The slice in another style that waits, if one does.
    pub fn next_style(&self) -> Option<Turn> {
        self.state().styles.pop_front()
    }

    /// The next turn, waiting for one; `None` once closed.
    pub fn next(&self) -> Option<Turn> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            let next = state.styles.pop_front().or_else(|| state.first_slices.pop_front());
            let next = next.or_else(|| state.queue.pop_front());
            if next.is_some() {
                return next;
            }
            state = self.0.1.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The state stays usable whatever happened to another thread: it is a queue and a set.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wants_first_slice(request: &Request) -> bool {
    match request {
        Request::Segment(request) => request.first_world_mm.is_some(),
        Request::Translate(request) => request.first_world_mm.is_some(),
        Request::Style(_) | Request::CheckAnatomy(_) | Request::Train(_) => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mindgap::protocol::{DeviceChoice, StyleRequest, TrainRequest};
    use std::path::PathBuf;

    fn training() -> Request {
        Request::Train(TrainRequest {
            config: String::new(),
            base_dir: PathBuf::new(),
            out_dir: PathBuf::new(),
            resume: false,
            device: DeviceChoice::Cpu,
        })
    }

    #[test]
    fn a_slice_in_another_style_is_taken_before_what_waits_and_in_the_middle_of_a_job() {
        let style = |style| {
            let (subject, sent, world_mm) = (1, None, [0.0; 3]);
            Request::Style(StyleRequest { subject, sent, world_mm, style, device: DeviceChoice::Cpu })
        };
        let mailbox = Mailbox::default();
        mailbox.post(JobId(1), training());
        mailbox.post(JobId(2), training());
        mailbox.post(JobId(3), style(0.5));
        assert_eq!(mailbox.next().unwrap().job, JobId(3));
        assert_eq!(mailbox.next().unwrap().job, JobId(1));
        // Job 1 is being worked on.
        assert!(mailbox.next_style().is_none());
        mailbox.post(JobId(4), style(0.6));
        assert_eq!(mailbox.next_style().unwrap().job, JobId(4));
        assert_eq!(mailbox.next().unwrap().job, JobId(2));
    }

    #[test]
    fn jobs_keep_their_order_and_a_closed_mailbox_cancels_what_is_running() {
        let mailbox = Mailbox::default();
        mailbox.post(JobId(1), training());
        mailbox.post(JobId(2), training());
        mailbox.cancel(JobId(2));
        assert_eq!(mailbox.next().unwrap().job, JobId(1));
        assert!(!mailbox.is_cancelled(JobId(1)) && mailbox.is_cancelled(JobId(2)));
        mailbox.close();
        assert!(mailbox.is_cancelled(JobId(1)));
        assert!(mailbox.next().is_none());
    }
}
