//! Where a NRRD says its grid lies.
//!
//! Order of trust: space directions in an anatomical space, which place and orient the grid; directions in a space of
//! another name, whose left and right are unknown; spacings and axis mins.

use super::super::IoError;
use super::super::placement::Placement;
use super::header::Header;
use super::write;
use crate::volume::is_usable_affine;
use glam::{DMat3, DMat4, DVec3};

/// How a named space lies to RAS.
struct Space {
    /// Numbers in its vectors.
    dimension: usize,
    /// Factor of each coordinate that makes it RAS; `None` for a space that is not the patient's.
    ras_from_space: Option<DVec3>,
}

/// One direction an axis, in the file's space and unit, as three numbers; `None` for axes that have none.
pub(super) fn directions(header: &Header, axes: usize) -> Result<Vec<Option<DVec3>>, IoError> {
    let Some(text) = header.fields.get("space directions") else { return Ok(vec![None; axes]) };
    let vectors = vectors(text).filter(|vectors| vectors.len() == axes);
    vectors.ok_or_else(|| {
        header.fields.wrong("space directions", "one vector in parentheses or \"none\" an axis", text)
    })
}

/// Places the grid whose axes are those named by `spatial`, two or three indices of the file's axes.
pub(super) fn placement(header: &Header, spatial: &[usize]) -> Result<Placement, IoError> {
    let count = header.fields.number("dimension")?.unwrap_or(0);
    let mut warnings = Vec::new();
    let space = space(header, &mut warnings)?;
    let directions = directions(header, count)?;
    let chosen: Option<Vec<DVec3>> =
        spatial.iter().map(|axis| directions.get(*axis).copied().flatten()).collect();
    let origin = match header.fields.get("space origin") {
        None => None,
        Some(text) => {
            let origin = vectors(text).filter(|vectors| vectors.len() == 1);
            let origin = origin
                .ok_or_else(|| header.fields.wrong("space origin", "one vector in parentheses", text))?;
            origin[0].filter(|origin| origin.is_finite())
        }
    };
    let mm = mm_per_unit(header, "space units", space.dimension, &mut warnings);
    let to_mm = |vector: DVec3| vector * DVec3::from_array(mm);
    let affine = chosen.map(|directions| {
        let flip = space.ras_from_space.unwrap_or(DVec3::ONE);
        let [i, j] = [0, 1].map(|axis| directions.get(axis).map_or(DVec3::ZERO, |d| to_mm(*d)) * flip);
        let k = directions.get(2).map_or_else(|| i.cross(j).normalize_or_zero(), |k| to_mm(*k) * flip);
        let origin = origin.map_or(DVec3::ZERO, |origin| to_mm(origin) * flip);
        let mut affine = DMat4::from_mat3(DMat3::from_cols(i, j, k));
        affine.w_axis = origin.extend(1.0);
        affine
    });
    let usable = affine.filter(is_usable_affine);
    if affine.is_some() && usable.is_none() {
        warnings.push("The space directions are singular or not finite; they were ignored.".into());
    }
    let (world_from_voxel, orientation_known, spacing_known) = match usable {
        Some(affine) => {
            if origin.is_none() {
                warnings.push("The file gives no space origin: the first voxel was placed at 0.".into());
            }
            (affine, space.ras_from_space.is_some() && space.dimension >= 3, true)
        }
        None => {
            let (affine, spacing_known) = by_spacings(header, spatial, count, &mut warnings)?;
            (affine, false, spacing_known)
        }
    };
    if !orientation_known {
        warnings.push(
            "The file does not say how the patient lies (no directions in an anatomical space): left and right are \
             unknown."
                .into(),
        );
    }
    if spatial.len() == 2 && spacing_known {
        warnings.push(
            "The file holds one slice and not its thickness; 1 mm was assumed, and no volume is reported."
                .into(),
        );
    }
    let (key, unknown) = write::SPACING_PAIR;
    let spacing_known = spacing_known && spatial.len() == 3 && header.pair(key) != Some(unknown);
    Ok(Placement { world_from_voxel, orientation_known, spacing_known, warnings })
}

fn space(header: &Header, warnings: &mut Vec<String>) -> Result<Space, IoError> {
    let Some(name) = header.fields.get("space") else {
        let dimension = header.fields.number("space dimension")?.unwrap_or(3);
        return Ok(Space { dimension, ras_from_space: None });
    };
    let plain: String =
        name.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect();
    let (plain, dimension) = match plain.strip_suffix("time") {
        Some(without_time) => (without_time.to_owned(), 4),
        None if matches!(plain.as_str(), "rast" | "last" | "lpst") => (plain[..3].to_owned(), 4),
        None => (plain, 3),
    };
    let ras_from_space = match plain.as_str() {
        "rightanteriorsuperior" | "ras" => Some(DVec3::ONE),
        "leftanteriorsuperior" | "las" => Some(DVec3::new(-1.0, 1.0, 1.0)),
        "leftposteriorsuperior" | "lps" => Some(DVec3::new(-1.0, -1.0, 1.0)),
        // Coordinates of the scanner or of a computer, not of the patient.
        "scannerxyz" | "3drighthanded" | "3dlefthanded" => None,
        _ => {
            warnings.push("The file names a space that NRRD does not define.".into());
            None
        }
    };
    Ok(Space { dimension, ras_from_space })
}

/// The grid along its own axes: spacings, else the distance of axis mins and maxs; 1 mm where neither is given. It starts
/// at 0, as every grid whose orientation is unknown does in NIfTI: axis mins are positions along the file's axes, not in
/// the patient.
fn by_spacings(
    header: &Header,
    spatial: &[usize],
    count: usize,
    warnings: &mut Vec<String>,
) -> Result<(DMat4, bool), IoError> {
    let per_axis = |name: &str| header.fields.numbers::<f64>(name, count);
    let (spacings, mins, maxs) = (per_axis("spacings")?, per_axis("axis mins")?, per_axis("axis maxs")?);
    let sizes = per_axis("sizes")?;
    let centers = header.fields.numbers::<String>("centers", count)?;
    let mm = mm_per_unit(header, "units", count, warnings);
    let mut known = true;
    let mut spacing_mm = DVec3::ONE;
    for (axis, n) in spatial.iter().enumerate() {
        let at = |values: &Option<Vec<f64>>| values.as_ref().map_or(f64::NAN, |values| values[*n]);
        // Cells end where the next ones start; nodes sit on the ends.
        let node = centers.as_ref().is_some_and(|centers| centers[*n].eq_ignore_ascii_case("node"));
        let steps = if node { at(&sizes) - 1.0 } else { at(&sizes) };
        let by_ends = (at(&maxs) - at(&mins)) / steps;
        let spacing = if spacings.is_some() { at(&spacings) } else { by_ends } * unit(&mm, *n);
        if spacing < 0.0 {
            warnings.push("A spacing is negative; its absolute value was used.".into());
        }
        if spacing.is_finite() && spacing != 0.0 {
            spacing_mm[axis] = spacing.abs();
        } else {
            known = false;
        }
    }
    if !known {
        warnings.push(
            "The voxel size is missing, zero or not finite; 1 mm was assumed, and nothing is reported in mm or ml."
                .into(),
        );
    }
    Ok((DMat4::from_scale(spacing_mm), known))
}

fn unit(mm: &[f64; 3], axis: usize) -> f64 {
    mm.get(axis).copied().unwrap_or(1.0)
}

/// Millimetres a unit for the first three axes of a list of quoted units; what is no length counts as mm.
fn mm_per_unit(header: &Header, name: &str, count: usize, warnings: &mut Vec<String>) -> [f64; 3] {
    let units: Vec<String> = header.fields.get(name).map_or_else(Vec::new, quoted);
    let factor = |unit: &String| match unit.to_lowercase().as_str() {
        "m" | "meter" | "meters" | "metre" | "metres" => 1000.0,
        "cm" => 10.0,
        "um" | "µm" | "μm" | "micron" | "microns" | "micrometer" | "micrometers" => 0.001,
        _ => 1.0,
    };
    let factors = [0, 1, 2].map(|n| units.get(n).filter(|_| n < count).map_or(1.0, factor));
    if factors != [1.0; 3] {
        warnings.push("The file's unit is not mm; lengths were converted to mm.".into());
    }
    factors
}

/// The texts between double quotes.
fn quoted(text: &str) -> Vec<String> {
    text.split('"').skip(1).step_by(2).map(|unit| unit.trim().to_owned()).collect()
}

/// Vectors like "(1,0,0) none (0,0,2)", their first three numbers; vectors of two get a third of 0. `None` if it is no
/// such list.
fn vectors(text: &str) -> Option<Vec<Option<DVec3>>> {
    let mut vectors = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("none") {
            vectors.push(None);
            rest = after.trim_start();
            continue;
        }
        let (inside, after) = rest.strip_prefix('(')?.split_once(')')?;
        let numbers: Option<Vec<f64>> = inside.split(',').map(|number| number.trim().parse().ok()).collect();
        let numbers = numbers.filter(|numbers| (2..=4).contains(&numbers.len()))?;
        let third = numbers.get(2).copied().unwrap_or(0.0);
        vectors.push(Some(DVec3::new(numbers[0], numbers[1], third)));
        rest = after.trim_start();
    }
    Some(vectors)
}
