//! How the study is looked at: panes, planes, crosshair, zoom, windows, overlays.

use super::EdgeOptions;
use crate::render::raster::Eye;
use crate::render::{Colormap, HeatStyle, LabelStyle};
use crate::session::{IntensityStats, OpenScan, Role};
use crate::ui::views::frame::{Convention, SlicePlane};
use crate::volume::{Geometry, Modality, Task};
use glam::{DVec3, Vec2};

/// The five roles a pane can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pane {
    Source,
    Synthetic,
    Target,
    Gap,
    Prediction,
}

/// One place in the window: a pane in the plane that was chosen for it, or in one of the three that are shown at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tile {
    pub pane: Pane,
    /// `None`: the pane's own.
    pub plane: Option<SlicePlane>,
}

/// What is shown side by side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Arrangement {
    /// All five roles and the inspector.
    #[default]
    Roles,
    /// One role in all three planes, and the inspector.
    Planes(Pane),
}

/// Where a layout's cells meet, in shares of its width and height.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    pub columns: [f32; 2],
    pub row: f32,
}

/// Grey range of a pane, in the unit of its image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    pub width: f32,
    pub level: f32,
}

/// A window with a name and a key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preset {
    pub name: &'static str,
    pub window: Window,
}

/// The point under scrutiny, held in the world of the scan it was placed in, so that linking never makes it drift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crosshair {
    pub role: Role,
    pub world_mm: DVec3,
}

/// How the gap (or the uncertainty in its place) is painted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GapOptions {
    pub shown: bool,
    /// Show the uncertainty in the gap's pane.
    pub uncertainty: bool,
    pub opacity: f32,
    pub threshold: f32,
}

/// How labels are painted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelOptions {
    pub shown: bool,
    pub fill_opacity: f32,
    pub outline: bool,
}

/// How the synthetic image is compared with the source it was made from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Comparison {
    #[default]
    Off,
    /// One shines through the other, pixel by pixel: a mix of two pictures, and no style that the model knows.
    Blend,
    /// One to the left of a line, the other to its right.
    Swipe,
    Checkerboard,
}

/// What the sixth cell shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Inspector {
    /// Gap against confidence, a disc a structure.
    #[default]
    Confidence,
    /// Where to look first.
    Places,
    /// The structures as surfaces.
    Surface,
    /// Whether the synthetic image keeps the anatomy.
    Anatomy,
}

/// A picture of surfaces that is wanted: everything it depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct SurfaceOrder {
    /// Tells label maps apart while they are held.
    pub labels_at: usize,
    pub eye: Eye,
    pub size_px: [u32; 2],
    pub background: [u8; 3],
    /// Label, colour and opacity.
    pub shown: Vec<(u16, [u8; 3], f32)>,
}

impl Inspector {
    pub const ALL: [Inspector; 4] =
        [Inspector::Confidence, Inspector::Places, Inspector::Surface, Inspector::Anatomy];

    pub fn name(self) -> &'static str {
        match self {
            Inspector::Confidence => "Confidence",
            Inspector::Places => "Look here first",
            Inspector::Surface => "Surfaces",
            Inspector::Anatomy => "Anatomy",
        }
    }
}

/// Along what a scan is cut whose own planes are not axial, coronal and sagittal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Obliques {
    /// Along the true planes where that shows as much as along its own: not in thick slices.
    #[default]
    Automatic,
    /// Along its own planes, voxel by voxel.
    Own,
    /// Along the true planes, interpolated.
    True,
}

/// Yes-or-no settings of the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    Radiological,
    SagittalFlipped,
    Annotations,
    Crosshair,
    Smooth,
    HideIdentity,
    PacsMouse,
    Cine,
    KeepRecent,
    /// The prediction pane shows what differs from what it was compared with.
    Contrast,
    /// The frame around the images is light.
    Light,
}

/// Everything about the view.
#[derive(Debug, Clone)]
pub struct View {
    pub arrangement: Arrangement,
    /// One tile filling the window, or all of them.
    pub maximised: Option<Tile>,
    /// Which pane is where among the five.
    pub order: [Pane; 5],
    /// Of the five panes and of the three planes.
    pub splits: [Split; 2],
    pub planes: [SlicePlane; 5],
    pub obliques: Obliques,
    pub inspector: Inspector,
    /// From where the surfaces are seen.
    pub eye: Eye,
    pub crosshair: Crosshair,
    /// Times the size at which the body fills the pane.
    pub zoom: f32,
    /// How far the eye has moved right and down, in points at zoom 1.
    pub pan: Vec2,
    /// What the user chose for a pane; `None` follows the image's own default.
    pub windows: [Option<Window>; 5],
    pub convention: Convention,
    pub labels: LabelOptions,
    pub gap: GapOptions,
    pub edges: EdgeOptions,
    pub annotations: bool,
    pub show_crosshair: bool,
    pub smooth: bool,
    pub hide_identity: bool,
    /// Left drags the window and right zooms, as at a reading station; else left places the crosshair and right drags the
    /// window.
    pub pacs_mouse: bool,
    /// The slices of the active tile follow each other by themselves.
    pub cine: bool,
    /// The label under the pointer, drawn denser in every pane.
    pub highlight: Option<u16>,
    /// The prediction pane shows where it differs from what it was compared with, once it has been.
    pub contrast: bool,
    pub comparison: Comparison,
    /// Of the synthetic image: its opacity in a blend, its part of the pane's width at a swipe line.
    pub comparison_share: f32,
    /// Panes whose greys are exchanged.
    pub inverted: [bool; 5],
    /// Whose gap and prediction are shown.
    pub inspected: Role,
    /// While held, the synthetic pane shows the source, to compare them in place.
    pub source_in_place: bool,
    /// The tile that keys act on: the one last under the pointer.
    pub active: Tile,
    /// Drawn for a figure: without what only makes sense where there is a pointer and a next moment.
    pub still: bool,
}

/// Largest value painted in the gap's last colour.
pub const GAP_RANGE: [f32; 2] = [0.0, 0.8];

/// Width and level, keys 1 to 8.
pub const CT_PRESETS: [Preset; 8] = [
    Preset::new("Abdomen", 400.0, 40.0),
    Preset::new("Liver", 150.0, 90.0),
    Preset::new("Kidney", 300.0, 40.0),
    Preset::new("Mediastinum", 400.0, 40.0),
    Preset::new("Cardiac CTA", 600.0, 200.0),
    Preset::new("Lung", 1500.0, -600.0),
    Preset::new("Bone", 2000.0, 400.0),
    Preset::new("Brain", 80.0, 40.0),
];

/// Keys 2 to 4; key 1 is the image's own range.
pub const MR_PRESETS: [Preset; 3] =
    [Preset::new("T1", 700.0, 300.0), Preset::new("T2", 475.0, 155.0), Preset::new("PD", 920.0, 420.0)];

impl Pane {
    pub const ALL: [Pane; 5] = [Pane::Source, Pane::Synthetic, Pane::Target, Pane::Gap, Pane::Prediction];

    pub fn name(self) -> &'static str {
        match self {
            Pane::Source => "Source",
            Pane::Synthetic => "Target-like",
            Pane::Target => "Target",
            Pane::Gap => "Domain gap",
            Pane::Prediction => "Prediction",
        }
    }

    /// The scan whose grid the pane is cut on.
    pub fn role(self, view: &View) -> Role {
        match self {
            Pane::Source | Pane::Synthetic => Role::Source,
            Pane::Target => Role::Target,
            Pane::Gap | Pane::Prediction => view.inspected,
        }
    }
}

/// Slices this many times thicker than their pixels smear when they are cut across.
const THICK: f64 = 2.5;

fn has_thick_slices(geometry: &Geometry) -> bool {
    let spacing_mm = geometry.spacing_mm();
    let finest = spacing_mm.into_iter().fold(f64::INFINITY, f64::min);
    spacing_mm.into_iter().fold(0.0, f64::max) > THICK * finest
}

impl Obliques {
    pub const ALL: [Obliques; 3] = [Obliques::Automatic, Obliques::Own, Obliques::True];
    pub fn name(self) -> &'static str {
        match self {
            Obliques::Automatic => "Oblique scans: as suits them",
            Obliques::Own => "Oblique scans along their own slices",
            Obliques::True => "Oblique scans in true planes",
        }
    }

    /// The grid a scan's slices are cut on.
    pub fn grid_of(self, scan: &OpenScan) -> &Geometry {
        let own = scan.geometry();
        let Some(straight) = &scan.straight else { return own };
        match self {
            Obliques::Automatic if has_thick_slices(own) => own,
            Obliques::Own => own,
            Obliques::Automatic | Obliques::True => straight,
        }
    }
}

impl Comparison {
    pub const ALL: [Comparison; 4] =
        [Comparison::Off, Comparison::Blend, Comparison::Swipe, Comparison::Checkerboard];

    pub fn name(self) -> &'static str {
        match self {
            Comparison::Off => "Synthetic image alone",
            Comparison::Blend => "Pixel blend, not the model's style",
            Comparison::Swipe => "Swipe line to the source",
            Comparison::Checkerboard => "Checkerboard with the source",
        }
    }
}

impl Tile {
    /// A pane in its own plane.
    pub const fn of(pane: Pane) -> Self {
        Self { pane, plane: None }
    }

    pub fn plane(self, view: &View) -> SlicePlane {
        self.plane.unwrap_or(view.planes[self.pane as usize])
    }

    /// Tells it from every other tile.
    pub fn key(self) -> u64 {
        self.pane as u64 * 4 + self.plane.map_or(0, |plane| plane as u64 + 1)
    }
}

impl Split {
    pub const THIRDS: Self = Self { columns: [1.0 / 3.0, 2.0 / 3.0], row: 0.5 };
    /// Of two columns: the second divider is not used.
    pub const HALVES: Self = Self { columns: [0.5, 1.0], row: 0.5 };
    /// No cell is narrower or lower than this share of the whole.
    const LEAST: f32 = 0.12;

    /// With the divider between two columns moved, as far as the others leave room.
    #[must_use]
    pub fn with_column(mut self, divider: usize, at: f32) -> Self {
        let low = if divider == 0 { 0.0 } else { self.columns[0] };
        let high = if divider == 0 { self.columns[1] } else { 1.0 };
        self.columns[divider] = at.clamp(low + Self::LEAST, high - Self::LEAST);
        self
    }

    /// With the divider between the rows moved.
    #[must_use]
    pub fn with_row(self, at: f32) -> Self {
        Self { row: at.clamp(Self::LEAST, 1.0 - Self::LEAST), ..self }
    }
}

impl Preset {
    const fn new(name: &'static str, width: f32, level: f32) -> Self {
        Self { name, window: Window { width, level } }
    }
}

impl Window {
    /// Where to start: the task's preset in CT, the bulk of the intensities in MR.
    pub fn suited_to(task: Task, modality: Modality, intensity: &IntensityStats) -> Self {
        match (modality, task) {
            (Modality::Ct, Task::Abdomen) => CT_PRESETS[0].window,
            (Modality::Ct, Task::Cardiac) => CT_PRESETS[4].window,
            (Modality::Mr, _) => {
                let [low, high] = intensity.bulk;
                Self { width: (high - low).max(1.0), level: 0.5 * (low + high) }
            }
        }
    }

    /// After a drag of (right, down) points: right widens, up brightens the dark (raises the level).
    #[must_use]
    pub fn dragged(self, by_points: Vec2, range: [f32; 2]) -> Self {
        let gain = ((range[1] - range[0]) / 1024.0).max(1e-3);
        Self { width: (self.width + by_points.x * gain).max(1.0), level: self.level - by_points.y * gain }
    }
}

impl View {
    /// Turns the panes of a role to the slices of its scan as they were acquired, where those are thick: across them there is
    /// little to see. Other scans are seen in whatever plane was chosen.
    pub fn face_acquired_slices(&mut self, role: Role, geometry: &Geometry) {
        if has_thick_slices(geometry) {
            for pane in Pane::ALL.into_iter().filter(|pane| pane.role(self) == role).collect::<Vec<_>>() {
                self.planes[pane as usize] = SlicePlane::of_stack(geometry);
            }
        }
    }

    /// Turns gap and prediction to a role, in the plane in which its scan is shown.
    pub fn inspect(&mut self, role: Role) {
        if self.inspected != role {
            self.inspected = role;
            let scan = if role == Role::Source { Pane::Source } else { Pane::Target };
            for pane in [Pane::Gap, Pane::Prediction] {
                self.planes[pane as usize] = self.planes[scan as usize];
            }
        }
    }

    /// Where the cells of the present layout meet.
    pub fn split(&self) -> Split {
        self.splits[usize::from(self.arrangement != Arrangement::Roles)]
    }

    /// The window of a pane: its own, else that of the pane whose image it shows, else `suited`.
    pub fn window(&self, pane: Pane, suited: Window) -> Window {
        let image_of = match self.image_pane(pane) {
            image_pane if image_pane != pane => self.windows[image_pane as usize],
            _ => None,
        };
        self.windows[pane as usize].or(image_of).unwrap_or(suited)
    }

    /// The pane that shows the same image plainly.
    pub fn image_pane(&self, pane: Pane) -> Pane {
        match (pane, self.inspected) {
            (Pane::Gap | Pane::Prediction, Role::Source) => Pane::Source,
            (Pane::Gap | Pane::Prediction, Role::Target) => Pane::Target,
            (pane, _) => pane,
        }
    }

    pub fn label_style(&self) -> LabelStyle {
        let LabelOptions { shown, fill_opacity, outline } = self.labels;
        LabelStyle {
            fill_opacity: if shown { fill_opacity } else { 0.0 },
            outline_opacity: if shown && outline { 1.0 } else { 0.0 },
            highlight: self.highlight.filter(|_| shown),
            ..LabelStyle::default()
        }
    }

    /// How a pane's heat map is painted: over the synthetic image it is the agreement of edges.
    pub fn heat_style_in(&self, pane: Pane) -> HeatStyle {
        if pane == Pane::Synthetic { self.edges.heat_style() } else { self.heat_style() }
    }

    pub fn heat_style(&self) -> HeatStyle {
        let GapOptions { shown, uncertainty, opacity, threshold } = self.gap;
        HeatStyle {
            opacity: if shown { opacity } else { 0.0 },
            threshold,
            range: if uncertainty { [0.0, 1.0] } else { GAP_RANGE },
            colormap: if uncertainty { Colormap::Cividis } else { Colormap::Inferno },
            ..HeatStyle::default()
        }
    }
}

impl Default for View {
    fn default() -> Self {
        Self {
            arrangement: Arrangement::default(),
            maximised: None,
            order: Pane::ALL,
            splits: [Split::THIRDS, Split::HALVES],
            obliques: Obliques::default(),
            inspector: Inspector::default(),
            eye: Eye { azimuth_deg: 0.0, elevation_deg: 0.0, zoom: 1.0 },
            planes: [SlicePlane::Axial; 5],
            crosshair: Crosshair { role: Role::Source, world_mm: DVec3::ZERO },
            zoom: 1.0,
            pan: Vec2::ZERO,
            windows: [None; 5],
            convention: Convention::default(),
            labels: LabelOptions { shown: true, fill_opacity: 0.45, outline: true },
            gap: GapOptions { shown: true, uncertainty: false, opacity: 0.75, threshold: 0.25 },
            edges: EdgeOptions::default(),
            annotations: true,
            show_crosshair: true,
            smooth: true,
            hide_identity: false,
            pacs_mouse: false,
            cine: false,
            highlight: None,
            contrast: false,
            comparison: Comparison::Off,
            comparison_share: 0.5,
            inverted: [false; 5],
            inspected: Role::Target,
            source_in_place: false,
            active: Tile::of(Pane::Source),
            still: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dragging_right_widens_and_dragging_up_raises_the_level_by_the_range_over_1024_a_point() {
        let start = Window { width: 400.0, level: 40.0 };
        let dragged = start.dragged(Vec2::new(100.0, -50.0), [-1024.0, 1024.0]);
        assert_eq!(dragged, Window { width: 600.0, level: 140.0 });
    }

    #[test]
    fn a_divider_stops_before_it_closes_a_cell() {
        let split = Split::THIRDS.with_column(0, 0.99).with_column(1, 0.0).with_row(-3.0);
        assert!(split.columns[0] > 0.1 && split.columns[1] - split.columns[0] > 0.11, "{split:?}");
        assert!(split.row > 0.1);
    }

    #[test]
    fn thick_slices_are_shown_as_they_were_acquired_and_other_scans_in_the_plane_that_was_chosen() {
        let coronal = |thickness_mm: f64| {
            let affine = glam::DMat4::from_cols_array(&[
                1.0,
                0.0,
                0.0,
                0.0,
                0.0,
                0.0,
                -1.0,
                0.0,
                0.0,
                thickness_mm,
                0.0,
                0.0,
                0.0,
                0.0,
                0.0,
                1.0,
            ]);
            Geometry::new([64, 64, 12], affine).expect("a sound grid")
        };
        let mut view = View::default();
        view.face_acquired_slices(Role::Target, &coronal(1.0));
        assert_eq!(view.planes, [SlicePlane::Axial; 5]);
        view.face_acquired_slices(Role::Target, &coronal(8.0));
        for pane in Pane::ALL {
            let expected =
                if pane.role(&view) == Role::Target { SlicePlane::Coronal } else { SlicePlane::Axial };
            assert_eq!(view.planes[pane as usize], expected, "{}", pane.name());
        }
        view.inspect(Role::Source);
        assert_eq!(view.planes[Pane::Prediction as usize], SlicePlane::Axial);
    }

    #[test]
    fn no_two_tiles_share_a_key() {
        let planes = [None, Some(SlicePlane::Axial), Some(SlicePlane::Coronal), Some(SlicePlane::Sagittal)];
        let tiles = Pane::ALL.iter().flat_map(|&pane| planes.map(|plane| Tile { pane, plane }.key()));
        let keys: std::collections::BTreeSet<u64> = tiles.collect();
        assert_eq!(keys.len(), 20);
    }

    #[test]
    fn a_window_never_collapses() {
        let start = Window { width: 400.0, level: 40.0 };
        assert_eq!(start.dragged(Vec2::new(-1e6, 0.0), [0.0, 1024.0]).width, 1.0);
        assert!(start.dragged(Vec2::new(-1e6, 0.0), [5.0, 5.0]).width >= 1.0);
    }

    #[test]
    fn gap_and_prediction_follow_the_window_of_the_image_they_lie_over_until_they_have_their_own() {
        let mut view = View::default();
        let suited = Window { width: 1.0, level: 1.0 };
        let chosen = Window { width: 80.0, level: 40.0 };
        view.windows[Pane::Target as usize] = Some(chosen);
        assert_eq!(view.window(Pane::Gap, suited), chosen);
        assert_eq!(view.window(Pane::Source, suited), suited);
        view.inspected = Role::Source;
        assert_eq!(view.window(Pane::Gap, suited), suited);
    }
}
