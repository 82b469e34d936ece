//! An ablation study's figures against numbers computed by hand, and its tables.

#![allow(clippy::unwrap_used)]

use mindgap::eval::ablation::{Arm, ArmResult, Direction, Study, Summary};
use mindgap::eval::{Case, StructureScore};
use mindgap::volume::{Modality, Task};

const CT_TO_MR: Direction = Direction { task: Task::Abdomen, source: Modality::Ct, target: Modality::Mr };

fn score(label: u16, name: &str, dice: Option<f64>) -> StructureScore {
    let far = dice.map(|dice| 10.0 * (1.0 - dice));
    let hd95_mm = far.map(|mm| 3.0 * mm);
    StructureScore { label, name: name.into(), dice, assd_mm: far, hd95_mm, ..StructureScore::default() }
}

/// A test case in which liver and spleen have these Dice values.
fn case(name: &str, liver: Option<f64>, spleen: Option<f64>) -> Case {
    let structures = vec![score(1, "Liver", liver), score(4, "Spleen", spleen)];
    Case { case: name.into(), structures, warnings: Vec::new() }
}

fn result(arm: Arm, seed: u64, liver: f64, spleen: f64) -> ArmResult {
    // Two cases whose mean is what was asked for.
    let cases =
        vec![case("p1", Some(liver - 0.02), Some(spleen)), case("p2", Some(liver + 0.02), Some(spleen))];
    ArmResult { direction: CT_TO_MR, arm, seed, cases }
}

/// Mean Dice, seed 1: 0.4, 0.5, 0.6, 0.8; seed 2: 0.3, 0.6, 0.55, 0.7.
fn study() -> Study {
    let results = vec![
        result(Arm::Supervised, 1, 0.9, 0.7),
        result(Arm::Both, 1, 0.8, 0.4),
        result(Arm::Global, 1, 0.6, 0.4),
        result(Arm::SourceOnly, 1, 0.5, 0.3),
        result(Arm::SourceOnly, 2, 0.4, 0.2),
        result(Arm::Global, 2, 0.7, 0.5),
        result(Arm::Both, 2, 0.6, 0.5),
        result(Arm::Supervised, 2, 0.8, 0.6),
    ];
    Study { results }
}

fn close(value: Option<f64>, expected: f64) {
    assert!(value.is_some_and(|value| (value - expected).abs() < 1e-12), "{value:?} instead of {expected}");
}

#[test]
fn means_deviations_gap_and_paired_differences_are_those_computed_by_hand() {
    let summary = study().summary();
    let direction = &summary.directions[0];
    assert_eq!(
        direction.arms.iter().map(|arm| arm.arm).collect::<Vec<_>>(),
        [Arm::SourceOnly, Arm::Global, Arm::Both, Arm::Supervised]
    );
    let both = direction.arm(Arm::Both).unwrap();
    close(both.structures[0].scores.dice.mean, 0.7);
    // Over the seeds 0.8 and 0.6: deviations of 0.1, squares 0.02, divided by n - 1 = 1.
    close(both.structures[0].scores.dice.sd, 0.02f64.sqrt());
    close(both.mean.dice.mean, 0.575);
    close(both.structures[0].scores.assd_mm.mean, 3.0);
    // Seed 1: (0.6 - 0.4) / (0.8 - 0.4) = 0.5; seed 2: (0.55 - 0.3) / (0.7 - 0.3) = 0.625.
    let gap = both.gap_closed.as_ref().unwrap();
    close(gap.seeds[0].gap_closed, 0.5);
    close(gap.seeds[1].gap_closed, 0.625);
    close(gap.over_seeds.mean, 0.5625);
    close(direction.arm(Arm::Global).unwrap().gap_closed.as_ref().unwrap().over_seeds.mean, 0.5);
    assert_eq!(direction.arm(Arm::Supervised).unwrap().gap_closed, None);
    // Liver: 0.8 - 0.6 and 0.6 - 0.7; mean: 0.6 - 0.5 and 0.55 - 0.6.
    let [liver, _, mean] = &direction.both_less_global[..] else { panic!("{direction:?}") };
    close(liver.over_seeds.mean, 0.05);
    close(liver.over_seeds.sd, 0.045f64.sqrt());
    close(mean.seeds[0].difference, 0.1);
    close(mean.over_seeds.mean, 0.025);
    assert_eq!((mean.name.as_str(), mean.positive, mean.over_seeds.n), ("mean", 1, 2));
    assert!(summary.warnings.is_empty(), "{:?}", summary.warnings);
}

#[test]
fn a_gap_that_is_too_small_or_has_no_ceiling_is_undefined_and_says_why() {
    let mut study = study();
    // Seed 1: supervised only 0.04 above source-only. Seed 2: no supervised result.
    study.results[0] = result(Arm::Supervised, 1, 0.54, 0.34);
    study.results.pop();
    let summary = study.summary();
    let gap = summary.directions[0].arm(Arm::Both).unwrap().gap_closed.clone().unwrap();
    assert_eq!((gap.over_seeds.mean, gap.over_seeds.n, gap.over_seeds.undefined), (None, 0, 2));
    let why = |n: usize| gap.seeds[n].undefined_because.clone().unwrap();
    assert!(why(0).contains("+0.040 from source-only (0.400)"), "{}", why(0));
    assert!(why(1).contains("supervised has no result of this seed"), "{}", why(1));
    let markdown = summary.to_markdown();
    assert!(markdown.contains("* both, seed 2: undefined, because supervised has no result"), "{markdown}");
    assert!(
        markdown.contains("supervised has no result of seed 2.") && !markdown.contains("NaN"),
        "{markdown}"
    );
    study.charts().unwrap();
}

#[test]
fn what_refinement_adds_to_full_is_shown_apart_and_no_part_of_what_the_net_closed() {
    let mut study = study();
    study.results.push(result(Arm::Full, 1, 0.9, 0.6));
    study.results.push(result(Arm::FullUnrefined, 1, 0.8, 0.6));
    let summary = study.summary();
    let direction = &summary.directions[0];
    let arms: Vec<Arm> = direction.arms.iter().map(|arm| arm.arm).collect();
    assert_eq!(arms[2..], [Arm::Both, Arm::FullUnrefined, Arm::Full, Arm::Supervised]);
    // Seed 1: (0.7 - 0.4) / (0.8 - 0.4) without the refinement, (0.75 - 0.4) / (0.8 - 0.4) with it.
    let closed = |arm| direction.arm(arm).unwrap().gap_closed.as_ref().unwrap().over_seeds.mean;
    close(closed(Arm::FullUnrefined), 0.75);
    close(closed(Arm::Full), 0.875);
    let markdown = summary.to_markdown();
    assert!(markdown.contains("| full, not refined |") && markdown.contains(" 0.750 |"), "{markdown}");
    assert!(markdown.contains("Only the labels of full are refined"), "{markdown}");
    // Scripts read these names: words for people have no place in them.
    assert!(study.to_csv().contains("\nabdomen,CT,MR,full-unrefined,1,p1,1,Liver,"), "{}", study.to_csv());
    let value: serde_json::Value = serde_json::from_str(&study.to_json().unwrap()).unwrap();
    assert_eq!(value["results"][9]["arm"], "full-unrefined");
    assert!(study.charts().is_ok());
}

#[test]
fn undefined_scores_are_counted_and_no_part_of_a_mean() {
    let mut study = study();
    study.results[1].cases[0] = case("p1", Some(0.7), None);
    study.results[1].cases[1] = case("p2", None, None);
    let summary = study.summary();
    let both = summary.directions[0].arm(Arm::Both).unwrap();
    assert_eq!((both.seeds[0].structures[0].dice, both.seeds[0].structures[1].dice), (Some(0.7), None));
    assert_eq!(both.structures.iter().map(|s| s.scores.dice.undefined).collect::<Vec<_>>(), [1, 2]);
    assert_eq!((both.structures[1].scores.dice.n, both.mean.dice.undefined), (1, 3));
    let spleen = &summary.directions[0].both_less_global[1];
    assert_eq!((spleen.seeds[0].difference, spleen.over_seeds.n, spleen.over_seeds.undefined), (None, 1, 1));
    let csv = study.to_csv();
    assert!(csv.contains("\nabdomen,CT,MR,both,1,p2,1,Liver,,,\n"), "{csv}");
}

#[test]
fn arms_that_were_not_tested_alike_are_named() {
    let mut study = study();
    study.results[2].cases.pop();
    study.results.push(result(Arm::Both, 1, 0.8, 0.4));
    study.results.remove(5);
    let warnings = study.summary().warnings.join("\n");
    assert!(
        warnings.contains("global of seed 1 was tested on other cases than supervised of seed 1"),
        "{warnings}"
    );
    assert!(warnings.contains("both has more than one result of seed 1"), "{warnings}");
    assert!(warnings.contains("abdomen, CT to MR: global has no result of seed 2."), "{warnings}");
}

#[test]
fn tables_show_every_arm_and_files_read_back_as_they_were() {
    let study = study();
    let markdown = study.summary().to_markdown();
    assert!(markdown.contains("## abdomen, CT to MR") && markdown.contains("| both "), "{markdown}");
    assert!(markdown.contains(" 1 of 2 |") && markdown.contains("+0.025 (0.106)"), "{markdown}");
    let csv = study.to_csv();
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 1 + 8 * 2 * 2);
    assert!(rows.iter().all(|row| row.len() == 11));
    let liver = rows.iter().find(|row| row[3..7] == ["both", "1", "p2", "1"]).unwrap();
    assert_eq!(liver[8].parse::<f64>().unwrap().to_bits(), (0.8f64 + 0.02).to_bits());
    let json = study.to_json().unwrap();
    // Numbers come back from JSON to within the last bit.
    let read: Study = serde_json::from_str(&json).unwrap();
    assert_eq!((read.results.len(), read.summary().to_markdown()), (8, markdown.clone()));
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let summary: Summary = serde_json::from_value(value["summary"].clone()).unwrap();
    assert_eq!(summary.to_markdown(), markdown);
    assert_eq!(value["results"][1]["arm"], "both");
    assert_eq!(Study::default().summary().directions, []);
    assert!(Study::default().charts().unwrap().is_empty());
}
