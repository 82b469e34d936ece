//! Data to learn from and to test on: plain voxels and labels, no tensor.

pub mod phantom;
