//! The model engine: serves the protocol on stdin and stdout until stdin ends. Started by `mindgap`.
//!
//! The networks, their training and the serving loop live here and not in the library, so that nothing else *can* link
//! libtorch: the compiler puts code of one crate that is used together into the same object files, and one such file
//! would be enough to make the window load half a gigabyte.
//!
//! `engine` may use `train` and `model`; `train` may use `model`; `model` uses neither.

mod engine;
mod model;
mod train;

use engine::{libtorch, serve};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let threads = match arguments.next().as_deref() {
        Some("--version") => {
            println!("mindgap-engine {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        // Several engines at work on one machine share its cores.
        Some("--threads") => arguments.next(),
        _ => None,
    };
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    // Before the first tensor: libtorch asks once which devices there are.
    let cuda = libtorch::load_cuda();
    match serve(std::io::stdin(), std::io::stdout(), &cuda, threads) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mindgap-engine: {error}");
            ExitCode::FAILURE
        }
    }
}
