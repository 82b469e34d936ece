//! What a configuration must hold beyond what its types can say; the first thing that does not is told by the name of its field.

use super::{ConfigError, DataSource, FolderSource, TrainConfig};
use crate::volume::{LabelTable, Task};
use std::path::PathBuf;

/// Whether something holds, the field that it is about, what was expected there and what there is.
type Condition = (bool, &'static str, String, String);

impl TrainConfig {
    /// Checks what the types cannot say.
    pub fn check(&self) -> Result<(), ConfigError> {
        let conditions = [self.networks(), self.slices(), self.batches(), self.data()];
        if let Some((_, field, expected, got)) = conditions.into_iter().flatten().find(|(holds, ..)| !holds) {
            return Err(ConfigError::Value { field: field.to_owned(), expected, got });
        }
        self.check_rates()?;
        self.source_data.iter().try_for_each(|data| self.check_source(data))?;
        self.target_data.iter().try_for_each(check_target)
    }

    /// Sizes of the networks.
    fn networks(&self) -> Vec<Condition> {
        let classes = self.task.table().entries.len() as i64 + 1;
        let halvings = self.network.level_multiples.len();
        vec![
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
        ]
    }

    /// How scans become slices.
    fn slices(&self) -> Vec<Condition> {
        let p = &self.preprocessing;
        let halvings = self.network.level_multiples.len() as u32;
        let [columns_mm, rows_mm, slices_mm] = p.spacing_mm;
        let [low_hu, high_hu] = p.ct_window_hu;
        vec![
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
                (0.0..1.0).contains(&p.mr_brighten_to),
                "preprocessing.mr_brighten_to",
                "0 to less than 1".to_owned(),
                p.mr_brighten_to.to_string(),
            ),
        ]
    }

    /// What the batches are made of, and what the losses make of them.
    fn batches(&self) -> Vec<Condition> {
        let s = &self.segmentation;
        let [columns_mm, rows_mm, _] = self.preprocessing.spacing_mm;
        vec![
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
                (0.0..=1.0).contains(&s.dimmed),
                "segmentation.dimmed",
                "0 to 1".to_owned(),
                s.dimmed.to_string(),
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
        ]
    }

    /// Volumes, and the run as a whole.
    fn data(&self) -> Vec<Condition> {
        vec![
            (
                self.source != self.target,
                "target",
                "the other modality than source".to_owned(),
                self.target.name().to_owned(),
            ),
            (
                !self.source_data.iter().chain(&self.target_data).any(DataSource::is_empty),
                "count",
                "at least one phantom".to_owned(),
                "0".to_owned(),
            ),
            (
                self.start_from.averaged_with.is_none() || self.start_from.segmenter.is_some(),
                "start_from.averaged_with",
                "a segmenter beside it, to be averaged with".to_owned(),
                "none".to_owned(),
            ),
            (
                self.start_from.averaged_with.is_none() || !self.segmentation.keeps_critic(),
                "segmentation.critic_steps",
                "at least 1 with start_from.averaged_with: no critic knows the features of an averaged net"
                    .to_owned(),
                self.segmentation.critic_steps.to_string(),
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
        ]
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::train::base::tests::preset;

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
            ("mr_clip = 1.3", "mr_clip = 1.3\nmr_brighten_to = 1.0", "preprocessing.mr_brighten_to"),
            ("scan_share = 0.6", "scan_share = 0.6\ndimmed = 1.5", "segmentation.dimmed"),
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
