//! The image critic of the style transfer: patches, one output map a domain. Used in training only.

use super::segmenter::leaky_relu;
use tch::Tensor;
use tch::nn;

/// (n, 1, h, w) images to (n, 2, h', w') realness scores, one map a domain.
#[derive(Debug)]
pub struct ImageCritic {
    convs: [nn::Conv2D; 5],
}

impl ImageCritic {
    /// `d` is the width of the first level.
    pub fn new(path: &nn::Path, d: i64) -> Self {
        let conv = |name: i64, input, output, stride| {
            let config = nn::ConvConfig { stride, padding: 1, ..Default::default() };
            nn::conv2d(path / name, input, output, 4, config)
        };
        let convs = [
            conv(0, 1, d, 2),
            conv(1, d, 2 * d, 2),
            conv(2, 2 * d, 4 * d, 2),
            conv(3, 4 * d, 8 * d, 1),
            conv(4, 8 * d, 2, 1),
        ];
        Self { convs }
    }

    /// Scores of the map that belongs to `domain`: (n, 1, h', w').
    pub fn score(&self, images: &Tensor, domain: super::Domain) -> Tensor {
        let none = None::<&Tensor>;
        let mut x = leaky_relu(&images.apply(&self.convs[0]), 0.2);
        for conv in &self.convs[1..4] {
            let normed = x.apply(conv).instance_norm(none, none, none, none, true, 0.1, 1e-5, false);
            x = leaky_relu(&normed, 0.2);
        }
        x.apply(&self.convs[4]).narrow(1, domain as i64, 1)
    }
}
