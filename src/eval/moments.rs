//! Mean and standard deviation of a metric.
//!
//! Invariant: what is undefined is counted and never replaced by a number.

use super::{MeanScore, StructureScore};
use serde::{Deserialize, Serialize};

/// One of the three metrics that are reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    Dice,
    Assd,
    Hd95,
}

impl Metric {
    pub const ALL: [Metric; 3] = [Metric::Dice, Metric::Assd, Metric::Hd95];

    /// With its unit, as a heading or a label of an axis.
    pub fn title(self) -> &'static str {
        match self {
            Metric::Dice => "Dice",
            Metric::Assd => "ASSD (mm)",
            Metric::Hd95 => "HD95 (mm)",
        }
    }

    /// For file names: "dice", "assd", "hd95".
    pub fn key(self) -> &'static str {
        match self {
            Metric::Dice => "dice",
            Metric::Assd => "assd",
            Metric::Hd95 => "hd95",
        }
    }

    /// How many decimals are worth reading.
    pub(super) fn digits(self) -> usize {
        match self {
            Metric::Dice => 3,
            Metric::Assd | Metric::Hd95 => 2,
        }
    }

    /// This metric among the scores of a structure.
    pub fn of(self, score: &StructureScore) -> Option<f64> {
        match self {
            Metric::Dice => score.dice,
            Metric::Assd => score.assd_mm,
            Metric::Hd95 => score.hd95_mm,
        }
    }

    /// This metric among mean scores.
    pub fn of_mean(self, score: &MeanScore) -> Option<f64> {
        match self {
            Metric::Dice => score.dice,
            Metric::Assd => score.assd_mm,
            Metric::Hd95 => score.hd95_mm,
        }
    }
}

/// Mean and sample standard deviation (divided by n - 1) of the defined values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct MeanSd {
    /// `None` where no value is defined.
    pub mean: Option<f64>,
    /// `None` for fewer than two values.
    pub sd: Option<f64>,
    /// How many values were defined.
    pub n: usize,
    /// How many were not.
    pub undefined: usize,
}

impl MeanSd {
    pub fn of(values: impl IntoIterator<Item = Option<f64>>) -> Self {
        let (mut defined, mut undefined) = (Vec::new(), 0);
        for value in values {
            match value {
                Some(value) => defined.push(value),
                None => undefined += 1,
            }
        }
        let n = defined.len();
        let mean = (n > 0).then(|| defined.iter().sum::<f64>() / n as f64);
        // Two passes, so that values close to each other keep their digits.
        let sd = mean.filter(|_| n > 1).map(|mean| {
            let squares = defined.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
            (squares / (n - 1) as f64).sqrt()
        });
        Self { mean, sd, n, undefined }
    }

    /// "0.873 (0.021)", "0.873" for a single value, "undefined" for none.
    pub fn to_text(&self, digits: usize) -> String {
        match (self.mean, self.sd) {
            (Some(mean), Some(sd)) => format!("{mean:.digits$} ({sd:.digits$})"),
            (Some(mean), None) => format!("{mean:.digits$}"),
            (None, _) => "undefined".to_owned(),
        }
    }
}

/// The three metrics of one structure, or of all structures together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MetricSummary {
    pub dice: MeanSd,
    pub assd_mm: MeanSd,
    pub hd95_mm: MeanSd,
}

impl MetricSummary {
    pub(super) fn from_fn(summary: impl Fn(Metric) -> MeanSd) -> Self {
        Self { dice: summary(Metric::Dice), assd_mm: summary(Metric::Assd), hd95_mm: summary(Metric::Hd95) }
    }

    pub fn of(&self, metric: Metric) -> MeanSd {
        match metric {
            Metric::Dice => self.dice,
            Metric::Assd => self.assd_mm,
            Metric::Hd95 => self.hd95_mm,
        }
    }
}

/// The three metrics of one structure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StructureSummary {
    pub label: u16,
    pub name: String,
    #[serde(flatten)]
    pub scores: MetricSummary,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn undefined_values_are_counted_and_change_neither_mean_nor_deviation() {
        let all = MeanSd::of([Some(2.0), None, Some(4.0), Some(9.0), None]);
        assert_eq!((all.mean, all.n, all.undefined), (Some(5.0), 3, 2));
        // Deviations -3, -1, 4: squares 26, divided by n - 1 = 2.
        assert!((all.sd.unwrap() - 13.0f64.sqrt()).abs() < 1e-12);
        let one = MeanSd::of([Some(0.5)]);
        assert_eq!((one.mean, one.sd, one.to_text(2).as_str()), (Some(0.5), None, "0.50"));
        let none = MeanSd::of([None]);
        assert_eq!((none.mean, none.sd, none.n, none.undefined), (None, None, 0, 1));
        assert_eq!(none.to_text(2), "undefined");
    }
}
