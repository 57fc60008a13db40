//! Other arrangements of the same tensors, turned into the one that networks are built from.

mod diffusers_control;
mod diffusers_names;
mod diffusers_unet;
mod diffusers_vae;
mod open_clip;

pub(super) use diffusers_names::DiffusersNames;
pub(super) use open_clip::style_adapter_in_original_layout;

use crate::weights::Weights;

/// The same weights, every part of them in the arrangement of the original files: text encoders as Hugging Face's `CLIPTextModel`,
/// autoencoders and UNets as in latent diffusion.
pub(super) fn in_original_layout(weights: Weights) -> Weights {
    let weights = open_clip::in_original_layout(weights);
    diffusers_unet::in_original_layout(diffusers_vae::in_original_layout(weights))
}

/// The same weights of a control net or an adapter, in the arrangement of the original files.
pub(super) fn control_in_original_layout(weights: Weights) -> Weights {
    diffusers_unet::in_original_layout(diffusers_control::in_original_layout(weights))
}
