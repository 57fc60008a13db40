//! Figures of each item of a batch, as `[batch, 1, 1, 1]`.

use burn::tensor::Tensor;

/// The sum over all but the batch.
pub(super) fn sum(tensor: Tensor<4>) -> Tensor<4> {
    let [batch, ..] = tensor.dims();
    tensor
        .reshape([batch as i32, -1])
        .sum_dim(1)
        .reshape([batch, 1, 1, 1])
}

/// The Euclidean norm.
pub(super) fn norm(tensor: Tensor<4>) -> Tensor<4> {
    sum(tensor.square()).sqrt()
}

/// The standard deviation of a sample.
pub(super) fn deviation(tensor: Tensor<4>) -> Tensor<4> {
    let count: usize = tensor.dims()[1..].iter().product();
    let mean = sum(tensor.clone()).div_scalar(count as f64);
    sum((tensor - mean).square())
        .div_scalar((count.max(2) - 1) as f64)
        .sqrt()
}
