//! What a pane shows at this moment: which image, which overlays, under which title.

use super::cut::Voxels;
use super::link::crosshair_in;
use crate::session::{IntensityStats, OpenScan, Prediction, Role};
use crate::ui::state::{Comparison, Pane, State, Window};
use crate::volume::{LabelMap, Modality, Volume};
use std::borrow::Cow;
use std::sync::Arc;

/// One pane, resolved.
pub struct Content<'a> {
    pub pane: Pane,
    pub role: Role,
    /// The scan whose grid and world the pane is in.
    pub scan: &'a Arc<OpenScan>,
    /// `None`: nothing to show yet, and `hint` says why.
    pub image: Option<Voxels>,
    pub labels: Option<Voxels>,
    /// The labels are no structures: they say where two label maps differ.
    pub contrast: bool,
    pub heat: Option<Voxels>,
    pub window: Window,
    /// Of the image.
    pub intensity: &'a IntensityStats,
    pub title: Cow<'static, str>,
    pub subtitle: String,
    /// "HU", "a.u.", "syn-HU", ...
    pub unit: &'static str,
    /// Says on the picture itself that it is no scan.
    pub synthetic: bool,
    /// Of a synthetic image: from the scan's own style (0) to the other modality's (1).
    pub style: Option<f32>,
    /// How well its edges agree with those of the scan it was made from, 0..1.
    pub edge_agreement: Option<f64>,
    /// Shown where the overlay or image will be.
    pub hint: Option<&'static str>,
}

/// Resolves a pane; `None` while its scan is not open.
pub fn content(state: &State, pane: Pane) -> Option<Content<'_>> {
    let role = pane.role(&state.view);
    let scan = state.study.scan(role)?;
    let base = plain(state, pane, role, scan);
    Some(match pane {
        Pane::Source | Pane::Target => {
            let labels = scan.labels(state.task).cloned().map(Voxels::Labels);
            let given = match (&labels, scan.labels_task()) {
                (Some(_), _) => "labels given",
                (None, Some(_)) => "labels of another task",
                (None, None) => "unlabelled",
            };
            let subtitle = match scan.is_phantom() {
                true => format!("{} · phantom · {given}", scan.modality.name()),
                false => format!("{} · {given}", scan.modality.name()),
            };
            Content { labels, subtitle, ..base }
        }
        Pane::Synthetic => synthetic(state, base),
        Pane::Gap => gap(state, base),
        Pane::Prediction => prediction(state, base),
    })
}

/// The first slices of a scan that is still being read into the pane's role, if there are any.
pub fn first_slices(state: &State, pane: Pane) -> Option<Content<'_>> {
    if !matches!(pane, Pane::Source | Pane::Target) {
        return None;
    }
    let role = pane.role(&state.view);
    let newest_first = state.opening.iter().rev().filter_map(|opening| opening.first_slices.as_ref());
    let (_, scan) = newest_first.into_iter().find(|(of, _)| *of == role)?;
    let subtitle = format!("{} · first slices", scan.modality.name());
    let hint = Some("reading and checking the rest");
    Some(Content { subtitle, hint, ..plain(state, pane, role, scan) })
}

/// The scan itself, without overlays.
fn plain<'a>(state: &'a State, pane: Pane, role: Role, scan: &'a Arc<OpenScan>) -> Content<'a> {
    Content {
        pane,
        role,
        scan,
        image: Some(Voxels::Scan(scan.scan.clone())),
        labels: None,
        contrast: false,
        heat: None,
        window: state.view.window(pane, Window::suited_to(state.task, scan.modality, &scan.intensity)),
        intensity: &scan.intensity,
        title: pane.name().into(),
        subtitle: String::new(),
        unit: scan.modality.unit(),
        synthetic: false,
        style: None,
        edge_agreement: None,
        hint: None,
    }
}

fn synthetic<'a>(state: &'a State, base: Content<'a>) -> Content<'a> {
    if state.view.source_in_place {
        let subtitle = "the source, while H is held".to_owned();
        return Content { subtitle, ..in_source_window(state, base) };
    }
    let Some(synthesis) = state.study.synthesis() else {
        let hint = if state.run.is_some() { "being translated" } else { "F5 translates the source" };
        let subtitle = format!("source content, {} style", base.scan.modality.other().name());
        return Content { image: None, subtitle, hint: Some(hint), ..base };
    };
    let suited = Window::suited_to(state.task, synthesis.imitates, &synthesis.intensity);
    let note = if synthesis.whole { "" } else { " · slices so far" };
    let image = crosshair_in(&state.study, state.view.crosshair, base.role)
        .map_or(&synthesis.image, |world_mm| synthesis.image_at(world_mm));
    let edges = state.study.anatomy().filter(|_| state.view.edges.shown);
    Content {
        image: Some(Voxels::Values(image.clone())),
        heat: edges.map(|anatomy| Voxels::Values(anatomy.edge_map.clone())),
        window: state.view.window(base.pane, suited),
        intensity: &synthesis.intensity,
        subtitle: format!("source content, {} style{note}", synthesis.imitates.name()),
        unit: match synthesis.imitates {
            Modality::Ct => "syn-HU",
            Modality::Mr => "syn-a.u.",
        },
        synthetic: true,
        style: Some(1.0),
        edge_agreement: synthesis.edge_agreement,
        ..base
    }
}

/// What the synthetic image is drawn over while it is compared: the source it was made from.
pub fn beneath<'a>(state: &'a State, content: &Content<'a>) -> Option<Content<'a>> {
    let compared = content.synthetic && state.view.comparison != Comparison::Off;
    compared.then(|| in_source_window(state, plain(state, content.pane, content.role, content.scan)))
}

/// With the window in which the source is shown in its own pane.
fn in_source_window<'a>(state: &State, base: Content<'a>) -> Content<'a> {
    let suited = || Window::suited_to(state.task, base.scan.modality, &base.scan.intensity);
    let window = state.view.windows[Pane::Source as usize].unwrap_or_else(suited);
    Content { window, ..base }
}

fn gap<'a>(state: &'a State, base: Content<'a>) -> Content<'a> {
    let over = format!("over the {}", base.role.name().to_lowercase());
    let uncertainty = state.view.gap.uncertainty;
    let title = if uncertainty { "Uncertainty".into() } else { base.title.clone() };
    let what = if uncertainty { "entropy of the prediction" } else { "local feature mask" };
    let subtitle = format!("{what}, {over}");
    let Some(prediction) = state.study.prediction(base.role) else {
        return Content { title, subtitle, hint: Some(waiting(state, base.role)), ..base };
    };
    let gap = shown_at(state, base.role, prediction).1;
    let volume = if uncertainty { prediction.uncertainty.as_ref() } else { Some(gap) };
    let hint = volume.is_none().then_some("comes with the whole volume");
    Content { title, subtitle, heat: volume.cloned().map(Voxels::Values), hint, ..base }
}

fn prediction<'a>(state: &'a State, base: Content<'a>) -> Content<'a> {
    let Some(prediction) = state.study.prediction(base.role) else {
        let subtitle = state.card().map(model_title).unwrap_or_default();
        return Content { subtitle, hint: Some(waiting(state, base.role)), ..base };
    };
    if let Some(contrast) = state.study.contrast(base.role).filter(|_| state.view.contrast) {
        return Content {
            labels: Some(Voxels::Labels(contrast.map.clone())),
            contrast: true,
            title: "Difference".into(),
            subtitle: format!("of the prediction from: {}", contrast.against.name()),
            ..base
        };
    }
    let of = if base.role == Role::Source { " · of the source" } else { "" };
    let note = if prediction.whole { "" } else { " · slices so far" };
    Content {
        labels: Some(Voxels::Labels(shown_at(state, base.role, prediction).0.clone())),
        subtitle: format!("{}{of}{note}", prediction.model),
        ..base
    }
}

/// Labels and gap at the crosshair: while slices come one by one, those that show its slice.
fn shown_at<'a>(
    state: &State,
    role: Role,
    prediction: &'a Prediction,
) -> (&'a Arc<LabelMap>, &'a Arc<Volume<f32>>) {
    let world_mm = crosshair_in(&state.study, state.view.crosshair, role);
    world_mm.map_or((&prediction.labels, &prediction.gap), |world_mm| prediction.at(world_mm))
}

/// "abdomen CT→MR 1.0".
pub fn model_title(card: &crate::config::Card) -> String {
    format!("{} {}→{} {}", card.task.name(), card.source.name(), card.target.name(), card.version)
}

fn waiting(state: &State, role: Role) -> &'static str {
    match (state.run.is_some(), role) {
        (true, _) => "being segmented",
        (false, Role::Target) => "F5 segments the target",
        (false, Role::Source) => "not segmented yet: use \"Segment the source too\"",
    }
}
