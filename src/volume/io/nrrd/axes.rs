//! What each axis of a NRRD runs along: space, colours, or volumes of which one is chosen.

use super::super::IoError;
use super::super::array::{Axis, Role};
use super::header::Header;
use super::place;
use crate::volume::DType;

/// More axes than Teem's own reader takes (NRRD_DIM_MAX).
const DIMENSIONS_LIMIT: usize = 16;

/// The axes in the order of the file. Of more than three axes in space the first three are taken for space, and the
/// others choose a volume.
pub(super) fn of(header: &Header, dtype: DType) -> Result<Vec<Axis>, IoError> {
    let fields = &header.fields;
    let count: usize = fields.number("dimension")?.unwrap_or(0);
    if !(1..=DIMENSIONS_LIMIT).contains(&count) {
        let got = fields.require("dimension")?;
        return Err(fields.wrong("dimension", "1 to 16 axes", got));
    }
    fields.require("sizes")?;
    let sizes: Vec<u64> = fields.numbers("sizes", count)?.unwrap_or_default();
    let kinds = kinds(header, count)?;
    let directions = place::directions(header, count)?;
    let some_direction = directions.iter().any(Option::is_some);
    let mut in_space = 0;
    let mut axes = Vec::with_capacity(count);
    for (n, (size, kind)) in sizes.into_iter().zip(kinds).enumerate() {
        // An axis without a direction among axes with one is not in space, whatever its kind says.
        let placed = !some_direction || directions.get(n).is_some_and(Option::is_some);
        let role = match role(header, &kind, size, dtype)? {
            None if placed && in_space < 3 => Role::Space,
            None => Role::Volume,
            Some(role) => role,
        };
        in_space += usize::from(role == Role::Space);
        axes.push(Axis { size, role });
    }
    Ok(axes)
}

/// One kind an axis in small letters without dashes; "???" where the header gives none.
fn kinds(header: &Header, count: usize) -> Result<Vec<String>, IoError> {
    let kinds = header.fields.numbers::<String>("kinds", count)?;
    let plain = |kind: &String| kind.to_ascii_lowercase().replace('-', "");
    Ok(kinds.map_or_else(|| vec!["???".to_owned(); count], |kinds| kinds.iter().map(plain).collect()))
}

/// What a kind says about its axis; `None` if it may be an axis in space.
fn role(header: &Header, kind: &str, size: u64, dtype: DType) -> Result<Option<Role>, IoError> {
    let unsupported = |what: String| {
        let path = header.fields.path().to_owned();
        let advice = "convert it to a scalar image, such as its magnitude or one channel";
        Err(IoError::Unsupported { path, what, advice })
    };
    match (kind, size) {
        ("domain" | "space" | "???" | "none", _) => Ok(None),
        ("rgbcolor" | "rgb", 3) | ("rgbacolor" | "rgba", 4) if dtype == DType::U8 => Ok(Some(Role::Colour)),
        ("rgbcolor" | "rgb", 3) | ("rgbacolor" | "rgba", 4) => {
            unsupported(format!("colours of type {dtype} are not supported"))
        }
        ("complex", _) => unsupported("complex voxels are not supported".to_owned()),
        _ => Ok(Some(Role::Volume)),
    }
}
