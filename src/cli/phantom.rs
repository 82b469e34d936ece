//! `mindgap phantom`: labelled volumes made from a seed.

use super::{input, output};
use crate::config::train::{CtPhase, MrSequence};
use crate::dataset::phantom::{self, CardiacView, Coverage, PhantomSpec};
use crate::volume::{Modality, Task, io, label_counts};
use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Make phantoms: CT-like or MR-like volumes with their labels, the same for a seed on every machine.
#[derive(Debug, Args)]
pub(super) struct Phantom {
    #[arg(long, default_value = "abdomen")]
    task: Task,
    #[arg(long, default_value = "ct")]
    modality: Modality,
    /// The first seed; each further phantom takes the next one.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many; more than one needs a folder as output.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// Voxel size in mm, one number or three: 3 or 1.4,1.4,9.
    #[arg(long, value_delimiter = ',', value_name = "MM")]
    spacing: Vec<f64>,
    /// How a heart is sliced; by default axial in CT, and either in MR, by the seed.
    #[arg(long)]
    view: Option<CardiacView>,
    /// Show all structures whole instead of a field of view drawn from the seed.
    #[arg(long)]
    whole: bool,
    /// Let a heart lie anywhere that hearts lie, in a chest from flat to deep, instead of about the middle of a usual one.
    #[arg(long)]
    varied_posture: bool,
    /// The label whose contrast flips between CT and MR while all others keep theirs.
    #[arg(long, value_name = "LABEL")]
    contrast_flip: Option<u16>,
    /// The phase of contrast medium of a CT; by default, by the seed.
    #[arg(long, value_name = "PHASE")]
    ct_phase: Option<CtPhase>,
    /// The family of sequences of an MR; by default, by the seed.
    #[arg(long, value_name = "SEQUENCE")]
    mr_sequence: Option<MrSequence>,
    /// A .nii or .nii.gz file, or a folder, in which labels are written beside each scan.
    #[arg(short, long)]
    output: PathBuf,
    /// Where the labels go, if the output is a file.
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Also write the map of fine tissue classes, beside the scan.
    #[arg(long)]
    tissues: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Phantom {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let into_file = is_nifti(&self.output);
        anyhow::ensure!(
            !into_file || self.count == 1,
            "{}: {} phantoms need a folder as output",
            self.output.display(),
            self.count
        );
        anyhow::ensure!(
            into_file || self.labels.is_none(),
            "--labels: in a folder the labels are written beside each scan; leave it out"
        );
        if !into_file {
            std::fs::create_dir_all(&self.output)
                .with_context(|| format!("{}: cannot be made", self.output.display()))?;
        }
        let hidden = self.json || self.count == 1;
        let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(self.count), target);
        let mut made = Vec::new();
        for seed in self.seed..self.seed.saturating_add(self.count) {
            made.push(self.make(seed)?);
            bar.inc(1);
        }
        bar.finish_and_clear();
        let answer = Answer { phantoms: made };
        if self.json { output::print_json(&answer) } else { output::print(answer.to_text().trim_end()) }
    }

    fn make(&self, seed: u64) -> anyhow::Result<Made> {
        let spec = self.spec(seed)?;
        let files = self.files(seed);
        files.refuse_unwritable()?;
        let phantom = phantom::generate(&spec)?;
        io::write_scan(&files.scan, &phantom.scan)?;
        if let Some(path) = &files.labels {
            io::write_labels(path, &phantom.labels, Some(self.task.table()), &phantom.scan)?;
        }
        if let Some(path) = &files.tissues {
            io::write_labels(path, &phantom.tissues.map(|tissue| u16::from(*tissue)), None, &phantom.scan)?;
        }
        let geometry = phantom.scan.geometry();
        let counts = label_counts(&phantom.labels);
        let structures = self.task.table().entries.iter().map(|entry| {
            let voxels = counts.get(&entry.value).copied().unwrap_or(0);
            Structure {
                label: entry.value,
                name: entry.name.clone(),
                voxels,
                volume_ml: geometry.voxel_ml().unwrap_or(f64::NAN) * voxels as f64,
            }
        });
        Ok(Made {
            task: self.task,
            modality: self.modality,
            seed,
            view: (self.task == Task::Cardiac).then_some(spec.view),
            files,
            dims: geometry.dims(),
            spacing_mm: spec.spacing_mm,
            structures: structures.collect(),
        })
    }

    fn spec(&self, seed: u64) -> anyhow::Result<PhantomSpec> {
        let mut spec = PhantomSpec::new(self.task, self.modality, seed);
        if let Some(view) = self.view {
            anyhow::ensure!(
                self.task == Task::Cardiac,
                "--view is for hearts; give --task cardiac or leave it out"
            );
            spec = spec.with_view(view);
        }
        spec.spacing_mm = match *self.spacing.as_slice() {
            [] => spec.spacing_mm,
            [mm] => [mm; 3],
            [i, j, k] => [i, j, k],
            _ => anyhow::bail!("--spacing: expected one number or three, got {}", self.spacing.len()),
        };
        if self.whole {
            spec.coverage = Coverage::Whole;
        }
        anyhow::ensure!(
            self.ct_phase.is_none() || self.modality == Modality::Ct,
            "--ct-phase is for CT; give --modality ct or leave it out"
        );
        anyhow::ensure!(
            self.mr_sequence.is_none() || self.modality == Modality::Mr,
            "--mr-sequence is for MR; give --modality mr or leave it out"
        );
        anyhow::ensure!(
            !self.varied_posture || self.task == Task::Cardiac,
            "--varied-posture is for hearts; give --task cardiac or leave it out"
        );
        spec.varied_posture = self.varied_posture;
        spec.contrast_flip = self.contrast_flip;
        (spec.ct_phase, spec.mr_sequence) = (self.ct_phase, self.mr_sequence);
        Ok(spec)
    }

    fn files(&self, seed: u64) -> Files {
        if is_nifti(&self.output) {
            let tissues = self.tissues.then(|| beside(&self.output, "_tissues"));
            return Files { scan: self.output.clone(), labels: self.labels.clone(), tissues };
        }
        let modality = self.modality.name().to_lowercase();
        let scan = self.output.join(format!("{}_{modality}_{seed:04}.nii.gz", self.task.name()));
        Files {
            labels: Some(beside(&scan, "_labels")),
            tissues: self.tissues.then(|| beside(&scan, "_tissues")),
            scan,
        }
    }
}

/// The keys are stable: scripts read them.
#[derive(Debug, Serialize)]
struct Answer {
    phantoms: Vec<Made>,
}

#[derive(Debug, Serialize)]
struct Made {
    task: Task,
    modality: Modality,
    seed: u64,
    /// `None` for abdomens.
    view: Option<CardiacView>,
    #[serde(flatten)]
    files: Files,
    dims: [usize; 3],
    spacing_mm: [f64; 3],
    structures: Vec<Structure>,
}

#[derive(Debug, Serialize)]
struct Files {
    scan: PathBuf,
    labels: Option<PathBuf>,
    tissues: Option<PathBuf>,
}

impl Files {
    /// Before anything is computed: a phantom is written whole, or not at all.
    fn refuse_unwritable(&self) -> anyhow::Result<()> {
        let beside = self.labels.iter().chain(&self.tissues);
        let outputs: Vec<&Path> = std::iter::once(&self.scan).chain(beside).map(PathBuf::as_path).collect();
        input::refuse_outputs(&[], &outputs)
    }
}

#[derive(Debug, Serialize)]
struct Structure {
    label: u16,
    name: String,
    voxels: usize,
    volume_ml: f64,
}

impl Answer {
    fn to_text(&self) -> String {
        let mut text = String::new();
        for made in &self.phantoms {
            let [i, j, k] = made.dims;
            text += &format!("{}  {i} x {j} x {k}\n", made.files.scan.display());
            for s in &made.structures {
                text += &format!("  {:<22}{:>8.1} ml\n", s.name, s.volume_ml);
            }
        }
        text
    }
}

fn is_nifti(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    name.ends_with(".nii") || name.ends_with(".nii.gz")
}

/// `scan.nii.gz` with a suffix before its extension.
fn beside(scan: &Path, suffix: &str) -> PathBuf {
    let name = scan.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem_length = name.to_ascii_lowercase().rfind(".nii").unwrap_or(name.len());
    scan.with_file_name(format!("{}{suffix}{}", &name[..stem_length], &name[stem_length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_beside_a_scan_keep_its_folder_and_extension() {
        assert_eq!(beside(Path::new("a.b/ct.v1.nii.gz"), "_tissues"), Path::new("a.b/ct.v1_tissues.nii.gz"));
        assert_eq!(beside(Path::new("ct.nii"), "_labels"), Path::new("ct_labels.nii"));
        assert_eq!(beside(Path::new("a.nii.b.NII.gz"), "_labels"), Path::new("a.nii.b_labels.NII.gz"));
        // The Kelvin sign has three bytes, and one as a small letter.
        assert_eq!(beside(Path::new("\u{212A}.nii"), "_tissues"), Path::new("\u{212A}_tissues.nii"));
    }
}
