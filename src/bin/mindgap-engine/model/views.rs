//! Slightly changed views of a slice, whose answers are averaged: an answer that hangs on a voxel's place or on how bright
//! the slice is loses to those that do not.
//!
//! Turned and mirrored views were tried on short-axis stacks and left out: with eight of them the myocardium lost 0.04 Dice.

use tch::{TchError, Tensor};

/// Which views of every slice are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Views {
    /// The slice as it is.
    One,
    /// Five, shifted and with another gamma.
    Shifted,
}

/// One view: how a slice is changed on its way to the networks.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Columns and rows.
    shift: [i64; 2],
    gamma: f64,
}

const fn view(columns: i64, rows: i64, gamma: f64) -> View {
    View { shift: [columns, rows], gamma }
}

const SHIFTED: [View; 5] =
    [view(0, 0, 1.0), view(2, 0, 0.8), view(-2, 1, 1.25), view(0, -2, 0.65), view(1, 2, 1.5)];

impl Views {
    /// The views, the unchanged one first.
    pub fn all(self) -> &'static [View] {
        match self {
            Views::One => &SHIFTED[..1],
            Views::Shifted => &SHIFTED,
        }
    }
}

impl View {
    /// (n, 1, h, w) images as this view shows them.
    pub fn of(&self, images: &Tensor) -> Result<Tensor, TchError> {
        let [columns, rows] = self.shift;
        images.f_clamp_min(0.0)?.f_pow_tensor_scalar(self.gamma)?.f_roll([rows, columns], [2, 3])
    }

    /// (n, c, h, w) values at the places of the view, at the places of the image.
    pub fn back(&self, values: &Tensor) -> Result<Tensor, TchError> {
        let [columns, rows] = self.shift;
        values.f_roll([-rows, -columns], [2, 3])
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tch::Kind;

    #[test]
    fn what_is_seen_in_a_view_returns_to_where_it_was() {
        let image = Tensor::arange(36, (Kind::Float, tch::Device::Cpu)).view([1, 1, 6, 6]);
        for view in Views::Shifted.all() {
            let there = View { gamma: 1.0, ..*view }.of(&image).unwrap();
            assert_eq!(view.back(&there).unwrap(), image, "{view:?}");
        }
    }
}
