//! Convolutions.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::gemm::{Matrix, Output, Threads, product};
use super::{contiguous, into_values, tensor, values};
use crate::ops::convolution::{Addend, Geometry};

/// Values that a tile of gathered patches may have: 16 MiB.
const TILE_VALUES: usize = 4 << 20;

/// Sizes of a convolution.
struct Sizes {
    inputs: usize,
    height: usize,
    width: usize,
    kernel_height: usize,
    kernel_width: usize,
    rows: usize,
    columns: usize,
    geometry: Geometry,
}

/// Convolves `[batch, inputs, height, width]` with `[outputs, inputs, kernel height, kernel width]`.
///
/// The weights are, as they lie in the file, a matrix with a row for each output channel. Patches of the image are gathered as
/// columns of another, for a tile of output pixels at a time (of several images if they are small), and the product of the two
/// has the layout of the result.
pub(in crate::ops) fn convolve(
    x: Tensor<4>,
    weight: &Tensor<4>,
    bias: Option<&Tensor<1>>,
    geometry: Geometry,
    addend: Addend,
) -> Tensor<4> {
    let [batch, inputs, height, width] = x.dims();
    let [outputs, _, kernel_height, kernel_width] = weight.dims();
    let sizes = Sizes {
        inputs,
        height,
        width,
        kernel_height,
        kernel_width,
        rows: geometry.output(height, kernel_height),
        columns: geometry.output(width, kernel_width),
        geometry,
    };
    let pixels = sizes.rows * sizes.columns;
    let (x, weight) = (contiguous(x), contiguous(weight.clone()));
    let (x, weight) = (values(&x), values(&weight));
    let mut all = start(batch, pixels, outputs, bias, addend);
    if all.is_empty() {
        return tensor(all, [batch, outputs, sizes.rows, sizes.columns]);
    }
    let patch = inputs * kernel_height * kernel_width;
    let weight = Matrix::dense(weight, outputs, patch);
    let as_is = kernel_height * kernel_width == 1 && geometry == Geometry::same(1);
    let tile = (TILE_VALUES / patch).max(64);
    if as_is {
        for (out, image) in all
            .chunks_exact_mut(outputs * pixels)
            .zip(x.chunks_exact(inputs * pixels))
        {
            let image = Matrix::dense(image, inputs, pixels);
            product(added(out, pixels), weight, image, 1.0, Threads::All);
        }
    } else if batch > 1 && batch * pixels <= tile {
        // Small images: one product for all, so that the weights are read once.
        let columns = batch * pixels;
        let mut patches = vec![0.0; patch * columns];
        sizes.gather(x, &mut patches, 0..columns);
        let mut together = vec![0.0; outputs * columns];
        let output = Output {
            values: &mut together,
            row_stride: columns,
            accumulate: false,
        };
        product(
            output,
            weight,
            Matrix::dense(&patches, patch, columns),
            1.0,
            Threads::All,
        );
        for (index, plane) in all.chunks_exact_mut(pixels).enumerate() {
            let (image, channel) = (index / outputs, index % outputs);
            let source = &together[channel * columns + image * pixels..][..pixels];
            for (value, product) in plane.iter_mut().zip(source) {
                *value += product;
            }
        }
    } else {
        let mut patches = vec![0.0; patch * tile.min(pixels)];
        for (index, out) in all.chunks_exact_mut(outputs * pixels).enumerate() {
            let image = &x[index * inputs * height * width..][..inputs * height * width];
            for first in (0..pixels).step_by(tile) {
                let count = tile.min(pixels - first);
                let patches = &mut patches[..patch * count];
                sizes.gather(image, patches, first..first + count);
                let patches = Matrix::dense(patches, patch, count);
                product(
                    added(&mut out[first..], pixels),
                    weight,
                    patches,
                    1.0,
                    Threads::All,
                );
            }
        }
    }
    tensor(all, [batch, outputs, sizes.rows, sizes.columns])
}

fn added(values: &mut [f32], row_stride: usize) -> Output<'_> {
    Output {
        values,
        row_stride,
        accumulate: true,
    }
}

/// What the products are added to: bias and addends.
fn start(
    batch: usize,
    pixels: usize,
    outputs: usize,
    bias: Option<&Tensor<1>>,
    addend: Addend,
) -> Vec<f32> {
    let bias = bias.cloned().map(contiguous);
    let bias = bias.as_ref().map(values);
    let per_channel = addend.per_channel.map(contiguous);
    let per_channel = per_channel.as_ref().map(values);
    let mut all = match addend.image {
        Some(image) => into_values(image),
        None => vec![0.0; batch * outputs * pixels],
    };
    if bias.is_some() || per_channel.is_some() {
        all.par_chunks_exact_mut(pixels.max(1))
            .enumerate()
            .for_each(|(index, plane)| {
                let bias = bias.map_or(0.0, |bias| bias[index % outputs]);
                let constant = bias + per_channel.map_or(0.0, |values| values[index]);
                for value in plane {
                    *value += constant;
                }
            });
    }
    all
}

impl Sizes {
    /// Writes the patches of the output pixels `range`, counted through all images in `x`, into the columns of `patches`.
    ///
    /// A row of `patches` is one place of the kernel in one input channel, in the order of the weights.
    fn gather(&self, x: &[f32], patches: &mut [f32], range: std::ops::Range<usize>) {
        let places = self.kernel_height * self.kernel_width;
        let image = self.inputs * self.height * self.width;
        let pixels = self.rows * self.columns;
        let row_values = patches.par_chunks_exact_mut(range.len());
        row_values.enumerate().for_each(|(row, patches)| {
            let (channel, place) = (row / places, row % places);
            let (kernel_y, kernel_x) = (place / self.kernel_width, place % self.kernel_width);
            let (mut pixel, mut rest) = (range.start, patches);
            while pixel < range.end {
                let (index, within) = (pixel / pixels, pixel % pixels);
                let (y, x_first) = (within / self.columns, within % self.columns);
                let count = (self.columns - x_first).min(range.end - pixel);
                let (out, after) = rest.split_at_mut(count);
                let plane = &x[index * image + channel * self.height * self.width..]
                    [..self.height * self.width];
                self.gather_row(plane, out, [y, x_first], [kernel_y, kernel_x]);
                rest = after;
                pixel += count;
            }
        });
    }

    /// Part of one output row, as seen by one place of the kernel.
    fn gather_row(&self, plane: &[f32], out: &mut [f32], [y, x]: [usize; 2], [ky, kx]: [usize; 2]) {
        let Geometry { stride, padding } = self.geometry;
        let before = padding[0];
        // Places are counted from the first padding row and column, so that none is negative.
        let source_y = y * stride + ky;
        if source_y < before || source_y >= before + self.height {
            out.fill(0.0);
            return;
        }
        let source = &plane[(source_y - before) * self.width..][..self.width];
        let start = x * stride + kx;
        let left = before.saturating_sub(start).div_ceil(stride).min(out.len());
        let last = before + self.width;
        let inside_end = last
            .saturating_sub(start)
            .div_ceil(stride)
            .clamp(left, out.len());
        out[..left].fill(0.0);
        out[inside_end..].fill(0.0);
        let inside = &mut out[left..inside_end];
        if inside.is_empty() {
            return;
        }
        let source = &source[start + left * stride - before..];
        if stride == 1 {
            inside.copy_from_slice(&source[..inside.len()]);
        } else {
            for (out, value) in inside.iter_mut().zip(source.iter().step_by(stride)) {
                *out = *value;
            }
        }
    }
}
