//! Published changes of how a model is guided or computed, as [hooks](crate::sampling::hooks) that a model handle can carry.

mod attention_scale;
mod differential;
mod easy_cache;
mod free_u;
mod frequency;
mod guidance;
mod hyper_tile;
mod lazy_cache;
mod per_item;
mod perturbed;
mod projected;
mod self_attention;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests;
mod token_merging;

pub use attention_scale::AttentionScale;
pub use differential::Differential;
pub use easy_cache::EasyCache;
pub use free_u::{FreeU, FreeUVersion};
pub use frequency::FrequencyScale;
pub use guidance::{
    EpsilonScale, LimitedNorm, Mahiro, RenormalizedGuidance, RescaledGuidance, ZeroStar,
};
pub use hyper_tile::HyperTile;
pub use lazy_cache::LazyCache;
pub use perturbed::PerturbedAttention;
pub use projected::{ProjectedGuidance, TangentialDamping};
pub use self_attention::SelfAttentionGuidance;
pub use token_merging::TokenMerging;
