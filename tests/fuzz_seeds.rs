//! The seeds of the fuzz targets, and what they found, on any toolchain.

#![allow(clippy::unwrap_used)]

#[path = "../fuzz/fuzz_targets/survive.rs"]
mod survive;

use std::path::Path;

/// Folder of the target's seeds, and the name its file has.
const TARGETS: [(&str, &str); 5] = [
    ("nifti", "x.nii"),
    ("gzip", "x.nii.gz"),
    ("nrrd", "x.nrrd"),
    ("metaimage", "x.mha"),
    ("dicom", "x.dcm"),
];

#[test]
fn no_file_that_fuzzing_found_crashes_the_program_again() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    for (target, name) in TARGETS {
        let mut count = 0;
        for seed in std::fs::read_dir(seeds.join(target)).unwrap() {
            survive::survive(name, &std::fs::read(seed.unwrap().path()).unwrap());
            count += 1;
        }
        assert!(count > 0, "{target} has no seeds");
    }
}
