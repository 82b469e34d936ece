//! The scores of many cases, and what they come to.
//!
//! Invariants: a case stays in the order in which it was added; an undefined score is counted and left out of every mean.

use super::chart::{Bar, BarChart, Range, Series};
use super::moments::{MeanSd, Metric, MetricSummary, StructureSummary};
use super::report::{DEFINITION, Report, StructureScore, mean};
use super::table::{Table, csv_line, csv_number};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How the numbers of a [`CohortSummary`] come out of those of its cases.
const SUMMARY_DEFINITION: &str = "Mean (sample standard deviation) over the cases for which the metric is defined; n of \
    them, undefined: the values that are not. All structures: for each case the mean over its defined structures, then mean \
    and standard deviation over the cases.";

/// The scores of one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// What the case is called: the stem of its file.
    pub case: String,
    /// In the order of the label table.
    pub structures: Vec<StructureScore>,
    /// What a reader of the numbers must know, in full sentences.
    #[serde(default)]
    pub warnings: Vec<String>,
}

impl Case {
    /// The scores of `report` under the case's name.
    pub fn new(case: impl Into<String>, report: Report) -> Self {
        Self { case: case.into(), structures: report.structures, warnings: report.warnings }
    }

    /// One metric of the structure with that label; `None` where it is undefined or was not scored.
    pub fn value(&self, label: u16, metric: Metric) -> Option<f64> {
        self.structures.iter().find(|score| score.label == label).and_then(|score| metric.of(score))
    }

    /// The mean over the structures for which the metric is defined.
    pub fn mean(&self, metric: Metric) -> Option<f64> {
        mean(self.structures.iter().filter_map(|score| metric.of(score)))
    }
}

/// Cases that are reported together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cohort {
    pub cases: Vec<Case>,
}

/// What the cases of a [`Cohort`] come to. The keys are stable: scripts read them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CohortSummary {
    /// What the numbers mean, in words.
    pub definition: String,
    pub cases: usize,
    pub structures: Vec<StructureSummary>,
    /// Of each case's mean over its structures; its `undefined` counts single values.
    pub all_structures: MetricSummary,
}

impl Cohort {
    /// Adds the scores of one more case.
    pub fn add(&mut self, case: impl Into<String>, report: Report) {
        self.cases.push(Case::new(case, report));
    }

    pub fn summary(&self) -> CohortSummary {
        let structures = labels_and_names(&self.cases).into_iter().map(|(label, name)| {
            let scores = MetricSummary::from_fn(|metric| MeanSd::of(self.values(label, metric)));
            StructureSummary { label, name, scores }
        });
        let structures: Vec<StructureSummary> = structures.collect();
        let all_structures = MetricSummary::from_fn(|metric| MeanSd {
            undefined: structures.iter().map(|structure| structure.scores.of(metric).undefined).sum(),
            ..MeanSd::of(self.cases.iter().map(|case| case.mean(metric)))
        });
        CohortSummary {
            definition: format!("{DEFINITION} {SUMMARY_DEFINITION}"),
            cases: self.cases.len(),
            structures,
            all_structures,
        }
    }

    /// One row a case and structure, in full precision; an undefined value is an empty cell.
    pub fn to_csv(&self) -> String {
        let header =
            ["case", "label", "structure", "dice", "assd_mm", "hd95_mm", "prediction_ml", "reference_ml"];
        let mut text = csv_line(&header.map(str::to_owned));
        for case in &self.cases {
            for score in &case.structures {
                let numbers = Metric::ALL.map(|metric| csv_number(metric.of(score)));
                let volumes = [score.prediction_ml, score.reference_ml].map(csv_number);
                let words = [case.case.clone(), score.label.to_string(), score.name.clone()];
                text.push_str(&csv_line(&[&words[..], &numbers[..], &volumes[..]].concat()));
            }
        }
        text
    }

    /// One bar a structure and one for all, a dot a case.
    pub fn chart(&self, metric: Metric, title: &str) -> BarChart {
        let structures = labels_and_names(&self.cases);
        let mut bars: Vec<Bar> =
            structures.iter().map(|(label, _)| Bar::of(self.values(*label, metric))).collect();
        bars.push(Bar::of(self.cases.iter().map(|case| case.mean(metric))));
        let counts = |(name, bar): (String, &Bar)| format!("{name}\nn = {}", bar.values.len());
        let names = structures.into_iter().map(|(_, name)| name).chain(["All structures".to_owned()]);
        BarChart {
            title: title.to_owned(),
            y_label: metric.title().to_owned(),
            range: if metric == Metric::Dice { Range::UnitInterval } else { Range::Automatic },
            groups: names.zip(&bars).map(counts).collect(),
            series: vec![Series { name: String::new(), colour: 0, bars }],
            caption: "Bars: mean over the cases for which the metric is defined. Whiskers: sample standard deviation. \
                Dots: single cases; for all structures, a case's mean over its structures."
                .to_owned(),
        }
    }

    fn values(&self, label: u16, metric: Metric) -> impl Iterator<Item = Option<f64>> {
        self.cases.iter().map(move |case| case.value(label, metric))
    }

    /// Every score of every case, for people.
    pub fn to_text(&self) -> String {
        let titles = Metric::ALL.map(Metric::title);
        let mut table = Table::new(["case", "structure"].into_iter().chain(titles));
        for case in &self.cases {
            for score in &case.structures {
                let cell = |metric: Metric| {
                    let digits = metric.digits() + 1;
                    let text = metric.of(score).map(|value| format!("{value:.digits$}"));
                    text.unwrap_or_else(|| "undefined".to_owned())
                };
                let words = [case.case.clone(), score.name.clone()];
                table.push(words.into_iter().chain(Metric::ALL.map(cell)).collect());
            }
        }
        table.to_text(2)
    }
}

/// The structures of all cases, each once, in the order in which they first occur.
pub(super) fn labels_and_names<'a>(cases: impl IntoIterator<Item = &'a Case>) -> Vec<(u16, String)> {
    let mut found: Vec<(u16, String)> = Vec::new();
    for score in cases.into_iter().flat_map(|case| &case.structures) {
        if found.iter().all(|(label, _)| *label != score.label) {
            found.push((score.label, score.name.clone()));
        }
    }
    found
}

impl fmt::Display for CohortSummary {
    /// A table for people, and what its numbers mean.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = Metric::ALL.iter().flat_map(|metric| [metric.title(), "n", "undefined"]);
        let mut table = Table::new(["structure"].into_iter().chain(columns));
        let mut push = |name: &str, scores: &MetricSummary| {
            let cells = Metric::ALL.iter().flat_map(|metric| {
                let score = scores.of(*metric);
                [score.to_text(metric.digits()), score.n.to_string(), score.undefined.to_string()]
            });
            table.push([name.to_owned()].into_iter().chain(cells).collect());
        };
        for structure in &self.structures {
            push(&structure.name, &structure.scores);
        }
        push("all structures", &self.all_structures);
        write!(f, "{}\n{}", table.to_text(1), self.definition)
    }
}
