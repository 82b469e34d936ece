//! What must be installed: each thing missing gets one sentence, with the command that remedies it.

use std::ffi::{OsStr, OsString};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::python::Python;

/// Checks for the C++ compiler with which torch-sys is built.
///
/// On Windows it is part of what Rust itself needs to link, so whoever got here has it.
pub fn compiler() -> Result<()> {
    if cfg!(windows) {
        return Ok(());
    }
    let command = compiler_command();
    let mut words = command.to_str().unwrap_or_default().split_whitespace();
    let program = words.next().map_or(command.as_os_str(), OsStr::new);
    let status = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if status.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    bail!("there is no C++ compiler ({}): {}", command.display(), install(Package::Compiler))
}

/// The compiler that builds will call: CXX if set, else `c++`.
pub fn compiler_command() -> OsString {
    std::env::var_os("CXX").filter(|command| !command.is_empty()).unwrap_or_else(|| "c++".into())
}

/// A Python that has pip, with which wheels are fetched.
pub fn pip() -> Result<Python> {
    let Some(python) = Python::find() else {
        bail!("libtorch is fetched with Python's pip, but there is no Python: {}", install(Package::Pip));
    };
    if !python.has_pip() {
        bail!("libtorch is fetched with Python's pip, but this Python has none: {}", install(Package::Pip));
    }
    Ok(python)
}

/// Checks that a window can open, if `arguments` ask `mindgap` for one.
pub fn display(arguments: &[OsString]) -> Result<()> {
    if has_display() || !asks_for_window(arguments) {
        return Ok(());
    }
    bail!(
        "there is no display for the window (neither WAYLAND_DISPLAY nor DISPLAY is set): log in to a desktop, or run \
         it under `xvfb-run -a`, or draw to a file with `cargo xtask run -- view --demo --screenshot demo.png`"
    )
}

pub fn has_display() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(target_os = "linux") || set("WAYLAND_DISPLAY") || set("DISPLAY")
}

/// Bare `mindgap` and `mindgap view` open the window; the other subcommands, help, screenshots and figures do not.
fn asks_for_window(arguments: &[OsString]) -> bool {
    let without_window = ["--screenshot", "--figure", "--help", "-h", "--version", "-V"];
    let named = |argument: &OsString| {
        argument
            .to_str()
            .is_some_and(|text| without_window.iter().any(|flag| text.split('=').next() == Some(flag)))
    };
    let subcommand = arguments.iter().find(|argument| !argument.to_string_lossy().starts_with('-'));
    subcommand.is_none_or(|name| name == "view") && !arguments.iter().any(named)
}

#[derive(Debug, Clone, Copy)]
enum Package {
    Compiler,
    Pip,
}

/// How this system installs a package, as the end of a sentence.
fn install(package: Package) -> String {
    if cfg!(target_os = "macos") {
        return "run `xcode-select --install`".to_owned();
    }
    if cfg!(windows) {
        return "install it from python.org and open a new terminal".to_owned();
    }
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    install_on_linux(&release, package)
}

/// `release` is the text of /etc/os-release.
fn install_on_linux(release: &str, package: Package) -> String {
    let like: String = release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or(line.strip_prefix("ID_LIKE=")))
        .map(|names| format!(" {} ", names.trim_matches('"')))
        .collect();
    let is = |name: &str| like.contains(&format!(" {name} "));
    let (installer, compiler, pip) = if is("debian") || is("ubuntu") {
        ("apt-get install", "g++", "python3-pip")
    } else if is("fedora") || is("rhel") {
        ("dnf install", "gcc-c++", "python3-pip")
    } else if is("arch") {
        ("pacman -S", "gcc", "python-pip")
    } else if is("suse") || is("opensuse") {
        ("zypper install", "gcc-c++", "python3-pip")
    } else {
        return match package {
            Package::Compiler => "install g++ or clang++".to_owned(),
            Package::Pip => "install Python 3 with pip".to_owned(),
        };
    };
    let name = match package {
        Package::Compiler => compiler,
        Package::Pip => pip,
    };
    format!("run `sudo {installer} {name}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_is_the_command_of_the_users_own_system() {
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n";
        assert_eq!(install_on_linux(debian, Package::Compiler), "run `sudo apt-get install g++`");
        let mint = "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n";
        assert_eq!(install_on_linux(mint, Package::Pip), "run `sudo apt-get install python3-pip`");
        let rocky = "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n";
        assert_eq!(install_on_linux(rocky, Package::Compiler), "run `sudo dnf install gcc-c++`");
        assert_eq!(install_on_linux("", Package::Compiler), "install g++ or clang++");
    }

    #[test]
    fn only_what_opens_a_window_needs_a_display() {
        let asks =
            |line: &str| asks_for_window(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>());
        assert!(asks(""));
        assert!(asks("view --demo"));
        assert!(asks("--demo"));
        assert!(asks("-v view scan.nii.gz"));
        assert!(!asks("view --demo --screenshot=a.png"));
        assert!(!asks("view --demo --figure a.png"));
        assert!(!asks("-v info scan.nii.gz"));
        assert!(!asks("segment in.nii.gz -o out.nii.gz"));
        assert!(!asks("--help"));
    }
}
