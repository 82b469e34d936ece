//! The real engine on a bundled phantom: slices in any style, also in the middle of a run, and the anatomy check.

#![cfg(feature = "torch")]
#![allow(clippy::unwrap_used)]

use mindgap::config::{Net, load_bundle};
use mindgap::protocol::{
    AnatomyRequest, DeviceChoice, Event, JobId, Refine, Request, SegmentRequest, SegmentSettings,
    StyleRequest, StyleSubject, TranslateRequest, WireScan, WireVolume,
};
use mindgap::session::{Anatomy, Engine, EngineError, Launch, Notice, model_payload, run_job};
use mindgap::volume::{Modality, Scan, Task, Volume, io};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);
/// Nobody cancels.
static NEVER: AtomicBool = AtomicBool::new(false);

fn start() -> Engine {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_mindgap-engine"));
    Engine::start(Launch::Process { program, args: Vec::new() }, Arc::new(|| ())).unwrap()
}

/// Some slices through the organs of the bundled CT-like phantom.
fn phantom(slices: usize) -> Scan {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo/abdomen_ct.nii.gz");
    let whole = io::open(&path).unwrap();
    let [ni, nj, nk] = whole.geometry().dims();
    let first = (nk - slices) / 2;
    let grid = whole.geometry().window([0, 0, first as i64], [ni, nj, slices]).unwrap();
    Scan::from_volume(Volume::from_fn(grid, |i, j, k| whole.value(i, j, first + k)), "phantom")
}

fn middle_mm(scan: &Scan) -> [f64; 3] {
    let [ni, nj, nk] = scan.geometry().dims().map(|size| (size / 2) as f64);
    scan.geometry().world_of([ni, nj, nk].into()).to_array()
}

fn bundle() -> mindgap::config::Bundle {
    load_bundle("abdomen-ct-to-mr").unwrap()
}

fn style_request(scan: &Scan, subject: u64, style: f32, send: bool) -> Request {
    let sent = send.then(|| {
        let (model, scan) = (model_payload(&bundle()), WireScan::pack(scan));
        Box::new(StyleSubject { model, scan, modality: Modality::Ct })
    });
    let (world_mm, device) = (middle_mm(scan), DeviceChoice::Cpu);
    Request::Style(StyleRequest { subject, sent, world_mm, style, device })
}

fn translate_request(scan: &Scan, style: f32) -> Request {
    Request::Translate(TranslateRequest {
        model: model_payload(&bundle()),
        scan: WireScan::pack(scan),
        modality: Modality::Ct,
        first_world_mm: Some(middle_mm(scan)),
        style,
        device: DeviceChoice::Cpu,
    })
}

fn anatomy_request(scan: &Scan, modality: Modality) -> Request {
    judged_request(scan, modality, None)
}

/// A check whose judge is the adapted net of a bundle by its name.
fn judged_request(scan: &Scan, modality: Modality, judge: Option<&str>) -> Request {
    Request::CheckAnatomy(AnatomyRequest {
        model: model_payload(&bundle()),
        judge: judge.map(|id| Box::new(model_payload(&load_bundle(id).unwrap()))),
        scan: WireScan::pack(scan),
        modality,
        device: DeviceChoice::Cpu,
    })
}

fn styled(engine: &mut Engine, request: Request) -> WireVolume {
    match run_job(engine, request, &NEVER, |_| ()).unwrap() {
        Event::StyledSlice { synthetic, .. } => synthetic,
        other => panic!("{other:?}"),
    }
}

/// Pearson's.
fn correlation(a: &[f32], b: &[f32]) -> f64 {
    let mean = |v: &[f32]| v.iter().map(|x| f64::from(*x)).sum::<f64>() / v.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (f64::from(*a) - mean_a, f64::from(*b) - mean_b);
        (ab, aa, bb) = (ab + a * b, aa + a * a, bb + b * b);
    }
    ab / (aa * bb).sqrt()
}

#[test]
fn the_slider_ends_at_the_scan_itself_and_at_the_ordinary_translation_bit_for_bit() {
    let (mut engine, scan) = (start(), phantom(3));
    let mut ordinary = None;
    run_job(&mut engine, translate_request(&scan, 1.0), &NEVER, |event| {
        if let Event::TranslatedSlab { synthetic, .. } = event {
            ordinary.get_or_insert(synthetic.clone());
        }
    })
    .unwrap();
    // Scan and model are sent with the first request only.
    let target = styled(&mut engine, style_request(&scan, 7, 1.0, true));
    assert_eq!(target.bytes, ordinary.unwrap().bytes);
    let source = styled(&mut engine, style_request(&scan, 7, 0.0, false)).unpack().unwrap();
    let between = styled(&mut engine, style_request(&scan, 7, 0.5, false)).unpack().unwrap();
    let target = target.unpack().unwrap();

    // What the networks were given of the slice: the scan on the slice's grid, in the model's window.
    let [low, high] = bundle().card.preprocessing.ct_window_hu;
    let resampler = mindgap::volume::Resampler::new(scan.geometry(), source.geometry());
    let given =
        resampler.linear(&scan.to_f32(), -1024.0).map(|hu| ((hu - low) / (high - low)).clamp(0.0, 1.0));
    let [at_source, halfway, at_target] =
        [&source, &between, &target].map(|slice| correlation(slice.voxels(), given.voxels()));
    println!("correlation with the scan: style 0 {at_source:.4}, 0.5 {halfway:.4}, 1 {at_target:.4}");
    assert!(at_source > 0.95, "style 0 is not the scan: {at_source}");
    assert!(at_target < at_source - 0.04, "style 1 looks like the scan: {at_target}");
    assert!(halfway < at_source && halfway > at_target, "{halfway}");
    let far = source.voxels().iter().zip(given.voxels()).map(|(a, b)| f64::from((a / 1000.0 - b).abs()));
    let far = far.sum::<f64>() / given.voxels().len() as f64;
    assert!(far < 0.08, "mean difference of style 0 from the scan, of 1: {far}");
}

#[test]
fn a_whole_volume_in_a_style_is_made_of_the_same_slices_as_the_slider_shows() {
    let (mut engine, scan) = (start(), phantom(2));
    let mut first = None;
    run_job(&mut engine, translate_request(&scan, 0.4), &NEVER, |event| {
        if let Event::TranslatedSlab { synthetic, .. } = event {
            first.get_or_insert(synthetic.clone());
        }
    })
    .unwrap();
    let slice = styled(&mut engine, style_request(&scan, 1, 0.4, true));
    assert_eq!(slice.bytes, first.unwrap().bytes);
}

#[test]
fn a_slice_asked_for_in_the_middle_of_a_run_does_not_wait_for_its_end() {
    let (mut engine, scan) = (start(), phantom(40));
    let run = engine.submit(Request::Segment(SegmentRequest {
        model: model_payload(&bundle()),
        scan: WireScan::pack(&scan),
        modality: Modality::Ct,
        first_world_mm: None,
        settings: SegmentSettings { refine: Refine::Off, ..SegmentSettings::default() },
        device: DeviceChoice::Cpu,
    }));
    let (mut style, mut slices_between, mut done) = (None::<JobId>, 0, false);
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let Some(Notice::Event(event)) = engine.next_within(Duration::from_millis(50)) else { continue };
        match event {
            Event::Progress { .. } if style.is_none() => {
                style = Some(engine.submit(style_request(&scan, 1, 0.5, true)));
            }
            Event::Progress { .. } if !done => slices_between += 1,
            Event::StyledSlice { job, .. } => {
                assert_eq!(Some(job), style);
                done = true;
            }
            Event::Segmented { job, .. } => {
                assert_eq!(job, run);
                assert!(done, "the slice came after the run");
                // Those that were made while scan and model were on their way.
                println!("{slices_between} turns of the run between request and slice");
                return;
            }
            Event::Failed { error, .. } => panic!("{error:?}"),
            _ => {}
        }
    }
    panic!("waited in vain");
}

#[test]
fn a_slice_of_a_scan_the_engine_does_not_have_is_refused_in_words_and_the_next_request_works() {
    let (mut engine, scan) = (start(), phantom(2));
    styled(&mut engine, style_request(&scan, 1, 0.5, true));
    let refused = run_job(&mut engine, style_request(&scan, 2, 0.5, false), &NEVER, |_| ());
    let words = refused.unwrap_err().to_string();
    assert!(words.contains("does not have the scan") && words.contains("Move the slider again"), "{words}");
    styled(&mut engine, style_request(&scan, 1, 0.5, false));
}

#[test]
fn a_check_of_a_phantom_judges_with_the_source_only_net_and_finds_its_organs_again_after_the_cycle() {
    let (mut engine, scan) = (start(), phantom(12));
    let mut phases = Vec::new();
    let event = run_job(&mut engine, anatomy_request(&scan, Modality::Ct), &NEVER, |event| {
        if let Event::Progress { phase, .. } = event {
            phases.push(phase.clone());
        }
    })
    .unwrap();
    let Event::AnatomyChecked { result, .. } = event else { panic!("{event:?}") };
    phases.dedup();
    assert_eq!(phases, ["translating", "translating back", "segmenting", "segmenting the way back"]);
    assert_eq!((result.net, result.warnings.len()), (Net::SourceOnly, 0), "{:?}", result.warnings);
    let anatomy = Anatomy::of(&result, Task::Abdomen.table()).unwrap();
    assert_eq!(anatomy.edge_map.geometry(), scan.geometry());
    let judged = anatomy.edge_map.voxels().iter().filter(|v| v.is_finite()).count();
    println!("{judged} of {} voxels at an edge", anatomy.edge_map.voxels().len());
    assert!(judged > 100 && judged < anatomy.edge_map.voxels().len() / 3, "{judged} voxels at an edge");
    assert!(anatomy.edge_map.voxels().iter().all(|v| v.is_nan() || (0.0..=1.0).contains(v)));
    let found: Vec<_> = anatomy.structures.iter().filter_map(|shift| shift.dice).collect();
    for shift in &anatomy.structures {
        println!("{}; Dice {:?}, HD95 {:?} mm", shift.sentence(), shift.dice, shift.hd95_mm);
    }
    assert!(found.len() >= 2 && found.iter().copied().fold(0.0, f64::max) > 0.7, "{:?}", anatomy.structures);
}

#[test]
fn a_scan_of_the_target_modality_is_judged_by_the_adapted_net() {
    let (mut engine, scan) = (start(), phantom(2));
    // What it shows does not matter here: it is declared to be an MR.
    let event = run_job(&mut engine, anatomy_request(&scan, Modality::Mr), &NEVER, |_| ()).unwrap();
    let Event::AnatomyChecked { result, .. } = event else { panic!("{event:?}") };
    assert_eq!(result.net, Net::Adapted);
}

#[test]
fn a_judge_named_from_another_bundle_draws_both_ends_and_one_for_other_organs_is_refused() {
    let (mut engine, scan) = (start(), phantom(6));
    let judge = "abdomen-mr-to-ct";
    let event =
        run_job(&mut engine, judged_request(&scan, Modality::Ct, Some(judge)), &NEVER, |_| ()).unwrap();
    let Event::AnatomyChecked { result, .. } = event else { panic!("{event:?}") };
    let segmentation = Request::Segment(SegmentRequest {
        model: model_payload(&load_bundle(judge).unwrap()),
        scan: WireScan::pack(&scan),
        modality: Modality::Ct,
        first_world_mm: None,
        settings: SegmentSettings { refine: Refine::Off, ..SegmentSettings::default() },
        device: DeviceChoice::Cpu,
    });
    let event = run_job(&mut engine, segmentation, &NEVER, |_| ()).unwrap();
    let Event::Segmented { result: own, .. } = event else { panic!("{event:?}") };
    assert_eq!(result.scan_labels.unpack().unwrap(), own.labels.unpack().unwrap());
    assert_ne!(result.scan_labels.unpack().unwrap(), result.cycle_labels.unpack().unwrap());

    let heart = judged_request(&scan, Modality::Ct, Some("cardiac-mr-to-ct"));
    let refused = run_job(&mut engine, heart, &NEVER, |_| ()).unwrap_err().to_string();
    assert!(refused.contains("cardiac-mr-to-ct takes other images than abdomen-ct-to-mr"), "{refused}");
    assert!(refused.contains("same task"), "{refused}");
}

#[test]
fn a_check_is_cancelled_within_a_slice_and_the_engine_stays_usable() {
    let (mut engine, scan) = (start(), phantom(40));
    let cancel = AtomicBool::new(false);
    let mut after = 0;
    let outcome = run_job(&mut engine, anatomy_request(&scan, Modality::Ct), &cancel, |event| {
        if let Event::Progress { .. } = event {
            after += usize::from(cancel.load(Ordering::Relaxed));
            cancel.store(true, Ordering::Relaxed);
        }
    });
    assert!(matches!(outcome, Err(EngineError::Cancelled)), "{outcome:?}");
    assert!(after < 20, "{after} slices after the cancel");
    styled(&mut engine, style_request(&scan, 1, 0.5, true));
}
