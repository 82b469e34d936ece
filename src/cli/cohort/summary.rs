//! The cohort as one table and two charts, and what failed.
//!
//! Made from the finished cases' folders and not from what this run did, so that the shards of a cohort, and runs that
//! were stopped and started again, come to the same files.

use super::{Outcome, Plan};
use crate::eval::chart::{Bar, BarChart, Range, Series};
use crate::session::cohort::CaseRecord;
use crate::volume::io;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Writes `cohort.csv`, `cohort.json`, `cohort-volume.png` and `cohort-gap.png`, and what failed; an error says how many
/// cases failed.
pub(super) fn write(plan: &Plan, inputs: &[&PathBuf], outcomes: &[Outcome]) -> anyhow::Result<()> {
    let records = finished(plan.out)?;
    io::write_file(&plan.out.join("cohort.csv"), csv(&records).as_bytes())?;
    io::write_file(&plan.out.join("cohort.json"), &serde_json::to_vec_pretty(&records)?)?;
    for (name, chart) in charts(&records) {
        io::write_file(&plan.out.join(name), &chart.to_png()?)?;
    }
    let failed: Vec<(&PathBuf, &str)> = inputs
        .iter()
        .zip(outcomes)
        .filter_map(|(path, outcome)| match outcome {
            Outcome::Failed(reason) => Some((*path, reason.as_str())),
            Outcome::Made(_) | Outcome::Kept(_) => None,
        })
        .collect();
    let path = plan.out.join(format!("failed{}.txt", plan.shard.suffix()));
    if failed.is_empty() {
        // What failed in an earlier run has been made since.
        if path.exists() {
            std::fs::remove_file(&path)?;
        }
    } else {
        let lines: String =
            failed.iter().map(|(path, reason)| format!("{}\t{reason}\n", path.display())).collect();
        io::write_file(&path, lines.as_bytes())?;
    }
    let made = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Made(_))).count();
    eprintln!(
        "{made} made, {} kept, {} failed; {} in {}",
        outcomes.len() - made - failed.len(),
        failed.len(),
        records.len(),
        plan.out.display()
    );
    anyhow::ensure!(
        failed.is_empty(),
        "{} of {} cases failed: {} says why; the same command tries them again",
        failed.len(),
        outcomes.len(),
        path.display()
    );
    Ok(())
}

/// The records of all whole case folders, by case.
fn finished(out: &Path) -> anyhow::Result<Vec<CaseRecord>> {
    let mut records = Vec::new();
    for entry in std::fs::read_dir(out)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_dir() && !hidden {
            records.extend(CaseRecord::of_folder(&path));
        }
    }
    records.sort_by(|a, b| a.case.cmp(&b.case));
    Ok(records)
}

/// One row a case and structure.
fn csv(records: &[CaseRecord]) -> String {
    let mut text = String::from(
        "case,label,structure,voxels,volume_ml,mean_gap,p95_gap,mean_uncertainty,coverage,flags,concerns\n",
    );
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    for record in records {
        for s in &record.structures {
            let flags = record.flags.iter().filter(|flag| flag.label == s.label).map(|flag| flag.kind.key());
            let cells = [
                quoted(&record.case),
                s.label.to_string(),
                quoted(&s.name),
                s.voxels.to_string(),
                number(s.volume_ml),
                number(s.gap.map(|gap| gap.mean)),
                number(s.gap.map(|gap| gap.p95)),
                number(s.mean_uncertainty),
                number(s.coverage),
                flags.collect::<Vec<_>>().join("; "),
                record.concerns.len().to_string(),
            ];
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}", cells.join(","));
        }
    }
    text
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

/// Volume and mean gap of each structure, a dot a case.
fn charts(records: &[CaseRecord]) -> Vec<(&'static str, BarChart)> {
    let Some(first) = records.first() else { return Vec::new() };
    let cases = records.len();
    let groups: Vec<String> = first.structures.iter().map(|s| s.name.replace(' ', "\n")).collect();
    let chart = |title: &str, y_label: &str, range, value: &dyn Fn(&CaseRecord, usize) -> Option<f64>| {
        let bars =
            (0..groups.len()).map(|n| Bar::of(records.iter().map(|record| value(record, n)))).collect();
        BarChart {
            title: title.to_owned(),
            y_label: y_label.to_owned(),
            range,
            groups: groups.clone(),
            series: vec![Series { name: String::new(), colour: 0, bars }],
            caption: format!("{cases} cases; bars: mean and standard deviation; dots: cases"),
        }
    };
    let volume = |record: &CaseRecord, n: usize| record.structures.get(n).and_then(|s| s.volume_ml);
    let gap = |record: &CaseRecord, n: usize| Some(record.structures.get(n)?.gap?.mean);
    vec![
        ("cohort-volume.png", chart("Volume of each structure", "mL", Range::Automatic, &volume)),
        ("cohort-gap.png", chart("Mean gap in each structure", "a(p)", Range::UnitInterval, &gap)),
    ]
}
