//! MindGap: unsupervised cross-modality (CT <-> MR) segmentation, and a viewer for the domain gap that is left.

pub mod cli;
pub mod config;
pub mod dataset;
#[cfg(feature = "torch")]
pub mod engine;
pub mod eval;
#[cfg(feature = "torch")]
pub mod model;
pub mod protocol;
#[cfg(feature = "gui")]
pub mod render;
pub mod session;
#[cfg(feature = "torch")]
pub mod train;
#[cfg(feature = "gui")]
pub mod ui;
pub mod volume;
