//! The answer of a command, on stdout.

use serde::Serialize;
use std::io::{self, Write};

/// Prints `text` and a line feed.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        // Whoever reads has had enough, as `head` does: no error of ours.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// Prints the one JSON object that `--json` promises.
pub(super) fn print_json(answer: &impl Serialize) -> anyhow::Result<()> {
    print(&serde_json::to_string_pretty(answer)?)
}
