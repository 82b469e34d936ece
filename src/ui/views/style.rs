//! The synthetic pane while the slider stands between the source's style and the target's: one slice of the generator's own.

use super::content::Content;
use super::cut::Voxels;
use super::frame::SlicePlane;
use super::link::crosshair_in;
use crate::ui::state::{State, Tile};

/// The content with the slice in the style that was chosen for it, where the pane shows that slice. In other planes, which
/// would show one line of it, the content stays as it is.
pub fn in_chosen_style<'a>(state: &'a State, tile: Tile, content: Content<'a>) -> Content<'a> {
    // Without an image of its own, or with the source in its place, there is nothing to show in another style.
    if !content.synthetic {
        return content;
    }
    let world_mm = crosshair_in(&state.study, state.view.crosshair, content.role);
    let slice = world_mm.and_then(|world_mm| state.style.slice_at(content.scan.id, world_mm));
    let Some(slice) = slice else { return content };
    if tile.plane(&state.view) != SlicePlane::of_stack(slice.image.geometry()) {
        return content;
    }
    Content {
        image: Some(Voxels::Values(slice.image.clone())),
        // Edges were compared with the ordinary image.
        heat: None,
        edge_agreement: None,
        style: Some(slice.style),
        title: format!("Style {:.2}", slice.style).into(),
        subtitle: "source content, this slice only".to_owned(),
        // On the scale of the modality that is imitated, and not in its unit.
        unit: "relative",
        ..content
    }
}
