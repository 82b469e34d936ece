//! How much memory this process holds.

use std::time::{Duration, Instant};

const BETWEEN_READINGS: Duration = Duration::from_secs(1);

/// Resident bytes, read at most once a second; `None` when it is not due or the system does not tell.
pub fn resident_bytes_if_due(last: &mut Option<Instant>) -> Option<u64> {
    if last.is_some_and(|last| last.elapsed() < BETWEEN_READINGS) {
        return None;
    }
    *last = Some(Instant::now());
    resident_bytes()
}

/// `VmRSS` of /proc/self/status: in kibibytes whatever the page size.
#[cfg(target_os = "linux")]
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(not(target_os = "linux"))]
fn resident_bytes() -> Option<u64> {
    None
}
