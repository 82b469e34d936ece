//! MetaImage files of every kind open as their header says, or are refused for the right reason, and come back as they
//! were written.

#![allow(clippy::unwrap_used)]

#[path = "support/grids.rs"]
mod grids;
#[path = "support/real_scans.rs"]
mod real_scans;

use flate2::{Compression, write::ZlibEncoder};
use glam::DVec3;
use grids::{every_type, oblique, plain, round_trip, scaled};
use mindgap::volume::io::{self, IoError, OpenOptions};
use mindgap::volume::{Flag, Modality, Scan, Voxels, geometry_equal};
use std::io::Write;

/// 3 x 2 x 2 int16 voxels; each test adds or replaces lines.
const PLAIN: &[&str] = &[
    "ObjectType = Image",
    "NDims = 3",
    "BinaryData = True",
    "BinaryDataByteOrderMSB = False",
    "TransformMatrix = 1 0 0 0 1 0 0 0 1",
    "Offset = -10 20 30",
    "CenterOfRotation = 0 0 0",
    "AnatomicalOrientation = RAI",
    "ElementSpacing = 1.5 2 4",
    "DimSize = 3 2 2",
    "ElementType = MET_SHORT",
];

const COUNT: usize = 12;

/// `PLAIN` with the lines of `changes` in place of those of the same key, and `data` as the last line. A key without
/// value leaves the line out.
fn header(changes: &[&str], data: &str) -> String {
    let key = |line: &str| line.split(" = ").next().unwrap().trim_end_matches(" =").to_owned();
    let mut lines: Vec<String> = PLAIN.iter().map(|line| (*line).to_owned()).collect();
    for change in changes {
        match lines.iter_mut().find(|line| key(line) == key(change)) {
            Some(line) => *line = (*change).to_owned(),
            None => lines.push((*change).to_owned()),
        }
    }
    lines.retain(|line| !line.ends_with(" ="));
    format!("{}\nElementDataFile = {data}\n", lines.join("\n"))
}

fn file(changes: &[&str], data: &[u8]) -> Vec<u8> {
    [header(changes, "LOCAL").as_bytes(), data].concat()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn voxels() -> Vec<i16> {
    (-5..-5 + COUNT as i16).collect()
}

fn little(values: &[i16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn open_folder(files: &[(&str, &[u8])], options: &OpenOptions) -> Result<Scan, IoError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    io::open_with(&folder.path().join(files[0].0), options)
}

fn open_bytes(bytes: &[u8]) -> Result<Scan, IoError> {
    open_folder(&[("scan.bin", bytes)], &OpenOptions::default())
}

fn refusal(bytes: &[u8]) -> String {
    open_bytes(bytes).unwrap_err().to_string()
}

fn warns(scan: &Scan, words: &str) -> bool {
    scan.warnings.iter().any(|warning| warning.contains(words))
}

#[test]
fn an_itk_file_lies_where_the_patient_lies() {
    let scan = open_bytes(&file(&["Modality = MET_MOD_CT"], &little(&voxels()))).unwrap();
    assert_eq!(scan.voxels(), &Voxels::I16(voxels()));
    assert_eq!((scan.format.as_str(), scan.geometry().dims()), ("MetaImage", [3, 2, 2]));
    assert_eq!(scan.geometry().axcodes().unwrap(), "LPS");
    assert_eq!(scan.geometry().world_of(DVec3::ZERO), DVec3::new(10.0, -20.0, 30.0));
    assert_eq!(scan.geometry().spacing_mm(), [1.5, 2.0, 4.0]);
    assert_eq!((scan.modality, scan.warnings.len()), (Some(Modality::Ct), 0));
}

#[test]
fn a_row_of_the_matrix_is_the_direction_of_an_axis_under_any_of_its_names() {
    for name in ["TransformMatrix", "Rotation", "Orientation"] {
        for origin in ["Offset", "Position", "Origin"] {
            let matrix = format!("{name} = 0.6 0.8 0 -0.8 0.6 0 0 0 1");
            let offset = format!("{origin} = -10 20 30");
            let changes = ["TransformMatrix =", "Offset =", &matrix, &offset];
            let scan = open_bytes(&file(&changes, &little(&voxels()))).unwrap();
            let first = scan.geometry().world_of(DVec3::ZERO);
            let step = scan.geometry().world_of(DVec3::X) - first;
            assert_eq!(first, DVec3::new(10.0, -20.0, 30.0));
            assert!(step.distance(DVec3::new(-0.9, -1.2, 0.0)) < 1e-12, "{step}");
        }
    }
}

#[test]
fn what_the_file_does_not_say_is_not_known() {
    let bare = open_bytes(&file(&["TransformMatrix ="], &little(&voxels()))).unwrap();
    assert!(!bare.geometry().orientation_known() && warns(&bare, "left and right are unknown"));
    assert_eq!(bare.geometry().spacing_mm(), [1.5, 2.0, 4.0]);
    for matrix in ["TransformMatrix = 1 0 0 2 0 0 0 0 1", "TransformMatrix = nan 0 0 0 1 0 0 0 1"] {
        let singular = open_bytes(&file(&[matrix], &little(&voxels()))).unwrap();
        assert!(!singular.geometry().orientation_known() && warns(&singular, "singular"));
    }
    for spacing in ["ElementSpacing =", "ElementSpacing = 0 1 1", "ElementSpacing = 1 1 inf"] {
        let scan = open_bytes(&file(&[spacing], &little(&voxels()))).unwrap();
        assert!(!scan.geometry().spacing_known() && warns(&scan, "1 mm was assumed"), "{spacing}");
    }
    let size = ["ElementSpacing =", "ElementSize = 1.5 -2 4"];
    let scan = open_bytes(&file(&size, &little(&voxels()))).unwrap();
    assert!(scan.geometry().spacing_mm() == [1.5, 2.0, 4.0] && warns(&scan, "negative"));
    let flat =
        ["NDims = 2", "DimSize = 3 4", "TransformMatrix = 1 0 0 1", "Offset = 0 0", "ElementSpacing = 1 2"];
    let scan = open_bytes(&file(&flat, &little(&voxels()))).unwrap();
    assert_eq!((scan.geometry().dims(), scan.geometry().voxel_ml()), ([3, 4, 1], None));
}

#[test]
fn every_type_is_read_in_both_byte_orders_compressed_and_as_text() {
    macro_rules! check {
        ($variant:ident, $type:ty, [$($name:literal),*]) => {
            let values: Vec<$type> = (1..=COUNT as u8).map(|n| n as $type * (<$type>::MAX / 13 as $type)).collect();
            for name in [$($name),*] {
                let kind = format!("ElementType = {name}");
                for key in ["BinaryDataByteOrderMSB", "ElementByteOrderMSB"] {
                    for big in [false, true] {
                        let order = |v: &$type| if big { v.to_be_bytes() } else { v.to_le_bytes() };
                        let data: Vec<u8> = values.iter().flat_map(order).collect();
                        let packed = zlib(&data);
                        let big = format!("{key} = {}", if big { "True" } else { "False" });
                        let size = format!("CompressedDataSize = {}", packed.len());
                        let remove = "BinaryDataByteOrderMSB =";
                        for (more, data) in [(&[][..], &data), (&["CompressedData = True", &size], &packed)] {
                            let changes = [&[kind.as_str(), remove, &big], more].concat();
                            let scan = open_bytes(&file(&changes, data)).unwrap();
                            assert_eq!(scan.voxels(), &Voxels::$variant(values.clone()), "{kind}, {big}");
                        }
                    }
                }
                let text: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
                let scan = open_bytes(&file(&[&kind, "BinaryData = False"], text.join(" ").as_bytes())).unwrap();
                assert_eq!(scan.voxels(), &Voxels::$variant(values.clone()), "{kind} as text");
            }
        };
    }
    check!(I8, i8, ["MET_CHAR"]);
    check!(U8, u8, ["MET_UCHAR"]);
    check!(I16, i16, ["MET_SHORT"]);
    check!(U16, u16, ["MET_USHORT"]);
    check!(I32, i32, ["MET_INT", "MET_LONG"]);
    check!(U32, u32, ["MET_UINT", "MET_ULONG"]);
    check!(I64, i64, ["MET_LONG_LONG"]);
    check!(U64, u64, ["MET_ULONG_LONG"]);
    check!(F32, f32, ["MET_FLOAT"]);
    check!(F64, f64, ["MET_DOUBLE"]);
}

#[test]
fn voxels_in_other_files_are_one_file_a_list_or_a_pattern() {
    let data = little(&voxels());
    let (first, second) = data.split_at(12);
    let padded = [&b"a header "[..], &data].concat();
    let plain = |changes: &[&str], name: &str| header(changes, name);
    for (text, files) in [
        (plain(&[], "a.raw"), vec![("a.raw", data.clone())]),
        (plain(&["HeaderSize = 9"], "a.raw"), vec![("a.raw", padded.clone())]),
        (plain(&["HeaderSize = -1"], "a.raw"), vec![("a.raw", padded)]),
        (plain(&["CompressedData = True"], "a.zraw"), vec![("a.zraw", zlib(&data))]),
        (plain(&[], "LIST\nx.raw\ny.raw"), vec![("x.raw", first.to_vec()), ("y.raw", second.to_vec())]),
        (plain(&[], "s%02d.raw 3 4 1"), vec![("s03.raw", first.to_vec()), ("s04.raw", second.to_vec())]),
    ] {
        let mut all: Vec<(&str, &[u8])> = vec![("a.mhd", text.as_bytes())];
        all.extend(files.iter().map(|(name, bytes)| (*name, bytes.as_slice())));
        let scan = open_folder(&all, &OpenOptions::default()).unwrap();
        assert_eq!(scan.voxels(), &Voxels::I16(voxels()), "{}", files[0].0);
    }
    let refused = |name: &str| {
        open_folder(&[("a.mhd", header(&[], name).as_bytes())], &OpenOptions::default())
            .unwrap_err()
            .to_string()
    };
    assert!(refused("gone.raw").contains("gone.raw not found"));
    assert!(refused("/dev/zero").contains("relative to the header"));
    assert!(refused("LIST").contains("a number of files that divides 12 voxels"));
    assert!(refused("s%d.raw 1 9223372036854775807 1").contains("data file"));
}

#[test]
fn a_fourth_dimension_and_channels_are_choices_and_colours_are_luminance() {
    let option = |volume| OpenOptions { volume: Some(volume), ..Default::default() };
    let times = [
        "NDims = 4",
        "DimSize = 3 2 2 2",
        "TransformMatrix = 1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1",
        "Offset = -10 20 30 0",
        "ElementSpacing = 1.5 2 4 1",
    ];
    let data: Vec<i16> = (0..24).collect();
    for volume in 0..2 {
        let bytes = file(&times, &little(&data));
        let scan = open_folder(&[("a.mha", &bytes)], &option(volume)).unwrap();
        assert_eq!(scan.voxels(), &Voxels::I16(data[volume * 12..][..12].to_vec()));
        assert_eq!((scan.volume, scan.volumes), (volume, 2));
        assert_eq!(scan.geometry().axcodes().unwrap(), "LPS");
        let channels = file(&["ElementNumberOfChannels = 2"], &little(&data));
        let scan = open_folder(&[("a.mha", &channels)], &option(volume)).unwrap();
        let expected: Vec<i16> = data.iter().copied().skip(volume).step_by(2).collect();
        assert_eq!(scan.voxels(), &Voxels::I16(expected));
    }
    for (pixel, luminance) in [(&[255, 0, 0][..], 54), (&[0, 0, 255, 9], 18)] {
        let channels = format!("ElementNumberOfChannels = {}", pixel.len());
        let changes = ["ElementType = MET_UCHAR", &channels];
        let scan = open_bytes(&file(&changes, &pixel.repeat(COUNT))).unwrap();
        assert_eq!(
            (scan.voxels(), scan.flags.as_slice()),
            (&Voxels::U8(vec![luminance; COUNT]), &[Flag::Colour][..])
        );
    }
}

#[test]
fn truncated_damaged_endless_and_impossible_data_are_refused() {
    let data = little(&voxels());
    let whole = file(&[], &data);
    let cut = refusal(&whole[..whole.len() - 1]);
    assert!(cut.contains(&format!("expected {} bytes, found {}", whole.len(), whole.len() - 1)), "{cut}");
    let packed = zlib(&data);
    let with = |bytes: &[u8]| file(&["CompressedData = True"], bytes);
    for end in [1, 4, 6, packed.len() - 4] {
        assert!(refusal(&with(&packed[..packed.len() - end])).contains("truncated"), "{end}");
    }
    let mut flipped = packed.clone();
    *flipped.last_mut().unwrap() ^= 1;
    assert!(refusal(&with(&flipped)).contains("damaged"));
    assert!(refusal(&with(&zlib(&vec![0; 5_000_000]))).contains("more than 1.0 MB"));
    let sized =
        |sizes: &str, more: &str| refusal(&file(&[&format!("DimSize = {sizes}"), more], &[0x78, 0x9c, 0]));
    assert!(sized("4294967296 4294967296 4294967296", "").contains("fewer voxels than memory"));
    assert!(sized("32767 32767 32767", "").contains("are free"));
    assert!(sized("1000 1000 10", "").contains("truncated"));
    assert!(sized("1000 1000 10", "CompressedData = True").contains("cannot hold"));
    assert!(sized("1000 1000 10", "BinaryData = False").contains("truncated"));
}

#[test]
fn fields_that_are_missing_doubled_or_unknown_are_named() {
    for (line, words) in [
        ("ObjectType = Tube", "expected Image, got Tube"),
        ("NDims = 5", "NDims: expected 2 to 4, got 5"),
        ("NDims = -1", "NDims"),
        ("DimSize = 3 2", "DimSize: expected 3 numbers"),
        ("DimSize = 3 2 -2", "DimSize"),
        ("DimSize = 3 2 0", "DimSize[2]: expected a size of at least 1"),
        ("DimSize =", "DimSize: expected a line"),
        ("ElementType = MET_STRING", "MET_STRING"),
        ("ElementType =", "ElementType: expected a line"),
        ("BinaryData = perhaps", "expected True or False"),
        ("HeaderSize = -2", "HeaderSize"),
        ("TransformMatrix = 1 0 0", "TransformMatrix: expected 9 numbers"),
        ("Offset = 1 2", "Offset: expected 3 numbers"),
        ("DimSize = 3 2 2\nDimSize = 3 2 2", "expected one line"),
        ("just words", "Key = Value"),
    ] {
        let error = refusal(&file(&[line], &little(&voxels())));
        assert!(error.contains(words), "{line}: {error}");
    }
    assert!(refusal(b"ObjectType = Image\nNDims = 3\n").contains("ElementDataFile"));
    let endless = [b"ObjectType = Image\n".to_vec(), vec![b'a'; 5 << 20]].concat();
    assert!(refusal(&endless).contains("a header of at most"));
}

#[test]
fn every_orientation_comes_back_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scan.mha");
    for grid in grids::grids() {
        let (receipt, read) = round_trip(&path, &plain(&grid));
        assert!(geometry_equal(read.geometry(), &grid, 1e-9), "{:?}", grid.axcodes());
        assert!(receipt.grid.unwrap().corner_distance_mm < 1e-9);
        assert_eq!((read.voxels(), read.warnings.len()), (plain(&grid).voxels(), 0));
    }
}

#[test]
fn every_type_comes_back_and_scales_are_applied() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scan.mha");
    for scan in every_type(&oblique()) {
        let (_, read) = round_trip(&path, &scan);
        assert_eq!(read.voxels().dtype(), scan.voxels().dtype());
        for n in 0..60 {
            assert_eq!(read.voxels().value(n).to_bits(), scan.voxels().value(n).to_bits());
        }
    }
    for (scan, dtype) in scaled(&oblique()) {
        let (_, read) = round_trip(&path, &scan);
        assert_eq!(read.voxels().dtype().name(), dtype);
        assert_eq!(read.to_f32().voxels(), scan.to_f32().voxels());
    }
}

#[test]
fn an_unknown_orientation_is_not_written_as_if_it_were_known() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scan.mha");
    for grid in [oblique().with_unknown_orientation(), oblique().with_unknown_spacing()] {
        let error = io::write_scan(&path, &plain(&grid)).unwrap_err().to_string();
        assert!(error.contains("save it as .nii.gz or .nrrd") && !path.exists(), "{error}");
    }
}

#[test]
fn a_file_of_another_program_is_read_as_that_program_reads_it() {
    let Some(data) = real_scans::real_scans() else { return };
    let scan = io::open(&data.join("io_conformance/niivue/mha.mha")).unwrap();
    assert_eq!((scan.geometry().dims(), scan.voxels().dtype().name()), ([64, 64, 37], "int16"));
    assert_eq!(scan.geometry().axcodes().unwrap(), "LAS");
    let first = scan.geometry().world_of(DVec3::ZERO);
    assert!(first.distance(DVec3::new(108.281, -82.3795, -47.8356)) < 1e-9, "{first}");
}
