//! A lossless JPEG of 16-bit samples (ITU-T T.81, process 14, selection value 1), as small an encoder as there is.

/// Every difference category gets a code of this many bits.
const CODE_BITS: u32 = 5;
const CATEGORIES: u8 = 17;

pub fn encode(values: &[u16], columns: usize, rows: usize) -> Vec<u8> {
    let mut bytes = vec![0xFF, 0xD8];
    // Frame header: 16 bits a sample, one component.
    let size = |side: usize| (side as u16).to_be_bytes();
    segment(&mut bytes, 0xC3, &[&[16], &size(rows)[..], &size(columns)[..], &[1, 1, 0x11, 0]].concat());
    let mut table = vec![0; 17];
    table[CODE_BITS as usize] = CATEGORIES;
    table.extend(0..CATEGORIES);
    segment(&mut bytes, 0xC4, &table);
    // Scan header: selection value 1 predicts from the left.
    segment(&mut bytes, 0xDA, &[1, 1, 0, 1, 0, 0]);
    let mut bits = Bits { bytes, held: 0, count: 0 };
    for (n, value) in values.iter().enumerate() {
        let predicted = match (n % columns, n / columns) {
            (0, 0) => 1 << 15,
            (0, row) => values[(row - 1) * columns],
            _ => values[n - 1],
        };
        let difference = value.wrapping_sub(predicted) as i16;
        let category = 16 - difference.unsigned_abs().leading_zeros();
        bits.put(category, CODE_BITS);
        if category < 16 {
            let low = if difference < 0 { difference as u32 - 1 } else { difference as u32 };
            bits.put(low & ((1 << category) - 1), category);
        }
    }
    bits.finish()
}

fn segment(bytes: &mut Vec<u8>, marker: u8, content: &[u8]) {
    bytes.extend([0xFF, marker]);
    bytes.extend((content.len() as u16 + 2).to_be_bytes());
    bytes.extend(content);
}

struct Bits {
    bytes: Vec<u8>,
    held: u8,
    count: u32,
}

impl Bits {
    fn put(&mut self, value: u32, count: u32) {
        for bit in (0..count).rev() {
            self.held = self.held << 1 | (value >> bit & 1) as u8;
            self.count += 1;
            if self.count == 8 {
                self.bytes.push(self.held);
                if self.held == 0xFF {
                    self.bytes.push(0);
                }
                (self.held, self.count) = (0, 0);
            }
        }
    }

    fn finish(mut self) -> Vec<u8> {
        while self.count > 0 {
            self.put(1, 1);
        }
        self.bytes.extend([0xFF, 0xD9]);
        self.bytes
    }
}
