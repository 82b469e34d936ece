//! What stored pixels mean: scaling, bits, sign, padding, colour, compression (faults 65 to 67).

use crate::dicom_file::{BIG_ENDIAN, EXPLICIT, SIZE, Series, Slice, ramp, saved};
use crate::lossless_jpeg;
use dicom_core::VR;
use dicom_dictionary_std::tags;
use mindgap::volume::io::{self, SeriesKind};
use mindgap::volume::{DType, Flag, Scan, Voxels};

pub const RLE: &str = "1.2.840.10008.1.2.5";
const JPEG_BASELINE: &str = "1.2.840.10008.1.2.4.50";
const JPEG_LOSSLESS: &str = "1.2.840.10008.1.2.4.70";
const JPEG_LS: &str = "1.2.840.10008.1.2.4.80";
const JPEG_2000: &str = "1.2.840.10008.1.2.4.90";
const HTJ2K: &str = "1.2.840.10008.1.2.4.201";

fn open(slice: Slice, syntax: &str) -> Scan {
    let (_folder, path) = saved(&slice.bytes(syntax));
    io::open(&path).unwrap()
}

fn stored(scan: &Scan) -> Vec<f64> {
    (0..scan.voxels().len()).map(|n| scan.voxels().value(n)).collect()
}

fn numbers<T: Into<f64> + Copy>(values: &[T]) -> Vec<f64> {
    values.iter().map(|value| (*value).into()).collect()
}

/// Pixels that take all of 16 bits.
fn wide() -> Vec<u16> {
    (0..12).map(|n: u16| n.wrapping_mul(5461).wrapping_add(17)).collect()
}

fn sixteen_bits(slice: Slice) -> Slice {
    slice.count(tags::BITS_STORED, 16).count(tags::HIGH_BIT, 15)
}

#[test]
fn fault_66_a_ct_without_rescale_is_flagged_and_an_mr_is_not() {
    let bare = |slice: Slice| slice.without(tags::RESCALE_SLOPE).without(tags::RESCALE_INTERCEPT);
    let ct = open(bare(Slice::ct(1)), EXPLICIT);
    assert_eq!(ct.flags, [Flag::NotHounsfield]);
    assert_eq!(ct.value(0, 0, 0), 100.0);
    assert!(open(Slice::mr(1), EXPLICIT).flags.is_empty());
    let unit = |unit: &str| open(Slice::ct(1).text(tags::RESCALE_TYPE, VR::LO, unit), EXPLICIT);
    assert_eq!(unit("MGML").flags, [Flag::NotHounsfield]);
    assert!(unit("HU").flags.is_empty() && unit("HU").warnings.is_empty());
    assert!(unit("US").flags.is_empty() && unit("US").warnings[0].contains("unspecified"));
}

#[test]
fn fault_66_a_scaling_for_each_slice_is_applied_slice_by_slice() {
    let slope = |n: i32| {
        Slice::ct(n).text(tags::MODALITY, VR::CS, "PT").text(tags::RESCALE_SLOPE, VR::DS, &n.to_string())
    };
    let scan = io::open(Series::of((1..=3).map(slope)).path()).unwrap();
    assert_eq!(scan.voxels().dtype(), DType::F32);
    for k in 0..3 {
        let expected = f32::from(ramp(k + 1)[5]) * (k + 1) as f32 - 1000.0;
        assert_eq!(scan.value(1, 1, k as usize), expected);
    }
    assert_eq!(scan.scaling().slope, 1.0);
    assert!(scan.warnings.iter().any(|warning| warning.contains("scaling of its own")));
    let header = {
        let series = Series::of((1..=3).map(slope));
        io::read_header(series.path(), &io::OpenOptions::default()).unwrap()
    };
    assert_eq!(header.dtype, DType::F32);
}

#[test]
fn fault_67_unused_high_bits_are_cut_off_and_the_sign_is_extended() {
    // An overlay in the four high bits, as old scanners stored it.
    let garbage: Vec<u16> = ramp(1).iter().map(|value| value | 0xA000).collect();
    assert_eq!(stored(&open(Slice::ct(1).pixels16(&garbage), EXPLICIT)), numbers(&ramp(1)));
    let signed = |values: &[u16]| Slice::ct(1).count(tags::PIXEL_REPRESENTATION, 1).pixels16(values);
    let twelve: Vec<u16> = (0..12).map(|n: u16| 0x0FFF - n).collect();
    let scan = open(signed(&twelve), EXPLICIT);
    assert_eq!(scan.voxels().dtype(), DType::I16);
    assert_eq!(stored(&scan), (0..12).map(|n| -1.0 - f64::from(n)).collect::<Vec<_>>());
    // Twelve bits at the top of sixteen.
    let shifted: Vec<u16> = ramp(1).iter().map(|value| value << 4 | 5).collect();
    assert_eq!(
        stored(&open(Slice::ct(1).count(tags::HIGH_BIT, 15).pixels16(&shifted), EXPLICIT)),
        numbers(&ramp(1))
    );
}

#[test]
fn bytes_load_in_both_byte_orders() {
    let values: Vec<u8> = (0..12).map(|n| n * 21).collect();
    let bytes = |slice: Slice| {
        slice.count(tags::BITS_ALLOCATED, 8).count(tags::BITS_STORED, 8).count(tags::HIGH_BIT, 7)
    };
    for syntax in [EXPLICIT, BIG_ENDIAN] {
        let scan = open(bytes(Slice::ct(1)).pixels8(&values), syntax);
        assert_eq!(scan.voxels(), &Voxels::U8(values.clone()), "{syntax}");
    }
}

#[test]
fn fault_67_padding_is_told_with_its_sign_and_range() {
    let signed = Slice::ct(1)
        .count(tags::PIXEL_REPRESENTATION, 1)
        .count(tags::PIXEL_PADDING_VALUE, (-2000_i16) as u16);
    assert_eq!(open(signed, EXPLICIT).padding, Some([-2000.0, -2000.0]));
    let range = Slice::ct(1).count(tags::PIXEL_PADDING_VALUE, 0).count(tags::PIXEL_PADDING_RANGE_LIMIT, 7);
    assert_eq!(open(range, EXPLICIT).padding, Some([0.0, 7.0]));
}

#[test]
fn monochrome1_is_flagged_and_its_values_are_left_alone() {
    let scan = open(Slice::ct(1).text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME1"), EXPLICIT);
    assert_eq!(scan.flags, [Flag::DrawnInverted]);
    assert_eq!(stored(&scan), numbers(&ramp(1)));
}

fn colour(photometric: &str, planar: u16, samples: &[u8]) -> Slice {
    [(tags::SAMPLES_PER_PIXEL, 3), (tags::PLANAR_CONFIGURATION, planar)]
        .into_iter()
        .chain([(tags::BITS_ALLOCATED, 8), (tags::BITS_STORED, 8), (tags::HIGH_BIT, 7)])
        .fold(Slice::ct(1), |slice, (tag, count)| slice.count(tag, count))
        .text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, photometric)
        .pixels8(samples)
}

#[test]
fn colours_become_their_luminance_and_are_flagged() {
    let pixels: Vec<[u8; 3]> = (0..12).map(|n| [n * 20, 255 - n * 20, 100]).collect();
    let luminance: Vec<f64> = pixels
        .iter()
        .map(|[r, g, b]| (0.299 * f64::from(*r) + 0.587 * f64::from(*g) + 0.114 * f64::from(*b)).round())
        .collect();
    let by_pixel: Vec<u8> = pixels.iter().flatten().copied().collect();
    let by_plane: Vec<u8> = (0..3).flat_map(|c| pixels.iter().map(move |pixel| pixel[c])).collect();
    for (planar, samples) in [(0, by_pixel), (1, by_plane)] {
        let scan = open(colour("RGB", planar, &samples), EXPLICIT);
        assert!(scan.flags.contains(&Flag::Colour));
        assert_eq!(stored(&scan), luminance, "planar configuration {planar}");
        let ybr = open(colour("YBR_FULL", planar, &samples), EXPLICIT);
        assert_eq!(stored(&ybr), pixels.iter().map(|pixel| f64::from(pixel[0])).collect::<Vec<_>>());
    }
    let (_folder, path) = saved(&colour("PALETTE COLOR", 0, &[0; 36]).bytes(EXPLICIT));
    assert!(io::open(&path).unwrap_err().to_string().contains("PALETTE COLOR"));
}

/// One frame of RLE: a segment of high bytes, one of low bytes, each as literal runs.
pub fn run_length(values: &[u16]) -> Vec<u8> {
    let pack = |bytes: Vec<u8>| {
        // The second half repeats nothing; a run of two shows that runs are understood.
        let mut packed = vec![bytes.len() as u8 - 3];
        packed.extend(&bytes[..bytes.len() - 2]);
        packed.extend([1, bytes[bytes.len() - 2], bytes[bytes.len() - 1], 0x80]);
        packed
    };
    let high = pack(values.iter().map(|value| (value >> 8) as u8).collect());
    let low = pack(values.iter().map(|value| *value as u8).collect());
    let mut frame = vec![0; 64];
    for (word, number) in [2, 64, 64 + high.len() as u32].into_iter().enumerate() {
        frame[4 * word..4 * word + 4].copy_from_slice(&number.to_le_bytes());
    }
    [frame, high, low].concat()
}

#[test]
fn run_length_lossless_jpeg_and_jpeg_ls_give_back_every_value() {
    let mut jpeg_ls = Vec::new();
    jpegls::encode(&wide(), SIZE[0] as u32, SIZE[1] as u32, &mut jpeg_ls).unwrap();
    let lossless = lossless_jpeg::encode(&wide(), SIZE[0], SIZE[1]);
    for (syntax, frame) in [(RLE, run_length(&wide())), (JPEG_LOSSLESS, lossless), (JPEG_LS, jpeg_ls)] {
        let unsigned = sixteen_bits(Slice::ct(1)).fragments(std::slice::from_ref(&frame));
        assert_eq!(stored(&open(unsigned, syntax)), numbers(&wide()), "{syntax}");
        let signed = sixteen_bits(Slice::ct(1)).count(tags::PIXEL_REPRESENTATION, 1).fragments(&[frame]);
        let expected: Vec<i16> = wide().iter().map(|value| *value as i16).collect();
        assert_eq!(stored(&open(signed, syntax)), numbers(&expected), "{syntax}, signed");
    }
}

#[test]
fn a_run_in_run_length_data_repeats_its_byte() {
    let mut frame = vec![0; 64];
    for (word, number) in [2_u32, 64, 66].into_iter().enumerate() {
        frame[4 * word..4 * word + 4].copy_from_slice(&number.to_le_bytes());
    }
    // 1 - (-11) = 12 times 3, then 12 times 7.
    frame.extend([(-11_i8) as u8, 3, (-11_i8) as u8, 7]);
    assert_eq!(stored(&open(Slice::ct(1).fragments(&[frame]), RLE)), [775.0; 12]);
}

#[test]
fn lossy_jpeg_comes_within_a_few_grey_levels() {
    let values: Vec<u8> = (0..12).map(|n| 60 + 10 * n).collect();
    let mut jpeg = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 100);
    encoder.encode(&values, SIZE[0] as u16, SIZE[1] as u16, jpeg_encoder::ColorType::Luma).unwrap();
    let slice = [(tags::BITS_ALLOCATED, 8), (tags::BITS_STORED, 8), (tags::HIGH_BIT, 7)]
        .into_iter()
        .fold(Slice::ct(1), |slice, (tag, count)| slice.count(tag, count));
    let scan = open(slice.fragments(&[jpeg]), JPEG_BASELINE);
    for (found, expected) in stored(&scan).iter().zip(values) {
        assert!((found - f64::from(expected)).abs() <= 3.0, "{found} instead of {expected}");
    }
}

/// Six rows of eight pixels, (37 j + 211 i) mod 4096, as a lossless JPEG 2000 codestream of 16 bits.
const CODESTREAM: &str = "ff4fff5100290000000000080000000600000000000000000000000800000006000000000000000000010f0101ff52000c\
    00000001000204040001ff5c000a4080888890888890ff90000a00000000003c0001ff93dff890500781575932a914f52489c01f98240007c2100cf6\
    fe72093fc00fc016001f50281bee1db1f70cbf501277ffd9";

fn codestream() -> Vec<u8> {
    (0..CODESTREAM.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&CODESTREAM[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn lossless_jpeg_2000_gives_back_every_value() {
    let slice = Slice::ct(1).count(tags::ROWS, 6).count(tags::COLUMNS, 8).fragments(&[codestream()]);
    let expected: Vec<f64> = (0..48).map(|n| f64::from((37 * (n / 8) + 211 * (n % 8)) % 4096)).collect();
    assert_eq!(stored(&open(slice, JPEG_2000)), expected);
}

/// Room for each of them would take more memory than there is.
#[test]
fn a_jpeg_2000_image_that_claims_thousands_of_components_is_refused_before_it_is_decoded() {
    let mut frame = codestream();
    frame[40..42].copy_from_slice(&16384_u16.to_be_bytes());
    let slice = Slice::ct(1).count(tags::ROWS, 6).count(tags::COLUMNS, 8).fragments(&[frame]);
    let (_folder, path) = saved(&slice.bytes(JPEG_2000));
    let message = io::open(&path).unwrap_err().to_string();
    assert!(message.contains("expected 1 components, got 16384"), "{message}");
}

#[test]
fn a_compressed_image_of_another_size_than_the_header_says_is_refused_and_never_filled_with_zeros() {
    let mut jpeg_ls = Vec::new();
    jpegls::encode(&wide(), SIZE[0] as u32, SIZE[1] as u32, &mut jpeg_ls).unwrap();
    let lossless = lossless_jpeg::encode(&wide(), SIZE[0], SIZE[1]);
    for (syntax, frame) in [(JPEG_LOSSLESS, lossless), (JPEG_LS, jpeg_ls), (JPEG_2000, codestream())] {
        let slice = Slice::ct(1).count(tags::ROWS, 5).fragments(&[frame]);
        let (_folder, path) = saved(&slice.bytes(syntax));
        let message = io::open(&path).unwrap_err().to_string();
        assert!(message.contains("the header says 5 rows of 4 pixels"), "{message}");
    }
}

#[test]
fn damaged_compressed_pixels_are_an_error_and_never_a_crash() {
    let mut jpeg_ls = Vec::new();
    jpegls::encode(&wide(), SIZE[0] as u32, SIZE[1] as u32, &mut jpeg_ls).unwrap();
    let lossless = lossless_jpeg::encode(&wide(), SIZE[0], SIZE[1]);
    let tall = || Slice::ct(1).count(tags::ROWS, 6).count(tags::COLUMNS, 8);
    let frames = [
        (RLE, Slice::ct(1), run_length(&wide())),
        (JPEG_LOSSLESS, Slice::ct(1), lossless),
        (JPEG_LS, Slice::ct(1), jpeg_ls),
        (JPEG_2000, tall(), codestream()),
    ];
    for (syntax, slice, frame) in frames {
        let open = |frame: Vec<u8>| {
            let (_folder, path) = saved(&sixteen_bits(slice.clone()).fragments(&[frame]).bytes(syntax));
            io::open(&path)
        };
        for at in 0..frame.len() {
            let mut damaged = frame.clone();
            damaged[at] ^= 0xFF;
            if let Ok(scan) = open(damaged) {
                assert_eq!(scan.voxels().len(), scan.geometry().len());
            }
        }
        // The last bytes may be a marker, or padding.
        for length in 0..frame.len() - 5 {
            assert!(open(frame[..length].to_vec()).is_err(), "{syntax} cut to {length} of {}", frame.len());
        }
    }
}

#[test]
fn fault_65_an_unsupported_compression_is_named_and_other_series_still_load() {
    let series = Series::of((1..=2).map(Slice::ct));
    for number in 1..=3 {
        let slice = Slice::ct(number).uid(tags::SERIES_INSTANCE_UID, "1.2.8").fragments(&[vec![0; 16]]);
        slice.write(&series.file(&format!("ht{number}.dcm")), HTJ2K);
    }
    let listed = io::list_series(series.path()).unwrap();
    assert_eq!((listed[1].id.as_str(), listed[1].kind), ("1.2.8", SeriesKind::Unreadable));
    let reason = &listed[1].warnings[0];
    assert!(
        reason.contains("High-Throughput JPEG 2000 (Lossless Only) (1.2.840.10008.1.2.4.201)"),
        "{reason}"
    );
    let scan = io::open(series.path()).unwrap();
    assert_eq!(scan.geometry().dims()[2], 2);
    assert!(scan.warnings.iter().any(|warning| warning.contains("A larger series cannot be read: 1.2.8")));
    let named = io::open(&series.file("ht1.dcm")).unwrap_err().to_string();
    assert!(named.contains("1.2.840.10008.1.2.4.201"), "{named}");
}
