//! `mindgap evaluate`: how well a label map agrees with a reference.

use super::output;
use crate::eval;
use crate::volume::{LabelTable, Task, io};
use anyhow::{Context, bail};
use clap::Args;
use std::path::PathBuf;

/// Compare a label map with a reference: Dice, ASSD and HD95 for every structure.
#[derive(Debug, Args)]
pub(super) struct Evaluate {
    /// The label map to judge, in this program's label values.
    prediction: PathBuf,
    /// The label map to judge it by, on the same grid.
    reference: PathBuf,
    /// Whose label values the reference uses: totalsegmentator-v1, totalsegmentator-v2, totalsegmentator-mr, chaos, btcv,
    /// mm-whs, sunnybrook, abdomen, cardiac. Without it: this program's own.
    #[arg(long, value_name = "NAME")]
    reference_table: Option<String>,
    /// Which structures the labels are. Without it: those of the reference table.
    #[arg(long)]
    task: Option<Task>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Evaluate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let reference_table = self.reference_table()?;
        let prediction = io::open_labels(&self.prediction)?;
        let reference = reference_table.to_structures(&io::open_labels(&self.reference)?);
        let report = eval::evaluate(&prediction, &reference, reference_table.task.table())
            .with_context(|| format!("{} and {}", self.prediction.display(), self.reference.display()))?;
        if self.json { output::print_json(&report) } else { output::print(&report.to_string()) }
    }

    fn reference_table(&self) -> anyhow::Result<&'static LabelTable> {
        let Some(name) = &self.reference_table else {
            if self.task.is_none() {
                tracing::warn!(
                    "neither --reference-table nor --task was given: structures are named as in the abdomen"
                );
            }
            return Ok(self.task.unwrap_or(Task::Abdomen).table());
        };
        let table = LabelTable::named(name)?;
        match self.task {
            Some(task) if task != table.task => bail!(
                "--reference-table {name} is of the {}, but --task is {}: leave one of them out",
                table.task.name(),
                task.name()
            ),
            _ => Ok(table),
        }
    }
}
