//! MindGap: unsupervised cross-modality (CT <-> MR) segmentation, and a viewer for the domain gap that is left.

#[cfg(feature = "gui")]
pub mod render;
pub mod volume;
