//! What goes wrong around the real engine: models that are none, images that no model survives, machines without
//! libtorch, engines that hang. Each costs its own job, is told in words, and leaves nothing half-written.

#![cfg(feature = "torch")]
#![allow(clippy::unwrap_used)]

#[path = "support/spoilt_model.rs"]
mod spoilt_model;

use mindgap::protocol::{
    DeviceChoice, Event, ModelPayload, Refine, Request, SegmentRequest, SegmentSettings, WireScan,
};
use mindgap::session::{Engine, EngineError, EngineState, Launch, Notice, run_job};
use mindgap::volume::{Geometry, Modality, Scan, Volume, io};
use spoilt_model::SpoiltModel;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

fn engine_program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_mindgap-engine"))
}

fn start(program: &Path, args: &[&str]) -> Engine {
    let args = args.iter().map(|arg| (*arg).to_owned()).collect();
    Engine::start(Launch::Process { program: program.to_owned(), args }, Arc::new(|| ())).unwrap()
}

/// A bright ellipse on a dark ground, two slices thick.
fn scan() -> Scan {
    let grid = Geometry::axis_aligned([70, 50, 2], [3.0, 3.0, 3.0], [-90.0, -60.0, 0.0]).unwrap();
    Scan::from_volume(
        Volume::from_fn(grid, |i, j, k| {
            let inside = (i as f32 - 35.0).powi(2) / 900.0 + (j as f32 - 25.0).powi(2) / 400.0 < 1.0;
            if inside { 100.0 + ((i * 3 + j * 5 + k * 7) % 17) as f32 } else { 0.0 }
        }),
        "test",
    )
}

fn request(model: ModelPayload) -> Request {
    Request::Segment(SegmentRequest {
        model,
        scan: WireScan::pack(&scan()),
        modality: Modality::Mr,
        first_world_mm: Some([0.0; 3]),
        settings: SegmentSettings { refine: Refine::Off, ..SegmentSettings::default() },
        device: DeviceChoice::Cpu,
    })
}

fn run(engine: &mut Engine, model: ModelPayload) -> Result<Event, EngineError> {
    run_job(engine, request(model), &AtomicBool::new(false), |_| ())
}

/// The engine refuses the model in words that hold all `parts`, and the model it had before still works.
fn assert_refused(engine: &mut Engine, model: SpoiltModel, parts: &[&str]) -> String {
    let error = run(engine, model.payload()).unwrap_err().to_string();
    for part in parts {
        assert!(error.contains(part), "{part} not in: {error}");
    }
    assert!(run(engine, SpoiltModel::sound().payload()).is_ok(), "the old model must stay usable");
    error
}

#[test]
fn weights_that_are_cut_short_or_a_pickle_or_anything_else_are_refused_and_the_old_model_stays() {
    let mut engine = start(&engine_program(), &[]);
    assert!(run(&mut engine, SpoiltModel::sound().payload()).is_ok());
    let whole = SpoiltModel::sound().payload().weights;
    let cut = whole[..whole.len() / 2].to_vec();
    let pickle = b"\x80\x02}q\x00X\x06\x00\x00\x00weightq\x01cos\nsystem\nq\x02.".to_vec();
    for weights in [cut, pickle, b"PK\x03\x04 a .pt archive".to_vec(), Vec::new()] {
        assert_refused(
            &mut engine,
            SpoiltModel::of_bytes(weights),
            &["not a safetensors file", "Choose another"],
        );
    }
}

#[test]
fn weights_of_another_net_are_refused_with_the_first_five_differences_and_the_old_model_stays() {
    let mut engine = start(&engine_program(), &[]);
    let mut model = SpoiltModel::sound();
    model.remove("segmenter.down.0.0.conv.weight");
    model.reshape("segmenter.logits.weight");
    model.fill("segmenter.down.1.0.scale", f32::NAN);
    for extra in ["a", "b", "c", "d"] {
        model.add(&format!("stranger.{extra}"));
    }
    let told = ["down.0.0.conv.weight is missing", "logits.weight: expected", "not finite", "and 2 more"];
    let error = assert_refused(&mut engine, model, &told);
    assert_eq!(error.matches("stranger.").count(), 2, "{error}");
}

#[test]
fn networks_that_cannot_be_built_are_a_failed_job_and_not_a_dead_engine() {
    let mut engine = start(&engine_program(), &[]);
    let mut model = SpoiltModel::sound().payload();
    model.card.network.base_channels = -3;
    // Another seal, so that the networks in memory are not taken for these.
    model.weights.push(0);
    model.card.weights_sha256 = mindgap::config::sha256_hex(&model.weights);
    let mut sound_bytes = SpoiltModel::sound().payload();
    sound_bytes.card.network.base_channels = -3;
    for model in [model, sound_bytes] {
        assert!(matches!(run(&mut engine, model), Err(EngineError::Job(_))));
    }
    assert!(matches!(engine.state(), EngineState::Ready(_)));
    assert!(run(&mut engine, SpoiltModel::sound().payload()).is_ok());
}

fn segment(scan: &Path, model: &Path, output: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mindgap"));
    command.arg("segment").arg(scan).arg("-o").arg(output).arg("--model").arg(model);
    command.args(["--modality", "mr", "--device", "cpu"]).output().unwrap()
}

/// The command fails with a message that holds all `parts` and writes nothing.
fn assert_nothing_written(model: &SpoiltModel, spoil: impl Fn(&Path), parts: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("scan.nii.gz"), folder.path().join("labels.nii.gz"));
    io::write_scan(&input, &scan()).unwrap();
    let bundle = folder.path().join("bundle");
    model.write(&bundle);
    spoil(&bundle);
    let before = std::fs::read_dir(folder.path()).unwrap().count();
    let ended = segment(&input, &bundle, &output);
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success() && ended.stdout.is_empty(), "{told}");
    for part in parts {
        assert!(told.contains(part), "{part} not in: {told}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), before, "something was written");
}

#[test]
fn a_model_whose_answer_is_not_a_number_is_said_to_have_failed_and_no_label_is_written() {
    let mut model = SpoiltModel::sound();
    // Finite, so that the weights are accepted; their products are not.
    model.fill("segmenter.logits.weight", 60_000.0);
    model.fill("segmenter.up.0.1.scale", f32::MAX);
    assert_nothing_written(&model, |_| (), &["the model failed on this image"]);
}

#[test]
fn a_bundle_without_its_weights_or_with_damaged_ones_is_refused_by_the_name_of_the_file() {
    let weights = |bundle: &Path| bundle.join("weights.safetensors");
    let model = SpoiltModel::sound();
    assert_nothing_written(&model, |b| std::fs::remove_file(weights(b)).unwrap(), &["weights.safetensors"]);
    let cut = |bundle: &Path| {
        let whole = std::fs::read(weights(bundle)).unwrap();
        std::fs::write(weights(bundle), &whole[..whole.len() / 3]).unwrap();
    };
    assert_nothing_written(&model, cut, &["weights.safetensors", "sha256"]);
}

#[test]
fn a_card_with_another_number_of_classes_than_its_table_is_refused_with_both_numbers() {
    let spoil = |bundle: &Path| {
        let card = bundle.join("card.json");
        let text = std::fs::read_to_string(&card).unwrap();
        let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json["network"]["classes"] = 7.into();
        std::fs::write(&card, json.to_string()).unwrap();
    };
    assert_nothing_written(&SpoiltModel::sound(), spoil, &["7", "5", "classes"]);
}

fn wait_until_gone(engine: &mut Engine) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        if let Some(Notice::Gone(reason)) = engine.next_within(Duration::from_millis(50)) {
            return reason;
        }
    }
    panic!("the engine is {:?}", engine.state());
}

#[test]
#[cfg(target_os = "linux")]
fn an_engine_whose_libtorch_is_missing_says_which_library_it_misses() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("mindgap-engine");
    let mut bytes = std::fs::read(engine_program()).unwrap();
    // The same program asking for a library of a name that no machine has.
    let (name, absent) = (b"libtorch_cpu.so", b"libtorch_xyz.so");
    for at in 0..bytes.len() - name.len() {
        if bytes[at..].starts_with(name) {
            bytes[at..at + name.len()].copy_from_slice(absent);
        }
    }
    std::fs::write(&program, bytes).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut engine = start(&program, &[]);
    let reason = wait_until_gone(&mut engine);
    assert!(reason.contains("libtorch_xyz.so"), "{reason}");
    assert!(matches!(engine.state(), EngineState::Gone(_)));
}

#[test]
#[cfg(unix)]
fn an_engine_that_hangs_can_be_cancelled_and_is_ended_with_its_window() {
    // It answers nothing and outlives its input.
    let mut engine = start(Path::new("/bin/sh"), &["-c", "exec sleep 600"]);
    let process = engine.process_id().unwrap();
    let started = Instant::now();
    let outcome =
        run_job(&mut engine, request(SpoiltModel::sound().payload()), &AtomicBool::new(true), |_| ());
    assert!(matches!(outcome, Err(EngineError::Cancelled)), "{outcome:?}");
    drop(engine);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    let alive = Command::new("kill").args(["-0", &process.to_string()]).output().unwrap();
    assert!(!alive.status.success(), "an engine was left behind");
}

#[test]
#[cfg(target_os = "linux")]
fn one_core_is_enough() {
    let program = engine_program();
    let mut engine = start(Path::new("taskset"), &["-c", "0", program.to_str().unwrap()]);
    assert!(run(&mut engine, SpoiltModel::sound().payload()).is_ok());
    let EngineState::Ready(info) = engine.state() else { panic!("{:?}", engine.state()) };
    assert!(info.device == "CPU, 1 thread" || info.device.starts_with("CUDA"), "{}", info.device);
}
