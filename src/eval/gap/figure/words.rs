//! The parts of the page that are sentences: its head, the flags and the provenance.

use super::{BODY, BODY_BOLD, HEADING, LEFT, RIGHT, SMALL, SMALL_BOLD, headed};
use crate::eval::gap::files::GapReport;
use crate::eval::gap::flags::Flag;
use crate::eval::gap::page::{ACCENT, Anchor, FAINT_INK, INK, Ink, Section, TINT, wrapped};
use crate::eval::gap::text::{Fonts, Style};

const TITLE: Style = Style::bold(36.0);
const MAX_CASE_LINES: usize = 2;
const MAX_PROVENANCE_LINES: usize = 10;
/// Of the keys of the provenance, as a share of the page's width.
const KEYS: f32 = 0.3;

/// Title, case and what the page is for.
pub(super) fn head(fonts: &Fonts, report: &GapReport) -> Section {
    let mut section = Section::default();
    let program = Ink::new(HEADING, FAINT_INK);
    section.text(fonts, "MindGap", program, [RIGHT, TITLE.size * 0.93], Anchor::Right);
    section.lines(fonts, &["Gap report".to_owned()], Ink::new(TITLE, ACCENT), LEFT);
    let case = cut(fonts, &format!("Case {}", report.case), HEADING, RIGHT - LEFT, MAX_CASE_LINES);
    section.lines(fonts, &case, Ink::new(HEADING, INK), LEFT);
    section.height += 8.0;
    let notice = cut(fonts, &report.notice, BODY_BOLD, RIGHT - LEFT - 24.0, 3);
    let band = notice.len() as f32 * BODY_BOLD.line_height() + 12.0;
    section.rectangle([LEFT, section.height], [RIGHT, section.height + band], TINT);
    section.height += 6.0;
    section.lines(fonts, &notice, Ink::new(BODY_BOLD, INK), LEFT + 12.0);
    section.height += 6.0;
    section
}

/// Each flag as a bold line and its reason, as many as fit in `room` pixels of height.
pub(super) fn flags(fonts: &Fonts, flags: &[Flag], [left, right]: [f32; 2], room: f32) -> Section {
    let mut section = headed(fonts, "What speaks against the prediction", [left, right]);
    if flags.is_empty() {
        section.lines(fonts, &["No flag was raised.".to_owned()], Ink::new(BODY, INK), left);
        return section;
    }
    let one = |flag: &Flag| {
        let title = format!("{}: {}", flag.structure, flag.kind.title());
        let mut one = Section::default();
        let width = right - left;
        one.lines(fonts, &cut(fonts, &title, SMALL_BOLD, width, 2), Ink::new(SMALL_BOLD, INK), left);
        one.lines(fonts, &cut(fonts, &flag.reason, SMALL, width, 4), Ink::new(SMALL, INK), left);
        one.height += 5.0;
        one
    };
    let more_height = SMALL.line_height();
    for (number, flag) in flags.iter().enumerate() {
        let one = one(flag);
        let is_last = number + 1 == flags.len();
        if section.height + one.height + if is_last { 0.0 } else { more_height } > room {
            let more = format!("and {} more", flags.len() - number);
            section.lines(fonts, &[more], Ink::new(SMALL, FAINT_INK), left);
            break;
        }
        section.append(one);
    }
    section
}

/// How the numbers came about, line by line.
pub(super) fn provenance(fonts: &Fonts, report: &GapReport) -> Section {
    let mut section = headed(fonts, "Provenance", [LEFT, RIGHT]);
    let width = RIGHT - LEFT;
    let keys: Vec<String> =
        report.provenance.keys().map(|key| fonts.shorten(key, SMALL_BOLD, KEYS * width)).collect();
    let widest = keys.iter().map(|key| fonts.width(key, SMALL_BOLD)).fold(0.0, f32::max);
    let values = LEFT + widest + 18.0;
    let mut lines = Vec::new();
    for (key, value) in keys.iter().zip(report.provenance.values()) {
        let wrapped = wrapped(fonts, value, SMALL, RIGHT - values);
        let texts = if wrapped.is_empty() { vec![String::new()] } else { wrapped };
        lines.extend(
            texts.into_iter().enumerate().map(|(n, text)| (if n == 0 { key.as_str() } else { "" }, text)),
        );
    }
    let kept = if lines.len() > MAX_PROVENANCE_LINES { MAX_PROVENANCE_LINES - 1 } else { lines.len() };
    for (key, text) in &lines[..kept] {
        let baseline = section.height + SMALL.size;
        section.text(fonts, key, Ink::new(SMALL_BOLD, FAINT_INK), [LEFT, baseline], Anchor::Left);
        section.text(fonts, text, Ink::new(SMALL, FAINT_INK), [values, baseline], Anchor::Left);
        section.height += SMALL.line_height();
    }
    if kept < lines.len() {
        let more = format!("and {} more lines, in the JSON file", lines.len() - kept);
        section.lines(fonts, &[more], Ink::new(SMALL, FAINT_INK), LEFT);
    }
    section
}

/// A text in at most `most` lines; what is longer ends in an ellipsis.
pub(super) fn cut(fonts: &Fonts, text: &str, style: Style, width: f32, most: usize) -> Vec<String> {
    let mut lines = wrapped(fonts, text, style, width);
    if lines.len() > most {
        let rest = lines.split_off(most - 1).join(" ");
        lines.push(fonts.shorten(&rest, style, width));
    }
    lines
}
