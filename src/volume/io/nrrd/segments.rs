//! What 3D Slicer's `.seg.nrrd` says about its segments.
//!
//! Source: 3D Slicer's developer guide, "Segmentation labelmap file format (.seg.nrrd)".

use super::header::Header;

/// More segments than a label map has values.
const SEGMENTS_LIMIT: usize = 1 << 16;

/// What a reader of volume `layer` must know about the segments; nothing for files without any, or with one layer.
pub(super) fn warnings(header: &Header, layer: usize) -> Vec<String> {
    let mut warnings = Vec::new();
    let representation = ["Segmentation_SourceRepresentation", "Segmentation_MasterRepresentation"]
        .iter()
        .find_map(|key| header.pair(key));
    if representation.is_some_and(|name| name.starts_with("Fractional")) {
        warnings
            .push("The values say how much of each voxel belongs to the segment; they are no labels.".into());
    }
    let keys = |field: &'static str| {
        let number = move |key: &str| key.strip_prefix("Segment")?.strip_suffix(field)?.parse::<usize>().ok();
        let pairs = header.pairs.iter();
        pairs.filter_map(move |(key, value)| Some((number(key)?, value.trim().parse::<usize>().ok()?)))
    };
    let layers: Vec<(usize, usize)> = keys("_Layer").take(SEGMENTS_LIMIT).collect();
    if layers.iter().any(|(_, of)| *of > 0) {
        let here = layers.iter().filter(|(_, of)| *of == layer).count();
        warnings.push(format!(
            "The file holds {} segments in layers that may overlap; {here} of them are in this one.",
            layers.len()
        ));
    }
    warnings
}
