//! One stage of a block: its training, and what it scores on phantoms that nothing was trained on.

use super::kept::{self, Sibling, Start};
use super::outcome::{AnatomyScore, AnatomySet, CaseScore, MeanGap, Measured, Outcome, TestSet};
use super::study::{Block, Stage, StudyConfig};
use crate::config::train::{PhantomSource, TrainConfig};
use crate::config::{Bundle, Net, load_bundle_in};
use crate::dataset::phantom::{self, Phantom, PhantomSpec};
use crate::eval;
use crate::protocol::{
    AnatomyRequest, DeviceChoice, Event, Refine, Request, SegmentRequest, SegmentSettings, TrainRequest,
    WireScan,
};
use crate::session::{self, Engine, EngineError};
use crate::volume::{LabelMap, Modality, Scan, Volume, io};
use anyhow::{Context, bail, ensure};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Runs stages on one engine.
pub(super) struct Runner<'a> {
    pub engine: Engine,
    pub study: &'a StudyConfig,
    pub folder: &'a Path,
    pub device: DeviceChoice,
    pub cancel: &'a AtomicBool,
}

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
        let siblings = self.siblings(block, stage)?;
        let start = Start::new(toml::to_string(&config)?, &siblings);
        let measured = Measured::of(self.study, block, stage);
        let bundle = match kept::card_in(&folder)? {
            Some(card) => {
                Start::of_card(&card).require(&start, &siblings, &folder)?;
                if let Some(outcome) = kept::finished(&folder, &measured)? {
                    return Ok(outcome);
                }
                needed_bundle(&folder)?
            }
            None => self.train(&start, &siblings, &folder, observe)?,
        };
        let (source, target) = (block.source, block.source.other());
        let outcome = Outcome {
            task: config.task,
            source,
            seed: block.seed,
            contrast_flip: block.contrast_flip,
            stage: stage.name().to_owned(),
            train_seconds: bundle.card.training.seconds,
            target: self.score(block, target, measured.target.as_ref(), &bundle)?,
            target_unrefined: self.score(block, target, measured.target_unrefined.as_ref(), &bundle)?,
            source_modality: self.score(block, source, measured.source_modality.as_ref(), &bundle)?,
            anatomy: self.check_anatomy(block, measured.anatomy.as_ref(), &bundle)?,
            gaps: match stage {
                Stage::GapBefore | Stage::GapAfter => gaps(&folder.join("log.csv"), &config)?,
                Stage::Translator | Stage::Warm | Stage::Arm(_) => Vec::new(),
            },
            measured,
        };
        io::write_file(&folder.join(kept::RESULT), &serde_json::to_vec_pretty(&outcome)?)?;
        Ok(outcome)
    }

    fn stage_folder(&self, block: &Block, stage: Stage) -> PathBuf {
        self.folder.join(block.folder()).join(stage.name())
    }

    /// The bundles that a stage goes on from, as they lie there now.
    fn siblings(&self, block: &Block, stage: Stage) -> anyhow::Result<Vec<Sibling>> {
        let sibling = |stage: &Stage| {
            let (name, folder) = (stage.name(), self.stage_folder(block, *stage));
            let card = kept::card_in(&folder)?.with_context(|| {
                format!("{}: {} is gone; start the study again", folder.display(), kept::CARD)
            })?;
            Ok(Sibling { name, folder, card })
        };
        stage.needs().iter().map(sibling).collect()
    }

    /// Trains a bundle, or goes on from the checkpoint that lies there.
    fn train(
        &mut self,
        start: &Start,
        siblings: &[Sibling],
        folder: &Path,
        observe: &mut dyn FnMut(&Event),
    ) -> anyhow::Result<Bundle> {
        kept::require_weights(siblings)?;
        let resume = folder.join(kept::CHECKPOINT).is_file();
        if !resume {
            start.keep(folder)?;
        } else if let Some(earlier) = Start::of_checkpoint(folder)? {
            earlier.require(start, siblings, folder)?;
        }
        let request = Request::Train(TrainRequest {
            config: start.config.clone(),
            base_dir: self.folder.to_owned(),
            out_dir: folder.to_owned(),
            resume,
            device: self.device,
        });
        session::run_job(&mut self.engine, request, self.cancel, observe)?;
        Start::forget(folder);
        Ok(load_bundle_in(folder)?)
    }

    /// Segments the test phantoms of a modality, where there are any to segment.
    fn score(
        &mut self,
        block: &Block,
        modality: Modality,
        set: Option<&TestSet>,
        bundle: &Bundle,
    ) -> anyhow::Result<Vec<CaseScore>> {
        let Some(TestSet { phantoms, refine }) = set else { return Ok(Vec::new()) };
        let table = block.setup.task.table();
        let mut scores = Vec::new();
        for phantom in generate(block, modality, phantoms)? {
            let (labels, gap) = self.segment(&phantom.scan, modality, bundle, *refine)?;
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

    /// Has source phantoms translated and back by the engine's own check, where there are any: an image that was sent in
    /// again as a new scan would be scaled anew, and the generator be given a contrast that it did not make.
    fn check_anatomy(
        &mut self,
        block: &Block,
        set: Option<&AnatomySet>,
        bundle: &Bundle,
    ) -> anyhow::Result<Vec<AnatomyScore>> {
        let Some(AnatomySet { phantoms, .. }) = set else { return Ok(Vec::new()) };
        let judge = match self.study.judge_stage() {
            Some(stage) => Some(needed_bundle(&self.stage_folder(block, stage))?),
            None => None,
        };
        let mut scores = Vec::new();
        for phantom in generate(block, block.source, phantoms)? {
            let request = AnatomyRequest {
                model: session::model_payload(bundle),
                judge: judge.as_ref().map(|bundle| Box::new(session::model_payload(bundle))),
                scan: WireScan::pack(&phantom.scan),
                modality: block.source,
                device: self.device,
            };
            let checked = match self.job(Request::CheckAnatomy(request))? {
                Event::AnatomyChecked { result, .. } => result,
                other => bail!("the engine answered an anatomy check with {other:?}"),
            };
            // The adapted net has learned from images of this very translation.
            ensure!(
                judge.is_some() || checked.net == Net::SourceOnly,
                "{}: expected a source-only net to judge the anatomy, got none in {}; remove the folder to have it trained \
                 again",
                bundle.folder.display(),
                kept::WEIGHTS
            );
            let (before, after) = (checked.scan_labels.unpack()?, checked.cycle_labels.unpack()?);
            scores.push(AnatomyScore {
                seed: phantom.spec.seed,
                edge_agreement: checked.edge_agreement,
                cycle: eval::evaluate(&after, &before, block.setup.task.table())?,
            });
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

    fn job(&mut self, request: Request) -> Result<Event, EngineError> {
        session::run_job(&mut self.engine, request, self.cancel, |_| ())
    }
}

/// The bundle in a finished stage's folder, of which perhaps only the figures were kept.
fn needed_bundle(folder: &Path) -> anyhow::Result<Bundle> {
    load_bundle_in(folder).with_context(|| {
        format!(
            "{}: its net is needed to measure with; put its weights back, or remove the folder to have it trained again",
            folder.display()
        )
    })
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

/// The phantoms of a block and modality.
fn generate(block: &Block, modality: Modality, source: &PhantomSource) -> anyhow::Result<Vec<Phantom>> {
    let make =
        |seed| Ok(phantom::generate(&PhantomSpec::of_source(source, block.setup.task, modality, seed))?);
    (source.first_seed..source.first_seed + source.count).map(make).collect()
}

/// Mean value of the voxels whose label is wanted and that the networks saw; `None` where there are none.
fn mean_where(values: &Volume<f32>, labels: &LabelMap, wanted: impl Fn(u16) -> bool) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0u64);
    for (value, label) in values.voxels().iter().zip(labels.voxels()) {
        if wanted(*label) && value.is_finite() {
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
