//! Real DICOM series against the same scans as NIfTI, voxel by voxel and place by place.

use crate::real_scans::real_scans;
use glam::DVec3;
use mindgap::volume::io::{self, IoError, OpenOptions, SeriesKind};
use mindgap::volume::{Flag, Modality, Scan};

use std::path::Path;

/// A voxel of one grid lies on a voxel centre of the other to within this: NIfTI keeps places as float32.
const SAME_PLACE_VOXELS: f64 = 2e-3;

/// How many voxels of `dicom` lie on voxels of `nifti` and hold the same value, how many hold another, and the largest
/// distance in voxels from a voxel centre.
fn compare(dicom: &Scan, nifti: &Scan) -> (usize, usize, f64) {
    let [ni, nj, nk] = dicom.geometry().dims();
    let voxel_from_world = nifti.geometry().voxel_from_world();
    let limits = nifti.geometry().dims();
    let (mut same, mut other, mut farthest) = (0, 0, 0.0_f64);
    for k in 0..nk {
        for j in 0..nj {
            for i in 0..ni {
                let world = dicom.geometry().world_of(DVec3::new(i as f64, j as f64, k as f64));
                let place = voxel_from_world.transform_point3(world);
                let nearest = place.round();
                let inside =
                    (0..3).all(|axis| nearest[axis] >= 0.0 && (nearest[axis] as usize) < limits[axis]);
                if !inside {
                    continue;
                }
                farthest = farthest.max(place.distance(nearest));
                let [a, b, c] = nearest.to_array().map(|index| index as usize);
                if dicom.value(i, j, k) == nifti.value(a, b, c) { same += 1 } else { other += 1 }
            }
        }
    }
    (same, other, farthest)
}

#[test]
fn a_cardiac_mr_series_lies_where_its_nifti_lies_with_the_same_values() {
    let Some(data) = real_scans() else { return };
    let folder = data.join("sunnybrook/SCD0000201_ED_dicom");
    let dicom = io::open(&folder).unwrap();
    let nifti = io::open(&data.join("sunnybrook/SCD0000201_sax_ED.nii.gz")).unwrap();
    assert_eq!(dicom.geometry().dims(), [256, 256, 13]);
    let (same, other, farthest) = compare(&dicom, &nifti);
    assert_eq!((same, other), (256 * 256 * 13, 0));
    assert!(farthest < SAME_PLACE_VOXELS, "{farthest} voxels");
    assert_eq!(dicom.modality, Some(Modality::Mr));
    assert!(dicom.geometry().is_measurable() && dicom.flags.is_empty());
}

/// The sixteen slices are single ones of a series of 1 mm: most of what lies between them is missing.
fn thorax(data: &Path, accept_gaps: bool) -> Result<Scan, IoError> {
    let options = OpenOptions { accept_gaps, ..OpenOptions::default() };
    io::open_with(&data.join("lidc0314_ct_thorax/dicom_16slices"), &options)
}

#[test]
fn a_thorax_ct_with_missing_slices_is_refused_with_the_place_of_the_gaps() {
    let Some(data) = real_scans() else { return };
    let message = thorax(&data, false).unwrap_err().to_string();
    assert!(message.contains("213 slices are missing"), "{message}");
    assert!(message.contains("3 after slice 1, between -652.80 and -648.80 mm"), "{message}");
}

#[test]
fn the_slices_there_are_lie_where_the_nifti_has_them_in_hounsfield_units() {
    let Some(data) = real_scans() else { return };
    let nifti = io::open(&data.join("lidc0314_ct_thorax/ct_heart_crop_native.nii.gz")).unwrap();
    let mut compared = 0;
    for number in 100..116 {
        let file = format!("lidc0314_ct_thorax/dicom_16slices/000{number}.dcm");
        let slice = io::open(&data.join(file)).unwrap();
        let (same, other, farthest) = compare(&slice, &nifti);
        assert_eq!(other, 0, "of slice {number}");
        assert!(farthest < SAME_PLACE_VOXELS, "{farthest} voxels");
        compared += same;
    }
    // Ten of the slices cross the crop of 250 x 240 voxels.
    assert_eq!(compared, 10 * 250 * 240);
    let whole = thorax(&data, true).unwrap();
    assert_eq!(whole.geometry().dims(), [512, 512, 229]);
    assert_eq!(whole.modality, Some(Modality::Ct));
    assert_eq!((whole.scaling().slope, whole.scaling().intercept), (1.0, -1000.0));
    assert_eq!(whole.flags, [Flag::Gaps]);
    assert!(!whole.geometry().is_measurable());
    let air = whole.intensity_range().unwrap()[0] as f32;
    assert!((0..512).all(|i| whole.value(i, i, 1) == air), "a missing slice holds invented data");
}

#[test]
fn one_file_of_a_series_is_that_slice_and_never_its_siblings() {
    let Some(data) = real_scans() else { return };
    let folder = data.join("lidc0314_ct_thorax/dicom_16slices");
    let slice = io::open(&folder.join("000105.dcm")).unwrap();
    assert_eq!(slice.geometry().dims(), [512, 512, 1]);
    let whole = thorax(&data, true).unwrap();
    let (same, other, farthest) = compare(&slice, &whole);
    assert_eq!((same, other), (512 * 512, 0));
    assert!(farthest < 1e-9, "{farthest} voxels");
}

#[test]
fn the_list_of_series_and_the_header_say_what_reading_will_give() {
    let Some(data) = real_scans() else { return };
    let folder = data.join("sunnybrook/SCD0000201_ED_dicom");
    let series = io::list_series(&folder).unwrap();
    assert_eq!(series.len(), 1);
    let (only, scan) = (&series[0], io::open(&folder).unwrap());
    assert_eq!((only.kind, only.files, only.volumes), (SeriesKind::Volume, 13, 1));
    assert_eq!(only.dims, Some(scan.geometry().dims()));
    let header = io::read_header(&folder, &OpenOptions::default()).unwrap();
    assert_eq!(header.geometry, *scan.geometry());
    assert_eq!(header.dtype, scan.voxels().dtype());
}
