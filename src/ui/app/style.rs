//! The style slider's requests on their way to the engine, and the slices that come back.
//!
//! Scan and model are sent with the first request about them; after that a request is a few numbers. They are jobs of no
//! run: a run that is going on is not ended, replaced or reported by them.

use super::App;
use super::tasks::{Done, in_full};
use crate::protocol::{DeviceChoice, Event, JobId, Request, StyleRequest, StyleSubject};
use crate::session::loader::LoadError;
use crate::session::{Role, ScanId, StyledSlice, pack_style_subject};
use crate::ui::state::StyleOrder;

/// What the engine has of it.
#[derive(Debug, Default)]
pub(super) struct StyleLink {
    /// Scan and weights the engine keeps, and the number they go by.
    kept: Option<(ScanId, String, u64)>,
    job: Option<JobId>,
}

impl App {
    /// Sends the slice that is wanted, unless one is on its way.
    pub(super) fn ask_for_style(&mut self) {
        if self.engine.is_none() {
            // It asks again once it is there.
            return self.start_engine();
        }
        if let Some(order) = self.state.style.send_next() {
            self.forward_style(order);
        }
    }

    /// Sends an order, or packs what has to go with it first.
    fn forward_style(&mut self, order: StyleOrder) {
        if let Some(subject) = self.subject_kept(&order) {
            return self.send_style(&order, subject, None);
        }
        let Some(scan) = self.state.study.scan(Role::Source).filter(|scan| scan.id == order.scan).cloned()
        else {
            return self.state.style.fail();
        };
        self.spawn(move || {
            let result = pack_style_subject(&order.model.0, &scan).map(Box::new);
            Done::StyleSubject { order, result }
        });
    }

    fn subject_kept(&self, order: &StyleOrder) -> Option<u64> {
        let (scan, weights, subject) = self.style.kept.as_ref()?;
        (*scan == order.scan && *weights == order.model.1).then_some(*subject)
    }

    /// Scan and model are ready to be sent; by now another slice or style may be wanted.
    pub(super) fn style_subject_packed(
        &mut self,
        packed_for: &StyleOrder,
        result: Result<Box<StyleSubject>, LoadError>,
    ) {
        let sent = match result {
            Ok(sent) => sent,
            Err(error) => {
                self.state.style.fail();
                return self.fail(in_full(&error));
            }
        };
        let Some(order) = self.state.style.renew() else { return };
        if (order.scan, &order.model) != (packed_for.scan, &packed_for.model) {
            // The scan or the model was replaced meanwhile.
            return self.forward_style(order);
        }
        let subject = self.state.next_number();
        self.style.kept = Some((order.scan, order.model.1.clone(), subject));
        self.send_style(&order, subject, Some(sent));
    }

    fn send_style(&mut self, order: &StyleOrder, subject: u64, sent: Option<Box<StyleSubject>>) {
        let Some(engine) = &mut self.engine else { return self.forget_style() };
        self.style.job = Some(engine.submit(Request::Style(StyleRequest {
            subject,
            sent,
            world_mm: order.world_mm.to_array(),
            style: order.style,
            device: DeviceChoice::Auto,
        })));
    }

    /// Takes an event that is about a style, and gives back every other one.
    pub(super) fn take_style_event(&mut self, event: Event) -> Option<Event> {
        if self.style.job.is_none() || event.job() != self.style.job {
            return Some(event);
        }
        match event {
            Event::StyledSlice { style, synthetic, .. } => {
                let scan = self.state.style.on_its_way().map(|order| order.scan);
                // One network slice: unpacked in less time than it takes to draw it.
                match scan.map(|scan| StyledSlice::of(scan, style, &synthetic)) {
                    Some(Ok(slice)) => self.state.style.answer(slice),
                    Some(Err(error)) => {
                        self.state.style.fail();
                        self.fail(in_full(&error));
                    }
                    None => {}
                }
                self.style.job = None;
                self.ask_for_style();
            }
            Event::Failed { error, .. } => {
                self.forget_style();
                self.job_failed(&error);
            }
            Event::Cancelled { .. } => self.forget_style(),
            _ => {}
        }
        None
    }

    /// The engine is gone or has failed: it has nothing any more, and nothing is on its way.
    pub(super) fn forget_style(&mut self) {
        self.style = StyleLink::default();
        self.state.style.fail();
    }
}
