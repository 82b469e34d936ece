//! Which structures of a refinement are kept, and what is said of each.
//!
//! Invariant: a structure that is said to be as the net drew it is so to the voxel.

use super::refine::{self, heart};
use mindgap::volume::{LabelMap, Task, Volume};

/// A structure with less doubt than this inside is left as the net drew it, where the rule asks for doubt.
///
/// Chosen without labels of any target scan: see `docs/training.md`.
const SURE: f64 = 0.12;

/// Which structures are refined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefineRule {
    Never,
    /// Those of which the net is not sure.
    Doubtful,
    Always,
}

/// Whether a structure was refined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Refined,
    /// Left alone, because the net is sure of it.
    Sure,
    /// Left alone, because nothing better was found.
    Kept,
}

/// What became of one structure when labels were refined.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Refined {
    pub label: u16,
    /// Mean uncertainty where the net drew it; 0 where it drew none.
    pub doubt: f64,
    pub verdict: Verdict,
    /// Volume after less volume before; `None` where the voxel size is unknown.
    pub change_ml: Option<f64>,
}

/// Puts structures that are not to be refined back as they were, and says what the refinement did to each.
pub fn choose(
    outcome: refine::Outcome,
    uncertainty: &Volume<f32>,
    task: Task,
    rule: RefineRule,
) -> (LabelMap, Vec<Refined>) {
    let refine::Outcome { mut labels, own, kept } = outcome;
    let inside = |labels: &LabelMap, label: u16| labels.voxels().iter().filter(|l| **l == label).count();
    let voxel_ml = own.geometry().voxel_ml();
    let verdict = |label: u16| {
        let drawn = own.voxels().iter().zip(uncertainty.voxels()).filter(|(l, _)| **l == label);
        let sum: f64 = drawn.map(|(_, doubt)| f64::from(*doubt)).sum();
        let doubt = sum / inside(&own, label).max(1) as f64;
        let verdict = match rule {
            RefineRule::Doubtful if doubt < SURE => Verdict::Sure,
            _ if kept.contains(&label) => Verdict::Kept,
            _ => Verdict::Refined,
        };
        Refined { label, doubt, verdict, change_ml: None }
    };
    let structures = task.table().entries.iter().map(|entry| entry.value);
    let mut refined: Vec<Refined> = structures.map(verdict).collect();
    for structure in refined.iter().filter(|structure| structure.verdict == Verdict::Sure) {
        refine::restore(&mut labels, &own, structure.label);
    }
    if task == Task::Cardiac {
        let drawn = labels.clone();
        heart::keep_one_heart(&mut labels);
        // However sure the net is: what is no heart goes, and is not said to have stayed.
        for structure in &mut refined {
            if inside(&labels, structure.label) != inside(&drawn, structure.label) {
                structure.verdict = Verdict::Refined;
            }
        }
    }
    for structure in &mut refined {
        let [before, after] = [&own, &labels].map(|labels| inside(labels, structure.label) as f64);
        structure.change_ml = voxel_ml.map(|ml| ml * (after - before));
    }
    (labels, refined)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mindgap::volume::Geometry;

    /// One slice of 40 x 40 pixels of 2 mm, 10 mm thick, in which a block of a size is labelled.
    fn block(label: u16, side: usize) -> LabelMap {
        let grid = Geometry::axis_aligned([40, 40, 1], [2.0, 2.0, 10.0], [0.0; 3]).unwrap();
        LabelMap::from_fn(grid, |i, j, _| if i < side && j < side { label } else { 0 })
    }

    fn chosen(task: Task, own: &LabelMap) -> (LabelMap, Vec<Refined>) {
        let outcome = refine::Outcome { labels: own.map(|_| 0), own: own.clone(), kept: Vec::new() };
        choose(outcome, &own.map(|_| 0.0f32), task, RefineRule::Doubtful)
    }

    #[test]
    fn a_structure_of_which_the_net_is_sure_stays_as_it_was_drawn_and_is_said_to() {
        let own = block(1, 20);
        let (labels, refined) = chosen(Task::Abdomen, &own);
        assert!(labels == own);
        assert_eq!((refined[0].verdict, refined[0].change_ml), (Verdict::Sure, Some(0.0)));
    }

    #[test]
    fn what_is_no_heart_goes_however_sure_the_net_is_and_is_not_said_to_have_stayed() {
        // 16 mL of an aorta and nothing else.
        let (labels, refined) = chosen(Task::Cardiac, &block(4, 20));
        assert!(labels.voxels().iter().all(|&label| label == 0));
        assert_eq!((refined[3].verdict, refined[3].change_ml), (Verdict::Refined, Some(-16.0)));
        assert_eq!(refined[0].verdict, Verdict::Sure);
    }
}
