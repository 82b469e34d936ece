//! `mindgap evaluate`: how well label maps agree with their references, one pair or two folders of them.
//!
//! Invariant: a case that cannot be scored is named, stops no other, and makes the command fail at the end.

mod answer;
mod pairs;

use super::{input, output};
use crate::eval::{self, Cohort, Metric, Report};
use crate::volume::io::{self, IoError};
use crate::volume::{LabelTable, Task};
use answer::{Answer, Failure};
use anyhow::{Context, bail, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget};
use pairs::Pair;
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// Compare label maps with their references: Dice, ASSD and HD95 in mm for every structure. Of two folders, every pair of
/// files with the same name without ending, and the mean and standard deviation over them.
#[derive(Debug, Args)]
pub(super) struct Evaluate {
    /// The label map to judge, or a folder of them.
    prediction: PathBuf,
    /// The label map to judge it by, on the same grid, or a folder of them.
    reference: PathBuf,
    /// Whose label values the references use: totalsegmentator-v1, totalsegmentator-v2, totalsegmentator-mr, amos22,
    /// chaos, btcv, mm-whs, sunnybrook, abdomen, cardiac. Without it: this program's own.
    #[arg(long, value_name = "NAME")]
    reference_table: Option<String>,
    /// Whose label values the predictions use. Without it: this program's own.
    #[arg(long, value_name = "NAME")]
    prediction_table: Option<String>,
    /// Which structures the labels are. Without it: those of the tables.
    #[arg(long)]
    task: Option<Task>,
    /// Also write every score in full precision, one row a case and structure; an empty cell is undefined.
    #[arg(long, value_name = "FILE.csv")]
    csv: Option<PathBuf>,
    /// Also draw the scores of each structure with mean and standard deviation.
    #[arg(long, value_name = "FILE.png")]
    plot: Option<PathBuf>,
    /// What the plot shows.
    #[arg(long, value_name = "METRIC", default_value = "dice", requires = "plot")]
    plot_metric: Metric,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Whose label values are on either side.
#[derive(Clone, Copy)]
struct Tables {
    prediction: &'static LabelTable,
    reference: &'static LabelTable,
}

impl Evaluate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let tables = self.tables()?;
        let is_png =
            |path: &PathBuf| path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png"));
        if let Some(path) = self.plot.as_ref().filter(|path| !is_png(path)) {
            bail!("--plot {}: expected a name that ends in .png; the chart is a PNG picture", path.display());
        }
        let outputs: Vec<&Path> = self.csv.iter().chain(&self.plot).map(PathBuf::as_path).collect();
        let inputs = [self.prediction.clone(), self.reference.clone()];
        match [&self.prediction, &self.reference].map(|path| path.is_dir()) {
            [true, true] => self.run_folders(tables, &outputs),
            [false, false] => {
                input::refuse_places(&inputs, &outputs)?;
                self.run_pair(tables)
            }
            [prediction_is_folder, _] => {
                let (folder, file) = if prediction_is_folder { (0, 1) } else { (1, 0) };
                bail!(
                    "{} is a folder and {} is not: expected two label files, or two folders of them",
                    inputs[folder].display(),
                    inputs[file].display()
                )
            }
        }
    }

    fn run_pair(&self, tables: Tables) -> anyhow::Result<()> {
        let (prediction, reference) = (&self.prediction, &self.reference);
        let report = score(prediction, reference, tables)?;
        let stem = || prediction.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut cohort = Cohort::default();
        cohort.add(pairs::case_of(prediction).unwrap_or_else(stem), report.clone());
        self.write_files(&cohort)?;
        if self.json { output::print_json(&report) } else { output::print(&report.to_string()) }
    }

    fn run_folders(&self, tables: Tables, outputs: &[&Path]) -> anyhow::Result<()> {
        let pairing = pairs::pair(&self.prediction, &self.reference)?;
        let files = pairing.pairs.iter().flat_map(|pair| [pair.prediction.clone(), pair.reference.clone()]);
        input::refuse_places(&files.collect::<Vec<_>>(), outputs)?;
        for sentence in &pairing.unpaired {
            eprintln!("warning: {sentence}");
        }
        let scored = score_all(&pairing.pairs, tables, self.json);
        let (mut cohort, mut failures) = (Cohort::default(), pairing.ambiguous);
        for (pair, result) in pairing.pairs.into_iter().zip(scored) {
            match result {
                Ok(report) => cohort.add(pair.case, report),
                Err(error) => failures.push(Failure { case: pair.case, error: format!("{error:#}") }),
            }
        }
        for Failure { case, error } in &failures {
            eprintln!("error: {case}: {error}");
        }
        let count = cohort.cases.len() + failures.len();
        let failed: Vec<String> = failures.iter().map(|failure| failure.case.clone()).collect();
        self.write_files(&cohort)?;
        let answer = Answer::new(cohort, failures, pairing.unpaired);
        if self.json {
            output::print_json(&answer)?
        } else {
            output::print(&answer.to_text())?
        }
        ensure!(
            failed.is_empty(),
            "{} of {count} cases could not be scored: {}",
            failed.len(),
            failed.join(", ")
        );
        Ok(())
    }

    /// Writes what was asked for beside the answer.
    fn write_files(&self, cohort: &Cohort) -> anyhow::Result<()> {
        if let Some(path) = &self.csv {
            io::write_file(path, cohort.to_csv().as_bytes())?;
        }
        if let Some(path) = &self.plot {
            let title = match &cohort.cases[..] {
                [case] => format!("Agreement with the reference: {}", case.case),
                cases => format!("Agreement with the reference in {} cases", cases.len()),
            };
            io::write_file(path, &cohort.chart(self.plot_metric, &title).to_png()?)?;
        }
        Ok(())
    }

    fn tables(&self) -> anyhow::Result<Tables> {
        let named = |name: &Option<String>| name.as_deref().map(LabelTable::named).transpose();
        let (reference, prediction) = (named(&self.reference_table)?, named(&self.prediction_table)?);
        let table = |option: &str, table: Option<&LabelTable>| {
            table.map(|table| (format!("{option} {}", table.name), table.task))
        };
        let given = [
            table("--reference-table", reference),
            table("--prediction-table", prediction),
            self.task.map(|task| (format!("--task {}", task.name()), task)),
        ];
        let mut options = given.into_iter().flatten();
        let first = options.next();
        let differs = |of: &(String, Task)| first.as_ref().is_some_and(|(_, task)| *task != of.1);
        if let (Some((option, task)), Some((other_option, other))) = (first.as_ref(), options.find(differs)) {
            bail!(
                "{option} is of the {}, but {other_option} of the {}: both must name the same structures; leave one out",
                task.name(),
                other.name()
            );
        }
        if first.is_none() {
            tracing::warn!("no table and no --task was given: structures are named as in the abdomen");
        }
        let own = first.map_or(Task::Abdomen, |(_, task)| task).table();
        Ok(Tables { prediction: prediction.unwrap_or(own), reference: reference.unwrap_or(own) })
    }
}

/// Scores every pair, several at a time. What had too little memory beside the others is tried again alone.
fn score_all(pairs: &[Pair], tables: Tables, quiet: bool) -> Vec<anyhow::Result<Report>> {
    let hidden = quiet || pairs.len() == 1;
    let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(pairs.len() as u64), target);
    let score_pair = |pair: &Pair| {
        let report = score(&pair.prediction, &pair.reference, tables);
        bar.inc(1);
        report
    };
    let together: Vec<_> = pairs.par_iter().map(score_pair).collect();
    let again = together.into_iter().zip(pairs).map(|(result, pair)| match result {
        Err(error) if matches!(error.downcast_ref(), Some(IoError::TooLarge { .. })) => {
            score(&pair.prediction, &pair.reference, tables)
        }
        result => result,
    });
    let results = again.collect();
    bar.finish_and_clear();
    results
}

fn score(prediction: &Path, reference: &Path, tables: Tables) -> anyhow::Result<Report> {
    let predicted = tables.prediction.to_structures(&io::open_labels(prediction)?);
    let actual = tables.reference.to_structures(&io::open_labels(reference)?);
    eval::evaluate(&predicted, &actual, tables.reference.task.table())
        .with_context(|| format!("{} and {}", prediction.display(), reference.display()))
}
