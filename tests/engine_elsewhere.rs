//! An engine behind a command, as `ssh gpu-box mindgap-engine` is one: the same results, a connection that is lost and
//! found, and what is said when there is none.

#![cfg(all(feature = "torch", unix))]
#![allow(clippy::unwrap_used)]

use mindgap::config::load_bundle;
use mindgap::protocol::{DeviceChoice, Refine, Request, SegmentRequest, SegmentSettings, WireScan};
use mindgap::session::{Engine, Launch, model_payload, run_job};
use mindgap::volume::{Geometry, Modality, Scan, Volume};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

const ENGINE: &str = env!("CARGO_BIN_EXE_mindgap-engine");

fn segment(engine: Option<&str>, output: &Path) -> Output {
    let scan = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo/abdomen_mr.nii.gz");
    let mut command = Command::new(env!("CARGO_BIN_EXE_mindgap"));
    command.arg("segment").arg(scan).arg("-o").arg(output);
    command.args(["--modality", "mr", "--device", "cpu", "--refine", "off"]).env("OMP_NUM_THREADS", "1");
    if let Some(engine) = engine {
        command.args(["--engine", engine]);
    }
    command.output().unwrap()
}

/// A program that stands between the two, as ssh does.
fn carrier(folder: &Path, script: &str) -> String {
    let path = folder.join("carrier.sh");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The labels that the engine of this machine finds.
fn expected(folder: &Path) -> Vec<u8> {
    let path = folder.join("here.nii");
    let output = segment(None, &path);
    assert!(output.status.success(), "{}", words(&output));
    std::fs::read(path).unwrap()
}

#[test]
fn an_engine_behind_a_command_finds_the_same_labels() {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().join("there.nii");
    let output = segment(Some(ENGINE), &there);
    assert!(output.status.success(), "{}", words(&output));
    assert_eq!(std::fs::read(there).unwrap(), expected(folder.path()));
}

#[test]
fn what_goes_through_a_network_is_packed_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let (up, down) = (folder.path().join("up"), folder.path().join("down"));
    let script = format!("tee '{}' | '{ENGINE}' | tee '{}'", up.display(), down.display());
    let program = PathBuf::from(carrier(folder.path(), &script));
    let bytes_through = |launch: Launch| {
        let mut engine = Engine::start(launch, Arc::new(|| ())).unwrap();
        run_job(&mut engine, plain_scan(), &AtomicBool::new(false), |_| ()).unwrap();
        drop(engine);
        [&up, &down].map(|path| std::fs::metadata(path).unwrap().len())
    };
    let plain = bytes_through(Launch::Process { program: program.clone(), args: Vec::new() });
    let packed = bytes_through(Launch::Elsewhere { program, args: Vec::new() });
    // Most of what is sent is weights, which are nearly noise to a packer.
    assert!(packed[0] * 100 < plain[0] * 95, "{packed:?} of {plain:?} bytes");
    assert!(packed[1] < plain[1], "{packed:?} of {plain:?} bytes");
}

/// A bright block in air.
fn plain_scan() -> Request {
    let grid = Geometry::axis_aligned([70, 50, 6], [3.0; 3], [0.0; 3]).unwrap();
    let scan = Scan::from_volume(
        Volume::from_fn(
            grid,
            |i, j, _| if (10..60).contains(&i) && (10..40).contains(&j) { 100.0f32 } else { 0.0 },
        ),
        "test",
    );
    Request::Segment(SegmentRequest {
        model: model_payload(&load_bundle("abdomen-ct-to-mr").unwrap()),
        scan: WireScan::pack(&scan),
        modality: Modality::Mr,
        first_world_mm: None,
        settings: SegmentSettings { refine: Refine::Off, ..SegmentSettings::default() },
        device: DeviceChoice::Cpu,
    })
}

#[test]
fn a_connection_that_is_lost_while_the_scan_is_sent_is_told_and_the_job_is_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let flag = folder.path().join("lost");
    // The first time it carries 200 kB and is gone.
    let script = format!(
        "if [ -e '{0}' ]; then exec '{ENGINE}'; fi\ntouch '{0}'\nhead -c 200000 | '{ENGINE}'",
        flag.display()
    );
    let (carried, there) = (carrier(folder.path(), &script), folder.path().join("there.nii"));
    let output = segment(Some(&carried), &there);
    assert!(output.status.success(), "{}", words(&output));
    assert!(words(&output).contains("connecting again in 1 s"), "{}", words(&output));
    assert_eq!(std::fs::read(there).unwrap(), expected(folder.path()));
}

#[test]
fn a_command_that_reaches_no_engine_is_told_at_once_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().join("there.nii");
    for (command, why) in [
        ("no-such-carrier gpu-box mindgap-engine", "no-such-carrier"),
        (
            "sh -c 'echo Could not resolve hostname gpu-box >&2; exit 255'",
            "Could not resolve hostname gpu-box",
        ),
        ("echo Welcome to the cluster", "no engine answers"),
        ("ssh 'gpu-box", "quotation mark"),
    ] {
        let output = segment(Some(command), &there);
        let said = words(&output);
        assert!(!output.status.success() && said.contains(why), "{command}: {said}");
        assert!(!said.contains("connecting again") && !there.exists(), "{command}: {said}");
    }
}
