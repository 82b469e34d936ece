//! Where a NIfTI file says its grid lies, and what to do when it says it badly or twice.
//!
//! Order of trust: sform, qform, pixdim; each only if it is finite and invertible. Whoever opens the file may put the
//! qform first. World space is RAS+ in mm.
//! Formulas: nifti1.h, "METHOD 1", "METHOD 2" and "METHOD 3" of 3D image orientation.

use super::super::SAME_GRID_MM;
use super::super::placement::Placement;
use super::Version;
use crate::volume::{Geometry, geometry_equal, is_usable_affine};
use glam::{DMat3, DMat4, DQuat, DVec3, DVec4};

/// The fields of a NIfTI header that place its grid in the patient, kept to be written back bit for bit.
///
/// NIfTI-1 stores them as float32; they are widened here, which loses nothing in either direction.
#[derive(Debug, Clone, PartialEq)]
pub struct SpatialHeader {
    pub version: Version,
    /// NIFTI_XFORM code: 0 unknown, 1 scanner, 2 aligned, 3 Talairach, 4 MNI.
    pub qform_code: i32,
    pub sform_code: i32,
    /// quatern_b, quatern_c, quatern_d.
    pub quatern: [f64; 3],
    pub qoffset: [f64; 3],
    /// srow_x, srow_y, srow_z, in the file's unit.
    pub srow: [[f64; 4]; 3],
    /// qfac, then the spacing along i, j, k in the file's unit.
    pub pixdim: [f64; 4],
    pub xyzt_units: i32,
    /// Whether `descrip` says that the voxel size is unknown. An sform always has one, and a grid of known orientation needs
    /// an sform.
    pub size_unknown: bool,
    /// Whether `descrip` says that slices are missing, for which NIfTI has no field.
    pub slices_missing: bool,
}

/// Two forms that differ by more than this contradict each other.
const CONFLICT_MM: f64 = 0.1;
const CONFLICT_DEGREES: f64 = 0.5;

/// A quaternion this far from unit length is rounding; beyond it the field is broken.
const QUATERNION_TOLERANCE: f64 = 1e-3;

/// Below this, what a quaternion's three numbers lack to unit length is nothing.
const HALF_TURN: f64 = 1e-7;

impl SpatialHeader {
    /// Chooses the affine to believe, for a grid of `dims` voxels: the sform's if it has one, unless the qform is preferred.
    pub(super) fn placement(&self, dims: [usize; 3], prefer_qform: bool) -> Placement {
        let mut warnings = Vec::new();
        let mm_per_unit = self.mm_per_unit(&mut warnings);
        let (spacing_mm, spacing_known) = self.spacing_mm(mm_per_unit);
        let sform = (self.sform_code > 0).then(|| self.sform(mm_per_unit));
        let qform = (self.qform_code > 0).then(|| self.qform(mm_per_unit, spacing_mm)).flatten();
        let usable = |affine: &DMat4| is_usable_affine(affine);
        let (sform_usable, qform_usable) = (sform.filter(usable), qform.filter(usable));

        if self.sform_code > 0 && sform_usable.is_none() {
            warnings.push("The sform is singular or not finite; it was ignored.".into());
        }
        if self.qform_code > 0 && qform_usable.is_none() {
            warnings.push("The qform's quaternion is invalid; it was ignored.".into());
        }
        if let (Some(s), Some(q)) = (sform_usable, qform_usable) {
            warnings.extend(conflict(&s, &q, dims, prefer_qform));
        }
        let by_sform = sform_usable.filter(|_| !prefer_qform || qform_usable.is_none());
        let form = by_sform.or(qform_usable);
        // The sform carries its own spacing; the other two take theirs from pixdim.
        let spacing_known = (by_sform.is_some() || spacing_known) && !self.size_unknown;
        if self.size_unknown {
            warnings.push(
                "The file says that its voxel size is unknown: nothing is reported in mm or ml.".into(),
            );
        } else if !spacing_known {
            warnings.push(
                "The voxel size is zero or not finite; 1 mm was assumed, and nothing is reported in mm or ml.".into(),
            );
        } else if by_sform.is_none() && self.pixdim[1..].iter().any(|size| *size < 0.0) {
            warnings.push("A voxel size is negative; its absolute value was used.".into());
        }
        if form.is_none() {
            warnings.push(
                "The file does not say how the patient lies (no usable sform or qform): left and right are unknown."
                    .into(),
            );
        }
        let world_from_voxel = form.unwrap_or_else(|| DMat4::from_scale(spacing_mm));
        Placement { world_from_voxel, orientation_known: form.is_some(), spacing_known, warnings }
    }

    /// Whether both forms are usable and put a grid of `dims` voxels in different places, so that one can be chosen.
    pub fn forms_conflict(&self, dims: [usize; 3]) -> bool {
        let by = |prefer_qform| self.placement(dims, prefer_qform).world_from_voxel;
        conflict(&by(false), &by(true), dims, false).is_some()
    }

    /// The fields for a grid that came from no NIfTI file: sform and, where it puts the grid in the same place, qform;
    /// code 1.
    pub(super) fn of_geometry(geometry: &Geometry) -> Self {
        let affine = geometry.world_from_voxel();
        let spacing = geometry.spacing_mm();
        let mut axes = DMat3::from_mat4(affine);
        for axis in 0..3 {
            *axes.col_mut(axis) /= spacing[axis];
        }
        let qfac = if axes.determinant() < 0.0 { -1.0 } else { 1.0 };
        axes.z_axis *= qfac;
        let rotation = DQuat::from_mat3(&axes).normalize();
        let rotation = if rotation.w < 0.0 { -rotation } else { rotation };
        let code = i32::from(geometry.orientation_known());
        let row = |n: usize| affine.row(n).to_array();
        // Where the voxel size is unknown, 1 mm was assumed: along one axis for a slice without thickness, or all.
        let stored = spacing.map(|mm| if geometry.spacing_known() || mm != 1.0 { mm } else { 0.0 });
        let mut header = Self {
            version: Version::One,
            qform_code: code,
            sform_code: code,
            quatern: [rotation.x, rotation.y, rotation.z],
            qoffset: affine.w_axis.truncate().to_array(),
            srow: [row(0), row(1), row(2)],
            pixdim: [qfac, stored[0], stored[1], stored[2]],
            xyzt_units: 2,
            size_unknown: !geometry.spacing_known(),
            slices_missing: geometry.slices_missing(),
        };
        // A qform has no shear. Axes that are square but for the decimals a DICOM file gave them do well with one.
        let by_qform = header.qform(1.0, DVec3::from_array(spacing));
        let by_qform = by_qform.and_then(|affine| Geometry::new(geometry.dims(), affine).ok());
        if !by_qform.is_some_and(|grid| geometry_equal(&grid, geometry, SAME_GRID_MM)) {
            (header.qform_code, header.quatern) = (0, [0.0; 3]);
        }
        header
    }

    /// Whether two headers place a grid by the very same bits, NaN included.
    pub(super) fn same_bits(&self, other: &Self) -> bool {
        let numbers = |header: &Self| -> Vec<u64> {
            let rows = header.srow.as_flattened().iter();
            let rest = header.quatern.iter().chain(&header.qoffset).chain(&header.pixdim);
            rows.chain(rest).map(|number| number.to_bits()).collect()
        };
        let codes = |header: &Self| (header.qform_code, header.sform_code, header.xyzt_units);
        codes(self) == codes(other) && numbers(self) == numbers(other)
    }

    /// These fields as `version` stores them: NIfTI-1 rounds to float32.
    pub(super) fn stored_as(&self, version: Version) -> Self {
        let mut stored = Self { version, ..self.clone() };
        if version == Version::One {
            let round = |number: &mut f64| *number = f64::from(*number as f32);
            stored.srow.as_flattened_mut().iter_mut().for_each(round);
            stored.quatern.iter_mut().chain(&mut stored.qoffset).chain(&mut stored.pixdim).for_each(round);
        }
        stored
    }

    fn mm_per_unit(&self, warnings: &mut Vec<String>) -> f64 {
        let (mm, name) = match self.xyzt_units & 0b111 {
            1 => (1000.0, "metres"),
            3 => (0.001, "micrometres"),
            _ => return 1.0,
        };
        warnings.push(format!("The file's unit is {name}; lengths were converted to mm."));
        mm
    }

    /// Spacing by pixdim, and whether all three sizes were given.
    fn spacing_mm(&self, mm_per_unit: f64) -> (DVec3, bool) {
        let sizes = [1, 2, 3].map(|n| self.pixdim[n].abs() * mm_per_unit);
        let usable = sizes.map(|size| size.is_finite() && size > 0.0);
        let spacing = [0, 1, 2].map(|n| if usable[n] { sizes[n] } else { 1.0 });
        (DVec3::from_array(spacing), usable == [true; 3])
    }

    /// Method 3: the general affine.
    fn sform(&self, mm_per_unit: f64) -> DMat4 {
        let [x, y, z] = self.srow.map(|row| DVec4::from_array(row) * mm_per_unit);
        DMat4::from_cols(x, y, z, DVec4::W).transpose()
    }

    /// Method 2: rotation by a unit quaternion, spacing, and qfac for left-handed grids. `None` if it is no rotation.
    fn qform(&self, mm_per_unit: f64, spacing_mm: DVec3) -> Option<DMat4> {
        let vector = DVec3::from_array(self.quatern);
        let squared = vector.length_squared();
        if !squared.is_finite() || squared > 1.0 + QUATERNION_TOLERANCE {
            return None;
        }
        // The fourth number is what is missing to unit length. So little of it is float32's rounding of the other three,
        // and means a half turn, as in nifti1_io.c: its root would tilt the grid.
        let missing = if 1.0 - squared < HALF_TURN { 0.0 } else { 1.0 - squared };
        let rotation = DQuat::from_vec4(vector.extend(missing.sqrt())).normalize();
        // Any value but a negative one, 0 and NaN included, means a right-handed grid.
        let qfac = if self.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
        let scale = spacing_mm * DVec3::new(1.0, 1.0, qfac);
        let offset = DVec3::from_array(self.qoffset) * mm_per_unit;
        Some(DMat4::from_scale_rotation_translation(scale, rotation, offset))
    }
}

/// A warning if two usable forms put the grid's corners or axes in different places.
fn conflict(sform: &DMat4, qform: &DMat4, dims: [usize; 3], prefer_qform: bool) -> Option<String> {
    let corners = (0..8).map(|corner: usize| {
        DVec3::from_array([0, 1, 2].map(|axis| ((dims[axis] - 1) * (corner >> axis & 1)) as f64))
    });
    let distance_mm = corners
        .map(|corner| sform.transform_point3(corner).distance(qform.transform_point3(corner)))
        .fold(0.0, f64::max);
    let degrees = (0..3)
        .map(|axis| sform.col(axis).truncate().angle_between(qform.col(axis).truncate()).to_degrees())
        .fold(0.0, f64::max);
    let (used, other) = if prefer_qform { ("qform", "sform") } else { ("sform", "qform") };
    (distance_mm > CONFLICT_MM || degrees > CONFLICT_DEGREES).then(|| {
        format!(
            "sform and qform differ by up to {distance_mm:.1} mm and {degrees:.1} degrees; the {used} was used, and the \
             {other} can be chosen instead."
        )
    })
}
