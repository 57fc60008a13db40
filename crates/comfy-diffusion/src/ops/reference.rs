//! Every operator by its plain formula in `f64`, and examples that compare a device with them.

use burn::tensor::{DType, Device, Tensor, TensorData};

use super::{
    Conv2d, Geometry, GroupNorm, InElement, LayerNorm, Linear, Mask, Strategies, attention, geglu,
    gelu, quick_gelu, silu, upsample_nearest_2x,
};

/// One operator with the sizes of one problem.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Example {
    /// `[batch, tokens, inputs, outputs]`
    Linear([usize; 4]),
    /// The same, from an image to tokens (`false`) or from tokens to an image (`true`), with a residual.
    Projection([usize; 4], bool),
    /// `[batch, tokens, inputs, outputs]`, the outputs gated.
    Gated([usize; 4]),
    /// `[batch, inputs, outputs, height, width]`, kernel size and geometry.
    Convolution([usize; 5], usize, Geometry),
    /// `[batch, queries, keys, heads, size]`
    Attention([usize; 5], Mask),
    /// `[batch, channels, height, width]` and groups, with `silu` after it.
    GroupNorm([usize; 4], usize, bool),
    /// `[batch, tokens, width]`
    LayerNorm([usize; 3]),
    /// All activations of this many values.
    Activations(usize),
    /// `[batch, channels, height, width]`
    Upsample([usize; 4]),
}

/// Matrix products and activations for a self-test.
pub(crate) const BASIC: [Example; 5] = [
    Example::Linear([2, 24, 40, 96]),
    Example::Gated([2, 24, 40, 96]),
    Example::Projection([2, 30, 64, 32], true),
    Example::Activations(96),
    Example::Upsample([2, 3, 4, 5]),
];

/// Norms for a self-test: of rows that are read one, two and four values at a time, shorter and longer than a cube has units.
pub(crate) const NORMS: [Example; 4] = [
    Example::GroupNorm([2, 64, 6, 5], 32, true),
    Example::GroupNorm([1, 32, 48, 44], 32, false),
    Example::LayerNorm([2, 24, 40]),
    Example::LayerNorm([2, 3, 77]),
];

/// Convolutions for a self-test.
pub(crate) const CONVOLUTIONS: [Example; 3] = [
    Example::Convolution([2, 32, 48, 8, 6], 3, Geometry::same(3)),
    Example::Convolution([2, 32, 48, 8, 6], 3, Geometry::HALVE),
    Example::Convolution([1, 104, 48, 8, 6], 1, Geometry::same(1)),
];

/// Attention for a self-test; 40 is the head size for which fused kernels need padding.
pub(crate) const ATTENTIONS: [Example; 2] = [
    Example::Attention([2, 64, 77, 2, 40], Mask::None),
    Example::Attention([1, 77, 77, 2, 64], Mask::Causal),
];

impl Example {
    /// The Euclidean norm of the difference between the device's result and the formula's, relative to the latter.
    pub(crate) fn difference(&self, device: &Device, strategies: &Strategies) -> f64 {
        let device = (device, strategies.element());
        match *self {
            Self::Linear(sizes) => linear(device, *strategies, sizes),
            Self::Gated(sizes) => gated(device, *strategies, sizes),
            Self::Projection(sizes, to_channels) => {
                projection(device, *strategies, sizes, to_channels)
            }
            Self::Convolution(sizes, kernel, geometry) => {
                convolution(device, *strategies, sizes, kernel, geometry)
            }
            Self::Attention(sizes, mask) => attend(device, strategies, sizes, mask),
            Self::GroupNorm(sizes, groups, silu) => {
                group_norm(device, *strategies, sizes, groups, silu)
            }
            Self::LayerNorm(sizes) => layer_norm(device, *strategies, sizes),
            Self::Activations(count) => activations(device, strategies, count),
            Self::Upsample(sizes) => upsample(device, strategies, sizes),
        }
    }
}

/// Values between -1 and 1 that look random: a linear congruential generator (Numerical Recipes' constants).
pub(crate) struct Numbers(u32);

impl Numbers {
    pub(crate) fn new(seed: u32) -> Self {
        Self(seed)
    }

    pub(crate) fn take(&mut self, count: usize) -> Vec<f32> {
        (0..count)
            .map(|_| {
                self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (self.0 >> 8) as f32 / 8_388_608.0 - 1.0
            })
            .collect()
    }
}

/// A device, and the element type that is passed between operators on it.
type Place<'a> = (&'a Device, DType);

fn upload<const D: usize>(place: Place, values: &[f32], shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), place)
}

/// What is `f32` in any case.
fn upload_exactly<const D: usize>(
    (device, _): Place,
    values: &[f32],
    shape: [usize; D],
) -> Tensor<D> {
    upload((device, DType::F32), values, shape)
}

fn relative<const D: usize>(got: Tensor<D>, want: &[f64]) -> f64 {
    let got = got.in_element(DType::F32).into_data();
    let Ok(got) = got.try_into_vec::<f32>() else {
        return f64::INFINITY;
    };
    if got.len() != want.len() {
        return f64::INFINITY;
    }
    let square =
        |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
    let differences = square(
        &mut got
            .iter()
            .zip(want)
            .map(|(got, want)| f64::from(*got) - want),
    );
    (differences / square(&mut want.iter().copied()).max(f64::MIN_POSITIVE)).sqrt()
}

/// `[rows, inputs] · [outputs, inputs]ᵀ + [outputs]`
fn rows_times(x: &[f32], weight: &[f32], bias: &[f32], inputs: usize) -> Vec<f64> {
    let mut y = Vec::with_capacity(x.len() / inputs * bias.len());
    for row in x.chunks_exact(inputs) {
        for (weights, bias) in weight.chunks_exact(inputs).zip(bias) {
            let products = row.iter().zip(weights);
            let sum: f64 = products.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            y.push(sum + f64::from(*bias));
        }
    }
    y
}

fn linear(
    device: Place,
    strategies: Strategies,
    [batch, tokens, inputs, outputs]: [usize; 4],
) -> f64 {
    let mut numbers = Numbers::new(1);
    let x = numbers.take(batch * tokens * inputs);
    let (weight, bias) = (numbers.take(outputs * inputs), numbers.take(outputs));
    let layer = Linear::new(
        upload(device, &weight, [outputs, inputs]),
        Some(upload(device, &bias, [outputs])),
        strategies,
    );
    let got = layer.forward(upload(device, &x, [batch, tokens, inputs]));
    relative(got, &rows_times(&x, &weight, &bias, inputs))
}

fn gated(
    device: Place,
    strategies: Strategies,
    [batch, tokens, inputs, outputs]: [usize; 4],
) -> f64 {
    let mut numbers = Numbers::new(9);
    let x = numbers.take(batch * tokens * inputs);
    let (weight, bias) = (numbers.take(outputs * inputs), numbers.take(outputs));
    // So that gates are where the error function can be summed up.
    let scaled = 1.0 / (inputs as f32).sqrt();
    let weight: Vec<f32> = weight.iter().map(|value| value * scaled).collect();
    let layer = Linear::new(
        upload(device, &weight, [outputs, inputs]),
        Some(upload(device, &bias, [outputs])),
        strategies,
    );
    let both = rows_times(&x, &weight, &bias, inputs);
    let want: Vec<f64> = both
        .chunks_exact(outputs)
        .flat_map(|row| {
            let (kept, gate) = row.split_at(outputs / 2);
            let gate = gate.iter().map(|gate| gate * normal_distribution(*gate));
            kept.iter().zip(gate).map(|(kept, gate)| kept * gate)
        })
        .collect();
    let got = layer.forward_geglu(upload(device, &x, [batch, tokens, inputs]));
    relative(got, &want)
}

/// Rows of `columns` values, transposed.
fn transposed<T: Copy>(values: &[T], columns: usize) -> Vec<T> {
    let rows = values.len() / columns;
    (0..values.len())
        .map(|index| values[index % rows * columns + index / rows])
        .collect()
}

fn projection(
    device: Place,
    strategies: Strategies,
    [batch, tokens, inputs, outputs]: [usize; 4],
    to_channels: bool,
) -> f64 {
    let mut numbers = Numbers::new(2);
    let x = numbers.take(batch * tokens * inputs);
    let (weight, bias) = (numbers.take(outputs * inputs), numbers.take(outputs));
    let residual = numbers.take(batch * tokens * outputs);
    let layer = Linear::new(
        upload(device, &weight, [outputs, inputs]),
        Some(upload(device, &bias, [outputs])),
        strategies,
    );
    if to_channels {
        let want = rows_times(&x, &weight, &bias, inputs);
        let mut want: Vec<f64> = want
            .chunks_exact(tokens * outputs)
            .flat_map(|image| transposed(image, outputs))
            .collect();
        for (value, residual) in want.iter_mut().zip(&residual) {
            *value += f64::from(*residual);
        }
        let got = layer.forward_to_channels(
            upload(device, &x, [batch, tokens, inputs]),
            Some(upload(device, &residual, [batch, outputs, tokens])),
        );
        return relative(got, &want);
    }
    let rows: Vec<f32> = x
        .chunks_exact(tokens * inputs)
        .flat_map(|image| transposed(image, tokens))
        .collect();
    let image = upload(device, &x, [batch, inputs, tokens]);
    let got = layer.forward(image.swap_dims(1, 2));
    relative(got, &rows_times(&rows, &weight, &bias, inputs))
}

fn convolution(
    device: Place,
    strategies: Strategies,
    [batch, inputs, outputs, height, width]: [usize; 5],
    kernel: usize,
    geometry: Geometry,
) -> f64 {
    let mut numbers = Numbers::new(3);
    let x = numbers.take(batch * inputs * height * width);
    let weight = numbers.take(outputs * inputs * kernel * kernel);
    let bias = numbers.take(outputs);
    let per_channel = numbers.take(batch * outputs);
    let (rows, columns) = (
        geometry.output(height, kernel),
        geometry.output(width, kernel),
    );
    let mut want = Vec::with_capacity(batch * outputs * rows * columns);
    let at = |image: usize, channel: usize, y: usize, x_: usize| {
        let before = geometry.padding[0];
        let inside = y >= before && x_ >= before && y < height + before && x_ < width + before;
        let index = || ((image * inputs + channel) * height + y - before) * width + x_ - before;
        if inside { f64::from(x[index()]) } else { 0.0 }
    };
    for image in 0..batch {
        for output in 0..outputs {
            for (row, column) in (0..rows * columns).map(|pixel| (pixel / columns, pixel % columns))
            {
                let mut sum =
                    f64::from(bias[output]) + f64::from(per_channel[image * outputs + output]);
                for (place, weight) in weight[output * inputs * kernel * kernel..]
                    [..inputs * kernel * kernel]
                    .iter()
                    .enumerate()
                {
                    let (channel, place) = (place / (kernel * kernel), place % (kernel * kernel));
                    let y = row * geometry.stride + place / kernel;
                    let x = column * geometry.stride + place % kernel;
                    sum += f64::from(*weight) * at(image, channel, y, x);
                }
                want.push(sum);
            }
        }
    }
    let residual = numbers.take(want.len());
    for (value, residual) in want.iter_mut().zip(&residual) {
        *value += f64::from(*residual);
    }
    let layer = Conv2d::new(
        upload(device, &weight, [outputs, inputs, kernel, kernel]),
        Some(upload(device, &bias, [outputs])),
        geometry,
        strategies,
    );
    let addend = super::Addend {
        per_channel: Some(upload(device, &per_channel, [batch, outputs])),
        image: Some(upload(device, &residual, [batch, outputs, rows, columns])),
    };
    let got = layer.forward_add(upload(device, &x, [batch, inputs, height, width]), addend);
    relative(got, &want)
}

fn attend(
    device: Place,
    strategies: &Strategies,
    [batch, queries, keys, heads, size]: [usize; 5],
    mask: Mask,
) -> f64 {
    let mut numbers = Numbers::new(4);
    let width = heads * size;
    // Larger than one, so that the softmax is not flat.
    let mut take = |count: usize| -> Vec<f32> {
        numbers
            .take(count)
            .iter()
            .map(|value| value * 2.0)
            .collect()
    };
    let (q, k, v) = (
        take(batch * queries * width),
        take(batch * keys * width),
        take(batch * keys * width),
    );
    let mut want = vec![0.0; batch * queries * width];
    for (row, want) in want.chunks_exact_mut(size).enumerate() {
        let (token, head) = (row / heads, row % heads);
        let (image, query) = (token / queries, token % queries);
        let place = |key: usize| ((image * keys + key) * heads + head) * size;
        let seen = if mask == Mask::Causal {
            query + 1
        } else {
            keys
        };
        let scores: Vec<f64> = (0..seen)
            .map(|key| {
                let pairs = q[row * size..][..size].iter().zip(&k[place(key)..][..size]);
                let sum: f64 = pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                sum / (size as f64).sqrt()
            })
            .collect();
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = scores.iter().map(|score| (score - largest).exp()).sum();
        for (key, score) in scores.iter().enumerate() {
            let share = (score - largest).exp() / total;
            for (want, value) in want.iter_mut().zip(&v[place(key)..]) {
                *want += share * f64::from(*value);
            }
        }
    }
    let got = attention(
        strategies,
        upload(device, &q, [batch, queries, width]),
        upload(device, &k, [batch, keys, width]),
        upload(device, &v, [batch, keys, width]),
        heads,
        mask,
    );
    relative(got, &want)
}

const EPSILON: f64 = 1e-5;

/// Normalises each chunk of `count` values; `affine` gives scale and shift by the index of a value.
fn normalised(x: &[f32], count: usize, affine: impl Fn(usize) -> (f32, f32)) -> Vec<f64> {
    let mut y = Vec::with_capacity(x.len());
    for chunk in x.chunks_exact(count) {
        let mean = chunk.iter().map(|value| f64::from(*value)).sum::<f64>() / count as f64;
        let squares = chunk.iter().map(|value| (f64::from(*value) - mean).powi(2));
        let deviation = (squares.sum::<f64>() / count as f64 + EPSILON).sqrt();
        for value in chunk {
            let (scale, shift) = affine(y.len());
            y.push((f64::from(*value) - mean) / deviation * f64::from(scale) + f64::from(shift));
        }
    }
    y
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn group_norm(
    device: Place,
    strategies: Strategies,
    shape @ [_, channels, height, width]: [usize; 4],
    groups: usize,
    silu: bool,
) -> f64 {
    let mut numbers = Numbers::new(5);
    let plane = height * width;
    // A mean far from zero shows sums that lose digits.
    let x: Vec<f32> = numbers
        .take(shape.iter().product())
        .iter()
        .map(|value| value + 3.0)
        .collect();
    let (scale, shift) = (numbers.take(channels), numbers.take(channels));
    let channel = |index: usize| index / plane % channels;
    let mut want = normalised(&x, channels / groups * plane, |index| {
        (scale[channel(index)], shift[channel(index)])
    });
    if silu {
        for value in &mut want {
            *value *= logistic(*value);
        }
    }
    let parameters = [&scale, &shift].map(|values| upload_exactly(device, values, [channels]));
    let [scale, shift] = parameters;
    let Ok(layer) = GroupNorm::new(scale, shift, groups, EPSILON, strategies) else {
        return f64::INFINITY;
    };
    let x = upload(device, &x, shape);
    let got = if silu {
        layer.forward_silu(x)
    } else {
        layer.forward(x)
    };
    relative(got, &want)
}

fn layer_norm(device: Place, strategies: Strategies, shape @ [.., width]: [usize; 3]) -> f64 {
    let mut numbers = Numbers::new(6);
    let x: Vec<f32> = numbers
        .take(shape.iter().product())
        .iter()
        .map(|value| value + 3.0)
        .collect();
    let (scale, shift) = (numbers.take(width), numbers.take(width));
    let want = normalised(&x, width, |index| {
        (scale[index % width], shift[index % width])
    });
    let layer = LayerNorm::new(
        upload_exactly(device, &scale, [width]),
        upload_exactly(device, &shift, [width]),
        EPSILON,
        strategies,
    );
    relative(layer.forward(upload(device, &x, shape)), &want)
}

/// The normal distribution function, by the series x + x³/3 + x⁵/(3·5) + … times the density; for |x| below 6.
fn normal_distribution(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for odd in (3..200).step_by(2) {
        term *= x * x / f64::from(odd);
        sum += term;
    }
    0.5 + sum * (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

/// The worst of all activations.
fn activations(device: Place, strategies: &Strategies, count: usize) -> f64 {
    let count = count.next_multiple_of(2);
    let x: Vec<f32> = Numbers::new(7)
        .take(count)
        .iter()
        .map(|value| value * 5.0)
        .collect();
    let input = || upload(device, &x, [1, 1, count]);
    let wide = |function: fn(f64) -> f64| -> Vec<f64> {
        x.iter().map(|value| function(f64::from(*value))).collect()
    };
    let gelus = wide(|value| value * normal_distribution(value));
    let gated: Vec<f64> = x
        .iter()
        .zip(&gelus[count / 2..])
        .map(|(kept, gate)| f64::from(*kept) * gate)
        .collect();
    [
        relative(
            silu(strategies, input()),
            &wide(|value| value * logistic(value)),
        ),
        relative(gelu(strategies, input()), &gelus),
        relative(
            quick_gelu(strategies, input()),
            &wide(|value| value * logistic(1.702 * value)),
        ),
        relative(geglu(strategies, input()), &gated),
    ]
    .into_iter()
    .fold(0.0, f64::max)
}

fn upsample(
    device: Place,
    strategies: &Strategies,
    shape @ [.., height, width]: [usize; 4],
) -> f64 {
    let x = Numbers::new(8).take(shape.iter().product());
    let want: Vec<f64> = (0..x.len() * 4)
        .map(|index| {
            let (plane, within) = (index / (4 * height * width), index % (4 * height * width));
            let (row, column) = (within / (2 * width) / 2, within % (2 * width) / 2);
            f64::from(x[(plane * height + row) * width + column])
        })
        .collect();
    relative(
        upsample_nearest_2x(strategies, upload(device, &x, shape)),
        &want,
    )
}
