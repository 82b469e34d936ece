//! What differs between Linux, macOS and Windows: the wheel to ask for and the files of it to keep.
//!
//! Linux on x86-64 is what was tried. The other entries follow the names that PyTorch's wheels carry there.

use anyhow::{Result, bail};

use crate::folder::Flavour;

/// CPython version the wheels are asked for. Any would do, since no Python code is used; a fixed one makes everybody
/// fetch the same files, whichever Python pip itself runs on.
pub const PYTHON_VERSION: &str = "3.12";

/// A system that PyTorch publishes wheels for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Platform {
    Linux { arch: &'static str },
    MacArm,
    Windows,
}

impl Platform {
    pub fn current() -> Result<Self> {
        match (std::env::consts::OS, std::env::consts::ARCH) {
            ("linux", arch @ ("x86_64" | "aarch64")) => Ok(Self::Linux { arch }),
            ("macos", "aarch64") => Ok(Self::MacArm),
            ("windows", "x86_64") => Ok(Self::Windows),
            (system, arch) => bail!(
                "PyTorch publishes no libtorch for {system} on {arch}: build one and name its folder in LIBTORCH, \
                 or build the viewer alone with `cargo build --no-default-features --features gui`"
            ),
        }
    }

    /// pip's platform tags, the newest first.
    pub fn pip_tags(self) -> Vec<String> {
        match self {
            Self::Linux { arch } => {
                // PyTorch asks for glibc 2.28; NVIDIA's wheels are content with various older ones.
                let glibc_minors = (17..=28).rev().map(|minor| format!("manylinux_2_{minor}_{arch}"));
                glibc_minors.chain([format!("manylinux2014_{arch}")]).collect()
            }
            Self::MacArm => ["14_0", "13_0", "12_0", "11_0"].map(|os| format!("macosx_{os}_arm64")).to_vec(),
            Self::Windows => vec!["win_amd64".to_owned()],
        }
    }

    /// The files without which neither building nor starting works, relative to the libtorch folder.
    pub fn required(self, flavour: Flavour) -> Vec<String> {
        let libraries: &[&str] = match flavour {
            Flavour::Cpu => &["torch_cpu", "torch", "c10"],
            Flavour::Cuda => &["torch_cpu", "torch", "c10", "torch_cuda", "c10_cuda"],
        };
        let libraries = libraries.iter().map(|name| format!("lib/{}", self.library(name)));
        libraries.chain(["include/torch/csrc/api/include/torch/torch.h".to_owned()]).collect()
    }

    /// Whether a library of the torch wheel's `torch/lib` folder is kept.
    pub fn keeps_torch_library(self, file_name: &str, flavour: Flavour) -> bool {
        // The bindings to Python and the tools around them: nothing of ours can use them.
        let python_only = ["torch_python", "shm", "torch_global_deps", "_C"];
        let stem = file_name.strip_prefix("lib").unwrap_or(file_name);
        let stem = stem.split('.').next().unwrap_or(stem);
        if python_only.contains(&stem) {
            return false;
        }
        match (self, flavour) {
            (Self::Linux { .. }, Flavour::Cpu) => is_shared_object(file_name) && !is_for_cuda(stem),
            (Self::Linux { .. }, Flavour::Cuda) => is_shared_object(file_name),
            (Self::MacArm, _) => file_name.ends_with(".dylib"),
            (Self::Windows, _) => file_name.ends_with(".dll") || file_name.ends_with(".lib"),
        }
    }

    /// Whether a library out of one of NVIDIA's wheels is kept.
    ///
    /// libtorch_cpu of the one wheel that exists for Linux is linked to the CUDA runtime and to CUPTI, its profiler,
    /// even where no GPU is used. Both are small.
    pub fn keeps_nvidia_library(self, file_name: &str, flavour: Flavour) -> bool {
        match flavour {
            Flavour::Cpu => file_name.starts_with("libcudart.so") || file_name.starts_with("libcupti.so"),
            Flavour::Cuda => is_shared_object(file_name),
        }
    }

    fn library(self, name: &str) -> String {
        match self {
            Self::Linux { .. } => format!("lib{name}.so"),
            Self::MacArm => format!("lib{name}.dylib"),
            Self::Windows => format!("{name}.dll"),
        }
    }
}

fn is_shared_object(file_name: &str) -> bool {
    file_name.ends_with(".so") || file_name.contains(".so.")
}

fn is_for_cuda(stem: &str) -> bool {
    ["cuda", "nvrtc", "nvshmem"].iter().any(|word| stem.contains(word))
}
