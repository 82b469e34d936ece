//! How commands are told which scan to read, the same for all of them.

use crate::volume::io::{self, IoError, OpenOptions};
use crate::volume::{Flag, Scan};
use clap::Args;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// What a scan that offers a choice, or that is only almost right, is to be read as.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Reading the scan")]
pub(super) struct InputOptions {
    /// Which volume of a file that holds several, 1 being the first.
    #[arg(long, value_name = "K")]
    volume: Option<NonZeroUsize>,
    /// Which DICOM series of a folder, by its SeriesInstanceUID as `mindgap info FOLDER` lists it [default: the largest
    /// image].
    #[arg(long, value_name = "UID")]
    series: Option<String>,
    /// Place a NIfTI scan by its qform though it has an sform.
    #[arg(long)]
    qform: bool,
    /// Open compressed data whose checksum is wrong.
    #[arg(long)]
    accept_damage: bool,
    /// Open a DICOM series with missing or unevenly spaced slices; volumes and distances are then not reported.
    #[arg(long)]
    accept_gaps: bool,
}

impl InputOptions {
    /// The same choices as the volume module takes them.
    pub(super) fn to_open_options(&self) -> OpenOptions {
        OpenOptions {
            volume: self.volume.map(|volume| volume.get() - 1),
            series: self.series.clone(),
            prefer_qform: self.qform,
            accept_damage: self.accept_damage,
            accept_gaps: self.accept_gaps,
        }
    }

    /// Reads one scan out of a file, a DICOM folder or the DICOM files named.
    pub(super) fn open(&self, inputs: &[PathBuf]) -> Result<Scan, IoError> {
        io::open_files(inputs, &self.to_open_options())
    }
}

/// Reads the scan that is to be given to a model, says what must be known of it, and refuses outputs that could not be
/// written or would destroy it, before anything is computed.
pub(super) fn open_for_model(
    input: &Path,
    options: &InputOptions,
    outputs: &[&Path],
) -> anyhow::Result<Scan> {
    refuse_outputs(&[input.to_owned()], outputs)?;
    let scan = io::open_with(input, &options.to_open_options())?;
    warn_of(&scan);
    anyhow::ensure!(
        !scan.flags.contains(&Flag::Colour),
        "{}: holds colours, and the models know grey values of CT and MR only; choose the scan itself",
        input.display()
    );
    Ok(scan)
}

/// Prints what a reader of `scan` must know.
pub(super) fn warn_of(scan: &Scan) {
    for warning in &scan.warnings {
        eprintln!("warning: {warning}");
    }
}

/// Refuses outputs of an unknown format, in folders that do not exist, or that are an input or each other.
pub(super) fn refuse_outputs(inputs: &[PathBuf], outputs: &[&Path]) -> anyhow::Result<()> {
    for output in outputs {
        io::OutputFormat::by_name(output)?;
    }
    refuse_places(inputs, outputs)
}

/// Refuses outputs of any format in folders that do not exist, or that are an input or each other.
pub(super) fn refuse_places(inputs: &[PathBuf], outputs: &[&Path]) -> anyhow::Result<()> {
    let place = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path));
    let mut taken = inputs.iter().map(|input| place(input)).collect::<Result<Vec<_>, _>>()?;
    for output in outputs {
        let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty());
        anyhow::ensure!(
            folder.is_none_or(Path::is_dir),
            "{}: its folder does not exist; make it first",
            output.display()
        );
        let place = place(output)?;
        anyhow::ensure!(
            !taken.contains(&place),
            "{}: is also the scan or another output; choose another name",
            output.display()
        );
        taken.push(place);
    }
    Ok(())
}
