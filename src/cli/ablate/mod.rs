//! `mindgap ablate`: what each part of the method is worth, on phantoms, over several seeds.
//!
//! Every training and every evaluation leaves a file in its own folder; a study that is started again goes on with what
//! is missing. What was measured on other phantoms than it asks for now is measured again; what was trained otherwise, or
//! from another net than the one that lies there, is refused.

mod kept;
mod outcome;
mod report;
mod stage;
mod study;
mod workers;

use super::output;
use crate::dataset::phantom::GENERATOR_VERSION;
use crate::protocol::DeviceChoice;
use anyhow::Context;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use study::{StudyConfig, study_path};

/// Train and test the arms of an ablation study: source only, with global alignment, with local alignment, with both.
#[derive(Debug, Args)]
pub(super) struct Ablate {
    /// The study, a TOML file.
    #[arg(required_unless_present = "preset", conflicts_with = "preset")]
    study: Option<PathBuf>,
    /// A committed study by name, for example benchmark.
    #[arg(long)]
    preset: Option<String>,
    /// Folder for every arm's bundle and figures; started again with the same study, goes on with what is missing.
    #[arg(short, long)]
    output: PathBuf,
    /// Trainings at a time, each with an engine of its own.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=64))]
    jobs: u64,
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// The keys are stable: scripts read them.
#[derive(Debug, Serialize)]
struct Answer {
    study: String,
    results: Vec<outcome::Outcome>,
}

impl Ablate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let study = self.read_study()?;
        anyhow::ensure!(
            study.generator_version == GENERATOR_VERSION,
            "study {}: laid out for phantoms of generator {}, this program has {GENERATOR_VERSION}; figures would not be \
             comparable",
            study.name,
            study.generator_version
        );
        std::fs::create_dir_all(&self.output)
            .with_context(|| format!("{}: cannot be made", self.output.display()))?;
        let folder = std::path::absolute(&self.output)?;
        let results = workers::run(&study, &folder, self.jobs as usize, self.device)?;
        let text = report::write(&study.name, &folder, &results)?;
        if self.json {
            output::print_json(&Answer { study: study.name, results })
        } else {
            output::print(text.trim_end())
        }
    }

    fn read_study(&self) -> anyhow::Result<StudyConfig> {
        let path = match (&self.study, &self.preset) {
            (Some(path), _) => path.clone(),
            (None, Some(name)) => study_path(name)?,
            (None, None) => anyhow::bail!("give a study file or --preset NAME"),
        };
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("{}: cannot be read", path.display()))?;
        StudyConfig::parse(&text).with_context(|| path.display().to_string())
    }
}
