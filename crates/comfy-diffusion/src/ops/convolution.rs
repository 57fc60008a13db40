//! Convolutions of images.

use burn::tensor::Tensor;
use burn::tensor::module::conv2d;
use burn::tensor::ops::{ConvOptions, PadMode};

use super::profile::{Problem, timed};
use super::strategy::{ConvolutionStrategy, Strategies};
use super::{InElement, within};
use super::{card, host};
use crate::device::ComputeDevice;
use crate::error::Result;
use crate::weights::Scope;

/// How a convolution moves over an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// The step from one output pixel to the next, in input pixels, both ways.
    pub stride: usize,
    /// Zeros added before the first and after the last row and column.
    pub padding: [usize; 2],
}

impl Geometry {
    /// Step one, with zeros around so that the image keeps its size; for an odd kernel.
    pub const fn same(kernel: usize) -> Self {
        Self {
            stride: 1,
            padding: [kernel / 2, kernel / 2],
        }
    }

    /// Halves the image with a kernel of three: step two, one row and column of zeros on each side.
    pub const HALVE: Self = Self {
        stride: 2,
        padding: [1, 1],
    };

    /// Halves the image with a kernel of three: step two, zeros only after the last row and column.
    pub const HALVE_PAD_END: Self = Self {
        stride: 2,
        padding: [0, 1],
    };

    /// The output's extent in a direction where the input has `size` pixels; 0 if the kernel does not fit.
    pub const fn output(self, size: usize, kernel: usize) -> usize {
        let padded = size + self.padding[0] + self.padding[1];
        if padded < kernel {
            0
        } else {
            (padded - kernel) / self.stride + 1
        }
    }
}

/// What is added to the result of a convolution.
#[derive(Debug, Default)]
pub struct Addend {
    /// A value for each channel of each image, `[batch, outputs]`.
    pub per_channel: Option<Tensor<2>>,
    /// A value for each output, `[batch, outputs, height, width]`.
    pub image: Option<Tensor<4>>,
}

/// A convolution (in truth a cross-correlation, as everywhere in machine learning) over all channels.
///
/// On graphics devices it computes in the element type of its weights, and gives what it was given.
#[derive(Debug, Clone)]
pub struct Conv2d {
    weight: Weight,
    /// `[outputs]`
    bias: Option<Tensor<1>>,
    geometry: Geometry,
    /// Kernel height and width.
    kernel: [usize; 2],
    strategies: Strategies,
}

/// The weights in the layout that the strategy reads.
#[derive(Debug, Clone)]
enum Weight {
    /// `[outputs, inputs, kernel height, kernel width]`, as in the file.
    AsStored(Tensor<4>),
    /// `[outputs, kernel height · kernel width · inputs]`, for gathered patches.
    Patches(Tensor<2>),
}

impl Conv2d {
    /// A convolution of weights `[outputs, inputs, kernel height, kernel width]`.
    pub fn new(
        weight: Tensor<4>,
        bias: Option<Tensor<1>>,
        geometry: Geometry,
        strategies: Strategies,
    ) -> Self {
        let [outputs, inputs, height, width] = weight.dims();
        let bias = bias.map(|bias| strategies.beside(bias, &weight));
        // On graphics devices a kernel of one pixel is a matrix product in any case (a wrong kernel has been picked for it).
        let gather = match strategies.convolution {
            ConvolutionStrategy::HostTiles => false,
            ConvolutionStrategy::Gather | ConvolutionStrategy::GatherAtOnce => true,
            ConvolutionStrategy::Burn => height * width == 1,
        };
        let weight = if gather {
            let by_pixel = weight.permute([0, 2, 3, 1]);
            Weight::Patches(by_pixel.reshape([outputs, height * width * inputs]))
        } else {
            Weight::AsStored(weight)
        };
        Self {
            weight,
            bias,
            geometry,
            kernel: [height, width],
            strategies,
        }
    }

    /// The convolution at `scope`: `weight` of four dimensions, and `bias` if the file has one.
    pub fn load(scope: &Scope, geometry: Geometry, device: &ComputeDevice) -> Result<Self> {
        let shape: [usize; 4] = scope.dims("weight")?;
        if shape.contains(&0) {
            return Err(scope.shape_error("weight", "no dimension of 0", &shape));
        }
        let weight = scope.compact_tensor("weight", shape, device)?;
        let bias = scope.optional_tensor("bias", [shape[0]], device)?;
        Ok(Self::new(weight, bias, geometry, *device.strategies()))
    }

    /// How many channels go in.
    pub fn inputs(&self) -> usize {
        match &self.weight {
            Weight::AsStored(weight) => weight.dims()[1],
            Weight::Patches(weight) => weight.dims()[1] / (self.kernel[0] * self.kernel[1]),
        }
    }

    /// How many channels come out.
    pub fn outputs(&self) -> usize {
        match &self.weight {
            Weight::AsStored(weight) => weight.dims()[0],
            Weight::Patches(weight) => weight.dims()[0],
        }
    }

    /// Convolves `[batch, inputs, height, width]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.forward_add(x, Addend::default())
    }

    /// Convolves, and adds to the result what would otherwise take a pass of its own.
    pub fn forward_add(&self, x: Tensor<4>, addend: Addend) -> Tensor<4> {
        let ([batch, inputs, height, width], outputs) = (x.dims(), self.outputs());
        let [rows, columns] = self.kernel;
        let problem = || {
            let (down, across) = (
                self.geometry.output(height, rows),
                self.geometry.output(width, columns),
            );
            Problem::of_pairs(
                format!(
                    "convolution {rows}×{columns}, {inputs} to {outputs}, {batch}×{height}×{width}"
                ),
                &[batch, down, across, outputs, inputs, rows, columns],
            )
        };
        timed(problem, || self.compute(x, addend))
    }

    fn compute(&self, x: Tensor<4>, addend: Addend) -> Tensor<4> {
        let weight = match &self.weight {
            Weight::AsStored(weight)
                if self.strategies.convolution == ConvolutionStrategy::HostTiles =>
            {
                return host::convolve(
                    &self.strategies.tile(),
                    x,
                    weight,
                    self.bias.as_ref(),
                    self.geometry,
                    addend,
                );
            }
            Weight::AsStored(weight) => {
                return within(weight.element(), x, |x| {
                    self.add(self.burn(x, weight), addend)
                });
            }
            Weight::Patches(weight) => weight,
        };
        within(weight.element(), x, |x| {
            self.add(self.gather(x, weight), addend)
        })
    }

    fn add(&self, y: Tensor<4>, addend: Addend) -> Tensor<4> {
        let ([batch, outputs, ..], element) = (y.dims(), y.element());
        let y = match &self.bias {
            Some(bias) => y + bias.clone().reshape([1, outputs, 1, 1]),
            None => y,
        };
        let y = match addend.per_channel {
            Some(values) => y + values.in_element(element).reshape([batch, outputs, 1, 1]),
            None => y,
        };
        match addend.image {
            Some(image) => y + image.in_element(element),
            None => y,
        }
    }

    /// Burn's convolution, without the bias.
    fn burn(&self, x: Tensor<4>, weight: &Tensor<4>) -> Tensor<4> {
        let Geometry { stride, padding } = self.geometry;
        let (x, padding) = if padding[0] == padding[1] {
            (x, padding[0])
        } else {
            (self.pad(x), 0)
        };
        let options = ConvOptions::new([stride, stride], [padding, padding], [1, 1], 1);
        conv2d(x, weight.clone(), None, options)
    }

    /// Patches, then one matrix product for as many output rows as the scratch memory allows; without the bias.
    fn gather(&self, x: Tensor<4>, weight: &Tensor<2>) -> Tensor<4> {
        let [batch, inputs, height, width] = x.dims();
        let [kernel_height, kernel_width] = self.kernel;
        let (rows, columns) = (
            self.geometry.output(height, kernel_height),
            self.geometry.output(width, kernel_width),
        );
        let outputs = self.outputs();
        let patch = kernel_height * kernel_width * inputs;
        let matrix: Tensor<3> = weight
            .clone()
            .unsqueeze::<3>()
            .expand([batch, outputs, patch]);
        if self.kernel == [1, 1] && self.geometry == Geometry::same(1) {
            let y = matrix.matmul(x.reshape([batch, inputs, height * width]));
            return y.reshape([batch, outputs, height, width]);
        }
        let bytes_per_row = batch * patch * columns * weight.element().size();
        let rows_at_once = (self.strategies.scratch_bytes / bytes_per_row).clamp(1, rows);
        let at_once = self.strategies.convolution == ConvolutionStrategy::GatherAtOnce;
        let image = if at_once { x } else { self.pad(x) };
        let mut parts = Vec::with_capacity(rows.div_ceil(rows_at_once));
        for start in (0..rows).step_by(rows_at_once) {
            let count = rows_at_once.min(rows - start);
            let wanted = card::Wanted {
                kernel: self.kernel,
                geometry: self.geometry,
                start,
                size: [count, columns],
            };
            let patches = if at_once {
                card::patches(image.clone(), wanted)
            } else {
                sliced(&image, wanted)
            };
            let y = matrix.clone().matmul(patches);
            parts.push(y.reshape([batch, outputs, count, columns]));
        }
        Tensor::cat(parts, 2)
    }

    fn pad(&self, x: Tensor<4>) -> Tensor<4> {
        let [before, after] = self.geometry.padding;
        if before == 0 && after == 0 {
            return x;
        }
        x.pad((before, after, before, after), PadMode::Constant(0.0))
    }
}

/// As [`card::patches`], by burn's operators, of an image that has its zeros around already.
fn sliced(padded: &Tensor<4>, wanted: card::Wanted) -> Tensor<3> {
    let [batch, inputs, ..] = padded.dims();
    let ([rows, columns], stride) = (wanted.size, wanted.geometry.stride);
    let [height, width] = wanted.kernel;
    let slice = |y: usize, x: usize| {
        let top = wanted.start * stride + y;
        let slice = padded.clone().slice_dim(2, range(top, rows, stride));
        slice
            .slice_dim(3, range(x, columns, stride))
            .reshape([batch, inputs, rows * columns])
    };
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
    Tensor::cat(places.map(|(y, x)| slice(y, x)).collect(), 1)
}

/// `count` places from `start`, `stride` apart.
fn range(start: usize, count: usize, stride: usize) -> burn::tensor::Slice {
    let end = start + (count - 1) * stride + 1;
    burn::tensor::Slice::new(start as isize, Some(end as isize), stride as isize)
}
