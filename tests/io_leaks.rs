//! Opening thousands of files, good and bad, keeps neither memory nor open files. Fault 74.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

#[path = "support/dicom_file.rs"]
#[allow(dead_code)]
mod dicom_file;
#[path = "support/spoilt_nifti.rs"]
mod spoilt_nifti;

use dicom_file::{Series, Slice};
use mindgap::volume::io;
use rand::{Rng, SeedableRng};

const OPENINGS: usize = 10_000;

fn resident_bytes() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<f64>().unwrap() * 1024.0
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn ten_thousand_openings_keep_neither_memory_nor_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut paths: Vec<_> = spoilt_nifti::files()
        .into_iter()
        .filter(|(_, bytes)| bytes.len() < 100_000)
        .map(|(name, bytes)| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        })
        .collect();
    let scan = io::open(&folder.path().join("ok.nii")).unwrap();
    for name in ["scan.nrrd", "scan.mha"] {
        paths.push(folder.path().join(name));
        io::write_scan(&folder.path().join(name), &scan).unwrap();
    }
    let series = Series::of((1..=4).map(Slice::ct));
    paths.extend([series.path().to_owned(), series.file("999.dcm")]);
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(74);
    let mut open_some = |count: usize| {
        for _ in 0..count {
            let path = &paths[random.random_range(0..paths.len())];
            // Scans and errors alike are dropped at once.
            let _ = io::open(path);
        }
    };
    // Threads, buffers and the allocator's own lists come into being first.
    open_some(OPENINGS / 5);
    let (files, bytes) = (open_files(), resident_bytes());
    open_some(OPENINGS - OPENINGS / 5);
    assert_eq!(open_files(), files);
    let growth = resident_bytes() / bytes - 1.0;
    assert!(growth.abs() < 0.05, "resident memory changed by {:.1} % of {bytes} bytes", growth * 100.0);
}
