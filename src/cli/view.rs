//! `mindgap view`: the window, or a picture of it without a display.

use super::input;
use super::job::EngineChoice;
use crate::session::{figure, settings_path};
use crate::ui::state::Pane;
use crate::ui::{FigureLayout, FigureRequest, StartUp, export_figure, run_window, screenshot};
use crate::volume::{LabelTable, Modality, Task, io};
use anyhow::Context;
use clap::{Args, ValueEnum};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use std::path::PathBuf;

/// Open the window (also without any command).
#[derive(Debug, Default, Args)]
pub(super) struct View {
    /// A scan, a file or a DICOM folder, to open in the role of its modality; the other role is filled by a bundled phantom.
    #[arg(conflicts_with_all = ["source", "target"])]
    scan: Option<PathBuf>,
    /// The scan whose modality the model has labels for.
    #[arg(long)]
    source: Option<PathBuf>,
    /// The scan to be segmented.
    #[arg(long)]
    target: Option<PathBuf>,
    /// A label map on the grid of one of the scans.
    #[arg(long)]
    labels: Option<PathBuf>,
    /// The table those labels were drawn with: totalsegmentator-v2, chaos, btcv, mm-whs, ... [default: MindGap's own]
    #[arg(long, value_name = "NAME", value_parser = |name: &str| LabelTable::named(name))]
    label_table: Option<&'static LabelTable>,
    /// A folder that `mindgap batch` or `mindgap report` wrote, as a table below the images.
    #[arg(long, value_name = "FOLDER")]
    cohort: Option<PathBuf>,
    /// A bundled model's id, or a folder with card.json and weights.safetensors.
    #[arg(long)]
    model: Option<String>,
    /// What is segmented, where no model says so [default: abdomen].
    #[arg(long, value_enum)]
    task: Option<Task>,
    /// Modality of the one scan given [default: as its intensities suggest].
    #[arg(long, value_enum)]
    modality: Option<Modality>,
    /// Open the bundled phantom pair, whatever else is given.
    #[arg(long)]
    demo: bool,
    /// Translate and segment at once.
    #[arg(long)]
    run: bool,
    /// Draw the window into a PNG file without a display, and exit; with --run once the engine has finished.
    #[arg(long, value_name = "PNG")]
    screenshot: Option<PathBuf>,
    /// Draw the images alone, without the panels, into a PNG file with where it comes from beside it, and exit; with --run
    /// once the engine has finished.
    #[arg(long, value_name = "PNG", conflicts_with = "screenshot")]
    figure: Option<PathBuf>,
    /// Of a figure: pixels a point, 1 to 4. Text and slices are drawn anew for it, not enlarged.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=4))]
    scale: u32,
    /// Of a figure: all five panes, one pane in three planes, or one pane alone.
    #[arg(long, value_enum, default_value_t)]
    layout: Layout,
    /// Of a figure: which pane is shown in three planes or alone.
    #[arg(long, value_enum, default_value_t)]
    pane: PaneName,
    /// Of a figure: write the names of the scans' files into it; they may name patients.
    #[arg(long)]
    names: bool,
    /// Size of a screenshot in pixels, or of a figure at scale 1.
    #[arg(long, value_name = "WxH", default_value = "1600x1000", value_parser = parse_size)]
    size: Size,
    #[command(flatten)]
    engine: EngineChoice,
    #[command(flatten)]
    reading: input::InputOptions,
}

/// What a figure shows.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Layout {
    #[default]
    Five,
    Planes,
    Single,
}

/// A pane, as it is called on the command line.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum PaneName {
    Source,
    TargetLike,
    #[default]
    Target,
    Gap,
    Prediction,
}

/// Pixels across and down.
#[derive(Debug, Clone, Copy)]
struct Size([u32; 2]);

impl Default for Size {
    fn default() -> Self {
        Self([1600, 1000])
    }
}

impl PaneName {
    fn pane(self) -> Pane {
        match self {
            PaneName::Source => Pane::Source,
            PaneName::TargetLike => Pane::Synthetic,
            PaneName::Target => Pane::Target,
            PaneName::Gap => Pane::Gap,
            PaneName::Prediction => Pane::Prediction,
        }
    }
}

impl View {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if let Some(request) = self.figure_request() {
            let path = export_figure(self.startup(), &request)?;
            eprintln!("{}", path.display());
            return Ok(());
        }
        let (picture, Size(size)) = (self.screenshot.clone(), self.size);
        let startup = self.startup();
        let Some(path) = picture else {
            // A picture shows what was asked for, whatever this user prefers; only the window remembers.
            return Ok(run_window(StartUp { settings: settings_path(), ..startup })?);
        };
        // Before a run that takes minutes, and before anything of that name is touched.
        figure::check_name(&path)?;
        let pixels = screenshot(startup, size)?;
        let mut png = Vec::new();
        PngEncoder::new(&mut png)
            .write_image(&pixels.rgba, pixels.width, pixels.height, ExtendedColorType::Rgba8)
            .with_context(|| format!("{}: the picture cannot be made", path.display()))?;
        io::write_file(&path, &png)?;
        Ok(())
    }

    fn figure_request(&self) -> Option<FigureRequest> {
        let (Size(size_points), pane) = (self.size, self.pane.pane());
        let layout = match self.layout {
            Layout::Five => FigureLayout::Five,
            Layout::Planes => FigureLayout::Planes(pane),
            Layout::Single => FigureLayout::Single(pane),
        };
        let path = self.figure.clone()?;
        Some(FigureRequest { path, layout, size_points, scale: self.scale, names: self.names })
    }

    fn startup(self) -> StartUp {
        let defaults = StartUp::default();
        StartUp {
            source: self.source,
            target: self.target,
            scan: self.scan,
            labels: self.labels,
            cohort: self.cohort,
            label_table: self.label_table,
            modality: self.modality,
            options: self.reading.to_open_options(),
            model: self.model,
            task: self.task.unwrap_or(defaults.task),
            demo: self.demo,
            run: self.run,
            settings: None,
            engine: self.engine.command,
            launcher: defaults.launcher,
        }
    }
}

fn parse_size(text: &str) -> Result<Size, String> {
    let parsed = text.split_once('x').and_then(|(w, h)| Some([w.parse().ok()?, h.parse().ok()?]));
    parsed.map(Size).ok_or_else(|| format!("expected WIDTHxHEIGHT like 1600x1000, got {text:?}"))
}
