//! MindGap: unsupervised cross-modality (CT <-> MR) segmentation, and a viewer for the domain gap that is left.
//!
//! Labels exist in one modality (source) and none in the other (target). A style transfer makes target-like images of
//! source content; a local feature mask finds where the two modalities' features still differ and gives those places
//! priority; a segmentation net learns from both. An independent reconstruction, from the published abstract, of Su et
//! al., "Mind The Gap: Alleviating Local Imbalance for Unsupervised Cross-Modality Medical Image Segmentation" (IEEE
//! JBHI 2023, DOI 10.1109/JBHI.2023.3270434).
//!
//! # Two programs
//!
//! `mindgap` is the window and the command line: this library and `src/main.rs`. `mindgap-engine` is the model core
//! (`src/bin/mindgap-engine/`): networks, training and the serving loop, the only code that knows libtorch. They speak
//! [`protocol`] over a byte stream. So the window starts at once, a crashed or killed engine costs one run, and volumes
//! can be read and converted where there is no libtorch.
//!
//! # Map
//!
//! | module | what it is | may use |
//! |---|---|---|
//! | [`volume`] | scans, label maps, grids, resampling, files | nothing |
//! | [`colormap`] | colours of the gap and of the uncertainty, the same on the screen, in the shader and on paper | nothing |
//! | [`config`] | model cards, training configurations, where data lie | `volume` |
//! | [`eval`] | Dice, surface distances, edge agreement and what a cycle does to each structure; cohorts, ablation studies, charts; what differs between two label maps; the gap of each structure | `volume` |
//! | [`dataset`] | phantoms, data sets on disk, training samples, new contrasts; no tensor | `volume`, `config` |
//! | [`protocol`] | what passes between the two programs | `volume`, `config` |
//! | [`session`] | starting the engine, talking to it, surviving it; the open study; reports, figures and cohorts, and where they come from | `protocol`, `eval`, `volume`, `config`, `colormap` |
//! | `render` | the wgpu slice pass and its CPU twin (feature `gui`) | `colormap` |
//! | `ui` | the window (feature `gui`) | `session`, `render`, `volume`, `eval`, `config`, `protocol` |
//! | [`cli`] | one file or folder a subcommand; the ablation study; cohorts | all of the above |
//! | engine: `model` | networks, preprocessing, inference, refinement | `volume`, `config` |
//! | engine: `train` | the two stages, checkpoints, the finished bundle | `model`, `dataset`, `eval`, `volume`, `config` |
//! | engine: `engine` | the serving loop, devices, jobs | all of its own, `protocol` |
//!
//! `tests/architecture.rs` holds the code to this table.
//!
//! # Invariants
//!
//! * World space is RAS+ in millimetres; space and unit are in every name (`world_from_voxel`, `spacing_mm`).
//! * A label map is written on the exact grid of the scan it belongs to, read back and compared before it gets its name.
//! * A file is replaced whole or not at all.
//! * Target labels are never read in training; without `--model`, a scan is never given a model that was trained on
//!   labels of its own modality.
//! * A gap map is a quantity of the model, not a diagnosis; a synthetic image always says that it is one.
//! * No patient's name goes into a log, a temporary name or a message to the engine.

pub mod cli;
pub mod colormap;
pub mod config;
pub mod dataset;
pub mod eval;
pub mod protocol;
#[cfg(feature = "gui")]
pub mod render;
pub mod session;
#[cfg(feature = "gui")]
pub mod ui;
pub mod volume;
