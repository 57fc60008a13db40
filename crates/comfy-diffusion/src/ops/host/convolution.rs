//! Convolutions.

use std::ops::Range;

use burn::tensor::Tensor;
use comfy_kernels::{
    Images, Matrix, Operand, Output, Precision, Tile, convolve_3x3, elementwise, filtering_pays,
    product,
};
use rayon::prelude::*;

use super::{GRAIN, by_output, contiguous, into_values, stored, tensor, values};
use crate::ops::convolution::{Addend, Geometry};

/// Images of fewer pixels than this are convolved together.
const SMALL: usize = 1024;

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
/// The weights are, as they lie in the file, a matrix with a row for each output channel. The patches of the image are the columns
/// of another, which is never made: they are gathered as the product copies them. Its result has the layout of an image.
pub(in crate::ops) fn convolve(
    tile: &Tile,
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
    let (x, weight) = (contiguous(x), stored(weight));
    let x = values(&x);
    let mut all = start(batch, pixels, outputs, bias, addend);
    if all.is_empty() {
        return tensor(all, [batch, outputs, sizes.rows, sizes.columns]);
    }
    let depth = inputs * kernel_height * kernel_width;
    let weight = by_output(&weight, outputs, depth);
    let images = Images {
        values: x,
        count: batch,
        channels: inputs,
        height,
        width,
    };
    if [kernel_height, kernel_width] == [3, 3]
        && geometry == Geometry::same(3)
        && filtering_pays(tile, &images)
    {
        // Transformed images are not to be rounded, and with so few products nothing is gained by that.
        let tile = Tile::of(Precision::Single);
        convolve_3x3(&tile, &mut all, &*weight, &images);
        return tensor(all, [batch, outputs, sizes.rows, sizes.columns]);
    }
    let into = |values, row_stride, accumulate| Output {
        values,
        row_stride,
        accumulate,
    };
    if batch > 1 && pixels < SMALL {
        // One product for all, so that the weights are read once.
        let columns = batch * pixels;
        let mut together = vec![0.0; outputs * columns];
        let output = into(&mut together, columns, false);
        product(tile, output, &*weight, &sizes.patches(x, batch));
        let planes = all.par_chunks_exact_mut(pixels).enumerate();
        planes
            .with_min_len(GRAIN / pixels + 1)
            .for_each(|(index, plane)| {
                let (image, channel) = (index / outputs, index % outputs);
                let start = channel * columns + image * pixels;
                elementwise::add(plane, &together[start..][..pixels]);
            });
        return tensor(all, [batch, outputs, sizes.rows, sizes.columns]);
    }
    let images = x.chunks_exact(inputs * height * width);
    for (out, image) in all.chunks_exact_mut(outputs * pixels).zip(images) {
        let output = into(out, pixels, true);
        if kernel_height * kernel_width == 1 && geometry == Geometry::same(1) {
            let image = Matrix::new(image, [pixels, inputs], [1, pixels]);
            product(tile, output, &*weight, &image);
        } else {
            product(tile, output, &*weight, &sizes.patches(image, 1));
        }
    }
    tensor(all, [batch, outputs, sizes.rows, sizes.columns])
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
                elementwise::add_number(plane, constant);
            });
    }
    all
}

impl Sizes {
    fn patches<'a>(&'a self, x: &'a [f32], images: usize) -> Patches<'a> {
        let sizes = self;
        Patches { sizes, x, images }
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

/// The patches of images, one for each output pixel; depths are places of the kernel in the input channels, in the order of weights.
struct Patches<'a> {
    sizes: &'a Sizes,
    x: &'a [f32],
    images: usize,
}

/// Output pixels that are neighbours in a row.
struct Run {
    /// Where the first channel of their image begins.
    image: usize,
    y: usize,
    x: usize,
    count: usize,
}

impl Patches<'_> {
    /// The output pixels as parts of rows; they are counted through all images.
    fn runs(&self, pixels: Range<usize>) -> Vec<Run> {
        let sizes = self.sizes;
        let image = sizes.inputs * sizes.height * sizes.width;
        let mut runs = Vec::with_capacity(pixels.len().min(4));
        let mut pixel = pixels.start;
        while pixel < pixels.end {
            let (index, within) = (
                pixel / (sizes.rows * sizes.columns),
                pixel % (sizes.rows * sizes.columns),
            );
            let (y, x) = (within / sizes.columns, within % sizes.columns);
            let count = (sizes.columns - x).min(pixels.end - pixel);
            let image = index * image;
            runs.push(Run { image, y, x, count });
            pixel += count;
        }
        runs
    }
}

impl Operand for Patches<'_> {
    fn lanes(&self) -> usize {
        self.images * self.sizes.rows * self.sizes.columns
    }

    fn depth(&self) -> usize {
        self.sizes.inputs * self.sizes.kernel_height * self.sizes.kernel_width
    }

    fn pack(&self, lanes: Range<usize>, depth: Range<usize>, width: usize, panel: &mut [f32]) {
        let sizes = self.sizes;
        let plane = sizes.height * sizes.width;
        let places = sizes.kernel_height * sizes.kernel_width;
        let runs = self.runs(lanes);
        for (row, depth) in panel.chunks_exact_mut(width).zip(depth) {
            let (channel, place) = (depth / places, depth % places);
            let place = [place / sizes.kernel_width, place % sizes.kernel_width];
            let mut rest = row;
            for run in &runs {
                let (out, after) = rest.split_at_mut(run.count);
                let plane = &self.x[run.image + channel * plane..][..plane];
                sizes.gather_row(plane, out, [run.y, run.x], place);
                rest = after;
            }
            rest.fill(0.0);
        }
    }
}
