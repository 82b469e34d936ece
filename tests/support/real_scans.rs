//! Where the real scans lie that some tests read.

use std::io::Write;
use std::path::PathBuf;

/// The folder of real scans, or `None` after saying loudly that a test is skipped.
pub fn real_scans() -> Option<PathBuf> {
    let named = std::env::var_os("MINDGAP_DATA").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"));
    if folder.join("io_conformance").is_dir() {
        return Some(folder);
    }
    // Written past the test harness, which would keep what a passing test prints to itself.
    let words = format!("SKIPPED: no real scans in {}; set MINDGAP_DATA to their folder\n", folder.display());
    std::io::stderr().write_all(words.as_bytes()).ok()?;
    None
}
