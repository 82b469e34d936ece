//! Every command that reads a scan, given a DICOM folder, some DICOM files or one of them.

#![allow(clippy::unwrap_used)]

#[path = "support/dicom_file.rs"]
#[allow(dead_code)]
mod dicom_file;

use dicom_core::VR;
use dicom_dictionary_std::tags;
use dicom_file::{EXPLICIT, SIZE, Series, Slice, ramp};
use mindgap::volume::{Flag, Geometry, Scan, Volume, Voxels, geometry_equal, io};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mindgap"));
    command.args(arguments).env_remove("RUST_LOG").output().unwrap()
}

/// The JSON object of a command that must succeed.
fn answer<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Value {
    let output = run(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The one line of a command that must fail.
fn complaint<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    text.lines().last().unwrap_or_default().to_owned()
}

/// A CT of six slices, and an MR of four that is the smaller series.
fn study() -> Series {
    let series = Series::of((1..=6).map(Slice::ct));
    let mr = |number| {
        let slice = Slice::mr(number).uid(tags::SERIES_INSTANCE_UID, "1.2.9");
        slice.uid(tags::SOP_INSTANCE_UID, &format!("9.9.{number}"))
    };
    series.add("mr", (1..=4).map(mr));
    series
}

fn with_a_gap() -> Series {
    Series::of([1, 2, 3, 5, 6].map(Slice::ct))
}

fn depth(path: &Path) -> usize {
    io::open(path).unwrap().geometry().dims()[2]
}

#[test]
fn info_lists_the_series_of_a_folder_and_describes_the_one_that_is_named() {
    let study = study();
    let folder = study.path().as_os_str();
    let listing = answer(["info".as_ref(), "--json".as_ref(), folder]);
    let told = listing["series"].as_array().unwrap();
    let found: Vec<_> = told.iter().map(|one| [&one["id"], &one["kind"]]).collect();
    assert_eq!(json!(found), json!([["1.2.3", "volume"], ["1.2.9", "volume"]]));
    assert_eq!((&told[0]["dims"], &told[0]["files"]), (&json!([SIZE[0], SIZE[1], 6]), &json!(6)));
    let text = String::from_utf8(run(["info".as_ref(), folder]).stdout).unwrap();
    assert!(text.contains("4 x 3 x 6 voxels of 0.500 x 0.750 x 2.000 mm"), "{text}");
    assert!(text.contains("--series 1.2.9"), "{text}");

    for header in [&["--header"][..], &[]] {
        let arguments = ["info", "--json", "--series", "1.2.9"].iter().chain(header).map(OsStr::new);
        let described = answer(arguments.chain([folder]));
        assert_eq!((&described["format"], &described["dims"]), (&json!("DICOM"), &json!([4, 3, 4])));
    }
    let unknown = complaint(["info".as_ref(), "--series".as_ref(), "7.7".as_ref(), folder]);
    assert!(unknown.contains("no series \"7.7\" here") && unknown.contains("1.2.9 (MR"), "{unknown}");
}

#[test]
fn info_of_a_folder_without_dicom_says_so_and_fails() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.txt"), "nothing to see").unwrap();
    let path = folder.path().as_os_str();
    let said = complaint(["info".as_ref(), path]);
    assert!(said.contains("found no DICOM file; name the folder of a series"), "{said}");
    assert_eq!(answer(["info".as_ref(), "--json".as_ref(), path]), json!({"series": []}));
}

#[test]
fn convert_takes_the_largest_series_the_one_named_the_files_named_or_the_one_slice() {
    let study = study();
    let file = |name: &str| study.file(name);
    let inputs = [
        (vec![study.path().to_owned()], None, 6),
        (vec![study.path().to_owned()], Some("1.2.9"), 4),
        (vec![file("999.dcm"), file("998.dcm"), file("997.dcm")], None, 3),
        (vec![file("998.dcm")], None, 1),
    ];
    let out = tempfile::tempdir().unwrap();
    for (number, (inputs, series, slices)) in inputs.into_iter().enumerate() {
        for ending in ["nii.gz", "nrrd", "mha"] {
            let output = out.path().join(format!("{number}.{ending}"));
            let options = io::OpenOptions { series: series.map(str::to_owned), ..Default::default() };
            let scan = io::open_files(&inputs, &options).unwrap();
            let mut arguments = vec!["convert".into(), "--json".into(), "-o".into(), output.clone()];
            arguments.extend(series.iter().flat_map(|uid| ["--series".into(), (*uid).into()]));
            let summary = answer(arguments.iter().chain(&inputs));
            assert_eq!(summary["dims"], json!([SIZE[0], SIZE[1], slices]));
            let written = io::open(&output).unwrap();
            assert!(geometry_equal(written.geometry(), scan.geometry(), 1e-3), "{ending}");
            assert_eq!(written.to_f32().voxels(), scan.to_f32().voxels(), "{ending}");
            assert_eq!(written.geometry().axcodes(), scan.geometry().axcodes(), "{ending}");
        }
    }
}

#[test]
fn missing_slices_are_refused_by_every_command_until_they_are_accepted() {
    let series = with_a_gap();
    let out = tempfile::tempdir().unwrap();
    let output = out.path().join("out.nii");
    let folder = series.path().as_os_str();
    for command in ["convert", "segment", "translate", "gap"] {
        let said = complaint([command.as_ref(), folder, "-o".as_ref(), output.as_os_str()]);
        assert!(said.contains("1 slices are missing") && said.contains("--accept-gaps"), "{command}: {said}");
    }
    let said = complaint(["stats".as_ref(), folder]);
    assert!(said.contains("1 slices are missing"), "{said}");
    assert!(!output.exists());
    let accepted = ["convert", "--accept-gaps", "--json", "-o"].map(OsStr::new);
    answer(accepted.into_iter().chain([output.as_os_str(), folder]));
    assert_eq!(depth(&output), 6);
    let report = answer(["stats", "--accept-gaps", "--json"].map(OsStr::new).into_iter().chain([folder]));
    assert!(report["warnings"].to_string().contains("1 slices are missing"), "{report}");
}

#[test]
fn stats_measure_no_label_of_a_scan_with_missing_slices_whatever_the_labels_file_says() {
    let series = with_a_gap();
    let options = io::OpenOptions { accept_gaps: true, ..Default::default() };
    let grid = io::open_files(&[series.path().to_owned()], &options).unwrap().geometry().clone();
    let whole = Geometry::new(grid.dims(), grid.world_from_voxel()).unwrap();
    let labels = Volume::from_fn(whole, |_, _, _| 1);
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("labels.nii.gz");
    let reference = Scan::from_volume(labels.map(|label| f32::from(*label)), "test");
    io::write_labels(&path, &labels, None, &reference).unwrap();
    assert!(io::open_labels(&path).unwrap().geometry().is_measurable());
    let arguments = ["stats", "--accept-gaps", "--json", "--labels"].map(OsStr::new);
    let report = answer(arguments.into_iter().chain([path.as_os_str(), series.path().as_os_str()]));
    assert_eq!(report["labels"][0]["volume_ml"], Value::Null, "{report}");
    assert!(report["warnings"].to_string().contains("volumes are undefined"), "{report}");
}

#[test]
fn stats_of_a_folder_are_in_hounsfield_units_and_leave_padding_out() {
    let padded = |number| Slice::ct(number).count(tags::PIXEL_PADDING_VALUE, 100);
    let series = Series::of((1..=3).map(padded));
    let report = answer(["stats".as_ref(), "--json".as_ref(), series.path().as_os_str()]);
    // The first pixel of the first slice is padding.
    assert_eq!((&report["scan"]["voxels"], &report["scan"]["padding"]), (&json!(36), &json!(1)));
    assert_eq!(report["scan"]["spread"]["min"], -899.0);
    assert_eq!(report["scan"]["spread"]["max"], 311.0 - 1000.0);
}

/// What is white on the film is a large number in a MONOCHROME2 file and a small one here; exported values are those of
/// the file.
#[test]
fn monochrome1_is_exported_as_it_is_stored() {
    let slice = |n| Slice::mr(n).text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME1");
    let series = Series::of((1..=3).map(slice));
    assert_eq!(io::open(series.path()).unwrap().flags, [Flag::DrawnInverted]);
    let out = tempfile::tempdir().unwrap();
    let output = out.path().join("out.nii");
    answer([
        "convert".as_ref(),
        series.path().as_os_str(),
        "--json".as_ref(),
        "-o".as_ref(),
        output.as_os_str(),
    ]);
    let stored = (1..=3).flat_map(ramp).collect();
    assert_eq!(io::open(&output).unwrap().voxels(), &Voxels::U16(stored));
}

/// Fault 72.
#[test]
fn no_export_log_or_file_name_tells_the_patient() {
    let study = study();
    let out = tempfile::tempdir().unwrap();
    for name in ["a.nii", "a.nrrd", "a.mha", "a.seg.nrrd"] {
        let output = out.path().join(name);
        let mut arguments = vec!["convert".as_ref(), "-vv".as_ref(), study.path().as_os_str(), "-o".as_ref()];
        arguments.push(output.as_os_str());
        if name.ends_with(".seg.nrrd") {
            arguments.extend(["--series", "1.2.9", "--labels", "abdomen"].map(OsStr::new));
        }
        let said = run(&arguments);
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        let told = [std::fs::read(&output).unwrap(), said.stdout, said.stderr].concat().to_ascii_lowercase();
        assert!(!told.windows(6).any(|window| window == b"secret"), "{name}");
    }
    let names = std::fs::read_dir(out.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| name.to_str().unwrap().starts_with("a.")));
}

#[test]
fn a_table_of_contents_or_a_packed_file_is_told_with_what_to_open_instead() {
    let series = Series::of((1..=3).map(Slice::ct));
    let directory = Slice::ct(1).uid(tags::SOP_CLASS_UID, "1.2.840.10008.1.3.10");
    directory.write(&series.file("DICOMDIR"), EXPLICIT);
    let packed = series.file("packed.dcm.gz");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, &Slice::ct(9).bytes(EXPLICIT)).unwrap();
    std::fs::write(&packed, encoder.finish().unwrap()).unwrap();
    for path in [series.file("DICOMDIR"), packed] {
        let said = complaint(["info".as_ref(), path.as_os_str()]);
        assert!(said.contains("open its folder, or unpack it first"), "{said}");
    }
    assert_eq!(depth(series.path()), 3);
}

/// Grey pictures of the size of a slice, one for each file of `series` that is named; `grey` gives the values by slice number.
fn draw_pictures(folder: &Path, numbers: impl IntoIterator<Item = u32>, grey: impl Fn(u32) -> Vec<u8>) {
    for number in numbers {
        let [columns, rows] = SIZE.map(|size| size as u32);
        let picture = image::GrayImage::from_raw(columns, rows, grey(number)).unwrap();
        // Files of a series are named against their order.
        picture.save(folder.join(format!("{}.png", 1000 - number))).unwrap();
    }
}

/// One pixel of the liver and one of the spleen, elsewhere in every slice.
fn liver_and_spleen(number: u32) -> Vec<u8> {
    let mut grey = vec![0; SIZE[0] * SIZE[1]];
    grey[number as usize] = 63;
    grey[number as usize + 5] = 252;
    grey
}

#[test]
fn label_pictures_lie_on_the_slices_whose_names_they_have() {
    let series = Series::of((1..=4).map(Slice::mr));
    let out = tempfile::tempdir().unwrap();
    draw_pictures(out.path(), 1..=4, liver_and_spleen);
    std::fs::write(out.path().join("._999.png"), "left behind by a file manager").unwrap();
    let output = out.path().join("labels.nii.gz");
    let mut arguments: Vec<&OsStr> =
        vec!["convert".as_ref(), series.path().as_os_str(), "--pictures".as_ref()];
    arguments.push(out.path().as_os_str());
    arguments.extend(["--labels", "chaos", "--to-table", "abdomen", "--json", "-o"].map(OsStr::new));
    arguments.push(output.as_os_str());
    answer(&arguments);
    let (labels, scan) = (io::open_labels(&output).unwrap(), io::open(series.path()).unwrap());
    assert!(geometry_equal(labels.geometry(), scan.geometry(), 1e-6));
    let expected: Vec<u16> = (1..=4)
        .flat_map(liver_and_spleen)
        .map(|grey| match grey {
            63 => 1,
            252 => 4,
            _ => 0,
        })
        .collect();
    assert_eq!(labels.voxels(), expected);
}

#[test]
fn label_pictures_that_do_not_fit_their_slices_are_refused() {
    let series = Series::of((1..=4).map(Slice::mr));
    let refusal = |pictures: &Path, input: &Path| {
        let output = pictures.join("labels.nii.gz");
        let said = complaint([
            "convert".as_ref(),
            input.as_os_str(),
            "--pictures".as_ref(),
            pictures.as_os_str(),
            "--labels".as_ref(),
            "chaos".as_ref(),
            "-o".as_ref(),
            output.as_os_str(),
        ]);
        assert!(!output.exists());
        said
    };

    let none = tempfile::tempdir().unwrap();
    assert!(refusal(none.path(), series.path()).contains("there are no PNG pictures"));

    let moved = tempfile::tempdir().unwrap();
    draw_pictures(moved.path(), 2..=5, liver_and_spleen);
    let said = refusal(moved.path(), series.path());
    assert!(
        said.contains(
            "1 of 4 slices have no picture of their name (999), and 1 of 4 pictures belong to no slice (995)"
        ),
        "{said}"
    );

    let odd = tempfile::tempdir().unwrap();
    draw_pictures(odd.path(), 1..=4, liver_and_spleen);
    image::GrayImage::new(3, 3).save(odd.path().join("998.png")).unwrap();
    let said = refusal(odd.path(), series.path());
    assert!(said.contains("998.png: picture: expected 4 x 3 pixels, as the slice has, got 3 x 3"), "{said}");
    image::RgbImage::new(4, 3).save(odd.path().join("998.png")).unwrap();
    let said = refusal(odd.path(), series.path());
    assert!(said.contains("998.png: picture: expected grey values, got Rgb8"), "{said}");
    std::fs::write(odd.path().join("998.png"), "not a picture").unwrap();
    let said = refusal(odd.path(), series.path());
    assert!(said.contains("998.png: picture: expected a whole PNG picture of 4 x 3 pixels"), "{said}");

    std::fs::remove_file(odd.path().join("998.png")).unwrap();
    draw_pictures(odd.path(), [2], liver_and_spleen);
    // Where a file system tells no such names apart there is one picture, and nothing to refuse.
    let other_case = odd.path().join("998.PNG");
    if !other_case.exists() {
        std::fs::copy(odd.path().join("998.png"), &other_case).unwrap();
        let said = refusal(odd.path(), series.path());
        assert!(said.contains("differs from it in the case of .png alone"), "{said}");
        std::fs::remove_file(other_case).unwrap();
    }

    let twins = Series::of((1..=3).map(Slice::mr));
    std::fs::create_dir(twins.file("more")).unwrap();
    Slice::mr(4).write(&twins.file("more/999.dcm"), EXPLICIT);
    assert!(
        refusal(odd.path(), twins.path()).contains("several slices of the series have files of one name")
    );

    let volume = none.path().join("scan.nii");
    io::write_scan(&volume, &io::open(series.path()).unwrap()).unwrap();
    let said = refusal(odd.path(), &volume);
    assert!(said.contains("this is not a DICOM series"), "{said}");
}
