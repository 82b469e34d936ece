//! What a reader may be told beside the name of a file.

/// How to read a file or folder that offers a choice, or that is only almost right. By default nothing doubtful is
/// accepted, and of several volumes the first is taken, of several series the largest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// Which 3-D volume of a file that holds several, 0 being the first. `None`: the first, and a warning says that
    /// there are more.
    pub volume: Option<usize>,
    /// Which DICOM series of a folder: a [`super::SeriesInfo::id`], or the SeriesInstanceUID it starts with.
    pub series: Option<String>,
    /// Place a NIfTI grid by its qform though it has a usable sform.
    pub prefer_qform: bool,
    /// Accept compressed data whose checksum is wrong; the scan is flagged as damaged.
    pub accept_damage: bool,
    /// Accept a DICOM series with missing or unevenly spaced slices; the scan is flagged, and its grid not measurable.
    pub accept_gaps: bool,
}
