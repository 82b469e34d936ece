//! The networks of Global-Local Union Alignment and what is done with them, in tch.
//!
//! An independent reconstruction from the published abstract (Su et al., "Mind The Gap", IEEE JBHI 2023, DOI
//! 10.1109/JBHI.2023.3270434). Global part: [`Generator`] with [`ImageCritic`]. Local part: [`FeatureCritic`], whose
//! score becomes the local feature mask a(p). [`Segmenter`] learns from both. Every tensor stays on the thread that
//! made it; only [`tensor`] moves values between volumes and tensors.

pub mod checkpoint;
mod discriminator;
mod feature_mask;
mod generator;
pub mod infer;
pub mod ladder;
pub mod losses;
mod neighbourhood;
mod networks;
pub mod preprocess;
mod probabilities;
pub mod refine;
mod segmenter;
pub mod tensor;
#[cfg(test)]
pub(crate) mod tests;
pub mod verdict;
pub mod views;

pub use discriminator::ImageCritic;
pub use feature_mask::{FeatureCritic, amplify, mask_of_score};
pub use generator::{Domain, Generator};
pub use networks::Networks;
pub use segmenter::Segmenter;
