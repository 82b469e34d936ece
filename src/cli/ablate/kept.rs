//! What lies in a stage's folder from an earlier run, and whether it is of this study: a net that was trained otherwise, or
//! from another net, and scores of other phantoms are never taken for the study's own.

use super::outcome::{Measured, Outcome};
use crate::config::Card;
use crate::dataset::phantom::GENERATOR_VERSION;
use crate::volume::io;
use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

pub(super) const CARD: &str = "card.json";
pub(super) const CHECKPOINT: &str = "checkpoint.safetensors";
pub(super) const RESULT: &str = "result.json";
pub(super) const WEIGHTS: &str = "weights.safetensors";
/// Beside a checkpoint: what its training was started with.
const START: &str = "start.json";

/// A finished bundle that a training goes on from.
#[derive(Debug, Clone)]
pub(super) struct Sibling {
    /// The name of its stage.
    pub name: &'static str,
    pub folder: PathBuf,
    pub card: Card,
}

/// What a training is started with. Where any of it changes, what was trained is of another study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Start {
    /// The configuration, verbatim.
    pub config: String,
    generator_version: u32,
    /// The bundles that it goes on from: their ids, and the hashes of their weights.
    started_from: BTreeMap<String, String>,
}

impl Start {
    /// That of a training to come.
    pub fn new(config: String, siblings: &[Sibling]) -> Self {
        let hash = |sibling: &Sibling| (sibling.card.id.clone(), sibling.card.weights_sha256.clone());
        Self {
            config,
            generator_version: GENERATOR_VERSION,
            started_from: siblings.iter().map(hash).collect(),
        }
    }

    /// That of a finished training, by its card.
    pub fn of_card(card: &Card) -> Self {
        let training = &card.training;
        let other = |version: &u32| *version != GENERATOR_VERSION;
        let version = training.data.iter().filter_map(|data| generator_in(data)).find(other);
        let origins = training.started_from.iter();
        Self {
            config: training.config.clone(),
            generator_version: version.unwrap_or(GENERATOR_VERSION),
            started_from: origins.map(|from| (from.id.clone(), from.weights_sha256.clone())).collect(),
        }
    }

    /// That of the training whose checkpoint lies in a folder; `None` where it was not kept.
    pub fn of_checkpoint(folder: &Path) -> anyhow::Result<Option<Self>> {
        let path = folder.join(START);
        let Some(text) = read(&path)? else { return Ok(None) };
        let damaged = || format!("{}: damaged; remove its folder to have it trained again", path.display());
        serde_json::from_slice(&text).map(Some).with_context(damaged)
    }

    /// Keeps it in a folder, which is made if need be, for the checkpoints that will lie beside it.
    pub fn keep(&self, folder: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        io::write_file(&folder.join(START), &serde_json::to_vec_pretty(self)?)?;
        Ok(())
    }

    /// Takes it from a folder whose training is finished: the card says the same.
    pub fn forget(folder: &Path) {
        std::fs::remove_file(folder.join(START)).ok();
    }

    /// Refuses what lies in `folder` and was started otherwise than the study asks for.
    pub fn require(&self, wanted: &Self, siblings: &[Sibling], folder: &Path) -> anyhow::Result<()> {
        let folder = folder.display();
        ensure!(
            self.config == wanted.config,
            "{folder}: trained for another study; choose another output folder, or remove this one"
        );
        ensure!(
            self.generator_version == wanted.generator_version,
            "{folder}: expected training phantoms of generator {}, got those of generator {}; remove {folder} to have it \
             trained again",
            wanted.generator_version,
            self.generator_version
        );
        for Sibling { name, folder: from, card } in siblings {
            let got = self.started_from.get(&card.id);
            ensure!(
                got == Some(&card.weights_sha256),
                "{folder}: trained from another {name} net than the one in {} (expected weights_sha256 {}, got {}); remove \
                 {folder} to have it trained again",
                from.display(),
                card.weights_sha256,
                got.map_or("none", String::as_str)
            );
        }
        Ok(())
    }
}

/// The phantom generator that an entry of a card's data names: "40 phantom CT volumes, generator 2, seeds 10000-10039".
fn generator_in(data: &str) -> Option<u32> {
    let (_, rest) = data.split_once("generator ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The card of the bundle in a folder, if there is one. Its weights are not asked for: who keeps a study for its figures
/// need not keep those.
pub(super) fn card_in(folder: &Path) -> anyhow::Result<Option<Card>> {
    let path = folder.join(CARD);
    let Some(text) = read(&path)? else { return Ok(None) };
    let damaged =
        || format!("{}: not a model card; remove its folder to have it trained again", path.display());
    serde_json::from_slice(&text).map(Some).with_context(damaged)
}

/// What a stage came to earlier, if that was measured as the study asks for.
pub(super) fn finished(folder: &Path, measured: &Measured) -> anyhow::Result<Option<Outcome>> {
    let path = folder.join(RESULT);
    let Some(text) = read(&path)? else { return Ok(None) };
    let damaged =
        || format!("{}: not a result of this program; remove it to have it measured again", path.display());
    let kept: serde_json::Value = serde_json::from_slice(&text).with_context(damaged)?;
    // Both have been text, in which a number may lose its last bit.
    let wanted: serde_json::Value = serde_json::from_slice(&serde_json::to_vec(measured)?)?;
    if kept.get("measured") != Some(&wanted) {
        tracing::warn!(
            "{}: measured otherwise than the study asks for, or it does not say how; the net that lies there is measured \
             again",
            path.display()
        );
        return Ok(None);
    }
    Ok(Some(serde_json::from_value(kept).with_context(damaged)?))
}

/// Refuses to train from bundles of which only the figures were kept.
pub(super) fn require_weights(siblings: &[Sibling]) -> anyhow::Result<()> {
    for Sibling { name, folder, .. } in siblings {
        ensure!(
            folder.join(WEIGHTS).is_file(),
            "{}: {WEIGHTS} is gone, and another stage has to be trained from this {name} net; put it back, or remove the \
             folder to have it trained again",
            folder.display()
        );
    }
    Ok(())
}

/// The bytes of a file, if there is one.
fn read(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{}: cannot be read", path.display())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::study::{Stage, StudyConfig, study_path};
    use super::*;
    use crate::config::{Origin, TrainingRecord};
    use crate::eval::ablation::Arm;

    fn study() -> StudyConfig {
        StudyConfig::parse(&std::fs::read_to_string(study_path("quick").unwrap()).unwrap()).unwrap()
    }

    /// The card of a stage of the study's first block, which went on from `siblings`.
    fn card(study: &StudyConfig, stage: Stage, hash: &str, siblings: &[Sibling]) -> Card {
        let config = study.training(&study.blocks()[0], stage);
        let origin = |Sibling { card, .. }: &Sibling| Origin {
            id: card.id.clone(),
            weights_sha256: card.weights_sha256.clone(),
            networks: Vec::new(),
            training: TrainingRecord::default(),
        };
        let training = TrainingRecord {
            data: vec![format!("8 phantom MR volumes, generator {GENERATOR_VERSION}, seeds 1-8 (source)")],
            config: toml::to_string(&config).unwrap(),
            started_from: siblings.iter().map(origin).collect(),
            ..TrainingRecord::default()
        };
        Card {
            id: config.id,
            version: config.version,
            task: config.task,
            source: config.source,
            target: config.target,
            weights_sha256: hash.to_owned(),
            weights_bytes: 0,
            network: config.network,
            preprocessing: config.preprocessing,
            training,
            scores: Vec::new(),
            limits: Vec::new(),
        }
    }

    fn warm(study: &StudyConfig, hash: &str) -> Sibling {
        Sibling {
            name: "warm",
            folder: PathBuf::from("study/warm"),
            card: card(study, Stage::Warm, hash, &[]),
        }
    }

    #[test]
    fn a_study_with_other_test_phantoms_does_not_tell_the_scores_on_the_old_ones() {
        let mut study = study();
        // No number that ends within the digits of a file.
        study.tasks[0].spacing_mm = [4.1 / 3.0; 3];
        let stage = Stage::Arm(Arm::Full);
        let measured = |study: &StudyConfig| Measured::of(study, &study.blocks()[0], stage);
        let outcome = Outcome {
            task: study.tasks[0].task,
            source: study.tasks[0].sources[0],
            seed: 1,
            contrast_flip: None,
            stage: stage.name().to_owned(),
            train_seconds: 1.0,
            measured: measured(&study),
            target: Vec::new(),
            target_unrefined: Vec::new(),
            source_modality: Vec::new(),
            anatomy: Vec::new(),
            gaps: Vec::new(),
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(RESULT);
        assert_eq!(finished(folder.path(), &measured(&study)).unwrap(), None);
        let mut value = serde_json::to_value(&outcome).unwrap();
        std::fs::write(&path, serde_json::to_vec_pretty(&value).unwrap()).unwrap();
        // There are no weights here, and none are needed.
        assert!(finished(folder.path(), &measured(&study)).unwrap().is_some());
        study.phantoms.test += 1;
        assert_eq!(finished(folder.path(), &measured(&study)).unwrap(), None);
        study.phantoms.test -= 1;
        study.phantoms.first_test_ct += 1;
        assert_eq!(finished(folder.path(), &measured(&study)).unwrap(), None);
        study.phantoms.first_test_ct -= 1;
        // As a program left it that did not say what it had measured on.
        value.as_object_mut().unwrap().remove("measured");
        std::fs::write(&path, serde_json::to_vec_pretty(&value).unwrap()).unwrap();
        assert_eq!(finished(folder.path(), &measured(&study)).unwrap(), None);
    }

    #[test]
    fn an_arm_that_went_on_from_another_warm_net_is_refused_with_the_folder_to_remove() {
        let study = study();
        let stage = Stage::Arm(Arm::Local);
        let (then, now) = (warm(&study, "aaaa"), warm(&study, "bbbb"));
        let local = card(&study, stage, "cccc", std::slice::from_ref(&then));
        let wanted = |siblings: &[Sibling]| Start::new(local.training.config.clone(), siblings);
        let require = |sibling: &Sibling| {
            let siblings = std::slice::from_ref(sibling);
            Start::of_card(&local).require(&wanted(siblings), siblings, Path::new("study/local"))
        };
        require(&then).unwrap();
        let error = require(&now).unwrap_err().to_string();
        assert!(error.contains("another warm net than the one in study/warm"), "{error}");
        assert!(error.contains("expected weights_sha256 bbbb, got aaaa); remove study/local"), "{error}");
    }

    #[test]
    fn a_net_that_was_trained_on_phantoms_of_another_generator_is_refused() {
        let study = study();
        let mut card = card(&study, Stage::Warm, "aaaa", &[]);
        let wanted = Start::new(card.training.config.clone(), &[]);
        let require = |card: &Card| Start::of_card(card).require(&wanted, &[], Path::new("study/warm"));
        require(&card).unwrap();
        card.training.data.push("8 phantom CT volumes, generator 1, seeds 10-17 (target)".to_owned());
        let error = require(&card).unwrap_err().to_string();
        assert!(error.contains("got those of generator 1; remove study/warm"), "{error}");
    }

    #[test]
    fn a_checkpoint_of_another_study_is_refused_without_an_option_that_there_is_not() {
        let study = study();
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Start::of_checkpoint(folder.path()).unwrap(), None);
        let siblings = [warm(&study, "aaaa")];
        let begun = Start::new("steps = 1".to_owned(), &siblings);
        begun.keep(folder.path()).unwrap();
        let found = Start::of_checkpoint(folder.path()).unwrap().unwrap();
        found.require(&begun, &siblings, folder.path()).unwrap();
        let other = Start::new("steps = 2".to_owned(), &siblings);
        let error = found.require(&other, &siblings, folder.path()).unwrap_err().to_string();
        assert!(error.contains("trained for another study") && !error.contains("--resume"), "{error}");
        let other = [warm(&study, "bbbb")];
        assert!(found.require(&Start::new("steps = 1".to_owned(), &other), &other, folder.path()).is_err());
        Start::forget(folder.path());
        assert_eq!(Start::of_checkpoint(folder.path()).unwrap(), None);
    }
}
