//! `mindgap train`: a configuration and a data folder to a bundle.

use super::{job, output};
use crate::config::train::{TrainConfig, preset_path, self_contained};
use crate::protocol::{DeviceChoice, Event, Request, TrainRequest};
use crate::session::EngineSite;
use anyhow::Context;
use clap::Args;
use std::path::PathBuf;

/// Train a model. Target labels are never read.
#[derive(Debug, Args)]
pub(super) struct Train {
    /// The configuration, a TOML file.
    #[arg(required_unless_present = "preset", conflicts_with = "preset")]
    config: Option<PathBuf>,
    /// A committed configuration by name, for example abdomen-ct-to-mr.
    #[arg(long)]
    preset: Option<String>,
    /// The folder that data paths are relative to.
    #[arg(long, env = "MINDGAP_DATA", default_value = ".")]
    data: PathBuf,
    /// Folder for checkpoints and the finished bundle.
    #[arg(short, long)]
    output: PathBuf,
    /// Go on from the checkpoint in the output folder.
    #[arg(long)]
    resume: bool,
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
}

impl Train {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let path = match (&self.config, &self.preset) {
            (Some(path), _) => path.clone(),
            (None, Some(name)) => preset_path(name)?,
            (None, None) => anyhow::bail!("give a configuration file or --preset NAME"),
        };
        let config =
            std::fs::read_to_string(&path).with_context(|| format!("{}: cannot be read", path.display()))?;
        // Checked here first: a misspelt field is told without starting an engine.
        let config = self_contained(&config).with_context(|| path.display().to_string())?;
        TrainConfig::parse(&config).with_context(|| path.display().to_string())?;
        std::fs::create_dir_all(&self.output)
            .with_context(|| format!("{}: cannot be made", self.output.display()))?;
        let request = TrainRequest {
            config,
            base_dir: std::path::absolute(&self.data)?,
            out_dir: std::path::absolute(&self.output)?,
            resume: self.resume,
            device: self.device,
        };
        // It works on this machine's files, so the engine is this machine's, too.
        let kept = "where it had come to its first step, the checkpoint is kept and --resume goes on from it";
        let Event::Trained { bundle_dir, card, .. } =
            job::run(EngineSite::Here, Request::Train(request), kept)?
        else {
            anyhow::bail!("the engine answered a training with something else");
        };
        output::print(&format!(
            "{} trained in {:.0} s: {}\n",
            card.id,
            card.training.seconds,
            bundle_dir.join("card.json").display()
        ))
    }
}
