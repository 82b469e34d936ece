//! MindGap: unsupervised cross-modality (CT <-> MR) segmentation, and a viewer for the domain gap that is left.

pub mod volume;
