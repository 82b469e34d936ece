//! The slices a pane shows, in image space: pixel (column, row) with row 0 at the top of the screen.
//!
//! Every [`Plane`] has a revision of its own, unique in the process, so that the GPU copy is refreshed exactly when
//! another plane is shown and never because a caller forgot to say so.

use super::volumes::VolumeTexels;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// What the textures hold for NaN: such pixels draw black and take no part in interpolation.
pub const MISSING: f32 = -3.0e38;
/// Texels below this are [`MISSING`]; stored values stay within [`LARGEST`] of zero.
pub const MISSING_BELOW: f32 = -1.0e38;
/// Infinite and huge values are drawn as this, so that sums over a few pixels stay finite.
pub const LARGEST: f32 = 1.0e30;

/// A plane that cannot be drawn as it is.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SliceError {
    #[error("a slice of {width} x {height} pixels needs {expected} values, got {got}")]
    Length { width: u32, height: u32, expected: u64, got: u64 },
    #[error("a slice needs at least one pixel, got {width} x {height}")]
    Empty { width: u32, height: u32 },
    #[error("pixel size must be positive and finite, got {columns_mm} x {rows_mm} mm")]
    PixelSize { columns_mm: f32, rows_mm: f32 },
    #[error(
        "{layer} is {got_width} x {got_height} pixels, its slice is {width} x {height}: cut both on one grid"
    )]
    GridMismatch { layer: &'static str, width: u32, height: u32, got_width: u32, got_height: u32 },
}

/// Size of a slice in pixels and in mm. Checked: at least one pixel, pixel size positive and finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SliceGrid {
    width: u32,
    height: u32,
    pixel_size_mm: [f32; 2],
}

/// Values on a [`SliceGrid`], row-major, row 0 at the top: `f32` for HU, a.u., gap (0..1); `u16` for labels.
#[derive(Debug)]
pub struct Plane<T> {
    grid: SliceGrid,
    values: OnceLock<Vec<T>>,
    slice: Option<VolumeSlice<T>>,
    revision: u64,
}

/// A plane as a slice of a volume along its own voxel axes, which a device that holds the volume cuts itself.
pub struct VolumeSlice<T> {
    pub volume: Arc<dyn VolumeTexels>,
    /// The voxel (i, j, k) under the plane's first pixel.
    pub first: [i32; 3],
    /// From the voxel of one column, and of one row, to that of the next.
    pub column: [i32; 3],
    pub row: [i32; 3],
    /// The same on the processor: as many values as the plane has pixels.
    pub cut: Box<dyn Fn() -> Vec<T> + Send + Sync>,
}

impl<T> fmt::Debug for VolumeSlice<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, column, row, .. } = self;
        f.debug_struct("VolumeSlice")
            .field("first", first)
            .field("column", column)
            .field("row", row)
            .finish_non_exhaustive()
    }
}

/// What one pane shows: a slice and, on the same grid, its labels and one heat map (gap or uncertainty).
#[derive(Debug, Clone)]
pub struct SliceLayers {
    image: Arc<Plane<f32>>,
    labels: Option<Arc<Plane<u16>>>,
    heat: Option<Arc<Plane<f32>>>,
}

impl SliceGrid {
    /// `pixel_size_mm` is the distance between columns and between rows.
    pub fn new(width: u32, height: u32, pixel_size_mm: [f32; 2]) -> Result<Self, SliceError> {
        if width == 0 || height == 0 {
            return Err(SliceError::Empty { width, height });
        }
        let [columns_mm, rows_mm] = pixel_size_mm;
        if pixel_size_mm.iter().any(|size_mm| !(size_mm.is_finite() && *size_mm > 0.0)) {
            return Err(SliceError::PixelSize { columns_mm, rows_mm });
        }
        Ok(Self { width, height, pixel_size_mm })
    }

    pub fn width(&self) -> u32 {
        self.width
    }

    pub fn height(&self) -> u32 {
        self.height
    }

    pub fn pixel_size_mm(&self) -> [f32; 2] {
        self.pixel_size_mm
    }

    /// Width and height of the whole slice, mm.
    pub fn size_mm(&self) -> [f32; 2] {
        [self.width as f32 * self.pixel_size_mm[0], self.height as f32 * self.pixel_size_mm[1]]
    }
}

impl<T> Plane<T> {
    /// `values` holds `width * height` values, row by row from the top.
    pub fn new(grid: SliceGrid, values: Vec<T>) -> Result<Self, SliceError> {
        let expected = u64::from(grid.width) * u64::from(grid.height);
        let got = values.len() as u64;
        if got != expected {
            return Err(SliceError::Length { width: grid.width, height: grid.height, expected, got });
        }
        Ok(Self { grid, values: values.into(), slice: None, revision: next_revision() })
    }

    /// A slice of a volume, cut on the processor only when its values are asked for.
    pub fn of_volume(grid: SliceGrid, slice: VolumeSlice<T>) -> Self {
        Self { grid, values: OnceLock::new(), slice: Some(slice), revision: next_revision() }
    }

    pub fn grid(&self) -> &SliceGrid {
        &self.grid
    }

    pub fn values(&self) -> &[T] {
        self.values.get_or_init(|| self.slice.as_ref().map(|slice| (slice.cut)()).unwrap_or_default())
    }

    /// Whether its values are here already.
    #[cfg(test)]
    pub(crate) fn is_cut(&self) -> bool {
        self.values.get().is_some()
    }

    /// Where a device finds it.
    pub(super) fn slice(&self) -> Option<&VolumeSlice<T>> {
        self.slice.as_ref()
    }

    /// Unique among all planes of the process and never 0.
    pub fn revision(&self) -> u64 {
        self.revision
    }
}

impl SliceLayers {
    pub fn new(image: Arc<Plane<f32>>) -> Self {
        Self { image, labels: None, heat: None }
    }

    /// Lays `labels` over the slice; an error if they are not on its grid.
    pub fn with_labels(mut self, labels: Arc<Plane<u16>>) -> Result<Self, SliceError> {
        self.check_grid("the label map", labels.grid())?;
        self.labels = Some(labels);
        Ok(self)
    }

    /// Lays a heat map (gap or uncertainty) over the slice; an error if it is not on its grid.
    pub fn with_heat(mut self, heat: Arc<Plane<f32>>) -> Result<Self, SliceError> {
        self.check_grid("the heat map", heat.grid())?;
        self.heat = Some(heat);
        Ok(self)
    }

    pub fn grid(&self) -> &SliceGrid {
        &self.image.grid
    }

    pub fn image(&self) -> &Plane<f32> {
        &self.image
    }

    pub fn labels(&self) -> Option<&Plane<u16>> {
        self.labels.as_deref()
    }

    pub fn heat(&self) -> Option<&Plane<f32>> {
        self.heat.as_deref()
    }

    fn check_grid(&self, layer: &'static str, got: &SliceGrid) -> Result<(), SliceError> {
        let SliceGrid { width, height, .. } = self.image.grid;
        if (got.width, got.height) == (width, height) {
            return Ok(());
        }
        Err(SliceError::GridMismatch { layer, width, height, got_width: got.width, got_height: got.height })
    }
}

/// The value the texture holds for `value`; see [`MISSING`] and [`LARGEST`].
pub fn stored_texel(value: f32) -> f32 {
    if value.is_nan() { MISSING } else { value.clamp(-LARGEST, LARGEST) }
}

/// A number no plane or palette has had before in this process, from 1.
pub(super) fn next_revision() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_with_too_few_values_says_how_many_it_needs() {
        let grid = SliceGrid::new(3, 2, [1.0, 1.0]).unwrap();
        let error = Plane::new(grid, vec![0.0_f32; 5]).unwrap_err();
        assert_eq!(error.to_string(), "a slice of 3 x 2 pixels needs 6 values, got 5");
    }

    #[test]
    fn labels_cut_on_another_grid_are_refused() {
        let image = SliceGrid::new(3, 2, [1.0, 1.0]).unwrap();
        let other = SliceGrid::new(2, 3, [1.0, 1.0]).unwrap();
        let layers = SliceLayers::new(Arc::new(Plane::new(image, vec![0.0; 6]).unwrap()));
        let error = layers.with_labels(Arc::new(Plane::new(other, vec![0; 6]).unwrap())).unwrap_err();
        assert!(error.to_string().contains("the label map is 2 x 3 pixels"), "{error}");
    }

    #[test]
    fn a_pixel_size_of_zero_or_nan_is_refused() {
        assert!(SliceGrid::new(1, 1, [0.0, 1.0]).is_err());
        assert!(SliceGrid::new(1, 1, [1.0, f32::NAN]).is_err());
        assert!(SliceGrid::new(0, 1, [1.0, 1.0]).is_err());
    }

    #[test]
    fn nan_and_infinity_become_drawable_texels() {
        assert!(stored_texel(f32::NAN) < MISSING_BELOW);
        assert_eq!(stored_texel(f32::NEG_INFINITY), -LARGEST);
        assert_eq!(stored_texel(40.0), 40.0);
    }
}
