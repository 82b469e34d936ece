//! Labels that come as one picture a slice beside a DICOM series, as those of CHAOS do, put together on its grid.
//!
//! Invariant: a picture belongs to the slice whose file has its name, whatever the order of either; a picture or a slice
//! without a partner, or of another size, is refused, for one picture too few would move all that follow.

use super::slice::Slice;
use crate::volume::io::IoError;
use image::{DynamicImage, ImageReader, Limits};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

/// As many names without a partner are told.
const MOST_NAMED: usize = 3;

/// The pictures of a folder, by file name without its extension.
pub(super) struct Pictures {
    folder: PathBuf,
    by_name: BTreeMap<OsString, PathBuf>,
}

impl Pictures {
    /// All PNG files of `folder`.
    pub(super) fn of(folder: &Path) -> Result<Self, IoError> {
        let failed = |error| IoError::system(folder, "listed", error);
        let mut by_name = BTreeMap::new();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let is_png = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png"));
            // What begins with a dot is what file managers leave behind, such as "._" twins.
            let name = path.file_stem().filter(|stem| !stem.as_encoded_bytes().starts_with(b"."));
            let (true, Some(name)) = (is_png, name) else { continue };
            if by_name.insert(name.to_owned(), path.clone()).is_some() {
                return Err(IoError::Unsupported {
                    what: "another picture of this folder differs from it in the case of .png alone"
                        .to_owned(),
                    path,
                    advice: "leave one picture for each slice",
                });
            }
        }
        if by_name.is_empty() {
            return Err(IoError::Unsupported {
                path: folder.to_owned(),
                what: "there are no PNG pictures in this folder".to_owned(),
                advice: "name the folder that holds one picture for each slice of the series",
            });
        }
        Ok(Self { folder: folder.to_owned(), by_name })
    }

    /// Refuses pictures that belong to none of `slices`, and slices without one or with several frames in their file.
    pub(super) fn refuse_other_than(&self, slices: &[Slice]) -> Result<(), IoError> {
        if let Some(slice) = slices.iter().find(|slice| slice.image.planes.len() > 1) {
            return Err(IoError::Unsupported {
                path: slice.path().to_owned(),
                what: "this file holds several slices, and pictures are told apart by the files of theirs"
                    .to_owned(),
                advice: "name a series of one file a slice",
            });
        }
        let names: BTreeSet<&OsStr> = slices.iter().filter_map(|slice| slice.path().file_stem()).collect();
        if names.len() != slices.len() {
            return Err(IoError::Unsupported {
                path: self.folder.clone(),
                what: "several slices of the series have files of one name, so that no picture says which it belongs to".to_owned(),
                advice: "name the files of one series, or the folder that holds no other",
            });
        }
        let without: Vec<_> = names.iter().filter(|name| !self.by_name.contains_key(**name)).collect();
        let strays: Vec<_> = self.by_name.keys().filter(|name| !names.contains(name.as_os_str())).collect();
        if without.is_empty() && strays.is_empty() {
            return Ok(());
        }
        let some = |names: Vec<String>| names.into_iter().take(MOST_NAMED).collect::<Vec<_>>().join(", ");
        let mut faults = Vec::new();
        if !without.is_empty() {
            let named = some(without.iter().map(|name| name.display().to_string()).collect());
            faults.push(format!(
                "{} of {} slices have no picture of their name ({named})",
                without.len(),
                slices.len()
            ));
        }
        if !strays.is_empty() {
            let named = some(strays.iter().map(|name| name.display().to_string()).collect());
            faults.push(format!(
                "{} of {} pictures belong to no slice ({named})",
                strays.len(),
                self.by_name.len()
            ));
        }
        Err(IoError::Unsupported {
            path: self.folder.clone(),
            what: faults.join(", and "),
            advice: "name the folders of one series and of its pictures; those of a slice have one name, IMG-0004-00001.dcm and \
                     IMG-0004-00001.png",
        })
    }

    /// The grey values of a slice's picture, row by row from the top left, as a DICOM slice has its pixels.
    pub(super) fn grey_values(
        &self,
        slice: &Slice,
        [columns, rows]: [usize; 2],
    ) -> Result<Vec<u16>, IoError> {
        let path = slice.path().file_stem().and_then(|name| self.by_name.get(name));
        let path =
            path.ok_or_else(|| IoError::system(&self.folder, "searched", io::ErrorKind::NotFound.into()))?;
        let mut reader = ImageReader::open(path).map_err(|error| IoError::system(path, "opened", error))?;
        reader.set_format(image::ImageFormat::Png);
        let mut limits = Limits::default();
        limits.max_image_width = u32::try_from(columns).ok();
        limits.max_image_height = u32::try_from(rows).ok();
        reader.limits(limits);
        let picture = reader.decode().map_err(|error| {
            let expected = format!("a whole PNG picture of {columns} x {rows} pixels");
            IoError::field(path, "picture", expected, error)
        })?;
        let got = [picture.width() as usize, picture.height() as usize];
        if got != [columns, rows] {
            let expected = format!("{columns} x {rows} pixels, as the slice has");
            return Err(IoError::field(path, "picture", expected, format!("{} x {}", got[0], got[1])));
        }
        match picture {
            DynamicImage::ImageLuma8(grey) => Ok(grey.into_raw().into_iter().map(u16::from).collect()),
            DynamicImage::ImageLuma16(grey) => Ok(grey.into_raw()),
            other => Err(IoError::field(path, "picture", "grey values", format!("{:?}", other.color()))),
        }
    }
}
