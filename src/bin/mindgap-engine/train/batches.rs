//! Training batches, made on threads of their own while the networks work on the last one.
//!
//! Every batch is drawn from a generator seeded with (seed, phase, step): the order in which they are made, and whether
//! a run was interrupted, changes nothing.

use super::data::TrainData;
use super::schedule::Phase;
use mindgap::config::Plane;
use mindgap::config::train::TrainConfig;
use mindgap::dataset::case::{Case, CurvedPlane, GeometryRange, Sample};
use mindgap::dataset::contrast::Palette;
use mindgap::dataset::phantom::Tissue;
use mindgap::dataset::{contrast, degrade, short_axis};
use mindgap::volume::{Modality, Task, Volume};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Scope;

/// Plain pixels of one step; every image is `size[0]` x `size[1]`.
#[derive(Debug, Default)]
pub struct Batch {
    pub size: [usize; 2],
    /// Real source images for the style transfer; the first ones of them are to be translated in the adaptation.
    pub source: Vec<Vec<f32>>,
    pub source_labels: Vec<Vec<u8>>,
    /// Real, restyled, sketched and painted labelled images, in this order; `kinds` says which is which.
    pub labelled: Vec<Vec<f32>>,
    pub labels: Vec<Vec<u8>>,
    pub kinds: Vec<Kind>,
    /// Target images; in self-training with labels of the net's own.
    pub target: Vec<Vec<f32>>,
    pub pseudo_labels: Vec<Vec<u8>>,
    /// For each slice that stands for the source before the critic, the translated ones or, where there are none, the real
    /// ones: another contrast for every class, used where the local feature mask asks for one.
    pub repaints: Vec<Vec<Repaint>>,
}

/// Where a labelled image has its intensities from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Real,
    Restyled,
    Sketched,
    Painted,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Real, Self::Restyled, Self::Sketched, Self::Painted];
}

/// What becomes of one class's intensities in one slice, and how readily.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Repaint {
    /// In 0..1: done where the class's gap exceeds it.
    pub reluctance: f32,
    pub gain: f32,
    pub shift: f32,
}

impl Repaint {
    fn draw(rng: &mut impl Rng) -> Self {
        let log_gain: f32 = rng.random_range(-0.5..0.5);
        Self { reluctance: rng.random(), gain: log_gain.exp(), shift: rng.random_range(-0.6..0.6) }
    }
}

impl Batch {
    /// The first 1/`parts` of each kind of slice, at least one where there are any.
    pub fn first_share(&self, parts: usize) -> Self {
        fn first<T: Clone>(all: &[T], parts: usize) -> Vec<T> {
            all[..all.len().div_ceil(parts)].to_vec()
        }
        let kept: Vec<usize> = Kind::ALL
            .into_iter()
            .flat_map(|kind| {
                let of_kind: Vec<usize> = (0..self.kinds.len()).filter(|&n| self.kinds[n] == kind).collect();
                first(&of_kind, parts)
            })
            .collect();
        Self {
            size: self.size,
            source: first(&self.source, parts),
            source_labels: first(&self.source_labels, parts),
            labelled: kept.iter().map(|&n| self.labelled[n].clone()).collect(),
            labels: kept.iter().map(|&n| self.labels[n].clone()).collect(),
            kinds: kept.iter().map(|&n| self.kinds[n]).collect(),
            target: first(&self.target, parts),
            pseudo_labels: first(&self.pseudo_labels, parts),
            repaints: first(&self.repaints, parts),
        }
    }

    /// Slices of the most frequent kind.
    pub fn largest(&self) -> usize {
        let labelled = Kind::ALL.map(|kind| self.of_kind(kind)).into_iter().max().unwrap_or(0);
        self.source.len().max(labelled).max(self.target.len())
    }

    /// How many of the labelled images are of a kind.
    pub fn of_kind(&self, kind: Kind) -> usize {
        self.kinds.iter().filter(|found| **found == kind).count()
    }

    fn add_labelled(&mut self, kind: Kind, image: Vec<f32>, labels: Vec<u8>) {
        self.labelled.push(image);
        self.labels.push(labels);
        self.kinds.push(kind);
    }
}

/// The net's own refined labels of the target scans, by case.
pub type PseudoLabels = Arc<Vec<Volume<u8>>>;

/// Batches made ahead of the networks, by each of the threads that make them.
const AHEAD: usize = 3;

/// The batches of a phase, one a step.
pub struct Batches {
    /// One of each producer; step n is the turn of producer n.
    producers: Vec<Receiver<Batch>>,
    turn: usize,
}

impl Batches {
    /// The next step's batch; `None` if its producer is gone.
    pub fn next(&mut self) -> Option<Batch> {
        let turn = self.turn;
        self.turn = (turn + 1) % self.producers.len();
        self.producers[turn].recv().ok()
    }
}

/// Starts `threads` producers, which take turns: what each step sees does not depend on how many they are.
pub fn produce<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    threads: usize,
    phase: Phase,
    (config, data): (&'env TrainConfig, &'env TrainData),
    steps: Range<u64>,
    pseudo_labels: &PseudoLabels,
) -> Batches {
    let threads = threads.max(1);
    let produce_every = |first: u64| {
        let (sender, receiver) = sync_channel(AHEAD);
        let (steps, pseudo_labels) = (first..steps.end, pseudo_labels.clone());
        scope.spawn(move || {
            for step in steps.step_by(threads) {
                let batch = draw(phase, config, data, step, &pseudo_labels);
                // The receiver is gone when the phase was cancelled.
                if sender.send(batch).is_err() {
                    return;
                }
            }
        });
        receiver
    };
    Batches { producers: (0..threads as u64).map(|n| produce_every(steps.start + n)).collect(), turn: 0 }
}

fn draw(phase: Phase, config: &TrainConfig, data: &TrainData, step: u64, pseudo: &PseudoLabels) -> Batch {
    let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
    rng.set_stream(phase.index() << 40 | step);
    let mut artist =
        Artist { rng, config, data, batch: Batch { size: config.preprocessing.size, ..Batch::default() } };
    match phase {
        Phase::Translate => {
            for _ in 0..config.translation.batch {
                artist.add_pair();
            }
        }
        Phase::Warm => {
            for _ in 0..config.segmentation.warm_batch {
                artist.add_real();
            }
        }
        Phase::Adapt | Phase::SelfTrain(_) => {
            let s = &config.segmentation;
            (0..s.translated).for_each(|_| artist.add_source(Bend::Strong));
            (0..s.real).for_each(|_| artist.add_real());
            (0..s.restyled).for_each(|_| artist.add_restyled());
            (0..s.sketched).for_each(|_| artist.add_sketched());
            (s.batch - s.painted()..s.batch).for_each(|_| artist.add_painted());
            let classes = config.network.classes;
            let aligned = if s.translated > 0 { s.translated } else { s.real };
            let repaint = |_| (0..classes).map(|_| Repaint::draw(&mut artist.rng)).collect();
            artist.batch.repaints = (0..aligned).map(repaint).collect();
            match phase {
                Phase::SelfTrain(_) => {
                    (0..config.self_training.target_batch).for_each(|_| artist.add_pseudo(pseudo))
                }
                _ => (0..s.target_batch).for_each(|_| artist.add_target(true)),
            }
        }
    }
    artist.batch
}

/// Share of the hearts that get trabeculae.
const TRABECULATED: f64 = 0.6;

/// Draws in search of a slice with contrast, at most.
const MOST_DRAWS: usize = 16;

/// Whether intensities, in 0..1, differ by more than noise.
fn has_contrast(image: &[f32]) -> bool {
    let (low, high) = image.iter().fold((f32::MAX, f32::MIN), |(low, high), v| (low.min(*v), high.max(*v)));
    high - low > 0.02
}

/// How strongly slices are bent.
#[derive(Debug, Clone, Copy)]
enum Bend {
    /// Labelled ones, so that many shapes are learned from few.
    Strong,
    /// Those whose own shapes are to be learned.
    Mild,
}

/// Draws samples into one batch.
struct Artist<'a> {
    rng: ChaCha8Rng,
    config: &'a TrainConfig,
    data: &'a TrainData,
    batch: Batch,
}

impl<'a> Artist<'a> {
    fn range(&self, case: &Case, bend: Bend) -> GeometryRange {
        let any_way_up =
            case.image.geometry().slices_are_oblique() && self.config.preprocessing.plane != Plane::Upright;
        let range = match bend {
            Bend::Strong => GeometryRange::source(self.config.task, any_way_up),
            Bend::Mild => GeometryRange::target(self.config.task, any_way_up),
        };
        match self.config.segmentation.rotation_deg {
            Some(degrees) => GeometryRange { rotation: degrees.to_radians(), ..range },
            None => range,
        }
    }

    /// A source and a target slice for the style transfer. One without contrast, of air alone, has no style; a generator that
    /// normalises each channel would make of it gradients beyond all bounds.
    fn add_pair(&mut self) {
        let source = self.draw_until_contrast(|artist| artist.source_sample(Bend::Mild).image);
        let target = self.draw_until_contrast(Self::target_image);
        self.batch.source.push(source);
        self.batch.target.push(target);
    }

    fn draw_until_contrast(&mut self, mut draw: impl FnMut(&mut Self) -> Vec<f32>) -> Vec<f32> {
        let mut image = draw(self);
        for _ in 1..MOST_DRAWS {
            if has_contrast(&image) {
                break;
            }
            image = draw(self);
        }
        image
    }

    fn add_source(&mut self, bend: Bend) {
        let sample = self.source_sample(bend);
        self.batch.source.push(sample.image);
        self.batch.source_labels.push(sample.labels);
    }

    fn add_real(&mut self) {
        let mut sample = self.source_sample(Bend::Strong);
        degrade::perturb(&mut self.rng, &mut sample.image);
        self.batch.add_labelled(Kind::Real, sample.image, sample.labels);
    }

    fn add_restyled(&mut self) {
        let sample = self.source_sample(Bend::Strong);
        let size = self.batch.size;
        let references: Vec<Vec<f32>> = (0..2).map(|_| self.target_image()).collect();
        let mut image = contrast::restyle(&mut self.rng, &sample, &references);
        degrade::degrade(&mut self.rng, &mut image, size);
        self.dim_some(&mut image);
        self.batch.add_labelled(Kind::Restyled, image, sample.labels);
    }

    fn add_painted(&mut self) {
        let mut sample = self.source_sample(Bend::Strong);
        contrast::vary_anatomy(&mut self.rng, &mut sample, self.batch.size);
        self.add_tissues(Kind::Painted, &sample.tissues, sample.labels);
    }

    fn add_sketched(&mut self) {
        let pixel_mm = self.config.preprocessing.spacing_mm[0] as f32;
        let upright = self.config.preprocessing.plane == Plane::Upright;
        let tissues = short_axis::sketch(&mut self.rng, self.batch.size, pixel_mm, upright);
        let labels = tissues.iter().map(|&t| Tissue::from_value(t).label(Task::Cardiac) as u8).collect();
        self.add_tissues(Kind::Sketched, &tissues, labels);
    }

    /// A tissue map in a contrast made up for it.
    fn add_tissues(&mut self, kind: Kind, tissues: &[u8], labels: Vec<u8>) {
        let size = self.batch.size;
        let (task, target) = (self.config.task, self.config.target);
        let palette = match self.rng.random::<f32>() {
            one_in_four if one_in_four < 0.25 || task != Task::Cardiac => Palette::any(&mut self.rng),
            some_ct if some_ct < 0.65 && target == Modality::Ct => Palette::unenhanced(&mut self.rng),
            _ => Palette::bright_blood(&mut self.rng),
        };
        let mut image = contrast::paint(&mut self.rng, tissues, size, &palette);
        degrade::degrade(&mut self.rng, &mut image, size);
        self.dim_some(&mut image);
        self.batch.add_labelled(kind, image, labels);
    }

    /// Where none are dimmed nothing is drawn for it, so that trainings of earlier versions come out as they did.
    fn dim_some(&mut self, image: &mut [f32]) {
        let dimmed = self.config.segmentation.dimmed;
        if dimmed > 0.0 && self.rng.random_bool(dimmed) {
            degrade::dim(&mut self.rng, image);
        }
    }

    fn add_target(&mut self, perturbed: bool) {
        let mut image = self.target_image();
        if perturbed {
            degrade::perturb(&mut self.rng, &mut image);
        }
        self.batch.target.push(image);
    }

    /// A slice of a target scan with the net's own labels of it.
    fn add_pseudo(&mut self, pseudo: &PseudoLabels) {
        let index = self.rng.random_range(0..pseudo.len());
        let case = &self.data.target[index];
        let plane = self.plane_through(case, Bend::Mild, None);
        let mut image = plane.linear(&case.image);
        if self.rng.random_bool(0.5) {
            image = contrast::recolour(&mut self.rng, &image);
        }
        degrade::perturb(&mut self.rng, &mut image);
        self.batch.target.push(image);
        self.batch.pseudo_labels.push(plane.nearest(&pseudo[index]));
    }

    fn target_image(&mut self) -> Vec<f32> {
        let index = self.pick(self.data.target.len(), self.data.target_scans);
        let case = &self.data.target[index];
        self.plane_through(case, Bend::Mild, None).linear(&case.image)
    }

    fn source_sample(&mut self, bend: Bend) -> Sample {
        let index = self.pick(self.data.source.len(), self.data.source_scans);
        let case = &self.data.source[index];
        let range_of_slices = case.annotation.as_ref().map(|annotation| annotation.labelled_slices);
        let plane = self.plane_through(case, bend, range_of_slices);
        let (tissues, labels) = match &case.annotation {
            Some(annotation) => (plane.nearest(&annotation.tissues), plane.nearest(&annotation.labels)),
            None => (Vec::new(), Vec::new()),
        };
        let mut sample = Sample { image: plane.linear(&case.image), tissues, labels };
        if self.config.task == Task::Cardiac && self.rng.random_bool(TRABECULATED) {
            let pixel_mm = self.config.preprocessing.spacing_mm[0] as f32;
            contrast::trabeculate(&mut self.rng, &mut sample, self.batch.size, pixel_mm);
        }
        sample
    }

    /// Scans come first among the cases and are drawn with the configured share.
    fn pick(&mut self, cases: usize, scans: usize) -> usize {
        let from_scans =
            scans == cases || (scans > 0 && self.rng.random_bool(self.config.segmentation.scan_share));
        if from_scans { self.rng.random_range(0..scans) } else { self.rng.random_range(scans..cases) }
    }

    /// Around a slice of the labelled range, a little beyond it, and one time in eight anywhere.
    fn plane_through(&mut self, case: &Case, bend: Bend, labelled: Option<[usize; 2]>) -> CurvedPlane {
        let dims = case.image.dims();
        let last = (dims[2] - 1) as f32;
        let slice = match labelled {
            Some([first, end]) if !self.rng.random_bool(0.125) => {
                self.rng.random_range(first as f32 - 3.0..end as f32 + 3.0).clamp(0.0, last)
            }
            _ => self.rng.random_range(0.0..=last),
        };
        let range = self.range(case, bend);
        CurvedPlane::draw(&mut self.rng, dims, self.batch.size, slice, &range)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::train::{Observer, data};
    use mindgap::config::train::{DataSource, preset_path};
    use std::path::Path;

    struct Nobody;

    impl Observer for Nobody {
        fn progress(&mut self, _: &str, _: u64, _: u64, _: &str) {}

        fn cancelled(&self) -> bool {
            false
        }
    }

    /// The preset with one phantom a side.
    fn small() -> (TrainConfig, TrainData) {
        let text = std::fs::read_to_string(preset_path("abdomen-ct-to-mr").unwrap()).unwrap();
        let mut config = TrainConfig::parse(&text).unwrap();
        for sources in [&mut config.source_data, &mut config.target_data] {
            sources.retain(|source| matches!(source, DataSource::Phantoms(_)));
            for source in sources {
                if let DataSource::Phantoms(phantoms) = source {
                    (phantoms.count, phantoms.spacing_mm) = (1, Some([6.0; 3]));
                }
            }
        }
        let data = data::load(&config, Path::new(""), &mut Nobody).unwrap();
        (config, data)
    }

    #[test]
    fn what_a_step_sees_does_not_depend_on_how_many_threads_make_batches_nor_on_where_a_run_went_on() {
        let (config, data) = small();
        let seen = |threads: usize, steps: Range<u64>| {
            std::thread::scope(|scope| {
                let pseudo = PseudoLabels::default();
                let of = (&config, &data);
                let mut batches = produce(scope, threads, Phase::Adapt, of, steps.clone(), &pseudo);
                let all: Vec<Batch> = steps.map(|_| batches.next().unwrap()).collect();
                assert!(batches.next().is_none(), "no more than the phase's steps");
                all.iter().map(|batch| (batch.labelled.clone(), batch.target.clone())).collect::<Vec<_>>()
            })
        };
        let straight = seen(1, 0..5);
        assert!(straight[0] != straight[1]);
        assert!(seen(3, 0..5) == straight);
        assert!(seen(2, 2..5) == straight[2..]);
    }
}
