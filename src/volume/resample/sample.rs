//! The stored types, and the floating-point type their weighted sums are computed in.

use std::ops::{Add, Mul};

/// A stored voxel that can be averaged.
pub(super) trait Sample: Copy + Default + Send + Sync {
    /// float32 for small whole numbers; else float64, so that what is constant stays so to the last bit of a float32.
    type Sum: Sum;

    fn widen(self) -> Self::Sum;

    /// The closest stored value; halves away from zero, and what lies beyond the type's range at its end.
    fn narrow(sum: Self::Sum) -> Self;
}

/// float32 or float64.
pub(super) trait Sum: Copy + Default + Send + Sync + Add<Output = Self> + Mul<Output = Self> {
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
    ($($stored:ty),*) => {$(
        impl Sample for $stored {
            type Sum = f64;

            fn widen(self) -> f64 {
                f64::from(self)
            }

            fn narrow(sum: f64) -> Self {
                sum as Self
            }
        }

        impl Sum for $stored {
            fn of(value: f64) -> Self {
                value as Self
            }

            fn to_f64(self) -> f64 {
                f64::from(self)
            }

            fn is_finite(self) -> bool {
                <$stored>::is_finite(self)
            }
        }
    )*};
}

whole!(u8 => f32, i8 => f32, u16 => f32, i16 => f32, u32 => f64, i32 => f64, u64 => f64, i64 => f64);
floating!(f32, f64);
