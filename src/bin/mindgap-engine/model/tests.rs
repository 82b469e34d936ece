//! The networks keep the promises that inference, training and saved weights rely on.

#![allow(clippy::unwrap_used)]

use super::checkpoint::{self, Precision, WeightsError};
use super::infer::{self, InferError, SegmentOptions};
use super::ladder::Worker;
use super::preprocess::Prepared;
use super::verdict::RefineRule;
use super::views::Views;
use super::{Domain, Networks, amplify, refine, tensor};
use mindgap::config::{Ball, GapMode, MaskUse, Net, NetworkConfig};
use mindgap::volume::{Geometry, Task, Volume};
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use tch::{Device, Kind, Tensor};

/// Networks of a few thousand weights with five classes.
fn network_config() -> NetworkConfig {
    NetworkConfig {
        base_channels: 4,
        level_multiples: vec![2, 2, 2],
        generator_channels: 4,
        residual_blocks: 1,
        critic_channels: 4,
        classes: 5,
        gap_mode: GapMode::Feature,
    }
}

pub(super) fn networks() -> Networks {
    seeded(1, || Networks::new(&network_config(), Device::Cpu))
}

fn noise(size: [i64; 4]) -> Tensor {
    seeded(2, || Tensor::rand(size, (Kind::Float, Device::Cpu)))
}

/// Draws from torch's generator of random numbers, which all threads of the process share: while one test draws, the
/// others wait, or its numbers would depend on theirs.
pub(crate) fn seeded<T>(seed: i64, draw: impl FnOnce() -> T) -> T {
    static DRAWING: Mutex<()> = Mutex::new(());
    let _alone = DRAWING.lock().unwrap_or_else(PoisonError::into_inner);
    tch::manual_seed(seed);
    draw()
}

#[test]
fn an_untrained_critic_leaves_the_features_bit_for_bit_as_they_were() {
    let networks = networks();
    let features = networks.segmenter.encode(&noise([2, 1, 48, 64]));
    let mask = networks.gap.mask(&features.map);
    assert_eq!(mask.size(), [2, 1, 12, 16]);
    assert_eq!(amplify(&features.map, &mask), features.map);
}

#[test]
fn logits_have_one_channel_a_class_at_the_resolution_of_the_image() {
    let networks = networks();
    let features = networks.segmenter.encode(&noise([2, 1, 48, 64]));
    let logits = networks.segmenter.decode(&features.map, &features.skips);
    assert_eq!(logits.size(), [2, 5, 48, 64]);
}

#[test]
fn a_translation_has_the_shape_of_its_image_and_stays_in_range() {
    let networks = networks();
    let signed = noise([1, 1, 48, 64]) * 2.0 - 1.0;
    let translated = networks.generator.translate(&signed, Domain::Source, Domain::Target);
    assert_eq!(translated.size(), signed.size());
    assert!(translated.abs().max().double_value(&[]) <= 1.0);
}

#[test]
fn style_1_is_the_ordinary_translation_bit_for_bit_and_style_0_the_reconstruction() {
    let networks = networks();
    let generator = &networks.generator;
    let signed = noise([2, 1, 48, 64]) * 2.0 - 1.0;
    for from in [Domain::Source, Domain::Target] {
        let to = from.other();
        let at = |share| generator.translate_towards(&signed, from, to, share);
        assert_eq!(at(1.0), generator.translate(&signed, from, to), "{from:?}");
        assert_eq!(at(0.0), generator.translate(&signed, from, from), "{from:?}");
        let far = |a: &Tensor, b: &Tensor| (a - b).abs().max().double_value(&[]);
        let between = at(0.4);
        assert!(far(&between, &at(0.0)) > 1e-5 && far(&between, &at(1.0)) > 1e-5, "{from:?}");
    }
}

#[test]
fn a_slice_that_is_translated_all_the_way_is_what_the_generator_alone_makes_of_it_bit_for_bit() {
    let (networks, slices) = (networks(), prepared().slices);
    let image = tensor::slices_to_tensor(&slices, 2, 1, Device::Cpu).unwrap();
    let signed = infer::to_signed(&image);
    let alone = infer::from_signed(&networks.generator.translate(&signed, Domain::Source, Domain::Target));
    let way = infer::Way::across(Domain::Source);
    let found = infer::translate_slice(&networks, &slices, 2, way).unwrap();
    assert_eq!(found, tensor::values(&alone).unwrap());
    // Beyond the ends there is no style.
    let beyond = infer::Way { style: 1.5, ..way };
    assert_eq!(infer::translate_slice(&networks, &slices, 2, beyond).unwrap(), found);
}

#[test]
fn half_precision_weights_load_into_fresh_networks_and_give_nearly_the_same_answer() {
    let original = networks();
    let variables = original.store.variables();
    let bytes =
        checkpoint::to_bytes(variables.iter().map(|(name, t)| (name.clone(), t)), Precision::Half).unwrap();
    let copy = seeded(99, || Networks::new(&network_config(), Device::Cpu));
    checkpoint::load_into(&copy.store, &checkpoint::from_bytes(&bytes).unwrap()).unwrap();
    let image = noise([1, 1, 48, 64]);
    let answer = |networks: &Networks| {
        let features = networks.segmenter.encode(&image);
        networks.segmenter.decode(&features.map, &features.skips).softmax(1, Kind::Float)
    };
    let difference = (answer(&original) - answer(&copy)).abs().max().double_value(&[]);
    assert!(difference < 0.02, "{difference}");
}

#[test]
fn the_source_only_net_of_a_bundle_takes_the_place_of_the_adapted_one_and_knows_no_mask() {
    let (adapted, before) = (networks(), seeded(5, || Networks::new(&network_config(), Device::Cpu)));
    let named = |networks: &Networks, from: &str, to: &str| -> Vec<(String, Tensor)> {
        let variables = networks.store.variables().into_iter();
        variables.filter_map(|(n, t)| Some((format!("{to}{}", n.strip_prefix(from)?), t))).collect()
    };
    let mut tensors = named(&adapted, "", "");
    tensors.extend(named(&before, "segmenter", checkpoint::SOURCE_ONLY));
    for (_, tensor) in tensors.iter_mut().filter(|(name, _)| name.starts_with("gap.score")) {
        *tensor = seeded(6, || Tensor::rand(tensor.size(), (Kind::Float, Device::Cpu)));
    }
    let bytes = checkpoint::to_bytes(tensors.iter().map(|(n, t)| (n.clone(), t)), Precision::Full).unwrap();
    let image = noise([1, 1, 48, 64]);
    for (net, expected) in [(Net::Adapted, &adapted), (Net::SourceOnly, &before)] {
        let loaded = seeded(7, || Networks::new(&network_config(), Device::Cpu));
        checkpoint::load_bundle(&loaded, checkpoint::from_bytes(&bytes).unwrap(), net).unwrap();
        let features = loaded.segmenter.encode(&image);
        assert_eq!(features.map, expected.segmenter.encode(&image).map, "{net:?}");
        let gap = loaded.gap.mask(&features.map).abs().max().double_value(&[]);
        assert_eq!(gap > 0.0, net == Net::Adapted, "{net:?}: gap {gap}");
    }
    // A damaged source-only net is found even where it is not asked for.
    tensors.retain(|(name, _)| name != "source_only.logits.bias");
    let bytes = checkpoint::to_bytes(tensors.iter().map(|(n, t)| (n.clone(), t)), Precision::Full).unwrap();
    let loaded = checkpoint::from_bytes(&bytes).unwrap();
    assert!(matches!(
        checkpoint::load_bundle(&networks(), loaded, Net::Adapted),
        Err(WeightsError::Mismatch(_))
    ));
}

#[test]
fn weights_that_do_not_fit_are_refused_by_name_and_change_nothing() {
    let target = networks();
    let before = target.store.variables()["segmenter.logits.weight"].copy();
    let mut tensors = checkpoint::from_bytes(
        &checkpoint::to_bytes(
            target.store.variables().iter().map(|(name, t)| (name.clone(), t)),
            Precision::Full,
        )
        .unwrap(),
    )
    .unwrap();
    tensors.remove("segmenter.down.0.0.conv.weight");
    tensors.insert("stranger".to_owned(), Tensor::zeros([1], (Kind::Float, Device::Cpu)));
    let nan = Tensor::full([5], f64::NAN, (Kind::Float, Device::Cpu));
    tensors.insert("segmenter.logits.bias".to_owned(), nan);
    let logits = Tensor::ones([5, 1, 1, 1], (Kind::Float, Device::Cpu));
    tensors.insert("segmenter.logits.weight".to_owned(), logits);
    let error = checkpoint::load_into(&target.store, &tensors).unwrap_err();
    let text = error.to_string();
    for part in [
        "segmenter.down.0.0.conv.weight is missing",
        "stranger is unknown",
        "not finite",
        "logits.weight: expected",
    ] {
        assert!(text.contains(part), "{part} not in: {text}");
    }
    assert_eq!(target.store.variables()["segmenter.logits.weight"], before);
}

#[test]
fn a_pickle_or_truncated_weights_file_is_refused() {
    for bytes in [b"\x80\x02}q\x00.".as_slice(), b"", &[0xff; 64]] {
        assert!(matches!(checkpoint::from_bytes(bytes), Err(WeightsError::Format(_))));
    }
}

/// Seven slices with structure; slices 0 and 4 are air.
fn prepared() -> Prepared {
    let grid = Geometry::axis_aligned([64, 48, 7], [3.0; 3], [0.0; 3]).unwrap();
    let value = |i: usize, j: usize, k: usize| match k {
        0 | 4 => 0.0,
        _ => ((i * 7 + j * 5 + k * 11) % 23) as f32 / 23.0,
    };
    Prepared {
        slices: Volume::from_fn(grid.clone(), value),
        air: 0.05,
        scan_geometry: grid,
        warnings: Vec::new(),
    }
}

fn no_other_device(_: Device) -> Result<Rc<Networks>, InferError> {
    Err(InferError::Shape)
}

fn options(views: Views) -> SegmentOptions {
    SegmentOptions {
        task: Task::Abdomen,
        gap_mode: GapMode::Feature,
        mask: MaskUse::Everywhere,
        views,
        refine: RefineRule::Never,
    }
}

fn segmented(networks: Networks, prepared: &Prepared, views: Views) -> Result<infer::Segmented, InferError> {
    let mut rebuild = no_other_device;
    let mut worker = Worker::new(Rc::new(networks), Device::Cpu, 64 * 48, &mut rebuild);
    let mut counted = Vec::new();
    let mut on_slice = |done: usize, total: usize| {
        counted.push(done);
        assert_eq!(total, 7);
        true
    };
    let mut shown = [false; 7];
    let mut on_batch = |slices: std::ops::Range<usize>, found: infer::Shown| {
        let infer::Shown::Segmented { labels, gap } = found else { panic!("not a segmentation") };
        assert_eq!((labels.len(), gap.len()), (slices.len() * 64 * 48, slices.len() * 64 * 48));
        slices.for_each(|slice| assert!(!std::mem::replace(&mut shown[slice], true), "{slice} twice"));
    };
    let watch = infer::Watch { first: Some(3), on_slice: &mut on_slice, on_batch: &mut on_batch };
    let found = infer::segment(&mut worker, prepared, options(views), watch, &|| true)?;
    // All but the two of air.
    assert_eq!(shown.iter().filter(|slice| **slice).count(), 5);
    assert!(counted.is_sorted() && counted.last() == Some(&7), "{counted:?}");
    Ok(found)
}

#[test]
fn slices_of_air_get_no_label_no_gap_and_no_doubt_and_count_as_done() {
    let prepared = prepared();
    let networks = networks();
    // Without this an untrained critic leaves the gap at nothing everywhere.
    let mut score = networks.store.variables().remove("gap.score.bias").unwrap();
    let _ = tch::no_grad(|| score.fill_(1.0));
    let found = segmented(networks, &prepared, Views::One).unwrap();
    let plane = 64 * 48;
    for slice in 0..7 {
        let voxels = slice * plane..(slice + 1) * plane;
        let air = slice == 0 || slice == 4;
        assert_eq!(found.gap.voxels()[voxels.clone()].iter().all(|&gap| gap == 0.0), air, "{slice}");
        assert_eq!(found.uncertainty.voxels()[voxels.clone()].iter().all(|&u| u == 0.0), air, "{slice}");
        assert!(!air || found.labels.voxels()[voxels].iter().all(|&label| label == 0), "{slice}");
    }
}

#[test]
fn labels_and_doubt_reduced_slice_by_slice_are_those_of_the_probabilities_of_the_whole_volume() {
    for views in [Views::One, Views::Shifted] {
        let prepared = prepared();
        let whole =
            infer::probabilities(&networks(), &prepared.slices, options(views), &mut |_, _| true).unwrap();
        let (labels, entropy) = (refine::argmax(&whole.probabilities), whole.entropy());
        let found = segmented(networks(), &prepared, views).unwrap();
        let plane = 64 * 48;
        for offset in (plane..4 * plane).chain(5 * plane..7 * plane) {
            let (a, b) = (entropy.voxels()[offset], found.uncertainty.voxels()[offset]);
            assert!((a - b).abs() < 1e-4 && (0.0..1.001).contains(&b), "{a} {b}");
        }
        let same = labels.voxels().iter().zip(found.labels.voxels()).filter(|(a, b)| a == b).count();
        // The air that was skipped may have got labels there.
        assert!(same >= 5 * plane * 999 / 1000, "{same}");
    }
}

#[test]
fn the_mask_acts_where_it_is_told_to_and_the_gap_that_is_shown_does_not_change() {
    let prepared = prepared();
    let networks = || {
        let networks = networks();
        // An untrained critic sees no gap anywhere.
        let mut score = networks.store.variables().remove("gap.score.bias").unwrap();
        let _ = tch::no_grad(|| score.fill_(0.4));
        networks
    };
    let run = |mask| {
        let options = SegmentOptions { mask, ..options(Views::One) };
        infer::probabilities(&networks(), &prepared.slices, options, &mut |_, _| true).unwrap()
    };
    let far = |a: &infer::Probabilities, b: &infer::Probabilities| {
        let pairs = a.probabilities.iter().zip(&b.probabilities);
        let each = pairs.flat_map(|(a, b)| a.voxels().iter().zip(b.voxels()).map(|(a, b)| (a - b).abs()));
        each.fold(0.0, f32::max)
    };
    let (on, off) = (run(MaskUse::Everywhere), run(MaskUse::Nowhere));
    assert!(far(&on, &off) > 1e-4);
    assert_eq!(far(&run(MaskUse::From(0.0)), &on), 0.0);
    assert_eq!(far(&run(MaskUse::From(1.0)), &off), 0.0);
    let everything = Ball { centre_mm: [0.0; 3], radius_mm: 1e6 };
    assert_eq!(far(&run(MaskUse::Within(everything)), &on), 0.0);
    let nothing = Ball { centre_mm: [1e6; 3], radius_mm: 1.0 };
    assert_eq!(far(&run(MaskUse::Within(nothing)), &off), 0.0);
    let part = run(MaskUse::Within(Ball { centre_mm: [0.0; 3], radius_mm: 60.0 }));
    assert!(far(&part, &on) > 1e-5 && far(&part, &off) > 1e-5);
    for other in [&off, &part] {
        assert_eq!(other.gap.voxels(), on.gap.voxels());
    }
}

#[test]
fn an_output_that_is_not_finite_is_a_failure_with_and_without_views() {
    for views in [Views::One, Views::Shifted] {
        let networks = networks();
        let mut bias = networks.store.variables().remove("segmenter.logits.bias").unwrap();
        let _ = tch::no_grad(|| bias.fill_(f64::INFINITY));
        let outcome = segmented(networks, &prepared(), views);
        assert!(matches!(outcome, Err(InferError::NotFinite)), "{outcome:?}");
    }
}

#[test]
fn networks_of_half_precision_give_nearly_the_same_answer_as_float32() {
    let (whole, mut half) = (networks(), networks());
    half.halve();
    assert_eq!((whole.kind(), half.kind()), (Kind::Float, Kind::Half));
    let slices = prepared().slices;
    let run = |networks: &Networks| {
        let found =
            infer::probabilities(networks, &slices, options(Views::Shifted), &mut |_, _| true).unwrap();
        let image = infer::translate_slice(networks, &slices, 2, infer::Way::across(Domain::Source)).unwrap();
        (found.probabilities, image)
    };
    let ((a, image_a), (b, image_b)) = (run(&whole), run(&half));
    let far = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    for (a, b) in a.iter().zip(&b) {
        assert!(far(a.voxels(), b.voxels()) < 0.05, "{}", far(a.voxels(), b.voxels()));
    }
    assert!(far(&image_a, &image_b) < 0.05, "{}", far(&image_a, &image_b));
}

#[test]
fn a_level_normalises_each_channel_of_each_image_by_itself() {
    let x = noise([2, 3, 8, 8]) * 5.0 + 2.0;
    let (scale, shift) = (Tensor::from_slice(&[1.0f32, 2.0, 0.5]), Tensor::from_slice(&[0.0f32, 1.0, -1.0]));
    let none = None::<&Tensor>;
    let instance = x.instance_norm(Some(&scale), Some(&shift), none, none, true, 0.1, 1e-5, false);
    let group = x.group_norm(3, Some(&scale), Some(&shift), 1e-5, false);
    assert!((instance - group).abs().max().double_value(&[]) < 1e-5);
}
