//! The one dialog that may be open, with what has been typed into it.

use crate::session::export::ExportContent;
use crate::session::{OpenRequest, Role};
use crate::volume::io::SeriesInfo;
use crate::volume::{LabelTable, Modality, Task};
use std::path::Path;

/// What is open above the panes.
#[derive(Debug, Clone, PartialEq)]
pub enum Dialog {
    Open(OpenDialog),
    Export(ExportDialog),
    Figure(FigureDialog),
    Series(SeriesDialog),
    /// What speaks against the run that is about to begin.
    Concerns(Vec<String>),
    Keys,
    Settings,
    About,
}

/// Which series of a DICOM folder to open.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesDialog {
    pub request: OpenRequest,
    pub role: Option<Role>,
    /// The largest image first.
    pub series: Vec<SeriesInfo>,
    /// The id of the one picked so far.
    pub chosen: String,
}

/// What a file is opened as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenTarget {
    /// The role of its modality in the chosen model.
    ByModality,
    Role(Role),
    Labels,
    /// A folder that a batch wrote.
    Cohort,
}

#[derive(Debug, Clone, PartialEq)]
pub struct OpenDialog {
    pub target: OpenTarget,
    pub path: String,
    /// `None`: as the intensities suggest.
    pub modality: Option<Modality>,
    /// What the values of a label map mean.
    pub table: &'static LabelTable,
    /// Whose labels they are; `None`: those of the scan whose grid they have.
    pub labels_of: Option<Role>,
}

impl OpenDialog {
    /// Nothing typed yet.
    pub fn new(target: OpenTarget, task: Task) -> Self {
        Self { target, path: String::new(), modality: None, table: task.table(), labels_of: None }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct ExportDialog {
    /// Whose results.
    pub role: Role,
    pub content: ExportContent,
    pub path: String,
    /// The file is there already, and the user has to say that it may go.
    pub confirm_overwrite: bool,
    /// It is being written.
    pub writing: bool,
    /// Why the last attempt failed.
    pub trouble: Option<String>,
}

impl ExportDialog {
    /// Whether an export is the one that was asked for here.
    pub fn asked_for(&self, role: Role, content: ExportContent, path: &Path) -> bool {
        self.writing && (self.role, self.content, Path::new(self.path.trim())) == (role, content, path)
    }
}

/// A figure of what the image area shows.
#[derive(Debug, Clone, PartialEq)]
pub struct FigureDialog {
    pub path: String,
    /// Pixels a point, one of [`crate::ui::figure::SCALES`].
    pub scale: u32,
    /// Whether the names of the scans' files are written into it.
    pub names: bool,
    /// The file is there already, and the user has to say that it may go.
    pub confirm_overwrite: bool,
    /// It is being drawn.
    pub drawing: bool,
    /// Why the last attempt failed.
    pub trouble: Option<String>,
}
