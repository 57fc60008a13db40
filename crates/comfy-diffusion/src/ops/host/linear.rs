//! Linear layers.

use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use comfy_kernels::{Bias, Matrix, Output, Tile, product};

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
    let weight = by_output(&weight, outputs, inputs);
    let bias = bias.as_ref().map(values);
    let accumulate = residual.is_some();
    let mut all = match residual {
        Some(residual) => into_values(residual),
        None => vec![0.0; batch * tokens * outputs],
    };
    let into = |values| Output {
        values,
        row_stride: outputs,
        groups: 1,
        accumulate,
        bias: bias.map_or(Bias::None, Bias::OfColumns),
    };
    let x = Tokens::of(x);
    // Tokens of consecutive images are consecutive rows unless the images are transposed.
    if let Some(rows) = x.as_one(batch, tokens, inputs) {
        product(tile, into(&mut all), &rows, &*weight);
    } else {
        let images = all.chunks_exact_mut((tokens * outputs).max(1));
        for (index, image) in images.enumerate() {
            let rows = x.image(index, tokens, inputs);
            product(tile, into(image), &rows, &*weight);
        }
    }
    tensor(all, [batch, tokens, outputs])
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
    let weight = by_output(&weight, outputs, inputs);
    let bias = bias.as_ref().map(values);
    let accumulate = residual.is_some();
    let mut all = match residual {
        Some(residual) => into_values(residual),
        None => vec![0.0; batch * tokens * outputs],
    };
    let x = Tokens::of(x);
    let images = all.chunks_exact_mut((tokens * outputs).max(1));
    for (index, image) in images.enumerate() {
        let output = Output {
            values: image,
            row_stride: tokens,
            groups: 1,
            accumulate,
            bias: bias.map_or(Bias::None, Bias::OfRows),
        };
        product(tile, output, &*weight, &x.image(index, tokens, inputs));
    }
    tensor(all, [batch, outputs, tokens])
}

/// `[batch, tokens, features]` as it lies in memory.
struct Tokens {
    tensor: FlexTensor,
    offset: usize,
    strides: [usize; 3],
}

impl Tokens {
    fn of(x: Tensor<3>) -> Self {
        let x = strided(x);
        let strides: Vec<usize> = x
            .layout()
            .strides()
            .iter()
            .filter_map(|&stride| usize::try_from(stride).ok())
            .collect();
        if let Ok(strides) = <[usize; 3]>::try_from(strides) {
            let offset = x.layout().start_offset();
            return Self {
                tensor: x,
                offset,
                strides,
            };
        }
        // Reversed views have negative strides.
        let x = x.to_contiguous();
        let shape = x.layout().shape();
        let strides = [shape[1] * shape[2], shape[2], 1];
        Self {
            tensor: x,
            offset: 0,
            strides,
        }
    }

    fn matrix(&self, start: usize, tokens: usize, features: usize) -> Matrix<'_, f32> {
        let values = self.tensor.storage::<f32>().get(start..).unwrap_or(&[]);
        let [_, of_token, of_feature] = self.strides;
        Matrix::new(values, [tokens, features], [of_token, of_feature])
    }

    /// The tokens of one image.
    fn image(&self, index: usize, tokens: usize, features: usize) -> Matrix<'_, f32> {
        self.matrix(self.offset + index * self.strides[0], tokens, features)
    }

    /// The tokens of all images, if they are rows of one matrix.
    fn as_one(&self, batch: usize, tokens: usize, features: usize) -> Option<Matrix<'_, f32>> {
        (batch == 1 || self.strides[0] == tokens * self.strides[1])
            .then(|| self.matrix(self.offset, batch * tokens, features))
    }
}
