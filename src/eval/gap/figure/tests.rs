#![allow(clippy::unwrap_used)]

use super::*;
use crate::eval::gap::flags::{Flag, FlagKind};
use crate::eval::gap::testing::Abdomen;

const INFERNO: [Rgb; 5] = [[0, 0, 4], [87, 16, 109], [187, 55, 85], [249, 142, 9], [252, 255, 164]];
const CIVIDIS: [Rgb; 5] = [[0, 34, 78], [65, 77, 107], [124, 123, 120], [187, 175, 113], [254, 232, 56]];
const BARS: [ColourBar<'static>; 2] = [
    ColourBar { name: "Gap", colours: &INFERNO, range: [0.0, 0.8], unit: "a(p)" },
    ColourBar { name: "Uncertainty", colours: &CIVIDIS, range: [0.0, 1.0], unit: "" },
];

fn example() -> (GapReport, Vec<Panel>) {
    let case = Abdomen::new();
    (case.report(), case.panels())
}

/// Every box lies on the page, and no two share a point.
fn assert_clean(figure: &Figure) {
    let [width, height] = PAGE_SIZE.map(|side| side as f32);
    for (n, one) in figure.boxes.iter().enumerate() {
        let is_on_page = one.left >= 0.0 && one.top >= 0.0 && one.right <= width && one.bottom <= height;
        assert!(is_on_page, "off the page: {one:?}");
        let is_empty = |text: &PageBox| text.right <= text.left;
        for other in figure.boxes[..n].iter().filter(|other| !is_empty(other) && !is_empty(one)) {
            assert!(!one.overlaps(other), "{one:?} over {other:?}");
        }
    }
}

#[test]
fn the_page_of_a_case_is_written_and_no_text_lies_over_another() {
    let (report, panels) = example();
    let drawn = figure(&report, &panels, &BARS).unwrap();
    assert_clean(&drawn);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.png");
    std::fs::write(&path, drawn.to_png().unwrap()).unwrap();
    let read = image::open(&path).unwrap().to_rgb8();
    assert_eq!([read.width(), read.height()], PAGE_SIZE);
    assert_eq!(read.into_raw(), drawn.rgb);
    let pdf = drawn.to_pdf(&PdfInfo { title: report.case.clone(), created: None }).unwrap();
    assert!(pdf.starts_with(b"%PDF-1.4"));
    let says = |text: &str| drawn.boxes.iter().any(|found| found.content.contains(text));
    for text in
        ["Gap report", "Research use only", "Liver", "Whole body", "Look here first", "abdomen-ct-to-mr"]
    {
        assert!(says(text), "{text}");
    }
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    let (report, panels) = example();
    let [first, second] = [0, 1].map(|_| figure(&report, &panels, &BARS).unwrap());
    assert_eq!(first, second);
    assert_eq!(first.to_png().unwrap(), second.to_png().unwrap());
    let info = PdfInfo { title: "a".to_owned(), created: None };
    assert_eq!(first.to_pdf(&info).unwrap(), second.to_pdf(&info).unwrap());
}

#[test]
fn too_much_of_everything_is_cut_and_counted_and_still_fits() {
    let (mut report, mut panels) = example();
    report.case = "a-case-with-a-name-without-any-space-".repeat(12);
    let long = "A name of a structure that is much too long to be shown in a column of a table";
    for n in 0..30 {
        let mut structure = report.measure.structures[n % 4].clone();
        structure.name = format!("{long} {n}");
        structure.volume_ml = Some(123_456.7);
        report.measure.structures.push(structure);
        let reason = format!("{long}, {long}, {long}, {long}.");
        let kind = FlagKind::HighGapConfident;
        report.flags.push(Flag { label: 1, structure: format!("{long} {n}"), kind, reason });
        let mut place = report.places[0].clone();
        place.structure = format!("{long} {n}");
        report.places.push(place);
        report
            .provenance
            .insert(format!("a key of the provenance that is long {n}"), "0123456789abcdef".repeat(20));
        let (width, height) = [(40, 400), (400, 40), (64, 64)][n % 3];
        let rgb = vec![90; (width * height * 3) as usize];
        panels.push(Panel { caption: format!("{long} {n}"), width, height, rgb });
    }
    report.measure.warnings = vec![long.to_owned(), long.to_owned()];
    let drawn = figure(&report, &panels, &BARS).unwrap();
    assert_clean(&drawn);
    let more = drawn
        .boxes
        .iter()
        .filter(|found| found.content.starts_with("and ") && found.content.contains(" more"));
    assert_eq!(more.count(), 5, "pictures, structures, flags, places and provenance");
    let pictures = drawn.boxes.iter().filter(|found| found.content == "picture");
    assert_eq!(pictures.count(), 12 + BARS.len());
}

#[test]
fn a_report_of_nothing_still_is_a_page() {
    let (mut report, _) = example();
    report.case = String::new();
    report.measure.structures.clear();
    (report.flags, report.places) = (Vec::new(), Vec::new());
    report.provenance.clear();
    let drawn = figure(&report, &[], &[]).unwrap();
    assert_clean(&drawn);
    assert!(drawn.boxes.iter().any(|found| found.content == "No flag was raised."));
    assert!(drawn.boxes.iter().any(|found| found.content == "No place stands out."));
}

#[test]
fn pictures_of_any_shape_and_number_keep_their_proportions() {
    let (report, _) = example();
    for (count, width, height) in [(1, 50, 50), (2, 300, 100), (3, 100, 300), (5, 128, 128), (9, 160, 120)] {
        let rgb = vec![90; (width * height * 3) as usize];
        let caption = "axial, S 42 mm".to_owned();
        let panels = vec![Panel { caption, width, height, rgb }; count];
        let drawn = figure(&report, &panels, &[]).unwrap();
        assert_clean(&drawn);
        let pictures: Vec<&PageBox> = drawn.boxes.iter().filter(|found| found.content == "picture").collect();
        assert_eq!(pictures.len(), count);
        for picture in pictures {
            let [w, h] = [picture.right - picture.left, picture.bottom - picture.top];
            assert!((w / h / (width as f32 / height as f32) - 1.0).abs() < 0.03, "{w} x {h}");
        }
    }
}

#[test]
fn a_picture_of_the_wrong_size_and_a_bar_without_colours_are_refused() {
    let (report, mut panels) = example();
    panels[0].rgb.pop();
    assert!(matches!(figure(&report, &panels, &[]), Err(FigureError::Panel { .. })));
    let flat = ColourBar { range: [1.0, 1.0], ..BARS[0] };
    assert!(matches!(figure(&report, &[], &[flat]), Err(FigureError::ColourBar { .. })));
    let bare = ColourBar { colours: &INFERNO[..1], ..BARS[0] };
    assert!(matches!(figure(&report, &[], &[bare]), Err(FigureError::ColourBar { .. })));
}
