//! The serving loop.

use super::cache::Caches;
use super::device::Devices;
use super::jobs::{self, JobContext};
use super::mailbox::{Mailbox, Turn};
use super::{anatomy, libtorch, style, training};
use mindgap::protocol::{
    Command, EngineInfo, Event, FrameError, JobError, JobId, PROTOCOL_VERSION, Packing, Request, read_frame,
    write_frame,
};
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// Answers commands from `input` on `output` until `input` ends.
///
/// The calling thread becomes the one that owns every tensor. A panic within a job is reported as that job's failure.
pub fn serve(
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
    cuda_library: &libtorch::CudaLibrary,
    threads: Option<String>,
) -> Result<(), FrameError> {
    let (events, outbox) = channel::<Event>();
    // Raised once the client has asked for packed answers; what goes out before that, the hello, is plain.
    let packed = Arc::new(AtomicBool::new(false));
    let pack_answers = packed.clone();
    let sender = std::thread::spawn(move || send(output, &outbox, &pack_answers));
    let devices = Devices::find(cuda_library, threads);
    let automatic = devices.choose(Default::default()).unwrap_or(tch::Device::Cpu);
    post(
        &events,
        Event::Hello(EngineInfo {
            protocol: PROTOCOL_VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            libtorch: libtorch::VERSION.to_owned(),
            device: devices.describe(automatic),
            cuda: devices.describe_cuda(),
        }),
    );
    let mailbox = Mailbox::default();
    let reader = {
        let mailbox = mailbox.clone();
        std::thread::spawn(move || {
            let outcome = receive(input, &mailbox, &packed);
            mailbox.close();
            outcome
        })
    };
    let mut caches = Caches::default();
    while let Some(turn) = mailbox.next() {
        let context = JobContext { job: turn.job, mailbox: &mailbox, events: &events, devices: &devices };
        run(&context, &turn, &mut caches);
        if !turn.first_slice_only {
            mailbox.forget(turn.job);
            caches.scans.forget(turn.job);
        }
    }
    drop(events);
    // The window may have gone first; there is nobody left to tell.
    let _ = sender.join();
    reader.join().unwrap_or(Ok(()))
}

/// Takes one turn: a first slice, or a job to the event that ends it.
fn run(context: &JobContext, turn: &Turn, caches: &mut Caches) {
    let job = context.job;
    if turn.first_slice_only {
        // Whatever fails here fails again, and is told, when the whole volume's turn comes.
        if !context.cancelled()
            && catch_unwind(AssertUnwindSafe(|| jobs::first_slice(context, &turn.request, caches))).is_err()
        {
            *caches = Caches::default();
        }
        return;
    }
    if matches!(*turn.request, Request::Style(_)) {
        return style::answer(context, &turn.request, &mut caches.style);
    }
    if context.cancelled() {
        return context.post(Event::Cancelled { job });
    }
    let outcome = catch_unwind(AssertUnwindSafe(|| match &*turn.request {
        Request::Segment(request) => jobs::segment(context, request, caches),
        Request::Translate(request) => jobs::translate(context, request, caches),
        Request::CheckAnatomy(request) => anatomy::check(context, request, caches),
        Request::Style(_) => Err(jobs::JobFailure::Cancelled),
        Request::Train(request) => training::train(context, request, &mut caches.phantoms),
    }));
    let end = match outcome {
        Ok(Ok(event)) => event,
        Ok(Err(jobs::JobFailure::Cancelled)) => Event::Cancelled { job },
        Ok(Err(jobs::JobFailure::Failed(error))) => Event::Failed { job, error },
        Err(panic) => {
            // Whatever the job left half-made is not trusted.
            *caches = Caches::default();
            Event::Failed { job, error: describe_panic(job, panic.as_ref()) }
        }
    };
    context.post(end);
}

pub fn describe_panic(job: JobId, panic: &(dyn std::any::Any + Send)) -> JobError {
    let text = panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
        .unwrap_or_else(|| "no reason given".to_owned());
    JobError {
        message: "The model engine failed inside".to_owned(),
        remedy: "Try again; if it fails again, report the details".to_owned(),
        details: format!("job {}: {text}", job.0),
    }
}

fn receive(input: impl Read, mailbox: &Mailbox, packed: &AtomicBool) -> Result<(), FrameError> {
    let mut input = std::io::BufReader::with_capacity(1 << 16, input);
    while let Some(command) = read_frame::<Command>(&mut input)? {
        match command {
            // The client checks versions in both directions: ours was in the hello it has from us.
            Command::Hello { protocol, program, packed: wanted } => {
                tracing::debug!("client {program}, protocol {protocol}");
                packed.store(wanted, Ordering::Relaxed);
            }
            Command::Run { job, request } => mailbox.post(job, *request),
            Command::Cancel { job } => mailbox.cancel(job),
        }
    }
    Ok(())
}

fn send(output: impl Write, outbox: &Receiver<Event>, packed: &AtomicBool) {
    let mut output = std::io::BufWriter::with_capacity(1 << 16, output);
    for event in outbox {
        let packing = if packed.load(Ordering::Relaxed) { Packing::Packed } else { Packing::Plain };
        let outcome = match write_frame(&mut output, &event, packing) {
            // Nothing of it was sent, so the stream is sound and the client must be told.
            Err(error @ (FrameError::TooLarge { .. } | FrameError::Codec(_))) => match event.job() {
                Some(job) => {
                    write_frame(&mut output, &Event::Failed { job, error: too_large(&error) }, packing)
                }
                None => Err(error),
            },
            outcome => outcome,
        };
        if let Err(error) = outcome {
            tracing::debug!("client stream: {error}");
            return;
        }
    }
}

fn too_large(error: &FrameError) -> JobError {
    JobError {
        message: format!("The result cannot be sent: {error}"),
        remedy: "Crop the scan or resample it to larger voxels".to_owned(),
        details: error.to_string(),
    }
}

/// Sends an event; a client that has gone is no error of the engine's.
fn post(events: &Sender<Event>, event: Event) {
    let _ = events.send(event);
}
