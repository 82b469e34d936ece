//! How much memory and disk a volume may take.

use super::IoError;
use std::path::Path;
use sysinfo::System;

/// Bytes a new volume may take before the machine starts to swap or the process is killed: what the system says is
/// available, or what is left of a container's share if that is less. `None` where neither is known.
pub(super) fn free_bytes() -> Option<u64> {
    let mut system = System::new().ok()?;
    system.refresh_memory();
    let available = Some(system.available_memory()).filter(|bytes| *bytes > 0);
    let left = system.cgroup_limits().map(|limits| limits.total_memory.saturating_sub(limits.rss));
    [available, left].into_iter().flatten().min()
}

/// Bytes free on the disk that `path` is on; `None` where the system does not say.
pub(super) fn free_disk_bytes(path: &Path) -> Option<u64> {
    let folder = path.ancestors().skip(1).find_map(|folder| {
        // A name without a folder lies in the current one.
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        folder.canonicalize().ok()
    })?;
    free_in(&folder)
}

#[cfg(unix)]
fn free_in(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

#[cfg(not(unix))]
fn free_in(folder: &Path) -> Option<u64> {
    use sysinfo::{Disk, DiskRefreshKind, Disks};
    let disks = Disks::new_with_refreshed_list_specifics(DiskRefreshKind::nothing().with_storage());
    let holding = disks.list().iter().filter(|disk| folder.starts_with(disk.mount_point()));
    // Of nested mounts, the innermost holds the file.
    let innermost = holding.max_by_key(|disk| disk.mount_point().components().count());
    innermost.map(Disk::available_space)
}

/// Refuses a grid of `dims` voxels whose `needed_bytes` are not free, before they are allocated.
pub(super) fn refuse_what_does_not_fit(
    path: &Path,
    dims: [usize; 3],
    needed_bytes: u64,
) -> Result<(), IoError> {
    match free_bytes() {
        Some(free_bytes) if needed_bytes > free_bytes => {
            let dims = dims_text(&dims.map(|size| size as u64));
            Err(IoError::TooLarge { path: path.to_owned(), dims, needed_bytes, free_bytes })
        }
        _ => Ok(()),
    }
}

/// Sizes for people: "512 x 512 x 300".
pub(super) fn dims_text(dims: &[u64]) -> String {
    dims.iter().map(u64::to_string).collect::<Vec<_>>().join(" x ")
}
