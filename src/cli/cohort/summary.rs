//! The cohort as one table and two charts, and what failed.
//!
//! Made from the finished cases' folders and not from what this run did, so that the shards of a cohort, and runs that
//! were stopped and started again, come to the same files.

use super::{Outcome, Plan, Shard};
use crate::eval::chart::{Bar, BarChart, Range, Series};
use crate::session::cohort::{CaseRecord, StructureRecord, structures_of};
use crate::volume::io;
use std::collections::BTreeSet;
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
            Outcome::Made(_) | Outcome::Kept(_) | Outcome::Twin(_) => None,
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
    if plan.shard == Shard::default() {
        forget_shards(plan.out, inputs)?;
    }
    let count = |is: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| is(outcome)).count();
    let copies = match count(|outcome| matches!(outcome, Outcome::Twin(_))) {
        0 => String::new(),
        copies => format!(", {copies} given twice"),
    };
    eprintln!(
        "{} made, {} kept, {} failed{copies}; {} in {}",
        count(|outcome| matches!(outcome, Outcome::Made(_))),
        count(|outcome| matches!(outcome, Outcome::Kept(_))),
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

/// Removes what shards wrote of cases that failed, where a run of all shares has tried those cases again; what it names of
/// other scans that are still there stays.
fn forget_shards(out: &Path, tried: &[&PathBuf]) -> std::io::Result<()> {
    let tried: BTreeSet<String> = tried.iter().map(|path| path.display().to_string()).collect();
    for entry in std::fs::read_dir(out)? {
        let path = entry?.path();
        if !is_of_a_shard(&path) {
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        let mut named = text.lines().filter_map(|line| line.split_once('\t')).map(|(scan, _)| scan);
        if named.all(|scan| tried.contains(scan) || !Path::new(scan).exists()) {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Whether it is called like "failed-2-of-8.txt".
fn is_of_a_shard(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let share = name.strip_prefix("failed-").and_then(|rest| rest.strip_suffix(".txt"));
    let numbers = share.and_then(|share| share.split_once("-of-"));
    numbers.is_some_and(|(number, of)| format!("{number}/{of}").parse::<Shard>().is_ok())
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

/// Volume and mean gap of each structure, a dot a case. Cases of several tasks have several structures of one label, and
/// each of them a bar of its own.
fn charts(records: &[CaseRecord]) -> Vec<(&'static str, BarChart)> {
    if records.is_empty() {
        return Vec::new();
    }
    let cases = records.len();
    let structures = structures_of(records);
    let chart = |title: &str, y_label: &str, range, value: fn(&StructureRecord) -> Option<f64>| {
        let bar = |(label, name): &(u16, String)| {
            Bar::of(records.iter().map(|record| record.structure(*label, name).and_then(value)))
        };
        let bars = structures.iter().map(bar).collect();
        BarChart {
            title: title.to_owned(),
            y_label: y_label.to_owned(),
            range,
            groups: structures.iter().map(|(_, name)| name.replace(' ', "\n")).collect(),
            series: vec![Series { name: String::new(), colour: 0, bars }],
            caption: format!("{cases} cases; bars: mean and standard deviation; dots: cases"),
        }
    };
    let volume = chart("Volume of each structure", "mL", Range::Automatic, |s| s.volume_ml);
    let gap = chart("Mean gap in each structure", "a(p)", Range::UnitInterval, |s| Some(s.gap?.mean));
    vec![("cohort-volume.png", volume), ("cohort-gap.png", gap)]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn record(structures: &[(u16, &str, f64)]) -> CaseRecord {
        let structure = |&(label, name, volume_ml): &(u16, &str, f64)| StructureRecord {
            label,
            name: name.to_owned(),
            voxels: 1,
            volume_ml: Some(volume_ml),
            gap: None,
            mean_uncertainty: None,
            coverage: None,
        };
        CaseRecord {
            case: "case".to_owned(),
            scan: None,
            input_sha256: String::new(),
            weights_sha256: String::new(),
            made_by: String::new(),
            structures: structures.iter().map(structure).collect(),
            flags: Vec::new(),
            concerns: Vec::new(),
            files: Vec::new(),
        }
    }

    #[test]
    fn a_cohort_of_hearts_and_abdomens_never_draws_the_volume_of_a_heart_over_the_liver() {
        let abdomen = [(1, "Liver", 1500.0), (2, "Right kidney", 150.0)];
        let heart = [(1, "Myocardium", 100.0)];
        let other_order = [(2, "Right kidney", 170.0), (1, "Liver", 1300.0)];
        let records = [&abdomen[..], &heart, &other_order].map(record);
        let (_, chart) = charts(&records).remove(0);
        assert_eq!(chart.groups, ["Liver", "Right\nkidney", "Myocardium"]);
        let dots: Vec<&[f64]> = chart.series[0].bars.iter().map(|bar| bar.values.as_slice()).collect();
        assert_eq!(dots, [&[1500.0, 1300.0][..], &[150.0, 170.0], &[100.0]]);
    }

    #[test]
    fn a_run_of_all_shares_forgets_the_failures_of_shards_that_it_has_tried_again_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (tried, other, gone) = (at("tried.nii"), at("other.nii"), at("gone.nii"));
        for path in [&tried, &other] {
            std::fs::write(path, b"x").unwrap();
        }
        let failed = |name: &str, scans: &[&PathBuf]| {
            let lines: String =
                scans.iter().map(|scan| format!("{}\tis bad\nin two lines\n", scan.display())).collect();
            std::fs::write(at(name), lines).unwrap();
        };
        failed("failed-1-of-8.txt", &[&tried, &gone]);
        failed("failed-2-of-8.txt", &[&tried, &other]);
        failed("failed-of-mine.txt", &[&tried]);
        forget_shards(folder.path(), &[&tried]).unwrap();
        let left = ["failed-1-of-8.txt", "failed-2-of-8.txt", "failed-of-mine.txt"];
        assert_eq!(left.map(|name| at(name).exists()), [false, true, true]);
    }
}
