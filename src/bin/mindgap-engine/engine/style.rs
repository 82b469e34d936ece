//! One slice in a style of its own, for a slider that is being dragged.
//!
//! Scan and networks are kept apart from those of the jobs, so that a slice can be made in the middle of one; nothing that
//! fails here touches the job.

use super::cache::ModelCache;
use super::jobs::{JobContext, JobFailure, domain, failed, prepare_anew, slab, with_worker};
use super::serve::describe_panic;
use super::unit::IntensityUnit;
use crate::model::Domain;
use crate::model::infer::{self, Way};
use crate::model::preprocess::Prepared;
use mindgap::config::Net;
use mindgap::protocol::{Event, ModelPayload, Request, StyleRequest, StyleSubject, WireVolume};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The scan and the model that slices were asked of last.
#[derive(Default)]
pub struct StyleCache {
    models: ModelCache,
    subject: Option<Subject>,
}

struct Subject {
    id: u64,
    model: ModelPayload,
    prepared: Prepared,
    from: Domain,
    unit: IntensityUnit,
}

/// Makes the slice and sends the event that ends the request, whatever happens.
pub fn answer(context: &JobContext, request: &Request, kept: &mut StyleCache) {
    let Request::Style(request) = request else { return };
    let job = context.job;
    let end = match catch_unwind(AssertUnwindSafe(|| styled(context, request, kept))) {
        Ok(Ok(event)) => event,
        Ok(Err(JobFailure::Cancelled)) => Event::Cancelled { job },
        Ok(Err(JobFailure::Failed(error))) => Event::Failed { job, error },
        Err(panic) => {
            *kept = StyleCache::default();
            Event::Failed { job, error: describe_panic(job, panic.as_ref()) }
        }
    };
    context.post(end);
    context.mailbox.forget(job);
}

fn styled(context: &JobContext, request: &StyleRequest, kept: &mut StyleCache) -> Result<Event, JobFailure> {
    if context.cancelled() {
        return Err(JobFailure::Cancelled);
    }
    if let Some(sent) = &request.sent {
        kept.subject = None;
        kept.subject = Some(subject(context, request.subject, sent)?);
    }
    let Some(subject) = kept.subject.as_ref().filter(|subject| subject.id == request.subject) else {
        return Err(failed(
            "The engine does not have the scan that the style is for",
            "Move the slider again: the scan is then sent once more",
            format!("expected scan and model number {} with the request", request.subject),
        ));
    };
    let prepared = &subject.prepared;
    let slice = prepared.slice_of(request.world_mm);
    let way = Way { from: subject.from, style: request.style };
    let asked = (&subject.model, Net::Adapted, request.device);
    let ((_, values), _) = with_worker(context, asked, &prepared.slices, &mut kept.models, |worker| {
        worker.attempt(slice..slice + 1, 1, |networks, range, _| {
            infer::translate_slice(networks, &prepared.slices, range.start, way)
        })
    })?;
    let synthetic = slab(prepared, slice..slice + 1, values)?.map(|&value| subject.unit.measured(value));
    Ok(Event::StyledSlice { job: context.job, style: request.style, synthetic: WireVolume::pack(&synthetic) })
}

fn subject(context: &JobContext, id: u64, sent: &StyleSubject) -> Result<Subject, JobFailure> {
    let StyleSubject { model, scan, modality } = sent;
    let prepared = prepare_anew(context, (scan, *modality, &model.card))?;
    Ok(Subject {
        id,
        from: domain(*modality, &model.card),
        unit: IntensityUnit::of(modality.other(), &model.card),
        model: model.clone(),
        prepared,
    })
}
