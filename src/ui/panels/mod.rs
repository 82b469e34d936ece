//! The frame around the panes: bars at the top and bottom, study and structures at the sides, dialogs above.

pub mod about;
pub mod anatomy;
mod cohort;
mod cohort_plot;
pub mod contrast;
pub mod dialogs;
pub mod drawer;
mod figure;
pub mod inspector;
pub mod notices;
pub mod places;
mod preferences;
mod report;
mod series;
pub mod status_bar;
pub mod structures;
pub mod study;
pub mod style;
pub mod top_bar;
