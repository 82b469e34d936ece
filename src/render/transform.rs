//! Where a slice lies in its pane: the map between pane points and slice pixels.
//!
//! The same transform places the picture, the crosshair and the probe, so that they agree to the pixel.

use glam::Vec2;

use super::slice::SliceGrid;

/// Zoom is kept between these bounds, times the size at which the whole slice fits.
pub const ZOOM_RANGE: [f32; 2] = [0.05, 200.0];

/// Axis-aligned map from pane points (origin at the pane's top left) to slice pixels. Always finite and invertible.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PaneTransform {
    pixels_per_point: Vec2,
    origin_px: Vec2,
}

impl PaneTransform {
    /// The whole slice fits the pane at `zoom` 1, in its true proportions. `pan_mm` moves the eye: the slice point shown
    /// at the middle of the pane lies `pan_mm` (right, down) from the middle of the slice.
    pub fn fit(grid: &SliceGrid, pane_size_points: [f32; 2], zoom: f32, pan_mm: [f32; 2]) -> Self {
        let pane = Vec2::from(pane_size_points).max(Vec2::ONE);
        let mm_per_point = (Vec2::from(grid.size_mm()) / pane).max_element();
        let zoom = if zoom.is_finite() { zoom.clamp(ZOOM_RANGE[0], ZOOM_RANGE[1]) } else { 1.0 };
        let middle_px = Vec2::new(grid.width() as f32, grid.height() as f32) * 0.5;
        let centre_px = middle_px + Vec2::from(pan_mm) / Vec2::from(grid.pixel_size_mm());
        Self::centred(grid, pane_size_points, centre_px.into(), mm_per_point / zoom)
    }

    /// Shows slice pixel `centre_px` (continuous, pixel i covers [i, i + 1)) at the middle of the pane, at a scale in mm;
    /// panes given the same `mm_per_point` show structures of one size at one size.
    pub fn centred(
        grid: &SliceGrid,
        pane_size_points: [f32; 2],
        centre_px: [f32; 2],
        mm_per_point: f32,
    ) -> Self {
        let mm_per_point = if mm_per_point.is_finite() { mm_per_point.max(1e-6) } else { 1.0 };
        let pixels_per_point = Vec2::splat(mm_per_point) / Vec2::from(grid.pixel_size_mm());
        let pane = Vec2::from(pane_size_points).max(Vec2::ONE);
        let centre_px = Vec2::from(centre_px);
        let centre_px = if centre_px.is_finite() { centre_px } else { Vec2::ZERO };
        Self { pixels_per_point, origin_px: centre_px - pixels_per_point * pane * 0.5 }
    }

    /// Slice coordinates (column, row; continuous) under a point of the pane.
    pub fn image_from_pane(&self, point: [f32; 2]) -> [f32; 2] {
        (Vec2::from(point) * self.pixels_per_point + self.origin_px).into()
    }

    /// Pane point at which slice coordinates (column, row; continuous) are shown.
    pub fn pane_from_image(&self, image_px: [f32; 2]) -> [f32; 2] {
        ((Vec2::from(image_px) - self.origin_px) / self.pixels_per_point).into()
    }

    /// Slice pixels per point of the pane, along columns and rows: the factor to turn a drag into a pan.
    pub fn image_px_per_point(&self) -> [f32; 2] {
        self.pixels_per_point.into()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn close(a: [f32; 2], b: [f32; 2]) -> bool {
        (Vec2::from(a) - Vec2::from(b)).abs().max_element() < 1e-3
    }

    #[test]
    fn thick_coronal_slices_keep_their_proportions() {
        let grid = SliceGrid::new(100, 20, [1.0, 5.0]).unwrap();
        let transform = PaneTransform::fit(&grid, [400.0, 200.0], 1.0, [0.0, 0.0]);
        assert!(close(transform.pane_from_image([0.0, 0.0]), [100.0, 0.0]));
        assert!(close(transform.pane_from_image([100.0, 20.0]), [300.0, 200.0]));
    }

    #[test]
    fn probe_and_crosshair_are_inverse_at_any_zoom_and_pan() {
        let grid = SliceGrid::new(117, 91, [3.0, 2.5]).unwrap();
        let transform = PaneTransform::fit(&grid, [311.0, 407.0], 3.7, [12.0, -8.5]);
        assert!(close(transform.pane_from_image(transform.image_from_pane([17.0, 300.5])), [17.0, 300.5]));
    }

    #[test]
    fn panning_moves_the_named_point_to_the_middle() {
        let grid = SliceGrid::new(100, 100, [2.0, 2.0]).unwrap();
        let transform = PaneTransform::fit(&grid, [300.0, 300.0], 2.0, [20.0, 0.0]);
        assert!(close(transform.image_from_pane([150.0, 150.0]), [60.0, 50.0]));
    }

    #[test]
    fn a_pane_squeezed_to_nothing_stays_finite() {
        let grid = SliceGrid::new(10, 10, [1.0, 1.0]).unwrap();
        let transform = PaneTransform::fit(&grid, [0.0, 0.0], f32::NAN, [0.0, 0.0]);
        assert!(transform.image_from_pane([0.0, 0.0]).iter().all(|v| v.is_finite()));
    }
}
