//! The surface of a label as triangles, for a view in three dimensions.
//!
//! Naive surface nets: every cell between eight voxel centres that the surface crosses gets one vertex. Invariants: the
//! surface is closed, also where the label meets the border of the volume; its triangles are wound outwards in world
//! space; and smoothing never carries it over a sampled voxel centre, so that what is labelled stays inside. Memory
//! grows with a slice of the box around the label and with the mesh, not with the volume.

use super::LabelMap;
use glam::{DMat3, DVec3, Vec3};
use rayon::prelude::*;

/// A box longer than this is sampled more coarsely along that axis.
const MAX_SAMPLES: usize = 256;
/// Two triangles each. A box that gives more of them is sampled more coarsely.
const MAX_QUADS: usize = 150_000;
const SMOOTHING_ROUNDS: usize = 12;
/// How far each round moves a vertex towards the mean of its neighbours; 1 would leave a chequered ripple standing.
const RELAXATION: f32 = 0.75;
/// How far a vertex may lie from the middle of its cell, in samples. At 0.5 a vessel one voxel wide would shrink to a line.
const REACH: f32 = 0.4;
/// Bits of a cell's corner number, by axis.
const AXIS_BIT: [usize; 3] = [4, 1, 2];

/// The surface of one label. Empty where the label does not occur.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SurfaceMesh {
    /// World RAS+ positions in mm.
    pub vertices_mm: Vec<[f32; 3]>,
    /// One for each vertex, of length 1, pointing out of the label in world space.
    pub normals: Vec<[f32; 3]>,
    /// Indices of vertices, counter-clockwise as seen from outside.
    pub triangles: Vec<[u32; 3]>,
}

/// The surface of one label; see [`label_surfaces`].
pub fn label_surface(labels: &LabelMap, label: u16) -> SurfaceMesh {
    label_surfaces(labels, &[label]).pop().map(|(_, mesh)| mesh).unwrap_or_default()
}

/// The surface of each wanted label, in the order they were asked for; empty for a label that does not occur.
///
/// A label's box that is longer than 256 voxels along an axis, or that gives more than 300,000 triangles, is sampled at
/// every n-th voxel, n growing first along the axes with the finest spacing: parts thinner than that may be missed, and
/// the surface then lies within about half a sample of the label's own border.
pub fn label_surfaces(labels: &LabelMap, wanted: &[u16]) -> Vec<(u16, SurfaceMesh)> {
    let boxes = boxes_of(labels, wanted);
    wanted.par_iter().zip(boxes).map(|(&label, bounds)| (label, surface_in(labels, label, bounds))).collect()
}

/// The voxels between two corners, both included.
#[derive(Clone, Copy)]
struct VoxelBox {
    low: [usize; 3],
    high: [usize; 3],
}

impl VoxelBox {
    const EMPTY: Self = Self { low: [usize::MAX; 3], high: [0; 3] };

    fn include(&mut self, other: Self) {
        for axis in 0..3 {
            self.low[axis] = self.low[axis].min(other.low[axis]);
            self.high[axis] = self.high[axis].max(other.high[axis]);
        }
    }
}

/// The box of each wanted label, all found in one pass.
fn boxes_of(labels: &LabelMap, wanted: &[u16]) -> Vec<VoxelBox> {
    let mut slot_of = vec![usize::MAX; usize::from(u16::MAX) + 1];
    wanted.iter().enumerate().for_each(|(slot, &label)| slot_of[usize::from(label)] = slot);
    let [ni, nj, _] = labels.dims();
    let none = || vec![VoxelBox::EMPTY; wanted.len()];
    let slices = labels.voxels().par_chunks(ni * nj).enumerate();
    let in_slices = slices.fold(none, |mut boxes, (k, slice)| {
        for (j, row) in slice.chunks_exact(ni).enumerate() {
            let mut i = 0;
            for run in row.chunk_by(|a, b| a == b) {
                if let Some(bounds) = boxes.get_mut(slot_of[usize::from(run[0])]) {
                    bounds.include(VoxelBox { low: [i, j, k], high: [i + run.len() - 1, j, k] });
                }
                i += run.len();
            }
        }
        boxes
    });
    let boxes = in_slices.reduce(none, |mut boxes, others| {
        boxes.iter_mut().zip(others).for_each(|(bounds, other)| bounds.include(other));
        boxes
    });
    // A label that was asked for twice has only one slot.
    wanted.iter().map(|&label| boxes[slot_of[usize::from(label)]]).collect()
}

fn surface_in(labels: &LabelMap, label: u16, bounds: VoxelBox) -> SurfaceMesh {
    if bounds.low[0] > bounds.high[0] {
        return SurfaceMesh::default();
    }
    let mut samples = Samples::of(labels, label, bounds);
    loop {
        if let Some(mut net) = samples.net() {
            net.smooth();
            return samples.mesh(&net);
        }
        // This ends, for a box that is a single sample has a surface of six quads.
        samples.coarsen();
    }
}

/// The voxels of a label's box that are looked at. Sample coordinates count from the padding: sample (1, 1, 1) is the
/// first in the box.
struct Samples<'a> {
    labels: &'a LabelMap,
    label: u16,
    bounds: VoxelBox,
    /// Voxels from one sample to the next, by axis.
    stride: [usize; 3],
}

impl<'a> Samples<'a> {
    fn of(labels: &'a LabelMap, label: u16, bounds: VoxelBox) -> Self {
        let stride = [0, 1, 2].map(|a| (bounds.high[a] - bounds.low[a] + 1).div_ceil(MAX_SAMPLES));
        Self { labels, label, bounds, stride }
    }

    /// Samples in the box, without padding.
    fn count(&self) -> [usize; 3] {
        [0, 1, 2].map(|a| (self.bounds.high[a] - self.bounds.low[a] + 1).div_ceil(self.stride[a]))
    }

    /// Voxel index of the first sample: as far from its end of the box as the last one is from the other.
    fn first(&self) -> [usize; 3] {
        let count = self.count();
        [0, 1, 2].map(|a| {
            let left_over = self.bounds.high[a] - self.bounds.low[a] - (count[a] - 1) * self.stride[a];
            self.bounds.low[a] + left_over / 2
        })
    }

    /// Widens the stride where samples lie closest, so that thick slices are not thinned out before fine pixels are.
    fn coarsen(&mut self) {
        let spacing_mm = self.labels.geometry().spacing_mm();
        let apart_mm = [0, 1, 2].map(|a| self.stride[a] as f64 * spacing_mm[a]);
        let closest_mm = apart_mm.into_iter().fold(f64::INFINITY, f64::min);
        for axis in 0..3 {
            self.stride[axis] += usize::from(apart_mm[axis] < 1.5 * closest_mm);
        }
    }

    /// One vertex for each crossed cell and one quad for each crossed edge; `None` where that is too many.
    fn net(&self) -> Option<Net> {
        let [ni, nj, nk] = self.count().map(|samples| samples + 1);
        let mut net = Net::default();
        let mut inside = [vec![false; (ni + 1) * (nj + 1)], vec![false; (ni + 1) * (nj + 1)]];
        let mut vertex_of = [vec![0; ni * nj], vec![0; ni * nj]];
        for k in 0..nk {
            inside.swap(0, 1);
            vertex_of.swap(0, 1);
            self.fill(k + 1, &mut inside[1]);
            for j in 0..nj {
                let row = j * (ni + 1);
                let column = |at: usize| {
                    let ends = [inside[0][at], inside[0][at + ni + 1], inside[1][at], inside[1][at + ni + 1]];
                    (0..4).fold(0, |bits, corner| bits | u8::from(ends[corner]) << corner)
                };
                let mut left = column(row);
                for i in 0..ni {
                    let right = column(row + i + 1);
                    let corners = left | right << 4;
                    if corners != 0 && corners != u8::MAX {
                        vertex_of[1][j * ni + i] = net.add_vertex([i, j, k], corners);
                        net.add_quads(&vertex_of, [1, ni], j * ni + i, corners);
                    }
                    left = right;
                }
            }
            if net.quads.len() > MAX_QUADS {
                return None;
            }
        }
        Some(net)
    }

    /// Whether each sample of slab `k`, padding included, is of the label.
    fn fill(&self, k: usize, inside: &mut [bool]) {
        inside.fill(false);
        let (count, first) = (self.count(), self.first());
        if k > count[2] {
            return;
        }
        for j in 1..=count[1] {
            let at = [1, j, k];
            let [i, j_voxel, k_voxel] = [0, 1, 2].map(|a| first[a] + (at[a] - 1) * self.stride[a]);
            let row = &self.labels.voxels()[self.labels.offset(i, j_voxel, k_voxel)..];
            let padded = &mut inside[j * (count[0] + 2) + 1..][..count[0]];
            for (sample, &value) in padded.iter_mut().zip(row.iter().step_by(self.stride[0])) {
                *sample = value == self.label;
            }
        }
    }

    /// The net in world space.
    fn mesh(&self, net: &Net) -> SurfaceMesh {
        let geometry = self.labels.geometry();
        let mirrored = DMat3::from_mat4(geometry.world_from_voxel()).determinant() < 0.0;
        let first = DVec3::from_array(self.first().map(|voxel| voxel as f64));
        let stride = DVec3::from_array(self.stride.map(|voxels| voxels as f64));
        let world = |sample: &Vec3| geometry.world_of(first + stride * (sample.as_dvec3() - 1.0)).as_vec3();
        let vertices: Vec<Vec3> = net.points.iter().map(world).collect();
        let mut triangles = Vec::with_capacity(2 * net.quads.len());
        for quad in &net.quads {
            let [a, b, c, d] = if mirrored { [quad[3], quad[2], quad[1], quad[0]] } else { *quad };
            let length = |from: u32, to: u32| vertices[from as usize].distance_squared(vertices[to as usize]);
            // The shorter diagonal folds less.
            let halves =
                if length(a, c) <= length(b, d) { [[a, b, c], [a, c, d]] } else { [[b, c, d], [b, d, a]] };
            triangles.extend(halves);
        }
        let normals = normals(&vertices, &triangles);
        SurfaceMesh { vertices_mm: vertices.iter().map(Vec3::to_array).collect(), normals, triangles }
    }
}

/// A quad mesh in sample coordinates.
#[derive(Default)]
struct Net {
    /// One a cell; it never leaves its cell.
    points: Vec<Vec3>,
    /// Middle of each point's cell.
    centres: Vec<Vec3>,
    /// Counter-clockwise as seen from outside, in an unmirrored space.
    quads: Vec<[u32; 4]>,
}

impl Net {
    /// The vertex of a cell, at the mean of the middles of its crossed edges.
    fn add_vertex(&mut self, cell: [usize; 3], corners: u8) -> u32 {
        let (mut sum, mut crossings) = (Vec3::ZERO, 0.0);
        for axis in 0..3 {
            for corner in (0..8).filter(|corner| corner & AXIS_BIT[axis] == 0) {
                if (corners >> corner ^ corners >> (corner | AXIS_BIT[axis])) & 1 == 1 {
                    let mut middle = Vec3::from(AXIS_BIT.map(|bit| f32::from(corner & bit != 0)));
                    middle[axis] = 0.5;
                    sum += middle;
                    crossings += 1.0;
                }
            }
        }
        let origin = Vec3::from(cell.map(|index| index as f32));
        self.points.push(origin + sum / crossings);
        self.centres.push(origin + 0.5);
        self.points.len() as u32 - 1
    }

    /// A quad for each crossed edge that starts at the first corner of the newest cell, at offset `cell` of a slab:
    /// between that cell and the three that come before it around the edge. `vertex_of` has the slab before and this.
    fn add_quads(&mut self, vertex_of: &[Vec<u32>; 2], steps: [usize; 2], cell: usize, corners: u8) {
        let starts_inside = corners & 1 == 1;
        for axis in 0..3 {
            if (corners >> AXIS_BIT[axis] & 1 == 1) == starts_inside {
                continue;
            }
            let mut quad = [[1, 1], [0, 1], [0, 0], [1, 0]].map(|[second, third]| {
                let mut back = [0; 3];
                back[(axis + 1) % 3] = second;
                back[(axis + 2) % 3] = third;
                vertex_of[1 - back[2]][cell - back[0] * steps[0] - back[1] * steps[1]]
            });
            if !starts_inside {
                quad.reverse();
            }
            self.quads.push(quad);
        }
    }

    /// Takes the steps between voxels away. Averaging alone would also shrink what is round. The net of cell centres
    /// encloses exactly the voxels, so the part of the way from there that neighbours share is that shrinking, and is
    /// taken back.
    fn smooth(&mut self) {
        for _ in 0..SMOOTHING_ROUNDS {
            relax(&mut self.points, &self.quads);
            self.keep_in_cells();
        }
        let mut shrinking: Vec<Vec3> = self.points.iter().zip(&self.centres).map(|(p, c)| p - c).collect();
        for _ in 0..SMOOTHING_ROUNDS {
            relax(&mut shrinking, &self.quads);
        }
        self.points.iter_mut().zip(shrinking).for_each(|(point, shrinking)| *point -= shrinking);
        self.keep_in_cells();
    }

    fn keep_in_cells(&mut self) {
        for (point, &centre) in self.points.iter_mut().zip(&self.centres) {
            *point = point.clamp(centre - REACH, centre + REACH);
        }
    }
}

/// Moves each value towards the mean of those beside it along the quads' sides.
fn relax(values: &mut [Vec3], quads: &[[u32; 4]]) {
    let mut beside = vec![(Vec3::ZERO, 0.0f32); values.len()];
    for quad in quads {
        let at = quad.map(|vertex| vertex as usize);
        let both = [values[at[1]] + values[at[3]], values[at[0]] + values[at[2]]];
        for (side, vertex) in at.into_iter().enumerate() {
            beside[vertex].0 += both[side % 2];
            beside[vertex].1 += 2.0;
        }
    }
    for (value, (sum, count)) in values.iter_mut().zip(beside) {
        *value = value.lerp(sum / count, RELAXATION);
    }
}

/// Of each vertex: the direction of its triangles, large ones counting more.
fn normals(vertices: &[Vec3], triangles: &[[u32; 3]]) -> Vec<[f32; 3]> {
    let mut sums = vec![Vec3::ZERO; vertices.len()];
    for triangle in triangles {
        let [a, b, c] = triangle.map(|vertex| vertices[vertex as usize]);
        let twice_area = (b - a).cross(c - a);
        triangle.iter().for_each(|&vertex| sums[vertex as usize] += twice_area);
    }
    sums.into_iter().map(|sum| sum.normalize_or_zero().to_array()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::volume::{Geometry, Volume};
    use glam::DMat4;
    use std::collections::{BTreeSet, HashMap};

    const BALL_MM: f64 = 12.0;

    /// A grid of 2 x 1.5 x 1 mm about the world's origin, with the axes in `flips` (bits) running backwards.
    fn grid(flips: usize) -> Geometry {
        let spacing = DVec3::from_array(
            [0, 1, 2].map(|axis| [2.0, 1.5, 1.0][axis] * if flips >> axis & 1 == 1 { -1.0 } else { 1.0 }),
        );
        let dims = [17, 21, 31];
        let middle = DVec3::from_array(dims.map(|size| (size - 1) as f64 / 2.0));
        let affine = DMat4::from_translation(-spacing * middle) * DMat4::from_scale(spacing);
        Geometry::new(dims, affine).unwrap()
    }

    fn painted(geometry: &Geometry, label: impl Fn(DVec3) -> u16) -> LabelMap {
        Volume::from_fn(geometry.clone(), |i, j, k| {
            label(geometry.world_of(DVec3::new(i as f64, j as f64, k as f64)))
        })
    }

    fn ball(geometry: &Geometry) -> LabelMap {
        painted(geometry, |at| u16::from(at.length() <= BALL_MM))
    }

    fn volume_of(labels: &LabelMap, label: u16) -> f64 {
        let voxels = labels.voxels().iter().filter(|&&value| value == label).count();
        voxels as f64 * labels.geometry().spacing_mm().iter().product::<f64>()
    }

    fn at(mesh: &SurfaceMesh, vertex: u32) -> DVec3 {
        Vec3::from(mesh.vertices_mm[vertex as usize]).as_dvec3()
    }

    /// Signed: positive where the triangles are wound outwards.
    fn enclosed(mesh: &SurfaceMesh) -> f64 {
        let six = |t: &[u32; 3]| at(mesh, t[0]).dot(at(mesh, t[1]).cross(at(mesh, t[2])));
        mesh.triangles.iter().map(six).sum::<f64>() / 6.0
    }

    /// Every edge is shared by two triangles that run along it in opposite directions, and there is no hole or handle.
    fn assert_one_closed_surface(mesh: &SurfaceMesh) {
        let mut edges = HashMap::<(u32, u32), usize>::new();
        for t in &mesh.triangles {
            for edge in [(t[0], t[1]), (t[1], t[2]), (t[2], t[0])] {
                *edges.entry(edge).or_default() += 1;
            }
        }
        assert!(edges.iter().all(|(edge, &n)| n == 1 && edges.get(&(edge.1, edge.0)) == Some(&1)));
        let used: BTreeSet<u32> = mesh.triangles.iter().flatten().copied().collect();
        assert_eq!(used.len(), mesh.vertices_mm.len());
        assert_eq!(used.len() + mesh.triangles.len(), edges.len() / 2 + 2);
        assert_eq!(mesh.normals.len(), mesh.vertices_mm.len());
    }

    #[test]
    fn a_round_organ_keeps_its_volume_and_faces_outwards_however_the_axes_run() {
        for flips in 0..8 {
            let labels = ball(&grid(flips));
            let mesh = label_surface(&labels, 1);
            assert_one_closed_surface(&mesh);
            let ratio = enclosed(&mesh) / volume_of(&labels, 1);
            assert!((ratio - 1.0).abs() < 0.03, "flips {flips:03b}: {ratio}");
            for (position, normal) in mesh.vertices_mm.iter().zip(&mesh.normals) {
                let (outward, normal) = (Vec3::from(*position).normalize(), Vec3::from(*normal));
                assert!(normal.is_normalized() && normal.dot(outward) > 0.5, "{position:?} {normal:?}");
            }
        }
    }

    #[test]
    fn a_round_organ_looks_round_and_not_like_a_staircase() {
        let mesh = label_surface(&ball(&grid(0)), 1);
        let radii = mesh.vertices_mm.iter().map(|&v| f64::from(Vec3::from(v).length()));
        let spread =
            (radii.map(|mm| (mm - BALL_MM).powi(2)).sum::<f64>() / mesh.vertices_mm.len() as f64).sqrt();
        assert!(spread < 0.35, "{spread} mm");
    }

    #[test]
    fn an_organ_cut_by_the_border_of_the_volume_is_closed_there() {
        let grid = Geometry::axis_aligned([6, 5, 4], [1.0, 1.0, 3.0], [10.0, 20.0, 30.0]).unwrap();
        let labels = Volume::from_fn(grid, |i, _, _| u16::from(i < 3));
        let mesh = label_surface(&labels, 1);
        assert_one_closed_surface(&mesh);
        let low = mesh.vertices_mm.iter().fold(Vec3::INFINITY, |low, &v| low.min(v.into()));
        // Between the outer face of the border voxels and their centres.
        assert!(
            low.cmpge(Vec3::new(9.5, 19.5, 28.5)).all() && low.cmplt(Vec3::new(10.0, 20.0, 30.0)).all(),
            "{low}"
        );
    }

    #[test]
    fn organs_that_touch_each_keep_a_closed_surface_of_their_own() {
        let labels = painted(&grid(0), |at| {
            if at.length() > BALL_MM {
                0
            } else if at.x < 0.0 {
                5
            } else {
                2
            }
        });
        for (label, mesh) in label_surfaces(&labels, &[5, 2]) {
            assert_one_closed_surface(&mesh);
            let ratio = enclosed(&mesh) / volume_of(&labels, label);
            assert!((ratio - 1.0).abs() < 0.05, "label {label}: {ratio}");
        }
    }

    #[test]
    fn a_label_that_is_not_there_has_an_empty_surface_and_keeps_its_place_in_the_list() {
        let surfaces = label_surfaces(&ball(&grid(0)), &[9, 1, 1]);
        assert_eq!(surfaces[0], (9, SurfaceMesh::default()));
        assert!(surfaces[1] == surfaces[2] && !surfaces[1].1.triangles.is_empty());
    }

    #[test]
    fn a_vessel_one_voxel_wide_does_not_shrink_to_a_line() {
        for length in [1, 9] {
            let grid = Geometry::axis_aligned([length, 1, 3], [1.0; 3], [0.0; 3]).unwrap();
            let mesh = label_surface(&Volume::from_fn(grid, |_, _, k| u16::from(k == 1)), 1);
            assert_one_closed_surface(&mesh);
            let high = mesh.vertices_mm.iter().fold(Vec3::NEG_INFINITY, |high, &v| high.max(v.into()));
            assert!(high.y > 0.09 && high.z > 1.09, "{high}");
        }
    }

    #[test]
    fn a_very_long_or_very_rough_label_still_gives_a_mesh_that_can_be_drawn() {
        let long = Geometry::axis_aligned([600, 4, 4], [1.0; 3], [0.0; 3]).unwrap();
        let mesh = label_surface(&Volume::from_fn(long, |_, _, _| 1), 1);
        assert_one_closed_surface(&mesh);
        let ends =
            mesh.vertices_mm.iter().fold([f32::MAX, f32::MIN], |e, v| [e[0].min(v[0]), e[1].max(v[0])]);
        assert!((ends[0] + 0.5).abs() < 1.0 && (ends[1] - 599.5).abs() < 1.0, "{ends:?}");
        let rough = Geometry::axis_aligned([100; 3], [1.0; 3], [0.0; 3]).unwrap();
        let mesh =
            label_surface(&Volume::from_fn(rough, |i, j, k| ((i * 7 + j * 5 + k * 3) % 11 < 5) as u16), 1);
        assert!((1..=300_000).contains(&mesh.triangles.len()), "{}", mesh.triangles.len());
    }
}
