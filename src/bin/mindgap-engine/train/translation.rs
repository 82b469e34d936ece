//! Stage 1: one step of the style transfer.
//!
//! Aligned disentangling: the reconstruction terms teach encoder, decoder and style; the cycle, content and adversarial
//! terms teach encoder and style only, with the decoder held. "Real" for the critic are the reconstructions, so that it
//! judges style and not the decoder's sharpness.

use super::batches::Batch;
use super::schedule;
use super::state::TrainState;
use super::{StepRecord, TrainError};
use crate::model::{Domain, infer, losses, tensor};
use mindgap::config::train::TrainConfig;
use tch::Tensor;

/// EMA decay of the generator.
const DECAY: f64 = 0.99;

/// Updates generator and critic once.
pub fn step(batch: &Batch, config: &TrainConfig, state: &mut TrainState) -> Result<StepRecord, TrainError> {
    let device = state.live.store.device();
    let to_tensor = |images: &[Vec<f32>]| {
        tensor::image_batch(&images.concat(), images.len(), batch.size, device).map(|t| infer::to_signed(&t))
    };
    let (x_s, x_t) = (to_tensor(&batch.source)?, to_tensor(&batch.target)?);
    let t = &config.translation;
    let rate = schedule::constant_then_linear(t.learning_rate, state.step, t.steps);
    let g = &state.live.generator;
    let (style_s, style_t) = (g.style(Domain::Source), g.style(Domain::Target));
    let (content_s, content_t) = (g.encode(&x_s, &style_s), g.encode(&x_t, &style_t));
    let (rec_s, rec_t) = (g.decode(&content_s, &style_s), g.decode(&content_t, &style_t));
    let (x_st, x_ts) = (g.decode(&content_s, &style_t), g.decode(&content_t, &style_s));
    let (back_s, back_t) = (g.encode(&x_st, &style_t), g.encode(&x_ts, &style_s));
    let cycle = losses::absolute(&g.decode(&back_s, &style_s), &x_s)
        + losses::absolute(&g.decode(&back_t, &style_t), &x_t);
    let content =
        losses::absolute(&back_s, &content_s.detach()) + losses::absolute(&back_t, &content_t.detach());
    let adversarial = losses::least_squares(&state.critic.score(&x_st, Domain::Target), 1.0)
        + losses::least_squares(&state.critic.score(&x_ts, Domain::Source), 1.0);
    let reconstruction = losses::absolute(&rec_s, &x_s) + losses::absolute(&rec_t, &x_t);
    let others = &cycle * t.lambda_cycle + &content * t.lambda_content + &adversarial * t.lambda_adversarial;
    update_generator(state, &(&reconstruction * t.lambda_reconstruction), &others, rate)?;
    let critic = critic_loss(state, [&rec_s, &rec_t], [&x_ts, &x_st]);
    let gradients = Tensor::f_run_backward(&[&critic], &state.critic_adam.parameters(), false, false)?;
    state.critic_adam.apply(&gradients, rate)?;
    state.average_generator(DECAY, state.step)?;
    Ok(StepRecord::new(vec![
        ("reconstruction", reconstruction.f_double_value(&[])?),
        ("cycle", cycle.f_double_value(&[])?),
        ("adversarial", adversarial.f_double_value(&[])?),
        ("critic", critic.f_double_value(&[])?),
    ]))
}

fn update_generator(
    state: &mut TrainState,
    reconstruction: &Tensor,
    others: &Tensor,
    rate: f64,
) -> Result<(), TrainError> {
    let adam = &state.generator_adam;
    let parameters = adam.parameters();
    let mut gradients = Tensor::f_run_backward(&[reconstruction], &parameters, true, false)?;
    let free: Vec<usize> = adam
        .names()
        .enumerate()
        .filter(|(_, name)| !name.starts_with("generator.decoder."))
        .map(|(index, _)| index)
        .collect();
    let free_parameters: Vec<&Tensor> = free.iter().map(|&index| parameters[index]).collect();
    let more = Tensor::f_run_backward(&[others], &free_parameters, false, false)?;
    for (&index, gradient) in free.iter().zip(more) {
        gradients[index] = &gradients[index] + gradient;
    }
    state.generator_adam.apply(&gradients, rate)?;
    Ok(())
}

/// Reconstructions are real (1), translations are not (0); each in its own domain's map.
fn critic_loss(state: &TrainState, [rec_s, rec_t]: [&Tensor; 2], [x_ts, x_st]: [&Tensor; 2]) -> Tensor {
    let term = |images: &Tensor, domain, wanted| {
        losses::least_squares(&state.critic.score(&images.detach(), domain), wanted)
    };
    term(rec_s, Domain::Source, 1.0)
        + term(rec_t, Domain::Target, 1.0)
        + term(x_ts, Domain::Source, 0.0)
        + term(x_st, Domain::Target, 0.0)
}
