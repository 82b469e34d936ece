//! From a scan to network slices, and the exact way back.
//!
//! Forward: permute axes (no interpolation) -> resample to the network's spacing -> window around the body -> scale
//! intensities. Every step is a function of two geometries or of recorded numbers, so the way back is computed, never
//! guessed. Network volumes have columns along i, rows along j, slices along k; in the axial plane i runs to the
//! patient's right, j to anterior, k to superior.

use mindgap::config::{Plane, Preprocessing, Window};
use mindgap::volume::{Geometry, GeometryError, LabelMap, Modality, Reorientation, Resampler, Scan, Volume};
use std::ops::Range;
use thiserror::Error;

/// A scan as the networks see it.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Scaled intensities on the network grid, about [0, 1.3]; air and outside are 0.
    pub slices: Volume<f32>,
    /// Up to this they are air or its noise.
    pub air: f32,
    /// The grid of the scan, to which results go back.
    pub scan_geometry: Geometry,
    pub warnings: Vec<String>,
}

/// Why a scan cannot be fed to the networks.
#[derive(Debug, Error)]
pub enum PrepareError {
    #[error(
        "the scan has {got:?} voxels; the networks need at least {min} x {min} in the plane of the slices"
    )]
    TooSmall { got: [usize; 3], min: usize },
    #[error("the scan's intensities are all equal or not finite; there is nothing to segment")]
    Flat,
    #[error("cancelled")]
    Cancelled,
    #[error("the resampled grid cannot be built: {0}")]
    Geometry(#[from] GeometryError),
    #[error(
        "the scan would need {got} network slices of {columns} x {rows}; its spacing of {spacing_mm:?} mm is probably wrong"
    )]
    TooLarge { got: usize, columns: usize, rows: usize, spacing_mm: [f64; 3] },
}

impl PrepareError {
    /// What the user can do.
    pub fn remedy(&self) -> &'static str {
        match self {
            PrepareError::TooSmall { .. } => "Open a scan that shows more in the plane of its slices",
            PrepareError::Flat => "Open another scan, or another volume of the file",
            PrepareError::Cancelled => "Start it again",
            PrepareError::Geometry(_) | PrepareError::TooLarge { .. } => {
                "Check the voxel sizes in the scan's header"
            }
        }
    }
}

/// Asked now and then whether to go on.
pub type KeepGoing<'a> = &'a dyn Fn() -> bool;

/// Slices that are resampled at a time: of the largest scans a fraction of a second.
const SLAB_SLICES: usize = 16;
/// Scaled intensities up to this are air or its noise, before an MR is brightened.
const AIR: f32 = 0.05;
/// A slice with fewer than one voxel in so many above air has no body in it.
const AIR_SHARE: usize = 500;

/// Fewer voxels than this across a slice cannot show an organ.
const MIN_IN_PLANE: usize = 16;
/// No body needs more network voxels than this (a 600 x 600 x 2000 mm scan at 1 mm would).
const MAX_NETWORK_VOXELS: usize = 1 << 29;

/// Runs the forward chain.
pub fn prepare(scan: &Scan, modality: Modality, settings: &Preprocessing) -> Result<Prepared, PrepareError> {
    prepare_while(scan, modality, settings, &|| true)
}

/// The forward chain, given up with [`PrepareError::Cancelled`] once `keep_going` says no.
///
/// Voxels are read as they are stored and only ever held at the networks' resolution.
pub fn prepare_while(
    scan: &Scan,
    modality: Modality,
    settings: &Preprocessing,
    keep_going: KeepGoing,
) -> Result<Prepared, PrepareError> {
    let scan_geometry = scan.geometry().clone();
    let grid = network_grid(&scan_geometry, settings)?;
    let outside = outside_value(modality);
    let coarse = onto_grid(scan, &grid, outside, keep_going)?;
    let (low, high) = intensity_window(&coarse, modality, settings)?;
    let body_threshold = match modality {
        Modality::Ct => -300.0,
        Modality::Mr => 0.03 * high,
    };
    let window = match settings.window {
        Window::Body => body_window(&coarse, body_threshold, settings)?,
        Window::Centre => centre_window(&grid, settings)?,
    };
    // A window can be larger than what it is cut from.
    require_manageable(&window, scan_geometry.spacing_mm())?;
    let cropped = Resampler::new(&grid, &window).nearest(&coarse, outside);
    let top = match modality {
        Modality::Ct => 1.0,
        Modality::Mr => settings.mr_clip,
    };
    let mut slices =
        cropped.par_map(|&v| if v.is_finite() { ((v - low) / (high - low)).clamp(0.0, top) } else { 0.0 });
    let air = match modality {
        Modality::Ct => AIR,
        Modality::Mr => brighten(&mut slices, settings.mr_brighten_to),
    };
    let mut warnings = Vec::new();
    if !scan_geometry.spacing_known() {
        warnings.push("The scan's voxel size is unknown; the networks took it as 1 mm.".to_owned());
    }
    if !scan_geometry.orientation_known() {
        warnings.push("The scan's orientation is unknown; left and right may be exchanged.".to_owned());
    }
    Ok(Prepared { slices, air, scan_geometry, warnings })
}

/// The grid of all network slices, before the window is cut.
fn network_grid(scan: &Geometry, settings: &Preprocessing) -> Result<Geometry, PrepareError> {
    let turned = scan.reoriented(slice_order(scan, settings.plane));
    let turned = match settings.plane {
        Plane::Upright if turned.slices_are_oblique() => turned.upright()?,
        _ => turned,
    };
    let spacing = turned.spacing_mm();
    let wanted = [0, 1, 2].map(|axis| match settings.spacing_mm[axis] {
        0.0 => spacing[axis],
        mm => mm,
    });
    let dims = turned.dims();
    if dims[0] < MIN_IN_PLANE || dims[1] < MIN_IN_PLANE {
        return Err(PrepareError::TooSmall { got: scan.dims(), min: MIN_IN_PLANE });
    }
    let grid = turned.with_spacing(wanted)?;
    require_manageable(&grid, spacing)?;
    Ok(grid)
}

/// `spacing_mm` is the scan's, which is what is wrong where a grid comes out too large.
fn require_manageable(grid: &Geometry, spacing_mm: [f64; 3]) -> Result<(), PrepareError> {
    let [columns, rows, got] = grid.dims();
    match grid.len() {
        voxels if voxels <= MAX_NETWORK_VOXELS => Ok(()),
        _ => Err(PrepareError::TooLarge { got, columns, rows, spacing_mm }),
    }
}

/// Measured values on the network grid.
fn onto_grid(
    scan: &Scan,
    grid: &Geometry,
    outside: f32,
    keep_going: KeepGoing,
) -> Result<Volume<f32>, PrepareError> {
    // To the networks padding is the number it is stored as, far below air; only the resampler would leave it out.
    let padded = scan.padding.is_some().then(|| scan.to_f32());
    in_slabs(grid, keep_going, |slab| {
        let resampler = Resampler::new(scan.geometry(), slab);
        match &padded {
            Some(values) => resampler.linear(values, outside),
            None => resampler.linear_scan(scan, outside),
        }
    })
}

/// Computes a volume a few slices at a time, asking before each whether to go on.
fn in_slabs<T: Copy + Default>(
    grid: &Geometry,
    keep_going: KeepGoing,
    compute: impl Fn(&Geometry) -> Volume<T>,
) -> Result<Volume<T>, PrepareError> {
    let [w, h, n] = grid.dims();
    let mut whole = Volume::from_fn(grid.clone(), |_, _, _| T::default());
    for first in (0..n).step_by(SLAB_SLICES) {
        if !keep_going() {
            return Err(PrepareError::Cancelled);
        }
        let slices = SLAB_SLICES.min(n - first);
        let slab = compute(&grid.window([0, 0, first as i64], [w, h, slices])?);
        whole.voxels_mut()[first * w * h..(first + slices) * w * h].copy_from_slice(slab.voxels());
    }
    Ok(whole)
}

/// The same grid chain for a label map that belongs to a prepared scan: nearest neighbour.
pub fn prepare_labels<T: Copy + Default + Send + Sync>(labels: &Volume<T>, prepared: &Prepared) -> Volume<T> {
    Resampler::new(labels.geometry(), prepared.slices.geometry()).nearest(labels, T::default())
}

impl Prepared {
    /// Labels on the network grid, taken back to the scan's grid by one-hot linear voting; 0 outside the window.
    pub fn labels_to_scan(&self, labels: &LabelMap, keep_going: KeepGoing) -> Result<LabelMap, PrepareError> {
        in_slabs(&self.scan_geometry, keep_going, |slab| Resampler::new(labels.geometry(), slab).vote(labels))
    }

    /// Whether a network slice shows nothing but air, so that no network need look at it.
    pub fn is_air(&self, slice: usize) -> bool {
        let [w, h, _] = self.slices.dims();
        let values = &self.slices.voxels()[slice * w * h..(slice + 1) * w * h];
        values.iter().filter(|value| **value > self.air).count() * AIR_SHARE < values.len()
    }

    /// The network slice that a world position lies in.
    pub fn slice_of(&self, world_mm: [f64; 3]) -> usize {
        let geometry = self.slices.geometry();
        let voxel = geometry.voxel_from_world().transform_point3(world_mm.into());
        let last = geometry.dims()[2] - 1;
        voxel.z.round().clamp(0.0, last as f64) as usize
    }

    /// The grid of some network slices, placed in the world.
    pub fn slab_geometry(&self, slices: Range<usize>) -> Result<Geometry, GeometryError> {
        let [w, h, _] = self.slices.dims();
        self.slices.geometry().window([0, 0, slices.start as i64], [w, h, slices.len()])
    }
}

/// What an unmeasured position is worth.
pub fn outside_value(modality: Modality) -> f32 {
    match modality {
        Modality::Ct => -1024.0,
        Modality::Mr => 0.0,
    }
}

/// The axis order in which slices come last. Axes point to the patient's right, front and head as nearly as they can, so
/// that the way a file is stored mirrors nothing.
fn slice_order(geometry: &Geometry, plane: Plane) -> Reorientation {
    let spacing = geometry.spacing_mm();
    let thickest = (0..3).fold(0, |a, b| if spacing[b] > spacing[a] { b } else { a });
    let finest = spacing.iter().copied().fold(f64::INFINITY, f64::min);
    match plane {
        // A nearly isotropic volume has no acquired slices to respect.
        Plane::Acquired | Plane::Upright if spacing[thickest] > 2.0 * finest => {
            let Reorientation { voxel_axis_of_world: axes, flipped } = geometry.reorientation();
            let mut order = [0, 1, 2];
            // Stable: the axes in the plane keep their order.
            order.sort_by_key(|&world| axes[world] == thickest);
            Reorientation { voxel_axis_of_world: order.map(|w| axes[w]), flipped: order.map(|w| flipped[w]) }
        }
        _ => geometry.reorientation(),
    }
}

fn intensity_window(
    values: &Volume<f32>,
    modality: Modality,
    settings: &Preprocessing,
) -> Result<(f32, f32), PrepareError> {
    let (low, high) = match modality {
        Modality::Ct => (settings.ct_window_hu[0], settings.ct_window_hu[1]),
        Modality::Mr => {
            let mut finite: Vec<f32> = values.voxels().iter().copied().filter(|v| v.is_finite()).collect();
            if finite.is_empty() {
                return Err(PrepareError::Flat);
            }
            let rank = (finite.len() - 1) as f64 * f64::from(settings.mr_percentile) / 100.0;
            let rank = (rank.round() as usize).min(finite.len() - 1);
            (0.0, *finite.select_nth_unstable_by(rank, f32::total_cmp).1)
        }
    };
    let first = values.voxels().first().copied();
    let flat = values.voxels().iter().all(|v| Some(*v) == first || !v.is_finite());
    if flat || high <= low { Err(PrepareError::Flat) } else { Ok((low, high)) }
}

/// Raises the upper quartile of what lies above air to `wanted` by a power law; what is as bright, or all air, stays as it is.
/// Returns what is air then.
fn brighten(slices: &mut Volume<f32>, wanted: f32) -> f32 {
    if wanted <= 0.0 {
        return AIR;
    }
    let mut tissue: Vec<f32> = slices.voxels().iter().copied().filter(|&value| value > AIR).collect();
    if tissue.is_empty() {
        return AIR;
    }
    let rank = tissue.len() * 3 / 4;
    let quartile = *tissue.select_nth_unstable_by(rank, f32::total_cmp).1;
    if quartile >= wanted {
        return AIR;
    }
    let power = wanted.ln() / quartile.ln();
    slices.voxels_mut().iter_mut().for_each(|value| *value = value.powf(power));
    AIR.powf(power)
}

/// The in-plane window around the body: its centre, and at least the configured size.
fn body_window(
    values: &Volume<f32>,
    threshold: f32,
    settings: &Preprocessing,
) -> Result<Geometry, GeometryError> {
    let [ni, nj, nk] = values.dims();
    let mut columns = vec![0usize; ni];
    let mut rows = vec![0usize; nj];
    for (offset, &value) in values.voxels().iter().enumerate() {
        if value > threshold {
            columns[offset % ni] += 1;
            rows[offset / ni % nj] += 1;
        }
    }
    // A column counts as body where at least 2 % of its voxels do: noise and a patient table's edge do not.
    let span = |counts: &[usize], depth: usize| {
        let enough = (depth / 50).max(1);
        let first = counts.iter().position(|&n| n >= enough).unwrap_or(0);
        let last = counts.iter().rposition(|&n| n >= enough).unwrap_or(counts.len() - 1);
        (first as i64, last as i64)
    };
    let fit = |(first, last): (i64, i64), least: usize| {
        let needed = (last - first + 1) as usize;
        let size = if needed <= least + settings.multiple / 2 {
            least
        } else {
            needed.div_ceil(settings.multiple) * settings.multiple
        };
        ((first + last + 1 - size as i64).div_euclid(2), size)
    };
    let (start_i, size_i) = fit(span(&columns, nj * nk), settings.size[0]);
    let (start_j, size_j) = fit(span(&rows, ni * nk), settings.size[1]);
    values.geometry().window([start_i, start_j, 0], [size_i, size_j, nk])
}

/// The configured size around the centre of the grid.
fn centre_window(grid: &Geometry, settings: &Preprocessing) -> Result<Geometry, GeometryError> {
    let [ni, nj, nk] = grid.dims();
    let start = |length: usize, size: usize| (length as i64 - size as i64).div_euclid(2);
    let [columns, rows] = settings.size;
    grid.window([start(ni, columns), start(nj, rows), 0], [columns, rows, nk])
}

#[cfg(test)]
mod tests;
