#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failing test may panic, and a test that needs hardware says when it is missing"
)]

use super::reference::Example;
use super::*;
use crate::device::{ComputeDevice, DevicePlan, DeviceRequest, Precision};
use burn::tensor::{DType, Tensor};

/// A dozen shapes of every operator that has more than one kernel, and the odd cases of the rest.
fn examples() -> Vec<Example> {
    let mut list = Vec::new();
    list.extend(
        [
            [1, 1, 1, 1],
            [1, 1, 320, 1280],
            [2, 77, 128, 32],
            [2, 64, 32, 256],
            [1, 4096, 16, 24],
            [3, 5, 7, 11],
            [2, 16, 64, 64],
            [1, 100, 33, 65],
            [2, 1, 128, 128],
            [1, 256, 256, 3],
            [4, 9, 13, 512],
            [1, 513, 40, 77],
        ]
        .map(Example::Linear),
    );
    list.extend([[1, 1, 1, 2], [2, 30, 24, 34], [1, 1500, 16, 64]].map(Example::Gated));
    for sizes in [
        [1, 12, 7, 5],
        [2, 64, 32, 32],
        [2, 1, 128, 128],
        [2, 30, 64, 96],
    ] {
        list.push(Example::Projection(sizes, false));
        list.push(Example::Projection(sizes, true));
    }
    let same = Geometry::same(3);
    list.extend([
        Example::Convolution([1, 1, 1, 1, 1], 3, same),
        Example::Convolution([2, 4, 32, 8, 8], 3, same),
        Example::Convolution([1, 32, 4, 12, 8], 3, same),
        Example::Convolution([2, 128, 128, 1, 1], 3, same),
        Example::Convolution([2, 64, 96, 2, 3], 3, same),
        Example::Convolution([1, 3, 32, 40, 33], 3, same),
        Example::Convolution([1, 40, 24, 70, 70], 3, same),
        Example::Convolution([2, 32, 32, 8, 8], 3, Geometry::HALVE),
        Example::Convolution([1, 16, 32, 7, 5], 3, Geometry::HALVE),
        Example::Convolution([1, 32, 32, 9, 6], 3, Geometry::HALVE_PAD_END),
        Example::Convolution([2, 8, 16, 64, 64], 3, Geometry::HALVE_PAD_END),
        Example::Convolution([2, 104, 208, 4, 4], 1, Geometry::same(1)),
        Example::Convolution([1, 8, 8, 9, 5], 1, Geometry::same(1)),
        Example::Convolution([1, 5, 6, 9, 8], 5, Geometry::same(5)),
        Example::Convolution([1, 512, 8, 100, 90], 3, same),
    ]);
    list.extend([
        Example::Attention([1, 1, 1, 1, 4], Mask::None),
        Example::Attention([2, 64, 64, 8, 4], Mask::None),
        Example::Attention([2, 64, 77, 8, 4], Mask::None),
        Example::Attention([2, 16, 77, 8, 8], Mask::None),
        Example::Attention([2, 4, 154, 8, 16], Mask::None),
        Example::Attention([1, 300, 300, 2, 40], Mask::None),
        Example::Attention([1, 130, 77, 3, 80], Mask::None),
        Example::Attention([2, 20, 20, 2, 160], Mask::None),
        Example::Attention([1, 64, 64, 1, 512], Mask::None),
        Example::Attention([1, 1024, 1024, 1, 40], Mask::None),
        Example::Attention([2, 77, 77, 2, 64], Mask::Causal),
        Example::Attention([1, 300, 300, 2, 24], Mask::Causal),
        Example::Attention([3, 5, 5, 1, 7], Mask::Causal),
    ]);
    for silu in [false, true] {
        list.extend(
            [
                [2, 32, 8, 8],
                [1, 64, 1, 1],
                [2, 96, 3, 5],
                [1, 128, 64, 33],
                [1, 320, 4, 4],
            ]
            .map(|shape| Example::GroupNorm(shape, 32, silu)),
        );
    }
    list.extend([[2, 64, 32], [1, 1, 768], [2, 77, 100], [1, 300, 320]].map(Example::LayerNorm));
    list.extend([1, 31, 1000, 40_000].map(Example::Activations));
    list.extend([[1, 1, 1, 1], [2, 3, 4, 5], [1, 64, 32, 16]].map(Example::Upsample));
    list
}

fn compare(device: &ComputeDevice, strategies: &Strategies, list: &[Example]) {
    compare_within(3e-6, device, strategies, list);
}

fn compare_within(
    tolerance: f64,
    device: &ComputeDevice,
    strategies: &Strategies,
    list: &[Example],
) {
    let mut wrong = Vec::new();
    for example in list {
        let difference = example.difference(device.tensor_device(), strategies);
        if difference.is_nan() || difference > tolerance {
            wrong.push(format!("{example:?}: {difference:.1e}"));
        }
    }
    assert!(wrong.is_empty(), "{strategies:?}:\n{}", wrong.join("\n"));
}

#[test]
fn host_kernels_follow_the_formulas() {
    let device = ComputeDevice::cpu();
    compare(&device, &Strategies::HOST, &examples());
}

/// Where the processor has no instructions for it, this is the test above once more.
#[test]
fn host_kernels_follow_the_formulas_with_rounded_factors() {
    let strategies = Strategies {
        precision: Precision::Brain,
        ..Strategies::HOST
    };
    compare_within(1e-2, &ComputeDevice::cpu(), &strategies, &examples());
}

/// The ways of graphics devices are burn operations, so they can be tried on the processor too.
#[test]
fn graphics_strategies_follow_the_formulas_on_the_processor() {
    let device = ComputeDevice::cpu();
    for matrix_units in [false, true] {
        let strategies = Strategies::graphics(matrix_units, 1 << 20);
        compare(&device, &strategies, &examples());
    }
    let sliced = Strategies {
        attention: AttentionStrategy::Sliced,
        ..Strategies::graphics(true, 1 << 18)
    };
    compare(&device, &sliced, &examples());
}

/// Values of 16 bits, as cards compute with them. What is rounded is the examples' own values and every result.
#[test]
fn graphics_strategies_follow_the_formulas_in_half_precision() {
    let device = ComputeDevice::cpu();
    for attention in [
        AttentionStrategy::Fused { head_multiple: 16 },
        AttentionStrategy::Sliced,
    ] {
        let strategies = Strategies {
            precision: Precision::Half,
            attention,
            ..Strategies::graphics(false, 1 << 20)
        };
        compare_within(5e-3, &device, &strategies, &examples());
    }
}

/// Layers give what they were given, whatever their weights are.
#[test]
fn layers_of_one_element_type_take_values_of_another() {
    let device = ComputeDevice::cpu();
    let strategies = Strategies::graphics(false, 1 << 20);
    let make = |element| {
        let options = (device.tensor_device(), element);
        let weight = Tensor::<4>::ones([2, 3, 1, 1], options);
        let bias = Tensor::<1>::ones([2], device.tensor_device());
        let flat = weight.clone().reshape([2, 3]);
        (
            Conv2d::new(weight, Some(bias.clone()), Geometry::same(1), strategies),
            Linear::new(flat, Some(bias), strategies),
        )
    };
    for (weights, values) in [(DType::F16, DType::F32), (DType::F32, DType::F16)] {
        let (convolution, linear) = make(weights);
        let ones = |shape: [usize; 4]| Tensor::<4>::ones(shape, (device.tensor_device(), values));
        let addend = Addend {
            per_channel: Some(Tensor::ones([1, 2], device.tensor_device())),
            image: None,
        };
        let image = convolution.forward_add(ones([1, 3, 2, 2]), addend);
        let tokens = ones([1, 1, 2, 3]).reshape([1, 2, 3]);
        let residual = Tensor::ones([1, 2, 2], device.tensor_device());
        let tokens = linear.forward_add(tokens, residual);
        assert_eq!([image.dtype(), tokens.dtype()], [values; 2]);
        let all: Vec<f32> = image
            .into_data()
            .iter()
            .chain(tokens.into_data().iter())
            .collect();
        assert!(
            all.iter().all(|value| (value - 5.0).abs() < 1e-3),
            "{all:?}"
        );
    }
}

#[test]
fn a_graphics_device_follows_the_formulas_if_there_is_one() {
    let request = DeviceRequest::WebGpu;
    let plan = match DevicePlan::survey(request) {
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("SKIPPED, no operator was checked on a graphics device: {error}");
            return;
        }
    };
    eprintln!("checking operators on {} through {}", plan.name, plan.api);
    let device = plan.open().unwrap();
    // Every shape costs seconds of compilation on a software driver.
    let list: Vec<Example> = if plan.is_software() {
        software_examples()
    } else {
        examples()
    };
    compare(&device, device.strategies(), &list);
}

/// The examples of the self-test, whose kernels are compiled already, and a few shapes that need no others.
fn software_examples() -> Vec<Example> {
    let mut list = reference::BASIC.to_vec();
    list.extend(reference::NORMS);
    list.extend(reference::CONVOLUTIONS);
    list.extend(reference::ATTENTIONS);
    // Each head size that models have, as fused kernels are picky about them.
    for size in [64, 80, 128, 160, 512] {
        list.push(Example::Attention([1, 40, 77, 2, size], Mask::None));
    }
    for shape in [
        [2, 64, 3, 5],
        [1, 96, 7, 1],
        [1, 32, 1, 1],
        [1, 320, 16, 16],
    ] {
        list.push(Example::GroupNorm(shape, 32, true));
    }
    list.extend([[1, 1, 1], [2, 77, 768], [3, 5, 1281], [1, 70_000, 4]].map(Example::LayerNorm));
    list.extend([
        Example::GroupNorm([2, 64, 6, 5], 32, false),
        Example::Activations(1000),
    ]);
    list
}
