//! How the agreement of edges is painted over the synthetic image.

use crate::render::{Colormap, HeatStyle};

/// Off until it is asked for: it covers what it is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EdgeOptions {
    pub shown: bool,
    /// 0..=1.
    pub opacity: f32,
}

impl EdgeOptions {
    /// Every edge alike, for those that disagree are the ones to look at; where there is no edge nothing is painted.
    pub fn heat_style(self) -> HeatStyle {
        HeatStyle {
            opacity: if self.shown { self.opacity } else { 0.0 },
            // Agreement starts at 0, so that this much below it the full opacity is reached everywhere.
            threshold: -1.0,
            ramp: 1.0,
            range: [0.0, 1.0],
            colormap: Colormap::Cividis,
        }
    }
}

impl Default for EdgeOptions {
    fn default() -> Self {
        Self { shown: false, opacity: 0.75 }
    }
}
