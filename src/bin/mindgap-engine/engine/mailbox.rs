//! What passes between the reading thread and the working thread: jobs in order, cancels at once.

use mindgap::protocol::{JobId, Request};
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Shared by both threads.
#[derive(Debug, Clone, Default)]
pub struct Mailbox(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<(JobId, Box<Request>)>,
    cancelled: HashSet<JobId>,
    closed: bool,
}

impl Mailbox {
    /// Puts a job at the end of the queue.
    pub fn post(&self, job: JobId, request: Box<Request>) {
        self.state().queue.push_back((job, request));
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
        state.queue.clear();
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

    /// The next job, waiting for one; `None` once closed.
    pub fn next(&self) -> Option<(JobId, Box<Request>)> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            if let Some(next) = state.queue.pop_front() {
                return Some(next);
            }
            state = self.0.1.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The state stays usable whatever happened to another thread: it is a queue and a set.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
