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
use std::path::{Path, PathBuf};
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

/// Reads and prepares everything. Invariant: a source scan that was read shows at least one of the task's structures, and no
/// label map was read as a scan.
pub fn load(
    config: &TrainConfig,
    data_dir: &Path,
    observer: &mut dyn Observer,
) -> Result<TrainData, TrainError> {
    check_before_reading(config, data_dir)?;
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

/// What can be told of the data without opening a scan, so that a misspelt name does not cost the time of reading them all.
fn check_before_reading(config: &TrainConfig, data_dir: &Path) -> Result<(), TrainError> {
    for source in config.source_data.iter().chain(&config.target_data) {
        let (name, tissue_table) = match source {
            DataSource::Phantoms(_) => continue,
            DataSource::Scan { name, tissue_table, .. } => (name, tissue_table),
            DataSource::Folder(source) => {
                cases_of(source, data_dir)?;
                (&source.name, &source.tissue_table)
            }
        };
        if let Some(table) = tissue_table {
            TissueTable::named(table).map_err(|error| in_source(name, error))?;
        }
    }
    Ok(())
}

fn cases_of(source: &FolderSource, data_dir: &Path) -> Result<Vec<Found>, TrainError> {
    folder::find_but(data_dir, &source.images, &source.exclude)
        .map_err(|error| in_source(&source.name, error))
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
            let labels = labels.as_ref().map(|labels| data_dir.join(labels));
            let truth = Truth::of(labelled, labels, label_table, tissue_table, &BTreeMap::new())?;
            let read = scan_case(name, &data_dir.join(image), modality, truth, config)?;
            if let Some(reason) = read.unlabelled {
                let remedy = "where there is none to label, take the scan out of source_data";
                return Err(in_source(name, format!("no voxel shows a structure: {reason}; {remedy}")));
            }
            let mut warnings = Warnings::default();
            warnings.tell(name, &read.warnings, (1, 1), observer);
            let description = format!("{name}, {licence}, sha256 {}{}", read.hash, warnings.describe());
            Ok((vec![read.case], description))
        }
        DataSource::Folder(source) => load_folder(source, modality, labelled, config, data_dir, observer),
    }
}

/// How many label values an error lists.
const VALUES_LISTED: usize = 12;

/// What is known of a source scan: its labels and what their values mean.
struct Truth<'a> {
    /// The file that they come from, or the folder with one file a structure.
    path: PathBuf,
    labels: LabelMap,
    label_table: &'a str,
    tissue_table: &'a str,
}

impl<'a> Truth<'a> {
    /// The labels at `path`. Of target data nothing is read.
    fn of(
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

/// What had to be said about the scans of a source, and of how many of them.
#[derive(Debug, Default)]
struct Warnings(BTreeMap<String, usize>);

impl Warnings {
    /// Tells whoever watches, and keeps it for the card.
    fn tell(
        &mut self,
        name: &str,
        warnings: &[String],
        (done, total): (u64, u64),
        observer: &mut dyn Observer,
    ) {
        for warning in warnings {
            tracing::warn!("{name}: {warning}");
            observer.progress(READING, done, total, &format!("{name}: {warning}"));
            *self.0.entry(warning.clone()).or_default() += 1;
        }
    }

    /// For the end of a source's line in the card.
    fn describe(&self) -> String {
        self.0.iter().map(|(warning, cases)| format!("; said of {cases}: {warning}")).collect()
    }
}

/// What is going on while scans are read.
const READING: &str = "reading scans";

fn load_folder(
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
        match read.unlabelled {
            Some(reason) => unlabelled.push((case, reason)),
            None => cases.push(read.case),
        }
        hashes.push(format!("{case} {}", read.hash));
    }
    if let Some((_, reason)) = unlabelled.first() {
        if cases.is_empty() {
            return Err(in_source(&source.name, format!("no voxel of any case shows a structure: {reason}")));
        }
        // All of them at once: a dataset of whole bodies has hundreds.
        let out = source.exclude.iter().map(String::as_str).chain(unlabelled.iter().map(|(case, _)| *case));
        return Err(in_source(
            &source.name,
            format!(
                "{} of {total} cases have no voxel that shows a structure, the first because {reason}. Where there are none \
                 to label, leave the cases out: exclude = [{}]",
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
struct Read {
    case: Case,
    /// The start of the file's SHA-256.
    hash: String,
    /// Why no voxel shows a structure, where labels were read and none does.
    unlabelled: Option<String>,
    warnings: Vec<String>,
}

/// A scan on the network grid.
fn scan_case(
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
        std::fs::read(path).map_err(super::file_error(path))?
    };
    let hash = sha256_hex(&bytes)[..16].to_owned();
    let warnings = [scan.warnings, prepared.warnings].concat();
    let case = Case { name: name.to_owned(), modality, image: prepared.slices, annotation };
    Ok(Read { case, hash, unlabelled, warnings })
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

fn in_data(error: impl std::fmt::Display) -> TrainError {
    TrainError::Data(error.to_string())
}

/// What is wrong with one of the configuration's sources.
fn in_source(name: &str, error: impl std::fmt::Display) -> TrainError {
    TrainError::Data(format!("\"{name}\": {error}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mindgap::config::train::preset_path;
    use mindgap::volume::{Geometry, Scan};

    #[derive(Default)]
    struct Listener(Vec<String>);

    impl Observer for Listener {
        fn progress(&mut self, _: &str, _: u64, _: u64, note: &str) {
            self.0.push(note.to_owned());
        }

        fn cancelled(&self) -> bool {
            false
        }
    }

    const SOURCE: &str = "kind = \"folder\"\nname = \"CT\"\nimages = \"*_image.nii\"\nlabels = \"*_label.nii\"\n\
                          label_table = \"abdomen\"\ntissue_table = \"btcv\"\nlicence = \"-\"\n";

    /// The abdominal preset on the scans of `folder`, small, with phantoms for targets.
    fn config(source: &str) -> TrainConfig {
        let text = std::fs::read_to_string(preset_path("abdomen-ct-to-mr").unwrap()).unwrap();
        let (head, _) = text.split_once("[[source_data]]").unwrap();
        let head = head.replace("[3.0, 3.0, 3.0]", "[6.0, 6.0, 12.0]").replace("[128, 96]", "[64, 48]");
        let target = "kind = \"phantoms\"\ncount = 1\nfirst_seed = 2\nspacing_mm = [6.0, 6.0, 12.0]";
        TrainConfig::parse(&format!("{head}[[source_data]]\n{source}\n[[target_data]]\n{target}\n")).unwrap()
    }

    /// A phantom and what `change` makes of its labels.
    fn write_case(folder: &Path, case: &str, change: impl Fn(&LabelMap) -> LabelMap) {
        let spec =
            PhantomSpec { spacing_mm: [6.0, 6.0, 12.0], ..PhantomSpec::new(Task::Abdomen, Modality::Ct, 1) };
        let phantom = phantom::generate(&spec).unwrap();
        io::write_scan(&folder.join(format!("{case}_image.nii")), &phantom.scan).unwrap();
        let labels = change(&phantom.labels);
        let beside = Scan::from_volume(labels.map(|label| f32::from(*label)), "test");
        io::write_labels(&folder.join(format!("{case}_label.nii")), &labels, None, &beside).unwrap();
    }

    fn refusal(config: &TrainConfig, folder: &Path) -> String {
        load(config, folder, &mut Listener::default()).unwrap_err().to_string()
    }

    #[test]
    fn a_case_in_which_nothing_is_labelled_is_not_taken_for_background_but_told_by_name() {
        let folder = tempfile::tempdir().unwrap();
        write_case(folder.path(), "a", LabelMap::clone);
        write_case(folder.path(), "b", |labels| labels.map(|_| 0));
        write_case(folder.path(), "c", |labels| labels.map(|label| if *label == 0 { 0 } else { 90 }));
        let error = refusal(&config(&format!("{SOURCE}exclude = [\"c\"]")), folder.path());
        assert!(error.contains("1 of 2 cases") && error.contains("b_label.nii labels nothing"), "{error}");
        assert!(error.contains("exclude = [\"c\", \"b\"]"), "{error}");
        let read = load(
            &config(&format!("{SOURCE}exclude = [\"b\", \"c\"]")),
            folder.path(),
            &mut Listener::default(),
        );
        assert_eq!(read.unwrap().source.len(), 1);
        let error = refusal(&config(&format!("{SOURCE}exclude = [\"a\", \"b\"]")), folder.path());
        assert!(
            error.contains("no voxel of any case") && error.contains("got 90; name the table"),
            "{error}"
        );
        assert!(error.contains("\"abdomen\" (1 Liver, "), "{error}");
    }

    #[test]
    fn labels_that_lie_beside_their_scan_are_refused_instead_of_learned_as_background() {
        let folder = tempfile::tempdir().unwrap();
        write_case(folder.path(), "a", |labels| {
            let far = Geometry::axis_aligned(labels.dims(), [6.0, 6.0, 12.0], [5000.0; 3]).unwrap();
            LabelMap::new(labels.voxels().to_vec(), far).unwrap()
        });
        let error = refusal(&config(SOURCE), folder.path());
        assert!(
            error.contains("a_label.nii") && error.contains("outside of what the networks see"),
            "{error}"
        );
    }

    #[test]
    fn a_misspelt_table_or_test_case_is_told_before_a_scan_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a_image.nii"), b"cannot be read").unwrap();
        let error = refusal(&config(&SOURCE.replace("\"btcv\"", "\"bctv\"")), folder.path());
        assert!(error.contains("\"CT\": tissue table") && error.contains("bctv"), "{error}");
        let error = refusal(&config(&format!("{SOURCE}exclude = [\"0007\"]")), folder.path());
        assert!(error.contains("\"CT\": exclude") && error.contains("0007"), "{error}");
    }

    #[test]
    fn a_scan_that_may_be_mirrored_is_told_while_it_is_read_and_in_the_card() {
        let folder = tempfile::tempdir().unwrap();
        write_case(folder.path(), "a", LabelMap::clone);
        for file in ["a_image.nii", "a_label.nii"] {
            let path = folder.path().join(file);
            let mut bytes = std::fs::read(&path).unwrap();
            // qform_code and sform_code: neither says how the patient lies.
            bytes[252..256].fill(0);
            std::fs::write(&path, bytes).unwrap();
        }
        let mut listener = Listener::default();
        let data = load(&config(SOURCE), folder.path(), &mut listener).unwrap();
        let warning = "left and right may be exchanged";
        assert!(listener.0.iter().any(|note| note.contains("CT a: ") && note.contains(warning)));
        assert!(data.description[0].contains(warning), "{:?}", data.description);
    }

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
