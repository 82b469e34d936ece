//! What the drawer below the images holds: the report of the prediction, and a cohort.

use crate::eval::gap::GapReport;
use crate::session::Prediction;
use crate::session::cohort::{Case, Cohort};
use std::cmp::Ordering;
use std::sync::Arc;

/// What is drawn in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drawer {
    Report,
    Cohort,
}

/// The report that was made last, and whether a thread is making another one.
#[derive(Debug, Default)]
pub struct ReportState {
    pub made: Option<MadeReport>,
    pub making: bool,
}

/// A report and the prediction it is of.
#[derive(Debug, Clone)]
pub struct MadeReport {
    pub prediction: Arc<Prediction>,
    /// Or why there is none, fit to be shown.
    pub report: Result<Arc<GapReport>, String>,
}

/// A cohort's folder as it was read last.
#[derive(Debug)]
pub struct CohortState {
    pub cohort: Option<Arc<Cohort>>,
    /// A thread is reading a folder.
    pub reading: bool,
    pub sort: CohortSort,
    pub plotted: CohortMeasure,
    /// The folder in which the scans of its cases are looked for; empty where nobody has said.
    pub scans_in: String,
    /// The case whose files are being looked for.
    pub looking_for: Option<String>,
    /// What went wrong last, or has to be known of the case that was opened last.
    pub told: Option<String>,
}

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CohortColumn {
    Case,
    Status,
    /// Of the structure with this place in [`Cohort::structures`].
    Measure(CohortMeasure, usize),
    /// Over all labelled voxels.
    MeanGap,
    Flags,
}

/// What is known of a structure in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CohortMeasure {
    /// mL.
    Volume,
    /// Mean of a(p) inside, 0 to 1.
    Gap,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CohortSort {
    pub by: CohortColumn,
    pub descending: bool,
}

impl Drawer {
    pub const ALL: [Drawer; 2] = [Drawer::Report, Drawer::Cohort];

    pub fn name(self) -> &'static str {
        match self {
            Drawer::Report => "Report",
            Drawer::Cohort => "Cohort",
        }
    }
}

impl ReportState {
    /// What was made of a prediction, if that is the one.
    pub fn of(&self, prediction: &Arc<Prediction>) -> Option<&Result<Arc<GapReport>, String>> {
        let made = self.made.as_ref().filter(|made| Arc::ptr_eq(&made.prediction, prediction));
        made.map(|made| &made.report)
    }
}

impl Default for CohortState {
    fn default() -> Self {
        Self {
            cohort: None,
            reading: false,
            sort: CohortSort { by: CohortColumn::Case, descending: false },
            plotted: CohortMeasure::Volume,
            scans_in: String::new(),
            looking_for: None,
            told: None,
        }
    }
}

impl CohortMeasure {
    pub const ALL: [CohortMeasure; 2] = [CohortMeasure::Volume, CohortMeasure::Gap];

    pub fn name(self) -> &'static str {
        match self {
            CohortMeasure::Volume => "Volume",
            CohortMeasure::Gap => "Mean gap",
        }
    }

    pub fn unit(self) -> &'static str {
        match self {
            CohortMeasure::Volume => "mL",
            CohortMeasure::Gap => "a(p)",
        }
    }

    /// Of a structure of a case; `None` where it is undefined.
    pub fn of(self, case: &Case, (label, name): &(u16, String)) -> Option<f64> {
        let structure = case.structure(*label, name)?;
        match self {
            CohortMeasure::Volume => structure.volume_ml,
            CohortMeasure::Gap => structure.gap.map(|gap| gap.mean),
        }
    }
}

impl CohortSort {
    /// Another column is sorted upwards first, the same one the other way round.
    #[must_use]
    pub fn then_by(self, by: CohortColumn) -> Self {
        Self { by, descending: self.by == by && !self.descending }
    }

    /// Places in [`Cohort::cases`], in the order of the table. Where a value is undefined the case comes last, whichever
    /// way it is sorted.
    pub fn rows(self, cohort: &Cohort) -> Vec<usize> {
        let mut rows: Vec<usize> = (0..cohort.cases.len()).collect();
        let turned = |order: Ordering| if self.descending { order.reverse() } else { order };
        rows.sort_by(|&a, &b| {
            let (a, b) = (&cohort.cases[a], &cohort.cases[b]);
            match self.by {
                CohortColumn::Case => turned(a.name.cmp(&b.name)),
                CohortColumn::Status => turned(a.status().cmp(b.status())),
                _ => match (self.value(cohort, a), self.value(cohort, b)) {
                    (Some(a), Some(b)) => turned(a.total_cmp(&b)),
                    (one, other) => other.is_some().cmp(&one.is_some()),
                },
            }
        });
        rows
    }

    /// The number a case is sorted by.
    fn value(self, cohort: &Cohort, case: &Case) -> Option<f64> {
        match self.by {
            CohortColumn::Case | CohortColumn::Status => None,
            CohortColumn::Measure(measure, at) => measure.of(case, cohort.structures.get(at)?),
            CohortColumn::MeanGap => case.mean_gap(),
            CohortColumn::Flags => case.record().map(|record| record.flags.len() as f64),
        }
    }
}
