//! Loss terms; symbols as in the method's description.

use tch::{Kind, Reduction, Tensor};

/// L_seg: cross-entropy + soft Dice over the foreground classes that the batch holds, each summed over the batch. A class
/// that is absent has no Dice: cross-entropy alone keeps it away.
///
/// In the cross-entropy a class weighs as one over its share of the batch's pixels to the power of `class_balance`. Unweighted
/// (0), a small structure that a net has stopped predicting is never found again: the softmax takes the gradient out of its
/// Dice, and its pixels are too few to be heard in the mean.
///
/// `logits` (n, c, h, w); `labels` (n, h, w) int64.
pub fn segmentation(logits: &Tensor, labels: &Tensor, class_balance: f64) -> Tensor {
    let classes = logits.size()[1];
    let over: &[i64] = &[0, 2, 3];
    let truth = labels.one_hot(classes).permute([0, 3, 1, 2]).to_kind(Kind::Float);
    let pixels = truth.sum_dim_intlist(over, false, Kind::Float);
    let weight = (pixels.sum(Kind::Float) / pixels.clamp_min(1.0)).pow_tensor_scalar(class_balance);
    let cross_entropy = logits.cross_entropy_loss(labels, Some(&weight), Reduction::Mean, -100, 0.0);
    let foreground = |t: &Tensor| t.narrow(1, 1, classes - 1);
    let (truth, pixels) = (foreground(&truth), pixels.narrow(0, 1, classes - 1));
    let probabilities = foreground(&logits.softmax(1, Kind::Float));
    let overlap = (&probabilities * &truth).sum_dim_intlist(over, false, Kind::Float);
    let total = probabilities.sum_dim_intlist(over, false, Kind::Float) + &pixels;
    let present = pixels.gt(0.0).to_kind(Kind::Float);
    let missed: Tensor = (1.0 - (overlap * 2.0 + 1.0) / (total + 1.0)) * &present;
    cross_entropy + missed.sum(Kind::Float) / present.sum(Kind::Float).clamp_min(1.0)
}

/// L_Df: least squares, +1 for target-like source features, -1 for real target features.
pub fn feature_critic(score_of_source: &Tensor, score_of_target: &Tensor) -> Tensor {
    (score_of_source - 1.0).square().mean(Kind::Float) + (score_of_target + 1.0).square().mean(Kind::Float)
}

/// L_adv: target features are to be scored like source features; in loss mode each position weighs 1 + a.
pub fn feature_alignment(score_of_target: &Tensor, mask: Option<&Tensor>) -> Tensor {
    let error = (score_of_target - 1.0).square();
    match mask {
        None => error.mean(Kind::Float),
        Some(mask) => {
            let weight = mask.detach() + 1.0;
            (&error * &weight).sum(Kind::Float) / weight.sum(Kind::Float)
        }
    }
}

/// Least-squares distance of critic scores from the value they should have.
pub fn least_squares(score: &Tensor, wanted: f64) -> Tensor {
    (score - wanted).square().mean(Kind::Float)
}

/// L1.
pub fn absolute(a: &Tensor, b: &Tensor) -> Tensor {
    (a - b).abs().mean(Kind::Float)
}
