//! What the user asks for. Views and panels return these; [`super::update::apply`] carries them out after drawing.

use super::state::{
    Arrangement, CohortColumn, CohortMeasure, Comparison, Dialog, Drawer, EdgeOptions, FigureDialog,
    GapOptions, Inspector, LabelOptions, Obliques, OpenDialog, Pane, SeriesDialog, Split, SurfaceOrder,
    Switch, Tile, Window,
};
use super::views::frame::SlicePlane;
use crate::render::raster::Eye;
use crate::session::export::ExportContent;
use crate::session::{Against, Role};
use crate::volume::Modality;
use crate::volume::io::OpenOptions;
use glam::{DVec3, Vec2};
use std::path::PathBuf;

/// An intent, complete in itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    // Files.
    Show(Dialog),
    Edit(Dialog),
    CloseDialog,
    Browse,
    Open(OpenDialog),
    Drop(Vec<PathBuf>),
    OpenDemo,
    OpenRecent(PathBuf),
    ForgetRecent,
    SetTextScale(f32),
    /// Reads the scan in a role again, in another way.
    Reopen(Role, OpenOptions),
    OpenSeries(SeriesDialog),
    /// Does what a notice offers.
    Remedy(u64),
    Export {
        role: Role,
        content: ExportContent,
        path: PathBuf,
        overwrite: bool,
    },
    ExportFigure(FigureDialog),
    ShowDrawer(Option<Drawer>),
    MakeReport(Role),
    Cohort(CohortAction),
    // Study and model.
    SetModality(Role, Modality),
    SwapRoles,
    SelectModel(usize),
    Run,
    RunOnSource,
    /// Compares the prediction that is shown.
    Contrast(Against),
    /// Whether the synthetic image keeps the anatomy of the source.
    CheckAnatomy,
    /// The slice in view in a style between the source's own (0) and the target's (1).
    SetStyle(f32),
    /// Goes on in spite of what was said against it.
    RunInSpite,
    Cancel,
    RestartEngine,
    /// The command that reaches an engine elsewhere, as it is typed; empty: the engine of this machine.
    SetEngineCommand(String),
    Dismiss(u64),
    /// Shows the details of a notice, or folds them away.
    Unfold(u64),
    Quit,
    // View.
    PlaceCrosshair {
        role: Role,
        world_mm: DVec3,
    },
    StepSlice {
        tile: Tile,
        by: i64,
    },
    /// The next slice, and after the last one the first.
    PlayOn(Tile),
    ToggleInverse(Pane),
    /// How the synthetic image is compared with the source, and its share.
    Compare(Comparison, f32),
    SetPlane {
        pane: Option<Pane>,
        plane: SlicePlane,
    },
    Arrange(Arrangement),
    CutObliques(Obliques),
    ShowInInspector(Inspector),
    /// From another side.
    Look(Eye),
    DrawSurface(Role, SurfaceOrder),
    /// The crosshair goes to a voxel of the scan that is inspected.
    GoToVoxel([usize; 3]),
    /// Source and target lie in one space, or not.
    DeclareOneSpace(bool),
    SetSplit(Split),
    /// Exchanges the places of two of the five panes.
    SwapPanes(Pane, Pane),
    Maximise(Tile),
    ToggleMaximised(Tile),
    /// Zoom by a factor, keeping the point `at` (points from the pane's middle) where it is.
    Zoom {
        factor: f32,
        at: Vec2,
    },
    Pan(Vec2),
    /// A drag of (right, down) points.
    DragWindow {
        pane: Pane,
        by_points: Vec2,
    },
    SetWindow {
        pane: Pane,
        window: Option<Window>,
    },
    Preset(usize),
    ResetView,
    SetGap(GapOptions),
    SetEdges(EdgeOptions),
    SetLabels(LabelOptions),
    ToggleStructure(u16),
    /// Hides every structure but this one; `None` shows all.
    ShowOnly(Option<u16>),
    SetStructureOpacity(u16, f32),
    /// The crosshair goes to where the structure is largest.
    GoToStructure(u16),
    /// The pointer is over a structure; said in every frame that it is.
    Highlight(u16),
    Set(Switch, bool),
    Inspect(Role),
    HoldSource(bool),
    Activate(Tile),
}

/// What is asked of a cohort.
#[derive(Debug, Clone, PartialEq)]
pub enum CohortAction {
    /// Reads a folder, also the one that is shown already.
    Open(PathBuf),
    SortBy(CohortColumn),
    Plot(CohortMeasure),
    /// Where scans are looked for.
    ScansIn(String),
    BrowseScans,
    /// By its place among the cases, however they are sorted.
    OpenCase(usize),
}
