//! An ablation study on phantoms: which tasks, arms and seeds, and how large; and the training of each arm.
//!
//! Invariants: arms of one seed share everything but what their names say; phantoms that are tested on are never trained
//! on; the supervised ceiling of a direction is the source-only net of the opposite one, on its own modality.

use crate::config::train::{
    CardiacView, ConfigError, CtPhase, DataSource, MrSequence, PhantomSource, SegmentationConfig,
    SelfTrainingConfig, StartFrom, TrainConfig, TranslationConfig,
};
use crate::config::{AssetError, NetworkConfig, Preprocessing, assets_dir};
use crate::eval::ablation::Arm;
use crate::volume::{Modality, Task};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// One study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StudyConfig {
    pub name: String,
    /// Version of the phantom generator that the study was laid out for.
    pub generator_version: u32,
    /// Training seeds.
    pub seeds: Vec<u64>,
    /// Supervised is none of them: it is the source-only net of the opposite direction. Nor is full-unrefined: it is the net
    /// of full.
    pub arms: Vec<Arm>,
    pub phantoms: PhantomSplit,
    pub network: NetworkConfig,
    pub translation: TranslationConfig,
    /// Its counts of real, translated, restyled and target slices are those of the arm `full`.
    pub segmentation: SegmentationConfig,
    pub self_training: SelfTrainingConfig,
    /// Steps of the fresh feature critics that measure the gap before and after the adaptation of the arm *both*; 0: none do.
    #[serde(default)]
    pub gap_steps: u64,
    pub tasks: Vec<TaskSetup>,
}

/// Seeds of the phantoms. CT and MR are unpaired: no seed serves both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PhantomSplit {
    pub train: u64,
    pub test: u64,
    pub first_train_ct: u64,
    pub first_train_mr: u64,
    pub first_test_ct: u64,
    pub first_test_mr: u64,
}

/// One of the two tasks, as the study sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TaskSetup {
    pub task: Task,
    /// Labelled modalities: one direction each.
    pub sources: Vec<Modality>,
    pub spacing_mm: [f64; 3],
    pub view: Option<CardiacView>,
    pub rotation_deg: Option<f32>,
    /// Labels whose contrast alone flips, one sub-study each; empty for the modalities' natural contrasts.
    #[serde(default)]
    pub contrast_flips: Vec<u16>,
    /// How all phantoms of a modality were scanned, as in a dataset of one protocol; left out, each by its seed.
    pub ct_phase: Option<CtPhase>,
    pub mr_sequence: Option<MrSequence>,
    pub preprocessing: Preprocessing,
    /// What this task's nets are taught with, in place of the study's own table; all arms alike, as ever.
    pub segmentation: Option<SegmentationConfig>,
    pub self_training: Option<SelfTrainingConfig>,
}

/// One training of a study.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Stage {
    /// The style transfer, shared by the arms that translate.
    Translator,
    /// The net that every arm starts from: source images only.
    Warm,
    Arm(Arm),
    /// A fresh feature critic on the net that every arm starts from, which is held: the gap before.
    GapBefore,
    /// The same on the net of the arm *both*.
    GapAfter,
}

impl Stage {
    /// The name of its folder.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Translator => "translator",
            Stage::Warm => "warm",
            Stage::Arm(arm) => arm.name(),
            Stage::GapBefore => "gap-before",
            Stage::GapAfter => "gap-after",
        }
    }

    /// The stages whose nets its training goes on from.
    pub fn needs(self) -> &'static [Stage] {
        match self {
            Stage::Warm | Stage::Translator => &[],
            Stage::Arm(arm) if translates(arm) => &[Stage::Translator, Stage::Warm],
            Stage::Arm(_) => &[Stage::Warm],
            Stage::GapBefore => &[Stage::Translator, Stage::Warm],
            Stage::GapAfter => &[Stage::Translator, Stage::Arm(Arm::Both)],
        }
    }
}

/// One direction of one task with one seed: the unit within which arms are paired.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Block<'a> {
    pub setup: &'a TaskSetup,
    pub source: Modality,
    pub seed: u64,
    pub contrast_flip: Option<u16>,
}

impl Block<'_> {
    /// "abdomen-ct-to-mr", "abdomen-ct-to-mr-flip-1".
    pub fn direction(&self) -> String {
        let (from, to) = (self.source.name().to_lowercase(), self.source.other().name().to_lowercase());
        let flip = self.contrast_flip.map_or_else(String::new, |label| format!("-flip-{label}"));
        format!("{}-{from}-to-{to}{flip}", self.setup.task.name())
    }

    /// Its folder below a study's.
    pub fn folder(&self) -> PathBuf {
        Path::new(&self.direction()).join(format!("seed-{}", self.seed))
    }
}

impl StudyConfig {
    /// Parses and checks a study.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let study: Self = toml::from_str(text)?;
        study.check()?;
        Ok(study)
    }

    /// Every direction and seed.
    pub fn blocks(&self) -> Vec<Block<'_>> {
        let mut blocks = Vec::new();
        for setup in &self.tasks {
            let flips: Vec<Option<u16>> = match setup.contrast_flips.as_slice() {
                [] => vec![None],
                labels => labels.iter().copied().map(Some).collect(),
            };
            for contrast_flip in flips {
                for &source in &setup.sources {
                    let block = |&seed| Block { setup, source, seed, contrast_flip };
                    blocks.extend(self.seeds.iter().map(block));
                }
            }
        }
        blocks
    }

    /// The trainings of a block, in an order in which each finds what it needs.
    pub fn stages(&self) -> Vec<Stage> {
        let mut stages = vec![Stage::Warm];
        if self.arms.iter().any(|arm| translates(*arm)) {
            stages.push(Stage::Translator);
        }
        stages.extend(self.arms.iter().copied().map(Stage::Arm));
        if self.gap_steps > 0 {
            stages.extend([Stage::GapBefore, Stage::GapAfter]);
        }
        stages
    }

    /// The stage whose bundle the style transfer is checked with: the first arm that translates. It holds the translator and, as
    /// its source-only net, the one that every arm starts from; in the translator's own bundle that net was never trained.
    pub fn anatomy_stage(&self) -> Option<Stage> {
        self.arms.iter().copied().find(|arm| translates(*arm)).map(Stage::Arm)
    }

    /// The stage whose net judges what became of the anatomy: the arm that went on with source images, taught as long as the
    /// others. `None` without that arm: the net that every arm starts from then judges, after no more than its warm-up.
    pub fn judge_stage(&self) -> Option<Stage> {
        self.arms.contains(&Arm::SourceOnly).then_some(Stage::Arm(Arm::SourceOnly))
    }

    /// What has to be finished before a stage: what its training goes on from, and the judge of its translations.
    pub fn waits_for(&self, stage: Stage) -> impl Iterator<Item = Stage> {
        let judge = self.judge_stage().filter(|_| self.anatomy_stage() == Some(stage));
        stage.needs().iter().copied().chain(judge)
    }

    /// The configuration of one training.
    pub fn training(&self, block: &Block, stage: Stage) -> TrainConfig {
        let trained_on =
            |modality| DataSource::Phantoms(self.phantoms_of(block, modality, self.phantoms.train, true));
        let mut config = TrainConfig {
            id: format!("{}-{}", block.direction(), stage.name()),
            version: "study".to_owned(),
            task: block.setup.task,
            source: block.source,
            target: block.source.other(),
            seed: block.seed,
            checkpoint_every: 100,
            limits: vec!["Trained within a study on phantoms; not for scans.".to_owned()],
            start_from: StartFrom::default(),
            network: self.network.clone(),
            preprocessing: block.setup.preprocessing.clone(),
            translation: self.translation.clone(),
            segmentation: SegmentationConfig {
                rotation_deg: block.setup.rotation_deg,
                ..block.setup.segmentation.as_ref().unwrap_or(&self.segmentation).clone()
            },
            self_training: block.setup.self_training.as_ref().unwrap_or(&self.self_training).clone(),
            source_data: vec![trained_on(block.source)],
            target_data: vec![trained_on(block.source.other())],
        };
        match stage {
            // What a stage does not run is the same in every study, so that another setting of it asks for no new training.
            Stage::Translator => {
                config.segmentation = idle_segmentation(config.segmentation);
                config.segmentation.warm_steps = 0;
                config.self_training.rounds = 0;
            }
            Stage::Warm => {
                config.segmentation = idle_segmentation(config.segmentation);
                config.translation.steps = 0;
                config.self_training.rounds = 0;
            }
            Stage::Arm(arm) => {
                (config.translation.steps, config.segmentation.warm_steps) = (0, 0);
                config.start_from.segmenter = Some(sibling(Stage::Warm));
                config.start_from.generator = translates(arm).then(|| sibling(Stage::Translator));
                restrict(&mut config, arm);
            }
            Stage::GapBefore | Stage::GapAfter => {
                let net = if stage == Stage::GapBefore { Stage::Warm } else { Stage::Arm(Arm::Both) };
                (config.translation.steps, config.segmentation.warm_steps) = (0, 0);
                config.start_from.segmenter = Some(sibling(net));
                config.start_from.generator = Some(sibling(Stage::Translator));
                restrict(&mut config, Arm::Both);
                (config.segmentation.steps, config.segmentation.critic_steps) = (0, self.gap_steps);
            }
        }
        config
    }

    /// Phantoms of a block that nothing was trained on.
    pub fn test_phantoms(&self, block: &Block, modality: Modality) -> PhantomSource {
        self.phantoms_of(block, modality, self.phantoms.test, false)
    }

    fn phantoms_of(&self, block: &Block, modality: Modality, count: u64, train: bool) -> PhantomSource {
        let split = &self.phantoms;
        let first_seed = match (modality, train) {
            (Modality::Ct, true) => split.first_train_ct,
            (Modality::Mr, true) => split.first_train_mr,
            (Modality::Ct, false) => split.first_test_ct,
            (Modality::Mr, false) => split.first_test_mr,
        };
        PhantomSource {
            body: None,
            count,
            first_seed,
            view: block.setup.view,
            spacing_mm: Some(block.setup.spacing_mm),
            whole: true,
            varied_posture: false,
            contrast_flip: block.contrast_flip,
            ct_phase: block.setup.ct_phase,
            mr_sequence: block.setup.mr_sequence,
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let split = &self.phantoms;
        let ranges = [
            (split.first_train_ct, split.train),
            (split.first_train_mr, split.train),
            (split.first_test_ct, split.test),
            (split.first_test_mr, split.test),
        ];
        let overlap = ranges.iter().enumerate().any(|(n, (first, count))| {
            ranges[..n].iter().any(|(other, length)| *first < other + length && *other < first + count)
        });
        let wrong = |field: &str, expected: &str, got: String| {
            Err(ConfigError::Value { field: field.to_owned(), expected: expected.to_owned(), got })
        };
        if overlap {
            return wrong("phantoms", "four ranges of seeds that share none", format!("{ranges:?}"));
        }
        let from_elsewhere = [
            (
                Arm::Supervised,
                "no supervised: it is the source-only net of the opposite direction, which both sources give",
            ),
            (Arm::FullUnrefined, "no full-unrefined: it is the net of full, which full gives"),
        ];
        if let Some((arm, expected)) = from_elsewhere.iter().find(|(arm, _)| self.arms.contains(arm)) {
            return wrong("arms", expected, arm.name().to_owned());
        }
        if self.gap_steps > 0 && !self.arms.contains(&Arm::Both) {
            return wrong(
                "gap_steps",
                "0 without the arm both, whose gap it measures",
                self.gap_steps.to_string(),
            );
        }
        if self.seeds.is_empty() || self.arms.is_empty() || self.tasks.is_empty() || split.test == 0 {
            return wrong("seeds, arms, tasks, phantoms.test", "at least one each", "none".to_owned());
        }
        for block in self.blocks() {
            for stage in self.stages() {
                self.training(&block, stage).check()?;
            }
        }
        Ok(())
    }
}

/// Whether an arm learns from translated images.
fn translates(arm: Arm) -> bool {
    matches!(arm, Arm::Global | Arm::Both | Arm::Full)
}

/// Takes out of a full training what an arm may not use.
fn restrict(config: &mut TrainConfig, arm: Arm) {
    let s = &mut config.segmentation;
    let labelled = s.batch;
    match arm {
        // The supervised ceiling and the net of *full* are no further trainings, and `check` refuses them.
        Arm::Full | Arm::FullUnrefined | Arm::Supervised => return,
        Arm::SourceOnly => (s.real, s.translated, s.target_batch) = (labelled, 0, 0),
        Arm::Global => (s.real, s.translated, s.target_batch) = (labelled / 2, labelled - labelled / 2, 0),
        Arm::Local => (s.real, s.translated) = (labelled, 0),
        Arm::Both => (s.real, s.translated) = (labelled / 2, labelled - labelled / 2),
    }
    if s.target_batch == 0 {
        s.critic_steps = 0;
    }
    (s.restyled, s.sketched) = (0, 0);
    config.self_training.rounds = 0;
}

/// Only the warm-up.
fn idle_segmentation(settings: SegmentationConfig) -> SegmentationConfig {
    SegmentationConfig {
        steps: 0,
        batch: 1,
        real: 1,
        translated: 0,
        restyled: 0,
        sketched: 0,
        target_batch: 0,
        learning_rate: 0.0,
        critic_learning_rate: 0.0,
        critic_steps: 0,
        lambda_alignment: 0.0,
        gap_repaint: 0.0,
        ..settings
    }
}

fn sibling(stage: Stage) -> PathBuf {
    Path::new("..").join(stage.name())
}

/// The committed study of that name, if there is one.
pub(super) fn study_path(name: &str) -> Result<PathBuf, AssetError> {
    Ok(assets_dir()?.join("studies").join(Path::new(name).with_extension("toml")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::dataset::phantom::GENERATOR_VERSION;

    fn committed() -> Vec<StudyConfig> {
        let folder = assets_dir().unwrap().join("studies");
        let parse = |entry: std::io::Result<std::fs::DirEntry>| {
            let path = entry.unwrap().path();
            let study = StudyConfig::parse(&std::fs::read_to_string(&path).unwrap());
            study.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        std::fs::read_dir(folder).unwrap().map(parse).collect()
    }

    #[test]
    fn every_committed_study_is_laid_out_for_the_phantoms_that_ship() {
        for study in committed() {
            assert_eq!(study.generator_version, GENERATOR_VERSION, "{}", study.name);
        }
    }

    #[test]
    fn an_arm_uses_nothing_that_its_name_does_not_say() {
        for study in committed() {
            for block in study.blocks() {
                let of = |arm| study.training(&block, Stage::Arm(arm));
                let source_only = of(Arm::SourceOnly);
                assert_eq!(source_only.segmentation.real, source_only.segmentation.batch);
                assert_eq!(source_only.segmentation.target_batch, 0);
                assert_eq!(of(Arm::Global).segmentation.target_batch, 0);
                assert_eq!(of(Arm::Local).segmentation.translated, 0);
                assert_eq!(of(Arm::Local).start_from.generator, None);
                assert!(of(Arm::Both).segmentation.translated > 0);
                assert!(of(Arm::Both).segmentation.target_batch > 0);
                assert_eq!(of(Arm::Both).self_training.rounds, 0);
            }
        }
    }

    #[test]
    fn a_stage_waits_for_every_net_that_it_goes_on_from() {
        for study in committed() {
            for block in study.blocks() {
                for stage in study.stages() {
                    let start = study.training(&block, stage).start_from;
                    let from: Vec<PathBuf> =
                        [start.generator, start.segmenter].into_iter().flatten().collect();
                    let needs: Vec<PathBuf> = stage.needs().iter().copied().map(sibling).collect();
                    assert_eq!(from, needs, "{}, {stage:?}", study.name);
                }
            }
        }
    }

    #[test]
    fn the_style_transfer_is_checked_with_a_bundle_that_holds_it_and_a_trained_net() {
        for study in committed() {
            let stage = study.anatomy_stage().unwrap();
            assert_eq!(stage.needs(), [Stage::Translator, Stage::Warm], "{}", study.name);
            let judge = study.judge_stage();
            assert_eq!(judge.is_some(), study.arms.contains(&Arm::SourceOnly), "{}", study.name);
            let awaited: Vec<Stage> = study.waits_for(stage).collect();
            assert!(judge.is_none_or(|judge| judge != stage && awaited.contains(&judge)), "{}", study.name);
        }
    }

    #[test]
    fn settings_of_one_task_reach_its_trainings_and_no_other_tasks() {
        let text = std::fs::read_to_string(study_path("benchmark").unwrap()).unwrap();
        let mut study = StudyConfig::parse(&text).unwrap();
        let rates = |study: &StudyConfig, task: Task| {
            let block = study.blocks().into_iter().find(|block| block.setup.task == task).unwrap();
            let config = study.training(&block, Stage::Arm(Arm::Full));
            (config.segmentation.learning_rate, config.self_training.learning_rate)
        };
        let abdomens = rates(&study, Task::Abdomen);
        let hearts = study.tasks.iter_mut().find(|setup| setup.task == Task::Cardiac).unwrap();
        hearts.segmentation = Some(SegmentationConfig { learning_rate: 0.25, ..study.segmentation.clone() });
        hearts.self_training = Some(SelfTrainingConfig { learning_rate: 0.5, ..study.self_training.clone() });
        let study = StudyConfig::parse(&toml::to_string(&study).unwrap()).unwrap();
        assert_eq!(rates(&study, Task::Cardiac), (0.25, 0.5));
        assert_eq!(rates(&study, Task::Abdomen), abdomens);
    }

    #[test]
    fn an_arm_that_is_no_training_of_its_own_is_refused_with_what_gives_it() {
        for (arm, giver) in [(Arm::Supervised, "source-only"), (Arm::FullUnrefined, "the net of full")] {
            let mut study = committed().remove(0);
            study.arms.push(arm);
            let error = StudyConfig::parse(&toml::to_string(&study).unwrap()).unwrap_err().to_string();
            assert!(error.contains(arm.name()) && error.contains(giver), "{error}");
        }
    }

    #[test]
    fn a_study_that_tests_on_what_it_trained_on_is_refused() {
        let mut study = committed().remove(0);
        study.phantoms.first_test_ct = study.phantoms.first_train_mr;
        let text = toml::to_string(&study).unwrap();
        assert!(StudyConfig::parse(&text).unwrap_err().to_string().contains("phantoms"));
    }
}
