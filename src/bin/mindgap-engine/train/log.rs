//! The course of a training as a table: `log.csv` beside the checkpoint, one row a phase, step and quantity.
//!
//! Rows are held back until the checkpoint of their step is written, so that a resumed run goes on with the very next
//! row. Every value is the mean over the steps of its phase since the last row: ten, or fewer where a phase ends or a
//! checkpoint is written between.

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
    /// The step that was added last, and its phase.
    latest: (String, u64),
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
            latest: (String::new(), 0),
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
        self.latest = (phase.label(), step);
        if step.is_multiple_of(STEPS_A_ROW) {
            self.end_row();
        }
    }

    fn end_row(&mut self) {
        let (phase, step) = &self.latest;
        for (name, (sum, count)) in std::mem::take(&mut self.sums) {
            let mean = sum / f64::from(count);
            // Writing into a string cannot fail.
            let _ = writeln!(self.rows, "\"{phase}\",{step},\"{name}\",{mean:.6}");
        }
    }

    /// Appends what was collected to the file.
    pub fn flush(&mut self) -> Result<(), TrainError> {
        self.end_row();
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mindgap::config::train::preset_path;

    #[test]
    fn the_steps_at_the_end_of_a_phase_are_told_as_its_own() {
        let text = std::fs::read_to_string(preset_path("abdomen-ct-to-mr").unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::new(folder.path(), &TrainConfig::parse(&text).unwrap());
        let record = |loss: f64| StepRecord::new(vec![("segmentation", loss)]);
        (1..=12).for_each(|step| log.add(Phase::Warm, step, &record(if step > 10 { 4.0 } else { 2.0 })));
        log.flush().unwrap();
        (1..=10).for_each(|step| log.add(Phase::Adapt, step, &record(1.0)));
        log.flush().unwrap();
        let written = std::fs::read_to_string(folder.path().join("log.csv")).unwrap();
        let rows: Vec<&str> = written.lines().skip(1).collect();
        assert_eq!(
            rows,
            [
                "\"warm-up on source images\",10,\"segmentation\",2.000000",
                "\"warm-up on source images\",12,\"segmentation\",4.000000",
                "\"adaptation\",10,\"segmentation\",1.000000",
            ]
        );
    }
}
