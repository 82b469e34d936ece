//! A folder as `mindgap batch` leaves it, made of a few small scans. Not every test uses all of it.

#![allow(dead_code)]

use mindgap::eval::gap::{Flag, FlagKind, GapSpread};
use mindgap::session::cohort::{CASE_FILE, CaseRecord, StructureRecord};
use mindgap::session::content_sha256;
use mindgap::volume::{Geometry, Scan, Task, Volume, io};
use std::path::{Path, PathBuf};

/// Where the scans are and where the cases.
pub struct CohortFiles {
    folder: tempfile::TempDir,
}

/// What the table shows of a case.
pub struct Numbers {
    pub liver_ml: f64,
    pub liver_gap: f64,
    pub flags: usize,
}

impl CohortFiles {
    /// Empty, but for the two folders.
    pub fn new() -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(files.scans()).unwrap();
        std::fs::create_dir(files.cases()).unwrap();
        files
    }

    pub fn scans(&self) -> PathBuf {
        self.folder.path().join("scans")
    }

    pub fn cases(&self) -> PathBuf {
        self.folder.path().join("cases")
    }

    /// Writes a scan of its own and the case made of it; answers the scan's path.
    pub fn add(&self, case: &str, named: bool, numbers: &Numbers) -> PathBuf {
        let grid = Geometry::axis_aligned([20, 20, 10], [3.0; 3], [-30.0, -30.0, 0.0]).unwrap();
        let seed = numbers.liver_ml as usize;
        let values = Volume::from_fn(grid.clone(), |i, j, k| (seed + 7 * i + 5 * j + 3 * k) as f32);
        let path = self.scans().join(format!("{case}_scan.nii.gz"));
        io::write_scan(&path, &Scan::from_volume(values, "phantom")).unwrap();
        let scan = io::open(&path).unwrap();
        let folder = self.cases().join(case);
        std::fs::create_dir(&folder).unwrap();
        let labels = Volume::from_fn(grid, |i, _, _| u16::from(i > 10));
        io::write_named_labels(&folder.join("labels.nii.gz"), &labels, Task::Abdomen.table(), &scan).unwrap();
        let record = CaseRecord {
            case: case.to_owned(),
            scan: named.then(|| path.clone()),
            input_sha256: content_sha256(&scan),
            weights_sha256: "of no model here".to_owned(),
            made_by: "a test".to_owned(),
            structures: structures(numbers),
            flags: (0..numbers.flags).map(|_| flag()).collect(),
            concerns: Vec::new(),
            files: vec![("labels.nii.gz".to_owned(), "not looked at".to_owned())],
        };
        std::fs::write(folder.join(CASE_FILE), serde_json::to_vec(&record).unwrap()).unwrap();
        path
    }

    /// A case whose record was cut off.
    pub fn add_broken(&self, case: &str) {
        let folder = self.cases().join(case);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join(CASE_FILE), b"{\"case\": \"").unwrap();
    }

    /// A scan that the batch could not read.
    pub fn add_failed(&self, scan: &Path, reason: &str) {
        let line = format!("{}\t{reason}\n", scan.display());
        std::fs::write(self.cases().join("failed.txt"), line).unwrap();
    }
}

fn structures(numbers: &Numbers) -> Vec<StructureRecord> {
    let record = |entry: &mindgap::volume::LabelEntry| {
        let liver = entry.value == 1;
        StructureRecord {
            label: entry.value,
            name: entry.name.clone(),
            voxels: if liver { 1800 } else { 0 },
            volume_ml: liver.then_some(numbers.liver_ml),
            gap: liver.then_some(GapSpread { voxels: 1800, mean: numbers.liver_gap, p95: 0.6 }),
            mean_uncertainty: liver.then_some(0.1),
            coverage: liver.then_some(0.5),
        }
    };
    Task::Abdomen.table().entries.iter().map(record).collect()
}

fn flag() -> Flag {
    let (label, structure) = (1, "Liver".to_owned());
    Flag { label, structure, kind: FlagKind::Fragmented, reason: "In pieces.".to_owned() }
}
