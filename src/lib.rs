//! MindGap: unsupervised cross-modality (CT <-> MR) segmentation, and a viewer for the domain gap that is left.

pub mod config;
pub mod dataset;
pub mod protocol;
#[cfg(feature = "gui")]
pub mod render;
pub mod session;
pub mod volume;
