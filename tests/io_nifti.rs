//! Reading back what was written, in every type and both versions, and header fields that others get wrong.

#![allow(clippy::unwrap_used)]

#[path = "support/nifti_file.rs"]
mod nifti_file;

use glam::{DMat4, DVec3};
use mindgap::volume::io::{self, IoError};
use mindgap::volume::{DType, Geometry, Scaling, Scan, Volume, Voxels, corner_distance_mm};
use nifti_file::{DIMS, oblique, open_bytes, patched, plain_file, saved};
use std::path::Path;

fn every_type() -> Vec<Voxels> {
    macro_rules! numbers {
        ($variant:ident, $type:ty) => {
            Voxels::$variant(
                (0..60u8).map(|n| n as $type).chain([<$type>::MAX, <$type>::MIN]).skip(2).collect(),
            )
        };
    }
    vec![
        numbers!(U8, u8),
        numbers!(I8, i8),
        numbers!(U16, u16),
        numbers!(I16, i16),
        numbers!(U32, u32),
        numbers!(I32, i32),
        numbers!(U64, u64),
        numbers!(I64, i64),
        numbers!(F32, f32),
        numbers!(F64, f64),
    ]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn values(scan: &Scan) -> Vec<f32> {
    scan.to_f32().into_voxels()
}

fn ramp() -> Vec<f32> {
    (0..60u8).map(f32::from).collect()
}

#[test]
fn every_stored_type_comes_back_with_its_scaling_and_place() {
    let folder = tempfile::tempdir().unwrap();
    for voxels in every_type() {
        for name in ["x.nii", "x.nii.gz"] {
            let path = folder.path().join(name);
            let scaling = Scaling { slope: 0.5, intercept: -1024.0 };
            let scan = Scan::new(voxels.clone(), scaling, oblique(), "phantom").unwrap();
            io::write_scan(&path, &scan).unwrap();
            let read = io::open(&path).unwrap();
            assert_eq!(read.voxels(), &voxels);
            assert_eq!(read.scaling(), scaling);
            assert!(mindgap::volume::geometry_equal(read.geometry(), &oblique(), 1e-3));
            assert_eq!(read.warnings, Vec::<String>::new());
            assert_eq!(read.format, "NIfTI-1");
        }
    }
}

#[test]
fn a_dimension_too_long_for_nifti_1_is_written_as_nifti_2() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.nii.gz");
    let geometry = Geometry::axis_aligned([40_000, 1, 2], [0.5; 3], [1.0 / 3.0; 3]).unwrap();
    let scan =
        Scan::new(Voxels::U8(vec![7; 80_000]), Scaling::IDENTITY, geometry.clone(), "phantom").unwrap();
    io::write_scan(&path, &scan).unwrap();
    let read = io::open(&path).unwrap();
    assert_eq!((read.format.as_str(), read.geometry()), ("NIfTI-2", &geometry));
    // What belongs to a NIfTI-2 scan is NIfTI-2 as well, with its float64 affine.
    io::write_labels(&path, &read.to_labels().unwrap(), None, &read).unwrap();
    assert_eq!(io::open(&path).unwrap().nifti, read.nifti);
}

#[test]
fn a_grid_kilometres_away_is_saved_where_it_is_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    for far_mm in [1.2e3, 1e5, 3e9, 7e15] {
        let affine = DMat4::from_translation(DVec3::new(-far_mm, 0.3 * far_mm, far_mm / 3.0))
            * oblique().world_from_voxel();
        let grid = Geometry::new(DIMS, affine).unwrap();
        let scan = Scan::new(Voxels::U8(vec![7; 60]), Scaling::IDENTITY, grid, "phantom").unwrap();
        // float64 holds sixteen decimals.
        let rounding_mm = (1e-15 * far_mm).max(1e-3);
        for name in ["x.nii.gz", "x.nrrd", "x.mha"] {
            let path = folder.path().join(name);
            io::write_scan(&path, &scan).unwrap();
            let read = io::open(&path).unwrap();
            let distance_mm = corner_distance_mm(read.geometry(), scan.geometry());
            assert!(distance_mm <= rounding_mm, "{name}: {distance_mm} mm of {far_mm}");
            // float32 would do no more; not every program reads NIfTI-2, so it is no version to be had without need.
            assert!(name != "x.nii.gz" || (read.format == "NIfTI-2") == (far_mm > 1e4), "{far_mm}");
        }
    }
}

#[test]
fn labels_above_255_are_not_wrapped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.nii.gz");
    let reference = Scan::from_volume(Volume::from_fn(oblique(), |_, _, _| 0.0), "phantom");
    for (largest, dtype) in [(255, DType::U8), (256, DType::U16)] {
        let labels = Volume::from_fn(oblique(), |i, _, _| if i == 0 { largest } else { 0 });
        io::write_labels(&path, &labels, None, &reference).unwrap();
        assert_eq!(io::open(&path).unwrap().voxels().dtype(), dtype);
        assert_eq!(io::open_labels(&path).unwrap().voxels(), labels.voxels());
    }
}

#[test]
fn labels_on_another_grid_than_their_scan_are_not_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.nii.gz");
    let reference = Scan::from_volume(Volume::from_fn(oblique(), |_, _, _| 0.0), "phantom");
    let moved = oblique().window([1, 0, 0], DIMS).unwrap();
    let error = io::write_labels(&path, &Volume::from_fn(moved, |_, _, _| 1), None, &reference).unwrap_err();
    assert!(matches!(error, IoError::GridDiffers { .. }), "{error}");
    assert!(!path.exists());
}

#[test]
fn values_that_are_no_labels_are_listed() {
    let geometry = Geometry::axis_aligned([4, 1, 1], [1.0; 3], [0.0; 3]).unwrap();
    let scan =
        |values: Vec<f32>| Scan::from_volume(Volume::new(values, geometry.clone()).unwrap(), "phantom");
    assert_eq!(scan(vec![0.0, 3.0, 65535.0, 1.0]).to_labels().unwrap().voxels(), [0, 3, 65535, 1]);
    let error = scan(vec![0.5, -1.0, 0.5, f32::NAN]).to_labels().unwrap_err();
    assert_eq!(error.to_string(), "labels: expected whole numbers from 0 to 65535, got 0.5, -1, NaN");
}

#[test]
fn gzip_is_recognised_by_its_bytes_whatever_the_name() {
    let plain = plain_file();
    let (head, tail) = plain.split_at(400);
    let members = [gzip(head), gzip(tail)].concat();
    for (name, bytes) in [("x.nii", gzip(&plain)), ("x.nii.gz", plain.clone()), ("members.nii.gz", members)] {
        assert_eq!(values(&open_bytes(name, &bytes).unwrap()), ramp(), "{name}");
    }
}

#[test]
fn bytes_after_the_compressed_data_are_mentioned_and_ignored() {
    let scan = open_bytes("x.nii.gz", &[gzip(&plain_file()), b"JUNKJUNK".to_vec()].concat()).unwrap();
    assert_eq!(values(&scan), ramp());
    assert!(scan.warnings[0].contains("follow the compressed data"), "{:?}", scan.warnings);
}

#[test]
fn a_truncated_file_names_bytes_expected_and_found() {
    let plain = plain_file();
    assert_eq!(plain.len(), 352 + 120);
    let error = open_bytes("x.nii", &plain[..400]).unwrap_err().to_string();
    assert!(error.contains("expected 472 bytes, found 400"), "{error}");
    let error = open_bytes("x.nii.gz", &gzip(&plain[..400])).unwrap_err().to_string();
    assert!(error.contains("expected 472 bytes, found 400"), "{error}");
    let compressed = gzip(&plain);
    for cut in [compressed.len() - 1, compressed.len() - 8, compressed.len() / 2] {
        let error = open_bytes("x.nii.gz", &compressed[..cut]).unwrap_err();
        assert!(matches!(error, IoError::Truncated { .. }), "cut at {cut}: {error}");
    }
}

#[test]
fn a_flipped_bit_anywhere_in_the_compressed_voxels_is_noticed() {
    let compressed = gzip(&plain_file());
    for at in 10..compressed.len() {
        let mut damaged = compressed.clone();
        damaged[at] ^= 0x10;
        // The last byte of a deflate stream may have bits that mean nothing.
        let harmless = at == compressed.len() - 9;
        let opened = open_bytes("x.nii.gz", &damaged);
        assert!(opened.is_err() || harmless && values(&opened.unwrap()) == ramp(), "byte {at}");
    }
}

#[test]
fn a_stream_that_never_ends_is_cut_off() {
    let bomb = [plain_file(), vec![0; 3_000_000]].concat();
    let error = open_bytes("x.nii.gz", &gzip(&bomb)).unwrap_err();
    assert!(matches!(error, IoError::Overlong { .. }), "{error}");
}

#[test]
fn claims_that_cannot_be_true_are_refused_before_memory_is_taken() {
    let dims = |dims: [i16; 8]| dims.map(i16::to_le_bytes).concat();
    let huge = patched(&[(40, &dims([3, 30_000, 30_000, 3, 1, 1, 1, 1]))]);
    // 5.4 GB are refused by the ratio, or by the free memory of a small machine.
    let error = open_bytes("x.nii.gz", &gzip(&huge)).unwrap_err();
    assert!(matches!(error, IoError::Impossible { .. } | IoError::TooLarge { .. }), "{error}");
    assert!(
        open_bytes("x.nii", &huge).unwrap_err().to_string().contains("472 bytes")
            || cfg!(target_os = "linux")
    );
    let petabytes = patched(&[(40, &dims([3, 32767, 32767, 32767, 1, 1, 1, 1]))]);
    let error = open_bytes("x.nii", &petabytes).unwrap_err().to_string();
    assert!(error.contains("70.4 TB") || error.contains("truncated"), "{error}");
    let overflow = patched(&[(40, &dims([7; 8].map(|_: i32| 32767))), (40, &7i16.to_le_bytes())]);
    let error = open_bytes("x.nii", &overflow).unwrap_err().to_string();
    assert!(error.contains("32767 x 32767 x 32767 x 32767"), "{error}");
    for (at, value) in [(0, 0i16), (0, 9), (1, -8), (2, 0)] {
        let bad = patched(&[(40 + 2 * at, &value.to_le_bytes())]);
        let error = open_bytes("x.nii", &bad).unwrap_err().to_string();
        assert!(error.contains(&format!("dim[{at}]")) && error.contains(&value.to_string()), "{error}");
    }
}

#[test]
fn what_is_not_nifti_is_named_for_what_it_is() {
    let mut dicom = vec![0; 400];
    dicom[128..132].copy_from_slice(b"DICM");
    let cases: [(&[u8], &str); 6] = [
        (b"", "only 0 bytes"),
        (&plain_file()[..200], "only 200 bytes"),
        (&[b'x'; 600], "not a NIfTI file"),
        (&patched(&[(344, b"abcd")]), "abcd"),
        (&patched(&[(0, &540i32.to_le_bytes())]), "magic"),
        (&dicom, "DICOM"),
    ];
    for (bytes, expected) in cases {
        let error = open_bytes("some scan.nii", bytes).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("some scan.nii"), "{error}");
    }
    for (code, name) in [(1i16, "binary"), (32, "complex64"), (1792, "complex128"), (1536, "float128")] {
        let error = open_bytes("x.nii", &patched(&[(70, &code.to_le_bytes())])).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("not supported"), "{error}");
    }
}

#[test]
fn folders_and_pipes_do_not_hang_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let named = folder.path().join("scan.nii");
    std::fs::create_dir(&named).unwrap();
    let error = io::open(&named).unwrap_err().to_string();
    assert!(error.contains("scan.nii"), "{error}");
    #[cfg(unix)]
    {
        let error = io::open(Path::new("/dev/zero")).unwrap_err().to_string();
        assert!(error.contains("not a regular file"), "{error}");
        let pipe = folder.path().join("pipe.nii");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(matches!(io::open(&pipe), Err(IoError::NotRegular { .. })));
        let link = folder.path().join("loop.nii");
        std::os::unix::fs::symlink(&link, &link).unwrap();
        assert!(matches!(io::open(&link), Err(IoError::System { .. })));
    }
}

#[test]
fn voxels_start_where_vox_offset_says() {
    let plain = plain_file();
    let padded = [&plain[..352], &[0xAA; 160], &plain[352..]].concat();
    let at = |offset: f32, bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes[108..112].copy_from_slice(&offset.to_le_bytes());
        open_bytes("x.nii", &bytes)
    };
    assert_eq!(values(&at(512.0, &padded).unwrap()), ramp());
    for offset in [f32::NAN, -5.0, 100.0] {
        let scan = at(offset, &plain).unwrap();
        assert_eq!(values(&scan), ramp());
        assert!(scan.warnings[0].contains("vox_offset"), "{:?}", scan.warnings);
    }
    assert!(
        at(3e30, &plain).unwrap_err().to_string().contains("vox_offset: expected a place inside the file")
    );
    assert!(matches!(at(600.0, &plain), Err(IoError::Truncated { .. })));
}

#[test]
fn broken_scaling_never_turns_voxels_into_nan() {
    for (slope, warned) in [(0.0f32, false), (f32::NAN, true), (f32::INFINITY, true)] {
        let scan = open_bytes("x.nii", &patched(&[(112, &slope.to_le_bytes())])).unwrap();
        assert_eq!(values(&scan), ramp());
        assert_eq!(scan.warnings.iter().any(|w| w.contains("scl_slope")), warned, "{slope}");
    }
    let scan = open_bytes("x.nii", &patched(&[(72, &8i16.to_le_bytes())])).unwrap();
    assert!(values(&scan) == ramp() && scan.warnings[0].contains("bitpix"));
}

#[test]
fn the_chosen_volume_of_a_series_is_read() {
    let plain = patched(&[(40, &[4i16, 5, 4, 1, 3].map(i16::to_le_bytes).concat())]);
    for (name, bytes) in [("x.nii", plain.clone()), ("x.nii.gz", gzip(&plain))] {
        let file = saved(name, &bytes);
        let open_volume = |volume| {
            let options = io::OpenOptions { volume: Some(volume), ..Default::default() };
            io::open_with(&file.path, &options)
        };
        for volume in 0..3 {
            let scan = open_volume(volume).unwrap();
            assert_eq!(values(&scan), ramp()[volume * 20..(volume + 1) * 20]);
            assert_eq!(scan.warnings, [format!("Volume {} of 3 is shown.", volume + 1)]);
        }
        let error = open_volume(3).unwrap_err().to_string();
        assert!(error.contains("volume 4 was asked for, but it has 3"), "{error}");
    }
}

#[test]
fn only_the_file_that_was_named_is_opened() {
    let file = saved("x.nii.gz", &gzip(&plain_file()));
    std::fs::write(file.path.with_file_name("x.nii"), b"something else").unwrap();
    assert_eq!(values(&io::open(&file.path).unwrap()), ramp());
    assert!(io::open(&file.path.with_file_name("x.nii")).is_err());
}

#[test]
fn a_pair_is_opened_by_either_half_and_the_missing_one_is_named() {
    let plain = patched(&[(344, b"ni1\0"), (108, &0f32.to_le_bytes())]);
    let header = saved("a.1.hdr", &plain[..348]);
    let image = header.path.with_file_name("a.1.img");
    let error = io::open(&header.path).unwrap_err().to_string();
    assert!(error.contains("a.1.img not found"), "{error}");
    std::fs::write(&image, &plain[352..]).unwrap();
    for half in [&header.path, &image] {
        assert_eq!(values(&io::open(half).unwrap()), ramp());
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config {
        rng_seed: proptest::test_runner::RngSeed::Fixed(20),
        failure_persistence: None,
        cases: 500,
        ..proptest::test_runner::Config::default()
    })]
    #[test]
    fn no_header_however_broken_makes_the_program_panic(
        changes in proptest::collection::vec((0usize..352, proptest::num::u8::ANY), 1..12),
        compressed in proptest::bool::ANY,
    ) {
        let mut bytes = plain_file();
        for (at, value) in changes {
            bytes[at] = value;
        }
        let bytes = if compressed { gzip(&bytes) } else { bytes };
        if let Ok(scan) = open_bytes("x.nii", &bytes) {
            proptest::prop_assert_eq!(scan.voxels().len(), scan.geometry().len());
            proptest::prop_assert!(scan.geometry().world_from_voxel().is_finite());
        }
    }
}
