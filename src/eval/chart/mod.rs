//! Charts as PNG files: grouped bars with error bars and single values, and lines.
//!
//! Invariants: the same chart gives the same bytes on every machine (own fonts, scalar arithmetic); series are told apart
//! under colour blindness (Okabe and Ito's palette); for what is undefined or was not measured nothing is drawn but the
//! words "no value".

mod axis;
mod bars;
mod canvas;
mod frame;
mod lines;
pub(super) mod text;

use super::moments::MeanSd;
use thiserror::Error;

/// Size of every chart in pixels.
pub const SIZE: [u32; 2] = [1600, 900];

/// How many series can be told apart by colour.
pub const MAX_SERIES: usize = canvas::PALETTE.len();

/// Why a chart could not be drawn.
#[derive(Debug, Error)]
pub enum ChartError {
    #[error("chart \"{title}\": {field}: expected {expected}, got {got}; {remedy}")]
    Input { title: String, field: String, expected: String, got: String, remedy: &'static str },
    #[error("chart: a font of the program is unreadable: {0}; the program is damaged, install it again")]
    Font(#[from] ttf_parser::FaceParsingError),
    #[error("chart: no memory for a picture of {} x {} pixels; close other programs", SIZE[0], SIZE[1])]
    Memory,
    #[error("chart: the picture could not be encoded as PNG: {0}")]
    Encode(#[from] image::ImageError),
}

/// Which values the y axis spans.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Range {
    /// 0 to 1, whatever the values are: for Dice.
    UnitInterval,
    /// From 0, or below where there are negative values, to above the largest value.
    Automatic,
}

/// Groups of bars along x, one bar of each series in a group.
#[derive(Debug, Clone, PartialEq)]
pub struct BarChart {
    pub title: String,
    /// With the unit.
    pub y_label: String,
    pub range: Range,
    /// Names along x; a line feed starts a new line.
    pub groups: Vec<String>,
    pub series: Vec<Series>,
    /// What the reader must know, below the chart.
    pub caption: String,
}

/// The bars of one colour, one for each group.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// In the legend; there is none if every name is empty.
    pub name: String,
    /// Which colour of the palette, below [`MAX_SERIES`].
    pub colour: usize,
    pub bars: Vec<Bar>,
}

/// One bar; the default is one without value, which the chart says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bar {
    pub mean: Option<f64>,
    /// Half the length of the error bar.
    pub sd: Option<f64>,
    /// Drawn as dots.
    pub values: Vec<f64>,
}

impl Bar {
    /// Mean, sample standard deviation and dots of the defined values.
    pub fn of(values: impl IntoIterator<Item = Option<f64>>) -> Self {
        let values: Vec<f64> = values.into_iter().flatten().collect();
        let MeanSd { mean, sd, .. } = MeanSd::of(values.iter().copied().map(Some));
        Self { mean, sd, values }
    }
}

impl BarChart {
    /// The chart as the bytes of a PNG file of [`SIZE`].
    pub fn to_png(&self) -> Result<Vec<u8>, ChartError> {
        bars::draw(self)
    }
}

/// Lines over a numeric x axis.
#[derive(Debug, Clone, PartialEq)]
pub struct LineChart {
    pub title: String,
    pub x_label: String,
    pub y_label: String,
    pub range: Range,
    pub series: Vec<Line>,
    /// What the reader must know, below the chart.
    pub caption: String,
}

/// One line of a [`LineChart`].
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// In the legend.
    pub name: String,
    /// x and y, joined in this order.
    pub points: Vec<[f64; 2]>,
    /// Whether each point gets a dot; without lines between them it is a scatter chart.
    pub dots: bool,
    pub joined: bool,
}

impl LineChart {
    /// The chart as the bytes of a PNG file of [`SIZE`].
    pub fn to_png(&self) -> Result<Vec<u8>, ChartError> {
        lines::draw(self)
    }
}

/// Refuses two series of one colour, and more than there are colours.
fn check_colours(title: &str, colours: &[usize]) -> Result<(), ChartError> {
    let clash = colours
        .iter()
        .enumerate()
        .find(|(n, colour)| **colour >= MAX_SERIES || colours[..*n].contains(colour));
    clash.map_or(Ok(()), |(n, colour)| {
        Err(ChartError::Input {
            title: title.to_owned(),
            field: format!("colour of series {}", n + 1),
            expected: format!("one of its own, 0 to {}", MAX_SERIES - 1),
            got: colour.to_string(),
            remedy: "more series cannot be told apart by colour: draw several charts",
        })
    })
}

/// Refuses values that have no place on an axis.
fn check_finite(title: &str, series: &str, values: impl Iterator<Item = f64>) -> Result<(), ChartError> {
    let mut values = values;
    values.find(|value| !value.is_finite()).map_or(Ok(()), |value| {
        Err(ChartError::Input {
            title: title.to_owned(),
            field: format!("series \"{series}\""),
            expected: "finite numbers".to_owned(),
            got: value.to_string(),
            remedy: "leave undefined values out",
        })
    })
}
