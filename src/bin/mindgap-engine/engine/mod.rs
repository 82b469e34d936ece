//! The model core as a process: it answers the protocol on a byte stream and owns every tensor.
//!
//! One thread reads commands, so that a cancel is seen while the networks work; one thread owns all tensors and does
//! the jobs in turn; a third sends, so that work never waits for a slow window. When the command stream ends, every job
//! is cancelled and the process ends.

mod anatomy;
mod cache;
mod device;
mod jobs;
pub mod libtorch;
mod mailbox;
mod serve;
mod style;
mod training;
mod unit;

pub use serve::serve;
