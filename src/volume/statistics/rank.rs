//! The n-th smallest of many values without sorting or copying them: counting by digits, 16 bits at a time.
//!
//! One pass settles the types of at most 16 bits, two those of 32, four those of 64.

use rayon::prelude::*;
use std::collections::BTreeMap;

/// Bits that one pass counts by.
const DIGIT_BITS: u32 = 16;

/// A stored value with a place in an order.
pub(super) trait Ranked: Copy + Send + Sync {
    const BITS: u32;

    /// Unsigned, below 2^BITS, and ordered as the values are.
    fn key(self) -> u64;

    /// The value of a key.
    fn of_key(key: u64) -> Self;

    fn value(self) -> f64;
}

macro_rules! unsigned {
    ($($stored:ty),*) => {$(
        impl Ranked for $stored {
            const BITS: u32 = <$stored>::BITS;

            fn key(self) -> u64 {
                u64::from(self)
            }

            fn of_key(key: u64) -> Self {
                key as $stored
            }

            fn value(self) -> f64 {
                self as f64
            }
        }
    )*};
}

macro_rules! signed {
    ($($stored:ty, $bits:ty);*) => {$(
        impl Ranked for $stored {
            const BITS: u32 = <$stored>::BITS;

            fn key(self) -> u64 {
                u64::from(self.wrapping_sub(<$stored>::MIN) as $bits)
            }

            fn of_key(key: u64) -> Self {
                (key as $stored).wrapping_add(<$stored>::MIN)
            }

            fn value(self) -> f64 {
                self as f64
            }
        }
    )*};
}

macro_rules! floating {
    ($($stored:ty, $bits:ty);*) => {$(
        impl Ranked for $stored {
            const BITS: u32 = <$bits>::BITS;

            // IEEE 754 orders positive numbers by their bits, and negative ones the other way round.
            fn key(self) -> u64 {
                let bits = self.to_bits();
                let negative = bits >> (<$bits>::BITS - 1) == 1;
                u64::from(if negative { !bits } else { bits | 1 << (<$bits>::BITS - 1) })
            }

            fn of_key(key: u64) -> Self {
                let key = key as $bits;
                let positive = key >> (<$bits>::BITS - 1) == 1;
                Self::from_bits(if positive { key & !(1 << (<$bits>::BITS - 1)) } else { !key })
            }

            fn value(self) -> f64 {
                f64::from(self)
            }
        }
    )*};
}

unsigned!(u8, u16, u32, u64);
signed!(i8, u8; i16, u16; i32, u32; i64, u64);
floating!(f32, u32; f64, u64);

/// The values of some ranks, 0 being the smallest, among the values that `keeps` keeps; all ranks lie below their number.
pub(super) fn select<S: Ranked>(
    values: &[S],
    mut ranks: Vec<usize>,
    keeps: impl Fn(S) -> bool + Sync,
) -> BTreeMap<usize, f64> {
    ranks.sort_unstable();
    ranks.dedup();
    // Of each rank: the leading bits of its key that are known, and its rank among the keys that share them.
    let mut wanted: Vec<(u64, usize)> = ranks.iter().map(|rank| (0, *rank)).collect();
    let mut open_bits = S::BITS;
    while open_bits > 0 {
        let digit_bits = open_bits.min(DIGIT_BITS);
        let mut prefixes: Vec<u64> = wanted.iter().map(|(prefix, _)| *prefix).collect();
        prefixes.dedup();
        let counts = digit_counts(values, &keeps, &prefixes, open_bits, digit_bits);
        open_bits -= digit_bits;
        for (prefix, rank) in &mut wanted {
            let table = prefixes.partition_point(|known| known < prefix) << digit_bits;
            let mut digit = 0;
            while digit + 1 < 1 << digit_bits && *rank >= counts[table + digit] {
                *rank -= counts[table + digit];
                digit += 1;
            }
            *prefix = *prefix << digit_bits | digit as u64;
        }
    }
    ranks.into_iter().zip(wanted).map(|(rank, (key, _))| (rank, S::of_key(key).value())).collect()
}

/// For each of `prefixes`, which are sorted: how often each next digit follows it, one table after the other.
fn digit_counts<S: Ranked>(
    values: &[S],
    keeps: &(impl Fn(S) -> bool + Sync),
    prefixes: &[u64],
    open_bits: u32,
    digit_bits: u32,
) -> Vec<usize> {
    let mask = (1u64 << digit_bits) - 1;
    let count = |chunk: &[S]| {
        let mut counts = vec![0usize; prefixes.len() << digit_bits];
        for &value in chunk.iter().filter(|value| keeps(**value)) {
            let key = value.key();
            let table = match prefixes {
                // Nothing is known before the first pass.
                _ if open_bits == S::BITS => Some(0),
                prefixes => prefixes.binary_search(&(key >> open_bits)).ok(),
            };
            if let Some(table) = table {
                counts[(table << digit_bits) + (key >> (open_bits - digit_bits) & mask) as usize] += 1;
            }
        }
        counts
    };
    per_thread(values).map(count).reduce(|| vec![0; prefixes.len() << digit_bits], added)
}

/// How often each value occurs, by its key.
pub(super) fn counted(values: &[u16]) -> Vec<usize> {
    digit_counts(values, &|_| true, &[0], u16::BITS, u16::BITS)
}

/// A few pieces for each thread, each large enough to be worth a table of counts.
fn per_thread<S: Ranked>(values: &[S]) -> rayon::slice::Chunks<'_, S> {
    let pieces = 4 * rayon::current_num_threads();
    values.par_chunks(values.len().div_ceil(pieces).max(1 << DIGIT_BITS))
}

pub(super) fn added(mut a: Vec<usize>, b: Vec<usize>) -> Vec<usize> {
    for (a, b) in a.iter_mut().zip(b) {
        *a += b;
    }
    a
}
