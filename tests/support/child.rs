//! The program in a process of its own, where a panic, a signal, an endless allocation or a hang cannot hide.
#![allow(dead_code)]

use std::ffi::OsStr;
use std::io::Read;
use std::process::{Command, ExitStatus, Stdio};
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

/// The program, to be given arguments.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mindgap"));
    command.env_remove("RUST_LOG");
    command
}

/// The program with these arguments under the limits.
pub fn mindgap<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ending {
    let mut command = command();
    command.args(arguments);
    run(command)
}

/// Runs a command under the limits; a hang fails the test.
pub fn run(mut command: Command) -> Ending {
    limit(&mut command);
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.unwrap();
    let stdout = drain(child.stdout.take().unwrap());
    let stderr = drain(child.stderr.take().unwrap());
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > HANG {
            child.kill().unwrap();
            panic!("{command:?} hangs");
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    Ending { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

/// Whether the program succeeded. If it did not, it must have said so in one clean line and exit code 1.
pub fn assert_clean(ending: &Ending, what: &str) -> bool {
    let Ending { status, stdout, stderr } = ending;
    assert!(!stderr.contains("panicked") && !stderr.contains("RUST_BACKTRACE"), "{what}: {stderr}");
    match status.code() {
        Some(0) => assert!(!stdout.is_empty() && !stderr.contains("error: "), "{what}: {stderr}"),
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
    // macOS does not limit address space.
    #[cfg(target_os = "linux")]
    set_limit(command, libc::RLIMIT_AS, MEMORY_BYTES);
    #[cfg(unix)]
    set_limit(command, libc::RLIMIT_CPU, PROCESSOR_SECONDS);
    #[cfg(not(unix))]
    let _ = (command, MEMORY_BYTES, PROCESSOR_SECONDS);
}

#[cfg(target_os = "linux")]
type Resource = libc::__rlimit_resource_t;
#[cfg(all(unix, not(target_os = "linux")))]
type Resource = libc::c_int;

#[cfg(unix)]
fn set_limit(command: &mut Command, resource: Resource, limit: u64) {
    let limit = libc::rlimit { rlim_cur: limit as libc::rlim_t, rlim_max: limit as libc::rlim_t };
    // SAFETY: `limit` outlives the call, which only reads it.
    before_exec(command, move || unsafe { libc::setrlimit(resource, &limit) });
}

/// Files of the command end at this byte: further writes fail as if there were no room.
#[cfg(unix)]
pub fn limit_file_bytes(command: &mut Command, bytes: u64) {
    // SAFETY: ignoring a signal touches no memory. Without this the signal would end the process.
    before_exec(command, || unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) as libc::c_int });
    set_limit(command, libc::RLIMIT_FSIZE, bytes);
}

/// Every such system call of the command fails with an input/output error, as on a disk that breaks.
#[cfg(target_os = "linux")]
pub fn break_calls(command: &mut Command, calls: &[libc::c_long]) {
    const LOAD_WORD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, k| libc::sock_filter { code, jt, jf: 0, k };
    // The number of the call is the first word of what the filter sees.
    let mut program = vec![step(LOAD_WORD, 0, 0)];
    for (n, call) in calls.iter().enumerate() {
        let to_the_error = (calls.len() - n) as u8;
        program.push(step(JUMP_IF_EQUAL, to_the_error, *call as u32));
    }
    program.push(step(RETURN, 0, libc::SECCOMP_RET_ALLOW));
    program.push(step(RETURN, 0, libc::SECCOMP_RET_ERRNO | libc::EIO as u32));
    before_exec(command, move || {
        let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut() };
        // SAFETY: `filter` and the program it points to outlive the calls, which only read them.
        unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
                | libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &filter)
        }
    });
}

/// Makes a system call in the child before the program starts there; -1 is its failure.
#[cfg(unix)]
fn before_exec(command: &mut Command, call: impl Fn() -> libc::c_int + Send + Sync + 'static) {
    use std::os::unix::process::CommandExt;
    let checked = move || if call() == -1 { Err(std::io::Error::last_os_error()) } else { Ok(()) };
    // SAFETY: between fork and exec the callers make system calls only, and allocate nothing.
    unsafe { command.pre_exec(checked) };
}

fn drain(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = Vec::new();
        pipe.read_to_end(&mut text).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    })
}
