//! The course of a training as a table: `log.csv` beside the checkpoint, one row a phase, step and quantity.
//!
//! Rows are held back until the checkpoint of their step is written, so that a resumed run goes on with the very next
//! row. Every value is the mean over the steps since the last row of its kind.

use super::schedule::Phase;
use super::{StepRecord, TrainError};
use mindgap::config::train::TrainConfig;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Steps that are averaged into one row.
const STEPS_A_ROW: u64 = 10;

/// Collects what the steps measure.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    /// "gap, background", "gap, liver", ...
    gap_names: Vec<String>,
    sums: BTreeMap<String, (f64, u32)>,
    rows: String,
}

impl Log {
    /// For a run that writes into `folder`.
    pub fn new(folder: &Path, config: &TrainConfig) -> Self {
        let structures = config.task.table().entries.iter().map(|entry| entry.name.as_str());
        let gap_names = std::iter::once("background").chain(structures).map(|name| format!("gap, {name}"));
        Self {
            path: folder.join("log.csv"),
            gap_names: gap_names.collect(),
            sums: BTreeMap::new(),
            rows: String::new(),
        }
    }

    /// Takes note of the step that was just done.
    pub fn add(&mut self, phase: Phase, step: u64, record: &StepRecord) {
        let gaps = self.gap_names.iter().zip(&record.gap_of_class);
        let gaps = gaps.filter_map(|(name, gap)| gap.map(|gap| (name.clone(), gap)));
        let losses = record.losses.iter().map(|(name, value)| ((*name).to_owned(), *value));
        for (name, value) in losses.chain(gaps) {
            let (sum, count) = self.sums.entry(name).or_default();
            (*sum, *count) = (*sum + value, *count + 1);
        }
        if step.is_multiple_of(STEPS_A_ROW) {
            for (name, (sum, count)) in std::mem::take(&mut self.sums) {
                let mean = sum / f64::from(count);
                // Writing into a string cannot fail.
                let _ = writeln!(self.rows, "\"{}\",{step},\"{name}\",{mean:.6}", phase.label());
            }
        }
    }

    /// Appends what was collected to the file.
    pub fn flush(&mut self) -> Result<(), TrainError> {
        let error = super::file_error(&self.path);
        let written = OpenOptions::new().create(true).append(true).open(&self.path).and_then(|mut file| {
            if file.metadata()?.len() == 0 {
                file.write_all(b"phase,step,quantity,value\n")?;
            }
            file.write_all(self.rows.as_bytes())
        });
        written.map_err(error)?;
        self.rows.clear();
        Ok(())
    }
}
