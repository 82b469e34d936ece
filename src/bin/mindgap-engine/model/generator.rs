//! The style transfer: one encoder and one decoder for both modalities, told by AdaIN which one to speak.
//!
//! Content is the encoder's output; style is the set of AdaIN parameters an MLP makes of the domain's one-hot vector.
//! x_st = Dec(Enc(x_s, style s), style t). Form after AD-GAN; values in [-1, 1]. Weight names: `style.{0,1,2}`,
//! `encoder.*`, `decoder.*`.

use mindgap::config::NetworkConfig;
use tch::Tensor;
use tch::nn;

/// Which of the two modalities of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    Source,
    Target,
}

impl Domain {
    pub fn other(self) -> Self {
        match self {
            Domain::Source => Domain::Target,
            Domain::Target => Domain::Source,
        }
    }
}

/// Encoder, decoder and style MLP.
#[derive(Debug)]
pub struct Generator {
    style: [nn::Linear; 3],
    encoder: Vec<Stage>,
    decoder: Vec<Stage>,
    to_image: nn::Conv2D,
    /// AdaIN parameters of encoder and decoder, two a channel.
    encoder_styles: i64,
}

impl Generator {
    /// Input (n, 1, h, w), h and w multiples of 4.
    pub fn new(path: &nn::Path, config: &NetworkConfig) -> Self {
        let g = config.generator_channels;
        let mut encoder = vec![
            Stage::conv(&(path / "encoder" / 0), 1, g, 7, 1),
            Stage::conv(&(path / "encoder" / 1), g, 2 * g, 3, 2),
            Stage::conv(&(path / "encoder" / 2), 2 * g, 4 * g, 3, 2),
        ];
        let mut decoder = Vec::new();
        for block in 0..config.residual_blocks {
            encoder.push(Stage::residual(&(path / "encoder" / (3 + block)), 4 * g));
            decoder.push(Stage::residual(&(path / "decoder" / block), 4 * g));
        }
        let first_up = config.residual_blocks;
        decoder.push(Stage::up(&(path / "decoder" / first_up), 4 * g, 2 * g));
        decoder.push(Stage::up(&(path / "decoder" / (first_up + 1)), 2 * g, g));
        let to_image = nn::conv2d(path / "decoder" / "image", g, 1, 7, Default::default());
        let styles = |stages: &[Stage]| stages.iter().map(Stage::style_len).sum::<i64>();
        let (encoder_styles, decoder_styles) = (styles(&encoder), styles(&decoder));
        let linear = |name: i64, from, to| nn::linear(path / "style" / name, from, to, Default::default());
        let style = [linear(0, 2, 64), linear(1, 64, 64), linear(2, 64, encoder_styles + decoder_styles)];
        Self { style, encoder, decoder, to_image, encoder_styles }
    }

    /// The style vector of a domain: (1, all AdaIN parameters).
    pub fn style(&self, domain: Domain) -> Tensor {
        let one_hot = match domain {
            Domain::Source => [1.0f32, 0.0],
            Domain::Target => [0.0, 1.0],
        };
        let weights = &self.to_image.ws;
        let input =
            Tensor::from_slice(&one_hot).view([1, 2]).to_device(weights.device()).to_kind(weights.kind());
        input.apply(&self.style[0]).relu().apply(&self.style[1]).relu().apply(&self.style[2])
    }

    /// Content (n, 4g, h/4, w/4) of images of that style.
    pub fn encode(&self, images: &Tensor, style: &Tensor) -> Tensor {
        run(&self.encoder, images, &style.narrow(1, 0, self.encoder_styles))
    }

    /// Images (n, 1, h, w) in [-1, 1] of some content in that style.
    pub fn decode(&self, content: &Tensor, style: &Tensor) -> Tensor {
        let decoder_styles = style.size()[1] - self.encoder_styles;
        let x = run(&self.decoder, content, &style.narrow(1, self.encoder_styles, decoder_styles));
        x.reflection_pad2d([3, 3, 3, 3]).apply(&self.to_image).tanh()
    }

    /// Dec(Enc(x, from), to).
    pub fn translate(&self, images: &Tensor, from: Domain, to: Domain) -> Tensor {
        self.decode(&self.encode(images, &self.style(from)), &self.style(to))
    }

    /// Dec(Enc(x, from), (1 - share) from + share to): on the straight line between two styles, exact at both ends.
    pub fn translate_towards(&self, images: &Tensor, from: Domain, to: Domain, share: f64) -> Tensor {
        let own = self.style(from);
        self.decode(&self.encode(images, &own), &own.lerp(&self.style(to), share))
    }
}

/// Runs stages in turn, each taking its AdaIN parameters off the front of `styles`.
fn run(stages: &[Stage], input: &Tensor, styles: &Tensor) -> Tensor {
    let mut start = 0;
    stages.iter().fold(input.shallow_clone(), |x, stage| {
        let style = styles.narrow(1, start, stage.style_len());
        start += stage.style_len();
        stage.forward(&x, &style)
    })
}

/// A step of encoder or decoder.
#[derive(Debug)]
struct Stage {
    kind: StageKind,
    convs: Vec<nn::Conv2D>,
    channels: i64,
    pad: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StageKind {
    Conv,
    Residual,
    Up,
}

impl Stage {
    fn conv(path: &nn::Path, input: i64, output: i64, kernel: i64, stride: i64) -> Self {
        let config = nn::ConvConfig { stride, ..Default::default() };
        Self {
            kind: StageKind::Conv,
            convs: vec![nn::conv2d(path / 0, input, output, kernel, config)],
            channels: output,
            pad: kernel / 2,
        }
    }

    fn residual(path: &nn::Path, channels: i64) -> Self {
        let conv = |l: i64| nn::conv2d(path / l, channels, channels, 3, Default::default());
        Self { kind: StageKind::Residual, convs: vec![conv(0), conv(1)], channels, pad: 1 }
    }

    fn up(path: &nn::Path, input: i64, output: i64) -> Self {
        Self {
            kind: StageKind::Up,
            convs: vec![nn::conv2d(path / 0, input, output, 3, Default::default())],
            channels: output,
            pad: 1,
        }
    }

    fn style_len(&self) -> i64 {
        2 * self.channels * self.convs.len() as i64
    }

    fn forward(&self, x: &Tensor, style: &Tensor) -> Tensor {
        let conv = |l: usize, x: &Tensor| {
            let padded = x.reflection_pad2d([self.pad; 4]).apply(&self.convs[l]);
            adain(&padded, &style.narrow(1, 2 * self.channels * l as i64, 2 * self.channels))
        };
        match self.kind {
            StageKind::Conv => conv(0, x).relu(),
            StageKind::Residual => conv(1, &conv(0, x).relu()) + x,
            StageKind::Up => {
                let size = x.size();
                conv(0, &x.upsample_nearest2d([2 * size[2], 2 * size[3]], None, None)).relu()
            }
        }
    }
}

/// Adaptive instance norm: the statistics of each channel replaced by the style's. `style` is (1, 2C): C gains (about
/// 0, added to 1) and C shifts.
fn adain(x: &Tensor, style: &Tensor) -> Tensor {
    let channels = x.size()[1];
    let none = None::<&Tensor>;
    // One group a channel: instance norm, from the faster kernel.
    let normed = x.group_norm(channels, none, none, 1e-5, false);
    let gain = style.narrow(1, 0, channels).view([1, channels, 1, 1]) + 1.0;
    let shift = style.narrow(1, channels, channels).view([1, channels, 1, 1]);
    normed * gain + shift
}
