//! What is measured, as data: who does which work on which files, and what the figures have to reach.

use super::fixtures::Fixture;
use super::peers::Library;
use super::work::Task;

/// One work, done by several programs in turn.
#[derive(Debug)]
pub(super) struct Case {
    /// As given to `--only`.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) inputs: &'static [Fixture],
    pub(super) runs: &'static [Run],
    pub(super) goals: &'static [Goal],
}

/// One program doing a case's work.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) name: &'static str,
    pub(super) program: Program,
    pub(super) task: Task,
    /// Left out unless asked for.
    pub(super) slow: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    /// This very executable.
    Own,
    /// The same; only where its engine has a GPU.
    OwnOnGpu,
    /// A package of the Python that was named.
    Python(Library),
}

/// What a run's median has to reach.
#[derive(Debug)]
pub(super) enum Goal {
    /// At most `at_most` times the other run's time.
    Ratio { run: &'static str, at_most: f64, of: &'static str },
    /// At most so many seconds: only for what must feel immediate on any machine.
    Seconds { run: &'static str, at_most: f64 },
    /// At most the volume, the files it comes from, and 40 MB for everything else.
    Peak { run: &'static str, volume_bytes: u64 },
}

/// What reading may need beyond the volume and its file.
pub(super) const PEAK_SURPLUS_BYTES: u64 = 40_000_000;

const VOLUME_BYTES: u64 = 512 * 512 * 300 * 2;

const READ_RUNS: &[Run] = &[
    own("mindgap", Task::Read),
    own("libdeflate", Task::Inflate),
    python(Library::Nibabel, Task::Read),
    python(Library::SimpleItk, Task::Read),
];

const READ_GOALS: &[Goal] = &[
    Goal::Ratio { run: "mindgap", at_most: 1.15, of: "libdeflate" },
    Goal::Peak { run: "mindgap", volume_bytes: VOLUME_BYTES },
];

pub(super) const CASES: &[Case] = &[
    Case {
        name: "read-smooth",
        title: "read 512 x 512 x 300 int16 .nii.gz, a smooth image",
        inputs: &[Fixture::Smooth],
        runs: READ_RUNS,
        goals: READ_GOALS,
    },
    Case {
        name: "read-noisy",
        title: "read 512 x 512 x 300 int16 .nii.gz, a noisy image",
        inputs: &[Fixture::Noisy],
        runs: READ_RUNS,
        goals: READ_GOALS,
    },
    Case {
        name: "first-slice",
        title: "first slice of the noisy image that can be drawn",
        inputs: &[Fixture::Noisy],
        runs: &[own("mindgap", Task::FirstSlice), python(Library::Nibabel, Task::FirstSlice)],
        goals: &[Goal::Seconds { run: "mindgap", at_most: 0.3 }],
    },
    Case {
        name: "write-labels",
        title: "write 512 x 512 x 300 uint8 labels as .nii.gz; only mindgap syncs, reads back and compares",
        inputs: &[Fixture::Labels],
        runs: &[
            own("mindgap", Task::WriteLabels),
            own("mindgap, compressing", Task::Compress),
            python(Library::Nibabel, Task::WriteLabels),
            python(Library::SimpleItk, Task::WriteLabels),
        ],
        goals: &[
            Goal::Ratio { run: "mindgap, compressing", at_most: 1.0, of: "SimpleITK" },
            Goal::Ratio { run: "mindgap", at_most: 2.5, of: "SimpleITK" },
        ],
    },
    Case {
        name: "resample",
        title: "resample 512 x 512 x 300 int16, 0.7 x 0.7 x 1.5 mm, to 1 mm, linear",
        inputs: &[Fixture::Noisy],
        runs: &[
            own("mindgap", Task::Resample),
            own("mindgap, averaging", Task::ResampleAveraged),
            python(Library::SimpleItk, Task::Resample),
            Run { slow: true, ..python(Library::Scipy, Task::Resample) },
        ],
        goals: &[Goal::Ratio { run: "mindgap", at_most: 0.5, of: "SimpleITK" }],
    },
    Case {
        name: "header",
        title: "header of a 1 GiB .nii",
        inputs: &[Fixture::Large],
        runs: &[
            own("mindgap", Task::Header),
            python(Library::Nibabel, Task::Header),
            python(Library::SimpleItk, Task::Header),
        ],
        goals: &[Goal::Seconds { run: "mindgap", at_most: 0.02 }],
    },
    Case {
        name: "score",
        title: "Dice, mean surface distance and HD95 of 4 labels, 256 x 256 x 128",
        inputs: &[Fixture::Predicted, Fixture::Reference],
        runs: &[own("mindgap", Task::Score), python(Library::SurfaceDistance, Task::Score)],
        goals: &[Goal::Ratio { run: "mindgap", at_most: 0.5, of: "surface-distance" }],
    },
    Case {
        name: "network",
        title: "labels, uncertainty and gap of 48 slices of 128 x 96 by a bundled net, on the CPU, no refinement",
        inputs: &[Fixture::Slices, Fixture::Weights],
        runs: &[
            own("mindgap", Task::Network),
            Run { name: "PyTorch, slice by slice", ..python(Library::PyTorch, Task::Network) },
            Run { name: "PyTorch, five at once", ..python(Library::PyTorch, Task::NetworkBatched) },
        ],
        goals: &[
            Goal::Ratio { run: "mindgap", at_most: 0.95, of: "PyTorch, slice by slice" },
            Goal::Ratio { run: "mindgap", at_most: 0.95, of: "PyTorch, five at once" },
        ],
    },
    Case {
        name: "gpu",
        title: "300 slices of 256 x 256 translated, and segmented without refinement, by a bundled net on a GPU",
        inputs: &[Fixture::ManySlices],
        runs: &[Run { name: "mindgap", program: Program::OwnOnGpu, task: Task::Gpu, slow: false }],
        goals: &[Goal::Seconds { run: "mindgap", at_most: 1.5 }],
    },
];

const fn own(name: &'static str, task: Task) -> Run {
    Run { name, program: Program::Own, task, slow: false }
}

const fn python(library: Library, task: Task) -> Run {
    Run { name: library.name(), program: Program::Python(library), task, slow: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_goal_speaks_of_runs_that_its_case_has() {
        for case in CASES {
            let has = |name: &str| case.runs.iter().any(|run| run.name == name);
            for goal in case.goals {
                assert!(
                    match goal {
                        Goal::Ratio { run, of, .. } => has(run) && has(of),
                        Goal::Seconds { run, .. } | Goal::Peak { run, .. } => has(run),
                    },
                    "{}: {goal:?}",
                    case.name
                );
            }
        }
    }
}
