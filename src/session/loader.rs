//! Work that must not stop a window: opening, packing and unpacking volumes, each as a task of [`super::Background`].
//!
//! Invariant: no task touches the study; the caller decides what a result means when it arrives.

use super::Coverage;
use super::body::{IntensityStats, tissue};
use super::guard::concerns;
use super::open_scan::{GivenLabels, OpenScan, ScanId};
use super::report::ReportError;
use super::request::{LabelFile, OpenRequest, Opened};
use super::results::{Against, Contrast, Prediction, RunOrigin, Synthesis, summarise};
use super::run::model_payload;
use super::study::Role;
use crate::config::{AssetError, BundleError, MaskUse, Net, demo_dir, load_bundle};
use crate::eval::GridsDiffer;
use crate::eval::gap::{Cutoffs, GapError, places};
use crate::protocol::{
    AnatomyRequest, DeviceChoice, Request, SegmentRequest, SegmentSettings, Segmentation, TranslateRequest,
    Translation, WireError, WireLabels, WireScan, WireVolume,
};
use crate::volume::io::{self, IoError, SeriesInfo, SeriesKind};
use crate::volume::{LabelMap, LabelTable, Modality, Scan, Task, geometry_equal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// Places to look at that are kept.
const PLACES: usize = 20;

/// Grids closer than this are one grid: far below a voxel, far above what a float32 header rounds.
const SAME_GRID_MM: f64 = 1e-2;

/// Why something could not be opened or prepared; the message says what to do.
#[derive(Debug, Error)]
pub enum LoadError {
    #[error(transparent)]
    Io(#[from] IoError),
    #[error(transparent)]
    Assets(#[from] AssetError),
    #[error(transparent)]
    Model(#[from] BundleError),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error(transparent)]
    Grids(#[from] GridsDiffer),
    #[error(transparent)]
    Gap(#[from] GapError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error("there is no finished {0} to export; run the model first")]
    NothingToExport(&'static str),
    #[error(
        "{}: these labels are {found:?} voxels and lie on the grid of no scan that they may belong to ({open}); open the scan \
         they were drawn on first",
        path.display()
    )]
    LabelsFitNothing { path: PathBuf, found: [usize; 3], open: String },
    #[error(
        "{}: label {found} means nothing in the table \"{table}\"; say which table the labels were drawn with, one of {known}",
        path.display()
    )]
    ForeignLabels { path: PathBuf, found: u16, table: String, known: String },
}

/// A label map in the program's own values, and the scan it belongs to.
#[derive(Debug)]
pub struct OpenLabels {
    /// By now it may have another role, or be closed.
    pub scan: ScanId,
    pub given: GivenLabels,
    /// Values in the file that are no structure of the task: they stay in the file and are not drawn.
    pub not_shown: Vec<u16>,
    /// Whether they lie on the grid of the other open scan too, so that they may be that one's.
    pub fits_both: bool,
}

/// What the engine is asked to do for a study.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Work {
    /// The source in the target's style.
    Translate,
    Segment(Role),
    /// Whether the translation keeps the anatomy.
    CheckAnatomy,
    /// Segmented once more in another way, to be compared with the prediction that is there.
    Vary(Role, Variant),
}

/// In which way a scan is segmented once more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Variant {
    NoAdaptation,
    Mask(MaskUse),
}

impl Variant {
    pub fn against(self) -> Against {
        match self {
            Variant::NoAdaptation => Against::NoAdaptation,
            Variant::Mask(mask) => Against::Mask(mask),
        }
    }

    fn settings(self) -> SegmentSettings {
        match self {
            Variant::NoAdaptation => SegmentSettings { net: Net::SourceOnly, ..SegmentSettings::default() },
            Variant::Mask(mask) => SegmentSettings { mask, ..SegmentSettings::default() },
        }
    }
}

/// One request to be packed for the engine.
#[derive(Debug, Clone)]
pub struct WorkOrder {
    pub work: Work,
    pub scan: Arc<OpenScan>,
    /// The slice wanted first, if any.
    pub first_world_mm: Option<[f64; 3]>,
}

/// A packed request and the scan it is about.
#[derive(Debug)]
pub struct PackedWork {
    pub work: Work,
    pub scan: ScanId,
    /// What made it, once it is answered.
    pub origin: Arc<RunOrigin>,
    pub request: Request,
}

/// Reads and measures a scan, with its labels where they are known to lie beside it. Of a DICOM folder with several
/// series the user is to choose one, unless the request says otherwise.
///
/// Of a large file the first slices are measured and handed to `on_first` before the rest is read and verified.
pub fn open_scan(request: &OpenRequest, on_first: &mut dyn FnMut(OpenScan)) -> Result<Opened, LoadError> {
    if let Some(choice) = series_to_choose(request)? {
        return Ok(Opened::Choice(choice));
    }
    let measured = |scan: Scan| {
        let modality = request.modality.unwrap_or_else(|| scan.guess_modality());
        OpenScan::new(scan, request.clone(), modality)
    };
    let scan = if request.with.is_empty() {
        io::open_progressive(request.path(), &request.options, &mut |first| on_first(measured(first)))?
    } else {
        let mut files = vec![request.path().to_owned()];
        files.extend_from_slice(&request.with);
        io::open_files(&files, &request.options)?
    };
    let mut open = measured(scan);
    if let Some(LabelFile { path, task }) = request.labels.as_ref().filter(|labels| labels.path.is_file()) {
        let labels = io::open_labels(path)?;
        if geometry_equal(labels.geometry(), open.geometry(), SAME_GRID_MM) {
            open.given = Some(GivenLabels { map: Arc::new(labels), task: *task });
        }
    }
    Ok(Opened::Scan(Box::new(open)))
}

/// The series of the folder that was asked for, if more than one of them is a volume and none was chosen yet.
fn series_to_choose(request: &OpenRequest) -> Result<Option<Vec<SeriesInfo>>, LoadError> {
    if !request.ask_for_series || request.options.series.is_some() || !request.path().is_dir() {
        return Ok(None);
    }
    let series = io::list_series(request.path())?;
    let volumes = series.iter().filter(|one| one.kind == SeriesKind::Volume).count();
    Ok((volumes > 1).then_some(series))
}

/// How the user may have a file opened that was refused for being only almost right: words for a button, and the request.
pub fn remedy(error: &LoadError, refused: &OpenRequest) -> Option<(&'static str, OpenRequest)> {
    let LoadError::Io(error) = error else { return None };
    let (words, options) = error.acceptance(&refused.options)?;
    Some((words, refused.with_options(options)))
}

/// The bundled phantom of a task and modality, with its labels.
pub fn demo_request(task: Task, modality: Modality) -> Result<OpenRequest, AssetError> {
    let stem = format!("{}_{}", task.name(), modality.name().to_lowercase());
    let folder = demo_dir()?;
    let (scan, labels) = (format!("{stem}.nii.gz"), format!("{stem}_labels.nii.gz"));
    let labels = LabelFile { path: folder.join(labels), task };
    Ok(OpenRequest::phantom(folder.join(scan), labels, modality))
}

/// Reads a label map drawn with `table` into the program's own values, and finds the scan it belongs to among `open` by
/// its grid.
///
/// A value the program's own table does not know means that the map was drawn with another one: showing it in the
/// colours of this one would name organs wrongly.
pub fn open_labels(
    path: &Path,
    open: &[(Role, Arc<OpenScan>)],
    table: &LabelTable,
) -> Result<OpenLabels, LoadError> {
    let labels = io::open_labels(path)?;
    let own = table.name == table.task.name();
    let foreign = |value: &&u16| **value != 0 && table.entry(**value).is_none();
    if let Some(&found) = labels.voxels().iter().filter(|_| own).find(foreign) {
        let known: Vec<&str> =
            LabelTable::builtin().iter().filter(|t| t.task == table.task).map(|t| t.name.as_str()).collect();
        let (path, table) = (path.to_owned(), table.name.clone());
        return Err(LoadError::ForeignLabels { path, found, table, known: known.join(", ") });
    }
    let fits =
        |(_, scan): &&(Role, Arc<OpenScan>)| geometry_equal(labels.geometry(), scan.geometry(), SAME_GRID_MM);
    let mut fitting = open.iter().filter(fits);
    match fitting.next() {
        Some((_, scan)) => Ok(OpenLabels {
            scan: scan.id,
            fits_both: fitting.next().is_some(),
            not_shown: values_without_structure(&labels, table),
            given: GivenLabels { map: Arc::new(table.to_structures(&labels)), task: table.task },
        }),
        None => {
            let open =
                open.iter().map(|(role, scan)| format!("{} {:?}", role.name(), scan.geometry().dims()));
            let open = open.collect::<Vec<_>>().join(", ");
            Err(LoadError::LabelsFitNothing { path: path.to_owned(), found: labels.dims(), open })
        }
    }
}

/// Every value of the map, ascending, that `table` does not name.
fn values_without_structure(labels: &LabelMap, table: &LabelTable) -> Vec<u16> {
    let mut values = labels.values_present();
    values.retain(|&value| value != 0 && table.entry(value).is_none());
    values
}

/// Reads and verifies the model and packs every order for the engine.
pub fn pack_work(model: &str, orders: &[WorkOrder]) -> Result<Vec<PackedWork>, LoadError> {
    let bundle = load_bundle(model)?;
    let pack = |order: &WorkOrder| {
        let (model, scan) = (model_payload(&bundle), WireScan::pack(&order.scan.scan));
        let (modality, first_world_mm) = (order.scan.modality, order.first_world_mm);
        let device = DeviceChoice::Auto;
        let request = match order.work {
            Work::Translate => {
                let style = 1.0;
                Request::Translate(TranslateRequest { model, scan, modality, first_world_mm, style, device })
            }
            Work::CheckAnatomy => {
                Request::CheckAnatomy(AnatomyRequest { model, judge: None, scan, modality, device })
            }
            Work::Segment(_) | Work::Vary(..) => {
                let settings = match order.work {
                    Work::Vary(_, variant) => variant.settings(),
                    _ => SegmentSettings::default(),
                };
                Request::Segment(SegmentRequest { model, scan, modality, first_world_mm, settings, device })
            }
        };
        let settings = match &request {
            Request::Segment(request) => request.settings,
            _ => SegmentSettings::default(),
        };
        let concerns = concerns(&order.scan.scan, order.scan.modality, &bundle.card);
        let origin = Arc::new(RunOrigin { card: bundle.card.clone(), settings, concerns });
        PackedWork { work: order.work, scan: order.scan.id, origin, request }
    };
    Ok(orders.iter().map(pack).collect())
}

/// A finished translation.
pub fn unpack_translation(
    result: &Translation,
    origin: Arc<RunOrigin>,
    model: String,
) -> Result<Synthesis, LoadError> {
    let image = result.synthetic.unpack()?;
    Ok(Synthesis {
        intensity: IntensityStats::of_volume(&image),
        image: Arc::new(image),
        slabs: Vec::new(),
        imitates: result.imitates,
        edge_agreement: Some(result.edge_agreement),
        whole: true,
        model,
        device: result.device.clone(),
        origin: Some(origin),
        warnings: result.warnings.clone(),
    })
}

/// The slab of a translation that comes first.
pub fn unpack_translated_slab(
    slab: &WireVolume,
    imitates: Modality,
    model: String,
) -> Result<Synthesis, LoadError> {
    let image = slab.unpack()?;
    Ok(Synthesis {
        intensity: IntensityStats::of_volume(&image),
        image: Arc::new(image),
        slabs: Vec::new(),
        imitates,
        edge_agreement: None,
        whole: false,
        model,
        device: String::new(),
        origin: None,
        warnings: Vec::new(),
    })
}

/// A finished segmentation, with its structures measured.
pub fn unpack_segmentation(
    result: &Segmentation,
    scan: &OpenScan,
    origin: Arc<RunOrigin>,
    model: String,
) -> Result<Prediction, LoadError> {
    let labels = result.labels.unpack()?;
    let gap = result.gap.unpack()?;
    let uncertainty = result.uncertainty.unpack()?;
    let table = origin.card.task.table();
    let values: Vec<u16> = table.entries.iter().map(|entry| entry.value).collect();
    let body = tissue(&scan.scan, scan.modality);
    let places = places(&labels, &gap, Some(&uncertainty), table, Cutoffs::default(), PLACES)?;
    Ok(Prediction {
        coverage: Some(Coverage::of(&labels, &gap, &body, &values)),
        places,
        structures: summarise(&labels, Some(&gap), Some(&uncertainty), table),
        labels: Arc::new(labels),
        gap: Arc::new(gap),
        slabs: Vec::new(),
        uncertainty: Some(Arc::new(uncertainty)),
        whole: true,
        model,
        refinement: result.refinement.clone(),
        seconds: result.seconds,
        device: result.device.clone(),
        origin: Some(origin),
        warnings: result.warnings.clone(),
    })
}

/// Another segmentation of a scan, compared with the prediction that is shown.
pub fn unpack_contrast(
    result: &Segmentation,
    against: Against,
    prediction: &Prediction,
    task: Task,
) -> Result<Contrast, LoadError> {
    Ok(Contrast::new(against, &prediction.labels, &result.labels.unpack()?, task.table())?)
}

/// The slab of a segmentation that comes first.
pub fn unpack_segmented_slab(
    labels: &WireLabels,
    gap: &WireVolume,
    model: String,
) -> Result<Prediction, LoadError> {
    Ok(Prediction {
        labels: Arc::new(labels.unpack()?),
        gap: Arc::new(gap.unpack()?),
        slabs: Vec::new(),
        uncertainty: None,
        structures: Vec::new(),
        coverage: None,
        places: Vec::new(),
        whole: false,
        model,
        refinement: Vec::new(),
        seconds: 0.0,
        device: String::new(),
        origin: None,
        warnings: Vec::new(),
    })
}
