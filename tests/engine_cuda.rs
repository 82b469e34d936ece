//! The engine on a GPU: the answers of the CPU, sooner. Skipped, and said so, where the engine finds no GPU.

#![cfg(feature = "torch")]
#![allow(clippy::unwrap_used)]

#[path = "support/skip.rs"]
mod skip;

use mindgap::config::load_bundle;
use mindgap::dataset::phantom::{self, PhantomSpec};
use mindgap::eval;
use mindgap::protocol::{
    DeviceChoice, Event, Refine, Request, SegmentRequest, SegmentSettings, TranslateRequest, WireScan,
};
use mindgap::session::{Engine, EngineState, Launch, model_payload, run_job};
use mindgap::volume::{Modality, Scan, Task};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// An engine with a GPU.
fn start() -> Option<Engine> {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_mindgap-engine"));
    let mut engine = Engine::start(Launch::Process { program, args: Vec::new() }, Arc::new(|| ())).unwrap();
    while matches!(engine.state(), EngineState::Starting) {
        engine.next_within(Duration::from_secs(120)).expect("the engine did not say what it is");
    }
    match engine.state() {
        EngineState::Ready(info) if info.device.starts_with("CUDA") => Some(engine),
        EngineState::Ready(info) => {
            skip::skipped(&format!("the engine on a GPU: {}", info.cuda));
            None
        }
        state => panic!("{state:?}"),
    }
}

fn abdomen(modality: Modality) -> Scan {
    phantom::generate(&PhantomSpec::new(Task::Abdomen, modality, 4242)).unwrap().scan
}

fn ask(engine: &mut Engine, request: Request) -> Event {
    run_job(engine, request, &AtomicBool::new(false), |_| ()).unwrap()
}

#[test]
fn a_gpu_draws_what_the_cpu_draws() {
    let Some(mut engine) = start() else { return };
    let model = model_payload(&load_bundle("abdomen-ct-to-mr").unwrap());
    for refine in [Refine::Off, Refine::On] {
        let mut labels_on = |device| {
            let request = Request::Segment(SegmentRequest {
                model: model.clone(),
                scan: WireScan::pack(&abdomen(Modality::Mr)),
                modality: Modality::Mr,
                first_world_mm: None,
                settings: SegmentSettings { refine, ..SegmentSettings::default() },
                device,
            });
            let Event::Segmented { result, .. } = ask(&mut engine, request) else { panic!("no labels") };
            assert_eq!(result.device.starts_with("CUDA"), device == DeviceChoice::Cuda, "{}", result.device);
            assert!(result.warnings.is_empty(), "{:?}", result.warnings);
            result.labels.unpack().unwrap()
        };
        let (cpu, gpu) = (labels_on(DeviceChoice::Cpu), labels_on(DeviceChoice::Cuda));
        let report = eval::evaluate(&gpu, &cpu, Task::Abdomen.table()).unwrap();
        // Half precision moves voxels whose two likeliest classes are as good as equal.
        for structure in &report.structures {
            let dice = structure.dice.unwrap();
            assert!(dice > 0.99, "{}: {dice} ({refine:?})", structure.name);
        }
    }
}

#[test]
fn a_gpu_translates_as_the_cpu_does() {
    let Some(mut engine) = start() else { return };
    let model = model_payload(&load_bundle("abdomen-ct-to-mr").unwrap());
    let mut synthetic_on = |device| {
        let request = Request::Translate(TranslateRequest {
            model: model.clone(),
            scan: WireScan::pack(&abdomen(Modality::Ct)),
            modality: Modality::Ct,
            first_world_mm: None,
            style: 1.0,
            device,
        });
        let Event::Translated { result, .. } = ask(&mut engine, request) else { panic!("no translation") };
        result.synthetic.unpack().unwrap()
    };
    let (cpu, gpu) = (synthetic_on(DeviceChoice::Cpu), synthetic_on(DeviceChoice::Cuda));
    let range = cpu.voxels().iter().copied().fold(0.0f32, f32::max);
    let apart = cpu.voxels().iter().zip(gpu.voxels()).map(|(a, b)| (a - b).abs());
    let mean = apart.sum::<f32>() / cpu.voxels().len() as f32;
    assert!(range > 0.0 && mean < 0.005 * range, "mean difference {mean} of a range of {range}");
}
