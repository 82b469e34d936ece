//! What one stage came to, and what it was measured on: the file `result.json` in its folder.

use super::study::{Block, Stage, StudyConfig};
use crate::config::train::PhantomSource;
use crate::dataset::phantom::GENERATOR_VERSION;
use crate::eval::Report;
use crate::eval::ablation::Arm;
use crate::protocol::Refine;
use crate::volume::{Modality, Task};
use serde::{Deserialize, Serialize};

/// What one stage came to. The keys are stable: scripts read them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub task: Task,
    pub source: Modality,
    pub seed: u64,
    pub contrast_flip: Option<u16>,
    pub stage: String,
    pub train_seconds: f64,
    pub measured: Measured,
    /// Scores on phantoms of the unlabelled modality.
    pub target: Vec<CaseScore>,
    /// Where labels in `target` are refined: the scores of the same net on the same phantoms without that.
    pub target_unrefined: Vec<CaseScore>,
    /// Scores on phantoms of the labelled modality; the ceiling of the opposite direction.
    pub source_modality: Vec<CaseScore>,
    /// Of the first arm that translates: how well its translator kept the anatomy.
    pub anatomy: Vec<AnatomyScore>,
    /// Where a fresh critic was trained to measure it: the gap in each structure of the labelled slices.
    pub gaps: Vec<MeanGap>,
}

/// What the scores of an outcome were measured on, list by list; `None` where a stage has no such scores. Scores of other
/// phantoms, or of labels that were come by in another way, are none of the study's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Measured {
    pub generator_version: u32,
    pub target: Option<TestSet>,
    pub target_unrefined: Option<TestSet>,
    pub source_modality: Option<TestSet>,
    /// Phantoms of the labelled modality, and who judges.
    pub anatomy: Option<AnatomySet>,
}

/// Phantoms that a translator is checked on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct AnatomySet {
    pub phantoms: PhantomSource,
    /// The stage whose net segments both ends of the cycle; `None`: the net that every arm starts from.
    pub judge: Option<String>,
}

/// Phantoms that nothing was trained on, and how their labels came about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct TestSet {
    pub phantoms: PhantomSource,
    pub refine: Refine,
}

/// One test phantom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct CaseScore {
    pub seed: u64,
    pub report: Report,
    /// Mean a(p) inside each structure, by the phantom's own labels; `None` where the phantom lacks it.
    pub gap_of_structure: Vec<Option<f64>>,
    /// Mean a(p) in the rest of the body.
    pub gap_elsewhere: f64,
}

/// Mean a(p) in one structure over the last quarter of the critic's steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct MeanGap {
    pub label: u16,
    pub gap: f64,
}

/// What became of a source phantom that was translated, and translated back on the network's grid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct AnatomyScore {
    pub seed: u64,
    pub edge_agreement: f64,
    /// Labels of the back-translation against labels of the phantom's image, both by a net that has seen source images only.
    pub cycle: Report,
}

/// How many phantoms a translator is checked on at most: each takes four runs.
const ANATOMY_CASES: u64 = 2;

impl Measured {
    /// What a stage of a study has to be measured on.
    pub fn of(study: &StudyConfig, block: &Block, stage: Stage) -> Self {
        let (is_arm, is_full) = (matches!(stage, Stage::Arm(_)), stage == Stage::Arm(Arm::Full));
        let phantoms = |modality| study.test_phantoms(block, modality);
        let set = |modality, refine| TestSet { phantoms: phantoms(modality), refine };
        let (source, target) = (block.source, block.source.other());
        let few = |all: PhantomSource| PhantomSource { count: all.count.min(ANATOMY_CASES), ..all };
        let judge = || study.judge_stage().map(|stage| stage.name().to_owned());
        let anatomy = || AnatomySet { phantoms: few(phantoms(source)), judge: judge() };
        Self {
            generator_version: GENERATOR_VERSION,
            target: is_arm.then(|| set(target, if is_full { Refine::On } else { Refine::Off })),
            target_unrefined: is_full.then(|| set(target, Refine::Off)),
            source_modality: (stage == Stage::Arm(Arm::SourceOnly)).then(|| set(source, Refine::Off)),
            anatomy: (study.anatomy_stage() == Some(stage)).then(anatomy),
        }
    }
}
