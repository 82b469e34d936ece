//! What a file of any bytes must not do to the program: crash it, or become a scan that cannot be held, measured or saved.

use mindgap::volume::io::{self, IoError, OpenOptions};
use mindgap::volume::{Histogram, Scan, Statistics, geometry_equal};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Larger scans are not saved: a run is to look at many files.
const SAVED_VOXELS: usize = 1 << 16;

/// Keeps `bytes` as a file of that name and does with it what a user may.
pub fn survive(name: &str, bytes: &[u8]) {
    let path = folder().join(name);
    std::fs::write(&path, bytes).expect("the folder is ours");
    let header = io::read_header(&path, &OpenOptions::default());
    let lenient = OpenOptions {
        accept_damage: true,
        accept_gaps: true,
        prefer_qform: true,
        volume: Some(1),
        ..OpenOptions::default()
    };
    let _ = io::open_with(&path, &lenient);
    let Ok(scan) = io::open(&path) else { return };

    let header = header.expect("a file whose voxels can be read has a readable header");
    assert_eq!(scan.geometry(), &header.geometry);
    assert_eq!(scan.voxels().len(), scan.geometry().len());
    assert!(scan.geometry().world_from_voxel().is_finite());
    assert!(scan.scaling().slope.is_finite() && scan.scaling().intercept.is_finite());
    let range = scan.intensity_range();
    assert!(range.is_none_or(|[low, high]| low <= high), "{range:?}");
    if scan.voxels().len() <= SAVED_VOXELS {
        let statistics = Statistics::of_scan(&scan, &[50.0]);
        assert_eq!(statistics.spread.is_some(), range.is_some());
        let _ = (Histogram::of_scan(&scan, 16), scan.to_labels());
        ["out.nii", "out.nrrd", "out.mha"].iter().for_each(|name| save(&scan, name));
    }
}

/// What can be opened can be saved and is the same then, or is refused for what the format lacks.
fn save(scan: &Scan, name: &str) {
    let path = folder().join(name);
    match io::write_scan(&path, scan) {
        Ok(_) => {
            let again = io::open(&path).expect("what was written can be read");
            assert_eq!(again.voxels().len(), scan.voxels().len());
            // Kilometres away even float64 rounds by more.
            let eps_mm = 1e-3;
            let near = scan.geometry().reach_mm() < 1e6;
            assert!(!near || geometry_equal(again.geometry(), scan.geometry(), eps_mm), "{name}");
        }
        Err(IoError::Unsupported { .. }) => {}
        Err(other) => panic!("{name}: {other}"),
    }
}

/// A folder for the whole run, in memory where the system has such.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let make = || {
        let in_memory = Path::new("/dev/shm");
        let folder = if in_memory.is_dir() { tempfile::tempdir_in(in_memory) } else { tempfile::tempdir() };
        let folder = folder.expect("there is room for a folder");
        let path = folder.path().to_owned();
        (folder, path)
    };
    &FOLDER.get_or_init(make).1
}
