//! Colours of label values, as a table the shader indexes with the value itself.

use super::slice::next_revision;

/// Colours in one row of the palette texture: label value v lies at column v % 256, row v / 256.
pub const PALETTE_COLUMNS: u32 = 256;

/// RGBA per label value, gamma-encoded, not premultiplied; alpha 0 hides a label. Label 0 is background, always hidden.
#[derive(Debug)]
pub struct LabelPalette {
    colours: Vec<[u8; 4]>,
    revision: u64,
}

impl LabelPalette {
    /// Label values that are not among `entries` stay hidden; of two entries for one value the later counts.
    pub fn new(entries: impl IntoIterator<Item = (u16, [u8; 4])>) -> Self {
        let mut colours = vec![[0; 4]; PALETTE_COLUMNS as usize];
        for (label, colour) in entries {
            let index = usize::from(label);
            if index >= colours.len() {
                colours.resize((index + 1).next_multiple_of(PALETTE_COLUMNS as usize), [0; 4]);
            }
            colours[index] = colour;
        }
        colours[0] = [0; 4];
        Self { colours, revision: next_revision() }
    }

    /// Colour of a label value; transparent if it has none.
    pub fn colour(&self, label: u16) -> [u8; 4] {
        self.colours.get(usize::from(label)).copied().unwrap_or_default()
    }

    /// The whole table, whole rows of [`PALETTE_COLUMNS`].
    pub fn rows(&self) -> &[[u8; 4]] {
        &self.colours
    }

    /// Unique among all palettes and planes of the process and never 0.
    pub fn revision(&self) -> u64 {
        self.revision
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_large_label_tables_keep_their_own_colour() {
        let palette = LabelPalette::new([(1, [1, 2, 3, 255]), (820, [9, 8, 7, 255])]);
        assert_eq!(palette.colour(820), [9, 8, 7, 255]);
        assert_eq!(palette.colour(820 % 256), [0; 4]);
        assert_eq!(palette.rows().len(), 1024);
    }

    #[test]
    fn background_is_never_painted() {
        let palette = LabelPalette::new([(0, [255, 255, 255, 255])]);
        assert_eq!(palette.colour(0), [0; 4]);
        assert_eq!(palette.colour(u16::MAX), [0; 4]);
    }
}
