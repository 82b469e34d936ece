//! The engine process seen from the window and the command line: starting it, talking to it, surviving it.
//!
//! Never links libtorch and never imports a window library: whoever wants to be woken passes a closure.

mod engine;
mod launch;
mod run;

pub use engine::{Engine, EngineState, Notice, Wake};
pub use launch::{EngineError, Launch, locate_engine};
pub use run::{model_payload, run_job};
