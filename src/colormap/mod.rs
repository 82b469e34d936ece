//! Perceptual colour maps: one table for the shader, its CPU twin, colour bars and printed pages.

/// Nodes of a map; colours between two nodes are linear.
pub const COLORMAP_NODES: usize = 33;

/// How a value between 0 and 1 becomes a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colormap {
    /// Linear grey, for anatomy.
    #[default]
    Gray,
    /// Dark violet to pale yellow, for the domain gap.
    Inferno,
    /// Blue to yellow, readable alike under the common colour blindnesses, for uncertainty.
    Cividis,
}

impl Colormap {
    /// Gamma-encoded red, green and blue (0..=1) at `position`, which is clamped to 0..=1.
    pub fn colour(self, position: f32) -> [f32; 3] {
        let position = position.clamp(0.0, 1.0);
        let Some(nodes) = self.nodes() else { return [position; 3] };
        let x = position * (COLORMAP_NODES - 1) as f32;
        let node = (x as usize).min(COLORMAP_NODES - 2);
        let fraction = x - node as f32;
        std::array::from_fn(|channel| {
            let [low, high] = [nodes[node], nodes[node + 1]].map(|colour| f32::from(colour[channel]) / 255.0);
            low + (high - low) * fraction
        })
    }

    /// As [`Self::colour`], in bytes: what a colour bar paints.
    pub fn rgb8(self, position: f32) -> [u8; 3] {
        self.colour(position).map(|channel| (channel * 255.0).round() as u8)
    }

    /// As many even steps from the first to the last colour as a printed colour bar needs.
    pub fn steps(self) -> Vec<[u8; 3]> {
        (0..COLORMAP_NODES).map(|n| self.rgb8(n as f32 / (COLORMAP_NODES - 1) as f32)).collect()
    }

    /// Row of the map in the node table plus 1; 0 is grey, which needs no table.
    pub fn shader_id(self) -> u32 {
        match self {
            Self::Gray => 0,
            Self::Inferno => 1,
            Self::Cividis => 2,
        }
    }

    fn nodes(self) -> Option<&'static [[u8; 3]; COLORMAP_NODES]> {
        match self {
            Self::Gray => None,
            Self::Inferno => Some(&INFERNO),
            Self::Cividis => Some(&CIVIDIS),
        }
    }
}

/// The node table as RGBA8 texels, one map a row in the order of [`Colormap::shader_id`].
pub fn node_table() -> Vec<[u8; 4]> {
    [&INFERNO, &CIVIDIS].into_iter().flatten().map(|&[r, g, b]| [r, g, b, 255]).collect()
}

/// Inferno by N. Smith and S. van der Walt (2015, CC0), 33 even samples of the 256 published colours; linear between
/// them it is within 1.5/255 of every published colour.
const INFERNO: [[u8; 3]; COLORMAP_NODES] = [
    [0, 0, 4],
    [4, 3, 18],
    [11, 7, 36],
    [21, 11, 55],
    [33, 12, 74],
    [46, 10, 90],
    [60, 9, 101],
    [74, 12, 107],
    [87, 16, 109],
    [99, 20, 110],
    [112, 25, 110],
    [125, 30, 109],
    [137, 34, 106],
    [150, 39, 102],
    [163, 43, 97],
    [175, 49, 92],
    [187, 55, 85],
    [198, 62, 77],
    [209, 70, 68],
    [219, 79, 59],
    [227, 89, 50],
    [235, 101, 40],
    [241, 113, 30],
    [246, 127, 20],
    [249, 141, 10],
    [251, 156, 6],
    [252, 171, 15],
    [251, 186, 31],
    [249, 202, 50],
    [245, 217, 73],
    [242, 232, 101],
    [243, 245, 134],
    [252, 255, 164],
];

/// Cividis by J. Nunez, C. Anderton and R. Renslow (PLOS ONE 13(7): e0199239, 2018), sampled likewise; within 6/255, the
/// worst at the kink of its darkest tenth.
const CIVIDIS: [[u8; 3]; COLORMAP_NODES] = [
    [0, 34, 78],
    [0, 40, 91],
    [0, 46, 106],
    [4, 51, 113],
    [26, 56, 111],
    [39, 62, 110],
    [50, 67, 109],
    [59, 73, 108],
    [67, 78, 108],
    [75, 84, 108],
    [82, 89, 109],
    [90, 95, 110],
    [97, 101, 111],
    [104, 106, 113],
    [111, 112, 115],
    [117, 118, 118],
    [124, 123, 120],
    [132, 129, 121],
    [139, 135, 120],
    [147, 141, 120],
    [155, 147, 118],
    [163, 154, 117],
    [171, 160, 114],
    [179, 166, 112],
    [187, 173, 108],
    [195, 180, 105],
    [204, 186, 100],
    [212, 193, 95],
    [221, 201, 88],
    [230, 208, 81],
    [239, 215, 72],
    [248, 223, 60],
    [254, 232, 56],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gap_colours_run_from_almost_black_to_pale_yellow() {
        assert_eq!(Colormap::Inferno.rgb8(0.0), [0, 0, 4]);
        assert_eq!(Colormap::Inferno.rgb8(1.0), [252, 255, 164]);
        assert_eq!(Colormap::Inferno.rgb8(7.0), [252, 255, 164]);
    }

    #[test]
    fn every_map_gets_lighter_all_the_way() {
        for map in [Colormap::Gray, Colormap::Inferno, Colormap::Cividis] {
            let luma = |i: u16| {
                let [r, g, b] = map.colour(f32::from(i) / 64.0);
                0.2126 * r + 0.7152 * g + 0.0722 * b
            };
            assert!((0..64).all(|i| luma(i + 1) > luma(i)), "{map:?}");
        }
    }
}
