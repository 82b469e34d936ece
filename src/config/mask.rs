//! Where the local feature mask acts when a scan is segmented.
//!
//! F^ = F (1 + a(p)) where it acts and F elsewhere; everything else of a run stays as it is, so that two runs which differ
//! in this alone show what the mask does. The gap map that is shown is a(p) itself, whatever is chosen here.

use glam::DVec3;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// At which positions p of the feature map the mask multiplies the features.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaskUse {
    #[default]
    Everywhere,
    Nowhere,
    /// Where a(p) is at least this, 0..1.
    From(f32),
    /// In a ball.
    Within(Ball),
}

/// A ball in the scan's world.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ball {
    /// RAS+, mm.
    pub centre_mm: [f64; 3],
    pub radius_mm: f64,
}

/// What is wrong with a mask as it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected on, off, from:GAP with a gap of 0 to 1, or within:R,A,S,RADIUS in mm, got \"{0}\"")]
pub struct MaskSyntax(String);

impl Ball {
    pub fn holds(&self, world_mm: DVec3) -> bool {
        world_mm.distance_squared(DVec3::from_array(self.centre_mm)) <= self.radius_mm * self.radius_mm
    }
}

impl fmt::Display for MaskUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MaskUse::Everywhere => f.write_str("on"),
            MaskUse::Nowhere => f.write_str("off"),
            MaskUse::From(gap) => write!(f, "from:{gap}"),
            MaskUse::Within(Ball { centre_mm: [r, a, s], radius_mm }) => {
                write!(f, "within:{r},{a},{s},{radius_mm}")
            }
        }
    }
}

impl FromStr for MaskUse {
    type Err = MaskSyntax;

    fn from_str(text: &str) -> Result<Self, MaskSyntax> {
        let wrong = || MaskSyntax(text.to_owned());
        match text.split_once(':') {
            None if text == "on" => Ok(MaskUse::Everywhere),
            None if text == "off" => Ok(MaskUse::Nowhere),
            Some(("from", gap)) => match gap.parse() {
                Ok(gap) if (0.0..=1.0).contains(&gap) => Ok(MaskUse::From(gap)),
                _ => Err(wrong()),
            },
            Some(("within", ball)) => {
                let numbers: Result<Vec<f64>, _> = ball.split(',').map(|n| n.trim().parse()).collect();
                match numbers.as_deref() {
                    Ok([r, a, s, radius]) if *radius > 0.0 && numbers_are_finite(&[*r, *a, *s, *radius]) => {
                        Ok(MaskUse::Within(Ball { centre_mm: [*r, *a, *s], radius_mm: *radius }))
                    }
                    _ => Err(wrong()),
                }
            }
            _ => Err(wrong()),
        }
    }
}

fn numbers_are_finite(numbers: &[f64]) -> bool {
    numbers.iter().all(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_is_written_as_it_is_read_and_nonsense_is_refused() {
        for text in ["on", "off", "from:0.3", "within:-10.5,20,300,25"] {
            assert_eq!(text.parse::<MaskUse>().map(|mask| mask.to_string()), Ok(text.to_owned()));
        }
        for text in
            ["", "on:", "from:", "from:2", "from:NaN", "within:1,2,3", "within:1,2,3,0", "within:1,2,inf,4"]
        {
            assert!(text.parse::<MaskUse>().is_err(), "{text}");
        }
    }
}
