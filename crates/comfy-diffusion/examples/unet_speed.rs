//! Times the UNet and the autoencoder of a checkpoint on the processor.
//!
//! `cargo run --release -p comfy-diffusion --example unet_speed -- CHECKPOINT [SIDE [CALLS]]`: `SIDE` is the picture's side in pixels
//! (256), `CALLS` how many predictions are timed (4). Each prediction is a batch of two, as classifier-free guidance needs it.

#![allow(clippy::print_stdout, reason = "a tool that prints what it measured")]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use burn::tensor::{Distribution, Tensor};
use comfy_diffusion::device::{DevicePlan, DeviceRequest};
use comfy_diffusion::models::autoencoder::AutoencoderKl;
use comfy_diffusion::models::unet::UNet;
use comfy_diffusion::models::{Network, NetworkInput};
use comfy_diffusion::weights::Weights;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(path) = arguments.first() else {
        return Err("expected the path of a checkpoint".into());
    };
    let number = |index: usize, default: usize| {
        arguments
            .get(index)
            .map_or(Ok(default), |text| text.parse())
    };
    let (side, calls) = (number(1, 256)? / 8, number(2, 4)?);
    let device = DevicePlan::survey(DeviceRequest::Cpu)?.open()?;
    let weights = Weights::open(Path::new(path))?;

    let start = Instant::now();
    let scope = weights.root().enter("model.diffusion_model");
    let context_width =
        scope.dims::<2>("input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight")?[1];
    let network = UNet::load(&scope, &device)?;
    println!("unet loaded in {:.2?}, {}", start.elapsed(), memory());
    let random = |shape: [usize; 4]| {
        Tensor::<4>::random(
            shape,
            Distribution::Normal(0.0, 1.0),
            device.tensor_device(),
        )
    };
    for call in 0..=calls {
        let input = NetworkInput {
            x: random([2, network.in_channels(), side, side]),
            timesteps: Tensor::from_floats([981.0, 981.0], device.tensor_device()),
            context: Some(random([1, 2, 77, context_width]).squeeze_dim(0)),
            label: None,
        };
        let start = Instant::now();
        let result = network.forward(input)?;
        let finite = result.sum().into_scalar::<f32>().is_finite();
        let name = if call == 0 { "warm-up" } else { "call" };
        println!(
            "{name} {:.3?} (finite: {finite}), {}",
            start.elapsed(),
            memory()
        );
    }
    drop(network);

    let autoencoder = AutoencoderKl::load(&weights.root().enter("first_stage_model"), &device)?;
    let start = Instant::now();
    let pixels = autoencoder.decode(random([1, autoencoder.latent_channels(), side, side]))?;
    println!(
        "decoded {:?} in {:.3?}, {}",
        pixels.dims(),
        start.elapsed(),
        memory()
    );
    let start = Instant::now();
    let latent = autoencoder.encode(pixels)?;
    println!(
        "encoded {:?} in {:.3?}, {}",
        latent.dims(),
        start.elapsed(),
        memory()
    );
    Ok(())
}

/// The most memory that this process has had, where the system tells (Linux).
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM"));
    peak.map_or_else(String::new, |line| {
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    })
}
