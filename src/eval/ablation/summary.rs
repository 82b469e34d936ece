//! What the results of a study come to: means over seeds, the gap closed, and differences within a seed.

use super::{Arm, ArmResult, Direction, Study};
use crate::eval::cohort::{Case, labels_and_names};
use crate::eval::moments::{MeanSd, Metric, MetricSummary, StructureSummary};
use crate::eval::report::{DEFINITION, MeanScore, StructureScore, mean};
use serde::{Deserialize, Serialize};

/// The gap between source-only and supervised, in Dice, at or below which nothing can be said about closing it.
const MIN_GAP: f64 = 0.05;

const SUMMARY_DEFINITION: &str = "A seed's score of a structure is the mean over its test cases, and its mean score the \
    mean over the structures; undefined values are left out and counted. Mean (sample standard deviation) are over the \
    seeds. Gap closed = (Dice of the arm - Dice of source-only) / (Dice of supervised - Dice of source-only), from the mean \
    scores of the same seed, then averaged over the seeds; undefined where supervised is not more than 0.05 above \
    source-only. Only the labels of full are refined (averaged views, intensities, shapes); those of every other arm, and so \
    of both ends of the scale, are as the net drew them. Full, not refined, is the same net as full without that. Paired \
    differences are of Dice within a seed.";

/// What a study comes to. The keys are stable: scripts read them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// What the numbers mean, in words.
    pub definition: String,
    pub directions: Vec<DirectionSummary>,
    /// What keeps the arms from being compared, in full sentences.
    pub warnings: Vec<String>,
}

/// All arms of one direction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DirectionSummary {
    #[serde(flatten)]
    pub direction: Direction,
    /// In the order of [`Arm::ALL`]; arms without a result are left out.
    pub arms: Vec<ArmSummary>,
    /// "both" less "global": one a structure, then one of the mean. Empty where an arm has no result.
    pub both_less_global: Vec<PairedDifference>,
}

/// One arm in one direction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmSummary {
    pub arm: Arm,
    /// Ascending by seed.
    pub seeds: Vec<SeedScores>,
    /// Over the seeds; `undefined` counts single values of test cases.
    pub structures: Vec<StructureSummary>,
    /// Of the seeds' mean scores; `undefined` counts single values of test cases.
    pub mean: MetricSummary,
    /// `None` for source-only and supervised, which span the gap.
    pub gap_closed: Option<GapClosed>,
}

/// One trained net's scores, each the mean over its test cases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeedScores {
    pub seed: u64,
    /// How many test cases.
    pub cases: usize,
    pub structures: Vec<StructureScore>,
    /// Over the structures for which the metric is defined.
    pub mean: MeanScore,
}

/// How much of the way from source-only to supervised an arm went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GapClosed {
    pub seeds: Vec<SeedGap>,
    pub over_seeds: MeanSd,
}

/// The gap that one seed closed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeedGap {
    pub seed: u64,
    /// 0 at source-only, 1 at supervised; may lie beyond either.
    pub gap_closed: Option<f64>,
    /// Why there is none, in words.
    pub undefined_because: Option<String>,
}

/// The difference of Dice between two arms, seed by seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PairedDifference {
    /// `None` for the mean over the structures.
    pub label: Option<u16>,
    pub name: String,
    pub seeds: Vec<SeedDifference>,
    pub over_seeds: MeanSd,
    /// In how many seeds the difference is above 0.
    pub positive: usize,
}

/// One seed of a [`PairedDifference`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SeedDifference {
    pub seed: u64,
    /// `None` where an arm lacks the seed, or a score is undefined.
    pub difference: Option<f64>,
}

impl Summary {
    pub(super) fn of(study: &Study) -> Self {
        let mut warnings = Vec::new();
        let directions = study.directions().into_iter().map(|direction| {
            let of_direction = study.results.iter().filter(|result| result.direction == direction);
            let results: Vec<&ArmResult> = of_direction.collect();
            warn_of_unlike_arms(direction, &results, &mut warnings);
            DirectionSummary::of(direction, &results)
        });
        let directions = directions.collect();
        Self { definition: format!("{DEFINITION} {SUMMARY_DEFINITION}"), directions, warnings }
    }
}

impl DirectionSummary {
    fn of(direction: Direction, results: &[&ArmResult]) -> Self {
        let structures = labels_and_names(results.iter().flat_map(|result| &result.cases));
        let arms = Arm::ALL.into_iter().filter_map(|arm| ArmSummary::of(arm, results, &structures));
        let mut arms: Vec<ArmSummary> = arms.collect();
        let seeds_of = |wanted: Arm| {
            arms.iter().find(|arm| arm.arm == wanted).map_or_else(Vec::new, |arm| arm.seeds.clone())
        };
        let (floor, ceiling) = (seeds_of(Arm::SourceOnly), seeds_of(Arm::Supervised));
        let both_less_global = paired(&seeds_of(Arm::Both), &seeds_of(Arm::Global), &structures);
        for arm in &mut arms {
            if ![Arm::SourceOnly, Arm::Supervised].contains(&arm.arm) {
                arm.gap_closed = Some(GapClosed::of(&arm.seeds, &floor, &ceiling));
            }
        }
        Self { direction, arms, both_less_global }
    }

    /// The summary of one arm, if it has a result.
    pub fn arm(&self, wanted: Arm) -> Option<&ArmSummary> {
        self.arms.iter().find(|arm| arm.arm == wanted)
    }
}

impl ArmSummary {
    fn of(arm: Arm, results: &[&ArmResult], structures: &[(u16, String)]) -> Option<Self> {
        let of_arm = || results.iter().filter(|result| result.arm == arm);
        let mut numbers: Vec<u64> = of_arm().map(|result| result.seed).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let seeds = numbers.into_iter().map(|seed| {
            let of_seed = of_arm().filter(|result| result.seed == seed);
            SeedScores::of(seed, &of_seed.flat_map(|result| &result.cases).collect::<Vec<_>>(), structures)
        });
        let seeds: Vec<SeedScores> = seeds.collect();
        let undefined = |label: u16, metric: Metric| {
            let cases = of_arm().flat_map(|result| &result.cases);
            cases.filter(|case| case.value(label, metric).is_none()).count()
        };
        let structures = structures.iter().map(|(label, name)| StructureSummary {
            label: *label,
            name: name.clone(),
            scores: MetricSummary::from_fn(|metric| MeanSd {
                undefined: undefined(*label, metric),
                ..MeanSd::of(seeds.iter().map(|seed| seed.value(*label, metric)))
            }),
        });
        let structures: Vec<StructureSummary> = structures.collect();
        let mean = MetricSummary::from_fn(|metric| MeanSd {
            undefined: structures.iter().map(|structure| structure.scores.of(metric).undefined).sum(),
            ..MeanSd::of(seeds.iter().map(|seed| metric.of_mean(&seed.mean)))
        });
        (!seeds.is_empty()).then_some(Self { arm, seeds, structures, mean, gap_closed: None })
    }
}

impl SeedScores {
    fn of(seed: u64, cases: &[&Case], structures: &[(u16, String)]) -> Self {
        let over_cases =
            |label: u16, metric: Metric| mean(cases.iter().filter_map(|c| c.value(label, metric)));
        let structures = structures.iter().map(|(label, name)| StructureScore {
            label: *label,
            name: name.clone(),
            dice: over_cases(*label, Metric::Dice),
            assd_mm: over_cases(*label, Metric::Assd),
            hd95_mm: over_cases(*label, Metric::Hd95),
            ..StructureScore::default()
        });
        let structures: Vec<StructureScore> = structures.collect();
        let over_structures = |metric: Metric| mean(structures.iter().filter_map(|score| metric.of(score)));
        let mean = MeanScore {
            dice: over_structures(Metric::Dice),
            assd_mm: over_structures(Metric::Assd),
            hd95_mm: over_structures(Metric::Hd95),
        };
        Self { seed, cases: cases.len(), structures, mean }
    }

    /// One metric of the structure with that label.
    pub fn value(&self, label: u16, metric: Metric) -> Option<f64> {
        self.structures.iter().find(|score| score.label == label).and_then(|score| metric.of(score))
    }
}

impl GapClosed {
    fn of(arm: &[SeedScores], floor: &[SeedScores], ceiling: &[SeedScores]) -> Self {
        let seeds = arm.iter().map(|scores| {
            let (gap_closed, undefined_because) = match gap_closed(scores, floor, ceiling) {
                Ok(closed) => (Some(closed), None),
                Err(reason) => (None, Some(reason)),
            };
            SeedGap { seed: scores.seed, gap_closed, undefined_because }
        });
        let seeds: Vec<SeedGap> = seeds.collect();
        let over_seeds = MeanSd::of(seeds.iter().map(|seed| seed.gap_closed));
        Self { seeds, over_seeds }
    }
}

/// The gap that one seed closed, or why that is undefined.
fn gap_closed(arm: &SeedScores, floor: &[SeedScores], ceiling: &[SeedScores]) -> Result<f64, String> {
    let dice = |seeds: &[SeedScores], name: Arm| {
        let same_seed = seeds.iter().find(|scores| scores.seed == arm.seed);
        let scores = same_seed.ok_or_else(|| format!("{name} has no result of this seed"))?;
        scores.mean.dice.ok_or_else(|| format!("the Dice of {name} is undefined"))
    };
    let (floor, ceiling) = (dice(floor, Arm::SourceOnly)?, dice(ceiling, Arm::Supervised)?);
    let dice = arm.mean.dice.ok_or_else(|| "the Dice of the arm is undefined".to_owned())?;
    let gap = ceiling - floor;
    if gap <= MIN_GAP || gap.is_nan() {
        return Err(format!(
            "supervised ({ceiling:.3}) is {gap:+.3} from source-only ({floor:.3}), and more than +{MIN_GAP} is needed"
        ));
    }
    Ok((dice - floor) / gap)
}

/// What `a` has more than `b`, for each structure and for the mean; empty if either has no result.
fn paired(a: &[SeedScores], b: &[SeedScores], structures: &[(u16, String)]) -> Vec<PairedDifference> {
    if a.is_empty() || b.is_empty() {
        return Vec::new();
    }
    let mut numbers: Vec<u64> = a.iter().chain(b).map(|scores| scores.seed).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let difference = |label: Option<u16>, name: &str| {
        let dice = |seeds: &[SeedScores], seed: u64| {
            let scores = seeds.iter().find(|scores| scores.seed == seed)?;
            label.map_or(scores.mean.dice, |label| scores.value(label, Metric::Dice))
        };
        let seeds = numbers.iter().map(|&seed| {
            let difference = dice(a, seed).zip(dice(b, seed)).map(|(a, b)| a - b);
            SeedDifference { seed, difference }
        });
        let seeds: Vec<SeedDifference> = seeds.collect();
        PairedDifference {
            label,
            name: name.to_owned(),
            over_seeds: MeanSd::of(seeds.iter().map(|seed| seed.difference)),
            positive: seeds.iter().filter(|seed| seed.difference.is_some_and(|d| d > 0.0)).count(),
            seeds,
        }
    };
    let of_structures = structures.iter().map(|(label, name)| difference(Some(*label), name));
    of_structures.chain([difference(None, "mean")]).collect()
}

/// Says where arms cannot be compared as they should: other test cases, missing seeds, the same result twice.
fn warn_of_unlike_arms(direction: Direction, results: &[&ArmResult], warnings: &mut Vec<String>) {
    let seeds_of = |arm: Arm| {
        let mut seeds: Vec<u64> = results.iter().filter(|r| r.arm == arm).map(|r| r.seed).collect();
        seeds.sort_unstable();
        seeds
    };
    let mut all: Vec<u64> = results.iter().map(|result| result.seed).collect();
    all.sort_unstable();
    all.dedup();
    for arm in Arm::ALL {
        let seeds = seeds_of(arm);
        if let Some(twice) = seeds.windows(2).find(|pair| pair[0] == pair[1]) {
            warnings.push(format!(
                "{direction}: {arm} has more than one result of seed {}; their cases are taken together.",
                twice[0]
            ));
        }
        let missing: Vec<String> =
            all.iter().filter(|seed| !seeds.contains(seed)).map(u64::to_string).collect();
        if !missing.is_empty() && !seeds.is_empty() {
            warnings.push(format!("{direction}: {arm} has no result of seed {}.", missing.join(", ")));
        }
    }
    let names = |result: &ArmResult| {
        let mut names: Vec<String> = result.cases.iter().map(|case| case.case.clone()).collect();
        names.sort_unstable();
        names
    };
    if let Some(first) = results.first()
        && let Some(other) = results.iter().find(|result| names(result) != names(first))
    {
        warnings.push(format!(
            "{direction}: {} of seed {} was tested on other cases than {} of seed {}; arms are comparable only on the \
             same cases.",
            other.arm, other.seed, first.arm, first.seed
        ));
    }
}
