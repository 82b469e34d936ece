//! Settings shared by every part: what a model bundle says of itself, and where the program's data lie.
//!
//! Parsed once and validated at the edge; nothing here needs libtorch or a window.

mod assets;
mod bundle;
mod mask;
pub mod train;

pub use assets::{AssetError, assets_dir, demo_dir};
pub use bundle::{
    Bundle, BundleError, Card, GapMode, Net, NetworkConfig, Origin, Plane, Preprocessing, Score,
    TrainingRecord, Window, bundled_models, load_bundle, load_bundle_in, model_for, sha256_hex,
};
pub use mask::{Ball, MaskSyntax, MaskUse};
