//! The user's cache folder, shared by all clones.
//!
//! ```text
//! wheels/                     finished downloads, and a .list for each set of them
//! wheels/incoming/            what pip is downloading
//! libtorch-2.11.0-cpu/        unpacked and checked
//! libtorch-2.11.0-cpu.new/    being unpacked
//! lock                        held while any of this changes
//! ```
//!
//! Invariant: a wheel directly in `wheels` was finished by pip, and a libtorch folder with its final name was unpacked to
//! the end; both get there by renaming.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::folder::{Flavour, VERSION};
use crate::python::{Fetch, Request};
use crate::wheel::Wheel;

#[derive(Debug)]
pub struct Cache {
    root: PathBuf,
}

/// Wheels that are fetched together, under a name that says which.
#[derive(Debug)]
pub struct WheelSet {
    pub name: String,
    pub request: Request,
}

impl Cache {
    /// The folder named by MINDGAP_CACHE, else `mindgap` in the user's cache folder.
    pub fn of_user() -> Result<Self> {
        if let Some(root) = std::env::var_os("MINDGAP_CACHE").filter(|root| !root.is_empty()) {
            return Ok(Self { root: std::path::absolute(root)? });
        }
        let user =
            dirs::cache_dir().context("there is no cache folder for this user: name one in MINDGAP_CACHE")?;
        Ok(Self::at(user.join("mindgap")))
    }

    pub fn at(root: PathBuf) -> Self {
        Self { root }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn wheels(&self) -> PathBuf {
        self.root.join("wheels")
    }

    pub fn libtorch(&self, flavour: Flavour) -> PathBuf {
        let flavour = match flavour {
            Flavour::Cpu => "cpu",
            Flavour::Cuda => "cuda",
        };
        self.root.join(format!("libtorch-{VERSION}-{flavour}"))
    }

    /// Waits until no other process changes the cache, and keeps others out until the file is dropped.
    pub fn lock(&self) -> Result<File> {
        let path = self.root.join("lock");
        let opened = fs::create_dir_all(self.wheels()).and_then(|()| File::create(&path));
        let file = opened.with_context(|| {
            format!("{} cannot be written: name another folder in MINDGAP_CACHE", self.root.display())
        })?;
        if file.try_lock().is_err() {
            eprintln!("waiting for another cargo xtask to finish with {}", self.root.display());
            file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        }
        Ok(file)
    }

    /// The wheels of a set: those finished earlier, else fetched now.
    pub fn obtain(&self, set: &WheelSet, fetch: &dyn Fetch) -> Result<Vec<PathBuf>> {
        if let Some(wheels) = self.finished(set) {
            return Ok(wheels);
        }
        self.remove_damaged_wheels()?;
        let incoming = self.wheels().join("incoming");
        remove(&incoming)?;
        fs::create_dir_all(&incoming).with_context(|| format!("cannot create {}", incoming.display()))?;
        fetch.fetch(&set.request, &incoming, &self.wheels())?;

        let mut wheels = Vec::new();
        let mut list = String::new();
        for entry in fs::read_dir(&incoming)? {
            let entry = entry?;
            let finished = self.wheels().join(entry.file_name());
            list += &format!("{} {}\n", entry.metadata()?.len(), entry.file_name().display());
            fs::rename(entry.path(), &finished)
                .with_context(|| format!("cannot move {} into place", finished.display()))?;
            wheels.push(finished);
        }
        remove(&incoming)?;
        fs::write(self.list_of(set), list)?;
        Ok(wheels)
    }

    /// Deletes a wheel that turned out damaged, so that its set counts as unfinished.
    pub fn discard(&self, wheel: &Path) -> Result<()> {
        remove(wheel)
    }

    fn finished(&self, set: &WheelSet) -> Option<Vec<PathBuf>> {
        let list = fs::read_to_string(self.list_of(set)).ok()?;
        let wheels: Option<Vec<PathBuf>> = list
            .lines()
            .map(|line| {
                let (bytes, name) = line.split_once(' ')?;
                let wheel = self.wheels().join(name);
                (fs::metadata(&wheel).ok()?.len() == bytes.parse::<u64>().ok()?).then_some(wheel)
            })
            .collect();
        wheels.filter(|wheels| !wheels.is_empty())
    }

    /// pip would take a damaged wheel for a finished one.
    fn remove_damaged_wheels(&self) -> Result<()> {
        for entry in fs::read_dir(self.wheels())? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "whl")
                && let Err(damage) = Wheel::open(&path)
            {
                eprintln!("{damage}; it is removed and fetched again");
                self.discard(&path)?;
            }
        }
        Ok(())
    }

    fn list_of(&self, set: &WheelSet) -> PathBuf {
        self.wheels().join(format!("{}.list", set.name))
    }
}

/// Removes a file or a folder with all in it, if it is there.
pub fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(cause),
    };
    removed.with_context(|| format!("cannot remove {}", path.display()))
}
