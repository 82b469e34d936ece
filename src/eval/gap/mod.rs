//! The gap report of one case: what gap and uncertainty are in each structure, what speaks against the prediction, and
//! where to look first; as CSV, JSON, a page and a PDF.
//!
//! Invariants: all volumes lie on the labels' grid, or nothing is measured; what is undefined is `None`, never 0 or NaN;
//! the same input gives the same bytes, for nothing here reads a clock; nobody is named but by the caller's `case`.

mod blocks;
mod figure;
mod files;
mod flags;
mod islands;
mod measure;
mod near;
mod organs;
mod page;
mod pdf;
mod places;
#[cfg(test)]
mod testing;

pub use figure::{ColourBar, Figure, FigureError, PAGE_SIZE, Panel, figure};
pub use files::GapReport;
pub use flags::{Flag, FlagKind, FlagLimits, flags};
pub use measure::{BodyGap, GapMeasure, GapSpread, StructureGap, measure};
pub use organs::{OrganVolume, organ_volume};
pub use page::PageBox;
pub use pdf::{PdfError, PdfInfo, pdf};
pub use places::{Cutoffs, Place, Quadrant, places};

use crate::eval::chart::text;
use crate::eval::{SAME_GRID_MM, describe};
use crate::volume::{Geometry, LabelMap, geometry_equal};
use thiserror::Error;

/// How far the shell around a structure reaches, in mm between voxel centres.
pub const SHELL_MM: f64 = 5.0;

/// On every page and in every JSON file.
pub const RESEARCH_USE: &str = "Research use only; the gap is a quantity of the model, not a diagnosis.";

/// Why the gap of a case cannot be measured.
#[derive(Debug, Error, Clone, PartialEq)]
pub enum GapError {
    #[error(
        "{what}: expected the labels' grid, {expected}, got {got}; gap, uncertainty and body must be those of the scan that \
         was labelled"
    )]
    GridsDiffer { what: &'static str, expected: String, got: String },
    #[error("threshold: expected a number, got {0}; the gap lies between 0 and 1")]
    Threshold(f32),
}

/// Refuses a volume that does not lie on the labels' grid.
fn check_grid(what: &'static str, grid: &Geometry, labels: &LabelMap) -> Result<(), GapError> {
    if geometry_equal(grid, labels.geometry(), SAME_GRID_MM) {
        return Ok(());
    }
    Err(GapError::GridsDiffer { what, expected: describe(labels.geometry()), got: describe(grid) })
}
