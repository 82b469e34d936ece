//! The stored types, and the floating-point type their weighted sums are computed in.

use std::ops::{Add, Mul};

/// A stored voxel that can be averaged.
pub(super) trait Sample: Copy + Default + Send + Sync {
    /// float32 where it holds every stored value exactly, else float64.
    type Sum: Sum;

    fn widen(self) -> Self::Sum;

    /// The closest stored value; halves away from zero, and what lies beyond the type's range at its end.
    fn narrow(sum: Self::Sum) -> Self;
}

/// float32 or float64.
pub(super) trait Sum: Sample<Sum = Self> + Add<Output = Self> + Mul<Output = Self> {
    fn of(value: f64) -> Self;
    fn to_f64(self) -> f64;
    fn is_finite(self) -> bool;
}

macro_rules! whole {
    ($($stored:ty => $sum:ty),*) => {$(
        impl Sample for $stored {
            type Sum = $sum;

            fn widen(self) -> $sum {
                self as $sum
            }

            // A cast truncates and saturates, and unlike `round` it is one instruction on every processor.
            fn narrow(sum: $sum) -> Self {
                (if sum < 0.0 { sum - 0.5 } else { sum + 0.5 }) as Self
            }
        }
    )*};
}

macro_rules! floating {
    ($($sum:ty),*) => {$(
        impl Sample for $sum {
            type Sum = $sum;

            fn widen(self) -> $sum {
                self
            }

            fn narrow(sum: $sum) -> Self {
                sum
            }
        }

        impl Sum for $sum {
            fn of(value: f64) -> Self {
                value as $sum
            }

            fn to_f64(self) -> f64 {
                f64::from(self)
            }

            fn is_finite(self) -> bool {
                <$sum>::is_finite(self)
            }
        }
    )*};
}

whole!(u8 => f32, i8 => f32, u16 => f32, i16 => f32, u32 => f64, i32 => f64, u64 => f64, i64 => f64);
floating!(f32, f64);
