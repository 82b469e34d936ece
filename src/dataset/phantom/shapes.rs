//! Implicit shapes: functions of a point in mm that are negative inside and grow by about one a millimetre.

use super::random::{Draw, sin_cos_deg};
use glam::{Mat3, Vec3};

/// An axis-aligned box in mm.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub low: Vec3,
    pub high: Vec3,
}

impl Bounds {
    pub fn around(centre: Vec3, reach: Vec3) -> Self {
        Self { low: centre - reach, high: centre + reach }
    }

    /// Everything between two heights.
    pub fn slab(low_z: f32, high_z: f32) -> Self {
        const FAR: f32 = 1e4;
        Self { low: Vec3::new(-FAR, -FAR, low_z), high: Vec3::new(FAR, FAR, high_z) }
    }

    pub fn contains(&self, p: Vec3) -> bool {
        p.cmpge(self.low).all() && p.cmple(self.high).all()
    }
}

/// An ellipsoid in any pose.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ellipsoid {
    centre: Vec3,
    unit_from_offset: Mat3,
    unit_gradient_from_offset: Mat3,
    reach: f32,
}

impl Ellipsoid {
    pub fn new(centre: Vec3, radii: Vec3) -> Self {
        Self::rotated(centre, radii, Mat3::IDENTITY)
    }

    /// `axes` has the ellipsoid's own axes as columns.
    pub fn rotated(centre: Vec3, radii: Vec3, axes: Mat3) -> Self {
        let local_from_offset = axes.transpose();
        let inverse = Vec3::ONE / radii;
        Self {
            centre,
            unit_from_offset: Mat3::from_diagonal(inverse) * local_from_offset,
            unit_gradient_from_offset: Mat3::from_diagonal(inverse * inverse) * local_from_offset,
            reach: radii.max_element(),
        }
    }

    /// Approximate signed distance in mm, exact on the surface.
    pub fn distance(&self, p: Vec3) -> f32 {
        let offset = p - self.centre;
        let k0 = (self.unit_from_offset * offset).length();
        let k1 = (self.unit_gradient_from_offset * offset).length();
        if k1 < 1e-6 { -self.reach } else { k0 * (k0 - 1.0) / k1 }
    }

    /// Height of the highest point of an ellipsoid whose own axes are the body's.
    pub fn top(&self) -> f32 {
        self.centre.z + 1.0 / self.unit_from_offset.z_axis.z
    }

    /// The point of the surface that lies furthest in a direction.
    pub fn furthest(&self, direction: Vec3) -> Vec3 {
        // The surface is the unit sphere in other coordinates, where the direction is another one as well.
        let offset_from_unit = self.unit_from_offset.inverse();
        self.centre + offset_from_unit * (offset_from_unit.transpose() * direction).normalize()
    }

    pub fn bounds(&self) -> Bounds {
        Bounds::around(self.centre, Vec3::splat(self.reach))
    }
}

/// A round cone: a segment whose radius goes linearly from one end to the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Capsule {
    pub from: Vec3,
    pub to: Vec3,
    pub radius_from: f32,
    pub radius_to: f32,
}

impl Capsule {
    pub fn distance(&self, p: Vec3) -> f32 {
        let along = self.to - self.from;
        let t = ((p - self.from).dot(along) / along.length_squared().max(1e-6)).clamp(0.0, 1.0);
        (p - self.from - along * t).length() - (self.radius_from + (self.radius_to - self.radius_from) * t)
    }

    pub fn bounds(&self) -> Bounds {
        let reach = Vec3::splat(self.radius_from.max(self.radius_to));
        Bounds { low: self.from.min(self.to) - reach, high: self.from.max(self.to) + reach }
    }

    /// The same cone with both radii changed by `grow_mm`; never thinner than half a millimetre.
    pub fn grown(&self, grow_mm: f32) -> Self {
        Self {
            radius_from: (self.radius_from + grow_mm).max(0.5),
            radius_to: (self.radius_to + grow_mm).max(0.5),
            ..*self
        }
    }
}

/// A point of a tube's centre line with the tube's radius there, mm.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub at: Vec3,
    pub radius: f32,
}

/// Shorthand for a [`Node`].
pub(super) fn node(x: f32, y: f32, z: f32, radius: f32) -> Node {
    Node { at: Vec3::new(x, y, z), radius }
}

/// A smooth tube through the nodes (Catmull-Rom), as round cones about `step_mm` long.
pub(super) fn tube(nodes: &[Node], step_mm: f32) -> Vec<Capsule> {
    let clamped = |i: isize| nodes[i.clamp(0, nodes.len() as isize - 1) as usize];
    let mut points: Vec<Node> = Vec::new();
    for i in 0..nodes.len().saturating_sub(1) as isize {
        let (a, b, c, d) = (clamped(i - 1), clamped(i), clamped(i + 1), clamped(i + 2));
        let steps = ((c.at - b.at).length() / step_mm).ceil().max(1.0) as usize;
        for s in 0..steps {
            let t = s as f32 / steps as f32;
            points.push(Node {
                at: catmull_rom([a.at, b.at, c.at, d.at], t),
                radius: b.radius + (c.radius - b.radius) * t,
            });
        }
    }
    points.extend(nodes.last());
    let pairs = points.windows(2);
    pairs
        .map(|w| Capsule { from: w[0].at, to: w[1].at, radius_from: w[0].radius, radius_to: w[1].radius })
        .collect()
}

/// Nodes with each coordinate moved by up to `reach_mm` and each radius scaled by a normal draw of 8 %.
pub(super) fn jitter(draw: &mut Draw, nodes: &[Node], reach_mm: f32) -> Vec<Node> {
    let moved = |n: &Node| Node {
        at: n.at + draw.offset(Vec3::splat(reach_mm)),
        radius: n.radius * draw.normal(1.0, 0.08).clamp(0.75, 1.3),
    };
    nodes.iter().map(moved).collect()
}

/// The smaller of two distances, blended over `k` mm: a union with a rounded seam.
pub(super) fn smooth_min(a: f32, b: f32, k: f32) -> f32 {
    let h = (k - (a - b).abs()).max(0.0) / k;
    a.min(b) - h * h * k * 0.25
}

/// The larger of two distances, blended over `k` mm: an intersection with a rounded edge.
pub(super) fn smooth_max(a: f32, b: f32, k: f32) -> f32 {
    -smooth_min(-a, -b, k)
}

/// Rotation by angles in degrees about x, then y, then z.
pub(super) fn rotation_deg(x: f32, y: f32, z: f32) -> Mat3 {
    let (sx, cx) = sin_cos_deg(x);
    let (sy, cy) = sin_cos_deg(y);
    let (sz, cz) = sin_cos_deg(z);
    let about_x = Mat3::from_cols(Vec3::X, Vec3::new(0.0, cx, sx), Vec3::new(0.0, -sx, cx));
    let about_y = Mat3::from_cols(Vec3::new(cy, 0.0, -sy), Vec3::Y, Vec3::new(sy, 0.0, cy));
    let about_z = Mat3::from_cols(Vec3::new(cz, sz, 0.0), Vec3::new(-sz, cz, 0.0), Vec3::Z);
    about_z * about_y * about_x
}

/// A value given at heights in increasing order, smoothly interpolated and held constant beyond the ends.
pub(super) fn profile(knots: &[(f32, f32)], z: f32) -> f32 {
    let Some(&(first_z, first)) = knots.first() else { return 0.0 };
    if z <= first_z {
        return first;
    }
    for pair in knots.windows(2) {
        let ((z0, v0), (z1, v1)) = (pair[0], pair[1]);
        if z <= z1 {
            let t = (z - z0) / (z1 - z0);
            return v0 + (v1 - v0) * t * t * (3.0 - 2.0 * t);
        }
    }
    knots[knots.len() - 1].1
}

fn catmull_rom([a, b, c, d]: [Vec3; 4], t: f32) -> Vec3 {
    let (t2, t3) = (t * t, t * t * t);
    0.5 * (2.0 * b + (c - a) * t + (2.0 * a - 5.0 * b + 4.0 * c - d) * t2 + (3.0 * b - a - 3.0 * c + d) * t3)
}
