//! DICOM: series, pixels, damage, and real scans. The files are written by `dicom-object`, which the reader does not use.

#![allow(clippy::unwrap_used)]

mod damage;
#[path = "../support/dicom_file.rs"]
mod dicom_file;
#[path = "../support/lossless_jpeg.rs"]
mod lossless_jpeg;
mod pixels;
mod real;
#[path = "../support/real_scans.rs"]
mod real_scans;
mod series;
mod volumes;
