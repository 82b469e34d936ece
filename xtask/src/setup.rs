//! Finds libtorch, or fetches it, and points the `.libtorch` link at it.
//!
//! The order: LIBTORCH as the user set it, which is used or refused but never passed over; the link as it is; an
//! installed PyTorch of the version; the cache; PyTorch's wheels.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};

use crate::folder::{self, Flavour, VERSION};
use crate::platform::Platform;
use crate::python::{InstalledTorch, Pip, Python};
use crate::{assemble, cache::Cache, link, preflight};

/// A libtorch to build with.
#[derive(Debug)]
pub struct Libtorch {
    pub folder: PathBuf,
    /// Whether the user named it in LIBTORCH. If not, the link serves.
    pub named_by_user: bool,
}

/// Makes libtorch available to plain cargo. With `force` the search starts anew and the cache is unpacked again.
pub fn setup(flavour: Flavour, force: bool) -> Result<Libtorch> {
    let libtorch = find(Platform::current()?, flavour, force)?;
    link::point(&link::path(), &libtorch.folder)?;
    eprintln!("libtorch {VERSION}: {}", libtorch.folder.display());
    Ok(libtorch)
}

fn find(platform: Platform, flavour: Flavour, force: bool) -> Result<Libtorch> {
    if let Some(folder) = named_by_user() {
        folder::check(&folder, platform, flavour).map_err(|reason| {
            anyhow!(
                "LIBTORCH cannot be used: {reason}; correct it, or unset it to have libtorch found or fetched"
            )
        })?;
        return Ok(Libtorch { folder: std::path::absolute(folder)?, named_by_user: true });
    }
    let folder = match linked(&link::path(), platform, flavour) {
        Some(folder) if !force => folder,
        _ => search(platform, flavour, force)?,
    };
    Ok(Libtorch { folder, named_by_user: false })
}

/// LIBTORCH, if somebody but `.cargo/config.toml` set it.
pub fn named_by_user() -> Option<PathBuf> {
    set_by_user(std::env::var_os("LIBTORCH"), &link::path())
}

/// Cargo hands the `[env]` of its configuration on to us, where it looks as if the user had set it.
fn set_by_user(libtorch: Option<OsString>, link: &Path) -> Option<PathBuf> {
    libtorch.filter(|value| !value.is_empty()).map(PathBuf::from).filter(|folder| folder != link)
}

/// The folder behind the link, if it can be used.
fn linked(link: &Path, platform: Platform, flavour: Flavour) -> Option<PathBuf> {
    let folder = link.canonicalize().ok()?;
    let cache = Cache::of_user().ok()?;
    let in_cache = cache.libtorch(flavour).canonicalize().is_ok_and(|cached| cached == folder);
    let check = if in_cache { folder::check_unpacked } else { folder::check };
    check(&folder, platform, flavour).is_ok().then_some(folder)
}

fn search(platform: Platform, flavour: Flavour, force: bool) -> Result<PathBuf> {
    if let Some(folder) =
        Python::find().and_then(|python| installed(python.installed_torch()?, platform, flavour))
    {
        return Ok(folder);
    }
    let cache = Cache::of_user()?;
    let cached = cache.libtorch(flavour);
    if !force && folder::check_unpacked(&cached, platform, flavour).is_ok() {
        return Ok(cached);
    }
    let pip = Pip { python: preflight::pip()?, platform };
    assemble::libtorch(&cache, platform, flavour, force, &pip)
}

/// The folder of an installed PyTorch, if it can be used. If not, it is said why it is passed over.
fn installed(torch: InstalledTorch, platform: Platform, flavour: Flavour) -> Option<PathBuf> {
    match folder::check(&torch.folder, platform, flavour) {
        Ok(()) => Some(torch.folder),
        Err(reason) => {
            eprintln!("the installed PyTorch {} is not used: {reason}", torch.version);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_hands_on_is_not_taken_for_the_users_own_libtorch() {
        let link = Path::new("/clone/.libtorch");
        assert_eq!(set_by_user(Some("/clone/.libtorch".into()), link), None);
        assert_eq!(set_by_user(Some("".into()), link), None);
        assert_eq!(set_by_user(None, link), None);
        assert_eq!(set_by_user(Some("/opt/libtorch".into()), link), Some("/opt/libtorch".into()));
    }
}
