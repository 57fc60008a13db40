//! Computes parts of a checkpoint and tells how long that took: our side of `cargo xtask bench`.
//!
//! `speed CHECKPOINT [--device DEVICE] [--bf16-unet | --fp16-unet | --fp32-unet]` reads requests from the standard input and answers each,
//! both as lines of JSON:
//! `{"work": "unet", "inputs": {"latent": {"file": PATH, "shape": [2, 4, 32, 32]}, "context": …}, "output": PATH, "profile": false}` is
//! answered by `{"seconds": 1.2, "peak_mib": 3000.0}`. Works are `unet` (inputs `latent`, `context` and, for SDXL, `label`),
//! `decode` (`latent`), `encode` (`image`) and `text`. Files hold `f32` values, little endian, in C order. With `profile`, the answer has,
//! for every operator, its name, how often it was called, the seconds of all calls, and the operations of its matrix products.
//!
//! `speed --make NAME` makes a synthetic checkpoint such as `sd15_full_fp16`, if it is not there, and says where it is.

#![allow(
    clippy::print_stdout,
    reason = "a tool that talks on the standard output"
)]

use std::error::Error;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::tensor::{DType, Tensor, TensorData};
use comfy_diffusion::device::{ComputeDevice, DevicePlan, DeviceRequest, Precision};
use comfy_diffusion::models::NetworkInput;
use comfy_diffusion::ops::profile;
use comfy_diffusion::weights::Rounding;
use comfy_diffusion::{Checkpoint, open_checkpoint, open_diffusion_model};
use serde::Deserialize;
use serde_json::json;

// As the server's program has it: the system's allocator gives large blocks back to the kernel after every operator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The time of every call of the network; both sides have the same.
const TIMESTEP: f32 = 981.0;

/// What is encoded.
const PROMPT: &str = "a photo of a cat";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    work: Work,
    #[serde(default)]
    inputs: Inputs,
    /// Where to write the result.
    output: Option<PathBuf>,
    #[serde(default)]
    profile: bool,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Work {
    Unet,
    Decode,
    Encode,
    Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inputs {
    latent: Option<Input>,
    context: Option<Input>,
    label: Option<Input>,
    image: Option<Input>,
}

#[derive(Debug, Deserialize)]
struct Input {
    file: PathBuf,
    shape: Vec<usize>,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = arguments
        .first()
        .ok_or("expected the path of a checkpoint")?;
    if let [flag, name] = &arguments[..]
        && flag == "--make"
    {
        println!("{}", comfy_fixtures::checkpoint(name).display());
        return Ok(());
    }
    let named = arguments.iter().position(|argument| argument == "--device");
    let request = match named.and_then(|index| arguments.get(index + 1)) {
        Some(name) => name.parse()?,
        None => DeviceRequest::Cpu,
    };
    let mut plan = DevicePlan::survey(request)?;
    for (flag, precision) in [
        ("--bf16-unet", Precision::Brain),
        ("--fp16-unet", Precision::Half),
        ("--fp32-unet", Precision::Single),
    ] {
        if arguments.iter().any(|argument| argument == flag) {
            plan.network_precision = precision;
        }
    }
    let start = Instant::now();
    let device = plan.open()?;
    let checkpoint = open(Path::new(path), &device)?;
    let seconds = start.elapsed().as_secs_f64();
    let networks = device.for_networks();
    let ready = json!({"device": plan.name, "api": plan.api, "seconds": seconds, "strategies": format!("{:?}", networks.strategies())});
    say(&ready)?;
    for line in std::io::stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line?)?;
        say(&answer(&request, &checkpoint, &device)?)?;
    }
    Ok(())
}

fn say(message: &serde_json::Value) -> Result<()> {
    println!("{message}");
    Ok(std::io::stdout().flush()?)
}

/// A checkpoint, or a diffusion network alone.
fn open(path: &Path, device: &ComputeDevice) -> Result<Checkpoint> {
    let checkpoint = open_checkpoint(path, device);
    Ok(match checkpoint {
        Ok(checkpoint) if checkpoint.model.is_some() => checkpoint,
        _ => Checkpoint {
            model: Some(open_diffusion_model(path, Rounding::default(), device)?),
            clip: None,
            vae: None,
        },
    })
}

fn answer(
    request: &Request,
    checkpoint: &Checkpoint,
    device: &ComputeDevice,
) -> Result<serde_json::Value> {
    let values = |input: &Option<Input>, name: &str| -> Result<TensorData> {
        let input = input.as_ref().ok_or(format!("`{name}` is missing"))?;
        let bytes = std::fs::read(&input.file)?;
        let (words, _) = bytes.as_chunks::<4>();
        let values = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
        Ok(TensorData::new::<f32, _>(values, input.shape.clone()))
    };
    let place = (device.tensor_device(), DType::F32);
    let inputs = &request.inputs;
    let prepare = |profiled: bool| {
        if profiled {
            profile::start();
        }
        Instant::now()
    };
    let (start, result) = match request.work {
        Work::Unet => {
            let model = checkpoint.model.as_ref().ok_or("there is no network")?;
            let network = model.network.get()?;
            let latent = Tensor::<4>::from_data(values(&inputs.latent, "latent")?, place);
            let batch = latent.dims()[0];
            let label = inputs
                .label
                .is_some()
                .then(|| values(&inputs.label, "label"));
            let input = NetworkInput {
                x: latent,
                timesteps: Tensor::full([batch], TIMESTEP, device.tensor_device()),
                context: Some(Tensor::from_data(
                    values(&inputs.context, "context")?,
                    place,
                )),
                label: label
                    .transpose()?
                    .map(|label| Tensor::from_data(label, place)),
                hooks: None,
            };
            device.synchronise()?;
            let start = prepare(request.profile);
            (start, network.forward(input)?.into_data())
        }
        Work::Decode => {
            let vae = checkpoint.vae.as_ref().ok_or("there is no autoencoder")?;
            vae.ratio()?;
            let latent = Tensor::from_data(values(&inputs.latent, "latent")?, place);
            device.synchronise()?;
            let start = prepare(request.profile);
            (start, vae.decode(latent)?.into_data())
        }
        Work::Encode => {
            let vae = checkpoint.vae.as_ref().ok_or("there is no autoencoder")?;
            vae.ratio()?;
            let image = Tensor::from_data(values(&inputs.image, "image")?, place);
            device.synchronise()?;
            let start = prepare(request.profile);
            (start, vae.encode(image)?.into_data())
        }
        Work::Text => {
            let clip = checkpoint.clip.as_ref().ok_or("there is no text encoder")?;
            let start = prepare(request.profile);
            (start, clip.encode(PROMPT)?.cond.into_data())
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    let operators: Vec<_> = if request.profile {
        let list = profile::stop().into_iter();
        list.map(|(name, spent)| {
            json!([
                name,
                spent.calls,
                spent.time.as_secs_f64(),
                spent.operations
            ])
        })
        .collect()
    } else {
        Vec::new()
    };
    if let Some(path) = &request.output {
        let bytes: Vec<u8> = result.iter::<f32>().flat_map(f32::to_le_bytes).collect();
        std::fs::write(path, bytes)?;
    }
    Ok(json!({"seconds": seconds, "peak_mib": peak_mib(), "operators": operators}))
}

/// The largest resident size of this process so far, in MiB; on Linux.
fn peak_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(peak.trim().trim_end_matches(" kB").parse::<f64>().ok()? / 1024.0)
}
