//! Slices of a folder: order, gaps, tilt, several series, sizes and orientations (faults 59, 61 to 64).

use crate::dicom_file::{EXPLICIT, SIZE, Series, Slice, ramp};
use dicom_core::VR;
use dicom_dictionary_std::tags;
use glam::{DVec3, DVec4};
use mindgap::volume::io::{self, OpenOptions, SeriesKind};
use mindgap::volume::{Flag, Scan};

fn options_for(series: &str) -> OpenOptions {
    OpenOptions { series: Some(series.to_owned()), ..OpenOptions::default() }
}

/// The slice number that each k holds, from its first pixel.
fn order(scan: &Scan) -> Vec<i32> {
    let plane = SIZE[0] * SIZE[1];
    (0..scan.geometry().dims()[2]).map(|k| scan.voxels().value(k * plane) as i32 / 100).collect()
}

#[test]
fn an_axial_series_lies_in_ras_with_columns_along_i_and_rows_along_j() {
    let scan = io::open(Series::of((1..=5).map(Slice::ct)).path()).unwrap();
    assert_eq!(scan.geometry().dims(), [SIZE[0], SIZE[1], 5]);
    let m = scan.geometry().world_from_voxel();
    // LPS x and y change sign; PixelSpacing is "between rows, between columns".
    assert_eq!(m.x_axis, DVec4::new(-0.5, 0.0, 0.0, 0.0));
    assert_eq!(m.y_axis, DVec4::new(0.0, -0.75, 0.0, 0.0));
    assert_eq!(m.z_axis, DVec4::new(0.0, 0.0, 2.0, 0.0));
    assert_eq!(m.w_axis, DVec4::new(10.0, 20.0, 2.0, 1.0));
    assert_eq!(scan.value(1, 2, 3), f32::from(ramp(4)[1 + 2 * SIZE[0]]) - 1000.0);
    assert_eq!(order(&scan), [1, 2, 3, 4, 5]);
    assert!(scan.warnings.is_empty() && scan.flags.is_empty(), "{:?}", scan.warnings);
}

#[test]
fn fault_59_a_missing_slice_is_refused_with_its_place() {
    let series = Series::of([1, 2, 3, 6, 7].map(Slice::ct));
    let message = io::open(series.path()).unwrap_err().to_string();
    assert!(
        message.contains("2 slices are missing (2 after slice 3, between 6.00 and 12.00 mm"),
        "{message}"
    );
    assert!(io::list_series(series.path()).unwrap()[0].warnings[0].contains("missing"));
}

#[test]
fn fault_59_accepted_gaps_hold_no_invented_data_and_measure_nothing() {
    let series = Series::of([1, 2, 3, 6, 7].map(Slice::ct));
    let options = OpenOptions { accept_gaps: true, ..OpenOptions::default() };
    let scan = io::open_with(series.path(), &options).unwrap();
    assert_eq!(scan.geometry().dims()[2], 7);
    assert_eq!(scan.geometry().spacing_mm()[2], 2.0);
    assert_eq!(order(&scan), [1, 2, 3, 1, 1, 6, 7]);
    assert!((0..3).all(|j| (0..4).all(|i| scan.value(i, j, 4) == -900.0)), "not the smallest value there is");
    assert_eq!(scan.flags, [Flag::Gaps]);
    assert_eq!(scan.geometry().voxel_ml(), None);
    assert!(scan.warnings.iter().any(|warning| warning.contains("2 slices are missing")));
}

#[test]
fn fault_59_uneven_slices_are_refused_with_the_worst_displacement() {
    let places = [0.0, 2.0, 4.0, 6.5, 8.0];
    let slices = places.iter().zip(1..).map(|(z, n)| Slice::ct(n).at([0.0, 0.0, *z]));
    let message = io::open(Series::of(slices).path()).unwrap_err().to_string();
    assert!(message.contains("slice 4 at 6.50 mm lies 0.50 mm from an even grid of 2.000 mm"), "{message}");
}

#[test]
fn positions_rounded_to_a_tenth_of_a_millimetre_are_no_gap() {
    // Of slices every 0.625 mm.
    let places = [0.0, 0.6, 1.3, 1.9, 2.5, 3.1, 3.8];
    let slices = places.iter().zip(1..).map(|(z, n)| Slice::ct(n).at([0.0, 0.0, *z]));
    let scan = io::open(Series::of(slices).path()).unwrap();
    assert!(scan.geometry().is_measurable());
}

#[test]
fn fault_61_the_largest_image_is_the_default_and_scouts_reports_and_directories_are_set_aside() {
    let series = Series::of((1..=3).map(Slice::ct));
    let other = |slice: Slice, uid: &str| slice.uid(tags::SERIES_INSTANCE_UID, uid);
    series.add("b", (1..=6).map(|n| other(Slice::mr(n), "1.2.9").text(tags::SERIES_NUMBER, VR::IS, "7")));
    let scout = Slice::ct(90).text(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\LOCALIZER");
    series.add("scout", [other(scout, "1.2.10")]);
    let report = other(Slice::ct(91), "1.2.11").text(tags::MODALITY, VR::CS, "SR").without(tags::PIXEL_DATA);
    series.add("report", [report.without(tags::ROWS)]);
    let directory = Slice::ct(1).uid(tags::SOP_CLASS_UID, "1.2.840.10008.1.3.10");
    directory.write(&series.file("DICOMDIR"), EXPLICIT);
    std::fs::write(series.file("notes.txt"), "nothing to see").unwrap();

    let listed = io::list_series(series.path()).unwrap();
    let kinds: Vec<_> = listed.iter().map(|info| (info.id.as_str(), info.kind, info.files)).collect();
    assert_eq!(
        kinds,
        [
            ("1.2.9", SeriesKind::Volume, 6),
            ("1.2.3", SeriesKind::Volume, 3),
            ("1.2.10", SeriesKind::Scout, 1),
            ("1.2.11", SeriesKind::NotAnImage, 1),
        ]
    );
    let scan = io::open(series.path()).unwrap();
    assert_eq!(scan.geometry().dims()[2], 6);
    assert!(scan.warnings.iter().any(|warning| warning.contains("The largest of 2 series")));
    assert_eq!(io::open_with(series.path(), &options_for("1.2.3")).unwrap().geometry().dims()[2], 3);
    assert_eq!(io::open_with(series.path(), &options_for("1.2.10")).unwrap().geometry().dims()[2], 1);
    let message = io::open_with(series.path(), &options_for("1.2.11")).unwrap_err().to_string();
    assert!(message.contains("1.2.11"), "{message}");
}

#[test]
fn fault_61_a_folder_of_nothing_but_a_localizer_opens() {
    let scout = Slice::ct(1).text(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\LOCALIZER");
    let scan = io::open(Series::of([scout]).path()).unwrap();
    assert_eq!(scan.geometry().dims()[2], 1);
    assert!(!scan.warnings.iter().any(|warning| warning.contains("The largest of")), "{:?}", scan.warnings);
}

#[test]
fn an_unknown_series_is_answered_with_the_ids_that_there_are() {
    let series = Series::of((1..=3).map(Slice::ct));
    let message = io::open_with(series.path(), &options_for("4.5.6")).unwrap_err().to_string();
    assert!(
        message.contains("\"4.5.6\"") && message.contains("1.2.3 (CT, series 5, 4 x 3 x 3)"),
        "{message}"
    );
}

#[test]
fn a_folder_in_a_folder_is_searched_and_a_loop_of_links_ends() {
    let series = Series::of([]);
    let inner = series.file("study/series");
    std::fs::create_dir_all(&inner).unwrap();
    for number in 1..=3 {
        Slice::ct(number).write(&inner.join(format!("{number}")), EXPLICIT);
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink(series.path(), inner.join("loop")).unwrap();
    assert_eq!(order(&io::open(series.path()).unwrap()), [1, 2, 3]);
}

#[test]
fn only_the_files_that_were_named_are_read() {
    let series = Series::of((1..=5).map(Slice::ct));
    let named = [series.file("999.dcm"), series.file("998.dcm")];
    assert_eq!(order(&io::open_files(&named, &OpenOptions::default()).unwrap()), [1, 2]);
    assert_eq!(order(&io::open(&series.file("997.dcm")).unwrap()), [3]);
}

#[test]
fn fault_62_a_tilted_gantry_shears_the_grid_and_says_so() {
    let slices = (1..=4).map(|n| Slice::ct(n).at([0.0, 0.6 * f64::from(n), 2.0 * f64::from(n)]));
    let scan = io::open(Series::of(slices).path()).unwrap();
    let third = scan.geometry().world_from_voxel().z_axis.truncate();
    assert!(third.abs_diff_eq(DVec3::new(0.0, -0.6, 2.0), 1e-12), "{third}");
    assert!(scan.warnings.iter().any(|warning| warning.contains("tilted gantry, 16.7 degrees")));
}

#[test]
fn fault_63_positions_win_over_instance_numbers() {
    let number = |place: i32, instance: i32| {
        Slice::ct(place).text(tags::INSTANCE_NUMBER, VR::IS, &instance.to_string())
    };
    let scan = io::open(Series::of([number(1, 3), number(2, 1), number(3, 4), number(4, 2)]).path()).unwrap();
    assert_eq!(order(&scan), [1, 2, 3, 4]);
    assert!(scan.warnings.iter().any(|warning| warning.contains("InstanceNumber")));
    // Counting downwards is no conflict.
    let scan = io::open(Series::of([number(1, 4), number(2, 3), number(3, 2)]).path()).unwrap();
    assert!(scan.warnings.is_empty(), "{:?}", scan.warnings);
}

#[test]
fn positions_win_over_spacing_between_slices() {
    let slices = (1..=3).map(|n| Slice::mr(n).text(tags::SPACING_BETWEEN_SLICES, VR::DS, "2.5"));
    let scan = io::open(Series::of(slices).path()).unwrap();
    assert_eq!(scan.geometry().spacing_mm()[2], 2.0);
    assert!(scan.warnings.iter().any(|warning| warning.contains("SpacingBetweenSlices says 2.5 mm")));
}

#[test]
fn fault_64_other_sizes_spacings_and_orientations_in_a_series_are_volumes_of_their_own() {
    let series = Series::of((1..=6).map(Slice::ct));
    series.add("a", (11..=15).map(|n| Slice::ct(n).text(tags::PIXEL_SPACING, VR::DS, "0.75\\0.6")));
    let sagittal = |n: i32| {
        let turned = Slice::ct(n).text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "0\\1\\0\\0\\0\\-1");
        turned.at([f64::from(n), 0.0, 0.0])
    };
    series.add("b", (21..=24).map(sagittal));
    let taller = |n: i32| Slice::ct(n).count(tags::ROWS, 2).count(tags::COLUMNS, 6);
    series.add("c", (31..=33).map(taller));
    // A single slice across the others was made to plan them.
    let coronal = Slice::ct(41).text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\0\\-1");
    series.add("d", [coronal]);

    let listed = io::list_series(series.path()).unwrap();
    let found: Vec<_> =
        listed.iter().map(|info| (info.id.as_str(), info.dims.unwrap()[2], info.kind)).collect();
    assert_eq!(
        found,
        [
            ("1.2.3", 6, SeriesKind::Volume),
            ("1.2.3#2", 5, SeriesKind::Volume),
            ("1.2.3#3", 4, SeriesKind::Volume),
            ("1.2.3#4", 3, SeriesKind::Volume),
            ("1.2.3#5", 1, SeriesKind::Scout),
        ]
    );
    let scan = io::open_with(series.path(), &options_for("1.2.3#3")).unwrap();
    // Rows run to the back, columns down; the normal of the two points to the right.
    assert_eq!(scan.geometry().axcodes().unwrap(), "PIR");
    assert_eq!(order(&scan), [24, 23, 22, 21]);
}

#[test]
fn a_single_slice_without_a_thickness_measures_nothing() {
    let series = Series::of([Slice::ct(1).without(tags::SLICE_THICKNESS)]);
    let scan = io::open(series.path()).unwrap();
    assert!(!scan.geometry().is_measurable() && !scan.warnings.is_empty());
    let series = Series::of([Slice::ct(1)]);
    assert_eq!(io::open(series.path()).unwrap().geometry().spacing_mm(), [0.5, 0.75, 2.0]);
}
