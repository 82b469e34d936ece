//! What is open: the scans in their two roles, and what the engine made of them.
//!
//! Plain data behind `Arc`s, made on background threads and only handed around on the window's. Invariant: a synthesis
//! or a prediction always belongs to the scan that is in its role now; replacing a scan drops what was made of it.

use super::Anatomy;
use super::open_scan::{GivenLabels, OpenScan, ScanId};
use super::results::{Against, Contrast, Prediction, Synthesis};
use std::sync::Arc;

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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::session::request::OpenRequest;
    use crate::session::results::summarise;
    use crate::volume::{Geometry, LabelMap, Modality, Scan, Task, Volume};
    use glam::DVec3;
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
}
