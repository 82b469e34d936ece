//! Phantoms are what models are trained and judged on without patients: they must be repeatable, anatomically sane,
//! and hard enough that intensity alone does not solve them.
#![allow(clippy::unwrap_used)]

use mindgap::config::train::{CtPhase, MrSequence};
use mindgap::dataset::phantom::{CardiacView, Coverage, Phantom, PhantomSpec, Tissue, generate};
use mindgap::volume::{DType, LabelMap, Modality, Task, geometry_equal, io};
use sha2::{Digest, Sha256};
use std::path::Path;

const BINS: usize = 64;

#[test]
fn a_seed_gives_the_same_bits_however_many_threads_make_it() {
    for task in [Task::Abdomen, Task::Cardiac] {
        for modality in [Modality::Ct, Modality::Mr] {
            let spec = PhantomSpec { spacing_mm: [6.0; 3], ..PhantomSpec::new(task, modality, 5) };
            let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
            let many = rayon::ThreadPoolBuilder::new().num_threads(5).build().unwrap();
            let hashes = [
                digest(&alone.install(|| generate(&spec)).unwrap()),
                digest(&many.install(|| generate(&spec)).unwrap()),
            ];
            assert_eq!(hashes[0], hashes[1], "{task:?} {modality:?}");
        }
    }
}

#[test]
fn another_seed_is_another_patient() {
    let make = |seed| generate(&coarse(Task::Abdomen, Modality::Ct, seed)).unwrap();
    let (a, b) = (make(1), make(2));
    assert_ne!(digest(&a), digest(&b));
    assert_ne!(a.tissues.voxels(), b.tissues.voxels());
}

#[test]
fn abdominal_organs_are_of_human_size_and_on_their_side() {
    let expected = [(1200.0, 1900.0), (120.0, 200.0), (120.0, 200.0), (150.0, 320.0)];
    for (seed, phantom) in patients_of_plausible_size(Task::Abdomen, expected) {
        let [liver, right, left, spleen] = [1, 2, 3, 4].map(|label| centroid_mm(&phantom.labels, label));
        assert!(liver.x > spleen.x + 60.0, "seed {seed}: the liver is not on the patient's right");
        assert!(right.x > left.x + 90.0, "seed {seed}: the kidneys are swapped");
    }
}

#[test]
fn heart_chambers_are_of_human_size_and_in_their_place() {
    let expected = [(80.0, 170.0), (45.0, 120.0), (60.0, 160.0), (40.0, 120.0)];
    for (seed, phantom) in patients_of_plausible_size(Task::Cardiac, expected) {
        let [muscle, atrium, ventricle, aorta] =
            [1, 2, 3, 4].map(|label| centroid_mm(&phantom.labels, label));
        assert!(muscle.distance(ventricle) < 20.0, "seed {seed}: the wall does not surround the cavity");
        assert!(ventricle.x < atrium.x && atrium.y < ventricle.y, "seed {seed}: the atrium is not behind");
        assert!(
            aorta.z > ventricle.z + 30.0 && aorta.x > ventricle.x,
            "seed {seed}: the aorta does not rise"
        );
    }
}

#[test]
fn a_varied_posture_brings_the_same_heart_to_the_breastbone_and_keeps_it_in_its_chest() {
    let touching = |phantom: &Phantom| room_before_the_heart_mm(phantom) < 15.0;
    let (mut usual_touching, mut varied_touching) = (0, 0);
    for seed in 0..8 {
        let spec = coarse(Task::Cardiac, Modality::Ct, seed);
        let usual = generate(&spec).unwrap();
        let varied = generate(&PhantomSpec { varied_posture: true, ..spec }).unwrap();
        usual_touching += usize::from(touching(&usual));
        varied_touching += usize::from(touching(&varied));
        let volumes = volumes_ml(&usual.labels).into_iter().zip(volumes_ml(&varied.labels));
        for (label, (before, after)) in volumes.enumerate() {
            let share = after / before;
            assert!((0.7..1.4).contains(&share), "seed {seed}, label {}: {before} -> {after} ml", label + 1);
        }
        let [atrium, ventricle, aorta] = [2, 3, 4].map(|label| centroid_mm(&varied.labels, label));
        assert!(ventricle.x < atrium.x && atrium.y < ventricle.y, "seed {seed}: the atrium is not behind");
        assert!(
            aorta.z > ventricle.z + 25.0 && aorta.x > ventricle.x,
            "seed {seed}: the aorta does not rise"
        );
    }
    assert!(usual_touching <= 2 && varied_touching >= 5, "{usual_touching}, {varied_touching} of 8");
}

#[test]
fn every_seed_and_field_of_view_gives_finite_voxels_and_some_structure() {
    for seed in 0..12 {
        for task in [Task::Abdomen, Task::Cardiac] {
            let modality = if seed % 3 == 0 { Modality::Ct } else { Modality::Mr };
            let spec = PhantomSpec { spacing_mm: [5.0; 3], ..PhantomSpec::new(task, modality, seed) };
            let phantom = generate(&spec).unwrap();
            assert_eq!(phantom.scan.nonfinite_voxels(), 0);
            let present = volumes_ml(&phantom.labels).iter().filter(|v| **v > 1.0).count();
            assert!(present >= 3, "seed {seed} {task:?} shows {present} structures");
            for (tissue, label) in phantom.tissues.voxels().iter().zip(phantom.labels.voxels()) {
                assert_eq!(Tissue::from_value(*tissue).label(task), *label);
            }
        }
    }
}

#[test]
fn a_short_axis_stack_is_oblique_and_cuts_the_ventricle_into_rings() {
    let phantom = generate(&PhantomSpec::new(Task::Cardiac, Modality::Mr, 3)).unwrap();
    assert_eq!(phantom.spec.view, CardiacView::ShortAxis);
    let normal = phantom.scan.geometry().world_from_voxel().z_axis.truncate().normalize();
    assert!(normal.abs().max_element() < 0.95, "{normal} is a scanner axis");
    let [ni, nj, nk] = phantom.labels.dims();
    let middle = (0..nk).max_by_key(|k| count_in_slice(&phantom.labels, *k, 3)).unwrap();
    let area_mm2 = |label| count_in_slice(&phantom.labels, middle, label) as f64 * 1.4 * 1.4;
    assert!((400.0..6000.0).contains(&area_mm2(3)), "cavity of {} mm2 in {ni}x{nj}", area_mm2(3));
    assert!((400.0..6000.0).contains(&area_mm2(1)), "wall of {} mm2", area_mm2(1));
}

#[test]
fn intensity_alone_does_not_segment_a_phantom() {
    for task in [Task::Abdomen, Task::Cardiac] {
        for modality in [Modality::Ct, Modality::Mr] {
            let cases: Vec<Phantom> =
                (100..107).map(|seed| generate(&coarse(task, modality, seed)).unwrap()).collect();
            let (train, test) = cases.split_at(4);
            let learnt = Bins::fit(train);
            let transferred = mean(test.iter().map(|case| learnt.dice(case)));
            let oracle = mean(cases.iter().map(|case| Bins::fit(std::slice::from_ref(case)).dice(case)));
            eprintln!("{task:?} {modality:?}: other volumes {transferred:.3}, its own volume {oracle:.3}");
            assert!(transferred < 0.5, "{task:?} {modality:?}: {transferred}");
            assert!(oracle < 0.5, "{task:?} {modality:?}: {oracle}");
        }
    }
}

#[test]
fn a_flipped_structure_changes_its_contrast_and_the_others_keep_theirs() {
    let flipped = |modality| {
        let spec = PhantomSpec { contrast_flip: Some(1), ..coarse(Task::Abdomen, modality, 9) };
        median_over_muscle(&generate(&spec).unwrap())
    };
    let mr = flipped(Modality::Mr);
    // Relative to muscle: the liver has become dark, kidneys and spleen are still about as bright as muscle.
    assert!(mr[0] < 0.6, "{mr:?}");
    assert!(mr[1..].iter().all(|ratio| (0.75..1.25).contains(ratio)), "{mr:?}");
    // And it can be seen: it is not as bright as the fat around it either.
    let spec = PhantomSpec { contrast_flip: Some(1), ..coarse(Task::Abdomen, Modality::Mr, 9) };
    let phantom = generate(&spec).unwrap();
    let (liver, fat) = (median_of(&phantom, Tissue::Liver), median_of(&phantom, Tissue::VisceralFat));
    assert!(liver < 0.6 * fat, "liver {liver}, fat {fat}");
}

#[test]
fn a_given_protocol_decides_the_contrast_whatever_the_seed() {
    for seed in 300..304 {
        let ct = |phase| {
            let spec = coarse(Task::Abdomen, Modality::Ct, seed);
            let phantom = generate(&PhantomSpec { ct_phase: Some(phase), ..spec }).unwrap();
            median_over_muscle(&phantom)
        };
        let (native, portal) = (ct(CtPhase::Native), ct(CtPhase::Portal));
        assert!(portal[3] > native[3] + 0.2, "spleen of seed {seed}: {native:?} native, {portal:?} portal");
        let mr = |sequence| {
            let spec = coarse(Task::Abdomen, Modality::Mr, seed);
            let phantom = generate(&PhantomSpec { mr_sequence: Some(sequence), ..spec }).unwrap();
            median_over_muscle(&phantom)
        };
        let (t1, t2) = (mr(MrSequence::T1), mr(MrSequence::T2FatSuppressed));
        assert!(t2[3] > t1[3], "spleen of seed {seed}: {t1:?} in T1, {t2:?} in T2");
    }
}

#[test]
fn a_protocol_beside_a_flipped_contrast_is_refused_rather_than_left_out() {
    let spec = PhantomSpec { contrast_flip: Some(1), ..coarse(Task::Abdomen, Modality::Mr, 1) };
    let error = generate(&PhantomSpec { mr_sequence: Some(MrSequence::T2), ..spec }).unwrap_err();
    assert!(error.to_string().contains("mr_sequence"), "{error}");
}

#[test]
fn an_impossible_spec_is_refused_by_name() {
    let spec =
        PhantomSpec { spacing_mm: [0.0, 1.0, 1.0], ..PhantomSpec::new(Task::Abdomen, Modality::Ct, 0) };
    assert!(generate(&spec).unwrap_err().to_string().contains("spacing_mm"));
    let spec = PhantomSpec { contrast_flip: Some(9), ..PhantomSpec::new(Task::Abdomen, Modality::Ct, 0) };
    assert!(generate(&spec).unwrap_err().to_string().contains("contrast_flip"));
}

#[test]
fn the_demo_opens_with_labels_on_its_grid_and_stays_small() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo");
    for task in [Task::Abdomen, Task::Cardiac] {
        for modality in [Modality::Ct, Modality::Mr] {
            let stem = format!("{}_{}", task.name(), modality.name().to_lowercase());
            let path = folder.join(format!("{stem}.nii.gz"));
            assert!(std::fs::metadata(&path).unwrap().len() < 1_000_000, "{stem} is too large to ship");
            let scan = io::open(&path).unwrap();
            let labels = io::open_labels(&folder.join(format!("{stem}_labels.nii.gz"))).unwrap();
            assert!(geometry_equal(scan.geometry(), labels.geometry(), 1e-3));
            assert_eq!((scan.guess_modality(), scan.voxels().dtype()), (modality, DType::I16));
            assert!(volumes_ml(&labels).iter().all(|ml| *ml > 20.0), "{stem}: {:?}", volumes_ml(&labels));
        }
    }
}

/// All structures whole, on voxels coarse enough for a quick test.
fn coarse(task: Task, modality: Modality, seed: u64) -> PhantomSpec {
    let spacing_mm = match task {
        Task::Abdomen => [4.4; 3],
        Task::Cardiac => [2.2; 3],
    };
    let view = CardiacView::Axial;
    PhantomSpec { spacing_mm, view, coverage: Coverage::Whole, ..PhantomSpec::new(task, modality, seed) }
}

/// From the foremost voxel of the ventricles to the wall of the chest before it, mm.
fn room_before_the_heart_mm(phantom: &Phantom) -> f64 {
    let [ni, nj, nk] = phantom.tissues.dims();
    let tissue = |i, j, k| Tissue::from_value(phantom.tissues.at(i, j, k));
    let is_heart = |t| matches!(t, Tissue::RightVentricle | Tissue::LeftVentricle | Tissue::Myocardium);
    let columns = (0..nk).flat_map(|k| (0..ni).map(move |i| (i, k)));
    let foremost =
        columns.filter_map(|(i, k)| (0..nj).rev().find(|j| is_heart(tissue(i, *j, k))).map(|j| (j, i, k)));
    let (j, i, k) = foremost.max().unwrap();
    let is_wall = |t| matches!(t, Tissue::Muscle | Tissue::CorticalBone | Tissue::Marrow | Tissue::Cartilage);
    let room = (j + 1..nj).take_while(|j| !is_wall(tissue(i, *j, k))).count();
    room as f64 * phantom.spec.spacing_mm[1]
}

/// Phantoms of some seeds, after checking that their structures' mean volumes lie in the given ranges (ml) and no
/// single one is further off than a factor of 2.2.
fn patients_of_plausible_size(task: Task, expected: [(f64, f64); 4]) -> Vec<(u64, Phantom)> {
    const SEEDS: u64 = 10;
    let patients: Vec<(u64, Phantom)> =
        (0..SEEDS).map(|seed| (seed, generate(&coarse(task, Modality::Ct, seed)).unwrap())).collect();
    let mut means = [0.0f64; 4];
    for (seed, phantom) in &patients {
        for (structure, (volume, (low, high))) in
            volumes_ml(&phantom.labels).into_iter().zip(expected).enumerate()
        {
            let label = structure + 1;
            assert!((low / 2.2..high * 2.2).contains(&volume), "seed {seed}, label {label}: {volume:.0} ml");
            means[structure] += volume / SEEDS as f64;
        }
    }
    eprintln!("{task:?}: mean volumes {means:.0?} ml");
    for (mean, (low, high)) in means.into_iter().zip(expected) {
        assert!((low..high).contains(&mean), "mean volumes {means:.0?} ml");
    }
    patients
}

/// Median intensity of each structure over that of muscle.
fn median_over_muscle(phantom: &Phantom) -> [f32; 4] {
    let muscle = median_of(phantom, Tissue::Muscle);
    [1, 2, 3, 4].map(|label| median_where(phantom, &|o| phantom.labels.voxels()[o] == label) / muscle)
}

fn median_of(phantom: &Phantom, tissue: Tissue) -> f32 {
    median_where(phantom, &|o| phantom.tissues.voxels()[o] == tissue as u8)
}

fn median_where(phantom: &Phantom, wanted: &dyn Fn(usize) -> bool) -> f32 {
    let values = phantom.scan.to_f32();
    let mut inside: Vec<f32> =
        values.voxels().iter().enumerate().filter(|(o, _)| wanted(*o)).map(|(_, v)| *v).collect();
    inside.sort_by(f32::total_cmp);
    inside[inside.len() / 2]
}

fn count_in_slice(labels: &LabelMap, k: usize, label: u16) -> usize {
    let [ni, nj, _] = labels.dims();
    labels.voxels()[k * ni * nj..(k + 1) * ni * nj].iter().filter(|v| **v == label).count()
}

fn digest(phantom: &Phantom) -> String {
    let mut hash = Sha256::new();
    let values = phantom.scan.to_f32();
    values.voxels().iter().for_each(|v| hash.update(v.to_le_bytes()));
    phantom.labels.voxels().iter().for_each(|v| hash.update(v.to_le_bytes()));
    hash.update(phantom.tissues.voxels());
    hash.update(format!("{:?}", phantom.scan.geometry()));
    format!("{:x}", hash.finalize())
}

fn volumes_ml(labels: &LabelMap) -> [f64; 4] {
    let voxel_ml = labels.geometry().voxel_ml().unwrap();
    [1, 2, 3, 4].map(|label| labels.voxels().iter().filter(|v| **v == label).count() as f64 * voxel_ml)
}

fn centroid_mm(labels: &LabelMap, label: u16) -> glam::DVec3 {
    let [ni, nj, _] = labels.dims();
    let mut sum = glam::DVec3::ZERO;
    let mut count = 0.0;
    for (offset, _) in labels.voxels().iter().enumerate().filter(|(_, v)| **v == label) {
        let voxel = [offset % ni, offset / ni % nj, offset / (ni * nj)].map(|v| v as f64);
        sum += labels.geometry().world_of(glam::DVec3::from_array(voxel));
        count += 1.0;
    }
    sum / count
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.collect();
    values.iter().sum::<f64>() / values.len() as f64
}

/// The best that can be done from one voxel's intensity: for each structure on its own, the set of intensity bins
/// whose union has the highest Dice. Sets of two structures may even overlap, so this bounds every real classifier.
struct Bins {
    chosen: [[bool; BINS]; 4],
}

impl Bins {
    fn fit(cases: &[Phantom]) -> Self {
        let mut counts = [[0u64; 5]; BINS];
        for case in cases {
            for (bin, label) in bins(case).into_iter().zip(case.labels.voxels()) {
                counts[bin][usize::from(*label)] += 1;
            }
        }
        Self { chosen: [1, 2, 3, 4].map(|label| best_set(&counts, label)) }
    }

    /// Mean Dice over the structures.
    fn dice(&self, case: &Phantom) -> f64 {
        let bins = bins(case);
        mean([1u16, 2, 3, 4].into_iter().map(|label| {
            let (mut both, mut either) = (0.0, 0.0);
            for (bin, reference) in bins.iter().zip(case.labels.voxels()) {
                let (p, r) = (self.chosen[usize::from(label) - 1][*bin], *reference == label);
                both += f64::from(u8::from(p && r));
                either += f64::from(u8::from(p) + u8::from(r));
            }
            2.0 * both / f64::max(either, 1.0)
        }))
    }
}

/// Dice is greatest for all bins purer than some threshold, so it suffices to try the bins in order of purity.
fn best_set(counts: &[[u64; 5]; BINS], label: usize) -> [bool; BINS] {
    let total: u64 = counts.iter().map(|c| c[label]).sum();
    let size = |bin: usize| counts[bin].iter().sum::<u64>();
    let purity = |bin: usize| counts[bin][label] as f64 / size(bin).max(1) as f64;
    let mut order: Vec<usize> = (0..BINS).collect();
    order.sort_by(|a, b| purity(*b).total_cmp(&purity(*a)));
    let (mut hits, mut picked, mut best) = (0, 0, (0.0, 0));
    for (rank, bin) in order.iter().enumerate() {
        hits += counts[*bin][label];
        picked += size(*bin);
        let dice = 2.0 * hits as f64 / (picked + total).max(1) as f64;
        if dice > best.0 {
            best = (dice, rank + 1);
        }
    }
    let mut chosen = [false; BINS];
    order[..best.1].iter().for_each(|bin| chosen[*bin] = true);
    chosen
}

/// Intensity bins as a network would see them: the soft-tissue window of CT, MR up to its 99.5 percentile.
fn bins(case: &Phantom) -> Vec<usize> {
    let values = case.scan.to_f32();
    let [low, high] = match case.spec.modality {
        Modality::Ct => [-160.0, 240.0],
        Modality::Mr => {
            let mut sorted = values.voxels().to_vec();
            let rank = sorted.len() * 995 / 1000;
            [0.0, *sorted.select_nth_unstable_by(rank, f32::total_cmp).1]
        }
    };
    let bin = |v: &f32| (((v - low) / (high - low)).clamp(0.0, 0.999_999) * BINS as f32) as usize;
    values.voxels().iter().map(bin).collect()
}
