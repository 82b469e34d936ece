//! Which values an axis spans, and where its ticks are.

use super::Range;

/// About how many ticks an axis has.
const TICKS: f64 = 6.0;

/// A linear axis whose ends are ticks.
pub(super) struct Axis {
    pub from: f64,
    pub to: f64,
    step: f64,
    digits: usize,
}

impl Axis {
    /// The vertical axis for `values`; it holds 0, where the bars stand.
    pub(super) fn vertical(range: Range, values: impl Iterator<Item = f64>) -> Self {
        match range {
            Range::UnitInterval => Self { from: 0.0, to: 1.0, step: 0.2, digits: 1 },
            Range::Automatic => {
                let (from, to) = values.fold((0.0f64, 0.0f64), |(a, b), v| (a.min(v), b.max(v)));
                Self::around(from, to)
            }
        }
    }

    /// The horizontal axis for `values`.
    pub(super) fn horizontal(values: impl Iterator<Item = f64>) -> Self {
        let (from, to) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        if from > to { Self::around(0.0, 1.0) } else { Self::around(from, to) }
    }

    /// Steps of 1, 2, 2.5 or 5 times a power of ten that reach over all of `from` to `to`.
    fn around(from: f64, to: f64) -> Self {
        let span = if to > from { to - from } else { from.abs().max(1.0) };
        let to = from + span;
        let rough = span / TICKS;
        let power = rough.log10().floor();
        let ten = 10f64.powf(power);
        let factor = [1.0, 2.0, 2.5, 5.0].into_iter().find(|factor| factor * ten >= rough * 0.999);
        let factor = factor.unwrap_or(10.0);
        let step = factor * ten;
        let extra = if factor == 2.5 { 1.0 } else { 0.0 };
        let power = if factor == 10.0 { power + 1.0 } else { power };
        // A thousandth of a step beyond a tick is rounding, not a value.
        let (from, to) = ((from / step + 1e-3).floor() * step, (to / step - 1e-3).ceil() * step);
        Self { from, to, step, digits: (extra - power).max(0.0) as usize }
    }

    /// Value and text of each tick, ascending.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let count = ((self.to - self.from) / self.step).round() as usize;
        let tick = |n| {
            let value = self.from + n as f64 * self.step;
            (value, self.text(value, 0))
        };
        (0..=count).map(tick).collect()
    }

    /// A value with as many decimals as the ticks have, and `more`.
    pub(super) fn text(&self, value: f64, more: usize) -> String {
        let digits = self.digits + more;
        let text = format!("{value:.digits$}");
        // What rounds to zero has no sign.
        let is_zero = text.bytes().all(|byte| !byte.is_ascii_digit() || byte == b'0');
        let text = if is_zero { text.trim_start_matches('-') } else { &text };
        text.replace('-', "\u{2212}")
    }

    /// Where a value lies between the ends, 0 to 1; values beyond the ends lie on them.
    pub(super) fn share(&self, value: f64) -> f32 {
        ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(values: &[f64]) -> Vec<String> {
        let axis = Axis::vertical(Range::Automatic, values.iter().copied());
        axis.ticks().into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round_numbers_that_reach_over_every_value() {
        assert_eq!(ticks(&[3.0, 11.2]), ["0", "2", "4", "6", "8", "10", "12"]);
        assert_eq!(
            ticks(&[-0.21, 0.9]),
            ["\u{2212}0.4", "\u{2212}0.2", "0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(ticks(&[0.013]), ["0.0000", "0.0025", "0.0050", "0.0075", "0.0100", "0.0125", "0.0150"]);
        assert_eq!(ticks(&[]), ticks(&[0.0]));
        assert_eq!(ticks(&[500.0]).last().map(String::as_str), Some("500"));
    }
}
