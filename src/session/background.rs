//! Threads for whatever would stop a window: each runs one task and hands over its result.
//!
//! Invariant: every task ends in a result, one that panics too.

use super::engine::Wake;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};

/// Threads that each compute one `T`.
pub struct Background<T> {
    sender: Sender<T>,
    results: Receiver<T>,
    wake: Wake,
    /// What a task that panicked amounts to; nothing may vanish silently.
    lost: fn(String) -> T,
}

impl<T: Send + 'static> Background<T> {
    /// `wake` is called after each result; `lost` turns the message of a panic into one.
    pub fn new(wake: Wake, lost: fn(String) -> T) -> Self {
        let (sender, results) = channel();
        Self { sender, results, wake, lost }
    }

    /// Runs `task` on a thread of its own. What it gives to the function it is handed arrives before its result does.
    pub fn run(&self, task: impl FnOnce(&dyn Fn(T)) -> T + Send + 'static) {
        let (sender, wake, lost) = (self.sender.clone(), self.wake.clone(), self.lost);
        let body = move || {
            let tell = |news| {
                // See below.
                let _ = sender.send(news);
                wake();
            };
            let task = AssertUnwindSafe(|| task(&tell));
            let result = catch_unwind(task).unwrap_or_else(|panic| lost(words_of(&*panic)));
            // Without a receiver the window is gone, and with it all interest in the result.
            let _ = sender.send(result);
            wake();
        };
        if let Err(error) = std::thread::Builder::new().name("background".to_owned()).spawn(body) {
            let _ = self.sender.send((self.lost)(format!("no thread could be started: {error}")));
            (self.wake)();
        }
    }

    /// Takes the next finished result if there is one.
    pub fn try_next(&self) -> Option<T> {
        self.results.try_recv().ok()
    }
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("an internal error").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn a_task_that_panics_is_told_and_not_waited_for_for_ever() {
        let background = Background::<Result<u8, String>>::new(Arc::new(|| ()), Err);
        background.run(|_| panic!("slipped"));
        let answer = background.results.recv_timeout(Duration::from_secs(10));
        assert_eq!(answer, Ok(Err("slipped".to_owned())));
    }
}
