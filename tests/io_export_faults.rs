//! Exports that fail on the way: whatever happens, the old file is whole and nothing is left beside it.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "support/child.rs"]
mod child;
#[path = "support/skip.rs"]
mod skip;

use child::Ending;
use mindgap::volume::{Geometry, Scaling, Scan, Voxels, io};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder with a scan to export and an older export to replace.
struct Case {
    folder: tempfile::TempDir,
    scan: PathBuf,
}

const OLD: &[u8] = b"the export of yesterday";

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let scan = folder.path().join("scan.nii");
        let grid = Geometry::axis_aligned([40, 30, 20], [1.0; 3], [0.0; 3]).unwrap();
        let voxels = (0..24_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 17) as i16).collect();
        let made = Scan::new(Voxels::I16(voxels), Scaling::IDENTITY, grid, "phantom").unwrap();
        io::write_scan(&scan, &made).unwrap();
        std::fs::create_dir(folder.path().join("out")).unwrap();
        Self { folder, scan }
    }

    fn out(&self, name: &str) -> PathBuf {
        self.folder.path().join("out").join(name)
    }

    fn convert(&self, output: &Path) -> Command {
        let mut command = child::command();
        command.arg("convert").arg(&self.scan).arg("-o").arg(output);
        command
    }

    /// Runs an export that must fail over an older file, and gives its message.
    fn fails(&self, name: &str, spoil: impl Fn(&mut Command)) -> String {
        let output = self.out(name);
        std::fs::write(&output, OLD).unwrap();
        let mut command = self.convert(&output);
        spoil(&mut command);
        let ending = child::run(command);
        assert!(!child::assert_clean(&ending, name), "{name} was exported");
        assert_eq!(std::fs::read(&output).unwrap(), OLD, "{}", ending.stderr);
        assert_eq!(names(output.parent().unwrap()), [name], "{}", ending.stderr);
        std::fs::remove_file(&output).unwrap();
        ending.stderr
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// The sizes of the whole exports, for places to break off at.
fn whole_bytes(case: &Case, name: &str) -> u64 {
    let output = case.out(name);
    assert!(child::assert_clean(&child::run(case.convert(&output)), name));
    let bytes = std::fs::metadata(&output).unwrap().len();
    std::fs::remove_file(output).unwrap();
    bytes
}

#[test]
fn a_disk_that_ends_at_any_byte_leaves_the_old_export_and_nothing_beside_it() {
    let case = Case::new();
    for name in ["export.nii", "export.nii.gz"] {
        let whole = whole_bytes(&case, name);
        // Nothing, inside the header, before and inside the first voxel, the middle, the last byte.
        for limit in [0, 1, 347, 348, 352, 353, whole / 2, whole - 1] {
            let message = case.fails(name, |command| child::limit_file_bytes(command, limit));
            assert!(message.contains(name) && message.contains("unchanged"), "{limit}: {message}");
        }
        let output = case.out(name);
        let mut command = case.convert(&output);
        child::limit_file_bytes(&mut command, whole);
        assert!(child::assert_clean(&child::run(command), name), "a disk with just enough room");
        std::fs::remove_file(output).unwrap();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_breaks_while_syncing_or_renaming_leaves_the_old_export_and_nothing_beside_it() {
    let case = Case::new();
    let renames: &[libc::c_long] = &[
        #[cfg(target_arch = "x86_64")]
        libc::SYS_rename,
        libc::SYS_renameat,
        libc::SYS_renameat2,
    ];
    for calls in [&[libc::SYS_fsync, libc::SYS_fdatasync], renames] {
        for name in ["export.nii", "export.nii.gz"] {
            let message = case.fails(name, |command| child::break_calls(command, calls));
            assert!(message.contains("unchanged") && message.contains("nput/output error"), "{message}");
        }
    }
}

/// Fault 33, for real: a file system of 32 kB that only the child sees.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_with_what_is_needed_and_free_and_keeps_the_old_export() {
    let case = Case::new();
    let disk = case.folder.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let script = r#"
        mount -t tmpfs -o size=32k tmpfs "$1" || exit 77
        printf old > "$1/export.nii"
        "$2" convert "$3" -o "$1/export.nii"
        status=$?
        printf '%s|%s' "$(cat "$1/export.nii")" "$(ls -A "$1")"
        exit $status
    "#;
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    command.arg(&disk).arg(env!("CARGO_BIN_EXE_mindgap")).arg(&case.scan);
    let Ending { status, stdout, stderr } = child::run(command);
    if stderr.contains("unshare") || status.code() == Some(77) {
        skip::skipped(&format!("this system mounts nothing for its users: {stderr}"));
        return;
    }
    assert_eq!((status.code(), stdout.as_str()), (Some(1), "old|export.nii"), "{stderr}");
    // 352 bytes of header and 48 kB of voxels do not fit beside the old file.
    for words in ["the file takes up to 48.4 kB", "are free: free some space", "unchanged"] {
        assert!(stderr.contains(words), "{stderr}");
    }
}

/// Fault 36. The super-user may write anywhere but into the kernel's own folders.
#[test]
fn a_folder_that_may_not_be_written_to_is_told_with_what_to_do() {
    use std::os::unix::fs::PermissionsExt;
    let case = Case::new();
    let mut folders = Vec::new();
    let locked = case.folder.path().join("locked");
    std::fs::create_dir(&locked).unwrap();
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(locked.join("probe"), b"").is_err() {
        folders.push(locked);
    } else {
        skip::skipped("no folder of its own is read-only for the super-user");
    }
    if cfg!(target_os = "linux") {
        folders.push(PathBuf::from("/sys/kernel"));
    }
    for folder in folders {
        let ending = child::run(case.convert(&folder.join("export.nii.gz")));
        assert!(!child::assert_clean(&ending, "read-only folder"));
        assert!(ending.stderr.contains("choose a folder you may write to"), "{}", ending.stderr);
    }
}

/// A link to a pipe or a device named like an export must not be replaced by one.
#[test]
fn a_pipe_or_a_device_is_never_replaced_by_an_export() {
    let case = Case::new();
    let pipe = case.out("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let link = case.out("export.nii");
    std::os::unix::fs::symlink(&pipe, &link).unwrap();
    let ending = child::run(case.convert(&link));
    assert!(!child::assert_clean(&ending, "a pipe"));
    assert!(ending.stderr.contains("not a regular file"), "{}", ending.stderr);
    assert!(!std::fs::metadata(&pipe).unwrap().is_file());
    assert_eq!(names(pipe.parent().unwrap()).len(), 2);
}

/// Fault 35.
#[test]
fn a_scan_exported_over_itself_through_a_link_stays_whole() {
    let case = Case::new();
    let scan = io::open(&case.scan).unwrap();
    let link = case.out("export.nii");
    std::os::unix::fs::symlink(&case.scan, &link).unwrap();
    io::write_scan(&link, &scan).unwrap();
    assert_eq!(io::open(&case.scan).unwrap().voxels(), scan.voxels());
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
}
