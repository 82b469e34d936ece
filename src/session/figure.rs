//! A figure as files: the picture as PNG, and beside it where everything in it comes from.
//!
//! Invariants: the picture holds no time, so that the same view gives the same bytes; the time is in the file beside it.
//! Nothing names a patient or a path: scans are named by the hash of what they hold.

use super::clock::utc;
use super::export::facts_of;
use super::guard::Concern;
use super::open_scan::OpenScan;
use super::provenance::{
    InputRecord, ModelRecord, PROVENANCE_VERSION, RESEARCH_USE, RunFacts, RunRecord, content_sha256, program,
    provenance_path,
};
use super::results::RunOrigin;
use super::study::{Role, Study};
use crate::config::sha256_hex;
use crate::volume::io::{self, IoError, Receipt};
use image::ImageEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use thiserror::Error;

/// On every figure, in so many words.
pub const RESEARCH_LINE: &str = "Research use only - not a medical device";

/// Signature and header of a PNG file: what comes before the first other chunk.
const PNG_HEAD: usize = 33;

/// Why a figure was not written.
#[derive(Debug, Error)]
pub enum FigureError {
    #[error("{}: expected a name that ends in .png; figures are written as PNG", .0.display())]
    Ending(PathBuf),
    #[error("{}: a picture of {width} x {height} pixels cannot be made a PNG: {source}", path.display())]
    Encode { path: PathBuf, width: u32, height: u32, source: image::ImageError },
    #[error("{}: where the figure comes from cannot be put into words: {source}", path.display())]
    Json { path: PathBuf, source: serde_json::Error },
    #[error(transparent)]
    Io(#[from] IoError),
}

/// What a pane of a figure shows of its role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shown {
    Scan,
    /// Made by a network; the picture says SYNTHETIC.
    Synthesis,
    Prediction,
}

/// One pane of a figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FigurePane {
    /// Its title.
    pub pane: String,
    /// "source" or "target": the scan whose grid it lies on.
    pub role: String,
    pub shows: Shown,
    /// Of a synthetic image: from the scan's own style (0) to the other modality's (1), in the generator's style space.
    pub style: Option<f32>,
    pub plane: String,
    /// From 1, as it is written in the pane.
    pub slice: usize,
    pub slices: usize,
    pub window_width: f32,
    pub window_level: f32,
    /// Of the window: "HU", "a.u.", "syn-HU", ...
    pub unit: String,
}

/// How the study was looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FigureView {
    /// "five panes", "three planes", "single pane".
    pub layout: String,
    pub panes: Vec<FigurePane>,
    /// What the cell beside the panes shows, and of which scan; `null` where there is none.
    pub inspector: Option<[String; 2]>,
    /// How the synthetic image is compared with its source.
    pub comparison: String,
    pub radiological: bool,
    pub zoom: f32,
    pub gap_threshold: f32,
    /// Pixels a point.
    pub scale: u32,
    /// Whether names of files are written into the picture.
    pub names_shown: bool,
}

/// A scan that is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FigureInput {
    pub role: String,
    /// A bundled phantom, and nobody's scan.
    pub phantom: bool,
    pub scan: InputRecord,
}

/// Something that a model made of one of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FigureResult {
    pub role: String,
    pub shows: Shown,
    pub model: ModelRecord,
    pub run: RunRecord,
    pub concerns: Vec<Concern>,
}

/// The picture as it was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FigureOutput {
    /// Its name, without its folder.
    pub file: String,
    pub bytes: u64,
    pub sha256: String,
    pub width_px: u32,
    pub height_px: u32,
}

/// Everything that made one figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FigureProvenance {
    pub provenance_version: u32,
    pub notice: String,
    pub program: String,
    /// "figure".
    pub content: String,
    /// UTC, seconds, RFC 3339.
    pub exported_at: String,
    pub inputs: Vec<FigureInput>,
    pub results: Vec<FigureResult>,
    pub view: FigureView,
    pub output: FigureOutput,
}

/// The pixels of a figure: RGBA8, row 0 at the top, `width * height * 4` bytes.
#[derive(Debug, Clone, Copy)]
pub struct FigurePicture<'a> {
    pub width: u32,
    pub height: u32,
    pub rgba: &'a [u8],
}

/// Refuses a name that is none of a PNG file: before anything is drawn.
///
/// # Errors
/// [`FigureError::Ending`].
pub fn check_name(path: &Path) -> Result<(), FigureError> {
    let png = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png"));
    if png { Ok(()) } else { Err(FigureError::Ending(path.to_owned())) }
}

/// Writes the picture, whole or not at all, and then where it comes from.
///
/// # Errors
/// Where either cannot be written.
pub fn write(
    path: &Path,
    picture: &FigurePicture,
    study: &Study,
    view: FigureView,
) -> Result<Receipt, FigureError> {
    check_name(path)?;
    let &FigurePicture { width, height, .. } = picture;
    let encode = |source| FigureError::Encode { path: path.to_owned(), width, height, source };
    let png = to_png(picture).map_err(encode)?;
    let (inputs, results) = origins(study, &view);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let provenance = FigureProvenance {
        provenance_version: PROVENANCE_VERSION,
        notice: RESEARCH_USE.to_owned(),
        program: program(),
        content: "figure".to_owned(),
        exported_at: utc(SystemTime::now()),
        inputs,
        results,
        view,
        output: FigureOutput {
            file: name.unwrap_or_default(),
            bytes: png.len() as u64,
            sha256: sha256_hex(&png),
            width_px: width,
            height_px: height,
        },
    };
    let beside = provenance_path(path);
    let json = serde_json::to_vec_pretty(&provenance)
        .map_err(|source| FigureError::Json { path: beside.clone(), source })?;
    let receipt = io::write_file(path, &png)?;
    io::write_file(&beside, &json)?;
    Ok(receipt)
}

/// Opaque, with the program and what it is for in text chunks.
fn to_png(picture: &FigurePicture) -> Result<Vec<u8>, image::ImageError> {
    let rgb: Vec<u8> = picture.rgba.chunks_exact(4).flat_map(|pixel| pixel[..3].iter().copied()).collect();
    let mut png = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut png, CompressionType::Default, FilterType::Adaptive);
    encoder.write_image(&rgb, picture.width, picture.height, image::ExtendedColorType::Rgb8)?;
    let text = [text_chunk("Software", &program()), text_chunk("Disclaimer", RESEARCH_LINE)].concat();
    png.splice(PNG_HEAD..PNG_HEAD, text);
    Ok(png)
}

/// A tEXt chunk of the PNG specification: length, type, keyword, zero, text, CRC of all but the length.
fn text_chunk(keyword: &str, text: &str) -> Vec<u8> {
    let body = [b"tEXt", keyword.as_bytes(), &[0], text.as_bytes()].concat();
    let mut crc = flate2::Crc::new();
    crc.update(&body);
    let length = (body.len() - 4) as u32;
    [&length.to_be_bytes()[..], &body, &crc.sum().to_be_bytes()].concat()
}

/// The scans and results that the panes and the inspector show.
fn origins(study: &Study, view: &FigureView) -> (Vec<FigureInput>, Vec<FigureResult>) {
    let (mut inputs, mut results) = (Vec::new(), Vec::new());
    for role in Role::ALL {
        let name = role_name(role);
        let inspected = view.inspector.as_ref().is_some_and(|[_, of]| *of == name);
        let panes = || view.panes.iter().filter(|pane| pane.role == name);
        let Some(scan) = study.scan(role).filter(|_| inspected || panes().next().is_some()) else { continue };
        let sha256 = content_sha256(&scan.scan);
        inputs.push(FigureInput {
            role: name.clone(),
            phantom: scan.is_phantom(),
            scan: InputRecord::of(&scan.scan, scan.modality, &sha256),
        });
        let from = (scan.as_ref(), sha256.as_str());
        let mut push = |shows: Shown, origin: Option<&RunOrigin>, made: (&str, &[String])| {
            let style = panes().find(|pane| pane.shows == shows).and_then(|pane| pane.style);
            let record = |origin| result((shows, style), role, from, view.gap_threshold, (origin, made));
            results.extend(origin.map(record));
        };
        if let Some(synthesis) = study.synthesis().filter(|_| panes().any(|p| p.shows == Shown::Synthesis)) {
            push(Shown::Synthesis, synthesis.origin.as_deref(), (&synthesis.device, &synthesis.warnings));
        }
        let predicted = inspected || panes().any(|pane| pane.shows == Shown::Prediction);
        if let Some(prediction) = study.prediction(role).filter(|_| predicted) {
            push(Shown::Prediction, prediction.origin.as_deref(), (&prediction.device, &prediction.warnings));
        }
    }
    (inputs, results)
}

fn result(
    (shows, style): (Shown, Option<f32>),
    role: Role,
    scan: (&OpenScan, &str),
    threshold: f32,
    (origin, made): (&RunOrigin, (&str, &[String])),
) -> FigureResult {
    let facts = RunFacts { style, ..facts_of(scan, threshold, origin, made) };
    FigureResult {
        role: role_name(role),
        shows,
        model: ModelRecord::of(&origin.card),
        run: RunRecord::of(&facts),
        concerns: origin.concerns.clone(),
    }
}

/// "source" or "target", as the records of a figure say it.
pub fn role_name(role: Role) -> String {
    role.name().to_lowercase()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn view() -> FigureView {
        FigureView {
            layout: "five panes".to_owned(),
            panes: Vec::new(),
            inspector: None,
            comparison: "off".to_owned(),
            radiological: true,
            zoom: 1.0,
            gap_threshold: 0.25,
            scale: 1,
            names_shown: false,
        }
    }

    #[test]
    fn a_picture_with_text_chunks_is_still_read_by_others_and_says_which_program_made_it() {
        let rgba: Vec<u8> = (0..5 * 3 * 4).map(|n| n as u8).collect();
        let png = to_png(&FigurePicture { width: 5, height: 3, rgba: &rgba }).unwrap();
        let read = image::load_from_memory(&png).unwrap().to_rgb8();
        assert_eq!((read.dimensions(), read.get_pixel(4, 2).0), ((5, 3), [56, 57, 58]));
        let has = |words: &str| png.windows(words.len()).any(|part| part == words.as_bytes());
        assert!(has(&program()) && has(RESEARCH_LINE));
    }

    #[test]
    fn a_name_or_folder_that_is_no_good_is_refused_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let rgba = [7; 4 * 4];
        let picture = FigurePicture { width: 2, height: 2, rgba: &rgba };
        let study = Study::default();
        let odd = folder.path().join("figure.jpg");
        assert!(write(&odd, &picture, &study, view()).unwrap_err().to_string().contains(".png"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(write(&folder.path().join("no/such/folder.png"), &picture, &study, view()).is_err());
    }
}
