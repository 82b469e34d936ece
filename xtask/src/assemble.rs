//! Makes a libtorch folder, `lib` and `include`, out of the wheels that PyTorch and NVIDIA publish.
//!
//! Invariant: the folder appears under its final name only when every file in it was checked and listed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::cache::{Cache, WheelSet, remove};
use crate::folder::{self, Flavour, Kept, VERSION};
use crate::platform::Platform;
use crate::python::{Fetch, Request};
use crate::wheel::{Wheel, WheelError};

/// The CUDA release that the torch wheel for Linux is built against.
const CUDA_RUNTIME: [&str; 2] = ["nvidia-cuda-runtime==13.0.*", "nvidia-cuda-cupti==13.0.*"];

/// Measured on Linux x86-64.
const SIZES_CPU: &str = "about 545 MB to download, 510 MB unpacked; the wheels stay in the cache";
const SIZES_CUDA: &str = "about 2.5 GB to download, 3.8 GB unpacked; the wheels stay in the cache";

/// The libtorch folder of the cache, made first if it is not there, not whole, or to be made `again`.
pub fn libtorch(
    cache: &Cache,
    platform: Platform,
    flavour: Flavour,
    again: bool,
    fetch: &dyn Fetch,
) -> Result<PathBuf> {
    let _lock = cache.lock()?;
    let destination = cache.libtorch(flavour);
    // Another clone may have made it while this one waited for the lock.
    match folder::check_unpacked(&destination, platform, flavour) {
        Ok(()) if !again => return Ok(destination),
        Ok(()) | Err(folder::Unusable::Absent(_)) => {}
        Err(unusable) => eprintln!("{unusable}; it is made again"),
    }
    let sizes = match flavour {
        Flavour::Cpu => SIZES_CPU,
        Flavour::Cuda => SIZES_CUDA,
    };
    eprintln!("making libtorch {VERSION} in {} ({sizes})", destination.display());

    let unfinished = destination.with_added_extension("new");
    remove(&unfinished)?;
    let assembly = Assembly { cache, platform, flavour, fetch, folder: &unfinished };
    assembly.fill()?;
    folder::check_unpacked(&unfinished, platform, flavour)?;
    remove(&destination)?;
    fs::rename(&unfinished, &destination)
        .with_context(|| format!("cannot move {} into place", destination.display()))?;
    Ok(destination)
}

struct Assembly<'a> {
    cache: &'a Cache,
    platform: Platform,
    flavour: Flavour,
    fetch: &'a dyn Fetch,
    folder: &'a Path,
}

/// What came out of a set of wheels.
#[derive(Default)]
struct Unpacked {
    kept: Vec<Kept>,
    /// The packages that the wheels ask for.
    requirements: Vec<String>,
}

impl Assembly<'_> {
    fn fill(&self) -> Result<()> {
        let torch = WheelSet {
            name: format!("torch-{VERSION}"),
            request: Request { requirements: vec![format!("torch=={VERSION}")], with_dependencies: false },
        };
        let Unpacked { mut kept, requirements } = self.unpack(&torch, |name| self.place_torch(name))?;
        let found = folder::version_of(self.folder);
        ensure!(
            found.as_deref() == Some(VERSION),
            "pip delivered libtorch {}, but MindGap needs {VERSION}",
            found.unwrap_or_else(|| "of no known version".to_owned())
        );
        if let Some(cuda) = self.cuda_wheels(&requirements) {
            kept.extend(self.unpack(&cuda, |name| self.place_nvidia(name))?.kept);
        }
        let write_error = || format!("cannot write to {}", self.folder.display());
        fs::write(self.folder.join("build-version"), VERSION).with_context(write_error)?;
        folder::write_manifest(self.folder, &kept).with_context(write_error)
    }

    /// The wheels from NVIDIA that the torch wheel asks for, as far as `flavour` wants them. Those for macOS and Windows
    /// ask for none.
    fn cuda_wheels(&self, requirements: &[String]) -> Option<WheelSet> {
        let from_nvidia: Vec<String> = requirements
            .iter()
            .filter(|name| name.starts_with("nvidia-") || name.starts_with("cuda-toolkit"))
            .cloned()
            .collect();
        if from_nvidia.is_empty() {
            return None;
        }
        let (name, request) = match self.flavour {
            Flavour::Cpu => {
                let requirements = CUDA_RUNTIME.map(str::to_owned).to_vec();
                ("cuda-runtime", Request { requirements, with_dependencies: false })
            }
            Flavour::Cuda => ("cuda", Request { requirements: from_nvidia, with_dependencies: true }),
        };
        Some(WheelSet { name: format!("{name}-for-torch-{VERSION}"), request })
    }

    /// Unpacks a set of wheels. A damaged wheel is fetched again, once.
    fn unpack(&self, set: &WheelSet, place: impl Fn(&str) -> Option<String>) -> Result<Unpacked> {
        let damage = match self.unpack_wheels(&self.cache.obtain(set, self.fetch)?, &place) {
            Err(damage) => damage,
            Ok(unpacked) => return Ok(unpacked),
        };
        let WheelError::Damaged { wheel, .. } = &damage else { return Err(damage.into()) };
        eprintln!("{damage}; it is fetched again");
        self.cache.discard(wheel)?;
        Ok(self.unpack_wheels(&self.cache.obtain(set, self.fetch)?, &place)?)
    }

    fn unpack_wheels(
        &self,
        wheels: &[PathBuf],
        place: impl Fn(&str) -> Option<String>,
    ) -> Result<Unpacked, WheelError> {
        let mut unpacked = Unpacked::default();
        for path in wheels {
            let mut wheel = Wheel::open(path)?;
            unpacked.requirements.extend(wheel.requirements()?);
            unpacked.kept.extend(wheel.unpack(self.folder, &place)?);
        }
        Ok(unpacked)
    }

    /// Where a file of the torch wheel goes, if it is kept.
    fn place_torch(&self, name: &str) -> Option<String> {
        if let Some(library) = name.strip_prefix("torch/lib/") {
            let keep = !library.contains('/') && self.platform.keeps_torch_library(library, self.flavour);
            return keep.then(|| format!("lib/{library}"));
        }
        if name == "torch/version.py" || name.starts_with("torch/include/") {
            return name.strip_prefix("torch/").map(str::to_owned);
        }
        place_licence(name)
    }

    fn place_nvidia(&self, name: &str) -> Option<String> {
        let (folder, file_name) = name.rsplit_once('/')?;
        if folder.ends_with("/lib") {
            let keep = self.platform.keeps_nvidia_library(file_name, self.flavour);
            return keep.then(|| format!("lib/{file_name}"));
        }
        place_licence(name)
    }
}

/// Licences travel with the libraries: `torch-2.11.0.dist-info/licenses/LICENSE` to `licences/torch-2.11.0/LICENSE`.
fn place_licence(name: &str) -> Option<String> {
    let (package, licence) = name.split_once(".dist-info/licenses/")?;
    Some(format!("licences/{package}/{licence}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::wheel::tests::write_wheel;

    /// Delivers tiny wheels laid out like the real ones, and remembers what it was asked for.
    #[derive(Default)]
    struct FakePip {
        asked: RefCell<Vec<String>>,
        version: Option<&'static str>,
    }

    const PLATFORM: Platform = Platform::Linux { arch: "x86_64" };

    impl Fetch for FakePip {
        fn fetch(&self, request: &Request, into: &Path, _finished: &Path) -> Result<()> {
            self.asked.borrow_mut().extend(request.requirements.clone());
            if request.requirements[0].starts_with("torch") {
                let version = format!("__version__ = '{}+cu130'\n", self.version.unwrap_or(VERSION));
                let metadata = b"Requires-Dist: jinja2\n\
                    Requires-Dist: cuda-toolkit[cudart]==13.0.2; platform_system == \"Linux\"\n";
                let files: [(&str, &[u8]); 10] = [
                    ("torch/lib/libtorch_cpu.so", b"cpu"),
                    ("torch/lib/libtorch.so", b"torch"),
                    ("torch/lib/libc10.so", b"c10"),
                    ("torch/lib/libc10_cuda.so", b"c10 for CUDA"),
                    ("torch/lib/libtorch_cuda.so", b"cuda"),
                    ("torch/lib/libtorch_python.so", b"python"),
                    ("torch/version.py", version.as_bytes()),
                    ("torch/nn/functional.py", b"not needed"),
                    ("torch/include/torch/csrc/api/include/torch/torch.h", b"#pragma once"),
                    ("torch-2.11.0.dist-info/METADATA", metadata),
                ];
                write_wheel(&into.join("torch-2.11.0-cp312-cp312-manylinux_2_28_x86_64.whl"), &files);
            } else {
                let files: [(&str, &[u8]); 3] = [
                    ("nvidia/cu13/lib/libcudart.so.13", b"runtime"),
                    ("nvidia/cu13/lib/libcublas.so.13", b"blas"),
                    ("nvidia_cuda-13.0.dist-info/METADATA", b""),
                ];
                write_wheel(&into.join("nvidia_cuda-13.0-py3-none-manylinux2014_x86_64.whl"), &files);
            }
            Ok(())
        }
    }

    fn made(cache: &Cache, flavour: Flavour, pip: &FakePip) -> Result<PathBuf> {
        libtorch(cache, PLATFORM, flavour, false, pip)
    }

    fn torch_wheel(cache: &Cache) -> PathBuf {
        cache.wheels().join("torch-2.11.0-cp312-cp312-manylinux_2_28_x86_64.whl")
    }

    #[test]
    fn a_finished_wheel_is_never_fetched_twice() {
        let root = tempfile::tempdir().unwrap();
        let (cache, pip) = (Cache::at(root.path().to_owned()), FakePip::default());
        let folder = made(&cache, Flavour::Cpu, &pip).unwrap();
        let asked = vec!["torch==2.11.0".to_owned(), CUDA_RUNTIME[0].to_owned(), CUDA_RUNTIME[1].to_owned()];
        assert_eq!(*pip.asked.borrow(), asked);

        fs::remove_dir_all(&folder).unwrap();
        made(&cache, Flavour::Cpu, &pip).unwrap();
        libtorch(&cache, PLATFORM, Flavour::Cpu, true, &pip).unwrap();
        assert_eq!(*pip.asked.borrow(), asked, "nothing was missing");
    }

    #[test]
    fn only_what_the_engine_needs_is_unpacked() {
        let root = tempfile::tempdir().unwrap();
        let (cache, pip) = (Cache::at(root.path().to_owned()), FakePip::default());
        let files = |folder: PathBuf| {
            let names = fs::read_dir(folder.join("lib")).unwrap().map(|entry| entry.unwrap().file_name());
            let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
            names.sort();
            names.join(" ")
        };
        let cpu = made(&cache, Flavour::Cpu, &pip).unwrap();
        assert!(!cpu.join("nn").exists());
        assert_eq!(files(cpu), "libc10.so libcudart.so.13 libtorch.so libtorch_cpu.so");

        let cuda = files(made(&cache, Flavour::Cuda, &pip).unwrap());
        assert_eq!(
            cuda,
            "libc10.so libc10_cuda.so libcublas.so.13 libcudart.so.13 libtorch.so libtorch_cpu.so libtorch_cuda.so"
        );
        let asked = pip.asked.borrow();
        assert_eq!(asked.last().unwrap(), "cuda-toolkit[cudart]==13.0.2");
        assert_eq!(asked.iter().filter(|name| name.starts_with("torch")).count(), 1);
    }

    #[test]
    fn a_truncated_wheel_is_removed_and_fetched_again() {
        let root = tempfile::tempdir().unwrap();
        let (cache, pip) = (Cache::at(root.path().to_owned()), FakePip::default());
        let folder = made(&cache, Flavour::Cpu, &pip).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        let whole = fs::read(torch_wheel(&cache)).unwrap();
        fs::write(torch_wheel(&cache), &whole[..whole.len() / 2]).unwrap();

        made(&cache, Flavour::Cpu, &pip).unwrap();
        assert_eq!(fs::read(torch_wheel(&cache)).unwrap(), whole);
        assert_eq!(pip.asked.borrow().iter().filter(|name| name.starts_with("torch")).count(), 2);
    }

    #[test]
    fn a_wheel_with_changed_content_is_removed_and_fetched_again() {
        let root = tempfile::tempdir().unwrap();
        let (cache, pip) = (Cache::at(root.path().to_owned()), FakePip::default());
        let folder = made(&cache, Flavour::Cpu, &pip).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        let whole = fs::read(torch_wheel(&cache)).unwrap();
        let mut changed = whole.clone();
        // Inside the packed content of the first file, which follows a header of 30 bytes and its name.
        changed[30 + "torch/lib/libtorch_cpu.so".len() + 1] ^= 4;
        fs::write(torch_wheel(&cache), changed).unwrap();

        made(&cache, Flavour::Cpu, &pip).unwrap();
        assert_eq!(fs::read(torch_wheel(&cache)).unwrap(), whole);
    }

    #[test]
    fn a_folder_left_half_unpacked_is_not_taken_for_whole() {
        let root = tempfile::tempdir().unwrap();
        let (cache, pip) = (Cache::at(root.path().to_owned()), FakePip::default());
        let folder = made(&cache, Flavour::Cpu, &pip).unwrap();
        for half in [folder::MANIFEST, "lib/libcudart.so.13", "include/torch/csrc/api/include/torch/torch.h"]
        {
            fs::remove_file(folder.join(half)).unwrap();
            folder::check_unpacked(&folder, PLATFORM, Flavour::Cpu).unwrap_err();
            assert!(made(&cache, Flavour::Cpu, &pip).unwrap().join(half).is_file());
        }
        fs::write(folder.join("lib/libtorch_cpu.so"), b"c").unwrap();
        let message = folder::check_unpacked(&folder, PLATFORM, Flavour::Cpu).unwrap_err().to_string();
        assert!(message.contains("1 bytes instead of 3"), "{message}");
    }

    #[test]
    fn changed_libraries_are_found_by_their_content() {
        let root = tempfile::tempdir().unwrap();
        let folder = made(&Cache::at(root.path().to_owned()), Flavour::Cpu, &FakePip::default()).unwrap();
        folder::check_libraries(&folder).unwrap();
        fs::write(folder.join("lib/libtorch_cpu.so"), b"cpX").unwrap();
        folder::check_libraries(&folder).unwrap_err();
    }

    #[test]
    fn another_version_than_asked_for_is_named_and_leaves_no_folder() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::at(root.path().to_owned());
        let pip = FakePip { version: Some("2.10.0"), ..FakePip::default() };
        let message = made(&cache, Flavour::Cpu, &pip).unwrap_err().to_string();
        assert!(message.contains("2.10.0") && message.contains(VERSION), "{message}");
        assert!(!cache.libtorch(Flavour::Cpu).exists());
    }
}
