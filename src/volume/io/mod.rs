//! Files in, files out.

pub mod nifti;
