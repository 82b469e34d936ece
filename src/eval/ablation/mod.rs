//! An ablation study: the same test cases, segmented by nets that were trained with and without each part of the method.
//!
//! Two of the arms are no trainings of their own: the supervised ceiling comes from elsewhere, and *full, not refined* is
//! the net of *full* once more, its labels left as the net drew them.
//!
//! Invariants: every result is shown, whatever it shows; what is undefined is said to be and why, and is no part of any
//! mean; arms are compared only within a seed and a direction.

mod charts;
mod markdown;
mod summary;

pub use summary::{
    ArmSummary, DirectionSummary, GapClosed, PairedDifference, SeedDifference, SeedGap, SeedScores, Summary,
};

use super::chart::ChartError;
use super::cohort::Case;
use super::moments::Metric;
use super::table::{csv_line, csv_number};
use crate::volume::{Modality, Task};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a net was trained with, and whether its labels were refined.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Arm {
    /// Source images and labels alone: the floor.
    SourceOnly,
    /// With the style transfer.
    Global,
    /// With the local feature mask.
    Local,
    /// With both.
    Both,
    /// The net of *full* without the refinement of its labels, which no other arm and neither end of the scale has.
    FullUnrefined,
    /// With both and everything else that the program does, the refinement of labels too.
    Full,
    /// Target images and labels: the ceiling.
    Supervised,
}

impl Arm {
    /// In the order in which they are declared and shown.
    pub const ALL: [Arm; 7] =
        [Arm::SourceOnly, Arm::Global, Arm::Local, Arm::Both, Arm::FullUnrefined, Arm::Full, Arm::Supervised];

    /// As in files and options.
    pub fn name(self) -> &'static str {
        match self {
            Arm::SourceOnly => "source-only",
            Arm::Global => "global",
            Arm::Local => "local",
            Arm::Both => "both",
            Arm::FullUnrefined => "full-unrefined",
            Arm::Full => "full",
            Arm::Supervised => "supervised",
        }
    }
}

impl fmt::Display for Arm {
    /// As in tables, charts and sentences.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Arm::FullUnrefined => "full, not refined",
            arm => arm.name(),
        })
    }
}

/// Which structures, with labels from which modality, in scans of which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Direction {
    pub task: Task,
    pub source: Modality,
    pub target: Modality,
}

impl Direction {
    /// For file names: "abdomen-ct-to-mr".
    pub fn key(&self) -> String {
        self.to_string().replace(", ", "-").replace(' ', "-").to_ascii_lowercase()
    }
}

impl fmt::Display for Direction {
    /// "abdomen, CT to MR".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} to {}", self.task.name(), self.source.name(), self.target.name())
    }
}

/// The scores of one trained net on the test cases of its direction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmResult {
    #[serde(flatten)]
    pub direction: Direction,
    pub arm: Arm,
    pub seed: u64,
    pub cases: Vec<Case>,
}

/// All results of a study, in any order; also of several tasks and directions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Study {
    pub results: Vec<ArmResult>,
}

/// A study with what it comes to: the keys are stable, and a [`Study`] can be read from it.
#[derive(Serialize)]
struct Document<'a> {
    results: &'a [ArmResult],
    summary: Summary,
}

impl Study {
    /// What the results come to.
    pub fn summary(&self) -> Summary {
        Summary::of(self)
    }

    /// One row a result, test case and structure, in full precision; an undefined value is an empty cell.
    pub fn to_csv(&self) -> String {
        let header = [
            "task",
            "source",
            "target",
            "arm",
            "seed",
            "case",
            "label",
            "structure",
            "dice",
            "assd_mm",
            "hd95_mm",
        ];
        let mut text = csv_line(&header.map(str::to_owned));
        for ArmResult { direction, arm, seed, cases } in &self.results {
            let Direction { task, source, target } = direction;
            let result = [task.name(), source.name(), target.name(), arm.name(), &seed.to_string()];
            for case in cases {
                for score in &case.structures {
                    let mut row: Vec<String> = result.iter().map(|cell| (*cell).to_owned()).collect();
                    row.extend([case.case.clone(), score.label.to_string(), score.name.clone()]);
                    row.extend(Metric::ALL.map(|metric| csv_number(metric.of(score))));
                    text.push_str(&csv_line(&row));
                }
            }
        }
        text
    }

    /// The results and their summary as one JSON object, from which the study can be read again.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(&Document { results: &self.results, summary: self.summary() })
    }

    /// Name (without ending) and PNG bytes of every chart: mean Dice by direction, the gap closed, and each metric by
    /// structure for each direction.
    pub fn charts(&self) -> Result<Vec<(String, Vec<u8>)>, ChartError> {
        charts::draw(&self.summary())
    }

    /// The directions, in the order in which they first occur.
    fn directions(&self) -> Vec<Direction> {
        let mut directions = Vec::new();
        for result in &self.results {
            if !directions.contains(&result.direction) {
                directions.push(result.direction);
            }
        }
        directions
    }
}
