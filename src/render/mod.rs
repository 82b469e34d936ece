//! The wgpu pass that draws a patient's slice into a pane, its CPU twin, and a window without a display.
//!
//! Knows nothing of volumes or models: callers hand over [`Plane`]s already cut and oriented for the screen. What is
//! drawn for given planes, [`SliceStyle`] and [`PaneTransform`] is defined twice, by `shaders/slice.wgsl` and by
//! [`mod@reference`], and `tests/render_parity.rs` holds the two together. Where there is no GPU [`software`] draws the same
//! faster than a shader on the processor could.

pub mod adapter;
pub mod blit;
pub mod callback;
pub mod error;
pub mod headless;
pub mod palette;
pub mod picture;
pub mod pipeline;
pub mod raster;
pub mod reference;
pub mod resources;
pub mod slice;
pub mod software;
pub mod transform;
pub mod uniforms;
pub mod volumes;

pub use crate::colormap::Colormap;
pub use adapter::{DeviceHealth, describe_adapter, draws_on_processor, watch_device};
pub use callback::SliceCallback;
pub use error::RenderError;
pub use headless::{HeadlessWindow, Pixels, ground};
pub use palette::LabelPalette;
pub use picture::{SlicePicture, SlicePictures};
pub use raster::{Eye, Solid, project_mm, render_solids};
pub use resources::SliceResources;
pub use slice::{Plane, SliceError, SliceGrid, SliceLayers, VolumeSlice};
pub use transform::PaneTransform;
pub use uniforms::{HeatStyle, Interpolation, LabelStyle, SliceStyle, SliceUniforms};
pub use volumes::{CutUniforms, Texels, VolumeTexels};
