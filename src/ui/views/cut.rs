//! Cutting slices out of volumes for the slice pass, and keeping the last cut of every pane.
//!
//! A volume on the frame's own grid is cut voxel by voxel. One on another grid (a slab as the network saw it) is sampled
//! at the frame's voxel centres: labels nearest, values linear, nothing outside.

use super::frame::SliceFrame;
use crate::render::{self, SliceGrid, Texels, VolumeSlice, VolumeTexels};
use crate::volume::{Geometry, LabelMap, Resampler, Scaling, Scan, Volume, geometry_equal, with_voxels};
use glam::DVec3;
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// Two grids this close are the same voxels.
const SAME_GRID_MM: f64 = 1e-3;

/// What a layer is cut from.
#[derive(Debug, Clone)]
pub enum Voxels {
    Scan(Arc<Scan>),
    Values(Arc<Volume<f32>>),
    Labels(Arc<LabelMap>),
}

/// A cut slice, ready for the slice pass.
#[derive(Debug, Clone)]
pub enum Cut {
    Values(Arc<render::Plane<f32>>),
    Labels(Arc<render::Plane<u16>>),
}

/// Which layer of a pane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    Image,
    Labels,
    Heat,
}

/// The last cut of each layer of each pane; cutting again happens only when something about it changed.
#[derive(Debug, Default)]
pub struct CutCache {
    kept: HashMap<(u64, Layer), Kept>,
}

#[derive(Debug)]
struct Kept {
    voxels: Voxels,
    frame: SliceFrame,
    slice: usize,
    cut: Cut,
}

impl Voxels {
    fn geometry(&self) -> &Geometry {
        match self {
            Voxels::Scan(scan) => scan.geometry(),
            Voxels::Values(volume) => volume.geometry(),
            Voxels::Labels(labels) => labels.geometry(),
        }
    }

    /// The very same voxels in memory: holding them keeps their address from being used again.
    fn is(&self, other: &Voxels) -> bool {
        match (self, other) {
            (Voxels::Scan(a), Voxels::Scan(b)) => Arc::ptr_eq(a, b),
            (Voxels::Values(a), Voxels::Values(b)) => Arc::ptr_eq(a, b),
            (Voxels::Labels(a), Voxels::Labels(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl CutCache {
    /// The slice of `voxels` on the grid of `geometry`, whose slices `frame` describes. `None` for an unusable grid.
    pub fn cut(
        &mut self,
        pane: u64,
        layer: Layer,
        voxels: &Voxels,
        (geometry, frame, slice): (&Geometry, &SliceFrame, usize),
    ) -> Option<Cut> {
        if let Some(kept) = self.kept.get(&(pane, layer))
            && kept.voxels.is(voxels)
            && kept.slice == slice
            && kept.frame == *frame
        {
            return Some(kept.cut.clone());
        }
        let cut = cut_slice(voxels, geometry, frame, slice)?;
        let kept = Kept { voxels: voxels.clone(), frame: frame.clone(), slice, cut: cut.clone() };
        self.kept.insert((pane, layer), kept);
        Some(cut)
    }

    /// Lets go of a layer that is not shown any more.
    pub fn forget(&mut self, pane: u64, layer: Layer) {
        self.kept.remove(&(pane, layer));
    }
}

impl VolumeTexels for Scan {
    fn dims(&self) -> [usize; 3] {
        self.geometry().dims()
    }

    fn scaling(&self) -> [f32; 2] {
        let Scaling { slope, intercept } = Scan::scaling(self);
        [slope as f32, intercept as f32]
    }

    fn planes(&self, planes: Range<usize>) -> Option<Texels<'_>> {
        use crate::volume::Voxels::{F32, I8, I16, U8};
        let range = voxels_of(self.geometry().dims(), planes);
        match self.voxels() {
            I16(voxels) => Some(Texels::Integers(Cow::Borrowed(&voxels[range]))),
            U8(voxels) => Some(Texels::Integers(voxels[range].iter().map(|v| i16::from(*v)).collect())),
            I8(voxels) => Some(Texels::Integers(voxels[range].iter().map(|v| i16::from(*v)).collect())),
            F32(voxels) => Some(Texels::Values(&voxels[range])),
            _ => None,
        }
    }
}

impl VolumeTexels for Volume<f32> {
    fn dims(&self) -> [usize; 3] {
        Volume::dims(self)
    }

    fn planes(&self, planes: Range<usize>) -> Option<Texels<'_>> {
        Some(Texels::Values(&self.voxels()[voxels_of(Volume::dims(self), planes)]))
    }
}

impl VolumeTexels for LabelMap {
    fn dims(&self) -> [usize; 3] {
        Volume::dims(self)
    }

    fn planes(&self, planes: Range<usize>) -> Option<Texels<'_>> {
        Some(Texels::Labels(&self.voxels()[voxels_of(Volume::dims(self), planes)]))
    }
}

/// Where planes of equal k are stored, i fastest.
fn voxels_of([ni, nj, _]: [usize; 3], planes: Range<usize>) -> Range<usize> {
    planes.start * ni * nj..planes.end * ni * nj
}

/// Cuts one slice; along a volume's own axes only when it is drawn.
pub fn cut_slice(voxels: &Voxels, geometry: &Geometry, frame: &SliceFrame, slice: usize) -> Option<Cut> {
    let grid = frame.grid()?;
    let same = geometry_equal(voxels.geometry(), geometry, SAME_GRID_MM);
    let (start, size) = frame.region(slice);
    let thin = geometry.window(start.map(|v| v as i64), size).ok()?;
    let values = |value: &dyn Fn([usize; 3]) -> f32| plane(grid, frame, slice, value).map(Cut::Values);
    let labels = |value: &dyn Fn([usize; 3]) -> u16| plane(grid, frame, slice, value).map(Cut::Labels);
    // Slices along a volume's own axes are cut when they are drawn, by whoever draws them.
    let of_volume = |volume: Arc<dyn VolumeTexels>| Where { grid, frame, slice, volume };
    let in_thin = |index: [usize; 3]| [0, 1, 2].map(|axis| index[axis] - start[axis]);
    match voxels {
        Voxels::Scan(scan) if same => {
            let (scan, frame) = (scan.clone(), frame.clone());
            Some(Cut::Values(of_volume(scan.clone()).plane(move || scan_values(&frame, slice, &scan))))
        }
        Voxels::Scan(scan) => {
            let from_shown = scan.geometry().voxel_from_world() * geometry.world_from_voxel();
            let voxel = |column, row| {
                let index = frame.index(column, row, slice).map(|at| at as f64);
                from_shown.transform_point3(DVec3::from_array(index))
            };
            let size = frame.size_px();
            let first = voxel(0, 0);
            let next = size.map(|side| 1.min(side - 1));
            let steps = [voxel(next[0], 0) - first, voxel(0, next[1]) - first];
            let values = scan.values_on_plane(first, steps, size);
            render::Plane::new(grid, values).ok().map(Arc::new).map(Cut::Values)
        }
        Voxels::Values(volume) if same => {
            let (volume, frame) = (volume.clone(), frame.clone());
            let cut = of_volume(volume.clone());
            Some(Cut::Values(cut.plane(move || stored_values(&frame, slice, volume.voxels(), |value| value))))
        }
        Voxels::Labels(map) if same => {
            let (map, frame) = (map.clone(), frame.clone());
            let cut = of_volume(map.clone());
            Some(Cut::Labels(cut.plane(move || stored_values(&frame, slice, map.voxels(), |label| label))))
        }
        Voxels::Values(volume) => {
            let sampled = Resampler::new(volume.geometry(), &thin).linear(volume, f32::NAN);
            values(&|index| {
                let [i, j, k] = in_thin(index);
                sampled.at(i, j, k)
            })
        }
        Voxels::Labels(map) => {
            let sampled = Resampler::new(map.geometry(), &thin).nearest(map, 0);
            labels(&|index| {
                let [i, j, k] = in_thin(index);
                sampled.at(i, j, k)
            })
        }
    }
}

/// A slice along the voxel axes of a volume.
struct Where<'a> {
    grid: SliceGrid,
    frame: &'a SliceFrame,
    slice: usize,
    volume: Arc<dyn VolumeTexels>,
}

impl Where<'_> {
    fn plane<T>(self, cut: impl Fn() -> Vec<T> + Send + Sync + 'static) -> Arc<render::Plane<T>> {
        let Self { grid, frame, slice, volume } = self;
        let voxel = |column, row| frame.index(column, row, slice).map(|at| at as i32);
        let [width, height] = frame.size_px();
        let first = voxel(0, 0);
        // A slice of one column, or row, has no next one.
        let step = |to: [i32; 3]| [0, 1, 2].map(|axis| to[axis] - first[axis]);
        let column = step(voxel(1.min(width - 1), 0));
        let row = step(voxel(0, 1.min(height - 1)));
        let slice = VolumeSlice { volume, first, column, row, cut: Box::new(cut) };
        Arc::new(render::Plane::of_volume(grid, slice))
    }
}

/// Measured values of a scan on the frame's own grid.
fn scan_values(frame: &SliceFrame, slice: usize, scan: &Scan) -> Vec<f32> {
    let Scaling { slope, intercept } = scan.scaling();
    with_voxels!(scan.voxels(), stored => {
        stored_values(frame, slice, stored, |value| (value as f64 * slope + intercept) as f32)
    })
}

/// Voxels as they are stored on the frame's own grid, i fastest, taken row by row in equal steps through memory: a slice
/// is cut in a fraction of a millisecond.
fn stored_values<S: Copy, T>(
    frame: &SliceFrame,
    slice: usize,
    stored: &[S],
    value: impl Fn(S) -> T,
) -> Vec<T> {
    let [width, height] = frame.size_px();
    let offset = |column: usize, row: usize| frame.offset(column, row, slice);
    let mut values = Vec::with_capacity(width * height);
    for row in 0..height {
        let (first, last) = (offset(0, row), offset(width - 1, row));
        let (low, high) = (first.min(last), first.max(last));
        let step = if width > 1 { (high - low) / (width - 1) } else { 1 };
        let line = stored[low..=high].iter().step_by(step).map(|stored| value(*stored));
        if last < first { values.extend(line.rev()) } else { values.extend(line) }
    }
    values
}

fn plane<T>(
    grid: SliceGrid,
    frame: &SliceFrame,
    slice: usize,
    value: &dyn Fn([usize; 3]) -> T,
) -> Option<Arc<render::Plane<T>>> {
    let [width, height] = frame.size_px();
    let mut values = Vec::with_capacity(width * height);
    for row in 0..height {
        for column in 0..width {
            values.push(value(frame.index(column, row, slice)));
        }
    }
    render::Plane::new(grid, values).ok().map(Arc::new)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::render::headless::tests::window_of;
    use crate::render::uniforms::PixelView;
    use crate::render::volumes::can_cut;
    use crate::render::{
        HeadlessWindow, LabelPalette, PaneTransform, SliceCallback, SliceLayers, SliceStyle, SliceUniforms,
        reference,
    };
    use crate::ui::views::frame::tests::every_storage_order;
    use crate::ui::views::frame::{Convention, SlicePlane};
    use glam::DMat4;

    fn grid() -> Geometry {
        Geometry::axis_aligned([4, 5, 6], [2.0; 3], [0.0; 3]).unwrap()
    }

    fn marked(geometry: Geometry) -> Voxels {
        let volume = Volume::from_fn(geometry, |i, j, k| (i + 10 * j + 100 * k) as f32);
        Voxels::Scan(Arc::new(Scan::from_volume(volume, "phantom")))
    }

    #[test]
    fn an_axial_slice_holds_the_voxels_of_its_level_with_the_patients_right_on_the_left() {
        let frame = SliceFrame::new(&grid(), SlicePlane::Axial, Convention::default());
        let Some(Cut::Values(cut)) = cut_slice(&marked(grid()), &grid(), &frame, 3) else { panic!("no cut") };
        let top_row: Vec<f32> = cut.values()[..4].to_vec();
        assert_eq!(top_row, [343.0, 342.0, 341.0, 340.0]);
    }

    /// The picture of a pane as the device draws it, and as it is defined.
    fn drawn_and_defined(window: &mut HeadlessWindow, layers: &SliceLayers) -> [Vec<u8>; 2] {
        let size_px = [40, 30];
        let rect = egui::Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(40.0, 30.0));
        let style = SliceStyle { window_level: 50.0, window_width: 120.0, ..SliceStyle::default() };
        // No pixel of the screen falls onto the edge between two of the slice.
        let transform = PaneTransform::fit(layers.grid(), [40.0, 30.0], 0.97, [0.13, 0.07]);
        let palette = Arc::new(LabelPalette::new([(1, [230, 159, 0, 255]), (2, [86, 180, 233, 255])]));
        let callback = SliceCallback {
            pane: 1,
            rect,
            layers: layers.clone(),
            palette: palette.clone(),
            style,
            transform,
        };
        window.frame(Vec::new(), |ui| {
            ui.painter().add(callback.clone().into_shape());
        });
        let drawn = window.pixels().unwrap().rgba;
        if can_cut(&window.render_state().adapter) {
            assert!(!layers.image().is_cut(), "the device was to cut the slice");
        }
        let uniforms = SliceUniforms::new(layers, &style, &PixelView::whole_pane(&transform, size_px), 1);
        [drawn, reference::render(layers, &palette, &uniforms, size_px)]
    }

    #[test]
    fn a_device_that_holds_the_volume_shows_the_same_slices_in_every_storage_order_and_plane() {
        let Some(mut window) = window_of([40.0, 30.0], 1.0) else { return };
        let mut compared = 0;
        for (number, grid) in every_storage_order().into_iter().enumerate() {
            let value = |i: usize, j: usize, k: usize| (7 * i + 13 * j + 29 * k) % 101;
            let gap = Volume::from_fn(grid.clone(), |i, j, k| match value(i, j, k) {
                0..5 => f32::NAN,
                value => value as f32 / 101.0,
            });
            let labels = Volume::from_fn(grid.clone(), |i, j, k| (value(i, j, k) / 40) as u16);
            let stored: Vec<i16> = Volume::from_fn(grid.clone(), |i, j, k| 2.0 * value(i, j, k) as f32)
                .voxels()
                .iter()
                .map(|v| *v as i16 - 20)
                .collect();
            let scaling = Scaling { slope: 0.5, intercept: 10.0 };
            let scan =
                Scan::new(crate::volume::Voxels::I16(stored), scaling, grid.clone(), "phantom").unwrap();
            // Every other scan holds fractions.
            let scan = match number % 2 {
                0 => Voxels::Scan(Arc::new(scan)),
                _ => Voxels::Values(Arc::new(Volume::from_fn(grid.clone(), |i, j, k| value(i, j, k) as f32))),
            };
            let (gap, labels) = (Voxels::Values(Arc::new(gap)), Voxels::Labels(Arc::new(labels)));
            for plane in SlicePlane::ALL {
                for radiological in [true, false] {
                    let convention = Convention { radiological, sagittal_flipped: !radiological };
                    let frame = SliceFrame::new(&grid, plane, convention);
                    let slice = frame.slice_count() / 2;
                    let cut = |voxels: &Voxels| cut_slice(voxels, &grid, &frame, slice).unwrap();
                    let [Cut::Values(image), Cut::Values(gap), Cut::Labels(labels)] =
                        [cut(&scan), cut(&gap), cut(&labels)]
                    else {
                        panic!("layers of the wrong kind")
                    };
                    let layers = SliceLayers::new(image).with_heat(gap).unwrap().with_labels(labels).unwrap();
                    let [drawn, defined] = drawn_and_defined(&mut window, &layers);
                    let far = drawn.iter().zip(&defined).filter(|(a, b)| a.abs_diff(**b) > 2).count();
                    // A device may round to either side of an edge.
                    assert!(far * 200 <= drawn.len(), "order {number}, {plane:?}: {far} bytes differ");
                    compared += 1;
                }
            }
        }
        assert_eq!(compared, 48 * 6);
    }

    #[test]
    fn a_slab_on_the_networks_grid_lands_where_it_belongs_and_nowhere_else() {
        let slab_grid = Geometry::axis_aligned([2, 2, 1], [2.0; 3], [2.0, 4.0, 6.0]).unwrap();
        let slab = Voxels::Labels(Arc::new(Volume::from_fn(slab_grid, |_, _, _| 7u16)));
        let frame = SliceFrame::new(&grid(), SlicePlane::Axial, Convention::default());
        let count = |slice| match cut_slice(&slab, &grid(), &frame, slice) {
            Some(Cut::Labels(cut)) => cut.values().iter().filter(|v| **v == 7).count(),
            _ => 0,
        };
        assert_eq!((count(2), count(3), count(4)), (0, 4, 0));
    }

    #[test]
    fn an_oblique_scan_is_shown_in_true_planes_with_what_lies_there_and_nothing_beyond_it() {
        // A ramp along the patient's left-right axis, stored on a grid turned by 30 degrees.
        let turned = DMat4::from_rotation_z(30f64.to_radians()) * DMat4::from_scale(DVec3::splat(2.0));
        let oblique = Geometry::new([20, 20, 5], turned).unwrap();
        let ramp = Volume::from_fn(oblique.clone(), |i, j, k| {
            oblique.world_of(DVec3::new(i as f64, j as f64, k as f64)).x as f32
        });
        let scan = Voxels::Scan(Arc::new(Scan::from_volume(ramp, "phantom")));
        let straight = oblique.straightened().unwrap();
        let frame = SliceFrame::new(&straight, SlicePlane::Axial, Convention::default());
        let Some(Cut::Values(cut)) = cut_slice(&scan, &straight, &frame, 2) else { panic!("no cut") };
        let [width, height] = frame.size_px();
        let mut inside = 0;
        for row in 0..height {
            for column in 0..width {
                let value = cut.values()[row * width + column];
                let [i, j, k] = frame.index(column, row, 2).map(|at| at as f64);
                let world = straight.world_of(DVec3::new(i, j, k));
                let own = oblique.voxel_from_world().transform_point3(world);
                let covered = (0..3).all(|a| own[a] >= 0.0 && own[a] <= (oblique.dims()[a] - 1) as f64);
                let far = (0..3).any(|a| own[a] < -0.5 || own[a] > oblique.dims()[a] as f64 - 0.5);
                assert!(!covered || (value - world.x as f32).abs() < 1e-3, "{value} at {world}");
                assert_eq!(value.is_nan(), far, "{own}");
                inside += usize::from(covered);
            }
        }
        assert!(inside > 300, "{inside}");
    }

    #[test]
    fn scrolling_away_and_back_cuts_anew_but_staying_does_not() {
        let mut cache = CutCache::default();
        let frame = SliceFrame::new(&grid(), SlicePlane::Axial, Convention::default());
        let voxels = marked(grid());
        let mut revision = |slice| match cache.cut(0, Layer::Image, &voxels, (&grid(), &frame, slice)) {
            Some(Cut::Values(cut)) => cut.revision(),
            _ => 0,
        };
        let first = revision(1);
        assert_eq!(revision(1), first);
        assert_ne!(revision(2), first);
    }
}
