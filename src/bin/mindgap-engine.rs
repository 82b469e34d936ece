//! The model engine: serves the protocol on stdin and stdout until stdin ends. Started by `mindgap`.

use mindgap::engine::{libtorch, serve};
use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("--version") {
        println!("mindgap-engine {}", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    // Before the first tensor: libtorch asks once which devices there are.
    let cuda = libtorch::load_cuda();
    match serve(std::io::stdin(), std::io::stdout(), &cuda) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mindgap-engine: {error}");
            ExitCode::FAILURE
        }
    }
}
