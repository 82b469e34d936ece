//! A CT-like and an MR-like scan and a model's folder, as files to open.

use mindgap::config::{Card, GapMode, NetworkConfig, Plane, Preprocessing, TrainingRecord, sha256_hex};
use mindgap::volume::io;
use mindgap::volume::{Geometry, Modality, Scaling, Scan, Task, Volume, Voxels};
use std::path::{Path, PathBuf};

/// A folder that goes away with it.
pub struct StudyFiles {
    folder: tempfile::TempDir,
}

impl StudyFiles {
    pub fn new() -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        io::write_scan(&files.ct(), &scan([24, 20, 16], -1000.0, 60.0)).unwrap();
        io::write_scan(&files.mr(), &scan([20, 20, 10], 0.0, 500.0)).unwrap();
        write_model(&files.model());
        files
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn ct(&self) -> PathBuf {
        self.path().join("patient_ct.nii.gz")
    }

    pub fn mr(&self) -> PathBuf {
        self.path().join("patient_mr.nii.gz")
    }

    pub fn model(&self) -> PathBuf {
        self.path().join("model")
    }
}

/// An ellipsoid of tissue in air.
fn scan(dims: [usize; 3], air: f64, tissue: f64) -> Scan {
    let geometry = Geometry::axis_aligned(dims, [3.0; 3], [-30.0, -30.0, 0.0]).unwrap();
    let volume = Volume::from_fn(geometry.clone(), |i, j, k| {
        let part = |at: usize, size: usize| (at as f64 + 0.5) / size as f64 * 2.0 - 1.0;
        let radius = part(i, dims[0]).powi(2) + part(j, dims[1]).powi(2) + part(k, dims[2]).powi(2);
        (if radius < 0.7 { tissue + (i + j) as f64 } else { air }) as i16
    });
    Scan::new(Voxels::I16(volume.into_voxels()), Scaling::IDENTITY, geometry, "phantom").unwrap()
}

fn write_model(folder: &Path) {
    std::fs::create_dir(folder).unwrap();
    let weights = b"no weights: the scripted engine needs none";
    let card = Card {
        id: "abdomen-ct-to-mr".to_owned(),
        version: "test".to_owned(),
        task: Task::Abdomen,
        source: Modality::Ct,
        target: Modality::Mr,
        weights_sha256: sha256_hex(weights),
        weights_bytes: weights.len() as u64,
        network: NetworkConfig {
            base_channels: 8,
            level_multiples: vec![1, 2],
            generator_channels: 8,
            residual_blocks: 1,
            critic_channels: 8,
            classes: 5,
            gap_mode: GapMode::Feature,
        },
        preprocessing: Preprocessing {
            window: mindgap::config::Window::Body,
            plane: Plane::Axial,
            spacing_mm: [3.0, 3.0, 0.0],
            size: [32, 32],
            multiple: 16,
            ct_window_hu: [-200.0, 300.0],
            mr_percentile: 99.0,
            mr_clip: 1.5,
            mr_brighten_to: 0.0,
        },
        training: TrainingRecord::default(),
        scores: Vec::new(),
        limits: Vec::new(),
    };
    std::fs::write(folder.join("weights.safetensors"), weights).unwrap();
    std::fs::write(folder.join("card.json"), serde_json::to_string(&card).unwrap()).unwrap();
}
