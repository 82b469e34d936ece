//! The gap report of one case, put together and written: what `mindgap report`, `mindgap batch` and the window export.
//!
//! Invariant: the four files say the same, and each of them is written whole or not at all.

use super::body::{label_focus, tissue};
use super::montage::{GAP_RANGE, Layers, UNCERTAINTY_RANGE, montage};
use super::provenance::{InputRecord, RunFacts, program};
use crate::colormap::Colormap;
use crate::eval::gap::{
    ColourBar, Cutoffs, FigureError, FlagLimits, GapError, GapReport, PdfError, PdfInfo, figure, flags,
    measure, places,
};
use crate::volume::io::{self, IoError};
use crate::volume::{LabelMap, Volume};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Places to look at that are listed.
const PLACES: usize = 10;

/// Why a report could not be made or written.
#[derive(Debug, Error)]
pub enum ReportError {
    #[error(transparent)]
    Measure(#[from] GapError),
    #[error(transparent)]
    Figure(#[from] FigureError),
    #[error(transparent)]
    Pdf(#[from] PdfError),
    #[error(transparent)]
    Io(#[from] IoError),
    #[error("{}: the report cannot be written as JSON: {source}", path.display())]
    Json { path: PathBuf, source: serde_json::Error },
}

/// What a report is made of; all volumes on the scan's own grid.
pub struct Findings<'a> {
    pub facts: RunFacts<'a>,
    pub labels: &'a LabelMap,
    pub gap: &'a Volume<f32>,
    pub uncertainty: Option<&'a Volume<f32>>,
    /// From which gap on a voxel counts as covered.
    pub threshold: f32,
}

/// Measures a case. `case` is printed as it is given.
///
/// # Errors
/// Where the volumes do not lie on one grid.
pub fn report(case: &str, findings: &Findings) -> Result<GapReport, ReportError> {
    let Findings { facts, labels, gap, uncertainty, threshold } = findings;
    let table = facts.card.task.table();
    let body = tissue(facts.scan, facts.modality);
    let measured = measure(labels, gap, *uncertainty, &body, table, *threshold)?;
    let flags = flags(&measured, &FlagLimits::default());
    let cutoffs = Cutoffs { gap: f64::from(*threshold), ..Cutoffs::default() };
    let places = places(labels, gap, *uncertainty, table, cutoffs, PLACES)?;
    Ok(GapReport::new(case, measured, flags, places, origin(facts)))
}

/// What the numbers came from, line by line. No time: the same case gives the same report.
fn origin(facts: &RunFacts) -> BTreeMap<String, String> {
    let input = InputRecord::of(facts.scan, facts.modality, facts.input_sha256);
    let settings = &facts.settings;
    let mut lines = BTreeMap::from([
        ("program".to_owned(), program()),
        ("model".to_owned(), format!("{} {}", facts.card.id, facts.card.version)),
        ("model weights SHA-256".to_owned(), facts.card.weights_sha256.clone()),
        ("training seed".to_owned(), facts.card.training.seed.to_string()),
        ("input SHA-256".to_owned(), input.sha256),
        (
            "input".to_owned(),
            format!(
                "{}, {}, {:?} voxels of {:?} mm, {}",
                input.modality.name(),
                input.format,
                input.dims,
                input.spacing_mm.map(|mm| (mm * 1000.0).round() / 1000.0),
                input.orientation.unwrap_or_else(|| "orientation unknown".to_owned())
            ),
        ),
        ("device".to_owned(), facts.device.to_owned()),
        (
            "run".to_owned(),
            format!(
                "net {:?}, mask {}, refine {:?}, {} of each structure",
                settings.net,
                settings.mask,
                settings.refine,
                if settings.largest_island { "the largest part" } else { "every part" }
            ),
        ),
    ]);
    let words = |all: Vec<&str>| if all.is_empty() { "none".to_owned() } else { all.join(" ") };
    let concerns = facts.concerns.iter().map(|concern| concern.reason.as_str()).collect();
    lines.insert("run in spite of".to_owned(), words(concerns));
    lines.insert("warnings".to_owned(), words(facts.all_warnings().iter().map(String::as_str).collect()));
    lines
}

/// Writes `report.csv`, `report.json`, `report.png` and `report.pdf` into a folder, which is made where it is missing.
///
/// # Errors
/// Where the page cannot be drawn or a file cannot be written; files written before stay.
pub fn write(folder: &Path, report: &GapReport, findings: &Findings) -> Result<Vec<PathBuf>, ReportError> {
    std::fs::create_dir_all(folder).map_err(|error| IoError::system(folder, "make", error))?;
    let page = page(report, findings)?;
    let at = |ending: &str| folder.join(format!("report.{ending}"));
    let json = report.to_json().map_err(|source| ReportError::Json { path: at("json"), source })?;
    let info = PdfInfo { title: format!("Gap report: {}", report.case), ..PdfInfo::default() };
    let files = [
        (at("csv"), report.to_csv().into_bytes()),
        (at("json"), json.into_bytes()),
        (at("png"), page.to_png()?),
        (at("pdf"), page.to_pdf(&info)?),
    ];
    for (path, bytes) in &files {
        io::write_file(path, bytes)?;
    }
    Ok(files.into_iter().map(|(path, _)| path).collect())
}

/// The one-page figure.
///
/// # Errors
/// Where it cannot be drawn.
pub fn page(report: &GapReport, findings: &Findings) -> Result<crate::eval::gap::Figure, ReportError> {
    let Findings { facts, labels, gap, uncertainty, .. } = *findings;
    let layers = Layers {
        scan: facts.scan,
        modality: facts.modality,
        task: facts.card.task,
        labels,
        gap,
        uncertainty,
    };
    let grid = facts.scan.geometry();
    let middle = glam::DVec3::from_array(grid.dims().map(|size| (size - 1) as f64 * 0.5));
    let focus = grid.world_of(label_focus(labels).unwrap_or(middle));
    let panels = montage(&layers, focus);
    let (inferno, cividis) = (Colormap::Inferno.steps(), Colormap::Cividis.steps());
    let bar =
        |name, colours, range: [f32; 2], unit| ColourBar { name, colours, range: range.map(f64::from), unit };
    let mut bars = vec![bar("Gap", &inferno, GAP_RANGE, "a(p)")];
    if uncertainty.is_some() {
        bars.push(bar("Uncertainty", &cividis, UNCERTAINTY_RANGE, "normalised entropy"));
    }
    Ok(figure(report, &panels, &bars)?)
}

/// Everything a run left on a scan's grid, held together for a report.
#[derive(Debug)]
pub struct Segmented {
    pub labels: LabelMap,
    pub gap: Volume<f32>,
    pub uncertainty: Volume<f32>,
}

impl Segmented {
    /// Unpacks what the engine answered.
    ///
    /// # Errors
    /// Where a volume does not fill its grid.
    pub fn unpack(result: &crate::protocol::Segmentation) -> Result<Self, crate::protocol::WireError> {
        Ok(Self {
            labels: result.labels.unpack()?,
            gap: result.gap.unpack()?,
            uncertainty: result.uncertainty.unpack()?,
        })
    }
}
