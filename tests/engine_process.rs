//! The real engine process: what a user sees when it works, is cancelled, is killed, or is not wanted any more.

#![cfg(feature = "torch")]
#![allow(clippy::unwrap_used)]

use mindgap::config::load_bundle;
use mindgap::protocol::{
    DeviceChoice, Event, JobId, ModelPayload, Refine, Request, SegmentRequest, SegmentSettings,
    TranslateRequest, WireScan,
};
use mindgap::session::{Engine, EngineError, EngineState, Launch, Notice, model_payload, run_job};
use mindgap::volume::{Geometry, Modality, Scan, Volume};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

fn start() -> Engine {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_mindgap-engine"));
    Engine::start(Launch::Process { program, args: Vec::new() }, Arc::new(|| ())).unwrap()
}

fn model() -> ModelPayload {
    model_payload(&load_bundle("abdomen-ct-to-mr").unwrap())
}

/// A bright ellipse on a dark ground, `slices` thick.
fn scan(slices: usize) -> Scan {
    let grid = Geometry::axis_aligned([70, 50, slices], [3.0, 3.0, 3.0], [-90.0, -60.0, 0.0]).unwrap();
    let volume = Volume::from_fn(grid, |i, j, k| {
        let inside = (i as f32 - 35.0).powi(2) / 900.0 + (j as f32 - 25.0).powi(2) / 400.0 < 1.0;
        if inside { 100.0 + ((i * 3 + j * 5 + k * 7) % 17) as f32 } else { 0.0 }
    });
    Scan::from_volume(volume, "test")
}

fn segment_request(slices: usize) -> Request {
    Request::Segment(SegmentRequest {
        model: model(),
        scan: WireScan::pack(&scan(slices)),
        modality: Modality::Mr,
        first_world_mm: Some([0.0, 0.0, 6.0]),
        settings: SegmentSettings { refine: Refine::Off, ..SegmentSettings::default() },
        device: DeviceChoice::Cpu,
    })
}

fn translate_request(slices: usize, first_world_mm: Option<[f64; 3]>) -> Request {
    Request::Translate(TranslateRequest {
        model: model(),
        scan: WireScan::pack(&scan(slices)),
        modality: Modality::Ct,
        first_world_mm,
        style: 1.0,
        device: DeviceChoice::Cpu,
    })
}

fn wait_for(engine: &mut Engine, mut wanted: impl FnMut(&Notice) -> bool) -> Notice {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(notice) = engine.next_within(Duration::from_millis(50))
            && wanted(&notice)
        {
            return notice;
        }
    }
    panic!("waited {PATIENCE:?} in vain; the engine is {:?}", engine.state());
}

#[test]
fn results_lie_on_the_scans_own_grid_and_the_slice_on_screen_comes_first() {
    let mut engine = start();
    let mut first_kind = None;
    let event = run_job(&mut engine, segment_request(5), &AtomicBool::new(false), |event| {
        if !matches!(event, Event::Started { .. }) {
            first_kind.get_or_insert(matches!(event, Event::SegmentedSlab { .. }));
        }
    })
    .unwrap();
    assert_eq!(first_kind, Some(true));
    let Event::Segmented { result, .. } = event else { panic!("{event:?}") };
    let labels = result.labels.unpack().unwrap();
    assert_eq!(labels.geometry(), scan(5).geometry());
    assert_eq!(result.gap.unpack().unwrap().geometry(), scan(5).geometry());
    assert_eq!(result.slices, 5);

    let request = translate_request(3, None);
    let event = run_job(&mut engine, request, &AtomicBool::new(false), |_| ()).unwrap();
    let Event::Translated { result, .. } = event else { panic!("{event:?}") };
    assert_eq!(result.synthetic.unpack().unwrap().geometry(), scan(3).geometry());
    assert!((0.0..=1.0).contains(&result.edge_agreement));
}

#[test]
fn both_slices_on_screen_come_before_either_volume_and_then_each_slice_as_it_is_done() {
    let mut engine = start();
    engine.submit(translate_request(60, Some([0.0, 0.0, 90.0])));
    let segment = engine.submit(segment_request(60));
    let mut order = Vec::new();
    let mut translated = 0;
    wait_for(&mut engine, |notice| {
        if let Notice::Event(Event::TranslatedSlab { synthetic, .. }) = notice {
            translated += synthetic.unpack().unwrap().dims()[2];
        }
        order.push(match notice {
            Notice::Event(Event::TranslatedSlab { .. }) => "translated slice",
            Notice::Event(Event::SegmentedSlab { .. }) => "segmented slice",
            Notice::Event(Event::Progress { .. }) => "progress",
            _ => "",
        });
        matches!(notice, Notice::Event(event) if event.ends_job() && event.job() == Some(segment))
    });
    order.retain(|kind| !kind.is_empty());
    order.dedup();
    assert_eq!(order[..2], ["translated slice", "segmented slice"]);
    // The one on screen once more, in its turn.
    assert_eq!(translated, 61);
    assert!(order.iter().filter(|kind| **kind == "progress").count() > 10, "{order:?}");
}

#[test]
fn a_cancel_is_obeyed_within_a_slice_and_the_engine_stays_usable() {
    let mut engine = start();
    let cancel = AtomicBool::new(false);
    let mut slices_after_cancel = 0;
    let outcome = run_job(&mut engine, segment_request(400), &cancel, |event| {
        if let Event::Progress { .. } = event {
            if cancel.load(Ordering::Relaxed) {
                slices_after_cancel += 1;
            }
            cancel.store(true, Ordering::Relaxed);
        }
    });
    assert!(matches!(outcome, Err(EngineError::Cancelled)), "{outcome:?}");
    // Slices that were on their way when the cancel was sent may still be counted.
    assert!(slices_after_cancel < 20, "{slices_after_cancel} slices after the cancel");
    assert!(run_job(&mut engine, segment_request(2), &AtomicBool::new(false), |_| ()).is_ok());
}

#[test]
fn a_killed_engine_costs_its_run_and_nothing_else() {
    let mut engine = start();
    wait_for(&mut engine, |notice| matches!(notice, Notice::Event(Event::Hello(_))));
    let job = engine.submit(segment_request(400));
    wait_for(&mut engine, |notice| matches!(notice, Notice::Event(Event::Progress { .. })));
    kill(engine.process_id().unwrap());
    let notice = wait_for(&mut engine, |notice| matches!(notice, Notice::Gone(_)));
    let Notice::Gone(reason) = notice else { panic!("{notice:?}") };
    assert!(!reason.is_empty(), "the user must be told how it ended");
    assert!(matches!(engine.state(), EngineState::Gone(_)));
    assert_eq!(job, JobId(1));
    let mut again = start();
    assert!(run_job(&mut again, segment_request(2), &AtomicBool::new(false), |_| ()).is_ok());
}

#[test]
fn closing_the_window_during_a_run_ends_the_engine_within_two_seconds() {
    let mut engine = start();
    engine.submit(segment_request(400));
    wait_for(&mut engine, |notice| matches!(notice, Notice::Event(Event::Progress { .. })));
    let process = engine.process_id().unwrap();
    let started = Instant::now();
    drop(engine);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert!(!is_running(process), "an engine was left behind");
}

#[test]
fn damaged_weights_and_empty_scans_are_refused_in_words_and_the_next_job_runs() {
    let mut engine = start();
    let mut broken = segment_request(2);
    if let Request::Segment(request) = &mut broken {
        let middle = request.model.weights.len() / 2;
        request.model.weights[middle] ^= 1;
    }
    let error = run_job(&mut engine, broken, &AtomicBool::new(false), |_| ()).unwrap_err().to_string();
    assert!(error.contains("sha256"), "{error}");

    let mut flat = segment_request(2);
    if let Request::Segment(request) = &mut flat {
        request.scan.bytes.fill(0);
    }
    let error = run_job(&mut engine, flat, &AtomicBool::new(false), |_| ()).unwrap_err().to_string();
    assert!(error.contains("nothing to segment"), "{error}");

    let mut short = segment_request(2);
    if let Request::Segment(request) = &mut short {
        request.scan.bytes.truncate(10);
    }
    let error = run_job(&mut engine, short, &AtomicBool::new(false), |_| ()).unwrap_err().to_string();
    assert!(error.contains("expected"), "{error}");
    assert!(run_job(&mut engine, segment_request(2), &AtomicBool::new(false), |_| ()).is_ok());
}

#[test]
fn an_engine_finds_libtorch_without_being_told_and_ends_when_its_input_does() {
    let program = env!("CARGO_BIN_EXE_mindgap-engine");
    let mut command = Command::new(program);
    for variable in ["LIBTORCH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"] {
        command.env_remove(variable);
    }
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "{status}");
}

#[cfg(unix)]
fn kill(process: u32) {
    let status = Command::new("kill").args(["-9", &process.to_string()]).status().unwrap();
    assert!(status.success());
}

#[cfg(windows)]
fn kill(process: u32) {
    let status = Command::new("taskkill").args(["/F", "/PID", &process.to_string()]).status().unwrap();
    assert!(status.success());
}

#[cfg(unix)]
fn is_running(process: u32) -> bool {
    Command::new("kill").args(["-0", &process.to_string()]).stderr(Stdio::null()).status().unwrap().success()
}

#[cfg(windows)]
fn is_running(process: u32) -> bool {
    let output = Command::new("tasklist").args(["/FI", &format!("PID eq {process}")]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).contains(&process.to_string())
}
