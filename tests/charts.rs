//! Charts as whoever opens the files gets them.
//!
//! `MINDGAP_CHARTS=FOLDER cargo test --test charts` keeps the pictures, to be looked at.

#![allow(clippy::unwrap_used)]

use mindgap::eval::ablation::{Arm, ArmResult, Direction, Study};
use mindgap::eval::chart::{Bar, BarChart, Line, LineChart, Range, SIZE, Series};
use mindgap::eval::{Case, Cohort, Metric, StructureScore};
use mindgap::volume::{Modality, Task};

/// A number between 0 and 1 that looks like chance and is the same each time.
fn noise(a: usize, b: usize) -> f64 {
    (a * 7919 + b * 104_729 + a * b * 31) as f64 * 0.618_034 % 1.0
}

/// A case in which the abdominal structures have about this Dice.
fn case(name: String, dice: f64, chance: usize) -> Case {
    let structures = Task::Abdomen.table().entries.iter().enumerate().map(|(n, entry)| {
        let dice = (dice - 0.05 * n as f64 + 0.1 * noise(chance, n)).clamp(0.0, 1.0);
        let (assd_mm, hd95_mm) = (Some(12.0 * (1.0 - dice)), Some(50.0 * (1.0 - dice)));
        let (label, name) = (entry.value, entry.name.clone());
        StructureScore { label, name, dice: Some(dice), assd_mm, hd95_mm, ..StructureScore::default() }
    });
    Case { case: name, structures: structures.collect(), warnings: Vec::new() }
}

/// Both directions, every arm, three seeds; of MR to CT the arm "full" is missing.
fn study() -> Study {
    let mut study = Study::default();
    for (way, source) in [Modality::Ct, Modality::Mr].into_iter().enumerate() {
        let direction = Direction { task: Task::Abdomen, source, target: source.other() };
        for arm in Arm::ALL.into_iter().filter(|arm| way == 0 || *arm != Arm::Full) {
            for seed in 1..=3 {
                let dice = [0.35, 0.6, 0.3, 0.7, 0.74, 0.78, 0.9][arm as usize] - 0.1 * way as f64;
                let chance = 100 * arm as usize + 10 * seed as usize + way;
                let cases = (0..4).map(|n| case(format!("p{n}"), dice, chance + n)).collect();
                study.results.push(ArmResult { direction, arm, seed, cases });
            }
        }
    }
    study
}

#[test]
fn charts_are_pictures_of_the_promised_size_and_the_same_each_time() {
    let charts = study().charts().unwrap();
    let names: Vec<&str> = charts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[..3], ["dice-by-direction", "gap-closed", "dice-abdomen-ct-to-mr"]);
    assert_eq!(names.len(), 2 + 2 * 3);
    for (name, png) in &charts {
        let picture = image::load_from_memory_with_format(png, image::ImageFormat::Png).unwrap();
        assert_eq!([picture.width(), picture.height()], SIZE, "{name}");
        keep(name, png);
    }
    assert_eq!(charts, study().charts().unwrap());
}

#[test]
fn a_chart_of_many_cases_has_a_bar_for_each_structure_and_one_for_all() {
    let cases = (0..40).map(|n| case(format!("p{n}"), 0.8 - if n % 9 == 0 { 0.3 } else { 0.0 }, n));
    let mut cohort = Cohort { cases: cases.collect() };
    cohort.cases[3].structures[1].dice = None;
    for metric in Metric::ALL {
        let chart = cohort.chart(metric, "Agreement with the reference in 40 cases");
        let counts: Vec<usize> = chart.series[0].bars.iter().map(|bar| bar.values.len()).collect();
        assert_eq!(counts, if metric == Metric::Dice { [40, 39, 40, 40, 40] } else { [40; 5] });
        keep(&format!("cohort-{}", metric.key()), &chart.to_png().unwrap());
    }
}

/// A picture of eight series, long names, values at the ends of the axis and undefined ones.
fn crowded() -> BarChart {
    let groups = ["Left ventricle cavity", "Myocardium", "Ascending aorta", "Left atrium cavity", "Mean"];
    let bar = |series: usize, group: usize| match (series, group) {
        (2, 1) => Bar::default(),
        (3, 2) => Bar::of([Some(0.99), Some(1.0), Some(0.4)]),
        (4, 3) => Bar::of([Some(0.0), Some(0.0)]),
        _ => Bar::of((0..5).map(|n| Some(0.1 * (series + group) as f64 % 0.8 + 0.03 * n as f64))),
    };
    let series = (0..8).map(|n| Series {
        name: format!("an arm with a rather long name {n}"),
        colour: n,
        bars: (0..groups.len()).map(|group| bar(n, group)).collect(),
    });
    BarChart {
        title: "A title so long that it needs a second line, for it names the task, the direction, and the arms of the \
            study in full"
            .into(),
        y_label: "Dice".into(),
        range: Range::UnitInterval,
        groups: groups.map(str::to_owned).to_vec(),
        series: series.collect(),
        caption: "A caption that says what is shown. ".repeat(8),
    }
}

#[test]
fn a_crowded_chart_keeps_its_margins_free() {
    let png = crowded().to_png().unwrap();
    keep("crowded", &png);
    let picture = image::load_from_memory(&png).unwrap().to_rgb8();
    let [width, height] = SIZE;
    let drawn = |x: u32, y: u32| picture.get_pixel(x, y).0 != [255; 3];
    for x in 0..width {
        assert!((0..16).all(|d| !drawn(x, d) && !drawn(x, height - 1 - d)), "drawn at the edge, x = {x}");
    }
    for y in 0..height {
        assert!((0..16).all(|d| !drawn(d, y) && !drawn(width - 1 - d, y)), "drawn at the edge, y = {y}");
    }
}

#[test]
fn what_cannot_be_drawn_is_refused_in_words() {
    let mut chart = crowded();
    chart.series[0].bars.pop();
    assert!(chart.to_png().unwrap_err().to_string().contains("a bar for each of the 5 groups"));
    let mut chart = crowded();
    chart.series[1].bars[0].mean = Some(f64::NAN);
    assert!(chart.to_png().unwrap_err().to_string().contains("expected finite numbers, got NaN"));
    let mut chart = crowded();
    chart.series.push(chart.series[0].clone());
    assert!(chart.to_png().unwrap_err().to_string().contains("one of its own, 0 to 7, got 0"));
}

#[test]
fn lines_and_scattered_dots_are_drawn_over_round_ticks() {
    let curve =
        |phase: f64| (0..60).map(|n| [50.0 * n as f64, phase + (0.1 * n as f64 + phase).sin()]).collect();
    let line =
        |name: &str, phase, dots, joined| Line { name: name.into(), points: curve(phase), dots, joined };
    let chart = LineChart {
        title: "Loss while training".into(),
        x_label: "step".into(),
        y_label: "loss".into(),
        range: Range::Automatic,
        series: vec![line("segmentation", 0.2, false, true), line("critic", 1.0, true, false)],
        caption: "Smoothed over 50 steps.".into(),
    };
    let png = chart.to_png().unwrap();
    keep("lines", &png);
    assert_eq!(png, chart.to_png().unwrap());
    assert!(LineChart { series: Vec::new(), ..chart }.to_png().is_ok());
}

/// Keeps a picture for whoever wants to look at it, in the folder that `MINDGAP_CHARTS` names.
fn keep(name: &str, png: &[u8]) {
    if let Some(folder) = std::env::var_os("MINDGAP_CHARTS") {
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), png).unwrap();
    }
}
