//! Text encoders in files of their own.

use std::path::PathBuf;
use std::sync::Arc;

use super::layout::in_original_layout;
use super::unet;
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::text::{
    CLIP_G_PENULTIMATE, CLIP_H_PENULTIMATE, CLIP_L_LAST, CLIP_L_PENULTIMATE, Clip, ClipEncoder,
};
use crate::weights::Weights;

/// What kind of text encoder a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    ClipL,
    ClipH,
    ClipG,
    /// One that no family here reads, and its name.
    Other(&'static str),
}

/// A tensor that tells a kind from those below it in the list.
const KINDS: [(&str, Kind); 10] = [
    ("text_model.encoder.layers.30.mlp.fc1.weight", Kind::ClipG),
    ("text_model.encoder.layers.22.mlp.fc1.weight", Kind::ClipH),
    ("text_model.encoder.layers.0.mlp.fc1.weight", Kind::ClipL),
    (
        "encoder.block.23.layer.1.DenseReluDense.wi_1.weight",
        Kind::Other("a T5-XXL or T5-XL text encoder"),
    ),
    (
        "encoder.block.23.layer.1.DenseReluDense.wi.weight",
        Kind::Other("an old T5-XXL text encoder"),
    ),
    (
        "encoder.block.0.layer.0.SelfAttention.k.weight",
        Kind::Other("a T5 text encoder"),
    ),
    (
        "model.layers.0.post_feedforward_layernorm.weight",
        Kind::Other("a Gemma language model"),
    ),
    (
        "model.layers.0.self_attn.k_proj.bias",
        Kind::Other("a Qwen language model"),
    ),
    (
        "model.layers.0.post_attention_layernorm.weight",
        Kind::Other("a Llama language model"),
    ),
    (
        "input_blocks.0.0.weight",
        Kind::Other("a diffusion network and no text encoder"),
    ),
];

/// Families that use CLIP in ways of their own, and are not among those that can be opened.
const OTHER_USES_OF_L: [&str; 2] = ["sd3", "hidream"];
const OTHER_USES_OF_G: [&str; 3] = ["stable_cascade", "sd3", "hidream"];

/// The families that two files make a text encoder for.
const PAIRS: [&str; 2] = ["sdxl", "stable_diffusion"];

/// Opens a text encoder that lies in one file or in two. Which network a file holds shows in the file; `purpose` names the family that
/// wants it (`stable_diffusion`, `sdxl`, …) where that is not enough.
///
/// # Errors
///
/// If a file cannot be read or holds no text encoder that is known here, or the files do not make one together.
pub fn open_text_encoder(paths: &[PathBuf], purpose: &str, device: &ComputeDevice) -> Result<Clip> {
    let files = paths
        .iter()
        .map(|path| {
            let weights = Arc::new(in_original_layout(Weights::open(path)?));
            Ok((kind_of(&weights)?, weights))
        })
        .collect::<Result<Vec<_>>>()?;
    let encoder = ClipEncoder::new(device);
    let unused = |what: &str| {
        Err(Error::input(format!(
            "{what} cannot be used for models of type {purpose} here"
        )))
    };
    let encoder = match files.as_slice() {
        [(Kind::ClipL, weights)] if !OTHER_USES_OF_L.contains(&purpose) => {
            encoder.with(CLIP_L_LAST, weights, "")
        }
        [(Kind::ClipH, weights)] => encoder.with(CLIP_H_PENULTIMATE, weights, ""),
        [(Kind::ClipG, weights)] if !OTHER_USES_OF_G.contains(&purpose) => {
            encoder.with(CLIP_G_PENULTIMATE, weights, "")
        }
        [_] => return unused("this text encoder"),
        [(Kind::ClipL, l), (Kind::ClipG, g)] | [(Kind::ClipG, g), (Kind::ClipL, l)]
            if PAIRS.contains(&purpose) =>
        {
            encoder
                .with(CLIP_L_PENULTIMATE, l, "")
                .with(CLIP_G_PENULTIMATE, g, "")
        }
        files => {
            let kinds: Vec<String> = files.iter().map(|(kind, _)| format!("{kind:?}")).collect();
            return unused(&format!(
                "text encoders of the kinds {}",
                kinds.join(" and ")
            ));
        }
    };
    Ok(Clip::new(Arc::new(encoder)))
}

fn kind_of(weights: &Weights) -> Result<Kind> {
    let kind = KINDS
        .iter()
        .find(|(tensor, _)| weights.contains(tensor))
        .map(|(_, kind)| *kind);
    let unknown = |reason: String| Error::UnknownModel {
        path: weights.path().to_owned(),
        reason,
    };
    match kind {
        Some(Kind::Other(what)) => Err(unknown(format!(
            "it looks like {what}, which no family that is known here reads"
        ))),
        Some(kind) => Ok(kind),
        None => Err(unknown(format!(
            "a text encoder has a tensor `{}`, but {}",
            KINDS[2].0,
            unet::describe(&weights.root())
        ))),
    }
}
