//! Any right file, read, written and read again: every voxel and every field of its place keeps its bits.

#![allow(clippy::unwrap_used)]

#[path = "support/nifti_image.rs"]
mod nifti_image;
#[path = "../fuzz/fuzz_targets/survive.rs"]
mod survive;

use glam::DVec4;
use mindgap::volume::io::nifti::SpatialHeader;
use mindgap::volume::{Scan, Voxels, geometry_equal, io};
use nifti_image::{Image, any_image};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

fn config(seed: u64, cases: u32) -> Config {
    Config { rng_seed: RngSeed::Fixed(seed), failure_persistence: None, cases, ..Config::default() }
}

/// The stored voxels as little-endian bytes, so that NaNs compare by their bits.
fn bytes_of(voxels: &Voxels) -> Vec<u8> {
    macro_rules! bytes {
        ($values:expr) => {
            $values.iter().flat_map(|value| value.to_le_bytes()).collect()
        };
    }
    match voxels {
        Voxels::U8(values) => values.clone(),
        Voxels::I8(values) => bytes!(values),
        Voxels::U16(values) => bytes!(values),
        Voxels::I16(values) => bytes!(values),
        Voxels::U32(values) => bytes!(values),
        Voxels::I32(values) => bytes!(values),
        Voxels::U64(values) => bytes!(values),
        Voxels::I64(values) => bytes!(values),
        Voxels::F32(values) => bytes!(values),
        Voxels::F64(values) => bytes!(values),
    }
}

fn saved(folder: &tempfile::TempDir, name: &str, image: &Image) -> Scan {
    let path = folder.path().join(name);
    let bytes = if name.ends_with(".gz") { gzip(&image.bytes()) } else { image.bytes() };
    std::fs::write(&path, bytes).unwrap();
    io::open(&path).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Whether a header has the very numbers that were put into the file.
fn has_fields_of(header: &SpatialHeader, image: &Image) -> bool {
    let wide = |values: &[f32]| values.iter().map(|value| f64::from(*value)).collect::<Vec<_>>();
    header.srow.as_flattened() == wide(&image.srow)
        && header.quatern.to_vec() == wide(&image.quatern)
        && header.qoffset.to_vec() == wide(&image.qoffset)
        && header.pixdim.to_vec() == wide(&image.pixdim)
        && (header.qform_code, header.sform_code) == (image.qform_code, image.sform_code)
        && header.xyzt_units == i32::from(image.units)
}

proptest! {
    #![proptest_config(config(1, 300))]

    #[test]
    fn a_nifti_file_keeps_every_bit_when_it_is_read_and_saved(
        image in any_image(),
        [compressed, to_compressed] in prop::array::uniform2(any::<bool>()),
    ) {
        let name = |compressed| if compressed { "x.nii.gz" } else { "x.nii" };
        let folder = tempfile::tempdir().unwrap();
        let scan = saved(&folder, name(compressed), &image);
        prop_assert_eq!(scan.geometry().dims(), image.dims);
        prop_assert!(bytes_of(scan.voxels()) == image.voxels);
        prop_assert!(has_fields_of(scan.nifti.as_ref().unwrap(), &image));
        let scaling = if image.slope == 0.0 { (1.0, 0.0) } else { (image.slope, image.intercept) };
        prop_assert_eq!((scan.scaling().slope as f32, scan.scaling().intercept as f32), scaling);
        if image.sform_code > 0 {
            let mm = match image.units & 7 { 1 => 1000.0, 3 => 0.001, _ => 1.0 };
            let rows = [0, 1, 2].map(|row| DVec4::from_array([0, 1, 2, 3].map(|n| f64::from(image.srow[4 * row + n]))) * mm);
            prop_assert_eq!([0, 1, 2].map(|row| scan.geometry().world_from_voxel().row(row)), rows);
        }

        let copy = folder.path().join(format!("copy-{}", name(to_compressed)));
        io::write_scan(&copy, &scan).unwrap();
        let read = io::open(&copy).unwrap();
        prop_assert_eq!(&read.nifti, &scan.nifti);
        prop_assert_eq!(read.geometry(), scan.geometry());
        prop_assert_eq!(read.scaling(), scan.scaling());
        prop_assert_eq!(&read.extensions, &scan.extensions);
        prop_assert!(bytes_of(read.voxels()) == image.voxels);
    }
}

proptest! {
    #![proptest_config(config(4, 300))]

    #[test]
    fn nrrd_and_metaimage_keep_every_voxel_and_its_place(
        image in any_image(),
        name in prop::sample::select(&["x.nrrd", "x.mha"][..]),
    ) {
        // Neither has a scaling: with one, measured values are written instead.
        let image = Image { slope: 1.0, intercept: 0.0, ..image };
        let folder = tempfile::tempdir().unwrap();
        let scan = saved(&folder, "x.nii", &image);
        let copy = folder.path().join(name);
        let written = io::write_scan(&copy, &scan);
        if name == "x.mha" && !scan.geometry().orientation_known() {
            // MetaImage cannot say so, and its readers would guess.
            prop_assert!(written.is_err() && !copy.exists());
            return Ok(());
        }
        written.unwrap();
        let read = io::open(&copy).unwrap();
        prop_assert_eq!(read.voxels().dtype(), scan.voxels().dtype());
        prop_assert!(bytes_of(read.voxels()) == image.voxels);
        let (there, back) = (scan.geometry(), read.geometry());
        prop_assert!(geometry_equal(there, back, 1e-3), "{there:?} {back:?}");
        prop_assert_eq!(back.orientation_known(), there.orientation_known());
    }
}

proptest! {
    #![proptest_config(config(2, 300))]

    /// Faults 5 and 6.
    #[test]
    fn a_file_cut_short_anywhere_never_opens(
        image in any_image(),
        compressed in any::<bool>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let (name, whole) = if compressed { ("x.nii.gz", gzip(&image.bytes())) } else { ("x.nii", image.bytes()) };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, &whole[..cut.index(whole.len())]).unwrap();
        prop_assert!(io::open(&path).is_err());
    }
}

proptest! {
    #![proptest_config(config(3, 500))]

    #[test]
    fn no_header_of_either_version_or_byte_order_makes_the_program_panic(
        image in any_image(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..9),
    ) {
        let mut bytes = image.bytes();
        let header = bytes.len() - image.voxels.len();
        for (at, value) in changes {
            bytes[at.index(header)] = value;
        }
        survive::survive("x.nii", &bytes);
    }
}
