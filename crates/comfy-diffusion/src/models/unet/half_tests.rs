//! The network in half precision, as graphics cards compute it.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failing test may panic, and a test that needs a driver says when it is missing"
)]

use std::ops::ControlFlow;

use burn::tensor::{Tensor, TensorData};
use comfy_fixtures::{checkpoint, golden, relative_l2};

use super::super::testing::recorded;
use super::*;
use crate::device::{DevicePlan, DeviceRequest, Precision};
use crate::random::TorchGenerator;
use crate::sampling::{
    ClassifierFree, Conditioning, KSamplerSteps, SampleRequest, find_sampler, find_scheduler,
    sample,
};
use crate::{open_checkpoint, open_control_net};

/// How far sixteen bits may lead away from the recording; twenty layers round.
const TOLERANCE: f64 = 1e-2;

fn input(device: &ComputeDevice) -> NetworkInput {
    let golden = golden("forward_sd15_tiny");
    NetworkInput {
        x: recorded(&golden, "fwd.x", device),
        timesteps: recorded(&golden, "fwd.timesteps", device),
        context: Some(recorded(&golden, "fwd.context", device)),
        label: None,
        hooks: None,
    }
}

/// How far a device's network, and one that steers it, are from what was computed in `f32`; and the bytes of the first.
fn differences(device: &ComputeDevice) -> ([f64; 2], u64) {
    let model = open_checkpoint(&checkpoint("sd15_tiny"), device)
        .unwrap()
        .model
        .unwrap();
    let network = model.network.get().unwrap();
    let result = network.forward(input(device)).unwrap();
    assert_eq!(
        result.dtype(),
        DType::F32,
        "what leaves the network is exact"
    );
    let bytes = device.residency().in_use();
    let got: Vec<f32> = result.into_data().try_into_vec().unwrap();
    let (_, want) = golden("forward_sd15_tiny").tensor("fwd.out");
    let network = relative_l2(&got, &want);
    let [steered, exact] = [device, &ComputeDevice::cpu()].map(steer);
    ([network, relative_l2(&steered, &exact)], bytes)
}

/// What a control net says of a grey picture at the lowest resolution.
fn steer(device: &ComputeDevice) -> Vec<f32> {
    let model = open_checkpoint(&checkpoint("sd15_tiny"), device)
        .unwrap()
        .model
        .unwrap();
    let net = open_control_net(&checkpoint("controlnet_sd15_tiny"), None, device).unwrap();
    let network = net.network(&model).unwrap().get().unwrap();
    let [_, _, height, width] = input(device).x.dims();
    let [height, width] = network.picture_size([height, width]);
    let picture = Tensor::ones([1, 3, height, width], device.tensor_device()) * 0.3;
    let read = network.read(picture, None).unwrap();
    let residuals = network.residuals(read, None, input(device)).unwrap();
    let middle = residuals.middle.into_iter().flatten().next().unwrap();
    middle.into_data().try_into_vec().unwrap()
}

/// A picture of 64² in four steps with guidance, its values from 0 to 1.
fn picture(device: &ComputeDevice) -> Vec<f32> {
    let checkpoint = open_checkpoint(&checkpoint("sd15_tiny"), device).unwrap();
    let (model, vae) = (checkpoint.model.unwrap(), checkpoint.vae.unwrap());
    let texts: Tensor<3> = recorded(&golden("forward_sd15_tiny"), "fwd.context", device);
    let text = |row| vec![Conditioning::new(texts.clone().narrow(0, row, 1), None)];
    let guidance = ClassifierFree {
        positive: text(1),
        negative: text(0),
        scale: 7.0,
    };
    let sampler = find_sampler("euler").unwrap();
    let scheduler = find_scheduler("normal").unwrap();
    let sigmas = KSamplerSteps::new(4)
        .sigmas(&model.sampling, scheduler, sampler)
        .unwrap();
    let shape = [1, 4, 8, 8];
    let mut generator = TorchGenerator::new(42);
    let noise = generator.randn(shape.iter().product());
    let request = SampleRequest {
        model: &model,
        guidance: &guidance,
        latent: Tensor::zeros(shape, device.tensor_device()),
        noise: Tensor::from_data(TensorData::new(noise, shape), device.tensor_device()),
        sampler,
        sigmas,
        noise_mask: None,
        seed: 42,
        generator,
    };
    let latent = sample(request, &mut |_| ControlFlow::Continue(())).unwrap();
    let picture = vae.decode(latent).unwrap();
    picture.into_data().try_into_vec().unwrap()
}

#[test]
fn a_picture_of_half_precision_is_near() {
    let half = picture(&ComputeDevice::imitating_a_card());
    let exact = picture(&ComputeDevice::cpu());
    let squares = half
        .iter()
        .zip(&exact)
        .map(|(half, exact)| (half - exact).powi(2));
    let mean = f64::from(squares.sum::<f32>()) / exact.len() as f64;
    let decibels = -10.0 * mean.log10();
    assert!(
        (35.0..100.0).contains(&decibels),
        "PSNR of {decibels:.1} dB"
    );
}

#[test]
fn half_precision_is_near_and_takes_half_the_memory() {
    let device = ComputeDevice::imitating_a_card();
    let (differences, half) = differences(&device);
    assert!(
        differences
            .iter()
            .all(|difference| (1e-6..TOLERANCE).contains(difference)),
        "{differences:?}"
    );
    let network = open_checkpoint(&checkpoint("sd15_tiny"), &device)
        .unwrap()
        .model
        .unwrap()
        .network;
    device.residency().unload_all();
    assert!(network.set_exact(true));
    network.get().unwrap();
    let whole = device.residency().in_use();
    assert!(
        (whole / 2..whole * 11 / 20).contains(&half),
        "{half} of {whole} bytes"
    );
}

#[test]
fn a_card_is_near_in_half_precision_if_there_is_one() {
    let device = match DevicePlan::survey(DeviceRequest::WebGpu) {
        Ok(mut plan) => {
            plan.network_precision = Precision::Half;
            plan.open().unwrap()
        }
        Err(error) => {
            eprintln!("SKIPPED, no network was computed in half precision on a card: {error}");
            return;
        }
    };
    let precision = device.for_networks().strategies().precision;
    if precision != Precision::Half {
        eprintln!("SKIPPED, {} has no half precision", device.info().name);
        return;
    }
    let (differences, _) = differences(&device);
    eprintln!("{}: {differences:?}", device.info().name);
    assert!(
        differences.iter().all(|difference| *difference < TOLERANCE),
        "{differences:?}"
    );
}
