//! What is drawn inside the panes: slices cut in the patient's space, and what is written over them.

pub mod comparison;
pub mod content;
pub mod cut;
pub mod frame;
pub mod grid;
pub mod link;
pub mod overlay;
pub mod pane;
pub mod pointer;
pub mod probe;
pub mod style;
pub mod surface;
