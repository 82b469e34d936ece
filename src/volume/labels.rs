//! Label maps and the tables that give their values a name, a colour and a code.
//!
//! On disk: cardiac 1 MYO, 2 LAC, 3 LVC, 4 AA; abdomen 1 liver, 2 right kidney, 3 left kidney, 4 spleen. 0 is background
//! in every table. The tables are data, compiled in from `assets/labels/*.json`.

use super::scan::with_voxels;
use super::{Flag, Scaling, Scan, Volume};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::OnceLock;
use thiserror::Error;

/// One integer label a voxel; 0 is background. Values unknown to a table are kept.
pub type LabelMap = Volume<u16>;

/// Which structures are segmented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    Abdomen,
    Cardiac,
}

impl Task {
    /// "abdomen" or "cardiac", as in bundle ids and options.
    pub fn name(self) -> &'static str {
        match self {
            Task::Abdomen => "abdomen",
            Task::Cardiac => "cardiac",
        }
    }
}

impl Task {
    /// The program's own table for this task.
    pub fn table(self) -> &'static LabelTable {
        LabelTable::builtin()
            .iter()
            .find(|table| table.name == self.name())
            .unwrap_or(&LabelTable::builtin()[0])
    }
}

/// One structure of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelEntry {
    /// Value on disk in this table's files.
    pub value: u16,
    /// Value of the same structure in the program's own table of the task.
    pub structure: u16,
    /// For people: "Right kidney".
    pub name: String,
    /// SNOMED CT concept.
    pub snomed_ct: String,
    /// Display colour, sRGB; chosen to stay apart under colour blindness.
    pub rgb: [u8; 3],
}

/// Names, colours and codes of one labelling scheme.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelTable {
    /// As given to `--reference-table`: "abdomen", "btcv", "mm-whs", ...
    pub name: String,
    pub task: Task,
    pub description: String,
    pub entries: Vec<LabelEntry>,
}

/// A table that was asked for and does not exist.
#[derive(Debug, Error)]
#[error("label table: expected one of {known}, got \"{got}\"")]
pub struct LabelTableError {
    pub got: String,
    pub known: String,
}

/// Why the values of a scan cannot be labels.
#[derive(Debug, Error, Clone, PartialEq)]
pub enum LabelValueError {
    #[error("labels: expected whole numbers from 0 to 65535, got {listed}", listed = list(.examples))]
    NotWhole {
        /// The first few different offending values.
        examples: Vec<f64>,
    },
    #[error("labels: expected one number a voxel, got colours")]
    Colours,
    #[error("labels: expected one label a voxel, got how much of each voxel belongs to a segment")]
    Fractions,
}

fn list(values: &[f64]) -> String {
    values.iter().map(f64::to_string).collect::<Vec<_>>().join(", ")
}

impl Scan {
    /// The measured values as labels, if they are meant as numbers and all of them are whole ones from 0 to 65535, in
    /// whatever stored type.
    pub fn to_labels(&self) -> Result<LabelMap, LabelValueError> {
        if self.flags.contains(&Flag::Colour) {
            return Err(LabelValueError::Colours);
        }
        if self.flags.contains(&Flag::Fractions) {
            return Err(LabelValueError::Fractions);
        }
        let Scaling { slope, intercept } = self.scaling();
        let mut examples = Vec::new();
        let mut label = |stored: f64| {
            let value = stored * slope + intercept;
            if value.fract() == 0.0 && (0.0..=f64::from(u16::MAX)).contains(&value) {
                return value as u16;
            }
            let listed = examples.iter().any(|example: &f64| example.to_bits() == value.to_bits());
            if examples.len() < 5 && !listed {
                examples.push(value);
            }
            0
        };
        let labels = with_voxels!(self.voxels(), v => v.iter().map(|&stored| label(stored as f64)).collect());
        if examples.is_empty() {
            Ok(Volume { voxels: labels, geometry: self.geometry().clone() })
        } else {
            Err(LabelValueError::NotWhole { examples })
        }
    }
}

impl LabelEntry {
    /// What is shown for a label value: the entry of `table`, or "class 37" in a colour of its own for a value it does not
    /// know.
    pub fn describing(table: Option<&LabelTable>, value: u16) -> LabelEntry {
        table.and_then(|table| table.entry(value)).cloned().unwrap_or_else(|| LabelEntry {
            value,
            structure: 0,
            name: format!("class {value}"),
            snomed_ct: String::new(),
            rgb: unknown_rgb(value),
        })
    }
}

/// A colour for a value without an entry: hues a golden angle apart, so that neighbouring values differ most, and paler
/// than those of the tables.
fn unknown_rgb(value: u16) -> [u8; 3] {
    const GOLDEN_ANGLE_TURNS: f64 = 0.381_966;
    let hue = (f64::from(value) * GOLDEN_ANGLE_TURNS).fract() * 6.0;
    [5.0, 3.0, 1.0].map(|shift| {
        let distance: f64 = (shift + hue) % 6.0;
        let saturated = 1.0 - distance.min(4.0 - distance).clamp(0.0, 1.0);
        (255.0 * (0.35 + 0.6 * saturated)).round() as u8
    })
}

/// A map in another table's values, and what could not be expressed in them.
#[derive(Debug, Clone, PartialEq)]
pub struct Translated {
    pub labels: LabelMap,
    /// Values of the program's own that occur and have no value in the table, ascending: they became background.
    pub dropped: Vec<u16>,
}

impl LabelMap {
    /// Every value in the map, 0 included if it is there, ascending.
    pub fn values_present(&self) -> Vec<u16> {
        let mut present = vec![false; usize::from(u16::MAX) + 1];
        self.voxels.iter().for_each(|&label| present[usize::from(label)] = true);
        (0..=u16::MAX).filter(|&label| present[usize::from(label)]).collect()
    }
}

impl LabelTable {
    /// The tables that come with the program.
    pub fn builtin() -> &'static [LabelTable] {
        static TABLES: OnceLock<Vec<LabelTable>> = OnceLock::new();
        TABLES.get_or_init(|| EMBEDDED.iter().filter_map(|text| serde_json::from_str(text).ok()).collect())
    }

    /// The built-in table of that name.
    pub fn named(name: &str) -> Result<&'static LabelTable, LabelTableError> {
        Self::builtin().iter().find(|table| table.name == name).ok_or_else(|| LabelTableError {
            got: name.to_owned(),
            known: Self::builtin().iter().map(|t| t.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    /// The entry of a label value.
    pub fn entry(&self, value: u16) -> Option<&LabelEntry> {
        self.entries.iter().find(|entry| entry.value == value)
    }

    /// Its name, or "class 37" for a value the table does not know.
    pub fn name_of(&self, value: u16) -> String {
        self.entry(value).map_or_else(|| format!("class {value}"), |entry| entry.name.clone())
    }

    /// Rewrites a map of this table's values into those of another table of the same task.
    ///
    /// Also returns the labels, ascending, that `to` has no value for, with how many voxels each had: they become
    /// background. Values that this table does not know are among them, for they might mean something else in `to`.
    pub fn rewrite(&self, labels: &LabelMap, to: &LabelTable) -> (LabelMap, Vec<(u16, usize)>) {
        let value_in = |structure: u16| to.entries.iter().find(|entry| entry.structure == structure);
        let new_value = |old: u16| Some(value_in(self.entry(old)?.structure)?.value);
        let mut dropped = BTreeMap::<u16, usize>::new();
        let rewritten = labels.map(|&old| match (old, new_value(old)) {
            (0, _) => 0,
            (_, Some(new)) => new,
            (old, None) => {
                *dropped.entry(old).or_default() += 1;
                0
            }
        });
        (rewritten, dropped.into_iter().collect())
    }

    /// Rewrites a map of this table's values into the program's own values; everything else becomes background.
    pub fn to_structures(&self, labels: &LabelMap) -> LabelMap {
        labels.map(|&value| self.entry(value).map_or(0, |entry| entry.structure))
    }

    /// Rewrites a map of the program's own values into this table's; what the table lacks becomes background and is
    /// listed, so that nothing is lost unsaid.
    pub fn from_structures(&self, structures: &LabelMap) -> Translated {
        let value_of = |structure: u16| {
            self.entries.iter().find(|entry| entry.structure == structure).map(|entry| entry.value)
        };
        let mut dropped = BTreeSet::new();
        let labels = structures.map(|&structure| match (structure, value_of(structure)) {
            (0, _) => 0,
            (_, Some(value)) => value,
            (_, None) => {
                dropped.insert(structure);
                0
            }
        });
        Translated { labels, dropped: dropped.into_iter().collect() }
    }
}

const EMBEDDED: [&str; 10] = [
    include_str!("../../assets/labels/abdomen.json"),
    include_str!("../../assets/labels/cardiac.json"),
    include_str!("../../assets/labels/totalsegmentator-v1.json"),
    include_str!("../../assets/labels/totalsegmentator-v2.json"),
    include_str!("../../assets/labels/totalsegmentator-mr.json"),
    include_str!("../../assets/labels/chaos.json"),
    include_str!("../../assets/labels/btcv.json"),
    include_str!("../../assets/labels/amos22.json"),
    include_str!("../../assets/labels/mm-whs.json"),
    include_str!("../../assets/labels/sunnybrook.json"),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::volume::Geometry;

    #[test]
    fn every_table_that_ships_is_readable_and_maps_onto_its_tasks_structures() {
        assert_eq!(LabelTable::builtin().len(), EMBEDDED.len());
        for table in LabelTable::builtin() {
            for entry in &table.entries {
                assert!(table.task.table().entry(entry.structure).is_some(), "{}: {entry:?}", table.name);
            }
        }
    }

    #[test]
    fn rewriting_into_another_table_moves_every_structure_and_reports_what_has_no_place_there() {
        let (own, btcv) = (Task::Abdomen.table(), LabelTable::named("btcv").unwrap());
        let grid = Geometry::axis_aligned([6, 1, 1], [1.0; 3], [0.0; 3]).unwrap();
        let labels = Volume::from_fn(grid, |i, _, _| [0, 1, 2, 3, 4, 37][i]);
        let (there, dropped) = own.rewrite(&labels, btcv);
        assert_eq!((there.voxels(), dropped.as_slice()), (&[0, 6, 2, 3, 1, 0][..], &[(37, 1)][..]));
        let (back, dropped) = btcv.rewrite(&there, own);
        assert_eq!((back.voxels(), dropped.as_slice()), (&[0, 1, 2, 3, 4, 0][..], &[][..]));
    }

    #[test]
    fn a_map_in_another_tables_values_comes_back_and_what_is_lost_is_said() {
        let grid = crate::volume::Geometry::axis_aligned([6, 1, 1], [1.0; 3], [0.0; 3]).unwrap();
        let own = Volume::from_fn(grid, |i, _, _| i as u16);
        for table in LabelTable::builtin() {
            let translated = table.from_structures(&own);
            let has = |structure: u16| table.entries.iter().any(|entry| entry.structure == structure);
            let lost: Vec<u16> = (1..6).filter(|structure| !has(*structure)).collect();
            assert_eq!(translated.dropped, lost, "{}", table.name);
            let kept = own.map(|&structure| if has(structure) { structure } else { 0 });
            assert_eq!(table.to_structures(&translated.labels), kept, "{}", table.name);
            let values = translated.labels.voxels();
            assert!(values.iter().all(|value| *value == 0 || table.entry(*value).is_some()));
        }
    }

    #[test]
    fn every_structure_has_one_code_and_colour_in_all_tables() {
        let digits = |code: &str| !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_digit());
        for table in LabelTable::builtin() {
            let values: BTreeSet<u16> = table.entries.iter().map(|entry| entry.value).collect();
            assert!(values.len() == table.entries.len() && !values.contains(&0), "{}", table.name);
            for entry in &table.entries {
                let own = table.task.table().entry(entry.structure).unwrap();
                assert!(digits(&entry.snomed_ct), "{}: {entry:?}", table.name);
                assert_eq!((&entry.name, &entry.snomed_ct, entry.rgb), (&own.name, &own.snomed_ct, own.rgb));
            }
        }
    }

    #[test]
    fn values_without_a_name_get_colours_that_can_be_told_apart() {
        let entry = LabelEntry::describing(Some(Task::Abdomen.table()), 37);
        assert_eq!((entry.name.as_str(), entry.snomed_ct.as_str()), ("class 37", ""));
        let colours: BTreeSet<[u8; 3]> =
            (1..=60).map(|value| LabelEntry::describing(None, value).rgb).collect();
        assert_eq!(colours.len(), 60);
    }

    #[test]
    fn label_values_on_disk_never_change_meaning() {
        let names =
            |task: Task| task.table().entries.iter().map(|e| (e.value, e.name.as_str())).collect::<Vec<_>>();
        assert_eq!(
            names(Task::Abdomen),
            [(1, "Liver"), (2, "Right kidney"), (3, "Left kidney"), (4, "Spleen")]
        );
        assert_eq!(
            names(Task::Cardiac),
            [
                (1, "Myocardium"),
                (2, "Left atrium cavity"),
                (3, "Left ventricle cavity"),
                (4, "Ascending aorta")
            ]
        );
    }
}
