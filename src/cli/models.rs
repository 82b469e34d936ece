//! `mindgap models`: the bundled models and what their cards say.

use super::output;
use crate::config::{Card, Origin, TrainingRecord, bundled_models};
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
    training: Training,
    scores: Vec<crate::config::Score>,
    limits: Vec<String>,
}

/// How the weights came about; the configuration itself is in the card.
#[derive(Debug, Serialize)]
struct Training {
    data: Vec<String>,
    seed: u64,
    steps: Vec<(String, u64)>,
    seconds: f64,
    machine: String,
    git_revision: String,
    half_precision_dice: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    started_from: Vec<Before>,
}

/// A bundle that the training went on from.
#[derive(Debug, Serialize)]
struct Before {
    id: String,
    sha256: String,
    networks: Vec<String>,
    training: Training,
}

impl From<Origin> for Before {
    fn from(origin: Origin) -> Self {
        Self {
            id: origin.id,
            sha256: origin.weights_sha256,
            networks: origin.networks,
            training: origin.training.into(),
        }
    }
}

impl From<TrainingRecord> for Training {
    fn from(record: TrainingRecord) -> Self {
        Self {
            data: record.data,
            seed: record.seed,
            steps: record.steps,
            seconds: record.seconds,
            machine: record.machine,
            git_revision: record.git_revision,
            half_precision_dice: record.half_precision_dice,
            started_from: record.started_from.into_iter().map(Before::from).collect(),
        }
    }
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
            training: card.training.into(),
            scores: card.scores,
            limits: card.limits,
        }
    }
}

impl Training {
    fn to_text(&self) -> String {
        let steps: Vec<String> = self.steps.iter().map(|(phase, steps)| format!("{phase} {steps}")).collect();
        let mut text = format!(
            "    trained in {:.0} min ({}), seed {}, steps: {}\n",
            self.seconds / 60.0,
            self.machine,
            self.seed,
            steps.join(", ")
        );
        for data in &self.data {
            text.push_str(&format!("    data: {data}\n"));
        }
        if let Some(dice) = self.half_precision_dice {
            text.push_str(&format!(
                "    {dice:.4}  Dice of labels by stored against labels by trained weights\n"
            ));
        }
        for Before { id, sha256, networks, training } in &self.started_from {
            text.push_str(&format!("    went on from {id}, sha256 {sha256}: {}\n", networks.join(", ")));
            text.push_str(&training.to_text());
        }
        text
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
            text.push_str(&format!("    sha256 {}\n", model.sha256));
            text.push_str(&model.training.to_text());
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
