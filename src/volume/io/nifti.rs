//! NIfTI-1 and NIfTI-2.

/// The fields of a NIfTI header that place its grid in the patient, kept to be written back bit for bit.
#[derive(Debug, Clone, PartialEq)]
pub struct SpatialHeader {}
