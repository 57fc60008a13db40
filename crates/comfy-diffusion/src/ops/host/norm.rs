//! Normalisation.

use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use comfy_kernels::normalise::{self, Source};

use super::{contiguous, owned, tensor, values};

/// What comes after a normalisation.
pub(in crate::ops) struct Affine<'a> {
    /// One factor per channel or feature.
    pub(in crate::ops) scale: &'a Tensor<1>,
    /// One addend per channel or feature.
    pub(in crate::ops) shift: &'a Tensor<1>,
    /// Added to the variance.
    pub(in crate::ops) epsilon: f32,
}

impl Affine<'_> {
    /// The same over slices, for `function`.
    fn with(&self, function: impl FnOnce(&normalise::Affine) -> Vec<f32>) -> Vec<f32> {
        let scale = contiguous(self.scale.clone());
        let shift = contiguous(self.shift.clone());
        function(&normalise::Affine {
            scale: values(&scale),
            shift: values(&shift),
            epsilon: self.epsilon,
        })
    }
}

/// Normalises groups of channels of `[batch, channels, height, width]`, with or without `silu` after it.
pub(in crate::ops) fn group_norm(
    x: Tensor<4>,
    affine: &Affine,
    groups: usize,
    silu: bool,
) -> Tensor<4> {
    let shape @ [_, _, height, width] = x.dims();
    let all = affine.with(|affine| {
        from(contiguous(x), |source| {
            normalise::group_norm(source, affine, groups, height * width, silu)
        })
    });
    tensor(all, shape)
}

/// Normalises the features of `[batch, tokens, features]`.
pub(in crate::ops) fn layer_norm(x: Tensor<3>, affine: &Affine) -> Tensor<3> {
    let shape = x.dims();
    let all = affine.with(|affine| {
        from(contiguous(x), |source| {
            normalise::layer_norm(source, affine)
        })
    });
    tensor(all, shape)
}

/// What a function makes of the values of a tensor, in their place if nobody else holds them.
fn from(x: FlexTensor, function: impl FnOnce(Source) -> Vec<f32>) -> Vec<f32> {
    if x.is_unique() {
        function(Source::Own(owned(x)))
    } else {
        function(Source::Shared(values(&x)))
    }
}
