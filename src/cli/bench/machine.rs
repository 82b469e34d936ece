//! What the figures were measured on.

use serde::Serialize;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Machine {
    /// `None` where the system does not say.
    pub(super) cpu: Option<String>,
    /// Cores this process may use.
    pub(super) cores: usize,
    /// `None` where the system does not say.
    pub(super) memory_bytes: Option<u64>,
    pub(super) system: String,
}

impl Machine {
    pub(super) fn here() -> Self {
        let asked = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = System::new_with_specifics(asked).ok();
        let brand = |system: &System| Some(system.cpus().first()?.brand().trim().to_owned());
        Self {
            cpu: system.as_ref().and_then(brand),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: system.as_ref().map(System::total_memory),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        }
    }
}
