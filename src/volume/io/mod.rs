//! Files in, files out.
//!
//! Invariants: a file is recognised by its bytes, never by its name; what it claims is checked before anything is
//! allocated for it; what is written replaces a file whole or not at all, after it was read back and compared.

mod array;
mod atomic;
mod data_files;
pub mod dicom;
mod error;
mod format;
mod gzip;
mod label_description;
mod memory;
mod meta;
pub mod nifti;
mod nrrd;
mod options;
mod payload;
mod placement;
mod read_back;
mod source;
mod stamp;
mod streams;
mod text_header;
mod unscaled;
mod whole;

pub use atomic::{GridReceipt, Receipt};
pub use dicom::{SeriesInfo, SeriesKind};
pub use error::IoError;
pub use format::OutputFormat;
pub use label_description::{label_description_path, write_label_description};
pub use options::OpenOptions;

use super::scan::badges_of;
use super::{DType, Flag, Geometry, LabelMap, LabelTable, Scaling, Scan, Volume, Voxels, geometry_equal};
use format::Format;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Two grids closer than this, in mm at every corner, are one grid: float32 headers round by less.
const SAME_GRID_MM: f64 = 1e-3;

/// What float64 loses on the way through a few products, as a part of the distance from the origin.
const ROUNDING: f64 = 1e-12;

/// Whether two grids are one, up to rounding: that of float32, and for grids kilometres away that of float64.
fn same_grid(a: &Geometry, b: &Geometry) -> bool {
    geometry_equal(a, b, SAME_GRID_MM.max(ROUNDING * b.reach_mm()))
}

/// What a file's header says; the voxels were not looked at.
#[derive(Debug, Clone)]
pub struct HeaderInfo {
    /// "NIfTI-1", "NRRD", "DICOM", ...
    pub format: String,
    pub dtype: DType,
    pub scaling: Scaling,
    pub geometry: Geometry,
    /// How many 3-D volumes follow each other in the file.
    pub volumes: usize,
    /// The fields that place a NIfTI file's grid; `None` for other formats.
    pub nifti: Option<nifti::SpatialHeader>,
    pub flags: Vec<Flag>,
    /// What a reader of this file must know, in full sentences.
    pub warnings: Vec<String>,
}

impl HeaderInfo {
    /// A few words for each thing that must stay in view while this is shown.
    pub fn badges(&self) -> Vec<String> {
        badges_of(&self.geometry, &self.flags)
    }

    /// The scan of which this is the header, with a warning if some of its voxels are no numbers.
    fn into_scan(self, path: &Path, voxels: Voxels) -> Result<Scan, IoError> {
        let count = voxels.len();
        let mut scan = Scan::new(voxels, self.scaling, self.geometry, &self.format)
            .ok_or_else(|| IoError::field(path, "dim", "as many voxels as the grid has", count))?;
        (scan.nifti, scan.flags, scan.warnings) = (self.nifti, self.flags, self.warnings);
        match scan.nonfinite_voxels() {
            0 => {}
            n if n == count => {
                scan.warnings.push("No voxel is a finite number: there is nothing to show.".into());
            }
            n => scan.warnings.push(format!("{n} of {count} voxels are NaN or infinite; they are left out.")),
        }
        Ok(scan)
    }
}

/// Writes some bytes as a file, whole or not at all: checkpoints, cards, reports.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<Receipt, IoError> {
    atomic::replace(path, bytes.len() as u64, |writer| writer.write_all(bytes), |_| Ok(None))
}

/// Writes `bytes` as gzip, compressed by all cores: the format of a `.nii.gz`.
pub fn compress(out: &mut impl Write, bytes: &[u8]) -> std::io::Result<()> {
    gzip::write(out, &[bytes])
}

/// Reads the scan in `path`, a file of any format or a folder of DICOM files, as [`OpenOptions::default`] says.
pub fn open(path: &Path) -> Result<Scan, IoError> {
    open_with(path, &OpenOptions::default())
}

/// Reads the scan in `path`: a file of any format, or a folder of DICOM files. A DICOM file given by name is that one
/// slice, never its siblings.
pub fn open_with(path: &Path, options: &OpenOptions) -> Result<Scan, IoError> {
    match format_of(path)? {
        Format::Nifti => nifti::read(path, options, None),
        Format::Nrrd => nrrd::read(path, options),
        Format::Meta => meta::read(path, options),
        Format::Dicom => dicom::read(path, options),
    }
}

/// Like [`open_with`], but of a large NIfTI volume the first slices are handed to `on_first` before the rest is read: a
/// scan of few slices at their place in the world, none of it verified yet. What is returned decides whether the file was
/// any good; other formats and small volumes never call `on_first`.
pub fn open_progressive(
    path: &Path,
    options: &OpenOptions,
    on_first: &mut dyn FnMut(Scan),
) -> Result<Scan, IoError> {
    match format_of(path)? {
        Format::Nifti => nifti::read(path, options, Some(on_first)),
        _ => open_with(path, options),
    }
}

/// Reads the DICOM files that were named, and no others, as one scan.
pub fn open_files(files: &[PathBuf], options: &OpenOptions) -> Result<Scan, IoError> {
    match files {
        [file] => open_with(file, options),
        files => dicom::read_files(files, options),
    }
}

/// Reads one PNG picture a slice, each named like its slice's DICOM file, as a scan of grey values (uint16) on the grid of the
/// series that `files`, a folder or files, hold. Pictures and slices without a partner are refused.
pub fn open_pictures(files: &[PathBuf], pictures: &Path, options: &OpenOptions) -> Result<Scan, IoError> {
    if let [file] = files
        && format_of(file)? != Format::Dicom
    {
        return Err(IoError::Unsupported {
            path: file.clone(),
            what: "this is not a DICOM series, by whose file names pictures are put in order".to_owned(),
            advice: "name the folder of the series that the pictures were drawn on",
        });
    }
    dicom::read_pictures(files, pictures, options)
}

/// Reads the header of `path` only: nothing is said about whether its voxels are whole.
pub fn read_header(path: &Path, options: &OpenOptions) -> Result<HeaderInfo, IoError> {
    match format_of(path)? {
        Format::Nifti => nifti::read_header(&nifti::header_of(path)?, options),
        Format::Nrrd => nrrd::read_header(path, options),
        Format::Meta => meta::read_header(path, options),
        Format::Dicom => dicom::read_header(path, options),
    }
}

/// The DICOM series of a folder and of the folders in it, the largest image first.
pub fn list_series(folder: &Path) -> Result<Vec<SeriesInfo>, IoError> {
    dicom::list(folder)
}

/// Refuses a grid that is to be computed and saved as `path` if there is no memory for it; `bytes_a_voxel` counts what is
/// held at the same time.
pub fn refuse_what_does_not_fit(path: &Path, grid: &Geometry, bytes_a_voxel: usize) -> Result<(), IoError> {
    let needed_bytes = (grid.len() as u64).saturating_mul(bytes_a_voxel as u64);
    memory::refuse_what_does_not_fit(path, grid.dims(), needed_bytes)
}

/// Reads a label map: whole numbers from 0 to 65535 in any stored type. A file that holds several is refused, for the
/// first of them, such as one layer of overlapping segments, would pass for all.
pub fn open_labels(path: &Path) -> Result<LabelMap, IoError> {
    let scan = open(path)?;
    if scan.volumes > 1 {
        return Err(IoError::SeveralLabelMaps { path: path.to_owned(), volumes: scan.volumes });
    }
    scan.to_labels().map_err(|source| IoError::NotLabels { path: path.to_owned(), source })
}

/// Writes `labels` on the very grid of `reference`: its sform, qform and units come back bit for bit.
///
/// The name decides the format ([`OutputFormat::by_name`]). Stored as uint8 where all values fit, else uint16. `table`
/// names and colours the labels where the format has room for it.
pub fn write_labels(
    path: &Path,
    labels: &LabelMap,
    table: Option<&LabelTable>,
    reference: &Scan,
) -> Result<Receipt, IoError> {
    require_same_grid(path, labels, reference)?;
    let voxels =
        payload::narrow(labels.voxels()).map_or_else(|| Voxels::U16(labels.voxels().to_vec()), Voxels::U8);
    let content =
        Content { voxels: &voxels, scaling: Scaling::IDENTITY, labels: Some(table), extensions: &[] };
    write(path, &content, reference)
}

/// Like [`write_labels`]; where the format has no room for the labels' names and colours, they are written beside it for
/// ITK-SNAP ([`label_description_path`]). A description of that name that was there is replaced.
pub fn write_named_labels(
    path: &Path,
    labels: &LabelMap,
    table: &LabelTable,
    reference: &Scan,
) -> Result<Receipt, IoError> {
    let receipt = write_labels(path, labels, Some(table), reference)?;
    if OutputFormat::by_name(path)? != (OutputFormat::Nrrd { segmentation: true }) {
        write_label_description(&label_description_path(path), Some(table), &labels.values_present())?;
    }
    Ok(receipt)
}

/// Writes computed values as float32 on the very grid of `reference`.
pub fn write_values(path: &Path, values: &Volume<f32>, reference: &Scan) -> Result<Receipt, IoError> {
    require_same_grid(path, values, reference)?;
    let voxels = Voxels::F32(values.voxels().to_vec());
    let content = Content { voxels: &voxels, scaling: Scaling::IDENTITY, labels: None, extensions: &[] };
    write(path, &content, reference)
}

/// Writes a scan with its stored type, scaling, place and header extensions. NRRD and MetaImage have no scaling: there a
/// scan that has one is written as its measured values, whole numbers where it only shifts whole numbers, else float32.
pub fn write_scan(path: &Path, scan: &Scan) -> Result<Receipt, IoError> {
    let content = Content {
        voxels: scan.voxels(),
        scaling: scan.scaling(),
        labels: None,
        extensions: &scan.extensions,
    };
    write(path, &content, scan)
}

/// What goes into a file beside the place of its reference scan.
struct Content<'a> {
    voxels: &'a Voxels,
    scaling: Scaling,
    /// Whether these are labels, and the table that names them.
    labels: Option<Option<&'a LabelTable>>,
    extensions: &'a [nifti::Extension],
}

fn write(path: &Path, content: &Content, reference: &Scan) -> Result<Receipt, IoError> {
    match OutputFormat::by_name(path)? {
        OutputFormat::Nifti { compressed } => nifti::write(path, compressed, content, reference),
        OutputFormat::Nrrd { segmentation } => nrrd::write(path, segmentation, content, reference),
        OutputFormat::Meta => meta::write(path, content, reference),
    }
}

/// What `path` is: a folder can only be DICOM, a file says itself.
fn format_of(path: &Path) -> Result<Format, IoError> {
    if path.is_dir() {
        return Ok(Format::Dicom);
    }
    // The voxels of a pair may begin with any bytes at all; its header tells.
    let telling = nifti::header_of(path).unwrap_or_else(|_| path.to_owned());
    let mut head = [0; format::HEAD_BYTES];
    let filled = source::Source::open_head(&telling)?.read_up_to(&mut head).unwrap_or(0);
    Ok(Format::of_bytes(&head[..filled]))
}

fn require_same_grid<T>(path: &Path, volume: &Volume<T>, reference: &Scan) -> Result<(), IoError> {
    let (got, expected) = (volume.geometry(), reference.geometry());
    if same_grid(got, expected) {
        return Ok(());
    }
    let describe = |grid: &super::Geometry| {
        let (dims, spacing, corner) = (grid.dims(), grid.spacing_mm(), grid.world_from_voxel().w_axis);
        format!(
            "{dims:?} voxels of {spacing:.4?} mm from ({:.3}, {:.3}, {:.3})",
            corner.x, corner.y, corner.z
        )
    };
    Err(IoError::GridDiffers { path: path.to_owned(), expected: describe(expected), got: describe(got) })
}
