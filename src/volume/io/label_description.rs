//! ITK-SNAP's label description file: names and colours beside a label map that has no room for them.
//!
//! Source: ITK-SNAP's own files ("ITK-SnAP Label Description File"), whose reader takes lines of seven numbers and a
//! name between double quotes.

use super::{IoError, OutputFormat, Receipt, write_file};
use crate::volume::{LabelEntry, LabelTable};
use std::fmt::Write;
use std::path::{Path, PathBuf};

const HEADER: &str = "\
################################################
# ITK-SnAP Label Description File
# File format:
# IDX   -R-  -G-  -B-  -A--  VIS MSH  LABEL
# Fields:
#    IDX:   Zero-based index
#    -R-:   Red color component (0..255)
#    -G-:   Green color component (0..255)
#    -B-:   Blue color component (0..255)
#    -A-:   Label transparency (0.00 .. 1.00)
#    VIS:   Label visibility (0 or 1)
#    IDX:   Label mesh visibility (0 or 1)
#  LABEL:   Label description
################################################
    0     0    0    0        0  0  0    \"Clear Label\"
";

/// Where the description of the label map `labels` belongs: "liver.label.txt" beside "liver.nii.gz".
pub fn label_description_path(labels: &Path) -> PathBuf {
    let lower = labels.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let ending =
        OutputFormat::ENDINGS.iter().map(|(ending, _)| ending).find(|ending| lower.ends_with(**ending));
    // Extensions are taken off, not bytes of a text: a name need not be UTF-8, and two of them must not become one.
    let extensions = ending.map_or(0, |ending| ending.matches('.').count());
    let stem = (0..extensions).fold(labels.to_owned(), |stem, _| stem.with_extension(""));
    let mut name = stem.into_os_string();
    name.push(".label.txt");
    name.into()
}

/// Writes names and colours of the labels of `table` and of those among `present` that it does not know, by value.
pub fn write_label_description(
    path: &Path,
    table: Option<&LabelTable>,
    present: &[u16],
) -> Result<Receipt, IoError> {
    let known = table.map_or(&[][..], |table| &table.entries).iter().map(|entry| entry.value);
    let mut values: Vec<u16> = known.chain(present.iter().copied()).filter(|value| *value != 0).collect();
    values.sort_unstable();
    values.dedup();
    let mut text = HEADER.to_owned();
    for value in values {
        let LabelEntry { name, rgb: [red, green, blue], .. } = LabelEntry::describing(table, value);
        // The reader ends a name at the first double quote, and a line at its end.
        let name = name.replace('"', "'").replace(|c: char| c.is_control(), " ");
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{value:5}   {red:3}  {green:3}  {blue:3}        1  1  1    \"{name}\"");
    }
    write_file(path, text.as_bytes())
}
