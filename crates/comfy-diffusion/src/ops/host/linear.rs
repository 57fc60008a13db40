//! Linear layers.

use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use comfy_kernels::{
    Bias, Images, Matrix, Operand, Output, Patches, Tile, Window, gated_product, product,
};

use super::{by_output, contiguous, into_values, stored, strided, tensor, values};

/// `[batch, tokens, inputs]` to `[batch, tokens, outputs]`, plus `residual`.
pub(in crate::ops) fn linear(
    tile: &Tile,
    x: Tensor<3>,
    weight: &Tensor<2>,
    bias: Option<&Tensor<1>>,
    residual: Option<Tensor<3>>,
) -> Tensor<3> {
    let [batch, tokens, inputs] = x.dims();
    let [outputs, _] = weight.dims();
    let (weight, bias) = (stored(weight), bias.cloned().map(contiguous));
    let output = Output {
        groups: 1,
        bias: bias
            .as_ref()
            .map_or(Bias::None, |bias| Bias::OfColumns(values(bias))),
        residual: residual.map(into_values),
    };
    let x = Tokens::of(x);
    let weight = by_output(&weight, outputs, inputs);
    let all = product(tile, output, &*x.operand(), &*weight);
    tensor(all, [batch, tokens, outputs])
}

/// `[batch, tokens, inputs]` to `[batch, tokens, outputs]`, the first half of which is kept as the second lets it.
pub(in crate::ops) fn linear_geglu(
    tile: &Tile,
    x: Tensor<3>,
    weight: &Tensor<2>,
    bias: Option<&Tensor<1>>,
) -> Tensor<3> {
    let [batch, tokens, inputs] = x.dims();
    let [outputs, _] = weight.dims();
    let (x, weight, bias) = (contiguous(x), stored(weight), bias.cloned().map(contiguous));
    let weight = by_output(&weight, outputs, inputs);
    let all = gated_product(tile, bias.as_ref().map(values), values(&x), &*weight);
    tensor(all, [batch, tokens, outputs / 2])
}

/// `[batch, tokens, inputs]` to `[batch, outputs, tokens]`, plus `residual`.
pub(in crate::ops) fn linear_to_channels(
    tile: &Tile,
    x: Tensor<3>,
    weight: &Tensor<2>,
    bias: Option<&Tensor<1>>,
    residual: Option<Tensor<3>>,
) -> Tensor<3> {
    let [batch, tokens, inputs] = x.dims();
    let [outputs, _] = weight.dims();
    let (weight, bias) = (stored(weight), bias.cloned().map(contiguous));
    let bias = bias.as_ref().map(|bias| values(bias).repeat(batch));
    let output = Output {
        groups: batch,
        bias: bias.as_deref().map_or(Bias::None, Bias::OfRows),
        residual: residual.map(into_values),
    };
    let x = Tokens::of(x);
    let weight = by_output(&weight, outputs, inputs);
    let all = product(tile, output, &*weight, &*x.operand());
    tensor(all, [batch, outputs, tokens])
}

/// `[batch, tokens, features]` as it lies in memory.
enum Tokens {
    /// Features of a token are consecutive.
    Rows(FlexTensor, [usize; 3]),
    /// Tokens are the pixels of an image, `[batch, features, tokens]`.
    Image(FlexTensor, [usize; 3]),
}

impl Tokens {
    fn of(x: Tensor<3>) -> Self {
        let sizes = x.dims();
        // An image that is read as tokens is contiguous once it is turned back.
        let image = strided(x.clone().swap_dims(1, 2));
        let x = strided(x);
        if image.is_contiguous() && !x.is_contiguous() {
            Self::Image(image, sizes)
        } else {
            Self::Rows(x.to_contiguous(), sizes)
        }
    }

    /// A lane for each token of all images.
    fn operand(&self) -> Box<dyn Operand + '_> {
        match self {
            Self::Rows(x, [batch, tokens, features]) => {
                Box::new(Matrix::dense(values(x), batch * tokens, *features))
            }
            Self::Image(x, [batch, tokens, features]) => {
                let images = Images {
                    values: values(x),
                    count: *batch,
                    channels: *features,
                    height: 1,
                    width: *tokens,
                };
                Box::new(Patches::new(images, Window::pixels(&images)))
            }
        }
    }
}
