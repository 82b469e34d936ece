//! NRRD files of every kind open as their header says, or are refused for the right reason.

#![allow(clippy::unwrap_used)]

#[path = "support/grids.rs"]
mod grids;

use flate2::{Compression, write::GzEncoder};
use glam::{DMat4, DVec3};
use grids::{every_type, oblique, plain, round_trip, scaled};
use mindgap::volume::io::{self, IoError, OpenOptions};
use mindgap::volume::{Flag, Geometry, LabelMap, LabelValueError, Scan, Task, Volume, Voxels};
use std::io::Write;
use std::path::Path;

/// A header of 3 x 2 x 2 int16 voxels in LPS, without encoding; each test adds or replaces lines.
const PLAIN: &[&str] = &[
    "NRRD0005",
    "# a comment",
    "type: short",
    "dimension: 3",
    "space: left-posterior-superior",
    "sizes: 3 2 2",
    "space directions: (1.5,0,0) (0,2,0) (0,0,4)",
    "kinds: domain domain domain",
    "endian: little",
    "encoding: raw",
    "space origin: (-10,20,30)",
];

const COUNT: usize = 12;

/// `PLAIN` with the lines of `changes` in place of those of the same field, or at its end.
fn header(changes: &[&str]) -> String {
    let field = |line: &str| line.split(':').next().unwrap().to_owned();
    let mut lines: Vec<String> = PLAIN.iter().map(|line| (*line).to_owned()).collect();
    for change in changes {
        match lines.iter_mut().find(|line| line.contains(':') && field(line) == field(change)) {
            Some(line) => *line = (*change).to_owned(),
            None => lines.push((*change).to_owned()),
        }
    }
    // A field without a value means that the line is left out.
    lines.retain(|line| !line.ends_with(": -"));
    lines.join("\n") + "\n\n"
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// -5, -4, ... as int16.
fn voxels() -> Vec<i16> {
    (-5..-5 + COUNT as i16).collect()
}

fn little(values: &[i16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn file(changes: &[&str], data: &[u8]) -> Vec<u8> {
    [header(changes).as_bytes(), data].concat()
}

fn open_bytes(bytes: &[u8]) -> Result<Scan, IoError> {
    open_with(bytes, &OpenOptions::default())
}

fn open_with(bytes: &[u8], options: &OpenOptions) -> Result<Scan, IoError> {
    let folder = tempfile::tempdir().unwrap();
    // The name says nothing; the bytes do.
    let path = folder.path().join("scan.bin");
    std::fs::write(&path, bytes).unwrap();
    io::open_with(&path, options)
}

fn refusal(bytes: &[u8]) -> String {
    open_bytes(bytes).unwrap_err().to_string()
}

fn warns(scan: &Scan, words: &str) -> bool {
    scan.warnings.iter().any(|warning| warning.contains(words))
}

#[test]
fn an_lps_file_lies_where_the_patient_lies() {
    let scan = open_bytes(&file(&[], &little(&voxels()))).unwrap();
    assert_eq!(scan.voxels(), &Voxels::I16(voxels()));
    assert_eq!((scan.format.as_str(), scan.geometry().dims()), ("NRRD", [3, 2, 2]));
    assert_eq!(scan.geometry().axcodes().unwrap(), "LPS");
    assert_eq!(scan.geometry().world_of(DVec3::ZERO), DVec3::new(10.0, -20.0, 30.0));
    assert_eq!(scan.geometry().spacing_mm(), [1.5, 2.0, 4.0]);
    assert_eq!(scan.warnings, Vec::<String>::new());
    assert!(scan.geometry().is_measurable());
}

#[test]
fn each_name_of_a_space_turns_left_right_front_and_back_its_own_way() {
    for (name, codes) in [
        ("right-anterior-superior", "RAS"),
        ("RAS", "RAS"),
        ("Left-Anterior-Superior", "LAS"),
        ("LAS", "LAS"),
        ("left posterior superior", "LPS"),
        ("LPS", "LPS"),
    ] {
        let scan = open_bytes(&file(&[&format!("space: {name}")], &little(&voxels()))).unwrap();
        assert_eq!(scan.geometry().axcodes().unwrap(), codes, "{name}");
    }
    for name in ["scanner-xyz", "3D-right-handed", "3D-left-handed", "left-of-nowhere"] {
        let scan = open_bytes(&file(&[&format!("space: {name}")], &little(&voxels()))).unwrap();
        assert_eq!(scan.geometry().axcodes(), None, "{name}");
        assert!(scan.geometry().spacing_known() && warns(&scan, "left and right are unknown"));
    }
}

#[test]
fn an_oblique_and_sheared_grid_keeps_every_number() {
    let directions = "space directions: (0.6,0.8,0.1) (-0.8,0.6,0) ( 0.25 , 0 , 3e0 )";
    let scan = open_bytes(&file(&[directions, "space: RAS"], &little(&voxels()))).unwrap();
    let expected = DMat4::from_cols(
        DVec3::new(0.6, 0.8, 0.1).extend(0.0),
        DVec3::new(-0.8, 0.6, 0.0).extend(0.0),
        DVec3::new(0.25, 0.0, 3.0).extend(0.0),
        DVec3::new(-10.0, 20.0, 30.0).extend(1.0),
    );
    assert_eq!(scan.geometry().world_from_voxel(), expected);
}

#[test]
fn metres_and_micrometres_become_millimetres() {
    for (unit, factor) in [("m", 1000.0), ("um", 0.001), ("cm", 10.0), ("mm", 1.0)] {
        let units = format!("space units: \"{unit}\" \"{unit}\" \"{unit}\"");
        let scan = open_bytes(&file(&[&units], &little(&voxels()))).unwrap();
        let spacing = scan.geometry().spacing_mm();
        assert!((spacing[2] - 4.0 * factor).abs() < 1e-9 * factor, "{unit}: {spacing:?}");
        assert_eq!(warns(&scan, "converted to mm"), unit != "mm");
    }
}

#[test]
fn without_directions_the_spacing_is_known_and_the_patient_is_not() {
    let bare = ["space: -", "space directions: -", "space origin: -"];
    let changes =
        [&bare[..], &["spacings: 1.5 2 4", "axis mins: 10 20 30", "centers: node cell cell"]].concat();
    let scan = open_bytes(&file(&changes, &little(&voxels()))).unwrap();
    assert_eq!(scan.geometry().spacing_mm(), [1.5, 2.0, 4.0]);
    assert_eq!(scan.geometry().world_of(DVec3::ZERO), DVec3::ZERO);
    assert!(!scan.geometry().orientation_known() && scan.geometry().spacing_known());

    let by_ends = [&bare[..], &["axis mins: 0 0 0", "axis maxs: 3 4 8", "centers: node cell cell"]].concat();
    let scan = open_bytes(&file(&by_ends, &little(&voxels()))).unwrap();
    assert_eq!(scan.geometry().spacing_mm(), [1.5, 2.0, 4.0]);

    for spacings in [&[][..], &["spacings: 1 NaN 1"], &["spacings: 0 1 1"]] {
        let scan = open_bytes(&file(&[&bare[..], spacings].concat(), &little(&voxels()))).unwrap();
        assert!(!scan.geometry().spacing_known() && warns(&scan, "1 mm was assumed"));
    }
    let singular = ["space directions: (1,0,0) (2,0,0) (0,0,1)", "spacings: 1.5 2 4"];
    let scan = open_bytes(&file(&singular, &little(&voxels()))).unwrap();
    assert!(!scan.geometry().orientation_known() && warns(&scan, "singular"));
}

#[test]
fn every_type_and_spelling_is_read_in_both_byte_orders() {
    macro_rules! check {
        ($variant:ident, $type:ty, [$($name:literal),*]) => {
            let values: Vec<$type> = (1..=COUNT as u8).map(|n| n as $type * (<$type>::MAX / 13 as $type)).collect();
            for name in [$($name),*] {
                for big in [false, true] {
                    let order = |v: &$type| if big { v.to_be_bytes() } else { v.to_le_bytes() };
                    let data: Vec<u8> = values.iter().flat_map(order).collect();
                    let (kind, endian) =
                        (format!("type: {name}"), format!("endian: {}", if big { "big" } else { "little" }));
                    for (encoding, data) in [("raw", data.clone()), ("gzip", gzip(&data))] {
                        let encoding = format!("encoding: {encoding}");
                        let scan = open_bytes(&file(&[&kind, &endian, &encoding], &data)).unwrap();
                        assert_eq!(scan.voxels(), &Voxels::$variant(values.clone()), "{kind}, {endian}");
                    }
                }
                let text: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
                let kind = format!("type: {name}");
                let scan = open_bytes(&file(&[&kind, "endian: -", "encoding: ascii"], text.join(" ").as_bytes()));
                assert_eq!(scan.unwrap().voxels(), &Voxels::$variant(values.clone()), "{name} as text");
            }
        };
    }
    check!(I8, i8, ["signed char", "int8", "int8_t"]);
    check!(U8, u8, ["uchar", "unsigned char", "uint8", "uint8_t"]);
    check!(I16, i16, ["short", "short int", "signed short", "signed short int", "int16", "int16_t"]);
    check!(U16, u16, ["ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"]);
    check!(I32, i32, ["int", "signed int", "int32", "int32_t"]);
    check!(U32, u32, ["uint", "unsigned int", "uint32", "uint32_t"]);
    check!(I64, i64, ["longlong", "long long", "long long int", "signed long long", "int64", "int64_t"]);
    check!(U64, u64, ["ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"]);
    check!(F32, f32, ["float"]);
    check!(F64, f64, ["double"]);
}

#[test]
fn text_with_commas_and_hexadecimal_bytes_are_numbers() {
    let text = "-5, -4,-3\t-2\r\n-1 0 1 2 3\n4 5 6\n";
    for name in ["ascii", "ASCII", "text", "txt"] {
        let scan = open_bytes(&file(&[&format!("encoding: {name}")], text.as_bytes())).unwrap();
        assert_eq!(scan.voxels(), &Voxels::I16(voxels()));
    }
    let hex: String = little(&voxels()).iter().map(|byte| format!("{byte:02X}\n")).collect();
    let scan = open_bytes(&file(&["encoding: hex"], hex.as_bytes())).unwrap();
    assert_eq!(scan.voxels(), &Voxels::I16(voxels()));

    let refused = |text: &str| refusal(&file(&["encoding: ascii"], text.as_bytes()));
    assert!(
        refused("1 2 3 4 5 6 7 8 9 10 11 70000")
            .contains("voxel 11: expected a number of type int16, got 70000")
    );
    assert!(refused("1 2 3 4 5 6 7 8 9 10 11.5 12").contains("voxel 10"));
    assert!(refused("100 200 300 400 500 600 700").contains("voxels: expected 12 numbers, got 7"));
    assert!(refused("1 2 3").contains("truncated"));
    let more = open_bytes(&file(&["encoding: ascii"], format!("{text} 7").as_bytes())).unwrap();
    assert!(warns(&more, "More numbers follow"));
}

#[test]
fn lines_and_bytes_before_the_voxels_are_passed_over() {
    let data = little(&voxels());
    let before = b"P5 a line\nanother\n\x00\x01\x02";
    let skipped = file(&["line skip: 2", "byte skip: 3"], &[&before[..], &data].concat());
    assert_eq!(open_bytes(&skipped).unwrap().voxels(), &Voxels::I16(voxels()));
    let last = file(&["byte skip: -1"], &[&before[..], &data].concat());
    assert_eq!(open_bytes(&last).unwrap().voxels(), &Voxels::I16(voxels()));
    // Lines are skipped in the file, bytes in what was compressed.
    let inside = gzip(&[&b"abc"[..], &data].concat());
    let compressed =
        file(&["encoding: gz", "line skip: 1", "byte skip: 3"], &[&b"a line\n"[..], &inside].concat());
    assert_eq!(open_bytes(&compressed).unwrap().voxels(), &Voxels::I16(voxels()));
    assert!(refusal(&file(&["line skip: 9000"], &data)).contains("9000 lines before the voxels"));
    assert!(refusal(&file(&["byte skip: 99999999999"], &data)).contains("truncated"));
    assert!(refusal(&file(&["byte skip: 18446744073709551615"], &data)).contains("byte skip"));
    assert!(refusal(&file(&["byte skip: -7"], &data)).contains("byte skip"));
}

#[test]
fn windows_line_ends_comments_pairs_and_unspaced_names_change_nothing() {
    let text = header(&["key with: colon:=C:\\\\data", "# another comment", "content: phantom"])
        .replace("space origin", "spaceorigin")
        .replace("space directions", "Space Directions")
        .replace('\n', "\r\n");
    let scan = open_bytes(&[text.as_bytes(), &little(&voxels())].concat()).unwrap();
    assert_eq!(scan.voxels(), &Voxels::I16(voxels()));
    assert_eq!(scan.geometry().world_of(DVec3::ZERO), DVec3::new(10.0, -20.0, 30.0));
    // A whole file that was compressed, header and all.
    let scan = open_bytes(&gzip(&file(&[], &little(&voxels())))).unwrap();
    assert_eq!(scan.voxels(), &Voxels::I16(voxels()));
}

/// Four dimensions with `list` numbers an element at axis `at`, volume v holding v * 100 + n.
fn list_file(at: usize, kind: &str, list: usize) -> Vec<u8> {
    let mut sizes = vec!["3", "2", "2"];
    let mut kinds = vec!["domain"; 3];
    let mut directions = vec!["(1.5,0,0)", "(0,2,0)", "(0,0,4)"];
    let count = list.to_string();
    sizes.insert(at, &count);
    kinds.insert(at, kind);
    directions.insert(at, "none");
    let inner: usize = [1, 3, 6, 12][at];
    let mut data = Vec::new();
    for outer in 0..COUNT / inner {
        for volume in 0..list {
            data.extend((0..inner).map(|n| (volume * 100 + outer * inner + n) as i16));
        }
    }
    file(
        &[
            "dimension: 4",
            &format!("sizes: {}", sizes.join(" ")),
            &format!("kinds: {}", kinds.join(" ")),
            &format!("space directions: {}", directions.join(" ")),
        ],
        &little(&data),
    )
}

#[test]
fn a_list_vector_or_time_axis_anywhere_is_a_choice_of_volumes() {
    for at in 0..4 {
        for kind in ["list", "vector", "time", "3-vector"] {
            let bytes = list_file(at, kind, 3);
            for volume in 0..3 {
                let scan =
                    open_with(&bytes, &OpenOptions { volume: Some(volume), ..Default::default() }).unwrap();
                let expected: Vec<i16> = (0..COUNT).map(|n| (volume * 100 + n) as i16).collect();
                assert_eq!(scan.voxels(), &Voxels::I16(expected), "{kind} at {at}, volume {volume}");
                assert_eq!((scan.volume, scan.volumes), (volume, 3));
                assert_eq!(scan.geometry().spacing_mm(), [1.5, 2.0, 4.0]);
                assert!(warns(&scan, &format!("Volume {} of 3", volume + 1)));
            }
            let error = open_with(&bytes, &OpenOptions { volume: Some(3), ..Default::default() });
            assert!(error.unwrap_err().to_string().contains("volume 4 was asked for, but it has 3"));
        }
    }
}

#[test]
fn colours_are_shown_as_their_luminance_and_flagged() {
    let colour = |kind: &str, pixel: &[u8]| {
        let size = pixel.len();
        let changes = [
            "type: uchar",
            "dimension: 4",
            &format!("sizes: {size} 3 2 2"),
            &format!("kinds: {kind} domain domain domain"),
            "space directions: none (1.5,0,0) (0,2,0) (0,0,4)",
        ];
        open_bytes(&file(&changes, &pixel.repeat(COUNT)))
    };
    for (kind, pixel, luminance) in [
        ("RGB-color", &[255, 255, 255][..], 255),
        ("RGB-color", &[255, 0, 0], 54),
        ("RGB-color", &[0, 255, 0], 182),
        ("RGBA-color", &[0, 0, 255, 7], 18),
    ] {
        let scan = colour(kind, pixel).unwrap();
        assert_eq!(scan.voxels(), &Voxels::U8(vec![luminance; COUNT]), "{pixel:?}");
        assert_eq!((scan.flags.as_slice(), scan.volumes), (&[Flag::Colour][..], 1));
    }
    assert!(colour("complex", &[1, 2]).unwrap_err().to_string().contains("complex"));
}

#[test]
fn labels_of_a_file_without_orientation_or_thickness_lie_on_it_in_nifti_too() {
    let folder = tempfile::tempdir().unwrap();
    let bare = ["space: -", "space directions: -", "space origin: -", "axis mins: 5 5 5"];
    let volume = [&bare[..], &["spacings: 1.5 2 4"]].concat();
    let slice = [
        "dimension: 2",
        "sizes: 3 4",
        "space: -",
        "space directions: -",
        "space origin: -",
        "kinds: domain domain",
        "spacings: 1.5 2",
    ];
    for changes in [&volume[..], &slice] {
        let scan = open_bytes(&file(changes, &little(&voxels()))).unwrap();
        for name in ["labels.nii.gz", "labels.nrrd"] {
            let path = folder.path().join(name);
            let labels = Volume::from_fn(scan.geometry().clone(), |i, _, _| i as u16);
            io::write_labels(&path, &labels, None, &scan).unwrap();
            assert_eq!(io::open(&path).unwrap().geometry(), scan.geometry(), "{name}");
        }
    }
    let placed = plain(&oblique().with_unknown_orientation());
    let error = io::write_scan(&folder.path().join("a.nii"), &placed).unwrap_err().to_string();
    assert!(error.contains("save it as .nrrd"), "{error}");
}

#[test]
fn one_slice_is_a_volume_one_voxel_thick_without_millilitres() {
    let changes =
        ["dimension: 2", "sizes: 3 4", "space directions: (1.5,0,0) (0,2,0)", "kinds: domain domain"];
    let scan = open_bytes(&file(&changes, &little(&voxels()))).unwrap();
    assert_eq!(scan.geometry().dims(), [3, 4, 1]);
    assert_eq!(scan.geometry().axcodes().unwrap(), "LPS");
    assert_eq!(scan.geometry().voxel_ml(), None);
    assert!(warns(&scan, "not its thickness"));
    let line =
        file(&["dimension: 1", "sizes: 12", "space directions: -", "kinds: domain"], &little(&voxels()));
    assert!(refusal(&line).contains("two or three axes in space"));
}

/// Writes files into one folder and opens the first.
fn open_folder(files: &[(&str, &[u8])]) -> Result<Scan, IoError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    io::open(&folder.path().join(files[0].0))
}

#[test]
fn detached_voxels_are_one_file_a_list_or_a_pattern() {
    let data = little(&voxels());
    let (first, second) = data.split_at(12);
    let single = header(&["data file: sub/with space.raw"]);
    let list = header(&["data file: LIST"]).trim_end().to_owned() + "\nfirst.raw\nsecond.raw\n";
    let pattern = header(&["data file: slice%03d.raw 8 6 -2"]);
    let dimension = header(&["data file: slice%03d.raw 6 8 2 2"]);
    let plain = header(&["data file: s%d 1 2 1"]);
    for (files, expected) in [
        (vec![("a.nhdr", single.as_bytes()), ("sub/with space.raw", &data[..])], voxels()),
        (vec![("a.nhdr", list.as_bytes()), ("first.raw", first), ("second.raw", second)], voxels()),
        (vec![("a.nhdr", pattern.as_bytes()), ("slice008.raw", first), ("slice006.raw", second)], voxels()),
        (vec![("a.nhdr", dimension.as_bytes()), ("slice006.raw", first), ("slice008.raw", second)], voxels()),
        (vec![("a.nhdr", plain.as_bytes()), ("s1", first), ("s2", second)], voxels()),
    ] {
        assert_eq!(open_folder(&files).unwrap().voxels(), &Voxels::I16(expected), "{}", files[1].0);
    }
    let compressed = header(&["encoding: gzip", "data file: a.raw.gz"]);
    let scan = open_folder(&[("a.nhdr", compressed.as_bytes()), ("a.raw.gz", &gzip(&data))]).unwrap();
    assert_eq!(scan.voxels(), &Voxels::I16(voxels()));
    // Raw voxels that happen to start like gzip are voxels.
    let mut like_gzip = data.clone();
    like_gzip[..2].copy_from_slice(&[0x1f, 0x8b]);
    let raw = header(&["data file: a.raw"]);
    let scan = open_folder(&[("a.nhdr", raw.as_bytes()), ("a.raw", &like_gzip)]).unwrap();
    assert_eq!(scan.voxels().value(0), f64::from(0x8b1fu16 as i16));
}

#[test]
fn a_data_file_that_is_missing_special_or_elsewhere_is_named() {
    let refused = |line: &str, files: &[(&str, &[u8])]| {
        let text = header(&[line]);
        open_folder(&[&[("a.nhdr", text.as_bytes())][..], files].concat()).unwrap_err().to_string()
    };
    assert!(refused("data file: gone.raw", &[]).contains("gone.raw not found"));
    assert!(refused("data file: s%d.raw 1 2 1", &[("s1.raw", &[0; 12])]).contains("s2.raw not found"));
    assert!(refused("data file: folder", &[("folder/x", &[])]).contains("a folder"));
    for absolute in ["/dev/zero", "\\\\server\\share\\a.raw"] {
        assert!(
            refused(&format!("data file: {absolute}"), &[]).contains("relative to the header"),
            "{absolute}"
        );
    }
    for pattern in ["s%d.raw 1 9223372036854775807 1", "s%d.raw 1 5 -1", "s%d.raw 1 5 0"] {
        assert!(refused(&format!("data file: {pattern}"), &[]).contains("data file: expected"), "{pattern}");
    }
    let five = [1, 2, 3, 4, 5].map(|n| format!("s{n}.raw"));
    let files: Vec<(&str, &[u8])> = five.iter().map(|name| (name.as_str(), &[0u8; 24][..])).collect();
    assert!(refused("data file: s%d.raw 1 5 1", &files).contains("a number of files that divides 12 voxels"));
    let short = refused("data file: a.raw", &[("a.raw", &[0; 23])]);
    assert!(short.contains("expected 24 bytes, found 23"), "{short}");
}

#[test]
fn truncated_damaged_and_endless_data_are_refused() {
    let data = little(&voxels());
    let whole = file(&[], &data);
    let cut = refusal(&whole[..whole.len() - 1]);
    let (expected, found) = (whole.len(), whole.len() - 1);
    assert!(cut.contains(&format!("expected {expected} bytes, found {found}")), "{cut}");

    let compressed = gzip(&data);
    let with = |bytes: &[u8]| file(&["encoding: gzip"], bytes);
    for end in [1, 4, 8, 12, compressed.len() - 12] {
        let error = refusal(&with(&compressed[..compressed.len() - end]));
        assert!(error.contains("truncated"), "{end}: {error}");
    }
    let mut flipped = compressed.clone();
    let checksum = flipped.len() - 8;
    flipped[checksum] ^= 1;
    assert!(refusal(&with(&flipped)).contains("damaged"));
    assert!(refusal(&with(b"not gzip at all")).contains("damaged"));

    let bomb = with(&gzip(&vec![0; 5_000_000]));
    assert!(refusal(&bomb).contains("more than 1.0 MB of data follow"));
    let note = open_bytes(&file(&[], &[&data[..], b"extra"].concat())).unwrap();
    assert!(warns(&note, "5 bytes follow the last voxel"));
}

#[test]
fn claims_are_refused_before_anything_is_allocated() {
    let sized = |sizes: &str, encoding: &str| {
        refusal(&file(&[&format!("sizes: {sizes}"), &format!("encoding: {encoding}")], &[0x1f, 0x8b, 8, 0]))
    };
    assert!(
        sized("4294967296 4294967296 4294967296", "raw").contains("fewer voxels than memory has addresses")
    );
    assert!(sized("3 0 2", "raw").contains("sizes[1]: expected a size of at least 1, got 0"));
    assert!(sized("3 -1 2", "raw").contains("sizes"));
    assert!(sized("32767 32767 32767", "raw").contains("are free"));
    for encoding in ["raw", "ascii", "hex"] {
        assert!(sized("1000 1000 10", encoding).contains("truncated"), "{encoding}");
    }
    assert!(sized("1000 1000 10", "gzip").contains("cannot hold"));
    for (encoding, words) in [("raw", "truncated"), ("ascii", "truncated"), ("gzip", "cannot hold")] {
        let changes = [
            "dimension: 4",
            "sizes: 2 9000 900 90",
            "kinds: vector domain domain domain",
            "space directions: none (1,0,0) (0,1,0) (0,0,1)",
            &format!("encoding: {encoding}"),
        ];
        assert!(refusal(&file(&changes, &[0x1f, 0x8b, 8, 0])).contains(words), "{encoding}");
    }
}

#[test]
fn fields_that_are_missing_doubled_or_unknown_are_named() {
    let data = little(&voxels());
    for (line, words) in [
        ("type: -", "type: expected a line that gives it"),
        ("type: char", "type: expected one of NRRD's numeric types, got char"),
        ("type: block", "block"),
        ("dimension: 17", "dimension"),
        ("dimension: -3", "dimension"),
        ("dimension: 2", "sizes: expected 2 numbers"),
        ("sizes: -", "sizes: expected a line"),
        ("sizes: 3 2 x", "sizes: expected 3 numbers, got 3 2 x"),
        ("endian: -", "endian: expected little or big, got no such line"),
        ("endian: middle", "got middle"),
        ("encoding: -", "encoding: expected a line"),
        ("encoding: bzip2", "bzip2 is not supported"),
        ("encoding: lzma", "got lzma"),
        ("space directions: (1,0,0) (0,1,0)", "space directions"),
        ("space directions: (1,0) (0,x) (0,0)", "space directions"),
        ("space origin: here", "space origin"),
        ("kinds: domain domain", "kinds: expected 3 numbers"),
    ] {
        let error = refusal(&file(&[line], &data));
        assert!(error.contains(words), "{line}: {error}");
    }
    let doubled = header(&[]).replace("endian: little", "endian: little\nendian: big");
    assert!(refusal(&[doubled.as_bytes(), &data].concat()).contains("endian: expected one line"));
    assert!(refusal(b"NRRD0009\ntype: short\n\n").contains("expected NRRD0001 to NRRD0005"));
    assert!(refusal(b"NRRD0004\njust words\n\n").contains("field: value"));
    let endless = [b"NRRD0004\n".to_vec(), vec![b'a'; 5 << 20]].concat();
    assert!(refusal(&endless).contains("a header of at most"));
}

#[test]
fn segments_in_layers_are_volumes_and_their_overlap_is_said() {
    let mut bytes = list_file(0, "list", 2);
    let pairs = "Segment0_Layer:=0\nSegment1_Layer:=1\nSegment2_Layer:=1\nSegment0_LabelValue:=1\n";
    let end = bytes.windows(2).position(|two| two == b"\n\n").unwrap() + 1;
    bytes.splice(end..end, pairs.bytes());
    let scan = open_with(&bytes, &OpenOptions { volume: Some(1), ..Default::default() }).unwrap();
    assert_eq!((scan.volume, scan.volumes), (1, 2));
    assert!(warns(&scan, "3 segments in layers that may overlap; 2 of them are in this one"));
    let fractions = file(&["Segmentation_MasterRepresentation:=Fractional labelmap"], &little(&voxels()));
    let scan = open_bytes(&fractions).unwrap();
    assert!(warns(&scan, "they are no labels") && scan.flags == [Flag::Fractions]);
    assert_eq!(scan.to_labels(), Err(LabelValueError::Fractions));
}

#[test]
fn a_header_alone_says_what_the_file_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nrrd");
    std::fs::write(&path, list_file(3, "time", 3)).unwrap();
    let info = io::read_header(Path::new(&path), &OpenOptions::default()).unwrap();
    assert_eq!((info.format.as_str(), info.volumes), ("NRRD", 3));
    assert_eq!(info.geometry.dims(), [3, 2, 2]);
}

#[test]
fn every_orientation_comes_back_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scan.nrrd");
    let mut all = grids::grids();
    all.push(oblique().with_unknown_orientation());
    all.push(oblique().with_unknown_spacing());
    all.push(oblique().with_unknown_orientation().with_unknown_spacing());
    for grid in all {
        let (receipt, read) = round_trip(&path, &plain(&grid));
        assert_eq!(read.geometry(), &grid, "{:?}", grid.axcodes());
        assert_eq!(receipt.grid.unwrap().corner_distance_mm, 0.0);
        assert_eq!(read.voxels(), plain(&grid).voxels());
        assert_eq!(read.warnings.is_empty(), grid.orientation_known());
    }
}

#[test]
fn every_type_comes_back_and_scales_are_applied() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scan.nrrd");
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

/// Liver in one corner, left kidney in the opposite one, and a value that the table does not know.
fn labels(grid: &Geometry) -> LabelMap {
    Volume::from_fn(grid.clone(), |i, j, k| match (i, j, k) {
        (0..=1, 0, 0) => 1,
        (4, 2..=3, 2) => 3,
        (2, 2, 1) => 37,
        _ => 0,
    })
}

/// The pairs of a NRRD's header.
fn pairs(path: &Path) -> Vec<(String, String)> {
    let bytes = std::fs::read(path).unwrap();
    let end = bytes.windows(2).position(|two| two == b"\n\n").unwrap();
    let text = std::str::from_utf8(&bytes[..end]).unwrap();
    let pairs = text.lines().filter_map(|line| line.split_once(":="));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[test]
fn a_segmentation_names_colours_and_codes_every_label_that_occurs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.seg.nrrd");
    let grid = oblique();
    io::write_labels(&path, &labels(&grid), Some(Task::Abdomen.table()), &plain(&grid)).unwrap();
    let read = io::open(&path).unwrap();
    assert_eq!(read.to_labels().unwrap(), labels(&grid));
    assert_eq!(read.warnings, Vec::<String>::new());
    let pairs = pairs(&path);
    let pair = |key: &str| pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    for (key, value) in [
        ("Segment0_ID", "Label_1"),
        ("Segment0_Name", "Liver"),
        ("Segment0_LabelValue", "1"),
        ("Segment0_Layer", "0"),
        ("Segment0_Color", "0.901961 0.623529 0.000000"),
        ("Segment0_Extent", "0 1 0 0 0 0"),
        ("Segment1_Name", "Left kidney"),
        ("Segment1_Extent", "4 4 2 3 2 2"),
        ("Segment2_Name", "class 37"),
        ("Segment2_LabelValue", "37"),
        ("Segmentation_MasterRepresentation", "Binary labelmap"),
        ("Segmentation_ReferenceImageExtentOffset", "0 0 0"),
    ] {
        assert_eq!(pair(key), Some(value), "{key}");
    }
    let liver = "~SCT^123037004^Anatomical Structure~SCT^10200004^Liver~^^~";
    let kidney = "~SCT^123037004^Anatomical Structure~SCT^64033007^Kidney~SCT^7771000^Left~";
    assert!(
        pair("Segment0_Tags").unwrap().contains(liver) && pair("Segment1_Tags").unwrap().contains(kidney)
    );
    assert_eq!(pair("Segment3_ID"), None);
    let values = io::write_scan(&path, &plain(&grid)).unwrap_err().to_string();
    assert!(values.contains("holds labels"), "{values}");
    // A plain .nrrd holds the same labels without segments.
    let plain_path = folder.path().join("labels.nrrd");
    io::write_labels(&plain_path, &labels(&grid), Some(Task::Abdomen.table()), &plain(&grid)).unwrap();
    assert_eq!(io::open_labels(&plain_path).unwrap(), labels(&grid));
    assert!(self::pairs(&plain_path).is_empty());
}

#[test]
fn the_left_of_an_atrium_is_no_side_of_a_pair() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.seg.nrrd");
    let atrium = Volume::from_fn(oblique(), |_, _, _| 2);
    io::write_labels(&path, &atrium, Some(Task::Cardiac.table()), &plain(&oblique())).unwrap();
    let tags = pairs(&path).into_iter().find(|(key, _)| key == "Segment0_Tags").unwrap().1;
    assert!(tags.contains("~SCT^82471001^Left atrium cavity~^^~"), "{tags}");
}

#[cfg(unix)]
#[test]
fn labels_whose_names_are_no_utf_8_keep_their_descriptions_apart() {
    use std::os::unix::ffi::OsStrExt;
    let named = |name: &[u8]| std::path::PathBuf::from(std::ffi::OsStr::from_bytes(name));
    for (labels, description) in [
        (&b"Andr\xe9.nii.gz"[..], &b"Andr\xe9.label.txt"[..]),
        (b"Andr\xe8.NII.gz", b"Andr\xe8.label.txt"),
        (b"\xff.1.seg.nrrd", b"\xff.1.label.txt"),
        (b"\xfe", b"\xfe.label.txt"),
    ] {
        assert_eq!(io::label_description_path(&named(labels)), named(description));
    }
}

#[test]
fn itk_snap_gets_names_and_colours_beside_the_labels() {
    let folder = tempfile::tempdir().unwrap();
    for (labels, description) in [
        ("liver.nii.gz", "liver.label.txt"),
        ("a.1.2.NII", "a.1.2.label.txt"),
        ("x.seg.nrrd", "x.label.txt"),
        ("x.mha", "x.label.txt"),
        ("other", "other.label.txt"),
    ] {
        let path = io::label_description_path(&folder.path().join(labels));
        assert_eq!(path, folder.path().join(description));
    }
    let path = folder.path().join("liver.label.txt");
    let mut table = Task::Abdomen.table().clone();
    table.entries[0].name = "the \"big\"\none".to_owned();
    io::write_label_description(&path, Some(&table), &[0, 37, 1]).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>().join(" "), "0 0 0 0 0 0 0 \"Clear Label\"");
    assert_eq!(lines[1], "    1   230  159    0        1  1  1    \"the 'big' one\"");
    assert_eq!(lines.len(), 6);
    assert!(lines[5].starts_with("   37 ") && lines[5].ends_with("\"class 37\""), "{}", lines[5]);
}
