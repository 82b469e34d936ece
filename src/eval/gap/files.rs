//! The report as CSV and JSON.
//!
//! Invariants: columns and keys are stable and only ever added at the end, for scripts read them; an undefined value is
//! an empty cell or null; the file says what its numbers mean.

use super::RESEARCH_USE;
use super::flags::Flag;
use super::measure::{BodyGap, DEFINITION, GapMeasure, GapSpread, StructureGap};
use super::places::Place;
use crate::eval::table::{csv_line, csv_number};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The columns of [`GapReport::to_csv`]; gaps, uncertainties and shares are 0 to 1.
const COLUMNS: [&str; 18] = [
    "case",
    "label",
    "structure",
    "voxels",
    "volume_ml",
    "inside_mean_gap",
    "inside_p95_gap",
    "shell_mean_gap",
    "shell_p95_gap",
    "outside_mean_gap",
    "outside_p95_gap",
    "mean_uncertainty",
    "islands",
    "largest_island_share",
    "threshold",
    "coverage",
    "borders",
    "flags",
];

/// What is said of one case. The keys are stable: scripts read them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GapReport {
    /// What the case is called; never the name of a patient.
    pub case: String,
    /// What the numbers are for.
    pub notice: String,
    /// What the numbers mean, in words.
    pub definition: String,
    pub measure: GapMeasure,
    pub flags: Vec<Flag>,
    /// The highest score first.
    pub places: Vec<Place>,
    /// By what the numbers came about, line by line: model, hash, settings, time. Nothing here reads it.
    pub provenance: BTreeMap<String, String>,
}

impl GapReport {
    /// Puts a report together; `case` and `provenance` are printed as they are given.
    pub fn new(
        case: impl Into<String>,
        measure: GapMeasure,
        flags: Vec<Flag>,
        places: Vec<Place>,
        provenance: BTreeMap<String, String>,
    ) -> Self {
        let (notice, definition) = (RESEARCH_USE.to_owned(), DEFINITION.to_owned());
        Self { case: case.into(), notice, definition, measure, flags, places, provenance }
    }

    /// One row a structure in the table's order and one for the whole body, in full precision, under a line of column
    /// names. The row of the body has no label, and its gap is in the columns of the inside.
    pub fn to_csv(&self) -> String {
        let mut text = csv_line(&COLUMNS.map(str::to_owned));
        for structure in &self.measure.structures {
            text.push_str(&csv_line(&self.structure_cells(structure)));
        }
        text + &csv_line(&self.body_cells(&self.measure.body))
    }

    /// One object, indented, with a line feed at its end.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    fn structure_cells(&self, structure: &StructureGap) -> Vec<String> {
        let kinds: Vec<&str> = self
            .flags
            .iter()
            .filter(|flag| flag.label == structure.label)
            .map(|flag| flag.kind.key())
            .collect();
        let head = [self.case.clone(), structure.label.to_string(), structure.name.clone()];
        let size = [structure.voxels.to_string(), csv_number(structure.volume_ml)];
        let gaps = [structure.inside, structure.shell, structure.outside].map(spread_cells);
        let tail = [
            csv_number(structure.mean_uncertainty),
            structure.islands.to_string(),
            csv_number(structure.largest_island_share),
            self.measure.threshold.to_string(),
            csv_number(structure.coverage),
            structure.borders.join("; "),
            kinds.join("; "),
        ];
        [&head[..], &size, gaps.as_flattened(), &tail].concat()
    }

    fn body_cells(&self, body: &BodyGap) -> Vec<String> {
        let empty = String::new;
        let head = [self.case.clone(), empty(), "whole body".to_owned()];
        let size = [body.voxels.to_string(), csv_number(body.volume_ml)];
        let gaps = [body.gap, None, None].map(spread_cells);
        let uncertainty = csv_number(body.mean_uncertainty);
        let threshold = self.measure.threshold.to_string();
        let tail = [uncertainty, empty(), empty(), threshold, csv_number(body.coverage), empty(), empty()];
        [&head[..], &size, gaps.as_flattened(), &tail].concat()
    }
}

fn spread_cells(spread: Option<GapSpread>) -> [String; 2] {
    [csv_number(spread.map(|spread| spread.mean)), csv_number(spread.map(|spread| spread.p95))]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::eval::gap::testing::Abdomen;

    #[test]
    fn every_row_has_every_column_and_numbers_read_back_to_the_same_bits() {
        let mut report = Abdomen::new().report();
        report.case = "a, \"quoted\" case".to_owned();
        report.measure.structures[1].shell = None;
        let csv = report.to_csv();
        let rows: Vec<&str> = csv.lines().collect();
        assert_eq!(rows.len(), 1 + 4 + 1);
        assert_eq!(rows[0], COLUMNS.join(","));
        let case = "\"a, \"\"quoted\"\" case\",";
        for row in &rows[1..] {
            let cells: Vec<&str> = row.strip_prefix(case).unwrap().split(',').collect();
            assert_eq!(cells.len(), COLUMNS.len() - 1, "{row}");
            assert!(cells.iter().all(|cell| *cell != "NaN" && *cell != "null"), "{row}");
        }
        let cells: Vec<&str> = rows[1].strip_prefix(case).unwrap().split(',').collect();
        assert_eq!((cells[0], cells[1]), ("1", "Liver"));
        assert_eq!(cells[4].parse::<f64>().unwrap(), report.measure.structures[0].inside.unwrap().mean);
        assert!(rows[2].contains(",,,"), "the undefined shell is empty: {}", rows[2]);
        assert!(rows[4].contains("fragmented"), "{}", rows[4]);
        assert!(rows[5].strip_prefix(case).unwrap().starts_with(",whole body,"), "{}", rows[5]);
    }

    #[test]
    fn json_reads_back_and_says_what_it_is() {
        let mut report = Abdomen::new().report();
        report.measure.structures[2].coverage = None;
        let json = report.to_json().unwrap();
        let read: GapReport = serde_json::from_str(&json).unwrap();
        assert_eq!((&read.flags, &read.provenance), (&report.flags, &report.provenance));
        assert_eq!((read.places.len(), read.measure.structures[2].coverage), (report.places.len(), None));
        let mean = report.measure.structures[0].inside.unwrap().mean;
        assert!(json.contains(&format!("\"mean\": {mean},")), "every digit of {mean}");
        assert_eq!(report.to_json().unwrap(), json);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert!(value["measure"]["structures"][2]["coverage"].is_null());
        assert_eq!(value["notice"], RESEARCH_USE);
        assert!(value["places"][0]["position_mm"].is_array());
        for key in ["case", "notice", "definition", "measure", "flags", "places", "provenance"] {
            assert!(value.get(key).is_some(), "{key}");
        }
    }
}
