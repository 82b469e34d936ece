//! `mindgap models`: the bundled models and what their cards say.

use super::output;
use crate::config::{Card, bundled_models};
use clap::Args;
use serde::Serialize;

/// List the bundled models.
#[derive(Debug, Args)]
pub(super) struct Models {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Listing {
    models: Vec<Listed>,
}

/// The keys are stable: scripts read them.
#[derive(Debug, Serialize)]
struct Listed {
    id: String,
    version: String,
    task: crate::volume::Task,
    source: crate::volume::Modality,
    target: crate::volume::Modality,
    sha256: String,
    bytes: u64,
    structures: Vec<String>,
    scores: Vec<crate::config::Score>,
    limits: Vec<String>,
}

impl From<Card> for Listed {
    fn from(card: Card) -> Self {
        Self {
            structures: card.task.table().entries.iter().map(|entry| entry.name.clone()).collect(),
            id: card.id,
            version: card.version,
            task: card.task,
            source: card.source,
            target: card.target,
            sha256: card.weights_sha256,
            bytes: card.weights_bytes,
            scores: card.scores,
            limits: card.limits,
        }
    }
}

impl Models {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let models: Vec<Listed> = bundled_models()?.into_iter().map(Listed::from).collect();
        if self.json {
            return output::print_json(&Listing { models });
        }
        let mut text = String::new();
        for model in &models {
            text.push_str(&format!(
                "{:<20} {} -> {}  {:.1} MB  {}\n",
                model.id,
                model.source.name(),
                model.target.name(),
                model.bytes as f64 / 1e6,
                model.structures.join(", ")
            ));
            for score in &model.scores {
                text.push_str(&format!("    {:.3}  {}\n", score.value, score.what));
            }
            for limit in &model.limits {
                text.push_str(&format!("    limit: {limit}\n"));
            }
        }
        output::print(text.trim_end())
    }
}
