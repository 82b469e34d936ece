//! A scan that is open, with what the viewer needs to know of it.

use super::body::{BodyBox, IntensityStats};
use super::request::{OpenRequest, Origin};
use crate::volume::{Geometry, LabelMap, Modality, Scan, Task};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
