//! Going on with less when a device gives out: fewer images at a time, then the CPU.
//!
//! A job hands its slices to a [`Worker`], which tries, steps down when the device fails, and tries the same slices
//! again; so a result is whole or there is none, and what it was computed with changes it by rounding only. Everything
//! that touches the device happens inside the attempt, copying results back included: CUDA reports late.

use super::Networks;
use super::infer::InferError;
use std::any::Any;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use tch::Device;

/// What a failure says of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It would work with less.
    OutOfMemory,
    /// Nothing computed on it in this process can be trusted any more.
    DeviceLost,
}

/// Makes the networks again on another device.
pub type Rebuild<'a> = &'a mut dyn FnMut(Device) -> Result<Rc<Networks>, InferError>;

/// Computes slices on a device for as long as that works.
pub struct Worker<'a> {
    networks: Rc<Networks>,
    device: Device,
    /// Images, that is views of slices, that are computed at a time.
    images: usize,
    image_pixels: usize,
    rebuild: Rebuild<'a>,
    /// Why less than was asked for was used, told once.
    note: Option<String>,
    lost: Option<String>,
}

/// Pixels that are computed at a time. On a CPU a few small images share the cost of arranging the weights, and a large
/// one is best alone; a GPU wants work for all of its cores.
const CPU_PIXELS: usize = 3 * 128 * 96;
const CUDA_PIXELS: usize = 64 * 256 * 256;

impl<'a> Worker<'a> {
    /// A worker for slices of `image_pixels` that starts with networks on `device`.
    pub fn new(networks: Rc<Networks>, device: Device, image_pixels: usize, rebuild: Rebuild<'a>) -> Self {
        let images = Worker::images(device, image_pixels);
        Self { networks, device, images, image_pixels, rebuild, note: None, lost: None }
    }

    /// Does `work` for the first slices of `wanted`, as many as the device takes at a time with that many views of each.
    /// Returns the slices done. `work` is told how many images to compute at a time, for slices with more views than that.
    pub fn attempt<T>(
        &mut self,
        wanted: Range<usize>,
        views: usize,
        mut work: impl FnMut(&Networks, Range<usize>, usize) -> Result<T, InferError>,
    ) -> Result<(Range<usize>, T), InferError> {
        loop {
            let count = (self.images / views).clamp(1, wanted.len());
            let slices = wanted.start..wanted.start + count;
            match caught(|| work(&self.networks, slices.clone(), self.images)) {
                Ok(found) => return Ok((slices, found)),
                Err(error) => self.step_down(error)?,
            }
        }
    }

    /// Images of a size that a device takes at a time.
    pub fn images(device: Device, image_pixels: usize) -> usize {
        let pixels = if device == Device::Cpu { CPU_PIXELS } else { CUDA_PIXELS };
        (pixels / image_pixels.max(1)).max(1)
    }

    /// Where the slices were computed last.
    pub fn device(&self) -> Device {
        self.device
    }

    /// What the user is to be told of it.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Why the GPU must not be used again in this process.
    pub fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }

    /// Settles for less, or gives the error back where there is nothing less.
    fn step_down(&mut self, error: InferError) -> Result<(), InferError> {
        let text = error.to_string();
        match trouble_in(&text) {
            Some(Trouble::OutOfMemory) if self.images > 1 => {
                self.images /= 2;
                let (images, one) = (self.images, if self.images == 1 { "image" } else { "images" });
                self.note = Some(format!(
                    "Memory ran out on {}: {images} {one} at a time were computed.",
                    name_of(self.device)
                ));
                tracing::warn!("{text}; going on with {images} images at a time");
                Ok(())
            }
            Some(trouble) if self.device != Device::Cpu => {
                tracing::warn!("{text}; going on with the CPU");
                self.note = Some(match trouble {
                    Trouble::OutOfMemory => {
                        "The GPU's memory is too small even for one image: the CPU was used.".to_owned()
                    }
                    Trouble::DeviceLost => {
                        "The GPU failed: the CPU is used until the engine is restarted.".to_owned()
                    }
                });
                if trouble == Trouble::DeviceLost {
                    self.lost = Some(first_line(&text).to_owned());
                }
                self.networks = (self.rebuild)(Device::Cpu)?;
                self.device = Device::Cpu;
                self.images = Worker::images(Device::Cpu, self.image_pixels);
                Ok(())
            }
            _ => Err(error),
        }
    }
}

/// Runs something that may fail as libtorch does: with an error, or with a panic where the wrapper unwraps one. A panic
/// that is not about a device goes on.
pub fn caught<T, E: From<InferError>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| match text_of(panic.as_ref()) {
        Some(text) if trouble_in(&text).is_some() => Err(InferError::Device(text).into()),
        _ => resume_unwind(panic),
    })
}

/// Reads what libtorch's message says of the device; `None` where it is about something else.
pub fn trouble_in(text: &str) -> Option<Trouble> {
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    // Running out of memory is reported as an error of CUDA too, so it is looked for first.
    if says(&["out of memory", "can't allocate memory", "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED"]) {
        return Some(Trouble::OutOfMemory);
    }
    let lost = ["CUDA error", "device-side assert", "cuDNN error", "CUDNN_STATUS", "CUBLAS_STATUS"];
    says(&lost).then_some(Trouble::DeviceLost)
}

fn name_of(device: Device) -> &'static str {
    if device == Device::Cpu { "the CPU" } else { "the GPU" }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or(text)
}

fn text_of(panic: &(dyn Any + Send)) -> Option<String> {
    panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::infer::{SegmentOptions, reduced};
    use super::super::tests::networks;
    use super::*;
    use crate::model::verdict::RefineRule;
    use crate::model::views::Views;
    use mindgap::config::{GapMode, MaskUse};
    use mindgap::volume::{Geometry, Task, Volume};

    const PIXELS: usize = 48 * 64;
    const OUT_OF_MEMORY: &str = "CUDA out of memory. Tried to allocate 2.00 GiB";
    const ASSERT: &str =
        "CUDA error: device-side assert triggered\nCUDA kernel errors might be reported later";

    /// What the networks are on, and how often they were made again.
    struct Rebuilt(Vec<Device>);

    impl Rebuilt {
        fn with<T>(&mut self, device: Device, images: usize, run: impl FnOnce(&mut Worker) -> T) -> T {
            let mut rebuild = |device| {
                self.0.push(device);
                Ok(Rc::new(networks()))
            };
            // The networks stay on the CPU: what is tested is who is asked for what.
            let mut worker = Worker::new(Rc::new(networks()), device, PIXELS, &mut rebuild);
            worker.images = images;
            run(&mut worker)
        }
    }

    #[test]
    fn memory_that_runs_out_halves_the_images_until_they_fit_and_is_told_once() {
        let mut rebuilt = Rebuilt(Vec::new());
        let mut tried = Vec::new();
        rebuilt.with(Device::Cuda(0), 8, |worker| {
            let mut work = |_: &Networks, slices: Range<usize>, _| {
                tried.push(slices.len());
                if slices.len() > 2 { Err(InferError::Device(OUT_OF_MEMORY.to_owned())) } else { Ok(()) }
            };
            assert_eq!(worker.attempt(0..20, 1, &mut work).unwrap().0, 0..2);
            assert_eq!(worker.attempt(2..20, 1, &mut work).unwrap().0, 2..4);
            assert_eq!(worker.device(), Device::Cuda(0));
            assert_eq!(
                worker.note().unwrap(),
                "Memory ran out on the GPU: 2 images at a time were computed."
            );
            assert_eq!(worker.lost(), None);
        });
        assert_eq!((tried, rebuilt.0), (vec![8, 4, 2, 2], vec![]));
    }

    #[test]
    fn a_result_that_took_smaller_batches_and_the_cpu_is_the_one_of_a_run_without_trouble() {
        let grid = Geometry::axis_aligned([64, 48, 9], [3.0; 3], [0.0; 3]).unwrap();
        let volume = Volume::from_fn(grid, |i, j, k| ((i * 7 + j * 5 + k * 11) % 23) as f32 / 23.0);
        let options = SegmentOptions {
            task: Task::Abdomen,
            gap_mode: GapMode::Feature,
            mask: MaskUse::Everywhere,
            views: Views::One,
            refine: RefineRule::Never,
        };
        // By how many slices the first, second, ... attempt may have; 0 is a lost device.
        let run = |limits: &[usize]| {
            let mut limits = limits.iter();
            let (mut done, mut labels, mut uncertainty) = (0, Vec::new(), Vec::new());
            Rebuilt(Vec::new()).with(Device::Cuda(0), 4, |worker| {
                while done < 9 {
                    let work = |networks: &Networks, slices: Range<usize>, images| match limits.next() {
                        Some(0) => Err(InferError::Device(ASSERT.to_owned())),
                        Some(most) if slices.len() > *most => panic!("{OUT_OF_MEMORY}"),
                        _ => reduced(networks, &volume, slices, options, images),
                    };
                    let (slices, found) = worker.attempt(done..9, 1, work).unwrap();
                    done = slices.end;
                    labels.extend(found.labels);
                    uncertainty.extend(found.uncertainty);
                }
            });
            (labels, uncertainty)
        };
        let (labels, uncertainty) = run(&[]);
        let (stepped_labels, stepped_uncertainty) = run(&[2, 2, 1, 1, 0]);
        let differing = labels.iter().zip(&stepped_labels).filter(|(a, b)| a != b).count();
        assert!(labels.len() == stepped_labels.len() && differing * 1000 <= labels.len(), "{differing}");
        let far =
            uncertainty.iter().zip(&stepped_uncertainty).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far < 1e-3, "{far}");
    }

    #[test]
    fn a_gpu_too_small_for_one_image_leaves_the_job_to_the_cpu() {
        let mut rebuilt = Rebuilt(Vec::new());
        rebuilt.with(Device::Cuda(0), 2, |worker| {
            let mut failures = 2;
            let work = |_: &Networks, slices: Range<usize>, _| {
                failures -= 1;
                if failures >= 0 { panic!("{OUT_OF_MEMORY}") } else { Ok(slices.len()) }
            };
            let (slices, _) = worker.attempt(5..6, 1, work).unwrap();
            assert_eq!((slices, worker.device()), (5..6, Device::Cpu));
            assert!(worker.note().unwrap().contains("the CPU was used"), "{:?}", worker.note());
            assert_eq!(worker.lost(), None, "the next job may try the GPU again");
        });
        assert_eq!(rebuilt.0, [Device::Cpu]);
    }

    #[test]
    fn a_gpu_that_fails_is_left_for_the_cpu_at_once_and_for_good() {
        let mut rebuilt = Rebuilt(Vec::new());
        rebuilt.with(Device::Cuda(0), 8, |worker| {
            let mut first = true;
            let work = |_: &Networks, _: Range<usize>, _| {
                let failed = std::mem::take(&mut first);
                if failed { Err(InferError::Device(ASSERT.to_owned())) } else { Ok(()) }
            };
            worker.attempt(0..3, 1, work).unwrap();
            assert_eq!(worker.device(), Device::Cpu);
            assert_eq!(worker.lost(), Some("CUDA error: device-side assert triggered"));
        });
        assert_eq!(rebuilt.0, [Device::Cpu]);
    }

    #[test]
    fn what_no_smaller_batch_can_mend_is_an_error_and_other_panics_go_on() {
        let mut rebuilt = Rebuilt(Vec::new());
        rebuilt.with(Device::Cpu, 1, |worker| {
            let full = |_: &Networks, _: Range<usize>, _| -> Result<(), _> {
                Err(InferError::Device("DefaultCPUAllocator: can't allocate memory".to_owned()))
            };
            assert!(matches!(worker.attempt(0..1, 1, full), Err(InferError::Device(_))));
            let nan = |_: &Networks, _: Range<usize>, _| -> Result<(), _> { Err(InferError::NotFinite) };
            assert!(matches!(worker.attempt(0..1, 1, nan), Err(InferError::NotFinite)));
            let slip = |_: &Networks, _: Range<usize>, _| -> Result<(), InferError> { panic!("slipped") };
            let outcome = catch_unwind(AssertUnwindSafe(|| worker.attempt(0..1, 1, slip)));
            assert!(outcome.is_err(), "a bug must not pass for a full device");
        });
        assert_eq!(rebuilt.0, []);
    }

    #[test]
    fn slices_with_many_views_go_one_by_one_and_large_ones_too() {
        assert_eq!(Worker::images(Device::Cpu, 128 * 96), 3);
        assert_eq!(Worker::images(Device::Cpu, 512 * 512), 1);
        assert!(Worker::images(Device::Cuda(0), 256 * 256) >= 32);
        Rebuilt(Vec::new()).with(Device::Cpu, 5, |worker| {
            let (slices, images) = worker.attempt(0..9, 5, |_, _, images| Ok(images)).unwrap();
            assert_eq!((slices, images), (0..1, 5));
        });
    }
}
