//! A small NIfTI file to spoil, field by field.

use glam::{DMat4, DVec3};
use mindgap::volume::io::{self, IoError};
use mindgap::volume::{Geometry, Scaling, Scan, Voxels};
use std::path::PathBuf;
use std::sync::OnceLock;

pub const DIMS: [usize; 3] = [5, 4, 3];

pub fn oblique() -> Geometry {
    let rotation = DMat4::from_rotation_z(0.3) * DMat4::from_rotation_x(-0.8);
    let affine = DMat4::from_translation(DVec3::new(-80.0, 21.5, 1000.25))
        * rotation
        * DMat4::from_scale(DVec3::new(-1.25, 1.5, 8.0));
    Geometry::new(DIMS, affine).unwrap()
}

/// A little-endian int16 NIfTI-1 of 5 x 4 x 3 voxels holding 0, 1, 2, ... on the oblique grid.
pub fn plain_file() -> Vec<u8> {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    let write = || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plain.nii");
        let scan = Scan::new(Voxels::I16((0..60).collect()), Scaling::IDENTITY, oblique(), "phantom");
        io::write_scan(&path, &scan.unwrap()).unwrap();
        std::fs::read(path).unwrap()
    };
    FILE.get_or_init(write).clone()
}

pub fn patched(changes: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = plain_file();
    for (at, change) in changes {
        bytes[*at..at + change.len()].copy_from_slice(change);
    }
    bytes
}

/// Keeps the file in a folder that goes away with it.
pub struct Saved {
    _folder: tempfile::TempDir,
    pub path: PathBuf,
}

pub fn saved(name: &str, bytes: &[u8]) -> Saved {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    Saved { _folder: folder, path }
}

pub fn open_bytes(name: &str, bytes: &[u8]) -> Result<Scan, IoError> {
    io::open(&saved(name, bytes).path)
}
