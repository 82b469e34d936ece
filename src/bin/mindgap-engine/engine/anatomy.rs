//! Does the translation keep the anatomy? The scan is translated and back, and one net segments both ends.
//!
//! The net is one that knows the scan's modality: that of a bundle named for it, else the model's source-only net for the source,
//! which no translated image has ever trained, else the adapted one. Labels are the net's own, unrefined, so that nothing but
//! the two images differs.

use super::cache::Caches;
use super::jobs::{self, JobContext, JobFailure, Means, domain};
use crate::model::checkpoint;
use crate::model::infer::{self, SegmentOptions, Watch, Way};
use crate::model::preprocess::Prepared;
use crate::model::verdict::RefineRule;
use crate::model::views::Views;
use mindgap::config::{MaskUse, Net};
use mindgap::eval::{edge_agreement, edge_agreement_map};
use mindgap::protocol::{AnatomyCheck, AnatomyRequest, Event, ModelPayload, WireLabels, WireVolume};
use mindgap::volume::{LabelMap, Volume};
use std::time::Instant;

/// Translates, translates back, segments both; told slice by slice, and stopped between two of them.
pub fn check(
    context: &JobContext,
    request: &AnatomyRequest,
    caches: &mut Caches,
) -> Result<Event, JobFailure> {
    let started = Instant::now();
    context.start(request.device)?;
    let card = &request.model.card;
    let prepared = jobs::prepare(context, (&request.scan, request.modality, card), &mut caches.scans)?;
    let (there, back, mut means) = there_and_back(context, request, &prepared, caches)?;
    let edge_map = edge_agreement_map(&prepared.slices, &there);
    let edge_agreement = edge_agreement(&prepared.slices, &there);
    drop(there);
    let judge = judge(request, &mut means)?;
    let returned = Prepared {
        slices: back,
        air: prepared.air,
        scan_geometry: prepared.scan_geometry.clone(),
        warnings: Vec::new(),
    };
    let scan_labels = labels_of(context, (request, judge), &prepared, ("segmenting", caches), &mut means)?;
    let phase = "segmenting the way back";
    let cycle_labels = labels_of(context, (request, judge), &returned, (phase, caches), &mut means)?;
    if context.cancelled() {
        return Err(JobFailure::Cancelled);
    }
    Ok(Event::AnatomyChecked {
        job: context.job,
        result: Box::new(AnatomyCheck {
            edge_map: WireVolume::pack(&edge_map),
            edge_agreement,
            scan_labels: WireLabels::pack(&scan_labels),
            cycle_labels: WireLabels::pack(&cycle_labels),
            net: judge.net,
            seconds: started.elapsed().as_secs_f64(),
            slices: prepared.slices.dims()[2] as u64,
            device: means.device,
            warnings: [prepared.warnings.clone(), means.warnings].concat(),
        }),
    })
}

/// A net and the bundle that it is of.
#[derive(Clone, Copy)]
struct Judge<'a> {
    model: &'a ModelPayload,
    net: Net,
}

/// The net that the request names; else the model's that knows the scan's modality and has never seen a translated image; the
/// adapted one where there is none.
fn judge<'a>(request: &'a AnatomyRequest, means: &mut Means) -> Result<Judge<'a>, JobFailure> {
    let model = &request.model;
    if let Some(judge) = &request.judge {
        let (theirs, ours) = (&judge.card, &model.card);
        if (theirs.task, &theirs.preprocessing) != (ours.task, &ours.preprocessing) {
            return Err(jobs::failed(
                "The anatomy was not checked",
                "Name a judge for the same task and preprocessing as the model's",
                format!("{} takes other images than {}, or draws other structures", theirs.id, ours.id),
            ));
        }
        return Ok(Judge { model: judge, net: Net::Adapted });
    }
    if request.modality != model.card.source {
        return Ok(Judge { model, net: Net::Adapted });
    }
    if checkpoint::holds_source_only(&model.weights) {
        return Ok(Judge { model, net: Net::SourceOnly });
    }
    means.warnings.push(
        "The model was stored without its source-only net: the adapted net judged the anatomy, and it was trained on \
         images of this translation."
            .to_owned(),
    );
    Ok(Judge { model, net: Net::Adapted })
}

/// The scan in the other style, and what becomes of that in the scan's own; scaled intensities on the network grid.
fn there_and_back(
    context: &JobContext,
    request: &AnatomyRequest,
    prepared: &Prepared,
    caches: &mut Caches,
) -> Result<(Volume<f32>, Volume<f32>, Means), JobFailure> {
    let from = domain(request.modality, &request.model.card);
    let asked = (&request.model, Net::Adapted, request.device);
    let style = &mut caches.style;
    let ((there, mut back), means) =
        jobs::with_worker(context, asked, &prepared.slices, &mut caches.models, |worker| {
            let mut translate = |phase: &str, slices: &Volume<f32>, way| {
                let mut on_slice = |done: usize, total: usize| {
                    context.progress(phase, done as u64, total as u64, "");
                    context.let_style_in(style);
                    !context.cancelled()
                };
                let watch = Watch { first: None, on_slice: &mut on_slice, on_batch: &mut |_, _| {} };
                infer::translate(worker, slices, way, watch)
            };
            let there = translate("translating", &prepared.slices, Way::across(from))?;
            let back = translate("translating back", &there, Way::across(from.other()))?;
            Ok((there, back))
        })?;
    // Slices of air are not segmented in the scan: what a generator makes of them is no anatomy either.
    let plane = prepared.slices.dims()[0] * prepared.slices.dims()[1];
    for (slice, values) in back.voxels_mut().chunks_mut(plane).enumerate() {
        if prepared.is_air(slice) {
            values.fill(0.0);
        }
    }
    Ok((there, back, means))
}

fn labels_of(
    context: &JobContext,
    (request, judge): (&AnatomyRequest, Judge),
    prepared: &Prepared,
    (phase, caches): (&str, &mut Caches),
    all: &mut Means,
) -> Result<LabelMap, JobFailure> {
    let card = &judge.model.card;
    let options = SegmentOptions {
        task: card.task,
        gap_mode: card.network.gap_mode,
        mask: MaskUse::Everywhere,
        views: Views::One,
        refine: RefineRule::Never,
    };
    let keep_going = || !context.cancelled();
    let asked = (judge.model, judge.net, request.device);
    let mut on_slice = |done: usize, total: usize| {
        context.progress(phase, done as u64, total as u64, "");
        context.let_style_in(&mut caches.style);
        !context.cancelled()
    };
    let (found, means) = jobs::with_worker(context, asked, &prepared.slices, &mut caches.models, |worker| {
        let watch = Watch { first: None, on_slice: &mut on_slice, on_batch: &mut |_, _| {} };
        infer::segment(worker, prepared, options, watch, &keep_going)
    })?;
    for warning in means.warnings {
        if !all.warnings.contains(&warning) {
            all.warnings.push(warning);
        }
    }
    all.device = means.device;
    prepared.labels_to_scan(&found.labels, &keep_going).map_err(|_| JobFailure::Cancelled)
}
