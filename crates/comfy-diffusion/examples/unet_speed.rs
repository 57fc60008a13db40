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

    let watch = Stopwatch::start();
    let scope = weights.root().enter("model.diffusion_model");
    let context_width =
        scope.dims::<2>("input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight")?[1];
    let network = UNet::load(&scope, &device)?;
    println!("unet loaded in {watch}");
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
            hooks: None,
        };
        let watch = Stopwatch::start();
        let result = network.forward(input)?;
        let finite = result.sum().into_scalar::<f32>().is_finite();
        let name = if call == 0 { "warm-up" } else { "call" };
        println!("{name} {watch} (finite: {finite})");
    }
    drop(network);

    let autoencoder = AutoencoderKl::load(&weights.root().enter("first_stage_model"), &device)?;
    let watch = Stopwatch::start();
    let pixels = autoencoder.decode(random([1, autoencoder.latent_channels(), side, side]))?;
    println!("decoded {:?} in {watch}", pixels.dims());
    let watch = Stopwatch::start();
    let latent = autoencoder.encode(pixels)?;
    println!("encoded {:?} in {watch}", latent.dims());
    Ok(())
}

/// What one part took: time by the clock, time of the processors, which a busy machine does not stretch, and the most memory that
/// the process has had (the last two on Linux).
struct Stopwatch {
    start: Instant,
    processor: f64,
}

impl Stopwatch {
    fn start() -> Self {
        Self {
            start: Instant::now(),
            processor: processor_seconds(),
        }
    }
}

impl std::fmt::Display for Stopwatch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        write!(
            formatter,
            "{:.2?}, processors {:.2} s, peak memory {}",
            self.start.elapsed(),
            processor_seconds() - self.processor,
            peak.unwrap_or("unknown").trim()
        )
    }
}

/// Seconds that all threads of this process have computed.
fn processor_seconds() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|text| text.split_whitespace().next()?.parse::<f64>().ok())
        .sum::<f64>()
        / 1e9
}
