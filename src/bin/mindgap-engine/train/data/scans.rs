//! Scans on the network grid, one by one or folders of them, with the labels of those that have some.

use super::{Observer, READING, TrainError, Warnings, cases_of, in_data, in_source};
use crate::model::preprocess::{self, Prepared};
use mindgap::config::sha256_hex;
use mindgap::config::train::{FolderSource, TrainConfig};
use mindgap::dataset::anatomy::{self, TissueTable};
use mindgap::dataset::case::{Annotation, Case};
use mindgap::dataset::folder::{self, Found};
use mindgap::volume::{LabelMap, LabelTable, Modality, Volume, geometry_equal, io};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What is said of a case that is left out because nothing in it is labelled.
const LEFT_OUT: &str = "left out, for no voxel of it shows a structure";

/// How many label values an error lists.
const VALUES_LISTED: usize = 12;

/// What is known of a source scan: its labels and what their values mean.
pub(super) struct Truth<'a> {
    /// The file that they come from, or the folder with one file a structure.
    path: PathBuf,
    labels: LabelMap,
    label_table: &'a str,
    tissue_table: &'a str,
}

impl<'a> Truth<'a> {
    /// The labels at `path`. Of target data nothing is read.
    pub(super) fn of(
        labelled: bool,
        path: Option<PathBuf>,
        label_table: &'a Option<String>,
        tissue_table: &'a Option<String>,
        structure_files: &BTreeMap<String, u16>,
    ) -> Result<Option<Self>, TrainError> {
        match (path, label_table, tissue_table) {
            (Some(path), Some(label_table), Some(tissue_table)) if labelled => {
                let labels = read_labels(&path, structure_files)?;
                Ok(Some(Self { path, labels, label_table, tissue_table }))
            }
            _ => Ok(None),
        }
    }

    /// Why none of the labels has become a structure in what the networks see, and what to do about it.
    fn why_nothing(&self, table: &LabelTable) -> String {
        let path = self.path.display();
        let mut values = self.labels.values_present();
        values.retain(|value| *value != 0);
        let mut got = values.iter().take(VALUES_LISTED).map(u16::to_string).collect::<Vec<_>>().join(", ");
        if values.len() > VALUES_LISTED {
            got += &format!(" and {} more", values.len() - VALUES_LISTED);
        }
        if values.is_empty() {
            return format!("{path} labels nothing, all of it is 0");
        }
        if values.iter().any(|value| table.entry(*value).is_some()) {
            return format!(
                "{path} has labels (values {got}), but they lie outside of what the networks see of the scan; see whether \
                 both are of the same case and lie in the same place"
            );
        }
        let known: Vec<_> =
            table.entries.iter().map(|entry| format!("{} {}", entry.value, entry.name)).collect();
        format!(
            "{path}: expected values of label_table \"{}\" ({}), got {got}; name the table that the labels were written with",
            table.name,
            known.join(", ")
        )
    }
}

/// All cases of a folder, and its line in the card.
pub(super) fn load_folder(
    source: &FolderSource,
    modality: Modality,
    labelled: bool,
    config: &TrainConfig,
    data_dir: &Path,
    observer: &mut dyn Observer,
) -> Result<(Vec<Case>, String), TrainError> {
    let found = cases_of(source, data_dir)?;
    let total = found.len() as u64;
    let mut cases = Vec::new();
    let mut hashes = Vec::new();
    let mut unlabelled: Vec<(&str, String)> = Vec::new();
    let mut warnings = Warnings::default();
    for (done, Found { case, path }) in (1..).zip(&found) {
        if observer.cancelled() {
            return Err(TrainError::Cancelled);
        }
        let labels = source.labels.as_ref().map(|labels| folder::path_of(data_dir, labels, case));
        let (label_table, tissue_table) = (&source.label_table, &source.tissue_table);
        let truth = Truth::of(labelled, labels, label_table, tissue_table, &source.structure_files)?;
        let name = format!("{} {case}", source.name);
        let read = scan_case(&name, path, modality, truth, config)?;
        observer.progress(READING, done, total, &source.name);
        warnings.tell(&name, &read.warnings, (done, total), observer);
        if let Some(reason) = read.unlabelled {
            if source.leave_out_unlabelled {
                warnings.tell(&name, &[LEFT_OUT.to_owned()], (done, total), observer);
            }
            unlabelled.push((case, reason));
            continue;
        }
        cases.push(read.case);
        hashes.push(format!("{case} {}", read.hash));
    }
    let unlabelled_one = unlabelled.first();
    if let Some((_, reason)) = unlabelled_one.filter(|_| cases.is_empty()) {
        return Err(in_source(&source.name, format!("no voxel of any case shows a structure: {reason}")));
    }
    if let Some((_, reason)) = unlabelled_one.filter(|_| !source.leave_out_unlabelled) {
        // All of them at once: a dataset of whole bodies has hundreds.
        let out = source.exclude.iter().map(String::as_str).chain(unlabelled.iter().map(|(case, _)| *case));
        return Err(in_source(
            &source.name,
            format!(
                "{} of {total} cases have no voxel that shows a structure, the first because {reason}. Where there are none \
                 to label, leave the cases out: exclude = [{}], or all such cases with leave_out_unlabelled = true",
                unlabelled.len(),
                out.map(|case| format!("\"{case}\"")).collect::<Vec<_>>().join(", ")
            ),
        ));
    }
    let description = format!(
        "{}, {}, {} cases with sha256: {}{}",
        source.name,
        source.licence,
        cases.len(),
        hashes.join(", "),
        warnings.describe()
    );
    Ok((cases, description))
}

/// The labels of a case: one file, or a folder with one file a structure.
fn read_labels(path: &Path, structure_files: &BTreeMap<String, u16>) -> Result<LabelMap, TrainError> {
    if structure_files.is_empty() {
        return io::open_labels(path).map_err(in_data);
    }
    let mut whole: Option<LabelMap> = None;
    for (file, value) in structure_files {
        let file = path.join(file);
        // Structures that a scan does not show have no file in some datasets.
        if !file.exists() {
            continue;
        }
        let part = io::open_labels(&file).map_err(in_data)?;
        let labels = whole.get_or_insert_with(|| part.map(|_| 0));
        if !geometry_equal(labels.geometry(), part.geometry(), 1e-3) {
            return Err(in_data(format!("{}: lies on another grid than its siblings", file.display())));
        }
        for (label, inside) in labels.voxels_mut().iter_mut().zip(part.voxels()) {
            if *inside != 0 {
                *label = *value;
            }
        }
    }
    whole.ok_or_else(|| in_data(format!("{}: has none of the files of structure_files", path.display())))
}

/// What came of one scan.
pub(super) struct Read {
    pub(super) case: Case,
    /// The start of the file's SHA-256.
    pub(super) hash: String,
    /// Why no voxel shows a structure, where labels were read and none does.
    pub(super) unlabelled: Option<String>,
    pub(super) warnings: Vec<String>,
}

/// A scan on the network grid.
pub(super) fn scan_case(
    name: &str,
    path: &Path,
    modality: Modality,
    truth: Option<Truth>,
    config: &TrainConfig,
) -> Result<Read, TrainError> {
    let scan = io::open(path).map_err(in_data)?;
    if let Some(values) = folder::values_if_labels(&scan) {
        let values: Vec<_> = values.iter().map(f64::to_string).collect();
        return Err(in_data(format!(
            "{}: expected a scan, got what looks like a label map, for it holds nothing but {}; let the pattern describe \
             scans alone, as \"*_image.nii.gz\" does beside labels, or move what is none",
            path.display(),
            values.join(", ")
        )));
    }
    let prepared = preprocess::prepare(&scan, modality, &config.preprocessing)
        .map_err(|error| in_data(format!("{}: {error}", path.display())))?;
    let (annotation, unlabelled) = match &truth {
        None => (None, None),
        Some(truth) => {
            let table = LabelTable::named(truth.label_table).map_err(in_data)?;
            let annotation = annotate(&prepared, truth, table, modality, config.preprocessing.ct_window_hu)?;
            let shows_one = annotation.labels.voxels().iter().any(|label| *label != 0);
            let unlabelled = (!shows_one).then(|| truth.why_nothing(table));
            (Some(annotation), unlabelled)
        }
    };
    // A DICOM folder is known by its voxels, a file by its bytes.
    let bytes = if path.is_dir() {
        scan.to_f32().voxels().iter().flat_map(|value| value.to_le_bytes()).collect()
    } else {
        std::fs::read(path).map_err(crate::train::file_error(path))?
    };
    let hash = sha256_hex(&bytes)[..16].to_owned();
    let warnings = [scan.warnings, prepared.warnings].concat();
    let case = Case { name: name.to_owned(), modality, image: prepared.slices, annotation };
    Ok(Read { case, hash, unlabelled, warnings })
}

fn annotate(
    prepared: &Prepared,
    truth: &Truth,
    table: &LabelTable,
    modality: Modality,
    ct_window_hu: [f32; 2],
) -> Result<Annotation, TrainError> {
    let tissues = TissueTable::named(truth.tissue_table).map_err(in_data)?;
    let on_grid: LabelMap = preprocess::prepare_labels(&truth.labels, prepared);
    let threshold = match modality {
        // -300 HU lies below the window, so any tissue above fat's lower end counts.
        Modality::Ct => 0.02,
        Modality::Mr => 0.03,
    };
    let body = anatomy::body_mask(&prepared.slices, threshold);
    let tissue_map: Volume<u8> =
        anatomy::tissue_map(&prepared.slices, &on_grid, &tissues, modality, ct_window_hu, &body);
    let structures = table.to_structures(&on_grid).map(|&label| label as u8);
    Ok(Annotation::new(tissue_map, structures))
}
