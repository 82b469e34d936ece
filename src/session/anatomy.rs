//! The anatomy check of a translation as it is shown and printed: where edges agree, and what a cycle did to each structure.
//!
//! The engine measures nothing of it: it sends the two label maps, which are compared here, so that the window and the
//! command line tell the same.

use super::loader::LoadError;
use crate::config::Net;
use crate::eval::{StructureShift, structure_shifts};
use crate::protocol::AnatomyCheck;
use crate::volume::{LabelTable, Resampler, Volume};
use std::sync::Arc;

/// What is known of the anatomy in a synthetic image; of the scan it was made from.
#[derive(Debug, Clone)]
pub struct Anatomy {
    /// Agreement of edges, 0..1, on the scan's grid; NaN where there is no edge.
    pub edge_map: Arc<Volume<f32>>,
    /// Its mean over the scan's edges.
    pub edge_agreement: f64,
    /// The scan's labels against those of its back-translation, in the table's order.
    pub structures: Vec<StructureShift>,
    /// Which net drew both.
    pub net: Net,
    pub seconds: f64,
    pub device: String,
    pub warnings: Vec<String>,
}

impl Anatomy {
    /// Compares what the engine has sent, with the names of `table`.
    ///
    /// # Errors
    /// Where a message is damaged, or its label maps lie on two grids.
    pub fn of(result: &AnatomyCheck, table: &LabelTable) -> Result<Self, LoadError> {
        let (scan, cycle) = (result.scan_labels.unpack()?, result.cycle_labels.unpack()?);
        let sent = result.edge_map.unpack()?;
        // Between an edge and none there is nothing to interpolate.
        let edge_map = Resampler::new(sent.geometry(), scan.geometry()).nearest(&sent, f32::NAN);
        Ok(Self {
            edge_map: Arc::new(edge_map),
            edge_agreement: result.edge_agreement,
            structures: structure_shifts(&scan, &cycle, table)?,
            net: result.net,
            seconds: result.seconds,
            device: result.device.clone(),
            warnings: result.warnings.clone(),
        })
    }

    /// Who judged, for those who read the list.
    pub fn judge(&self) -> &'static str {
        match self.net {
            Net::SourceOnly => "Scan and back-translation, both segmented by the net before its adaptation",
            Net::Adapted => "Scan and back-translation, both segmented by the adapted net",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::protocol::{WireLabels, WireVolume};
    use crate::volume::{Geometry, Task};

    #[test]
    fn the_map_lies_on_the_scans_grid_with_nothing_where_the_network_saw_no_edge_or_no_scan() {
        let grid = Geometry::axis_aligned([12, 8, 4], [1.0; 3], [0.0; 3]).unwrap();
        let coarse = Geometry::axis_aligned([4, 4, 4], [2.0, 2.0, 1.0], [0.5, 0.5, 0.0]).unwrap();
        let map = Volume::from_fn(coarse, |i, _, _| if i == 1 { 0.5 } else { f32::NAN });
        let labels = |moved: usize| {
            let map =
                Volume::from_fn(grid.clone(), move |i, _, _| u16::from((2 + moved..6 + moved).contains(&i)));
            WireLabels::pack(&map)
        };
        let result = AnatomyCheck {
            edge_map: WireVolume::pack(&map),
            edge_agreement: 0.5,
            scan_labels: labels(0),
            cycle_labels: labels(3),
            net: Net::SourceOnly,
            seconds: 0.0,
            slices: 4,
            device: String::new(),
            warnings: Vec::new(),
        };
        let anatomy = Anatomy::of(&result, Task::Abdomen.table()).unwrap();
        assert_eq!(anatomy.edge_map.geometry(), &grid);
        let row: Vec<bool> = (0..12).map(|i| anatomy.edge_map.at(i, 3, 2).is_finite()).collect();
        let at = |wanted: &[usize]| (0..12).map(|i| wanted.contains(&i)).collect::<Vec<_>>();
        assert_eq!(row, at(&[2, 3]));
        assert!(anatomy.structures[0].sentence().starts_with("Liver: edge moved 3 mm at slice"));
    }
}
