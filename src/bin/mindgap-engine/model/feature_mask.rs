//! The local feature mask: where a position-wise critic can still tell the two domains' features apart.
//!
//! D_f scores every position of F (+1 for target-like source features, -1 for real target features); a(p) = |tanh of
//! the smoothed score|, so a is large where the critic is certain, whichever way, and near 0 where the domains look
//! alike. A zero-initialised D_f gives a = 0 and leaves F bit for bit as it was.

use super::segmenter::leaky_relu;
use tch::Tensor;
use tch::nn;

/// D_f: (n, C, h, w) to one score a position (n, 1, h, w); no pooling, receptive field 9x9.
#[derive(Debug)]
pub struct FeatureCritic {
    convs: [nn::Conv2D; 3],
    score: nn::Conv2D,
}

impl FeatureCritic {
    /// For features of C channels.
    pub fn new(path: &nn::Path, channels: i64) -> Self {
        let config = nn::ConvConfig { padding: 1, ..Default::default() };
        let widths = [channels, channels / 2, channels / 4, channels / 8];
        let conv = |l: usize| nn::conv2d(path / l, widths[l], widths[l + 1], 3, config);
        let zero = nn::ConvConfig { ws_init: nn::Init::Const(0.0), bs_init: nn::Init::Const(0.0), ..config };
        Self { convs: [conv(0), conv(1), conv(2)], score: nn::conv2d(path / "score", widths[3], 1, 3, zero) }
    }

    /// The raw score of each position.
    pub fn score(&self, features: &Tensor) -> Tensor {
        let hidden =
            self.convs.iter().fold(features.shallow_clone(), |x, conv| leaky_relu(&x.apply(conv), 0.2));
        hidden.apply(&self.score)
    }

    /// Makes a(p) 0 everywhere, as before any training.
    pub fn silence(&self) {
        for weights in [Some(&self.score.ws), self.score.bs.as_ref()].into_iter().flatten() {
            let _ = weights.shallow_clone().zero_();
        }
    }

    /// a(p) of some features, detached: (n, 1, h, w) in [0, 1).
    pub fn mask(&self, features: &Tensor) -> Tensor {
        tch::no_grad(|| mask_of_score(&self.score(features)))
    }
}

/// a(p) = |tanh(smoothed score)|. Smoothing (binomial 3x3) comes before the absolute value: where the score's sign
/// flips, |tanh| alone would draw a false seam of zeros.
pub fn mask_of_score(score: &Tensor) -> Tensor {
    let kernel = Tensor::from_slice(&[1.0f32, 2.0, 1.0, 2.0, 4.0, 2.0, 1.0, 2.0, 1.0])
        .view([1, 1, 3, 3])
        .to_device(score.device())
        .to_kind(score.kind())
        / 16.0;
    score
        .replication_pad2d([1, 1, 1, 1])
        .conv2d(&kernel, None::<Tensor>, [1, 1], [0, 0], [1, 1], 1)
        .tanh()
        .abs()
}

/// F^ = F (1 + a): features with a larger gap get priority; no gradient flows through a.
pub fn amplify(features: &Tensor, mask: &Tensor) -> Tensor {
    features * (mask.detach() + 1.0)
}
