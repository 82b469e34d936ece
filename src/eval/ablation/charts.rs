//! A study's summary as charts.
//!
//! Invariant: an arm has the same colour in every chart of every study.

use super::summary::{ArmSummary, DirectionSummary, Summary};
use super::{Arm, Direction};
use crate::eval::chart::{Bar, BarChart, ChartError, Range, Series};
use crate::eval::moments::Metric;
use rayon::prelude::*;

/// What bars, whiskers and dots are in all of them.
const MARKS: &str =
    "Bars: mean over seeds. Whiskers: sample standard deviation. Dots: single seeds, ascending.";

pub(super) fn draw(summary: &Summary) -> Result<Vec<(String, Vec<u8>)>, ChartError> {
    let mut charts = Vec::new();
    if !summary.directions.is_empty() {
        charts.push(("dice-by-direction".to_owned(), dice_by_direction(summary)));
        charts.push(("gap-closed".to_owned(), gap_closed(summary)));
    }
    for direction in &summary.directions {
        for metric in Metric::ALL {
            let name = format!("{}-{}", metric.key(), direction.direction.key());
            charts.push((name, by_structure(summary, direction, metric)));
        }
    }
    charts.into_par_iter().map(|(name, chart)| Ok((name, chart.to_png()?))).collect()
}

/// The arms that have a result in any direction.
fn arms(summary: &Summary) -> Vec<Arm> {
    let has = |arm: &Arm| summary.directions.iter().any(|direction| direction.arm(*arm).is_some());
    Arm::ALL.into_iter().filter(has).collect()
}

/// Each arm's place in the palette. It is not its place among the arms: one that is added between them must not repaint the
/// others, whose charts may lie beside those of an earlier study.
fn colour(arm: Arm) -> usize {
    match arm {
        Arm::SourceOnly => 0,
        Arm::Global => 1,
        Arm::Local => 2,
        Arm::Both => 3,
        Arm::Full => 4,
        Arm::Supervised => 5,
        Arm::FullUnrefined => 6,
    }
}

/// One series an arm, with a bar for each of `groups`; undefined where the arm has no result.
fn series<G>(arms: &[Arm], groups: &[G], bar: impl Fn(Arm, &G) -> Option<Bar>) -> Vec<Series> {
    let of_arm = |&arm: &Arm| Series {
        name: arm.to_string(),
        colour: colour(arm),
        bars: groups.iter().map(|group| bar(arm, group).unwrap_or_default()).collect(),
    };
    arms.iter().map(of_arm).collect()
}

fn dice_by_direction(summary: &Summary) -> BarChart {
    let bar = |arm: Arm, direction: &DirectionSummary| {
        let seeds = &direction.arm(arm)?.seeds;
        Some(Bar::of(seeds.iter().map(|seed| seed.mean.dice)))
    };
    BarChart {
        title: "Mean Dice over all structures, by direction and arm".to_owned(),
        y_label: "mean Dice".to_owned(),
        range: Range::UnitInterval,
        groups: direction_names(summary),
        series: series(&arms(summary), &summary.directions, bar),
        caption: format!("{MARKS} A seed's score is the mean over structures of the mean over test cases."),
    }
}

fn gap_closed(summary: &Summary) -> BarChart {
    let bar = |arm: Arm, direction: &DirectionSummary| {
        let gap = direction.arm(arm)?.gap_closed.as_ref()?;
        Some(Bar::of(gap.seeds.iter().map(|seed| seed.gap_closed)))
    };
    // The two that span the gap are the ends of the scale and need no bar.
    let mut arms = arms(summary);
    arms.retain(|arm| ![Arm::SourceOnly, Arm::Supervised].contains(arm));
    BarChart {
        title: "Gap closed between source-only (0) and supervised (1), by direction and arm".to_owned(),
        y_label: "share of the Dice gap".to_owned(),
        range: Range::Automatic,
        groups: direction_names(summary),
        series: series(&arms, &summary.directions, bar),
        caption: format!(
            "{MARKS} No value where supervised is not more than 0.05 Dice above source-only, or an arm lacks the seed. \
             Only full is refined; source-only and supervised, the ends of the scale, are not."
        ),
    }
}

fn by_structure(summary: &Summary, direction: &DirectionSummary, metric: Metric) -> BarChart {
    let structures = direction.arms.first().map_or(&[][..], |arm| &arm.structures);
    let labels = structures.iter().map(|structure| Some(structure.label)).chain([None]);
    let names = structures.iter().map(|structure| structure.name.clone());
    let bar = |arm: Arm, label: &Option<u16>| {
        let seeds = &direction.arm(arm)?.seeds;
        Some(Bar::of(seeds.iter().map(|seed| match label {
            Some(label) => seed.value(*label, metric),
            None => metric.of_mean(&seed.mean),
        })))
    };
    BarChart {
        title: format!("{} by structure and arm: {}", metric.title(), direction.direction),
        y_label: metric.title().to_owned(),
        range: if metric == Metric::Dice { Range::UnitInterval } else { Range::Automatic },
        groups: names.chain(["Mean".to_owned()]).collect(),
        series: series(&arms(summary), &labels.collect::<Vec<_>>(), bar),
        caption: format!("{MARKS} {}", counts(direction)),
    }
}

/// How many seeds and test cases stand behind the bars.
fn counts(direction: &DirectionSummary) -> String {
    let cases = |arm: &ArmSummary| arm.seeds.iter().map(|seed| seed.cases).sum::<usize>();
    let counts: Vec<[usize; 2]> = direction.arms.iter().map(|arm| [arm.seeds.len(), cases(arm)]).collect();
    if let Some([seeds, cases]) = counts.first()
        && counts.iter().all(|other| other == &[*seeds, *cases])
    {
        return format!("Each arm: {seeds} seeds, {cases} scored test cases in all.");
    }
    let arms = direction.arms.iter().zip(counts);
    let texts = arms.map(|(arm, [seeds, cases])| format!("{} {seeds} and {cases}", arm.arm));
    format!("Seeds and scored test cases: {}.", texts.collect::<Vec<_>>().join("; "))
}

fn direction_names(summary: &Summary) -> Vec<String> {
    let name = |Direction { task, source, target }: Direction| {
        format!("{}\n{} to {}", task.name(), source.name(), target.name())
    };
    summary.directions.iter().map(|direction| name(direction.direction)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::chart::MAX_SERIES;

    #[test]
    fn charts_of_two_studies_can_be_laid_side_by_side() {
        let earlier = [Arm::SourceOnly, Arm::Global, Arm::Local, Arm::Both, Arm::Full, Arm::Supervised];
        assert_eq!(earlier.map(colour), [0, 1, 2, 3, 4, 5]);
        let mut colours = Arm::ALL.map(colour);
        colours.sort_unstable();
        assert!(colours.windows(2).all(|pair| pair[0] < pair[1]), "two arms have one colour");
        assert!(colours.iter().all(|colour| *colour < MAX_SERIES));
    }
}
