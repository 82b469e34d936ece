//! How much memory a volume may take before the machine starts to swap.

/// Bytes the system says are free for new programs; `None` where it does not say.
///
/// Linux publishes the figure as a file. Elsewhere a volume that does not fit is refused by the allocator instead.
pub(super) fn free_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}
