//! Slightly changed views of a slice, whose answers are averaged: an answer that hangs on how a slice lies or how bright it
//! is loses to those that do not.

use mindgap::volume::Geometry;
use tch::{TchError, Tensor};

/// Which views of every slice are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Views {
    /// The slice as it is.
    One,
    /// Five, shifted and with another gamma.
    Shifted,
    /// Eight, turned by right angles and mirrored: for slices that have no common up.
    Turned,
}

/// One view: how a slice is changed on its way to the networks.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Columns and rows.
    shift: [i64; 2],
    gamma: f64,
    transposed: bool,
    /// Columns and rows.
    mirrored: [bool; 2],
}

const AS_IT_IS: View = View { shift: [0, 0], gamma: 1.0, transposed: false, mirrored: [false, false] };

const fn shifted(columns: i64, rows: i64, gamma: f64) -> View {
    View { shift: [columns, rows], gamma, ..AS_IT_IS }
}

const fn turned(transposed: bool, columns: bool, rows: bool) -> View {
    View { transposed, mirrored: [columns, rows], ..AS_IT_IS }
}

const SHIFTED: [View; 5] =
    [AS_IT_IS, shifted(2, 0, 0.8), shifted(-2, 1, 1.25), shifted(0, -2, 0.65), shifted(1, 2, 1.5)];
const TURNED: [View; 8] = [
    AS_IT_IS,
    turned(false, true, false),
    turned(false, false, true),
    turned(false, true, true),
    turned(true, false, false),
    turned(true, true, false),
    turned(true, false, true),
    turned(true, true, true),
];

impl Views {
    /// What suits the slices of a network grid.
    pub fn for_slices(grid: &Geometry) -> Self {
        let [columns, rows, _] = grid.dims();
        if grid.slices_are_oblique() && columns == rows { Views::Turned } else { Views::Shifted }
    }

    /// The views, the unchanged one first.
    pub fn all(self) -> &'static [View] {
        match self {
            Views::One => &SHIFTED[..1],
            Views::Shifted => &SHIFTED,
            Views::Turned => &TURNED,
        }
    }
}

impl View {
    fn mirrored_axes(&self) -> Vec<i64> {
        [(self.mirrored[0], 3), (self.mirrored[1], 2)].iter().filter(|(on, _)| *on).map(|(_, a)| *a).collect()
    }

    /// (n, 1, h, w) images as this view shows them.
    pub fn of(&self, images: &Tensor) -> Result<Tensor, TchError> {
        let [columns, rows] = self.shift;
        let seen =
            images.f_clamp_min(0.0)?.f_pow_tensor_scalar(self.gamma)?.f_roll([rows, columns], [2, 3])?;
        let turned = if self.transposed { seen.f_transpose(2, 3)? } else { seen };
        turned.f_flip(self.mirrored_axes())
    }

    /// (n, c, h, w) values at the places of the view, at the places of the image.
    pub fn back(&self, values: &Tensor) -> Result<Tensor, TchError> {
        let [columns, rows] = self.shift;
        let unmirrored = values.f_flip(self.mirrored_axes())?;
        let upright = if self.transposed { unmirrored.f_transpose(2, 3)? } else { unmirrored };
        upright.f_roll([-rows, -columns], [2, 3])
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
        for views in [Views::One, Views::Shifted, Views::Turned] {
            let mut seen = Vec::new();
            for view in views.all() {
                let there = View { gamma: 1.0, ..*view }.of(&image).unwrap();
                assert_eq!(view.back(&there).unwrap(), image, "{view:?}");
                assert!(!seen.contains(&there), "{view:?} is there twice");
                seen.push(there);
            }
        }
    }
}
