//! Where a file says its grid lies, with what had to be assumed, whatever the format.

use super::IoError;
use crate::volume::Geometry;
use glam::DMat4;
use std::path::Path;

/// A grid's place, with what a reader must know about how it was found.
pub(super) struct Placement {
    pub world_from_voxel: DMat4,
    pub orientation_known: bool,
    pub spacing_known: bool,
    pub warnings: Vec<String>,
}

impl Placement {
    /// The grid of `dims` voxels there, and the warnings. `field` names what in the header was wrong if there is none.
    pub(super) fn geometry(
        self,
        path: &Path,
        field: &str,
        dims: [usize; 3],
    ) -> Result<(Geometry, Vec<String>), IoError> {
        let mut geometry = Geometry::new(dims, self.world_from_voxel)
            .map_err(|error| IoError::field(path, field, "a usable grid", error))?;
        if !self.orientation_known {
            geometry = geometry.with_unknown_orientation();
        }
        if !self.spacing_known {
            geometry = geometry.with_unknown_spacing();
        }
        let mut warnings = self.warnings;
        warnings.extend(implausible_spacing(&geometry));
        Ok((geometry, warnings))
    }
}

/// A warning if the voxels are smaller than a cell or larger than a person, as when metres were taken for mm.
fn implausible_spacing(geometry: &Geometry) -> Option<String> {
    let [i, j, k] = geometry.spacing_mm();
    let implausible = [i, j, k].iter().any(|size| !(1e-3..=1e3).contains(size));
    (geometry.spacing_known() && implausible).then(|| {
        format!("A voxel of {i:.3e} x {j:.3e} x {k:.3e} mm is implausible: the file's unit may be wrong.")
    })
}
