//! Pictures for a report: slices through the structures, as they lie in the patient, with labels or heat over them.
//!
//! Every pixel is looked up by its place in the world, so that the patient's right is on the picture's left and the head or
//! the front above, however the scan is stored. A scan whose orientation is unknown is shown along its own axes, and the
//! captions say so.

use super::body::{BodyBox, IntensityStats};
use crate::colormap::Colormap;
use crate::eval::gap::Panel;
use crate::volume::{LabelMap, LabelTable, Modality, Scan, Task, Volume};
use glam::{DVec2, DVec3};

/// What is painted over the slices.
pub struct Layers<'a> {
    pub scan: &'a Scan,
    pub modality: Modality,
    pub task: Task,
    pub labels: &'a LabelMap,
    pub gap: &'a Volume<f32>,
    pub uncertainty: Option<&'a Volume<f32>>,
}

/// Values painted in the first and the last colour, as in the viewer.
pub const GAP_RANGE: [f32; 2] = [0.0, 0.8];
pub const UNCERTAINTY_RANGE: [f32; 2] = [0.0, 1.0];

/// The longer side of a picture.
const SIDE_PX: u32 = 360;
/// Opacity of a value at the top of its range; it falls to 0 with the value, so that the anatomy stays visible.
const HEAT_OPACITY: f32 = 0.8;
const FILL_OPACITY: f32 = 0.45;
/// Around the body, mm.
const MARGIN_MM: f64 = 8.0;

/// A plane through the patient: which world axes run to the right and down, and whether against them.
#[derive(Debug, Clone, Copy)]
struct View {
    name: &'static str,
    right: (usize, f64),
    down: (usize, f64),
    through: usize,
}

const AXIAL: View = View { name: "Axial", right: (0, -1.0), down: (1, -1.0), through: 2 };
const CORONAL: View = View { name: "Coronal", right: (0, -1.0), down: (2, -1.0), through: 1 };

/// What a pixel gets over its grey.
#[derive(Debug, Clone, Copy)]
enum Over {
    Labels,
    Gap,
    Uncertainty,
}

/// Labels, gap and uncertainty in an axial and in a coronal slice through `focus_mm`.
pub fn montage(layers: &Layers, focus_mm: DVec3) -> Vec<Panel> {
    let mut overs = vec![(Over::Labels, "labels"), (Over::Gap, "gap")];
    if layers.uncertainty.is_some() {
        overs.push((Over::Uncertainty, "uncertainty"));
    }
    let intensity = IntensityStats::of_scan(layers.scan);
    let painter = Painter { layers, grey: grey_range(layers, &intensity), table: layers.task.table() };
    let body = BodyBox::of_scan(layers.scan, layers.modality, &intensity);
    let mut panels = Vec::new();
    for view in [AXIAL, CORONAL] {
        let place = place_in_words(layers.scan, view, focus_mm);
        for (over, what) in &overs {
            let (size, rgb) = painter.paint(view, &body, focus_mm, *over);
            let caption = format!("{place}: {what}");
            panels.push(Panel { caption, width: size[0], height: size[1], rgb });
        }
    }
    panels
}

/// "Axial, S 12.1 mm".
fn place_in_words(scan: &Scan, view: View, focus_mm: DVec3) -> String {
    if !scan.geometry().orientation_known() {
        return format!("{}, orientation unknown", view.name);
    }
    let pair = [("R", "L"), ("A", "P"), ("S", "I")][view.through];
    let along_mm = focus_mm[view.through];
    let letter = if along_mm >= 0.0 { pair.0 } else { pair.1 };
    format!("{}, {letter} {:.1} mm", view.name, along_mm.abs())
}

/// The window that the viewer opens the scan with, as its lower and upper end.
fn grey_range(layers: &Layers, intensity: &IntensityStats) -> [f32; 2] {
    match (layers.modality, layers.task) {
        (Modality::Ct, Task::Abdomen) => [-160.0, 240.0],
        (Modality::Ct, Task::Cardiac) => [-100.0, 500.0],
        (Modality::Mr, _) => intensity.bulk,
    }
}

struct Painter<'a> {
    layers: &'a Layers<'a>,
    grey: [f32; 2],
    table: &'a LabelTable,
}

impl Painter<'_> {
    fn paint(&self, view: View, body: &BodyBox, focus_mm: DVec3, over: Over) -> ([u32; 2], Vec<u8>) {
        let grid = self.layers.scan.geometry();
        let corners = body.corners().map(|corner| {
            let world = grid.world_of(corner);
            DVec2::new(world[view.right.0] * view.right.1, world[view.down.0] * view.down.1)
        });
        let (low, high) = corners
            .fold((DVec2::INFINITY, DVec2::NEG_INFINITY), |(low, high), at| (low.min(at), high.max(at)));
        let (low, size_mm) = (low - MARGIN_MM, (high - low) + 2.0 * MARGIN_MM);
        let mm_a_pixel = size_mm.max_element() / f64::from(SIDE_PX);
        let size = (size_mm / mm_a_pixel).round().max(DVec2::ONE);
        let [width, height] = [size.x as u32, size.y as u32];
        let mut rgb = Vec::with_capacity((width * height * 3) as usize);
        for row in 0..height {
            for column in 0..width {
                let at = low + (DVec2::new(f64::from(column), f64::from(row)) + 0.5) * mm_a_pixel;
                let mut world = focus_mm;
                world[view.right.0] = at.x * view.right.1;
                world[view.down.0] = at.y * view.down.1;
                rgb.extend(self.colour(world, over));
            }
        }
        ([width, height], rgb)
    }

    fn colour(&self, world_mm: DVec3, over: Over) -> [u8; 3] {
        let scan = self.layers.scan;
        let voxel = scan.geometry().voxel_from_world().transform_point3(world_mm);
        let value = scan.value_between(voxel);
        if !value.is_finite() {
            return [0; 3];
        }
        let [low, high] = self.grey;
        let grey = ((value - low) / (high - low).max(1e-6)).clamp(0.0, 1.0);
        let (paint, opacity) = match over {
            Over::Labels => self.label(voxel),
            Over::Gap => heat(nearest(self.layers.gap, voxel), GAP_RANGE, Colormap::Inferno),
            Over::Uncertainty => {
                let value = self.layers.uncertainty.and_then(|values| nearest(values, voxel));
                heat(value, UNCERTAINTY_RANGE, Colormap::Cividis)
            }
        };
        paint.map(|channel| (255.0 * (grey + (channel - grey) * opacity)).round() as u8)
    }

    fn label(&self, voxel: DVec3) -> ([f32; 3], f32) {
        let label = nearest(self.layers.labels, voxel).unwrap_or(0);
        match self.table.entry(label) {
            Some(entry) => (entry.rgb.map(|channel| f32::from(channel) / 255.0), FILL_OPACITY),
            None => ([0.0; 3], 0.0),
        }
    }
}

/// The value of the voxel that a place on the scan's grid lies in.
fn nearest<T: Copy>(volume: &Volume<T>, voxel: DVec3) -> Option<T> {
    let at = (voxel + 0.5).floor();
    let dims = volume.dims();
    let inside = (0..3).all(|axis| at[axis] >= 0.0 && at[axis] < dims[axis] as f64);
    inside.then(|| volume.at(at.x as usize, at.y as usize, at.z as usize))
}

fn heat(value: Option<f32>, [low, high]: [f32; 2], map: Colormap) -> ([f32; 3], f32) {
    let part = value.filter(|value| value.is_finite()).map_or(0.0, |value| (value - low) / (high - low));
    let part = part.clamp(0.0, 1.0);
    (map.colour(part), HEAT_OPACITY * part.sqrt())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::volume::Geometry;
    use glam::{DMat4, DVec4};

    /// A body that is bright on the patient's right, front and head, stored in one of the 48 ways.
    fn scan(axes: [usize; 3], signs: u8) -> Scan {
        let mut affine = DMat4::ZERO;
        for voxel_axis in 0..3 {
            let sign = if signs >> voxel_axis & 1 == 1 { -1.0 } else { 1.0 };
            affine.col_mut(voxel_axis)[axes[voxel_axis]] = sign * 4.0;
        }
        affine.w_axis = DVec4::new(5.0, -9.0, 3.0, 1.0);
        let grid = Geometry::new([20, 22, 24], affine).unwrap();
        let last = DVec3::new(19.0, 21.0, 23.0);
        let (a, b) = (grid.world_of(DVec3::ZERO), grid.world_of(last));
        let middle = (a + b) * 0.5;
        let world = grid.clone();
        Scan::from_volume(
            Volume::from_fn(grid, |i, j, k| {
                let at = world.world_of(DVec3::new(i as f64, j as f64, k as f64)) - middle;
                100.0 + 300.0 * f32::from(u8::from(at.cmpgt(DVec3::ZERO).all()))
            }),
            "test",
        )
    }

    #[test]
    fn the_patients_right_is_on_the_left_and_front_and_head_above_in_every_storage_order() {
        for axes in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            for signs in 0..8 {
                let scan = scan(axes, signs);
                let grid = scan.geometry().clone();
                let labels = Volume::from_fn(grid.clone(), |_, _, _| 0u16);
                let gap = Volume::from_fn(grid.clone(), |_, _, _| 0.0f32);
                let layers = Layers {
                    scan: &scan,
                    modality: Modality::Mr,
                    task: Task::Abdomen,
                    labels: &labels,
                    gap: &gap,
                    uncertainty: None,
                };
                // Where all three are positive.
                let focus = grid.world_of(DVec3::new(9.5, 10.5, 11.5)) + DVec3::splat(20.0);
                for panel in montage(&layers, focus) {
                    let [w, h] = [panel.width as usize, panel.height as usize];
                    let grey = |x: usize, y: usize| panel.rgb[3 * (y * w + x)];
                    let (left, right) = (grey(w / 4, h / 4), grey(3 * w / 4, h / 4));
                    let below = grey(w / 4, 3 * h / 4);
                    assert!(left > 200 && right < 100 && below < 100, "{axes:?} {signs} {}", panel.caption);
                }
            }
        }
    }

    #[test]
    fn a_high_gap_is_painted_and_none_leaves_the_anatomy_as_it_is() {
        assert_eq!(heat(Some(0.0), GAP_RANGE, Colormap::Inferno).1, 0.0);
        assert_eq!(heat(Some(f32::NAN), GAP_RANGE, Colormap::Inferno).1, 0.0);
        assert!(heat(Some(0.8), GAP_RANGE, Colormap::Inferno).1 > 0.7);
    }
}
