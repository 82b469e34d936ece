//! Where an exported volume or report comes from: the model, the program, the input and every step between them.
//!
//! Written as `NAME.provenance.json` beside what was exported. Invariants: no field is optional by accident (what is not
//! known is `null`, never left out); nothing names a patient or a path, for the input is named by the hash of its voxels
//! and its grid alone, and of the warnings of a scan only those are taken that name no file.

use super::clock::utc;
use super::guard::{Concern, oddities};
use crate::config::{Card, Net, sha256_hex};
use crate::protocol::{Refine, SegmentSettings};
use crate::volume::io::{self, IoError, Receipt};
use crate::volume::{Geometry, Modality, Scan, with_voxels};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The version of the layout of these files.
pub const PROVENANCE_VERSION: u32 = 2;

/// On every file that leaves the program.
pub const RESEARCH_USE: &str =
    "Research use only; not a medical device. The gap is a quantity of the model, not a diagnosis.";

/// Everything that made one export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    pub provenance_version: u32,
    pub notice: String,
    /// "MindGap 0.2.0 (1a2b3c4d5e6f)".
    pub program: String,
    /// What was exported: "labelled volume", "gap volume", "uncertainty volume", "synthetic volume", "edge agreement volume".
    pub content: String,
    /// UTC, seconds, RFC 3339.
    pub exported_at: String,
    pub input: InputRecord,
    pub model: ModelRecord,
    pub run: RunRecord,
    /// What spoke against running the model on this scan; whoever ran it went on all the same.
    pub concerns: Vec<Concern>,
    /// Of the file beside this one.
    pub output: OutputRecord,
}

/// The scan, by what it holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputRecord {
    /// SHA-256 of grid, stored type, scaling and voxels: the same for a file renamed or compressed anew.
    pub sha256: String,
    pub modality: Modality,
    pub format: String,
    pub dims: [usize; 3],
    pub spacing_mm: [f64; 3],
    /// Direction in which i, j and k grow; `null` where it is unknown.
    pub orientation: Option<String>,
    /// Row by row, voxel index to RAS+ mm.
    pub world_from_voxel: [[f64; 4]; 4],
}

/// The bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRecord {
    pub id: String,
    pub version: String,
    pub weights_sha256: String,
    pub training_seed: u64,
}

/// How the model was run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    pub device: String,
    pub net: Net,
    /// "on", "off", "from:0.3", "within:R,A,S,RADIUS".
    pub mask: String,
    pub refine: Refine,
    pub largest_island: bool,
    /// Of a synthetic image: from the scan's own style (0) to the other modality's (1), in the generator's style space.
    pub style: Option<f32>,
    /// Of the gap, where something was counted with it.
    pub gap_threshold: Option<f32>,
    /// What maps to 0 and 1: HU in CT, a percentile of the volume in MR.
    pub intensity_window: String,
    /// From the scan's grid to the networks' and back, step by step.
    pub resampling: Vec<String>,
    /// Of the scan, first, and of the engine.
    pub warnings: Vec<String>,
}

/// The exported file as it was read back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputRecord {
    /// Its name, without its folder.
    pub file: String,
    pub bytes: u64,
    pub sha256: String,
    pub dims: [usize; 3],
    /// Whether its grid is the input's, to within 0.001 mm at every corner.
    pub on_the_inputs_grid: bool,
}

/// What a run of the model knows about itself.
#[derive(Debug, Clone, Copy)]
pub struct RunFacts<'a> {
    pub card: &'a Card,
    pub scan: &'a Scan,
    /// See [`content_sha256`]; the same for every file of a run.
    pub input_sha256: &'a str,
    pub modality: Modality,
    pub settings: SegmentSettings,
    /// Where the run made a synthetic image.
    pub style: Option<f32>,
    pub gap_threshold: Option<f32>,
    pub device: &'a str,
    /// Of the engine.
    pub warnings: &'a [String],
    pub concerns: &'a [Concern],
}

impl RunFacts<'_> {
    /// What was odd about the scan, for which it may have been opened only by decision, and what the engine said.
    pub(super) fn all_warnings(&self) -> Vec<String> {
        [oddities(self.scan), self.warnings.to_vec()].concat()
    }
}

impl Provenance {
    /// Of a file that has just been written and verified.
    ///
    /// # Errors
    /// Where the file cannot be read to be hashed.
    pub fn of(content: &str, facts: &RunFacts, receipt: &Receipt, grid: &Geometry) -> Result<Self, IoError> {
        let RunFacts { card, scan, .. } = facts;
        let bytes = std::fs::read(&receipt.path)
            .map_err(|error| IoError::system(&receipt.path, "read back", error))?;
        let name = receipt.path.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(Self {
            provenance_version: PROVENANCE_VERSION,
            notice: RESEARCH_USE.to_owned(),
            program: program(),
            content: content.to_owned(),
            exported_at: utc(SystemTime::now()),
            input: InputRecord::of(scan, facts.modality, facts.input_sha256),
            model: ModelRecord::of(card),
            run: RunRecord::of(facts),
            concerns: facts.concerns.to_vec(),
            output: OutputRecord {
                file: name.unwrap_or_default(),
                bytes: bytes.len() as u64,
                sha256: sha256_hex(&bytes),
                dims: grid.dims(),
                on_the_inputs_grid: crate::volume::geometry_equal(grid, scan.geometry(), 1e-3),
            },
        })
    }

    /// Writes it beside the file it is about, whole or not at all; answers its path.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write_beside(&self, exported: &Path) -> Result<PathBuf, IoError> {
        let path = provenance_path(exported);
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| IoError::system(&path, "write", std::io::Error::other(error)))?;
        io::write_file(&path, &text)?;
        Ok(path)
    }

    /// "key: value" lines for the foot of a figure, the fields a reader needs to run it again.
    pub fn lines(&self) -> Vec<String> {
        let Self { input, model, run, .. } = self;
        let mut lines = vec![
            format!("program: {}", self.program),
            format!("model: {} {} (weights {})", model.id, model.version, short(&model.weights_sha256)),
            format!(
                "input: {} {:?}, {}, {}",
                input.modality.name(),
                input.dims,
                input.format,
                short(&input.sha256)
            ),
            format!("device: {}; mask: {}; refine: {}", run.device, run.mask, word(&run.refine)),
            format!("intensity window: {}", run.intensity_window),
            format!("exported: {}", self.exported_at),
        ];
        lines.extend(self.concerns.iter().map(|concern| format!("run in spite of: {}", concern.reason)));
        lines
    }
}

impl InputRecord {
    /// `sha256` is that of [`content_sha256`].
    pub fn of(scan: &Scan, modality: Modality, sha256: &str) -> Self {
        let grid = scan.geometry();
        let rows = grid.world_from_voxel().transpose().to_cols_array_2d();
        Self {
            sha256: sha256.to_owned(),
            modality,
            format: scan.format.clone(),
            dims: grid.dims(),
            spacing_mm: grid.spacing_mm(),
            orientation: grid.axcodes(),
            world_from_voxel: rows,
        }
    }
}

impl ModelRecord {
    pub(super) fn of(card: &Card) -> Self {
        Self {
            id: card.id.clone(),
            version: card.version.clone(),
            weights_sha256: card.weights_sha256.clone(),
            training_seed: card.training.seed,
        }
    }
}

impl RunRecord {
    pub(super) fn of(facts: &RunFacts) -> Self {
        let settings = &facts.settings;
        let preprocessing = &facts.card.preprocessing;
        let [low, high] = preprocessing.ct_window_hu;
        let intensity_window = match facts.modality {
            Modality::Ct => format!("{low} to {high} HU map to 0 and 1"),
            Modality::Mr => {
                let brightened = match preprocessing.mr_brighten_to {
                    0.0 => String::new(),
                    wanted => format!(", the upper quartile above air raised to {wanted}"),
                };
                format!(
                    "0 and the {} percentile of the volume map to 0 and 1, clipped at {}{brightened}",
                    preprocessing.mr_percentile, preprocessing.mr_clip
                )
            }
        };
        Self {
            device: facts.device.to_owned(),
            net: settings.net,
            mask: settings.mask.to_string(),
            refine: settings.refine,
            largest_island: settings.largest_island,
            style: facts.style,
            gap_threshold: facts.gap_threshold,
            intensity_window,
            resampling: chain(facts),
            warnings: facts.all_warnings(),
        }
    }
}

/// In the order in which it happens.
fn chain(facts: &RunFacts) -> Vec<String> {
    let p = &facts.card.preprocessing;
    let own = facts.scan.geometry();
    let turned = match p.plane {
        crate::config::Plane::Axial => "axes turned and flipped to run closest to R, A, S".to_owned(),
        crate::config::Plane::Acquired => {
            "axes turned and flipped to run closest to R, A, S; slices as acquired where they lie more than twice as far \
             apart as the finest voxels, else axial"
                .to_owned()
        }
        crate::config::Plane::Upright => {
            "axes turned and flipped to run closest to R, A, S; slices as acquired where they lie more than twice as far \
             apart as the finest voxels, and oblique ones turned in their plane to count to the patient's right, front and head; \
             else axial"
                .to_owned()
        }
    };
    let mm = |axis: usize| if p.spacing_mm[axis] > 0.0 { p.spacing_mm[axis] } else { f64::NAN };
    let through = if p.spacing_mm[2] > 0.0 { format!("{} mm", mm(2)) } else { "the scan's own".to_owned() };
    let part = match p.window {
        crate::config::Window::Body => "the body",
        crate::config::Window::Centre => "the centre",
    };
    vec![
        format!(
            "stored on {:?} voxels, {}",
            own.dims(),
            own.axcodes().unwrap_or_else(|| "unknown".to_owned())
        ),
        turned,
        format!(
            "linear, averaged where it shrinks, to {} x {} mm in plane and {through} across",
            mm(0),
            mm(1)
        ),
        format!(
            "cut to {part}, at least {} x {} pixels in multiples of {}",
            p.size[0], p.size[1], p.multiple
        ),
        "back to the stored grid by the exact inverse: labels by the largest linear weight at each voxel, images and maps \
         linear, averaged where they shrink"
            .to_owned(),
    ]
}

/// SHA-256 of what a scan holds: grid, stored type, scaling and voxels.
pub fn content_sha256(scan: &Scan) -> String {
    let mut hasher = Sha256::new();
    let grid = scan.geometry();
    hasher.update(format!("{:?} {:?}", grid.dims(), scan.voxels().dtype()));
    for number in grid.world_from_voxel().to_cols_array() {
        hasher.update(number.to_le_bytes());
    }
    hasher.update(scan.scaling().slope.to_le_bytes());
    hasher.update(scan.scaling().intercept.to_le_bytes());
    let mut chunk = Vec::with_capacity(1 << 16);
    with_voxels!(scan.voxels(), stored => {
        for some in stored.chunks(1 << 13) {
            chunk.clear();
            some.iter().for_each(|value| chunk.extend_from_slice(&value.to_le_bytes()));
            hasher.update(&chunk);
        }
    });
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `NAME.provenance.json`.
pub fn provenance_path(exported: &Path) -> PathBuf {
    let mut name = exported.file_name().unwrap_or_default().to_owned();
    name.push(".provenance.json");
    exported.with_file_name(name)
}

/// "MindGap 0.2.0 (1a2b3c4d5e6f)".
pub fn program() -> String {
    format!("MindGap {} ({})", env!("CARGO_PKG_VERSION"), env!("MINDGAP_GIT_REVISION"))
}

fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::{MaskUse, bundled_models};
    use crate::volume::{Geometry, Scaling, Volume, Voxels};

    fn scan() -> Scan {
        let grid = Geometry::axis_aligned([4, 5, 6], [1.0, 2.0, 3.0], [-7.0, 0.0, 9.0]).unwrap();
        let values = Volume::from_fn(grid.clone(), |i, j, k| (i + 10 * j + 100 * k) as i16).into_voxels();
        Scan::new(Voxels::I16(values), Scaling::IDENTITY, grid, "NIfTI-1").unwrap()
    }

    fn provenance(folder: &Path) -> Provenance {
        let scan = scan();
        let card = bundled_models().unwrap().remove(0);
        let concerns = [Concern { kind: super::super::guard::ConcernKind::Modality, reason: "r".to_owned() }];
        let input_sha256 = content_sha256(&scan);
        let facts = RunFacts {
            card: &card,
            scan: &scan,
            input_sha256: &input_sha256,
            modality: Modality::Ct,
            settings: SegmentSettings { mask: MaskUse::From(0.25), ..SegmentSettings::default() },
            style: Some(0.4),
            gap_threshold: Some(0.25),
            device: "CPU, 1 thread",
            warnings: &["w".to_owned()],
            concerns: &concerns,
        };
        let path = folder.join("labels.nii.gz");
        let labels = Volume::from_fn(scan.geometry().clone(), |i, _, _| i as u16);
        let table = crate::volume::Task::Abdomen.table();
        let receipt = io::write_named_labels(&path, &labels, table, &scan).unwrap();
        Provenance::of("labels", &facts, &receipt, scan.geometry()).unwrap()
    }

    #[test]
    fn a_provenance_file_that_lacks_any_one_field_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let whole = serde_json::to_value(provenance(folder.path())).unwrap();
        assert!(serde_json::from_value::<Provenance>(whole.clone()).is_ok());
        let mut removed = 0;
        for (field, value) in whole.as_object().unwrap() {
            let mut without = whole.clone();
            without.as_object_mut().unwrap().remove(field);
            assert!(serde_json::from_value::<Provenance>(without).is_err(), "{field}");
            removed += 1;
            for inner in value.as_object().into_iter().flatten().map(|(name, _)| name) {
                let mut without = whole.clone();
                without[field].as_object_mut().unwrap().remove(inner);
                // `null` is how the unknown is told; serde reads a missing optional field as that.
                let optional = ["orientation", "style", "gap_threshold"].contains(&inner.as_str());
                let read = serde_json::from_value::<Provenance>(without);
                assert_eq!(read.is_ok(), optional, "{field}.{inner}");
                assert!(
                    !optional || value.get(inner).is_some(),
                    "{inner} is written even where it is unknown"
                );
                removed += 1;
            }
        }
        assert!(removed > 30, "{removed}");
    }

    #[test]
    fn a_scan_that_was_opened_by_decision_leaves_a_trace_in_what_is_made_of_it_and_names_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let card = bundled_models().unwrap().remove(0);
        let told = |scan: &Scan| {
            let facts = RunFacts {
                card: &card,
                scan,
                input_sha256: "",
                modality: Modality::Ct,
                settings: SegmentSettings::default(),
                style: None,
                gap_threshold: None,
                device: "CPU, 1 thread",
                warnings: &["of the engine".to_owned()],
                concerns: &[],
            };
            RunRecord::of(&facts).warnings
        };
        assert_eq!(told(&scan()), ["of the engine"]);
        let mut series = scan();
        series.flags = vec![crate::volume::Flag::Gaps];
        series.warnings = vec!["1 files could not be read and were left out: /doe/john.dcm".to_owned()];
        let warnings = told(&series);
        assert!(warnings.len() == 2 && warnings[0].contains("Slices are missing"), "{warnings:?}");
        assert!(!warnings.concat().contains("doe"), "{warnings:?}");
        let path = folder.path().join("doe.nii");
        io::write_scan(&path, &scan()).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        // qoffset_x: the qform lies 10 mm further to the right than the sform.
        let x = f32::from_le_bytes(bytes[268..272].try_into().unwrap()) + 10.0;
        bytes[268..272].copy_from_slice(&x.to_le_bytes());
        std::fs::write(&path, bytes).unwrap();
        let by_qform = io::OpenOptions { prefer_qform: true, ..io::OpenOptions::default() };
        let warnings = told(&io::open_with(&path, &by_qform).unwrap());
        assert!(warnings.iter().any(|warning| warning.contains("the qform was used")), "{warnings:?}");
        assert!(!warnings.concat().contains("doe"), "{warnings:?}");
    }

    #[test]
    fn the_same_voxels_have_one_hash_and_a_changed_one_another() {
        let one = content_sha256(&scan());
        assert_eq!(one, content_sha256(&scan()));
        let grid = Geometry::axis_aligned([4, 5, 6], [1.0, 2.0, 3.0], [-7.0, 0.0, 9.5]).unwrap();
        let moved = Scan::new(scan().voxels().clone(), Scaling::IDENTITY, grid, "NIfTI-1").unwrap();
        assert_ne!(one, content_sha256(&moved));
        let steeper = Scaling { slope: 2.0, intercept: 0.0 };
        let scaled = Scan::new(scan().voxels().clone(), steeper, scan().geometry().clone(), "x").unwrap();
        assert_ne!(one, content_sha256(&scaled));
    }

    #[test]
    fn what_is_recorded_of_the_file_is_what_lies_on_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let made = provenance(folder.path());
        let bytes = std::fs::read(folder.path().join("labels.nii.gz")).unwrap();
        assert_eq!(made.output.sha256, crate::config::sha256_hex(&bytes));
        assert!(made.output.on_the_inputs_grid);
        let path = made.write_beside(&folder.path().join("labels.nii.gz")).unwrap();
        assert!(path.ends_with("labels.nii.gz.provenance.json"));
        let read: Provenance = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        assert_eq!(read, made);
    }
}
