//! Slices in a style between the scan's own and the other modality's, for the slider of the window.

use super::loader::LoadError;
use super::open_scan::{OpenScan, ScanId};
use super::results::covers;
use super::run::model_payload;
use crate::config::load_bundle;
use crate::protocol::{StyleSubject, WireScan, WireVolume};
use crate::volume::Volume;
use glam::DVec3;
use std::sync::Arc;

/// One network slice of a scan in some style, on a grid one slice thick in the scan's world.
#[derive(Debug, Clone)]
pub struct StyledSlice {
    pub scan: ScanId,
    /// 0: the scan's own style, 1: the other modality's.
    pub style: f32,
    pub image: Arc<Volume<f32>>,
}

impl StyledSlice {
    /// What the engine has sent.
    ///
    /// # Errors
    /// Where the message is damaged.
    pub fn of(scan: ScanId, style: f32, synthetic: &WireVolume) -> Result<Self, LoadError> {
        Ok(Self { scan, style, image: Arc::new(synthetic.unpack()?) })
    }

    /// Whether a place, mm in the scan's world, lies in this slice.
    pub fn shows(&self, world_mm: DVec3) -> bool {
        covers(self.image.geometry(), world_mm)
    }
}

/// Reads and verifies the model and packs it with a scan, to be sent once for many slices.
///
/// # Errors
/// Where the model cannot be used.
pub fn pack_style_subject(model: &str, scan: &OpenScan) -> Result<StyleSubject, LoadError> {
    let bundle = load_bundle(model)?;
    Ok(StyleSubject {
        model: model_payload(&bundle),
        scan: WireScan::pack(&scan.scan),
        modality: scan.modality,
    })
}
