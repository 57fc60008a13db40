//! Times picture and mask nodes on a batch of eight pictures of 1024×1024, and `PyTorch`, `SciPy` and Pillow beside them.
//!
//! ```text
//! cargo bench -p comfy-nodes --bench pictures [-- [--rounds N] [--only TEXT] [--pytorch PYTHON]]
//! ```
//!
//! `--only beside` times previews and PNG files, which are made beside sampling.
//!
//! PYTHON is an interpreter that has torch, numpy, scipy, pillow and kornia; both sides take turns, so that a busy machine slows
//! both.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for developers that talks on the terminal"
)]

use std::any::Any;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use burn::tensor::{Device, Tensor, TensorData};
use comfy_diffusion::device::{DevicePlan, DeviceRequest};
use comfy_diffusion::sampling::LatentFormat;
use comfy_graph::{
    Call, Host, Inputs, Json, NodeContext, NodeRegistry, Preview, Services, Slot, Value,
};
use comfy_nodes::folders::{Folders, FoldersOptions};
use comfy_nodes::pictures::{Compression, encode_png};
use comfy_nodes::preview::Previewer;
use comfy_nodes::runtime::{PreviewMethod, Runtime, RuntimeOptions};
use comfy_nodes::sockets::{Image, Mask};
use serde_json::{Number, json};

// As the server's program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH: usize = 8;
const SIDE: usize = 1024;

struct Nobody;

impl Host for Nobody {
    fn progress(&self, _: Number, _: Number, _: Option<Preview>) {}

    fn interrupted(&self) -> bool {
        false
    }

    fn instance(
        &self,
        make: &mut dyn FnMut() -> Arc<dyn Any + Send + Sync>,
    ) -> Arc<dyn Any + Send + Sync> {
        make()
    }
}

/// Node, wires and widgets. `a`, `b` are pictures, `m`, `n` masks; the peer knows each case by its place.
fn cases() -> Vec<(&'static str, Json)> {
    let scale = |method: &str, side: usize| json!({"image": "$a", "upscale_method": method, "width": side, "height": side, "crop": "disabled"});
    vec![
        ("ImageScale", scale("nearest-exact", 1536)),
        ("ImageScale", scale("bilinear", 1536)),
        ("ImageScale", scale("bicubic", 1536)),
        ("ImageScale", scale("area", 512)),
        ("ImageScale", scale("lanczos", 1536)),
        (
            "ImageScaleBy",
            json!({"image": "$a", "upscale_method": "bilinear", "scale_by": 0.5}),
        ),
        ("ImageInvert", json!({"image": "$a"})),
        ("ImageBatch", json!({"image1": "$a", "image2": "$b"})),
        (
            "ImageCrop",
            json!({"image": "$a", "width": 768, "height": 768, "x": 100, "y": 50}),
        ),
        (
            "ImageFlip",
            json!({"image": "$a", "flip_method": "y-axis: horizontally"}),
        ),
        (
            "ImageRotate",
            json!({"image": "$a", "rotation": "90 degrees"}),
        ),
        (
            "ImagePadForOutpaint",
            json!({"image": "$a", "left": 64, "top": 64, "right": 64, "bottom": 64, "feathering": 0}),
        ),
        (
            "ImageBlend",
            json!({"image1": "$a", "image2": "$b", "blend_factor": 0.5, "blend_mode": "overlay"}),
        ),
        (
            "ImageBlur",
            json!({"image": "$a", "blur_radius": 5, "sigma": 1.0}),
        ),
        (
            "ImageSharpen",
            json!({"image": "$a", "sharpen_radius": 1, "sigma": 1.0, "alpha": 1.0}),
        ),
        (
            "ImageCompositeMasked",
            json!({"destination": "$a", "source": "$b", "x": 0, "y": 0, "resize_source": false, "mask": "$m"}),
        ),
        (
            "Canny",
            json!({"image": "$a", "low_threshold": 0.3, "high_threshold": 0.6}),
        ),
        (
            "Morphology",
            json!({"image": "$a", "operation": "dilate", "kernel_size": 5}),
        ),
        ("ImageRGBToYUV", json!({"image": "$a"})),
        (
            "ImageQuantize",
            json!({"image": "$a", "colors": 64, "dither": "none"}),
        ),
        (
            "ImageQuantize",
            json!({"image": "$a", "colors": 64, "dither": "floyd-steinberg"}),
        ),
        ("MaskToImage", json!({"mask": "$m"})),
        ("ImageToMask", json!({"image": "$a", "channel": "red"})),
        ("InvertMask", json!({"mask": "$m"})),
        (
            "GrowMask",
            json!({"mask": "$m", "expand": 6, "tapered_corners": true}),
        ),
        (
            "MaskComposite",
            json!({"destination": "$m", "source": "$n", "x": 0, "y": 0, "operation": "multiply"}),
        ),
        ("JoinImageWithAlpha", json!({"image": "$a", "alpha": "$m"})),
        (
            "PorterDuffImageComposite",
            json!({"source": "$a", "source_alpha": "$m", "destination": "$b", "destination_alpha": "$n", "mode": "SRC_OVER"}),
        ),
    ]
}

/// Smooth colours with some texture, so that no shortcut for flat pictures helps; the peer makes the same.
fn values(seed: usize, channels: usize) -> Vec<f32> {
    let mut values = Vec::with_capacity(BATCH * SIDE * SIDE * channels);
    for picture in 0..BATCH {
        for y in 0..SIDE {
            for x in 0..SIDE {
                for channel in 0..channels {
                    let waves = (x * (3 + channel) + y * (2 + picture) + seed * 31) % 512;
                    let slope = if waves < 256 { waves } else { 511 - waves };
                    let grain = (x * 7 + y * 13 + channel * 5 + seed) % 11;
                    values.push(((slope + grain).min(255)) as f32 / 255.0);
                }
            }
        }
    }
    values
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |flag: &str| {
        let place = arguments.iter().position(|argument| argument == flag);
        place.and_then(|index| arguments.get(index + 1))
    };
    let rounds: usize = value("--rounds").map_or(5, |text| text.parse().unwrap());
    let only = value("--only").map_or("", String::as_str);
    let mut peer = value("--pytorch").map(|python| Peer::start(python));

    let mut registry = NodeRegistry::new();
    comfy_nodes::register(&mut registry).unwrap();
    let image = |seed| Image::from_values(values(seed, 3), [BATCH, SIDE, SIDE, 3]).unwrap();
    let mask = |seed| Mask::from_values(values(seed, 1), [BATCH, SIDE, SIDE]).unwrap();
    let wires = [
        ("$a", Value::new(image(1))),
        ("$b", Value::new(image(2))),
        ("$m", Value::new(mask(3))),
        ("$n", Value::new(mask(4))),
    ];

    println!("{BATCH} pictures of {SIDE}x{SIDE}, milliseconds (median of {rounds})");
    for (index, (node, inputs)) in cases().into_iter().enumerate() {
        let label = label(node, &inputs);
        if !label.contains(only) {
            continue;
        }
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..=rounds {
            let time = run(&registry, node, &inputs, &wires);
            let peer_time = peer.as_mut().map(|peer| peer.run(index));
            // The first round warms both up.
            if round > 0 {
                ours.push(time);
                theirs.extend(peer_time);
            }
        }
        let ours = median(&mut ours);
        if theirs.is_empty() {
            println!("{label:<60} {ours:8.1}");
        } else {
            let theirs = median(&mut theirs);
            println!(
                "{label:<60} {ours:8.1} {theirs:8.1}  {:.2} of the time",
                ours / theirs
            );
        }
    }
    if only.is_empty() || only == "beside" {
        beside_sampling(rounds);
    }
}

/// What is done beside sampling: a preview of each step, and the file of a picture. Nothing to compare with, but a step takes far longer.
fn beside_sampling(rounds: usize) {
    let time = |label: &str, work: &dyn Fn()| {
        let times = (0..=rounds).map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64() * 1e3
        });
        // The first round warms up.
        let mut times: Vec<f64> = times.skip(1).collect();
        println!("{label:<60} {:8.1}", median(&mut times));
    };
    let folders = Folders::new(FoldersOptions::default()).unwrap();
    let runtime = Runtime::new(RuntimeOptions {
        folders: Arc::new(folders),
        device: DevicePlan::survey(DeviceRequest::Cpu).unwrap(),
        preview: PreviewMethod::Latent2Rgb,
        preview_size: 512,
        metadata: true,
    });
    let previewer = Previewer::new(&runtime, &LatentFormat::SD15, None).unwrap();
    for side in [512, 1024] {
        let cells = side / 8;
        let latent = values(1, 4)[..4 * cells * cells].to_vec();
        let latent = TensorData::new(latent, [1, 4, cells, cells]);
        let latent = Tensor::<4>::from_data(latent, &Device::flex());
        time(
            &format!("a preview while {side}x{side} is sampled"),
            &|| {
                drop(previewer.render(&latent).unwrap());
            },
        );
        let pixels = values(1, 3)[..side * side * 3].to_vec();
        let bytes: Vec<u8> = pixels.iter().map(|value| (value * 255.0) as u8).collect();
        time(&format!("the PNG file of {side}x{side}"), &|| {
            let compression = Compression::Balanced;
            drop(encode_png(&bytes, side, side, 3, &[], compression).unwrap());
        });
    }
}

fn label(node: &str, inputs: &Json) -> String {
    let widgets: Vec<String> = inputs
        .as_object()
        .unwrap()
        .values()
        .filter(|value| !value.as_str().is_some_and(|text| text.starts_with('$')))
        .map(|value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        })
        .collect();
    format!("{node} {}", widgets.join(" "))
}

/// Milliseconds of one run.
fn run(registry: &NodeRegistry, node: &str, inputs: &Json, wires: &[(&str, Value)]) -> f64 {
    let mut given = Inputs::new();
    for (name, value) in inputs.as_object().unwrap() {
        let wire = wires.iter().find(|(wire, _)| value == wire);
        let slot = match wire {
            Some((_, value)) => Slot::Wire(value.clone()),
            None => Slot::Literal(value.clone()),
        };
        given.insert(name.clone(), slot);
    }
    let mut context = NodeContext::new(Call {
        unique_id: "1".into(),
        index: 0,
        prompt: Arc::new(Json::Null),
        extra_pnginfo: Arc::new(Json::Null),
        services: Services::new(),
        host: Arc::new(Nobody),
    });
    let class = registry.get(node).unwrap();
    let start = Instant::now();
    drop(class.run(&mut given, &mut context).unwrap());
    start.elapsed().as_secs_f64() * 1e3
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The same work in Python: a process that does a case each time it is told to.
struct Peer {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    fn start(python: &str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/pictures.py");
        let mut process = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
        let ready = output.next().expect("the script says what it runs on");
        println!("Python: {}", ready.unwrap());
        Self {
            process,
            input,
            output,
        }
    }

    /// Milliseconds of one run of a case.
    fn run(&mut self, case: usize) -> f64 {
        writeln!(self.input, "{case}").unwrap();
        let line = self.output.next().expect("the script answers").unwrap();
        line.parse().unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
