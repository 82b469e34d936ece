//! A live connection to one engine.
//!
//! Nothing here blocks its caller: a writer thread sends, a reader thread receives and wakes, and the caller drains
//! [`Notice`]s when it likes. A request that is too large to be sent fails alone: the engine never hears of it. Dropping
//! the [`Engine`] closes the stream, which ends the process; one that does not end by itself within [`GRACE`] is killed,
//! so that no engine outlives its window.

use super::launch::{EngineError, Launch, Opened};
use crate::protocol::{
    Command, EngineInfo, Event, FrameError, JobError, JobId, MAX_FRAME_BYTES, MAX_HELLO_BYTES,
    PROTOCOL_VERSION, Packing, Request, read_frame_within, write_frame,
};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long an engine may take to end once its stream is closed.
const GRACE: Duration = Duration::from_millis(900);

/// Called from another thread when there is something to drain.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// What happened at the other end.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every notice is an event; boxing each would gain nothing"
)]
pub enum Notice {
    Event(Event),
    /// Nothing more will come; every unfinished job is lost.
    Gone(String),
}

/// How the engine is doing.
#[derive(Debug, Clone, PartialEq)]
pub enum EngineState {
    Starting,
    Ready(EngineInfo),
    /// With the reason, fit to be shown.
    Gone(String),
}

/// The client's end.
pub struct Engine {
    commands: Option<Sender<Command>>,
    notices: Receiver<Notice>,
    child: Option<Child>,
    writer: Option<JoinHandle<()>>,
    state: EngineState,
    /// It has answered, and was of our version.
    was_ready: bool,
    next_job: u64,
}

impl Engine {
    /// Starts the engine and says hello; returns at once, before it has answered.
    pub fn start(launch: Launch, wake: Wake) -> Result<Self, EngineError> {
        let Opened { from_engine, to_engine, complaints, child, packing } = launch.open()?;
        let (commands, queue) = channel::<Command>();
        let (notify, notices) = channel::<Notice>();
        let last_words = Arc::new(LastWords::default());
        if let Some(complaints) = complaints {
            let last_words = last_words.clone();
            last_words.expect();
            spawn("engine-stderr", move || last_words.listen(complaints))?;
        }
        let (writer_notify, writer_wake, writer_words) = (notify.clone(), wake.clone(), last_words.clone());
        let heard = Arc::new(AtomicBool::new(false));
        let writer_heard = heard.clone();
        spawn("engine-events", move || receive(from_engine, &notify, &wake, &last_words, &heard))?;
        let writer = spawn("engine-commands", move || {
            let tell = |notice| {
                // Whoever dropped the engine does not want to know.
                let _ = writer_notify.send(notice);
                writer_wake();
            };
            send_all((to_engine, packing), &queue, &tell, &writer_words, &writer_heard);
        })?;
        let engine = Self {
            commands: Some(commands),
            notices,
            child,
            writer: Some(writer),
            state: EngineState::Starting,
            was_ready: false,
            next_job: 1,
        };
        engine.send(Command::Hello {
            protocol: PROTOCOL_VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            packed: packing == Packing::Packed,
        });
        Ok(engine)
    }

    /// Queues a job. Its events carry the returned id; if the engine is gone, the next notice says so. A request that is
    /// larger than one message is answered by [`Event::Failed`], and the engine never hears of it.
    pub fn submit(&mut self, request: Request) -> JobId {
        let job = JobId(self.next_job);
        self.next_job += 1;
        self.send(Command::Run { job, request: Box::new(request) });
        job
    }

    /// Asks for a job to stop; answered by [`Event::Cancelled`], or by its result if that was already on its way.
    pub fn cancel(&self, job: JobId) {
        self.send(Command::Cancel { job });
    }

    /// The engine's state as of the last drained notice.
    pub fn state(&self) -> &EngineState {
        &self.state
    }

    /// Whether it has ever answered: a connection that was lost, unlike one that never was, is worth trying again.
    pub fn was_ready(&self) -> bool {
        self.was_ready
    }

    /// The engine's process, where it is a child of this one.
    pub fn process_id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Takes the next notice if there is one.
    pub fn try_next(&mut self) -> Option<Notice> {
        let notice = match self.notices.try_recv() {
            Ok(notice) => notice,
            Err(std::sync::mpsc::TryRecvError::Empty) => return None,
            Err(std::sync::mpsc::TryRecvError::Disconnected) => return self.gone_once(),
        };
        Some(self.note(notice))
    }

    /// Waits for the next notice, `None` after `patience`.
    pub fn next_within(&mut self, patience: Duration) -> Option<Notice> {
        match self.notices.recv_timeout(patience) {
            Ok(notice) => Some(self.note(notice)),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => self.gone_once(),
        }
    }

    fn send(&self, command: Command) {
        if let Some(commands) = &self.commands {
            // A closed queue means the stream is gone, which the reader thread reports.
            let _ = commands.send(command);
        }
    }

    fn note(&mut self, notice: Notice) -> Notice {
        match notice {
            Notice::Event(Event::Hello(info)) => {
                if info.protocol == PROTOCOL_VERSION && info.program == env!("CARGO_PKG_VERSION") {
                    self.state = EngineState::Ready(info.clone());
                    self.was_ready = true;
                    return Notice::Event(Event::Hello(info));
                }
                self.commands = None;
                let reason = EngineError::Version {
                    ours: env!("CARGO_PKG_VERSION").to_owned(),
                    our_protocol: PROTOCOL_VERSION,
                    theirs: info.program,
                    their_protocol: info.protocol,
                };
                self.state = EngineState::Gone(reason.to_string());
                Notice::Gone(reason.to_string())
            }
            Notice::Gone(reason) => {
                let reason = match self.exit_status() {
                    Some(status) if !reason.is_empty() => format!("{status}; its last words: {reason}"),
                    Some(status) => status,
                    None => reason,
                };
                if !matches!(self.state, EngineState::Gone(_)) {
                    self.state = EngineState::Gone(reason.clone());
                }
                Notice::Gone(reason)
            }
            event => event,
        }
    }

    fn gone_once(&mut self) -> Option<Notice> {
        if matches!(self.state, EngineState::Gone(_)) {
            return None;
        }
        Some(self.note(Notice::Gone(String::new())))
    }

    /// How the process ended, once it has.
    fn exit_status(&mut self) -> Option<String> {
        let child = self.child.as_mut()?;
        let status = wait_until(child, Instant::now() + GRACE)?;
        Some(status.to_string())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.commands = None;
        let Some(mut child) = self.child.take() else { return };
        if wait_until(&mut child, Instant::now() + GRACE).is_none() {
            tracing::warn!("the engine did not end by itself and is killed");
            // Failing here means that it has just ended after all.
            let _ = child.kill();
            let _ = child.wait();
        }
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, EngineError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(|source| EngineError::NotStarted { program: name.into(), source })
}

fn wait_until(child: &mut Child, deadline: Instant) -> Option<std::process::ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(10)),
            _ => return None,
        }
    }
}

/// Sends commands until there are no more, or the stream is lost.
fn send_all(
    (mut to_engine, packing): (Box<dyn Write + Send>, Packing),
    queue: &Receiver<Command>,
    tell: &dyn Fn(Notice),
    last_words: &LastWords,
    heard: &AtomicBool,
) {
    while let Ok(command) = queue.recv() {
        let Err(error) = write_frame(&mut to_engine, &command, packing) else { continue };
        // Told first: the engine's end, which follows, says less. Where the engine is what ended, it knows better why.
        let reason = match (&error, &command) {
            // Messages are measured before anything of them is sent: the stream is sound and the engine none the wiser.
            (FrameError::TooLarge { .. }, Command::Run { job, .. }) => {
                tell(Notice::Event(Event::Failed { job: *job, error: too_large(&error) }));
                continue;
            }
            // Of what never was an engine, the reader can say what it is instead.
            (FrameError::Io(_), _) if !heard.load(Ordering::Relaxed) => return,
            (FrameError::Io(_), _) => last_words.or(error.to_string()),
            _ => error.to_string(),
        };
        return tell(Notice::Gone(reason));
    }
}

fn too_large(error: &FrameError) -> JobError {
    JobError {
        message: format!("The scan cannot be sent to the model engine: {error}"),
        remedy: "Crop the scan or resample it to larger voxels (mindgap convert --spacing MM)".to_owned(),
        details: error.to_string(),
    }
}

fn receive(
    from_engine: Box<dyn Read + Send>,
    notify: &Sender<Notice>,
    wake: &Wake,
    last_words: &LastWords,
    heard: &AtomicBool,
) {
    let mut stream = BufReader::with_capacity(1 << 16, from_engine);
    let reason = loop {
        let most = if heard.load(Ordering::Relaxed) { MAX_FRAME_BYTES } else { MAX_HELLO_BYTES };
        match read_frame_within::<Event>(&mut stream, most) {
            Ok(Some(event)) => {
                heard.store(true, Ordering::Relaxed);
                if notify.send(Notice::Event(event)).is_err() {
                    return;
                }
                wake();
            }
            Ok(None) => break String::new(),
            Err(error) if most == MAX_HELLO_BYTES => {
                break format!(
                    "no engine answers: {error}. Does something write to the output before it starts?"
                );
            }
            Err(error) => break error.to_string(),
        }
    };
    let _ = notify.send(Notice::Gone(last_words.or(reason)));
    wake();
}

/// The last lines of the engine's stderr, which explain a crash; all of them also go to the log.
#[derive(Default)]
struct LastWords {
    said: Mutex<Said>,
    changed: Condvar,
}

#[derive(Default)]
struct Said {
    lines: VecDeque<String>,
    more_to_come: bool,
}

impl LastWords {
    /// Somebody is going to [`Self::listen`].
    fn expect(&self) {
        self.said().more_to_come = true;
    }

    /// Takes everything down until the stream ends.
    fn listen(&self, complaints: Box<dyn Read + Send>) {
        for line in BufReader::new(complaints).lines().map_while(Result::ok) {
            tracing::debug!(target: "mindgap_engine", "{line}");
            let mut said = self.said();
            if said.lines.len() == 3 {
                said.lines.pop_front();
            }
            said.lines.push_back(line);
        }
        self.said().more_to_come = false;
        self.changed.notify_all();
    }

    /// The last words, or `reason` where there were none. Events and complaints are two streams: when the one ends, the
    /// other may still hold the explanation, so it is waited for a moment.
    fn or(&self, reason: String) -> String {
        let waited = self.changed.wait_timeout_while(self.said(), GRACE, |said| said.more_to_come);
        let (said, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if said.lines.is_empty() {
            reason
        } else {
            said.lines.iter().cloned().collect::<Vec<_>>().join(" | ")
        }
    }

    /// A few lines are sound whatever happened to another thread.
    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::bundled_models;
    use crate::protocol::{AnatomyRequest, DeviceChoice, ModelPayload, WireScan, read_frame};
    use crate::session::run_job;
    use crate::volume::{Geometry, Modality, Scan, Volume};

    /// A request with weights of so many bytes; zeros that are never looked at take no memory.
    fn request(weights: usize) -> Request {
        let grid = Geometry::axis_aligned([4; 3], [1.0; 3], [0.0; 3]).unwrap();
        let scan = Scan::from_volume(Volume::from_fn(grid, |i, _, _| i as f32), "test");
        let card = bundled_models().unwrap().remove(0);
        Request::CheckAnatomy(AnatomyRequest {
            model: ModelPayload { card, weights: vec![0; weights] },
            judge: None,
            scan: WireScan::pack(&scan),
            modality: Modality::Ct,
            device: DeviceChoice::Cpu,
        })
    }

    #[test]
    fn a_scan_too_large_to_be_sent_fails_alone_with_both_sizes_and_the_engine_takes_the_next_one() {
        let (from_engine, _open_end) = std::io::pipe().unwrap();
        let (commands, to_engine) = std::io::pipe().unwrap();
        let launch = Launch::Streams { from_engine: Box::new(from_engine), to_engine: Box::new(to_engine) };
        let mut engine = Engine::start(launch, Arc::new(|| ())).unwrap();
        let too_large = request(MAX_FRAME_BYTES as usize);
        let error = run_job(&mut engine, too_large, &AtomicBool::new(false), |_| ()).unwrap_err();
        assert!(matches!(error, EngineError::Job(_)), "{error:?}");
        for part in ["2147418112 bytes can be sent", "a message of 21474", "Crop the scan"] {
            assert!(error.to_string().contains(part), "{part} not in: {error}");
        }
        assert_eq!(*engine.state(), EngineState::Starting, "the engine is not taken for gone");
        let next = engine.submit(request(8));
        let mut stream = BufReader::new(commands);
        assert!(matches!(read_frame(&mut stream).unwrap(), Some(Command::Hello { .. })));
        let arrived = read_frame::<Command>(&mut stream).unwrap();
        assert!(
            matches!(arrived, Some(Command::Run { job, .. }) if job == next),
            "only the next one arrives"
        );
    }
}
