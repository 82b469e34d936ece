//! One frame of one file: what a stack is made of.

use super::header::{Image, Plane};
use glam::DVec3;
use std::path::Path;
use std::sync::Arc;

/// Two planes closer than this lie at the same place: positions are written to a hundredth of a millimetre or better,
/// and no slices are made closer.
const SAME_PLACE_MM: f64 = 0.01;

/// How much two direction cosines may differ and still be one orientation: at the far corner of a field of 500 mm that
/// moves a voxel by 0.05 mm.
const SAME_DIRECTION: f64 = 1e-4;

/// How much two pixel spacings may differ, as a fraction of either: again 0.05 mm over 500 mm.
const SAME_SPACING: f64 = 1e-4;

#[derive(Debug, Clone)]
pub(super) struct Slice {
    pub image: Arc<Image>,
    pub frame: usize,
}

impl Slice {
    /// All frames of a file.
    pub(super) fn of(image: &Arc<Image>) -> impl Iterator<Item = Slice> + '_ {
        (0..image.planes.len()).map(|frame| Slice { image: image.clone(), frame })
    }

    pub(super) fn plane(&self) -> &Plane {
        &self.image.planes[self.frame]
    }

    pub(super) fn path(&self) -> &Path {
        &self.image.path
    }

    /// Direction in which slices are stacked: across the plane, right-handed with its rows and columns.
    pub(super) fn normal(&self) -> Option<DVec3> {
        self.plane().axes.map(|[along_row, along_column]| along_row.cross(along_column))
    }

    /// Where the plane lies along its normal, in mm; `None` if the file does not say.
    pub(super) fn along_normal_mm(&self) -> Option<f64> {
        Some(self.plane().position?.dot(self.normal()?))
    }

    /// A localizer, or a projection made to plan the scan (PS3.3, section C.7.6.1.1.2).
    pub(super) fn is_scout(&self) -> bool {
        self.image.image_type.split('\\').any(|value| value.trim() == "LOCALIZER")
    }

    /// Whether both can be slices of one stack: same size, spacing, orientation and kind.
    pub(super) fn fits(&self, other: &Slice) -> bool {
        let ([a, b], [p, q]) = ([&self.image.layout, &other.image.layout], [self.plane(), other.plane()]);
        let axes = match (p.axes, q.axes) {
            (Some(p), Some(q)) => p.iter().zip(q).all(|(p, q)| p.abs_diff_eq(q, SAME_DIRECTION)),
            (None, None) => true,
            _ => false,
        };
        let spacing = match (p.spacing_mm, q.spacing_mm) {
            (Some(p), Some(q)) => p.iter().zip(q).all(|(p, q)| (p - q).abs() <= SAME_SPACING * p),
            (None, None) => true,
            _ => false,
        };
        (a.rows, a.columns, &a.photometric) == (b.rows, b.columns, &b.photometric)
            && axes
            && spacing
            && p.position.is_some() == q.position.is_some()
            && self.is_scout() == other.is_scout()
    }

    /// Whether both are copies of one frame: same identity, same place, and nothing that tells them apart.
    pub(super) fn is_copy_of(&self, other: &Slice) -> bool {
        let (p, q) = (self.plane(), other.plane());
        !self.image.sop_instance.is_empty()
            && self.image.sop_instance == other.image.sop_instance
            && self.frame == other.frame
            && p.position == q.position
            && p.keys == q.keys
            && p.instance == q.instance
    }
}

/// Sorts slices along their normal and gathers those that lie at the same place. Slices without a place are told apart
/// by their InstanceNumber.
pub(super) fn by_place(mut slices: Vec<Slice>) -> Vec<Vec<Slice>> {
    let place = |slice: &Slice| slice.along_normal_mm().or(slice.plane().instance).unwrap_or(0.0);
    slices.sort_by(|a, b| {
        let instances = a.plane().instance.partial_cmp(&b.plane().instance);
        let order = place(a).total_cmp(&place(b)).then(instances.unwrap_or(std::cmp::Ordering::Equal));
        // The name decides last, so that the order never depends on that of the folder.
        order.then_with(|| (a.path(), a.frame).cmp(&(b.path(), b.frame)))
    });
    let mut places: Vec<Vec<Slice>> = Vec::new();
    for slice in slices {
        match places.last_mut() {
            Some(here) if (place(&slice) - place(&here[0])).abs() <= SAME_PLACE_MM => here.push(slice),
            _ => places.push(vec![slice]),
        }
    }
    places
}
