//! The engine process seen from the window and the command line: starting it, talking to it, surviving it; and what is
//! open, with the threads that load, pack and save it.
//!
//! Never links libtorch and never imports a window library: whoever wants to be woken passes a closure.

mod anatomy;
mod background;
mod body;
mod clock;
pub mod cohort;
mod coverage;
mod engine;
pub mod export;
pub mod figure;
mod guard;
mod launch;
pub mod loader;
mod montage;
mod open_scan;
mod provenance;
pub mod report;
mod request;
mod results;
mod run;
mod settings;
mod study;
mod style;

pub use anatomy::Anatomy;
pub use background::Background;
pub use body::{BodyBox, HISTOGRAM_BINS, IntensityStats, label_focus};
pub use coverage::Coverage;
pub use engine::{Engine, EngineState, Notice, Wake};
pub use guard::{Concern, ConcernKind, concerns};
pub use launch::{EngineError, EngineSite, Launch, locate_engine};
pub use open_scan::{GivenLabels, OpenScan, ScanId};
pub use provenance::{
    InputRecord, ModelRecord, PROVENANCE_VERSION, Provenance, RESEARCH_USE, RunFacts, RunRecord,
    content_sha256, program, provenance_path,
};
pub use request::{LabelFile, OpenRequest, Opened, Origin};
pub use results::{Against, Contrast, Prediction, RunOrigin, StructureSummary, Synthesis, summarise};
pub use run::{Connection, PAUSES, model_payload, run_job};
pub use settings::{Settings, TEXT_SCALES, settings_path};
pub use study::{Role, Study};
pub use style::{StyledSlice, pack_style_subject};
