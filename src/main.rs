//! The window and the command line: parse, log, dispatch, and print what went wrong once.

use clap::Parser;
use mindgap::cli::Cli;
use std::io::IsTerminal;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr(cli.verbose);
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// `RUST_LOG` decides if it is set, else how often `-v` was given.
fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        // Drivers and window systems warn of what no user can help; -v shows it.
        0 => "mindgap=warn,error,eframe=off,wgpu_hal=off",
        1 => "mindgap=info,warn",
        _ => "mindgap=debug,info",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let stderr = std::io::stderr;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .without_time()
        .with_target(false)
        .init();
}
