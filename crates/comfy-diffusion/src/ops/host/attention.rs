//! Attention.

use burn::tensor::Tensor;
use comfy_kernels::{Attention, Tile, attend};

use super::{contiguous, tensor, values};
use crate::ops::attention::Mask;

/// `softmax(q · kᵀ / √size) · v` for each head, heads side by side in the last dimension.
pub(in crate::ops) fn attention(
    tile: &Tile,
    query: Tensor<3>,
    key: Tensor<3>,
    value: Tensor<3>,
    heads: usize,
    mask: Mask,
) -> Tensor<3> {
    let [batch, queries, width] = query.dims();
    let sizes = Attention {
        batch,
        queries,
        keys: key.dims()[1],
        heads,
        size: width / heads,
        causal: mask == Mask::Causal,
    };
    let (query, key, value) = (contiguous(query), contiguous(key), contiguous(value));
    let result = attend(tile, &sizes, values(&query), values(&key), values(&value));
    tensor(result, [batch, queries, width])
}
