//! Norms in one kernel, read twice and written once; the statistics are `f32` whatever the values are.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;
use burn_cubecl::CubeBackend;

/// What is done to normal values.
pub(in crate::ops) struct Affine<'a> {
    /// One for each channel or feature, `f32`.
    pub(in crate::ops) scale: &'a Tensor<1>,
    pub(in crate::ops) shift: &'a Tensor<1>,
    /// What is added to the variance.
    pub(in crate::ops) epsilon: f32,
}

/// Group norm of `[batch, channels, height, width]`, with `silu` after it if that is wanted.
pub(in crate::ops) fn group_norm(
    x: Tensor<4>,
    affine: &Affine<'_>,
    groups: usize,
    silu: bool,
) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Norms>::card_group_norm(
        x.into_dispatch(),
        affine.scale.clone().into_dispatch(),
        affine.shift.clone().into_dispatch(),
        groups,
        affine.epsilon,
        silu,
    ))
}

/// Layer norm of `[batch, tokens, width]`.
pub(in crate::ops) fn layer_norm(x: Tensor<3>, affine: &Affine<'_>) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as Norms>::card_layer_norm(
        x.into_dispatch(),
        affine.scale.clone().into_dispatch(),
        affine.shift.clone().into_dispatch(),
        affine.epsilon,
    ))
}

/// The kernels as operators of burn's graphics backend.
#[backend_extension(Cube, Fusion)]
trait Norms: Backend {
    #[fusion(dtype = x, shape = x)]
    fn card_group_norm(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        groups: usize,
        epsilon: f32,
        silu: bool,
    ) -> FloatTensor<Self>;

    #[fusion(dtype = x, shape = x)]
    fn card_layer_norm(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self>;
}

impl Norms for CubeBackend {
    fn card_group_norm(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        groups: usize,
        epsilon: f32,
        silu: bool,
    ) -> FloatTensor<Self> {
        let shape = x.meta.shape();
        let rows = kernel::Rows {
            count: shape[0] * groups,
            length: shape[1] / groups * shape[2] * shape[3],
            run: shape[2] * shape[3],
            kind: kernel::Kind::Groups { groups, silu },
        };
        kernel::normalise(x, scale, shift, &rows, epsilon)
    }

    fn card_layer_norm(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        let shape = x.meta.shape();
        let rows = kernel::Rows {
            count: shape[0] * shape[1],
            length: shape[2],
            run: shape[2],
            kind: kernel::Kind::Tokens,
        };
        kernel::normalise(x, scale, shift, &rows, epsilon)
    }
}

#[allow(
    clippy::used_underscore_binding,
    reason = "the macro of kernels uses the parameter that names their element type"
)]
mod kernel {
    use burn::backend::cubecl::dtype_to_elem_type;
    use burn_cubecl::cubecl::prelude::*;
    use burn_cubecl::cubecl::{self, cube};
    use burn_cubecl::kernel::into_contiguous;
    use burn_cubecl::tensor::CubeTensor;

    /// The most units that work on one row.
    const MOST_UNITS: usize = 512;

    /// The most cubes that a grid has in its first direction on every device.
    const MOST_CUBES: usize = 65_535;

    /// How the values of a tensor are normalised.
    pub(super) struct Rows {
        /// How many rows are normalised, each by itself.
        pub(super) count: usize,
        /// The values of a row.
        pub(super) length: usize,
        /// As many neighbours of a row as may be read together.
        pub(super) run: usize,
        pub(super) kind: Kind,
    }

    /// What a row is.
    #[derive(Clone, Copy)]
    pub(super) enum Kind {
        /// A group of the channels of an image.
        Groups { groups: usize, silu: bool },
        /// A token.
        Tokens,
    }

    pub(super) fn normalise(
        x: CubeTensor,
        scale: CubeTensor,
        shift: CubeTensor,
        rows: &Rows,
        epsilon: f32,
    ) -> CubeTensor {
        let [x, scale, shift] = [x, scale, shift].map(into_contiguous);
        let (client, dtype) = (x.client.clone(), x.dtype);
        let shape = x.meta.shape().clone();
        let buffer = client.empty(shape.num_elements() * dtype.size());
        let out =
            CubeTensor::new_contiguous(client.clone(), x.device.clone(), shape, buffer, dtype);
        if rows.count == 0 || rows.length == 0 {
            return out;
        }
        let width = [4, 2, 1]
            .into_iter()
            .find(|width| rows.run.is_multiple_of(*width));
        let width = width.unwrap_or(1);
        let length = rows.length / width;
        let hardware = client.properties().hardware.max_units_per_cube as usize;
        let units = length.next_power_of_two().clamp(32, MOST_UNITS);
        // A power of two, as the sums are made by halving.
        let units = units.min((hardware / 2 + 1).next_power_of_two());
        let across = rows.count.min(MOST_CUBES);
        let cubes = CubeCount::Static(across as u32, rows.count.div_ceil(across) as u32, 1);
        let (groups, silu, by_channel) = match rows.kind {
            Kind::Groups { groups, silu } => (groups, silu, true),
            Kind::Tokens => (1, false, false),
        };
        normalise_row::launch(
            &client,
            cubes,
            CubeDim::new_1d(units as u32),
            width,
            x.into_tensor_arg(),
            scale.into_tensor_arg(),
            shift.into_tensor_arg(),
            out.clone().into_tensor_arg(),
            rows.count as u32,
            length as u32,
            (rows.run / width) as u32,
            groups as u32,
            epsilon,
            units,
            by_channel,
            silu,
            dtype_to_elem_type(dtype),
        );
        out
    }

    /// One cube normalises one row of `length` vectors. `run` vectors of it have the same scale and shift if they go by channel.
    #[cube(launch)]
    #[allow(
        clippy::too_many_arguments,
        reason = "the launch of a kernel takes them one by one"
    )]
    fn normalise_row<F: Float, N: Size>(
        x: &Tensor<Vector<F, N>>,
        scale: &Tensor<f32>,
        shift: &Tensor<f32>,
        out: &mut Tensor<Vector<F, N>>,
        rows: u32,
        length: u32,
        run: u32,
        groups: u32,
        epsilon: f32,
        #[comptime] units: usize,
        #[comptime] by_channel: bool,
        #[comptime] silu: bool,
        #[define(F)] _element: ElemType,
    ) {
        // Where the grid has more cubes than there are rows, the last row is written more than once, the same each time.
        let mut row = CUBE_POS_Y * CUBE_COUNT_X + CUBE_POS_X;
        if row >= rows {
            row = rows - 1;
        }
        let first = row * length;
        let unit = UNIT_POS as usize;

        // Differences from one of the values: sums of values that are far from zero would lose digits.
        let centre = f32::cast_from(x[first as usize].extract(0usize));
        let centre = Vector::<f32, N>::new(centre);
        let mut sums = Vector::<f32, N>::new(0.0f32);
        let mut squares = Vector::<f32, N>::new(0.0f32);
        let mut place = UNIT_POS;
        while place < length {
            let value = Vector::<f32, N>::cast_from(x[(first + place) as usize]) - centre;
            sums += value;
            squares += value * value;
            place += units as u32;
        }
        let mut sum = 0.0f32;
        let mut square = 0.0f32;
        #[unroll]
        for lane in 0..N::value() {
            sum += sums.extract(lane);
            square += squares.extract(lane);
        }

        let mut shared_sums = Shared::<[f32]>::new_slice(units);
        let mut shared_squares = Shared::<[f32]>::new_slice(units);
        shared_sums[unit] = sum;
        shared_squares[unit] = square;
        sync_cube();
        let mut active = (units / 2).runtime();
        while active > 0 {
            if unit < active {
                let other_sum = shared_sums[unit + active];
                let other_square = shared_squares[unit + active];
                shared_sums[unit] += other_sum;
                shared_squares[unit] += other_square;
            }
            sync_cube();
            active /= 2;
        }

        let count = f32::cast_from(length) * N::value() as f32;
        let mean = shared_sums[0] / count;
        let variance = shared_squares[0] / count - mean * mean;
        let deviation = f32::sqrt(f32::max(variance, 0.0f32) + epsilon);
        let inverse = Vector::<f32, N>::new(1.0f32 / deviation);
        let centre = centre + Vector::<f32, N>::new(mean);

        let mut place = UNIT_POS;
        while place < length {
            let index = (first + place) as usize;
            let mut value = (Vector::<f32, N>::cast_from(x[index]) - centre) * inverse;
            if by_channel {
                let channel = ((row % groups) * (length / run) + place / run) as usize;
                value = value * Vector::<f32, N>::new(scale[channel])
                    + Vector::<f32, N>::new(shift[channel]);
            } else {
                #[unroll]
                for lane in 0..N::value() {
                    let feature = place as usize * N::value() + lane;
                    let result = value.extract(lane) * scale[feature] + shift[feature];
                    value.insert(lane, result);
                }
            }
            if silu {
                let one = Vector::<f32, N>::new(1.0f32);
                value = value / (one + (-value).exp());
            }
            out[index] = Vector::<F, N>::cast_from(value);
            place += units as u32;
        }
    }
}
