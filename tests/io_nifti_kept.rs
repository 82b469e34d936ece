//! What a NIfTI file holds beside plain voxels, and what may be accepted of one that is almost right: extensions, colours,
//! several volumes, damage, and the first slices before the last.

#![allow(clippy::unwrap_used)]

#[path = "support/nifti_file.rs"]
mod nifti_file;

use flate2::{Compression, write::GzEncoder};
use mindgap::volume::io::nifti::{Extension, Version};
use mindgap::volume::io::{self, IoError, OpenOptions};
use mindgap::volume::{DType, Flag, Geometry, Scaling, Scan, Voxels};
use nifti_file::{oblique, open_bytes, patched, plain_file, saved};
use std::io::Write;

const DAMAGED: OpenOptions =
    OpenOptions { volume: None, series: None, prefer_qform: false, accept_damage: true, accept_gaps: false };

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn ramp() -> Voxels {
    Voxels::I16((0..60).collect())
}

/// The plain file with bytes between header and voxels.
fn with_extensions(announced: u8, extensions: &[u8]) -> Vec<u8> {
    let plain = plain_file();
    let offset = (352 + extensions.len()) as f32;
    let mut bytes = [&plain[..348], &[announced, 0, 0, 0], extensions, &plain[352..]].concat();
    bytes[108..112].copy_from_slice(&offset.to_le_bytes());
    bytes
}

fn extension(size: i32, code: i32, content: &[u8]) -> Vec<u8> {
    [&size.to_le_bytes()[..], &code.to_le_bytes(), content].concat()
}

#[test]
fn extensions_come_back_with_their_scan_and_never_with_what_is_derived_from_it() {
    let comment = extension(32, 6, b"taken on a Monday\0\0\0\0\0\0\0");
    let file = saved("x.nii", &with_extensions(1, &[comment, extension(16, 4, b"AFNI....")].concat()));
    let scan = io::open(&file.path).unwrap();
    let expected = [
        Extension { code: 6, bytes: b"taken on a Monday\0\0\0\0\0\0\0".to_vec() },
        Extension { code: 4, bytes: b"AFNI....".to_vec() },
    ];
    assert_eq!((scan.extensions.as_slice(), scan.voxels()), (&expected[..], &ramp()));
    assert_eq!(scan.warnings, Vec::<String>::new());

    for name in ["copy.nii", "copy.nii.gz"] {
        let copy = file.path.with_file_name(name);
        io::write_scan(&copy, &scan).unwrap();
        let read = io::open(&copy).unwrap();
        assert_eq!((&read.extensions, read.voxels()), (&scan.extensions, scan.voxels()));
        io::write_labels(&copy, &scan.to_labels().unwrap(), None, &scan).unwrap();
        assert_eq!(io::open(&copy).unwrap().extensions, []);
        io::write_values(&copy, &scan.to_f32(), &scan).unwrap();
        let bytes = std::fs::read(&copy).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"Monday"));
    }
}

#[test]
fn extensions_of_nifti_2_and_odd_lengths_are_filled_up_to_whole_units() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.nii.gz");
    let geometry = Geometry::axis_aligned([40_000, 1, 1], [0.5; 3], [0.0; 3]).unwrap();
    let mut scan = Scan::new(Voxels::U8(vec![7; 40_000]), Scaling::IDENTITY, geometry, "phantom").unwrap();
    scan.extensions = vec![Extension { code: 6, bytes: b"nineteen characters".to_vec() }];
    io::write_scan(&path, &scan).unwrap();
    let read = io::open(&path).unwrap();
    assert_eq!(read.nifti.as_ref().unwrap().version, Version::Two);
    assert_eq!(read.extensions[0].bytes, b"nineteen characters\0\0\0\0\0");
    assert_eq!((read.voxels(), read.warnings.len()), (scan.voxels(), 0));
}

#[test]
fn an_extension_that_cannot_be_right_costs_a_warning_and_no_voxel() {
    let sound = extension(16, 6, b"comment.");
    for size in [-16, 0, 8, 24, 17, i32::MAX, 64] {
        let bytes = with_extensions(1, &[sound.clone(), extension(size, 6, b"........")].concat());
        let scan = open_bytes("x.nii", &bytes).unwrap();
        assert_eq!((scan.voxels(), scan.extensions.len()), (&ramp(), 1), "{size}");
        let claim = format!("claims {size} bytes");
        assert!(scan.warnings.iter().any(|warning| warning.contains(&claim)), "{:?}", scan.warnings);
    }
    // Nothing is announced, so the bytes mean nothing.
    let scan = open_bytes("x.nii", &with_extensions(0, &sound)).unwrap();
    assert_eq!((scan.extensions.len(), scan.voxels(), scan.warnings.len()), (0, &ramp(), 0));
}

#[test]
fn extensions_of_a_pair_are_in_its_header_file_in_its_byte_order() {
    let mut header = patched(&[(344, b"ni1\0"), (108, &0f32.to_le_bytes())]);
    let voxels = header.split_off(352);
    header[348] = 1;
    header.extend(extension(16, 6, b"comment."));
    let file = saved("a.hdr", &header);
    std::fs::write(file.path.with_file_name("a.img"), voxels).unwrap();
    let scan = io::open(&file.path).unwrap();
    assert_eq!(scan.extensions, [Extension { code: 6, bytes: b"comment.".to_vec() }]);
    assert_eq!((scan.voxels(), scan.warnings.len()), (&ramp(), 0));
}

#[test]
fn colours_are_shown_as_their_luminance_and_flagged() {
    let colours: [[u8; 4]; 4] = [[255, 0, 0, 9], [0, 255, 0, 9], [0, 0, 255, 9], [255, 255, 255, 0]];
    for (code, channels) in [(128i16, 3), (2304, 4)] {
        let mut bytes = patched(&[
            (40, &[3i16, 2, 2, 1].map(i16::to_le_bytes).concat()),
            (70, &[code, channels as i16 * 8].map(i16::to_le_bytes).concat()),
            // Colours are never scaled.
            (112, &2f32.to_le_bytes()),
        ]);
        bytes.truncate(352);
        bytes.extend(colours.iter().flat_map(|colour| &colour[..channels]));
        for (name, bytes) in [("x.nii", bytes.clone()), ("x.nii.gz", gzip(&bytes))] {
            let file = saved(name, &bytes);
            let scan = io::open(&file.path).unwrap();
            assert_eq!(scan.voxels(), &Voxels::U8(vec![54, 182, 18, 255]));
            assert_eq!((scan.scaling(), scan.flags.as_slice()), (Scaling::IDENTITY, &[Flag::Colour][..]));
            assert!(
                scan.warnings[0].contains("luminance") && scan.warnings.len() == 1,
                "{:?}",
                scan.warnings
            );
            let info = io::read_header(&file.path, &OpenOptions::default()).unwrap();
            assert_eq!((info.dtype, info.flags), (DType::U8, vec![Flag::Colour]));
            // Luminance is a whole number, and yet no label.
            let error = io::open_labels(&file.path).unwrap_err();
            assert!(matches!(error, IoError::NotLabels { .. }), "{error}");
        }
    }
}

#[test]
fn dimensions_beyond_the_third_are_volumes_one_after_the_other() {
    let file = saved("x.nii", &patched(&[(40, &[5i16, 5, 2, 1, 2, 3].map(i16::to_le_bytes).concat())]));
    for volume in 0..6 {
        let options = OpenOptions { volume: Some(volume), ..OpenOptions::default() };
        let scan = io::open_with(&file.path, &options).unwrap();
        let first = volume as i16 * 10;
        assert_eq!(scan.voxels(), &Voxels::I16((first..first + 10).collect()));
        assert_eq!((scan.volume, scan.volumes), (volume, 6));
    }
    let scan = io::open(&file.path).unwrap();
    assert_eq!(
        (scan.volume, scan.volumes, scan.warnings.as_slice()),
        (0, 6, &["Volume 1 of 6 is shown.".into()][..])
    );
    // Which of them are the labels is not for a reader to guess.
    let error = io::open_labels(&file.path).unwrap_err().to_string();
    assert!(error.contains("holds 6 label maps") && error.contains("--volume"), "{error}");
}

#[test]
fn a_wrong_checksum_may_be_accepted_and_stays_in_view() {
    let compressed = gzip(&plain_file());
    for from_end in [8, 4] {
        let mut damaged = compressed.clone();
        let at = damaged.len() - from_end;
        damaged[at] ^= 1;
        let file = saved("x.nii.gz", &damaged);
        let error = io::open(&file.path).unwrap_err();
        assert!(error.to_string().contains("open it as it is, marked as damaged"), "{error}");
        let scan = io::open_with(&file.path, &DAMAGED).unwrap();
        assert_eq!((scan.voxels(), scan.flags.as_slice()), (&ramp(), &[Flag::Damaged][..]));
        assert!(scan.warnings.iter().any(|warning| warning.contains("checksum is wrong")));
    }
    let sound = saved("x.nii.gz", &compressed);
    assert_eq!(io::open_with(&sound.path, &DAMAGED).unwrap().flags, []);
}

#[test]
fn damage_that_leaves_voxels_missing_is_refused_whatever_is_accepted() {
    let noise: Vec<u8> = (0..20_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    let plain = [patched(&[(40, &[3i16, 100, 100, 1].map(i16::to_le_bytes).concat())]), noise].concat();
    let compressed = gzip(&plain[..352 + 20_000]);
    for cut in [compressed.len() - 1, compressed.len() / 2] {
        let file = saved("x.nii.gz", &compressed[..cut]);
        let error = io::open_with(&file.path, &DAMAGED).unwrap_err();
        assert!(matches!(error, IoError::Truncated { .. }), "{error}");
    }
    // Whatever a flipped byte does: the voxels are all there and flagged, or the file is refused.
    let mut refused = 0;
    for at in (20..compressed.len() - 8).step_by(97) {
        let mut damaged = compressed.clone();
        damaged[at] ^= 0xff;
        match io::open_with(&saved("x.nii.gz", &damaged).path, &DAMAGED) {
            Ok(scan) => {
                assert_eq!((scan.voxels().len(), scan.flags.as_slice()), (10_000, &[Flag::Damaged][..]))
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 0);
}

#[test]
fn a_file_that_repeats_itself_is_not_taken_for_its_first_half() {
    let compressed = gzip(&plain_file());
    let scan = open_bytes("x.nii.gz", &[compressed.clone(), compressed].concat()).unwrap();
    assert_eq!(scan.voxels(), &ramp());
    assert!(scan.warnings[0].contains("472 bytes follow the last voxel"), "{:?}", scan.warnings);
}

#[test]
fn the_first_slices_of_a_large_volume_come_before_the_rest_and_in_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let affine = oblique().world_from_voxel();
    let grid = Geometry::new([512, 512, 80], affine).unwrap();
    let voxels: Vec<i16> = (0..grid.len()).map(|n| (n / 512 % 3000) as i16).collect();
    let scan = Scan::new(Voxels::I16(voxels.clone()), Scaling::IDENTITY, grid, "phantom").unwrap();
    for name in ["x.nii.gz", "x.nii"] {
        let path = folder.path().join(name);
        io::write_scan(&path, &scan).unwrap();
        let mut firsts = Vec::new();
        let whole =
            io::open_progressive(&path, &OpenOptions::default(), &mut |first| firsts.push(first)).unwrap();
        assert!(whole.voxels() == scan.voxels() && whole.warnings.is_empty());
        let [first] = firsts.as_slice() else { panic!("{} calls", firsts.len()) };
        let [ni, nj, nk] = first.geometry().dims();
        assert_eq!([ni, nj], [512, 512]);
        assert!((1..80).contains(&nk) && first.voxels() == &Voxels::I16(voxels[..ni * nj * nk].to_vec()));
        assert_eq!(first.geometry().world_from_voxel(), whole.geometry().world_from_voxel());
        assert!(first.warnings[0].contains(&format!("first {nk} of 80 slices")), "{:?}", first.warnings);
    }
    let small = saved("x.nii.gz", &gzip(&plain_file()));
    io::open_progressive(&small.path, &OpenOptions::default(), &mut |_| panic!("small")).unwrap();
}

#[test]
fn other_formats_are_refused_by_their_names() {
    let mgh = [1i32, 4, 4, 4, 1, 3].map(i32::to_be_bytes).concat();
    let mut analyze = plain_file();
    analyze[344..348].fill(0);
    let padded = |start: &[u8]| [start, &[0; 600]].concat();
    for (bytes, name) in [
        (padded(&mgh), "FreeSurfer MGH"),
        (gzip(&padded(&mgh)), "FreeSurfer MGH"),
        (analyze, "ANALYZE 7.5"),
        (padded(b"\x89HDF\r\n\x1a\n"), "HDF5"),
        (padded(b"\x89PNG\r\n\x1a\n"), "PNG"),
        (padded(b"PK\x03\x04"), "zip"),
    ] {
        let error = open_bytes("x.nii.gz", &bytes).unwrap_err().to_string();
        assert!(error.contains("not a NIfTI file") && error.contains(name), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn the_halves_of_a_pair_find_each_other_whatever_bytes_their_name_has() {
    use std::os::unix::ffi::OsStrExt;
    let plain = patched(&[(344, b"ni1\0"), (108, &0f32.to_le_bytes())]);
    let folder = tempfile::tempdir().unwrap();
    let named = |name: &[u8]| folder.path().join(std::ffi::OsStr::from_bytes(name));
    for (header, image) in
        [(&b"a\xff \xf0.1.hdr"[..], &b"a\xff \xf0.1.img"[..]), (b"\xfe.hdr.gz", b"\xfe.img.gz")]
    {
        let (header, image) = (named(header), named(image));
        std::fs::write(&header, &plain[..348]).unwrap();
        std::fs::write(&image, &plain[352..]).unwrap();
        for half in [header, image] {
            assert_eq!(io::open(&half).unwrap().voxels(), &ramp(), "{}", half.display());
        }
    }
}

/// Fault 12, for pairs: a half that was chosen must not be exchanged for its compressed or plain sibling.
#[test]
fn of_two_pairs_that_share_a_name_the_chosen_halves_are_read() {
    let pair = patched(&[(344, b"ni1\0"), (108, &0f32.to_le_bytes())]);
    let folder = tempfile::tempdir().unwrap();
    let other: Vec<u8> = (60..120i16).flat_map(i16::to_le_bytes).collect();
    let files = [
        ("x.hdr", pair[..348].to_vec()),
        ("x.img", pair[352..].to_vec()),
        ("x.hdr.gz", gzip(&pair[..348])),
        ("x.img.gz", gzip(&other)),
    ];
    for (name, bytes) in &files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    for (name, first) in [("x.hdr", 0), ("x.img", 0), ("x.hdr.gz", 60), ("x.img.gz", 60)] {
        let scan = io::open(&folder.path().join(name)).unwrap();
        assert_eq!(scan.voxels(), &Voxels::I16((first..first + 60).collect()), "{name}");
    }
}
