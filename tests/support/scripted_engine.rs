//! An engine in this process that speaks the real protocol and does what the test says.

use mindgap::config::{MaskUse, Net};
use mindgap::protocol::{
    Command, EngineInfo, Event, JobId, PROTOCOL_VERSION, Packing, Request, Segmentation, Translation,
    WireLabels, WireScan, WireVolume, read_frame, write_frame,
};
use mindgap::session::Launch;
use mindgap::volume::Volume;
use std::io::{BufReader, PipeReader, PipeWriter};

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
}

/// Starts it on a thread.
pub fn launch(script: Script) -> Launch {
    launch_as(script, env!("CARGO_PKG_VERSION"))
}

/// The same, claiming to be of some program version.
pub fn launch_as(script: Script, program: &'static str) -> Launch {
    let (from_engine, events) = std::io::pipe().unwrap();
    let (commands, to_engine) = std::io::pipe().unwrap();
    std::thread::spawn(move || serve(script, program, commands, events));
    Launch::Streams { from_engine: Box::new(from_engine), to_engine: Box::new(to_engine) }
}

fn serve(script: Script, program: &str, commands: PipeReader, mut events: PipeWriter) {
    let mut commands = BufReader::new(commands);
    let mut say = |event: Event| write_frame(&mut events, &event, Packing::Plain).is_ok();
    while let Ok(Some(command)) = read_frame::<Command>(&mut commands) {
        let going_on = match command {
            Command::Hello { .. } => say(Event::Hello(info(program))),
            Command::Cancel { job } => say(Event::Cancelled { job }),
            Command::Run { job, request } => {
                say(Event::Started { job, device: "CPU, scripted".to_owned() });
                let phase = "working".to_owned();
                say(Event::Progress { job, phase, done: 1, total: 20, note: String::new() });
                match script {
                    Script::Answer => answer(job, *request).into_iter().all(&mut say),
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

fn failure() -> mindgap::protocol::JobError {
    mindgap::protocol::JobError {
        message: "The scan has one slice; at least two are expected".to_owned(),
        remedy: "Open a volume.".to_owned(),
        details: String::new(),
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
        Request::Train(_) => Vec::new(),
    }
}

fn synthetic_of(scan: &WireScan) -> WireVolume {
    WireVolume::pack(&scan.unpack().unwrap().to_f32().map(|value| 1000.0 - value))
}
