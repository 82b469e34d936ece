//! A scan's tissue map: what each voxel is made of, as far as labels and intensities can tell.
//!
//! Contrast synthesis paints a whole body from it, so the confounders around the labelled organs must be in it too.
//! Labelled structures are mapped by a table (`assets/tissues/*.json`); the rest of the body is split by intensity and
//! by depth under the skin. Only labels of the *source* modality ever come here.

use super::phantom::Tissue;
use crate::volume::{Modality, Volume};
use serde::Deserialize;
use std::collections::BTreeMap;
use thiserror::Error;

/// A tissue table that cannot be used.
#[derive(Debug, Error)]
pub enum TissueTableError {
    #[error(
        "tissue table: expected one of totalsegmentator-v1, totalsegmentator-mr, mm-whs, btcv, chaos, amos22; got \"{0}\""
    )]
    Unknown(String),
    #[error("tissue table {name}: {reason}")]
    Invalid { name: String, reason: String },
}

/// Which tissue each label value of some dataset stands for.
#[derive(Debug, Clone)]
pub struct TissueTable {
    tissue_of_label: BTreeMap<u16, Tissue>,
}

#[derive(Deserialize)]
struct TissueFile {
    labels_of_tissue: BTreeMap<String, Vec<u16>>,
}

impl TissueTable {
    /// The built-in table of that name.
    pub fn named(name: &str) -> Result<Self, TissueTableError> {
        let text = match name {
            "totalsegmentator-v1" => include_str!("../../assets/tissues/totalsegmentator-v1.json"),
            "totalsegmentator-mr" => include_str!("../../assets/tissues/totalsegmentator-mr.json"),
            "mm-whs" => include_str!("../../assets/tissues/mm-whs.json"),
            "btcv" => include_str!("../../assets/tissues/btcv.json"),
            "chaos" => include_str!("../../assets/tissues/chaos.json"),
            "amos22" => include_str!("../../assets/tissues/amos22.json"),
            other => return Err(TissueTableError::Unknown(other.to_owned())),
        };
        let invalid = |reason: String| TissueTableError::Invalid { name: name.to_owned(), reason };
        let file: TissueFile = serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
        let mut tissue_of_label = BTreeMap::new();
        for (tissue_name, labels) in file.labels_of_tissue {
            let tissue = Tissue::ALL
                .iter()
                .copied()
                .find(|tissue| format!("{tissue:?}") == tissue_name)
                .ok_or_else(|| invalid(format!("no tissue is called {tissue_name}")))?;
            tissue_of_label.extend(labels.into_iter().map(|label| (label, tissue)));
        }
        Ok(Self { tissue_of_label })
    }
}

/// Depth under the skin up to which fat counts as subcutaneous, in voxels.
const SUBCUTANEOUS_DEPTH: usize = 10;
/// Kidney voxels deeper than this are medulla.
const CORTEX_DEPTH: usize = 2;

/// The tissue map of a scan on the network grid: `scaled` intensities (see the preprocessing) and the dataset's labels.
///
/// `ct_window_hu` gives the HU that scaled 0 and 1 stand for; it is used for CT only.
pub fn tissue_map(
    scaled: &Volume<f32>,
    labels: &Volume<u16>,
    table: &TissueTable,
    modality: Modality,
    ct_window_hu: [f32; 2],
    body: &[bool],
) -> Volume<u8> {
    let dims = scaled.dims();
    let depth = depth_below(body, dims, SUBCUTANEOUS_DEPTH + 1);
    let mut tissues = labels.map(|label| table.tissue_of_label.get(label).copied());
    for (offset, tissue) in tissues.voxels_mut().iter_mut().enumerate() {
        let value = scaled.voxels()[offset];
        let rest = || rest_of_body(value, modality, ct_window_hu, depth[offset]);
        *tissue = Some(match *tissue {
            _ if !body[offset] => Tissue::Air,
            None => rest(),
            // Gas and fat inside hollow organs are no content.
            Some(
                hollow @ (Tissue::StomachContent | Tissue::BowelContent | Tissue::Stool | Tissue::Oesophagus),
            ) => match rest() {
                gas_or_fat @ (Tissue::Gas | Tissue::VisceralFat) if modality == Modality::Ct => gas_or_fat,
                _ => hollow,
            },
            Some(known) => known,
        });
    }
    let mut tissues = tissues.map(|tissue| tissue.unwrap_or(Tissue::Air) as u8);
    for (cortex, medulla) in [
        (Tissue::RightKidneyCortex, Tissue::RightKidneyMedulla),
        (Tissue::LeftKidneyCortex, Tissue::LeftKidneyMedulla),
    ] {
        let kidney: Vec<bool> = tissues.voxels().iter().map(|&t| t == cortex as u8).collect();
        let depth = depth_below(&kidney, dims, CORTEX_DEPTH + 1);
        for (tissue, depth) in tissues.voxels_mut().iter_mut().zip(depth) {
            if *tissue == cortex as u8 && depth > CORTEX_DEPTH {
                *tissue = medulla as u8;
            }
        }
    }
    tissues
}

/// What an unlabelled voxel of the body is, by its intensity.
fn rest_of_body(scaled: f32, modality: Modality, [low, high]: [f32; 2], depth: usize) -> Tissue {
    let fat = if depth <= SUBCUTANEOUS_DEPTH { Tissue::SubcutaneousFat } else { Tissue::VisceralFat };
    if depth <= 1 {
        return Tissue::Skin;
    }
    match modality {
        // Gas and lung lie below the window's lower end; fat ends at -30 HU, and bone begins at 150 HU.
        Modality::Ct if scaled <= 0.0 => Tissue::Gas,
        Modality::Ct if low + scaled * (high - low) < -30.0 => fat,
        Modality::Ct if low + scaled * (high - low) > 150.0 => Tissue::CorticalBone,
        Modality::Ct => Tissue::Muscle,
        Modality::Mr if scaled > 0.3 => fat,
        Modality::Mr if scaled < 0.02 => Tissue::Gas,
        Modality::Mr => Tissue::Muscle,
    }
}

/// The body: in every slice the largest connected region above a threshold, its holes filled.
pub fn body_mask(scaled: &Volume<f32>, threshold: f32) -> Vec<bool> {
    let [ni, nj, nk] = scaled.dims();
    let mut body = vec![false; ni * nj * nk];
    for k in 0..nk {
        let plane = k * ni * nj..(k + 1) * ni * nj;
        let bright: Vec<bool> = scaled.voxels()[plane.clone()].iter().map(|&v| v > threshold).collect();
        body[plane].copy_from_slice(&filled_largest_region(&bright, ni, nj));
    }
    body
}

fn filled_largest_region(mask: &[bool], ni: usize, nj: usize) -> Vec<bool> {
    let regions = regions_2d(mask, ni, nj);
    let Some(largest) = regions.into_iter().max_by_key(Vec::len) else { return vec![false; mask.len()] };
    let mut body = vec![false; mask.len()];
    largest.into_iter().for_each(|o| body[o] = true);
    let outside: Vec<bool> = body.iter().map(|inside| !inside).collect();
    for region in regions_2d(&outside, ni, nj) {
        let touches_edge =
            region.iter().any(|o| o % ni == 0 || o % ni == ni - 1 || o / ni == 0 || o / ni == nj - 1);
        if !touches_edge {
            region.into_iter().for_each(|o| body[o] = true);
        }
    }
    body
}

fn regions_2d(mask: &[bool], ni: usize, nj: usize) -> Vec<Vec<usize>> {
    let mut seen = vec![false; mask.len()];
    let mut regions = Vec::new();
    for start in 0..mask.len() {
        if !mask[start] || seen[start] {
            continue;
        }
        seen[start] = true;
        let mut region = vec![start];
        let mut next = 0;
        while let Some(&offset) = region.get(next) {
            let (i, j) = (offset % ni, offset / ni);
            let neighbours = [
                (i > 0).then(|| offset - 1),
                (i + 1 < ni).then(|| offset + 1),
                (j > 0).then(|| offset - ni),
                (j + 1 < nj).then(|| offset + ni),
            ];
            for neighbour in neighbours.into_iter().flatten() {
                if mask[neighbour] && !seen[neighbour] {
                    seen[neighbour] = true;
                    region.push(neighbour);
                }
            }
            next += 1;
        }
        regions.push(region);
    }
    regions
}

/// In-plane depth of each voxel inside a mask, 1 at its edge, counted up to `most`; 0 outside.
pub fn depth_below(mask: &[bool], [ni, nj, _]: [usize; 3], most: usize) -> Vec<usize> {
    let mut depth: Vec<usize> = mask.iter().map(|&inside| usize::from(inside)).collect();
    for level in 1..most {
        let previous = depth.clone();
        for offset in 0..depth.len() {
            let (i, j) = (offset % ni, offset / ni % nj);
            let inner = i > 0 && j > 0 && i + 1 < ni && j + 1 < nj;
            if previous[offset] == level
                && inner
                && [offset - 1, offset + 1, offset - ni, offset + ni].iter().all(|&o| previous[o] >= level)
            {
                depth[offset] = level + 1;
            }
        }
    }
    depth
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_tissue_table_that_ships_names_tissues_that_exist() {
        for name in ["totalsegmentator-v1", "totalsegmentator-mr"] {
            let table = TissueTable::named(name).unwrap();
            assert_eq!(table.tissue_of_label.get(&5), Some(&Tissue::Liver), "{name}");
        }
        for (name, label, tissue) in [
            ("mm-whs", 500, Tissue::LeftVentricle),
            ("btcv", 6, Tissue::Liver),
            ("chaos", 252, Tissue::Spleen),
            ("amos22", 3, Tissue::LeftKidneyCortex),
        ] {
            let table = TissueTable::named(name).unwrap();
            assert_eq!(table.tissue_of_label.get(&label), Some(&tissue), "{name}");
        }
        assert!(TissueTable::named("nonsense").is_err());
    }

    #[test]
    fn depth_counts_inwards_from_the_skin() {
        let mask: Vec<bool> =
            (0..49).map(|o| (1..6).contains(&(o % 7)) && (1..6).contains(&(o / 7))).collect();
        let depth = depth_below(&mask, [7, 7, 1], 4);
        assert_eq!((depth[0], depth[8], depth[16], depth[24]), (0, 1, 2, 3));
    }
}
