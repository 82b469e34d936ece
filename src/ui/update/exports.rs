//! The dialogs that ask where to save, with the names they propose.
//!
//! Invariant: what is proposed lies beside the scan, never in the program's own folder.

use crate::session::export::ExportContent;
use crate::session::{OpenScan, Origin, Role};
use crate::ui::figure::{CAPTION_POINTS, proposed_name};
use crate::ui::state::{Dialog, ExportDialog, FigureDialog, State};
use std::path::PathBuf;

/// The dialog that asks where to save a result of the scan that is inspected, with a name beside the scan; `None` where
/// there is no such result.
pub fn export_dialog(state: &State, content: ExportContent) -> Option<Dialog> {
    let role = match content {
        ExportContent::Synthetic => Role::Source,
        _ => state.view.inspected,
    };
    match content {
        ExportContent::Synthetic => state.study.synthesis().filter(|synthesis| synthesis.whole).map(|_| ()),
        _ => state.study.prediction(role).filter(|prediction| prediction.whole).map(|_| ()),
    }?;
    let path = proposed_path(state, role, content)?;
    let (confirm_overwrite, writing, trouble) = (false, false, None);
    Some(Dialog::Export(ExportDialog { role, content, path, confirm_overwrite, writing, trouble }))
}

/// Beside the scan, named after it unless names are hidden.
fn proposed_path(state: &State, role: Role, content: ExportContent) -> Option<String> {
    let scan = state.study.scan(role)?;
    let stem = match state.view.hide_identity {
        true => "scan",
        false => scan.name.split('.').next().unwrap_or("scan"),
    };
    Some(beside(scan, format!("{stem}_{}", content.ending())))
}

/// A name beside a scan's file.
fn beside(scan: &OpenScan, name: String) -> String {
    let path = match &scan.request.origin {
        Origin::File(path) => path.with_file_name(name),
        // Beside the phantoms is the program's own folder, which is not the user's to fill.
        Origin::Phantom(_) => PathBuf::from(name),
    };
    path.display().to_string()
}

/// The dialog that asks where to save a figure of what the image area shows; `None` where no scan is open.
pub fn figure_dialog(state: &State) -> Option<Dialog> {
    let scans = || Role::ALL.into_iter().rev().filter_map(|role| state.study.scan(role));
    // Beside the user's own scan, where there is one.
    let scan = scans().find(|scan| !scan.is_phantom()).or_else(|| scans().next())?;
    Some(Dialog::Figure(FigureDialog {
        path: beside(scan, proposed_name(state)),
        scale: 2,
        names: false,
        confirm_overwrite: false,
        drawing: false,
        trouble: None,
    }))
}

/// Width and height of a figure of the image area with its caption, whole points.
pub fn figure_size_points(state: &State) -> [f32; 2] {
    let [width, height] = state.image_area_points;
    [width.floor(), height.floor() + CAPTION_POINTS]
}
