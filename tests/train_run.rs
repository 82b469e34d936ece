//! A training from configuration to bundle, through the engine as a user's run goes.

#![cfg(feature = "torch")]
#![allow(clippy::unwrap_used)]

use mindgap::config::{Card, Net, load_bundle, load_bundle_in};
use mindgap::dataset::phantom::{PhantomSpec, generate};
use mindgap::protocol::{
    DeviceChoice, Event, Refine, Request, SegmentRequest, SegmentSettings, TrainRequest, WireScan,
};
use mindgap::session::{Engine, EngineError, Launch, model_payload, run_job};
use mindgap::volume::{Modality, Task, io};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The smallest run that goes through every phase.
const CONFIG: &str = r#"
id = "abdomen-ct-to-mr"
version = "test"
task = "abdomen"
source = "ct"
target = "mr"
seed = 3
checkpoint_every = 4

[network]
base_channels = 4
level_multiples = [2, 2, 2]
generator_channels = 4
residual_blocks = 1
critic_channels = 4
classes = 5
gap_mode = "feature"

[preprocessing]
plane = "axial"
spacing_mm = [6.0, 6.0, 12.0]
size = [64, 48]
multiple = 16
ct_window_hu = [-160.0, 240.0]
mr_percentile = 99.5
mr_clip = 1.3

[translation]
steps = 5
batch = 1
learning_rate = 4e-4
lambda_reconstruction = 20.0
lambda_cycle = 20.0
lambda_content = 1.0
lambda_adversarial = 1.0

[segmentation]
warm_steps = 5
warm_batch = 2
warm_learning_rate = 2e-3
steps = 10
batch = 3
translated = 1
restyled = 1
target_batch = 1
learning_rate = 1e-3
critic_learning_rate = 2e-4
critic_steps = 3
lambda_alignment = 0.01
gap_repaint = 1.0
class_balance_fades = true
scan_share = 0.5

[self_training]
rounds = 1
steps = 5
target_batch = 1
learning_rate = 5e-4

[[source_data]]
kind = "phantoms"
count = 1
first_seed = 1

[[target_data]]
kind = "phantoms"
count = 1
first_seed = 2
"#;

fn engine() -> Engine {
    let program = env!("CARGO_BIN_EXE_mindgap-engine").into();
    Engine::start(Launch::Process { program, args: Vec::new() }, Arc::new(|| ())).unwrap()
}

fn request(out_dir: &Path, resume: bool) -> Request {
    request_of(CONFIG, out_dir, out_dir, resume)
}

fn request_of(config: &str, base_dir: &Path, out_dir: &Path, resume: bool) -> Request {
    Request::Train(TrainRequest {
        config: config.to_owned(),
        base_dir: base_dir.to_owned(),
        out_dir: out_dir.to_owned(),
        resume,
        device: DeviceChoice::Cpu,
    })
}

fn trained(event: Event) -> Card {
    match event {
        Event::Trained { card, .. } => *card,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_run_that_was_cancelled_and_resumed_ends_with_the_weights_of_a_straight_run() {
    let straight = tempfile::tempdir().unwrap();
    let never = AtomicBool::new(false);
    let expected = trained(run_job(&mut engine(), request(straight.path(), false), &never, |_| ()).unwrap());

    let stopped = tempfile::tempdir().unwrap();
    let cancel = AtomicBool::new(false);
    let outcome = run_job(&mut engine(), request(stopped.path(), false), &cancel, |event| {
        if let Event::Progress { phase, .. } = event
            && phase == "adaptation"
        {
            cancel.store(true, Ordering::Relaxed);
        }
    });
    assert!(matches!(outcome, Err(EngineError::Cancelled)), "{outcome:?}");
    assert!(stopped.path().join("checkpoint.safetensors").is_file());
    assert!(!stopped.path().join("card.json").exists(), "a cancelled run must not look like a bundle");
    let resumed = trained(run_job(&mut engine(), request(stopped.path(), true), &never, |_| ()).unwrap());
    assert_eq!(resumed.weights_sha256, expected.weights_sha256);

    let bundle = load_bundle(straight.path().to_str().unwrap()).unwrap();
    assert_eq!(bundle.card.training.config, CONFIG);
    assert!(bundle.card.training.data.iter().any(|line| line.contains("target, no labels")));
    assert!(!straight.path().join("checkpoint.safetensors").exists());
}

/// What may lie beside a target scan.
enum TargetLabels {
    Present,
    Absent,
    Corrupted,
}

#[test]
fn labels_that_lie_beside_target_scans_change_not_one_bit_of_the_weights() {
    let phantom = generate(&PhantomSpec {
        spacing_mm: [6.0, 6.0, 12.0],
        ..PhantomSpec::new(Task::Abdomen, Modality::Mr, 2)
    })
    .unwrap();
    let (before, _) = CONFIG.split_once("[[target_data]]").unwrap();
    let config = format!(
        "{before}[[target_data]]\nkind = \"folder\"\nname = \"target\"\nimages = \"target/*_image.nii.gz\"\n\
         licence = \"none\"\n"
    );
    let train = |beside: TargetLabels| {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        std::fs::create_dir(&target).unwrap();
        io::write_scan(&target.join("a_image.nii.gz"), &phantom.scan).unwrap();
        let labels = target.join("a_label.nii.gz");
        match beside {
            TargetLabels::Present => {
                io::write_labels(&labels, &phantom.labels, None, &phantom.scan).map(|_| ()).unwrap()
            }
            TargetLabels::Corrupted => std::fs::write(&labels, b"no labels at all").unwrap(),
            TargetLabels::Absent => {}
        }
        let out = folder.path().join("out");
        let request = request_of(&config, folder.path(), &out, false);
        let card = trained(run_job(&mut engine(), request, &AtomicBool::new(false), |_| ()).unwrap());
        assert!(out.join("preview.png").is_file() && out.join("log.csv").is_file());
        card.weights_sha256
    };
    let absent = train(TargetLabels::Absent);
    assert_eq!(train(TargetLabels::Present), absent);
    assert_eq!(train(TargetLabels::Corrupted), absent);
}

#[test]
fn a_label_map_that_a_pattern_takes_for_a_target_scan_ends_the_training_and_is_named() {
    let phantom = generate(&PhantomSpec {
        spacing_mm: [6.0, 6.0, 12.0],
        ..PhantomSpec::new(Task::Abdomen, Modality::Mr, 2)
    })
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    std::fs::create_dir(&target).unwrap();
    io::write_scan(&target.join("a.nii.gz"), &phantom.scan).unwrap();
    io::write_labels(&target.join("a_label.nii.gz"), &phantom.labels, None, &phantom.scan).unwrap();
    let (before, _) = CONFIG.split_once("[[target_data]]").unwrap();
    let config = format!(
        "{before}[[target_data]]\nkind = \"folder\"\nname = \"target\"\nimages = \"target/*.nii.gz\"\n\
         licence = \"none\"\n"
    );
    let out = folder.path().join("out");
    let request = request_of(&config, folder.path(), &out, false);
    let error = run_job(&mut engine(), request, &AtomicBool::new(false), |_| ()).unwrap_err().to_string();
    assert!(error.contains("a_label.nii.gz") && error.contains("label map"), "{error}");
    assert!(!out.join("card.json").exists());
}

#[test]
fn a_data_set_with_one_file_a_structure_is_learned_from_and_its_test_cases_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let phantom = generate(&PhantomSpec {
        spacing_mm: [6.0, 6.0, 12.0],
        ..PhantomSpec::new(Task::Abdomen, Modality::Ct, 1)
    })
    .unwrap();
    for case in ["s01", "s02"] {
        let segmentations = folder.path().join("set").join(case).join("segmentations");
        std::fs::create_dir_all(&segmentations).unwrap();
        io::write_scan(&segmentations.with_file_name("ct.nii.gz"), &phantom.scan).unwrap();
        for (file, label) in [("liver.nii.gz", 1), ("spleen.nii.gz", 4)] {
            let inside = phantom.labels.map(|&found| u16::from(found == label));
            io::write_labels(&segmentations.join(file), &inside, None, &phantom.scan).unwrap();
        }
    }
    let source = "[[source_data]]\nkind = \"folder\"\nname = \"set\"\nimages = \"set/*/ct.nii.gz\"\n\
                  labels = \"set/*/segmentations\"\nlabel_table = \"totalsegmentator-v1\"\n\
                  tissue_table = \"totalsegmentator-v1\"\nexclude = [\"s02\"]\nlicence = \"none\"\n\n\
                  [source_data.structure_files]\n\"liver.nii.gz\" = 5\n\"spleen.nii.gz\" = 1\n\n";
    let (before, rest) = CONFIG.split_once("[[source_data]]").unwrap();
    let (_, target) = rest.split_once("[[target_data]]").unwrap();
    let config = format!("{before}{source}[[target_data]]{target}");
    let out = folder.path().join("out");
    let mut said = Vec::new();
    let outcome = run_job(
        &mut engine(),
        request_of(&config, folder.path(), &out, false),
        &AtomicBool::new(false),
        |event| {
            if let Event::Progress { phase, done, total, .. } = event
                && phase == "reading scans"
            {
                said.push((*done, *total));
            }
        },
    );
    let card = trained(outcome.unwrap());
    assert_eq!(said, [(1, 1)]);
    let data = card.training.data.join("\n");
    assert!(data.contains("1 cases with sha256: s01 ") && !data.contains("s02"), "{data}");
    // The labels reached the nets: the mean gap of a labelled structure was measured, that of an absent one was not.
    let log = std::fs::read_to_string(out.join("log.csv")).unwrap();
    assert!(log.contains("gap, Spleen") || log.contains("gap, Liver"), "{log}");
    assert!(!log.contains("gap, Right kidney"), "{log}");
}

/// The configuration with `start` in it and no step to take.
fn untrained(start: &str) -> String {
    CONFIG
        .replace("steps = 5\nbatch = 1", "steps = 0\nbatch = 1")
        .replace("warm_steps = 5", "warm_steps = 0")
        .replace("steps = 10", "steps = 0")
        .replace("critic_steps = 3", "critic_steps = 0")
        .replace("rounds = 1", "rounds = 0")
        .replace("[network]", &format!("{start}\n[network]"))
}

#[test]
fn a_run_that_starts_from_a_bundle_keeps_what_it_does_not_train() {
    let folder = tempfile::tempdir().unwrap();
    let first = folder.path().join("first");
    let never = AtomicBool::new(false);
    run_job(&mut engine(), request_of(CONFIG, &first, &first, false), &never, |_| ()).unwrap();
    let second = folder.path().join("second");
    let untrained = untrained("[start_from]\ngenerator = \"../first\"\nsegmenter = \"../first\"\n");
    let card = run_job(&mut engine(), request_of(&untrained, &second, &second, false), &never, |_| ());
    let bytes = |folder: &Path| std::fs::read(folder.join("weights.safetensors")).unwrap();
    let card = trained(card.unwrap());
    assert_eq!(card.weights_bytes, bytes(&second).len() as u64);
    assert!(bytes(&first) == bytes(&second), "weights changed on the way");
    // The card says where the weights come from, with all that the first one's card says of that.
    let [origin] = &card.training.started_from[..] else { panic!("{:?}", card.training.started_from) };
    assert_eq!(origin.networks, ["style transfer", "segmentation net", "feature critic"]);
    assert_eq!((&origin.id, &origin.weights_sha256), (&card.id, &card.weights_sha256));
    assert_eq!(origin.training.config, CONFIG);
}

/// The value of a number in half precision that is neither infinite nor subnormal.
fn of_half(bytes: [u8; 2]) -> f32 {
    let bits = u32::from(u16::from_le_bytes(bytes));
    let (sign, exponent, fraction) = (bits >> 15, bits >> 10 & 0x1f, bits & 0x3ff);
    if exponent == 0 { 0.0 } else { f32::from_bits(sign << 31 | (exponent + 112) << 23 | fraction << 13) }
}

#[test]
fn a_run_can_start_from_the_mean_of_two_nets_and_its_card_names_both() {
    let folder = tempfile::tempdir().unwrap();
    let never = AtomicBool::new(false);
    let train = |name: &str, config: &str| {
        let out = folder.path().join(name);
        let card = run_job(&mut engine(), request_of(config, &out, &out, false), &never, |_| ());
        (card.map(trained), out)
    };
    train("first", &untrained("")).0.unwrap();
    train("second", &untrained("").replace("seed = 3", "seed = 4")).0.unwrap();
    let both = "[start_from]\nsegmenter = \"../first\"\naveraged_with = \"../second\"\n";
    let mean = untrained(both).replace("critic_steps = 0", "critic_steps = 1");
    let (card, out) = train("mean", &mean);
    let networks: Vec<_> =
        card.unwrap().training.started_from.into_iter().map(|from| from.networks).collect();
    assert_eq!(networks, [["segmentation net"], ["segmentation net, averaged with the other"]]);
    let [first, second, mean] = ["first", "second", "mean"].map(|name| {
        let bytes = std::fs::read(folder.path().join(name).join("weights.safetensors")).unwrap();
        let stored = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let name = stored.names().into_iter().filter(|name| name.starts_with("segmenter.")).min().unwrap();
        let weight = stored.tensor(name).unwrap();
        assert_eq!(weight.dtype(), safetensors::Dtype::F16);
        weight.data().chunks_exact(2).map(|half| of_half([half[0], half[1]])).collect::<Vec<_>>()
    });
    assert!(first != second && out.join("card.json").exists());
    for ((a, b), mean) in first.iter().zip(&second).zip(&mean) {
        assert!((0.5 * (a + b) - mean).abs() < 2e-3, "{a} and {b} gave {mean}");
    }
    let error = train("kept", &untrained(both)).0.unwrap_err().to_string();
    assert!(error.contains("segmentation.critic_steps"), "{error}");
}

#[test]
fn a_run_that_starts_from_a_bundle_of_the_opposite_direction_or_of_other_pixels_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = folder.path().join("first");
    let never = AtomicBool::new(false);
    run_job(&mut engine(), request_of(&untrained(""), &first, &first, false), &never, |_| ()).unwrap();
    let start = untrained("[start_from]\nsegmenter = \"../first\"\n");
    let opposite = start
        .replace("source = \"ct\"\ntarget = \"mr\"", "source = \"mr\"\ntarget = \"ct\"")
        .replace("abdomen-ct-to-mr", "abdomen-mr-to-ct");
    let finer = start.replace("[6.0, 6.0, 12.0]", "[5.0, 5.0, 12.0]");
    for (config, said) in [
        (opposite, "whose source is MR, as in this configuration, got abdomen-ct-to-mr, whose source is CT"),
        (finer, "whose preprocessing.spacing_mm is [5.0, 5.0, 12.0]"),
    ] {
        let out = folder.path().join("second");
        let error = run_job(&mut engine(), request_of(&config, &out, &out, false), &never, |_| ());
        let error = error.unwrap_err().to_string();
        assert!(error.contains("start_from.segmenter") && error.contains(said), "{error}");
        assert!(!out.join("card.json").exists());
    }
}

#[test]
fn a_net_that_was_taken_over_is_not_given_out_as_one_that_has_seen_the_source_alone() {
    // Without a warm-up there is no such net in the first bundle either.
    let folder = tempfile::tempdir().unwrap();
    let first = folder.path().join("first");
    let never = AtomicBool::new(false);
    run_job(&mut engine(), request_of(&untrained(""), &first, &first, false), &never, |_| ()).unwrap();
    let second = folder.path().join("second");
    let config = untrained("[start_from]\nsegmenter = \"../first\"\n");
    run_job(&mut engine(), request_of(&config, &second, &second, false), &never, |_| ()).unwrap();
    let phantom = generate(&PhantomSpec::new(Task::Abdomen, Modality::Mr, 3)).unwrap();
    let segment = |net: Net| {
        let request = Request::Segment(SegmentRequest {
            model: model_payload(&load_bundle_in(&second).unwrap()),
            scan: WireScan::pack(&phantom.scan),
            modality: Modality::Mr,
            first_world_mm: None,
            settings: SegmentSettings { net, refine: Refine::Off, ..SegmentSettings::default() },
            device: DeviceChoice::Cpu,
        });
        run_job(&mut engine(), request, &never, |_| ())
    };
    assert!(matches!(segment(Net::Adapted), Ok(Event::Segmented { .. })));
    let error = segment(Net::SourceOnly).unwrap_err();
    assert!(format!("{error:?}").contains("without its source-only net"), "{error:?}");
}

#[test]
fn a_run_without_target_slices_leaves_no_gap_of_another_net() {
    let folder = tempfile::tempdir().unwrap();
    let first = folder.path().join("first");
    let never = AtomicBool::new(false);
    run_job(&mut engine(), request_of(CONFIG, &first, &first, false), &never, |_| ()).unwrap();
    let second = folder.path().join("second");
    let without = CONFIG
        .replace("target_batch = 1\nlearning_rate = 1e-3", "target_batch = 0\nlearning_rate = 1e-3")
        .replace("critic_steps = 3", "critic_steps = 0")
        .replace("rounds = 1", "rounds = 0")
        .replace("[network]", "[start_from]\nsegmenter = \"../first\"\n\n[network]");
    let card = run_job(&mut engine(), request_of(&without, &second, &second, false), &never, |_| ());
    let [origin] = &trained(card.unwrap()).training.started_from[..] else { panic!("no origin") };
    assert_eq!(origin.networks, ["segmentation net"]);
    let largest_gap = |folder: &Path| {
        let phantom = generate(&PhantomSpec::new(Task::Abdomen, Modality::Mr, 3)).unwrap();
        let request = Request::Segment(SegmentRequest {
            model: model_payload(&load_bundle_in(folder).unwrap()),
            scan: WireScan::pack(&phantom.scan),
            modality: Modality::Mr,
            first_world_mm: None,
            settings: SegmentSettings { refine: Refine::Off, ..SegmentSettings::default() },
            device: DeviceChoice::Cpu,
        });
        let event = run_job(&mut engine(), request, &never, |_| ()).unwrap();
        let Event::Segmented { result, .. } = event else { panic!("{event:?}") };
        result.gap.unpack().unwrap().voxels().iter().copied().fold(0.0f32, f32::max)
    };
    assert!(largest_gap(&first) > 0.0, "the first run's critic has learned nothing");
    assert_eq!(largest_gap(&second), 0.0, "the gap of a net that has moved on");
}

#[test]
fn a_checkpoint_of_another_configuration_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let missing = run_job(&mut engine(), request(folder.path(), true), &AtomicBool::new(false), |_| ());
    let text = missing.unwrap_err().to_string();
    assert!(text.contains("checkpoint") && text.contains("--resume"), "{text}");
}
