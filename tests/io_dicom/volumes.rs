//! Several volumes at the same places, and several frames in one file (faults 60 and 71).

use crate::dicom_file::{EXPLICIT, SIZE, Series, Slice, ramp};
use crate::pixels::{RLE, run_length};
use dicom_core::{DataElement, PrimitiveValue, Tag, VR, value::DataSetSequence};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use mindgap::volume::Scan;
use mindgap::volume::io::{self, IoError, OpenOptions, SeriesKind};

fn volume(series: &Series, volume: usize) -> Result<Scan, IoError> {
    io::open_with(series.path(), &OpenOptions { volume: Some(volume), ..OpenOptions::default() })
}

/// The first pixel of each slice.
fn firsts(scan: &Scan) -> Vec<f64> {
    let plane = SIZE[0] * SIZE[1];
    (0..scan.geometry().dims()[2]).map(|k| scan.voxels().value(k * plane)).collect()
}

/// Slices at places 1 to 3 whose pixels are those of `number`.
fn with_pixels_of(place: i32, number: i32) -> Slice {
    Slice::mr(place)
        .text(tags::SOP_INSTANCE_UID, VR::UI, &format!("1.2.3.{number}"))
        .text(tags::INSTANCE_NUMBER, VR::IS, &number.to_string())
        .pixels16(&ramp(number))
}

#[test]
fn fault_60_time_points_are_volumes_to_choose_from() {
    let time = |place: i32, time: i32| {
        let slice = with_pixels_of(place, 10 * time + place);
        slice.text(tags::TEMPORAL_POSITION_IDENTIFIER, VR::IS, &time.to_string())
    };
    let series = Series::of((1..=3).flat_map(|place| (1..=2).map(move |t| time(place, t))));
    let listed = io::list_series(series.path()).unwrap();
    assert_eq!((listed.len(), listed[0].volumes, listed[0].dims.unwrap()[2]), (1, 2, 3));
    let first = io::open(series.path()).unwrap();
    assert_eq!(firsts(&first), [1100.0, 1200.0, 1300.0]);
    assert_eq!(first.badges(), ["t=1/2"]);
    assert!(first.warnings.iter().any(|warning| warning == "Volume 1 of 2 is shown."));
    assert_eq!(firsts(&volume(&series, 1).unwrap()), [2100.0, 2200.0, 2300.0]);
    assert!(matches!(volume(&series, 2), Err(IoError::NoSuchVolume { asked: 3, volumes: 2, .. })));
}

#[test]
fn fault_60_echoes_within_time_points_are_told_apart_by_both() {
    let of = |place: i32, time: i32, echo: i32| {
        with_pixels_of(place, 4 * time + 2 * echo + place)
            .text(tags::TEMPORAL_POSITION_IDENTIFIER, VR::IS, &time.to_string())
            .text(tags::ECHO_NUMBERS, VR::IS, &echo.to_string())
    };
    let all = (1..=2)
        .flat_map(|time| (1..=2).flat_map(move |echo| (1..=2).map(move |place| of(place, time, echo))));
    let series = Series::of(all);
    for (number, (time, echo)) in [(1, 1), (1, 2), (2, 1), (2, 2)].into_iter().enumerate() {
        let expected = [1, 2].map(|place| f64::from(100 * (4 * time + 2 * echo + place)));
        assert_eq!(firsts(&volume(&series, number).unwrap()), expected, "time {time}, echo {echo}");
    }
}

#[test]
fn fault_60_a_cine_is_ordered_by_trigger_times_that_differ_from_slice_to_slice() {
    let phase = |place: i32, phase: i32| {
        let milliseconds = f64::from(phase) * (40.0 + f64::from(place));
        // Instance numbers count phases backwards, so that only the times give the right order.
        let slice = with_pixels_of(place, 10 * (5 - phase) + place);
        slice.text(tags::TRIGGER_TIME, VR::DS, &milliseconds.to_string())
    };
    let series = Series::of((1..=2).flat_map(|place| (1..=3).map(move |n| phase(place, n))));
    assert_eq!(firsts(&volume(&series, 0).unwrap()), [4100.0 % 4096.0, 4200.0 % 4096.0]);
    assert_eq!(firsts(&volume(&series, 2).unwrap()), [2100.0, 2200.0]);
}

#[test]
fn fault_60_an_incomplete_second_acquisition_does_not_spoil_the_first() {
    let acquisition = |place: i32, number: i32| {
        let slice = with_pixels_of(place, 10 * number + place);
        slice.text(tags::ACQUISITION_NUMBER, VR::IS, &number.to_string())
    };
    let series = Series::of((1..=4).map(|place| acquisition(place, 1)));
    series.add("b", (1..=2).map(|place| acquisition(place, 2)));
    let listed = io::list_series(series.path()).unwrap();
    let found: Vec<_> =
        listed.iter().map(|info| (info.id.as_str(), info.dims.unwrap()[2], info.volumes)).collect();
    assert_eq!(found, [("1.2.3", 4, 1), ("1.2.3#2", 2, 1)]);
    // Nor do two slices that were scanned once more, each on its own.
    let series = Series::of((1..=4).map(|place| acquisition(place, 1)));
    series.add("b", [acquisition(2, 2), acquisition(3, 3)]);
    assert_eq!(io::list_series(series.path()).unwrap()[0].dims.unwrap()[2], 4);
}

#[test]
fn fault_60_copies_of_a_file_are_left_out_with_a_note() {
    let series = Series::of((1..=3).map(Slice::ct));
    series.add("copy", [Slice::ct(2)]);
    let scan = io::open(series.path()).unwrap();
    assert_eq!(firsts(&scan), [100.0, 200.0, 300.0]);
    assert!(scan.warnings.iter().any(|warning| warning.contains("copies were left out")));
}

#[test]
fn fault_60_slices_that_nothing_tells_apart_are_refused_and_never_mixed() {
    let twice =
        |place: i32, uid: i32| Slice::mr(place).text(tags::SOP_INSTANCE_UID, VR::UI, &format!("9.{uid}"));
    let series = Series::of((1..=3).flat_map(|place| (0..2).map(move |n| twice(place, 10 * n + place))));
    let listed = io::list_series(series.path()).unwrap();
    assert_eq!(listed[0].kind, SeriesKind::Unreadable);
    let message = io::open(series.path()).unwrap_err().to_string();
    assert!(message.contains("2 slices lie at the same place (at 2.00 mm"), "{message}");
}

#[test]
fn fault_60_one_slice_too_few_or_too_many_does_not_make_a_volume_of_every_slice() {
    let phase = |place: i32, phase: i32| {
        let milliseconds = f64::from(phase) * (40.0 + f64::from(place));
        let slice = with_pixels_of(place, 10 * phase + place);
        slice.text(tags::TRIGGER_TIME, VR::DS, &milliseconds.to_string())
    };
    let cine = [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)];
    let cine = Series::of(cine.into_iter().map(|(place, number)| phase(place, number)));
    let image = |place: i32, number: i32| {
        let slice = with_pixels_of(place, number).text(tags::ACQUISITION_NUMBER, VR::IS, "1");
        slice.text(tags::ACQUISITION_TIME, VR::TM, &format!("1015{number:02}"))
    };
    let repeated = Series::of([(1, 1), (2, 2), (3, 3), (4, 4), (2, 5)].map(|(place, n)| image(place, n)));
    for (series, most, fewest) in [(cine, 3, 2), (repeated, 2, 1)] {
        let listed = io::list_series(series.path()).unwrap();
        assert_eq!((listed.len(), listed[0].kind), (1, SeriesKind::Unreadable), "{listed:?}");
        let message = io::open(series.path()).unwrap_err().to_string();
        let told = [format!("up to {most} slices lie at the same place"), format!("and {fewest} at another")];
        assert!(told.iter().all(|words| message.contains(words)), "{message}");
    }
}

fn item(elements: Vec<DataElement<InMemDicomObject>>) -> InMemDicomObject {
    InMemDicomObject::from_element_iter(elements)
}

fn group(tag: Tag, elements: Vec<DataElement<InMemDicomObject>>) -> DataElement<InMemDicomObject> {
    DataElement::new(tag, VR::SQ, DataSetSequence::from(vec![item(elements)]))
}

fn text(tag: Tag, value: &str) -> DataElement<InMemDicomObject> {
    DataElement::new(tag, VR::DS, PrimitiveValue::from(value))
}

/// An enhanced MR of three frames, the last place first, whose places and scalings are told frame by frame.
fn enhanced() -> Slice {
    let frame = |place: i32| {
        let position = text(tags::IMAGE_POSITION_PATIENT, &format!("0\\0\\{}", 3 * place));
        let slope = text(tags::RESCALE_SLOPE, "2");
        let intercept = text(tags::RESCALE_INTERCEPT, "-5");
        item(vec![
            group(tags::PLANE_POSITION_SEQUENCE, vec![position]),
            group(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, vec![intercept, slope]),
        ])
    };
    let orientation = text(tags::IMAGE_ORIENTATION_PATIENT, "1\\0\\0\\0\\1\\0");
    let shared = item(vec![
        group(tags::PLANE_ORIENTATION_SEQUENCE, vec![orientation]),
        group(
            tags::PIXEL_MEASURES_SEQUENCE,
            vec![text(tags::SLICE_THICKNESS, "3"), text(tags::PIXEL_SPACING, "1.5\\1.25")],
        ),
    ]);
    let pixels: Vec<u16> = [3, 2, 1].into_iter().flat_map(ramp).collect();
    [
        tags::IMAGE_POSITION_PATIENT,
        tags::IMAGE_ORIENTATION_PATIENT,
        tags::PIXEL_SPACING,
        tags::SLICE_THICKNESS,
    ]
    .into_iter()
    .fold(Slice::mr(1), Slice::without)
    .uid(tags::SOP_CLASS_UID, "1.2.840.10008.5.1.4.1.1.4.1")
    .text(tags::NUMBER_OF_FRAMES, VR::IS, "3")
    .sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, vec![shared])
    .sequence(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, vec![frame(3), frame(2), frame(1)])
    .pixels16(&pixels)
}

#[test]
fn fault_71_an_enhanced_mr_is_read_frame_by_frame() {
    let series = Series::of([enhanced()]);
    let scan = io::open(series.path()).unwrap();
    assert_eq!(scan.geometry().dims(), [SIZE[0], SIZE[1], 3]);
    assert_eq!(scan.geometry().spacing_mm(), [1.25, 1.5, 3.0]);
    assert_eq!(firsts(&scan), [100.0, 200.0, 300.0]);
    assert_eq!((scan.scaling().slope, scan.scaling().intercept), (2.0, -5.0));
    assert_eq!(scan.geometry().world_from_voxel().w_axis.z, 3.0);
}

#[test]
fn fault_71_compressed_frames_come_from_their_own_fragments() {
    let frames = [3, 2, 1].map(|number| run_length(&ramp(number)));
    let (_folder, path) = crate::dicom_file::saved(&enhanced().fragments(&frames).bytes(RLE));
    assert_eq!(firsts(&io::open(&path).unwrap()), [100.0, 200.0, 300.0]);
    // Two fragments for three frames, and no table of which is whose.
    let (_folder, path) = crate::dicom_file::saved(&enhanced().fragments(&frames[..2]).bytes(RLE));
    let message = io::open(&path).unwrap_err().to_string();
    assert!(message.contains("3 frames in 2 fragments"), "{message}");
}

#[test]
fn fault_71_frames_without_places_are_refused_by_the_name_of_their_class() {
    let frames = enhanced().without(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    let (_folder, path) = crate::dicom_file::saved(&frames.bytes(EXPLICIT));
    let message = io::open(&path).unwrap_err().to_string();
    assert!(message.contains("3 frames of Enhanced MR Image Storage"), "{message}");
}
