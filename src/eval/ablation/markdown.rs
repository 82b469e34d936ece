//! A study's summary as Markdown that also reads well as plain text.

use super::summary::{DirectionSummary, Summary};
use crate::eval::moments::Metric;
use crate::eval::table::Table;

impl Summary {
    /// Every table of the study, its warnings, and what the numbers mean.
    pub fn to_markdown(&self) -> String {
        let mut text = String::new();
        for direction in &self.directions {
            text.push_str(&format!("## {}\n\n", direction.direction));
            for metric in Metric::ALL {
                text.push_str(&format!("{}, mean (SD over seeds):\n\n", metric.title()));
                text.push_str(&scores(direction, metric).to_markdown());
                text.push('\n');
            }
            text.push_str(&gap_closed(direction));
            text.push_str(&differences(direction));
        }
        for warning in &self.warnings {
            text.push_str(&format!("**Warning:** {warning}\n\n"));
        }
        text.push_str(&self.definition);
        text.push('\n');
        text
    }
}

/// One metric: a row an arm, a column a structure.
fn scores(direction: &DirectionSummary, metric: Metric) -> Table {
    let structures = direction.arms.first().map_or(&[][..], |arm| &arm.structures);
    let names = structures.iter().map(|structure| structure.name.as_str());
    let mut table =
        Table::new(["arm"].into_iter().chain(names).chain(["mean", "seeds", "cases", "undefined"]));
    for arm in &direction.arms {
        let digits = metric.digits();
        let mut row = vec![arm.arm.to_string()];
        row.extend(arm.structures.iter().map(|structure| structure.scores.of(metric).to_text(digits)));
        let mean = arm.mean.of(metric);
        let cases: usize = arm.seeds.iter().map(|seed| seed.cases).sum();
        row.extend([mean.to_text(digits), arm.seeds.len().to_string()]);
        row.extend([cases.to_string(), mean.undefined.to_string()]);
        table.push(row);
    }
    table
}

/// How much of the gap each arm closed, seed by seed, and why where that is undefined.
fn gap_closed(direction: &DirectionSummary) -> String {
    let arms = || direction.arms.iter().filter_map(|arm| Some((arm.arm, arm.gap_closed.as_ref()?)));
    let mut seeds: Vec<u64> = arms().flat_map(|(_, gap)| gap.seeds.iter().map(|seed| seed.seed)).collect();
    seeds.sort_unstable();
    seeds.dedup();
    if seeds.is_empty() {
        return String::new();
    }
    let titles = seeds.iter().map(|seed| format!("seed {seed}"));
    let mut table =
        Table::new(["gap closed by".to_owned()].into_iter().chain(titles).chain(["mean (SD)".to_owned()]));
    let mut reasons = String::new();
    for (arm, gap) in arms() {
        let mut row = vec![arm.to_string()];
        row.extend(seeds.iter().map(|seed| {
            let of_seed = gap.seeds.iter().find(|scores| scores.seed == *seed);
            of_seed.map_or("no result".to_owned(), |scores| signed_or_undefined(scores.gap_closed, false))
        }));
        row.push(gap.over_seeds.to_text(3));
        table.push(row);
        for seed in &gap.seeds {
            if let Some(reason) = &seed.undefined_because {
                reasons.push_str(&format!("* {arm}, seed {}: undefined, because {reason}.\n", seed.seed));
            }
        }
    }
    if !reasons.is_empty() {
        reasons.push('\n');
    }
    format!(
        "Gap closed, 0 being source-only and 1 supervised, neither of them refined:\n\n{}\n{reasons}",
        table.to_markdown()
    )
}

/// "both" less "global", seed by seed.
fn differences(direction: &DirectionSummary) -> String {
    let Some(first) = direction.both_less_global.first() else { return String::new() };
    let titles = first.seeds.iter().map(|seed| format!("seed {}", seed.seed));
    let ends = ["mean (SD)", "positive"].map(str::to_owned);
    let mut table = Table::new(["both - global".to_owned()].into_iter().chain(titles).chain(ends));
    for row in &direction.both_less_global {
        let mut cells = vec![row.name.clone()];
        cells.extend(row.seeds.iter().map(|seed| signed_or_undefined(seed.difference, true)));
        let sign = if row.over_seeds.mean.is_some_and(|mean| mean >= 0.0) { "+" } else { "" };
        cells.push(format!("{sign}{}", row.over_seeds.to_text(3)));
        cells.push(format!("{} of {}", row.positive, row.over_seeds.n));
        table.push(cells);
    }
    format!("Dice of both less Dice of global, paired by seed:\n\n{}\n", table.to_markdown())
}

fn signed_or_undefined(value: Option<f64>, signed: bool) -> String {
    match value {
        Some(value) if signed => format!("{value:+.3}"),
        Some(value) => format!("{value:.3}"),
        None => "undefined".to_owned(),
    }
}
