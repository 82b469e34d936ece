//! Reading what a configuration names, onto the network grid.

mod phantoms;
mod scans;

use super::{Observer, TrainError};
use mindgap::config::train::{DataSource, FolderSource, TrainConfig};
use mindgap::dataset::anatomy::TissueTable;
use mindgap::dataset::case::Case;
use mindgap::dataset::folder::{self, Found};
use mindgap::dataset::phantom;
use mindgap::volume::Modality;
use phantoms::phantom_case;
use scans::{Truth, load_folder, scan_case};
use std::collections::BTreeMap;
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
                "{count} phantom {} volumes{}, generator {}, seeds {first_seed}-{}",
                modality.name(),
                if source.varied_posture { " in varied postures" } else { "" },
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
    use mindgap::dataset::phantom::{PhantomSpec, Tissue};
    use mindgap::volume::{Geometry, LabelMap, Scan, Task, io};

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
        // A dataset of whole bodies says that there are such cases; what is left out is told, and is not in the card's list.
        let mut listener = Listener::default();
        let leave_out = config(&format!("{SOURCE}leave_out_unlabelled = true"));
        let data = load(&leave_out, folder.path(), &mut listener).unwrap();
        let told: Vec<_> = listener.0.iter().filter(|note| note.contains("left out")).collect();
        assert!(told.len() == 2 && told[0].contains("CT b: "), "{told:?}");
        let card = &data.description[0];
        assert!(
            data.source.len() == 1 && card.contains("1 cases") && card.contains("said of 2: left out"),
            "{card}"
        );
        let none = config(&format!("{SOURCE}leave_out_unlabelled = true\nexclude = [\"a\"]"));
        assert!(refusal(&none, folder.path()).contains("no voxel of any case"));
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
