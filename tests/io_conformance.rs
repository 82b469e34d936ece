//! Files that other programs wrote, well and badly: each opens as it should, or is refused for the right reason, in this
//! process and in one of its own under limits of memory and time.

#![allow(clippy::unwrap_used)]

#[path = "support/child.rs"]
mod child;
#[path = "support/real_scans.rs"]
mod real_scans;

use mindgap::volume::{Scan, Task, Volume, geometry_equal, io, reorient};
use real_scans::real_scans;
use std::collections::BTreeSet;
use std::path::Path;

/// File, format, dims, stored type, axis codes, intensity range.
type Readable = (&'static str, &'static str, [usize; 3], &'static str, &'static str, [f64; 2]);

/// File, format, dims, stored type, axes ("?" for unknown), smallest and largest value as nibabel reads them.
#[rustfmt::skip]
const READABLE: &[Readable] = &[
    ("io_conformance/nibabel/anatomical.nii", "NIfTI-1", [33, 41, 25], "int16", "LAS", [-610.0, 30393.0]),
    ("io_conformance/nibabel/example4d.nii.gz", "NIfTI-1", [128, 96, 24], "int16", "LAS", [0.0, 1162.0]),
    ("io_conformance/nibabel/example_nifti2.nii.gz", "NIfTI-2", [32, 20, 12], "int16", "LAS", [49.0, 742.0]),
    ("io_conformance/nibabel/functional.nii", "NIfTI-1", [17, 21, 3], "int16", "LAS", [762.5424365997314, 5538.065757632256]),
    ("io_conformance/nibabel/reoriented_anat_moved.nii", "NIfTI-1", [21, 26, 22], "float32", "RAS", [0.0, 21199.935546875]),
    ("io_conformance/nibabel/resampled_anat_moved.nii", "NIfTI-1", [17, 21, 3], "float32", "LAS", [409.3004455566406, 13360.9619140625]),
    ("io_conformance/nibabel/standard.nii.gz", "NIfTI-1", [4, 5, 7], "uint8", "RAS", [0.0, 255.0]),
    ("io_conformance/niftirs/f32.nii.gz", "NIfTI-1", [11, 11, 11], "float32", "RAS", [0.0, 1.0]),
    ("io_conformance/niftirs/minimal.hdr", "NIfTI-1", [64, 64, 10], "uint8", "?", [0.0, 63.0]),
    ("io_conformance/niftirs/minimal.img", "NIfTI-1", [64, 64, 10], "uint8", "?", [0.0, 63.0]),
    ("io_conformance/niftirs/minimal.nii", "NIfTI-1", [64, 64, 10], "uint8", "?", [0.0, 63.0]),
    ("io_conformance/niftirs/minimal2.img.gz", "NIfTI-1", [64, 64, 10], "uint8", "?", [0.0, 63.0]),
    ("io_conformance/niftirs/minimal.hdr.gz", "NIfTI-1", [64, 64, 10], "uint8", "?", [0.0, 63.0]),
    ("io_conformance/niftirs/minimal.img.gz", "NIfTI-1", [64, 64, 10], "uint8", "?", [0.0, 63.0]),
    ("io_conformance/niftirs/minimal2.hdr", "NIfTI-1", [64, 64, 10], "uint8", "?", [0.0, 63.0]),
    ("io_conformance/niftirs/minimal.nii.gz", "NIfTI-1", [64, 64, 10], "uint8", "?", [0.0, 63.0]),
    ("io_conformance/niftirs/minimal_extended_hdr.nii", "NIfTI-1", [8, 8, 1], "float64", "RAS", [0.0, 0.0]),
    ("io_conformance/niftirs/27/uint8.nii", "NIfTI-1", [3, 3, 3], "uint8", "RAS", [0.0, 26.0]),
    ("io_conformance/niftirs/27/int8.nii", "NIfTI-1", [3, 3, 3], "int8", "RAS", [0.0, 26.0]),
    ("io_conformance/niftirs/27/uint16.nii", "NIfTI-1", [3, 3, 3], "uint16", "RAS", [0.0, 26.0]),
    ("io_conformance/niftirs/27/int16.nii", "NIfTI-1", [3, 3, 3], "int16", "RAS", [0.0, 26.0]),
    ("io_conformance/niftirs/27/uint32.nii", "NIfTI-1", [3, 3, 3], "uint32", "RAS", [0.0, 26.0]),
    ("io_conformance/niftirs/27/int32.nii", "NIfTI-1", [3, 3, 3], "int32", "RAS", [0.0, 26.0]),
    ("io_conformance/niftirs/27/uint64.nii", "NIfTI-1", [3, 3, 3], "uint64", "RAS", [0.0, 26.0]),
    ("io_conformance/niftirs/27/int64.nii", "NIfTI-1", [3, 3, 3], "int64", "RAS", [0.0, 26.0]),
    ("io_conformance/niftirs/27/float32.nii", "NIfTI-1", [3, 3, 3], "float32", "RAS", [0.0, 26.0]),
    ("io_conformance/niftirs/27/float64.nii", "NIfTI-1", [3, 3, 3], "float64", "RAS", [0.0, 26.0]),
    ("io_conformance/niftirs/rgb/3D.nii", "NIfTI-1", [3, 3, 3], "uint8", "RAS", [0.0, 51.0]),
    ("io_conformance/niftirs/rgb/4D.nii", "NIfTI-1", [3, 3, 3], "uint8", "RAS", [0.0, 51.0]),
    ("io_conformance/niftirs/rgba/4D.nii", "NIfTI-1", [3, 3, 3], "uint8", "RAS", [0.0, 51.0]),
    ("io_conformance/niivue/low_res.nii.gz", "NIfTI-1", [7, 5, 3], "uint8", "RAS", [0.0, 1.0]),
    ("io_conformance/niivue/ras.img", "NIfTI-1", [62, 41, 34], "uint8", "RAS", [0.0, 255.0]),
    ("io_conformance/niivue/ras.hdr", "NIfTI-1", [62, 41, 34], "uint8", "RAS", [0.0, 255.0]),
    ("io_conformance/niivue/mha.mha", "MetaImage", [64, 64, 37], "int16", "LAS", [0.0, 6690.0]),
    ("io_conformance/matnrrd/test2d_ascii.nrrd", "NRRD", [3, 9, 1], "uint16", "?", [1.0, 27.0]),
    ("io_conformance/matnrrd/test2d_gzip.nrrd", "NRRD", [3, 9, 1], "uint16", "?", [1.0, 27.0]),
    ("io_conformance/matnrrd/test2d_raw.nrrd", "NRRD", [3, 9, 1], "uint16", "?", [1.0, 27.0]),
    ("io_conformance/matnrrd/test3d_ascii.nrrd", "NRRD", [3, 3, 3], "uint32", "LPS", [1.0, 27.0]),
    ("io_conformance/matnrrd/test3d_bigendian_raw.nrrd", "NRRD", [3, 3, 3], "uint32", "LPS", [1.0, 27.0]),
    ("io_conformance/matnrrd/test3d_gzip.nrrd", "NRRD", [3, 3, 3], "uint32", "LPS", [1.0, 27.0]),
    ("io_conformance/matnrrd/test3d_raw.nrrd", "NRRD", [3, 3, 3], "uint32", "LPS", [1.0, 27.0]),
    ("totalseg_ct_abdomen/ct.nii.gz", "NIfTI-1", [122, 101, 112], "int32", "RAS", [-1207.0, 3382.0]),
    ("totalseg_ct_abdomen/ct_sm.nii.gz", "NIfTI-1", [122, 101, 30], "int16", "RAS", [-1100.0, 1207.0]),
    ("totalseg_ct_abdomen/seg_v1_104classes.nii.gz", "NIfTI-1", [122, 101, 112], "float64", "RAS", [0.0, 104.0]),
    ("totalseg_mr_abdomen/mr.nii.gz", "NIfTI-1", [117, 91, 20], "int16", "LPS", [-47.0, 833.0]),
    ("totalseg_mr_abdomen/seg_mr.nii.gz", "NIfTI-1", [117, 91, 20], "uint8", "LPS", [0.0, 49.0]),
    ("sunnybrook/SCD0000101_sax_ED.nii.gz", "NIfTI-1", [256, 256, 12], "int16", "IRP", [0.0, 1165.0]),
    ("sunnybrook/SCD0000101_sax_cine4d.nii.gz", "NIfTI-1", [256, 256, 12], "int16", "IRP", [0.0, 1168.0]),
    ("sunnybrook/SCD0000201_sax_ES.nii.gz", "NIfTI-1", [256, 256, 13], "int16", "LIP", [0.0, 1583.0]),
    ("sunnybrook/SCD0000201_sax_ED_label.nii.gz", "NIfTI-1", [256, 256, 13], "uint8", "LIP", [0.0, 2.0]),
    ("lidc0314_ct_thorax/dicom_16slices/000100.dcm", "DICOM", [512, 512, 1], "uint16", "LPS", [-1000.0, 1502.0]),
    ("lidc0314_ct_thorax/ct_2mm.nii.gz", "NIfTI-1", [200, 200, 138], "int16", "LPS", [-1002.0, 1746.0]),
    ("lidc0314_ct_thorax/ct_heart_crop_native.nii.gz", "NIfTI-1", [250, 240, 120], "int16", "LPS", [-1000.0, 1755.0]),
];

/// File, and words of the reason.
#[rustfmt::skip]
const REFUSED: &[(&str, &str)] = &[
    ("io_conformance/nibabel/analyze.hdr", "ANALYZE 7.5"),
    ("io_conformance/nibabel/nifti1.hdr", "nifti1.img not found"),
    ("io_conformance/nibabel/nifti2.hdr", "nifti2.img not found"),
    ("io_conformance/nibabel/row_major.dconn.nii", "CIFTI"),
    ("io_conformance/nibabel/test.mgz", "FreeSurfer MGH"),
    ("io_conformance/niftirs/complex/complex32.nii", "complex64"),
    ("io_conformance/niftirs/complex/complex64.nii", "complex128"),
    ("io_conformance/niftirs/fuzz_artifacts/crash-1.nii", "sizeof_hdr"),
    ("io_conformance/niftirs/fuzz_artifacts/crash-ed7d46344d7efb3b9f0c374d66d2e02f66cc447d.nii", "sizeof_hdr"),
    ("io_conformance/matnrrd/test1d_ascii.nrrd", "two or three axes in space"),
    ("io_conformance/matnrrd/test1d_gzip.nrrd", "two or three axes in space"),
    ("io_conformance/matnrrd/test1d_raw.nrrd", "two or three axes in space"),
    ("io_conformance/matnrrd/test_customFields.nrrd", "two or three axes in space"),
    ("io_conformance/matnrrd/test3d_bigendian_raw_noendianfield.nrrd", "endian: expected little or big"),
    ("lidc0314_ct_thorax/dicom_16slices", "213 slices are missing"),
    ("SHA256SUMS", "not a NIfTI file"),
];

/// One image in 48 axis orders, named for them: its test is about their places.
const ORIENTATIONS: &str = "io_conformance/niivue/orient48";

#[test]
fn files_of_other_programs_are_read_as_those_read_them() {
    let Some(data) = real_scans() else { return };
    for (file, format, dims, dtype, axes, [low, high]) in READABLE {
        let scan = io::open(&data.join(file)).unwrap_or_else(|error| panic!("{error}"));
        let axcodes = scan.geometry().axcodes().unwrap_or_else(|| "?".to_owned());
        let found =
            (scan.format.as_str(), scan.geometry().dims(), scan.voxels().dtype().name(), axcodes.as_str());
        assert_eq!(found, (*format, *dims, *dtype, *axes), "{file}");
        let [found_low, found_high] = scan.intensity_range().unwrap();
        assert!((found_low - low).abs() + (found_high - high).abs() < 1e-9 * high.max(1.0), "{file}");
    }
}

#[test]
fn what_is_no_scan_is_refused_for_the_right_reason() {
    let Some(data) = real_scans() else { return };
    let complaints = REFUSED.iter().filter_map(|(file, reason)| match io::open(&data.join(file)) {
        Ok(_) => Some(format!("{file} opens")),
        Err(error) => {
            let error = error.to_string();
            (!error.contains(reason) || !error.contains(file)).then_some(error)
        }
    });
    assert_eq!(complaints.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn every_file_of_the_collection_has_its_row() {
    let Some(data) = real_scans() else { return };
    let mut folders = vec![data.join("io_conformance")];
    let mut files = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(&data).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let rows = READABLE.iter().map(|row| row.0).chain(REFUSED.iter().map(|row| row.0));
    let rows = rows.collect::<BTreeSet<_>>();
    files.retain(|file| !rows.contains(file.as_str()) && !file.starts_with(ORIENTATIONS));
    assert_eq!(files, BTreeSet::new());
}

#[test]
fn no_file_of_another_program_crashes_hangs_or_bloats_this_one() {
    let Some(data) = real_scans() else { return };
    let readable = READABLE.iter().map(|row| (row.0, true));
    for (file, opens) in readable.chain(REFUSED.iter().map(|row| (row.0, false))) {
        let path = data.join(file);
        // Of a folder the series are listed, which can be done even where none can be opened.
        if path.is_dir() {
            continue;
        }
        let arguments = ["info".as_ref(), "--json".as_ref(), path.as_os_str()];
        assert_eq!(child::assert_clean(&child::mindgap(arguments), file), opens, "{file}");
    }
}

#[test]
fn one_image_in_all_48_axis_orders_is_one_image() {
    let Some(data) = real_scans() else { return };
    let folder = data.join(ORIENTATIONS);
    let in_ras = |name: &str| {
        let scan = io::open(&folder.join(name)).unwrap();
        let codes = scan.geometry().axcodes().unwrap();
        assert_eq!(format!("{codes}.nii.gz"), name);
        reorient(&scan.to_f32(), scan.geometry().reorientation())
    };
    let expected = in_ras("RAS.nii.gz");
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let turned = in_ras(&name);
        assert_eq!(turned.voxels(), expected.voxels(), "{name}");
        // All eight corners lie at the same place in the patient.
        assert!(geometry_equal(turned.geometry(), expected.geometry(), 1e-3), "{name}");
        count += 1;
    }
    assert_eq!(count, 48);
}

#[test]
fn labels_lie_on_the_grid_of_an_lps_and_of_an_oblique_scan_bit_for_bit() {
    let Some(data) = real_scans() else { return };
    let folder = tempfile::tempdir().unwrap();
    let scans = [
        "totalseg_mr_abdomen/mr.nii.gz",
        "totalseg_ct_abdomen/ct.nii.gz",
        "sunnybrook/SCD0000101_sax_ED.nii.gz",
        "sunnybrook/SCD0000201_sax_ED.nii.gz",
        "sunnybrook/SCD0000101_sax_cine4d.nii.gz",
        "lidc0314_ct_thorax/ct_heart_crop_native.nii.gz",
        "io_conformance/nibabel/example_nifti2.nii.gz",
        "io_conformance/nibabel/anatomical.nii",
        "io_conformance/niftirs/minimal.nii",
    ];
    for file in scans {
        let scan = io::open(&data.join(file)).unwrap();
        let path = folder.path().join("labels.nii.gz");
        let labels = Volume::from_fn(scan.geometry().clone(), |i, j, k| ((i * 7 + j * 3 + k) % 5) as u16);
        io::write_labels(&path, &labels, None, &scan).unwrap();
        let read = io::open(&path).unwrap();
        assert_eq!((&read.nifti, read.geometry()), (&scan.nifti, scan.geometry()), "{file}");
        assert_eq!(read.to_labels().unwrap(), labels, "{file}");
        round_trip(&scan, &path, file);
    }
}

/// A scan written as it is keeps type, scaling and voxels.
fn round_trip(scan: &Scan, path: &Path, file: &str) {
    io::write_scan(path, scan).unwrap();
    let read = io::open(path).unwrap();
    assert_eq!((read.scaling(), read.geometry()), (scan.scaling(), scan.geometry()), "{file}");
    assert_eq!(read.voxels(), scan.voxels(), "{file}");
}

#[test]
fn reference_labels_are_whole_numbers_whatever_they_are_stored_as() {
    let Some(data) = real_scans() else { return };
    let float64 = io::open_labels(&data.join("totalseg_ct_abdomen/seg_v1_104classes.nii.gz")).unwrap();
    let table = mindgap::volume::LabelTable::named("totalsegmentator-v1").unwrap();
    let own = table.to_structures(&float64);
    for entry in &Task::Abdomen.table().entries {
        assert!(own.voxels().contains(&entry.value), "{}", entry.name);
    }
    let error = io::open_labels(&data.join("totalseg_ct_abdomen/ct.nii.gz")).unwrap_err();
    assert!(error.to_string().ends_with("not a label map"), "{error}");
}
