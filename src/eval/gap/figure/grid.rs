//! Aligned columns of words and numbers.
//!
//! Invariant: no column is narrower than its cells, but for the first one, whose cells are shortened where all columns
//! together are wider than the page.

use crate::eval::gap::page::{Anchor, FAINT_INK, INK, Ink, RULE, Rgb, Section};
use crate::eval::gap::text::{Fonts, Style};

/// Least space between two columns.
const COLUMN_GAP: f32 = 12.0;
const SWATCH: f32 = 12.0;
/// What the first column keeps, however narrow the page is.
const LEAST_FIRST: f32 = 60.0;

/// One column and its heading.
pub(super) struct Column {
    /// Over neighbouring columns of one group together.
    group: String,
    heading: String,
    is_number: bool,
}

impl Column {
    pub(super) fn words(heading: &str) -> Self {
        Self { group: String::new(), heading: heading.to_owned(), is_number: false }
    }

    pub(super) fn number(group: &str, heading: &str) -> Self {
        Self { group: group.to_owned(), heading: heading.to_owned(), is_number: true }
    }
}

/// One cell a column.
pub(super) struct Row {
    pub cells: Vec<String>,
    /// Before the first cell.
    pub swatch: Option<Rgb>,
    /// Set off from the rows above it.
    pub is_total: bool,
}

pub(super) struct Table<'a> {
    pub columns: &'a [Column],
    pub rows: &'a [Row],
    pub size: f32,
}

impl Table<'_> {
    /// The table as wide as the room from `left` to `right`.
    pub(super) fn section(&self, fonts: &Fonts, [left, right]: [f32; 2]) -> Section {
        let spans = self.spans(fonts, [left, right]);
        let mut section = Section::default();
        self.put_groups(fonts, &mut section, &spans);
        let headings: Vec<String> = self.columns.iter().map(|column| column.heading.clone()).collect();
        self.put_cells(fonts, &mut section, &spans, &headings, Ink::new(Style::bold(self.size), FAINT_INK));
        section.rectangle([left, section.height], [right, section.height + 1.0], RULE);
        section.height += 4.0;
        for row in self.rows {
            if row.is_total {
                section.rectangle([left, section.height + 1.0], [right, section.height + 2.0], RULE);
                section.height += 5.0;
            }
            if let Some(rgb) = row.swatch {
                let top = section.height + 0.5 * (self.line_height() - SWATCH);
                section.rectangle([left, top], [left + SWATCH, top + SWATCH], rgb);
            }
            self.put_cells(fonts, &mut section, &spans, &row.cells, self.ink(row).tabular());
        }
        section
    }

    fn line_height(&self) -> f32 {
        Style::regular(self.size).line_height() + 2.0
    }

    fn ink(&self, row: &Row) -> Ink {
        Ink::new(Style { size: self.size, bold: row.is_total }, INK)
    }

    /// Before the cells of the first column.
    fn indent(&self) -> f32 {
        if self.rows.iter().any(|row| row.swatch.is_some()) { SWATCH + 8.0 } else { 0.0 }
    }

    /// Left and right end of each column.
    fn spans(&self, fonts: &Fonts, [left, right]: [f32; 2]) -> Vec<[f32; 2]> {
        let mut widths: Vec<f32> = (0..self.columns.len()).map(|column| self.needed(fonts, column)).collect();
        let left = left + self.indent();
        let spaces = self.columns.len().saturating_sub(1).max(1) as f32;
        let missing = widths.iter().sum::<f32>() + spaces * COLUMN_GAP - (right - left);
        if let Some(first) = widths.first_mut().filter(|_| missing > 0.0) {
            *first = (*first - missing).max(LEAST_FIRST.min(*first));
        }
        let space = ((right - left - widths.iter().sum::<f32>()) / spaces).max(0.0);
        let mut x = left;
        let span = |width: &f32| {
            let span = [x, x + width];
            x += width + space;
            span
        };
        widths.iter().map(span).collect()
    }

    /// What the cells, the heading and the share of the group's heading need.
    fn needed(&self, fonts: &Fonts, column: usize) -> f32 {
        let Column { group, heading, .. } = &self.columns[column];
        let bold = Ink::new(Style::bold(self.size), FAINT_INK);
        let members = self.columns.iter().filter(|other| other.group == *group).count();
        let of_group = (bold.width(fonts, group) - (members - 1) as f32 * COLUMN_GAP) / members as f32;
        let cells = self.rows.iter().filter_map(|row| {
            let ink = self.ink(row).tabular();
            row.cells.get(column).map(|cell| ink.width(fonts, cell))
        });
        cells.fold(bold.width(fonts, heading).max(of_group), f32::max).ceil()
    }

    /// Each group's name over the middle of its columns, and a line below it.
    fn put_groups(&self, fonts: &Fonts, section: &mut Section, spans: &[[f32; 2]]) {
        if self.columns.iter().all(|column| column.group.is_empty()) {
            return;
        }
        let ink = Ink::new(Style::bold(self.size), FAINT_INK);
        let mut first = 0;
        for group in self.columns.chunk_by(|a, b| a.group == b.group) {
            let last = first + group.len() - 1;
            let [left, right] = [spans[first][0], spans[last][1]];
            if !group[0].group.is_empty() {
                let y = section.height + self.size;
                let (x, anchor) = if group.len() > 1 {
                    (0.5 * (left + right), Anchor::Centre)
                } else {
                    (right, Anchor::Right)
                };
                section.text(fonts, &group[0].group, ink, [x, y], anchor);
                let line = section.height + self.line_height() - 1.0;
                if group.len() > 1 {
                    section.rectangle([left, line], [right, line + 1.0], RULE);
                }
            }
            first = last + 1;
        }
        section.height += self.line_height();
    }

    fn put_cells(
        &self,
        fonts: &Fonts,
        section: &mut Section,
        spans: &[[f32; 2]],
        cells: &[String],
        ink: Ink,
    ) {
        let baseline = section.height + 0.5 * (self.line_height() + ink.style.cap_height());
        for ((column, cell), [left, right]) in self.columns.iter().zip(cells).zip(spans) {
            let (x, anchor) = if column.is_number { (*right, Anchor::Right) } else { (*left, Anchor::Left) };
            // Digits as wide as a 0 can be a little wider than the letters that are measured here.
            let is_too_long = !column.is_number && ink.width(fonts, cell) > right - left + 0.5;
            let width = if is_too_long { 0.97 * (right - left) } else { f32::INFINITY };
            let cell = fonts.shorten(cell, ink.style, width);
            section.text(fonts, &cell, ink, [x, baseline], anchor);
        }
        section.height += self.line_height();
    }
}
