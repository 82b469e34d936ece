//! What the engine made of a scan, whole or in slabs as they come, and what that is compared with.

use super::Coverage;
use super::body::{IntensityStats, structure_focuses};
use super::guard::Concern;
use crate::config::{Card, MaskUse};
use crate::eval::gap::Place;
use crate::eval::{GridsDiffer, StructureDifference, label_difference};
use crate::protocol::{Refinement, SegmentSettings};
use crate::volume::{
    Geometry, LabelEntry, LabelMap, LabelTable, Modality, Volume, label_counts, label_means,
};
use glam::DVec3;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What made a synthesis or a prediction, for whoever exports it.
#[derive(Debug, Clone)]
pub struct RunOrigin {
    pub card: Card,
    pub settings: SegmentSettings,
    /// What spoke against the run.
    pub concerns: Vec<Concern>,
}

/// A scan in the style of the other modality, or slabs of it while the rest is being computed.
#[derive(Debug, Clone)]
pub struct Synthesis {
    pub image: Arc<Volume<f32>>,
    /// Further slabs, where it is not whole.
    pub slabs: Vec<Arc<Volume<f32>>>,
    pub imitates: Modality,
    pub intensity: IntensityStats,
    /// Mean agreement of gradient orientations, 0..1; `None` for a slab.
    pub edge_agreement: Option<f64>,
    pub whole: bool,
    pub model: String,
    /// Where it was computed; empty for slabs.
    pub device: String,
    /// `None` for slabs.
    pub origin: Option<Arc<RunOrigin>>,
    pub warnings: Vec<String>,
}

/// Labels, gap and uncertainty of a scan, or slabs of labels and gap while the rest is being computed.
#[derive(Debug, Clone)]
pub struct Prediction {
    pub labels: Arc<LabelMap>,
    /// a(p) of the local feature mask, 0..1.
    pub gap: Arc<Volume<f32>>,
    /// Further slabs, where it is not whole.
    pub slabs: Vec<(Arc<LabelMap>, Arc<Volume<f32>>)>,
    pub uncertainty: Option<Arc<Volume<f32>>>,
    /// In the table's order; empty for a slab.
    pub structures: Vec<StructureSummary>,
    /// How much has a gap of at least any threshold; `None` for a slab.
    pub coverage: Option<Coverage>,
    /// Where to look first, the most suspicious first; empty for a slab.
    pub places: Vec<Place>,
    pub whole: bool,
    pub model: String,
    /// Empty where nothing was refined.
    pub refinement: Vec<Refinement>,
    pub seconds: f64,
    pub device: String,
    /// `None` for slabs.
    pub origin: Option<Arc<RunOrigin>>,
    pub warnings: Vec<String>,
}

/// What a prediction is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Against {
    /// The labels that were given with the scan.
    GivenLabels,
    /// The net as it was before it was adapted.
    NoAdaptation,
    /// The same net with its local feature mask acting elsewhere, or nowhere.
    Mask(MaskUse),
}

/// Where the prediction of a scan differs from something else.
#[derive(Debug, Clone)]
pub struct Contrast {
    pub against: Against,
    /// First the prediction, second what it is compared with; on the scan's grid.
    pub map: Arc<LabelMap>,
    pub structures: Vec<StructureDifference>,
}

impl Synthesis {
    /// The image, or the slab of it, that shows a place.
    pub fn image_at(&self, world_mm: DVec3) -> &Arc<Volume<f32>> {
        let slab = self.slabs.iter().rev().find(|slab| covers(slab.geometry(), world_mm));
        slab.unwrap_or(&self.image)
    }
}

impl Prediction {
    /// Labels and gap, or the slabs of them, that show a place.
    pub fn at(&self, world_mm: DVec3) -> (&Arc<LabelMap>, &Arc<Volume<f32>>) {
        let slab = self.slabs.iter().rev().find(|(labels, _)| covers(labels.geometry(), world_mm));
        slab.map_or((&self.labels, &self.gap), |(labels, gap)| (labels, gap))
    }
}

/// Whether a place lies between the first and the last slice of a slab, wherever in them.
pub(super) fn covers(slab: &Geometry, world_mm: DVec3) -> bool {
    let slice = slab.voxel_from_world().transform_point3(world_mm).z;
    (-0.5..slab.dims()[2] as f64 - 0.5).contains(&slice)
}

impl Against {
    /// What the prediction was without, or with: for titles.
    pub fn name(self) -> String {
        match self {
            Against::GivenLabels => "given labels".to_owned(),
            Against::NoAdaptation => "no adaptation".to_owned(),
            Against::Mask(MaskUse::Everywhere) => "mask everywhere".to_owned(),
            Against::Mask(MaskUse::Nowhere) => "mask off".to_owned(),
            Against::Mask(MaskUse::From(gap)) => format!("mask from {gap:.2}"),
            Against::Mask(MaskUse::Within(ball)) => format!("mask within {:.0} mm", ball.radius_mm),
        }
    }
}

impl Contrast {
    /// Compares labels of one scan; an error where they lie on different grids.
    pub fn new(
        against: Against,
        prediction: &LabelMap,
        other: &LabelMap,
        table: &LabelTable,
    ) -> Result<Self, GridsDiffer> {
        let difference = label_difference(prediction, other, table)?;
        Ok(Self { against, map: Arc::new(difference.map), structures: difference.structures })
    }
}

/// One structure as measured on a label map.
#[derive(Debug, Clone, PartialEq)]
pub struct StructureSummary {
    pub label: u16,
    pub name: String,
    pub rgb: [u8; 3],
    pub voxels: usize,
    /// `None` where the spacing is unknown.
    pub volume_ml: Option<f64>,
    /// Mean of the gap inside; `None` where the structure is empty.
    pub mean_gap: Option<f64>,
    /// Mean of the normalised entropy inside, 0..1; `None` where the structure is empty.
    pub mean_uncertainty: Option<f64>,
    /// Where to look at it, world mm: the middle of its largest axial section. `None` where the structure is empty.
    pub focus_mm: Option<DVec3>,
}

/// Volume, mean gap and mean uncertainty of every structure of `table`, in its order; empty structures included.
pub fn summarise(
    labels: &LabelMap,
    gap: Option<&Volume<f32>>,
    uncertainty: Option<&Volume<f32>>,
    table: &LabelTable,
) -> Vec<StructureSummary> {
    let counts = label_counts(labels);
    let means = |values: Option<&Volume<f32>>| values.map(|values| label_means(labels, values));
    let (gaps, uncertainties) = (means(gap), means(uncertainty));
    let focuses = structure_focuses(labels);
    let voxel_ml = labels.geometry().voxel_ml();
    let row = |entry: &LabelEntry| {
        let voxels = counts.get(&entry.value).copied().unwrap_or(0);
        let mean = |means: &Option<BTreeMap<u16, f64>>| means.as_ref()?.get(&entry.value).copied();
        StructureSummary {
            label: entry.value,
            name: entry.name.clone(),
            rgb: entry.rgb,
            voxels,
            volume_ml: voxel_ml.map(|ml| ml * voxels as f64),
            mean_gap: mean(&gaps),
            mean_uncertainty: mean(&uncertainties),
            focus_mm: focuses.get(&entry.value).map(|voxel| labels.geometry().world_of(*voxel)),
        }
    };
    table.entries.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::volume::Task;

    #[test]
    fn volumes_are_in_millilitres_and_an_empty_structure_has_no_gap() {
        let geometry = Geometry::axis_aligned([10, 10, 10], [2.0, 2.0, 2.5], [0.0; 3]).unwrap();
        let labels = Volume::from_fn(geometry, |i, _, _| u16::from(i < 5));
        let gap = labels.map(|_| 0.5f32);
        let liver = &summarise(&labels, Some(&gap), None, Task::Abdomen.table())[0];
        assert_eq!((liver.voxels, liver.volume_ml), (500, Some(5.0)));
        assert_eq!(liver.mean_gap, Some(0.5));
        assert_eq!(liver.focus_mm, Some(DVec3::new(4.0, 9.0, liver.focus_mm.unwrap().z)));
        let empty = summarise(
            &Volume::from_fn(Geometry::axis_aligned([1, 1, 1], [1.0; 3], [0.0; 3]).unwrap(), |_, _, _| 9u16),
            None,
            None,
            Task::Abdomen.table(),
        );
        assert!(empty.iter().all(|s| s.voxels == 0 && s.mean_gap.is_none()));
    }
}
