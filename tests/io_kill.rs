//! A program that is killed while it exports, again and again, at any moment: the file of that name is always the old or
//! a new one, whole. Fault 34.
//!
//! What a kill may leave behind is a temporary file, named `.mindgap-*.tmp`: never like a scan.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use mindgap::volume::{Geometry, Scaling, Scan, Voxels, io};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

const ROUNDS: usize = 500;
/// Set in the child that exports; holds the path.
const EXPORT_TO: &str = "MINDGAP_TEST_EXPORT_TO";
const DIMS: [usize; 3] = [32, 32, 24];

/// A scan every voxel of which follows from its number, so that two halves of different exports are told apart.
fn numbered(number: u16) -> Scan {
    let grid = Geometry::axis_aligned(DIMS, [1.0, 2.0, 3.0], [0.0; 3]).unwrap();
    let voxel = |at: usize| (at as u16).wrapping_mul(40_503) ^ number;
    let voxels = Voxels::U16((0..grid.len()).map(voxel).collect());
    Scan::new(voxels, Scaling::IDENTITY, grid, "phantom").unwrap()
}

/// The number that the whole file was made from; panics if it is not whole.
fn number_of(path: &Path) -> u16 {
    let scan = io::open(path).unwrap_or_else(|error| panic!("a kill left half a file: {error}"));
    let number = scan.voxels().value(0) as u16;
    assert_eq!(scan.voxels(), numbered(number).voxels(), "halves of two exports in {}", path.display());
    number
}

/// Not a test of its own: what the child of the test below does until it is killed.
#[test]
fn exports_without_end_when_told_to() {
    let Some(path) = std::env::var_os(EXPORT_TO) else { return };
    let scans = [1, 2, 3, 4].map(numbered);
    println!("exporting");
    for scan in scans.iter().cycle() {
        io::write_scan(Path::new(&path), scan).unwrap();
    }
}

/// A child that has begun to export over `path`.
fn exporting(path: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "exports_without_end_when_told_to", "--nocapture"]).env(EXPORT_TO, path);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("exporting")));
    child
}

#[test]
fn an_export_that_is_killed_at_any_moment_leaves_the_old_file_or_a_whole_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut overwritten = 0;
    for round in 0..ROUNDS {
        let name = if round % 2 == 0 { "export.nii" } else { "export.nii.gz" };
        let path = folder.path().join(name);
        let started = Instant::now();
        io::write_scan(&path, &numbered(0)).unwrap();
        let export = started.elapsed();
        let mut child = exporting(&path);
        // Up to three exports' time, in steps that meet their starts, middles and ends.
        std::thread::sleep(export * (round * 7_919 % 3_000) as u32 / 1_000);
        child.kill().unwrap();
        child.wait().unwrap();
        overwritten += usize::from(number_of(&path) != 0);
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let left = entry.unwrap().file_name().into_string().unwrap();
            let temporary = left.starts_with(".mindgap-") && left.ends_with(".tmp");
            assert!(temporary || left == "export.nii" || left == "export.nii.gz", "{left} was left behind");
        }
    }
    // Kills that all came before or after the first export would prove nothing.
    assert!(overwritten > ROUNDS / 20 && overwritten < ROUNDS, "{overwritten} of {ROUNDS} were overwritten");
}
