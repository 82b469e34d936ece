//! Measured values for formats that cannot store a scale.

use super::Content;
use crate::volume::{Scaling, Voxels, with_voxels};
use rayon::prelude::*;
use std::borrow::Cow;

/// The measured values: as stored where there is no scale; whole numbers where the scale only shifts whole numbers;
/// float32 otherwise, as everything in the program that computes with them sees them.
pub(super) fn measured<'a>(content: &Content<'a>) -> Cow<'a, Voxels> {
    let Scaling { slope, intercept } = content.scaling;
    if content.scaling == Scaling::IDENTITY {
        return Cow::Borrowed(content.voxels);
    }
    let shifted = (slope == 1.0).then(|| shifted(content.voxels, intercept)).flatten();
    Cow::Owned(shifted.unwrap_or_else(|| {
        let value = |stored: f64| (stored * slope + intercept) as f32;
        Voxels::F32(with_voxels!(content.voxels, v => {
            v.par_iter().map(|&stored| value(stored as f64)).collect()
        }))
    }))
}

/// Whole numbers plus a whole number, in the smallest of the usual types that holds them all: CT stored as unsigned
/// becomes int16. `None` for floating point, a fraction, or more than 32 bits.
fn shifted(voxels: &Voxels, intercept: f64) -> Option<Voxels> {
    if matches!(voxels, Voxels::F32(_) | Voxels::F64(_) | Voxels::U64(_) | Voxels::I64(_))
        || intercept.fract() != 0.0
        || intercept.abs() > f64::from(i32::MAX)
    {
        return None;
    }
    let intercept = intercept as i64;
    let (low, high) = with_voxels!(voxels, v => v
        .par_iter()
        .map(|&stored| (stored as i64 + intercept, stored as i64 + intercept))
        .reduce(|| (i64::MAX, i64::MIN), |a, b| (a.0.min(b.0), a.1.max(b.1))));
    macro_rules! as_type {
        ($variant:ident, $type:ty) => {
            (low >= i64::from(<$type>::MIN) && high <= i64::from(<$type>::MAX)).then(|| {
                Voxels::$variant(with_voxels!(voxels, v => {
                    v.par_iter().map(|&stored| (stored as i64 + intercept) as $type).collect()
                }))
            })
        };
    }
    let byte = || as_type!(U8, u8);
    let short = || as_type!(I16, i16).or_else(|| as_type!(U16, u16));
    let long = || as_type!(I32, i32).or_else(|| as_type!(U32, u32));
    byte().or_else(short).or_else(long)
}
