//! Reading what a configuration names, onto the network grid.

use super::{Observer, TrainError};
use crate::model::preprocess::{self, Prepared};
use mindgap::config::sha256_hex;
use mindgap::config::train::{DataSource, PhantomSource, PhantomView, TrainConfig};
use mindgap::dataset::anatomy::{self, TissueTable};
use mindgap::dataset::case::{Annotation, Case};
use mindgap::dataset::phantom::{self, CardiacView, Coverage, PhantomSpec};
use mindgap::volume::{LabelMap, LabelTable, Modality, Volume, io};
use std::path::Path;

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
        let (scans, phantoms): (Vec<_>, Vec<_>) =
            sources.iter().partition(|source| matches!(source, DataSource::Scan { .. }));
        let mut cases = Vec::new();
        for source in scans.iter().chain(&phantoms) {
            let (read, description) = load_source(source, modality, labelled, config, data_dir, observer)?;
            cases.extend(read);
            let role = if labelled { "source, labels used" } else { "target, no labels" };
            data.description.push(format!("{description} ({role})"));
        }
        if labelled {
            data.source_scans = scans.len();
            data.source = cases;
        } else {
            data.target_scans = scans.len();
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
            let scan = io::open(&path).map_err(in_data)?;
            let prepared = preprocess::prepare(&scan, modality, &config.preprocessing).map_err(in_data)?;
            let annotation = match (labels, label_table, tissue_table) {
                (Some(labels), Some(label_table), Some(tissue_table)) if labelled => Some(annotate(
                    &prepared,
                    &data_dir.join(labels),
                    LabelTable::named(label_table).map_err(in_data)?,
                    &TissueTable::named(tissue_table).map_err(in_data)?,
                    modality,
                    config.preprocessing.ct_window_hu,
                )?),
                _ => None,
            };
            let hash =
                std::fs::read(&path).map(|bytes| sha256_hex(&bytes)).map_err(super::file_error(&path))?;
            let description = format!("{name}, {licence}, sha256 {}", &hash[..16]);
            let case = Case { name: name.clone(), modality, image: prepared.slices, annotation };
            Ok((vec![case], description))
        }
    }
}

fn phantom_case(
    config: &TrainConfig,
    modality: Modality,
    seed: u64,
    source: &PhantomSource,
    labelled: bool,
) -> Result<Case, TrainError> {
    let usual = PhantomSpec::new(config.task, modality, seed);
    let mut spec = match source.view {
        None => usual,
        Some(PhantomView::Axial) => usual.with_view(CardiacView::Axial),
        Some(PhantomView::ShortAxis) => usual.with_view(CardiacView::ShortAxis),
    };
    spec.spacing_mm = source.spacing_mm.unwrap_or(spec.spacing_mm);
    spec.coverage = if source.whole { Coverage::Whole } else { Coverage::Varied };
    spec.contrast_flip = source.contrast_flip;
    let phantom = phantom::generate(&spec).map_err(in_data)?;
    let prepared = preprocess::prepare(&phantom.scan, modality, &config.preprocessing).map_err(in_data)?;
    let annotation = labelled.then(|| {
        let tissues = preprocess::prepare_labels(&phantom.tissues, &prepared);
        let labels = preprocess::prepare_labels(&phantom.labels, &prepared).map(|&label| label as u8);
        Annotation::new(tissues, labels)
    });
    Ok(Case { name: format!("phantom {seed}"), modality, image: prepared.slices, annotation })
}

fn annotate(
    prepared: &Prepared,
    path: &Path,
    table: &LabelTable,
    tissues: &TissueTable,
    modality: Modality,
    ct_window_hu: [f32; 2],
) -> Result<Annotation, TrainError> {
    let labels = io::open_labels(path).map_err(in_data)?;
    let on_grid: LabelMap = preprocess::prepare_labels(&labels, prepared);
    let threshold = match modality {
        // -300 HU lies below the window, so any tissue above fat's lower end counts.
        Modality::Ct => 0.02,
        Modality::Mr => 0.03,
    };
    let body = anatomy::body_mask(&prepared.slices, threshold);
    let tissue_map: Volume<u8> =
        anatomy::tissue_map(&prepared.slices, &on_grid, tissues, modality, ct_window_hu, &body);
    let structures = table.to_structures(&on_grid).map(|&label| label as u8);
    Ok(Annotation::new(tissue_map, structures))
}

fn in_data(error: impl std::fmt::Display) -> TrainError {
    TrainError::Data(error.to_string())
}
