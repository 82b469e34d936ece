//! What is open: the scans in their two roles, and what the engine made of them.
//!
//! Plain data behind `Arc`s, made on background threads and only handed around on the window's. Invariant: a synthesis
//! or a prediction always belongs to the scan that is in its role now; replacing a scan drops what was made of it.

use super::body::{BodyBox, IntensityStats, structure_focuses};
use super::guard::Concern;
use super::request::{OpenRequest, Origin};
use super::{Anatomy, Coverage};
use crate::config::{Card, MaskUse};
use crate::eval::gap::Place;
use crate::eval::{GridsDiffer, StructureDifference, label_difference};
use crate::protocol::{Refinement, SegmentSettings};
use crate::volume::{
    Geometry, LabelEntry, LabelMap, LabelTable, Modality, Scan, Task, Volume, label_counts, label_means,
};
use glam::DVec3;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a scan is to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Of the modality whose labels the model was trained on.
    Source,
    /// Of the modality it was adapted to, without labels.
    Target,
}

impl Role {
    pub const ALL: [Role; 2] = [Role::Source, Role::Target];

    pub fn name(self) -> &'static str {
        match self {
            Role::Source => "Source",
            Role::Target => "Target",
        }
    }

    pub fn other(self) -> Role {
        match self {
            Role::Source => Role::Target,
            Role::Target => Role::Source,
        }
    }
}

/// Slices closer than this to axial, coronal and sagittal count as such: less than patients turn on the table.
const OBLIQUE_DEG: f64 = 2.0;

/// Tells one opening of a file from every other, so that late results find their scan or nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ScanId(u64);

impl ScanId {
    pub(crate) fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed))
    }
}

/// Labels that were given with a scan, on its grid and in the program's own values.
#[derive(Debug, Clone)]
pub struct GivenLabels {
    pub map: Arc<LabelMap>,
    /// Whose structures the values are: under another task every one of them is another organ.
    pub task: Task,
}

/// A scan with what the viewer needs to know of it.
#[derive(Debug, Clone)]
pub struct OpenScan {
    pub id: ScanId,
    pub scan: Arc<Scan>,
    /// The file's name, for titles.
    pub name: String,
    /// What was asked for when it was opened.
    pub request: OpenRequest,
    pub modality: Modality,
    /// Why the intensities speak against that modality, if they do.
    pub doubt: Option<&'static str>,
    pub body: BodyBox,
    /// A grid along R, A and S around an oblique scan, in which its true planes lie; `None` where its own are true.
    pub straight: Option<Geometry>,
    pub intensity: IntensityStats,
    /// To be had by [`Self::labels`] only, so that nobody names them by the table of another task.
    pub(super) given: Option<GivenLabels>,
}

impl OpenScan {
    /// Measures the scan; takes time in proportion to its voxels.
    pub fn new(scan: Scan, request: OpenRequest, modality: Modality) -> Self {
        let intensity = IntensityStats::of_scan(&scan);
        let oblique = scan.geometry().obliqueness_deg() > OBLIQUE_DEG;
        let straight = oblique.then(|| scan.geometry().straightened().ok()).flatten();
        let body = BodyBox::of_scan(&scan, modality, &intensity);
        Self {
            id: ScanId::next(),
            name: request.name(),
            request,
            modality,
            doubt: scan.doubt_of(modality),
            body,
            straight,
            intensity,
            given: None,
            scan: Arc::new(scan),
        }
    }

    pub fn geometry(&self) -> &Geometry {
        self.scan.geometry()
    }

    /// The labels given with it, where they are structures of `task`.
    pub fn labels(&self, task: Task) -> Option<&Arc<LabelMap>> {
        self.given.as_ref().filter(|given| given.task == task).map(|given| &given.map)
    }

    /// The task of the labels given with it.
    pub fn labels_task(&self) -> Option<Task> {
        self.given.as_ref().map(|given| given.task)
    }

    pub fn is_phantom(&self) -> bool {
        matches!(self.request.origin, Origin::Phantom(_))
    }

    /// The same scan declared to be of another modality.
    #[must_use]
    pub fn with_modality(&self, modality: Modality) -> Self {
        let body = BodyBox::of_scan(&self.scan, modality, &self.intensity);
        let doubt = self.scan.doubt_of(modality);
        Self { id: ScanId::next(), modality, doubt, body, ..self.clone() }
    }
}

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

/// Everything that is open.
#[derive(Debug, Clone, Default)]
pub struct Study {
    source: Option<Arc<OpenScan>>,
    target: Option<Arc<OpenScan>>,
    synthesis: Option<Arc<Synthesis>>,
    anatomy: Option<Arc<Anatomy>>,
    source_prediction: Option<Arc<Prediction>>,
    target_prediction: Option<Arc<Prediction>>,
    source_contrast: Option<Arc<Contrast>>,
    target_contrast: Option<Arc<Contrast>>,
    one_space: bool,
}

impl Study {
    pub fn scan(&self, role: Role) -> Option<&Arc<OpenScan>> {
        match role {
            Role::Source => self.source.as_ref(),
            Role::Target => self.target.as_ref(),
        }
    }

    /// The translation of the source.
    pub fn synthesis(&self) -> Option<&Arc<Synthesis>> {
        self.synthesis.as_ref()
    }

    /// What is known of the anatomy in the synthesis, once it has been checked.
    pub fn anatomy(&self) -> Option<&Arc<Anatomy>> {
        self.anatomy.as_ref()
    }

    pub fn prediction(&self, role: Role) -> Option<&Arc<Prediction>> {
        match role {
            Role::Source => self.source_prediction.as_ref(),
            Role::Target => self.target_prediction.as_ref(),
        }
    }

    /// Where the prediction of a scan differs from what it was compared with last.
    pub fn contrast(&self, role: Role) -> Option<&Arc<Contrast>> {
        match role {
            Role::Source => self.source_contrast.as_ref(),
            Role::Target => self.target_contrast.as_ref(),
        }
    }

    pub fn set_contrast(&mut self, role: Role, contrast: Option<Contrast>) {
        let contrast = contrast.map(Arc::new);
        match role {
            Role::Source => self.source_contrast = contrast,
            Role::Target => self.target_contrast = contrast,
        }
    }

    /// Whether source and target lie in one space: a millimetre in one is the same place in the other.
    pub fn is_one_space(&self) -> bool {
        self.one_space
    }

    /// Declares source and target to lie in one space, or not; until another scan is opened.
    pub fn declare_one_space(&mut self, one_space: bool) {
        self.one_space = one_space;
    }

    /// Whether `id` is the scan in `role` now.
    pub fn is_open(&self, role: Role, id: ScanId) -> bool {
        self.scan(role).is_some_and(|scan| scan.id == id)
    }

    /// The role that a scan has now; `None` once it is closed.
    pub fn role_of(&self, id: ScanId) -> Option<Role> {
        Role::ALL.into_iter().find(|role| self.is_open(*role, id))
    }

    /// Puts a scan into a role; what was made of its predecessor goes.
    pub fn set_scan(&mut self, role: Role, scan: Option<Arc<OpenScan>>) {
        self.forget_results(role);
        match role {
            Role::Source => self.source = scan,
            Role::Target => self.target = scan,
        }
        let space = |scan: &Option<Arc<OpenScan>>| scan.as_ref()?.scan.frame_of_reference.clone();
        self.one_space = space(&self.source).is_some_and(|one| Some(one) == space(&self.target));
    }

    /// Source becomes target and the other way round.
    pub fn swap_roles(&mut self) {
        Role::ALL.into_iter().for_each(|role| self.forget_results(role));
        std::mem::swap(&mut self.source, &mut self.target);
    }

    /// Gives labels to the scan in `role`; they lie on its grid. A comparison with those it had before goes.
    pub fn set_labels(&mut self, role: Role, labels: Option<GivenLabels>) {
        if self.contrast(role).is_some_and(|contrast| contrast.against == Against::GivenLabels) {
            self.set_contrast(role, None);
        }
        let slot = match role {
            Role::Source => &mut self.source,
            Role::Target => &mut self.target,
        };
        if let Some(scan) = slot {
            Arc::make_mut(scan).given = labels;
        }
    }

    /// A new synthesis has not been checked yet.
    pub fn set_synthesis(&mut self, synthesis: Option<Synthesis>) {
        self.anatomy = None;
        self.synthesis = synthesis.map(Arc::new);
    }

    /// What was found about the synthesis that is there.
    pub fn set_anatomy(&mut self, anatomy: Anatomy) {
        self.anatomy = Some(Arc::new(anatomy));
    }

    /// A new prediction has not been compared with anything yet.
    pub fn set_prediction(&mut self, role: Role, prediction: Option<Prediction>) {
        self.set_contrast(role, None);
        let prediction = prediction.map(Arc::new);
        match role {
            Role::Source => self.source_prediction = prediction,
            Role::Target => self.target_prediction = prediction,
        }
    }

    /// Shows a slab beside those that are shown already, until the whole is there.
    pub fn add_synthesis_slab(&mut self, slab: Synthesis) {
        match &mut self.synthesis {
            Some(present) if present.whole => {}
            Some(present) => Arc::make_mut(present).slabs.push(slab.image),
            None => self.set_synthesis(Some(slab)),
        }
    }

    /// Shows a slab beside those that are shown already, until the whole is there.
    pub fn add_prediction_slab(&mut self, role: Role, slab: Prediction) {
        let present = match role {
            Role::Source => &mut self.source_prediction,
            Role::Target => &mut self.target_prediction,
        };
        match present {
            Some(present) if present.whole => {}
            Some(present) => Arc::make_mut(present).slabs.push((slab.labels, slab.gap)),
            None => self.set_prediction(role, Some(slab)),
        }
    }

    /// Drops what was computed from the scan in `role`.
    pub fn forget_results(&mut self, role: Role) {
        if role == Role::Source {
            self.set_synthesis(None);
        }
        self.set_prediction(role, None);
    }

    /// Drops slabs whose volume will not come any more.
    pub fn forget_slabs(&mut self) {
        if self.synthesis.as_ref().is_some_and(|s| !s.whole) {
            self.synthesis = None;
        }
        for role in Role::ALL {
            if self.prediction(role).is_some_and(|p| !p.whole) {
                self.set_prediction(role, None);
            }
        }
    }
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
    use std::path::PathBuf;

    fn scan(modality: Modality) -> Arc<OpenScan> {
        let geometry = Geometry::axis_aligned([4, 4, 4], [1.0; 3], [0.0; 3]).unwrap();
        let volume = Volume::from_fn(geometry, |i, _, _| i as f32);
        let scan = Scan::from_volume(volume, "phantom");
        Arc::new(OpenScan::new(scan, OpenRequest::file(PathBuf::from("a.nii")), modality))
    }

    fn prediction(labels: LabelMap) -> Prediction {
        let gap = Volume::from_fn(labels.geometry().clone(), |_, _, _| 0.5f32);
        let structures = summarise(&labels, Some(&gap), None, Task::Abdomen.table());
        Prediction {
            labels: Arc::new(labels),
            gap: Arc::new(gap),
            slabs: Vec::new(),
            uncertainty: None,
            structures,
            coverage: None,
            places: Vec::new(),
            whole: true,
            model: String::new(),
            refinement: Vec::new(),
            seconds: 0.0,
            device: String::new(),
            origin: None,
            warnings: Vec::new(),
        }
    }

    #[test]
    fn a_prediction_never_outlives_the_scan_it_was_made_of() {
        let mut study = Study::default();
        study.set_scan(Role::Target, Some(scan(Modality::Mr)));
        let grid = study.scan(Role::Target).unwrap().geometry().clone();
        study.set_prediction(Role::Target, Some(prediction(Volume::from_fn(grid, |_, _, _| 1u16))));
        let old = study.scan(Role::Target).unwrap().id;
        study.set_scan(Role::Target, Some(scan(Modality::Mr)));
        assert!(study.prediction(Role::Target).is_none());
        assert!(!study.is_open(Role::Target, old));
    }

    fn given(scan: &OpenScan, label: u16) -> GivenLabels {
        let map = Volume::from_fn(scan.geometry().clone(), |_, _, _| label);
        GivenLabels { map: Arc::new(map), task: Task::Abdomen }
    }

    #[test]
    fn labels_that_were_read_for_a_scan_find_it_in_the_role_it_has_now_and_never_another_one() {
        let mut study = Study::default();
        let (ct, mr) = (scan(Modality::Ct), scan(Modality::Mr));
        let (ct_id, mr_id) = (ct.id, mr.id);
        study.set_scan(Role::Source, Some(ct));
        study.set_scan(Role::Target, Some(mr));
        study.swap_roles();
        assert_eq!([ct_id, mr_id].map(|id| study.role_of(id)), [Some(Role::Target), Some(Role::Source)]);
        study.set_scan(Role::Target, Some(scan(Modality::Mr)));
        assert_eq!(study.role_of(ct_id), None);
    }

    #[test]
    fn a_comparison_with_labels_that_were_replaced_or_taken_away_is_not_shown_any_more() {
        let mut study = Study::default();
        let open = scan(Modality::Mr);
        study.set_scan(Role::Target, Some(open.clone()));
        let predicted = Volume::from_fn(open.geometry().clone(), |_, _, _| 1u16);
        study.set_prediction(Role::Target, Some(prediction(predicted.clone())));
        let compare = |study: &mut Study, against| {
            let (other, table) = (given(&open, 2).map, Task::Abdomen.table());
            let contrast = Contrast::new(against, &predicted, &other, table).unwrap();
            study.set_contrast(Role::Target, Some(contrast));
        };
        for labels in [Some(given(&open, 3)), None] {
            compare(&mut study, Against::GivenLabels);
            study.set_labels(Role::Target, labels);
            assert!(study.contrast(Role::Target).is_none());
        }
        // What the model was compared with has nothing to do with labels.
        compare(&mut study, Against::NoAdaptation);
        study.set_labels(Role::Target, Some(given(&open, 3)));
        assert!(study.contrast(Role::Target).is_some());
        assert!(study.prediction(Role::Target).is_some());
    }

    #[test]
    fn slices_that_come_one_after_the_other_are_each_shown_where_they_lie_until_the_whole_is_there() {
        let mut study = Study::default();
        study.set_scan(Role::Target, Some(scan(Modality::Mr)));
        let slab = |slice: usize| {
            let grid = Geometry::axis_aligned([4, 4, 1], [1.0; 3], [0.0, 0.0, slice as f64]).unwrap();
            let labels = Volume::from_fn(grid, |_, _, _| slice as u16);
            Prediction { whole: false, ..prediction(labels) }
        };
        for slice in [2, 3, 1] {
            study.add_prediction_slab(Role::Target, slab(slice));
        }
        let label_at = |study: &Study, z: f64| {
            study.prediction(Role::Target).unwrap().at(DVec3::new(1.0, 1.0, z)).0.at(0, 0, 0)
        };
        assert_eq!([1.2, 2.0, 2.9].map(|z| label_at(&study, z)), [1, 2, 3]);
        let grid = study.scan(Role::Target).unwrap().geometry().clone();
        study.set_prediction(Role::Target, Some(prediction(Volume::from_fn(grid, |_, _, _| 4u16))));
        study.add_prediction_slab(Role::Target, slab(1));
        assert_eq!(label_at(&study, 1.0), 4);
    }

    #[test]
    fn volumes_are_in_millilitres_and_an_empty_structure_has_no_gap() {
        let geometry = Geometry::axis_aligned([10, 10, 10], [2.0, 2.0, 2.5], [0.0; 3]).unwrap();
        let labels = Volume::from_fn(geometry, |i, _, _| u16::from(i < 5));
        let liver = &prediction(labels).structures[0];
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
