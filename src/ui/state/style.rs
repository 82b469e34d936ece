//! The style slider: what is wanted, what is on its way to the engine and back, and which slice is shown.
//!
//! Invariant: at most one request is on its way, and only the newest wish waits behind it, so that dragging never builds a
//! queue. A slice is shown where it lies and nowhere else.

use super::State;
use crate::session::{Role, ScanId, StyledSlice};
use crate::ui::views::link::crosshair_in;
use glam::DVec3;

/// One slice of the source in one style.
#[derive(Debug, Clone, PartialEq)]
pub struct StyleOrder {
    pub scan: ScanId,
    /// The model's id or folder, and the hash of its weights.
    pub model: (String, String),
    /// Whose slice is wanted, mm in the source's world.
    pub world_mm: DVec3,
    /// 0: the source's own style. Never 1, which is the ordinary synthetic image.
    pub style: f32,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct StyleSlider {
    wanted: Option<StyleOrder>,
    on_its_way: Option<StyleOrder>,
    answered: Option<StyleOrder>,
    shown: Option<StyledSlice>,
}

impl StyleSlider {
    /// Asks for a slice in place of whatever was wanted before.
    pub fn want(&mut self, order: StyleOrder) {
        self.wanted = Some(order);
    }

    /// Nothing but the ordinary synthetic image is wanted.
    pub fn forget(&mut self) {
        (self.wanted, self.answered, self.shown) = (None, None, None);
    }

    /// The request that was on its way will not be answered, and it is not tried again by itself: what is shown stays.
    pub fn fail(&mut self) {
        self.on_its_way = None;
        self.wanted.clone_from(&self.answered);
    }

    /// What is to be sent now, if anything; it is on its way from here on.
    pub fn send_next(&mut self) -> Option<StyleOrder> {
        if self.on_its_way.is_some() || self.wanted == self.answered {
            return None;
        }
        self.on_its_way.clone_from(&self.wanted);
        self.wanted.clone()
    }

    /// The newest wish in place of the one on its way, which has not been sent after all; `None` where there is none left.
    pub fn renew(&mut self) -> Option<StyleOrder> {
        self.on_its_way = None;
        self.send_next()
    }

    /// What is on its way.
    pub fn on_its_way(&self) -> Option<&StyleOrder> {
        self.on_its_way.as_ref()
    }

    /// Takes the answer to the request that was on its way; it is shown unless nothing is wanted any more.
    pub fn answer(&mut self, slice: StyledSlice) {
        let answered = self.on_its_way.take();
        if self.wanted.is_some() {
            (self.answered, self.shown) = (answered, Some(slice));
        }
    }

    /// Whether anything is still to come.
    pub fn is_busy(&self) -> bool {
        self.on_its_way.is_some()
    }

    /// The slice to show at a place of a scan.
    pub fn slice_at(&self, scan: ScanId, world_mm: DVec3) -> Option<&StyledSlice> {
        self.shown.as_ref().filter(|slice| slice.scan == scan && slice.shows(world_mm))
    }

    /// Where the slider stands for the slice at a place of a scan.
    pub fn style_at(&self, scan: ScanId, world_mm: DVec3) -> f32 {
        let wanted = self.wanted.as_ref().filter(|order| order.scan == scan);
        let here = wanted.filter(|order| {
            let shown = self.shown.as_ref().filter(|slice| slice.shows(order.world_mm));
            order.world_mm == world_mm || shown.is_some_and(|slice| slice.shows(world_mm))
        });
        here.map_or(1.0, |order| order.style)
    }
}

impl State {
    /// Why nothing more can be made of the synthetic image, or found out about it; `None` when it can.
    pub fn synthesis_obstacle(&self) -> Option<&'static str> {
        let synthesis = self.study.synthesis().filter(|synthesis| synthesis.whole);
        let Some(made_by) = synthesis.and_then(|synthesis| synthesis.origin.as_ref()) else {
            return Some("There is no finished synthetic image yet: F5 makes one");
        };
        match self.card() {
            Some(card) if card.weights_sha256 == made_by.card.weights_sha256 => None,
            _ => Some("Choose the model that made this synthetic image"),
        }
    }

    /// Where the slider stands for the slice in view.
    pub fn style_in_view(&self) -> f32 {
        let crosshair = crosshair_in(&self.study, self.view.crosshair, Role::Source);
        match self.study.scan(Role::Source).zip(crosshair) {
            Some((scan, world_mm)) => self.style.style_at(scan.id, world_mm),
            None => 1.0,
        }
    }

    /// The slice in view in some style; `None` where it cannot be made, or where the ordinary image is what is asked for.
    pub fn style_order(&self, style: f32) -> Option<StyleOrder> {
        if style >= 1.0 || self.synthesis_obstacle().is_some() {
            return None;
        }
        let model = self.models.get(self.model?)?;
        Some(StyleOrder {
            scan: self.study.scan(Role::Source)?.id,
            model: (model.locator.clone(), model.card.weights_sha256.clone()),
            world_mm: crosshair_in(&self.study, self.view.crosshair, Role::Source)?,
            style: style.max(0.0),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::volume::{Geometry, Volume};
    use std::sync::Arc;

    fn order(scan: ScanId, slice: f64, style: f32) -> StyleOrder {
        let model = ("model".to_owned(), "hash".to_owned());
        StyleOrder { scan, model, world_mm: DVec3::new(1.0, 1.0, slice), style }
    }

    fn slice(order: &StyleOrder) -> StyledSlice {
        let grid = Geometry::axis_aligned([4, 4, 1], [1.0; 3], [0.0, 0.0, order.world_mm.z]).unwrap();
        let image = Arc::new(Volume::from_fn(grid, |_, _, _| order.style));
        StyledSlice { scan: order.scan, style: order.style, image }
    }

    #[test]
    fn while_one_request_is_on_its_way_only_the_newest_wish_waits_behind_it() {
        let scan = ScanId::next();
        let mut slider = StyleSlider::default();
        slider.want(order(scan, 3.0, 0.9));
        let first = slider.send_next().unwrap();
        for style in [0.8, 0.7, 0.6, 0.5] {
            slider.want(order(scan, 3.0, style));
            assert_eq!(slider.send_next(), None, "two requests at once");
        }
        slider.answer(slice(&first));
        assert_eq!(slider.slice_at(scan, first.world_mm).unwrap().style, 0.9, "shown while the next is made");
        let second = slider.send_next().unwrap();
        assert_eq!(second.style, 0.5);
        slider.answer(slice(&second));
        assert_eq!(slider.send_next(), None, "asked twice for the same");
        assert!(!slider.is_busy());
    }

    #[test]
    fn a_slice_in_another_style_is_shown_where_it_lies_and_the_slider_says_1_elsewhere() {
        let (scan, other) = (ScanId::next(), ScanId::next());
        let mut slider = StyleSlider::default();
        slider.want(order(scan, 3.0, 0.25));
        let sent = slider.send_next().unwrap();
        assert_eq!(slider.style_at(scan, sent.world_mm), 0.25, "the slider jumps back while it is dragged");
        slider.answer(slice(&sent));
        let [here, next] = [DVec3::new(3.0, 0.0, 3.2), DVec3::new(1.0, 1.0, 4.0)];
        assert_eq!((slider.style_at(scan, here), slider.slice_at(scan, here).is_some()), (0.25, true));
        assert_eq!((slider.style_at(scan, next), slider.slice_at(scan, next).is_some()), (1.0, false));
        assert!(slider.slice_at(other, here).is_none());
    }

    #[test]
    fn an_answer_that_comes_after_the_slider_went_back_to_1_is_not_shown() {
        let scan = ScanId::next();
        let mut slider = StyleSlider::default();
        slider.want(order(scan, 3.0, 0.25));
        let sent = slider.send_next().unwrap();
        slider.forget();
        slider.answer(slice(&sent));
        assert!(slider.slice_at(scan, sent.world_mm).is_none());
        assert_eq!((slider.style_at(scan, sent.world_mm), slider.send_next()), (1.0, None));
    }
}
