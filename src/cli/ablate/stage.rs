//! One stage of a block: its training, and what it scores on phantoms that nothing was trained on.

use super::study::{Block, Stage, StudyConfig};
use crate::config::train::TrainConfig;
use crate::config::{Bundle, Card, load_bundle_in};
use crate::dataset::phantom::{self, Phantom, PhantomSpec};
use crate::eval::ablation::Arm;
use crate::eval::{self, Report};
use crate::protocol::{
    DeviceChoice, Event, Refine, Request, SegmentRequest, SegmentSettings, TrainRequest, TranslateRequest,
    WireScan,
};
use crate::session::{self, Engine, EngineError};
use crate::volume::{LabelMap, Modality, Scan, Task, Volume, io};
use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// What one stage came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub task: Task,
    pub source: Modality,
    pub seed: u64,
    pub contrast_flip: Option<u16>,
    pub stage: String,
    pub train_seconds: f64,
    /// Scores on phantoms of the unlabelled modality.
    pub target: Vec<CaseScore>,
    /// Scores on phantoms of the labelled modality; the ceiling of the opposite direction.
    pub source_modality: Vec<CaseScore>,
    /// For a translator: how well it kept the anatomy.
    pub anatomy: Vec<AnatomyScore>,
    /// Where a fresh critic was trained to measure it: the gap in each structure of the labelled slices.
    pub gaps: Vec<MeanGap>,
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

/// What became of a source phantom that was translated, and translated back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct AnatomyScore {
    pub seed: u64,
    pub edge_agreement: f64,
    /// Labels of the back-translation against labels of the phantom's image, both by the source-only net.
    pub cycle: Report,
}

/// Runs stages on one engine.
pub(super) struct Runner<'a> {
    pub engine: Engine,
    pub study: &'a StudyConfig,
    pub folder: &'a Path,
    pub device: DeviceChoice,
    pub cancel: &'a AtomicBool,
}

/// How many phantoms the translator is checked on: each takes three runs.
const ANATOMY_CASES: usize = 2;

impl Runner<'_> {
    /// Trains and tests, as far as that was not done before.
    pub fn run(
        &mut self,
        block: &Block,
        stage: Stage,
        observe: &mut dyn FnMut(&Event),
    ) -> anyhow::Result<Outcome> {
        let folder = self.stage_folder(block, stage);
        let config = self.study.training(block, stage);
        let text = toml::to_string(&config)?;
        if let Some(outcome) = finished(&folder, &text)? {
            return Ok(outcome);
        }
        let bundle = self.train(text, &folder, observe)?;
        let mut outcome = Outcome {
            task: config.task,
            source: block.source,
            seed: block.seed,
            contrast_flip: block.contrast_flip,
            stage: stage.name().to_owned(),
            train_seconds: bundle.card.training.seconds,
            target: Vec::new(),
            source_modality: Vec::new(),
            anatomy: Vec::new(),
            gaps: Vec::new(),
        };
        match stage {
            Stage::Arm(arm) => {
                let refine = if arm == Arm::Full { Refine::On } else { Refine::Off };
                outcome.target = self.score(block, block.source.other(), &bundle, refine)?;
                if arm == Arm::SourceOnly {
                    outcome.source_modality = self.score(block, block.source, &bundle, Refine::Off)?;
                }
            }
            Stage::Translator => outcome.anatomy = self.check_anatomy(block, &bundle)?,
            Stage::Warm => {}
            Stage::GapBefore | Stage::GapAfter => outcome.gaps = gaps(&folder.join("log.csv"), &config)?,
        }
        io::write_file(&folder.join(RESULT), &serde_json::to_vec_pretty(&outcome)?)?;
        Ok(outcome)
    }

    fn stage_folder(&self, block: &Block, stage: Stage) -> PathBuf {
        self.folder.join(block.folder()).join(stage.name())
    }

    /// The bundle of a configuration, trained unless it is there.
    fn train(
        &mut self,
        text: String,
        folder: &Path,
        observe: &mut dyn FnMut(&Event),
    ) -> anyhow::Result<Bundle> {
        if folder.join(CARD).is_file() {
            let bundle = load_bundle_in(folder)?;
            require_same(&bundle.card, &text, folder)?;
            return Ok(bundle);
        }
        let request = Request::Train(TrainRequest {
            config: text,
            base_dir: self.folder.to_owned(),
            out_dir: folder.to_owned(),
            resume: folder.join("checkpoint.safetensors").is_file(),
            device: self.device,
        });
        session::run_job(&mut self.engine, request, self.cancel, observe)?;
        Ok(load_bundle_in(folder)?)
    }

    /// Segments the test phantoms of a modality.
    fn score(
        &mut self,
        block: &Block,
        modality: Modality,
        bundle: &Bundle,
        refine: Refine,
    ) -> anyhow::Result<Vec<CaseScore>> {
        let table = block.setup.task.table();
        let mut scores = Vec::new();
        for phantom in test_phantoms(self.study, block, modality)? {
            let (labels, gap) = self.segment(&phantom.scan, modality, bundle, refine)?;
            let inside = |label: u16| mean_where(&gap, &phantom.labels, |found| found == label);
            scores.push(CaseScore {
                seed: phantom.spec.seed,
                report: eval::evaluate(&labels, &phantom.labels, table)?,
                gap_of_structure: table.entries.iter().map(|entry| inside(entry.value)).collect(),
                gap_elsewhere: mean_in_body(&gap, &phantom).unwrap_or(0.0),
            });
        }
        Ok(scores)
    }

    fn check_anatomy(&mut self, block: &Block, translator: &Bundle) -> anyhow::Result<Vec<AnatomyScore>> {
        let net = load_bundle_in(&self.stage_folder(block, Stage::Warm))?;
        let table = block.setup.task.table();
        let mut scores = Vec::new();
        for phantom in test_phantoms(self.study, block, block.source)?.into_iter().take(ANATOMY_CASES) {
            let (there, edge_agreement) = self.translate(&phantom.scan, block.source, translator)?;
            let (back, _) = self.translate(&there, block.source.other(), translator)?;
            let (before, _) = self.segment(&phantom.scan, block.source, &net, Refine::Off)?;
            let (after, _) = self.segment(&back, block.source, &net, Refine::Off)?;
            let cycle = eval::evaluate(&after, &before, table)?;
            scores.push(AnatomyScore { seed: phantom.spec.seed, edge_agreement, cycle });
        }
        Ok(scores)
    }

    fn segment(
        &mut self,
        scan: &Scan,
        modality: Modality,
        bundle: &Bundle,
        refine: Refine,
    ) -> anyhow::Result<(LabelMap, Volume<f32>)> {
        let request = SegmentRequest {
            model: session::model_payload(bundle),
            scan: WireScan::pack(scan),
            modality,
            first_world_mm: None,
            settings: SegmentSettings { refine, ..SegmentSettings::default() },
            device: self.device,
        };
        match self.job(Request::Segment(request))? {
            Event::Segmented { result, .. } => Ok((result.labels.unpack()?, result.gap.unpack()?)),
            other => bail!("the engine answered a segmentation with {other:?}"),
        }
    }

    fn translate(&mut self, scan: &Scan, modality: Modality, bundle: &Bundle) -> anyhow::Result<(Scan, f64)> {
        let request = TranslateRequest {
            model: session::model_payload(bundle),
            scan: WireScan::pack(scan),
            modality,
            first_world_mm: None,
            style: 1.0,
            device: self.device,
        };
        match self.job(Request::Translate(request))? {
            Event::Translated { result, .. } => {
                Ok((Scan::from_volume(result.synthetic.unpack()?, "synthetic"), result.edge_agreement))
            }
            other => bail!("the engine answered a translation with {other:?}"),
        }
    }

    fn job(&mut self, request: Request) -> Result<Event, EngineError> {
        session::run_job(&mut self.engine, request, self.cancel, |_| ())
    }
}

const CARD: &str = "card.json";
const RESULT: &str = "result.json";

/// What a stage came to earlier, if it was finished. Its weights are not asked for: who keeps a study for its figures need not
/// keep those.
fn finished(folder: &Path, config: &str) -> anyhow::Result<Option<Outcome>> {
    let (result, card) = (folder.join(RESULT), folder.join(CARD));
    let (Ok(outcome), Ok(text)) = (std::fs::read(&result), std::fs::read(&card)) else { return Ok(None) };
    let card = serde_json::from_slice(&text).with_context(|| card.display().to_string())?;
    require_same(&card, config, folder)?;
    let outcome = serde_json::from_slice(&outcome).with_context(|| {
        format!("{}: not a result of this program; remove it to have it measured again", result.display())
    })?;
    Ok(Some(outcome))
}

fn require_same(card: &Card, config: &str, folder: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(
        card.training.config == config,
        "{}: trained for another study; choose another output folder, or remove this one",
        folder.display()
    );
    Ok(())
}

/// Reads the gaps from a training's log, rows of "phase",step,"quantity",value.
fn gaps(log: &Path, config: &TrainConfig) -> anyhow::Result<Vec<MeanGap>> {
    let text = std::fs::read_to_string(log).with_context(|| log.display().to_string())?;
    let steps = config.segmentation.critic_steps;
    let last_quarter = steps * 3 / 4 + 1..=steps;
    let mean_over = |name: &str| {
        let quantity = format!("\"gap, {name}\"");
        let values: Vec<f64> = text
            .lines()
            .filter_map(|line| line.strip_prefix("\"adaptation\","))
            .filter_map(|row| {
                let (step, rest) = row.split_once(',')?;
                let value = rest.strip_prefix(&quantity)?.strip_prefix(',')?.parse().ok()?;
                last_quarter.contains(&step.parse().ok()?).then_some(value)
            })
            .collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let structures = &config.task.table().entries;
    let of = |value: u16, name: &str| Some(MeanGap { label: value, gap: mean_over(name)? });
    Ok(structures.iter().filter_map(|entry| of(entry.value, &entry.name)).collect())
}

/// The phantoms of a modality that a block is tested on.
fn test_phantoms(study: &StudyConfig, block: &Block, modality: Modality) -> anyhow::Result<Vec<Phantom>> {
    let source = study.test_phantoms(block, modality);
    let make =
        |seed| Ok(phantom::generate(&PhantomSpec::of_source(&source, block.setup.task, modality, seed))?);
    (source.first_seed..source.first_seed + source.count).map(make).collect()
}

/// Mean value of the voxels whose label is wanted; `None` where there are none.
fn mean_where(values: &Volume<f32>, labels: &LabelMap, wanted: impl Fn(u16) -> bool) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0u64);
    for (value, label) in values.voxels().iter().zip(labels.voxels()) {
        if wanted(*label) {
            (sum, count) = (sum + f64::from(*value), count + 1);
        }
    }
    (count > 0).then(|| sum / count as f64)
}

/// Mean value where there is a body and no structure of the task.
fn mean_in_body(values: &Volume<f32>, phantom: &Phantom) -> Option<f64> {
    let air = phantom::Tissue::Air as u8;
    let tissues = phantom.tissues.voxels().iter().zip(phantom.labels.voxels());
    let elsewhere: Vec<u16> = tissues.map(|(t, l)| u16::from(*t != air && *l == 0)).collect();
    let elsewhere = LabelMap::new(elsewhere, phantom.labels.geometry().clone())?;
    mean_where(values, &elsewhere, |inside| inside == 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::train::preset_path;

    #[test]
    fn a_gap_is_read_from_the_last_quarter_of_the_critics_steps_alone() {
        let text = std::fs::read_to_string(preset_path("abdomen-ct-to-mr").unwrap()).unwrap();
        let mut config = TrainConfig::parse(&text).unwrap();
        config.segmentation.critic_steps = 100;
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log.csv");
        let rows = "phase,step,quantity,value\n\
                    \"adaptation\",70,\"gap, Liver\",0.9\n\
                    \"adaptation\",80,\"gap, Liver\",0.4\n\
                    \"adaptation\",100,\"gap, Liver\",0.2\n\
                    \"adaptation\",110,\"gap, Liver\",0.1\n\
                    \"adaptation\",10,\"gap, Spleen\",0.5\n\
                    \"self-training, round 1\",80,\"gap, Liver\",0.7\n";
        std::fs::write(&log, rows).unwrap();
        // The spleen was not seen late enough.
        let [MeanGap { label: 1, gap }] = gaps(&log, &config).unwrap()[..] else { panic!("one gap") };
        assert!((gap - 0.3).abs() < 1e-9, "{gap}");
    }
}
