//! What a study came to: tables on stdout, and files beside the arms' folders.
//!
//! Everything is shown, whatever it shows.

use super::outcome::{CaseScore, Outcome};
use super::study::Stage;
use crate::eval::ablation::{Arm, ArmResult, Direction, Study};
use crate::eval::{Case, StructureScore};
use crate::volume::{Modality, io};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// Writes tables, JSON and charts into `folder`; returns the text for people.
pub(super) fn write(name: &str, folder: &Path, outcomes: &[Outcome]) -> anyhow::Result<String> {
    let mut text = format!("# Study {name}\n");
    let flips: BTreeSet<Option<u16>> = outcomes.iter().map(|outcome| outcome.contrast_flip).collect();
    for flip in flips {
        let part: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.contrast_flip == flip).collect();
        let study = study_of(&part);
        let stem = flip.map_or_else(|| "results".to_owned(), |label| format!("results-flip-{label}"));
        let file = |ending: &str| folder.join(format!("{stem}{ending}"));
        if let Some(label) = flip {
            write!(text, "\n## Only the contrast of label {label} flips\n")?;
        }
        write!(text, "\n{}", study.summary().to_markdown())?;
        io::write_file(&file(".csv"), study.to_csv().as_bytes())?;
        io::write_file(&file(".json"), study.to_json()?.as_bytes())?;
        for (chart, png) in study.charts()? {
            io::write_file(&file(&format!("-{chart}.png")), &png)?;
        }
        text.push_str(&gap_table(&part));
        text.push_str(&anatomy_table(&part));
    }
    text.push_str(&imbalance_table(outcomes));
    io::write_file(&folder.join("report.md"), text.as_bytes())?;
    Ok(text)
}

/// The scores by arm; the source-only net of the opposite direction, on its own modality, is the supervised ceiling, and
/// the net of *full* is scored without its refinement too.
fn study_of(outcomes: &[&Outcome]) -> Study {
    let mut study = Study::default();
    for outcome in outcomes {
        let Some(arm) = arm_of(&outcome.stage) else { continue };
        let mut add = |source: Modality, arm, scores: &[CaseScore]| {
            if scores.is_empty() {
                return;
            }
            study.results.push(ArmResult {
                direction: Direction { task: outcome.task, source, target: source.other() },
                arm,
                seed: outcome.seed,
                cases: scores
                    .iter()
                    .map(|score| Case::new(format!("phantom {}", score.seed), score.report.clone()))
                    .collect(),
            });
        };
        add(outcome.source, Arm::FullUnrefined, &outcome.target_unrefined);
        add(outcome.source, arm, &outcome.target);
        add(outcome.source.other(), Arm::Supervised, &outcome.source_modality);
    }
    study
}

fn arm_of(stage: &str) -> Option<Arm> {
    Arm::ALL.into_iter().find(|arm| arm.name() == stage)
}

/// Mean a(p) inside each structure of the test phantoms, by direction, seed and arm.
fn gap_table(outcomes: &[&Outcome]) -> String {
    let mut text = String::new();
    for outcome in outcomes.iter().filter(|outcome| measures_gap(&outcome.stage)) {
        let Some(first) = outcome.target.first() else { continue };
        let names: Vec<&str> = first.report.structures.iter().map(|s| s.name.as_str()).collect();
        if text.is_empty() {
            let head = names.join(" | ");
            let rule = "---|".repeat(names.len());
            text = format!(
                "\n### Mean gap a(p) in the target phantoms\n\n| direction | seed | arm | {head} | elsewhere |\n|---|---|---|{rule}---|\n"
            );
        }
        let inside = (0..names.len()).map(|n| {
            let gap = mean(outcome.target.iter().filter_map(|case| case.gap_of_structure[n]));
            gap.map_or_else(|| "undefined".to_owned(), |gap| format!("{gap:.3}"))
        });
        let elsewhere = mean(outcome.target.iter().map(|case| case.gap_elsewhere)).unwrap_or(0.0);
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "| {} to {} | {} | {} | {} | {elsewhere:.3} |",
            outcome.source.name(),
            outcome.source.other().name(),
            outcome.seed,
            outcome.stage,
            inside.collect::<Vec<_>>().join(" | ")
        );
    }
    text
}

/// For studies in which one structure's contrast flips: whether the gap finds it, whether training closes the gap, and what
/// the mask adds to global alignment.
fn imbalance_table(outcomes: &[Outcome]) -> String {
    let mut rows = String::new();
    let (mut largest, mut fell, mut above, mut differences) = (0, 0, 0, Vec::new());
    for both in outcomes.iter().filter(|outcome| outcome.stage == Arm::Both.name()) {
        let Some(flip) = both.contrast_flip else { continue };
        let sibling = |stage: &str| {
            outcomes.iter().find(|other| {
                other.stage == stage
                    && (other.task, other.source, other.seed) == (both.task, both.source, both.seed)
                    && other.contrast_flip == both.contrast_flip
            })
        };
        let names = [Arm::Global.name(), Stage::GapBefore.name(), Stage::GapAfter.name()];
        let [Some(global), Some(before), Some(after)] = names.map(sibling) else { continue };
        let of_flip =
            |outcome: &Outcome| outcome.gaps.iter().find(|gap| gap.label == flip).map(|gap| gap.gap);
        let (Some(early), Some(late)) = (of_flip(before), of_flip(after)) else { continue };
        let others = before.gaps.iter().filter(|gap| gap.label != flip).map(|gap| gap.gap);
        let others = others.fold(0.0, f64::max);
        let (Some(with), Some(without)) = (mean_dice(both), mean_dice(global)) else { continue };
        largest += usize::from(early > others);
        fell += usize::from(late < early);
        above += usize::from(with > without);
        differences.push(with - without);
        let (from, to) = (both.source.name(), both.source.other().name());
        let name = both.task.table().entry(flip).map_or("", |entry| entry.name.as_str());
        // Writing into a string cannot fail.
        let _ = writeln!(
            rows,
            "| {name}, {from} to {to} | {} | {early:.3} | {others:.3} | {late:.3} | {without:.3} | {with:.3} |",
            both.seed
        );
    }
    let count = differences.len();
    let Some(average) = mean(differences.iter().copied()) else { return String::new() };
    let variance = mean(differences.iter().map(|d| (d - average).powi(2))).unwrap_or(0.0);
    let spread = (variance * count as f64 / (count.max(2) - 1) as f64).sqrt();
    format!(
        "\n## Local imbalance\n\nMean gap a(p) on labelled source slices, as a fresh critic sees it on the net before the adaptation and on \
         that of the arm both after it; mean Dice of all structures.\n\n| flipped | seed | its gap before | largest other before | its gap after | \
         global | both |\n|---|---|---|---|---|---|---|\n{rows}\nThe gap is largest in the flipped structure in {largest} of {count}, \
         and falls in {fell} of {count}. Both is above global in {above} of {count}: mean difference {average:+.3} (standard \
         deviation {spread:.3}).\n"
    )
}

/// Mean Dice over the structures of all test phantoms.
fn mean_dice(outcome: &Outcome) -> Option<f64> {
    let structures = outcome.target.iter().flat_map(|case| &case.report.structures);
    mean(structures.filter_map(|structure| structure.dice))
}

/// Only arms with a feature critic have a gap to show.
fn measures_gap(stage: &str) -> bool {
    [Arm::Local, Arm::Both, Arm::Full].iter().any(|arm| arm.name() == stage)
}

/// How well the translators kept the anatomy.
fn anatomy_table(outcomes: &[&Outcome]) -> String {
    let mut text = String::new();
    for outcome in outcomes.iter().filter(|outcome| !outcome.anatomy.is_empty()) {
        if text.is_empty() {
            text.push_str("\n### Anatomy of the translations\n\n| direction | seed | edge agreement | cycle Dice |\n|---|---|---|---|\n");
        }
        let edges = mean(outcome.anatomy.iter().map(|score| score.edge_agreement)).unwrap_or(0.0);
        let dice = |structure: &StructureScore| structure.dice;
        let cycle =
            mean(outcome.anatomy.iter().flat_map(|score| score.cycle.structures.iter().filter_map(dice)));
        let cycle = cycle.map_or_else(|| "undefined".to_owned(), |dice| format!("{dice:.3}"));
        let (from, to) = (outcome.source.name(), outcome.source.other().name());
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "| {}, {from} to {to} | {} | {edges:.3} | {cycle} |",
            outcome.task.name(),
            outcome.seed
        );
    }
    text
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0u32);
    for value in values {
        (sum, count) = (sum + value, count + 1);
    }
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::super::outcome::{MeanGap, Measured};
    use super::*;
    use crate::dataset::phantom::GENERATOR_VERSION;
    use crate::eval::{MeanScore, Report};
    use crate::volume::Task;

    fn score(dice: f64) -> CaseScore {
        let (dice, name) = (Some(dice), "Liver".to_owned());
        let structure = StructureScore { label: 1, name, dice, ..StructureScore::default() };
        let report = Report {
            definition: String::new(),
            structures: vec![structure],
            mean: MeanScore { dice, assd_mm: None, hd95_mm: None },
            warnings: Vec::new(),
        };
        CaseScore { seed: 9, report, gap_of_structure: vec![None], gap_elsewhere: 0.0 }
    }

    fn outcome(stage: &str, seed: u64, dice: f64, gaps: [f64; 2]) -> Outcome {
        Outcome {
            task: Task::Abdomen,
            source: Modality::Ct,
            seed,
            contrast_flip: Some(2),
            stage: stage.to_owned(),
            train_seconds: 1.0,
            measured: Measured {
                generator_version: GENERATOR_VERSION,
                target: None,
                target_unrefined: None,
                source_modality: None,
                anatomy: None,
            },
            target: vec![score(dice)],
            target_unrefined: Vec::new(),
            source_modality: Vec::new(),
            anatomy: Vec::new(),
            gaps: gaps.iter().zip(1..).map(|(&gap, label)| MeanGap { label, gap }).collect(),
        }
    }

    #[test]
    fn a_gap_that_is_not_largest_in_the_flipped_structure_counts_against_the_mask() {
        let outcomes = [
            outcome("global", 1, 0.6, [0.0; 2]),
            outcome("both", 1, 0.7, [0.0; 2]),
            outcome("gap-before", 1, 0.0, [0.1, 0.4]),
            outcome("gap-after", 1, 0.0, [0.1, 0.2]),
            outcome("global", 2, 0.6, [0.0; 2]),
            outcome("both", 2, 0.5, [0.0; 2]),
            outcome("gap-before", 2, 0.0, [0.5, 0.4]),
            outcome("gap-after", 2, 0.0, [0.1, 0.6]),
        ];
        let text = imbalance_table(&outcomes);
        assert!(text.contains("largest in the flipped structure in 1 of 2, and falls in 1 of 2"), "{text}");
        assert!(text.contains("above global in 1 of 2: mean difference +0.000"), "{text}");
    }

    #[test]
    fn what_full_gains_by_refinement_stands_in_a_row_of_its_own() {
        let full = Outcome { target_unrefined: vec![score(0.7)], ..outcome("full", 1, 0.9, [0.0; 2]) };
        let study = study_of(&[&full, &outcome("both", 1, 0.6, [0.0; 2])]);
        let rows: Vec<(Arm, Option<f64>)> =
            study.results.iter().map(|result| (result.arm, result.cases[0].structures[0].dice)).collect();
        assert_eq!(rows, [(Arm::FullUnrefined, Some(0.7)), (Arm::Full, Some(0.9)), (Arm::Both, Some(0.6))]);
    }
}
