//! The sheet of keys, and what this program is and is not.

use crate::session::EngineSite;
use crate::ui::state::{EngineStatus, State};
use crate::ui::{theme, widgets};
use egui::{Grid, RichText, Ui};

const KEYS: [(&str, &str); 28] = [
    ("Left click or drag", "place the crosshair"),
    ("Shift+move", "the crosshair follows"),
    ("Middle drag", "pan"),
    ("Right drag", "window: right widens, up raises the level"),
    ("Wheel", "slice"),
    ("Ctrl+wheel", "zoom to the pointer"),
    ("Double click", "one pane alone, and back"),
    ("In the other scheme", "left drag windows, right drag zooms, left click places"),
    ("C", "play through the slices, and stop"),
    ("K", "compare with the source: blend, swipe line, checkerboard"),
    ("I", "inverse greys of the pane under the pointer"),
    ("Between panes", "drag to resize, double click to reset"),
    ("Space", "reset zoom, pan and windows"),
    ("1 … 8", "window presets of the pane under the pointer"),
    ("↑ ↓, PgUp PgDn", "slice; with Shift five"),
    ("Home, End", "first and last slice"),
    ("S", "labels"),
    ("O", "outline"),
    ("A, D", "label opacity down, up"),
    ("G", "heat map"),
    ("T", "uncertainty in place of the gap"),
    ("R", "report of the prediction below the images"),
    ("hold H", "the source in place of its translation"),
    ("X, Shift+X", "annotations, crosshair"),
    ("F5", "translate and segment"),
    ("Esc", "close the dialog, cancel the run"),
    ("Ctrl+O", "open a scan"),
    ("?", "this sheet"),
];

/// The keys and what the mouse does.
pub fn keys(ui: &mut Ui) {
    ui.heading("Keys and mouse");
    Grid::new("keys").num_columns(2).spacing([24.0, 5.0]).show(ui, |ui| {
        for (key, meaning) in KEYS {
            ui.label(RichText::new(key).color(theme::of(ui).accent));
            ui.label(meaning);
            ui.end_row();
        }
    });
    widgets::weak(ui, "No key acts while a text field has the focus.");
}

/// What this is, for whom, and who is at work.
pub fn about(ui: &mut Ui, state: &State) {
    ui.heading(format!("MindGap {}", env!("CARGO_PKG_VERSION")));
    let where_scans_go = match &state.engine_at {
        EngineSite::Here => {
            "Scans stay on this machine: they go to the engine process and nowhere else.".to_owned()
        }
        EngineSite::Elsewhere(command) => format!(
            "The engine is reached by \"{command}\": the voxels and the grid of a scan go there when something is computed, \
             no name and no file, and nowhere else."
        ),
    };
    let paragraphs = [
        "Unsupervised cross-modality (CT ↔ MR) segmentation, and a viewer for the domain gap that is left.",
        "For research use only. This is not a medical device: nothing it shows is a diagnosis or fit to base one on.",
        "The gap is a quantity of the model, not of the patient. Synthetic images are made by a network and may show \
         what is not there or hide what is; agreement of edges cannot prove otherwise.",
        &where_scans_go,
    ];
    for words in paragraphs {
        ui.add(egui::Label::new(words).wrap());
    }
    ui.separator();
    if !state.adapter.is_empty() {
        widgets::weak(ui, format!("Drawn by {}", state.adapter));
    }
    if let EngineStatus::Ready(info) = &state.engine {
        widgets::weak(
            ui,
            format!("Engine {} · libtorch {} · {} · {}", info.program, info.libtorch, info.device, info.cuda),
        );
    }
    widgets::weak(ui, "Licence: MIT or Apache-2.0");
}
