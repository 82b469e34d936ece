//! Grids in every orientation, and scans on them, to be written and read again.

use glam::{DMat4, DVec3};
use mindgap::volume::io::{self, Receipt};
use mindgap::volume::{Geometry, Scaling, Scan, Voxels};
use std::path::Path;

pub const DIMS: [usize; 3] = [5, 4, 3];

/// All 48 signed axis orders, an oblique left-handed grid, and a sheared one.
pub fn grids() -> Vec<Geometry> {
    let mut grids = Vec::new();
    for axes in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        for flips in 0..8u8 {
            let mut affine = DMat4::ZERO;
            for axis in 0..3 {
                let sign = if flips >> axis & 1 == 1 { -1.0 } else { 1.0 };
                affine.col_mut(axis)[axes[axis]] = sign * [0.75, 1.5, 5.0][axis];
            }
            affine.w_axis = DVec3::new(-10.0, 20.0, 30.0).extend(1.0);
            grids.push(Geometry::new(DIMS, affine).unwrap());
        }
    }
    grids.push(oblique());
    let mut sheared = oblique().world_from_voxel();
    sheared.x_axis += sheared.y_axis * 0.2;
    grids.push(Geometry::new(DIMS, sheared).unwrap());
    grids
}

/// Turned about two axes, left-handed, with decimals that binary numbers only approximate.
pub fn oblique() -> Geometry {
    let affine = DMat4::from_translation(DVec3::new(-80.1, 21.7, 1000.3))
        * DMat4::from_rotation_z(0.3)
        * DMat4::from_rotation_x(-0.8)
        * DMat4::from_scale(DVec3::new(-1.1, 1.3, 7.7));
    Geometry::new(DIMS, affine).unwrap()
}

pub fn scan(voxels: Voxels, scaling: Scaling, geometry: &Geometry) -> Scan {
    Scan::new(voxels, scaling, geometry.clone(), "phantom").unwrap()
}

/// A scan of 60 different int16 values.
pub fn plain(geometry: &Geometry) -> Scan {
    scan(Voxels::I16((0..60).map(|n| n * 7 - 200).collect()), Scaling::IDENTITY, geometry)
}

/// Writes a scan, opens it, and gives both the receipt and what was read.
pub fn round_trip(path: &Path, scan: &Scan) -> (Receipt, Scan) {
    let receipt = io::write_scan(path, scan).unwrap();
    (receipt, io::open(path).unwrap())
}

/// One scan of each stored type, with values at the ends of the type.
pub fn every_type(geometry: &Geometry) -> Vec<Scan> {
    macro_rules! whole {
        ($variant:ident, $type:ty) => {{
            let mut values: Vec<$type> = (0..60).map(|n| n as $type).collect();
            (values[0], values[1]) = (<$type>::MIN, <$type>::MAX);
            Voxels::$variant(values)
        }};
    }
    let mut single: Vec<f32> = (0..60).map(|n| n as f32 * 0.1).collect();
    (single[0], single[1], single[2]) = (f32::NAN, f32::INFINITY, -0.0);
    let voxels = [
        whole!(U8, u8),
        whole!(I8, i8),
        whole!(U16, u16),
        whole!(I16, i16),
        whole!(U32, u32),
        whole!(I32, i32),
        whole!(U64, u64),
        whole!(I64, i64),
        Voxels::F64(single.iter().map(|value| f64::from(*value) + 1e-12).collect()),
        Voxels::F32(single),
    ];
    voxels.into_iter().map(|voxels| scan(voxels, Scaling::IDENTITY, geometry)).collect()
}

/// Scans with a scale, and the stored type that their measured values are written in.
pub fn scaled(geometry: &Geometry) -> Vec<(Scan, &'static str)> {
    let unsigned = || Voxels::U16((0..60).map(|n| n * 68).collect());
    let scale = |slope, intercept| Scaling { slope, intercept };
    vec![
        (scan(unsigned(), scale(1.0, -1024.0), geometry), "int16"),
        (scan(unsigned(), scale(1.0, 60000.0), geometry), "uint16"),
        (scan(unsigned(), scale(1.0, 70000.0), geometry), "int32"),
        (scan(unsigned(), scale(1.0, 0.5), geometry), "float32"),
        (scan(unsigned(), scale(2.5, 3.0), geometry), "float32"),
        (scan(Voxels::F64(vec![0.1; 60]), scale(1.0, 3.0), geometry), "float32"),
    ]
}
