//! Where the body lies in a scan, and how its intensities are spread: what linking, framing and first windows need.

use crate::volume::{Geometry, LabelMap, Modality, Scan, Volume};
use glam::DVec3;
use std::collections::BTreeMap;

/// Voxels looked at for percentiles and extents, at most; a regular subset of a larger scan.
const SAMPLES: usize = 2_000_000;
/// Air in CT lies near -1000 HU, fat near -100: halfway between air and body.
const CT_AIR_HU: f32 = -500.0;
/// Air in MR is noise far below tissue: a small part of the brightest tissue.
const MR_AIR_FRACTION: f32 = 0.08;
/// A plane belongs to the body if it holds this part of the fullest plane's tissue, so that noise and cables do not.
const PLANE_FRACTION: f64 = 0.04;

/// How measured values are spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IntensityStats {
    /// Smallest and largest value of the voxels looked at, widened to hold 0.
    pub range: [f32; 2],
    /// 0.5 and 99.5 percentile of those that are finite and not zero.
    pub bulk: [f32; 2],
    /// How often each part of [`Self::histogram_range`] occurs, the most frequent one 255.
    pub histogram: [u8; HISTOGRAM_BINS],
}

/// Enough to tell tissues apart, and a bar of two pixels each.
pub const HISTOGRAM_BINS: usize = 120;
/// The histogram reaches beyond the bulk by this part of it on either side.
const BEYOND_BULK: f32 = 0.15;

/// The smallest box along the voxel axes that holds the body, in (fractional) voxel coordinates of the scan's own grid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BodyBox {
    pub low_voxel: DVec3,
    pub high_voxel: DVec3,
}

impl IntensityStats {
    pub fn of_scan(scan: &Scan) -> Self {
        let [ni, nj, _] = scan.geometry().dims();
        let value = |n: usize| scan.value(n % ni, n / ni % nj, n / ni / nj);
        Self::of_values(scan.geometry().len(), value)
    }

    pub fn of_volume(volume: &Volume<f32>) -> Self {
        Self::of_values(volume.voxels().len(), |n| volume.voxels()[n])
    }

    fn of_values(count: usize, value: impl Fn(usize) -> f32) -> Self {
        let step = count.div_ceil(SAMPLES).max(1);
        let mut sample: Vec<f32> =
            (0..count).step_by(step).map(&value).filter(|v| v.is_finite() && *v != 0.0).collect();
        if sample.is_empty() {
            return Self { range: [0.0, 1.0], bulk: [0.0, 1.0], histogram: [0; HISTOGRAM_BINS] };
        }
        let mut percentile = |fraction: f64| {
            let rank = ((sample.len() - 1) as f64 * fraction).round() as usize;
            *sample.select_nth_unstable_by(rank, f32::total_cmp).1
        };
        let bulk = [percentile(0.005), percentile(0.995)];
        let range = sample.iter().fold([f32::MAX, f32::MIN], |r, &v| [r[0].min(v), r[1].max(v)]);
        let range = [range[0].min(0.0), range[1].max(0.0)];
        let mut stats = Self { range, bulk, histogram: [0; HISTOGRAM_BINS] };
        stats.histogram = stats.counted(&sample);
        stats
    }

    /// What the histogram's first bin begins and its last one ends with.
    pub fn histogram_range(&self) -> [f32; 2] {
        let [low, high] = self.bulk;
        let beyond = BEYOND_BULK * (high - low).max(1e-6);
        [low - beyond, high + beyond]
    }

    fn counted(&self, sample: &[f32]) -> [u8; HISTOGRAM_BINS] {
        let [low, high] = self.histogram_range();
        let mut counts = [0u32; HISTOGRAM_BINS];
        for value in sample {
            let at = (value - low) / (high - low) * HISTOGRAM_BINS as f32;
            if at >= 0.0
                && let Some(count) = counts.get_mut(at as usize)
            {
                *count += 1;
            }
        }
        let most = u64::from(counts.iter().copied().max().unwrap_or(0).max(1));
        counts.map(|count| (u64::from(count) * 255 / most) as u8)
    }
}

/// From which value on a voxel is more than air: HU in CT, in MR a part of the brightest tissue.
fn air_threshold(modality: Modality, intensity: &IntensityStats) -> f32 {
    match modality {
        Modality::Ct => CT_AIR_HU,
        Modality::Mr => MR_AIR_FRACTION * intensity.bulk[1],
    }
}

/// Which voxels of a scan are more than air.
pub fn tissue(scan: &Scan, modality: Modality) -> Volume<bool> {
    let threshold = air_threshold(modality, &IntensityStats::of_scan(scan));
    Volume::from_fn(scan.geometry().clone(), |i, j, k| scan.value(i, j, k) > threshold)
}

impl BodyBox {
    /// Everything denser (CT) or brighter (MR) than air; the whole grid where nothing is.
    pub fn of_scan(scan: &Scan, modality: Modality, intensity: &IntensityStats) -> Self {
        let threshold = air_threshold(modality, intensity);
        let dims = scan.geometry().dims();
        let step = ((scan.geometry().len() as f64 / SAMPLES as f64).cbrt().ceil() as usize).max(1);
        let mut tissue = dims.map(|size| vec![0u32; size]);
        for k in (0..dims[2]).step_by(step) {
            for j in (0..dims[1]).step_by(step) {
                for i in (0..dims[0]).step_by(step) {
                    if scan.value(i, j, k) > threshold {
                        tissue[0][i] += 1;
                        tissue[1][j] += 1;
                        tissue[2][k] += 1;
                    }
                }
            }
        }
        let extents = [0, 1, 2].map(|axis| extent(&tissue[axis], step));
        Self {
            low_voxel: DVec3::from_array(extents.map(|e| e[0])),
            high_voxel: DVec3::from_array(extents.map(|e| e[1])),
        }
    }

    /// The eight corners, in voxels.
    pub fn corners(&self) -> impl Iterator<Item = DVec3> {
        let Self { low_voxel: low, high_voxel: high } = *self;
        let pick =
            move |corner: u8, axis: usize| if corner >> axis & 1 == 1 { high[axis] } else { low[axis] };
        (0..8u8).map(move |corner| DVec3::new(pick(corner, 0), pick(corner, 1), pick(corner, 2)))
    }

    /// The middle of the box, in voxels.
    pub fn centre_voxel(&self) -> DVec3 {
        (self.low_voxel + self.high_voxel) * 0.5
    }

    /// Where a voxel lies in the box: 0..1 from left to right, back to front, foot to head, whatever the storage order.
    pub fn fraction_from_voxel(&self, geometry: &Geometry, voxel: DVec3) -> DVec3 {
        let along = geometry.reorientation();
        let mut fraction = DVec3::ZERO;
        for world in 0..3 {
            let axis = along.voxel_axis_of_world[world];
            let part = (voxel[axis] - self.low_voxel[axis]) / self.size_voxels()[axis];
            fraction[world] = if along.flipped[world] { 1.0 - part } else { part };
        }
        fraction
    }

    /// The inverse of [`Self::fraction_from_voxel`].
    pub fn voxel_from_fraction(&self, geometry: &Geometry, fraction: DVec3) -> DVec3 {
        let along = geometry.reorientation();
        let mut voxel = DVec3::ZERO;
        for world in 0..3 {
            let axis = along.voxel_axis_of_world[world];
            let part = if along.flipped[world] { 1.0 - fraction[world] } else { fraction[world] };
            voxel[axis] = self.low_voxel[axis] + part * self.size_voxels()[axis];
        }
        voxel
    }

    /// At least one voxel along each axis.
    pub fn size_voxels(&self) -> DVec3 {
        (self.high_voxel - self.low_voxel).max(DVec3::ONE)
    }
}

/// The middle of what is labelled in the axial slice that shows the most of the structures, in voxels; `None` without
/// labels. The square root of each area keeps one large organ from deciding alone.
pub fn label_focus(labels: &LabelMap) -> Option<DVec3> {
    let axis = labels.geometry().reorientation().voxel_axis_of_world[2];
    let dims = labels.dims();
    let mut slices = vec![LabelledSlice::default(); dims[axis]];
    for (offset, &label) in labels.voxels().iter().enumerate().filter(|(_, label)| **label != 0) {
        let voxel = [offset % dims[0], offset / dims[0] % dims[1], offset / dims[0] / dims[1]];
        let slice = &mut slices[voxel[axis]];
        slice.areas[usize::from(label) % STRUCTURES] += 1;
        slice.voxels += 1;
        slice.sum += DVec3::from_array(voxel.map(|at| at as f64));
    }
    let fullest = slices.iter().max_by(|a, b| a.worth().total_cmp(&b.worth()))?;
    (fullest.voxels > 0).then(|| fullest.sum / fullest.voxels as f64)
}

/// The middle of each structure in the axial slice that shows the most of it, in voxels.
pub fn structure_focuses(labels: &LabelMap) -> BTreeMap<u16, DVec3> {
    let axis = labels.geometry().reorientation().voxel_axis_of_world[2];
    let dims = labels.dims();
    let mut slices: BTreeMap<u16, Vec<(usize, DVec3)>> = BTreeMap::new();
    for (offset, &label) in labels.voxels().iter().enumerate().filter(|(_, label)| **label != 0) {
        let voxel = [offset % dims[0], offset / dims[0] % dims[1], offset / dims[0] / dims[1]];
        let of_label = slices.entry(label).or_insert_with(|| vec![(0, DVec3::ZERO); dims[axis]]);
        let (count, sum) = &mut of_label[voxel[axis]];
        *count += 1;
        *sum += DVec3::from_array(voxel.map(|at| at as f64));
    }
    let middle = |slices: Vec<(usize, DVec3)>| {
        let (count, sum) = slices.into_iter().max_by_key(|(count, _)| *count)?;
        (count > 0).then(|| sum / count as f64)
    };
    slices.into_iter().filter_map(|(label, slices)| Some((label, middle(slices)?))).collect()
}

/// More than any table of ours has; further values share a place.
const STRUCTURES: usize = 16;

#[derive(Debug, Clone, Default)]
struct LabelledSlice {
    /// Voxels of each structure.
    areas: [u32; STRUCTURES],
    voxels: usize,
    sum: DVec3,
}

impl LabelledSlice {
    fn worth(&self) -> f64 {
        self.areas.iter().map(|area| f64::from(*area).sqrt()).sum()
    }
}

/// First and last plane with enough tissue, widened by the sampling step; the whole axis where there is none.
fn extent(tissue: &[u32], step: usize) -> [f64; 2] {
    let last = tissue.len() - 1;
    let most = tissue.iter().copied().max().unwrap_or(0);
    let enough = |count: &u32| f64::from(*count) >= PLANE_FRACTION * f64::from(most) && *count > 0;
    match (tissue.iter().position(enough), tissue.iter().rposition(enough)) {
        (Some(low), Some(high)) if high > low => [low as f64, (high + step - 1).min(last) as f64],
        _ => [0.0, last as f64],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ball(geometry: Geometry) -> Scan {
        let volume = Volume::from_fn(geometry, |i, j, k| {
            let d = DVec3::new(i as f64 - 8.0, j as f64 - 12.0, k as f64 - 10.0).length();
            if d < 5.0 { 40.0 } else { -1000.0 }
        });
        Scan::from_volume(volume, "phantom")
    }

    #[test]
    fn the_body_is_found_and_air_left_out() {
        let scan = ball(Geometry::axis_aligned([20, 24, 20], [1.0; 3], [0.0; 3]).unwrap());
        let body = BodyBox::of_scan(&scan, Modality::Ct, &IntensityStats::of_scan(&scan));
        assert!(body.centre_voxel().distance(DVec3::new(8.0, 12.0, 10.0)) < 1e-9, "{body:?}");
        assert!(body.size_voxels().x < 11.0);
    }

    #[test]
    fn the_patients_right_stays_right_in_a_scan_stored_the_other_way_round() {
        let stored =
            Geometry::new([20, 24, 20], glam::DMat4::from_scale(DVec3::new(-1.0, -1.0, 1.0))).unwrap();
        let scan = ball(stored.clone());
        let body = BodyBox::of_scan(&scan, Modality::Ct, &IntensityStats::of_scan(&scan));
        let right = body.fraction_from_voxel(&stored, DVec3::new(4.0, 12.0, 10.0));
        assert!(right.x > 0.9, "{right}");
        let back = body.voxel_from_fraction(&stored, right);
        assert!(back.distance(DVec3::new(4.0, 12.0, 10.0)) < 1e-9);
    }

    #[test]
    fn the_view_opens_where_most_structures_are() {
        let grid = Geometry::axis_aligned([8, 8, 8], [1.0; 3], [0.0; 3]).unwrap();
        let labels = Volume::from_fn(grid.clone(), |i, j, k| match (i, j, k) {
            (2, 2, 5) => 1u16,
            (4, 4, 5) => 2,
            (3, 1..=3, 1) => 1,
            _ => 0,
        });
        assert_eq!(label_focus(&labels), Some(DVec3::new(3.0, 3.0, 5.0)));
        assert_eq!(label_focus(&Volume::from_fn(grid, |_, _, _| 0u16)), None);
    }

    #[test]
    fn an_empty_scan_is_all_body() {
        let grid = Geometry::axis_aligned([3, 4, 5], [1.0; 3], [0.0; 3]).unwrap();
        let scan = Scan::from_volume(Volume::from_fn(grid, |_, _, _| f32::NAN), "phantom");
        let stats = IntensityStats::of_scan(&scan);
        assert_eq!(BodyBox::of_scan(&scan, Modality::Mr, &stats).high_voxel, DVec3::new(2.0, 3.0, 4.0));
    }
}
