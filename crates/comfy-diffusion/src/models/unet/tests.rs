#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use comfy_fixtures::{checkpoint_with, golden};

use super::super::testing::{Comparison, recorded, weights};
use super::*;
use crate::weights::Weights;

const PREFIX: &str = "model.diffusion_model";

fn load(name: &str) -> UNet {
    let weights = weights(name);
    UNet::load(&weights.root().enter(PREFIX), &ComputeDevice::cpu()).unwrap()
}

fn input(golden: &comfy_fixtures::Golden) -> NetworkInput {
    let device = ComputeDevice::cpu();
    NetworkInput {
        x: recorded(golden, "fwd.x", &device),
        timesteps: recorded(golden, "fwd.timesteps", &device),
        context: Some(recorded(golden, "fwd.context", &device)),
        label: None,
        hooks: None,
    }
}

#[test]
fn every_part_computes_what_was_recorded() {
    let network = load("sd15_tiny");
    assert_eq!(network.in_channels(), 4);
    for name in ["forward_sd15_tiny", "forward_sd15_tiny_12x8"] {
        let golden = golden(name);
        let mut parts = Comparison::new(&golden, "blk.");
        let result = network
            .forward_observed(input(&golden), &mut |name, value| {
                parts.observe(name, value);
            })
            .unwrap();
        parts.finish(&[]);
        let mut whole = Comparison::new(&golden, "fwd.");
        whole.compare("out", result);
        whole.finish(&["x", "timesteps", "context", "y"]);
    }
}

#[test]
fn odd_sizes_come_back_as_they_went_in() {
    let network = load("sd15_tiny");
    let device = ComputeDevice::cpu();
    for [height, width] in [[1, 1], [11, 7], [5, 9]] {
        let context = Tensor::ones([1, 3, 128], device.tensor_device());
        let result = network
            .forward(NetworkInput {
                x: Tensor::ones([1, 4, height, width], device.tensor_device()),
                timesteps: Tensor::ones([1], device.tensor_device()),
                context: Some(context),
                label: None,
                hooks: None,
            })
            .unwrap();
        assert_eq!(result.dims(), [1, 4, height, width]);
    }
}

#[test]
fn inputs_that_do_not_fit_are_errors() {
    let network = load("sd15_tiny");
    let golden = golden("forward_sd15_tiny");
    let device = ComputeDevice::cpu();
    let zeros = |shape: [usize; 4]| Tensor::<4>::zeros(shape, device.tensor_device());
    let good = input(&golden);
    let with = |change: &dyn Fn(&mut NetworkInput)| {
        let mut input = good.clone();
        change(&mut input);
        network.forward(input).unwrap_err().to_string()
    };
    let error = with(&|input| input.x = zeros([2, 16, 8, 8]));
    assert!(error.contains("4 channels"), "{error}");
    let error = with(&|input| input.x = zeros([2, 4, 0, 8]));
    assert!(error.contains("at least one pixel"), "{error}");
    let error = with(&|input| input.x = zeros([3, 4, 8, 8]));
    assert!(error.contains("3 timesteps"), "{error}");
    let error = with(&|input| input.context = None);
    assert!(error.contains("128"), "{error}");
    let error = with(&|input| {
        input.context = Some(Tensor::zeros([2, 77, 96], device.tensor_device()));
    });
    assert!(error.contains("96"), "{error}");
}

/// The error of a checkpoint in which one tensor has another shape, or none.
fn error_with(name: &str, shape: Option<&[usize]>) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("changed.safetensors");
    let name = format!("{PREFIX}.{name}");
    checkpoint_with("sd15_tiny", &path, |tensors| match shape {
        Some(shape) => {
            let entry = tensors.iter_mut().find(|entry| entry.name == name).unwrap();
            entry.shape = shape.to_vec();
        }
        None => tensors.retain(|entry| entry.name != name),
    });
    let weights = Weights::open(&path).unwrap();
    let scope = weights.root().enter(PREFIX);
    UNet::load(&scope, &ComputeDevice::cpu())
        .unwrap_err()
        .to_string()
}

#[test]
fn files_that_do_not_fit_are_errors_that_name_the_tensor() {
    let cases: [(&str, Option<&[usize]>); 10] = [
        ("input_blocks.1.0.in_layers.2.weight", None),
        ("input_blocks.1.0.in_layers.2.weight", Some(&[32, 64, 3, 3])),
        ("input_blocks.1.0.emb_layers.1.weight", Some(&[32, 64])),
        ("input_blocks.4.0.in_layers.0.weight", Some(&[33])),
        ("input_blocks.3.0.op.weight", Some(&[32, 32, 3])),
        ("middle_block.1.proj_in.weight", Some(&[100, 128, 1, 1])),
        (
            "output_blocks.5.1.transformer_blocks.0.attn1.to_k.weight",
            Some(&[128, 64]),
        ),
        (
            "output_blocks.5.1.transformer_blocks.0.ff.net.2.weight",
            Some(&[128, 500]),
        ),
        ("time_embed.2.weight", Some(&[128, 120])),
        ("out.2.weight", Some(&[4, 31, 3, 3])),
    ];
    for (name, shape) in cases {
        let error = error_with(name, shape);
        let stage = name.split('.').take(2).collect::<Vec<_>>().join(".");
        assert!(error.contains(&stage), "{name}: {error}");
    }
}
