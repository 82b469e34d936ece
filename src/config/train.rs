//! The training configuration.
