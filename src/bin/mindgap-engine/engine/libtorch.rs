//! Loads libtorch's CUDA library where there is one, so that one engine serves machines with and without a GPU.
//!
//! The engine is linked to libtorch for the CPU. PyTorch's CUDA code registers itself when its library is loaded, and
//! libtorch asks who registered only once, when CUDA is first mentioned. Hence the invariant: [`load_cuda`] runs before
//! the first tensor is made and before `tch::Cuda` is asked anything.
//!
//! ```ignore
//! let cuda = libtorch::load_cuda();
//! let device = if tch::Cuda::is_available() { Device::Cuda(0) } else { Device::Cpu };
//! ```

use std::path::{Path, PathBuf};

/// Names a folder with libtorch's CUDA library: a libtorch, an installed `torch` package, or the `lib` in either.
pub const CUDA_FOLDER_VARIABLE: &str = "MINDGAP_TORCH_CUDA";

/// The version of libtorch that this engine is built for.
pub const VERSION: &str = "2.11.0";

#[cfg(windows)]
const CUDA_LIBRARY: &str = "torch_cuda.dll";
#[cfg(not(windows))]
const CUDA_LIBRARY: &str = "libtorch_cuda.so";

#[cfg(windows)]
const DRIVER_LIBRARY: &str = "nvcuda.dll";
#[cfg(not(windows))]
const DRIVER_LIBRARY: &str = "libcuda.so.1";

/// What became of the search for libtorch's CUDA library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CudaLibrary {
    /// It is loaded from this file. Whether a GPU can be used `tch::Cuda::is_available` tells.
    Loaded(PathBuf),
    /// There is none beside libtorch and none was named.
    NotFound,
    /// There is one, but no driver that it could reach a GPU through, so it was left alone: loading takes seconds.
    NoDriver(PathBuf),
    /// There should be one, but it cannot be used.
    Failed { path: PathBuf, reason: String },
}

/// Loads the CUDA library that [`CUDA_FOLDER_VARIABLE`] names, else the one beside the libtorch in use, for as long as
/// the process lives.
pub fn load_cuda() -> CudaLibrary {
    let named = std::env::var_os(CUDA_FOLDER_VARIABLE).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let path = match find(named.as_deref(), folder_in_use().as_deref()) {
        Ok(Some(path)) => path,
        Ok(None) => return CudaLibrary::NotFound,
        Err(failed) => return failed,
    };
    if load_for_good(Path::new(DRIVER_LIBRARY)).is_err() {
        return CudaLibrary::NoDriver(path);
    }
    match load_for_good(&path) {
        Ok(()) => CudaLibrary::Loaded(path),
        Err(error) => CudaLibrary::Failed { path, reason: error.to_string() },
    }
}

/// The CUDA library to load. A folder that the user named must have one, and of our version; the one beside the
/// libtorch in use was checked with it.
fn find(named: Option<&Path>, in_use: Option<&Path>) -> Result<Option<PathBuf>, CudaLibrary> {
    let Some(named) = named else {
        return Ok(in_use.map(|folder| folder.join(CUDA_LIBRARY)).filter(|path| path.is_file()));
    };
    let (package, path) = [named.join("lib"), named.to_owned()]
        .map(|folder| folder.join(CUDA_LIBRARY))
        .into_iter()
        .find(|path| path.is_file())
        .and_then(|path| Some((path.parent()?.parent()?.to_owned(), path)))
        .ok_or_else(|| CudaLibrary::Failed {
            path: named.to_owned(),
            reason: format!("{CUDA_FOLDER_VARIABLE} names a folder without {CUDA_LIBRARY}"),
        })?;
    match version_of(&package) {
        Some(found) if found == VERSION => Ok(Some(path)),
        found => Err(CudaLibrary::Failed {
            path,
            reason: format!(
                "it belongs to libtorch {}, but the engine is built for {VERSION}",
                found.as_deref().unwrap_or("of unknown version")
            ),
        }),
    }
}

/// The version that a libtorch folder (build-version) or a `torch` package (version.py) claims, without what follows a
/// plus sign.
fn version_of(package: &Path) -> Option<String> {
    let build_version = std::fs::read_to_string(package.join("build-version"));
    let version = build_version.ok().or_else(|| {
        let text = std::fs::read_to_string(package.join("version.py")).ok()?;
        let assigned = text.lines().find_map(|line| line.strip_prefix("__version__"))?;
        assigned.split(['\'', '"']).nth(1).map(str::to_owned)
    })?;
    version.trim().split('+').next().map(str::to_owned)
}

/// The folder that the running process loaded libtorch from.
#[cfg(target_os = "linux")]
fn folder_in_use() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines()
        .filter_map(|line| line.find('/').map(|start| Path::new(&line[start..])))
        .find(|file| file.file_name().is_some_and(|name| name == "libtorch_cpu.so"))
        .and_then(Path::parent)
        .map(Path::to_owned)
}

/// The folder that the loader took libtorch from: it looks beside the program, then along PATH.
#[cfg(windows)]
fn folder_in_use() -> Option<PathBuf> {
    let beside_program = std::env::current_exe().ok()?.parent()?.to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(beside_program)
        .chain(std::env::split_paths(&path))
        .find(|folder| folder.join("torch_cpu.dll").is_file())
}

/// There is no CUDA elsewhere.
#[cfg(not(any(target_os = "linux", windows)))]
fn folder_in_use() -> Option<PathBuf> {
    None
}

/// Loads a library with its symbols visible to all others, as libtorch's libraries expect of each other.
#[cfg(unix)]
fn load_for_good(path: &Path) -> Result<(), libloading::Error> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    // SAFETY: loading runs the library's initialisers. Those of libtorch and of NVIDIA's driver are made to run at any
    // time in a process with any number of threads, and nothing of the library is called through the handle.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) }?;
    std::mem::forget(library);
    Ok(())
}

#[cfg(windows)]
fn load_for_good(path: &Path) -> Result<(), libloading::Error> {
    // SAFETY: as above; libtorch's and NVIDIA's initialisers may run at any time.
    let library = unsafe { libloading::Library::new(path) }?;
    std::mem::forget(library);
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A folder laid out like an installed `torch` package, with a CUDA library that is none.
    fn package(version: &str) -> tempfile::TempDir {
        let package = tempfile::tempdir().unwrap();
        std::fs::create_dir(package.path().join("lib")).unwrap();
        std::fs::write(package.path().join("lib").join(CUDA_LIBRARY), b"not a library").unwrap();
        std::fs::write(package.path().join("version.py"), format!("__version__ = '{version}'\n")).unwrap();
        package
    }

    #[test]
    fn a_machine_without_cuda_libraries_simply_has_none() {
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(find(None, Some(empty.path())), Ok(None));
        assert_eq!(find(None, None), Ok(None));
    }

    #[test]
    fn an_installed_pytorch_is_found_by_its_package_and_by_its_lib_folder() {
        let package = package("2.11.0+cu130");
        let library = package.path().join("lib").join(CUDA_LIBRARY);
        assert_eq!(find(Some(package.path()), None), Ok(Some(library.clone())));
        assert_eq!(find(Some(&package.path().join("lib")), None), Ok(Some(library)));
    }

    #[test]
    fn a_pytorch_of_another_version_is_refused_with_both_versions() {
        let package = package("2.9.1+cu128");
        let Err(CudaLibrary::Failed { reason, .. }) = find(Some(package.path()), None) else {
            panic!("code for another libtorch would crash the engine");
        };
        assert!(reason.contains("2.9.1") && reason.contains(VERSION), "{reason}");
    }

    #[test]
    fn a_named_folder_without_the_library_is_not_passed_over_in_silence() {
        let empty = tempfile::tempdir().unwrap();
        let Err(CudaLibrary::Failed { path, reason }) = find(Some(empty.path()), None) else {
            panic!("the user asked for this folder");
        };
        assert_eq!(path, empty.path());
        assert!(reason.contains(CUDA_LIBRARY), "{reason}");
    }

    #[test]
    fn a_damaged_library_gives_a_reason_and_no_crash() {
        let package = package(VERSION);
        let library = package.path().join("lib").join(CUDA_LIBRARY);
        assert!(!load_for_good(&library).unwrap_err().to_string().is_empty());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_folder_of_the_libtorch_in_use_is_known() {
        // Any call links this test to libtorch.
        assert!(tch::get_num_threads() > 0);
        assert!(folder_in_use().unwrap().join("libtorch_cpu.so").is_file());
    }
}
