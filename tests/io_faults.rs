//! Malformed and unusual NIfTI files: each opens as it should or is refused for the right reason, in this process and
//! in one of its own under limits of memory and time.

#![allow(clippy::unwrap_used)]

#[path = "support/child.rs"]
mod child;
#[path = "support/spoilt_nifti.rs"]
mod spoilt_nifti;

use mindgap::volume::{Scaling, Scan, Voxels, io};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::OnceLock;

enum Must {
    /// Opens with the voxels 0, 1, 2, ...; its axes and spacing ("?" where unknown); words of a warning, "" for none.
    Ramp(&'static str, &'static str),
    /// Opens with other voxels: dims, axes and spacing, words of a warning.
    Open([usize; 3], &'static str, &'static str),
    /// Is refused with an error that holds one of these.
    Refuse(&'static [&'static str]),
}
use Must::{Open, Ramp, Refuse};

const RAS: &str = "RAS 2 3 4";
const UNPLACED: &str = "? 2 3 4";
const LOST: &str = "left and right are unknown";
const TRUNCATED: &str = "truncated: expected 1792 bytes, found";
const CHECKSUM: &str = "the file is damaged (checksum";

#[rustfmt::skip]
const TABLE: &[(&str, Must)] = &[
    ("ok.nii", Ramp(RAS, "")),
    ("ok.nii.gz", Ramp(RAS, "")),
    // Fault 11: the bytes say what a file is, not its name.
    ("not_gz.nii.gz", Ramp(RAS, "")),
    ("gz_named_nii.nii", Ramp(RAS, "")),
    // Fault 10.
    ("multimember.nii.gz", Ramp(RAS, "")),
    ("trailing_junk.nii.gz", Ramp(RAS, "follow the compressed data")),
    ("trailing_junk.nii", Ramp(RAS, "8 bytes follow the last voxel")),
    // Fault 37.
    ("Ünïcødé — 患者 🧠.nii.gz", Ramp(RAS, "")),
    // Faults 1 and 2.
    ("empty.nii", Refuse(&["only 0 bytes"])),
    ("empty.nii.gz", Refuse(&["only 0 bytes"])),
    ("hdr_only_200.nii", Refuse(&["only 200 bytes"])),
    ("magic_bad.nii", Refuse(&["not a NIfTI file: magic: expected n+1 or ni1, got \"abcd\""])),
    ("sizeof_540.nii", Refuse(&["not a NIfTI file: magic: expected n+2 or ni2"])),
    ("sizeof_0.nii", Refuse(&["not a NIfTI file: sizeof_hdr: expected 348 or 540, got 0"])),
    ("dicom_named_nii.nii", Refuse(&["no series to open"])),
    // Faults 3 and 4.
    ("dim_huge7.nii", Refuse(&["dim: expected fewer voxels than memory has addresses, got 32767 x 32767 x 32767"])),
    ("dim_huge.nii", Refuse(&["32767 x 32767 x 32767 voxels, 70.4 TB"])),
    ("dim_neg.nii", Refuse(&["dim[1]: expected a size of at least 1, got -8"])),
    ("dim_zero.nii", Refuse(&["dim[1]: expected a size of at least 1, got 0"])),
    ("dim0_0.nii", Refuse(&["dim[0]: expected 1 to 7 dimensions, got 0"])),
    ("dim0_9.nii", Refuse(&["dim[0]: expected 1 to 7 dimensions, got 9"])),
    ("dim_1d.nii", Refuse(&["dim[0]: expected an image of 2 to 7 dimensions, got 1"])),
    // Fault 5: nothing is filled with zeros.
    ("header_and_nothing.nii", Refuse(&[TRUNCATED])),
    ("trunc.nii", Refuse(&[TRUNCATED])),
    // Fault 6.
    ("trunc.nii.gz", Refuse(&["truncated: expected"])),
    ("trunc_in_checksum.nii.gz", Refuse(&["truncated: expected"])),
    // Fault 7.
    ("crcbad.nii.gz", Refuse(&[CHECKSUM])),
    ("isizebad.nii.gz", Refuse(&[CHECKSUM])),
    ("bitflip.nii.gz", Refuse(&[CHECKSUM, "the file is damaged (compressed data make no sense"])),
    // Faults 8 and 9.
    ("bomb.nii.gz", Refuse(&["follow the 1792 bytes the header describes"])),
    ("gz_dim_20gb.nii.gz", Refuse(&["of gzip cannot hold", "are free"])),
    // Fault 23.
    ("datatype_bad.nii", Refuse(&["datatype: expected a NIfTI datatype code, got 12345"])),
    ("datatype_f128.nii", Refuse(&["float128"])),
    ("datatype_bin.nii", Refuse(&["binary"])),
    ("complex.nii", Refuse(&["complex64"])),
    ("bitpix_mismatch.nii", Ramp(RAS, "bitpix is 8 but the datatype is int16")),
    // Where voxels begin, and what they mean.
    ("vox_512_padded.nii", Ramp(RAS, "")),
    ("vox_nan.nii", Ramp(RAS, "vox_offset is NaN; 352 was used")),
    ("vox_neg.nii", Ramp(RAS, "vox_offset is -5; 352 was used")),
    ("vox_100.nii", Ramp(RAS, "vox_offset is 100; 352 was used")),
    ("vox_huge.nii", Refuse(&["vox_offset: expected a place inside the file"])),
    ("vox_1000.nii", Refuse(&["truncated: expected 2440 bytes, found 1792"])),
    ("slope_nan.nii", Ramp(RAS, "scl_slope NaN")),
    ("slope_inf.nii", Ramp(RAS, "scl_slope inf")),
    ("slope_zero.nii", Ramp(RAS, "")),
    // Faults 15 to 19.
    ("pix0_zero_qform.nii", Ramp(RAS, "")),
    ("pix_neg_qform.nii", Ramp(RAS, "A voxel size is negative")),
    ("pix_zero.nii", Ramp("? ?", "1 mm was assumed")),
    ("pix_nan.nii", Ramp("? ?", "1 mm was assumed")),
    ("pix_metres_said_mm.nii", Ramp("? 0.000002 0.000003 0.000004", "implausible")),
    ("no_form.nii", Ramp(UNPLACED, LOST)),
    ("quat_bad.nii", Ramp(UNPLACED, "quaternion is invalid")),
    ("quat_nan.nii", Ramp(UNPLACED, "quaternion is invalid")),
    ("sform_singular.nii", Ramp(RAS, "The sform is singular or not finite")),
    ("sform_nan.nii", Ramp(RAS, "The sform is singular or not finite")),
    ("sform_sheared.nii", Ramp("RAS 2 3.095 4", "")),
    ("forms_conflict.nii", Ramp(RAS, "sform and qform differ by up to 7.0 mm")),
    // Extensions, sound and not.
    ("ext_ok.nii", Ramp(RAS, "")),
    ("ext_bad.nii", Ramp(RAS, "A header extension claims 2147483647 bytes")),
    ("ext_neg.nii", Ramp(RAS, "A header extension claims -16 bytes")),
    ("ext_zero.nii", Ramp(RAS, "A header extension claims 0 bytes")),
    ("ext_without_room.nii", Ramp(RAS, "")),
    // Fault 24.
    ("bigendian.nii", Ramp(RAS, "")),
    ("nifti2.nii", Ramp(RAS, "")),
    // Faults 13, 14, 21, 22, 31.
    ("dim_2d.nii", Open([72, 10, 1], RAS, "")),
    ("4d.nii", Open([4, 4, 4], RAS, "Volume 1 of 3 is shown")),
    ("allnan.nii", Open([8, 9, 10], RAS, "No voxel is a finite number")),
    ("rgb.nii", Open([8, 9, 10], RAS, "The voxels are colours (RGB24)")),
    ("constant.nii", Open([8, 9, 10], RAS, "")),
    ("one_voxel.nii", Open([1, 1, 1], RAS, "")),
];

/// Every spoilt file by name, in one folder for the whole run.
fn spoilt_files() -> &'static [(&'static str, PathBuf)] {
    static FILES: OnceLock<(tempfile::TempDir, Vec<(&'static str, PathBuf)>)> = OnceLock::new();
    let write = || {
        let folder = tempfile::tempdir().unwrap();
        let write = |(name, bytes): (&'static str, Vec<u8>)| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            (name, path)
        };
        let files = spoilt_nifti::files().into_iter().map(write).collect();
        (folder, files)
    };
    &FILES.get_or_init(write).1
}

fn must(name: &str) -> &'static Must {
    let rows = TABLE.iter().filter(|(row, _)| *row == name).map(|(_, must)| must).collect::<Vec<_>>();
    assert_eq!(rows.len(), 1, "{name} has {} rows in the table", rows.len());
    rows[0]
}

/// Axes and spacing for people: "RAS 2 3 4".
fn place(scan: &Scan) -> String {
    let grid = scan.geometry();
    let axes = grid.axcodes().unwrap_or_else(|| "?".to_owned());
    let rounded = |mm: f64| format!(" {}", format!("{mm:.3e}").parse::<f64>().unwrap());
    let spacing =
        if grid.spacing_known() { grid.spacing_mm().map(rounded).concat() } else { " ?".to_owned() };
    axes + &spacing
}

/// What is wrong with how a file opened, or did not.
fn complaint(name: &str, opened: Result<Scan, io::IoError>) -> Option<String> {
    let (scan, expected_place, warning) = match (must(name), opened) {
        (Refuse(reasons), Err(error)) => {
            let error = error.to_string();
            let right = reasons.iter().any(|reason| error.contains(reason)) && error.contains(name);
            return (!right).then_some(error);
        }
        (Refuse(_), Ok(_)) => return Some("opens".to_owned()),
        (Ramp(..) | Open(..), Err(error)) => return Some(error.to_string()),
        (Ramp(place, warning), Ok(scan)) => {
            let is_ramp = scan.voxels() == &Voxels::I16(spoilt_nifti::ramp());
            if !is_ramp || scan.scaling() != Scaling::IDENTITY {
                return Some("other voxels".to_owned());
            }
            (scan, place, warning)
        }
        (Open(dims, place, warning), Ok(scan)) if scan.geometry().dims() == *dims => (scan, place, warning),
        (Open(..), Ok(scan)) => return Some(format!("{:?}", scan.geometry())),
    };
    let said = match *warning {
        "" => scan.warnings.is_empty(),
        words => scan.warnings.iter().any(|warning| warning.contains(words)),
    };
    let right = said && place(&scan) == *expected_place;
    (!right).then(|| format!("{}, {:?}", place(&scan), scan.warnings))
}

#[test]
fn every_malformed_file_opens_rightly_or_is_refused_for_the_right_reason() {
    let complaints =
        spoilt_files().iter().filter_map(|(name, path)| Some((name, complaint(name, io::open(path))?)));
    assert_eq!(complaints.collect::<Vec<_>>(), []);
}

#[test]
fn every_row_of_the_table_has_its_file() {
    let files = spoilt_files().iter().map(|(name, _)| *name).collect::<BTreeSet<_>>();
    let rows = TABLE.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>();
    assert_eq!(files, rows);
}

#[test]
fn no_malformed_file_crashes_hangs_or_bloats_the_program() {
    for (name, path) in spoilt_files() {
        let arguments = ["info".as_ref(), "--json".as_ref(), path.as_os_str()];
        let opened = child::assert_clean(&child::mindgap(arguments), name);
        assert_eq!(opened, !matches!(must(name), Refuse(_)), "{name}");
    }
}

#[test]
fn voxels_that_are_no_numbers_are_counted_and_left_out_of_the_range() {
    let (_, path) = spoilt_files().iter().find(|(name, _)| *name == "allnan.nii").unwrap();
    let scan = io::open(path).unwrap();
    assert_eq!((scan.nonfinite_voxels(), scan.intensity_range()), (720, None));
}
