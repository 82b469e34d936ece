//! Reading what a configuration names, onto the network grid.

use super::{Observer, TrainError};
use crate::model::preprocess::{self, Prepared};
use mindgap::config::sha256_hex;
use mindgap::config::train::{DataSource, FolderSource, PhantomSource, TrainConfig};
use mindgap::dataset::anatomy::{self, TissueTable};
use mindgap::dataset::case::{Annotation, Case};
use mindgap::dataset::folder::{self, Found};
use mindgap::dataset::phantom::{self, PhantomSpec, Tissue};
use mindgap::volume::{LabelMap, LabelTable, Modality, Task, Volume, geometry_equal, io};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;

/// All volumes of a run.
#[derive(Debug)]
pub struct TrainData {
    pub source: Vec<Case>,
    pub target: Vec<Case>,
    /// How many of the first source cases are scans; the rest are phantoms.
    pub source_scans: usize,
    pub target_scans: usize,
    /// One line a data source, for the card.
    pub description: Vec<String>,
}

/// The data of the last training, where it was phantoms alone: the trainings of a study follow each other on the same ones,
/// and making them takes as long as many steps. Scans are read anew, for their files may have changed.
#[derive(Debug, Default)]
pub struct Phantoms(Option<(TrainConfig, Rc<TrainData>)>);

impl Phantoms {
    /// [`load`], or what it gave the last time.
    pub fn load(
        &mut self,
        config: &TrainConfig,
        data_dir: &Path,
        observer: &mut dyn Observer,
    ) -> Result<Rc<TrainData>, TrainError> {
        if let Some((of, data)) = &self.0
            && is_of_same_data(of, config)
        {
            return Ok(data.clone());
        }
        // Not two of them in memory.
        self.0 = None;
        let data = Rc::new(load(config, data_dir, observer)?);
        let mut sources = config.source_data.iter().chain(&config.target_data);
        if sources.all(|source| matches!(source, DataSource::Phantoms(_))) {
            self.0 = Some((config.clone(), data.clone()));
        }
        Ok(data)
    }
}

/// Whether two trainings see the same volumes.
fn is_of_same_data(a: &TrainConfig, b: &TrainConfig) -> bool {
    (a.task, a.source, a.target) == (b.task, b.source, b.target)
        && a.preprocessing == b.preprocessing
        && (&a.source_data, &a.target_data) == (&b.source_data, &b.target_data)
}

/// Reads and prepares everything.
pub fn load(
    config: &TrainConfig,
    data_dir: &Path,
    observer: &mut dyn Observer,
) -> Result<TrainData, TrainError> {
    let mut data = TrainData {
        source: Vec::new(),
        target: Vec::new(),
        source_scans: 0,
        target_scans: 0,
        description: Vec::new(),
    };
    let sides = [(config.source, &config.source_data, true), (config.target, &config.target_data, false)];
    for (modality, sources, labelled) in sides {
        let (phantoms, scans): (Vec<_>, Vec<_>) =
            sources.iter().partition(|source| matches!(source, DataSource::Phantoms(_)));
        let mut cases = Vec::new();
        let mut from_scans = 0;
        for source in scans.iter().chain(&phantoms) {
            let (read, description) = load_source(source, modality, labelled, config, data_dir, observer)?;
            cases.extend(read);
            if !matches!(source, DataSource::Phantoms(_)) {
                from_scans = cases.len();
            }
            let role = if labelled { "source, labels used" } else { "target, no labels" };
            data.description.push(format!("{description} ({role})"));
        }
        if labelled {
            data.source_scans = from_scans;
            data.source = cases;
        } else {
            data.target_scans = from_scans;
            data.target = cases;
        }
    }
    Ok(data)
}

fn load_source(
    source: &DataSource,
    modality: Modality,
    labelled: bool,
    config: &TrainConfig,
    data_dir: &Path,
    observer: &mut dyn Observer,
) -> Result<(Vec<Case>, String), TrainError> {
    match source {
        DataSource::Phantoms(source) => {
            let (first_seed, count) = (source.first_seed, source.count);
            let mut cases = Vec::new();
            for seed in first_seed..first_seed + count {
                if observer.cancelled() {
                    return Err(TrainError::Cancelled);
                }
                cases.push(phantom_case(config, modality, seed, source, labelled)?);
                observer.progress("making phantoms", seed - first_seed + 1, count, modality.name());
            }
            let description = format!(
                "{count} phantom {} volumes, generator {}, seeds {first_seed}-{}",
                modality.name(),
                phantom::GENERATOR_VERSION,
                first_seed + count - 1
            );
            Ok((cases, description))
        }
        DataSource::Scan { name, image, labels, label_table, tissue_table, licence } => {
            let path = data_dir.join(image);
            let truth = Truth::of(labelled, labels, label_table, tissue_table, |labels| {
                io::open_labels(&data_dir.join(labels)).map_err(in_data)
            })?;
            let (case, hash) = scan_case(name, &path, modality, truth, config)?;
            Ok((vec![case], format!("{name}, {licence}, sha256 {hash}")))
        }
        DataSource::Folder(source) => load_folder(source, modality, labelled, config, data_dir, observer),
    }
}

/// What is known of a source scan: its labels and what their values mean.
struct Truth<'a> {
    labels: LabelMap,
    label_table: &'a str,
    tissue_table: &'a str,
}

impl<'a> Truth<'a> {
    /// What `read` makes of the named labels. Of target data nothing is read.
    fn of<L>(
        labelled: bool,
        labels: &Option<L>,
        label_table: &'a Option<String>,
        tissue_table: &'a Option<String>,
        read: impl FnOnce(&L) -> Result<LabelMap, TrainError>,
    ) -> Result<Option<Self>, TrainError> {
        match (labels, label_table, tissue_table) {
            (Some(labels), Some(label_table), Some(tissue_table)) if labelled => {
                Ok(Some(Self { labels: read(labels)?, label_table, tissue_table }))
            }
            _ => Ok(None),
        }
    }
}

fn load_folder(
    source: &FolderSource,
    modality: Modality,
    labelled: bool,
    config: &TrainConfig,
    data_dir: &Path,
    observer: &mut dyn Observer,
) -> Result<(Vec<Case>, String), TrainError> {
    let mut found = folder::find(data_dir, &source.images).map_err(in_data)?;
    found.retain(|found| !source.exclude.contains(&found.case));
    let mut cases = Vec::new();
    let mut hashes = Vec::new();
    for (n, Found { case, path }) in found.iter().enumerate() {
        if observer.cancelled() {
            return Err(TrainError::Cancelled);
        }
        let (label_table, tissue_table) = (&source.label_table, &source.tissue_table);
        let truth = Truth::of(labelled, &source.labels, label_table, tissue_table, |labels| {
            read_labels(&folder::path_of(data_dir, labels, case), &source.structure_files)
        })?;
        let (read, hash) = scan_case(&format!("{} {case}", source.name), path, modality, truth, config)?;
        cases.push(read);
        hashes.push(format!("{case} {hash}"));
        observer.progress("reading scans", n as u64 + 1, found.len() as u64, &source.name);
    }
    let description = format!(
        "{}, {}, {} cases with sha256: {}",
        source.name,
        source.licence,
        cases.len(),
        hashes.join(", ")
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

/// A scan on the network grid, and the start of its hash.
fn scan_case(
    name: &str,
    path: &Path,
    modality: Modality,
    truth: Option<Truth>,
    config: &TrainConfig,
) -> Result<(Case, String), TrainError> {
    let scan = io::open(path).map_err(in_data)?;
    let prepared = preprocess::prepare(&scan, modality, &config.preprocessing).map_err(in_data)?;
    let window = config.preprocessing.ct_window_hu;
    let annotation = truth.map(|truth| annotate(&prepared, &truth, modality, window)).transpose()?;
    // A DICOM folder is known by its voxels, a file by its bytes.
    let bytes = if path.is_dir() {
        scan.to_f32().voxels().iter().flat_map(|value| value.to_le_bytes()).collect()
    } else {
        std::fs::read(path).map_err(super::file_error(path))?
    };
    let hash = sha256_hex(&bytes)[..16].to_owned();
    Ok((Case { name: name.to_owned(), modality, image: prepared.slices, annotation }, hash))
}

fn phantom_case(
    config: &TrainConfig,
    modality: Modality,
    seed: u64,
    source: &PhantomSource,
    labelled: bool,
) -> Result<Case, TrainError> {
    let spec = PhantomSpec::of_source(source, config.task, modality, seed);
    let phantom = phantom::generate(&spec).map_err(in_data)?;
    let prepared = preprocess::prepare(&phantom.scan, modality, &config.preprocessing).map_err(in_data)?;
    let name = format!("phantom {seed}");
    if !labelled {
        return Ok(Case { name, modality, image: prepared.slices, annotation: None });
    }
    let tissues: Volume<u8> = preprocess::prepare_labels(&phantom.tissues, &prepared);
    if spec.task == config.task {
        let labels = preprocess::prepare_labels(&phantom.labels, &prepared).map(|&label| label as u8);
        let annotation = Some(Annotation::new(tissues, labels));
        return Ok(Case { name, modality, image: prepared.slices, annotation });
    }
    // A body of the other task shows what is none of this one's structures; where it shows some, in passing and without
    // detail, it would teach the opposite.
    let slices = slices_without_structures(&tissues, config.task);
    let (image, tissues) = (slab(&prepared.slices, &slices)?, slab(&tissues, &slices)?);
    let labels = tissues.map(|_| 0u8);
    Ok(Case { name, modality, image, annotation: Some(Annotation::new(tissues, labels)) })
}

/// The most slices in a row without a tissue that a task has a label for, or that surrounds such a one.
fn slices_without_structures(tissues: &Volume<u8>, task: Task) -> Range<usize> {
    let [ni, nj, nk] = tissues.dims();
    let structure =
        |tissue: Tissue| tissue.label(task) != 0 || (task == Task::Cardiac && tissue == Tissue::HeartWall);
    let shows = |slice: &[u8]| slice.iter().any(|&tissue| structure(Tissue::from_value(tissue)));
    let mut ends: Vec<usize> = tissues
        .voxels()
        .chunks_exact(ni * nj)
        .enumerate()
        .filter(|(_, s)| shows(s))
        .map(|(k, _)| k)
        .collect();
    ends.push(nk);
    let mut start = 0;
    let mut longest = 0..0;
    for end in ends {
        if end - start > longest.len() {
            longest = start..end;
        }
        start = end + 1;
    }
    longest
}

/// Some slices of a volume.
fn slab<T: Copy>(volume: &Volume<T>, slices: &Range<usize>) -> Result<Volume<T>, TrainError> {
    let [ni, nj, _] = volume.dims();
    let grid =
        volume.geometry().window([0, 0, slices.start as i64], [ni, nj, slices.len()]).map_err(in_data)?;
    Ok(Volume::from_fn(grid, |i, j, k| volume.at(i, j, slices.start + k)))
}

fn annotate(
    prepared: &Prepared,
    truth: &Truth,
    modality: Modality,
    ct_window_hu: [f32; 2],
) -> Result<Annotation, TrainError> {
    let table = LabelTable::named(truth.label_table).map_err(in_data)?;
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

fn in_data(error: impl std::fmt::Display) -> TrainError {
    TrainError::Data(error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mindgap::config::train::preset_path;

    #[test]
    fn an_abdomen_that_shows_what_is_no_heart_shows_none_of_one() {
        let text = std::fs::read_to_string(preset_path("cardiac-ct-to-mr").unwrap()).unwrap();
        let config = TrainConfig::parse(&text).unwrap();
        let abdomens = config.source_data.iter().find_map(|data| match data {
            DataSource::Phantoms(phantoms) if phantoms.body == Some(Task::Abdomen) => Some(phantoms),
            _ => None,
        });
        let source = abdomens.unwrap();
        for seed in source.first_seed..source.first_seed + 4 {
            let case = phantom_case(&config, Modality::Ct, seed, source, true).unwrap();
            let annotation = case.annotation.unwrap();
            let heart = [Tissue::LeftVentricle, Tissue::HeartWall].map(|tissue| tissue as u8);
            assert!(annotation.tissues.voxels().iter().all(|tissue| !heart.contains(tissue)), "seed {seed}");
            assert!(annotation.labels.voxels().iter().all(|&label| label == 0), "seed {seed}");
            assert!(annotation.tissues.voxels().contains(&(Tissue::Liver as u8)), "seed {seed}");
        }
    }
}
