//! The matrix that a convolution is a product with, in one kernel.
//!
//! Of slices and a concatenation of burn's it takes twice the passes over memory (each slice is copied, then all of them once more), a pass
//! for the zeros around, and as many launches as the kernel has pixels.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{Shape, Tensor};
use burn_cubecl::CubeBackend;

use crate::ops::Geometry;

/// Which patches are wanted.
#[derive(Debug, Clone, Copy)]
pub(in crate::ops) struct Wanted {
    /// Kernel height and width.
    pub(in crate::ops) kernel: [usize; 2],
    pub(in crate::ops) geometry: Geometry,
    /// The first row of the result.
    pub(in crate::ops) start: usize,
    /// How many rows and columns of the result.
    pub(in crate::ops) size: [usize; 2],
}

/// The patches of `[batch, inputs, height, width]` that rows of the result are made of, zeros where they reach beyond the image:
/// `[batch, kernel height · kernel width · inputs, rows · columns]`.
pub(in crate::ops) fn patches(x: Tensor<4>, wanted: Wanted) -> Tensor<3> {
    let Wanted {
        kernel: [height, width],
        geometry,
        start,
        size: [rows, columns],
    } = wanted;
    Tensor::from_dispatch(<Dispatch as Patches>::card_patches(
        x.into_dispatch(),
        height,
        width,
        geometry.stride,
        geometry.padding[0],
        start,
        rows,
        columns,
    ))
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the queue of operators has borrowed numbers"
)]
fn shape_of_patches(
    x: &Shape,
    height: &usize,
    width: &usize,
    rows: &usize,
    columns: &usize,
) -> Shape {
    Shape::new([x[0], height * width * x[1], rows * columns])
}

/// The kernel as an operator of burn's graphics backend.
#[backend_extension(Cube, Fusion)]
trait Patches: Backend {
    #[fusion(dtype = x, shape = shape_of_patches(x, height, width, rows, columns))]
    #[allow(
        clippy::too_many_arguments,
        reason = "only plain numbers pass through the queue of operators"
    )]
    fn card_patches(
        x: FloatTensor<Self>,
        height: usize,
        width: usize,
        stride: usize,
        padding: usize,
        start: usize,
        rows: usize,
        columns: usize,
    ) -> FloatTensor<Self>;
}

impl Patches for CubeBackend {
    fn card_patches(
        x: FloatTensor<Self>,
        height: usize,
        width: usize,
        stride: usize,
        padding: usize,
        start: usize,
        rows: usize,
        columns: usize,
    ) -> FloatTensor<Self> {
        let shape = shape_of_patches(x.meta.shape(), &height, &width, &rows, &columns);
        let numbers = [height, width, stride, padding, start, rows, columns];
        kernel::gather(x, shape, numbers.map(|number| number as u32))
    }
}

#[allow(
    clippy::used_underscore_binding,
    reason = "the macro of kernels uses the parameter that names their element type"
)]
mod kernel {
    use burn::backend::cubecl::dtype_to_elem_type;
    use burn::tensor::Shape;
    use burn_cubecl::cubecl::prelude::*;
    use burn_cubecl::cubecl::{self, cube};
    use burn_cubecl::kernel::into_contiguous;
    use burn_cubecl::tensor::CubeTensor;

    /// Units of a cube.
    const UNITS: u32 = 256;

    /// The most cubes that a grid has in its first direction on every device.
    const MOST_CUBES: usize = 65_535;

    pub(super) fn gather(x: CubeTensor, shape: Shape, numbers: [u32; 7]) -> CubeTensor {
        let x = into_contiguous(x);
        let (client, dtype) = (x.client.clone(), x.dtype);
        let count = shape.num_elements();
        let buffer = client.empty(count * dtype.size());
        let out =
            CubeTensor::new_contiguous(client.clone(), x.device.clone(), shape, buffer, dtype);
        if count == 0 {
            return out;
        }
        let cubes = count.div_ceil(UNITS as usize);
        let across = cubes.min(MOST_CUBES);
        let cubes = CubeCount::Static(across as u32, cubes.div_ceil(across) as u32, 1);
        let [height, width, stride, padding, start, rows, columns] = numbers;
        gather_patches::launch(
            &client,
            cubes,
            CubeDim::new_1d(UNITS),
            x.into_tensor_arg(),
            out.clone().into_tensor_arg(),
            height,
            width,
            stride,
            padding,
            start,
            rows,
            columns,
            dtype_to_elem_type(dtype),
        );
        out
    }

    /// One unit copies one value.
    #[cube(launch)]
    #[allow(
        clippy::too_many_arguments,
        reason = "the launch of a kernel takes them one by one"
    )]
    fn gather_patches<F: Float>(
        x: &Tensor<F>,
        out: &mut Tensor<F>,
        height: u32,
        width: u32,
        stride: u32,
        padding: u32,
        start: u32,
        rows: u32,
        columns: u32,
        #[define(F)] _element: ElemType,
    ) {
        let index = ABSOLUTE_POS as u32;
        if index >= out.len() as u32 {
            terminate!();
        }
        let column = index % columns;
        let row = index / columns % rows;
        let place = index / (columns * rows);
        let inputs = x.shape(1) as u32;
        let channel = place % inputs;
        let tap = place / inputs % (height * width);
        let image = place / (inputs * height * width);
        // Counted from the first row and column of zeros.
        let y = (start + row) * stride + tap / width;
        let x_ = column * stride + tap % width;
        let rows_in = x.shape(2) as u32;
        let columns_in = x.shape(3) as u32;
        let mut value = F::new(0.0f32);
        if y >= padding && x_ >= padding && y < rows_in + padding && x_ < columns_in + padding {
            let from =
                ((image * inputs + channel) * rows_in + y - padding) * columns_in + x_ - padding;
            value = x[from as usize];
        }
        out[index as usize] = value;
    }
}
