//! What can go wrong between this program and a graphics device.

/// A picture that cannot be drawn, with what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error(
        "no graphics adapter was found ({detail}): install the driver of the graphics card or, for drawing on the \
         processor, `mesa-vulkan-drivers` (Debian, Ubuntu: sudo apt-get install mesa-vulkan-drivers)"
    )]
    NoAdapter { detail: String },
    #[error(
        "the graphics adapter refused a device ({detail}): update its driver, or set WGPU_BACKEND=vulkan or gl"
    )]
    NoDevice { detail: String },
    #[error(
        "a picture of {width} x {height} pixels was asked for, this device draws 1 to {max} along each side"
    )]
    Size { width: u32, height: u32, max: u32 },
    #[error("the graphics device failed: {detail}; start again, and update its driver if that recurs")]
    Device { detail: String },
    #[error("still not finished after {seconds:.0} s")]
    Timeout { seconds: f64 },
}
