//! The program in a process of its own, where a panic, a signal, an endless allocation or a hang cannot hide.

use std::ffi::OsStr;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Address space of a child: an allocation of what a header claims fails.
const MEMORY_BYTES: u64 = 2 << 30;
/// Time on a processor: the load of the machine does not count.
const PROCESSOR_SECONDS: u64 = 5;
/// A child that sleeps this long waits for something that never comes.
const HANG: Duration = Duration::from_secs(60);

/// How a child ended, and what it said.
pub struct Ending {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// `mindgap` with these arguments under the limits.
pub fn mindgap<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ending {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mindgap"));
    command.args(arguments).env_remove("RUST_LOG");
    run(command)
}

/// Runs a command under the limits; a hang fails the test.
pub fn run(mut command: Command) -> Ending {
    limit(&mut command);
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.unwrap();
    let stdout = drain(child.stdout.take().unwrap());
    let stderr = drain(child.stderr.take().unwrap());
    let status = wait(&mut child).unwrap_or_else(|| panic!("{command:?} hangs"));
    Ending { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

/// Either an answer, or exit code 1 and one clean line that holds `words`. Returns whether there was an answer.
pub fn assert_clean(ending: &Ending, what: &str) -> bool {
    let Ending { status, stdout, stderr } = ending;
    assert!(!stderr.contains("panicked") && !stderr.contains("RUST_BACKTRACE"), "{what}: {stderr}");
    match status.code() {
        Some(0) => assert!(!stdout.is_empty() && stderr.is_empty(), "{what}: {stderr}"),
        Some(1) => {
            let one_line = stderr.starts_with("error: ") && stderr.lines().count() == 1;
            assert!(one_line && stdout.is_empty(), "{what}: {stderr}");
        }
        // No code: a signal, such as that of a failed allocation or of too much time.
        _ => panic!("{what}: {status}: {stderr}"),
    }
    status.success()
}

fn limit(command: &mut Command) {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        use std::os::unix::process::CommandExt;
        let at_most = |limit| Rlimit { current: Some(limit), maximum: Some(limit) };
        let limits = move || {
            setrlimit(Resource::Core, at_most(0))?;
            setrlimit(Resource::Cpu, at_most(PROCESSOR_SECONDS))?;
            // macOS does not limit address space.
            if cfg!(target_os = "linux") {
                setrlimit(Resource::As, at_most(MEMORY_BYTES))?;
            }
            Ok(())
        };
        // SAFETY: between fork and exec only system calls are made, and nothing is allocated.
        unsafe { command.pre_exec(limits) };
    }
    #[cfg(not(unix))]
    let _ = (command, MEMORY_BYTES, PROCESSOR_SECONDS);
}

/// `None`, and the child killed, if it hangs.
pub fn wait(child: &mut Child) -> Option<ExitStatus> {
    let started = Instant::now();
    while started.elapsed() < HANG {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

fn drain(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = Vec::new();
        pipe.read_to_end(&mut text).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    })
}
