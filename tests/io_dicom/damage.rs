//! Files that are written down oddly, or lie (faults 68 to 70 and 72).

use crate::dicom_file::{BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, SIZE, Series, Slice, ramp, saved};
use dicom_core::VR;
use dicom_dictionary_std::tags;
use mindgap::volume::io::{self, OpenOptions, SeriesKind};

fn message_of(bytes: &[u8]) -> String {
    let (_folder, path) = saved(bytes);
    io::open(&path).unwrap_err().to_string()
}

/// Opens a file of one slice and compares its pixels with those of [`Slice::ct`] 7.
fn assert_opens(bytes: &[u8], what: &str) {
    let (_folder, path) = saved(bytes);
    let scan = io::open(&path).unwrap_or_else(|error| panic!("{what}: {error}"));
    let stored: Vec<f64> = (0..SIZE[0] * SIZE[1]).map(|n| scan.voxels().value(n)).collect();
    assert_eq!(stored, ramp(7).into_iter().map(f64::from).collect::<Vec<_>>(), "{what}");
    assert_eq!(scan.geometry().world_from_voxel().w_axis.to_array(), [10.0, 20.0, 14.0, 1.0], "{what}");
}

/// Where the data set starts in a file that `dicom-object` wrote.
fn data_set_of(bytes: &[u8]) -> usize {
    let length = u32::from_le_bytes(bytes[140..144].try_into().unwrap());
    144 + length as usize
}

fn find(bytes: &[u8], pattern: &[u8]) -> usize {
    bytes.windows(pattern.len()).position(|window| window == pattern).unwrap()
}

#[test]
fn fault_69_every_way_to_write_elements_down_loads() {
    for syntax in [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED] {
        assert_opens(&Slice::ct(7).bytes(syntax), syntax);
    }
}

#[test]
fn fault_69_files_without_preamble_or_meta_group_load() {
    for syntax in [EXPLICIT, IMPLICIT, BIG_ENDIAN] {
        let bytes = Slice::ct(7).bytes(syntax);
        assert_opens(&bytes[data_set_of(&bytes)..], &format!("bare {syntax}"));
        assert_opens(&bytes[132..], &format!("without preamble, {syntax}"));
        assert_opens(&bytes[128..], &format!("without preamble but with magic, {syntax}"));
    }
}

#[test]
fn fault_69_an_implicit_data_set_that_claims_to_be_explicit_loads() {
    let mut bytes = Slice::ct(7).bytes(EXPLICIT);
    let implicit = Slice::ct(7).bytes(IMPLICIT);
    bytes.truncate(data_set_of(&bytes));
    bytes.extend(&implicit[data_set_of(&implicit)..]);
    assert_opens(&bytes, "implicit as explicit");
}

#[test]
fn fault_69_odd_lengths_load() {
    let bytes = Slice::ct(7).bytes(EXPLICIT);
    // "Thorax" loses a letter, and its length becomes odd.
    let at = find(&bytes, b"Thorax");
    let mut odd = bytes.clone();
    odd[at - 2] = 5;
    odd.remove(at);
    assert_opens(&odd, "odd length");
}

#[test]
fn fault_69_elements_whose_type_a_program_did_not_know_are_read_all_the_same() {
    let mut bytes = Slice::ct(7).bytes(EXPLICIT);
    // Rows and Columns: unknown types have a length of four bytes, after two of zero.
    for element in [[0x28, 0, 0x10, 0], [0x28, 0, 0x11, 0]] {
        let at = find(&bytes, &[&element[..], b"US"].concat()) + 4;
        bytes.splice(at..at + 4, *b"UN\0\0\x02\0\0\0");
    }
    assert_opens(&bytes, "unknown types");
}

#[test]
fn fault_68_pixels_that_do_not_fill_the_rows_are_refused_and_named() {
    let series = Series::of([Slice::ct(1), Slice::ct(2).pixels16(&[1, 2, 3]), Slice::ct(3)]);
    let message = io::open(series.path()).unwrap_err().to_string();
    assert!(message.contains("998.dcm: PixelData: expected 24 bytes for 3 rows of 4 pixels"), "{message}");
    assert!(message.contains("got 6 bytes"), "{message}");
}

#[test]
fn fault_68_huge_claims_are_refused_before_memory_is_taken() {
    let huge = Slice::ct(1).count(tags::ROWS, 65535).count(tags::COLUMNS, 65535);
    let message = message_of(&huge.clone().bytes(EXPLICIT));
    assert!(message.contains("65535 rows of 65535 pixels") || message.contains("of memory"), "{message}");
    let rle = huge.fragments(&[vec![0; 100]]).bytes("1.2.840.10008.1.2.5");
    let message = message_of(&rle);
    assert!(message.contains("RLE") || message.contains("of memory"), "{message}");
}

#[test]
fn fault_70_a_file_cut_off_anywhere_is_an_error_or_whole() {
    let bytes = Slice::ct(7).bytes(EXPLICIT);
    let (_folder, path) = saved(&bytes);
    for length in (0..bytes.len()).step_by(3) {
        std::fs::write(&path, &bytes[..length]).unwrap();
        assert!(io::open(&path).is_err(), "cut to {length} of {} bytes", bytes.len());
    }
}

#[test]
fn fault_70_a_damaged_byte_never_ends_the_program() {
    let bytes = Slice::ct(7).bytes(EXPLICIT);
    let (_folder, path) = saved(&bytes);
    for at in 128..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0xFF;
        std::fs::write(&path, &damaged).unwrap();
        // Whether it opens depends on the byte; that it returns is what counts.
        if let Ok(scan) = io::open(&path) {
            assert_eq!(scan.voxels().len(), scan.geometry().len());
        }
    }
}

#[test]
fn fault_70_a_length_beyond_the_file_is_named() {
    let mut bytes = Slice::ct(7).bytes(EXPLICIT);
    let at = find(&bytes, b"Thorax");
    bytes[at - 2..at].copy_from_slice(&60_000u16.to_le_bytes());
    let message = message_of(&bytes);
    assert!(message.contains("(0008,103E) claims 60000 bytes"), "{message}");
}

#[test]
fn fault_70_sequences_nested_without_end_are_an_error_and_not_a_crash() {
    let bytes = Slice::ct(7).bytes(IMPLICIT);
    let start = data_set_of(&bytes);
    let nested: Vec<u8> =
        [0x08, 0, 0x40, 0x11, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE, 0xFF, 0, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF]
            .repeat(500_000);
    let message = message_of(&[&bytes[..start], &nested, &bytes[start..]].concat());
    assert!(message.contains("nested more than"), "{message}");
}

#[test]
fn a_damaged_file_of_a_series_is_listed_and_named_when_the_rest_is_opened() {
    let series = Series::of((1..=3).map(Slice::ct));
    let whole = std::fs::read(series.file("997.dcm")).unwrap();
    std::fs::write(series.file("997.dcm"), &whole[..300]).unwrap();
    let listed = io::list_series(series.path()).unwrap();
    assert_eq!((listed[1].kind, listed[1].files), (SeriesKind::Unreadable, 1));
    let scan = io::open(series.path()).unwrap();
    assert!(scan.warnings.iter().any(|warning| warning.contains("997.dcm")), "{:?}", scan.warnings);
}

#[test]
fn fault_72_no_message_list_or_debug_output_tells_the_patient() {
    let series =
        Series::of((1..=3).map(|n| Slice::ct(n).text(tags::SERIES_DESCRIPTION, VR::LO, "Secret^Name")));
    series.add("b", [Slice::ct(8).uid(tags::SERIES_INSTANCE_UID, "9.9").without(tags::PIXEL_DATA)]);
    series.add("c", [Slice::ct(9).pixels16(&[1])]);
    let listed = io::list_series(series.path()).unwrap();
    let asked = OpenOptions { series: Some("7".to_owned()), ..OpenOptions::default() };
    let outputs = [
        format!("{listed:?}"),
        listed.iter().flat_map(|info| info.warnings.clone()).collect(),
        io::open(series.path()).unwrap_err().to_string(),
        io::open_with(series.path(), &asked).unwrap_err().to_string(),
        format!("{:?}", io::open(&series.file("999.dcm")).unwrap().warnings),
        format!("{:?}", io::read_header(&series.file("999.dcm"), &OpenOptions::default()).unwrap()),
    ];
    for output in outputs {
        assert!(!output.contains("Secret") && !output.contains("SECRET"), "{output}");
    }
}
