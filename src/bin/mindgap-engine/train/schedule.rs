//! The phases of a training, in order, and how rates change within them.

use mindgap::config::train::TrainConfig;

/// One stretch of training with its own batches and losses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Stage 1: style transfer.
    Translate,
    /// Stage 2: real source images only.
    Warm,
    /// Stage 2: mixed contrasts, feature critic and mask.
    Adapt,
    /// Stage 2: the same with refined labels of target scans, by round.
    SelfTrain(u64),
}

impl Phase {
    /// Every phase of a configuration.
    pub fn all(config: &TrainConfig) -> Vec<Phase> {
        let mut phases = vec![Phase::Translate, Phase::Warm, Phase::Adapt];
        phases.extend((0..config.self_training.rounds).map(Phase::SelfTrain));
        phases
    }

    /// Position in [`Phase::all`].
    pub fn index(self) -> u64 {
        match self {
            Phase::Translate => 0,
            Phase::Warm => 1,
            Phase::Adapt => 2,
            Phase::SelfTrain(round) => 3 + round,
        }
    }

    /// Optimiser steps.
    pub fn steps(self, config: &TrainConfig) -> u64 {
        match self {
            Phase::Translate => config.translation.steps,
            Phase::Warm => config.segmentation.warm_steps,
            Phase::Adapt => config.segmentation.critic_steps + config.segmentation.steps,
            Phase::SelfTrain(_) => config.self_training.steps,
        }
    }

    /// For errors and cards.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Translate => "style transfer",
            Phase::Warm => "warm-up on source images",
            Phase::Adapt => "adaptation",
            Phase::SelfTrain(_) => "self-training",
        }
    }

    /// For progress: the name and the round.
    pub fn label(self) -> String {
        match self {
            Phase::SelfTrain(round) => format!("{}, round {}", self.name(), round + 1),
            phase => phase.name().to_owned(),
        }
    }
}

/// Linear warm-up over 30 steps, then constant.
pub fn warmed_up(rate: f64, step: u64) -> f64 {
    rate * ((step + 1) as f64 / 30.0).min(1.0)
}

/// Linear warm-up over 30 steps, then a cosine down to a fiftieth.
pub fn cosine(rate: f64, step: u64, total: u64) -> f64 {
    let progress = step as f64 / total.max(1) as f64;
    let floor = 0.02;
    warmed_up(rate, step) * (floor + (1.0 - floor) * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()))
}

/// Constant for the first half, then linear down to a twentieth.
pub fn constant_then_linear(rate: f64, step: u64, total: u64) -> f64 {
    let progress = step as f64 / total.max(1) as f64;
    rate * (1.0 - (progress - 0.5).max(0.0) * 1.9)
}

/// From 0 to 1 over the first fifth of the steps.
pub fn ramp(step: u64, total: u64) -> f64 {
    (step as f64 / (total as f64 / 5.0).max(1.0)).min(1.0)
}

/// From 1 to 0 over the first half of the steps.
pub fn faded(step: u64, total: u64) -> f64 {
    (1.0 - 2.0 * step as f64 / total.max(1) as f64).max(0.0)
}

/// Whether a(p) is still held at 0: the first twentieth of the steps.
pub fn mask_held(step: u64, total: u64) -> bool {
    step < total / 20
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_classes_fade_by_half_of_the_adaptation_and_stay_so() {
        assert_eq!([0, 250, 500, 999].map(|step| faded(step, 1000)), [1.0, 0.5, 0.0, 0.0]);
    }
}
