//! A prompt through a text encoder, with its weights applied.

use burn::tensor::{Tensor, TensorData};

use super::clip_model::{ClipOutput, ClipTextModel, HiddenChoice};
use super::token::{CHUNK_LENGTH, Chunk, empty_chunk};
use crate::device::ComputeDevice;
use crate::error::Result;

/// What a text encoder makes of a prompt.
#[derive(Debug, Clone)]
pub struct EncodedText {
    /// One vector for each token, chunk after chunk: `[1, 77 · chunks, width]`.
    pub cond: Tensor<3>,
    /// A summary of the first chunk, `[1, width]`, where the encoder makes one.
    pub pooled: Option<Tensor<2>>,
    /// The same before it is projected to the width that models read.
    pub summary: Option<Tensor<2>>,
}

/// Encodes the chunks of one prompt.
///
/// A token of weight w ≠ 1 is moved away from what the encoder gives for an empty prompt at the same place:
/// z ← (z − z₀)·w + z₀. Nothing is rescaled afterwards.
pub(super) fn encode(
    model: &ClipTextModel,
    chunks: &[Chunk],
    padding: u32,
    choice: HiddenChoice,
    device: &ComputeDevice,
) -> Result<EncodedText> {
    let weights: Vec<f32> = chunks
        .iter()
        .flatten()
        .map(|token| token.weight as f32)
        .collect();
    let is_weighted = weights
        .iter()
        .any(|&weight| weight.to_bits() != 1.0_f32.to_bits());
    let output = if is_weighted {
        let with_empty: Vec<Chunk> = chunks
            .iter()
            .cloned()
            .chain([empty_chunk(padding)])
            .collect();
        let output = model.encode(&with_empty, padding, choice)?;
        ClipOutput {
            hidden: reweighted(&output.hidden, weights, device),
            ..output
        }
    } else {
        model.encode(chunks, padding, choice)?
    };
    let [chunks, length, width] = output.hidden.dims();
    Ok(EncodedText {
        cond: output.hidden.reshape([1, chunks * length, width]),
        pooled: Some(output.pooled),
        summary: Some(output.summary),
    })
}

/// Applies the weights `[chunks, 77]` to `[chunks + 1, 77, width]`, whose last chunk is the empty prompt's and is dropped.
fn reweighted(hidden: &Tensor<3>, weights: Vec<f32>, device: &ComputeDevice) -> Tensor<3> {
    let [with_empty, length, width] = hidden.dims();
    let chunks = with_empty - 1;
    let shape = [chunks, length, width];
    let z = hidden.clone().slice([0..chunks, 0..length, 0..width]);
    let empty = hidden
        .clone()
        .slice([chunks..with_empty, 0..length, 0..width])
        .expand(shape);
    let weights: Tensor<3> = Tensor::from_data(
        TensorData::new(weights, [chunks, CHUNK_LENGTH, 1]),
        device.tensor_device(),
    );
    let is_plain = weights.clone().equal_elem(1.0).expand(shape);
    let moved = (z.clone() - empty.clone()) * weights + empty;
    // Plain tokens stay what they are, to the last bit.
    moved.mask_where(is_plain, z)
}
