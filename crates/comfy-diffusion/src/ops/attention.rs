//! Scaled dot-product attention.

use burn::tensor::module::attention as burn_attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, DType, Tensor, activation};

use super::host;
use super::profile::{Problem, timed};
use super::strategy::{AttentionStrategy, Strategies};
use super::within;

/// Which keys a query may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mask {
    /// All.
    #[default]
    None,
    /// Those at its own place and before.
    Causal,
}

/// `softmax(q · kᵀ / √size) · v` for each head (Vaswani et al. 2017).
///
/// `query` is `[batch, queries, heads · size]`, `key` and `value` `[batch, keys, heads · size]`, the heads side by side, as linear
/// layers leave them; the result is like `query`, and all have one element type. [`Mask::Causal`] needs as many keys as queries.
pub fn attention(
    strategies: &Strategies,
    query: Tensor<3>,
    key: Tensor<3>,
    value: Tensor<3>,
    heads: usize,
    mask: Mask,
) -> Tensor<3> {
    let ([batch, queries, width], [_, keys, _]) = (query.dims(), key.dims());
    let problem = || {
        let size = width / heads;
        let name = format!("attention {queries}×{keys}, {batch}×{heads} heads of {size}");
        // Scores, and the values that they weigh.
        Problem::of_pairs(name, &[2, batch, queries, keys, width])
    };
    timed(problem, || {
        compute(strategies, query, key, value, heads, mask)
    })
}

fn compute(
    strategies: &Strategies,
    query: Tensor<3>,
    key: Tensor<3>,
    value: Tensor<3>,
    heads: usize,
    mask: Mask,
) -> Tensor<3> {
    if strategies.attention == AttentionStrategy::HostBlocks {
        return host::attention(&strategies.tile(), query, key, value, heads, mask);
    }
    let [batch, queries, width] = query.dims();
    let keys = key.dims()[1];
    let size = width / heads;
    let split = |tokens: Tensor<3>| {
        let [batch, count, _] = tokens.dims();
        tokens.reshape([batch, count, heads, size]).swap_dims(1, 2)
    };
    // The softmax's scale goes into the queries: given as an option it would turn the fused kernels off.
    let (query, key, value) = match strategies.attention {
        AttentionStrategy::Fused { head_multiple } => {
            let padded = size.next_multiple_of(head_multiple);
            // Burn divides by the root of the padded size.
            let correction = (padded as f64 / size as f64).sqrt();
            (
                pad_heads(split(query) * correction, padded),
                pad_heads(split(key), padded),
                pad_heads(split(value), padded),
            )
        }
        _ => (
            split(query) * (1.0 / (size as f64).sqrt()),
            split(key),
            split(value),
        ),
    };
    let at_once = queries_at_once(strategies.scratch_bytes, [batch, heads, queries, keys]);
    let mut parts = Vec::with_capacity(queries.div_ceil(at_once));
    for start in (0..queries).step_by(at_once) {
        let count = at_once.min(queries - start);
        let block = query.clone().narrow(2, start, count);
        let hidden =
            (mask == Mask::Causal).then(|| hidden_keys(&block, [batch, heads, count, keys], start));
        let fused = matches!(strategies.attention, AttentionStrategy::Fused { .. });
        parts.push(if fused {
            burn_attention(
                block,
                key.clone(),
                value.clone(),
                hidden,
                None,
                AttentionModuleOptions::default(),
            )
        } else {
            let scores = block.matmul(key.clone().swap_dims(2, 3));
            let scores = match hidden {
                Some(hidden) => scores.mask_fill(hidden, f32::NEG_INFINITY),
                None => scores,
            };
            let shares = within(DType::F32, scores, |scores| activation::softmax(scores, 3));
            shares.matmul(value.clone())
        });
    }
    Tensor::cat(parts, 2)
        .narrow(3, 0, size)
        .swap_dims(1, 2)
        .reshape([batch, queries, width])
}

/// As many queries as have no more scores than fit into so many bytes; at least one.
fn queries_at_once(scratch_bytes: usize, [batch, heads, queries, keys]: [usize; 4]) -> usize {
    // The softmax is computed in f32.
    let bytes_per_query = batch * heads * keys * size_of::<f32>();
    (scratch_bytes / bytes_per_query).clamp(1, queries)
}

/// Zeros after the last feature of each head; they change neither scores nor results.
fn pad_heads(heads: Tensor<4>, size: usize) -> Tensor<4> {
    let [batch, count, tokens, present] = heads.dims();
    if present == size {
        return heads;
    }
    let zeros = Tensor::zeros(
        [batch, count, tokens, size - present],
        (&heads.device(), heads.dtype()),
    );
    Tensor::cat(vec![heads, zeros], 3)
}

/// True where a key lies after the query; the first query of the block is number `start`.
fn hidden_keys(block: &Tensor<4>, shape: [usize; 4], start: usize) -> Tensor<4, Bool> {
    let [_, _, queries, keys] = shape;
    // Burn's mask is false on and below the diagonal.
    let hidden = Tensor::<2, Bool>::tril_mask([queries, keys], start as i64, &block.device());
    hidden.unsqueeze::<4>().expand(shape)
}

#[cfg(test)]
mod tests {
    use super::queries_at_once;

    #[test]
    fn scores_stay_within_the_scratch_memory() {
        let scratch = 256 << 20;
        for (sizes, expected) in [
            // SD1.5 at 512² and 1024², SDXL at 1024², the middle of an autoencoder at 1024².
            ([2, 8, 4096, 4096], 1024),
            ([2, 8, 16_384, 16_384], 256),
            ([2, 10, 4096, 4096], 819),
            ([1, 1, 16_384, 16_384], 4096),
            ([2, 8, 4096, 77], 4096),
            ([64, 64, 1, 1_000_000], 1),
        ] {
            assert_eq!(queries_at_once(scratch, sizes), expected, "{sizes:?}");
        }
    }
}
