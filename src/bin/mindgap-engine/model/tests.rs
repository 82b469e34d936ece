//! The networks keep the promises that inference, training and saved weights rely on.

#![allow(clippy::unwrap_used)]

use super::checkpoint::{self, Precision, WeightsError};
use super::{Domain, Networks, amplify};
use mindgap::config::{GapMode, NetworkConfig};
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

fn networks() -> Networks {
    tch::manual_seed(1);
    Networks::new(&network_config(), Device::Cpu)
}

fn noise(size: [i64; 4]) -> Tensor {
    tch::manual_seed(2);
    Tensor::rand(size, (Kind::Float, Device::Cpu))
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
fn half_precision_weights_load_into_fresh_networks_and_give_nearly_the_same_answer() {
    let original = networks();
    let variables = original.store.variables();
    let bytes =
        checkpoint::to_bytes(variables.iter().map(|(name, t)| (name.clone(), t)), Precision::Half).unwrap();
    tch::manual_seed(99);
    let copy = Networks::new(&network_config(), Device::Cpu);
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
