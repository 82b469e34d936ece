//! Binary masks of one structure, cut to the box that holds it, and their surface voxels.

use crate::volume::LabelMap;

/// First and last voxel index, inclusive, along i, j, k.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BoundingBox {
    pub first: [usize; 3],
    pub last: [usize; 3],
}

impl BoundingBox {
    fn dims(&self) -> [usize; 3] {
        [0, 1, 2].map(|axis| self.last[axis] - self.first[axis] + 1)
    }

    fn include(&mut self, index: [usize; 3]) {
        for axis in 0..3 {
            self.first[axis] = self.first[axis].min(index[axis]);
            self.last[axis] = self.last[axis].max(index[axis]);
        }
    }
}

/// For each label value: the box around its voxels in both maps together, `None` if neither has any.
pub(super) fn extents(a: &LabelMap, b: &LabelMap, values: &[u16]) -> Vec<Option<BoundingBox>> {
    let [ni, nj, _] = a.dims();
    let mut boxes: Vec<Option<BoundingBox>> = vec![None; values.len()];
    let mut previous = 0;
    for map in [a, b] {
        for (offset, &value) in map.voxels().iter().enumerate() {
            if value == 0 {
                continue;
            }
            // Neighbours mostly share their label, so the last hit is tried first.
            if values.get(previous) != Some(&value) {
                let Some(found) = values.iter().position(|wanted| *wanted == value) else { continue };
                previous = found;
            }
            let index = [offset % ni, offset / ni % nj, offset / (ni * nj)];
            boxes[previous].get_or_insert(BoundingBox { first: index, last: index }).include(index);
        }
    }
    boxes
}

/// A binary image, i fastest. What lies outside is background.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mask {
    pub dims: [usize; 3],
    pub inside: Vec<bool>,
}

impl Mask {
    /// Where `map` has `value`, inside `extent`.
    pub(super) fn cut(map: &LabelMap, value: u16, extent: BoundingBox) -> Self {
        let dims = extent.dims();
        let mut inside = Vec::with_capacity(dims.iter().product());
        for k in extent.first[2]..=extent.last[2] {
            for j in extent.first[1]..=extent.last[1] {
                let start = map.offset(extent.first[0], j, k);
                inside.extend(map.voxels()[start..start + dims[0]].iter().map(|label| *label == value));
            }
        }
        Self { dims, inside }
    }

    pub(super) fn count(&self) -> usize {
        self.inside.iter().filter(|inside| **inside).count()
    }

    pub(super) fn count_shared(&self, other: &Self) -> usize {
        self.inside.iter().zip(&other.inside).filter(|(a, b)| **a && **b).count()
    }

    /// The mask minus its erosion by the six face neighbours: voxels with at least one face to the background.
    pub(super) fn surface(&self) -> Self {
        let [ni, nj, nk] = self.dims;
        let mut surface = self.inside.clone();
        for k in 1..nk.saturating_sub(1) {
            for j in 1..nj.saturating_sub(1) {
                let row = ni * (j + nj * k);
                for offset in row + 1..row + ni.max(2) - 1 {
                    let enclosed = [1, ni, ni * nj]
                        .iter()
                        .all(|step| self.inside[offset - step] && self.inside[offset + step]);
                    surface[offset] = self.inside[offset] && !enclosed;
                }
            }
        }
        Self { dims: self.dims, inside: surface }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_solid_block_has_its_shell_as_surface_and_a_slab_has_all_of_itself() {
        let block = Mask { dims: [5, 4, 3], inside: vec![true; 60] };
        assert_eq!(block.surface().count(), 60 - 3 * 2);
        for dims in [[5, 4, 1], [1, 1, 1], [2, 5, 5], [5, 2, 5]] {
            let slab = Mask { dims, inside: vec![true; dims.iter().product()] };
            assert_eq!(slab.surface(), slab);
        }
    }
}
