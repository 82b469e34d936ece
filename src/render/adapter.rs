//! Which graphics adapter draws, in words, and the handlers that keep its failures from ending the program.

use std::sync::{Arc, Mutex, PoisonError};

/// "llvmpipe (LLVM 15.0.6, 256 bits), Vulkan, CPU": name, programming interface, kind of device.
pub fn describe_adapter(info: &wgpu::AdapterInfo) -> String {
    let kind = match info.device_type {
        wgpu::DeviceType::DiscreteGpu => "GPU",
        wgpu::DeviceType::IntegratedGpu => "integrated GPU",
        wgpu::DeviceType::VirtualGpu => "virtual GPU",
        wgpu::DeviceType::Cpu => "CPU",
        wgpu::DeviceType::Other => "unknown kind",
    };
    let backend = match info.backend {
        wgpu::Backend::Vulkan => "Vulkan",
        wgpu::Backend::Metal => "Metal",
        wgpu::Backend::Dx12 => "Direct3D 12",
        wgpu::Backend::Gl => "OpenGL",
        wgpu::Backend::BrowserWebGpu => "WebGPU",
        wgpu::Backend::Noop => "no-op",
    };
    let name = if info.name.is_empty() { "unnamed adapter" } else { info.name.as_str() };
    format!("{name}, {backend}, {kind}")
}

/// Whether an adapter is a program on the processor.
pub fn draws_on_processor(info: &wgpu::AdapterInfo) -> bool {
    info.device_type == wgpu::DeviceType::Cpu
}

/// The first failure of a device, if there was one; cheap to clone, shared with the handlers.
#[derive(Debug, Clone, Default)]
pub struct DeviceHealth(Arc<Mutex<Option<String>>>);

impl DeviceHealth {
    /// What failed first, in the driver's words.
    pub fn failure(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn report(&self, failure: String) {
        tracing::error!("graphics device: {failure}");
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
    }
}

/// Takes over the device's error handlers, whose default is to panic: failures are logged and kept in the result.
pub fn watch_device(device: &wgpu::Device) -> DeviceHealth {
    let health = DeviceHealth::default();
    let lost = health.clone();
    device.set_device_lost_callback(move |reason, message| {
        // A device that its owner destroys is reported here too, and is no failure.
        if reason != wgpu::DeviceLostReason::Destroyed {
            lost.report(format!("device lost: {message}"));
        }
    });
    let uncaptured = health.clone();
    device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| uncaptured.report(error.to_string())));
    health
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_is_the_one_kept() {
        let health = DeviceHealth::default();
        assert_eq!(health.failure(), None);
        health.report("out of memory".to_owned());
        health.report("device lost".to_owned());
        assert_eq!(health.failure().as_deref(), Some("out of memory"));
    }
}
