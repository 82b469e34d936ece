//! The training configuration: a TOML file, validated before anything is read or computed.
//!
//! Field names carry the method's symbol where it has one. Presets are committed under `assets/presets/`.

use super::{NetworkConfig, Preprocessing};
use crate::volume::{LabelTable, Modality, Task};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use thiserror::Error;

/// One training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Bundle id: task, source, target.
    pub id: String,
    pub version: String,
    pub task: Task,
    /// The labelled modality.
    pub source: Modality,
    /// The unlabelled modality.
    pub target: Modality,
    pub seed: u64,
    /// A checkpoint is written every so many steps, and at every cancel.
    pub checkpoint_every: u64,
    /// What the model is not good for; goes into the card.
    #[serde(default)]
    pub limits: Vec<String>,
    /// Finished bundles whose networks this run starts from, instead of from chance.
    #[serde(default)]
    pub start_from: StartFrom,
    pub network: NetworkConfig,
    pub preprocessing: Preprocessing,
    pub translation: TranslationConfig,
    pub segmentation: SegmentationConfig,
    pub self_training: SelfTrainingConfig,
    pub source_data: Vec<DataSource>,
    pub target_data: Vec<DataSource>,
}

/// Bundles to start from; paths are relative to the output folder.
///
/// An ablation trains the style transfer once and shares it between the arms that need it, so that they differ in nothing
/// else.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartFrom {
    pub generator: Option<PathBuf>,
    /// Segmentation net and feature critic.
    pub segmenter: Option<PathBuf>,
}

/// Where volumes come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum DataSource {
    /// One file; paths are relative to the data folder.
    Scan {
        name: String,
        image: PathBuf,
        /// Source data only.
        labels: Option<PathBuf>,
        /// Which structures the label values are.
        label_table: Option<String>,
        /// Which tissues the label values are.
        tissue_table: Option<String>,
        licence: String,
    },
    /// All cases of a folder.
    Folder(FolderSource),
    /// Volumes of the program's own generator.
    Phantoms(PhantomSource),
}

/// The cases of a dataset as it lies on disk; paths are relative to the data folder.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderSource {
    pub name: String,
    /// The scans, files or DICOM folders; one `*` stands for what tells cases apart: `mm-whs/ct_train/*_image.nii.gz`.
    pub images: String,
    /// Source data only: the labels of the case that `*` stands for.
    pub labels: Option<String>,
    /// Where every structure has a file of its own: their names, and the values they have in the label table. `labels` is
    /// then the folder they lie in.
    #[serde(default)]
    pub structure_files: BTreeMap<String, u16>,
    pub label_table: Option<String>,
    pub tissue_table: Option<String>,
    /// What `*` stands for in cases to leave out: those that are tested on.
    #[serde(default)]
    pub exclude: Vec<String>,
    pub licence: String,
}

/// Phantoms of the seeds `first_seed .. first_seed + count`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhantomSource {
    pub count: u64,
    pub first_seed: u64,
    /// Another task's bodies, in which nothing is labelled: abdomens teach a model of hearts what is none.
    pub body: Option<Task>,
    /// Hearts only; left out, the generator's usual view of the modality.
    pub view: Option<CardiacView>,
    /// Voxel size, instead of the generator's usual one.
    pub spacing_mm: Option<[f64; 3]>,
    /// All structures whole, instead of a field of view drawn from the seed.
    #[serde(default)]
    pub whole: bool,
    /// The label whose contrast alone flips between the modalities, for measuring local imbalance.
    pub contrast_flip: Option<u16>,
    /// How all phantoms of a modality were scanned, as in a dataset of one protocol; left out, each by its seed.
    pub ct_phase: Option<CtPhase>,
    pub mr_sequence: Option<MrSequence>,
}

/// When after the injection of contrast medium a CT was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum CtPhase {
    Native,
    Arterial,
    Portal,
}

/// A family of MR sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum MrSequence {
    T1,
    T1FatSuppressed,
    /// T1-weighted, water and fat out of phase.
    T1Opposed,
    T2,
    T2FatSuppressed,
    /// Balanced steady state.
    Balanced,
}

impl DataSource {
    fn is_empty(&self) -> bool {
        matches!(self, DataSource::Phantoms(PhantomSource { count: 0, .. }))
    }
}

/// How a phantom heart is sliced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum CardiacView {
    /// Axial slices through the chest.
    Axial,
    /// Coronal slices through the chest.
    Coronal,
    /// Thick slices across the left ventricle, double oblique, as in cine MR.
    ShortAxis,
}

/// Stage 1: the style transfer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TranslationConfig {
    pub steps: u64,
    pub batch: usize,
    pub learning_rate: f64,
    /// Weights of the reconstruction, cycle, content and adversarial terms.
    pub lambda_reconstruction: f64,
    pub lambda_cycle: f64,
    pub lambda_content: f64,
    pub lambda_adversarial: f64,
}

/// Stage 2: the segmentation net, first on real source images, then on mixed contrasts with the local feature mask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentationConfig {
    pub warm_steps: u64,
    pub warm_batch: usize,
    pub warm_learning_rate: f64,
    pub steps: u64,
    /// Labelled slices a step, of which `real` are source images as they are, `translated` come from the style transfer,
    /// `restyled` from intensity curves, `sketched` are left ventricles drawn for the step (hearts only), and the rest are
    /// tissue maps painted in contrasts that are made up.
    pub batch: usize,
    #[serde(default)]
    pub real: usize,
    pub translated: usize,
    pub restyled: usize,
    #[serde(default)]
    pub sketched: usize,
    /// Unlabelled target slices a step, for the feature critic and the alignment; 0 leaves both out, and the mask is 0, in the
    /// finished bundle too. Self-training shows the critic target slices, so there is none with 0.
    pub target_batch: usize,
    pub learning_rate: f64,
    pub critic_learning_rate: f64,
    /// Steps before these in which the feature critic alone learns, on the features of the warmed-up net: the gap as it is
    /// before anything closes it.
    #[serde(default)]
    pub critic_steps: u64,
    /// Weight of L_adv, ramped over the first fifth of the steps.
    pub lambda_alignment: f64,
    /// How readily the mask has a structure of the source repainted: its chance in a slice is this times the structure's mean
    /// gap, times the square of that gap's share of the largest one. 0 leaves the source's contrasts alone.
    #[serde(default)]
    pub gap_repaint: f32,
    /// In the cross-entropy a class weighs as one over this power of its share of the batch's pixels. 0 lets a small structure
    /// die early, unheard among the rest; large values make a net draw small structures too large.
    #[serde(default = "usual_class_balance")]
    pub class_balance: f64,
    /// Whether that power falls to 0 over the first half of the adaptation and stays there: small structures are heard while they
    /// are learned, and drawn at their size in the end.
    #[serde(default)]
    pub class_balance_fades: bool,
    /// Share of labelled slices from scans where there are phantoms too.
    pub scan_share: f64,
    /// How far slices are turned in the plane, either way; left out, what is usual for the task.
    pub rotation_deg: Option<f32>,
}

fn usual_class_balance() -> f64 {
    0.5
}

/// Self-training on refined labels of target scans.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfTrainingConfig {
    pub rounds: u64,
    /// Steps a round.
    pub steps: u64,
    pub target_batch: usize,
    pub learning_rate: f64,
}

/// What is wrong with a configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("training configuration: {0}")]
    Syntax(#[from] toml::de::Error),
    #[error("training configuration, {field}: expected {expected}, got {got}")]
    Value { field: String, expected: String, got: String },
    #[error("training configuration, base: the preset \"{name}\" cannot be read ({reason})")]
    Base { name: String, reason: String },
}

impl SegmentationConfig {
    /// Whether a training that goes on from a bundle goes on with its feature critic. With a head start it begins afresh; without
    /// target slices it would stay behind a net that moves on, and show a gap that is no longer there or hide one that is.
    pub fn keeps_critic(&self) -> bool {
        self.target_batch > 0 && self.critic_steps == 0
    }

    /// Labelled slices a step from tissue maps.
    pub fn painted(&self) -> usize {
        self.batch.saturating_sub(self.real + self.translated + self.restyled + self.sketched)
    }
}

impl TrainConfig {
    /// Parses and checks a configuration.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text)?;
        config.check()?;
        Ok(config)
    }

    /// Checks what the types cannot say.
    pub fn check(&self) -> Result<(), ConfigError> {
        let classes = self.task.table().entries.len() as i64 + 1;
        let halvings = self.network.level_multiples.len() as u32;
        let (s, p) = (&self.segmentation, &self.preprocessing);
        let [columns_mm, rows_mm, slices_mm] = p.spacing_mm;
        let [low_hu, high_hu] = p.ct_window_hu;
        let conditions = [
            (
                self.source != self.target,
                "target",
                "the other modality than source".to_owned(),
                self.target.name().to_owned(),
            ),
            (
                self.network.classes == classes,
                "network.classes",
                format!("{classes} ({} and background)", self.task.name()),
                self.network.classes.to_string(),
            ),
            (
                (3..=5).contains(&halvings),
                "network.level_multiples",
                "3 to 5 levels".to_owned(),
                halvings.to_string(),
            ),
            (
                p.multiple > 0 && p.multiple.is_multiple_of(1 << halvings.min(8)),
                "preprocessing.multiple",
                format!("a multiple of 2^{halvings} above 0, one halving a level"),
                p.multiple.to_string(),
            ),
            (
                p.size.iter().all(|size| *size > 0 && size.is_multiple_of(p.multiple)),
                "preprocessing.size",
                format!("multiples of {} above 0", p.multiple),
                format!("{:?}", p.size),
            ),
            (
                [columns_mm, rows_mm].iter().all(|mm| mm.is_finite() && *mm > 0.0)
                    && slices_mm.is_finite()
                    && slices_mm >= 0.0,
                "preprocessing.spacing_mm",
                "pixels of a size above 0, and slices of 0 (as acquired) or more".to_owned(),
                format!("{:?}", p.spacing_mm),
            ),
            (
                low_hu.is_finite() && high_hu.is_finite() && low_hu < high_hu,
                "preprocessing.ct_window_hu",
                "two finite numbers, the lower one first".to_owned(),
                format!("{:?}", p.ct_window_hu),
            ),
            (
                s.batch >= 1 && s.real + s.translated + s.restyled + s.sketched <= s.batch,
                "segmentation.batch",
                "at least 1, and real + translated + restyled + sketched at most batch".to_owned(),
                format!("{} + {} + {} + {} of {}", s.real, s.translated, s.restyled, s.sketched, s.batch),
            ),
            (
                s.sketched == 0 || self.task == Task::Cardiac,
                "segmentation.sketched",
                "0: sketches are of hearts".to_owned(),
                s.sketched.to_string(),
            ),
            (
                s.sketched == 0 || columns_mm == rows_mm,
                "preprocessing.spacing_mm",
                "square pixels, which sketches are drawn in".to_owned(),
                format!("{columns_mm} x {rows_mm} mm"),
            ),
            (
                s.gap_repaint.is_finite() && s.gap_repaint >= 0.0,
                "segmentation.gap_repaint",
                "0 or more".to_owned(),
                s.gap_repaint.to_string(),
            ),
            (
                s.critic_steps == 0 || s.target_batch > 0,
                "segmentation.critic_steps",
                "0 without target slices (target_batch): the critic has nothing to compare".to_owned(),
                s.critic_steps.to_string(),
            ),
            (
                s.target_batch == 0 || s.real + s.translated >= 1,
                "segmentation.target_batch",
                "0 where no slice is real or translated: the critic compares target slices with those"
                    .to_owned(),
                s.target_batch.to_string(),
            ),
            (
                self.self_training.rounds == 0 || s.target_batch > 0,
                "segmentation.target_batch",
                "at least 1 where there is self-training, which shows the critic target slices; or self_training.rounds = 0"
                    .to_owned(),
                format!("0, and self_training.rounds = {}", self.self_training.rounds),
            ),
            (
                s.warm_batch > 0 && self.translation.batch > 0 && self.self_training.target_batch > 0,
                "warm_batch, translation.batch, self_training.target_batch",
                "at least 1 each".to_owned(),
                "0".to_owned(),
            ),
            (
                (0.0..=1.0).contains(&s.class_balance),
                "segmentation.class_balance",
                "0 to 1".to_owned(),
                s.class_balance.to_string(),
            ),
            (
                (0.0..=1.0).contains(&s.scan_share),
                "segmentation.scan_share",
                "0 to 1".to_owned(),
                s.scan_share.to_string(),
            ),
            (
                s.rotation_deg.is_none_or(|degrees| (0.0..=180.0).contains(&degrees)),
                "segmentation.rotation_deg",
                "0 to 180".to_owned(),
                s.rotation_deg.unwrap_or_default().to_string(),
            ),
            (
                p.mr_percentile > 0.0 && p.mr_percentile <= 100.0,
                "preprocessing.mr_percentile",
                "above 0, up to 100".to_owned(),
                p.mr_percentile.to_string(),
            ),
            (
                p.mr_clip.is_finite() && p.mr_clip > 0.0,
                "preprocessing.mr_clip",
                "a finite number above 0".to_owned(),
                p.mr_clip.to_string(),
            ),
            (
                self.network.base_channels > 0
                    && self.network.level_multiples.iter().all(|multiple| *multiple > 0)
                    && self.network.generator_channels > 0
                    && self.network.critic_channels > 0,
                "network",
                "at least one channel everywhere".to_owned(),
                "0 or fewer".to_owned(),
            ),
            (
                self.network.residual_blocks >= 0,
                "network.residual_blocks",
                "0 or more".to_owned(),
                self.network.residual_blocks.to_string(),
            ),
            (
                !self.source_data.iter().chain(&self.target_data).any(DataSource::is_empty),
                "count",
                "at least one phantom".to_owned(),
                "0".to_owned(),
            ),
            (self.checkpoint_every > 0, "checkpoint_every", "at least 1".to_owned(), "0".to_owned()),
            (
                !self.source_data.is_empty(),
                "source_data",
                "at least one source".to_owned(),
                "none".to_owned(),
            ),
            (
                !self.target_data.is_empty(),
                "target_data",
                "at least one source".to_owned(),
                "none".to_owned(),
            ),
        ];
        for (holds, field, expected, got) in conditions {
            if !holds {
                return Err(ConfigError::Value { field: field.to_owned(), expected, got });
            }
        }
        self.check_rates()?;
        self.source_data.iter().try_for_each(|data| self.check_source(data))?;
        self.target_data.iter().try_for_each(check_target)
    }

    /// Learning rates and the weights of losses: TOML can write infinity and NaN, and a negative one would unlearn.
    fn check_rates(&self) -> Result<(), ConfigError> {
        let (t, s) = (&self.translation, &self.segmentation);
        let rates = [
            ("translation.learning_rate", t.learning_rate),
            ("translation.lambda_reconstruction", t.lambda_reconstruction),
            ("translation.lambda_cycle", t.lambda_cycle),
            ("translation.lambda_content", t.lambda_content),
            ("translation.lambda_adversarial", t.lambda_adversarial),
            ("segmentation.warm_learning_rate", s.warm_learning_rate),
            ("segmentation.learning_rate", s.learning_rate),
            ("segmentation.critic_learning_rate", s.critic_learning_rate),
            ("segmentation.lambda_alignment", s.lambda_alignment),
            ("self_training.learning_rate", self.self_training.learning_rate),
        ];
        match rates.iter().find(|(_, rate)| !(rate.is_finite() && *rate >= 0.0)) {
            None => Ok(()),
            Some((field, rate)) => Err(ConfigError::Value {
                field: (*field).to_owned(),
                expected: "a finite number, 0 or more".to_owned(),
                got: rate.to_string(),
            }),
        }
    }

    fn check_source(&self, data: &DataSource) -> Result<(), ConfigError> {
        let (name, images, labels, label_table, tissue_table) = match data {
            DataSource::Phantoms(_) => return Ok(()),
            DataSource::Scan { name, image, labels, label_table, tissue_table, .. } => {
                (name, image.clone(), labels.clone(), label_table, tissue_table)
            }
            DataSource::Folder(f) => {
                let field = |field: &str| format!("source_data \"{}\", {field}", f.name);
                check_pattern(field("images"), &f.images)?;
                if let Some(labels) = &f.labels {
                    check_pattern(field("labels"), labels)?;
                }
                let labels = f.labels.as_ref().map(PathBuf::from);
                (&f.name, PathBuf::from(&f.images), labels, &f.label_table, &f.tissue_table)
            }
        };
        let missing = |field: &str| ConfigError::Value {
            field: format!("source_data \"{name}\", {field}"),
            expected: "a value: source data are labelled".to_owned(),
            got: "nothing".to_owned(),
        };
        if labels.ok_or_else(|| missing("labels"))? == images {
            return Err(ConfigError::Value {
                field: format!("source_data \"{name}\", labels"),
                expected: "other files than the images".to_owned(),
                got: images.display().to_string(),
            });
        }
        tissue_table.as_ref().ok_or_else(|| missing("tissue_table"))?;
        let table = label_table.as_ref().ok_or_else(|| missing("label_table"))?;
        match LabelTable::named(table) {
            Ok(table) if table.task == self.task => Ok(()),
            Ok(table) => Err(ConfigError::Value {
                field: format!("source_data \"{name}\", label_table"),
                expected: format!("a table of {}", self.task.name()),
                got: table.name.clone(),
            }),
            Err(error) => Err(ConfigError::Value {
                field: format!("source_data \"{name}\", label_table"),
                expected: error.known,
                got: error.got,
            }),
        }
    }
}

/// A pattern without its `*` names one file: of images there would be one case, and of labels every case would get the same.
fn check_pattern(field: String, pattern: &str) -> Result<(), ConfigError> {
    if pattern.matches('*').count() == 1 {
        return Ok(());
    }
    Err(ConfigError::Value {
        field,
        expected: "a path with one * in it, which stands for what tells the cases apart".to_owned(),
        got: format!("\"{pattern}\""),
    })
}

/// Target labels must not even be named.
fn check_target(data: &DataSource) -> Result<(), ConfigError> {
    let (name, labels) = match data {
        DataSource::Scan { name, labels: Some(labels), .. } => (name, labels.display().to_string()),
        DataSource::Folder(FolderSource { name, labels: Some(labels), .. }) => (name, labels.clone()),
        DataSource::Folder(FolderSource { name, structure_files, .. }) if !structure_files.is_empty() => {
            (name, format!("{} structure_files", structure_files.len()))
        }
        DataSource::Folder(FolderSource { name, images, .. }) => {
            return check_pattern(format!("target_data \"{name}\", images"), images);
        }
        _ => return Ok(()),
    };
    Err(ConfigError::Value {
        field: format!("target_data \"{name}\", labels"),
        expected: "nothing: target labels are never read in training".to_owned(),
        got: labels,
    })
}

/// The configuration whole: where it names another preset as its `base`, that preset with what this one changes.
///
/// Tables are merged field by field; lists, such as the data, are replaced. Without a base, the text as it is.
pub fn self_contained(text: &str) -> Result<String, ConfigError> {
    with_bases(text, |name| {
        let path = preset_path(name).map_err(|error| error.to_string())?;
        std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    })
}

/// [`self_contained`], with the presets that `read` gives or says why it cannot.
fn with_bases(text: &str, read: impl Fn(&str) -> Result<String, String>) -> Result<String, ConfigError> {
    let mut table: toml::Table = toml::from_str(text)?;
    if !table.contains_key("base") {
        return Ok(text.to_owned());
    }
    let wrong = |expected: &str, got: String| ConfigError::Value {
        field: "base".to_owned(),
        expected: expected.to_owned(),
        got,
    };
    let mut names: Vec<String> = Vec::new();
    while let Some(base) = table.remove("base") {
        let Some(name) = base.as_str().filter(|name| is_plain_name(name)) else {
            return Err(wrong("the name of a preset, such as \"abdomen-ct-to-mr\"", base.to_string()));
        };
        let comes_again = names.iter().any(|earlier| earlier == name);
        names.push(name.to_owned());
        if comes_again {
            return Err(wrong("presets that come to one without a base", names.join(", then ")));
        }
        let unreadable = |reason: String| ConfigError::Base { name: name.to_owned(), reason };
        let text = read(name).map_err(unreadable)?;
        let mut whole: toml::Table =
            toml::from_str(&text).map_err(|error: toml::de::Error| unreadable(error.to_string()))?;
        merge(&mut whole, table);
        table = whole;
    }
    toml::to_string(&table)
        .map_err(|error| ConfigError::Base { name: names.join(", then "), reason: error.to_string() })
}

/// Whether it names a file of the presets' own folder: a path would be found wherever it leads.
fn is_plain_name(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(only)), None) if only == name)
}

fn merge(base: &mut toml::Table, changes: toml::Table) {
    for (key, change) in changes {
        match (base.get_mut(&key), change) {
            (Some(toml::Value::Table(below)), toml::Value::Table(change)) => merge(below, change),
            (_, change) => {
                base.insert(key, change);
            }
        }
    }
}

/// The committed configuration of that name, if there is one.
pub fn preset_path(name: &str) -> Result<PathBuf, super::AssetError> {
    Ok(super::assets_dir()?.join("presets").join(Path::new(name).with_extension("toml")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn preset() -> String {
        std::fs::read_to_string(preset_path("abdomen-ct-to-mr").unwrap()).unwrap()
    }

    #[test]
    fn every_committed_preset_is_valid_and_named_after_its_bundle() {
        let folder = super::super::assets_dir().unwrap().join("presets");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let config = self_contained(&std::fs::read_to_string(&path).unwrap())
                .and_then(|text| TrainConfig::parse(&text));
            let config = config.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(path.file_stem().unwrap().to_str().unwrap(), config.id);
        }
    }

    #[test]
    fn a_configuration_that_names_target_labels_is_refused() {
        let text = preset().replacen(
            "image = \"totalseg_mr_abdomen/mr.nii.gz\"",
            "image = \"a.nii\"\nlabels = \"b.nii\"",
            1,
        );
        let error = TrainConfig::parse(&text).unwrap_err().to_string();
        assert!(error.contains("target labels are never read"), "{error}");
    }

    #[test]
    fn a_folder_of_target_scans_cannot_bring_its_labels() {
        let start = preset().find("[[target_data]]").unwrap();
        let mut text = preset()[..start].to_owned();
        text.push_str(
            "[[target_data]]\nkind = \"folder\"\nname = \"x\"\nimages = \"x/*.nii\"\nlabels = \"y/*.nii\"\nlicence = \"-\"\n",
        );
        let error = TrainConfig::parse(&text).unwrap_err().to_string();
        assert!(error.contains("target labels are never read"), "{error}");
    }

    #[test]
    fn a_preset_changes_of_its_base_what_it_names_and_nothing_else() {
        let text =
            self_contained("base = \"abdomen-ct-to-mr\"\nid = \"mine\"\n[network]\nbase_channels = 24\n");
        let config = TrainConfig::parse(&text.unwrap()).unwrap();
        let mut expected = TrainConfig::parse(&preset()).unwrap();
        (expected.id, expected.network.base_channels) = ("mine".to_owned(), 24);
        assert_eq!(config, expected);
    }

    #[test]
    fn a_base_that_is_a_path_or_leads_back_to_itself_is_refused_instead_of_read_for_ever() {
        let read = |name: &str| match name {
            "a" => Ok("base = \"b\"".to_owned()),
            "b" => Ok("base = \"a\"".to_owned()),
            "whole" => Ok("seed = 1".to_owned()),
            _ => Err("no such preset".to_owned()),
        };
        let whole: toml::Table =
            toml::from_str(&with_bases("base = \"whole\"\nid = \"x\"", read).unwrap()).unwrap();
        assert_eq!(whole, toml::from_str("seed = 1\nid = \"x\"").unwrap());
        for (base, said) in [
            ("\"a\"", "a, then b, then a"),
            ("\"gone\"", "no such preset"),
            ("\"/tmp/whole\"", "the name of a preset"),
            ("\"../whole\"", "the name of a preset"),
            ("\"more/whole\"", "the name of a preset"),
            ("\"whole/\"", "the name of a preset"),
            ("\"..\"", "the name of a preset"),
            ("\"\"", "the name of a preset"),
            ("1", "the name of a preset"),
        ] {
            let error = with_bases(&format!("base = {base}"), read).unwrap_err().to_string();
            assert!(error.contains("base") && error.contains(said), "{base}: {error}");
        }
    }

    /// The message about the preset with one piece of its text in other words.
    fn refusal(from: &str, to: &str) -> String {
        let text = preset();
        assert!(text.contains(from), "the preset has no {from}");
        match TrainConfig::parse(&text.replacen(from, to, 1)) {
            Ok(_) => panic!("accepted: {to}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn numbers_that_no_training_can_use_are_refused_before_a_scan_is_read() {
        for (from, to, field) in [
            ("[-160.0, 240.0]", "[240.0, -160.0]", "preprocessing.ct_window_hu"),
            ("[-160.0, 240.0]", "[40.0, 40.0]", "preprocessing.ct_window_hu"),
            ("[-160.0, 240.0]", "[-160.0, inf]", "preprocessing.ct_window_hu"),
            ("[-160.0, 240.0]", "[nan, 240.0]", "preprocessing.ct_window_hu"),
            ("mr_percentile = 99.5", "mr_percentile = 0.0", "preprocessing.mr_percentile"),
            ("mr_percentile = 99.5", "mr_percentile = 100.5", "preprocessing.mr_percentile"),
            ("mr_percentile = 99.5", "mr_percentile = nan", "preprocessing.mr_percentile"),
            ("mr_clip = 1.3", "mr_clip = nan", "preprocessing.mr_clip"),
            ("multiple = 16", "multiple = 0", "preprocessing.multiple"),
            ("multiple = 16", "multiple = 8", "preprocessing.multiple"),
            ("size = [128, 96]", "size = [0, 0]", "preprocessing.size"),
            ("size = [128, 96]", "size = [128, 100]", "preprocessing.size"),
            ("[3.0, 3.0, 3.0]", "[0.0, 3.0, 3.0]", "preprocessing.spacing_mm"),
            ("[3.0, 3.0, 3.0]", "[3.0, -3.0, 3.0]", "preprocessing.spacing_mm"),
            ("[3.0, 3.0, 3.0]", "[3.0, 3.0, nan]", "preprocessing.spacing_mm"),
            ("\nlearning_rate = 4e-4", "\nlearning_rate = nan", "translation.learning_rate"),
            ("lambda_cycle = 20.0", "lambda_cycle = -1.0", "translation.lambda_cycle"),
            ("warm_learning_rate = 2e-3", "warm_learning_rate = inf", "segmentation.warm_learning_rate"),
            ("\nlearning_rate = 1.5e-3", "\nlearning_rate = -1e-3", "segmentation.learning_rate"),
            (
                "critic_learning_rate = 5e-4",
                "critic_learning_rate = nan",
                "segmentation.critic_learning_rate",
            ),
            ("lambda_alignment = 0.01", "lambda_alignment = inf", "segmentation.lambda_alignment"),
            ("\nlearning_rate = 5e-4", "\nlearning_rate = nan", "self_training.learning_rate"),
            ("scan_share = 0.6", "scan_share = 0.6\nrotation_deg = nan", "segmentation.rotation_deg"),
            ("[2, 4, 8, 8]", "[2, 4, 0, 8]", "network"),
            ("residual_blocks = 3", "residual_blocks = -1", "network.residual_blocks"),
        ] {
            let error = refusal(from, to);
            assert!(error.contains(&format!("{field}: expected")), "{to}: {error}");
        }
        let as_acquired = preset().replacen("[3.0, 3.0, 3.0]", "[3.0, 3.0, 0.0]", 1);
        TrainConfig::parse(&as_acquired).unwrap();
    }

    #[test]
    fn self_training_does_not_bring_back_the_critic_that_a_run_leaves_out() {
        let from = "target_batch = 4\nlearning_rate = 1.5e-3";
        let error = refusal(from, "target_batch = 0\nlearning_rate = 1.5e-3");
        assert!(error.contains("segmentation.target_batch") && error.contains("rounds = 2"), "{error}");
        let neither = preset().replacen("target_batch = 4", "target_batch = 0", 1).replacen(
            "rounds = 2",
            "rounds = 0",
            1,
        );
        TrainConfig::parse(&neither).unwrap();
    }

    #[test]
    fn patterns_that_give_every_case_the_same_labels_or_its_image_for_labels_are_refused() {
        let head = preset().split_once("[[source_data]]").unwrap().0.to_owned();
        let of = |images: &str, labels: &str, targets: &str| {
            TrainConfig::parse(&format!(
                "{head}[[source_data]]\nkind = \"folder\"\nname = \"x\"\nimages = \"{images}\"\n\
                 labels = \"{labels}\"\nlabel_table = \"btcv\"\ntissue_table = \"btcv\"\nlicence = \"-\"\n\
                 [[target_data]]\nkind = \"folder\"\nname = \"y\"\nimages = \"{targets}\"\nlicence = \"-\"\n"
            ))
        };
        of("x/*_image.nii", "x/*_label.nii", "y/*_image.nii").unwrap();
        for (images, labels, targets, field) in [
            ("x/*_image.nii", "x/a_label.nii", "y/*.nii", "source_data \"x\", labels"),
            ("x/*_image.nii", "x/*/*_label.nii", "y/*.nii", "source_data \"x\", labels"),
            ("x/a_image.nii", "x/*_label.nii", "y/*.nii", "source_data \"x\", images"),
            ("x/*_image.nii", "x/*_label.nii", "y/a.nii", "target_data \"y\", images"),
        ] {
            let error = of(images, labels, targets).unwrap_err().to_string();
            assert!(error.contains(field) && error.contains("one *"), "{error}");
        }
        let error = of("x/*.nii", "x/*.nii", "y/*.nii").unwrap_err().to_string();
        assert!(error.contains("other files than the images"), "{error}");
    }

    #[test]
    fn a_misspelt_field_is_named() {
        let error = TrainConfig::parse(&preset().replacen("seed =", "sead =", 1)).unwrap_err().to_string();
        assert!(error.contains("sead"), "{error}");
    }
}
