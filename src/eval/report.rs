//! Scores as they are printed and stored.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What the numbers of a [`Report`] mean.
pub(super) const DEFINITION: &str = "Dice = 2|P and R| / (|P| + |R|) over voxels. Surface voxels are those of a mask with \
    one of their six face neighbours outside it; beyond the volume is outside. ASSD and HD95 are the mean and the 95th \
    percentile (linear interpolation) of the Euclidean distances, in mm between voxel centres, from every surface voxel of \
    P and of R to the nearest surface voxel of the other, both directions pooled (as in MedPy; MONAI pools for ASSD too, \
    but takes the larger of the two directed percentiles for HD95). Undefined values are null and left out of the means.";

/// How well a prediction agrees with a reference. The keys are stable: scripts read them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What the numbers mean, in words.
    pub definition: String,
    /// In the order of the label table.
    pub structures: Vec<StructureScore>,
    /// Over the structures for which the metric is defined.
    pub mean: MeanScore,
    /// What a reader of the numbers must know, in full sentences.
    pub warnings: Vec<String>,
}

/// Scores of one structure; `None` is undefined.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StructureScore {
    pub label: u16,
    pub name: String,
    /// 0 to 1.
    pub dice: Option<f64>,
    /// Average symmetric surface distance.
    pub assd_mm: Option<f64>,
    /// 95th percentile of the surface distances.
    pub hd95_mm: Option<f64>,
    /// Volume in the prediction and in the reference, mL; of single cases whose voxel size is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction_ml: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_ml: Option<f64>,
}

/// Means of the defined scores; `None` where no structure has one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MeanScore {
    pub dice: Option<f64>,
    pub assd_mm: Option<f64>,
    pub hd95_mm: Option<f64>,
}

impl Report {
    pub(super) fn new(
        structures: Vec<StructureScore>,
        spacing_mm: Option<[f64; 3]>,
        warnings: Vec<String>,
    ) -> Self {
        let mean = MeanScore {
            dice: mean(structures.iter().filter_map(|score| score.dice)),
            assd_mm: mean(structures.iter().filter_map(|score| score.assd_mm)),
            hd95_mm: mean(structures.iter().filter_map(|score| score.hd95_mm)),
        };
        let spacing = spacing_mm.map(|[i, j, k]| format!(" Voxels of {i:.4} x {j:.4} x {k:.4} mm."));
        let definition = DEFINITION.to_owned() + &spacing.unwrap_or_default();
        Self { definition, structures, mean, warnings }
    }
}

pub(super) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0usize), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}

impl fmt::Display for Report {
    /// A table for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.structures.iter().map(|score| score.name.chars().count()).max().unwrap_or(0).max(9);
        let titles =
            ["Dice", "ASSD mm", "HD95 mm", "mL", "ref. mL"].map(|title| format!("  {title:>9}")).concat();
        writeln!(f, "label  {:width$}{titles}", "structure")?;
        let cell = |value: Option<f64>, digits: usize| {
            value.map_or_else(|| "undefined".to_owned(), |value| format!("{value:.digits$}"))
        };
        let row = |label: &str, name: &str, [dice, assd, hd95]: [Option<f64>; 3]| {
            let (dice, assd, hd95) = (cell(dice, 4), cell(assd, 3), cell(hd95, 3));
            format!("{label:>5}  {name:width$}  {dice:>9}  {assd:>9}  {hd95:>9}")
        };
        for score in &self.structures {
            let scores = [score.dice, score.assd_mm, score.hd95_mm];
            let [predicted, actual] = [score.prediction_ml, score.reference_ml].map(|ml| cell(ml, 3));
            let scores = row(&score.label.to_string(), &score.name, scores);
            writeln!(f, "{scores}  {predicted:>9}  {actual:>9}")?;
        }
        writeln!(f, "{}", row("", "mean", [self.mean.dice, self.mean.assd_mm, self.mean.hd95_mm]))?;
        for warning in &self.warnings {
            writeln!(f, "{warning}")?;
        }
        write!(f, "{}", self.definition)
    }
}
