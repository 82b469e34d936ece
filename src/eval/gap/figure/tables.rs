//! The parts of the page that are tables: structures and places.

use super::grid::{Column, Row, Table};
use super::words::cut;
use super::{BODY, LEFT, RIGHT, SMALL, headed};
use crate::eval::gap::SHELL_MM;
use crate::eval::gap::files::GapReport;
use crate::eval::gap::measure::{BodyGap, GapSpread, StructureGap};
use crate::eval::gap::page::{FAINT_INK, INK, Ink, Section};
use crate::eval::gap::places::Place;
use crate::eval::gap::text::Fonts;

const MAX_STRUCTURES: usize = 13;
const NO_VALUE: &str = "\u{2013}";

/// Every structure and the whole body, and what the columns mean.
pub(super) fn structures(fonts: &Fonts, report: &GapReport) -> Section {
    let measure = &report.measure;
    let threshold = format!("\u{2265} {}", measure.threshold);
    let columns = [
        Column::words("Structure"),
        Column::number("", "mL"),
        Column::number("Gap inside", "mean"),
        Column::number("Gap inside", "P95"),
        Column::number("Gap in shell", "mean"),
        Column::number("Gap in shell", "P95"),
        Column::number("Gap outside", "mean"),
        Column::number("Gap outside", "P95"),
        Column::number("Covered", &threshold),
        Column::number("Uncertainty", "mean"),
        Column::number("Islands", "count"),
        Column::number("Islands", "largest"),
    ];
    let shown = &measure.structures[..measure.structures.len().min(MAX_STRUCTURES)];
    let mut rows: Vec<Row> = shown.iter().map(structure_row).collect();
    rows.push(body_row(&measure.body));
    let mut section = headed(fonts, "Structures as predicted", [LEFT, RIGHT]);
    section.append(Table { columns: &columns, rows: &rows, size: BODY.size }.section(fonts, [LEFT, RIGHT]));
    let mut notes = Vec::new();
    if shown.len() < measure.structures.len() {
        let more = measure.structures.len() - shown.len();
        notes.push(format!("and {more} more structures, in the CSV and JSON files"));
    }
    notes.push(format!(
        "Gap and uncertainty lie between 0 and 1. P95: 95th percentile. Shell: within {SHELL_MM:.0} mm around the structure. \
         Outside: the rest of the body. Covered: share of the voxels with a gap of {} or more. {NO_VALUE} undefined.",
        measure.threshold
    ));
    notes.extend(measure.warnings.iter().cloned());
    section.height += 4.0;
    for note in notes {
        let lines = cut(fonts, &note, SMALL, RIGHT - LEFT, 3);
        section.lines(fonts, &lines, Ink::new(SMALL, FAINT_INK), LEFT);
    }
    section
}

/// The first places, as many as fit in `room` pixels of height.
pub(super) fn places(fonts: &Fonts, report: &GapReport, [left, right]: [f32; 2], room: f32) -> Section {
    let mut section = headed(fonts, "Look here first", [left, right]);
    if report.places.is_empty() {
        section.lines(fonts, &["No place stands out.".to_owned()], Ink::new(BODY, INK), left);
        return section;
    }
    let are_placed = report.places.iter().all(|place| place.position_mm.is_some());
    let (group, axes) =
        if are_placed { ("Position (mm)", ["R/L", "A/P", "S/I"]) } else { ("Voxel", ["i", "j", "k"]) };
    let [first, second, third] = axes.map(|axis| Column::number(group, axis));
    let columns = [
        Column::words("Place"),
        first,
        second,
        third,
        Column::number("", "mL"),
        Column::number("", "gap"),
        Column::number("", "unc."),
        Column::words("Reading"),
    ];
    let row = |(index, place): (usize, &Place)| place_row(index + 1, place, are_placed);
    let mut rows: Vec<Row> = report.places.iter().enumerate().map(row).collect();
    let table =
        |rows: &[Row]| Table { columns: &columns, rows, size: SMALL.size }.section(fonts, [left, right]);
    let (below, all) = (room - section.height, rows.len());
    while rows.len() > 1 && table(&rows).height + SMALL.line_height() > below {
        rows.pop();
    }
    section.append(table(&rows));
    if rows.len() < all {
        let more = format!("and {} more", all - rows.len());
        section.lines(fonts, &[more], Ink::new(SMALL, FAINT_INK), left);
    }
    section
}

fn structure_row(structure: &StructureGap) -> Row {
    let spreads = [structure.inside, structure.shell, structure.outside].map(spread_cells);
    let islands = if structure.voxels == 0 { NO_VALUE.to_owned() } else { structure.islands.to_string() };
    let tail = [
        percent(structure.coverage),
        number(structure.mean_uncertainty),
        islands,
        percent(structure.largest_island_share),
    ];
    let head = [structure.name.clone(), volume(structure.volume_ml)];
    let cells = [&head[..], spreads.as_flattened(), &tail].concat();
    Row { cells, swatch: Some(structure.rgb), is_total: false }
}

fn body_row(body: &BodyGap) -> Row {
    let none = || String::new();
    let [mean, p95] = spread_cells(body.gap);
    let gaps = [mean, p95, none(), none(), none(), none()];
    let tail = [percent(body.coverage), number(body.mean_uncertainty), none(), none()];
    let head = ["Whole body".to_owned(), volume(body.volume_ml)];
    Row { cells: [&head[..], &gaps, &tail].concat(), swatch: None, is_total: true }
}

fn place_row(rank: usize, place: &Place, are_placed: bool) -> Row {
    let beside = if place.inside { "" } else { "beside " };
    let name = format!("{rank}  {beside}{}", place.structure);
    let position = place.position_mm.filter(|_| are_placed).map(|at| {
        let axes = [("R", "L", at.x), ("A", "P", at.y), ("S", "I", at.z)];
        axes.map(|(up, down, mm)| format!("{} {:.0}", if mm.round() < 0.0 { down } else { up }, mm.abs()))
    });
    let tail = [
        volume(place.volume_ml),
        number(Some(place.mean_gap)),
        number(place.mean_uncertainty),
        place.quadrant.map_or(NO_VALUE, |quadrant| quadrant.title()).to_owned(),
    ];
    let position = position.unwrap_or_else(|| place.voxel.map(|index| index.to_string()));
    Row { cells: [&[name][..], &position, &tail].concat(), swatch: None, is_total: false }
}

fn spread_cells(spread: Option<GapSpread>) -> [String; 2] {
    [number(spread.map(|spread| spread.mean)), number(spread.map(|spread| spread.p95))]
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| NO_VALUE.to_owned(), |value| format!("{value:.2}"))
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| NO_VALUE.to_owned(), |share| format!("{:.0} %", 100.0 * share))
}

/// Three digits are enough to read.
fn volume(ml: Option<f64>) -> String {
    let text = |ml: f64| if ml < 100.0 { format!("{ml:.1}") } else { format!("{ml:.0}") };
    ml.map_or_else(|| NO_VALUE.to_owned(), text)
}
