//! The connected parts of a mask; voxels that share a face, an edge or a corner are connected, as in
//! [`crate::volume::keep_largest_islands`].

use crate::eval::surface::Mask;

/// How many voxels each part has, the largest first.
pub(super) fn sizes(mask: &Mask) -> Vec<usize> {
    let mut left = mask.inside.clone();
    let mut sizes = Vec::new();
    for start in 0..left.len() {
        if !std::mem::take(&mut left[start]) {
            continue;
        }
        let (mut open, mut size) = (vec![start], 0);
        while let Some(here) = open.pop() {
            size += 1;
            open.extend(neighbours(mask.dims, here).filter(|there| std::mem::take(&mut left[*there])));
        }
        sizes.push(size);
    }
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes
}

/// The offsets of up to 26 cells around a cell of a grid whose first axis runs fastest, ascending.
pub(super) fn neighbours(dims: [usize; 3], offset: usize) -> impl Iterator<Item = usize> {
    let at = [offset % dims[0], offset / dims[0] % dims[1], offset / (dims[0] * dims[1])];
    let around = |axis: usize| at[axis].saturating_sub(1)..=(at[axis] + 1).min(dims[axis] - 1);
    let (columns, rows) = (around(0), around(1));
    around(2)
        .flat_map(move |k| rows.clone().map(move |j| (j, k)))
        .flat_map(move |(j, k)| columns.clone().map(move |i| i + dims[0] * (j + dims[1] * k)))
        .filter(move |there| *there != offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_meet_in_a_corner_are_one_and_the_ends_of_two_rows_are_two() {
        let mut mask = Mask { dims: [3, 3, 2], inside: vec![false; 18] };
        for offset in [0, 13, 2] {
            mask.inside[offset] = true;
        }
        // (0, 0, 0), (1, 1, 1) and (2, 0, 0): the middle one touches both others.
        assert_eq!(sizes(&mask), [3]);
        mask.inside[13] = false;
        assert_eq!(sizes(&mask), [1, 1]);
        let ends = Mask { dims: [4, 2, 1], inside: [0, 0, 1, 1, 1, 0, 0, 0].map(|v| v == 1).to_vec() };
        assert_eq!(sizes(&ends), [2, 1]);
    }
}
