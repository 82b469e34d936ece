//! What surrounds a file: its name, its kind, its neighbours, other programs that write to it, the user's locale.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "support/child.rs"]
mod child;
#[path = "support/skip.rs"]
mod skip;
#[path = "support/spoilt_nifti.rs"]
#[allow(dead_code)]
mod spoilt_nifti;

use child::Ending;
use mindgap::volume::{Scan, Voxels, io};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::{ffi::OsStringExt, fs::symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

fn info(path: &Path) -> Ending {
    child::mindgap(["info".as_ref(), "--json".as_ref(), path.as_os_str()])
}

fn is_ramp(scan: &Scan) -> bool {
    scan.voxels() == &Voxels::I16(spoilt_nifti::ramp())
}

/// Fault 39. A FIFO has no writer: a program that opened it would wait for ever.
#[test]
fn pipes_devices_sockets_folders_and_links_in_a_circle_are_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    assert!(Command::new("mkfifo").arg(at("pipe.nii")).status().unwrap().success());
    symlink(at("pipe.nii"), at("link to a pipe.nii")).unwrap();
    symlink(at("b.nii"), at("a.nii")).unwrap();
    symlink(at("a.nii"), at("b.nii")).unwrap();
    symlink(at("nowhere.nii"), at("dangling.nii")).unwrap();
    fs::create_dir(at("folder.nii")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket.nii")).unwrap();
    let special = "not a regular file";
    let cases = [
        (at("pipe.nii"), special),
        (at("link to a pipe.nii"), special),
        (at("socket.nii"), special),
        (PathBuf::from("/dev/zero"), special),
        (PathBuf::from("/dev/null"), special),
        (at("a.nii"), "cannot be opened"),
        (at("dangling.nii"), "cannot be opened"),
    ];
    for (path, reason) in cases {
        let ending = info(&path);
        assert!(!child::assert_clean(&ending, &path.display().to_string()));
        let named = ending.stderr.contains(&*path.to_string_lossy());
        assert!(named && ending.stderr.contains(reason), "{}", ending.stderr);
    }
    let error = io::open(&at("folder.nii")).unwrap_err().to_string();
    assert!(error.contains("folder.nii"), "{error}");
}

/// Fault 37.
#[test]
fn a_file_is_opened_and_exported_under_exactly_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let longest = format!("{}.nii", "n".repeat(251));
    let names: [OsString; 8] = [
        "two words.nii".into(),
        " leading and trailing .nii".into(),
        "a.1.2.840.nii".into(),
        "🧠 患者 Ünïcødé e\u{301}.nii".into(),
        ".hidden.nii".into(),
        "-dash.nii".into(),
        longest.into(),
        OsString::from_vec(b"latin-1 \xe4\xf6\xfc \xff.nii".to_vec()),
    ];
    for name in &names {
        let path = folder.path().join(name);
        if let Err(error) = fs::write(&path, spoilt_nifti::sound()) {
            skip::skipped(&format!("this file system has no {}: {error}", name.display()));
            continue;
        }
        let scan = io::open(&path).unwrap();
        assert!(is_ramp(&scan));
        fs::remove_file(&path).unwrap();
        io::write_scan(&path, &scan).unwrap();
        assert!(is_ramp(&io::open(&path).unwrap()));
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, [name.as_os_str()]);
        fs::remove_file(&path).unwrap();
    }
}

/// Fault 37.
#[test]
fn a_name_that_no_file_system_holds_is_refused_clearly() {
    let folder = tempfile::tempdir().unwrap();
    let scan = folder.path().join("scan.nii");
    fs::write(&scan, spoilt_nifti::sound()).unwrap();
    let long_name = folder.path().join(format!("{}.nii", "n".repeat(300)));
    let long_path = folder.path().join("d/".repeat(2500)).join("x.nii");
    for (path, reason) in [(long_name, "shorter name"), (long_path, "its folder does not exist")] {
        let ending = info(&path);
        assert!(!child::assert_clean(&ending, "a long name") && ending.stderr.contains("cannot be opened"));
        let export = ["convert".as_ref(), scan.as_os_str(), "-o".as_ref(), path.as_os_str()];
        let ending = child::mindgap(export);
        assert!(!child::assert_clean(&ending, "a long name") && ending.stderr.contains(reason));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Fault 12: some readers take `x.nii` for `x.nii.gz` when both are there.
#[test]
fn of_siblings_exactly_the_chosen_one_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let plain = spoilt_nifti::sound();
    let mut other = plain.clone();
    other[352..].fill(1);
    fs::write(folder.path().join("x.nii.gz"), spoilt_nifti::gzip(&plain)).unwrap();
    fs::write(folder.path().join("x.nii"), other).unwrap();
    assert!(is_ramp(&io::open(&folder.path().join("x.nii.gz")).unwrap()));
    assert_eq!(io::open(&folder.path().join("x.nii")).unwrap().voxels().value(7), 257.0);
    fs::remove_file(folder.path().join("x.nii")).unwrap();
    io::open(&folder.path().join("x.nii")).unwrap_err();
}

/// Fault 38: a scan is what one of the writers wrote, or an error; never half of each, never zeros.
#[test]
fn a_file_that_is_truncated_or_replaced_while_it_is_read_gives_no_false_voxel() {
    let folder = tempfile::tempdir().unwrap();
    let (first, mut second) = (large(), large());
    second[352..].iter_mut().for_each(|byte| *byte = !*byte);
    for name in ["x.nii", "x.nii.gz"] {
        let path = folder.path().join(name);
        let whole = [&first, &second].map(|bytes| match name {
            "x.nii" => bytes.clone(),
            _ => spoilt_nifti::gzip(bytes),
        });
        fs::write(&path, &whole[0]).unwrap();
        let voxels = [&first, &second].map(|bytes| voxels_of(bytes));
        let (mut opened, mut refused) = (0, 0);
        std::thread::scope(|scope| {
            let (stop, stopped) = std::sync::mpsc::channel::<()>();
            let (path, whole) = (&path, &whole);
            scope.spawn(move || {
                for round in 0.. {
                    if stopped.try_recv() != Err(std::sync::mpsc::TryRecvError::Empty) {
                        break;
                    }
                    // In place: cut short, then longer again. A checksum even knows bytes of two in one file.
                    let truncate = name == "x.nii" || round % 4 < 2;
                    let mut file = File::options().write(true).truncate(truncate).open(path).unwrap();
                    file.write_all(&whole[round % 2]).unwrap();
                    // The clock that marks changes ticks every few milliseconds.
                    std::thread::sleep(Duration::from_millis(15));
                }
            });
            // Until both happened: a scan that was whole, and one that was not.
            for _ in 0..20_000 {
                match io::open(path) {
                    Ok(scan) => {
                        assert!(voxels.contains(scan.voxels()), "{name}: voxels of two files");
                        opened += 1;
                    }
                    Err(error) => {
                        assert!(error.to_string().contains(name), "{error}");
                        refused += 1;
                    }
                }
                if opened >= 100 && refused >= 5 {
                    break;
                }
            }
            drop(stop);
        });
        assert!(opened >= 100 && refused >= 5, "{name}: {opened} opened, {refused} refused");
    }
}

/// Large enough that reading it takes a while.
fn large() -> Vec<u8> {
    let mut bytes = spoilt_nifti::patched(40, &[3i16, 128, 128, 40].map(i16::to_le_bytes).concat());
    bytes.truncate(352);
    bytes.extend((0..128 * 128 * 40u32).flat_map(|n| ((n / 16) as i16).to_le_bytes()));
    bytes
}

fn voxels_of(bytes: &[u8]) -> Voxels {
    let (values, _) = bytes[352..].as_chunks::<2>();
    Voxels::I16(values.iter().map(|value| i16::from_le_bytes(*value)).collect())
}

/// Fault 38.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_cannot_be_read_is_told_as_such() {
    // A regular file whose first byte gives an input/output error.
    let error = io::open(Path::new("/proc/self/mem")).unwrap_err();
    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    assert!(cause.contains("nput/output error"), "{error}: {cause}");
}

/// Fault 73.
#[test]
fn neither_locale_nor_clock_changes_what_is_read_or_written() {
    let folder = tempfile::tempdir().unwrap();
    let scan = folder.path().join("scan.nii");
    fs::write(&scan, spoilt_nifti::patched(112, &[0.5f32, -1.25].map(f32::to_le_bytes).concat())).unwrap();
    let run = |locale: &str, modified: SystemTime| {
        File::options().write(true).open(&scan).unwrap().set_modified(modified).unwrap();
        let mut outputs = Vec::new();
        for name in ["export.nii", "export.nii.gz"] {
            let path = folder.path().join(name);
            let mut command = child::command();
            command.arg("convert").arg(&scan).arg("-o").arg(&path);
            command.env("LC_ALL", locale).env("LANG", locale).env("TZ", "Asia/Kathmandu");
            assert!(child::assert_clean(&child::run(command), locale));
            outputs.push(fs::read(&path).unwrap());
        }
        let mut command = child::command();
        command
            .args(["info".as_ref(), "--json".as_ref(), scan.as_os_str()] as [&OsStr; 3])
            .env("LC_ALL", locale);
        (outputs, child::run(command).stdout)
    };
    let far = Duration::from_secs(50 * 365 * 86_400);
    let expected = run("C", SystemTime::now());
    assert!(expected.1.contains("0.5") || expected.1.contains("358.25"), "{}", expected.1);
    for locale in ["de_DE.UTF-8", "ar_EG.UTF-8", "tr_TR.UTF-8", "no such locale"] {
        // A scan from the future, and one from before the epoch.
        for modified in [SystemTime::now() + far, SystemTime::UNIX_EPOCH - Duration::from_secs(1)] {
            assert_eq!(run(locale, modified), expected, "{locale}");
        }
    }
}
