//! An engine in this process that speaks the real protocol and does what the test says. Not every test uses all of it.

#![allow(dead_code)]

use mindgap::config::{MaskUse, Net};
use mindgap::protocol::{
    AnatomyCheck, Command, EngineInfo, Event, JobId, PROTOCOL_VERSION, Packing, Request, Segmentation,
    Translation, WireLabels, WireScan, WireVolume, read_frame, write_frame,
};
use mindgap::session::Launch;
use mindgap::volume::Volume;
use std::io::{BufReader, PipeReader, PipeWriter};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// What the engine does with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// Slab first, then the whole.
    Answer,
    /// Reports one slice and works until it is cancelled.
    WorkUntilCancelled,
    /// Reports one slice and is gone.
    DieMidRun,
    /// Says that it cannot.
    Fail,
    /// Answers runs; a comparison with the mask off is answered when it is cancelled: it had been finished just then.
    HoldComparisons,
}

/// What an engine that answers was asked of styles.
#[derive(Debug, Default)]
pub struct Styles {
    /// In the order of the requests: the style, and whether the scan came with it.
    pub asked: Mutex<Vec<(f32, bool)>>,
    /// While it is raised, the engine is busy with the request it has, and reads no other.
    pub held: AtomicBool,
}

/// Starts it on a thread.
pub fn launch(script: Script) -> Launch {
    launch_as(script, env!("CARGO_PKG_VERSION"))
}

/// One that answers, and notes what it is asked of styles.
pub fn launch_noting(styles: Arc<Styles>) -> Launch {
    start(Script::Answer, env!("CARGO_PKG_VERSION"), styles)
}

/// The same, claiming to be of some program version.
pub fn launch_as(script: Script, program: &'static str) -> Launch {
    start(script, program, Arc::default())
}

fn start(script: Script, program: &'static str, styles: Arc<Styles>) -> Launch {
    let (from_engine, events) = std::io::pipe().unwrap();
    let (commands, to_engine) = std::io::pipe().unwrap();
    std::thread::spawn(move || serve(script, program, &styles, commands, events));
    Launch::Streams { from_engine: Box::new(from_engine), to_engine: Box::new(to_engine) }
}

fn serve(script: Script, program: &str, styles: &Styles, commands: PipeReader, mut events: PipeWriter) {
    let mut commands = BufReader::new(commands);
    let mut kept: Option<(u64, WireScan)> = None;
    let mut held: Option<Request> = None;
    let mut say = |event: Event| write_frame(&mut events, &event, Packing::Plain).is_ok();
    while let Ok(Some(command)) = read_frame::<Command>(&mut commands) {
        let going_on = match command {
            Command::Hello { .. } => say(Event::Hello(info(program))),
            Command::Cancel { job } => match held.take() {
                Some(request) => answer(job, request).into_iter().all(&mut say),
                None => say(Event::Cancelled { job }),
            },
            Command::Run { job, request } => {
                say(Event::Started { job, device: "CPU, scripted".to_owned() });
                let phase = "working".to_owned();
                say(Event::Progress { job, phase, done: 1, total: 20, note: String::new() });
                match script {
                    Script::Answer if matches!(*request, Request::Style(_)) => {
                        say(styled(job, *request, styles, &mut kept))
                    }
                    Script::HoldComparisons if compares(&request) => {
                        held = Some(*request);
                        true
                    }
                    Script::Answer | Script::HoldComparisons => {
                        answer(job, *request).into_iter().all(&mut say)
                    }
                    Script::WorkUntilCancelled => true,
                    Script::DieMidRun => return,
                    Script::Fail => say(Event::Failed { job, error: failure() }),
                }
            }
        };
        if !going_on {
            return;
        }
    }
}

fn info(program: &str) -> EngineInfo {
    EngineInfo {
        protocol: PROTOCOL_VERSION,
        program: program.to_owned(),
        libtorch: "none".to_owned(),
        device: "CPU, scripted".to_owned(),
        cuda: "not looked for".to_owned(),
    }
}

fn compares(request: &Request) -> bool {
    matches!(request, Request::Segment(request) if request.settings.mask == MaskUse::Nowhere)
}

fn failure() -> mindgap::protocol::JobError {
    mindgap::protocol::JobError {
        message: "The scan has one slice; at least two are expected".to_owned(),
        remedy: "Open a volume.".to_owned(),
        details: "slices: expected 2, got 1".to_owned(),
    }
}

/// Labels everything right of the middle as structure 1, with a gap of one half; one column less with the mask off, and two
/// less without adaptation.
fn answer(job: JobId, request: Request) -> Vec<Event> {
    match request {
        Request::Segment(request) => {
            let grid = request.scan.geometry.clone();
            let settings = request.settings;
            let less = usize::from(settings.mask == MaskUse::Nowhere)
                + 2 * usize::from(settings.net == Net::SourceOnly);
            let middle = grid.dims()[0] / 2 + less;
            let labels = Volume::from_fn(grid.clone(), |i, _, _| u16::from(i >= middle));
            let gap = WireVolume::pack(&Volume::from_fn(grid, |_, _, _| 0.5));
            let labels = WireLabels::pack(&labels);
            let slab = Event::SegmentedSlab { job, labels: labels.clone(), gap: gap.clone() };
            let result = Segmentation {
                labels,
                uncertainty: gap.clone(),
                gap,
                seconds: 0.1,
                slices: 20,
                device: "CPU, scripted".to_owned(),
                refinement: Vec::new(),
                warnings: Vec::new(),
            };
            vec![slab, Event::Segmented { job, result: Box::new(result) }]
        }
        Request::Translate(request) => {
            let synthetic = synthetic_of(&request.scan);
            let slab = Event::TranslatedSlab { job, synthetic: synthetic.clone() };
            let result = Translation {
                synthetic,
                imitates: request.modality.other(),
                edge_agreement: 0.9,
                seconds: 0.1,
                slices: 20,
                device: "CPU, scripted".to_owned(),
                warnings: Vec::new(),
            };
            vec![slab, Event::Translated { job, result: Box::new(result) }]
        }
        Request::CheckAnatomy(request) => vec![Event::AnatomyChecked {
            job,
            result: Box::new(anatomy_of(&request.scan.unpack().unwrap().to_f32())),
        }],
        Request::Style(_) | Request::Train(_) => Vec::new(),
    }
}

/// The liver right of the middle moves by two columns on the eighth slice and the spleen is lost; edges agree by a quarter
/// in the front half and are nowhere else.
fn anatomy_of(scan: &Volume<f32>) -> AnatomyCheck {
    let grid = scan.geometry().clone();
    let [ni, nj, _] = grid.dims();
    let labels = |cycle: bool| {
        WireLabels::pack(&Volume::from_fn(grid.clone(), |i, _, k| match i {
            1 | 2 if !cycle => 4,
            _ => u16::from(i >= ni / 2 + if cycle && k == 7 { 2 } else { 0 }),
        }))
    };
    let edges = Volume::from_fn(grid.clone(), |_, j, _| if j >= nj / 2 { 0.25 } else { f32::NAN });
    AnatomyCheck {
        edge_map: WireVolume::pack(&edges),
        edge_agreement: 0.25,
        scan_labels: labels(false),
        cycle_labels: labels(true),
        net: Net::SourceOnly,
        seconds: 0.1,
        slices: 20,
        device: "CPU, scripted".to_owned(),
        warnings: Vec::new(),
    }
}

/// The slice, filled with a hundred times its style.
fn styled(job: JobId, request: Request, styles: &Styles, kept: &mut Option<(u64, WireScan)>) -> Event {
    let Request::Style(request) = request else { return Event::Failed { job, error: failure() } };
    styles.asked.lock().unwrap().push((request.style, request.sent.is_some()));
    while styles.held.load(Ordering::Relaxed) {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    if let Some(sent) = request.sent {
        *kept = Some((request.subject, sent.scan));
    }
    let Some((_, scan)) = kept.as_ref().filter(|(subject, _)| *subject == request.subject) else {
        return Event::Failed { job, error: failure() };
    };
    let [ni, nj, _] = scan.geometry.dims();
    let voxel = scan.geometry.voxel_from_world().transform_point3(request.world_mm.into());
    let slice = scan.geometry.window([0, 0, voxel.z.round() as i64], [ni, nj, 1]).unwrap();
    let synthetic = WireVolume::pack(&Volume::from_fn(slice, |_, _, _| 100.0 * request.style));
    Event::StyledSlice { job, style: request.style, synthetic }
}

fn synthetic_of(scan: &WireScan) -> WireVolume {
    WireVolume::pack(&scan.unpack().unwrap().to_f32().map(|value| 1000.0 - value))
}
