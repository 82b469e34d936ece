//! Choosing where to compute, and how many threads may be busy.

use super::libtorch::CudaLibrary;
use mindgap::protocol::DeviceChoice;
use std::cell::RefCell;
use tch::{Cuda, Device};

/// Overrides how many CPU threads the engine uses.
const THREADS_VARIABLE: &str = "MINDGAP_THREADS";

/// What there is to compute on.
#[derive(Debug)]
pub struct Devices {
    /// How many GPUs, or why there is none that may be used. A GPU that failed is not used again: after a failed kernel
    /// nothing that CUDA computes in this process can be trusted.
    cuda: RefCell<Result<usize, String>>,
    pub threads: usize,
}

impl Devices {
    /// Looks for a usable GPU and settles the number of CPU threads, of torch and of everything else.
    ///
    /// `asked` is the number of threads that the client wants, before what the environment says.
    pub fn find(library: &CudaLibrary, asked: Option<String>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let asked = asked.or_else(|| std::env::var(THREADS_VARIABLE).ok());
        let threads = threads(cores, asked.as_deref());
        tch::set_num_threads(threads as i32);
        if rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().is_err() {
            tracing::warn!("the thread pool was there already; it keeps its size");
        }
        let cuda = match (library, Cuda::device_count()) {
            (_, count) if Cuda::is_available() && count > 0 => Ok(count as usize),
            (CudaLibrary::NoDriver(_), _) => Err("CUDA library found, but no GPU driver".to_owned()),
            (CudaLibrary::NotFound, _) => Err("no CUDA library beside libtorch".to_owned()),
            (CudaLibrary::Failed { reason, .. }, _) => {
                Err(format!("CUDA library could not be loaded: {reason}"))
            }
            (CudaLibrary::Loaded(_), _) => Err("CUDA library found, but no GPU that it can use".to_owned()),
        };
        Self { cuda: RefCell::new(cuda), threads }
    }

    /// The device for a job; an explicit wish for CUDA is refused where there is none.
    pub fn choose(&self, choice: DeviceChoice) -> Result<Device, String> {
        match (choice, &*self.cuda.borrow()) {
            (DeviceChoice::Auto | DeviceChoice::Cuda, Ok(_)) => Ok(Device::Cuda(0)),
            (DeviceChoice::Auto | DeviceChoice::Cpu, _) => Ok(Device::Cpu),
            (DeviceChoice::Cuda, Err(reason)) => Err(reason.clone()),
        }
    }

    /// From now on the CPU is used.
    pub fn lose_cuda(&self, reason: &str) {
        *self.cuda.borrow_mut() =
            Err(format!("the GPU failed earlier ({reason}); restart the engine to use it again"));
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
        match &*self.cuda.borrow() {
            Ok(count) => format!("{count} CUDA device(s)"),
            Err(reason) => reason.clone(),
        }
    }
}

/// What was asked for, else one fewer than there are cores, and never none. The window needs a core, and torch's threads
/// wait for each other: two of them on two cores of which one is busy were measured to be several times slower than one.
fn threads(cores: usize, asked: Option<&str>) -> usize {
    let asked = asked.and_then(|text| text.trim().parse::<usize>().ok()).filter(|threads| *threads > 0);
    asked.unwrap_or(cores.saturating_sub(1)).clamp(1, MOST_THREADS)
}

/// No machine gains from more.
const MOST_THREADS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_left_a_core_and_one_core_is_enough() {
        assert_eq!([1, 2, 8].map(|cores| threads(cores, None)), [1, 1, 7]);
        assert_eq!(threads(8, Some("3")), 3);
        for nonsense in ["0", "-1", "many", ""] {
            assert_eq!(threads(8, Some(nonsense)), 7, "{nonsense:?}");
        }
    }

    #[test]
    fn a_gpu_that_failed_is_not_chosen_again() {
        let devices = Devices { cuda: RefCell::new(Ok(1)), threads: 1 };
        assert_eq!(devices.choose(DeviceChoice::Auto), Ok(Device::Cuda(0)));
        devices.lose_cuda("CUDA error: device-side assert triggered");
        assert_eq!(devices.choose(DeviceChoice::Auto), Ok(Device::Cpu));
        assert!(
            devices.choose(DeviceChoice::Cuda).is_err_and(|reason| reason.contains("device-side assert"))
        );
    }
}
