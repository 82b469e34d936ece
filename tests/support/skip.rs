//! Saying that a test, or a part of it, is skipped.

use std::io::Write;

/// Written past the test harness, which keeps what a passing test prints to itself.
pub fn skipped(why: &str) {
    let _ = std::io::stderr().write_all(format!("SKIPPED: {why}\n").as_bytes());
}
