//! `mindgap batch`: labels, gap and report of many scans.

use super::cohort::{self, Plan, Shard};
use super::{input, job};
use crate::config::MaskUse;
use crate::protocol::{Refine, SegmentSettings};
use clap::Args;
use std::path::{Path, PathBuf};

/// Segment many scans and report on each: resumable, in parallel, and in shards for a cluster.
///
/// Each case gets a folder with labels, gap, uncertainty, report and where they come from; the cohort gets a table and
/// charts. Cases that are there and unchanged are kept, so the same command goes on after an interruption.
#[derive(Debug, Args)]
pub(super) struct Batch {
    /// Scans, DICOM folders, folders of either, or lists (.txt) with one path a line.
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
    /// Where the cases' folders go.
    #[arg(short, long)]
    output: PathBuf,
    /// Only the I-th of N shares of the cases, I from 1: one task of a job array.
    #[arg(long, value_name = "I/N", default_value = "1/1")]
    shard: Shard,
    #[command(flatten)]
    running: Running,
}

/// How cases are made, the same for every one of them; shared with `mindgap report`.
#[derive(Debug, Args)]
pub(super) struct Running {
    /// Of several cases: so many at a time, each with an engine of its own.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
    /// Of several cases: call them like their files; else by the hash of what they hold, for file names may name patients.
    #[arg(long)]
    names: bool,
    /// From which gap on a voxel counts as covered, 0..1.
    #[arg(long, default_value_t = 0.25)]
    threshold: f32,
    /// As for `mindgap segment`.
    #[arg(long, default_value = "auto")]
    refine: Refine,
    /// Where the local feature mask acts, as for `mindgap segment`.
    #[arg(long, default_value_t, allow_hyphen_values = true)]
    mask: MaskUse,
    /// Of each structure keep only the largest connected part.
    #[arg(long)]
    largest_island: bool,
    #[command(flatten)]
    pub choice: job::ModelChoice,
    #[command(flatten)]
    pub reading: input::InputOptions,
}

impl Running {
    pub(super) fn settings(&self) -> SegmentSettings {
        let &Self { refine, mask, largest_island, .. } = self;
        SegmentSettings { refine, mask, largest_island, ..SegmentSettings::default() }
    }

    pub(super) fn threshold(&self) -> f32 {
        self.threshold
    }

    /// What is done with many cases: with or without their volumes, in one share or several.
    pub(super) fn plan<'a>(&'a self, out: &'a Path, volumes: bool, shard: Shard) -> Plan<'a> {
        Plan {
            out,
            choice: &self.choice,
            reading: &self.reading,
            settings: self.settings(),
            threshold: self.threshold,
            volumes,
            names: self.names,
            jobs: usize::from(self.jobs),
            shard,
        }
    }
}

impl Batch {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let inputs = cohort::find(&self.inputs)?;
        cohort::run(&self.running.plan(&self.output, true, self.shard), &inputs)
    }
}
