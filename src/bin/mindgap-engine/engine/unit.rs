//! What a synthetic image is measured in.

use mindgap::config::Card;
use mindgap::volume::Modality;

/// What scaled intensities 0 and 1 mean in the modality that a translation imitates.
pub struct IntensityUnit {
    zero: f32,
    one: f32,
}

impl IntensityUnit {
    /// CT: the model's window in HU. MR has no unit: the 99.5th percentile is called 1000.
    pub fn of(modality: Modality, card: &Card) -> Self {
        match modality {
            Modality::Ct => {
                let [zero, one] = card.preprocessing.ct_window_hu;
                Self { zero, one }
            }
            Modality::Mr => Self { zero: 0.0, one: 1000.0 },
        }
    }

    pub fn measured(&self, scaled: f32) -> f32 {
        self.zero + scaled * (self.one - self.zero)
    }
}
