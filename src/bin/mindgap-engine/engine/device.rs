//! Choosing where to compute, and how many threads may be busy.

use super::libtorch::CudaLibrary;
use mindgap::protocol::DeviceChoice;
use tch::{Cuda, Device};

/// What there is to compute on.
#[derive(Debug)]
pub struct Devices {
    cuda: Result<usize, String>,
    pub threads: usize,
}

impl Devices {
    /// Looks for a usable GPU and settles the number of CPU threads: `MINDGAP_THREADS`, else one fewer than there are
    /// cores. The window needs one, and torch's threads wait for each other: two of them on two cores of which one is
    /// busy were measured to be several times slower than one.
    pub fn find(library: &CudaLibrary) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let wanted = std::env::var("MINDGAP_THREADS").ok().and_then(|text| text.parse().ok());
        let threads: usize = wanted.unwrap_or(cores.saturating_sub(1)).max(1);
        tch::set_num_threads(threads as i32);
        let cuda = match (library, Cuda::device_count()) {
            (_, count) if Cuda::is_available() && count > 0 => Ok(count as usize),
            (CudaLibrary::NoDriver(_), _) => Err("CUDA library found, but no GPU driver".to_owned()),
            (CudaLibrary::NotFound, _) => Err("no CUDA library beside libtorch".to_owned()),
            (CudaLibrary::Failed { reason, .. }, _) => {
                Err(format!("CUDA library could not be loaded: {reason}"))
            }
            (CudaLibrary::Loaded(_), _) => Err("CUDA library found, but no GPU that it can use".to_owned()),
        };
        Self { cuda, threads }
    }

    /// The device for a job; an explicit wish for CUDA is refused where there is none.
    pub fn choose(&self, choice: DeviceChoice) -> Result<Device, String> {
        match (choice, &self.cuda) {
            (DeviceChoice::Auto | DeviceChoice::Cuda, Ok(_)) => Ok(Device::Cuda(0)),
            (DeviceChoice::Auto | DeviceChoice::Cpu, _) => Ok(Device::Cpu),
            (DeviceChoice::Cuda, Err(reason)) => Err(reason.clone()),
        }
    }

    /// For people: "CPU, 2 threads" or "CUDA 0".
    pub fn describe(&self, device: Device) -> String {
        match device {
            Device::Cuda(index) => format!("CUDA {index}"),
            _ if self.threads == 1 => "CPU, 1 thread".to_owned(),
            _ => format!("CPU, {} threads", self.threads),
        }
    }

    /// For people: how it stands with a GPU.
    pub fn describe_cuda(&self) -> String {
        match &self.cuda {
            Ok(count) => format!("{count} CUDA device(s)"),
            Err(reason) => reason.clone(),
        }
    }
}
