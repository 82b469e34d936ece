//! MindGap: unsupervised cross-modality (CT <-> MR) segmentation, and a viewer for the domain gap that is left.

pub mod cli;
pub mod config;
pub mod dataset;
pub mod eval;
pub mod protocol;
#[cfg(feature = "gui")]
pub mod render;
pub mod session;
#[cfg(feature = "gui")]
pub mod ui;
pub mod volume;
